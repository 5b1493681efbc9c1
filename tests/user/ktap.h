/* SPDX-License-Identifier: MIT */
/*
 * tests/user/ktap.h - claims about a kernel, checked by an ordinary program and printed as KTAP
 *
 * Room:   tests/user. libc only: the same binary runs on Linux and on Bulla.
 * Owns:   the verdict of the test that is running.
 * Locks:  none; for programs with one thread.
 * Always: (1) a test prints one result line; its name is the claim; a program that is given the
 *             name of one runs that alone;
 *         (2) nothing that differs from run to run is printed, unless a test fails.
 * Source: "The Kernel Test Anything Protocol (KTAP), version 1", Linux documentation.
 * Tour:   before any test in tests/user; then tests/user/compare.
 */
#pragma once

#include "../../user/probe.h"
#include <sys/syscall.h>
#include <sys/utsname.h>

struct ktap_test {
    const char *name;
    void (*run)(void);
};

static bool ktap_failed;
static const char *ktap_skipped;

/* A claim within a test. The test goes on, so that one run shows everything that is wrong. */
#define EXPECT(claim) ktap_expect((claim), #claim, __LINE__)
/* The call returns @value; a failure shows what it returned, and errno. */
#define EXPECT_IS(call, value) ktap_result((long)(call), (long)(value), 0, #call, __LINE__)
/* The call returns -1 and sets errno to @error. */
#define EXPECT_ERR(call, error) ktap_result((long)(call), -1, (error), #call, __LINE__)
/* Leave the test without a verdict. */
#define SKIP(reason)             \
    do {                         \
        ktap_skipped = (reason); \
        return;                  \
    } while (0)

__attribute__((unused)) static void ktap_expect(bool holds, const char *claim, int line)
{
    if (!holds)
        printf("# line %d: not so: %s\n", line, claim);
    ktap_failed |= !holds;
}

__attribute__((unused)) static void ktap_result(long got, long value, int error, const char *call,
                                                int line)
{
    int seen = got == -1 ? errno : 0;

    if (got == value && seen == error)
        return;
    printf("# line %d: %s: %ld, errno %d (%s); expected %ld, errno %d\n", line, call, got, seen,
           strerror(seen), value, error);
    ktap_failed = true;
}

/* Is this a Linux from before @major.@minor? Bulla's answers are those of 6.18 whatever it says. */
__attribute__((unused)) static bool linux_before(int major, int minor)
{
    struct utsname name;
    int has_major = 0, has_minor = 0;

    if (uname(&name) < 0 || strstr(name.release, "bulla"))
        return false;
    sscanf(name.release, "%d.%d", &has_major, &has_minor);
    return has_major < major || (has_major == major && has_minor < minor);
}

/* Was this machine started for the tests, so that its settings may be changed? Never the one of the
 * person who runs them: tools/run's first program is /init. */
__attribute__((unused)) static bool machine_is_ours(void)
{
    struct utsname name;
    char exe[16] = "";

    if (uname(&name) == 0 && strstr(name.release, "bulla"))
        return true;
    return readlink("/proc/1/exe", exe, sizeof(exe) - 1) == 5 && !strcmp(exe, "/init");
}

/* A setting below /sys/kernel/mm/transparent_hugepage, of a machine that is ours. */
__attribute__((unused)) static bool huge_pages_set(const char *name, const char *word)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/kernel/mm/transparent_hugepage/%s", name);
    int fd = machine_is_ours() ? open(path, O_WRONLY) : -1;
    bool written = fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word);
    if (fd >= 0)
        close(fd);
    return written;
}

/* Transparent huge pages where madvise() asks, and only there: small machines say "never", large
 * ones "always". Nothing is collapsed behind the back of a test: khugepaged sleeps (Linux would for
 * 49 days, after a last look). */
__attribute__((unused)) static void huge_pages_allow(void)
{
    if (machine_is_ours() &&
        !(huge_pages_set("khugepaged/scan_sleep_millisecs", "4294967295") &&
          huge_pages_set("khugepaged/max_ptes_none", "0") && huge_pages_set("enabled", "madvise")))
        printf("# huge pages cannot be had\n");
}

/* This thread runs on that CPU, or on the last before it that there is: a race needs two that go on
 * at once. */
__attribute__((unused)) static void run_on(unsigned cpu)
{
    unsigned long mask = 1UL << cpu;

    while (syscall(SYS_sched_setaffinity, 0, sizeof(mask), &mask) < 0 && mask > 1)
        mask >>= 1;
}

/* The one test that was asked for: the program's argument, if that is the name of one. */
static const struct ktap_test *ktap_chosen(const struct ktap_test *tests, size_t count)
{
    char words[256] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t len = fd < 0 ? 0 : read(fd, words, sizeof(words) - 1);

    if (fd >= 0)
        close(fd);
    const char *wanted = words + strlen(words) + 1;
    for (size_t i = 0; wanted < words + len && i < count; i++)
        if (!strcmp(tests[i].name, wanted))
            return &tests[i];
    return NULL;
}

__attribute__((unused)) static int ktap_run(const struct ktap_test *tests, size_t count)
{
    const struct ktap_test *chosen = ktap_chosen(tests, count);
    int failures = 0;

    tests = chosen ? chosen : tests;
    count = chosen ? 1 : count;
    printf("KTAP version 1\n1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        ktap_failed = false;
        ktap_skipped = NULL;
        tests[i].run();
        printf("%s %zu %s%s%s\n", ktap_failed ? "not ok" : "ok", i + 1, tests[i].name,
               ktap_skipped ? " # SKIP " : "", ktap_skipped ? ktap_skipped : "");
        fflush(stdout);
        failures += ktap_failed;
    }
    return failures ? 1 : 0;
}

#define TEST(function)      \
    {                       \
#function, function \
    }
#define KTAP_MAIN(tests) ktap_run(tests, sizeof(tests) / sizeof(tests)[0])

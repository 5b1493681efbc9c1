/* SPDX-License-Identifier: MIT */
/*
 * include/base/ktest.h - tests that run inside the kernel
 *
 * Room:   base. Tests lie in tests/kernel, built only into build/test; kernel/ktest.c runs them.
 * Owns:   the linker section .ktest, the words a test says.
 * Locks:  none. A test runs in task context on the boot CPU, IRQs as they were.
 * Always: (1) a failed expectation is printed and counted, never a panic;
 *         (2) after each test vm_check() holds, and repeating it takes no more frames.
 * Source: design.md section 10, ring 3; "KTAP version 1".
 * Tour:   before tests/kernel/.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

struct ktest {
    const char *name;
    void (*run)(void);
    bool ends_machine; /* it must panic: run only when its whole name is asked for */
};

/* KTEST(secretmem_page_is_absent_from_direct_map) { ... }: the name is a sentence. */
#define KTEST(test) KTEST_DEFINE(test, false)
/* A test that must end in a panic whose line contains @text; tests/kernel/run looks for it. */
#define KTEST_PANICS(test, text) KTEST_DEFINE(test, true)

#define KTEST_DEFINE(test, ends)                                  \
    static void test(void);                                       \
    static const struct ktest ktest_of_##test __section(".ktest") \
        __aligned(8) = {#test, test, ends};                       \
    static void test(void)

/* Print what was expected and, with the format, what was found; the test goes on. True: it held. */
#define EXPECT(cond, ...)                                            \
    ({                                                               \
        bool _held = (cond);                                         \
        if (!_held)                                                  \
            ktest_failed(__FILE__, __LINE__, #cond, "" __VA_ARGS__); \
        _held;                                                       \
    })

/* The same; the test ends here when it does not hold. */
#define REQUIRE(cond, ...)                \
    do {                                  \
        if (!EXPECT(cond, ##__VA_ARGS__)) \
            return;                       \
    } while (0)

/* Two whole numbers are the same; prints both. */
#define EXPECT_EQ(found, expected)                                                \
    ({                                                                            \
        long long _found = (long long)(found), _expected = (long long)(expected); \
        EXPECT(_found == _expected, #found " = %lld (%#llx), not %lld", _found,   \
               (unsigned long long)_found, _expected);                            \
    })

/* A checker must fail, and name @text in the line it prints. */
#define EXPECT_FINDS(check, text)                                          \
    do {                                                                   \
        ktest_log_watch(text);                                             \
        EXPECT((check) != 0);                                              \
        EXPECT(ktest_log_seen(), "no line with \"%s\" was printed", text); \
    } while (0)

void ktest_failed(const char *file, int line, const char *claim, const char *fmt, ...)
    __printf(4, 5);

/* This machine cannot run the test: say what is missing, then return. */
void ktest_skip(const char *why);

/* A remark in the output. */
void ktest_note(const char *fmt, ...) __printf(1, 2);

/* From now on look for @text in the lines of the kernel's log. Did one contain it? */
void ktest_log_watch(const char *text);
bool ktest_log_seen(void);

/* What the command line says of a test: "soak.seed=7"; else @otherwise. */
uint64_t ktest_option(const char *key, uint64_t otherwise);

/**
 * ktest_run() - run the tests whose names match, print KTAP, leave the machine
 * @cmdline: for ktest_option()
 * @patterns: names, parted by commas; '*' stands for anything. "*" is all of them.
 *
 * Context: task context, boot CPU. Kernel log lines come with "# " in front from here on.
 * Exit status: EXIT_CODE_OK when some test ran and none failed, else EXIT_CODE_FAILED.
 */
_Noreturn void ktest_run(const char *cmdline, const char *patterns);

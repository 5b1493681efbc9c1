/* SPDX-License-Identifier: MIT */
/*
 * tests/user/memfd_noexec.c - vm.memfd_noexec: who decides whether memory may be a program
 *
 * Room:   tests/user. Needs root: all happens in PID namespaces of its own.
 * Owns:   the setting in those.
 * Locks:  none.
 * Always: (1) this machine's own setting is left as it is; where that is not 0, tests are skipped.
 * Source: Linux Documentation/admin-guide/sysctl/vm.rst, "memfd_noexec"; observed on Linux 6.18.
 * Tour:   after tests/user/memfd_create.c and tests/user/pid_ns.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_EXEC
#define MFD_NOEXEC_SEAL 8U
#define MFD_EXEC        16U
#endif

#define SETTING   "/proc/sys/vm/memfd_noexec"
#define SYS_ADMIN 21
#define PROGRAM   0777 /* rights of what may be one .. */
#define DATA      0666 /* .. and of what may not */

static int setting(void)
{
    char text[16];
    return slurp(SETTING, text, sizeof text) > 0 ? atoi(text) : -1;
}

/* 0 or errno. */
static int set(const char *text)
{
    int fd = open(SETTING, O_WRONLY);
    int error = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;

    close(fd);
    return error;
}

/* The rights of what memfd_create() makes, or -errno. */
static int made(unsigned flags)
{
    struct stat st;
    int fd = memfd_create("made", flags);

    if (fd < 0)
        return -errno;
    int seals = fcntl(fd, F_GET_SEALS);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT(!(seals & 0x20) == ((st.st_mode & 0777) == PROGRAM));
    close(fd);
    return st.st_mode & 0777;
}

/* Run @what as process 1 of a new namespace below the running process's. */
static void below(void (*what)(void))
{
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        EXPECT_IS(unshare(CLONE_NEWPID), 0);
        fflush(stdout);
        pid_t first = fork();
        if (first == 0) {
            what();
            fflush(stdout);
            _exit(ktap_failed);
        }
        EXPECT_IS(waitpid(first, &status, 0), first);
        _exit(ktap_failed || status);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
}

#define NEED_NAMESPACES                                 \
    if (geteuid() || access("/proc/self/ns/pid", F_OK)) \
        SKIP("needs root and PID namespaces");          \
    if (setting() != 0)                                 \
    SKIP("there is no such setting here, or it is strict")

static void expect_made(int says_nothing, int wants_program, int wants_none)
{
    EXPECT_IS(made(0), says_nothing);
    EXPECT_IS(made(MFD_ALLOW_SEALING), says_nothing);
    EXPECT_IS(made(MFD_EXEC), wants_program);
    EXPECT_IS(made(MFD_NOEXEC_SEAL), wants_none);
    EXPECT_IS(made(MFD_EXEC | MFD_NOEXEC_SEAL), -EINVAL);
}

static void each_setting(void)
{
    expect_made(PROGRAM, PROGRAM, DATA);
    EXPECT_IS(set("1"), 0);
    expect_made(DATA, PROGRAM, DATA);
    EXPECT_IS(set("2\n"), 0);
    expect_made(DATA, -EACCES, DATA);
    EXPECT_IS(set("0"), 0);
    expect_made(PROGRAM, PROGRAM, DATA);
}

static void setting_decides_for_who_says_nothing(void)
{
    NEED_NAMESPACES;
    below(each_setting);
    EXPECT_IS(setting(), 0);
}

static void other_numbers(void)
{
    EXPECT_IS(set("3"), EINVAL);
    EXPECT_IS(set("-1"), EINVAL);
    EXPECT_IS(set("4294967296"), EINVAL);
    EXPECT_IS(set("one"), EINVAL);
    EXPECT_IS(setting(), 0);
    EXPECT_IS(set(" 2 "), 0);
    EXPECT_IS(setting(), 2);
}

static void only_three_numbers_are_taken(void)
{
    NEED_NAMESPACES;
    below(other_numbers);
}

static void lower_than_above(void)
{
    EXPECT_IS(setting(), 1);
    EXPECT_IS(set("0"), EINVAL);
    EXPECT_IS(set("1"), 0);
    EXPECT_IS(set("2"), 0);
    EXPECT_IS(setting(), 2);
    EXPECT_IS(set("1"), 0);
}

static void one_and_below(void)
{
    EXPECT_IS(set("1"), 0);
    below(lower_than_above);
    EXPECT_IS(setting(), 1);
}

static void who_is_below_cannot_be_laxer(void)
{
    NEED_NAMESPACES;
    below(one_and_below);
}

/* What the process above does, when, and how it goes on. */
static int go[2], gone[2];

static void wait_for_above(void)
{
    char byte;

    EXPECT_IS(write(gone[1], "x", 1), 1);
    EXPECT_IS(read(go[0], &byte, 1), 1);
}

static void watch(void)
{
    EXPECT_IS(setting(), 0);
    wait_for_above();
    EXPECT_IS(setting(), 2);
    EXPECT_IS(made(MFD_EXEC), -EACCES);
    EXPECT_IS(set("1"), EINVAL);
    wait_for_above();
    EXPECT_IS(setting(), 0); /* its own was never set */
    EXPECT_IS(made(0), PROGRAM);
}

static void change_above(void)
{
    char byte;
    pid_t changer = fork();

    if (changer == 0) {
        EXPECT_IS(read(gone[0], &byte, 1), 1);
        EXPECT_IS(set("2"), 0);
        EXPECT_IS(write(go[1], "x", 1), 1);
        EXPECT_IS(read(gone[0], &byte, 1), 1);
        EXPECT_IS(set("0"), 0);
        EXPECT_IS(write(go[1], "x", 1), 1);
        fflush(stdout);
        _exit(ktap_failed);
    }
    below(watch);
    EXPECT_IS(waitpid(changer, NULL, 0), changer);
}

static void what_is_set_above_counts_at_once(void)
{
    NEED_NAMESPACES;
    EXPECT_IS(pipe(go), 0);
    EXPECT_IS(pipe(gone), 0);
    below(change_above);
}

static void born_strict(void)
{
    EXPECT_IS(setting(), 1);
    wait_for_above();
    EXPECT_IS(setting(), 1); /* as it was when this began */
    EXPECT_IS(set("0"), 0);
    EXPECT_IS(setting(), 0);
}

static void relax_above(void)
{
    char byte;

    EXPECT_IS(set("1"), 0);
    pid_t changer = fork();
    if (changer == 0) {
        EXPECT_IS(read(gone[0], &byte, 1), 1);
        EXPECT_IS(set("0"), 0);
        EXPECT_IS(write(go[1], "x", 1), 1);
        _exit(0);
    }
    below(born_strict);
    EXPECT_IS(waitpid(changer, NULL, 0), changer);
}

static void new_namespace_begins_with_what_counts(void)
{
    NEED_NAMESPACES;
    EXPECT_IS(pipe(go), 0);
    EXPECT_IS(pipe(gone), 0);
    below(relax_above);
}

static void without_capability(void)
{
    unsigned header[2] = {0x20080522, 0}, sets[6] = {0};

    EXPECT_IS(syscall(SYS_capget, header, sets), 0);
    sets[0] &= ~(1U << SYS_ADMIN);
    EXPECT_IS(syscall(SYS_capset, header, sets), 0);
    EXPECT_IS(set("1"), EPERM);
    EXPECT_IS(setting(), 0);
}

static void setting_needs_the_capability(void)
{
    NEED_NAMESPACES;
    below(without_capability);
}

static const struct ktap_test tests[] = {
    TEST(setting_decides_for_who_says_nothing),  TEST(only_three_numbers_are_taken),
    TEST(who_is_below_cannot_be_laxer),          TEST(what_is_set_above_counts_at_once),
    TEST(new_namespace_begins_with_what_counts), TEST(setting_needs_the_capability),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

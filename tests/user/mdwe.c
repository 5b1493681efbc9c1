/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mdwe.c - PR_SET_MDWE: nothing both written and executed, nothing executed later
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18; (2) each test is a process of its own.
 * Source: PR_SET_MDWE(2const).
 * Tour:   after tests/user/mprotect.c.
 */
#define _GNU_SOURCE
#include "pkeys.h"
#include <sys/ipc.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>

#define SET_MDWE   65
#define GET_MDWE   66
#define REFUSE     1L
#define NO_INHERIT 2L
#define RX         (PROT_READ | PROT_EXEC)
#define RWX        (RW | PROT_EXEC)
#define ANON       (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHM_CODE   0100000   /* SHM_EXEC */
#define IMPLY      0x0400000 /* READ_IMPLIES_EXEC */

static long set(long bits)
{
    return prctl(SET_MDWE, bits, 0L, 0L, 0L);
}

static long get(void)
{
    return prctl(GET_MDWE, 0L, 0L, 0L, 0L);
}

static unsigned char *map(int prot)
{
    return mmap(NULL, PAGE, prot, ANON, -1, 0);
}

/* 0, or the error of mapping a page so. */
static int map_error(int prot, int flags, int fd)
{
    void *p = mmap(NULL, PAGE, prot, flags, fd, 0);

    if (p == MAP_FAILED)
        return errno;
    munmap(p, PAGE);
    return 0;
}

static void arguments(void)
{
    EXPECT_IS(get(), 0);
    EXPECT_ERR(prctl(GET_MDWE, 1L, 0L, 0L, 0L), EINVAL);
    EXPECT_ERR(prctl(GET_MDWE, 0L, 0L, 0L, 1L), EINVAL);
    EXPECT_ERR(set(4), EINVAL);
    EXPECT_ERR(set(1L << 32), EINVAL);
    EXPECT_ERR(set(NO_INHERIT), EINVAL);
    EXPECT_ERR(prctl(SET_MDWE, REFUSE, 1L, 0L, 0L), EINVAL);
    EXPECT_ERR(prctl(SET_MDWE, REFUSE, 0L, 0L, 1L), EINVAL);
    EXPECT_IS(set(0), 0);
    EXPECT_IS(map_error(RWX, ANON, -1), 0);
    EXPECT_IS(set(REFUSE), 0);
    EXPECT_IS(get(), REFUSE);
    EXPECT_IS(set(REFUSE), 0);
    EXPECT_ERR(set(0), EPERM);
    EXPECT_ERR(set(REFUSE | NO_INHERIT), EPERM);
}

static void new_mappings(void)
{
    int fd = (int)syscall(SYS_memfd_create, "code", 0);
    int file = open("/proc/self/exe", O_RDONLY);
    unsigned char *taken = map(RW);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT_IS(set(REFUSE), 0);
    EXPECT_IS(map_error(RWX, ANON, -1), EACCES);
    EXPECT_IS(map_error(PROT_WRITE | PROT_EXEC, ANON, -1), EACCES);
    EXPECT_IS(map_error(RX, ANON, -1), 0);
    EXPECT_IS(map_error(PROT_EXEC, ANON, -1), 0);
    EXPECT_IS(map_error(RWX, MAP_SHARED | MAP_ANONYMOUS, -1), EACCES);
    EXPECT_IS(map_error(RWX, MAP_SHARED, fd), EACCES);
    EXPECT_IS(map_error(RWX, MAP_PRIVATE, fd), EACCES);
    EXPECT_IS(map_error(RWX, MAP_SHARED, file), EACCES);
    EXPECT_IS(map_error(RWX, MAP_PRIVATE, file), EACCES);
    EXPECT_IS(map_error(RX, MAP_PRIVATE, file), 0);
    EXPECT_IS(map_error(RWX, MAP_PRIVATE, 999), EBADF);
    EXPECT_ERR((long)mmap(taken, PAGE, RWX, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    EXPECT_ERR((long)mmap(taken, PAGE, RWX, ANON | MAP_FIXED, -1, 0), EACCES);
    EXPECT(!probe(taken, PROBE_WRITE).sig); /* it was not replaced */
    EXPECT_ERR((long)mmap(NULL, 1UL << 46, RWX, ANON | MAP_NORESERVE, -1, 0), EACCES);
    EXPECT_ERR((long)mmap(NULL, 1UL << 47, RWX, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
    /* Two mappings of one file: that is what F_SEAL_NEVER_EXEC is for. */
    EXPECT(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) != MAP_FAILED);
    EXPECT(mmap(NULL, PAGE, RX, MAP_SHARED, fd, 0) != MAP_FAILED);
}

static void changes(void)
{
    unsigned char *all = map(RWX), *code = map(RX), *data = map(RW), *only = map(PROT_EXEC);
    unsigned char *none = map(PROT_NONE), *old = map(RWX);

    EXPECT_IS(set(REFUSE), 0);
    EXPECT_ERR(mprotect(old, PAGE, RWX), EACCES); /* though nothing would change */
    EXPECT(!probe(old, PROBE_WRITE).sig);
    EXPECT_IS(mprotect(all, PAGE, RX), 0);
    EXPECT_ERR(mprotect(all, PAGE, RWX), EACCES);
    EXPECT_IS(mprotect(all, PAGE, RW), 0);
    EXPECT_ERR(mprotect(all, PAGE, RX), EACCES);
    EXPECT_ERR(mprotect(code, PAGE, RWX), EACCES);
    EXPECT_IS(mprotect(code, PAGE, PROT_EXEC), 0);
    EXPECT_IS(mprotect(code, PAGE, RX), 0);
    EXPECT_IS(mprotect(code, PAGE, PROT_READ), 0);
    EXPECT_ERR(mprotect(code, PAGE, RX), EACCES);
    EXPECT_ERR(mprotect(data, PAGE, RX), EACCES);
    EXPECT_ERR(mprotect(data, PAGE, PROT_EXEC), EACCES);
    EXPECT_IS(mprotect(only, PAGE, RX), 0);
    EXPECT_ERR(mprotect(none, PAGE, PROT_EXEC), EACCES);
    EXPECT_ERR(key_protect(data, PAGE, RX, -1), EACCES);
    EXPECT(mremap(only, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
    munmap(data, PAGE);
    EXPECT_ERR(mprotect(data, PAGE, RWX), ENOMEM);
}

static void partly(void)
{
    unsigned char *p = area_map(3, RX);

    EXPECT_IS(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    EXPECT_IS(set(REFUSE), 0);
    EXPECT_ERR(mprotect(p, 3 * PAGE, PROT_EXEC), EACCES); /* what lies before it is changed */
    EXPECT_IS(areas_in(3), 3);
    EXPECT_IS(mprotect(p + PAGE, 2 * PAGE, PROT_READ), 0);
    EXPECT_IS(areas_in(3), 2);
}

static void segments(void)
{
    int id = shmget(IPC_PRIVATE, PAGE, 0700);

    EXPECT_IS(set(REFUSE), 0);
    EXPECT_ERR((long)shmat(id, NULL, SHM_CODE), EACCES);
    EXPECT(shmat(id, NULL, SHM_CODE | SHM_RDONLY) != (void *)-1);
    EXPECT(shmat(id, NULL, 0) != (void *)-1);
    shmctl(id, IPC_RMID, NULL);
}

static void implied(void)
{
    unsigned char *data = map(RW), *none = map(PROT_NONE), *code = map(RX);

    EXPECT_IS(set(REFUSE), 0);
    personality(IMPLY);
    EXPECT_IS(map_error(PROT_READ, ANON, -1), 0);
    EXPECT_IS(map_error(RW, ANON, -1), EACCES);
    EXPECT_IS(map_error(PROT_WRITE, ANON, -1), 0);
    EXPECT_ERR(mprotect(data, PAGE, PROT_READ), EACCES);
    EXPECT_IS(mprotect(data, PAGE, PROT_WRITE), 0);
    EXPECT_ERR(mprotect(none, PAGE, PROT_READ), EACCES);
    EXPECT_IS(mprotect(code, PAGE, PROT_READ), 0);
    EXPECT_IS(probe(map(PROT_READ), PROBE_READ).sig, 0);
}

static int status_of(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In a new program: what it inherited. main() comes by here. */
static int inherited(void)
{
    return (int)get() + 10 * map_error(RWX, ANON, -1);
}

static void inheritance_of(long bits, int child_has)
{
    char *const argv[] = {"mdwe", "new", NULL};
    pid_t child;

    EXPECT_IS(set(bits), 0);
    fflush(stdout);
    if ((child = fork()) == 0)
        _exit(inherited());
    EXPECT_IS(status_of(child), child_has);
    if ((child = vfork()) == 0) {
        execv("/proc/self/exe", argv);
        _exit(99);
    }
    EXPECT_IS(status_of(child), child_has);
    EXPECT_IS(get(), bits);
    execv("/proc/self/exe", argv);
}

#define HAS_IT (1 + 10 * EACCES)

static void heirs(void)
{
    pid_t child = fork();

    if (child == 0)
        inheritance_of(REFUSE, HAS_IT); /* and this process is a new program, too */
    EXPECT_IS(status_of(child), HAS_IT);
    if ((child = fork()) == 0)
        inheritance_of(REFUSE | NO_INHERIT, 0);
    EXPECT_IS(status_of(child), 0);
    EXPECT_IS(get(), 0);
}

#define EACH_APART(name, test)        \
    static void name(void)            \
    {                                 \
        if (get() < 0)                \
            SKIP("no PR_GET_MDWE");   \
        if (linux_before(6, 7))       \
            SKIP("Linux before 6.7"); \
        apart(test);                  \
    }

EACH_APART(arguments_are_checked_and_bits_stay, arguments)
EACH_APART(no_mapping_is_both, new_mappings)
EACH_APART(nothing_becomes_executable, changes)
EACH_APART(a_refusal_in_the_middle_ends_there, partly)
EACH_APART(segments_are_mappings, segments)
EACH_APART(what_reading_implies_is_refused, implied)
EACH_APART(children_and_new_programs_inherit_it, heirs)

int main(int argc, char **argv)
{
    static const struct ktap_test tests[] = {
        TEST(arguments_are_checked_and_bits_stay),
        TEST(no_mapping_is_both),
        TEST(nothing_becomes_executable),
        TEST(a_refusal_in_the_middle_ends_there),
        TEST(segments_are_mappings),
        TEST(what_reading_implies_is_refused),
        TEST(children_and_new_programs_inherit_it),
    };
    if (argc > 1 && !strcmp(argv[1], "new"))
        return inherited();
    return KTAP_MAIN(tests);
}

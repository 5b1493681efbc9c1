/* SPDX-License-Identifier: MIT */
/*
 * tests/user/never_exec.c - the seal that Linux has not: what has it is never executed, by anyone
 *
 * Room:   tests/user. On Linux the seal is EINVAL, and these tests are skipped.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every way to execute a file's bytes is tried on every kind of file.
 * Source: include/uapi/bulla.h; beyond-linux.md 5.
 * Tour:   after tests/user/seals.c, user/jit.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/bulla.h"
#include "ktap.h"
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/uio.h>

#define RW            (PROT_READ | PROT_WRITE)
#define RX            (PROT_READ | PROT_EXEC)
#define ALLOW_SEALING 2U
#define HUGETLB       4U
#define HUGE          (2UL << 20)
#define ADD           1033 /* F_ADD_SEALS */
#define GET           1034 /* F_GET_SEALS */
#define SEAL_WRITE    0x8  /* F_SEAL_WRITE */
#define SEAL_SEAL     0x1  /* F_SEAL_SEAL */
#define NEVER         ((int)F_SEAL_NEVER_EXEC)
#define IMPLY         0x0400000 /* READ_IMPLIES_EXEC */
#define SYS_SECRET    447

enum kind { SMALL, HUGE_PAGES, SECRET, KINDS };

static size_t bytes_of(enum kind kind)
{
    return kind == HUGE_PAGES ? HUGE : PAGE;
}

/* A file of one page, or -1: there is none of this kind. */
static int file_of(enum kind kind)
{
    int fd = kind == SECRET ? (int)syscall(SYS_SECRET, SECRET_ALLOW_SEALING)
                            : (int)syscall(SYS_memfd_create, "code",
                                           ALLOW_SEALING | (kind == HUGE_PAGES ? HUGETLB : 0));
    if (fd >= 0 && ftruncate(fd, (off_t)bytes_of(kind))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void *map(enum kind kind, int fd, int prot, int flags)
{
    return mmap(NULL, bytes_of(kind), prot, flags, fd, 0);
}

static bool exists(void)
{
    int fd = file_of(SMALL);
    bool sealed = fd >= 0 && fcntl(fd, ADD, NEVER) == 0;

    close(fd);
    return sealed;
}

static void linux_does_not_know_the_seal(void)
{
    int fd = file_of(SMALL);
    bool known = fcntl(fd, ADD, NEVER) == 0;

    EXPECT(known || errno == EINVAL);
    EXPECT_IS(fcntl(fd, GET), known ? NEVER : 0);
    close(fd);
}

static void no_new_mapping_is_executable(void)
{
    if (!exists())
        SKIP("no such seal");
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int fd = file_of(kind);
        if (fd < 0)
            continue;
        EXPECT_IS(fcntl(fd, ADD, NEVER), 0);
        EXPECT_IS(fcntl(fd, ADD, NEVER), 0);
        for (int shared = kind == SECRET; shared < 2; shared++) {
            int flags = shared ? MAP_SHARED : MAP_PRIVATE;
            EXPECT_ERR((long)map(kind, fd, RX, flags), EPERM);
            EXPECT_ERR((long)map(kind, fd, PROT_EXEC, flags), EPERM);
            EXPECT_ERR((long)map(kind, fd, RW | PROT_EXEC, flags), EPERM);
            void *p = map(kind, fd, RW, flags);
            EXPECT(p != MAP_FAILED);
            EXPECT_ERR(mprotect(p, bytes_of(kind), RX), EACCES);
            EXPECT_ERR(mprotect(p, bytes_of(kind), RW | PROT_EXEC), EACCES);
            EXPECT_IS(mprotect(p, bytes_of(kind), PROT_READ), 0);
            munmap(p, bytes_of(kind));
        }
        close(fd);
    }
}

static void no_old_mapping_becomes_executable(void)
{
    if (!exists())
        SKIP("no such seal");
    for (enum kind kind = 0; kind < SECRET; kind++) { /* secrets never could */
        int fd = file_of(kind);
        if (fd < 0)
            continue;
        void *p = map(kind, fd, RW, MAP_SHARED), *own = map(kind, fd, RW, MAP_PRIVATE);
        *(char *)own = 1; /* a page of its own is of that file all the same */
        EXPECT_IS(fcntl(fd, ADD, NEVER), 0);
        EXPECT_ERR(mprotect(p, bytes_of(kind), RX), EACCES);
        EXPECT_ERR(mprotect(own, bytes_of(kind), RX), EACCES);
        personality(IMPLY);
        EXPECT(mprotect(p, bytes_of(kind), PROT_READ) != 0 || probe(p, PROBE_CALL).sig == SIGSEGV);
        void *implied = map(kind, fd, PROT_READ, MAP_SHARED);
        personality(0);
        EXPECT(implied != MAP_FAILED && probe(implied, PROBE_CALL).sig == SIGSEGV);
        munmap(p, bytes_of(kind));
        munmap(own, bytes_of(kind));
        munmap(implied, bytes_of(kind));
        close(fd);
    }
}

static void while_it_may_be_executed_it_is_not_sealed(void)
{
    if (!exists())
        SKIP("no such seal");
    for (enum kind kind = 0; kind < SECRET; kind++) {
        int fd = file_of(kind);
        if (fd < 0)
            continue;
        void *p = map(kind, fd, RW, MAP_SHARED), *code = map(kind, fd, RX, MAP_PRIVATE);
        EXPECT_ERR(fcntl(fd, ADD, NEVER), EBUSY);
        EXPECT_ERR(fcntl(fd, ADD, NEVER | SEAL_WRITE), EBUSY);
        EXPECT_IS(fcntl(fd, GET), 0);
        EXPECT_IS(mprotect(p, bytes_of(kind), RX), 0);
        munmap(code, bytes_of(kind));
        EXPECT_ERR(fcntl(fd, ADD, NEVER), EBUSY);
        EXPECT_IS(mprotect(p, bytes_of(kind), RW), 0);
        EXPECT_IS(fcntl(fd, ADD, NEVER), 0);
        EXPECT_ERR(mprotect(p, bytes_of(kind), RX), EACCES);
        *(char *)p = 1; /* it was sealed, not against writing */
        munmap(p, bytes_of(kind));
        close(fd);
    }
}

/* Areas that were cut, merged, copied by fork or moved count as they should. */
static void executable_parts_count(void)
{
    if (!exists())
        SKIP("no such seal");
    int fd = file_of(SMALL), status;
    EXPECT_IS(ftruncate(fd, 4 * (off_t)PAGE), 0);
    char *p = mmap(NULL, 4 * PAGE, RX, MAP_SHARED, fd, 0);
    EXPECT_IS(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    EXPECT_IS(munmap(p, PAGE), 0);
    EXPECT_IS(mprotect(p + PAGE, PAGE, RX), 0); /* one area again */
    EXPECT_IS(munmap(p + 2 * PAGE, PAGE), 0);
    char *moved = mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p);
    EXPECT(moved == p);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    EXPECT_IS(munmap(p, 4 * PAGE), 0);
    EXPECT_ERR(fcntl(fd, ADD, NEVER), EBUSY); /* the child's */
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    EXPECT_IS(fcntl(fd, ADD, NEVER), 0);
    close(fd);
}

static void sealed_programs_do_not_start(void)
{
    static char bytes[1 << 16];
    char *const argv[] = {"never", NULL};
    int fd = file_of(SMALL), self = open("/proc/self/exe", O_RDONLY), status = 0;
    ssize_t n;

    if (!exists())
        SKIP("no such seal");
    ftruncate(fd, 0);
    while ((n = read(self, bytes, sizeof(bytes))) > 0)
        EXPECT_IS(write(fd, bytes, (size_t)n), n);
    EXPECT_IS(fcntl(fd, ADD, NEVER), 0);
    EXPECT_ERR(fexecve(fd, argv, argv), EACCES);
    pid_t child = fork();
    if (child == 0) {
        execve("/proc/self/fd/3", argv, argv);
        _exit(errno == EACCES || errno == ENOENT ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    close(fd);
    close(self);
}

static void the_last_seal_ends_this_one_too(void)
{
    if (!exists())
        SKIP("no such seal");
    int fd = file_of(SMALL);
    EXPECT_IS(fcntl(fd, ADD, SEAL_SEAL), 0);
    EXPECT_ERR(fcntl(fd, ADD, NEVER), EPERM);
    EXPECT((long)map(SMALL, fd, RX, MAP_SHARED) != -1);
    close(fd);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(linux_does_not_know_the_seal),
        TEST(no_new_mapping_is_executable),
        TEST(no_old_mapping_becomes_executable),
        TEST(while_it_may_be_executed_it_is_not_sealed),
        TEST(executable_parts_count),
        TEST(sealed_programs_do_not_start),
        TEST(the_last_seal_ends_this_one_too),
    };
    return KTAP_MAIN(tests);
}

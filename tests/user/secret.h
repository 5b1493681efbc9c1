/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secret.h - secret files and mappings for tests; children that are somebody else
 *
 * Room:   tests/user. libc only: the same binary runs on Linux and on Bulla.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a test of a kernel without memfd_secret ends as skipped.
 * Source: memfd_secret(2).
 * Tour:   before tests/user/secretmem_fd.c and its neighbours.
 */
#pragma once

#include "ktap.h"
#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define RW               (PROT_READ | PROT_WRITE)
#define SYS_MEMFD_SECRET 447
#define NOBODY           65534

__attribute__((unused)) static int secret(unsigned flags)
{
    return (int)syscall(SYS_MEMFD_SECRET, flags);
}

/* A secret file of @pages; -1 when the kernel has none. */
__attribute__((unused)) static int secret_file(size_t pages)
{
    int fd = secret(0);

    if (fd >= 0)
        EXPECT_IS(ftruncate(fd, (off_t)(pages * PAGE)), 0);
    return fd;
}

/* All of it, to read and write. */
__attribute__((unused)) static char *secret_map(int fd, size_t pages)
{
    char *p = mmap(NULL, pages * PAGE, RW, MAP_SHARED, fd, 0);

    EXPECT(p != MAP_FAILED);
    return p;
}

#define NEED_SECRET(fd)                  \
    do {                                 \
        if ((fd) < 0)                    \
            SKIP("memfd_secret is off"); \
    } while (0)

#define NEED_ROOT               \
    do {                        \
        if (geteuid() != 0)     \
            SKIP("needs root"); \
    } while (0)

/* An ordinary user from now on, without capabilities. */
__attribute__((unused)) static void become_nobody(void)
{
    EXPECT_IS(setgroups(0, NULL), 0);
    EXPECT_IS(setresgid(NOBODY, NOBODY, NOBODY), 0);
    EXPECT_IS(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

/* Run @what in a child; what it finds counts here. */
__attribute__((unused)) static void in_child(void (*what)(void))
{
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        what();
        fflush(stdout);
        _exit(ktap_failed);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
}

/* What fdinfo says a secret file has of memory; -1 on Linux, which says nothing. */
__attribute__((unused)) static long secret_kib(int fd)
{
    static char text[512];
    char name[64], *at;

    snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
    at = slurp(name, text, sizeof text) < 0 ? NULL : strstr(text, "resident:");
    return at ? strtol(at + 9, NULL, 10) / 1024 : -1;
}

__attribute__((unused)) static const char *proc_name(int fd)
{
    static char name[64];

    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return name;
}

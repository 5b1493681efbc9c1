/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pagemap.c - /proc/self/pagemap and /proc/self/mem
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: proc_pid_pagemap(5), proc_pid_mem(5).
 * Tour:   with kernel/proc_memory.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define RW      PROT_READ | PROT_WRITE
#define PRESENT (1UL << 63)
#define OBJECT  (1UL << 61)
#define ALONE   (1UL << 56)
#define GUARD   (1UL << 58)
#define NOWHERE (1UL << 62)
#define FRAME   ((1UL << 55) - 1)

static int pagemap = -1;

static uint64_t word(const void *p)
{
    uint64_t w = ~0UL;
    EXPECT_IS(pread(pagemap, &w, sizeof(w), (uintptr_t)p / PAGE * sizeof(w)), sizeof(w));
    return w;
}

/* Without what depends on the kernel's build: soft-dirty. */
static uint64_t kind(const void *p)
{
    return word(p) & (PRESENT | OBJECT | ALONE);
}

static char *map(size_t pages, int flags, int fd)
{
    char *p = mmap(NULL, pages * PAGE, RW, flags, fd, 0);
    madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
    return p;
}

static void words_tell_what_is_there(void)
{
    int fd = memfd_create("pagemap", 0);
    char *p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    EXPECT_IS(kind(p), 0);
    EXPECT(p[0] == 0);
    EXPECT_IS(kind(p), PRESENT); /* the page of zeros is nobody's */
    p[PAGE] = 1;
    EXPECT_IS(kind(p + PAGE), PRESENT | ALONE);
    EXPECT_IS(mprotect(p, 2 * PAGE, PROT_NONE), 0);
    EXPECT_IS(kind(p + PAGE), PRESENT | ALONE);
    EXPECT_IS(madvise(p, 4 * PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(kind(p + PAGE), 0);
    munmap(p, 4 * PAGE);
    EXPECT_IS(kind(p), 0);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    p = map(2, MAP_SHARED, fd);
    char *q = map(2, MAP_SHARED, fd);
    p[0] = 1;
    EXPECT_IS(kind(p), PRESENT | OBJECT | ALONE);
    q[0] = 1;
    EXPECT_IS(kind(p), PRESENT | OBJECT);
    EXPECT_IS(kind(q), PRESENT | OBJECT);
    munmap(q, 2 * PAGE);
    q = map(2, MAP_PRIVATE, fd);
    q[0] = 2;
    EXPECT_IS(kind(q), PRESENT | ALONE); /* a copy */
    munmap(p, 2 * PAGE);
    munmap(q, 2 * PAGE);
    close(fd);
}

static void frames_are_the_same_where_memory_is_shared(void)
{
    if (geteuid() != 0)
        SKIP("needs root");
    int fd = memfd_create("pagemap", 0);

    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    char *p = map(2, MAP_SHARED, fd), *q = map(2, MAP_SHARED, fd);
    p[0] = q[PAGE] = 1;
    q[0] = p[PAGE] = 2;
    EXPECT((word(p) & FRAME) == (word(q) & FRAME) && (word(p) & FRAME));
    EXPECT((word(p + PAGE) & FRAME) == (word(q + PAGE) & FRAME));
    EXPECT((word(p) & FRAME) != (word(p + PAGE) & FRAME));
    munmap(p, 2 * PAGE);
    munmap(q, 2 * PAGE);
    close(fd);
}

static void pages_that_a_fork_shares_are_not_alone(void)
{
    int go[2], status;
    char *p = map(1, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    p[0] = 1;
    EXPECT_IS(pipe(go), 0);
    pid_t pid = fork();
    if (!pid) {
        char c;
        close(go[1]);
        read(go[0], &c, 1);
        _exit(0);
    }
    EXPECT_IS(kind(p), PRESENT);
    close(go[1]);
    waitpid(pid, &status, 0);
    EXPECT_IS(kind(p), PRESENT | ALONE);
    close(go[0]);
    munmap(p, PAGE);
}

static void reads_are_of_whole_words(void)
{
    uint64_t words[4];
    off_t at = (uintptr_t)words / PAGE * 8;

    EXPECT_ERR(pread(pagemap, words, 7, at), EINVAL);
    EXPECT_ERR(pread(pagemap, words, 8, at + 1), EINVAL);
    EXPECT_IS(pread(pagemap, words, 0, at), 0);
    EXPECT_IS(pread(pagemap, words, 16, at), 16);
    EXPECT_IS(pread(pagemap, words, 8, 0x7ffffffff000UL / PAGE * 8), 0); /* no program's memory */
    EXPECT_ERR(pread(pagemap, (void *)8, 8, at), EFAULT);
    EXPECT_ERR(pwrite(pagemap, words, 8, at), EBADF);
}

static void huge_pages_are_told_page_by_page(void)
{
    huge_pages_allow();
    size_t huge = 512 * PAGE;
    char *p = mmap(NULL, 2 * huge, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
    static uint64_t words[512];

    madvise(at, huge, MADV_HUGEPAGE);
    at[0] = 1;
    memset(at, 1, huge);
    EXPECT_IS(pread(pagemap, words, sizeof(words), (uintptr_t)at / PAGE * 8), sizeof(words));
    for (int i = 0; i < 512; i++)
        EXPECT((words[i] & (PRESENT | ALONE | OBJECT)) == (PRESENT | ALONE));
    munmap(p, 2 * huge);
}

static void mem_reads_and_writes_whatever_areas_forbid(void)
{
    int fd = open("/proc/self/mem", O_RDWR);
    char *p = map(3, MAP_PRIVATE | MAP_ANONYMOUS, -1), buf[8] = "";

    EXPECT(fd >= 0);
    strcpy(p + 2, "here");
    EXPECT_IS(pread(fd, buf, 4, (uintptr_t)p + 2), 4);
    EXPECT(!strcmp(buf, "here"));
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT_IS(pwrite(fd, "HE", 2, (uintptr_t)p + 2), 2);
    EXPECT(!strcmp(p + 2, "HEre"));
    munmap(p + PAGE, PAGE);
    EXPECT_IS(pread(fd, buf, 8, (uintptr_t)p + PAGE - 4), 4);
    EXPECT_ERR(pread(fd, buf, 8, (uintptr_t)p + PAGE), EIO);
    EXPECT_ERR(pwrite(fd, buf, 8, (uintptr_t)p + PAGE), EIO);
    EXPECT_IS(lseek(fd, (uintptr_t)p + 2, SEEK_SET), (uintptr_t)p + 2);
    EXPECT_IS(read(fd, buf, 2), 2);
    EXPECT_IS(read(fd, buf + 2, 2), 2);
    EXPECT(!strncmp(buf, "HEre", 4));
    munmap(p, 3 * PAGE);
    close(fd);
}

static void guards_are_told(void)
{
    char *p = map(2, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    if (linux_before(6, 15))
        SKIP("no guards in pagemap");
    p[0] = 1;
    EXPECT_IS(madvise(p + PAGE, PAGE, 102), 0);
    EXPECT_IS(word(p) & (GUARD | NOWHERE), 0);
    EXPECT_IS(word(p + PAGE) & (GUARD | NOWHERE | PRESENT), GUARD | NOWHERE);
    munmap(p, 2 * PAGE);
}

static void mem_reads_of_nothing_make_no_page(void)
{
    char *p = map(1, MAP_PRIVATE | MAP_ANONYMOUS, -1), byte = 7;
    int fd = open("/proc/self/mem", O_RDONLY);

    EXPECT_IS(mprotect(p, PAGE, PROT_NONE), 0);
    EXPECT_IS(pread(fd, &byte, 1, (uintptr_t)p), 1);
    EXPECT_IS(byte, 0);
    EXPECT_IS(kind(p), PRESENT); /* zeros, which are everybody's */
    munmap(p, PAGE);
    close(fd);
}

static void mem_grows_stacks(void)
{
    char *p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1), byte = 7;
    int fd = open("/proc/self/mem", O_RDWR), flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

    EXPECT_IS(munmap(p, 3 * PAGE), 0);
    EXPECT(mmap(p + 3 * PAGE, PAGE, RW, flags | MAP_GROWSDOWN, -1, 0) == p + 3 * PAGE);
    EXPECT_IS(pwrite(fd, &byte, 1, (uintptr_t)p + 2 * PAGE), 1);
    EXPECT_IS(p[2 * PAGE], 7);
    munmap(p, 4 * PAGE);
    close(fd);
}

/* A read past the end of a file fails; what lies around it is mapped all the same. */
static void neighbours_of_the_end_are_mapped(void)
{
    int fd = memfd_create("pages", 0), around = 16; /* pages, aligned so */
    char *room = map(2 * around, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *p = room + around * PAGE - (uintptr_t)room % (around * PAGE);

    EXPECT(mmap(p, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    EXPECT_IS(pwrite(fd, "x", 1, 0), 1);
    EXPECT_IS(probe(p + 2 * PAGE, PROBE_READ).sig, SIGBUS);
    EXPECT_IS(kind(p) & PRESENT, PRESENT);
    munmap(room, 2 * around * PAGE);
    close(fd);
}

static int own_after_being_read(char *p, char *to)
{
    struct iovec local = {to, 1}, remote = {p, 1};

    pagemap = open("/proc/self/pagemap", O_RDONLY); /* the parent's is of its memory */
    syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
    return kind(p) == (PRESENT | ALONE);
}

/* Who is read by a stranger keeps the page that was read: even of a read that then fails. */
static void who_is_read_has_a_page_of_his_own(void)
{
    char *p = map(3, MAP_PRIVATE | MAP_ANONYMOUS, -1), byte;
    int status;

    p[0] = p[PAGE] = 1;
    pid_t pid = fork();
    if (!pid) {
        munmap(p + 2 * PAGE, PAGE);
        _exit(own_after_being_read(p, &byte) + 2 * own_after_being_read(p + PAGE, p + 2 * PAGE));
    }
    waitpid(pid, &status, 0);
    EXPECT_IS(status >> 8, 3);
    munmap(p, 3 * PAGE);
}

static void even_of_a_huge_one(void)
{
    huge_pages_allow();
    size_t huge = 512 * PAGE;
    char *p = mmap(NULL, 2 * huge, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), byte;
    char *at = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
    int status;

    madvise(at, huge, MADV_HUGEPAGE);
    memset(at, 1, huge);
    pid_t pid = fork();
    if (!pid)
        _exit(own_after_being_read(at + 7 * PAGE, &byte));
    waitpid(pid, &status, 0);
    EXPECT_IS(status >> 8, 1);
    munmap(p, 2 * huge);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(words_tell_what_is_there),
        TEST(frames_are_the_same_where_memory_is_shared),
        TEST(pages_that_a_fork_shares_are_not_alone),
        TEST(reads_are_of_whole_words),
        TEST(huge_pages_are_told_page_by_page),
        TEST(guards_are_told),
        TEST(mem_reads_and_writes_whatever_areas_forbid),
        TEST(mem_reads_of_nothing_make_no_page),
        TEST(mem_grows_stacks),
        TEST(neighbours_of_the_end_are_mapped),
        TEST(who_is_read_has_a_page_of_his_own),
        TEST(even_of_a_huge_one),
    };
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    return KTAP_MAIN(tests);
}

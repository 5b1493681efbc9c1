/* SPDX-License-Identifier: MIT */
/*
 * tests/user/oom/eat.c - programs that eat all memory, one kind after another
 *
 * Room:   tests/user. For a machine that has nothing else to do: each eater ends by SIGKILL.
 * Owns:   all memory.
 * Locks:  none.
 * Always: (1) a process with oom_score_adj -1000 lives through all of it;
 *         (2) what is printed does not depend on how much memory there is.
 * Source: proc_pid_oom_score_adj(5), mmap(2).
 * Tour:   from tests/user/test_oom.py; then kernel/oom.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB           (1UL << 20)
#define STEP          (2 * MIB)
#define PAGE          4096UL
#define TABLE_COVERS  (2 * MIB)
#define MAP_DROPPABLE 0x08
#define SECRETMEM     "/sys/kernel/mm/secretmem/"

#ifndef SYS_memfd_secret /* younger than musl's headers */
#define SYS_memfd_secret 447
#endif

static void score_adjust(int adj)
{
    char text[16];
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    int len = snprintf(text, sizeof text, "%d\n", adj);

    if (fd < 0 || write(fd, text, (size_t)len) != len)
        _exit(99);
    close(fd);
}

static void touch(volatile char *p, size_t len)
{
    for (size_t i = 0; i < len; i += PAGE)
        p[i] = 1;
}

/* Map and touch for ever, or wait for the end when nothing can be mapped any more. */
static void eat(int flags, int lock)
{
    for (;;) {
        char *p =
            mmap(NULL, STEP, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        while (p == MAP_FAILED)
            pause();
        if (lock)
            mlock(p, STEP);
        touch(p, STEP);
    }
}

static void eat_private(void)
{
    eat(MAP_PRIVATE, 0);
}

static void eat_shared(void)
{
    eat(MAP_SHARED, 0);
}

static void eat_locked(void)
{
    eat(MAP_PRIVATE, 1);
}

/* Reads of untouched memory cost nothing but page tables. */
static void eat_tables(void)
{
    volatile char *p = mmap((void *)(1UL << 40), 1UL << 44, PROT_READ,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    for (size_t i = 0;; i += TABLE_COVERS)
        (void)p[i];
}

static void eat_by_processes(void)
{
    pid_t child;

    while ((child = fork()) > 0)
        ;
    while (child == 0)
        pause();
    eat_private();
}

/* Copies after a fork: each write wants a page. */
static void eat_by_copies(void)
{
    char *p = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    touch(p, STEP);
    for (int i = 0; i < 3; i++)
        fork();
    touch(p, STEP);
    eat_private();
}

static const struct {
    const char *name;
    void (*run)(void);
} eaters[] = {
    {"private", eat_private}, {"shared", eat_shared},          {"locked", eat_locked},
    {"tables", eat_tables},   {"processes", eat_by_processes}, {"copies", eat_by_copies},
};

/* A group of its own: what is left of it goes after the eater. */
static int feed(void (*run)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        setpgid(0, 0);
        score_adjust(500);
        run();
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    kill(-child, SIGKILL);
    usleep(100 * 1000);
    return status;
}

/* Twice as much as there is, of memory that may be lost. Nobody has to die for it. */
static int lose(size_t memory)
{
    char *p = mmap(NULL, 2 * memory, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return 1;
    touch(p, 2 * memory);
    for (size_t i = 0; i < 2 * memory; i += PAGE)
        if (p[i] != 0 && p[i] != 1)
            return 2;
    return 0;
}

/* The number behind @key in a file, or its first. */
static size_t number_in(const char *path, const char *key)
{
    char text[4096] = "";
    int fd = open(path, O_RDONLY);

    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        _exit(98);
    close(fd);
    const char *at = strstr(text, key);
    return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

static size_t hidden_bytes(void)
{
    return number_in(SECRETMEM "free_pages", "") * PAGE;
}

/* The kernel keeps @bytes hidden, of a secret that is gone. */
static int hide(size_t bytes)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    int most = open(SECRETMEM "pool_max", O_WRONLY);

    if (most < 0 || dprintf(most, "%zu\n", bytes / PAGE) < 0 || setrlimit(RLIMIT_MEMLOCK, &all))
        return -1;
    close(most);
    int fd = (int)syscall(SYS_memfd_secret, 0);
    char *p = ftruncate(fd, (off_t)bytes)
                  ? MAP_FAILED
                  : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -1;
    touch(p, bytes);
    munmap(p, bytes);
    return close(fd);
}

/* All that is free, and half of what is hidden. Nobody has to die for it. */
static int find_hidden(size_t memory)
{
    int status = -1;

    if (hide(memory / 4) || hidden_bytes() < memory / 8)
        return 1;
    size_t len = number_in("/proc/meminfo", "MemFree:") * 1024 + hidden_bytes() / 2;
    pid_t child = fork();
    if (child == 0) {
        touch(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0),
              len);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status ? status : hidden_bytes() ? 2 : 0;
}

int main(void)
{
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * PAGE;
    int pipe_ends[2], status = -1;
    char byte;

    setbuf(stdout, NULL);
    if (pipe(pipe_ends))
        return 1;
    pid_t guard = fork();
    if (guard == 0) {
        score_adjust(-1000);
        close(pipe_ends[1]);
        read(pipe_ends[0], &byte, 1);
        _exit(7);
    }
    printf("droppable: %d\n", lose(memory));
    printf("hidden: %d\n", find_hidden(memory));
    for (size_t i = 0; i < sizeof eaters / sizeof eaters[0]; i++)
        printf("%s: status %#x\n", eaters[i].name, (unsigned)feed(eaters[i].run));
    close(pipe_ends[1]);
    waitpid(guard, &status, 0);
    printf("guard: status %#x\n", (unsigned)status);
    return 0;
}

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
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB           (1UL << 20)
#define STEP          (2 * MIB)
#define PAGE          4096UL
#define TABLE_COVERS  (2 * MIB)
#define MAP_DROPPABLE 0x08

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
    for (size_t i = 0; i < sizeof eaters / sizeof eaters[0]; i++)
        printf("%s: status %#x\n", eaters[i].name, (unsigned)feed(eaters[i].run));
    close(pipe_ends[1]);
    waitpid(guard, &status, 0);
    printf("guard: status %#x\n", (unsigned)status);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * user/secret_cost.c - what secret memory costs page by page, and does to the direct map
 *
 * Room:   user. A static Linux program: the same binary runs on Linux and on Bulla.
 * Owns:   nothing outside this process.
 * Locks:  none.
 * Always: (1) numbers of the kernel are read before and after, never while it is measured;
 *         (2) what a kernel does not tell is left out, not 0.
 * Source: memfd_secret(2); proc(5), /proc/vmstat, /proc/meminfo, /proc/interrupts.
 * Tour:   after user/bench.c. tools/secret-cost runs it on both kernels and makes a table.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE             4096UL
#define SYS_MEMFD_SECRET 447

enum { MAX_PAGES = 1 << 16, MAX_TEXT = 1 << 16 };

static uint32_t spent[MAX_PAGES];
static char text[MAX_TEXT];

/* A number that some kernels tell; -1 where this one does not. */
struct numbers {
    long splits_2m, splits_1g, collapses_2m, collapses_1g; /* of the direct map's leaves */
    long map_4k_kb, map_2m_kb, map_1g_kb;                  /* what it consists of */
    long flushes;    /* of this CPU's, asked for by the kernel */
    long interrupts; /* one CPU asked others to do something */
};

static uint64_t now(void)
{
    return __builtin_ia32_rdtsc();
}

static const char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t len = f ? fread(text, 1, MAX_TEXT - 1, f) : 0;

    text[len] = 0;
    if (f)
        fclose(f);
    return text;
}

/* What stands behind @name at the beginning of a line; -1 when it stands nowhere. */
static long number_of(const char *lines, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = lines; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, len))
            return strtol(line + len, NULL, 10);
        if (!*line)
            break;
    }
    return -1;
}

/* The sum over all CPUs of a row of /proc/interrupts. */
static long sum_of(const char *lines, const char *name)
{
    const char *at = strstr(lines, name);
    long sum = 0;

    if (!at)
        return 0;
    for (at += strlen(name);;) {
        char *end;
        long n = strtol(at, &end, 10);
        if (end == at)
            return sum;
        sum += n;
        at = end;
    }
}

static struct numbers numbers_now(void)
{
    struct numbers n;
    const char *s = read_text("/proc/vmstat");

    n.splits_2m = number_of(s, "direct_map_level2_splits ");
    n.splits_1g = number_of(s, "direct_map_level3_splits ");
    n.collapses_2m = number_of(s, "direct_map_level2_collapses ");
    n.collapses_1g = number_of(s, "direct_map_level3_collapses ");
    n.flushes = number_of(s, "tlb_kernel_flushes ");
    s = read_text("/proc/meminfo");
    n.map_4k_kb = number_of(s, "DirectMap4k:");
    n.map_2m_kb = number_of(s, "DirectMap2M:");
    n.map_1g_kb = number_of(s, "DirectMap1G:");
    s = read_text("/proc/interrupts");
    n.interrupts = sum_of(s, "TLB:") + sum_of(s, "CAL:");
    return n;
}

static void say(const char *phase, const char *name, long before, long after)
{
    if (before >= 0 && after >= 0)
        printf("%s,%s,%ld\n", phase, name, after - before);
}

static void say_changes(const char *phase, const struct numbers *a, const struct numbers *b)
{
    say(phase, "splits of 2M", a->splits_2m, b->splits_2m);
    say(phase, "splits of 1G", a->splits_1g, b->splits_1g);
    say(phase, "heals to 2M", a->collapses_2m, b->collapses_2m);
    say(phase, "heals to 1G", a->collapses_1g, b->collapses_1g);
    say(phase, "kernel flushes", a->flushes, b->flushes);
    say(phase, "interrupts to CPUs", a->interrupts, b->interrupts);
    say(phase, "kB in 4K leaves", a->map_4k_kb, b->map_4k_kb);
    say(phase, "kB in 2M leaves", a->map_2m_kb, b->map_2m_kb);
    say(phase, "kB in 1G leaves", a->map_1g_kb, b->map_1g_kb);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void say_costs(const char *what, size_t pages)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < pages; i++)
        sum += spent[i];
    qsort(spent, pages, sizeof(spent[0]), by_size);
    printf("%s,mean,%lu\n%s,median,%u\n%s,worst,%u\n", what, sum / pages, what, spent[pages / 2],
           what, spent[pages - 1]);
}

/* Touch page after page of @fd. */
static char *touch_all(int fd, size_t pages)
{
    char *p = MAP_FAILED;

    if (fd >= 0 && !ftruncate(fd, (off_t)(pages * PAGE)))
        p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    for (size_t i = 0; i < pages; i++) {
        uint64_t start = now();
        *(volatile char *)(p + i * PAGE) = 1;
        spent[i] = (uint32_t)(now() - start);
    }
    return p;
}

static void destroy(const char *what, char *p, int fd, size_t pages)
{
    uint64_t start = now();

    munmap(p, pages * PAGE);
    close(fd);
    printf("%s,per page,%lu\n", what, (now() - start) / pages);
}

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 4096;
    struct numbers before, live, after, healed;

    if (!pages || pages > MAX_PAGES) {
        fprintf(stderr, "usage: secret_cost [PAGES: 1 to %d]\n", MAX_PAGES);
        return 2;
    }
    memset(spent, 1, sizeof(spent)); /* its own faults are over */
    int fd = memfd_create("plain", 0);
    char *p = touch_all(fd, pages);
    if (!p) {
        perror("secret_cost: memfd");
        return 1;
    }
    say_costs("memfd fault", pages);
    destroy("memfd end", p, fd, pages);

    numbers_now(); /* and those of reading */
    before = numbers_now();
    fd = (int)syscall(SYS_MEMFD_SECRET, 0);
    p = touch_all(fd, pages);
    if (!p) {
        perror("secret_cost: memfd_secret");
        return 1;
    }
    live = numbers_now();
    say_costs("secret fault", pages);
    say_changes("while they live", &before, &live);
    destroy("secret end", p, fd, pages);
    after = numbers_now();
    say_changes("at their end", &live, &after);
    sleep(1);
    healed = numbers_now();
    say_changes("a second later, all in all", &before, &healed);
    return 0;
}

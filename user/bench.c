/* SPDX-License-Identifier: MIT */
/*
 * user/bench.c - what memory calls and faults cost, one line "row,value" each
 *
 * Room:   user. A static Linux program: the same binary runs on Linux and on Bulla.
 * Owns:   nothing outside this process.
 * Locks:  none.
 * Always: (1) only the operation stands between two readings of the clock, its set-up does not;
 *         (2) a row's value is the smallest of several batches, divided by the operations in one;
 *         (3) a row that cannot run prints "row,-" and the reason, and the next one runs.
 * Source: Intel SDM 3B, "Time-Stamp Counter". Under QEMU's -icount it counts instructions.
 * Tour:   tools/bench runs this on both kernels.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_memfd_secret /* younger than musl's headers */
#define SYS_memfd_secret 447
#endif

#define PAGE      4096UL
#define HUGE_PAGE (2UL << 20)
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)

enum {
    BATCHES = 7,
    CALLS = 1000,      /* operations in a batch of a cheap call */
    FAULTS = 256,      /* pages that a batch of faults touches */
    TABLE_PAGES = 512, /* pages under one page table */
    FEW = 20,          /* operations in a batch of an expensive call */
    NAMED_ONLY = 6,    /* rows at the end of the table */
    AREAS_FEW = 1000,
    AREAS_MANY = 1000000,
};

static jmp_buf row_gave_up;
static const char *row_problem;

/* A claim without which the row means nothing: else the row is given up. */
#define MUST(claim)                  \
    do {                             \
        if (!(claim)) {              \
            row_problem = #claim;    \
            longjmp(row_gave_up, 1); \
        }                            \
    } while (0)

static uint64_t ticks(void)
{
    return __builtin_ia32_rdtsc();
}

static char *map(size_t len, int flags, int fd)
{
    char *p = mmap(NULL, len, RW, flags, fd, 0);

    MUST(p != MAP_FAILED);
    return p;
}

/* Private memory of @nr_pages small pages, each of them touched if @touched. */
static char *map_small(size_t nr_pages, bool touched)
{
    char *p = map(nr_pages * PAGE, ANON, -1);

    madvise(p, nr_pages * PAGE, MADV_NOHUGEPAGE); /* refused where there are none */
    for (size_t i = 0; touched && i < nr_pages; i++)
        p[i * PAGE] = 1;
    return p;
}

static int memfd_of(size_t nr_pages, bool cached)
{
    static const char page[PAGE];
    int fd = memfd_create("bench", MFD_ALLOW_SEALING);

    MUST(fd >= 0);
    MUST(ftruncate(fd, (off_t)(nr_pages * PAGE)) == 0);
    for (size_t i = 0; cached && i < nr_pages; i++)
        MUST(pwrite(fd, page, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE);
    return fd;
}

/* Write to one byte of each page. Returns the ticks it took. */
static uint64_t touch(volatile char *p, size_t nr_pages)
{
    uint64_t start = ticks();

    for (size_t i = 0; i < nr_pages; i++)
        p[i * PAGE] = 2;
    return ticks() - start;
}

/* --- system calls --- */

static uint64_t run_getppid(unsigned ops)
{
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++)
        getppid();
    return ticks() - start;
}

static uint64_t run_memfd(unsigned ops)
{
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++)
        MUST(close(memfd_create("bench", 0)) == 0);
    return ticks() - start;
}

static uint64_t run_get_seals(unsigned ops)
{
    int fd = memfd_of(1, false);
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++)
        MUST(fcntl(fd, F_GET_SEALS) == 0);
    start = ticks() - start;
    close(fd);
    return start;
}

static uint64_t run_pwrite(unsigned ops)
{
    static char page[PAGE];
    int fd = memfd_of(1, true);
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++)
        MUST(pwrite(fd, page, PAGE, 0) == (ssize_t)PAGE);
    start = ticks() - start;
    close(fd);
    return start;
}

static uint64_t run_pread(unsigned ops)
{
    static char page[PAGE];
    int fd = memfd_of(1, true);
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++)
        MUST(pread(fd, page, PAGE, 0) == (ssize_t)PAGE);
    start = ticks() - start;
    close(fd);
    return start;
}

/* --- mappings --- */

static uint64_t run_mmap_munmap(unsigned ops)
{
    int fd = memfd_of(1, true);
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++)
        MUST(munmap(map(PAGE, MAP_SHARED, fd), PAGE) == 0);
    start = ticks() - start;
    close(fd);
    return start;
}

static uint64_t run_munmap_touched(unsigned ops)
{
    uint64_t spent = 0;

    for (unsigned i = 0; i < ops; i++) {
        char *p = map_small(TABLE_PAGES, true);
        uint64_t start = ticks();

        MUST(munmap(p, TABLE_PAGES * PAGE) == 0);
        spent += ticks() - start;
    }
    return spent;
}

/* Take the right to write from @nr_pages in the middle of touched memory, and give it back. */
static uint64_t mprotect_down_and_up(unsigned ops, size_t nr_pages, size_t nr_touch)
{
    size_t total = nr_pages + 2;
    char *p = map_small(total, true);
    char *middle = p + PAGE;
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++) {
        MUST(mprotect(middle, nr_pages * PAGE, PROT_READ) == 0);
        MUST(mprotect(middle, nr_pages * PAGE, RW) == 0);
        touch(middle, nr_touch);
    }
    start = ticks() - start;
    munmap(p, total * PAGE);
    return start;
}

static uint64_t run_mprotect_1(unsigned ops)
{
    return mprotect_down_and_up(ops, 1, 0);
}

static uint64_t run_mprotect_512(unsigned ops)
{
    return mprotect_down_and_up(ops, TABLE_PAGES, 0);
}

static uint64_t run_mprotect_16_touch(unsigned ops)
{
    return mprotect_down_and_up(ops, 16, 16);
}

static uint64_t run_dontneed(unsigned ops)
{
    enum { PAGES = 16 };
    char *p = map_small(PAGES, true);
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++) {
        MUST(madvise(p, PAGES * PAGE, MADV_DONTNEED) == 0);
        touch(p, PAGES);
    }
    start = ticks() - start;
    munmap(p, PAGES * PAGE);
    return start;
}

/* Between two places under one page table: neither kernel can move or build a whole table. */
static uint64_t run_mremap(unsigned ops)
{
    enum { PAGES = 64, LEN = PAGES * PAGE, HOW = MREMAP_MAYMOVE | MREMAP_FIXED };
    char *here = (char *)0x100000000000, *there = here + LEN;
    uint64_t start;

    MUST(mremap(map_small(PAGES, true), LEN, LEN, HOW, here) == here);
    start = ticks();
    for (unsigned i = 0; i < ops; i++) {
        char *p = mremap(here, LEN, LEN, HOW, there);

        MUST(p == there);
        there = here;
        here = p;
    }
    start = ticks() - start;
    munmap(here, LEN);
    return start;
}

/* --- faults --- */

static uint64_t run_fault_cached(unsigned ops)
{
    int fd = memfd_of(ops, true);
    char *p = map(ops * PAGE, MAP_SHARED, fd);
    uint64_t spent = touch(p, ops);

    munmap(p, ops * PAGE);
    close(fd);
    return spent;
}

static uint64_t run_fault_anon(unsigned ops)
{
    char *p = map_small(ops, false);
    uint64_t spent = touch(p, ops);

    munmap(p, ops * PAGE);
    return spent;
}

static uint64_t run_fault_memfd(unsigned ops)
{
    int fd = memfd_of(ops, false);
    char *p = map(ops * PAGE, MAP_SHARED, fd);
    uint64_t spent = touch(p, ops);

    munmap(p, ops * PAGE);
    close(fd);
    return spent;
}

static uint64_t run_fault_huge(unsigned ops)
{
    uint64_t spent = 0;

    for (unsigned i = 0; i < ops; i++) {
        char *p = map(HUGE_PAGE, ANON | MAP_HUGETLB, -1);

        spent += touch(p, 1);
        munmap(p, HUGE_PAGE);
    }
    return spent;
}

static uint64_t run_cow(unsigned ops)
{
    uint64_t *spent = (uint64_t *)map(PAGE, MAP_SHARED | MAP_ANONYMOUS, -1), result;
    char *p = map_small(ops, true);
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        *spent = touch(p, ops);
        _exit(0);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    result = *spent;
    munmap(p, ops * PAGE);
    munmap(spent, PAGE);
    return result;
}

static uint64_t run_fork(unsigned ops)
{
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(0);
        MUST(child > 0 && waitpid(child, NULL, 0) == child);
    }
    return ticks() - start;
}

static uint64_t run_exec(unsigned ops)
{
    char *const argv[] = {"bench", "nothing", NULL};
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++) {
        pid_t child = fork();

        if (child == 0) {
            execve("/proc/self/exe", argv, NULL);
            _exit(1);
        }
        int status = -1;
        MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    }
    return ticks() - start;
}

/* --- seals and secrets --- */

static uint64_t run_add_seals(unsigned ops)
{
    uint64_t spent = 0;

    for (unsigned i = 0; i < ops; i++) {
        int fd = memfd_of(64, true);
        uint64_t start = ticks();

        MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
        spent += ticks() - start;
        close(fd);
    }
    return spent;
}

static int secret_of(size_t nr_pages)
{
    int fd = (int)syscall(SYS_memfd_secret, 0);

    MUST(fd >= 0);
    MUST(ftruncate(fd, (off_t)(nr_pages * PAGE)) == 0);
    return fd;
}

static uint64_t run_fault_secret(unsigned ops)
{
    int fd = secret_of(ops);
    char *p = map(ops * PAGE, MAP_SHARED, fd);
    uint64_t spent = touch(p, ops);

    munmap(p, ops * PAGE);
    close(fd);
    return spent;
}

static uint64_t run_secret_life(unsigned ops)
{
    enum { PAGES = 16 };
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++) {
        int fd = secret_of(PAGES);
        char *p = map(PAGES * PAGE, MAP_SHARED, fd);

        touch(p, PAGES);
        munmap(p, PAGES * PAGE);
        close(fd);
    }
    return ticks() - start;
}

/* --- many areas --- */

/* @nr areas of one page, every second one writable. The largest number asked for stays mapped. */
static char *areas(size_t nr)
{
    static char *base;
    static size_t there;
    int fd;

    if (!base) {
        fd = open("/proc/sys/vm/max_map_count", O_WRONLY);
        MUST(write(fd, "2000000", 7) == 7);
        close(fd);
        base = mmap(NULL, AREAS_MANY * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
        MUST(base != MAP_FAILED);
    }
    for (; there < nr; there += 2)
        MUST(mprotect(base + there * PAGE, PAGE, RW) == 0);
    return base + nr / 2 * PAGE;
}

/* The first bytes of the areas in the middle: they share a few page tables, which are there. */
static uint64_t areas_fault(size_t nr, unsigned ops)
{
    char *p = areas(nr);

    for (unsigned i = 0; i < ops; i++)
        MUST(madvise(p + 2 * i * PAGE, PAGE, MADV_DONTNEED) == 0);
    uint64_t start = ticks();
    for (unsigned i = 0; i < ops; i++)
        ((volatile char *)p)[2 * i * PAGE] = 1;
    return ticks() - start;
}

static uint64_t areas_protect(size_t nr, unsigned ops)
{
    char *p = areas(nr);
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++) {
        MUST(mprotect(p + 2 * i * PAGE, PAGE, PROT_READ) == 0);
        MUST(mprotect(p + 2 * i * PAGE, PAGE, RW) == 0);
    }
    return ticks() - start;
}

static uint64_t areas_replace(size_t nr, unsigned ops)
{
    char *p = areas(nr);
    uint64_t start = ticks();

    for (unsigned i = 0; i < ops; i++) {
        MUST(munmap(p + 2 * i * PAGE, PAGE) == 0);
        MUST(mmap(p + 2 * i * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 2 * i * PAGE);
    }
    return ticks() - start;
}

#define AREAS_ROW(what)                           \
    static uint64_t run_##what##_1k(unsigned ops) \
    {                                             \
        return areas_##what(AREAS_FEW, ops);      \
    }                                             \
    static uint64_t run_##what##_1m(unsigned ops) \
    {                                             \
        return areas_##what(AREAS_MANY, ops);     \
    }

AREAS_ROW(fault)
AREAS_ROW(protect)
AREAS_ROW(replace)

static uint64_t run_read_maps(unsigned ops)
{
    enum { AREAS = 10000 };
    static char text[64 << 10];
    char *p = map(AREAS * PAGE, ANON, -1);
    uint64_t spent = 0;

    for (size_t i = 0; i < AREAS; i += 2)
        MUST(mprotect(p + i * PAGE, PAGE, PROT_READ) == 0);
    for (unsigned i = 0; i < ops; i++) {
        int fd = open("/proc/self/maps", O_RDONLY);
        uint64_t start = ticks();

        while (read(fd, text, sizeof text) > 0)
            continue;
        spent += ticks() - start;
        close(fd);
    }
    munmap(p, AREAS * PAGE);
    return spent;
}

/* In the order of the table that tools/bench prints. */
static const struct row {
    const char *name;
    uint64_t (*batch)(unsigned ops); /* returns the ticks that all @ops took */
    unsigned ops;
} rows[] = {
    {"getppid", run_getppid, CALLS},
    {"memfd_create_close", run_memfd, CALLS},
    {"get_seals", run_get_seals, CALLS},
    {"pwrite_4k", run_pwrite, CALLS},
    {"pread_4k", run_pread, CALLS},
    {"mmap_munmap_shared", run_mmap_munmap, CALLS},
    {"fault_cached_shared", run_fault_cached, FAULTS},
    {"fault_anon", run_fault_anon, FAULTS},
    {"fault_memfd", run_fault_memfd, FAULTS},
    {"munmap_512_touched", run_munmap_touched, FEW},
    {"mprotect_1", run_mprotect_1, CALLS},
    {"mprotect_512", run_mprotect_512, FEW},
    {"mprotect_16_touch", run_mprotect_16_touch, FEW},
    {"dontneed_16_touch", run_dontneed, FEW},
    {"add_seals_64", run_add_seals, FEW},
    {"fault_secret", run_fault_secret, 16},
    {"secret_life_16", run_secret_life, FEW},
    {"fault_hugetlb", run_fault_huge, 2},
    {"fork_exit_wait", run_fork, FEW},
    {"fault_cow", run_cow, FAULTS},
    {"mremap_64", run_mremap, FEW},
    {"fork_exec_wait", run_exec, FEW},
    {"read_maps_10k", run_read_maps, 1},
    /* From here on only when they are named: they need more memory, and time, than the others. */
    {"areas_1k_fault", run_fault_1k, 100},
    {"areas_1k_protect", run_protect_1k, 100},
    {"areas_1k_replace", run_replace_1k, 100},
    {"areas_1m_fault", run_fault_1m, 100},
    {"areas_1m_protect", run_protect_1m, 100},
    {"areas_1m_replace", run_replace_1m, 100},
};

static uint64_t best_batch(const struct row *row, unsigned ops, unsigned batches)
{
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < batches; i++) {
        uint64_t spent = row->batch(ops);

        if (spent < best)
            best = spent;
    }
    return best;
}

static void run_row(const struct row *row, unsigned ops, unsigned batches)
{
    if (setjmp(row_gave_up))
        printf("%s,-,%s: %s\n", row->name, row_problem, strerror(errno));
    else
        printf("%s,%.0f\n", row->name, (double)best_batch(row, ops, batches) / ops);
    fflush(stdout);
}

/* @argument: "row", or "row:ops" for one batch of so many operations, as a profiler wants it. */
static void run_named(const char *argument)
{
    size_t len = strcspn(argument, ":");
    unsigned ops = argument[len] ? (unsigned)strtoul(argument + len + 1, NULL, 10) : 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strlen(rows[i].name) == len && !strncmp(rows[i].name, argument, len))
            run_row(&rows[i], ops ? ops : rows[i].ops, ops ? 1 : BATCHES);
}

/* Arguments name the rows to run; without any, all run. */
int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "nothing")) /* as the child of a row */
        return 0;
    for (int i = 1; i < argc; i++)
        run_named(argv[i]);
    for (size_t i = 0; argc == 1 && i < sizeof rows / sizeof rows[0] - NAMED_ONLY; i++)
        run_row(&rows[i], rows[i].ops, BATCHES);
    return 0;
}

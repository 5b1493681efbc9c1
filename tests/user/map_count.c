/* SPDX-License-Identifier: MIT */
/*
 * tests/user/map_count.c - calls that split areas, when there may be no more, or two more
 *
 *   map_count          a test per number of areas left, whose name ends in a digest of all answers
 *   map_count rows     the answers themselves, a line each
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   65,000 areas, and AREA, whose four pages each call finds as one.
 * Locks:  none.
 * Always: (1) nothing is allocated once the areas are counted;
 *         (2) after each call AREA is what it was.
 * Source: proc_sys_vm(5), "max_map_count".
 * Tour:   after tests/user/sweep.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

#define RW      (PROT_READ | PROT_WRITE)
#define FIXED   (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#define AREA    ((char *)0x200000000000)
#define APART   ((char *)0x210000000000)
#define FILLERS ((char *)0x300000000000)
#define LEFT    4 /* from so many areas less than the limit up to the limit */

static long middle_unmapped(void)
{
    return munmap(AREA + PAGE, PAGE);
}

static long head_unmapped(void)
{
    return munmap(AREA, PAGE);
}

static long all_unmapped(void)
{
    return munmap(AREA, 4 * PAGE);
}

static long middle_protected(void)
{
    return mprotect(AREA + PAGE, PAGE, PROT_READ);
}

static long head_protected(void)
{
    return mprotect(AREA, PAGE, PROT_READ);
}

static long all_protected(void)
{
    return mprotect(AREA, 4 * PAGE, PROT_READ);
}

static long middle_locked(void)
{
    return mlock(AREA + PAGE, PAGE);
}

static long head_locked(void)
{
    return mlock(AREA, PAGE);
}

static long middle_not_forked(void)
{
    return madvise(AREA + PAGE, PAGE, MADV_DONTFORK);
}

static long head_not_forked(void)
{
    return madvise(AREA, PAGE, MADV_DONTFORK);
}

static long middle_bound(void)
{
    unsigned long node = 1;
    return syscall(SYS_mbind, AREA + PAGE, PAGE, 2, &node, 2, 0); /* MPOL_BIND */
}

static long middle_replaced(void)
{
    return mmap(AREA + PAGE, PAGE, PROT_READ, FIXED, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long head_replaced(void)
{
    return mmap(AREA, PAGE, PROT_READ, FIXED, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long all_replaced(void)
{
    return mmap(AREA, 4 * PAGE, PROT_READ, FIXED, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long one_more(void)
{
    return mmap(APART, PAGE, RW, FIXED, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long two_more(void)
{
    long first = one_more();
    return mmap(APART + 2 * PAGE, PAGE, RW, FIXED, -1, 0) == MAP_FAILED ? -1 : first;
}

static long grown_neighbour(void)
{
    return mmap(AREA + 4 * PAGE, PAGE, RW, FIXED, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long moved(size_t first, size_t pages)
{
    void *p = mremap(AREA + first * PAGE, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                     APART);
    return p == MAP_FAILED ? -1 : 0;
}

static long middle_moved(void)
{
    return moved(1, 1);
}

static long head_moved(void)
{
    return moved(0, 1);
}

static long all_moved(void)
{
    return moved(0, 4);
}

static long tail_cut(void)
{
    return mremap(AREA, 4 * PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0;
}

static long middle_cut(void)
{
    return mremap(AREA + PAGE, 2 * PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0;
}

static long grown(void)
{
    return mremap(AREA, 4 * PAGE, 5 * PAGE, 0) == MAP_FAILED ? -1 : 0;
}

static long heap_grown(void)
{
    long at = syscall(SYS_brk, 0), more = syscall(SYS_brk, at + (long)PAGE);
    long back = syscall(SYS_brk, at);
    return more - at + (back != at);
}

static const struct {
    const char *name;
    long (*make)(void);
} calls[] = {
    {"middle_unmapped", middle_unmapped},
    {"head_unmapped", head_unmapped},
    {"all_unmapped", all_unmapped},
    {"middle_protected", middle_protected},
    {"head_protected", head_protected},
    {"all_protected", all_protected},
    {"middle_locked", middle_locked},
    {"head_locked", head_locked},
    {"middle_not_forked", middle_not_forked},
    {"head_not_forked", head_not_forked},
    {"middle_bound", middle_bound},
    {"middle_replaced", middle_replaced},
    {"head_replaced", head_replaced},
    {"all_replaced", all_replaced},
    {"one_more", one_more},
    {"two_more", two_more},
    {"grown_neighbour", grown_neighbour},
    {"middle_moved", middle_moved},
    {"head_moved", head_moved},
    {"all_moved", all_moved},
    {"tail_cut", tail_cut},
    {"middle_cut", middle_cut},
    {"grown", grown},
    {"heap_grown", heap_grown},
};

/* Lines of maps, but for the page that is the kernel's. */
static long areas(void)
{
    static char text[1 << 16];
    long lines = 0;
    ssize_t n;
    int fd = open("/proc/self/maps", O_RDONLY);
    bool kernel_page = false;

    while ((n = read(fd, text, sizeof(text) - 1)) > 0) {
        text[n] = '\0';
        kernel_page |= strstr(text, "[vsyscall]") != NULL;
        for (char *at = text; (at = strchr(at, '\n')); at++)
            lines++;
    }
    close(fd);
    return lines - kernel_page;
}

/* AREA as one area again, and nothing at APART. */
static void begin(void)
{
    munmap(APART, 8 * PAGE);
    munmap(AREA, 5 * PAGE);
    mmap(AREA, 4 * PAGE, RW, FIXED, -1, 0);
}

/* Every other page of a range is an area: so many of them. */
static void fill(long nr)
{
    mmap(FILLERS, (size_t)(nr + 1) * PAGE, PROT_NONE, FIXED | MAP_NORESERVE, -1, 0);
    for (long i = 1; i < nr; i += 2)
        mprotect(FILLERS + (size_t)i * PAGE, PAGE, PROT_READ);
    munmap(FILLERS + (size_t)nr * PAGE, PAGE);
}

static uint32_t digest;

static void tell(const char *line, bool print)
{
    if (print)
        puts(line);
    for (; *line; line++)
        digest = (digest ^ (unsigned char)*line) * 16777619; /* FNV-1a */
}

static void ask_all(long left, bool print)
{
    char line[128];

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        begin();
        errno = 0;
        long result = calls[i].make();
        snprintf(line, sizeof(line), "%ld left: %s = %ld, %s", left, calls[i].name, result,
                 result == -1 ? strerror(errno) : "ok");
        tell(line, print);
    }
    begin();
}

int main(int argc, char **argv)
{
    static char out[4096];
    char text[32];
    bool print = argc > 1 && !strcmp(argv[1], "rows");

    setvbuf(stdout, out, _IOLBF, sizeof(out));
    if (slurp("/proc/sys/vm/max_map_count", text, sizeof(text)) < 0)
        return 1;
    long max = strtol(text, NULL, 10);
    if (!print)
        printf("KTAP version 1\n1..%d\n", LEFT + 1);
    begin();
    long own = areas(), nr = max - LEFT - own;
    fill(nr);
    for (long left = LEFT; left >= 0; left--) {
        digest = 2166136261;
        ask_all(left, print);
        if (!print)
            printf("ok %ld with_%ld_areas_left_%08x\n", LEFT - left + 1, left, digest);
        mmap(FILLERS + 2 * PAGE * (size_t)(nr + 1 + left), PAGE, PROT_READ, FIXED, -1, 0);
    }
    return 0;
}

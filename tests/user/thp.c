/* SPDX-License-Identifier: MIT */
/*
 * tests/user/thp.c - transparent huge pages of private memory: seen, split, moved, inherited
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst; madvise(2); proc_pid_smaps(5).
 * Tour:   after tests/user/madvise.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define GUARD_INSTALL 102
#define COLLAPSE      25
#define RW            PROT_READ | PROT_WRITE
#define HUGE          (512 * PAGE)

/* Room for @units huge pages at an aligned place, with half a unit before and behind. */
static char *room(size_t units, int prot)
{
    char *p = mmap(NULL, (units + 2) * HUGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

    munmap(p, at - p);
    munmap(at + units * HUGE, p + (units + 2) * HUGE - (at + units * HUGE));
    return at;
}

/* The same, and huge pages are wanted. */
static char *map_huge(size_t units)
{
    char *p = room(units, RW);

    EXPECT_IS(madvise(p, units * HUGE, MADV_HUGEPAGE), 0);
    return p;
}

#define HUGE_KIB(p, units) smaps((p), (units)*HUGE, "AnonHugePages")
#define RSS_KIB(p, units)  smaps((p), (units)*HUGE, "Rss")

/* Each page of @p says which it is. */
static void mark(char *p, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        *(size_t *)(p + i * PAGE) = i + 1;
}

static bool marked(const char *p, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (*(const size_t *)(p + i * PAGE) != i + 1)
            return false;
    return true;
}

static int resident(char *p, size_t pages)
{
    static unsigned char in[2048];
    int sum = 0;

    if (mincore(p, pages * PAGE, in) < 0)
        return -1;
    for (size_t i = 0; i < pages; i++)
        sum += in[i] & 1;
    return sum;
}

/* What page tables of this process take. */
static long tables_kib(void)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t len = read(fd, text, sizeof(text) - 1);

    close(fd);
    text[len > 0 ? len : 0] = 0;
    const char *line = strstr(text, "VmPTE:");
    return line ? atol(line + 6) : -1;
}

static void write_gives_a_whole_unit(void)
{
    char *p = map_huge(2);

    p[5 * PAGE] = 1;
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT_IS(RSS_KIB(p, 2), 2048);
    EXPECT_IS(resident(p, 1024), 512);
    EXPECT(p[0] == 0 && p[511 * PAGE] == 0 && p[5 * PAGE] == 1);
    p[HUGE] = 1;
    EXPECT_IS(HUGE_KIB(p, 2), 4096);
    munmap(p, 2 * HUGE);
}

/* From 6.13 on the first write to zeros gives a huge page, before one of 4 KiB. */
static long kib_after_zeros(void)
{
    return linux_before(6, 13) ? 4 : 2048;
}

static void read_gives_a_unit_of_zeros(void)
{
    char *p = map_huge(3);
    long before;

    p[0] = 1;
    before = tables_kib();
    EXPECT_IS(look(p + HUGE + 7 * PAGE), 0);
    EXPECT_IS(RSS_KIB(p, 3), 2048);
    EXPECT_IS(HUGE_KIB(p, 3), 2048);
    EXPECT_IS(tables_kib() - before, 4);
    EXPECT_IS(resident(p, 3 * 512), 1024);
    EXPECT(look(p + HUGE) == 0 && look(p + 2 * HUGE - 1) == 0);
    EXPECT_IS(madvise(p + HUGE, HUGE, MADV_DONTNEED), 0);
    EXPECT_IS(resident(p, 3 * 512), 512);
    EXPECT_IS(tables_kib() - before, 0);
    munmap(p, 3 * HUGE);
}

static void write_to_zeros_gives_memory(void)
{
    char *p = map_huge(1);

    EXPECT_IS(look(p), 0);
    p[9 * PAGE] = 9;
    EXPECT_IS(RSS_KIB(p, 1), kib_after_zeros());
    EXPECT(look(p + 8 * PAGE) == 0 && look(p + 9 * PAGE) == 9);
    mark(p, 512);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(RSS_KIB(p, 1), 2048);
    munmap(p, HUGE);
}

static void zeros_are_cut_and_protected(void)
{
    char *p = map_huge(2);

    EXPECT(look(p) == 0 && look(p + HUGE) == 0);
    EXPECT_IS(mprotect(p, HUGE, PROT_READ), 0);
    EXPECT_IS(probe(p + PAGE, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(mprotect(p, HUGE, RW), 0);
    EXPECT_IS(RSS_KIB(p, 2), 0);
    EXPECT_IS(mprotect(p + 3 * PAGE, PAGE, PROT_READ), 0);
    EXPECT_IS(munmap(p + 5 * PAGE, PAGE), 0);
    EXPECT(look(p + 3 * PAGE) == 0 && look(p + 6 * PAGE) == 0);
    EXPECT_IS(probe(p + 3 * PAGE, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(probe(p + 5 * PAGE, PROBE_READ).sig, SIGSEGV);
    EXPECT_IS(RSS_KIB(p, 2), 0);
    p[6 * PAGE] = 6;
    EXPECT_IS(RSS_KIB(p, 2), 4);
    EXPECT(look(p + 7 * PAGE) == 0 && look(p + HUGE + 6 * PAGE) == 0);
    munmap(p, 2 * HUGE);
}

static void zeros_are_inherited_and_moved(void)
{
    char *p = map_huge(1), *to = room(1, PROT_NONE);
    int status;

    EXPECT(look(p) == 0);
    pid_t child = fork();
    if (child == 0) {
        p[5] = 5;
        _exit(RSS_KIB(p, 1) == kib_after_zeros() && look(p + 6) == 0 && look(p + 5) == 5 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT(look(p + 5) == 0 && RSS_KIB(p, 1) == 0);
    EXPECT(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT_IS(resident(to, 512), 512);
    EXPECT_IS(RSS_KIB(to, 1), 0);
    mark(to, 512);
    EXPECT(marked(to, 0, 512));
    munmap(to, HUGE);
}

static void read_gives_memory_if_zeros_are_off(void)
{
    if (!machine_is_ours())
        SKIP("not our machine");
    char *p = map_huge(1);
    EXPECT(huge_pages_set("use_zero_page", "0"));
    EXPECT_IS(look(p + 5), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    p[5] = 5;
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT(huge_pages_set("use_zero_page", "1"));
    munmap(p, HUGE);
}

static void unit_must_fit_and_be_wanted(void)
{
    char *p = room(3, RW);

    EXPECT_IS(madvise(p, 3 * HUGE, MADV_NOHUGEPAGE), 0);
    p[0] = 1;
    EXPECT_IS(HUGE_KIB(p, 3), 0);
    EXPECT_IS(RSS_KIB(p, 3), 4);
    munmap(p, HUGE + PAGE);
    EXPECT_IS(madvise(p + HUGE + PAGE, 2 * HUGE - PAGE, MADV_HUGEPAGE), 0);
    p[HUGE + PAGE] = 1;
    EXPECT_IS(RSS_KIB(p, 3), 4);
    p[2 * HUGE] = 1;
    EXPECT_IS(HUGE_KIB(p, 3), 2048);
    munmap(p, 3 * HUGE);
}

static void unit_with_a_small_page_gets_small_pages(void)
{
    char *p = room(1, RW);

    EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    p[7 * PAGE] = 7;
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    p[8 * PAGE] = 8;
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(RSS_KIB(p, 1), 8);
    munmap(p, HUGE);
}

static void process_can_refuse_them(void)
{
    char *p = map_huge(1);

    EXPECT_IS(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
    EXPECT_ERR(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 5), EINVAL);
    EXPECT_ERR(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
    EXPECT_IS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    EXPECT_IS(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
    p[0] = 1;
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    int status, child = fork();
    if (child == 0)
        _exit(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    waitpid(child, &status, 0);
    EXPECT_IS(WEXITSTATUS(status), 1);
    EXPECT_IS(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
    munmap(p, HUGE);
}

static void hole_in_the_middle_keeps_the_rest(void)
{
    char *p = map_huge(1);

    mark(p, 512);
    EXPECT_IS(munmap(p + 100 * PAGE, PAGE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(RSS_KIB(p, 1), 2044);
    EXPECT(marked(p, 0, 100) && marked(p, 101, 512));
    EXPECT_IS(probe(p + 100 * PAGE, PROBE_READ).sig, SIGSEGV);
    p[99 * PAGE + 8] = p[101 * PAGE + 8] = 1;
    munmap(p, HUGE);
}

/* A split finds its table beside the leaf, and the leaf's end frees it. */
static void tables_for_a_split_are_kept(void)
{
    char *p = map_huge(5);
    long before;

    p[0] = p[HUGE] = 1;
    before = tables_kib();
    p[2 * HUGE] = 1;
    EXPECT_IS(tables_kib() - before, 4);
    EXPECT_IS(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    EXPECT_IS(munmap(p + HUGE + PAGE, PAGE), 0);
    EXPECT_IS(madvise(p + 2 * HUGE, PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(HUGE_KIB(p, 5), 0);
    EXPECT_IS(tables_kib() - before, 4);
    p[3 * HUGE] = p[4 * HUGE] = 1;
    EXPECT_IS(tables_kib() - before, 12);
    EXPECT_IS(madvise(p + 4 * HUGE, HUGE, MADV_DONTNEED), 0);
    EXPECT_IS(tables_kib() - before, 8);
    EXPECT_IS(munmap(p + 3 * HUGE, 2 * HUGE), 0);
    EXPECT_IS(tables_kib() - before, 4);
    munmap(p, 3 * HUGE);
}

static void rights_of_the_whole_keep_it_whole(void)
{
    char *p = map_huge(1);

    mark(p, 512);
    EXPECT_IS(mprotect(p, HUGE, PROT_READ), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(probe(p + 9 * PAGE, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(mprotect(p, HUGE, PROT_NONE), 0);
    EXPECT_IS(probe(p + 9 * PAGE, PROBE_READ).sig, SIGSEGV);
    EXPECT_IS(mprotect(p, HUGE, RW), 0);
    EXPECT(marked(p, 0, 512));
    p[9 * PAGE + 8] = 1;
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    munmap(p, HUGE);
}

static void rights_of_a_part_split_it(void)
{
    char *p = map_huge(1);

    mark(p, 512);
    EXPECT_IS(mprotect(p + 10 * PAGE, 2 * PAGE, PROT_READ), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(RSS_KIB(p, 1), 2048);
    EXPECT_IS(probe(p + 9 * PAGE + 8, PROBE_WRITE).sig, 0);
    EXPECT_IS(probe(p + 10 * PAGE + 8, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(probe(p + 11 * PAGE + 8, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(probe(p + 12 * PAGE + 8, PROBE_WRITE).sig, 0);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(mprotect(p, HUGE, RW), 0);
    mark(p, 512);
    munmap(p, HUGE);
}

static void code_in_it_can_be_split_from_data(void)
{
    char *p = map_huge(1);

    memset(p, 0xc3, HUGE); /* ret */
    EXPECT_IS(mprotect(p, HUGE, RW | PROT_EXEC), 0);
    EXPECT_IS(probe(p + 3 * PAGE, PROBE_CALL).sig, 0);
    EXPECT_IS(mprotect(p, 4 * PAGE, RW), 0);
    EXPECT_IS(probe(p + 3 * PAGE, PROBE_CALL).sig, SIGSEGV);
    EXPECT_IS(probe(p + 4 * PAGE, PROBE_CALL).sig, 0);
    EXPECT_IS(mprotect(p + 5 * PAGE, PAGE, PROT_NONE), 0);
    EXPECT_IS(probe(p + 6 * PAGE, PROBE_CALL).sig, 0);
    munmap(p, HUGE);
}

static void discarded_part_reads_zero(void)
{
    char *p = map_huge(2);

    mark(p, 1024);
    EXPECT_IS(madvise(p + 500 * PAGE, 24 * PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(RSS_KIB(p, 2), 4096 - 96);
    EXPECT(marked(p, 0, 500) && marked(p, 524, 1024));
    EXPECT(p[500 * PAGE] == 0 && p[523 * PAGE] == 0);
    EXPECT_IS(madvise(p, 2 * HUGE, MADV_DONTNEED), 0);
    EXPECT_IS(RSS_KIB(p, 2), 0);
    EXPECT(p[511 * PAGE] == 0);
    munmap(p, 2 * HUGE);
}

static void discarded_whole_can_be_huge_again(void)
{
    char *p = map_huge(1);

    p[0] = 1;
    EXPECT_IS(madvise(p, HUGE, MADV_DONTNEED), 0);
    EXPECT_IS(RSS_KIB(p, 1), 0);
    p[PAGE] = 1;
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT(p[0] == 0);
    munmap(p, HUGE);
}

static void flags_of_a_part_split_it(void)
{
    char *p = map_huge(1);

    mark(p, 512);
    EXPECT_IS(madvise(p + PAGE, PAGE, MADV_DONTDUMP), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT(marked(p, 0, 512));
    munmap(p, HUGE);
    p = map_huge(1);
    mark(p, 512);
    EXPECT_IS(mlock(p + PAGE, PAGE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(munlock(p, HUGE), 0);
    EXPECT(marked(p, 0, 512));
    munmap(p, HUGE);
}

static void lock_fills_whole_units(void)
{
    char *p = map_huge(1);

    EXPECT_IS(mlock(p, HUGE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
    munmap(p, HUGE);
    p = map_huge(1);
    EXPECT_IS(madvise(p, HUGE, MADV_POPULATE_WRITE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    munmap(p, HUGE);
}

static void guard_splits_it(void)
{
    char *p = map_huge(1);

    mark(p, 512);
    if (madvise(p + 5 * PAGE, PAGE, GUARD_INSTALL) != 0)
        SKIP("no guards");
    EXPECT_IS(probe(p + 5 * PAGE, PROBE_READ).sig, SIGSEGV);
    EXPECT(marked(p, 0, 5) && marked(p, 6, 512));
    EXPECT_IS(RSS_KIB(p, 1), 2044);
    munmap(p, HUGE);
}

static void moves_whole_between_aligned_places(void)
{
    char *p = map_huge(2), *to = room(2, PROT_NONE);

    mark(p, 1024);
    EXPECT(mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT_IS(HUGE_KIB(to, 2), 4096);
    EXPECT(marked(to, 0, 1024));
    to[3 * PAGE + 8] = 1;
    munmap(to, 2 * HUGE);
}

static void moves_in_parts_elsewhere(void)
{
    char *p = map_huge(2), *to = room(4, PROT_NONE) + PAGE;

    mark(p, 1024);
    EXPECT(mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT_IS(RSS_KIB(to - PAGE, 4), 4096);
    EXPECT_IS(HUGE_KIB(to - PAGE, 4), 0);
    EXPECT(marked(to, 0, 1024));
    munmap(to - PAGE, 4 * HUGE);

    p = map_huge(3), to = room(3, PROT_NONE);
    mark(p, 3 * 512);
    EXPECT_IS(madvise(p, 3 * HUGE, MADV_NOHUGEPAGE), 0);
    EXPECT(mremap(p + 8 * PAGE, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 8 * PAGE) ==
           to + 8 * PAGE);
    EXPECT_IS(HUGE_KIB(to, 3), 2048); /* the second unit was moved whole */
    EXPECT(marked(to, 8, 1032) && marked(p, 0, 8) && marked(p, 1032, 3 * 512));
    munmap(to, 3 * HUGE);
    munmap(p, 3 * HUGE);
}

static void shrinks_and_grows(void)
{
    char *p = map_huge(2);

    mark(p, 1024);
    EXPECT(mremap(p, 2 * HUGE, HUGE + 3 * PAGE, 0) == p);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT_IS(RSS_KIB(p, 2), 2048 + 12);
    EXPECT(mremap(p, HUGE + 3 * PAGE, 2 * HUGE, 0) == p);
    EXPECT(marked(p, 0, 515) && p[515 * PAGE] == 0);
    munmap(p, 2 * HUGE);
}

/* Run @then in a child with the same memory; its exit status. */
static int in_child(char *p, int (*then)(char *p))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(then(p));
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int child_looks(char *p)
{
    return HUGE_KIB(p, 1) != 2048 ? 1 : !marked(p, 0, 512) ? 2 : 0;
}

static int child_writes(char *p)
{
    *(size_t *)(p + 17 * PAGE) = 0;
    return !marked(p, 0, 17) ? 1 : !marked(p, 18, 512) ? 2 : *(size_t *)(p + 17 * PAGE) ? 3 : 0;
}

static int child_unmaps(char *p)
{
    if (munmap(p, 100 * PAGE) || madvise(p + 200 * PAGE, 100 * PAGE, MADV_DONTNEED))
        return 1;
    return !marked(p, 100, 200) ? 2 : !marked(p, 300, 512) ? 3 : p[250 * PAGE] ? 4 : 0;
}

static int child_protects(char *p)
{
    if (mprotect(p, PAGE, PROT_READ))
        return 1;
    mark(p + PAGE, 511);
    return *(size_t *)p != 1 ? 2 : !marked(p + PAGE, 0, 511) ? 3 : 0;
}

static void fork_shares_it(void)
{
    char *p = map_huge(1);

    mark(p, 512);
    EXPECT_IS(in_child(p, child_looks), 0);
    EXPECT_IS(in_child(p, child_writes), 0);
    EXPECT_IS(in_child(p, child_unmaps), 0);
    EXPECT_IS(in_child(p, child_protects), 0);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    p[17 * PAGE + 8] = 1; /* nobody else has it any more */
    EXPECT(marked(p, 0, 512));
    munmap(p, HUGE);
}

static void parent_writes_while_a_child_looks(void)
{
    char *p = map_huge(1);
    int go[2], status;

    mark(p, 512);
    EXPECT_IS(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        _exit(read(go[0], &c, 1) == 1 && marked(p, 0, 512) ? 0 : 1);
    }
    for (size_t i = 0; i < 512; i += 7)
        *(size_t *)(p + i * PAGE) = 99;
    EXPECT_IS(munmap(p + 20 * PAGE, PAGE), 0);
    EXPECT_IS(write(go[1], "x", 1), 1);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    EXPECT(*(size_t *)(p + 7 * PAGE) == 99 && *(size_t *)(p + 8 * PAGE) == 9);
    mark(p, 20);
    EXPECT(marked(p, 0, 20));
    munmap(p, HUGE);
    close(go[0]);
    close(go[1]);
}

static void part_that_is_not_inherited_stays_the_parents(void)
{
    char *p = map_huge(1);

    mark(p, 512);
    EXPECT_IS(madvise(p, 256 * PAGE, MADV_DONTFORK), 0);
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(marked(p, 256, 512) && probe(p, PROBE_READ).sig == SIGSEGV ? 0 : 1);
    mark(p, 256);
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT(marked(p, 0, 512));
    mark(p, 512);
    munmap(p, HUGE);
}

/* A pipe's copy, a system call's buffer: the kernel reads and writes it like other memory. */
static void kernel_uses_it(void)
{
    char *p = map_huge(1);
    int fd = memfd_create("copy", 0);

    mark(p, 512);
    EXPECT_IS(write(fd, p, HUGE), HUGE);
    EXPECT_IS(pread(fd, p + 3, HUGE - 3, 3), HUGE - 3);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(madvise(p, HUGE, MADV_DONTNEED), 0);
    EXPECT_IS(pread(fd, p, HUGE, 0), HUGE);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    close(fd);
    munmap(p, HUGE);
}

static void collapse_makes_one_of_many(void)
{
    char *p = room(1, RW);

    mark(p, 512);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(madvise(p, HUGE / 2, MADV_DONTNEED), 0);
    EXPECT_IS(RSS_KIB(p, 1), 1024);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT(p[0] == 0 && marked(p, 256, 512));
    munmap(p, HUGE);
}

static void collapse_fills_what_is_missing_with_zeros(void)
{
    char *p = room(2, RW);

    p[3 * PAGE] = 3;
    EXPECT(p[4 * PAGE] == 0);
    EXPECT(p[HUGE] == 0); /* read only: the zero page */
    EXPECT_IS(madvise(p, 2 * HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 2), 4096);
    EXPECT(p[3 * PAGE] == 3 && p[4 * PAGE] == 0 && p[5 * PAGE] == 0 && p[HUGE] == 0);
    munmap(p, 2 * HUGE);
}

static void collapse_needs_whole_units(void)
{
    char *p = room(2, RW);

    p[0] = p[HUGE] = 1;
    EXPECT_ERR(madvise(p + PAGE, PAGE, COLLAPSE), EINVAL); /* within one */
    EXPECT_IS(madvise(p + PAGE, HUGE, COLLAPSE), 0);       /* parts of two */
    EXPECT_ERR(madvise(p + 1, HUGE, COLLAPSE), EINVAL);
    EXPECT_IS(madvise(p, 0, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 2), 0);
    EXPECT_IS(madvise(p + PAGE, 2 * HUGE - PAGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    munmap(p + HUGE, HUGE);
    EXPECT_ERR(madvise(p, 2 * HUGE, COLLAPSE), ENOMEM); /* a gap; the rest was done */
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    munmap(p, HUGE);
}

static void collapse_needs_an_area_that_can(void)
{
    char *p = room(2, RW);

    EXPECT_ERR(madvise(p, 2 * HUGE, COLLAPSE), EINVAL); /* nothing there at all */
    p[HUGE] = 1;
    EXPECT_ERR(madvise(p, 2 * HUGE, COLLAPSE), EINVAL); /* the first unit has no table */
    EXPECT_IS(HUGE_KIB(p, 2), 0);
    p[0] = 1;
    EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    EXPECT_ERR(madvise(p, 2 * HUGE, COLLAPSE), EINVAL);
    EXPECT_IS(HUGE_KIB(p, 2), 0);
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    EXPECT_IS(madvise(p, 2 * HUGE, MADV_HUGEPAGE), 0);
    EXPECT_IS(munmap(p, PAGE), 0);
    EXPECT_ERR(madvise(p + PAGE, HUGE - 2 * PAGE, COLLAPSE), EINVAL);
    EXPECT_IS(munmap(p + 2 * HUGE - PAGE, PAGE), 0);
    EXPECT_ERR(madvise(p + PAGE, PAGE, COLLAPSE), EINVAL);
    munmap(p, 2 * HUGE);
}

static void collapse_of_a_process_that_refuses_fails(void)
{
    char *p = room(1, RW);

    p[0] = 1;
    EXPECT_IS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    EXPECT_ERR(madvise(p, HUGE, COLLAPSE), EINVAL);
    EXPECT_IS(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    munmap(p, HUGE);
}

static void collapse_keeps_rights(void)
{
    char *p = room(1, RW);

    mark(p, 512);
    EXPECT_IS(mprotect(p, HUGE, PROT_READ), 0);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, SIGSEGV);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(mprotect(p, HUGE, PROT_NONE), 0);
    EXPECT_IS(mprotect(p, HUGE, RW), 0);
    mark(p, 512);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    EXPECT_ERR(madvise(p, HUGE, COLLAPSE), EINVAL); /* in three areas */
    EXPECT_IS(mprotect(p + PAGE, PAGE, RW), 0);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT(marked(p, 0, 512));
    munmap(p, HUGE);
}

static void collapse_leaves_guards_alone(void)
{
    char *p = room(2, RW);

    p[0] = p[HUGE] = 1;
    if (madvise(p + HUGE + PAGE, PAGE, GUARD_INSTALL) != 0)
        SKIP("no guards");
    EXPECT_ERR(madvise(p, 2 * HUGE, COLLAPSE), EINVAL);
    EXPECT_IS(HUGE_KIB(p, 2), 2048); /* the first is done */
    EXPECT_IS(probe(p + HUGE + PAGE, PROBE_READ).sig, SIGSEGV);
    munmap(p, 2 * HUGE);
}

static int child_collapses(char *p)
{
    if (madvise(p, HUGE, COLLAPSE) || HUGE_KIB(p, 1) != 2048 || !marked(p, 0, 512))
        return 1;
    memset(p, 0xee, HUGE);
    return 0;
}

static void collapse_copies_what_a_fork_shares(void)
{
    char *p = room(1, RW);

    mark(p, 512);
    EXPECT_IS(in_child(p, child_collapses), 0);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(in_child(p, child_writes), 0);
    EXPECT_IS(in_child(p, child_unmaps), 0);
    mark(p, 512);
    munmap(p, HUGE);
}

static void collapse_keeps_locks(void)
{
    char *p = room(1, RW);

    EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    EXPECT_IS(mlock(p, HUGE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(smaps(p, HUGE, "Locked"), 2048);
    munmap(p, HUGE);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(write_gives_a_whole_unit),
        TEST(read_gives_a_unit_of_zeros),
        TEST(write_to_zeros_gives_memory),
        TEST(zeros_are_cut_and_protected),
        TEST(zeros_are_inherited_and_moved),
        TEST(read_gives_memory_if_zeros_are_off),
        TEST(unit_must_fit_and_be_wanted),
        TEST(unit_with_a_small_page_gets_small_pages),
        TEST(process_can_refuse_them),
        TEST(hole_in_the_middle_keeps_the_rest),
        TEST(tables_for_a_split_are_kept),
        TEST(rights_of_the_whole_keep_it_whole),
        TEST(rights_of_a_part_split_it),
        TEST(code_in_it_can_be_split_from_data),
        TEST(discarded_part_reads_zero),
        TEST(discarded_whole_can_be_huge_again),
        TEST(flags_of_a_part_split_it),
        TEST(lock_fills_whole_units),
        TEST(guard_splits_it),
        TEST(moves_whole_between_aligned_places),
        TEST(moves_in_parts_elsewhere),
        TEST(shrinks_and_grows),
        TEST(fork_shares_it),
        TEST(parent_writes_while_a_child_looks),
        TEST(part_that_is_not_inherited_stays_the_parents),
        TEST(kernel_uses_it),
        TEST(collapse_makes_one_of_many),
        TEST(collapse_fills_what_is_missing_with_zeros),
        TEST(collapse_needs_whole_units),
        TEST(collapse_needs_an_area_that_can),
        TEST(collapse_of_a_process_that_refuses_fails),
        TEST(collapse_keeps_rights),
        TEST(collapse_leaves_guards_alone),
        TEST(collapse_copies_what_a_fork_shares),
        TEST(collapse_keeps_locks),
    };

    huge_pages_allow();
    return KTAP_MAIN(tests);
}

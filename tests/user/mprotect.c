/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mprotect.c - mprotect: the order of its checks, splits and merges, what stays after a
 * refusal
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: mprotect(2).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

#define RW            (PROT_READ | PROT_WRITE)
#define BOTH_GROWS    0x03000000 /* PROT_GROWSDOWN | PROT_GROWSUP */
#define ONE_GROWS     0x01000000 /* PROT_GROWSDOWN */
#define UNKNOWN_RIGHT 0x40

/* The raw call: libc rounds the address down. */
static long protect(const void *addr, size_t len, int prot)
{
    return syscall(SYS_mprotect, addr, len, prot);
}

/* A mapping of @pages with a page without rights on both sides: it has no neighbours to merge with.
 */
static unsigned char *map_fenced(size_t pages)
{
    size_t len = (pages + 2) * PAGE;
    unsigned char *p = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    mprotect(p, PAGE, PROT_NONE);
    mprotect(p + (pages + 1) * PAGE, PAGE, PROT_NONE);
    return p + PAGE;
}

static void unmap_fenced(unsigned char *p, size_t pages)
{
    munmap(p - PAGE, (pages + 2) * PAGE);
}

static void checks_come_in_order(void)
{
    unsigned char *p = map_fenced(2);

    EXPECT_ERR(protect(p + 1, PAGE, BOTH_GROWS), EINVAL);
    EXPECT_ERR(protect(p + 1, 0, PROT_READ), EINVAL);
    EXPECT_IS(protect(p, 0, UNKNOWN_RIGHT), 0); /* no length: the rights are not looked at */
    EXPECT_IS(protect(p, 0, ONE_GROWS), 0);
    EXPECT_ERR(protect(p, 0, BOTH_GROWS), EINVAL); /* but this pair is */
    EXPECT_ERR(protect(p, -PAGE, UNKNOWN_RIGHT), ENOMEM);
    EXPECT_ERR(protect(p, -1UL, PROT_READ), ENOMEM);
    EXPECT_ERR(protect(p, PAGE, UNKNOWN_RIGHT), EINVAL);
    EXPECT_ERR(protect(p, PAGE, PROT_READ | ONE_GROWS), EINVAL);
    EXPECT_ERR(protect(NULL, PAGE, PROT_READ), ENOMEM);
    EXPECT_ERR(protect((void *)0x7ffffffff000, PAGE, PROT_READ), ENOMEM);
    EXPECT_IS(protect(p, PAGE, RW | 8), 0); /* PROT_SEM means nothing */
    unmap_fenced(p, 2);
}

static void length_is_rounded_up(void)
{
    unsigned char *p = map_fenced(3);

    EXPECT_IS(protect(p, PAGE + 1, PROT_READ), 0);
    EXPECT(probe(p + 2 * PAGE - 1, PROBE_WRITE).sig == SIGSEGV);
    EXPECT(!probe(p + 2 * PAGE, PROBE_WRITE).sig);
    unmap_fenced(p, 3);
}

static void hole_at_the_start_changes_nothing(void)
{
    unsigned char *p = map_fenced(3);

    munmap(p, PAGE);
    EXPECT_ERR(protect(p, 3 * PAGE, PROT_READ), ENOMEM);
    EXPECT(!probe(p + PAGE, PROBE_WRITE).sig);
    unmap_fenced(p, 3);
}

static void hole_stops_it_half_way(void)
{
    unsigned char *p = map_fenced(4);

    munmap(p + 2 * PAGE, PAGE);
    EXPECT_ERR(protect(p, 4 * PAGE, PROT_READ), ENOMEM);
    EXPECT(probe(p, PROBE_WRITE).sig == SIGSEGV && probe(p + PAGE, PROBE_WRITE).sig == SIGSEGV);
    EXPECT(!probe(p + 3 * PAGE, PROBE_WRITE).sig);
    unmap_fenced(p, 4);
}

static void hole_at_the_end_is_told_after_the_work(void)
{
    unsigned char *p = map_fenced(3);

    munmap(p + 2 * PAGE, 2 * PAGE);
    EXPECT_ERR(protect(p, 3 * PAGE, PROT_READ), ENOMEM);
    EXPECT(probe(p + PAGE, PROBE_WRITE).sig == SIGSEGV);
    unmap_fenced(p, 3);
}

/*
 * Change pages [from, to) of six to read-only, and back. They are written before: on Linux parts
 * that were first written after the split need not merge again (each has an anon_vma of its own).
 */
static void split_and_merge(size_t from, size_t to, int parts)
{
    unsigned char *p = map_fenced(6);

    memset(p, 1, 6 * PAGE);
    if (maps_count(p, PAGE) < 0)
        SKIP("no /proc/self/maps");
    EXPECT_IS(protect(p + from * PAGE, (to - from) * PAGE, PROT_READ), 0);
    EXPECT_IS(maps_count(p, 6 * PAGE), parts);
    for (size_t i = 0; i < 6; i++)
        EXPECT((probe(p + i * PAGE, PROBE_WRITE).sig == SIGSEGV) == (from <= i && i < to));
    EXPECT_IS(protect(p + from * PAGE, (to - from) * PAGE, RW), 0);
    EXPECT_IS(maps_count(p, 6 * PAGE), 1);
    unmap_fenced(p, 6);
}

static void head_splits_and_merges(void)
{
    split_and_merge(0, 2, 2);
}

static void middle_splits_and_merges(void)
{
    split_and_merge(2, 4, 3);
}

static void tail_splits_and_merges(void)
{
    split_and_merge(4, 6, 2);
}

static void whole_does_not_split(void)
{
    split_and_merge(0, 6, 1);
}

static void new_neighbours_of_one_kind_merge(void)
{
    unsigned char *p = map_fenced(6);

    if (maps_count(p, PAGE) < 0)
        SKIP("no /proc/self/maps");
    protect(p, PAGE, PROT_READ);
    protect(p + 2 * PAGE, PAGE, PROT_READ);
    EXPECT_IS(maps_count(p, 6 * PAGE), 4);
    protect(p + PAGE, PAGE, PROT_READ);
    EXPECT_IS(maps_count(p, 6 * PAGE), 2);
    protect(p + 2 * PAGE, 4 * PAGE, PROT_READ);
    EXPECT_IS(maps_count(p, 6 * PAGE), 1);
    unmap_fenced(p, 6);
}

static void one_call_crosses_many_mappings(void)
{
    unsigned char *p = map_fenced(8);

    for (size_t i = 0; i < 8; i += 2)
        protect(p + i * PAGE, PAGE, PROT_READ);
    EXPECT_IS(protect(p, 8 * PAGE, PROT_NONE), 0);
    for (size_t i = 0; i < 8; i++)
        EXPECT(probe(p + i * PAGE, PROBE_READ).sig == SIGSEGV);
    EXPECT_IS(protect(p, 8 * PAGE, RW), 0);
    for (size_t i = 0; i < 8; i++)
        EXPECT(!probe(p + i * PAGE, PROBE_WRITE).sig);
    if (maps_count(p, PAGE) >= 0)
        EXPECT_IS(maps_count(p, 8 * PAGE), 1);
    unmap_fenced(p, 8);
}

static void bytes_survive_every_change(void)
{
    static const int rights[] = {PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, PROT_NONE, RW};
    unsigned char *p = map_fenced(4);

    for (size_t i = 0; i < 4 * PAGE; i++)
        p[i] = (unsigned char)(i * 7);
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        EXPECT_IS(protect(p, 4 * PAGE, rights[i]), 0);
    size_t wrong = 0;
    for (size_t i = 0; i < 4 * PAGE; i++)
        wrong += p[i] != (unsigned char)(i * 7);
    EXPECT_IS(wrong, 0);
    unmap_fenced(p, 4);
}

static void rights_hold_for_pages_never_touched(void)
{
    unsigned char *p = map_fenced(2);

    EXPECT_IS(protect(p, PAGE, PROT_READ), 0);
    struct fault f = probe(p, PROBE_WRITE);
    EXPECT(f.sig == SIGSEGV && (!f.details || f.code == SEGV_ACCERR));
    EXPECT_IS(p[0], 0);
    f = probe(p, PROBE_WRITE); /* now the page is there */
    EXPECT(f.sig == SIGSEGV && (!f.details || f.code == SEGV_ACCERR));
    unmap_fenced(p, 2);
}

static void losing_a_right_is_seen_at_once(void)
{
    unsigned char *p = map_fenced(1);
    bool seen = true;

    for (int i = 0; i < 200; i++) {
        p[0] = (unsigned char)i;
        protect(p, PAGE, PROT_READ);
        seen &= probe(p, PROBE_WRITE).sig == SIGSEGV && p[0] == (unsigned char)i;
        protect(p, PAGE, RW);
    }
    EXPECT(seen);
    unmap_fenced(p, 1);
}

static void execute_is_a_right_of_its_own(void)
{
    unsigned char *p = map_fenced(1);

    p[0] = 0xc3; /* ret */
    struct fault f = probe(p, PROBE_CALL);
    EXPECT(f.sig == SIGSEGV && (!f.details || (f.code == SEGV_ACCERR && f.addr == p)));
    EXPECT_IS(protect(p, PAGE, PROT_READ | PROT_EXEC), 0);
    EXPECT(!probe(p, PROBE_CALL).sig);
    EXPECT(probe(p, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_IS(protect(p, PAGE, PROT_READ), 0);
    EXPECT(probe(p, PROBE_CALL).sig == SIGSEGV);
    unmap_fenced(p, 1);
}

static void kernel_obeys_the_rights_too(void)
{
    unsigned char *p = map_fenced(1);
    int fd = memfd_create("mprotect", 0);

    EXPECT_IS(pwrite(fd, "data", 4, 0), 4);
    protect(p, PAGE, PROT_READ);
    EXPECT_ERR(pread(fd, p, 4, 0), EFAULT);
    EXPECT_IS(pwrite(fd, p, 4, 0), 4);
    protect(p, PAGE, PROT_NONE);
    EXPECT_ERR(pwrite(fd, p, 4, 0), EFAULT);
    protect(p, PAGE, RW);
    EXPECT_IS(p[0], 0);
    close(fd);
    unmap_fenced(p, 1);
}

static void shared_mappings_change_alone(void)
{
    int fd = memfd_create("mprotect", 0);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    char *a = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    char *b = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT_IS(protect(a, PAGE, PROT_READ), 0);
    EXPECT(probe(a, PROBE_WRITE).sig == SIGSEGV);
    b[0] = 'b';
    EXPECT_IS(a[0], 'b');
    munmap(a, PAGE);
    munmap(b, PAGE);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(checks_come_in_order),
    TEST(length_is_rounded_up),
    TEST(hole_at_the_start_changes_nothing),
    TEST(hole_stops_it_half_way),
    TEST(hole_at_the_end_is_told_after_the_work),
    TEST(head_splits_and_merges),
    TEST(middle_splits_and_merges),
    TEST(tail_splits_and_merges),
    TEST(whole_does_not_split),
    TEST(new_neighbours_of_one_kind_merge),
    TEST(one_call_crosses_many_mappings),
    TEST(bytes_survive_every_change),
    TEST(rights_hold_for_pages_never_touched),
    TEST(losing_a_right_is_seen_at_once),
    TEST(execute_is_a_right_of_its_own),
    TEST(kernel_obeys_the_rights_too),
    TEST(shared_mappings_change_alone),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

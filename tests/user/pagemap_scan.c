/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pagemap_scan.c - ioctl(PAGEMAP_SCAN): ranges of pages that are as they are wanted
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, with no userfaultfd;
 *         (2) what depends on the kernel's build, soft dirty, is asked for in one test only.
 * Source: PAGEMAP_SCAN(2const); Linux Documentation/admin-guide/mm/pagemap.rst.
 * Tour:   after tests/user/pagemap.c; with kernel/pagemap_scan.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "page_scan.h"
#include "smaps.h"
#include <sys/mman.h>

#define RW   PROT_READ | PROT_WRITE
#define HUGE (512 * PAGE)

#define STABLE (0x1ffUL & ~SOFT_DIRTY)

static int pagemap = -1;
static char *base; /* regions are told in pages from here */

/* A scan of @pages from base on that tells everything about everything. */
static struct scan everything(unsigned long pages)
{
    return (struct scan){.size = sizeof(struct scan),
                         .start = (uintptr_t)base,
                         .end = (uintptr_t)base + pages * PAGE,
                         .walk_end = 77,
                         .vec = (uintptr_t)regions,
                         .vec_len = REGIONS,
                         .wanted = STABLE};
}

/* "0-2:a 4-5:a to 16": ranges, what is told of them, and where the next call begins. */
static const char *told(struct scan s)
{
    static char text[REGIONS * 16];
    int n = ioctl(pagemap, SCAN, &s), len = 0;

    if (n < 0)
        len = sprintf(text, "error %d ", errno);
    else
        len = regions_text(text, n, base);
    if (s.walk_end != 77)
        len += sprintf(text + len, "to %ld", (long)(s.walk_end - (uintptr_t)base) / (long)PAGE);
    return text;
}

#define EXPECT_TOLD(scan, text) expect_told((scan), (text), __LINE__)

static void expect_told(struct scan s, const char *text, int line)
{
    const char *got = told(s);

    if (strcmp(got, text))
        printf("# line %d: told \"%s\", expected \"%s\"\n", line, got, text);
    ktap_failed |= strcmp(got, text) != 0;
}

/* Of 16 pages at @base: 0 1 4 6 7 written, 2 read, 9 a guard, 12 unmapped, 13 without rights. */
static void make_pages(void)
{
    base = place_of_units(HUGE); /* one table for all */
    mmap(base, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    madvise(base, 16 * PAGE, MADV_NOHUGEPAGE);
    for (unsigned i = 0; i < 8; i++)
        if (0xd3 >> i & 1)
            base[i * PAGE] = 1;
    look(base + 2 * PAGE);
    madvise(base + 9 * PAGE, PAGE, 102); /* MADV_GUARD_INSTALL */
    munmap(base + 12 * PAGE, PAGE);
    mprotect(base + 13 * PAGE, PAGE, PROT_NONE);
}

/* Linux told pages without a frame as not written until some 6.x. */
static bool can_scan(void)
{
    struct scan s = everything(1);
    return !linux_before(6, 18) && ioctl(pagemap, SCAN, &s) >= 0;
}

#define NEED_SCAN                            \
    do {                                     \
        if (!can_scan())                     \
            SKIP("no PAGEMAP_SCAN of 6.18"); \
        make_pages();                        \
    } while (0)

static void all_is_told_of_all_pages(void)
{
    NEED_SCAN;
    EXPECT_TOLD(everything(16), "0-2:a 2-3:2a 3-4:2 4-5:a 5-6:2 6-8:a 8-9:2 9-10:112 10-12:2 "
                                "13-16:2 to 16");
    struct scan s = everything(16);
    s.wanted = 0;
    EXPECT_TOLD(s, "0-12:0 13-16:0 to 16");
    munmap(base, 16 * PAGE);
}

static void pages_are_chosen_by_category(void)
{
    NEED_SCAN;
    struct scan s = everything(16);
    s.mask = PRESENT;
    EXPECT_TOLD(s, "0-2:a 2-3:2a 4-5:a 6-8:a to 16");
    s.wanted = PRESENT;
    EXPECT_TOLD(s, "0-3:8 4-5:8 6-8:8 to 16");
    s.inverted = ZERO;
    s.mask = PRESENT | ZERO;
    EXPECT_TOLD(s, "0-2:8 4-5:8 6-8:8 to 16");
    s.inverted = s.mask = PRESENT;
    s.wanted = STABLE;
    EXPECT_TOLD(s, "3-4:2 5-6:2 8-9:2 9-10:112 10-12:2 13-16:2 to 16");
    s.inverted = s.mask = 0;
    s.anyof = ZERO | GUARDED;
    EXPECT_TOLD(s, "2-3:2a 9-10:112 to 16");
    s.mask = PRESENT;
    EXPECT_TOLD(s, "2-3:2a to 16");
    s = everything(16);
    s.mask = s.inverted = WRITTEN;
    EXPECT_TOLD(s, "to 16");
    munmap(base, 16 * PAGE);
}

static void a_full_table_stops_where_the_next_call_begins(void)
{
    NEED_SCAN;
    struct scan s = everything(16);
    s.mask = s.wanted = PRESENT;
    s.vec_len = 1;
    EXPECT_TOLD(s, "0-3:8 to 4");
    s.start += 4 * PAGE;
    EXPECT_TOLD(s, "4-5:8 to 6");
    s.start += 2 * PAGE;
    EXPECT_TOLD(s, "6-8:8 to 16");
    s.start = (uintptr_t)base;
    s.vec_len = 2;
    EXPECT_TOLD(s, "0-3:8 4-5:8 to 6");
    s.vec_len = 0;
    EXPECT_TOLD(s, "to 16"); /* nothing can be told */
    munmap(base, 16 * PAGE);
}

static void so_do_enough_pages(void)
{
    NEED_SCAN;
    struct scan s = everything(16);
    s.mask = s.wanted = PRESENT;
    s.max_pages = 1;
    EXPECT_TOLD(s, "0-1:8 to 1");
    s.max_pages = 3;
    EXPECT_TOLD(s, "0-3:8 to 4");
    s.max_pages = 4;
    EXPECT_TOLD(s, "0-3:8 4-5:8 to 6");
    s.max_pages = 6;
    EXPECT_TOLD(s, "0-3:8 4-5:8 6-8:8 to 16");
    munmap(base, 16 * PAGE);
}

static void many_ranges_are_told_at_once(void)
{
    enum { PAGES = 2048 };
    static struct region many[PAGES];
    if (!can_scan())
        SKIP("no PAGEMAP_SCAN of 6.18");
    base = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(base, PAGES * PAGE, MADV_NOHUGEPAGE);
    for (unsigned i = 0; i < PAGES; i += 2)
        base[i * PAGE] = 1;
    struct scan s = everything(PAGES);
    s.mask = PRESENT;
    s.vec = (uintptr_t)many;
    s.vec_len = 1000;
    EXPECT_IS(ioctl(pagemap, SCAN, &s), 1000);
    EXPECT_IS((s.walk_end - s.start) / PAGE, 2000);
    s.vec_len = PAGES;
    EXPECT_IS(ioctl(pagemap, SCAN, &s), PAGES / 2);
    for (unsigned i = 0; i < PAGES / 2; i++)
        EXPECT(many[i].start == s.start + 2 * i * PAGE && many[i].end == many[i].start + PAGE);
    munmap(base, PAGES * PAGE);
}

static void nothing_is_registered_for_protection(void)
{
    NEED_SCAN;
    struct scan s = everything(16);
    s.mask = WPALLOWED;
    EXPECT_TOLD(s, "to 16");
    s.mask = PRESENT;
    s.flags = WP_MATCHING;
    EXPECT_TOLD(s, "to 16");
    s.flags = CHECK_WPASYNC;
    EXPECT_TOLD(s, "error 1 to 16");
    s.flags = CHECK_WPASYNC | WP_MATCHING;
    EXPECT_TOLD(s, "error 1 to 16");
    s.end = s.start;
    EXPECT_TOLD(s, "to 0"); /* nothing, in an area */
    s.start += 12 * PAGE;   /* no area, no error */
    s.end = s.start + PAGE;
    EXPECT_TOLD(s, "to 13");
    EXPECT(probe(base, PROBE_WRITE).sig == 0);
    munmap(base, 16 * PAGE);
}

static void files_are_told(void)
{
    if (!can_scan())
        SKIP("no PAGEMAP_SCAN of 6.18");
    int fd = memfd_create("scan", 0);
    EXPECT_IS(ftruncate(fd, 4 * PAGE), 0);
    base = place_of_units(HUGE);
    EXPECT(mmap(base, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == base);
    base[0] = 1;
    look(base + PAGE);
    EXPECT_TOLD(everything(4), "0-2:e 2-4:2 to 4");
    EXPECT(mmap(base, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0) == base);
    base[0] = 1;
    look(base + PAGE);
    EXPECT_TOLD(everything(4), "0-1:a 1-2:e 2-4:2 to 4");
    munmap(base, 4 * PAGE);
    close(fd);
}

static void huge_pages_are_told(void)
{
    if (!can_scan())
        SKIP("no PAGEMAP_SCAN of 6.18");
    huge_pages_allow();
    base = place_of_units(HUGE);
    EXPECT(mmap(base, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == base);
    EXPECT_IS(madvise(base, HUGE, MADV_HUGEPAGE), 0);
    EXPECT_TOLD(everything(512), "0-512:0 to 512"); /* there is not even a table */
    base[0] = 1;
    if (smaps(base, HUGE, "AnonHugePages") == 0) {
        munmap(base, HUGE);
        SKIP("no huge page is to be had");
    }
    struct scan s = everything(512);
    EXPECT_TOLD(s, "0-512:4a to 512");
    s.max_pages = 5;
    EXPECT_TOLD(s, "0-5:4a to 5");
    s.start += 2 * PAGE;
    s.end = s.start + PAGE;
    EXPECT_TOLD(s, "2-3:4a to 3");
    munmap(base, HUGE);
}

static void writes_are_found_by_soft_dirty(void)
{
    NEED_SCAN;
    struct scan s = everything(16);
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    s.mask = s.wanted = SOFT_DIRTY;
    if (!strcmp(told(s), "to 16"))
        SKIP("this Linux tracks no writes");
    EXPECT_TOLD(s, "0-12:80 13-16:80 to 16");
    EXPECT_IS(write(fd, "4", 1), 1);
    EXPECT_TOLD(s, "to 16");
    base[4 * PAGE] = base[5 * PAGE] = 1;
    EXPECT_TOLD(s, "4-6:80 to 16");
    munmap(base, 16 * PAGE);
    close(fd);
}

static void a_whole_address_space_is_scanned(void)
{
    if (!can_scan())
        SKIP("no PAGEMAP_SCAN of 6.18");
    char *wide =
        mmap(NULL, 1UL << 40, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    madvise(wide, 1UL << 40, MADV_NOHUGEPAGE);
    look(wide + (1UL << 39));
    base = wide;
    struct scan s = everything(1UL << 28);
    s.mask = PRESENT;
    s.wanted = ZERO;
    EXPECT_TOLD(s, "134217728-134217729:20 to 268435456");
    s.mask = WPALLOWED;
    s.start = 0;
    s.end = 0x7ffffffff000;
    EXPECT_IS(ioctl(pagemap, SCAN, &s), 0);
    EXPECT(s.walk_end == s.end);
    munmap(wide, 1UL << 40);
}

static void bad_requests_change_nothing(void)
{
    NEED_SCAN;
    struct scan good = everything(16), s = good;
    s.size = 95;
    EXPECT_TOLD(s, "error 22 ");
    s = good, s.flags = 4;
    EXPECT_TOLD(s, "error 22 ");
    s = good, s.mask = 0x200;
    EXPECT_TOLD(s, "error 22 ");
    s = good, s.wanted = 1UL << 63;
    EXPECT_TOLD(s, "error 22 ");
    s = good, s.start++;
    EXPECT_TOLD(s, "error 22 ");
    s = good, s.vec = 0;
    EXPECT_TOLD(s, "error 22 ");
    s = good, s.end = s.start - PAGE;
    EXPECT_TOLD(s, "error 14 ");
    s = good, s.end = 0x7fffffffffff;
    EXPECT_TOLD(s, "error 14 ");
    s = good, s.vec_len = 1UL << 60;
    EXPECT_TOLD(s, "error 14 ");
    s = good, s.vec = ~7UL;
    EXPECT_TOLD(s, "error 14 ");
    s = good, s.vec = 8;
    EXPECT_TOLD(s, "error 14 to 16");
    s = good, s.end = s.start + 1; /* to the end of the page */
    EXPECT_TOLD(s, "0-1:a to 1");
    s = good, s.end = s.start;
    EXPECT_TOLD(s, "to 0");
    EXPECT_ERR(ioctl(pagemap, SCAN, (void *)8), EFAULT);
    EXPECT_ERR(ioctl(pagemap, 0x1234, &s), EINVAL);
    munmap(base, 16 * PAGE);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(all_is_told_of_all_pages),
        TEST(pages_are_chosen_by_category),
        TEST(a_full_table_stops_where_the_next_call_begins),
        TEST(so_do_enough_pages),
        TEST(many_ranges_are_told_at_once),
        TEST(nothing_is_registered_for_protection),
        TEST(files_are_told),
        TEST(huge_pages_are_told),
        TEST(writes_are_found_by_soft_dirty),
        TEST(a_whole_address_space_is_scanned),
        TEST(bad_requests_change_nothing),
    };
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    return KTAP_MAIN(tests);
}

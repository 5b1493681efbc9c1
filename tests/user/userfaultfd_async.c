/* SPDX-License-Identifier: MIT */
/*
 * tests/user/userfaultfd_async.c - first writes that are noted, and told by PAGEMAP_SCAN
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: PAGEMAP_SCAN(2const); Linux Documentation/admin-guide/mm/pagemap.rst.
 * Tour:   after tests/user/userfaultfd_wp.c, tests/user/pagemap_scan.c; then user/snapshot.c.
 */
#define _GNU_SOURCE
#include "page_scan.h"
#include "uffd.h"

#define HUGE (2UL << 20)

/* What was written in the @pages from @p on, as "0-2 5-6 "; @flags: and protect it again. */
static const char *scan_for(char *p, size_t pages, struct scan s)
{
    static char text[REGIONS * 48];
    int fd = open("/proc/self/pagemap", O_RDONLY);

    s.size = sizeof s;
    s.start = (uintptr_t)p;
    s.end = s.start + pages * PAGE;
    int n = ioctl(fd, SCAN, &s);
    close(fd);
    if (n < 0)
        sprintf(text, "error %d", errno);
    else
        regions_text(text, n, p);
    return text;
}

static const char *written(char *p, size_t pages, uint64_t flags)
{
    return scan_for(p, pages,
                    (struct scan){.flags = flags,
                                  .vec = (uintptr_t)regions,
                                  .vec_len = REGIONS,
                                  .mask = WRITTEN,
                                  .wanted = WRITTEN});
}

#define EXPECT_TEXT(got, text) expect_text((got), (text), __LINE__)

static void expect_text(const char *got, const char *text, int line)
{
    if (strcmp(got, text))
        printf("# line %d: \"%s\", expected \"%s\"\n", line, got, text);
    ktap_failed |= strcmp(got, text) != 0;
}

#define NEED_ASYNC                                       \
    do {                                                 \
        if (linux_before(6, 7))                          \
            SKIP("needs PAGEMAP_SCAN, a newer Linux's"); \
        NEED_FILE(0, UFFD_FEATURE_WP_ASYNC);             \
    } while (0)

static char *watched_map(int flags)
{
    char *p = map(flags, -1);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    return p;
}

static void nobody_waits_for_an_answer(void)
{
    for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
        NEED_ASYNC;
        char *p = watched_map(flags);
        memset(p, 'a', LEN);
        EXPECT_IS(protect(p, LEN, UFFDIO_WRITEPROTECT_WP), 0);
        EXPECT(is_marked(p));
        EXPECT_IS(p[0], 'a');
        EXPECT(is_marked(p));
        p[0] = 'b';
        EXPECT(!is_marked(p) && is_marked(p + PAGE));
        EXPECT(is_quiet());
        EXPECT_TEXT(written(p, PAGES, 0), "0-1:2 ");
        done_with(p);
    }
}

static void what_was_not_there_counts_too(void)
{
    for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
        NEED_ASYNC;
        char *p = watched_map(flags);
        EXPECT_IS(protect(p, LEN, UFFDIO_WRITEPROTECT_WP), 0);
        EXPECT(is_marked(p));
        EXPECT_IS(p[PAGE], 0);
        p[2 * PAGE] = 'w';
        EXPECT_TEXT(written(p, PAGES, 0), "2-3:2 ");
        done_with(p);
    }
}

static void what_is_locked_is_there_and_not_written(void)
{
    NEED_ASYNC;
    char *p = watched_map(MAP_SHARED);
    EXPECT_IS(protect(p, LEN, UFFDIO_WRITEPROTECT_WP), 0);
    EXPECT_IS(mlockall(MCL_CURRENT), 0);
    munlockall();
    EXPECT((pagemap_of(p) & (PM_PRESENT | PM_UFFD_WP)) == (PM_PRESENT | PM_UFFD_WP));
    EXPECT_TEXT(written(p, LEN / PAGE, 0), "");
    done_with(p);
}

static void private_pages_that_are_locked_are_there_and_written(void)
{
    NEED_ASYNC;
    int fd = memfd_create("locked", 0);
    EXPECT_IS(ftruncate(fd, LEN), 0);
    char *p = map(MAP_PRIVATE, fd);
    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(p[PAGE], 0);
    EXPECT_IS(protect(p, 2 * PAGE, UFFDIO_WRITEPROTECT_WP), 0);
    EXPECT_IS(mlock(p, 2 * PAGE), 0); /* a mark alone, and a page of the file that is marked */
    for (char *page = p; page < p + 2 * PAGE; page += PAGE)
        EXPECT_IS((pagemap_of(page) & (PM_PRESENT | PM_FILE | PM_UFFD_WP)) == PM_PRESENT, 1);
    EXPECT_TEXT(written(p, 2, 0), "0-2:2 ");
    close(fd);
    done_with(p);
}

static void a_scan_protects_what_it_tells(void)
{
    for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
        NEED_ASYNC;
        char *p = watched_map(flags);
        memset(p, 'a', LEN);
        EXPECT_TEXT(written(p, PAGES, WP_MATCHING | CHECK_WPASYNC), "0-8:2 ");
        EXPECT_TEXT(written(p, PAGES, WP_MATCHING), "");
        p[0] = p[3 * PAGE] = p[4 * PAGE] = 'b';
        EXPECT_TEXT(written(p, PAGES, 0), "0-1:2 3-5:2 ");
        EXPECT_TEXT(written(p, PAGES, WP_MATCHING), "0-1:2 3-5:2 ");
        p[4 * PAGE] = 'c';
        EXPECT_TEXT(written(p, PAGES, WP_MATCHING), "4-5:2 ");
        EXPECT_TEXT(written(p, PAGES, WP_MATCHING), "");
        done_with(p);
    }
}

static void only_what_is_told_is_protected(void)
{
    NEED_ASYNC;
    char *p = watched_map(MAP_PRIVATE);
    struct scan s = {.flags = WP_MATCHING,
                     .vec = (uintptr_t)regions,
                     .vec_len = REGIONS,
                     .max_pages = 3,
                     .mask = WRITTEN,
                     .wanted = WRITTEN | PRESENT | WPALLOWED};

    memset(p, 'a', LEN);
    EXPECT_TEXT(scan_for(p, PAGES, s), "0-3:b ");
    EXPECT_TEXT(written(p, PAGES, 0), "3-8:2 ");
    s.vec_len = 1;
    s.max_pages = 0;
    p[0] = 'b';
    EXPECT_TEXT(scan_for(p, PAGES, s), "0-1:b ");
    EXPECT_TEXT(written(p, PAGES, 0), "3-8:2 ");
    s.vec = s.vec_len = 0; /* all, and nobody is told */
    EXPECT_TEXT(scan_for(p, PAGES, s), "");
    EXPECT_TEXT(written(p, PAGES, 0), "");
    p[7 * PAGE] = 'c';
    s.vec = (uintptr_t)regions;
    s.vec_len = REGIONS;
    s.mask = PRESENT;
    EXPECT_TEXT(scan_for(p, PAGES, s), "0-7:9 7-8:b ");
    EXPECT_TEXT(written(p, PAGES, 0), "");
    done_with(p);
}

static void areas_that_note_nothing_are_passed_over_or_refused(void)
{
    NEED_ASYNC;
    char *p = map(MAP_PRIVATE, -1);

    memset(p, 'a', LEN);
    EXPECT_IS(watch(p, 2 * PAGE, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_TEXT(written(p, PAGES, WP_MATCHING | CHECK_WPASYNC), "error 1");
    EXPECT_TEXT(written(p, PAGES, WP_MATCHING), "");
    p[0] = 'b';
    EXPECT_TEXT(written(p, PAGES, WP_MATCHING), "0-1:2 ");
    EXPECT_TEXT(written(p, PAGES, 0), "2-8:2 ");
    close(uffd);
    EXPECT_IS(open_with(0, 0), 0); /* who is told at once notes nothing */
    EXPECT_IS(watch(p, 2 * PAGE, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_TEXT(written(p, 2, CHECK_WPASYNC), "error 1");
    done_with(p);
}

static void any_memory_can_be_watched_so(void)
{
    NEED_ASYNC;
    int fd = open("/proc/self/exe", O_RDONLY);
    char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

    EXPECT_IS(watch(p, PAGE, UFFDIO_REGISTER_MODE_WP), 0);
    EXPECT_IS(p[1], 'E');
    EXPECT_IS(protect(p, PAGE, UFFDIO_WRITEPROTECT_WP), 0);
    EXPECT_TEXT(written(p, 1, 0), "");
    p[1] = 'F';
    EXPECT_TEXT(written(p, 1, WP_MATCHING), "0-1:2 ");
    EXPECT_IS(p[1], 'F');
    close(fd);
    munmap(p, PAGE);
    close(uffd);
}

static void huge_pages_are_noted_whole_until_they_are_written(void)
{
    huge_pages_allow();
    NEED_ASYNC;
    char *m = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *p = (char *)(((uintptr_t)m + HUGE - 1) & -HUGE);

    madvise(p, HUGE, MADV_HUGEPAGE);
    EXPECT_IS(watch(p, HUGE, UFFDIO_REGISTER_MODE_WP), 0);
    memset(p, 'h', HUGE);
    EXPECT_TEXT(written(p, 512, WP_MATCHING), "0-512:2 ");
    EXPECT(is_marked(p) && is_marked(p + HUGE - PAGE));
    p[7 * PAGE] = 'w'; /* it falls into pages */
    EXPECT_TEXT(written(p, 512, WP_MATCHING), "7-8:2 ");
    EXPECT_TEXT(written(p, 512, WP_MATCHING), "");
    EXPECT(p[7 * PAGE] == 'w' && p[7 * PAGE + 1] == 'h');
    munmap(m, 2 * HUGE);
    close(uffd);
}

static void pages_of_a_pool_are_noted(void)
{
    NEED_ASYNC;
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED | MAP_HUGETLB | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        SKIP("needs huge pages");
    EXPECT_IS(watch(p, HUGE, UFFDIO_REGISTER_MODE_WP), 0);
    p[0] = 'a';
    EXPECT_TEXT(written(p, 512, WP_MATCHING), "0-512:2 ");
    EXPECT_TEXT(written(p, 512, WP_MATCHING), "");
    p[5] = 'b';
    EXPECT_TEXT(written(p, 512, WP_MATCHING), "0-512:2 ");
    munmap(p, HUGE);
    close(uffd);
}

/* Writers and scans race: each write is told by the scan that is under way, or by a later one. */
enum { ROUNDS = 200 };

/* The first of watched pages are lost, or guarded. @flags: as mmap(2) */
static char *map_with_untouchable(int flags, bool lost)
{
    char *p = map(flags, -1);

    EXPECT_IS(watch(p, LEN, UFFDIO_REGISTER_MODE_WP | (lost ? UFFDIO_REGISTER_MODE_MISSING : 0)),
              0);
    if (lost)
        EXPECT_IS(answer(UFFDIO_POISON, p, 2 * PAGE, 0), 0);
    else
        EXPECT_IS(madvise(p, 2 * PAGE, 102 /* MADV_GUARD_INSTALL */), 0);
    return p;
}

static void what_nobody_may_touch_is_noted_once(void)
{
    if (linux_before(6, 18)) /* the first that takes guards for marks, too */
        SKIP("a newer Linux's");
    for (int lost = 0; lost <= 1; lost++) {
        NEED_FILE(0, UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_POISON);
        char *p = map_with_untouchable(MAP_PRIVATE, lost);
        EXPECT_TEXT(written(p, 4, WP_MATCHING), "0-4:2 ");
        EXPECT_TEXT(written(p, 4, 0), "");
        EXPECT(is_marked(p) && is_marked(p + 3 * PAGE));
        EXPECT_IS(protect(p, LEN, 0), 0);
        EXPECT(is_marked(p) && !is_marked(p + 3 * PAGE));
        EXPECT_IS(probe(p, PROBE_WRITE).sig, lost ? SIGBUS : SIGSEGV);
        EXPECT(is_marked(p));
        EXPECT_IS(ask_no_more(p, LEN), 0);
        EXPECT(is_marked(p));
        pid_t child = fork();
        int status = -1;
        if (child == 0)
            _exit(is_marked(p));
        EXPECT_IS(waitpid(child, &status, 0), child);
        EXPECT_IS(status, 0);
        EXPECT_IS(madvise(p, LEN, MADV_DONTNEED), 0);
        EXPECT_IS(is_marked(p), !lost);
        char *q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, p + 64 * PAGE);
        EXPECT_IS(is_marked(q), !lost);
        done_with(q);
    }
}

static void marks_of_what_is_lost_stay_where_writes_are_told(void)
{
    if (linux_before(6, 18))
        SKIP("a newer Linux's");
    for (int told = 0; told <= 1; told++) {
        NEED_FILE(0, UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_POISON);
        char *p = map_with_untouchable(MAP_SHARED, true);
        EXPECT_TEXT(written(p, 2, WP_MATCHING), "0-2:2 ");
        if (!told)
            EXPECT_IS(ask_no_more(p, LEN), 0);
        EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
        EXPECT_IS(is_marked(p), told);
        EXPECT(is_marked(p + PAGE));
        done_with(p);
    }
}

static char *field;
static volatile unsigned round_of_writer;

static void *write_rounds(void *unused)
{
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (size_t page = 0; page < PAGES; page++)
            *(volatile unsigned *)(field + page * PAGE) = round;
        round_of_writer = round;
    }
    return unused;
}

static void no_write_is_missed(void)
{
    unsigned copy[PAGES] = {0}, missed = 0;
    pthread_t writer;

    NEED_ASYNC;
    field = watched_map(MAP_PRIVATE);
    memset(field, 0, LEN);
    written(field, PAGES, WP_MATCHING);
    EXPECT_IS(pthread_create(&writer, NULL, write_rounds, NULL), 0);
    for (bool last = false, over = false; !over; over = last) {
        last = round_of_writer == ROUNDS;
        written(field, PAGES, WP_MATCHING);
        for (int i = 0; i < REGIONS && regions[i].end; i++) {
            for (uint64_t at = regions[i].start; at < regions[i].end; at += PAGE)
                copy[(at - (uintptr_t)field) / PAGE] = *(volatile unsigned *)at;
            regions[i].end = 0;
        }
    }
    pthread_join(writer, NULL);
    for (size_t page = 0; page < PAGES; page++)
        missed += copy[page] != ROUNDS;
    EXPECT_IS(missed, 0);
    done_with(field);
}

static const struct ktap_test tests[] = {
    TEST(nobody_waits_for_an_answer),
    TEST(what_was_not_there_counts_too),
    TEST(what_is_locked_is_there_and_not_written),
    TEST(private_pages_that_are_locked_are_there_and_written),
    TEST(a_scan_protects_what_it_tells),
    TEST(only_what_is_told_is_protected),
    TEST(areas_that_note_nothing_are_passed_over_or_refused),
    TEST(any_memory_can_be_watched_so),
    TEST(huge_pages_are_noted_whole_until_they_are_written),
    TEST(pages_of_a_pool_are_noted),
    TEST(what_nobody_may_touch_is_noted_once),
    TEST(marks_of_what_is_lost_stay_where_writes_are_told),
    TEST(no_write_is_missed),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

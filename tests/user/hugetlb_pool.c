/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlb_pool.c - the pool of huge pages grows, shrinks, and borrows
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   the size of the pool while a test runs.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root; (2) the pool is as large as before
 *             when a test ends.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst.
 * Tour:   after tests/user/hugetlb.h.
 */
#define _GNU_SOURCE
#include "hugetlb.h"

#define SYS_DIR  "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define PROC_DIR "/proc/sys/vm/"

static long number_of(const char *path)
{
    char text[32];
    return slurp(path, text, sizeof(text)) > 0 ? atol(text) : -1;
}

/* Returns what write(2) does. */
static ssize_t put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
    int err = errno;

    if (fd >= 0)
        close(fd);
    errno = err;
    return n;
}

static bool put_number(const char *path, long n)
{
    char text[32];

    snprintf(text, sizeof(text), "%ld", n);
    return put(path, text) == (ssize_t)strlen(text);
}

static bool resize(long n)
{
    return put_number(PROC_DIR "nr_hugepages", n);
}

static bool overcommit(long n)
{
    return put_number(PROC_DIR "nr_overcommit_hugepages", n);
}

/* Where the pool may not be changed, or somebody uses it, there is nothing to see. */
#define NEED_CONTROL()                                                           \
    struct pool before = pool_now();                                             \
    if (before.free != before.total || before.reserved || !resize(before.total)) \
        SKIP("the pool of huge pages cannot be changed here");

#define END_CONTROL()                                      \
    do {                                                   \
        EXPECT(overcommit(0) && resize(before.total));     \
        EXPECT(pool_is(before.total, before.total, 0, 0)); \
    } while (0)

static void files_say_the_same(void)
{
    struct pool p = pool_now();

    EXPECT_IS(number_of(SYS_DIR "nr_hugepages"), p.total);
    EXPECT_IS(number_of(SYS_DIR "nr_hugepages_mempolicy"), p.total);
    EXPECT_IS(number_of(SYS_DIR "free_hugepages"), p.free);
    EXPECT_IS(number_of(SYS_DIR "resv_hugepages"), p.reserved);
    EXPECT_IS(number_of(SYS_DIR "surplus_hugepages"), p.surplus);
    EXPECT_IS(number_of(SYS_DIR "nr_overcommit_hugepages"), 0);
    EXPECT_IS(number_of(PROC_DIR "nr_hugepages"), p.total);
    EXPECT_IS(number_of(PROC_DIR "nr_hugepages_mempolicy"), p.total);
    EXPECT_IS(number_of(PROC_DIR "nr_overcommit_hugepages"), 0);
    EXPECT(meminfo("Hugetlb") >= p.total * (long)(HUGE / 1024));
}

static void the_pool_grows_and_shrinks(void)
{
    NEED_CONTROL();
    long hugetlb = meminfo("Hugetlb");
    EXPECT(resize(before.total + 2));
    EXPECT(pool_is(before.total + 2, before.total + 2, 0, 0));
    EXPECT_IS(meminfo("Hugetlb"), hugetlb + 2 * (long)(HUGE / 1024));
    EXPECT(put_number(SYS_DIR "nr_hugepages", 1));
    EXPECT(pool_is(1, 1, 0, 0));
    EXPECT(put_number(SYS_DIR "nr_hugepages_mempolicy", 2));
    EXPECT(pool_is(2, 2, 0, 0));
    EXPECT_IS(put(SYS_DIR "nr_hugepages", "3\n"), 2);
    EXPECT(pool_is(3, 3, 0, 0));
    EXPECT(resize(0));
    EXPECT(pool_is(0, 0, 0, 0));
    END_CONTROL();
}

static void what_is_used_becomes_surplus(void)
{
    NEED_CONTROL();
    EXPECT(resize(4));
    char *p = map_huge(PRIVATE, 3);
    p[0] = p[HUGE] = p[2 * HUGE] = 1;
    EXPECT(pool_is(4, 1, 0, 0));
    EXPECT(resize(1));
    EXPECT(pool_is(3, 0, 0, 2));
    EXPECT_IS(number_of(PROC_DIR "nr_hugepages"), 1);
    EXPECT_IS(number_of(SYS_DIR "nr_hugepages"), 3);
    EXPECT_IS(number_of(SYS_DIR "surplus_hugepages"), 2);
    munmap(p, HUGE);
    EXPECT(pool_is(2, 0, 0, 1));
    munmap(p + HUGE, 2 * HUGE);
    EXPECT(pool_is(1, 1, 0, 0));
    END_CONTROL();
}

static void what_is_promised_is_not_given_away(void)
{
    NEED_CONTROL();
    EXPECT(resize(4));
    char *p = map_huge(SHARED, 3);
    EXPECT(resize(0));
    EXPECT(pool_is(3, 3, 3, 3));
    p[0] = 1;
    EXPECT(pool_is(3, 2, 2, 3));
    EXPECT(map_huge(PRIVATE, 1) == MAP_FAILED);
    munmap(p, 3 * HUGE);
    EXPECT(pool_is(0, 0, 0, 0));
    END_CONTROL();
}

static void mappings_borrow_up_to_the_limit(void)
{
    NEED_CONTROL();
    EXPECT(resize(1) && overcommit(2));
    char *p = map_huge(PRIVATE, 3);
    EXPECT(p != MAP_FAILED);
    EXPECT(pool_is(3, 3, 3, 2));
    EXPECT(map_huge(SHARED, 1) == MAP_FAILED);
    EXPECT_IS(errno, ENOMEM);
    EXPECT(pool_is(3, 3, 3, 2));
    p[0] = p[HUGE] = 1;
    EXPECT(pool_is(3, 1, 1, 2));
    munmap(p, 3 * HUGE);
    EXPECT(pool_is(1, 1, 0, 0));
    EXPECT(map_huge(PRIVATE, 4) == MAP_FAILED);
    EXPECT(pool_is(1, 1, 0, 0));
    END_CONTROL();
}

static void faults_borrow_too(void)
{
    NEED_CONTROL();
    EXPECT(resize(0) && overcommit(1));
    char *p = map_huge(PRIVATE | MAP_NORESERVE, 2);
    EXPECT(pool_is(0, 0, 0, 0));
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0);
    EXPECT(pool_is(1, 0, 0, 1));
    EXPECT_IS(probe(p + HUGE, PROBE_WRITE).sig, SIGBUS);
    munmap(p, 2 * HUGE);
    EXPECT(pool_is(0, 0, 0, 0));
    END_CONTROL();
}

static void a_larger_pool_keeps_what_was_borrowed(void)
{
    NEED_CONTROL();
    EXPECT(resize(0) && overcommit(3));
    char *p = map_huge(SHARED, 3);
    EXPECT(pool_is(3, 3, 3, 3));
    EXPECT(overcommit(0));
    EXPECT(pool_is(3, 3, 3, 3));
    EXPECT(resize(2));
    EXPECT(pool_is(3, 3, 3, 1));
    EXPECT(resize(4));
    EXPECT(pool_is(4, 4, 3, 0));
    munmap(p, 3 * HUGE);
    EXPECT(pool_is(4, 4, 0, 0));
    END_CONTROL();
}

static void truncation_gives_borrowed_pages_back(void)
{
    NEED_CONTROL();
    EXPECT(resize(0) && overcommit(2));
    int fd = memfd_create("huge", MFD_HUGETLB);
    EXPECT_IS(ftruncate(fd, 2 * (off_t)HUGE), 0);
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
    p[0] = 1;
    EXPECT(pool_is(2, 1, 1, 2));
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT(pool_is(1, 0, 0, 1));
    EXPECT_IS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE), 0);
    EXPECT(pool_is(0, 0, 0, 0));
    EXPECT_IS(fallocate(fd, 0, 0, 2 * HUGE), 0);
    EXPECT(pool_is(2, 0, 0, 2));
    munmap(p, 2 * HUGE);
    close(fd);
    EXPECT(pool_is(0, 0, 0, 0));
    END_CONTROL();
}

static void what_is_no_number_is_refused(void)
{
    NEED_CONTROL();
    EXPECT_ERR(put(SYS_DIR "nr_hugepages", "many"), EINVAL);
    EXPECT_ERR(put(SYS_DIR "nr_hugepages", "-1"), EINVAL);
    EXPECT_ERR(put(SYS_DIR "nr_hugepages", "1K"), EINVAL);
    EXPECT_ERR(put(SYS_DIR "nr_overcommit_hugepages", "x"), EINVAL);
    EXPECT_ERR(put(PROC_DIR "nr_hugepages", "x"), EINVAL);
    EXPECT_ERR(put(SYS_DIR "free_hugepages", "1"), EACCES);
    EXPECT_ERR(put(SYS_DIR "resv_hugepages", "1"), EACCES);
    EXPECT_ERR(put(SYS_DIR "surplus_hugepages", "1"), EACCES);
    EXPECT(pool_is(before.total, before.total, 0, 0));
    END_CONTROL();
}

static const struct ktap_test tests[] = {
    TEST(files_say_the_same),
    TEST(the_pool_grows_and_shrinks),
    TEST(what_is_used_becomes_surplus),
    TEST(what_is_promised_is_not_given_away),
    TEST(mappings_borrow_up_to_the_limit),
    TEST(faults_borrow_too),
    TEST(a_larger_pool_keeps_what_was_borrowed),
    TEST(truncation_gives_borrowed_pages_back),
    TEST(what_is_no_number_is_refused),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

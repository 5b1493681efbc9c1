/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlb_private.c - promises of huge pages: who has one, and who goes without
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   what is free in the pool while a test runs.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: Linux Documentation/mm/hugetlbfs_reserv.rst (behaviour); mmap(2), madvise(2), mremap(2).
 * Tour:   after tests/user/hugetlb.h; then mm/hugetlb_private.c.
 */
#define _GNU_SOURCE
#include "hugetlb.h"
#include <sys/stat.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#define MAP_SHARED_VALIDATE 3
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

/* A child that does @work with @p and tells what came of it. */
static int in_child(int (*work)(char *p), char *p)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(work(p));
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void a_private_mapping_is_promised_all_of_its_pages(void)
{
    NEED_POOL(4);
    struct pool before = pool_now();
    int fd = memfd_create("huge", MFD_HUGETLB);

    EXPECT_IS(ftruncate(fd, 2 * (off_t)HUGE), 0);
    EXPECT_IS(fallocate(fd, 0, 0, HUGE), 0);
    char *a = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE, fd, 0);
    EXPECT(pool_changed(before, -1, 2)); /* though the file has its own */
    char *b = mmap(NULL, HUGE, PROT_READ, MAP_PRIVATE, fd, 0);
    EXPECT(pool_changed(before, -1, 3));
    a[0] = 1;
    EXPECT(pool_changed(before, -2, 2));
    munmap(b, HUGE);
    EXPECT(pool_changed(before, -2, 1));
    munmap(a, 2 * HUGE);
    EXPECT(pool_changed(before, -1, 0));
    close(fd);
    EXPECT(pool_changed(before, 0, 0));
}

static void a_part_that_is_unmapped_gives_its_part_back(void)
{
    NEED_POOL(4);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 4);

    p[2 * HUGE] = 1;
    EXPECT(pool_changed(before, -1, 3));
    munmap(p + HUGE, HUGE);
    EXPECT(pool_changed(before, -1, 2));
    munmap(p + 2 * HUGE, HUGE);
    EXPECT(pool_changed(before, 0, 2));
    EXPECT_IS(mprotect(p + 3 * HUGE, HUGE, PROT_READ), 0);
    EXPECT(pool_changed(before, 0, 2));
    munmap(p, 4 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
}

static void a_shared_promise_is_the_files(void)
{
    NEED_POOL(3);
    struct pool before = pool_now();
    int fd = memfd_create("huge", MFD_HUGETLB);

    EXPECT_IS(ftruncate(fd, 3 * (off_t)HUGE), 0);
    char *p = mmap(NULL, 3 * HUGE, RW, MAP_SHARED, fd, 0);
    char *q = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, HUGE);
    EXPECT(pool_changed(before, 0, 3));
    munmap(p, 3 * HUGE);
    munmap(q, 2 * HUGE);
    EXPECT(pool_changed(before, 0, 3));
    EXPECT_IS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE, HUGE), 0);
    EXPECT(pool_changed(before, 0, 3)); /* no page was there: the promise of one stays */
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT(pool_changed(before, 0, 1));
    EXPECT_IS(fallocate(fd, 0, 0, HUGE), 0);
    EXPECT(pool_changed(before, -1, 0));
    close(fd);
    EXPECT(pool_changed(before, 0, 0));
}

static void without_a_promise_an_empty_pool_is_a_signal(void)
{
    NEED_POOL(2);
    struct hog hog = hog_all_but(1);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE | MAP_NORESERVE, 2), *q = map_huge(SHARED | MAP_NORESERVE, 2);

    EXPECT(pool_changed(before, 0, 0));
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0);
    EXPECT_IS(probe(p + HUGE, PROBE_READ).sig, SIGBUS);
    EXPECT_IS(probe(q, PROBE_WRITE).sig, SIGBUS);
    EXPECT(pool_changed(before, -1, 0));
    munmap(p, HUGE);
    EXPECT_IS(probe(q, PROBE_WRITE).sig, 0);
    munmap(p + HUGE, HUGE);
    munmap(q, 2 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
    hog_end(hog);
}

static int write_both(char *p)
{
    if (p[0] != 'a')
        return 1;
    p[0] = 'c';
    return p[0] == 'c' ? probe(p + HUGE, PROBE_WRITE).sig : 2;
}

static void a_child_copies_as_far_as_there_are_pages(void)
{
    NEED_POOL(4);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 2);

    p[0] = p[HUGE] = 'a';
    struct hog hog = hog_all_but(1);
    EXPECT_IS(in_child(write_both, p), SIGBUS);
    EXPECT(p[0] == 'a' && p[HUGE] == 'a');
    p[0] = p[HUGE] = 'b';
    hog_end(hog);
    EXPECT(pool_changed(before, -2, 0));
    munmap(p, 2 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
}

static int touch_untouched(char *p)
{
    return probe(p, PROBE_READ).sig;
}

static void a_child_has_no_promise(void)
{
    NEED_POOL(2);
    struct hog hog = hog_all_but(1);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 1);

    EXPECT_IS(in_child(touch_untouched, p), SIGBUS);
    EXPECT(pool_changed(before, 0, 1));
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0);
    munmap(p, HUGE);
    hog_end(hog);
}

/* Two ends of two pipes: who waits for whom. */
static int to_child[2], to_parent[2];

static void wait_for(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1)
        _exit(99);
}

static void tell(int fd)
{
    if (write(fd, "x", 1) != 1)
        _exit(98);
}

static int robbed_child(char *p)
{
    int sig = p[0] == 'a' ? 0 : 50;

    tell(to_parent[1]);
    wait_for(to_child[0]);
    sig = sig ? sig : probe(p, PROBE_READ).sig;
    /* Once robbed, no page ever comes where none is. */
    return sig + (probe(p + 2 * HUGE, PROBE_READ).sig == SIGBUS ? 0 : 100) +
           (p[HUGE] == 'a' ? 0 : 60);
}

static void the_parent_takes_its_page_away_from_the_child(void)
{
    NEED_POOL(4);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 3);
    int status = 0;

    p[0] = p[HUGE] = 'a';
    EXPECT(!pipe(to_child) && !pipe(to_parent));
    struct hog hog = hog_all_but(0);
    pid_t child = fork();
    if (child == 0)
        _exit(robbed_child(p));
    wait_for(to_parent[0]);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0); /* no page is free: the one they share is its own */
    EXPECT(p[0] == 1 && p[HUGE] == 'a');
    hog_end(hog);
    tell(to_child[1]);
    waitpid(child, &status, 0);
    EXPECT_IS(WIFEXITED(status) ? WEXITSTATUS(status) : -1, SIGBUS);
    EXPECT(pool_changed(before, -2, 1));
    munmap(p, 3 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(to_parent[i]);
    }
}

static int keep_word(char *p)
{
    tell(to_parent[1]);
    wait_for(to_child[0]);
    return p[0] == 'a' && p[HUGE - 1] == 'z' ? 0 : 1;
}

static void the_parent_copies_while_there_are_pages(void)
{
    NEED_POOL(3);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 1);
    int status = 0;

    p[0] = 'a';
    p[HUGE - 1] = 'z';
    EXPECT(!pipe(to_child) && !pipe(to_parent));
    pid_t child = fork();
    if (child == 0)
        _exit(keep_word(p));
    wait_for(to_parent[0]);
    p[0] = 'b';
    EXPECT(p[HUGE - 1] == 'z');
    EXPECT(pool_changed(before, -2, 0));
    tell(to_child[1]);
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT(pool_changed(before, -1, 0));
    munmap(p, HUGE);
    EXPECT(pool_changed(before, 0, 0));
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(to_parent[i]);
    }
}

static void a_file_page_is_copied_by_promise(void)
{
    NEED_POOL(3);
    struct pool before = pool_now();
    int fd = memfd_create("huge", MFD_HUGETLB);

    EXPECT_IS(ftruncate(fd, HUGE), 0);
    char *shared = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);
    shared[5] = 'f';
    char *p = mmap(NULL, HUGE, RW, MAP_PRIVATE, fd, 0);
    struct hog hog = hog_all_but(0);
    EXPECT_IS(p[5], 'f');
    p[5] = 'p';
    EXPECT(shared[5] == 'f' && p[5] == 'p');
    hog_end(hog);
    EXPECT(pool_changed(before, -2, 0));
    munmap(p, HUGE);
    munmap(shared, HUGE);
    close(fd);
    EXPECT(pool_changed(before, 0, 0));
}

static void discarding_keeps_the_promise(void)
{
    if (linux_before(6, 8))
        SKIP("Linux gives the promise away before 6.8");
    NEED_POOL(2);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 2);

    p[0] = p[HUGE] = 'a';
    EXPECT_IS(madvise(p, HUGE, MADV_DONTNEED), 0);
    EXPECT(pool_changed(before, -1, 1));
    struct hog hog = hog_all_but(0);
    EXPECT_IS(probe(p, PROBE_READ).sig, 0);
    EXPECT(p[0] == 0 && p[HUGE] == 'a');
    hog_end(hog);
    EXPECT(pool_changed(before, -2, 0));
    munmap(p, 2 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
}

static void whole_huge_pages_are_discarded(void)
{
    NEED_POOL(2);
    char *p = map_huge(PRIVATE, 2);

    p[0] = p[HUGE] = 'a';
    EXPECT_ERR(madvise(p + PAGE, HUGE, MADV_DONTNEED), EINVAL);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(p[0], 'a');
    EXPECT_IS(madvise(p, HUGE + PAGE, MADV_DONTNEED), 0);
    EXPECT(p[0] == 0 && p[HUGE] == 'a');
    EXPECT_ERR(madvise(p, HUGE, MADV_FREE), EINVAL);
    EXPECT_ERR(madvise(p, HUGE, MADV_COLD), EINVAL);
    EXPECT_ERR(madvise(p, HUGE, MADV_PAGEOUT), EINVAL);
    EXPECT_ERR(madvise(p, HUGE, MADV_REMOVE), EACCES);
    munmap(p, 2 * HUGE);
}

static void shared_pages_are_removed(void)
{
    NEED_POOL(2);
    struct pool before = pool_now();
    char *p = map_huge(SHARED, 2);

    p[0] = p[HUGE] = 'a';
    EXPECT_IS(madvise(p, 2 * HUGE, MADV_DONTNEED), 0);
    EXPECT(p[0] == 'a' && p[HUGE] == 'a');
    EXPECT_IS(madvise(p, HUGE, MADV_REMOVE), 0);
    EXPECT(pool_changed(before, -1, 0));
    EXPECT(p[0] == 0 && p[HUGE] == 'a');
    EXPECT_IS(madvise(p + HUGE, PAGE, MADV_REMOVE), 0);
    EXPECT(p[HUGE] == 0);
    munmap(p, 2 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
}

static void pages_come_at_once_where_that_is_asked(void)
{
    NEED_POOL(3);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE | MAP_POPULATE, 1), *q = map_huge(SHARED, 2);

    EXPECT(pool_changed(before, -1, 2));
    EXPECT_IS(madvise(q, HUGE, MADV_POPULATE_READ), 0);
    EXPECT(pool_changed(before, -2, 1));
    EXPECT_IS(madvise(q + HUGE, PAGE, MADV_POPULATE_WRITE), 0);
    EXPECT(pool_changed(before, -3, 0));
    munmap(p, HUGE);
    munmap(q, 2 * HUGE);
    p = map_huge(PRIVATE | MAP_LOCKED, 1);
    q = map_huge(PRIVATE, 1);
    EXPECT(pool_changed(before, -1, 1));
    EXPECT_IS(mlock(q, HUGE), 0);
    EXPECT(pool_changed(before, -2, 0));
    EXPECT_IS(madvise(q, HUGE, MADV_DONTNEED), 0); /* no huge page is ever locked */
    EXPECT_IS(munlock(q, HUGE), 0);
    munmap(p, HUGE);
    munmap(q, HUGE);
    EXPECT(pool_changed(before, 0, 0));
}

static void populating_without_a_page_fails(void)
{
    NEED_POOL(2);
    struct hog hog = hog_all_but(1);
    char *p = map_huge(PRIVATE | MAP_NORESERVE, 2);

    EXPECT_ERR(madvise(p, 2 * HUGE, MADV_POPULATE_WRITE), EFAULT);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0);
    munmap(p, 2 * HUGE);
    hog_end(hog);
}

static void mappings_move_with_their_promises(void)
{
    NEED_POOL(3);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 3);
    char *place = mmap(NULL, 8 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to = (char *)(((uintptr_t)place + HUGE - 1) & ~(HUGE - 1));

    p[0] = 'a';
    EXPECT_ERR((long)mremap(p, 3 * HUGE, 4 * HUGE, MREMAP_MAYMOVE), EINVAL);
    EXPECT(mremap(p, 3 * HUGE, 2 * HUGE, 0) == p);
    EXPECT(pool_changed(before, -1, 1));
    EXPECT_ERR((long)mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE),
               EINVAL);
    EXPECT(mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT(to[0] == 'a' && probe(p, PROBE_READ).sig == SIGSEGV);
    EXPECT(pool_changed(before, -1, 1));
    struct hog hog = hog_all_but(0);
    EXPECT_IS(probe(to + HUGE, PROBE_WRITE).sig, 0);
    hog_end(hog);
    EXPECT(pool_changed(before, -2, 0));
    EXPECT_ERR((long)mremap(to, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
    EXPECT_IS(munmap(place, 8 * HUGE), 0);
    EXPECT(pool_changed(before, 0, 0));
}

static void shared_mappings_move(void)
{
    NEED_POOL(2);
    struct pool before = pool_now();
    char *p = map_huge(SHARED, 2);
    char *place = mmap(NULL, 8 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to = (char *)(((uintptr_t)place + HUGE - 1) & ~(HUGE - 1));

    p[0] = 'a';
    p[HUGE] = 'b';
    EXPECT(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT(to[0] == 'a' && p[HUGE] == 'b');
    EXPECT_IS(mremap(p + HUGE, HUGE, PAGE, 0), p + HUGE); /* rounded up: stays */
    EXPECT_IS(p[HUGE], 'b');
    munmap(p + HUGE, HUGE);
    munmap(place, 8 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
}

static void offsets_are_checked_in_pages_and_bytes(void)
{
    static const unsigned long too_far[] = {0x7fffffffffe00000UL, 0x8000000000000000UL,
                                            0x8000000000200000UL, 0xff00000000000000UL,
                                            0xffffffffffe00000UL, 0xfffffffffffff000UL};
    NEED_POOL(2);
    struct pool before = pool_now();
    int fd = memfd_create("huge", MFD_HUGETLB);

    for (size_t i = 0; i < sizeof(too_far) / sizeof(too_far[0]); i++)
        for (int kind = MAP_SHARED; kind <= MAP_PRIVATE; kind++)
            EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, kind, fd, too_far[i]), EOVERFLOW);
    EXPECT_ERR(syscall(SYS_mmap, 0L, 2 * HUGE, RW, MAP_SHARED, fd, 0x7fffffffffc00000UL),
               EOVERFLOW);
    EXPECT_IS(lseek(fd, 0, SEEK_END), 0);
    EXPECT(pool_changed(before, 0, 0));
    long at = syscall(SYS_mmap, 0L, HUGE, RW, MAP_SHARED, fd, 0x7fffffffffc00000UL);
    EXPECT(at != -1 && pool_changed(before, 0, 1));
    EXPECT_IS(lseek(fd, 0, SEEK_END), 0x7fffffffffe00000);
    EXPECT_IS(probe((char *)at, PROBE_WRITE).sig, 0);
    munmap((void *)at, HUGE);
    close(fd);
    EXPECT(pool_changed(before, 0, 0));
}

static void a_mapping_takes_over_the_promise_it_replaces(void)
{
    NEED_POOL(2);
    struct hog hog = hog_all_but(1);
    struct pool before = pool_now();
    char *p = map_huge(PRIVATE, 1);

    for (int round = 0; round < 2; round++) {
        EXPECT(mmap(p, HUGE, RW, PRIVATE | MAP_FIXED, -1, 0) == p);
        EXPECT(pool_changed(before, 0, 1));
        EXPECT(p[0] == 0);
        p[0] = 1;
    }
    EXPECT(pool_changed(before, -1, 0));
    EXPECT(mmap(p, HUGE, RW, PRIVATE | MAP_FIXED, -1, 0) == p);
    /* What cannot be promised leaves a hole. */
    munmap(p, HUGE);
    char *place = mmap(NULL, 8 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = (char *)(((uintptr_t)place + HUGE - 1) & ~(HUGE - 1));
    EXPECT_IS(mprotect(at, PAGE, RW), 0);
    EXPECT_IS(probe(at, PROBE_WRITE).sig, 0);
    EXPECT_ERR(syscall(SYS_mmap, at, 4 * HUGE, RW, PRIVATE | MAP_FIXED, -1, 0L), ENOMEM);
    if (!linux_before(6, 12))
        EXPECT_IS(probe(at, PROBE_READ).sig, SIGSEGV);
    munmap(place, 8 * HUGE);
    EXPECT(pool_changed(before, 0, 0));
    hog_end(hog);
}

static void kinds_and_places_are_checked_as_a_files(void)
{
    NEED_POOL(1);
    char *p = map_huge(PRIVATE | MAP_NORESERVE, 1);

    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, PRIVATE | MAP_GROWSDOWN, -1, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, MAP_HUGETLB | MAP_ANONYMOUS, -1, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, p + PAGE, HUGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0L),
               EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, p, HUGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0L), EEXIST);
    char *q = mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    EXPECT(q != MAP_FAILED);
    EXPECT_ERR(munmap(q, PAGE), EINVAL);
    EXPECT_IS(munmap(q, HUGE), 0);
    q = mmap(p + PAGE, HUGE, RW, PRIVATE | MAP_NORESERVE, -1, 0); /* a hint is rounded up */
    EXPECT(q != MAP_FAILED && (uintptr_t)q % HUGE == 0 && q != p);
    munmap(q, HUGE);
    munmap(p, HUGE);
}

static void parts_of_huge_pages_keep_their_flags(void)
{
    NEED_POOL(1);
    char *p = map_huge(PRIVATE, 1);

    EXPECT_ERR(madvise(p + PAGE, PAGE, MADV_DONTFORK), EINVAL);
    EXPECT_ERR(mprotect(p, PAGE, PROT_READ), EINVAL);
    EXPECT_IS(mprotect(p, PAGE, RW), 0); /* which it has */
    EXPECT_IS(madvise(p, HUGE, MADV_DONTFORK), 0);
    EXPECT_IS(madvise(p, HUGE, MADV_DOFORK), 0);
    munmap(p, HUGE);
}

static const struct ktap_test tests[] = {
    TEST(a_private_mapping_is_promised_all_of_its_pages),
    TEST(a_part_that_is_unmapped_gives_its_part_back),
    TEST(a_shared_promise_is_the_files),
    TEST(without_a_promise_an_empty_pool_is_a_signal),
    TEST(a_child_copies_as_far_as_there_are_pages),
    TEST(a_child_has_no_promise),
    TEST(the_parent_takes_its_page_away_from_the_child),
    TEST(the_parent_copies_while_there_are_pages),
    TEST(a_file_page_is_copied_by_promise),
    TEST(discarding_keeps_the_promise),
    TEST(whole_huge_pages_are_discarded),
    TEST(shared_pages_are_removed),
    TEST(pages_come_at_once_where_that_is_asked),
    TEST(populating_without_a_page_fails),
    TEST(mappings_move_with_their_promises),
    TEST(shared_mappings_move),
    TEST(offsets_are_checked_in_pages_and_bytes),
    TEST(a_mapping_takes_over_the_promise_it_replaces),
    TEST(kinds_and_places_are_checked_as_a_files),
    TEST(parts_of_huge_pages_keep_their_flags),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

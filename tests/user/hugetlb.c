/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlb.c - huge memfds: whole pages, a pool, seals
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_create(2) MFD_HUGETLB; hugetlbfs documentation of Linux.
 * Tour:   after tests/user/hugetlb.h.
 */
#define _GNU_SOURCE
#include "hugetlb.h"
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

static int huge_file(size_t pages)
{
    int fd = memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING);

    EXPECT_IS(ftruncate(fd, (off_t)(pages * HUGE)), 0);
    return fd;
}

static void sizes_are_whole_pages(void)
{
    int fd = memfd_create("huge", MFD_HUGETLB);
    struct stat st = {0};

    EXPECT_ERR(ftruncate(fd, PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, (off_t)HUGE + 1), EINVAL);
    EXPECT_IS(ftruncate(fd, 4 * (off_t)HUGE), 0); /* a size costs nothing */
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 4 * HUGE);
    EXPECT_IS(st.st_blksize, HUGE);
    EXPECT_IS(ftruncate(fd, 0), 0);
    close(fd);
}

/* Whether there are pages, promises of some, or nothing. */
static void all_of_a_huge_file_is_data(void)
{
    NEED_POOL(2);
    int fd = huge_file(2);

    EXPECT_IS(lseek(fd, 5, SEEK_DATA), 5);
    char *p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT_IS(lseek(fd, 0, SEEK_DATA), 0);
    EXPECT_IS(lseek(fd, 0, SEEK_HOLE), 2 * HUGE);
    p[HUGE] = 1;
    EXPECT_IS(lseek(fd, 7, SEEK_DATA), 7);
    EXPECT_IS(lseek(fd, 7, SEEK_HOLE), 2 * HUGE);
    EXPECT_ERR(lseek(fd, 2 * HUGE, SEEK_DATA), ENXIO);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void writing_is_refused_reading_a_hole_gives_zeroes(void)
{
    int fd = huge_file(1);
    char buf[16] = "xxxx";

    EXPECT_ERR(write(fd, "x", 1), EINVAL);
    EXPECT_ERR(pwrite(fd, "x", 1, 0), EINVAL);
    EXPECT_IS(read(fd, buf, 16), 16);
    EXPECT_IS(buf[0], 0);
    EXPECT_IS(pread(fd, buf, 16, (off_t)HUGE - 8), 8);
    EXPECT_IS(pread(fd, buf, 16, (off_t)HUGE), 0);
    close(fd);
}

static void offsets_must_be_aligned(void)
{
    int fd = huge_file(2);

    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, MAP_SHARED, fd, PAGE), EINVAL);
    close(fd);
}

static void pages_are_aligned_zero_and_large(void)
{
    NEED_POOL(2);
    int fd = huge_file(2);
    long before = meminfo("HugePages_Free");
    unsigned char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);

    EXPECT(p != MAP_FAILED);
    EXPECT_IS((uintptr_t)p % HUGE, 0);
    EXPECT(p[0] == 0 && p[HUGE - 1] == 0);
    EXPECT_IS(before - meminfo("HugePages_Free"), 1); /* one touch, one page */
    p[2 * HUGE - 1] = 1;
    EXPECT_IS(before - meminfo("HugePages_Free"), 2);
    EXPECT_IS(munmap(p, 2 * HUGE), 0);
    EXPECT_IS(before - meminfo("HugePages_Free"), 2); /* they are the file's */
    close(fd);
    EXPECT_IS(meminfo("HugePages_Free"), before);
}

static void mapping_reserves_and_unmapping_gives_back(void)
{
    NEED_POOL(1);
    int fd = huge_file(1);
    long before = meminfo("HugePages_Rsvd");
    void *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);

    EXPECT_IS(meminfo("HugePages_Rsvd") - before, 1);
    munmap(p, HUGE);
    close(fd);
    EXPECT_IS(meminfo("HugePages_Rsvd"), before);
}

static void empty_pool_refuses_the_mapping(void)
{
    long pages = meminfo("HugePages_Total");

    if (pages < 0)
        SKIP("no HugePages_Total in /proc/meminfo");
    int fd = huge_file((size_t)pages + 1);
    EXPECT_ERR(syscall(SYS_mmap, 0L, ((size_t)pages + 1) * HUGE, RW, MAP_SHARED, fd, 0L), ENOMEM);
    EXPECT_ERR(syscall(SYS_mmap, 0L, ((size_t)pages + 1) * HUGE, RW, MAP_PRIVATE, fd, 0L), ENOMEM);
    close(fd);
}

static void munmap_and_mprotect_want_whole_pages(void)
{
    NEED_POOL(2);
    int fd = huge_file(2);
    unsigned char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);

    EXPECT_ERR(syscall(SYS_munmap, p, PAGE), EINVAL);
    EXPECT_ERR(syscall(SYS_munmap, p + PAGE, HUGE), EINVAL);
    EXPECT_ERR(syscall(SYS_mprotect, p, PAGE, PROT_READ), EINVAL);
    EXPECT(!probe(p, PROBE_WRITE).sig);
    EXPECT_IS(syscall(SYS_mprotect, p, HUGE, PROT_READ), 0);
    EXPECT(probe(p, PROBE_WRITE).sig == SIGSEGV);
    EXPECT(!probe(p + HUGE, PROBE_WRITE).sig);
    EXPECT_IS(munmap(p, HUGE), 0);
    EXPECT(probe(p, PROBE_READ).sig == SIGSEGV);
    EXPECT(!probe(p + HUGE, PROBE_READ).sig);
    munmap(p + HUGE, HUGE);
    close(fd);
}

static void file_and_mapping_show_the_same_bytes(void)
{
    NEED_POOL(1);
    int fd = huge_file(1);
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0), buf[6] = "";

    memcpy(p + HUGE - 5, "large", 5);
    EXPECT_IS(pread(fd, buf, 5, (off_t)HUGE - 5), 5);
    EXPECT(!strcmp(buf, "large"));
    munmap(p, HUGE);
    close(fd);
}

static void private_mappings_copy_whole_pages(void)
{
    NEED_POOL(2);
    int fd = huge_file(1);
    char *shared = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);

    shared[0] = 'f';
    shared[HUGE - 1] = 'F';
    char *private = mmap(NULL, HUGE, RW, MAP_PRIVATE, fd, 0);
    EXPECT(private != MAP_FAILED && private[0] == 'f');
    private[0] = 'p';
    EXPECT(shared[0] == 'f' && private[HUGE - 1] == 'F');
    munmap(private, HUGE);
    munmap(shared, HUGE);
    close(fd);
}

static void pages_past_the_size_give_sigbus(void)
{
    NEED_POOL(2);
    int fd = huge_file(2);
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);

    p[0] = p[HUGE] = 1;
    EXPECT_IS(ftruncate(fd, (off_t)HUGE), 0);
    EXPECT(!probe(p, PROBE_READ).sig);
    EXPECT(probe(p + HUGE, PROBE_READ).sig == SIGBUS);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void seals_hold_for_huge_files(void)
{
    int fd = huge_file(2);

    EXPECT_IS(fcntl(fd, F_GET_SEALS), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    EXPECT_ERR(ftruncate(fd, (off_t)HUGE), EPERM);
    EXPECT_ERR(ftruncate(fd, 3 * (off_t)HUGE), EPERM);
    EXPECT_IS(ftruncate(fd, 2 * (off_t)HUGE), 0);
    close(fd);
}

static void write_seal_waits_for_huge_mappings_too(void)
{
    NEED_POOL(1);
    int fd = huge_file(1);
    void *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);

    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, HUGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, MAP_SHARED, fd, 0L), EPERM);
    close(fd);
}

static bool all_bytes(const char *p, size_t from, size_t to, char byte)
{
    for (size_t i = from; i < to; i++)
        if (p[i] != byte)
            return false;
    return true;
}

static int punch(int fd, off_t from, off_t len)
{
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, len);
}

/* Whole pages inside the hole go; what it has of others becomes zeros. */
static void holes_are_punched_in_whole_pages(void)
{
    NEED_POOL(3);
    int fd = huge_file(3);
    long before = meminfo("HugePages_Free");
    char *p = mmap(NULL, 3 * HUGE, RW, MAP_SHARED, fd, 0);

    memset(p, 'x', 3 * HUGE);
    EXPECT_IS(before - meminfo("HugePages_Free"), 3);
    EXPECT_IS(punch(fd, HUGE - PAGE, HUGE + 2 * PAGE), 0);
    EXPECT_IS(before - meminfo("HugePages_Free"), 2);
    EXPECT(all_bytes(p, 0, HUGE - PAGE, 'x') && all_bytes(p, HUGE - PAGE, HUGE, 0));
    EXPECT(all_bytes(p, 2 * HUGE, 2 * HUGE + PAGE, 0) &&
           all_bytes(p, 2 * HUGE + PAGE, 3 * HUGE, 'x'));
    EXPECT_IS(before - meminfo("HugePages_Free"), 2);
    EXPECT_IS(punch(fd, 100, 50), 0);
    EXPECT(p[99] == 'x' && all_bytes(p, 100, 150, 0) && p[150] == 'x');
    EXPECT_IS(before - meminfo("HugePages_Free"), 2);
    EXPECT(p[HUGE + 5] == 0);
    EXPECT_IS(before - meminfo("HugePages_Free"), 3);
    EXPECT_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, HUGE), EOPNOTSUPP);
    EXPECT_ERR(fallocate(fd, 0x10 | FALLOC_FL_KEEP_SIZE, 0, HUGE), EOPNOTSUPP);
    munmap(p, 3 * HUGE);
    close(fd);
    EXPECT_IS(meminfo("HugePages_Free"), before);
}

static void allocation_counts_whole_pages(void)
{
    NEED_POOL(3);
    struct stat st = {0};
    int fd = memfd_create("huge", MFD_HUGETLB);
    long before = meminfo("HugePages_Free");

    EXPECT_IS(fallocate(fd, 0, HUGE - 1, 2), 0);
    EXPECT_IS(before - meminfo("HugePages_Free"), 2);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, HUGE + 1);
    EXPECT_IS(st.st_blocks, 2 * HUGE / 512);
    EXPECT_IS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * HUGE, HUGE), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, HUGE + 1);
    EXPECT_IS(before - meminfo("HugePages_Free"), 3);
    EXPECT_IS(fallocate(fd, 0, 0, 3 * HUGE), 0);
    EXPECT_IS(before - meminfo("HugePages_Free"), 3);
    close(fd);
    EXPECT_IS(meminfo("HugePages_Free"), before);
}

/* Any new size takes what lies behind it. */
static void pages_behind_the_end_stay_until_it_moves(void)
{
    NEED_POOL(3);
    int fd = memfd_create("huge", MFD_HUGETLB);
    long before = meminfo("HugePages_Free");

    EXPECT_IS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 3 * HUGE), 0);
    char *p = mmap(NULL, 3 * HUGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT_IS(lseek(fd, 0, SEEK_END), 0);
    EXPECT_IS(probe(p + 2 * HUGE, PROBE_READ).sig, 0); /* though it is behind the end */
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT_IS(probe(p + 2 * HUGE, PROBE_READ).sig, SIGBUS);
    EXPECT_IS(before - meminfo("HugePages_Free"), 1);
    EXPECT_IS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * HUGE, HUGE), 0);
    EXPECT_IS(fallocate(fd, 0, HUGE, HUGE), 0); /* which leaves the third alone */
    EXPECT_IS(before - meminfo("HugePages_Free"), 3);
    EXPECT_IS(ftruncate(fd, 2 * HUGE), 0);
    EXPECT_IS(before - meminfo("HugePages_Free"), 2);
    munmap(p, 3 * HUGE);
    close(fd);
    EXPECT_IS(meminfo("HugePages_Free"), before);
}

static void an_allocation_that_fails_keeps_what_it_got(void)
{
    long pages = meminfo("HugePages_Free") - meminfo("HugePages_Rsvd");

    NEED_POOL(1);
    int fd = memfd_create("huge", MFD_HUGETLB);
    struct stat st = {0};
    EXPECT_ERR(fallocate(fd, 0, 0, (pages + 1) * (off_t)HUGE), ENOSPC);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 0);
    EXPECT_IS(st.st_blocks, pages * (long)(HUGE / 512));
    close(fd);
    EXPECT_IS(meminfo("HugePages_Free") - meminfo("HugePages_Rsvd"), pages);
}

/* Linux 6.18 asks in shmem's setattr only. */
static void the_seal_on_executing_lets_modes_change(void)
{
    int fd = memfd_create("huge", MFD_HUGETLB | MFD_NOEXEC_SEAL);
    struct stat st = {0};

    if (fd < 0)
        SKIP("this Linux has no MFD_NOEXEC_SEAL");
    EXPECT_IS(fcntl(fd, F_GET_SEALS), 0x20);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_mode & 0777, 0666);
    EXPECT_IS(fchmod(fd, 0777), 0);
    close(fd);
}

static void sealed_files_are_mapped_to_read(void)
{
    NEED_POOL(1);
    int fd = huge_file(1);
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);

    p[0] = 'a';
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    p[0] = 'b';
    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, MAP_SHARED, fd, 0L), EPERM);
    char *q = mmap(NULL, HUGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(q != MAP_FAILED && q[0] == 'b');
    EXPECT_ERR(mprotect(q, HUGE, RW), EACCES);
    EXPECT_ERR(punch(fd, 0, HUGE), EPERM);
    EXPECT_ERR(madvise(p, HUGE, MADV_REMOVE), EPERM);
    munmap(p, HUGE);
    munmap(q, HUGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    EXPECT_ERR(ftruncate(fd, 0), EPERM);
    EXPECT_ERR(fallocate(fd, 0, HUGE, HUGE), EPERM);
    close(fd);
}

/* A name is all that another process needs; the last user takes the pages with him. */
static void pages_live_as_long_as_anybody_has_them(void)
{
    NEED_POOL(1);
    long before = meminfo("HugePages_Free");
    int fd = huge_file(1), status = 0;
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);

    close(fd);
    pid_t child = fork();
    if (child == 0) {
        p[7] = 'c';
        _exit(0);
    }
    waitpid(child, &status, 0);
    EXPECT(status == 0 && p[7] == 'c');
    EXPECT_IS(before - meminfo("HugePages_Free"), 1);
    munmap(p, HUGE);
    EXPECT_IS(meminfo("HugePages_Free"), before);
}

static void a_mapping_may_replace_another(void)
{
    NEED_POOL(2);
    long before = meminfo("HugePages_Rsvd");
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

    p[0] = p[HUGE] = 1;
    char *q = mmap(p + HUGE, HUGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    EXPECT(q == p + HUGE && q[0] == 0 && p[0] == 1);
    EXPECT_ERR(
        syscall(SYS_mmap, p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0L),
        EINVAL);
    munmap(p, 2 * HUGE);
    EXPECT_IS(meminfo("HugePages_Rsvd"), before);
}

static void the_kernel_reads_and_writes_through_mappings(void)
{
    NEED_POOL(1);
    char *p = mmap(NULL, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0), buf[4] = "";
    int ends[2];

    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(write(ends[1], "abc", 3), 3);
    EXPECT_IS(read(ends[0], p + HUGE - 3, 3), 3); /* faults the page in */
    EXPECT_IS(write(ends[1], p + HUGE - 3, 3), 3);
    EXPECT_IS(read(ends[0], buf, 3), 3);
    EXPECT(!strcmp(buf, "abc"));
    munmap(p, HUGE);
    close(ends[0]);
    close(ends[1]);
}

static const struct ktap_test tests[] = {
    TEST(sizes_are_whole_pages),
    TEST(all_of_a_huge_file_is_data),
    TEST(writing_is_refused_reading_a_hole_gives_zeroes),
    TEST(offsets_must_be_aligned),
    TEST(pages_are_aligned_zero_and_large),
    TEST(mapping_reserves_and_unmapping_gives_back),
    TEST(empty_pool_refuses_the_mapping),
    TEST(munmap_and_mprotect_want_whole_pages),
    TEST(file_and_mapping_show_the_same_bytes),
    TEST(private_mappings_copy_whole_pages),
    TEST(pages_past_the_size_give_sigbus),
    TEST(seals_hold_for_huge_files),
    TEST(write_seal_waits_for_huge_mappings_too),
    TEST(holes_are_punched_in_whole_pages),
    TEST(allocation_counts_whole_pages),
    TEST(pages_behind_the_end_stay_until_it_moves),
    TEST(an_allocation_that_fails_keeps_what_it_got),
    TEST(the_seal_on_executing_lets_modes_change),
    TEST(sealed_files_are_mapped_to_read),
    TEST(pages_live_as_long_as_anybody_has_them),
    TEST(a_mapping_may_replace_another),
    TEST(the_kernel_reads_and_writes_through_mappings),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

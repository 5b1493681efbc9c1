/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlb.c - huge memfds: whole pages, a pool, seals
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_create(2) MFD_HUGETLB; hugetlbfs documentation of Linux.
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/stat.h>

#define RW   (PROT_READ | PROT_WRITE)
#define HUGE (2UL << 20)

static int huge_file(size_t pages)
{
    int fd = memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING);

    EXPECT_IS(ftruncate(fd, (off_t)(pages * HUGE)), 0);
    return fd;
}

static bool pool_has(long pages)
{
    return meminfo("HugePages_Free") - meminfo("HugePages_Rsvd") >= pages;
}

#define NEED_POOL(pages)                                 \
    do {                                                 \
        if (!pool_has(pages))                            \
            SKIP("the pool of huge pages is too small"); \
    } while (0)

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
};

int main(void)
{
    return KTAP_MAIN(tests);
}

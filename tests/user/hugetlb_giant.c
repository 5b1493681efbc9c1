/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlb_giant.c - pages of 1 GiB
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory in /tmp while it runs, and what it mounts there.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux: on 6.18 as far as its pool, which is empty,
 *             allows; the rest on 6.1 with hugepagesz=1G hugepages=1.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst.
 * Tour:   after tests/user/hugetlb_pool.c.
 */
#define _GNU_SOURCE
#include "hugetlb.h"
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define GIANT    (1UL << 30)
#define SIZE_1G  (30U << 26)
#define POOL_DIR "/sys/kernel/mm/hugepages/hugepages-1048576kB/"

static long number_of(const char *name)
{
    char path[128], text[32];

    snprintf(path, sizeof(path), POOL_DIR "%s", name);
    return slurp(path, text, sizeof(text)) > 0 ? atol(text) : -1;
}

static bool giants_are(long total, long free, long reserved)
{
    long t = number_of("nr_hugepages"), f = number_of("free_hugepages"),
         r = number_of("resv_hugepages");

    if (t != total || f != free || r != reserved)
        printf("# total %ld free %ld reserved %ld\n", t, f, r);
    return t == total && f == free && r == reserved;
}

#define NEED_SIZE()                    \
    if (number_of("nr_hugepages") < 0) \
    SKIP("this CPU, or its machine, has no such pages")

#define NEED_PAGE()                         \
    NEED_SIZE();                            \
    long total = number_of("nr_hugepages"); \
    if (number_of("free_hugepages") < 1)    \
    SKIP("there is no page of 1 GiB")

static void an_empty_pool_refuses_in_its_own_words(void)
{
    NEED_SIZE();
    if (number_of("free_hugepages"))
        SKIP("the pool is not empty");
    int fd = memfd_create("giant", MFD_HUGETLB | SIZE_1G);
    struct stat st = {0};

    EXPECT(fd >= 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_blksize, GIANT);
    EXPECT_ERR(ftruncate(fd, HUGE), EINVAL);
    EXPECT_IS(ftruncate(fd, GIANT), 0);
    EXPECT_ERR(syscall(SYS_mmap, 0L, GIANT, RW, MAP_SHARED, fd, 0L), ENOMEM);
    EXPECT_ERR(syscall(SYS_mmap, 0L, GIANT, RW, MAP_SHARED, fd, HUGE), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, PRIVATE | SIZE_1G, -1, 0L), ENOMEM);
    EXPECT_ERR(fallocate(fd, 0, 0, GIANT), ENOSPC);
    close(fd);
    EXPECT(giants_are(0, 0, 0));
}

static void other_sizes_do_not_exist(void)
{
    static const unsigned shifts[] = {16, 19, 20, 23, 24, 25, 28, 29, 31, 34};

    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        EXPECT_ERR(memfd_create("x", MFD_HUGETLB | shifts[i] << 26), ENODEV);
        EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, PRIVATE | (long)shifts[i] << 26, -1, 0L),
                   EINVAL);
    }
}

static void giants_are_never_borrowed(void)
{
    NEED_SIZE();
    int fd = open(POOL_DIR "nr_overcommit_hugepages", O_WRONLY);

    if (fd < 0)
        SKIP("the pool cannot be changed here");
    EXPECT_ERR(write(fd, "1", 1), EINVAL);
    close(fd);
    EXPECT_IS(number_of("nr_overcommit_hugepages"), 0);
}

static void a_giant_is_one_page(void)
{
    NEED_PAGE();
    int fd = memfd_create("giant", MFD_HUGETLB | SIZE_1G);
    char byte = 'x';

    EXPECT_IS(ftruncate(fd, GIANT), 0);
    char *p = mmap(NULL, GIANT, RW, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED && (uintptr_t)p % GIANT == 0);
    EXPECT(giants_are(total, total, 1));
    EXPECT(p[0] == 0 && p[GIANT - 1] == 0 && p[GIANT / 2 + 12345] == 0);
    EXPECT(giants_are(total, total - 1, 0));
    p[GIANT - 1] = 'z';
    p[3 * HUGE + 7] = 'a';
    EXPECT_IS(pread(fd, &byte, 1, GIANT - 1), 1);
    EXPECT_IS(byte, 'z');
    EXPECT_IS(pread(fd, &byte, 1, 3 * HUGE + 7), 1);
    EXPECT_IS(byte, 'a');
    EXPECT_ERR(munmap(p, HUGE), EINVAL);
    EXPECT_ERR(mprotect(p, HUGE, PROT_READ), EINVAL);
    EXPECT_IS(mprotect(p, GIANT, PROT_READ), 0);
    EXPECT_IS(probe(p + HUGE, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(p[GIANT - 1], 'z');
    EXPECT_IS(mprotect(p, GIANT, RW), 0);
    EXPECT_IS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE * 4), 0);
    EXPECT(p[3 * HUGE + 7] == 0 && p[GIANT - 1] == 'z');
    munmap(p, GIANT);
    EXPECT(giants_are(total, total - 1, 0));
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT(giants_are(total, total, 0));
    close(fd);
}

/* The line of the area at @p in smaps, its number. */
static long smaps_of(const void *p, const char *name)
{
    static char text[1 << 16];
    char begin[32];

    if (slurp("/proc/self/smaps", text, sizeof(text)) < 0)
        return -1;
    snprintf(begin, sizeof(begin), "%lx-", (unsigned long)p);
    char *at = strstr(text, begin);
    at = at ? strstr(at, name) : NULL;
    return at ? atol(at + strlen(name)) : -1;
}

static void private_giants_are_copied(void)
{
    NEED_PAGE();
    char *p = map_huge(PRIVATE | SIZE_1G, 512);
    int status = 0;

    EXPECT(p != MAP_FAILED);
    EXPECT(giants_are(total, total, 1));
    p[5] = 'a';
    EXPECT_IS(smaps_of(p, "KernelPageSize:"), (long)(GIANT / 1024));
    EXPECT_IS(smaps_of(p, "MMUPageSize:"), (long)(GIANT / 1024));
    EXPECT_IS(smaps_of(p, "Private_Hugetlb:"), (long)(GIANT / 1024));
    if (total == 1) { /* the child cannot have one of its own; then it loses the one they share */
        pid_t child = fork();
        if (child == 0)
            _exit(p[5] == 'a' ? probe(p, PROBE_WRITE).sig : 99);
        waitpid(child, &status, 0);
        EXPECT_IS(WEXITSTATUS(status), SIGBUS);
    }
    p[5] = 'b';
    EXPECT_IS(madvise(p, HUGE, MADV_DONTNEED), 0); /* less than a page: nothing */
    EXPECT_IS(p[5], 'b');
    EXPECT_IS(madvise(p, GIANT, MADV_DONTNEED), 0);
    EXPECT_IS(p[5], 0);
    munmap(p, GIANT);
    EXPECT(giants_are(total, total, 0));
}

static void a_file_system_may_have_giants(void)
{
    struct statfs fs = {0};

    NEED_PAGE();
    mkdir("m", 0755);
    EXPECT_IS(mount("none", "m", "hugetlbfs", 0, "size=2G,pagesize=1G"), 0);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_bsize == (long)GIANT && fs.f_blocks == 2 && fs.f_bfree == 2);
    int fd = open("m/f", O_CREAT | O_RDWR, 0644);
    char *p = mmap(NULL, GIANT, RW, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    p[GIANT - 1] = 1;
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 1);
    munmap(p, GIANT);
    close(fd);
    EXPECT_IS(unlink("m/f"), 0);
    EXPECT_IS(umount("m"), 0);
    EXPECT_IS(rmdir("m"), 0);
    EXPECT(giants_are(total, total, 0));
}

/* The number is as it was; whether there is a GiB in one piece again, nobody promises. */
static void giants_are_given_back(void)
{
    NEED_PAGE();
    EXPECT(giants_are(total, total, 0));
    if (!machine_is_ours())
        SKIP("another may want them");
    int fd = open(POOL_DIR "nr_hugepages", O_WRONLY);
    long memory = meminfo("MemFree");

    EXPECT_IS(write(fd, "0", 1), 1);
    EXPECT(giants_are(0, 0, 0));
    EXPECT(meminfo("MemFree") - memory > (long)(GIANT / 1024) - 65536);
    dprintf(fd, "%ld", total);
    close(fd);
}

static void a_giant_is_cut_into_smaller_pages(void)
{
    NEED_PAGE();
    char size[16] = "";
    struct pool before = pool_now();
    int fd = open(POOL_DIR "demote", O_WRONLY), small = open("/proc/sys/vm/nr_hugepages", O_WRONLY);

    if (!machine_is_ours() || fd < 0 || total != 1)
        SKIP("another may want them, or this Linux cannot");
    EXPECT(slurp(POOL_DIR "demote_size", size, sizeof(size)) > 0 && !strcmp(size, "2048kB\n"));
    char *p = map_huge(PRIVATE | SIZE_1G, 512);
    EXPECT_IS(write(fd, "1", 1), 1); /* it is promised */
    EXPECT(giants_are(1, 1, 1));
    munmap(p, GIANT);
    EXPECT_IS(write(fd, "7", 1), 1);
    EXPECT(giants_are(0, 0, 0));
    EXPECT(pool_is(before.total + 512, before.free + 512, before.reserved, before.surplus));
    p = map_huge(PRIVATE, 510);
    for (size_t i = 0; i < 510; i++)
        p[i * HUGE] = 1;
    munmap(p, 510 * HUGE);
    EXPECT_IS(write(small, "0", 1), 1);
    EXPECT(pool_is(0, 0, 0, 0));
    close(small);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(an_empty_pool_refuses_in_its_own_words),
    TEST(other_sizes_do_not_exist),
    TEST(giants_are_never_borrowed),
    TEST(a_giant_is_one_page),
    TEST(private_giants_are_copied),
    TEST(a_file_system_may_have_giants),
    TEST(giants_are_given_back),
    TEST(a_giant_is_cut_into_smaller_pages),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlbfs.c - files of huge pages, in a file system that may have a limit
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory in /tmp while it runs, and what it mounts there.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst; mmap(2), statfs(2).
 * Tour:   after tests/user/hugetlb.c and tests/user/mount.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define RW   (PROT_READ | PROT_WRITE)
#define HUGE (2UL << 20)

/* Mount it at "m"; skip the test where this machine has no pages to play with. */
#define NEED_MOUNT(pages, options)                                           \
    do {                                                                     \
        if (meminfo("HugePages_Free") - meminfo("HugePages_Rsvd") < (pages)) \
            SKIP("the pool of huge pages is too small");                     \
        mkdir("m", 0755);                                                    \
        EXPECT_IS(mount("none", "m", "hugetlbfs", 0, (options)), 0);         \
    } while (0)

static void unmount(void)
{
    EXPECT_IS(umount("m"), 0);
    EXPECT_IS(rmdir("m"), 0);
}

static char *map(int fd, size_t pages)
{
    return mmap(NULL, pages * HUGE, RW, MAP_SHARED, fd, 0);
}

static void a_huge_file_is_like_a_huge_memfd(void)
{
    char byte = 'x';
    struct stat st = {0};
    struct statfs fs = {0};

    NEED_MOUNT(2, NULL);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_type == 0x958458f6 && fs.f_bsize == (long)HUGE && fs.f_namelen == 255);
    EXPECT(fs.f_blocks == 0 && fs.f_bfree == 0 && fs.f_files == 0);
    int fd = open("m/f", O_CREAT | O_RDWR, 0640);
    EXPECT(fd >= 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT(st.st_mode == (S_IFREG | 0640) && st.st_blksize == (long)HUGE && st.st_blocks == 0);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    EXPECT_ERR(write(fd, "x", 1), EINVAL);
    EXPECT_IS(read(fd, &byte, 1), 0);
    EXPECT_ERR(ftruncate(fd, 4096), EINVAL);
    EXPECT_ERR(truncate("m/f", 4096), EINVAL);
    EXPECT_IS(ftruncate(fd, 2 * HUGE), 0);
    EXPECT_IS(pread(fd, &byte, 1, HUGE), 1);
    EXPECT_IS(byte, 0);
    char *p = map(fd, 2);
    EXPECT(p != MAP_FAILED);
    p[HUGE + 5] = 'h';
    EXPECT_IS(pread(fd, &byte, 1, HUGE + 5), 1);
    EXPECT_IS(byte, 'h');
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_blocks, HUGE / 512);
    EXPECT_IS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE, HUGE), 0);
    EXPECT_IS(p[HUGE + 5], 0);
    munmap(p, 2 * HUGE);
    close(fd);
    EXPECT_IS(unlink("m/f"), 0);
    unmount();
}

static void names_are_those_of_any_file_system(void)
{
    NEED_MOUNT(1, NULL);
    EXPECT_IS(mkdir("m/d", 0755), 0);
    EXPECT_IS(close(open("m/d/f", O_CREAT | O_RDWR, 0644)), 0);
    EXPECT_IS(rename("m/d/f", "m/g"), 0);
    EXPECT_IS(link("m/g", "m/h"), 0);
    EXPECT_IS(mknod("m/n", S_IFREG | 0644, 0), 0);
    int fd = open("m", O_TMPFILE | O_RDWR, 0644);
    EXPECT(fd >= 0);
    EXPECT_ERR(ftruncate(fd, 1), EINVAL);
    close(fd);
    EXPECT_ERR(rename("m/g", "g"), EXDEV);
    EXPECT_IS(rmdir("m/d"), 0);
    unmount();
}

static void a_mapping_that_writes_makes_the_file_as_large(void)
{
    struct stat st = {0};

    NEED_MOUNT(2, NULL);
    int fd = open("m/f", O_CREAT | O_RDWR, 0644);
    char *p = mmap(NULL, HUGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 0);
    EXPECT_IS(probe(p, PROBE_READ).sig, SIGBUS);
    munmap(p, HUGE);
    p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, HUGE);
    EXPECT(p != MAP_FAILED);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 2 * HUGE);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0);
    munmap(p, HUGE);
    p = mmap(NULL, HUGE, RW, MAP_PRIVATE, fd, 2 * HUGE);
    EXPECT(p != MAP_FAILED);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 3 * HUGE);
    munmap(p, HUGE);
    close(fd);
    unmount();
}

static void contents_stay_until_the_last_name_goes(void)
{
    long before = meminfo("HugePages_Free");

    NEED_MOUNT(2, NULL);
    int fd = open("m/f", O_CREAT | O_RDWR, 0644);
    char *p = map(fd, 1);
    memcpy(p, "kept", 5);
    munmap(p, HUGE);
    close(fd);
    EXPECT_IS(meminfo("HugePages_Free"), before - 1);
    fd = open("m/f", O_RDWR);
    p = map(fd, 1);
    EXPECT(!strcmp(p, "kept"));
    munmap(p, HUGE);
    close(fd);
    EXPECT_IS(unlink("m/f"), 0);
    EXPECT_IS(meminfo("HugePages_Free"), before);
    unmount();
}

static void a_limit_counts_what_is_mapped(void)
{
    struct statfs fs = {0};

    NEED_MOUNT(3, "size=4M,nr_inodes=10,mode=700,uid=3,gid=4");
    struct stat st = {0};
    EXPECT_IS(stat("m", &st), 0);
    EXPECT(st.st_mode == (S_IFDIR | 0700) && st.st_uid == 3 && st.st_gid == 4);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_blocks == 2 && fs.f_bfree == 2 && fs.f_files == 10 && fs.f_ffree == 9);
    int fd = open("m/f", O_CREAT | O_RDWR, 0644);
    EXPECT(map(fd, 3) == MAP_FAILED);
    EXPECT_IS(errno, ENOMEM);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 2);
    char *p = map(fd, 2);
    EXPECT(p != MAP_FAILED);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_bfree == 0 && fs.f_ffree == 8);
    int other = open("m/g", O_CREAT | O_RDWR, 0644);
    EXPECT_ERR(fallocate(other, 0, 0, HUGE), ENOSPC);
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT_IS(fallocate(other, 0, 0, HUGE), 0);
    EXPECT_ERR(fallocate(other, 0, 0, 2 * HUGE), ENOSPC);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0);
    EXPECT_IS(probe(p + HUGE, PROBE_WRITE).sig, SIGBUS);
    munmap(p, 2 * HUGE);
    close(fd);
    close(other);
    EXPECT_IS(unlink("m/f"), 0);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 1);
    unmount();
}

static void a_promise_that_fails_leaves_the_limit_as_it_was(void)
{
    struct statfs fs = {0};
    long total = meminfo("HugePages_Total"), promised = meminfo("HugePages_Rsvd");
    char options[64];

    snprintf(options, sizeof(options), "size=%ldM", 2 * (total + 10));
    NEED_MOUNT(1, options);
    int fd = open("m/f", O_CREAT | O_RDWR, 0644);
    for (int kind = MAP_SHARED; kind <= MAP_PRIVATE; kind++) {
        EXPECT(mmap(NULL, (total + 5) * HUGE, RW, kind, fd, 0) == MAP_FAILED);
        EXPECT_IS(errno, ENOMEM);
        EXPECT_IS(statfs("m", &fs), 0);
        EXPECT_IS(fs.f_bfree, total + 10);
        EXPECT_IS(meminfo("HugePages_Rsvd"), promised);
    }
    close(fd);
    EXPECT_IS(unlink("m/f"), 0);
    unmount();
}

static void private_pages_count_for_the_limit(void)
{
    struct statfs fs = {0};

    NEED_MOUNT(3, "size=6M");
    int fd = open("m/f", O_CREAT | O_RDWR, 0644);
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE, fd, 0);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 1);
    p[0] = 1;
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 1);
    EXPECT(mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    munmap(p, HUGE);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 2);
    munmap(p + HUGE, HUGE);
    p = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    p[0] = 1;
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 2);
    munmap(p, 2 * HUGE);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_bfree, 3);
    close(fd);
    EXPECT_IS(unlink("m/f"), 0);
    unmount();
}

static void a_minimum_is_taken_from_the_pool(void)
{
    long promised = meminfo("HugePages_Rsvd");

    NEED_MOUNT(2, "min_size=4M");
    EXPECT_IS(meminfo("HugePages_Rsvd"), promised + 2);
    int fd = open("m/f", O_CREAT | O_RDWR, 0644);
    char *p = map(fd, 1);
    EXPECT_IS(meminfo("HugePages_Rsvd"), promised + 2);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, 0);
    EXPECT_IS(meminfo("HugePages_Rsvd"), promised + 1);
    munmap(p, HUGE);
    close(fd);
    EXPECT_IS(unlink("m/f"), 0);
    EXPECT_IS(meminfo("HugePages_Rsvd"), promised + 2);
    unmount();
    EXPECT_IS(meminfo("HugePages_Rsvd"), promised);
    mkdir("m", 0755);
    EXPECT_ERR(mount("none", "m", "hugetlbfs", 0, "min_size=8M,size=4M"), EINVAL);
    EXPECT_ERR(mount("none", "m", "hugetlbfs", 0, "min_size=1000G"), ENOMEM);
    EXPECT_ERR(mount("none", "m", "hugetlbfs", 0, "pagesize=3M"), EINVAL);
    EXPECT_ERR(mount("none", "m", "hugetlbfs", 0, "huge=always"), EINVAL);
    EXPECT_IS(mount("none", "m", "hugetlbfs", 0, "pagesize=2M"), 0);
    unmount();
}

static void programs_are_not_run_from_it(void)
{
    char *const none[] = {NULL};

    NEED_MOUNT(1, NULL);
    int fd = open("m/f", O_CREAT | O_RDWR, 0755);
    char *p = map(fd, 1);
    memcpy(p, "\177ELF", 4);
    munmap(p, HUGE);
    close(fd);
    EXPECT_ERR(execve("m/f", none, none), ENOEXEC);
    unlink("m/f");
    unmount();
}

static const struct ktap_test tests[] = {
    TEST(a_huge_file_is_like_a_huge_memfd),
    TEST(names_are_those_of_any_file_system),
    TEST(a_mapping_that_writes_makes_the_file_as_large),
    TEST(contents_stay_until_the_last_name_goes),
    TEST(a_limit_counts_what_is_mapped),
    TEST(a_promise_that_fails_leaves_the_limit_as_it_was),
    TEST(private_pages_count_for_the_limit),
    TEST(a_minimum_is_taken_from_the_pool),
    TEST(programs_are_not_run_from_it),
};

int main(void)
{
    char dir[] = "/tmp/huge-XXXXXX";

    umask(022);
    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    int failed = KTAP_MAIN(tests);
    if (chdir("/") < 0 || rmdir(dir) < 0)
        printf("# something is left in %s\n", dir);
    return failed;
}

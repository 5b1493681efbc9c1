/* SPDX-License-Identifier: MIT */
/*
 * tests/user/memfd_create.c - memfd_create: what it refuses, in which order, and what it gives
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_create(2); Linux memfd.c, observed.
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 16U
#endif
#define HUGE_SHIFT 26
#define SEAL_EXEC  0x20

static long create(const char *name, unsigned flags)
{
    return syscall(SYS_memfd_create, name, flags);
}

static void expect_created(unsigned flags, unsigned mode, int seals)
{
    long fd = create("state", flags);
    struct stat st = {0};

    EXPECT(fd >= 0);
    EXPECT_IS(fstat((int)fd, &st), 0);
    EXPECT_IS(st.st_mode & 07777, mode);
    EXPECT_IS(fcntl((int)fd, F_GET_SEALS), seals);
    close((int)fd);
}

static void unknown_flags_are_refused(void)
{
    EXPECT_ERR(create("x", 0x20), EINVAL);
    EXPECT_ERR(create("x", 0x80000000), EINVAL);
    EXPECT_ERR(create("x", 21U << HUGE_SHIFT), EINVAL); /* a size, without MFD_HUGETLB */
    EXPECT_ERR(create("x", MFD_HUGETLB | 0x40), EINVAL);
}

static void exec_and_noexec_exclude_each_other(void)
{
    EXPECT_ERR(create("x", MFD_EXEC | MFD_NOEXEC_SEAL), EINVAL);
}

static void flags_are_checked_before_the_name(void)
{
    EXPECT_ERR(create(NULL, 0x20), EINVAL);
    EXPECT_ERR(create(NULL, 0), EFAULT);
    EXPECT_ERR(create((char *)8, 0), EFAULT);
}

static void names_have_at_most_249_bytes(void)
{
    char name[300];
    long fd;

    memset(name, 'n', sizeof name);
    name[250] = '\0';
    EXPECT_ERR(create(name, 0), EINVAL);
    name[249] = '\0';
    fd = create(name, 0);
    EXPECT(fd >= 0);
    close((int)fd);
    fd = create("", 0);
    EXPECT(fd >= 0);
    close((int)fd);
    fd = create("\xff\n/..", 0); /* bytes are not looked at */
    EXPECT(fd >= 0);
    close((int)fd);
}

static void names_may_end_at_the_end_of_a_page(void)
{
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(p + PAGE, PAGE);
    memcpy(p + PAGE - 4, "end", 4);
    long fd = create(p + PAGE - 4, 0);
    EXPECT(fd >= 0);
    close((int)fd);
    memcpy(p + PAGE - 4, "endless", 4);
    EXPECT_ERR(create(p + PAGE - 4, 0), EFAULT);
    munmap(p, PAGE);
}

static void same_name_gives_another_file(void)
{
    int a = (int)create("twin", 0), b = (int)create("twin", 0);
    struct stat sa = {0}, sb = {0};
    char byte = 0;

    EXPECT_IS(write(a, "a", 1), 1);
    EXPECT_IS(read(b, &byte, 1), 0);
    EXPECT_IS(fstat(a, &sa), 0);
    EXPECT_IS(fstat(b, &sb), 0);
    EXPECT(sa.st_ino != sb.st_ino);
    close(a);
    close(b);
}

static void state_follows_the_flags(void)
{
    expect_created(0, 0777, F_SEAL_SEAL);
    expect_created(MFD_ALLOW_SEALING, 0777, 0);
    expect_created(MFD_ALLOW_SEALING | MFD_CLOEXEC, 0777, 0);
    if (linux_before(6, 3))
        SKIP("MFD_EXEC came with Linux 6.3");
    expect_created(MFD_EXEC, 0777, F_SEAL_SEAL);
    expect_created(MFD_EXEC | MFD_ALLOW_SEALING, 0777, 0);
    expect_created(MFD_NOEXEC_SEAL, 0666, SEAL_EXEC);
    expect_created(MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING, 0666, SEAL_EXEC);
}

static void new_file_is_empty_and_open_for_both(void)
{
    int fd = (int)create("new", 0);
    struct stat st = {0};

    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 0);
    EXPECT_IS(st.st_blocks, 0);
    EXPECT_IS(st.st_nlink, 0);
    EXPECT_IS(st.st_mode & S_IFMT, S_IFREG);
    EXPECT_IS(st.st_blksize, PAGE);
    EXPECT_IS(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
}

static void cloexec_is_on_the_descriptor(void)
{
    int plain = (int)create("c", 0), cloexec = (int)create("c", MFD_CLOEXEC);

    EXPECT_IS(fcntl(plain, F_GETFD), 0);
    EXPECT_IS(fcntl(cloexec, F_GETFD), FD_CLOEXEC);
    close(plain);
    close(cloexec);
}

static void lowest_descriptor_is_used(void)
{
    int a = (int)create("a", 0), b = (int)create("b", 0);

    close(a);
    EXPECT_IS(create("again", 0), a);
    close(a);
    close(b);
}

static void huge_sizes_are_checked(void)
{
    int fd = (int)create("h", MFD_HUGETLB | 21U << HUGE_SHIFT);

    EXPECT(fd >= 0); /* nothing is taken from the pool yet */
    close(fd);
    fd = (int)create("h", MFD_HUGETLB);
    EXPECT(fd >= 0);
    close(fd);
    EXPECT_ERR(create("h", MFD_HUGETLB | 22U << HUGE_SHIFT), ENODEV);
    EXPECT_ERR(create("h", MFD_HUGETLB | 12U << HUGE_SHIFT), ENODEV);
    EXPECT_ERR(create("h", MFD_HUGETLB | 63U << HUGE_SHIFT), ENODEV);
}

static void name_is_checked_before_the_huge_size(void)
{
    EXPECT_ERR(create(NULL, MFD_HUGETLB | 22U << HUGE_SHIFT), EFAULT);
}

static void full_descriptor_table_is_told(void)
{
    struct rlimit old;
    int fds[16], count = 0;

    if (getrlimit(RLIMIT_NOFILE, &old) < 0 ||
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){16, old.rlim_max}) < 0)
        SKIP("no limit on descriptors");
    while (count < 16 && (fds[count] = (int)create("full", 0)) >= 0)
        count++;
    EXPECT(count > 0 && count < 16);
    EXPECT_ERR(create("full", 0), EMFILE);
    while (count > 0)
        close(fds[--count]);
    setrlimit(RLIMIT_NOFILE, &old);
}

static const struct ktap_test tests[] = {
    TEST(unknown_flags_are_refused),
    TEST(exec_and_noexec_exclude_each_other),
    TEST(flags_are_checked_before_the_name),
    TEST(names_have_at_most_249_bytes),
    TEST(names_may_end_at_the_end_of_a_page),
    TEST(same_name_gives_another_file),
    TEST(state_follows_the_flags),
    TEST(new_file_is_empty_and_open_for_both),
    TEST(cloexec_is_on_the_descriptor),
    TEST(lowest_descriptor_is_used),
    TEST(huge_sizes_are_checked),
    TEST(name_is_checked_before_the_huge_size),
    TEST(full_descriptor_table_is_told),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

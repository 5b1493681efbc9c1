/* SPDX-License-Identifier: MIT */
/*
 * tests/user/seals.c - how seals add up, what they leave alone, and when sealing is refused
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: fcntl(2) "File Sealing"; Linux memfd.c and shmem.c, observed.
 * Tour:   after tests/user/ktap.h; then tests/user/seal_matrix.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RW       (PROT_READ | PROT_WRITE)
#define FILE_LEN (2 * PAGE)

/* A two-page memfd with @seals on it. */
static int sealed(int seals)
{
    int fd = memfd_create("seals", MFD_ALLOW_SEALING);

    EXPECT_IS(ftruncate(fd, FILE_LEN), 0);
    if (seals)
        EXPECT_IS(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* Each operation returns -1 with errno, or anything else. */
static long op_add_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
}

static long op_write_inside(int fd)
{
    return pwrite(fd, "x", 1, 100);
}

static long op_write_nothing(int fd)
{
    return pwrite(fd, "x", 0, 0);
}

static long op_shrink(int fd)
{
    return ftruncate(fd, PAGE);
}

static long op_grow(int fd)
{
    return ftruncate(fd, 2 * FILE_LEN);
}

static long op_same_size(int fd)
{
    return ftruncate(fd, FILE_LEN);
}

static long try_map(int fd, int prot, int flags)
{
    void *p = mmap(NULL, PAGE, prot, flags, fd, 0);

    return p == MAP_FAILED ? -1 : munmap(p, PAGE);
}

static long op_map_shared_rw(int fd)
{
    return try_map(fd, RW, MAP_SHARED);
}

static long op_map_shared_ro(int fd)
{
    return try_map(fd, PROT_READ, MAP_SHARED);
}

static long op_map_private_rw(int fd)
{
    return try_map(fd, RW, MAP_PRIVATE);
}

static void what_changes_nothing_is_never_refused(void)
{
    static long (*const operations[])(int fd) = {op_write_nothing, op_same_size, op_map_shared_ro,
                                                 op_map_private_rw};

    for (int seals = 0; seals < 0x40; seals++) {
        int fd = sealed(seals);
        for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
            EXPECT(operations[i](fd) != -1);
        close(fd);
    }
}

static void all_seals_together(void)
{
    int fd = sealed(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    char buf[4];

    EXPECT_IS(fcntl(fd, F_GET_SEALS), 15);
    EXPECT_ERR(op_write_inside(fd), EPERM);
    EXPECT_ERR(op_shrink(fd), EPERM);
    EXPECT_ERR(op_grow(fd), EPERM);
    EXPECT_ERR(op_add_seal(fd), EPERM);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, 0), EPERM);
    EXPECT_IS(op_same_size(fd), 0);
    EXPECT_IS(pread(fd, buf, 4, 0), 4);
    close(fd);
}

static void seals_add_up_and_stay(void)
{
    int fd = sealed(0);

    EXPECT_IS(fcntl(fd, F_GET_SEALS), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0); /* once more */
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, 0), 0);           /* takes nothing away */
    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    close(fd);
}

static void seals_belong_to_the_object(void)
{
    int fd = sealed(0), twin = dup(fd);

    EXPECT_IS(fcntl(twin, F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE);
    EXPECT_ERR(op_write_inside(fd), EPERM);
    close(twin);
    EXPECT_ERR(op_write_inside(fd), EPERM);
    close(fd);
}

static void bad_requests_are_told(void)
{
    int fd = sealed(0), closed = sealed(F_SEAL_SEAL), null = open("/dev/null", O_RDWR);

    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, 0x40), EINVAL);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | 0x1000), EINVAL);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), 0);
    EXPECT_ERR(fcntl(999, F_ADD_SEALS, 0), EBADF);
    EXPECT_ERR(fcntl(999, F_GET_SEALS), EBADF);
    EXPECT_ERR(fcntl(closed, F_ADD_SEALS, 0x40), EINVAL); /* the bits are looked at first */
    if (null >= 0) {
        EXPECT_ERR(fcntl(null, F_GET_SEALS), EINVAL);
        EXPECT_ERR(fcntl(null, F_ADD_SEALS, F_SEAL_SHRINK), EINVAL);
        close(null);
    }
    close(fd);
    close(closed);
}

static void files_with_names_cannot_be_sealed(void)
{
    static const char name[] = "/dev/shm/bulla-seals";
    int fd = open(name, O_CREAT | O_RDWR, 0600), reader = open(name, O_RDONLY);
    int nameless = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);

    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    EXPECT_IS(fcntl(reader, F_GET_SEALS), F_SEAL_SEAL);
    EXPECT_IS(fcntl(nameless, F_GET_SEALS), F_SEAL_SEAL);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, 0), EPERM);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, 0x40), EINVAL);
    EXPECT_ERR(fcntl(nameless, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    EXPECT_IS(unlink(name), 0);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    close(fd);
    close(reader);
    close(nameless);
}

static void upper_half_of_the_argument_means_nothing(void)
{
    int fd = sealed(0);

    EXPECT_IS(syscall(SYS_fcntl, fd, F_ADD_SEALS, 0x100000000 | F_SEAL_GROW), 0);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), F_SEAL_GROW);
    close(fd);
}

static void growing_write_stops_at_the_page_of_the_end(void)
{
    int fd = memfd_create("grow", MFD_ALLOW_SEALING);
    static char buf[8192];

    EXPECT_IS(ftruncate(fd, 6000), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    EXPECT_IS(pwrite(fd, buf, 8192, 0), 4096);
    EXPECT_ERR(pwrite(fd, buf, 3000, 4096), EPERM);
    EXPECT_IS(pwrite(fd, buf, 1904, 4096), 1904);
    EXPECT_ERR(pwrite(fd, buf, 1905, 4096), EPERM);
    EXPECT_ERR(pwrite(fd, buf, 1, 6000), EPERM);
    close(fd);
}

/* Try F_SEAL_WRITE while a mapping of one page lives. */
static void seal_while_mapped(int prot, int flags, int expected)
{
    int fd = sealed(0);
    void *p = mmap(NULL, PAGE, prot, flags, fd, 0);
    long result = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW);
    int seen = result == -1 ? errno : 0;

    EXPECT_IS(seen, expected);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), expected ? 0 : F_SEAL_WRITE | F_SEAL_GROW); /* or nothing */
    munmap(p, PAGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    close(fd);
}

static void writable_shared_mapping_keeps_the_seal_away(void)
{
    seal_while_mapped(RW, MAP_SHARED, EBUSY);
    seal_while_mapped(PROT_NONE, MAP_SHARED, EBUSY); /* it could become writable */
}

static void read_only_shared_mapping_does_too(void)
{
    if (linux_before(6, 7))
        SKIP("differs in older kernels");
    seal_while_mapped(PROT_READ, MAP_SHARED, EBUSY);
}

static void private_mappings_do_not(void)
{
    seal_while_mapped(RW, MAP_PRIVATE, 0);
    seal_while_mapped(PROT_READ, MAP_PRIVATE, 0);
}

static void other_seals_do_not_mind_mappings(void)
{
    int fd = sealed(0);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    p[0] = 'm';
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM); /* F_SEAL_SEAL comes before EBUSY */
    munmap(p, PAGE);
    close(fd);
}

static void every_part_of_a_mapping_counts(void)
{
    int fd = sealed(0);

    EXPECT_IS(ftruncate(fd, 5 * PAGE), 0);
    char *p = mmap(NULL, 5 * PAGE, RW, MAP_SHARED, fd, 0);
    munmap(p + 2 * PAGE, PAGE); /* two parts now */
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, 2 * PAGE);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    mprotect(p + 3 * PAGE, PAGE, PROT_READ); /* three, two */
    mprotect(p + 3 * PAGE, PAGE, RW);        /* and merged */
    munmap(p + 3 * PAGE, PAGE);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p + 4 * PAGE, PAGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    close(fd);
}

static void mapping_over_a_mapping_frees_it(void)
{
    int fd = sealed(0);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

    mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    munmap(p, PAGE);
    close(fd);
}

static void refused_mapping_leaves_no_trace(void)
{
    int fd = sealed(0);

    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, RW, MAP_SHARED, fd, 1L), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, 1UL << 47, RW, MAP_SHARED, fd, 0L), ENOMEM);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_ERR(op_map_shared_rw(fd), EPERM);
    EXPECT_ERR(op_map_shared_rw(fd), EPERM);
    close(fd);
}

static void mapping_of_a_child_counts_until_it_ends(void)
{
    int fd = sealed(0);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    volatile char *flag = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();

    if (child == 0) {
        while (!*flag)
            sched_yield();
        _exit(0);
    }
    munmap(p, PAGE);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    *flag = 1;
    EXPECT_IS(waitpid(child, NULL, 0), child);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    munmap((void *)flag, PAGE);
    close(fd);
}

static void sealed_bytes_show_through_private_mappings(void)
{
    int fd = sealed(0);
    char byte = 0;

    EXPECT_IS(pwrite(fd, "clay", 4, 0), 4);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
    EXPECT(!memcmp(p, "clay", 4));
    p[0] = 'p';
    EXPECT_IS(pread(fd, &byte, 1, 0), 1);
    EXPECT_IS(byte, 'c');
    munmap(p, PAGE);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(what_changes_nothing_is_never_refused),
    TEST(all_seals_together),
    TEST(seals_add_up_and_stay),
    TEST(seals_belong_to_the_object),
    TEST(bad_requests_are_told),
    TEST(files_with_names_cannot_be_sealed),
    TEST(upper_half_of_the_argument_means_nothing),
    TEST(growing_write_stops_at_the_page_of_the_end),
    TEST(writable_shared_mapping_keeps_the_seal_away),
    TEST(read_only_shared_mapping_does_too),
    TEST(private_mappings_do_not),
    TEST(other_seals_do_not_mind_mappings),
    TEST(every_part_of_a_mapping_counts),
    TEST(mapping_over_a_mapping_frees_it),
    TEST(refused_mapping_leaves_no_trace),
    TEST(mapping_of_a_child_counts_until_it_ends),
    TEST(sealed_bytes_show_through_private_mappings),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

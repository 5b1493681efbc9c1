/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_huge.c - secret memory in pages of 2 MiB and 1 GiB
 *
 * Room:   tests/user. On Linux, which has no such flag, all but the first is skipped.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: include/uapi/bulla.h; what each call says of a memfd of huge pages.
 * Tour:   after tests/user/secretmem_map.c and tests/user/hugetlb.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/bulla.h"
#include "secret.h"
#include "smaps.h"
#include <sys/resource.h>

#define HUGE   (2UL << 20)
#define UNITS  2
#define LENGTH (UNITS * HUGE)

static int fd;
static char *map;

static char *map_units(size_t len, int prot)
{
    char *p = mmap(NULL, len, prot, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool have_map(unsigned flags)
{
    fd = secret(SECRET_HUGETLB | flags);
    if (fd < 0)
        return false;
    EXPECT_IS(ftruncate(fd, LENGTH), 0);
    map = map_units(LENGTH, RW);
    EXPECT(map);
    return map;
}

#define WITH_MAP(flags)                \
    do {                               \
        if (!have_map(flags))          \
            SKIP("no secret is huge"); \
    } while (0)

static void end_map(void)
{
    munmap(map, LENGTH);
    close(fd);
}

static void sizes_are_asked_for_by_number(void)
{
    int plain = secret(0);

    NEED_SECRET(plain);
    close(plain);
    EXPECT_ERR(secret(SECRET_HUGE_2MB), EINVAL); /* without the flag it says of what */
    fd = secret(SECRET_HUGETLB);
    if (fd < 0) {
        EXPECT_ERR(secret(SECRET_HUGETLB), EINVAL);
        return;
    }
    close(fd);
    fd = secret(SECRET_HUGETLB | SECRET_HUGE_2MB);
    EXPECT(fd >= 0);
    close(fd);
    EXPECT_ERR(secret(SECRET_HUGETLB | 22U << SECRET_HUGE_SHIFT), ENODEV);
    EXPECT_ERR(secret(SECRET_HUGETLB | 12U << SECRET_HUGE_SHIFT), ENODEV);
    EXPECT_ERR(secret(SECRET_HUGETLB | 1U << SECRET_HUGE_SHIFT), ENODEV);
}

static void its_size_is_in_whole_pages(void)
{
    struct stat st = {0};

    fd = secret(SECRET_HUGETLB);
    if (fd < 0)
        SKIP("no secret is huge");
    EXPECT_ERR(ftruncate(fd, PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, HUGE + 1), EINVAL);
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT_ERR(ftruncate(fd, 2 * HUGE), EINVAL);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, HUGE);
    EXPECT_IS(st.st_blksize, HUGE);
    EXPECT_IS(st.st_blocks, 0);
    close(fd);
}

static long faults_so_far(void)
{
    struct rusage usage;

    EXPECT_IS(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

static void one_fault_brings_one_page(void)
{
    WITH_MAP(0);
    EXPECT_IS((uintptr_t)map % HUGE, 0);
    map[0] = 1;
    long before = faults_so_far();
    for (size_t at = PAGE; at < HUGE; at += PAGE)
        map[at] = (char)at;
    EXPECT(faults_so_far() - before <= 2);
    EXPECT_IS(secret_kib(fd), HUGE / 1024);
    EXPECT_IS(smaps(map, LENGTH, "Rss"), HUGE / 1024);
    end_map();
}

static void its_pages_begin_as_zeros_every_time(void)
{
    bool zeros = true;

    for (int round = 0; round < 3; round++) {
        WITH_MAP(0);
        for (size_t at = 0; at < LENGTH; at += 8)
            zeros &= *(uint64_t *)(map + at) == 0;
        memset(map, 0x5e, LENGTH);
        end_map();
    }
    EXPECT(zeros);
}

static void the_file_keeps_its_bytes(void)
{
    WITH_MAP(0);
    memset(map, 'h', LENGTH);
    munmap(map, LENGTH);
    map = map_units(LENGTH, PROT_READ);
    EXPECT(map && map[0] == 'h' && map[LENGTH - 1] == 'h');
    EXPECT(probe(map, PROBE_WRITE).sig == SIGSEGV);
    end_map();
}

static void it_ends_at_its_size(void)
{
    WITH_MAP(0);
    munmap(map, LENGTH);
    map = map_units(LENGTH + HUGE, RW);
    EXPECT(map);
    EXPECT(probe(map + LENGTH, PROBE_READ).sig == SIGBUS);
    munmap(map + LENGTH, HUGE);
    end_map();
}

static void it_is_mapped_and_unmapped_in_whole_pages(void)
{
    WITH_MAP(0);
    EXPECT_ERR(munmap(map, PAGE), EINVAL);
    EXPECT_ERR(mprotect(map, PAGE, PROT_READ), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, MAP_SHARED, fd, PAGE), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, map + PAGE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0L), EINVAL);
    EXPECT_IS(mprotect(map, HUGE, PROT_READ), 0);
    EXPECT(probe(map, PROBE_WRITE).sig == SIGSEGV);
    EXPECT(!probe(map + HUGE, PROBE_WRITE).sig);
    EXPECT_IS(munmap(map, HUGE), 0);
    EXPECT_IS(map[HUGE], 1);
    EXPECT(probe(map, PROBE_READ).sig == SIGSEGV);
    end_map();
}

static void its_rules_are_those_of_small_secrets(void)
{
    WITH_MAP(0);
    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, RW, MAP_PRIVATE, fd, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_mmap, 0L, HUGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0L), EPERM);
    EXPECT_ERR(mprotect(map, HUGE, PROT_READ | PROT_EXEC), EACCES);
    EXPECT_ERR(madvise(map, HUGE, MADV_DONTNEED), EINVAL);
    EXPECT_ERR(madvise(map, HUGE, MADV_REMOVE), EINVAL);
    EXPECT_ERR(mlock(map, HUGE), ENOMEM);
    EXPECT_IS(munlock(map, HUGE), 0);
    EXPECT_ERR(msync(map, HUGE, MS_SYNC), EINVAL);
    EXPECT_ERR(fcntl(fd, F_GET_SEALS), EINVAL);
    EXPECT_ERR(open(proc_name(fd), O_RDONLY), ENXIO);
    end_map();
}

static void nobody_else_reaches_it(void)
{
    char byte;
    struct iovec {
        void *base;
        size_t len;
    } local = {&byte, 1}, remote = {0};
    int ends[2];

    WITH_MAP(0);
    map[5] = 's';
    remote = (struct iovec){map + 5, 1};
    EXPECT_ERR(syscall(SYS_process_vm_readv, getpid(), &local, 1L, &remote, 1L, 0L), EFAULT);
    EXPECT_IS(pipe(ends), 0);
    EXPECT_ERR(syscall(SYS_vmsplice, ends[1], &remote, 1L, 0L), EFAULT);
    EXPECT_IS(write(ends[1], map + 5, 1), 1);
    close(ends[0]);
    close(ends[1]);
    end_map();
}

static void child_writes(void)
{
    map[HUGE + 7] = 'c';
}

static void children_share_it(void)
{
    WITH_MAP(0);
    in_child(child_writes);
    EXPECT_IS(map[HUGE + 7], 'c');
    end_map();
}

static void it_moves_as_a_whole(void)
{
    WITH_MAP(0);
    map[9] = 'm';
    char *to = place_of_units(LENGTH);
    char *moved = mremap(map, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    EXPECT(moved == to);
    if (moved == to) {
        EXPECT_IS(moved[9], 'm');
        map = moved;
    }
    end_map();
}

static void advice_does_no_harm(void)
{
    static const int advice[] = {MADV_WILLNEED,
                                 MADV_MERGEABLE,
                                 MADV_HUGEPAGE,
                                 MADV_NOHUGEPAGE,
                                 MADV_DODUMP,
                                 MADV_DONTDUMP,
                                 24 /* DONTNEED_LOCKED */,
                                 MADV_COLLAPSE,
                                 102 /* guards */,
                                 103,
                                 22 /* populate */};

    WITH_MAP(0);
    memset(map, 'a', LENGTH);
    for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++) {
        madvise(map, HUGE, advice[i]);
        madvise(map + HUGE + PAGE, 3 * PAGE, advice[i]);
        EXPECT(map[3] == 'a' && map[HUGE + PAGE] == 'a');
    }
    end_map();
}

static void it_can_be_sealed_and_strict(void)
{
    char byte = 0;
    int file = memfd_create("plain", 0);

    WITH_MAP(SECRET_ALLOW_SEALING | SECRET_STRICT);
    map[0] = 'b';
    EXPECT_ERR(write(file, map, 1), EFAULT);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(map, LENGTH);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
    EXPECT(!map_units(LENGTH, RW));
    map = map_units(LENGTH, PROT_READ);
    EXPECT(map && map[0] == 'b');
    EXPECT_ERR(write(file, map, 1), EFAULT);
    EXPECT_IS(pread(file, &byte, 1, 0), 0);
    close(file);
    end_map();
}

static void as_limited(void)
{
    const struct rlimit limit = {HUGE, HUGE};

    EXPECT_IS(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    become_nobody();
    fd = secret(SECRET_HUGETLB);
    EXPECT_IS(ftruncate(fd, LENGTH), 0);
    EXPECT(!map_units(LENGTH, RW) && errno == EAGAIN);
    EXPECT(map_units(PAGE, RW)); /* a page of it is as long */
    EXPECT(!map_units(PAGE, RW) && errno == EAGAIN);
}

static void whole_pages_count_as_locked(void)
{
    NEED_ROOT;
    WITH_MAP(0);
    end_map();
    in_child(as_limited);
}

static void pages_of_a_gigabyte_work_where_there_is_room(void)
{
    fd = secret(SECRET_HUGETLB | SECRET_HUGE_1GB);
    if (fd < 0)
        SKIP("no page is of 1 GiB");
    EXPECT_ERR(ftruncate(fd, HUGE), EINVAL);
    EXPECT_IS(ftruncate(fd, 1L << 30), 0);
    map = map_units(1UL << 30, RW);
    EXPECT(map);
    struct fault f = probe(map, PROBE_WRITE); /* or there is no room */
    EXPECT(!f.sig || f.sig == SIGBUS);
    munmap(map, 1UL << 30);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(sizes_are_asked_for_by_number),
    TEST(its_size_is_in_whole_pages),
    TEST(one_fault_brings_one_page),
    TEST(its_pages_begin_as_zeros_every_time),
    TEST(the_file_keeps_its_bytes),
    TEST(it_ends_at_its_size),
    TEST(it_is_mapped_and_unmapped_in_whole_pages),
    TEST(its_rules_are_those_of_small_secrets),
    TEST(nobody_else_reaches_it),
    TEST(children_share_it),
    TEST(it_moves_as_a_whole),
    TEST(advice_does_no_harm),
    TEST(it_can_be_sealed_and_strict),
    TEST(whole_pages_count_as_locked),
    TEST(pages_of_a_gigabyte_work_where_there_is_room),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

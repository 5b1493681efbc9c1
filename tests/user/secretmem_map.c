/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_map.c - mappings of secret memory: which there can be, what becomes of them
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_secret(2), mmap(2), mprotect(2), madvise(2), mremap(2); Linux, observed.
 * Tour:   after tests/user/secretmem_fd.c.
 */
#define _GNU_SOURCE
#include "secret.h"
#include <sys/personality.h>
#include <sys/resource.h>

#define MADV_COLLAPSE       25
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#define MADV_GUARD_INSTALL  102
#define MADV_GUARD_REMOVE   103
#define KEEP_MAPPED         4 /* MREMAP_DONTUNMAP */

/* A secret file of @PAGES, mapped. */
#define PAGES 4
static int fd;
static char *map;

static bool have_map(void)
{
    fd = secret_file(PAGES);
    if (fd < 0)
        return false;
    map = secret_map(fd, PAGES);
    return true;
}

#define WITH_MAP                     \
    do {                             \
        if (!have_map())             \
            SKIP("no memfd_secret"); \
    } while (0)

static void end_map(void)
{
    munmap(map, PAGES * PAGE);
    close(fd);
}

static long map_result(uint64_t offset, int prot, int flags)
{
    return syscall(SYS_mmap, 0L, PAGE, prot, flags, fd, offset);
}

/* Which can be made */

static void only_shared_mappings_exist(void)
{
    WITH_MAP;
    EXPECT_ERR(map_result(0, RW, MAP_PRIVATE), EINVAL);
    EXPECT_ERR(map_result(0, PROT_READ, MAP_PRIVATE), EINVAL);
    EXPECT_ERR(map_result(0, PROT_NONE, MAP_PRIVATE), EINVAL);
    EXPECT_ERR(map_result(0, RW, MAP_PRIVATE | MAP_POPULATE), EINVAL);
    end_map();
}

static void no_mapping_is_code(void)
{
    WITH_MAP;
    EXPECT_ERR(map_result(0, PROT_READ | PROT_EXEC, MAP_SHARED), EPERM);
    EXPECT_ERR(map_result(0, PROT_EXEC, MAP_SHARED), EPERM);
    EXPECT_ERR(map_result(0, RW | PROT_EXEC, MAP_PRIVATE), EPERM);
    EXPECT_ERR(map_result(0, RW | PROT_EXEC, MAP_SHARED_VALIDATE), EPERM);
    end_map();
}

static void no_mapping_becomes_code(void)
{
    WITH_MAP;
    EXPECT_ERR(mprotect(map, PAGE, PROT_READ | PROT_EXEC), EACCES);
    EXPECT_ERR(mprotect(map, PAGE, PROT_EXEC), EACCES);
    EXPECT_ERR(syscall(SYS_pkey_mprotect, map, PAGE, PROT_READ | PROT_EXEC, -1), EACCES);
    *map = (char)0xc3;
    EXPECT(probe(map, PROBE_CALL).sig == SIGSEGV);
    end_map();
}

static void reading_means_executing(void)
{
    EXPECT(personality(READ_IMPLIES_EXEC) >= 0);
    char *p = secret_map(fd, PAGES);
    EXPECT_IS(*p, (char)0xc3);
    EXPECT(probe(p, PROBE_CALL).sig == SIGSEGV);
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT(probe(p, PROBE_CALL).sig == SIGSEGV);
}

static void reading_never_means_executing(void)
{
    WITH_MAP;
    *map = (char)0xc3;
    in_child(reading_means_executing);
    end_map();
}

static void kinds_of_shared_mappings(void)
{
    static const int kinds[] = {MAP_SHARED, MAP_SHARED | MAP_POPULATE, MAP_SHARED | MAP_LOCKED,
                                MAP_SHARED | MAP_NORESERVE, MAP_SHARED_VALIDATE};

    WITH_MAP;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char *p = mmap(NULL, PAGE, RW, kinds[i], fd, PAGE);
        EXPECT(p != MAP_FAILED);
        p[0] = (char)i;
        EXPECT_IS(map[PAGE], (char)i);
        munmap(p, PAGE);
    }
    EXPECT_ERR(map_result(0, RW, MAP_SHARED | MAP_GROWSDOWN), EINVAL);
    EXPECT_ERR(map_result(0, RW, MAP_SHARED_VALIDATE | MAP_SYNC), EOPNOTSUPP);
    EXPECT_ERR(map_result(1, RW, MAP_SHARED), EINVAL);
    end_map();
}

static void populating_makes_no_page(void)
{
    unsigned char there = 1;

    WITH_MAP;
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
    EXPECT_IS(mincore(p, PAGE, &there), 0);
    EXPECT_IS(there & 1, 0);
    *p = 1;
    EXPECT_IS(mincore(p, PAGE, &there), 0);
    EXPECT_IS(there & 1, 1);
    munmap(p, PAGE);
    end_map();
}

/* Pages, and where they end */

static void a_file_can_be_mapped_before_it_has_a_size(void)
{
    fd = secret(0);
    NEED_SECRET(fd);
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    EXPECT(probe(p, PROBE_WRITE).sig == SIGBUS);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT(!probe(p, PROBE_WRITE).sig);
    struct fault f = probe(p + PAGE, PROBE_READ);
    EXPECT(f.sig == SIGBUS && (!f.details || (f.code == BUS_ADRERR && f.addr == p + PAGE)));
    munmap(p, 2 * PAGE);
    close(fd);
}

static void the_last_page_is_whole(void)
{
    fd = secret(0);
    NEED_SECRET(fd);
    EXPECT_IS(ftruncate(fd, PAGE + 1), 0);
    char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    p[PAGE] = 1;
    p[2 * PAGE - 1] = 2;
    EXPECT_IS(p[PAGE + 1], 0);
    EXPECT(probe(p + 2 * PAGE, PROBE_READ).sig == SIGBUS);
    munmap(p, 3 * PAGE);
    close(fd);
}

static void pages_begin_as_zeros_and_keep_their_bytes(void)
{
    bool zeros = true;

    WITH_MAP;
    for (size_t i = 0; i < PAGES * PAGE; i += 512)
        zeros &= map[i] == 0;
    EXPECT(zeros);
    memset(map, 's', PAGES * PAGE);
    munmap(map, PAGES * PAGE);
    map = secret_map(fd, PAGES);
    EXPECT(map[0] == 's' && map[PAGES * PAGE - 1] == 's'); /* the file kept them */
    end_map();
}

static long faults_so_far(void)
{
    struct rusage usage;

    EXPECT_IS(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

static void pages_come_when_they_are_touched(void)
{
    WITH_MAP;
    long before = faults_so_far();
    for (size_t i = 0; i < PAGES; i++)
        ((volatile char *)map)[i * PAGE] = 1;
    EXPECT(faults_so_far() - before >= PAGES);
    end_map();
}

static void mappings_of_one_file_show_one_secret(void)
{
    WITH_MAP;
    char *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    map[77] = 't';
    EXPECT_IS(other[77], 't');
    EXPECT(probe(other, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_IS(mprotect(other, PAGE, RW), 0); /* the descriptor may write */
    other[77] = 'u';
    EXPECT_IS(map[77], 'u');
    munmap(other, PAGE);
    end_map();
}

static void a_mapping_outlives_the_descriptor(void)
{
    WITH_MAP;
    map[0] = 'o';
    close(fd);
    EXPECT_IS(map[0], 'o');
    map[PAGE] = 'p';
    munmap(map, PAGES * PAGE);
}

static void offsets_are_those_of_the_file(void)
{
    WITH_MAP;
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, (PAGES - 1) * PAGE);
    map[(PAGES - 1) * PAGE] = 'l';
    EXPECT_IS(p[0], 'l');
    EXPECT(probe(p + PAGE, PROBE_READ).sig == SIGBUS);
    munmap(p, 2 * PAGE);
    end_map();
}

static void secrets_come_and_go(void)
{
    bool zero = true;

    NEED_SECRET(secret(0));
    for (int round = 0; round < 50; round++) {
        if (!have_map())
            break;
        close(fd);
        for (size_t i = 0; i < PAGES; i++)
            zero &= map[i * PAGE + 9] == 0;
        memset(map, 0x5e, PAGES * PAGE);
        munmap(map, PAGES * PAGE);
    }
    EXPECT(zero);
}

/* Rights */

static void rights_change_within_reading_and_writing(void)
{
    WITH_MAP;
    *map = 1;
    EXPECT_IS(mprotect(map, PAGE, PROT_READ), 0);
    EXPECT(probe(map, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_IS(mprotect(map, PAGE, PROT_NONE), 0);
    EXPECT(probe(map, PROBE_READ).sig == SIGSEGV);
    EXPECT_IS(mprotect(map, PAGE, RW), 0);
    EXPECT_IS(*map, 1);
    EXPECT(!probe(map, PROBE_WRITE).sig);
    end_map();
}

/* Advice */

struct advised {
    int advice, error; /* 0: it is taken */
};

static const struct advised advice[] = {
    {MADV_NORMAL, 0},
    {MADV_RANDOM, 0},
    {MADV_SEQUENTIAL, 0},
    {MADV_WILLNEED, 0},
    {MADV_DONTNEED, EINVAL},
    {MADV_FREE, EINVAL},
    {MADV_REMOVE, EINVAL},
    {MADV_DONTFORK, 0},
    {MADV_DOFORK, 0},
    {MADV_MERGEABLE, 0},
    {MADV_UNMERGEABLE, 0},
    {MADV_HUGEPAGE, 0},
    {MADV_NOHUGEPAGE, 0},
    {MADV_DODUMP, 0},
    {MADV_DONTDUMP, 0},
    {MADV_WIPEONFORK, EINVAL},
    {MADV_KEEPONFORK, 0},
    {MADV_COLD, EINVAL},
    {MADV_PAGEOUT, EINVAL},
    {MADV_POPULATE_READ, EINVAL},
    {MADV_POPULATE_WRITE, EINVAL},
    {MADV_COLLAPSE, EINVAL},
    {MADV_GUARD_INSTALL, EINVAL},
    {MADV_GUARD_REMOVE, 0},
    {24 /* MADV_DONTNEED_LOCKED */, 0}, /* leaves go, the file keeps the bytes */
};

static void advice_loses_nothing(void)
{
    if (linux_before(6, 18))
        SKIP("differs in older kernels");
    WITH_MAP;
    memset(map, 'k', PAGES * PAGE);
    for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++) {
        int error = madvise(map, PAGES * PAGE, advice[i].advice) ? errno : 0;
        if (error != advice[i].error)
            printf("# advice %d: %d, not %d\n", advice[i].advice, error, advice[i].error);
        EXPECT(error == advice[i].error);
        EXPECT_IS(map[3], 'k');
    }
    end_map();
}

static void nothing_is_synchronised(void)
{
    WITH_MAP;
    EXPECT_ERR(msync(map, PAGE, MS_SYNC), EINVAL);
    EXPECT_IS(msync(map, PAGE, MS_ASYNC), 0);
    EXPECT_ERR(msync(map, PAGE, MS_INVALIDATE), EBUSY);
    end_map();
}

/* Places */

static void it_grows_beyond_its_file(void)
{
    WITH_MAP;
    map[0] = 'm';
    char *p = mremap(map, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
    EXPECT(p != MAP_FAILED);
    EXPECT_IS(p[0], 'm');
    EXPECT(probe(p + PAGES * PAGE, PROBE_READ).sig == SIGBUS);
    munmap(p, 2 * PAGES * PAGE);
    close(fd);
}

static void it_shrinks_where_it_is(void)
{
    WITH_MAP;
    map[0] = 'm';
    EXPECT(mremap(map, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE) == map);
    EXPECT(mremap(map, PAGES * PAGE, 2 * PAGE, 0) == map);
    EXPECT(probe(map + 2 * PAGE, PROBE_READ).sig == SIGSEGV);
    EXPECT_IS(map[0], 'm');
    end_map();
}

static void it_moves_to_where_it_is_told(void)
{
    WITH_MAP;
    char *to = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map[0] = 'm';
    EXPECT(mremap(map, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT_IS(to[0], 'm');
    EXPECT(probe(map, PROBE_READ).sig == SIGSEGV);
    map = to;
    end_map();
}

static void a_second_mapping_is_made_by_mremap(void)
{
    WITH_MAP;
    map[0] = 'm';
    char *second = mremap(map, 0, PAGES * PAGE, MREMAP_MAYMOVE);
    EXPECT(second != MAP_FAILED && second != map);
    EXPECT_IS(second[0], 'm');
    munmap(second, PAGES * PAGE);
    end_map();
}

static void its_place_can_be_kept(void)
{
    WITH_MAP;
    map[0] = 'm';
    char *p = mremap(map, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | KEEP_MAPPED);
    EXPECT(p != MAP_FAILED);
    if (p != MAP_FAILED) {
        EXPECT_IS(p[0], 'm');
        EXPECT_IS(map[0], 'm'); /* comes again from the file */
        munmap(p, PAGES * PAGE);
    }
    end_map();
}

static void a_part_can_be_unmapped(void)
{
    WITH_MAP;
    memset(map, 'p', PAGES * PAGE);
    EXPECT_IS(munmap(map + PAGE, PAGE), 0);
    EXPECT(probe(map + PAGE, PROBE_READ).sig == SIGSEGV);
    EXPECT_IS(map[2 * PAGE], 'p');
    char *again = mmap(map + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE);
    EXPECT(again == map + PAGE);
    EXPECT_IS(*again, 'p');
    end_map();
}

static void mincore_tells_what_was_touched(void)
{
    unsigned char there[PAGES] = {0};

    WITH_MAP;
    map[PAGE] = 1;
    EXPECT_IS(mincore(map, PAGES * PAGE, there), 0);
    EXPECT(!(there[0] & 1) && (there[1] & 1) && !(there[2] & 1));
    end_map();
}

static const struct ktap_test tests[] = {
    TEST(only_shared_mappings_exist),
    TEST(no_mapping_is_code),
    TEST(no_mapping_becomes_code),
    TEST(reading_never_means_executing),
    TEST(kinds_of_shared_mappings),
    TEST(populating_makes_no_page),
    TEST(a_file_can_be_mapped_before_it_has_a_size),
    TEST(the_last_page_is_whole),
    TEST(pages_begin_as_zeros_and_keep_their_bytes),
    TEST(pages_come_when_they_are_touched),
    TEST(mappings_of_one_file_show_one_secret),
    TEST(a_mapping_outlives_the_descriptor),
    TEST(offsets_are_those_of_the_file),
    TEST(secrets_come_and_go),
    TEST(rights_change_within_reading_and_writing),
    TEST(advice_loses_nothing),
    TEST(nothing_is_synchronised),
    TEST(it_grows_beyond_its_file),
    TEST(it_shrinks_where_it_is),
    TEST(it_moves_to_where_it_is_told),
    TEST(a_second_mapping_is_made_by_mremap),
    TEST(its_place_can_be_kept),
    TEST(a_part_can_be_unmapped),
    TEST(mincore_tells_what_was_touched),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

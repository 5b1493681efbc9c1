/* SPDX-License-Identifier: MIT */
/*
 * tests/user/thp_shared.c - huge pages in memory objects: collapsed, mapped by many, cut, truncated
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: madvise(2) MADV_COLLAPSE; memfd_create(2); fallocate(2); proc_pid_smaps(5).
 * Tour:   after tests/user/thp.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <sys/mman.h>
#include <sys/stat.h>

#define COLLAPSE 25
#define PUNCH    3 /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */
#define HUGE     (512 * PAGE)
#define RW       PROT_READ | PROT_WRITE

#define HUGE_KIB(p, units) smaps((p), (units)*HUGE, "ShmemPmdMapped")
#define RSS_KIB(p, units)  smaps((p), (units)*HUGE, "Rss")

/* Map @units at an aligned place. */
static char *map(int fd, size_t units, int prot, int flags)
{
    char *at = place_of_units(units * HUGE);

    return mmap(at, units * HUGE, prot, flags | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

static void mark(char *p, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        *(size_t *)(p + i * PAGE) = i + 1;
}

static bool marked(const char *p, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (*(const volatile size_t *)(p + i * PAGE) != i + 1)
            return false;
    return true;
}

/* A memfd of @units with marks, collapsed and mapped in *@p. */
static int huge_file(size_t units, char **p)
{
    int fd = memfd_create("huge", MFD_ALLOW_SEALING);

    EXPECT_IS(ftruncate(fd, units * HUGE), 0);
    *p = map(fd, units, RW, MAP_SHARED);
    mark(*p, units * 512);
    EXPECT_IS(madvise(*p, units * HUGE, COLLAPSE), 0);
    return fd;
}

static void collapse_maps_a_huge_page(void)
{
    char *p, *q;
    int fd = huge_file(2, &p);

    EXPECT_IS(HUGE_KIB(p, 2), 4096);
    EXPECT(marked(p, 0, 1024));
    EXPECT_IS(kib_of(fd), 4096);
    EXPECT_IS(madvise(p, 2 * HUGE, COLLAPSE), 0);
    q = map(fd, 2, PROT_READ, MAP_SHARED); /* others get it by a fault */
    EXPECT(look(q + HUGE) == 1 && HUGE_KIB(q, 2) == 2048);
    p[5] = 77;
    EXPECT(look(q + 5) == 77 && marked(q, 1, 1024));
    EXPECT_IS(probe(q, PROBE_WRITE).sig, SIGSEGV);
    munmap(p, 2 * HUGE);
    munmap(q, 2 * HUGE);
    close(fd);
}

static void collapse_fills_holes(void)
{
    int fd = memfd_create("holes", 0);
    char *p = map(fd, 2, RW, MAP_SHARED);

    EXPECT_IS(ftruncate(fd, 2 * HUGE), 0);
    EXPECT_ERR(madvise(p, HUGE, COLLAPSE), EINVAL); /* nothing but hole */
    p[7 * PAGE] = 7;
    EXPECT_IS(kib_of(fd), 4);
    EXPECT_ERR(madvise(p, 2 * HUGE, COLLAPSE), EINVAL); /* the second is */
    EXPECT_IS(kib_of(fd), 2048);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT(p[7 * PAGE] == 7 && p[6 * PAGE] == 0 && p[511 * PAGE] == 0);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void shared_anonymous_memory_collapses_too(void)
{
    char *p = map(-1, 1, RW, MAP_SHARED);
    int status;

    mark(p, 512);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    pid_t child = fork();
    if (child == 0) {
        p[9] = 9;
        _exit(HUGE_KIB(p, 1) == 2048 && marked(p, 1, 512) ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT(p[9] == 9 && marked(p, 1, 512));
    munmap(p, HUGE);
}

static void file_is_read_and_written_by_calls(void)
{
    static char copy[HUGE];
    char *p;
    int fd = huge_file(1, &p);

    EXPECT_IS(pread(fd, copy, HUGE, 0), HUGE);
    EXPECT(!memcmp(copy, p, HUGE));
    EXPECT_IS(pwrite(fd, "seven", 5, 7 * PAGE + 100), 5);
    EXPECT(!memcmp(p + 7 * PAGE + 100, "seven", 5));
    EXPECT_IS(lseek(fd, 0, SEEK_HOLE), HUGE);
    munmap(p, HUGE);
    EXPECT_IS(pread(fd, copy, HUGE, 0), HUGE);
    EXPECT(marked(copy, 0, 512) && !memcmp(copy + 7 * PAGE + 100, "seven", 5));
    close(fd);
}

static void parts_are_taken_out_of_the_mapping(void)
{
    char *p;
    int fd = huge_file(1, &p);

    EXPECT_IS(madvise(p + PAGE, PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(RSS_KIB(p, 1), 0); /* what an object has comes again */
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(probe(p + PAGE + 8, PROBE_WRITE).sig, SIGSEGV);
    p[2 * PAGE + 8] = 1;
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT_IS(munmap(p + 8 * PAGE, PAGE), 0);
    EXPECT(marked(p, 0, 8) && marked(p, 9, 512));
    munmap(p, HUGE);
    close(fd);
}

static void rights_of_the_whole_keep_it_whole(void)
{
    char *p;
    int fd = huge_file(1, &p);

    EXPECT_IS(mprotect(p, HUGE, PROT_READ), 0);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_IS(probe(p, PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(mprotect(p, HUGE, RW), 0);
    mark(p, 512);
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    munmap(p, HUGE);
    close(fd);
}

static void hole_frees_its_page(void)
{
    char *p, *q;
    int fd = huge_file(2, &p);

    q = map(fd, 2, PROT_READ, MAP_SHARED);
    EXPECT(marked(q, 0, 1024));
    EXPECT_IS(fallocate(fd, PUNCH, 10 * PAGE, 3 * PAGE), 0);
    EXPECT_IS(kib_of(fd), 4096 - 12);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT(look(p + 10 * PAGE) == 0 && look(q + 12 * PAGE) == 0);
    EXPECT(marked(p, 0, 10) && marked(p, 13, 1024) && marked(q, 13, 1024));
    p[10 * PAGE] = 10;
    EXPECT(look(q + 10 * PAGE) == 10);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    EXPECT_IS(HUGE_KIB(p, 2), 4096);
    EXPECT(look(p + 10 * PAGE) == 10 && look(q + 10 * PAGE) == 10 && marked(q, 13, 1024));
    munmap(p, 2 * HUGE);
    munmap(q, 2 * HUGE);
    close(fd);
}

static void truncation_cuts_it(void)
{
    char *p;
    int fd = huge_file(2, &p);

    EXPECT_IS(ftruncate(fd, HUGE + 100 * PAGE + 5), 0);
    EXPECT_IS(kib_of(fd), 2048 + 404);
    EXPECT_IS(HUGE_KIB(p, 2), 2048);
    EXPECT(marked(p, 0, 612));
    EXPECT_IS(probe(p + 613 * PAGE, PROBE_READ).sig, SIGBUS);
    EXPECT_IS(ftruncate(fd, 2 * HUGE), 0);
    EXPECT(look(p + 700 * PAGE) == 0 && look(p + 1023 * PAGE) == 0);
    EXPECT_IS(*(size_t *)(p + 612 * PAGE) & ~0xffUL, (size_t)613 & ~0xffUL);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(kib_of(fd), 0);
    EXPECT_IS(RSS_KIB(p, 2), 0);
    EXPECT_IS(probe(p, PROBE_READ).sig, SIGBUS);
    munmap(p, 2 * HUGE);
    close(fd);
}

static void private_mapping_shows_it_and_copies_pages(void)
{
    char *p, *q;
    int fd = huge_file(1, &p);

    q = map(fd, 1, RW, MAP_PRIVATE);
    EXPECT(marked(q, 0, 1));
    EXPECT_IS(HUGE_KIB(q, 1), 2048);
    *(size_t *)(q + 3 * PAGE) = 33;
    EXPECT_IS(HUGE_KIB(q, 1), 0);
    EXPECT(marked(q, 0, 3) && marked(q, 4, 512) && *(size_t *)(q + 3 * PAGE) == 33);
    EXPECT(marked(p, 0, 512));
    p[9 * PAGE + 8] = 9;
    EXPECT(look(q + 9 * PAGE + 8) == 9);
    EXPECT_ERR(madvise(q, HUGE, COLLAPSE), EINVAL); /* it has a page of its own */
    EXPECT(*(size_t *)(q + 3 * PAGE) == 33);
    EXPECT_IS(fallocate(fd, PUNCH, 0, HUGE), 0);
    EXPECT(*(size_t *)(q + 3 * PAGE) == 33 && look(q + 4 * PAGE) == 0);
    munmap(p, HUGE);
    munmap(q, HUGE);
    close(fd);
}

static void places_must_correspond(void)
{
    int fd = memfd_create("skew", 0);
    char *p = map(fd, 2, RW, MAP_SHARED), *q;

    EXPECT_IS(ftruncate(fd, 4 * HUGE), 0);
    mark(p, 1024);
    EXPECT_IS(madvise(p, HUGE, COLLAPSE), 0);
    q = mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE);
    EXPECT_ERR(madvise(q, HUGE, COLLAPSE), EINVAL);
    EXPECT(*(size_t *)q == 2 && *(size_t *)(q + 510 * PAGE) == 512);
    EXPECT_IS(HUGE_KIB(q, 1), 0);
    munmap(p, 2 * HUGE);
    p = map(fd, 1, RW, MAP_SHARED);
    EXPECT_IS(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    munmap(p, HUGE);
    close(fd);
}

static void moves_whole_or_comes_again(void)
{
    char *p, *to = map(-1, 3, PROT_NONE, MAP_PRIVATE);
    int fd = huge_file(1, &p);

    EXPECT(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT_IS(HUGE_KIB(to, 1), 2048);
    p = to;
    EXPECT(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + HUGE + PAGE) ==
           to + HUGE + PAGE);
    p = to + HUGE + PAGE;
    EXPECT_IS(HUGE_KIB(p, 1), 0);
    EXPECT(marked(p, 0, 512));
    p[8] = 1;
    munmap(p, HUGE);
    munmap(to, 3 * HUGE);
    close(fd);
}

static void seals_hold(void)
{
    char *p, *q;
    int fd = huge_file(1, &p);

    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, HUGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), 0);
    EXPECT_ERR(ftruncate(fd, PAGE), EPERM);
    EXPECT_ERR(fallocate(fd, PUNCH, 0, PAGE), EPERM);
    p = map(fd, 1, PROT_READ, MAP_SHARED);
    EXPECT(marked(p, 0, 512));
    EXPECT_IS(HUGE_KIB(p, 1), 2048);
    EXPECT_ERR(mprotect(p, HUGE, RW), EACCES);
    q = map(fd, 1, RW, MAP_PRIVATE);
    EXPECT(look(q) == 1);
    mark(q + PAGE, 511);
    EXPECT(marked(p, 0, 512) && marked(q + PAGE, 0, 511));
    munmap(p, HUGE);
    munmap(q, HUGE);
    close(fd);
}

static void fork_of_private_copies_keeps_them_apart(void)
{
    char *p, *q;
    int fd = huge_file(1, &p), status;

    q = map(fd, 1, RW, MAP_PRIVATE);
    EXPECT(marked(q, 0, 512));
    *(size_t *)(q + 5 * PAGE) = 55;
    pid_t child = fork();
    if (child == 0) {
        *(size_t *)(q + 6 * PAGE) = 66;
        _exit(*(size_t *)(q + 5 * PAGE) == 55 && marked(q, 0, 5) && marked(q, 7, 512) ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT(*(size_t *)(q + 6 * PAGE) == 7 && *(size_t *)(q + 5 * PAGE) == 55);
    EXPECT(marked(p, 0, 512));
    munmap(p, HUGE);
    munmap(q, HUGE);
    close(fd);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(collapse_maps_a_huge_page),
        TEST(collapse_fills_holes),
        TEST(shared_anonymous_memory_collapses_too),
        TEST(file_is_read_and_written_by_calls),
        TEST(parts_are_taken_out_of_the_mapping),
        TEST(rights_of_the_whole_keep_it_whole),
        TEST(hole_frees_its_page),
        TEST(truncation_cuts_it),
        TEST(private_mapping_shows_it_and_copies_pages),
        TEST(places_must_correspond),
        TEST(moves_whole_or_comes_again),
        TEST(seals_hold),
        TEST(fork_of_private_copies_keeps_them_apart),
    };

    huge_pages_allow();
    return KTAP_MAIN(tests);
}

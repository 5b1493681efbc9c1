/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mprotect_rows.c - mprotect: which of two mistakes is told, and what was done by then
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18; (2) each test is a process of its own.
 * Source: mprotect(2), pkey_mprotect(2), personality(2).
 * Tour:   after tests/user/mprotect.c.
 */
#define _GNU_SOURCE
#include "pkeys.h"
#include <sys/personality.h>
#include <sys/resource.h>

#define GROWS_DOWN 0x01000000
#define GROWS_UP   0x02000000
#define SEM        8
#define UNKNOWN    0x40
#define FIXED      (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#define SYS_SECRET 447

static long protect(const void *addr, size_t len, int prot)
{
    return syscall(SYS_mprotect, addr, len, prot);
}

/* The rights of the area at @addr as maps shows them, "rw-p"; "": there is none. */
static const char *rights_at(const void *addr)
{
    static char rights[8];
    char line[512];
    FILE *file = fopen("/proc/self/maps", "r");

    rights[0] = '\0';
    while (file && fgets(line, sizeof(line), file)) {
        unsigned long start, end;
        char seen[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, seen) == 3 && (unsigned long)addr >= start &&
            (unsigned long)addr < end)
            strcpy(rights, seen);
    }
    if (file)
        fclose(file);
    return rights;
}

#define EXPECT_RIGHTS(addr, wanted) EXPECT(!strcmp(rights_at(addr), wanted))

/* A file that may be read, mapped shared to read: it can never be written through. */
static unsigned char *map_never_written(unsigned char *at, size_t pages)
{
    int fd = (int)syscall(SYS_memfd_create, "file", 0), reader;
    char path[32];

    if (ftruncate(fd, (off_t)(pages * PAGE)))
        return NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    reader = open(path, O_RDONLY);
    unsigned char *p = mmap(at, pages * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 0);
    close(fd);
    close(reader);
    return p;
}

static void growing_up(void)
{
    unsigned char *p = area_map(2, RW);

    EXPECT_ERR(protect(p, PAGE, RW | GROWS_UP), EINVAL);
    EXPECT_ERR(protect(p + 1, PAGE, RW | GROWS_UP), EINVAL);
    EXPECT_IS(protect(p, 0, RW | GROWS_UP), 0);
    EXPECT_ERR(protect(p + 2 * PAGE, PAGE, RW | GROWS_UP), ENOMEM);
    EXPECT_ERR(protect(p - PAGE, 2 * PAGE, RW | GROWS_UP), ENOMEM);
    EXPECT_ERR(protect(p + PAGE, 2 * PAGE, RW | GROWS_UP), EINVAL);
    EXPECT_ERR(protect(p, PAGE, RW | GROWS_UP | UNKNOWN), EINVAL);
    EXPECT_ERR(protect(p, -PAGE, RW | GROWS_UP | UNKNOWN), ENOMEM);
    EXPECT_ERR(protect(p, PAGE, RW | GROWS_UP | GROWS_DOWN), EINVAL);
    EXPECT_ERR(key_protect(p + 2 * PAGE, PAGE, RW | GROWS_UP, 9), EINVAL);
    EXPECT_RIGHTS(p, "rw-p");
}

static void growing_down(void)
{
    unsigned char *p = area_map(16, PROT_NONE) + 8 * PAGE;

    munmap(p - 8 * PAGE, 16 * PAGE);
    EXPECT(mmap(p, 4 * PAGE, RW, FIXED | MAP_GROWSDOWN, -1, 0) == p);
    EXPECT(mmap(p + 4 * PAGE, PAGE, RW, FIXED, -1, 0) == p + 4 * PAGE);
    EXPECT_IS(protect(p + 2 * PAGE, PAGE, PROT_READ | GROWS_DOWN), 0); /* from its start on */
    EXPECT_RIGHTS(p, "r--p");
    EXPECT_RIGHTS(p + 2 * PAGE, "r--p");
    EXPECT_RIGHTS(p + 3 * PAGE, "rw-p");
    EXPECT_ERR(protect(p + 4 * PAGE, PAGE, PROT_READ | GROWS_DOWN), EINVAL);
    EXPECT_RIGHTS(p + 4 * PAGE, "rw-p");
    EXPECT_ERR(protect(p + 5 * PAGE, PAGE, PROT_READ | GROWS_DOWN), ENOMEM);
    EXPECT_IS(protect(p - PAGE, 2 * PAGE, PROT_NONE | GROWS_DOWN), 0); /* it begins in the range */
    EXPECT_RIGHTS(p, "---p");
}

static void semaphores(void)
{
    unsigned char *p = area_map(1, RW);

    EXPECT_IS(protect(p, PAGE, SEM), 0);
    EXPECT_RIGHTS(p, "---p");
    EXPECT_IS(protect(p, PAGE, PROT_READ | SEM), 0);
    EXPECT_RIGHTS(p, "r--p");
    EXPECT_ERR(protect(p, PAGE, PROT_READ | 16), EINVAL);
    EXPECT_IS(protect(p, PAGE, RW | SEM | PROT_EXEC), 0);
    EXPECT_RIGHTS(p, "rwxp");
}

static void unknown_bits(void)
{
    unsigned char *p = area_map(1, RW);

    for (int bit = 4; bit < 32; bit++)
        if (bit < 24 || bit > 25)
            EXPECT_ERR(syscall(SYS_mprotect, p, PAGE, 1UL << bit | PROT_READ), EINVAL);
    EXPECT_ERR(syscall(SYS_mprotect, p, PAGE, 1UL << 32 | PROT_READ), EINVAL);
    EXPECT_ERR(syscall(SYS_mprotect, p, PAGE, 1UL << 63), EINVAL);
    EXPECT_ERR(syscall(SYS_mprotect, p + PAGE, PAGE, UNKNOWN), EINVAL); /* before ENOMEM */
    EXPECT_RIGHTS(p, "rw-p");
}

static void rights_never_had(void)
{
    unsigned char *p = area_map(6, RW);

    EXPECT(map_never_written(p + 2 * PAGE, 2) == p + 2 * PAGE);
    EXPECT_ERR(protect(p + 2 * PAGE, PAGE, RW), EACCES);
    EXPECT_ERR(protect(p + 2 * PAGE, PAGE, PROT_WRITE), EACCES);
    EXPECT_ERR(protect(p, 6 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), EACCES);
    EXPECT_RIGHTS(p, "rwxp"); /* what lies before it is done */
    EXPECT_RIGHTS(p + 2 * PAGE, "r--s");
    EXPECT_RIGHTS(p + 4 * PAGE, "rw-p");
    munmap(p + 5 * PAGE, PAGE);
    EXPECT_ERR(protect(p + 3 * PAGE, 3 * PAGE, RW), EACCES); /* not the gap behind it */
    EXPECT_ERR(protect(p + 4 * PAGE, 2 * PAGE, PROT_READ), ENOMEM);
    EXPECT_RIGHTS(p + 4 * PAGE, "r--p");
}

static void keys_before_areas(void)
{
    unsigned char *p = area_map(2, RW);

    EXPECT_ERR(key_protect(p + 2 * PAGE, PAGE, RW, 15), EINVAL);
    EXPECT_ERR(key_protect(p, PAGE, UNKNOWN, -1), EINVAL);
    EXPECT_ERR(key_protect(p, -PAGE, RW, 15), ENOMEM);
    EXPECT_IS(key_protect(p, 0, UNKNOWN, 15), 0);
    EXPECT_IS(key_protect(p, PAGE, PROT_READ, -1), 0);
    EXPECT_RIGHTS(p, "r--p");
}

static void implied_exec(void)
{
    unsigned char *p = area_map(4, PROT_NONE);
    int secret = (int)syscall(SYS_SECRET, 0);
    bool has_secret = secret >= 0 && !ftruncate(secret, PAGE) &&
                      mmap(p + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, secret, 0) != NULL;

    personality(READ_IMPLIES_EXEC);
    EXPECT_IS(protect(p, 3 * PAGE, PROT_READ), 0);
    EXPECT_RIGHTS(p, "r-xp");
    if (has_secret)
        EXPECT_RIGHTS(p + PAGE, "r--s"); /* it may never be executed: not implied there */
    EXPECT_RIGHTS(p + 2 * PAGE, "r-xp");
    EXPECT_IS(protect(p, PAGE, PROT_WRITE), 0);
    EXPECT_RIGHTS(p, "-w-p");
    EXPECT_IS(protect(p, PAGE, PROT_NONE), 0);
    EXPECT_RIGHTS(p, "---p");
    EXPECT(mmap(p, PAGE, PROT_READ, FIXED, -1, 0) == p);
    EXPECT_RIGHTS(p, "r-xp");
    EXPECT(mmap(p, PAGE, PROT_WRITE, FIXED, -1, 0) == p);
    EXPECT_RIGHTS(p, "-w-p");
    personality(0);
    EXPECT_IS(protect(p + 2 * PAGE, PAGE, PROT_READ), 0);
    EXPECT_RIGHTS(p + 2 * PAGE, "r--p");
}

static void data_limit(void)
{
    unsigned char *p = area_map(64, PROT_READ);
    struct rlimit limit;

    EXPECT_IS(getrlimit(RLIMIT_DATA, &limit), 0);
    limit.rlim_cur = PAGE;
    EXPECT_IS(setrlimit(RLIMIT_DATA, &limit), 0);
    EXPECT_ERR(protect(p, 64 * PAGE, RW), ENOMEM);
    EXPECT(probe(p, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_IS(protect(p, 64 * PAGE, PROT_READ | PROT_EXEC), 0);
    EXPECT_ERR(protect(p + PAGE, PAGE, PROT_WRITE), ENOMEM);
    EXPECT(map_never_written(p, 1) == p);
    EXPECT_IS(protect(p, PAGE, PROT_NONE), 0);
}

static long faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* What is locked and becomes writable has its own pages at once. */
static void locked(void)
{
    unsigned char *p = area_map(4, PROT_READ);

    if (mlock(p, 4 * PAGE))
        return;
    EXPECT_IS(protect(p, 4 * PAGE, RW), 0);
    long before = faults();
    for (int page = 0; page < 4; page++)
        p[page * PAGE] = 1;
    EXPECT_IS(faults(), before);
}

/* Pages that were written stay writable through a change and back: no fault asks again. */
static void upgrades(void)
{
    unsigned char *p = area_map(8, RW);

    memset(p, 1, 8 * PAGE);
    EXPECT_IS(protect(p, 8 * PAGE, PROT_READ), 0);
    EXPECT_IS(protect(p, 8 * PAGE, RW), 0);
    long before = faults();
    memset(p, 2, 8 * PAGE);
    EXPECT_IS(faults(), before);
}

#define EACH_APART(name, test) \
    static void name(void)     \
    {                          \
        apart(test);           \
    }

EACH_APART(nothing_grows_up, growing_up)
EACH_APART(what_grows_down_changes_from_its_start, growing_down)
EACH_APART(prot_sem_means_nothing, semaphores)
EACH_APART(unknown_bits_are_told_before_gaps, unknown_bits)
EACH_APART(a_right_that_cannot_be_had_ends_the_walk, rights_never_had)
EACH_APART(keys_are_told_before_areas, keys_before_areas)
EACH_APART(reading_implies_executing_area_by_area, implied_exec)
EACH_APART(what_becomes_writable_counts_as_data, data_limit)
EACH_APART(locked_memory_is_filled_when_it_becomes_writable, locked)
EACH_APART(what_was_written_is_writable_again_without_a_fault, upgrades)

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(nothing_grows_up),
        TEST(what_grows_down_changes_from_its_start),
        TEST(prot_sem_means_nothing),
        TEST(unknown_bits_are_told_before_gaps),
        TEST(a_right_that_cannot_be_had_ends_the_walk),
        TEST(keys_are_told_before_areas),
        TEST(reading_implies_executing_area_by_area),
        TEST(what_becomes_writable_counts_as_data),
        TEST(locked_memory_is_filled_when_it_becomes_writable),
        TEST(what_was_written_is_writable_again_without_a_fault),
    };
    return KTAP_MAIN(tests);
}

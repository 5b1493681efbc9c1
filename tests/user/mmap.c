/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mmap.c - mmap: what it refuses, where it maps, what a mapping shows
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: mmap(2); docs of munmap are in tests/user/munmap.c.
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* The raw call: libc checks some arguments itself. */
static long do_mmap(unsigned long addr, size_t len, int prot, int flags, int fd, long offset)
{
    return syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

static unsigned char *map(size_t len)
{
    long p = do_mmap(0, len, RW, ANON, -1, 0);

    return p == -1 ? NULL : (unsigned char *)p;
}

static int memfd_of(size_t len)
{
    int fd = memfd_create("mmap", 0);

    EXPECT_IS(ftruncate(fd, (off_t)len), 0);
    return fd;
}

static void mmap_refuses_bad_lengths(void)
{
    EXPECT_ERR(do_mmap(0, 0, RW, ANON, -1, 0), EINVAL);
    EXPECT_ERR(do_mmap(0, 1UL << 47, RW, ANON, -1, 0), ENOMEM);
    EXPECT_ERR(do_mmap(0, -1UL, RW, ANON, -1, 0), ENOMEM);
    EXPECT_ERR(do_mmap(0, -PAGE, RW, ANON, -1, 0), ENOMEM);
}

static void mmap_refuses_bad_flags(void)
{
    EXPECT_ERR(do_mmap(0, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
    EXPECT_ERR(do_mmap(0, PAGE, RW, MAP_ANONYMOUS | 3, -1, 0), EINVAL);
    EXPECT_ERR(do_mmap(0, PAGE, RW, MAP_ANONYMOUS | 4, -1, 0), EINVAL);
}

static void mmap_refuses_bad_descriptors_and_offsets(void)
{
    int fd = memfd_of(PAGE);

    EXPECT_ERR(do_mmap(0, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
    EXPECT_ERR(do_mmap(0, PAGE, RW, MAP_SHARED, 999, 0), EBADF);
    EXPECT_ERR(do_mmap(0, PAGE, RW, MAP_SHARED, fd, 1), EINVAL);
    EXPECT_ERR(do_mmap(0, PAGE, RW, MAP_SHARED, fd, 2048), EINVAL);
    EXPECT_ERR(do_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, -4096), EOVERFLOW);
    close(fd);
}

static void fixed_addresses_are_checked(void)
{
    EXPECT_ERR(do_mmap(0x10000001, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
    EXPECT_ERR(do_mmap(0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    EXPECT_ERR(do_mmap(0xffff800000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    EXPECT_ERR(do_mmap(-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
}

static void length_is_rounded_up_to_pages(void)
{
    unsigned char *p = map(2 * PAGE);

    EXPECT_IS(munmap(p, 2 * PAGE), 0);
    EXPECT_IS(do_mmap((unsigned long)p, 1, RW, ANON | MAP_FIXED, -1, 0), p);
    EXPECT(!probe(p + PAGE - 1, PROBE_WRITE).sig);
    EXPECT(probe(p + PAGE, PROBE_READ).sig == SIGSEGV);
    munmap(p, PAGE);
}

static void hint_is_taken_when_free_and_not_when_used(void)
{
    unsigned char *p = map(4 * PAGE);

    munmap(p + PAGE, PAGE);
    EXPECT_IS(do_mmap((unsigned long)p + PAGE, PAGE, RW, ANON, -1, 0), p + PAGE);
    long elsewhere = do_mmap((unsigned long)p + PAGE, PAGE, RW, ANON, -1, 0);
    EXPECT(elsewhere != -1 && elsewhere != (long)(p + PAGE));
    munmap((void *)elsewhere, PAGE);
    munmap(p, 4 * PAGE);
}

static void unaligned_hint_is_rounded(void)
{
    unsigned char *p = map(PAGE);

    munmap(p, PAGE);
    long got = do_mmap((unsigned long)p + 1, PAGE, RW, ANON, -1, 0);
    EXPECT(got != -1 && got % (long)PAGE == 0);
    munmap((void *)got, PAGE);
}

static void fixed_replaces_what_was_there(void)
{
    unsigned char *p = map(3 * PAGE);

    p[0] = p[PAGE] = p[2 * PAGE] = 7;
    EXPECT_IS(do_mmap((unsigned long)p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), p + PAGE);
    EXPECT(p[0] == 7 && p[PAGE] == 0 && p[2 * PAGE] == 7);
    munmap(p, 3 * PAGE);
}

static void fixed_noreplace_refuses_to(void)
{
    unsigned char *p = map(3 * PAGE);
    int flags = ANON | MAP_FIXED_NOREPLACE;

    EXPECT_ERR(do_mmap((unsigned long)p + PAGE, PAGE, RW, flags, -1, 0), EEXIST);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(do_mmap((unsigned long)p + PAGE, 2 * PAGE, RW, flags, -1, 0), EEXIST);
    EXPECT_IS(do_mmap((unsigned long)p + PAGE, PAGE, RW, flags, -1, 0), p + PAGE);
    munmap(p, 3 * PAGE);
}

static void neighbours_of_one_kind_are_one_mapping(void)
{
    unsigned char *p = map(6 * PAGE);

    munmap(p, 6 * PAGE);
    unsigned long at = (unsigned long)p + PAGE;
    do_mmap(at, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    do_mmap(at + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    if (maps_count(p, 6 * PAGE) < 0)
        SKIP("no /proc/self/maps");
    EXPECT_IS(maps_count(p + PAGE, 3 * PAGE), 2);
    do_mmap(at + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    EXPECT_IS(maps_count(p + PAGE, 3 * PAGE), 1);
    do_mmap(at + PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0);
    EXPECT_IS(maps_count(p + PAGE, 3 * PAGE), 3);
    munmap(p, 6 * PAGE);
}

static void file_mappings_merge_only_when_offsets_follow(void)
{
    int fd = memfd_of(4 * PAGE);
    unsigned char *p = map(6 * PAGE);
    unsigned long at = (unsigned long)p + PAGE;

    mprotect(p, 6 * PAGE, PROT_NONE);
    do_mmap(at, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    do_mmap(at + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE);
    do_mmap(at + 2 * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE);
    do_mmap(at + 3 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    if (maps_count(p, PAGE) < 0)
        SKIP("no /proc/self/maps");
    EXPECT_IS(maps_count(p + PAGE, 2 * PAGE), 1);
    EXPECT_IS(maps_count(p + PAGE, 3 * PAGE), 2);
    EXPECT_IS(maps_count(p + PAGE, 4 * PAGE), 3);
    munmap(p, 6 * PAGE);
    close(fd);
}

static void rights_are_shown_and_kept(void)
{
    static const struct {
        int prot, flags;
        const char *rights;
        bool read, write;
    } table[] = {
        {PROT_NONE, MAP_PRIVATE, "---p", false, false},
        {PROT_READ, MAP_PRIVATE, "r--p", true, false},
        {RW, MAP_PRIVATE, "rw-p", true, true},
        {PROT_READ | PROT_EXEC, MAP_PRIVATE, "r-xp", true, false},
        {PROT_READ, MAP_SHARED, "r--s", true, false},
        {RW, MAP_SHARED, "rw-s", true, true},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char *p = (char *)do_mmap(0, PAGE, table[i].prot, table[i].flags | MAP_ANONYMOUS, -1, 0);
        const char *rights = maps_rights(p);

        EXPECT(!*rights || !strcmp(rights, table[i].rights));
        EXPECT(table[i].read == !probe(p, PROBE_READ).sig);
        EXPECT(table[i].write == !probe(p, PROBE_WRITE).sig);
        munmap(p, PAGE);
    }
}

static void shared_file_mappings_show_the_file(void)
{
    int fd = memfd_of(2 * PAGE);
    char *a = (char *)do_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    char *b = (char *)do_mmap(0, PAGE, RW, MAP_SHARED, fd, PAGE);
    char byte = 0;

    close(fd + 100);
    a[PAGE + 3] = 'x';
    EXPECT_IS(b[3], 'x');
    EXPECT_IS(pread(fd, &byte, 1, PAGE + 3), 1);
    EXPECT_IS(byte, 'x');
    EXPECT_IS(pwrite(fd, "y", 1, 5), 1);
    EXPECT_IS(a[5], 'y');
    close(fd);
    b[4] = 'z'; /* the mapping keeps the file alive */
    EXPECT_IS(a[PAGE + 4], 'z');
    munmap(a, 2 * PAGE);
    munmap(b, PAGE);
}

static void private_file_mappings_copy_on_write(void)
{
    int fd = memfd_of(PAGE);
    char *p = (char *)do_mmap(0, PAGE, RW, MAP_PRIVATE, fd, 0), byte = 0;

    EXPECT_IS(pwrite(fd, "abc", 3, 0), 3);
    EXPECT_IS(p[1], 'b'); /* not yet copied: the file shows through */
    p[0] = 'P';
    EXPECT_IS(pwrite(fd, "ABC", 3, 0), 3);
    EXPECT(p[0] == 'P' && p[1] == 'b');
    EXPECT_IS(pread(fd, &byte, 1, 0), 1);
    EXPECT_IS(byte, 'A');
    munmap(p, PAGE);
    close(fd);
}

static void pages_past_the_end_of_a_file_give_sigbus(void)
{
    int fd = memfd_of(PAGE + 100);
    char *p = (char *)do_mmap(0, 3 * PAGE, RW, MAP_SHARED, fd, 0);

    EXPECT(!probe(p + 2 * PAGE - 1, PROBE_WRITE).sig); /* the page that holds the end */
    struct fault f = probe(p + 2 * PAGE, PROBE_READ);
    EXPECT(f.sig == SIGBUS && (!f.details || (f.code == BUS_ADRERR && f.addr == p + 2 * PAGE)));
    EXPECT_IS(ftruncate(fd, 3 * PAGE), 0);
    EXPECT(!probe(p + 2 * PAGE, PROBE_READ).sig);
    munmap(p, 3 * PAGE);
    close(fd);
}

static void populate_maps_at_once(void)
{
    unsigned char vec[4] = {0};
    long p = do_mmap(0, 4 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);

    EXPECT(p != -1);
    if (mincore((void *)p, 4 * PAGE, vec) < 0)
        SKIP("no mincore");
    EXPECT(vec[0] & vec[1] & vec[2] & vec[3] & 1);
    munmap((void *)p, 4 * PAGE);
}

static void many_mappings_live_together(void)
{
    enum { COUNT = 500 };
    static unsigned char *p[COUNT];
    bool kept = true;

    for (int i = 0; i < COUNT; i++) {
        p[i] = map(PAGE * (1 + (size_t)i % 3));
        if (!p[i])
            SKIP("out of memory");
        p[i][0] = (unsigned char)i;
    }
    for (int i = 0; i < COUNT; i += 2)
        munmap(p[i], PAGE * (1 + (size_t)i % 3));
    for (int i = 1; i < COUNT; i += 2)
        kept &= p[i][0] == (unsigned char)i;
    EXPECT(kept);
    for (int i = 1; i < COUNT; i += 2)
        munmap(p[i], PAGE * (1 + (size_t)i % 3));
}

static const struct ktap_test tests[] = {
    TEST(mmap_refuses_bad_lengths),
    TEST(mmap_refuses_bad_flags),
    TEST(mmap_refuses_bad_descriptors_and_offsets),
    TEST(fixed_addresses_are_checked),
    TEST(length_is_rounded_up_to_pages),
    TEST(hint_is_taken_when_free_and_not_when_used),
    TEST(unaligned_hint_is_rounded),
    TEST(fixed_replaces_what_was_there),
    TEST(fixed_noreplace_refuses_to),
    TEST(neighbours_of_one_kind_are_one_mapping),
    TEST(file_mappings_merge_only_when_offsets_follow),
    TEST(rights_are_shown_and_kept),
    TEST(shared_file_mappings_show_the_file),
    TEST(private_file_mappings_copy_on_write),
    TEST(pages_past_the_end_of_a_file_give_sigbus),
    TEST(populate_maps_at_once),
    TEST(many_mappings_live_together),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

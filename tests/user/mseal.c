/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mseal.c - areas that stay: what mseal refuses, what it lets be, and who inherits it
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18; (2) each test is a process of its own.
 * Source: mseal(2); Linux Documentation/userspace-api/mseal.rst.
 * Tour:   after tests/user/mprotect.c.
 */
#define _GNU_SOURCE
#include "pkeys.h"
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/uio.h>

#define SYS_MSEAL       462
#define DONTNEED_LOCKED 24
#define POPULATE_READ   22
#define GUARD_INSTALL   102
#define GUARD_REMOVE    103
#define PRIVATE_FIXED   (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static long seal(const void *addr, size_t len)
{
    return syscall(SYS_MSEAL, addr, len, 0);
}

static bool exists(void)
{
    return syscall(SYS_MSEAL, NULL, 0, 0) == 0;
}

/* Does the line VmFlags: of the area at @addr say "sl"? */
static bool is_sealed(const void *addr)
{
    char line[512];
    bool inside = false, sealed = false;
    FILE *file = fopen("/proc/self/smaps", "r");

    while (file && fgets(line, sizeof(line), file)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = (unsigned long)addr >= start && (unsigned long)addr < end;
        else if (inside && !strncmp(line, "VmFlags:", 8))
            sealed = strstr(line, " sl");
    }
    if (file)
        fclose(file);
    return sealed;
}

static void arguments(void)
{
    unsigned char *p = area_map(4, RW);

    EXPECT_ERR(syscall(SYS_MSEAL, p, PAGE, 1), EINVAL);
    EXPECT_ERR(syscall(SYS_MSEAL, p, PAGE, 1UL << 32), EINVAL);
    EXPECT_ERR(seal(p + 1, PAGE), EINVAL);
    EXPECT_ERR(seal(p + 1, 0), EINVAL);
    EXPECT_ERR(seal(p, -1UL), EINVAL);
    EXPECT_ERR(seal(p, -PAGE), EINVAL);
    EXPECT_IS(seal(p, 0), 0);
    EXPECT_ERR(seal(p, 5 * PAGE), ENOMEM);
    EXPECT_ERR(seal(p - PAGE, 2 * PAGE), ENOMEM);
    EXPECT_ERR(seal((void *)0x7ffffffff000, PAGE), ENOMEM);
    EXPECT(!is_sealed(p)); /* a refusal changes nothing */
    EXPECT_IS(areas_in(4), 1);
    EXPECT_IS(seal(p + PAGE, 1), 0); /* rounded up */
    EXPECT_IS(areas_in(4), 3);
    EXPECT(is_sealed(p + PAGE) && !is_sealed(p) && !is_sealed(p + 2 * PAGE));
    EXPECT_IS(seal(p + PAGE, PAGE), 0);
    EXPECT_IS(seal(p, 4 * PAGE), 0);
    EXPECT_IS(areas_in(4), 1);
}

static void unmapping(void)
{
    unsigned char *p = area_map(6, RW);

    memset(p, 'x', 6 * PAGE);
    EXPECT_IS(seal(p + 2 * PAGE, 2 * PAGE), 0);
    EXPECT_ERR(munmap(p, 6 * PAGE), EPERM); /* all of it stays */
    EXPECT_IS(areas_in(6), 3);
    EXPECT_IS(p[0], 'x');
    EXPECT_ERR(munmap(p + PAGE, 2 * PAGE), EPERM);
    EXPECT_ERR(munmap(p + 3 * PAGE, 2 * PAGE), EPERM);
    EXPECT_ERR(munmap(p + 2 * PAGE, PAGE), EPERM);
    EXPECT_ERR(mmap(p + 2 * PAGE, PAGE, RW, PRIVATE_FIXED, -1, 0) == MAP_FAILED ? -1 : 0, EPERM);
    EXPECT_ERR(mmap(p, 6 * PAGE, RW, PRIVATE_FIXED, -1, 0) == MAP_FAILED ? -1 : 0, EPERM);
    EXPECT_IS(p[0], 'x');
    EXPECT_IS(munmap(p, 2 * PAGE), 0);
    EXPECT_IS(munmap(p + 4 * PAGE, 2 * PAGE), 0);
    EXPECT_IS(areas_in(6), 1);
    EXPECT(mmap(p, PAGE, RW, PRIVATE_FIXED, -1, 0) == p); /* beside it */
}

static void moving(void)
{
    unsigned char *p = area_map(4, RW), *q = p + 16 * PAGE;

    EXPECT(mmap(q, 2 * PAGE, RW, PRIVATE_FIXED, -1, 0) == q);
    EXPECT_IS(seal(p + PAGE, 2 * PAGE), 0);
    EXPECT_ERR((long)mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EPERM);
    EXPECT_ERR((long)mremap(p + PAGE, 2 * PAGE, 3 * PAGE, 0), EPERM);
    EXPECT_ERR((long)mremap(p + PAGE, 2 * PAGE, PAGE, 0), EPERM);
    EXPECT_ERR((long)mremap(p + PAGE, PAGE, PAGE, 0), EPERM);
    EXPECT_ERR((long)mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q), EPERM);
    EXPECT_ERR((long)mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), EPERM);
    EXPECT_ERR((long)mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EPERM);
    EXPECT_ERR((long)mremap(p, 2 * PAGE, PAGE, 0), EPERM); /* what is cut off is */
    EXPECT_IS(seal(q, PAGE), 0);
    EXPECT_ERR((long)mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 8 * PAGE),
               EPERM);
    EXPECT_IS(areas_in(4), 3);
    EXPECT(mremap(p + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 4 * PAGE) ==
           q + 4 * PAGE);
}

static void rights(void)
{
    unsigned char *p = area_map(4, RW);

    EXPECT_IS(seal(p + PAGE, PAGE), 0);
    EXPECT_ERR(mprotect(p + PAGE, PAGE, PROT_READ), EPERM);
    EXPECT_ERR(mprotect(p + PAGE, PAGE, RW), EPERM); /* though nothing would change */
    EXPECT_ERR(key_protect(p + PAGE, PAGE, RW, -1), EPERM);
    EXPECT_ERR(mprotect(p, 4 * PAGE, PROT_READ), EPERM); /* what lies before it is changed */
    EXPECT(probe(p, PROBE_WRITE).sig == SIGSEGV);
    EXPECT(!probe(p + PAGE, PROBE_WRITE).sig);
    EXPECT(!probe(p + 2 * PAGE, PROBE_WRITE).sig);
}

/* The advice that a sealed area may refuse, and some that it never does. */
static const struct {
    int advice;
    bool discards;
} advices[] = {
    {MADV_NORMAL, false},   {MADV_RANDOM, false},    {MADV_WILLNEED, false},
    {MADV_DONTNEED, true},  {MADV_FREE, true},       {MADV_REMOVE, true},
    {MADV_DONTFORK, true},  {MADV_DOFORK, false},    {MADV_HUGEPAGE, false},
    {MADV_DONTDUMP, false}, {MADV_WIPEONFORK, true}, {MADV_KEEPONFORK, false},
    {MADV_COLD, false},     {MADV_PAGEOUT, false},   {DONTNEED_LOCKED, true},
    {GUARD_INSTALL, true},  {GUARD_REMOVE, false},
};

static void advice_without_write(int prot)
{
    unsigned char *p = area_map(2, RW);

    p[0] = 'x';
    mprotect(p, 2 * PAGE, prot);
    EXPECT_IS(seal(p, 2 * PAGE), 0);
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (advices[i].discards)
            EXPECT_ERR(madvise(p, PAGE, advices[i].advice), EPERM);
        else
            EXPECT_IS(madvise(p, PAGE, advices[i].advice), 0);
    }
}

static void advice_read_only(void)
{
    advice_without_write(PROT_READ);
    EXPECT_IS(AREA[0], 'x');
}

static void advice_none(void)
{
    advice_without_write(PROT_NONE);
}

static void advice_writable(void)
{
    unsigned char *p = area_map(2, RW);

    p[0] = 'x';
    EXPECT_IS(seal(p, 2 * PAGE), 0);
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
        if (advices[i].advice != MADV_REMOVE)
            EXPECT_IS(madvise(p, PAGE, advices[i].advice), 0);
    EXPECT_IS(p[0], 0);
    EXPECT_ERR(madvise(p, PAGE, MADV_REMOVE), EINVAL); /* as without a seal */
}

/* What a file gives back when its copy is thrown away is the file's. */
static void advice_of_files(void)
{
    int fd = (int)syscall(SYS_memfd_create, "file", 0);

    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    for (int kind = 0; kind < 2; kind++) {
        unsigned char *p = mmap(NULL, 2 * PAGE, PROT_READ, kind ? MAP_SHARED : MAP_PRIVATE, fd, 0);
        EXPECT_IS(seal(p, 2 * PAGE), 0);
        EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
        EXPECT_IS(madvise(p, PAGE, MADV_DONTFORK), 0);
        EXPECT_ERR(madvise(p, PAGE, MADV_FREE), EINVAL);
        EXPECT_IS(madvise(p, PAGE, GUARD_INSTALL), 0);
        EXPECT_ERR(munmap(p, PAGE), EPERM);
    }
    close(fd);
}

static void advice_by_key(void)
{
    unsigned char *p = area_map(1, RW);

    if (!keys_exist())
        return;
    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    EXPECT_IS(key_protect(p, PAGE, RW, 1), 0);
    EXPECT_IS(seal(p, PAGE), 0);
    EXPECT_ERR(madvise(p, PAGE, MADV_DONTNEED), EPERM);
    key_rights(1, 0);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    EXPECT_ERR(key_protect(p, PAGE, RW, 0), EPERM);
}

static void heap(void)
{
    unsigned long start = (syscall(SYS_brk, 0) + PAGE - 1) & -PAGE;

    EXPECT_IS(syscall(SYS_brk, start + 4 * PAGE), start + 4 * PAGE);
    EXPECT_IS(seal((void *)(start + PAGE), PAGE), 0);
    EXPECT_IS(syscall(SYS_brk, start + 3 * PAGE), start + 3 * PAGE);
    EXPECT_IS(syscall(SYS_brk, start + PAGE), start + 3 * PAGE); /* no error, no change */
    EXPECT_IS(syscall(SYS_brk, start + 5 * PAGE), start + 5 * PAGE);
    EXPECT_IS(seal((void *)(start + 4 * PAGE), PAGE), 0);
    EXPECT_IS(syscall(SYS_brk, start + 4 * PAGE), start + 5 * PAGE);
    EXPECT_IS(syscall(SYS_brk, start + 6 * PAGE), start + 6 * PAGE); /* an area of its own */
}

static void shared_segments(void)
{
    unsigned char *p = area_map(2, RW);
    int id = shmget(IPC_PRIVATE, PAGE, 0600);

    EXPECT_IS(seal(p, PAGE), 0);
    EXPECT_ERR((long)shmat(id, p, SHM_REMAP), EPERM);
    EXPECT(shmat(id, p + PAGE, SHM_REMAP) == p + PAGE);
    EXPECT_IS(seal(p + PAGE, PAGE), 0);
    EXPECT_IS(shmdt(p + PAGE), 0); /* no error, no change */
    EXPECT(is_sealed(p + PAGE));
    shmctl(id, IPC_RMID, NULL);
}

static void still_allowed(void)
{
    unsigned char *p = area_map(2, RW), byte = 'y', resident[2];
    int fd = open("/proc/self/mem", O_RDWR);

    mprotect(p, PAGE, PROT_READ);
    EXPECT_IS(seal(p, 2 * PAGE), 0);
    EXPECT_IS(mlock(p, PAGE), 0);
    EXPECT_IS(munlock(p, PAGE), 0);
    EXPECT_IS(msync(p, PAGE, MS_SYNC), 0);
    EXPECT_IS(mincore(p, PAGE, resident), 0);
    EXPECT_IS(madvise(p, PAGE, POPULATE_READ), 0);
    EXPECT_IS(pwrite(fd, &byte, 1, (off_t)p), 1); /* whoever may force, may */
    EXPECT_IS(p[0], 'y');
    EXPECT_IS(mlockall(MCL_CURRENT), 0);
    EXPECT_IS(munlockall(), 0);
    close(fd);
}

static void children(void)
{
    unsigned char *p = area_map(2, RW);
    int status;

    p[0] = 'x';
    EXPECT_IS(seal(p, PAGE), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        ktap_failed = false;
        EXPECT(is_sealed(p));
        EXPECT_ERR(munmap(p, PAGE), EPERM);
        EXPECT_ERR(mprotect(p, PAGE, PROT_READ), EPERM);
        EXPECT_IS(p[0], 'x');
        EXPECT_IS(munmap(p + PAGE, PAGE), 0);
        fflush(stdout);
        _exit(ktap_failed);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
}

static void new_programs(void)
{
    char *const argv[] = {"mseal", "new", NULL};

    EXPECT_IS(seal(area_map(1, RW), PAGE), 0);
    EXPECT_IS(seal((void *)((unsigned long)new_programs & -PAGE), PAGE), 0); /* its own code */
    fflush(stdout);
    execv("/proc/self/exe", argv);
    EXPECT(!"executed");
}

static void stacks(void)
{
    unsigned char *p = area_map(8, PROT_NONE) + 7 * PAGE;

    munmap(p - 7 * PAGE, 8 * PAGE);
    EXPECT(mmap(p, PAGE, RW, PRIVATE_FIXED | MAP_GROWSDOWN, -1, 0) == p);
    EXPECT_IS(seal(p, PAGE), 0);
    EXPECT(!probe(p - 8, PROBE_WRITE).sig); /* it grows, sealed */
    EXPECT(is_sealed(p - PAGE));
    EXPECT_ERR(munmap(p - PAGE, PAGE), EPERM);
    EXPECT_ERR(mprotect(p, PAGE, PROT_READ | 0x01000000), EPERM); /* PROT_GROWSDOWN */
}

static void mixed_ranges(void)
{
    unsigned char *p = area_map(5, RW);

    EXPECT_IS(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    EXPECT_IS(mprotect(p + 3 * PAGE, PAGE, PROT_NONE), 0);
    EXPECT_IS(seal(p, 5 * PAGE), 0);
    EXPECT_IS(areas_in(5), 5); /* what differs still does */
    EXPECT_ERR(munmap(p, 5 * PAGE), EPERM);
    p += 128 * PAGE;
    EXPECT(mmap(p, 3 * PAGE, RW, PRIVATE_FIXED, -1, 0) == p);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(seal(p, 3 * PAGE), ENOMEM); /* a gap: nothing is sealed */
    EXPECT_IS(munmap(p, PAGE), 0);
}

#define EACH_APART(name, test) \
    static void name(void)     \
    {                          \
        if (!exists())         \
            SKIP("no mseal");  \
        apart(test);           \
    }

EACH_APART(mseal_checks_in_order, arguments)
EACH_APART(sealed_areas_are_not_unmapped, unmapping)
EACH_APART(sealed_areas_are_not_moved, moving)
EACH_APART(sealed_areas_keep_their_rights, rights)
EACH_APART(read_only_contents_stay, advice_read_only)
EACH_APART(contents_without_rights_stay, advice_none)
EACH_APART(writable_contents_go, advice_writable)
EACH_APART(contents_of_files_go, advice_of_files)
EACH_APART(contents_that_a_key_shuts_stay, advice_by_key)
EACH_APART(a_sealed_heap_does_not_shrink, heap)
EACH_APART(segments_replace_nothing_sealed, shared_segments)
EACH_APART(what_changes_no_area_is_allowed, still_allowed)
EACH_APART(children_inherit_seals, children)
EACH_APART(new_programs_do_not, new_programs)
EACH_APART(sealed_stacks_grow, stacks)
EACH_APART(areas_that_differ_are_sealed_each, mixed_ranges)

int main(int argc, char **argv)
{
    static const struct ktap_test tests[] = {
        TEST(mseal_checks_in_order),
        TEST(sealed_areas_are_not_unmapped),
        TEST(sealed_areas_are_not_moved),
        TEST(sealed_areas_keep_their_rights),
        TEST(read_only_contents_stay),
        TEST(contents_without_rights_stay),
        TEST(writable_contents_go),
        TEST(contents_of_files_go),
        TEST(contents_that_a_key_shuts_stay),
        TEST(a_sealed_heap_does_not_shrink),
        TEST(segments_replace_nothing_sealed),
        TEST(what_changes_no_area_is_allowed),
        TEST(children_inherit_seals),
        TEST(new_programs_do_not),
        TEST(sealed_stacks_grow),
        TEST(areas_that_differ_are_sealed_each),
    };
    if (argc > 1 && !strcmp(argv[1], "new"))
        return munmap(mmap(AREA, PAGE, RW, PRIVATE_FIXED, -1, 0), PAGE);
    return KTAP_MAIN(tests);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/user/differ_near.h - the steps next to mprotect: keys, seals, userfaultfds, scans
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla; tests/user/differ compares.
 * Owns:   two userfaultfds of each thread.
 * Locks:  none.
 * Always: (1) no step waits: every userfaultfd answers with SIGBUS;
 *         (2) soft-dirty is never asked for: not every Linux has it.
 * Source: pkeys(7), mseal(2), ioctl_userfaultfd(2), PAGEMAP_SCAN(2const), process_madvise(2).
 * Tour:   after tests/user/differ_log.h, before tests/user/differ.c.
 */
#pragma once

#include "../../include/uapi/pagemap.h"
#include "../../include/uapi/userfaultfd.h"
#include "differ_log.h"
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#define SYS_MSEAL           462
#define SYS_PROCESS_MADVISE 440
#define SYS_PIDFD_OPEN      434
#define PR_SET_MDWE         65

enum {
    KEYS = 16,
    REGIONS = 24,
    VECTORS_MAX = 3,
    FORCED = 0xf0, /* what a forced write leaves, in place of code */
};

/* --- protection keys --- */

static void step_pkey_alloc(void)
{
    unsigned long flags = pick(12) == 0, rights = pick(20) ? pick(4) : 4;

    say(" flags %lu rights %lu", flags, rights);
    say_result(syscall(SYS_pkey_alloc, flags, rights));
}

/* Never key 0: who takes it next, with no rights, dies of it. */
static void step_pkey_free(void)
{
    unsigned long key = 1 + pick(KEYS);

    say(" %lu", key);
    say_result(syscall(SYS_pkey_free, key));
}

static void step_pkru(void)
{
    unsigned key = 1 + pick(KEYS - 1), rights = pick(4);

    say(" key %u rights %u", key, rights);
    pkru_write((pkru_read() & ~(3u << 2 * key)) | rights << 2 * key);
    say(" = %#x\n", pkru_read());
}

static void step_pkey_mprotect(void)
{
    struct range r = pick_range();
    int prot = pick_prot(), key = pick(3) ? (int)pick(5) : (int)pick(KEYS + 2) - 1;

    say(" key %d", key);
    say_result(syscall(SYS_pkey_mprotect, r.start, r.len, prot, key));
}

/* --- code, and memory that is written to against its rights --- */

static int open_own(const char *path, int flags)
{
    return open(path, flags | O_CLOEXEC);
}

/* Is there a page of @r whose word in pagemap, of these bits, is @wanted? */
static bool has_page(struct range r, uint64_t bits, uint64_t wanted)
{
    int fd = open_own("/proc/self/pagemap", O_RDONLY);
    uint64_t word;
    bool has = false;

    for (size_t at = 0; at < r.len && at < ARENA_PAGES * PAGE; at += PAGE)
        if (pread(fd, &word, sizeof word, (off_t)((r.start + at) / PAGE * 8)) == sizeof word)
            has |= (word & bits) == wanted;
    close(fd);
    return has;
}

/* Linux 6.18 comes back from no GUARD_INSTALL over what an object's zap leaves there: it takes
 * everything away, finds a mark or poison, and begins again. */
static bool guards_never_end(struct range r)
{
    return has_page(r, PM_UFFD_WP, PM_UFFD_WP) || has_page(r, PM_SWAP | PM_GUARD, PM_SWAP);
}

/* Call the first byte of a page, if it is a return. The page is there then: who calls what is not
 * there, and may not be executed, is told so by Bulla; Linux looks for the page first. */
static void step_call(void)
{
    unsigned page = pick(ARENA_PAGES);
    uintptr_t at = arena + page * PAGE;
    unsigned char byte = 0;
    int fd = open_own("/proc/self/mem", O_RDONLY);
    long got = pread(fd, &byte, 1, (off_t)at);

    close(fd);
    say(" %u, read %ld", page, got);
    if (byte == CODE) {
        goes_through(at, PROBE_CALL);
        say_access();
    } else {
        say(" = no code\n");
    }
}

static void step_force(void)
{
    struct range r = pick_range();
    unsigned char byte = pick(2) ? CODE : FORCED;
    int fd = open_own("/proc/self/mem", O_RDWR);

    say_result(pwrite(fd, &byte, 1, (off_t)r.start));
    close(fd);
}

/* --- what cannot be undone --- */

static __thread bool sealed[ARENA_PAGES]; /* for ever */

/* Linux 6.18 splits the area at @at before it meets the seal that refuses the rest. */
static bool splits_before_a_seal(uintptr_t at, size_t len)
{
    size_t first = (at - arena) / PAGE, end = first + len / PAGE;
    bool meets = false;

    for (size_t i = first; i < end && i < ARENA_PAGES; i++)
        meets |= sealed[i];
    if (!meets || sealed[first])
        return false;
    say(" not tried\n");
    return true;
}

static void step_mseal(void)
{
    struct range r = pick_range();
    long result = syscall(SYS_MSEAL, r.start, r.len, pick(12) ? 0 : 1);

    for (uintptr_t at = r.start; result == 0 && at < r.start + r.len; at += PAGE)
        sealed[(at - arena) / PAGE] = true;
    say_result(result);
}

static void step_mdwe(void)
{
    unsigned long bits = pick(5);

    say(" %lu", bits);
    say_result(prctl(PR_SET_MDWE, bits, 0, 0, 0));
}

/* --- userfaultfd --- */

static __thread int uffds[2] = {-1, -1};
static __thread bool watched[ARENA_PAGES]; /* once */

static bool was_watched(uintptr_t at)
{
    return at >= arena && at < ARENA_END && watched[(at - arena) / PAGE];
}

/* Linux 6.18 merges what moves with the area beside its new place before it takes the userfaultfd
 * from it, and so from the other, too. */
static bool forgets_who_watches(uintptr_t from, uintptr_t to, size_t len)
{
    bool may = was_watched(from) && (was_watched(to - PAGE) || was_watched(to + len));

    if (may)
        say(" not tried\n");
    return may;
}

/* Two of them may not watch the same memory. */
static int pick_uffd(void)
{
    unsigned slot = pick(6) == 0;

    say(" u%u", slot);
    return uffds[slot];
}

#define EVERY_FEATURE                                                                             \
    (UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |     \
     UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_WP_UNPOPULATED | \
     UFFD_FEATURE_POISON | UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_MOVE)

static void uffd_begin(unsigned slot, unsigned flags, uint64_t features)
{
    struct uapi_uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS | features};

    if (uffds[slot] >= 0)
        close(uffds[slot]);
    uffds[slot] = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);
    int result = ioctl(uffds[slot], (int)UFFDIO_API, &api);
    say(" u%u flags %u features %#lx: ioctls %#lx", slot, flags, (unsigned long)api.features,
        (unsigned long)api.ioctls);
    say_result(result);
}

static void step_uffd(void)
{
    unsigned slot = pick(6) == 0, flags = pick(4) == 0 ? UFFD_USER_MODE_ONLY : 0;
    uint64_t features = EVERY_FEATURE;

    for (unsigned i = pick(6); i > 0; i--)
        features &= ~((uint64_t)1 << pick(17));
    uffd_begin(slot, flags, features);
}

static void step_register(void)
{
    int fd = pick_uffd();
    struct range r = pick_range();
    struct uapi_uffdio_register arg = {{r.start, r.len}, 1 + pick(7), 0};

    arg.mode = pick(30) ? arg.mode : pick(16);
    say(" mode %lu", (unsigned long)arg.mode);
    /* Linux leaves marks where an area is registered anew without them, and they ask nobody. */
    if (!(arg.mode & 2))
        ioctl(fd, (int)UFFDIO_UNREGISTER, &arg.range);
    int result = ioctl(fd, (int)UFFDIO_REGISTER, &arg);
    for (uintptr_t at = r.start; result == 0 && at < r.start + r.len; at += PAGE)
        watched[(at - arena) / PAGE] = true;
    say(" ioctls %#lx", result ? 0 : (unsigned long)arg.ioctls);
    say_result(result);
}

static void step_unregister(void)
{
    int fd = pick_uffd();
    struct range r = pick_range();
    struct uapi_uffdio_range arg = {r.start, r.len};

    say_result(ioctl(fd, (int)(pick(6) ? UFFDIO_UNREGISTER : UFFDIO_WAKE), &arg));
}

/* How far an answer got, and its result. */
static void say_done(long done, int result)
{
    if (done < 0 && done > -4096)
        say(" did %s", strerror((int)-done));
    else
        say(" did %ld", done);
    say_result(result);
}

static unsigned pick_mode(void)
{
    unsigned mode = pick(3) == 0 ? pick(4) : pick(40) == 0 ? pick(16) : 0;

    say(" mode %u", mode);
    return mode;
}

static void step_uffd_copy(void)
{
    int fd = pick_uffd();
    struct range to = pick_range(), from = pick_range();
    struct uapi_uffdio_copy arg = {to.start, from.start, to.len, pick_mode(), 12345};
    int result = ioctl(fd, (int)UFFDIO_COPY, &arg);

    say_done(arg.copy, result);
}

static void step_uffd_fill(void)
{
    static const struct {
        unsigned request;
        const char *name;
    } ways[] = {{UFFDIO_ZEROPAGE, "zeropage"},
                {UFFDIO_CONTINUE, "continue"},
                {UFFDIO_CONTINUE, "continue"},
                {UFFDIO_POISON, "poison"}};
    unsigned way = pick(4);
    int fd = pick_uffd();
    struct range r = pick_range();
    struct uapi_uffdio_zeropage arg = {{r.start, r.len}, pick_mode(), 12345};

    say(" %s", ways[way].name);
    int result = ioctl(fd, (int)ways[way].request, &arg);
    say_done(arg.zeropage, result);
}

static void step_uffd_protect(void)
{
    int fd = pick_uffd();
    struct range r = pick_range();
    struct uapi_uffdio_writeprotect arg = {{r.start, r.len}, pick(30) ? pick(2) : pick(8)};

    say(" mode %lu", (unsigned long)arg.mode);
    say_result(ioctl(fd, (int)UFFDIO_WRITEPROTECT, &arg));
}

static void step_uffd_move(void)
{
    int fd = pick_uffd();
    struct range to = pick_range(), from = pick_range();
    struct uapi_uffdio_move arg = {to.start, from.start, to.len, pick_mode(), 12345};
    int result = ioctl(fd, (int)UFFDIO_MOVE, &arg);

    say_done(arg.move, result);
}

/* --- scans --- */

static uint64_t pick_categories(void)
{
    return ((uint64_t)1 << pick(9) | (uint64_t)1 << pick(9)) & ~PAGE_IS_SOFT_DIRTY;
}

static void say_regions(const struct uapi_page_region *regions, int nr)
{
    for (int i = 0; i < nr && i < REGIONS; i++)
        say(" %ld-%ld:%lx", (long)(regions[i].start - arena) / (long)PAGE,
            (long)(regions[i].end - arena) / (long)PAGE, (unsigned long)regions[i].categories);
}

static void step_scan(void)
{
    struct uapi_page_region regions[REGIONS] = {0};
    struct range r = pick_range();
    struct uapi_pm_scan arg = {.size = sizeof arg,
                               .flags = pick(2) ? pick(4) : 0,
                               .start = r.start,
                               .end = r.start + r.len,
                               .vec = (uintptr_t)regions,
                               .vec_len = pick(8) ? REGIONS : pick(3),
                               .max_pages = pick(4) ? 0 : pick(12),
                               .category_inverted = pick(3) ? 0 : pick_categories(),
                               .category_mask = pick(2) ? 0 : pick_categories(),
                               .category_anyof_mask = pick(2) ? 0 : pick_categories(),
                               .return_mask = PAGE_CATEGORIES & ~PAGE_IS_SOFT_DIRTY};
    int fd = open_own("/proc/self/pagemap", O_RDONLY);

    if (has_page(r, PM_GUARD, PM_GUARD)) /* Linux notes writes of guards, too: there are none */
        arg.flags &= ~(uint64_t)PM_SCAN_WP_MATCHING;
    /* Without room, what Linux protects beside what is asked for depends on where it has tables. */
    if (!arg.vec_len)
        arg.category_mask = arg.category_anyof_mask = 0;
    say(" flags %lu room %lu at most %lu not %lx all %lx any %lx", (unsigned long)arg.flags,
        (unsigned long)arg.vec_len, (unsigned long)arg.max_pages,
        (unsigned long)arg.category_inverted, (unsigned long)arg.category_mask,
        (unsigned long)arg.category_anyof_mask);
    int result = ioctl(fd, (int)PAGEMAP_SCAN, &arg);
    close(fd);
    if (result >= 0) {
        say(" to %ld:", (long)(arg.walk_end - arena));
        say_regions(regions, result);
    }
    say_result(result);
}

/* --- process_madvise --- */

static void step_process_madvise(void)
{
    static const int advices[] = {MADV_WILLNEED,
                                  MADV_COLD,
                                  MADV_DONTNEED,
                                  MADV_FREE,
                                  MADV_DONTNEED,
                                  MADV_DONTFORK,
                                  MADV_REMOVE,
                                  102 /* GUARD */,
                                  103,
                                  22 /* READ */,
                                  23 /* WRITE */,
                                  24 /* LOCKED */,
                                  99};
    struct iovec ranges[VECTORS_MAX];
    unsigned nr = pick(VECTORS_MAX + 1);
    int advice = PICK(advices), fd = (int)syscall(SYS_PIDFD_OPEN, getpid(), 0);

    say(" advice %d", advice);
    for (unsigned i = 0; i < nr; i++) {
        struct range r = pick_range();
        ranges[i] = (struct iovec){(void *)r.start, r.len};
        if (advice == 102 && guards_never_end(r))
            advice = 99;
    }
    say_result(syscall(SYS_PROCESS_MADVISE, fd, ranges, nr, advice, pick(30) == 0));
    close(fd);
}

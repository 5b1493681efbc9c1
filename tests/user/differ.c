/* SPDX-License-Identifier: MIT */
/*
 * tests/user/differ.c - random memory calls in a fixed arena, and all that can be seen after each
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla; tests/user/differ compares.
 * Owns:   the arena, the heap's end, three memfds.
 * Locks:  none.
 * Always: (1) what a step does depends on the seed and its number only, never on what came before:
 *             so a sequence can be shrunk by leaving steps out;
 *         (2) nothing is printed that the kernel may choose: addresses count from the arena.
 * Source: mmap(2), mprotect(2), mremap(2), madvise(2), mincore(2), memfd_create(2), fork(2).
 * Tour:   after user/probe.h, before tests/user/differ.
 *
 * Arguments: SEED:STEPS runs that many steps and prints a hash of the log after every HASH_STEPS;
 * SEED:STEPS/N looks only after each Nth step at what was left, which is faster. SEED:N-N,N runs
 * these steps only, and prints the log. SEED+THREADS: as many seeds, from that one on, each in a
 * thread.
 */
#define _GNU_SOURCE
#include "differ_near.h"
#include <pthread.h>
#include <sys/stat.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum {
    HASH_STEPS = 64,
    FLAGS_STEPS = 8, /* flags, keys and counts of mappings are told so often */
    CHILD_STEPS_MAX = 8,
    THREADS_MAX = 8,
    HEAP_PAGES_MAX = 16,
    TEXT_BYTES = 1 << 20,
};

struct report {
    size_t len; /* 0: the child did not get so far */
    char text[LOG_BYTES];
};

static __thread char *maps_text;
static __thread FILE *out;
static uintptr_t heap_start;
static struct report *report; /* shared with a forked child */
static bool in_full;          /* what a child saw is logged, not its hash */
static bool is_child;         /* may do what cannot be undone */
static bool apart;            /* threads: no step may reach beyond its own arena */

static int pick_memfd(void)
{
    unsigned slot = pick(SLOTS);

    say(" memfd %c", 'a' + slot);
    return memfds[slot];
}

/* A place or a size in a memfd: mostly whole pages. */
static long pick_bytes(unsigned pages)
{
    long bytes = (long)(pick(pages) * PAGE) + (pick(4) ? 0 : (long)pick(PAGE));

    say(" %ld", bytes);
    return bytes;
}

/* --- steps: address space --- */

static void map_at(uintptr_t at, size_t len, int prot, int flags, int fd, long offset)
{
    if ((flags & MAP_FIXED) && splits_before_a_seal(at, len))
        return;
    long p = syscall(SYS_mmap, at, len, prot, flags, fd, offset);

    if (!say_place(p))
        munmap((void *)p, len);
}

/* @shares: one in how many is shared. */
static int pick_map_type(unsigned shares)
{
    if (pick(shares))
        return MAP_PRIVATE;
    return pick(4) ? MAP_SHARED : MAP_SHARED_VALIDATE | (pick(4) ? 0 : MAP_SYNC);
}

static int pick_map_flags(void)
{
    static const int how[] = {MAP_FIXED, MAP_FIXED, MAP_FIXED,           MAP_FIXED,
                              MAP_FIXED, 0,         MAP_FIXED_NOREPLACE, MAP_FIXED_NOREPLACE};
    static const int more[] = {0,
                               0,
                               0,
                               0,
                               0,
                               0,
                               MAP_NORESERVE,
                               MAP_POPULATE,
                               MAP_POPULATE | MAP_NONBLOCK,
                               MAP_STACK,
                               MAP_LOCKED,
                               MAP_GROWSDOWN,
                               MAP_DENYWRITE | MAP_EXECUTABLE};

    return PICK(how) | PICK(more);
}

static void step_mmap_anon(void)
{
    struct range r = pick_range();
    int prot = pick_prot();
    int flags = MAP_ANONYMOUS | pick_map_type(4) | pick_map_flags();

    say(" flags %#x", flags);
    map_at(r.start, r.len, prot, flags, -1, 0);
}

static void step_mmap_memfd(void)
{
    struct range r = pick_range();
    int prot = pick_prot(), fd = pick_memfd();
    int flags = pick_map_type(2) | pick_map_flags();
    long offset = (long)(pick(8) * PAGE) + (pick(40) ? 0 : 5);

    say(" flags %#x offset %ld", flags, offset);
    map_at(r.start, r.len, prot, flags, fd, offset);
}

static void step_munmap(void)
{
    struct range r = pick_range();

    if (!splits_before_a_seal(r.start, r.len))
        say_result(munmap((void *)r.start, r.len));
}

static void step_mprotect(void)
{
    struct range r = pick_range();
    static const int more[] = {0x01000000 /* GROWSDOWN */, 0x02000000 /* GROWSUP */, 0x10,
                               0x03000000};
    int prot = pick_prot() | (pick(16) ? 0 : PICK(more));

    say(" | %#x", prot & ~7);
    say_result(syscall(SYS_mprotect, r.start, r.len, prot)); /* libc's would round the range */
}

static void step_mremap(void)
{
    static const int how[] = {0,
                              MREMAP_MAYMOVE,
                              MREMAP_MAYMOVE,
                              MREMAP_MAYMOVE | MREMAP_FIXED,
                              MREMAP_MAYMOVE | MREMAP_FIXED,
                              MREMAP_MAYMOVE | MREMAP_FIXED,
                              MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
                              MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
                              MREMAP_FIXED};
    struct range old = pick_range();
    int flags = pick(60) ? PICK(how) : (int)pick(16);
    uintptr_t to = arena + pick(ARENA_PAGES) * PAGE;
    size_t len = pick(3) ? old.len : (pick(20) + (pick(20) > 0)) * PAGE;
    long p;

    if (pick(12) == 0) {
        old.len = 0; /* of shared memory: a second place for it */
        say(" (of nothing)");
    }
    if ((flags & MREMAP_FIXED) && to + len > ARENA_END)
        to = ARENA_END - len;
    say(" flags %d to %lu for %lu", flags, (to - arena) / PAGE, len / PAGE);
    if (splits_before_a_seal(to, len) || splits_before_a_seal(old.start, old.len) ||
        forgets_who_watches(old.start, to, len))
        return;
    p = syscall(SYS_mremap, old.start, old.len, len, flags, to);
    if (!say_place(p))
        munmap((void *)p, len);
}

static void step_madvise(void)
{
    static const int advices[] = {MADV_NORMAL,
                                  MADV_RANDOM,
                                  MADV_SEQUENTIAL,
                                  MADV_WILLNEED,
                                  MADV_DONTNEED,
                                  MADV_DONTNEED,
                                  MADV_DONTNEED,
                                  MADV_FREE,
                                  MADV_REMOVE,
                                  MADV_REMOVE,
                                  MADV_DONTFORK,
                                  MADV_DOFORK,
                                  MADV_WIPEONFORK,
                                  MADV_KEEPONFORK,
                                  MADV_DONTDUMP,
                                  MADV_DODUMP,
                                  MADV_COLD,
                                  MADV_HUGEPAGE,
                                  MADV_NOHUGEPAGE,
                                  102 /* GUARD_INSTALL */,
                                  102,
                                  103 /* GUARD_REMOVE */,
                                  22 /* POPULATE_READ */,
                                  23 /* POPULATE_WRITE */,
                                  24 /* DONTNEED_LOCKED */,
                                  25 /* COLLAPSE: there is no room */,
                                  99};
    struct range r = pick_range();
    int advice = PICK(advices);

    say(" advice %d", advice);
    if (advice == 102 && guards_never_end(r))
        say(" not tried\n");
    else
        say_result(madvise((void *)r.start, r.len, advice));
}

static void step_mlock(void)
{
    struct range r = pick_range();

    switch (pick(4)) {
    case 0:
        say_result(mlock((void *)r.start, r.len));
        return;
    case 1:
        say(" on fault");
        say_result(syscall(SYS_mlock2, r.start, r.len, 1));
        return;
    default:
        say(" un");
        say_result(munlock((void *)r.start, r.len));
    }
}

static void step_mlockall(void)
{
    static const int how[] = {MCL_CURRENT,     MCL_FUTURE, MCL_FUTURE | 4 /* ONFAULT */,
                              MCL_CURRENT | 4, 4,          8};
    int flags = PICK(how);

    if (pick(2)) {
        say(" un");
        say_result(munlockall());
    } else {
        say(" flags %d", flags);
        say_result(mlockall(flags));
    }
}

static void step_msync(void)
{
    static const int flags[] = {MS_ASYNC, MS_SYNC, MS_INVALIDATE, MS_SYNC | MS_ASYNC, 8};
    struct range r = pick_range();
    int how = PICK(flags);

    say(" flags %d", how);
    say_result(msync((void *)r.start, r.len, how));
}

static void step_mincore(void)
{
    unsigned char vec[ARENA_PAGES + 1] = {0};
    struct range r = pick_range();
    int result = mincore((void *)r.start, r.len, vec);

    for (size_t i = 0; result == 0 && i < (r.len + PAGE - 1) / PAGE; i++)
        say("%s%d", i ? "" : " ", vec[i] & 1);
    say_result(result);
}

static void step_brk(void)
{
    uintptr_t to = heap_start + pick(HEAP_PAGES_MAX) * PAGE + (pick(3) ? 0 : pick(PAGE));

    say(" to %lu", to - heap_start);
    say_result(syscall(SYS_brk, to) - (long)heap_start);
    if (to >= heap_start + PAGE && pick(2))
        ((volatile char *)heap_start)[PAGE - 1] += 1;
}

/* --- steps: memory --- */

static void step_touch(void)
{
    static const enum probe_kind kinds[] = {PROBE_READ, PROBE_WRITE, PROBE_WRITE};
    uintptr_t at = arena + pick(ARENA_PAGES) * PAGE + pick(SAMPLES) * (PAGE / SAMPLES);
    enum probe_kind kind = PICK(kinds);

    say(" %s %ld", kind == PROBE_READ ? "read" : "write", (long)(at - arena));
    goes_through(at, kind);
    say_access();
}

/* Write to several pages, until one refuses. */
static void step_fill(void)
{
    struct range r = pick_range();
    char value = (char)(pick(3) ? pick(256) : CODE);

    refusal.sig = 0;
    for (uintptr_t at = r.start; !refusal.sig && at < r.start + r.len; at += PAGE)
        if (goes_through(at, PROBE_WRITE))
            *(volatile char *)at = value;
    say(" value %d", value);
    say_access();
}

/* Reading makes pages present: so looking is a step of its own. */
static void step_look(void)
{
    say(" hash %016lx\n", hash_arena());
}

/* --- steps: memfds --- */

static void memfd_begin(unsigned slot, unsigned flags)
{
    const char name[] = {(char)('a' + slot), '\0'};

    if (memfds[slot] >= 0)
        close(memfds[slot]);
    memfds[slot] = memfd_create(name, flags);
    say(" %s", name);
}

static void step_memfd(void)
{
    unsigned slot = pick(SLOTS);

    memfd_begin(slot, pick(4) ? MFD_ALLOW_SEALING : 0);
    if (pick(4) && ftruncate(memfds[slot], (off_t)(pick(12) * PAGE)) < 0)
        say(" cannot grow");
    say_result(memfds[slot] < 0 ? -1 : 0);
}

static void step_ftruncate(void)
{
    int fd = pick_memfd();
    long size = pick_bytes(12);

    say_result(ftruncate(fd, size));
}

static void step_fallocate(void)
{
    static const int modes[] = {
        0,   1 /* KEEP_SIZE */, 3 /* PUNCH_HOLE | KEEP_SIZE */, 3, 3, 2 /* PUNCH_HOLE */,
        0x10 /* ZERO_RANGE */};
    int fd = pick_memfd(), mode = PICK(modes);
    long offset = pick_bytes(10), len = pick_bytes(6);

    /* Of a hole within the first page Linux 6.18 unmaps all of the object, for a moment. */
    if (offset + len < (long)PAGE && mode & 2)
        len = PAGE;
    say(" mode %#x", mode);
    say_result(syscall(SYS_fallocate, fd, mode, offset, len));
}

static void step_seal(void)
{
    static const int seals[] = {F_SEAL_SHRINK, F_SEAL_GROW,           F_SEAL_WRITE,
                                F_SEAL_WRITE,  16 /* FUTURE_WRITE */, 16,
                                F_SEAL_SEAL,   32 /* EXEC */,         64};
    int fd = pick_memfd(), seal = PICK(seals);

    if (pick(3) == 0) {
        say_result(fcntl(fd, F_GET_SEALS));
        return;
    }
    say(" seal %d", seal);
    say_result(fcntl(fd, F_ADD_SEALS, seal));
}

static void step_stat(void)
{
    struct stat st = {0};
    int fd = pick_memfd(), result = fstat(fd, &st);

    say(" size %ld blocks %ld", (long)st.st_size, (long)st.st_blocks);
    say_result(result);
}

static void step_seek(void)
{
    int fd = pick_memfd(), whence = pick(2) ? SEEK_DATA : SEEK_HOLE;
    long offset = pick_bytes(10);

    say(" whence %d", whence);
    say_result(lseek(fd, offset, whence));
}

/* A write that grows the file needs a source that is there. Else Linux 6.18 grows it up to @offset
 * before it finds that it cannot read the first byte; and where the source is the file itself, how
 * far it has grown at each fault decides which of its pages are mapped around. */
static bool grows_by_what_is_missing(int fd, struct range source, long offset)
{
    struct stat st;
    bool there = true;

    if (fstat(fd, &st) < 0 || offset + (long)source.len <= st.st_size)
        return false;
    for (uintptr_t at = source.start; there && at < source.start + source.len; at += PAGE)
        there = goes_through(at, PROBE_READ);
    return !there || (source.len && !goes_through(source.start + source.len - 1, PROBE_READ));
}

/* Memory of the arena is the buffer: the kernel meets what a touch would meet. */
static void step_pwrite(void)
{
    struct range r = pick_range();
    int fd = pick_memfd();
    long offset = pick_bytes(8);

    if (grows_by_what_is_missing(fd, r, offset))
        say(" not tried\n");
    else
        say_result(pwrite(fd, (void *)r.start, r.len, offset));
}

static void step_pread(void)
{
    struct range r = pick_range();
    int fd = pick_memfd();
    long offset = pick_bytes(8);

    say_result(pread(fd, (void *)r.start, r.len, offset));
}

static bool share_a_page(struct range a, struct range b)
{
    return a.start / PAGE <= (b.start + b.len) / PAGE && b.start / PAGE <= (a.start + a.len) / PAGE;
}

/* The kernel copies from one place of the arena to another, through two lists. Not onto itself:
 * Linux pins the pages it reads before it writes, so that a page of zeros which the copy replaces
 * is read as zeros all the same. */
static void step_vm_copy(void)
{
    struct range from = pick_range(), to = pick_range();
    struct iovec local = {(void *)from.start, from.len}, remote = {(void *)to.start, to.len};
    bool reads = pick(2);

    say(" %s", reads ? "read" : "write");
    if (share_a_page(from, to)) {
        say(" not tried\n");
        return;
    }
    say_result(syscall(reads ? SYS_process_vm_readv : SYS_process_vm_writev, getpid(), &local, 1,
                       &remote, 1, 0));
}

/* --- steps: processes --- */

static void say_state(bool with_flags);
static void do_step(void);

/* What a child does: looks at what it got, changes it, looks again, and reports. */
static void be_child(unsigned first, unsigned end)
{
    log_len = 0;
    is_child = true;
    say_state(true);
    say("   %lx\n", hash_arena());
    for (unsigned i = first; i < end && i < ARENA_PAGES; i++) {
        say("  write %u", i);
        goes_through(arena + i * PAGE, PROBE_WRITE);
        say_access();
    }
    for (unsigned i = pick(CHILD_STEPS_MAX + 1); i > 0; i--) {
        say("  ");
        do_step();
    }
    say_state(true);
    say("   %lx\n", hash_arena());
    memcpy(report->text, log_text, log_len);
    report->len = log_len;
}

static void step_fork(void)
{
    unsigned first = pick(ARENA_PAGES), count = pick(12);
    int status = 0;
    pid_t child;

    report->len = 0;
    child = fork();
    if (child == 0) {
        be_child(first, first + count);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, &status, 0);
    say(" write %u for %u: status %d", first, count, status);
    if (!in_full)
        say(" saw %016lx", hash_more(1, report->text, report->len));
    say_result(child < 0 ? -1 : 0);
    if (in_full)
        say("%.*s", (int)report->len, report->text);
}

enum where {
    ANYWHERE,
    ALONE,    /* reaches the whole process */
    NO_CHILD, /* tells which pages of files are present */
    IN_CHILD, /* cannot be undone */
};

static const struct step {
    const char *name;
    void (*run)(void);
    unsigned weight;
    enum where where;
} steps[] = {
    {"mmap", step_mmap_anon, 28, ANYWHERE},
    {"mmap", step_mmap_memfd, 24, ANYWHERE},
    {"munmap", step_munmap, 10, ANYWHERE},
    {"mprotect", step_mprotect, 20, ANYWHERE},
    {"mremap", step_mremap, 16, ANYWHERE},
    {"madvise", step_madvise, 20, ANYWHERE},
    {"process_madvise", step_process_madvise, 3, ANYWHERE},
    {"mlock", step_mlock, 6, ANYWHERE},
    {"mlockall", step_mlockall, 2, ALONE},
    {"msync", step_msync, 2, ANYWHERE},
    {"mincore", step_mincore, 2, ANYWHERE},
    {"brk", step_brk, 2, ALONE},
    {"touch", step_touch, 32, ANYWHERE},
    {"fill", step_fill, 18, ANYWHERE},
    {"call", step_call, 5, ANYWHERE},
    {"look", step_look, 4, ANYWHERE},
    {"force", step_force, 5, ANYWHERE},
    {"vm_copy", step_vm_copy, 4, ANYWHERE},
    {"memfd", step_memfd, 4, ANYWHERE},
    {"ftruncate", step_ftruncate, 8, ANYWHERE},
    {"fallocate", step_fallocate, 8, ANYWHERE},
    {"seal", step_seal, 3, ANYWHERE},
    {"stat", step_stat, 3, ANYWHERE},
    {"seek", step_seek, 2, ANYWHERE},
    {"pwrite", step_pwrite, 8, ANYWHERE},
    {"pread", step_pread, 6, ANYWHERE},
    {"pkey_alloc", step_pkey_alloc, 4, ALONE},
    {"pkey_free", step_pkey_free, 1, ALONE},
    {"pkey_mprotect", step_pkey_mprotect, 8, ALONE},
    {"pkru", step_pkru, 4, ANYWHERE},
    {"mseal", step_mseal, 6, IN_CHILD},
    {"mdwe", step_mdwe, 1, IN_CHILD},
    {"uffd", step_uffd, 3, ANYWHERE},
    {"register", step_register, 14, ANYWHERE},
    {"unregister", step_unregister, 4, ANYWHERE},
    {"uffd_copy", step_uffd_copy, 8, ANYWHERE},
    {"uffd_fill", step_uffd_fill, 10, ANYWHERE},
    {"uffd_protect", step_uffd_protect, 8, ANYWHERE},
    {"uffd_move", step_uffd_move, 5, ANYWHERE},
    {"scan", step_scan, 8, NO_CHILD},
    {"fork", step_fork, 3, ALONE},
};

static bool is_for_here(const struct step *step)
{
    switch (step->where) {
    case ANYWHERE:
        return true;
    case ALONE:
        return !apart && (!is_child || step->run != step_fork);
    case NO_CHILD:
        return !is_child;
    case IN_CHILD:
        return is_child;
    }
    return false;
}

static void do_step(void)
{
    unsigned total = 0, at;
    size_t i;

    for (i = 0; i < sizeof steps / sizeof steps[0]; i++)
        total += steps[i].weight;
    at = pick(total);
    for (i = 0; at >= steps[i].weight; i++)
        at -= steps[i].weight;
    if (!is_for_here(&steps[i])) {
        say("nothing\n");
        return;
    }
    say("%s", steps[i].name);
    steps[i].run();
}

/* --- after each step --- */

enum { SHOWN_PAGES = ARENA_PAGES + 2 * AROUND / PAGE };

/* What pagemap says of the pages around the arena. */
static __thread uint64_t words[SHOWN_PAGES];

static void read_pagemap(void)
{
    int fd = open_own("/proc/self/pagemap", O_RDONLY);
    off_t at = (off_t)((arena - AROUND) / PAGE * sizeof words[0]);

    if (pread(fd, words, sizeof words, at) != sizeof words)
        memset(words, 0xff, sizeof words);
    close(fd);
}

/* A letter for each page of [start, end): '0' and what is known of it, without soft-dirty. Linux
 * lets a child have its parent's leaves of files, Bulla lets it fault them in again: no page of a
 * file is told of there. */
static void say_pages(uintptr_t start, uintptr_t end)
{
    static const uint64_t bits[] = {PM_PRESENT, PM_SWAP, PM_OBJECT, PM_GUARD, PM_UFFD_WP, PM_ALONE};

    say(" ");
    for (uintptr_t at = start; at < end; at += PAGE) {
        size_t i = (at - (arena - AROUND)) / PAGE;
        int letter = '0';

        bool told = i < SHOWN_PAGES && !(is_child && (words[i] & PM_OBJECT));
        for (unsigned bit = 0; told && bit < sizeof bits / sizeof bits[0]; bit++)
            letter += words[i] & bits[bit] ? 1 << bit : 0;
        say("%c", letter);
    }
}

/* Which pages of [start, end) are present, as a row of digits. */
static void say_present(uintptr_t start, uintptr_t end)
{
    unsigned char vec[SHOWN_PAGES];

    if (end - start > sizeof vec * PAGE || mincore((void *)start, end - start, vec) < 0) {
        say(" ?");
        return;
    }
    say(" ");
    for (size_t i = 0; i < (end - start) / PAGE; i++)
        say("%d", vec[i] & 1);
}

/* The mapping that a line of maps tells of: pages, rights, offset, presence, name. Returns whether
 * it is one of ours. */
static bool say_mapping(const char *line)
{
    uintptr_t start, end;
    unsigned long offset;
    char rights[8], name[64] = "", *rest;

    start = strtoul(line, &rest, 16);
    end = strtoul(rest + 1, &rest, 16);
    if (end <= arena - AROUND || start >= ARENA_END + AROUND ||
        sscanf(rest, " %7s %lx %*s %*s%63[^\n]", rights, &offset, name) < 2)
        return false;
    say("  %ld-%ld %s %lu", (long)(start - arena) / (long)PAGE, (long)(end - arena) / (long)PAGE,
        rights, offset / PAGE);
    say_present(start, end);
    say_pages(start, end);
    say(" %s\n", name + strspn(name, " "));
    return true;
}

/* A line of smaps: only what both kernels count alike. Of the flags, neither soft-dirty nor "there
 * may be guards", which not every Linux knows. */
static void say_more(const char *line, size_t len)
{
    static const char *const told[] = {
        "ProtectionKey:", "VmFlags:", "Anonymous:", "Rss:", "Locked:"};
    const size_t nr = is_child ? 3 : 5; /* pages of files: as in say_pages() */
    char copy[128], *rest;

    for (size_t i = 0; i < nr; i++) {
        if (strncmp(line, told[i], strlen(told[i])) || len >= sizeof copy)
            continue;
        memcpy(copy, line, len);
        copy[len] = '\0';
        say("   ");
        for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
            if (strcmp(word, "sd") && strcmp(word, "gu"))
                say(" %s", word);
        say("\n");
    }
}

/* All that can be seen of the arena without touching it. */
static void say_state(bool with_flags)
{
    bool ours = false;

    if (slurp(with_flags ? "/proc/self/smaps" : "/proc/self/maps", maps_text, TEXT_BYTES) < 0)
        return;
    read_pagemap();
    for (const char *line = maps_text, *end; (end = strchr(line, '\n')); line = end + 1) {
        if (*line < 'A' || *line > 'Z')
            ours = say_mapping(line);
        else if (ours)
            say_more(line, (size_t)(end - line));
    }
}

/* @look: and what it left. */
static void run_step(uint64_t seed, unsigned number, bool look)
{
    log_len = 0;
    chance_begin(seed, number);
    say("%u ", number);
    do_step();
    if (look)
        say_state(number % FLAGS_STEPS == 0);
}

/* --- sequences --- */

static void run_hashed(uint64_t seed, unsigned count, unsigned look_steps)
{
    uint64_t hash = 1;

    for (unsigned n = 1; n <= count; n++) {
        run_step(seed, n, n % look_steps == 0 || n == count);
        hash = hash_more(hash, log_text, log_len);
        if (n % HASH_STEPS == 0 || n == count) {
            fprintf(out, "%u %016lx\n", n, hash);
            fflush(out);
        }
    }
}

/* @list: numbers and ranges, "1-20,35,40-41" or "7," */
static void run_listed(uint64_t seed, char *list)
{
    while (*list) {
        unsigned first = (unsigned)strtoul(list, &list, 10), last = first;

        if (*list == '-')
            last = (unsigned)strtoul(list + 1, &list, 10);
        list += *list == ',';
        for (unsigned n = first; n <= last; n++) {
            run_step(seed, n, true);
            fwrite(log_text, 1, log_len, out);
            fflush(out);
        }
    }
}

/* What each sequence finds there: three files of some pages, and somebody who watches. */
static void run_begin(uint64_t seed)
{
    char *anchor = mmap((void *)(arena + ANCHOR), PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    *anchor = 1;
    chance_begin(seed, 0);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        memfd_begin(slot, MFD_ALLOW_SEALING);
        (void)!ftruncate(memfds[slot], (off_t)(pick(12) * PAGE));
    }
    uffd_begin(0, 0, pick(2) ? EVERY_FEATURE : EVERY_FEATURE & ~UFFD_FEATURE_WP_ASYNC);
}

static void run_list(uint64_t seed, char *list)
{
    run_begin(seed);
    maps_text = mmap(NULL, TEXT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (in_full) {
        run_listed(seed, list);
    } else {
        unsigned count = (unsigned)strtoul(list, &list, 10);
        run_hashed(seed, count, *list == '/' ? (unsigned)strtoul(list + 1, NULL, 10) : 1);
    }
}

static struct runner {
    pthread_t thread;
    uintptr_t arena;
    uint64_t seed;
    char *list, *text;
    size_t len;
} runners[THREADS_MAX];

static pthread_barrier_t all_there;

static void *runner_main(void *arg)
{
    struct runner *r = arg;

    arena = r->arena;
    out = open_memstream(&r->text, &r->len);
    pthread_barrier_wait(&all_there);
    run_list(r->seed, r->list);
    fclose(out);
    return NULL;
}

/* Threads at the same time, of the seeds from @seed on, each in an arena of its own. */
static void run_threads(uint64_t seed, unsigned nr, char *list)
{
    apart = true;
    pthread_barrier_init(&all_there, NULL, nr);
    for (unsigned i = 0; i < nr; i++) {
        runners[i].arena = ARENA_FIRST + i * ARENA_STRIDE;
        runners[i].seed = seed + i;
        runners[i].list = list;
        if (pthread_create(&runners[i].thread, NULL, runner_main, &runners[i]))
            _exit(1);
    }
    for (unsigned i = 0; i < nr; i++) {
        pthread_join(runners[i].thread, NULL);
        printf("== %lu\n%.*s", seed + i, (int)runners[i].len, runners[i].text);
    }
    fflush(stdout);
}

static void run(char *argument)
{
    uint64_t seed = strtoul(argument, &argument, 10), nr = 0;

    if (*argument == '+')
        nr = strtoul(argument + 1, &argument, 10);
    char *list = argument + 1;
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    heap_start = (uintptr_t)syscall(SYS_brk, 0);
    heap_start = (heap_start + PAGE - 1) & -PAGE;
    syscall(SYS_brk, heap_start);
    in_full = strpbrk(list, ",-");
    out = stdout;
    accesses_begin();
    if (nr > 0 && nr <= THREADS_MAX) {
        run_threads(seed, (unsigned)nr, list);
    } else {
        printf("== %lu\n", seed);
        fflush(stdout);
        run_list(seed, list);
    }
}

/* Each argument runs in a process of its own: it starts from nothing, and its death is noted. */
int main(int argc, char **argv)
{
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return 1;
    /* Without keys Linux's refusal is ENOSPC from the second time on. */
    syscall(SYS_pkey_free, syscall(SYS_pkey_alloc, 0, 0));
    for (int i = 1; i < argc; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            run(argv[i]);
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) < 0)
            return 1;
        printf("== end %d\n", status);
        fflush(stdout);
    }
    return 0;
}

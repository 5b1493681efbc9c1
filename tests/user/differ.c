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
 * SEED:N-N,N runs these steps only, and prints the log.
 */
#define _GNU_SOURCE
#include "../../user/probe.h"
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define ARENA       0x10000010000UL /* too short for a huge page, wherever it begins */
#define ARENA_PAGES 64
#define ARENA_END   (ARENA + ARENA_PAGES * PAGE)
#define AROUND      (16 * PAGE) /* shown as well: what grows or is moved out of the arena */

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum {
    HASH_STEPS = 64,
    CHILD_STEPS_MAX = 4,
    SLOTS = 3,
    LOG_BYTES = 64 << 10,
    HEAP_PAGES_MAX = 16,
    SAMPLES = 8, /* words of a page that a look reads, evenly spaced */
};

struct report {
    size_t len; /* 0: the child did not get so far */
    char text[LOG_BYTES];
};

static int memfds[SLOTS] = {-1, -1, -1};
static char log_text[LOG_BYTES];
static size_t log_len;
static char maps_text[64 << 10];
static uintptr_t heap_start;
static struct report *report; /* shared with a forked child */
static bool in_full;          /* what a child saw is logged, not its hash */

/* --- the log --- */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(log_text + log_len, sizeof log_text - log_len, format, args);
    va_end(args);
    log_len += (size_t)n < sizeof log_text - log_len ? (size_t)n : 0;
}

/* What a call returned: a number, or the name of its error. */
static void say_result(long result)
{
    if (result == -1)
        say(" = %s\n", strerror(errno));
    else
        say(" = %ld\n", result);
}

/* The same for calls that return an address. Returns whether it lies where we can look. */
static bool say_place(long result)
{
    uintptr_t at = (uintptr_t)result;

    if (result == -1)
        say_result(result);
    else if (at >= ARENA && at < ARENA_END)
        say(" = page %lu\n", (at - ARENA) / PAGE);
    else
        say(" = elsewhere\n");
    return result == -1 || (at >= ARENA && at < ARENA_END);
}

static uint64_t hash_more(uint64_t hash, const void *data, size_t len)
{
    for (const unsigned char *p = data; len--; p++)
        hash = (hash ^ *p) * 0x100000001b3;
    return hash;
}

/* --- chance --- */

static uint64_t chance;

static void chance_begin(uint64_t seed, uint64_t step)
{
    chance = (seed << 32) + step;
}

/* A number below @limit. splitmix64. */
static unsigned pick(unsigned limit)
{
    uint64_t z = chance += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (unsigned)((z ^ (z >> 31)) % limit);
}

#define PICK(table) (table)[pick(sizeof(table) / sizeof(table)[0])]

struct range {
    uintptr_t start;
    size_t len;
};

/* Pages of the arena: mostly few, now and then a range that no call should take. */
static struct range pick_range(void)
{
    unsigned first = pick(ARENA_PAGES), count = 1 + (pick(3) ? pick(6) : pick(24));
    struct range r = {ARENA + first * PAGE, count * PAGE};

    if (r.start + r.len > ARENA_END)
        r.len = ARENA_END - r.start;
    switch (pick(40)) {
    case 0:
        r.start += 1 + pick(PAGE - 1);
        break;
    case 1:
        r.len -= pick(PAGE);
        break;
    case 2:
        r.len = 0;
        break;
    }
    say(" %lu", (r.start - ARENA) / PAGE);
    if (r.start % PAGE)
        say("(+%lu)", r.start % PAGE);
    say(" for %lu", r.len / PAGE);
    if (r.len % PAGE)
        say("(+%lu)", r.len % PAGE);
    return r;
}

/* Without PROT_EXEC alone: what it means depends on whether the CPU has protection keys. */
static int pick_prot(void)
{
    static const int prots[] = {PROT_NONE,
                                PROT_READ,
                                PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE,
                                PROT_WRITE,
                                PROT_READ | PROT_EXEC,
                                PROT_READ | PROT_WRITE | PROT_EXEC,
                                PROT_READ | 8 /* SEM */};
    int prot = PICK(prots);

    say(" prot %d", prot);
    return prot;
}

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
    uintptr_t to = ARENA + pick(ARENA_PAGES) * PAGE;
    size_t len = pick(3) ? old.len : (pick(20) + (pick(20) > 0)) * PAGE;
    long p;

    if (pick(12) == 0) {
        old.len = 0; /* of shared memory: a second place for it */
        say(" (of nothing)");
    }
    if ((flags & MREMAP_FIXED) && to + len > ARENA_END)
        to = ARENA_END - len;
    say(" flags %d to %lu for %lu", flags, (to - ARENA) / PAGE, len / PAGE);
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
                                  99};
    struct range r = pick_range();
    int advice = PICK(advices);

    say(" advice %d", advice);
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

static void say_fault(struct fault f)
{
    if (!f.sig)
        say(" = ok\n");
    else
        say(" = %s code %d at %ld\n", f.sig == SIGBUS ? "SIGBUS" : "SIGSEGV", f.code,
            (long)((uintptr_t)f.addr - ARENA));
}

static void step_touch(void)
{
    static const enum probe_kind kinds[] = {PROBE_READ, PROBE_WRITE, PROBE_WRITE};
    uintptr_t at = ARENA + pick(ARENA_PAGES) * PAGE + pick(SAMPLES) * (PAGE / SAMPLES);
    enum probe_kind kind = PICK(kinds);

    say(" %s %ld", kind == PROBE_READ ? "read" : "write", (long)(at - ARENA));
    say_fault(probe((void *)at, kind));
}

/* Write to several pages, until one refuses. */
static void step_fill(void)
{
    struct range r = pick_range();
    char value = (char)pick(256);
    struct fault f = {0};

    for (uintptr_t at = r.start; !f.sig && at < r.start + r.len; at += PAGE) {
        f = probe((void *)at, PROBE_WRITE);
        if (!f.sig)
            *(volatile char *)at = value;
    }
    say(" value %d", value);
    say_fault(f);
}

/* The words of one page, or where the kernel refused. */
static uint64_t hash_page(uintptr_t at, uint64_t hash)
{
    struct fault f = probe((void *)at, PROBE_READ);

    if (f.sig)
        return hash_more(hash, &f.sig, sizeof f.sig);
    for (int i = 0; i < SAMPLES; i++)
        hash = hash_more(hash, (void *)(at + (unsigned)i * (PAGE / SAMPLES)), 8);
    return hash;
}

static uint64_t hash_arena(void)
{
    uint64_t hash = 1;

    for (uintptr_t at = ARENA; at < ARENA_END; at += PAGE)
        hash = hash_page(at, hash);
    return hash;
}

/* Reading makes pages present: so looking is a step of its own. */
static void step_look(void)
{
    say(" hash %016lx\n", hash_arena());
}

/* --- steps: memfds --- */

static void step_memfd(void)
{
    unsigned slot = pick(SLOTS);
    const char name[] = {(char)('a' + slot), '\0'};

    if (memfds[slot] >= 0)
        close(memfds[slot]);
    memfds[slot] = memfd_create(name, pick(4) ? MFD_ALLOW_SEALING : 0);
    say(" %s", name);
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

/* Linux 6.18 grows the file up to @offset before it finds that it cannot read the first byte. */
static bool grows_for_nothing(int fd, uintptr_t source, long offset)
{
    struct stat st;

    return fstat(fd, &st) == 0 && offset > st.st_size && probe((void *)source, PROBE_READ).sig;
}

/* Memory of the arena is the buffer: the kernel meets what a touch would meet. */
static void step_pwrite(void)
{
    struct range r = pick_range();
    int fd = pick_memfd();
    long offset = pick_bytes(8);

    if (grows_for_nothing(fd, r.start, offset))
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

static void say_state(void);
static void do_step(const char *but);

/* What a child does: looks at what it got, changes it, looks again, and reports. */
static void be_child(unsigned first, unsigned end)
{
    log_len = 0;
    say_state();
    say("   %lx\n", hash_arena());
    for (unsigned i = first; i < end && i < ARENA_PAGES; i++) {
        say("  write %u", i);
        say_fault(probe((void *)(ARENA + i * PAGE), PROBE_WRITE));
    }
    for (unsigned i = pick(CHILD_STEPS_MAX + 1); i > 0; i--) {
        say("  ");
        do_step("fork");
    }
    say_state();
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

static const struct step {
    const char *name;
    void (*run)(void);
    unsigned weight;
} steps[] = {
    {"mmap", step_mmap_anon, 14},     {"mmap", step_mmap_memfd, 12},
    {"munmap", step_munmap, 6},       {"mprotect", step_mprotect, 10},
    {"mremap", step_mremap, 8},       {"madvise", step_madvise, 10},
    {"mlock", step_mlock, 4},         {"msync", step_msync, 1},
    {"mincore", step_mincore, 1},     {"brk", step_brk, 1},
    {"touch", step_touch, 16},        {"fill", step_fill, 8},
    {"look", step_look, 2},           {"memfd", step_memfd, 2},
    {"ftruncate", step_ftruncate, 5}, {"fallocate", step_fallocate, 4},
    {"seal", step_seal, 2},           {"stat", step_stat, 2},
    {"seek", step_seek, 1},           {"pwrite", step_pwrite, 4},
    {"pread", step_pread, 3},         {"fork", step_fork, 2},
    {"mlockall", step_mlockall, 1},   {"vm_copy", step_vm_copy, 2},
};

/* --- after each step --- */

/* Which pages of [start, end) are present, as a row of digits. */
static void say_present(uintptr_t start, uintptr_t end)
{
    unsigned char vec[ARENA_PAGES + 2 * AROUND / PAGE];

    if (end - start > sizeof vec * PAGE || mincore((void *)start, end - start, vec) < 0) {
        say(" ?");
        return;
    }
    say(" ");
    for (size_t i = 0; i < (end - start) / PAGE; i++)
        say("%d", vec[i] & 1);
}

/* The mappings of the arena: pages, rights, offset, presence, name. */
static void say_state(void)
{
    if (slurp("/proc/self/maps", maps_text, sizeof maps_text) < 0)
        return;
    for (char *line = maps_text; line && *line; line = strchr(line, '\n')) {
        uintptr_t start, end;
        unsigned long offset;
        char rights[8], name[64] = "";

        line += *line == '\n';
        if (sscanf(line, "%lx-%lx %7s %lx %*s %*s%63[^\n]", &start, &end, rights, &offset, name) <
                4 ||
            end <= ARENA - AROUND || start >= ARENA_END + AROUND)
            continue;
        say("  %ld-%ld %s %lu", (long)(start - ARENA) / (long)PAGE,
            (long)(end - ARENA) / (long)PAGE, rights, offset / PAGE);
        say_present(start, end);
        say(" %s\n", name + strspn(name, " "));
    }
}

/* One step of any kind except @but. */
static void do_step(const char *but)
{
    unsigned total = 0, at;
    size_t i;

    for (i = 0; i < sizeof steps / sizeof steps[0]; i++)
        total += steps[i].weight;
    at = pick(total);
    for (i = 0; at >= steps[i].weight; i++)
        at -= steps[i].weight;
    if (but && !strcmp(steps[i].name, but)) {
        say("nothing\n");
        return;
    }
    say("%s", steps[i].name);
    steps[i].run();
}

static void run_step(uint64_t seed, unsigned number)
{
    log_len = 0;
    chance_begin(seed, number);
    say("%u ", number);
    do_step(NULL);
    say_state();
}

static void run_hashed(uint64_t seed, unsigned count)
{
    uint64_t hash = 1;

    for (unsigned n = 1; n <= count; n++) {
        run_step(seed, n);
        hash = hash_more(hash, log_text, log_len);
        if (n % HASH_STEPS == 0 || n == count) {
            printf("%u %016lx\n", n, hash);
            fflush(stdout);
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
            run_step(seed, n);
            fwrite(log_text, 1, log_len, stdout);
            fflush(stdout);
        }
    }
}

static void run(char *argument)
{
    uint64_t seed = strtoul(argument, &argument, 10);
    char *list = argument + 1;

    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    heap_start = (uintptr_t)syscall(SYS_brk, 0);
    heap_start = (heap_start + PAGE - 1) & -PAGE;
    syscall(SYS_brk, heap_start);
    in_full = strpbrk(list, ",-");
    if (in_full)
        run_listed(seed, list);
    else
        run_hashed(seed, (unsigned)strtoul(list, NULL, 10));
}

/* Each argument runs in a process of its own: it starts from nothing, and its death is noted. */
int main(int argc, char **argv)
{
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return 1;
    for (int i = 1; i < argc; i++) {
        int status = 0;

        printf("== %.*s\n", (int)strcspn(argv[i], ":"), argv[i]);
        fflush(stdout);
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

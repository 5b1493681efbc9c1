/* SPDX-License-Identifier: MIT */
/*
 * tests/user/sweep.c - the calls that change memory, with every argument at a border
 *
 *   sweep            a test per call, whose name ends in a digest of all its answers
 *   sweep CALL       the answers themselves, a line each: what to compare when digests differ
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   AREA, four pages between two pages of another kind, in each child.
 * Locks:  none.
 * Always: (1) each call is made by a process of its own, which begins as all others do;
 *         (2) an answer is the error, or where the result lies, and what maps shows of AREA then;
 *         (3) calls that would take the program away from under itself are left out, and advice
 *             that not every kernel is built to take: MADV_MERGEABLE.
 * Source: mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), mlock(2), msync(2), mincore(2),
 *         mseal(2), brk(2), mbind(2), remap_file_pages(2), ioctl_userfaultfd(2).
 * Tour:   after tests/user/mprotect_rows.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/userfaultfd.h"
#include "ktap.h"
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define AREA       0x200000000000UL
#define AREA_PAGES 4
#define USER_TOP   (1UL << 47)
#define NOBODY     65534
#define RW         (PROT_READ | PROT_WRITE)
#define ANON       (MAP_PRIVATE | MAP_ANONYMOUS)
#define GROWS_DOWN 0x01000000
#define GROWS_UP   0x02000000
#define SYS_MSEAL  462
#define ARGS_MAX   5
#define SECONDS    10

#define ADDRESSES                                                                            \
    0, 1, PAGE - 1, PAGE + 1, AREA, AREA + 1, AREA + PAGE, AREA + 3 * PAGE, AREA + 4 * PAGE, \
        AREA + 5 * PAGE, USER_TOP - PAGE, USER_TOP, 1UL << 63, -PAGE, -1UL
#define LENGTHS \
    0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, USER_TOP - PAGE, USER_TOP, 1UL << 63, -PAGE, -1UL

/* The values of one argument. */
struct argument {
    const uint64_t *values;
    unsigned nr;
};

#define VALUES(...)                                                            \
    {                                                                          \
        (const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / 8 \
    }

struct call {
    const char *name;
    long (*make)(const uint64_t *a);
    bool takes_away; /* pages of [a[0], a[0] + a[1]) go */
    struct argument arguments[ARGS_MAX];
};

static int file; /* of four pages */
static unsigned char vector[PAGE];

static long make_mmap(const uint64_t *a)
{
    int fd = a[3] & MAP_ANONYMOUS ? -1 : file;
    return syscall(SYS_mmap, a[0], a[1], a[2], a[3], fd, a[4]);
}

static long make_munmap(const uint64_t *a)
{
    return syscall(SYS_munmap, a[0], a[1]);
}

static long make_mprotect(const uint64_t *a)
{
    return syscall(SYS_mprotect, a[0], a[1], a[2]);
}

static long make_pkey_mprotect(const uint64_t *a)
{
    return syscall(SYS_pkey_mprotect, a[0], a[1], a[2], (int)a[3]);
}

static long make_mremap(const uint64_t *a)
{
    return syscall(SYS_mremap, a[0], a[1], a[2], a[3], a[4]);
}

static long make_madvise(const uint64_t *a)
{
    return syscall(SYS_madvise, a[0], a[1], a[2]);
}

static long make_process_madvise(const uint64_t *a)
{
    struct iovec io = {(void *)a[0], a[1]};
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return syscall(SYS_process_madvise, self, &io, 1L, a[2], a[3]);
}

static long make_mlock(const uint64_t *a)
{
    return syscall(SYS_mlock, a[0], a[1]);
}

static long make_mlock2(const uint64_t *a)
{
    return syscall(SYS_mlock2, a[0], a[1], a[2]);
}

static long make_munlock(const uint64_t *a)
{
    return syscall(SYS_munlock, a[0], a[1]);
}

static long make_msync(const uint64_t *a)
{
    return syscall(SYS_msync, a[0], a[1], a[2]);
}

static long make_mincore(const uint64_t *a)
{
    return syscall(SYS_mincore, a[0], a[1], a[2] ? (uint64_t)vector : 8);
}

static long make_mseal(const uint64_t *a)
{
    return syscall(SYS_MSEAL, a[0], a[1], a[2]);
}

static long make_mbind(const uint64_t *a)
{
    unsigned long node = 1;
    return syscall(SYS_mbind, a[0], a[1], a[2], a[2] ? &node : NULL, a[2] ? 2 : 0, a[3]);
}

static long make_remap_file_pages(const uint64_t *a)
{
    return syscall(SYS_remap_file_pages, a[0], a[1], a[2], a[3], a[4]);
}

/* Ask a userfaultfd that watches AREA: the fields of @request's structure, all of 64 bits. What it
 * says in the one at @told. It never waits: the kernel's own accesses are refused. */
static long ask_userfaultfd(unsigned request, uint64_t *fields, unsigned told)
{
    uint64_t api[] = {UFFD_API, 0, 0};
    uint64_t area[] = {AREA, AREA_PAGES * PAGE,
                       UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP, 0};
    int fd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);

    if (ioctl(fd, (int)UFFDIO_API, api) || ioctl(fd, (int)UFFDIO_REGISTER, area))
        return -2;
    errno = 0;
    long result = ioctl(fd, (int)request, fields);
    return result ? result : (long)fields[told];
}

/* Range and mode, then what it did. */
#define MAKE_UFFD(call, request)                                        \
    static long make_uffd_##call(const uint64_t *a)                     \
    {                                                                   \
        return ask_userfaultfd((request), FIELDS(a[0], a[1], a[2]), 3); \
    }
#define FIELDS(...) \
    (uint64_t[5])   \
    {               \
        __VA_ARGS__ \
    }

MAKE_UFFD(register, UFFDIO_REGISTER)
MAKE_UFFD(unregister, UFFDIO_UNREGISTER)
MAKE_UFFD(wake, UFFDIO_WAKE)
MAKE_UFFD(zeropage, UFFDIO_ZEROPAGE)
MAKE_UFFD(writeprotect, UFFDIO_WRITEPROTECT)
MAKE_UFFD(continue, UFFDIO_CONTINUE)
MAKE_UFFD(poison, UFFDIO_POISON)

/* To, length, mode, from. */
static long make_uffd_copy(const uint64_t *a)
{
    return ask_userfaultfd(UFFDIO_COPY, FIELDS(a[0], a[3], a[1], a[2]), 4);
}

static long make_uffd_move(const uint64_t *a)
{
    return ask_userfaultfd(UFFDIO_MOVE, FIELDS(a[0], a[3], a[1], a[2]), 4);
}

/* How far the break moved. */
static long make_brk(const uint64_t *a)
{
    long before = syscall(SYS_brk, 0),
         wanted = (long)a[0] < 4096 ? before + (long)a[0] : (long)a[0];
    return (syscall(SYS_brk, wanted) - before) & 0xffff;
}

static const struct call calls[] = {
    {"mmap",
     make_mmap,
     false,
     {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(RW),
      VALUES(ANON, ANON | MAP_FIXED, ANON | MAP_FIXED_NOREPLACE, ANON | MAP_GROWSDOWN,
             MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED, MAP_PRIVATE | MAP_FIXED, 0, 4),
      VALUES(0, 1, PAGE, 1UL << 47, 1UL << 63, -PAGE)}},
    {"munmap", make_munmap, true, {VALUES(ADDRESSES), VALUES(LENGTHS)}},
    {"mprotect",
     make_mprotect,
     false,
     {VALUES(ADDRESSES), VALUES(LENGTHS),
      VALUES(0, PROT_READ, RW | PROT_EXEC, PROT_EXEC, 8, 0x40, PROT_READ | GROWS_DOWN,
             PROT_READ | GROWS_UP, 1UL << 32, -1UL)}},
    {"pkey_mprotect",
     make_pkey_mprotect,
     false,
     {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(PROT_READ, 0x40),
      VALUES(-1UL, 0, 1, 15, 16, 1UL << 31)}},
    {"mremap",
     make_mremap,
     false,
     {VALUES(ADDRESSES), VALUES(0, PAGE, PAGE + 1, 4 * PAGE, USER_TOP - PAGE, -PAGE, -1UL),
      VALUES(0, 1, PAGE, 2 * PAGE, USER_TOP - PAGE, -1UL), VALUES(0, MREMAP_MAYMOVE, 3, 5, 8),
      VALUES(0, AREA + 8 * PAGE, USER_TOP - PAGE)}},
    {"madvise",
     make_madvise,
     true,
     {VALUES(ADDRESSES), VALUES(LENGTHS),
      VALUES(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
             102, 103, 104, -1UL)}},
    {"process_madvise",
     make_process_madvise,
     true,
     {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(3, 20, 21, 25, 30), VALUES(0, 1)}},
    {"mlock", make_mlock, false, {VALUES(ADDRESSES), VALUES(LENGTHS)}},
    {"mlock2",
     make_mlock2,
     false,
     {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(0, 1, 2, 1UL << 31)}},
    {"munlock", make_munlock, false, {VALUES(ADDRESSES), VALUES(LENGTHS)}},
    {"msync",
     make_msync,
     false,
     {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(0, 1, 2, 3, 4, 5, 6, 7, 8)}},
    {"mincore", make_mincore, false, {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(0, 1)}},
    {"mseal", make_mseal, false, {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(0, 1)}},
    {"mbind",
     make_mbind,
     false,
     {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(0, 1, 2, 3, 7, -1UL), VALUES(0, 1, 8)}},
    {"remap_file_pages",
     make_remap_file_pages,
     false,
     {VALUES(ADDRESSES), VALUES(LENGTHS), VALUES(0, 1), VALUES(0, 1, 1UL << 51, -1UL),
      VALUES(0, MAP_NONBLOCK)}},
#define UFFD_CALL(call, ...)                                \
    {                                                       \
        "uffd_" #call, make_uffd_##call, true,              \
        {                                                   \
            VALUES(ADDRESSES), VALUES(LENGTHS), __VA_ARGS__ \
        }                                                   \
    }
#define SOURCES VALUES(AREA, AREA + 1, AREA + PAGE, AREA + 3 * PAGE, 0, USER_TOP, -PAGE)
    UFFD_CALL(register, VALUES(0, 1, 2, 3, 4, 5, 7, 8, -1UL)),
    UFFD_CALL(unregister, VALUES(0)),
    UFFD_CALL(wake, VALUES(0)),
    UFFD_CALL(zeropage, VALUES(0, 1, 2, -1UL)),
    UFFD_CALL(writeprotect, VALUES(0, 1, 2, 3, 4, -1UL)),
    UFFD_CALL(continue, VALUES(0, 1, 2, 3, 4)),
    UFFD_CALL(poison, VALUES(0, 1, 2)),
    UFFD_CALL(copy, VALUES(0, 1, 2, 3, 4), SOURCES),
    UFFD_CALL(move, VALUES(0, 1, 2, 3, 4), SOURCES),
    {"brk",
     make_brk,
     false,
     {VALUES(0, 1, PAGE - 1, PAGE, PAGE + 1, -1UL, -PAGE, USER_TOP - PAGE, USER_TOP, 1UL << 63,
             AREA)}},
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* What a child tells. */
static struct answer {
    bool made;
    long result;
    int error;
    char maps[1024];
} * answer;

/* Four pages of anonymous memory, a shared page of a file below and above: no neighbour merges. */
static void begin(void)
{
    mmap((void *)(AREA - PAGE), PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
    mmap((void *)AREA, AREA_PAGES * PAGE, RW, ANON | MAP_FIXED, -1, 0);
    mmap((void *)(AREA + 5 * PAGE), PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
    *(volatile char *)AREA = 1;
}

/* The lines of maps from the page below AREA on, as far as the sweep reaches. */
static void tell_maps(char *text, size_t size)
{
    static char all[1 << 14];
    size_t len = 0;

    if (slurp("/proc/self/maps", all, sizeof(all)) < 0)
        return;
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3 && start >= AREA - PAGE &&
            start < AREA + 64 * PAGE)
            len +=
                (size_t)snprintf(text + len, size - len, " %ld+%lu%s",
                                 (long)(start - AREA) / (long)PAGE, (end - start) / PAGE, rights);
        if (len >= size)
            break;
    }
}

static void child(const struct call *call, const uint64_t *a)
{
    alarm(SECONDS);
    begin();
    errno = 0;
    long result = call->make(a);
    answer->error = result == -1 ? errno : 0;
    answer->result = result;
    answer->made = true;
    if (!answer->error)
        tell_maps(answer->maps, sizeof(answer->maps));
    _exit(0);
}

/* A result that is an address differs from run to run, unless it was asked for. */
static long comparable(long result)
{
    if (result >= (long)(AREA - PAGE) && result < (long)(AREA + 64 * PAGE))
        return result - (long)AREA;
    return result > 1L << 20 ? 1L << 20 : result;
}

static void ask(const struct call *call, const uint64_t *a, char *line, size_t size)
{
    int status = 0;
    size_t len = (size_t)snprintf(line, size, "%s", call->name);

    memset(answer, 0, sizeof(*answer));
    pid_t pid = fork();
    if (pid == 0)
        child(call, a);
    waitpid(pid, &status, 0);
    for (int i = 0; i < ARGS_MAX && call->arguments[i].nr; i++)
        len += (size_t)snprintf(line + len, size - len, " %#lx", a[i]);
    if (!answer->made)
        snprintf(line + len, size - len, " = signal %d", WTERMSIG(status));
    else if (answer->error)
        snprintf(line + len, size - len, " = %s", strerror(answer->error));
    else
        snprintf(line + len, size - len, " = %ld:%s", comparable(answer->result), answer->maps);
}

/* Claim 3. */
static bool is_left_out(const struct call *call, const uint64_t *a)
{
    uint64_t end = a[0] + a[1];
    bool inside = a[0] >= AREA - PAGE && end <= AREA + 64 * PAGE;

    return call->takes_away && end > a[0] && !inside && a[0] < USER_TOP;
}

/* Each answer, in order, to @tell. */
static void sweep(const struct call *call, void (*tell)(const char *line))
{
    unsigned at[ARGS_MAX] = {0}, nr_args = 0;
    char line[2048];

    while (nr_args < ARGS_MAX && call->arguments[nr_args].nr)
        nr_args++;
    for (;;) {
        uint64_t a[ARGS_MAX] = {0};
        for (unsigned i = 0; i < nr_args; i++)
            a[i] = call->arguments[i].values[at[i]];
        if (!is_left_out(call, a)) {
            ask(call, a, line, sizeof(line));
            tell(line);
        }
        unsigned i = 0;
        while (i < nr_args && ++at[i] == call->arguments[i].nr)
            at[i++] = 0;
        if (i == nr_args)
            return;
    }
}

static uint32_t digest;
static unsigned nr_answers;

static void digest_line(const char *line)
{
    for (; *line; line++)
        digest = (digest ^ (unsigned char)*line) * 16777619; /* FNV-1a */
    nr_answers++;
}

static void print_line(const char *line)
{
    puts(line);
}

static int print_call(const char *name)
{
    for (int i = 0; i < CALLS; i++)
        if (!strcmp(calls[i].name, name)) {
            sweep(&calls[i], print_line);
            return 0;
        }
    return 1;
}

/* The same rights and limits wherever this runs. */
static void be_nobody(void)
{
    struct rlimit memlock = {8 << 20, 8 << 20};

    file = (int)syscall(SYS_memfd_create, "sweep", 0);
    if (ftruncate(file, AREA_PAGES * (off_t)PAGE))
        exit(1);
    setrlimit(RLIMIT_MEMLOCK, &memlock);
    if (getuid() == 0 && (setgid(NOBODY) || setuid(NOBODY)))
        exit(1);
    answer = mmap(NULL, sizeof(*answer), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

int main(int argc, char **argv)
{
    be_nobody();
    if (argc > 1)
        return print_call(argv[1]);
    printf("KTAP version 1\n1..%d\n", CALLS);
    for (int i = 0; i < CALLS; i++) {
        digest = 2166136261;
        nr_answers = 0;
        sweep(&calls[i], digest_line);
        printf("ok %d %s_%u_answers_%08x\n", i + 1, calls[i].name, nr_answers, digest);
        fflush(stdout);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * user/tour.c - the guided tour: what Bulla promises about memory, each promise shown to be kept
 *
 * Room:   user. A static Linux program: on Linux it prints the same, but for what only Bulla does.
 * Owns:   the list of claims at the end of the file.
 * Locks:  none.
 * Always: (1) a claim is one line, its evidence another; numbers in the evidence were measured;
 *         (2) the exit status is 0 if and only if no claim failed;
 *         (3) a claim that this kernel or machine cannot show is skipped, with the reason.
 * Source: memfd_create(2), fcntl(2) "File Sealing", memfd_secret(2), mprotect(2), brk(2).
 * Tour:   after user/probe.h; then mm/ in the order of the claims.
 */
#define _GNU_SOURCE
#include "../include/uapi/bulla.h"
#include "probe.h"
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define HUGE (2UL << 20)

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif
#define SYS_MEMFD_SECRET 447

enum verdict { OK, FAILED, SKIPPED };

static char evidence[256];

/* The end of every claim: does it hold, and what was seen. */
__attribute__((format(printf, 2, 3))) static enum verdict saw(bool holds, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(evidence, sizeof evidence, format, args);
    va_end(args);
    return holds ? OK : FAILED;
}

static enum verdict skip(const char *reason)
{
    saw(true, "%s", reason);
    return SKIPPED;
}

/* The errno's name, for a call that returned @result; "ok" when it did not fail. */
static const char *outcome(long result)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"},   {ENOENT, "ENOENT"}, {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"},
        {EACCES, "EACCES"}, {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"},   {EINVAL, "EINVAL"},
        {ESPIPE, "ESPIPE"}, {ENOSYS, "ENOSYS"}, {ENODEV, "ENODEV"}, {ENFILE, "ENFILE"},
    };

    if (result != -1)
        return "ok";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == errno)
            return names[i].name;
    return strerror(errno);
}

static bool is(const char *outcome_seen, const char *expected)
{
    return strcmp(outcome_seen, expected) == 0;
}

/* What an access did, in words. The pointer stays out: it differs from run to run. */
static const char *fate(struct fault f, const volatile void *p)
{
    static char text[4][64];
    static unsigned turn;
    char *t = text[turn++ % 4];
    const char *signal_name = f.sig == SIGSEGV  ? "SIGSEGV"
                              : f.sig == SIGBUS ? "SIGBUS"
                                                : "a signal";

    if (!f.sig)
        return "no fault";
    if (!f.details)
        snprintf(t, 64, "%s, seen by a child", signal_name);
    else
        snprintf(t, 64, "%s%s%s", signal_name,
                 f.sig == SIGBUS         ? ""
                 : f.code == SEGV_ACCERR ? " SEGV_ACCERR"
                 : f.code == SEGV_MAPERR ? " SEGV_MAPERR"
                                         : " of another code",
                 f.addr == p ? " at the very byte" : " elsewhere");
    return t;
}

/* Did the access fault, by this signal and (where it can be known) this code and address? */
static bool faulted(struct fault f, int sig, int code, const volatile void *p)
{
    return f.sig == sig && (!f.details || (f.code == code && f.addr == p));
}

static unsigned char *map_private(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static long map_result(size_t len, int prot, int flags, int fd)
{
    void *p = mmap(NULL, len, prot, flags, fd, 0);

    if (p == MAP_FAILED)
        return -1;
    munmap(p, len);
    return 0;
}

/* --- anonymous memory --- */

static enum verdict new_pages_are_zero(void)
{
    size_t zeroes = 0, len = 64 * PAGE;
    unsigned char *p = map_private(len);

    if (!p)
        return saw(false, "mmap: %s", outcome(-1));
    for (size_t i = 0; i < len; i++)
        zeroes += p[i] == 0;
    p[5 * PAGE] = 0x5a;
    bool kept = p[5 * PAGE] == 0x5a && p[5 * PAGE + 1] == 0;
    munmap(p, len);
    return saw(zeroes == len && kept, "%zu of %zu bytes were 0; 0x5a written and read back", zeroes,
               len);
}

static enum verdict unmapped_pages_are_gone(void)
{
    unsigned char *p = map_private(3 * PAGE);

    if (!p)
        return saw(false, "mmap: %s", outcome(-1));
    p[0] = p[PAGE] = p[2 * PAGE] = 1;
    munmap(p + PAGE, PAGE);
    struct fault hole = probe(p + PAGE, PROBE_READ);
    bool neighbours = p[0] == 1 && p[2 * PAGE] == 1;
    munmap(p, 3 * PAGE);
    return saw(faulted(hole, SIGSEGV, SEGV_MAPERR, p + PAGE) && neighbours,
               "reading it: %s; both neighbours keep their bytes", fate(hole, p + PAGE));
}

static enum verdict heap_grows_by_brk(void)
{
    unsigned char *top = (unsigned char *)syscall(SYS_brk, 0);
    unsigned char *grown = (unsigned char *)syscall(SYS_brk, top + 16 * PAGE);
    bool zero = false;

    if (grown == top + 16 * PAGE) {
        zero = top[0] == 0 && grown[-1] == 0;
        grown[-1] = 1;
    }
    unsigned char *back = (unsigned char *)syscall(SYS_brk, top);
    return saw(zero && back == top, "the break moved by %td pages and back; the new ones read 0",
               (grown - top) / (ptrdiff_t)PAGE);
}

static enum verdict bad_pointers_are_refused(void)
{
    int fd = memfd_create("pointer", 0);
    const char *nowhere = outcome(syscall(SYS_write, fd, 8L, 1L));
    const char *kernel = outcome(syscall(SYS_write, fd, 0xffff888000000000, 1L));

    close(fd);
    return saw(is(nowhere, "EFAULT") && is(kernel, "EFAULT"),
               "write from an unmapped address: %s; from a kernel address: %s", nowhere, kernel);
}

/* --- rights --- */

static enum verdict read_only_is_read_only(void)
{
    unsigned char *p = map_private(PAGE);

    if (!p)
        return saw(false, "mmap: %s", outcome(-1));
    p[9] = 9;
    mprotect(p, PAGE, PROT_READ);
    struct fault f = probe(p + 9, PROBE_WRITE);
    bool kept = p[9] == 9;
    munmap(p, PAGE);
    return saw(faulted(f, SIGSEGV, SEGV_ACCERR, p + 9) && kept,
               "writing: %s; the byte is unchanged", fate(f, p + 9));
}

static enum verdict no_rights_means_none(void)
{
    unsigned char *p = map_private(PAGE);

    if (!p)
        return saw(false, "mmap: %s", outcome(-1));
    p[0] = 7;
    mprotect(p, PAGE, PROT_NONE);
    struct fault f = probe(p, PROBE_READ);
    mprotect(p, PAGE, PROT_READ | PROT_WRITE);
    bool kept = p[0] == 7;
    munmap(p, PAGE);
    return saw(faulted(f, SIGSEGV, SEGV_ACCERR, p) && kept,
               "reading: %s; with the rights the byte came back", fate(f, p));
}

static enum verdict data_is_not_code(void)
{
    static const unsigned char code[] = {0xc3}; /* ret */
    unsigned char *p = map_private(PAGE);

    if (!p)
        return saw(false, "mmap: %s", outcome(-1));
    memcpy(p, code, sizeof code);
    struct fault data = probe(p, PROBE_CALL);
    mprotect(p, PAGE, PROT_READ | PROT_EXEC);
    struct fault call = probe(p, PROBE_CALL), write = probe(p, PROBE_WRITE);
    munmap(p, PAGE);
    return saw(faulted(data, SIGSEGV, SEGV_ACCERR, p) && !call.sig &&
                   faulted(write, SIGSEGV, SEGV_ACCERR, p),
               "as RW: %s; as RX it runs, and cannot be written", fate(data, p));
}

/* Rights that change without a call: PKRU of the thread. Its old value comes back. */
static uint32_t key_rights_set(unsigned key, uint32_t rights)
{
    uint32_t before, edx;

    __asm__ volatile("rdpkru" : "=a"(before), "=d"(edx) : "c"(0));
    uint32_t after = (before & ~(3U << 2 * key)) | rights << 2 * key;
    __asm__ volatile("wrpkru" ::"a"(after), "c"(0), "d"(0) : "memory");
    return before;
}

static enum verdict keys_shut_data(void)
{
    enum { NO_WRITE = 2, BY_KEY = 4 /* SEGV_PKUERR */ };
    int key = (int)syscall(SYS_pkey_alloc, 0, 0);
    unsigned char *p = map_private(PAGE);

    if (key < 0 || !p)
        return skip("no protection keys in this CPU");
    syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ | PROT_WRITE, key);
    struct fault open = probe(p, PROBE_WRITE);
    key_rights_set((unsigned)key, NO_WRITE);
    struct fault shut = probe(p, PROBE_WRITE);
    key_rights_set((unsigned)key, NO_WRITE); /* a handler's rights are its own */
    int pipes[2], err = pipe(pipes) || write(pipes[1], "x", 1) != 1;
    const char *copied = outcome(read(pipes[0], p, 1));
    key_rights_set((unsigned)key, 0);
    close(pipes[0]);
    close(pipes[1]);
    munmap(p, PAGE);
    syscall(SYS_pkey_free, key);
    return saw(!err && !open.sig && faulted(shut, SIGSEGV, BY_KEY, p) && is(copied, "EFAULT"),
               "shut by one instruction: %s, and the kernel's own write %s",
               shut.code == BY_KEY ? "SIGSEGV SEGV_PKUERR" : "no such fault", copied);
}

#define SYS_MSEAL 462

static enum verdict sealed_areas_stay(void)
{
    int status = 0;
    pid_t child = fork(); /* the seal ends with the process */

    if (child == 0) {
        unsigned char *p = map_private(PAGE);
        if (syscall(SYS_MSEAL, p, PAGE, 0))
            _exit(2);
        bool stays =
            munmap(p, PAGE) && errno == EPERM && mprotect(p, PAGE, PROT_READ) && errno == EPERM;
        _exit(!stays);
    }
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 2)
        return skip("no mseal");
    return saw(status == 0, "munmap and mprotect of it: %s", status ? "not refused" : "EPERM");
}

static enum verdict code_is_never_made_of_data(void)
{
    int status = 0;
    pid_t child = fork(); /* it gives the right up for good */

    if (child == 0) {
        unsigned char *p = map_private(PAGE);
        if (prctl(65, 1L, 0L, 0L, 0L)) /* PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN */
            _exit(2);
        bool refused = mprotect(p, PAGE, PROT_READ | PROT_EXEC) && errno == EACCES;
        _exit(!refused);
    }
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 2)
        return skip("no PR_SET_MDWE");
    return saw(status == 0, "RW to RX: %s", status ? "not refused" : "EACCES");
}

static enum verdict mappings_split_and_merge(void)
{
    enum { PAGES = 8 };
    unsigned char *area = map_private((PAGES + 2) * PAGE), *p = area + PAGE;
    int whole, split, merged;

    if (!area)
        return saw(false, "mmap: %s", outcome(-1));
    mprotect(area, PAGE, PROT_NONE); /* fences: no neighbour to merge with */
    mprotect(p + PAGES * PAGE, PAGE, PROT_NONE);
    whole = maps_count(p, PAGES * PAGE);
    mprotect(p + 3 * PAGE, 2 * PAGE, PROT_READ);
    split = maps_count(p, PAGES * PAGE);
    mprotect(p + 3 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
    merged = maps_count(p, PAGES * PAGE);
    munmap(area, (PAGES + 2) * PAGE);
    if (whole < 0)
        return skip("this kernel has no /proc/self/maps");
    return saw(whole == 1 && split == 3 && merged == 1,
               "mappings before, with two pages read-only, and after: %d, %d, %d", whole, split,
               merged);
}

/* The raw call: libc rounds the address down before the kernel sees it. */
static enum verdict mprotect_names_the_mistake(void)
{
    unsigned char *p = map_private(3 * PAGE);

    if (!p)
        return saw(false, "mmap: %s", outcome(-1));
    munmap(p + PAGE, PAGE);
    const char *unaligned = outcome(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ));
    const char *bits = outcome(syscall(SYS_mprotect, p, PAGE, 0x40));
    const char *hole = outcome(syscall(SYS_mprotect, p, 3 * PAGE, PROT_READ));
    struct fault before = probe(p, PROBE_WRITE), after = probe(p + 2 * PAGE, PROBE_WRITE);
    munmap(p, 3 * PAGE);
    return saw(is(unaligned, "EINVAL") && is(bits, "EINVAL") && is(hole, "ENOMEM") && before.sig &&
                   !after.sig,
               "unaligned %s, unknown right %s, across a hole %s: changed up to the hole only",
               unaligned, bits, hole);
}

/* --- memfd and seals --- */

static enum verdict memfd_is_file_and_memory(void)
{
    int fd = memfd_create("tour", MFD_CLOEXEC);
    unsigned char *p, byte = 0;
    struct stat st = {0};

    if (fd < 0 || ftruncate(fd, 3 * PAGE) < 0)
        return saw(false, "memfd_create, ftruncate: %s", outcome(-1));
    p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return saw(false, "mmap: %s", outcome(-1));
    bool written = pwrite(fd, "clay", 4, 5000) == 4 && !memcmp(p + 5000, "clay", 4);
    p[8191] = 0x77;
    bool mapped = pread(fd, &byte, 1, 8191) == 1 && byte == 0x77;
    fstat(fd, &st);
    munmap(p, 3 * PAGE);
    close(fd);
    return saw(written && mapped && st.st_size == 3 * (off_t)PAGE,
               "write() showed in the mapping, the mapping in read(); size %ld", (long)st.st_size);
}

static enum verdict seals_are_asked_for(void)
{
    int plain = memfd_create("plain", 0), open_ = memfd_create("open", MFD_ALLOW_SEALING);
    const char *refused = outcome(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
    int of_plain = fcntl(plain, F_GET_SEALS), of_open = fcntl(open_, F_GET_SEALS);

    close(plain);
    close(open_);
    return saw(is(refused, "EPERM") && of_plain == F_SEAL_SEAL && of_open == 0,
               "without MFD_ALLOW_SEALING: seals %#x, adding one %s; with it: seals %#x", of_plain,
               refused, of_open);
}

static enum verdict size_seals_hold(void)
{
    int fd = memfd_create("size", MFD_ALLOW_SEALING);

    if (ftruncate(fd, 2 * PAGE) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return saw(false, "ftruncate, F_ADD_SEALS: %s", outcome(-1));
    const char *smaller = outcome(ftruncate(fd, PAGE));
    const char *larger = outcome(ftruncate(fd, 3 * PAGE));
    const char *past = outcome(pwrite(fd, "x", 1, 2 * PAGE));
    const char *inside = outcome(pwrite(fd, "x", 1, 0));
    close(fd);
    return saw(is(smaller, "EPERM") && is(larger, "EPERM") && is(past, "EPERM") && is(inside, "ok"),
               "shrink %s, grow %s, write past the end %s, write inside %s", smaller, larger, past,
               inside);
}

static enum verdict write_seal_waits_for_mappings(void)
{
    int fd = memfd_create("busy", MFD_ALLOW_SEALING);
    void *p;

    if (ftruncate(fd, PAGE) < 0)
        return saw(false, "ftruncate: %s", outcome(-1));
    p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const char *live = outcome(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
    int none = fcntl(fd, F_GET_SEALS);
    munmap(p, PAGE);
    const char *gone = outcome(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    close(fd);
    return saw(is(live, "EBUSY") && none == 0 && is(gone, "ok"),
               "with the mapping alive %s (seals still %#x), after munmap %s", live, none, gone);
}

/* A one-page memfd that holds "sealed", with F_SEAL_WRITE on it. */
static int write_sealed(void)
{
    int fd = memfd_create("written", MFD_ALLOW_SEALING);

    if (ftruncate(fd, PAGE) < 0 || pwrite(fd, "sealed", 6, 0) != 6 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
        return -1;
    return fd;
}

static enum verdict write_seal_holds(void)
{
    int fd = write_sealed(), twin = dup(fd);
    const char *by_write = outcome(pwrite(fd, "broken", 6, 0));
    const char *by_twin = outcome(pwrite(twin, "broken", 6, 0));
    const char *by_map = outcome(map_result(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    const char *by_mprotect = outcome(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    bool kept = p != MAP_FAILED && !memcmp(p, "sealed", 6);

    munmap(p, PAGE);
    close(fd);
    close(twin);
    return saw(is(by_write, "EPERM") && is(by_twin, "EPERM") && is(by_map, "EPERM") &&
                   is(by_mprotect, "EACCES") && kept,
               "write %s, by a duplicate %s, new shared mapping %s, mprotect %s", by_write, by_twin,
               by_map, by_mprotect);
}

static enum verdict sealed_pages_can_be_copied(void)
{
    int fd = write_sealed();
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), file[7] = "";

    if (p == MAP_FAILED)
        return saw(false, "mmap: %s", outcome(-1));
    memcpy(p, "copied", 7);
    bool read = pread(fd, file, 6, 0) == 6;
    bool holds = read && is(p, "copied") && is(file, "sealed");
    saw(true, "the private mapping reads \"%.6s\", the file still \"%.6s\"", p, file);
    munmap(p, PAGE);
    close(fd);
    return holds ? OK : FAILED;
}

/* Hand @fd over to whoever has the other end of @link. */
static bool send_fd(int link, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct iovec byte = {"", 1};
    struct msghdr message = {.msg_iov = &byte,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.room};

    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    return sendmsg(link, &message, 0) == 1;
}

static int receive_fd(int link)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char c;
    int fd = -1;
    struct iovec byte = {&c, 1};
    struct msghdr message = {.msg_iov = &byte,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.room};

    if (recvmsg(link, &message, 0) == 1 && message.msg_controllen)
        memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
    return fd;
}

/* What another process can do with a sealed memfd that it is given: its report is its status. */
static int try_received(int link)
{
    char text[7] = "";
    int fd = receive_fd(link);

    if (fd < 0 || pread(fd, text, 6, 0) != 6 || !is(text, "sealed"))
        return 0;
    bool write_fails = pwrite(fd, "broken", 6, 0) < 0 && errno == EPERM;
    bool map_fails = map_result(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd) < 0 && errno == EPERM;
    return 1 | write_fails << 1 | map_fails << 2;
}

static enum verdict seals_travel_along(void)
{
    int link[2], fd = write_sealed(), status = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, link) < 0)
        return saw(false, "socketpair: %s", outcome(-1));
    pid_t child = fork();
    if (child == 0)
        _exit(try_received(link[1]));
    bool sent = child > 0 && send_fd(link[0], fd);
    waitpid(child, &status, 0);
    close(link[0]);
    close(link[1]);
    close(fd);
    int seen = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return saw(sent && seen == 7,
               "sent by a socket; the receiver reads it %s, writing %s, mapping %s",
               seen & 1 ? "ok" : "NOT", seen & 2 ? "EPERM" : "NOT refused",
               seen & 4 ? "EPERM" : "NOT refused");
}

static enum verdict last_seal_ends_sealing(void)
{
    int fd = memfd_create("last", MFD_ALLOW_SEALING);
    const char *last = outcome(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL));
    const char *more = outcome(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    int seals = fcntl(fd, F_GET_SEALS);

    close(fd);
    return saw(is(last, "ok") && is(more, "EPERM") && seals == (F_SEAL_SHRINK | F_SEAL_SEAL),
               "F_SEAL_SEAL %s, one more %s, seals are %#x", last, more, seals);
}

/* --- huge pages --- */

static enum verdict huge_pages_are_whole(void)
{
    int fd = memfd_create("huge", MFD_HUGETLB);

    if (fd < 0)
        return skip("this kernel has no MFD_HUGETLB");
    const char *odd = outcome(ftruncate(fd, PAGE)), *even = outcome(ftruncate(fd, HUGE));
    const char *written = outcome(write(fd, "x", 1));
    struct stat st = {0};
    fstat(fd, &st);
    close(fd);
    return saw(is(odd, "EINVAL") && is(even, "ok") && is(written, "EINVAL") &&
                   st.st_blksize == (long)HUGE,
               "size 4096 %s, size 2 MiB %s, write() %s, block size %ld", odd, even, written,
               (long)st.st_blksize);
}

static enum verdict huge_pages_come_from_the_pool(void)
{
    int fd = memfd_create("huge", MFD_HUGETLB);
    long before = meminfo("HugePages_Free"), during;
    unsigned char *p;

    if (fd < 0 || ftruncate(fd, HUGE) < 0)
        return skip("this kernel has no MFD_HUGETLB");
    p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        close(fd);
        return errno == ENOMEM ? skip("the pool is empty (boot with hugepages=2)")
                               : saw(false, "mmap: %s", outcome(-1));
    }
    bool zero = p[0] == 0 && p[HUGE - 1] == 0, aligned = (uintptr_t)p % HUGE == 0;
    p[HUGE - 1] = 1;
    during = meminfo("HugePages_Free");
    munmap(p, HUGE);
    close(fd);
    if (before < 0)
        return saw(zero && aligned, "2 MiB aligned to 2 MiB, first and last byte 0");
    return saw(zero && aligned && during == before - 1 && meminfo("HugePages_Free") == before,
               "2 MiB aligned to 2 MiB; free pages went from n to n%+ld, then back to n",
               during - before);
}

/* --- secret memory --- */

static int secret_fd;

/* With the flags of Bulla's that Linux answers with EINVAL. */
static bool have_secret_with(unsigned flags)
{
    secret_fd = (int)syscall(SYS_MEMFD_SECRET, flags);
    return secret_fd >= 0;
}

static bool have_secret(void)
{
    return have_secret_with(0);
}

static enum verdict secrets_are_for_mapping_only(void)
{
    char buf[16] = "nothing";

    if (!have_secret())
        return skip("memfd_secret is off in this kernel (boot with secretmem.enable=1)");
    const char *sized = outcome(ftruncate(secret_fd, PAGE));
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, secret_fd, 0);
    if (p == MAP_FAILED)
        return saw(false, "mmap: %s", outcome(-1));
    bool zero = p[0] == 0 && p[PAGE - 1] == 0;
    strcpy(p, "my secret");
    const char *by_read = outcome(read(secret_fd, buf, sizeof buf));
    const char *by_write = outcome(write(secret_fd, buf, sizeof buf));
    bool kept = is(p, "my secret");
    munmap(p, PAGE);
    close(secret_fd);
    return saw(is(sized, "ok") && zero && kept && is(by_read, "EINVAL") && is(by_write, "EINVAL"),
               "came zeroed, keeps what its owner stores; read() %s, write() %s", by_read,
               by_write);
}

static enum verdict secrets_stay_shared_and_data(void)
{
    if (!have_secret() || ftruncate(secret_fd, PAGE) < 0)
        return skip("memfd_secret is off in this kernel");
    const char *private = outcome(map_result(PAGE, PROT_READ, MAP_PRIVATE, secret_fd));
    const char *code = outcome(map_result(PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, secret_fd));
    const char *again = outcome(ftruncate(secret_fd, 2 * PAGE));
    const char *sealed = outcome(fcntl(secret_fd, F_GET_SEALS));
    close(secret_fd);
    return saw(is(private, "EINVAL") && is(code, "EPERM") && is(again, "EINVAL") &&
                   is(sealed, "EINVAL"),
               "private mapping %s, executable %s, second size %s, seals %s", private, code, again,
               sealed);
}

static enum verdict secrets_end_at_their_size(void)
{
    if (!have_secret() || ftruncate(secret_fd, PAGE) < 0)
        return skip("memfd_secret is off in this kernel");
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, secret_fd, 0);
    if (p == MAP_FAILED)
        return saw(false, "mmap: %s", outcome(-1));
    struct fault inside = probe(p, PROBE_WRITE), past = probe(p + PAGE, PROBE_WRITE);
    munmap(p, 2 * PAGE);
    close(secret_fd);
    return saw(!inside.sig && faulted(past, SIGBUS, BUS_ADRERR, p + PAGE),
               "first page: %s; the page past the size: %s", fate(inside, p), fate(past, p + PAGE));
}

struct direct_map {
    long kb_4k, kb_2m, kb_1g;
};

static struct direct_map direct_map_now(void)
{
    return (struct direct_map){meminfo("DirectMap4k"), meminfo("DirectMap2M"),
                               meminfo("DirectMap1G")};
}

static long direct_map_total(struct direct_map d)
{
    return d.kb_4k + d.kb_2m + (d.kb_1g > 0 ? d.kb_1g : 0);
}

/* Bulla keeps hidden pages for the next secret: now it gives back those that nobody uses. */
static void hidden_pages_go(void)
{
    int fd = open("/sys/kernel/mm/secretmem/shrink", O_WRONLY);

    if (fd < 0)
        return;
    if (write(fd, "1", 1) < 0)
        printf("hidden pages are not given back: %s\n", strerror(errno));
    close(fd);
}

/* Hold @pages secret pages, count the direct map while they exist and when they are gone. */
static bool secrets_and_direct_map(size_t pages, struct direct_map *during,
                                   struct direct_map *after)
{
    size_t len = pages * PAGE;
    char *p;

    if (!have_secret() || ftruncate(secret_fd, (off_t)len) < 0)
        return false;
    p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, secret_fd, 0);
    if (p == MAP_FAILED)
        return false;
    for (size_t i = 0; i < pages; i++)
        p[i * PAGE] = 1;
    *during = direct_map_now();
    munmap(p, len);
    close(secret_fd);
    hidden_pages_go();
    *after = direct_map_now();
    return true;
}

static bool is_bulla(void)
{
    struct utsname name;

    return uname(&name) == 0 && strstr(name.release, "bulla");
}

static enum verdict secrets_leave_the_direct_map(void)
{
    enum { PAGES = 8 };
    struct direct_map before, during, after;

    hidden_pages_go();
    before = direct_map_now();
    if (before.kb_4k < 0)
        return skip("this kernel does not count its direct map in /proc/meminfo");
    if (!secrets_and_direct_map(PAGES, &during, &after))
        return skip("memfd_secret is off in this kernel");
    long total = direct_map_total(before), missing = total - direct_map_total(during);
    /* Linux counts what it split, not what it took away; Bulla takes away up to 2 MiB at once. */
    bool right =
        is_bulla() ? missing >= 4 * PAGES && missing <= 2048 : missing >= 0 && missing <= 4 * PAGES;
    return saw(right && direct_map_total(after) == total,
               "4k/2M/1G leaves in kB: before %ld/%ld/%ld, with 8 secret pages %ld/%ld/%ld",
               before.kb_4k, before.kb_2m, before.kb_1g, during.kb_4k, during.kb_2m, during.kb_1g);
}

static enum verdict direct_map_heals(void)
{
    struct direct_map before = direct_map_now(), during, after;

    if (!is_bulla())
        return skip("Linux leaves its direct map split");
    if (before.kb_4k < 0 || !secrets_and_direct_map(8, &during, &after))
        return skip("no secret memory, or no counters");
    return saw(after.kb_4k == before.kb_4k && after.kb_2m == before.kb_2m,
               "after the last secret page: %ld/%ld/%ld kB, as before it", after.kb_4k, after.kb_2m,
               after.kb_1g);
}

static enum verdict secrets_can_be_sealed(void)
{
    char path[32];

    if (!have_secret_with(SECRET_ALLOW_SEALING) || ftruncate(secret_fd, PAGE) < 0)
        return skip("this kernel has no seals on secret memory");
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, secret_fd, 0);
    strcpy(p, "for reading");
    const char *early = outcome(fcntl(secret_fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(p, PAGE);
    const char *late = outcome(fcntl(secret_fd, F_ADD_SEALS, F_SEAL_WRITE));
    snprintf(path, sizeof path, "/proc/self/fd/%d", secret_fd);
    int reader = open(path, O_RDONLY);
    p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    bool kept = p != MAP_FAILED && is(p, "for reading");
    const char *wider = outcome(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    munmap(p, PAGE);
    close(reader);
    close(secret_fd);
    return saw(is(early, "EBUSY") && is(late, "ok") && kept && is(wider, "EACCES"),
               "F_SEAL_WRITE while mapped %s, then %s; a reader sees it, and mprotect() says %s",
               early, late, wider);
}

static enum verdict strict_secrets_are_not_copied(void)
{
    int ends[2];

    if (pipe(ends) < 0 || !have_secret_with(SECRET_STRICT) || ftruncate(secret_fd, PAGE) < 0)
        return skip("this kernel copies secrets if it is told to");
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, secret_fd, 0);
    strcpy(p, "mine alone");
    const char *out = outcome(write(ends[1], p, PAGE));
    const char *in = outcome(syscall(SYS_getrandom, p, PAGE, 0));
    bool kept = is(p, "mine alone");
    munmap(p, PAGE);
    close(secret_fd);
    close(ends[0]);
    close(ends[1]);
    return saw(is(out, "EFAULT") && is(in, "EFAULT") && kept,
               "write() of it %s, getrandom() into it %s, its owner reads it", out, in);
}

static enum verdict huge_secrets_are_one_entry(void)
{
    struct direct_map before, during;

    hidden_pages_go();
    before = direct_map_now();
    if (!have_secret_with(SECRET_HUGETLB) || ftruncate(secret_fd, 2 << 20) < 0)
        return skip("this kernel has small secret pages only");
    char *p = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, secret_fd, 0);
    if (p == MAP_FAILED)
        return saw(false, "mmap: %s", outcome(-1));
    p[(2 << 20) - 1] = 1;
    during = direct_map_now();
    munmap(p, 2 << 20);
    close(secret_fd);
    long after = direct_map_total(direct_map_now());
    long gone = direct_map_total(before) - direct_map_total(during);
    return saw(gone == 2048 && before.kb_4k == during.kb_4k && after == direct_map_total(before),
               "with one: %ld kB fewer, no leaf of 4 KiB more; without: all as before", gone);
}

/* --- pins, programs, answers --- */

/* How many ms a call took that was refused. */
static long ms_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static enum verdict pins_keep_the_seal_away(void)
{
    int fd = (int)syscall(SYS_memfd_create, "tour", 2U), ends[2];
    char *p = NULL, byte;
    struct timespec start;

    if (fd < 0 || ftruncate(fd, PAGE) < 0 || pipe(ends) < 0 ||
        (p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
        return skip("no memfd, or no pipe");
    p[0] = 'p';
    struct iovec kept = {p, 1};
    bool given = vmsplice(ends[1], &kept, 1, 0) == 1;
    munmap(p, PAGE);
    clock_gettime(CLOCK_MONOTONIC, &start);
    int refused = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
    const char *first = outcome(refused);
    long ms = ms_since(&start);
    bool taken = read(ends[0], &byte, 1) == 1 && byte == 'p';
    int sealed = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    return saw(given && refused < 0 && taken && sealed == 0 && ms >= 100,
               "with a page in a pipe %s after %s, once it was read %s", first,
               ms >= 100 ? "more than 100 ms" : "no time", outcome(sealed));
}

static enum verdict data_memfd_never_runs(void)
{
    int fd = (int)syscall(SYS_memfd_create, "tour", 8U); /* MFD_NOEXEC_SEAL */
    char *const argv[] = {"tour", NULL}, *const envp[] = {NULL};

    if (fd < 0)
        return skip("no MFD_NOEXEC_SEAL");
    long run = syscall(SYS_execveat, fd, "", argv, envp, 0x1000);
    const char *ran = outcome(run);
    int allowed = fchmod(fd, 0777);
    const char *changed = outcome(allowed);
    int seals = fcntl(fd, F_GET_SEALS);
    close(fd);
    return saw(run < 0 && allowed < 0 && seals == 0x20,
               "seals are %#x; running it %s, making it a program %s", seals, ran, changed);
}

static enum verdict sealed_files_never_run(void)
{
    int fd = (int)syscall(SYS_memfd_create, "tour", 2U); /* MFD_ALLOW_SEALING */

    if (fd < 0 || ftruncate(fd, PAGE))
        return saw(false, "memfd_create: %s", outcome(-1));
    unsigned char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_NEVER_EXEC)) {
        close(fd);
        return skip("only Bulla has this seal");
    }
    const char *alias = outcome(map_result(PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd));
    const char *changed = outcome(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    munmap(p, PAGE);
    close(fd);
    return saw(is(alias, "EPERM") && is(changed, "EACCES"),
               "an executable mapping beside a writable one: %s; mprotect: %s", alias, changed);
}

static enum verdict programs_answer_faults(void)
{
    static char answer[PAGE] __attribute__((aligned(4096)));
    struct {
        uint64_t api, features, ioctls;
    } api = {0xaa, 1 << 7, 0}; /* SIGBUS, not a question */
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t about[4] = {(uintptr_t)p, PAGE, 1, 0};

    if (fd < 0 || p == MAP_FAILED || ioctl(fd, (int)0xc018aa3f, &api) < 0 ||
        ioctl(fd, (int)0xc020aa00, about) < 0)
        return skip("no userfaultfd");
    struct fault f = probe(p + 7, PROBE_READ);
    memset(answer, 'a', PAGE);
    uint64_t copy[5] = {(uintptr_t)p, (uintptr_t)answer, PAGE, 0, 0};
    int given = ioctl(fd, (int)0xc028aa03, copy);
    bool came = given == 0 && p[7] == 'a';
    munmap(p, PAGE);
    close(fd);
    return saw(f.sig == SIGBUS && came, "missing: %s; given by UFFDIO_COPY it reads \"%c\"",
               f.sig == SIGBUS ? "SIGBUS" : "no fault", came ? 'a' : '?');
}

/* --- looking on --- */

enum { LOOKED_AT = 16 };

/* Bit 55 of each page's word in pagemap, as one number. */
static unsigned soft_dirty(const char *p)
{
    uint64_t words[LOOKED_AT] = {0};
    unsigned bits = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);

    if (pread(fd, words, sizeof words, (off_t)((uintptr_t)p / PAGE * sizeof words[0])) < 0)
        bits = ~0U;
    close(fd);
    for (unsigned i = 0; i < LOOKED_AT && bits != ~0U; i++)
        bits |= (unsigned)(words[i] >> 55 & 1) << i;
    return bits;
}

static enum verdict writes_are_tracked(void)
{
    char *p =
        mmap(NULL, LOOKED_AT * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/clear_refs", O_WRONLY);

    if (p == MAP_FAILED || fd < 0)
        return skip("no clear_refs");
    memset(p, 1, LOOKED_AT * PAGE);
    unsigned before = soft_dirty(p);
    bool cleared = write(fd, "4", 1) == 1;
    close(fd);
    unsigned between = soft_dirty(p);
    p[3 * PAGE] = p[9 * PAGE] = 2;
    unsigned after = soft_dirty(p);
    munmap(p, LOOKED_AT * PAGE);
    if (cleared && between == before)
        return skip("this kernel does not track writes");
    return saw(before == 0xffff && between == 0 && after == (1U << 3 | 1U << 9),
               "pages written: %#x; since clear_refs: %#x; after two stores: %#x", before, between,
               after);
}

/* --- the order of the tour --- */

static const struct {
    const char *group; /* NULL: the same as above */
    const char *claim;
    enum verdict (*show)(void);
} claims[] = {
    {"Anonymous memory", "a new page is zero, and keeps what is stored", new_pages_are_zero},
    {NULL, "an unmapped page is gone, its neighbours stay", unmapped_pages_are_gone},
    {NULL, "brk grows the heap by zero pages and takes them back", heap_grows_by_brk},
    {NULL, "the kernel refuses a bad pointer instead of following it", bad_pointers_are_refused},
    {"Rights", "a read-only page cannot be written", read_only_is_read_only},
    {NULL, "a page without rights cannot even be read", no_rights_means_none},
    {NULL, "data is not code until mprotect says so, and then it is not data", data_is_not_code},
    {NULL, "who gives the right up never makes code of data again", code_is_never_made_of_data},
    {NULL, "a protection key shuts data without a call", keys_shut_data},
    {NULL, "a sealed area stays, with its rights", sealed_areas_stay},
    {NULL, "changing part of a mapping splits it, changing it back heals it",
     mappings_split_and_merge},
    {NULL, "mprotect says what was wrong, and stops where it was", mprotect_names_the_mistake},
    {"memfd and seals", "a memfd is a file and is memory, the same bytes",
     memfd_is_file_and_memory},
    {NULL, "only who asked for sealing can seal", seals_are_asked_for},
    {NULL, "F_SEAL_SHRINK and F_SEAL_GROW fix the size", size_seals_hold},
    {NULL, "F_SEAL_WRITE is refused while somebody could still write",
     write_seal_waits_for_mappings},
    {NULL, "F_SEAL_WRITE closes every way to write, for every descriptor", write_seal_holds},
    {NULL, "a sealed page can still be copied on write", sealed_pages_can_be_copied},
    {NULL, "a sealed memfd stays sealed in whatever process it is sent to", seals_travel_along},
    {NULL, "F_SEAL_SEAL ends sealing itself", last_seal_ends_sealing},
    {NULL, "who keeps a page could still write it: F_SEAL_WRITE waits, then says so",
     pins_keep_the_seal_away},
    {NULL, "a memfd made for data is never run", data_memfd_never_runs},
    {NULL, "a memfd can be sealed so that nobody ever executes it", sealed_files_never_run},
    {"Huge pages", "a huge memfd is made of whole 2 MiB pages", huge_pages_are_whole},
    {NULL, "a huge page comes from the pool and returns to it", huge_pages_come_from_the_pool},
    {"Secret memory", "a secret page can be mapped, not read or written by descriptor",
     secrets_are_for_mapping_only},
    {NULL, "a secret is never private, never code, sized once, never sealed",
     secrets_stay_shared_and_data},
    {NULL, "a secret ends at its size", secrets_end_at_their_size},
    {NULL, "secret pages leave the kernel's own map of memory", secrets_leave_the_direct_map},
    {NULL, "that map heals when the secrets are gone", direct_map_heals},
    {NULL, "who asks for it can seal a secret, and lend it to read", secrets_can_be_sealed},
    {NULL, "a strict secret is not even copied by the kernel", strict_secrets_are_not_copied},
    {NULL, "a huge secret leaves the kernel's map as one entry", huge_secrets_are_one_entry},
    {"Looking on", "a program can say what is in a page that is missing", programs_answer_faults},
    {NULL, "pagemap tells which pages were written since one last asked", writes_are_tracked},
};

static bool colour;

static const char *paint(const char *code)
{
    return colour ? code : "";
}

static void show_claim(size_t number, const char *claim, enum verdict verdict)
{
    static const char *const words[] = {"ok", "FAILED", "skipped"};
    static const char *const colours[] = {"\033[32m", "\033[1;31m", "\033[33m"};

    printf("%3zu  %s%-8s%s%s\n", number, paint(colours[verdict]), words[verdict], paint("\033[0m"),
           claim);
    printf("     %s        %s%s%s\n", paint("\033[2m"), verdict == SKIPPED ? "skipped: " : "",
           evidence, paint("\033[0m"));
}

int main(void)
{
    size_t counts[3] = {0}, total = sizeof claims / sizeof claims[0];

    colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    printf("%sA tour of memory%s: %zu claims, each with its evidence.\n", paint("\033[1m"),
           paint("\033[0m"), total);
    for (size_t i = 0; i < total; i++) {
        if (claims[i].group)
            printf("\n%s%s%s\n", paint("\033[1m"), claims[i].group, paint("\033[0m"));
        enum verdict verdict = claims[i].show();
        counts[verdict]++;
        show_claim(i + 1, claims[i].claim, verdict);
    }
    printf("\n%zu claims: %zu ok, %zu failed, %zu skipped\n", total, counts[OK], counts[FAILED],
           counts[SKIPPED]);
    return counts[FAILED] ? 1 : 0;
}

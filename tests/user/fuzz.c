/* SPDX-License-Identifier: MIT */
/*
 * tests/user/fuzz.c - random system calls from several processes, until the machine breaks
 *
 * Room:   tests/user. A static Linux program; tests/user/fuzz boots a machine for it.
 * Owns:   the machine it runs in: it must be the job of tools/run (it refuses anything else).
 * Locks:  none; workers tell of their progress through a shared page.
 * Always: (1) it never asks for what any program may do to a machine: reboot, signals to process 1
 *             or to the one that counts;
 *         (2) after each round every process has been killed, and the kernel holds as much memory
 *             and as many objects as before.
 * Source: syscalls(2); trust.md V24.
 * Tour:   after tests/user/held.h, before tests/user/fuzz.
 *
 * Arguments: SEED SECONDS. Prints one line per round; exit status 0 if claim (2) held.
 */
#define _GNU_SOURCE
#include "held.h"
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <ucontext.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

enum {
    WORKERS = 4,
    THREADS = 2, /* more, in every second worker */
    ROUND_MS = 4000,
    STUCK_MS = 200, /* without progress: killed */
    CALLS_OF_A_LIFE = 3000,
    CALLS_OF_A_CHILD = 12,
    FDS = 32,
    ARENA_PAGES = 64,
    DATA_BYTES = 16 * 4096,
    SETTLE_MS = 30000, /* after a round */
    QUIET_MS = 300,    /* nothing changed for so long: it has settled */
    RARELY = 0,        /* weights of calls: those that end a worker's life .. */
    COMMON = 16,       /* .. against the others */
};

#define ARENA      0x10000000000UL
#define HUGE_ARENA 0x10040000000UL
#define OWN_DIR    "/tmp/fuzz"

/* One per worker, shared: how far it is, and what it does. */
struct progress {
    _Atomic uint64_t calls;
    _Atomic pid_t pid;
    _Atomic long number; /* of the call it is in */
};

static struct progress *progress;
static pid_t supervisor;
static uint64_t nr_calls;      /* roughly: what the supervisor saw */
static pid_t workers[WORKERS]; /* the supervisor's own list: any worker can damage what is shared */
static unsigned char *data;    /* what pointers point to: DATA_BYTES of interesting words */

/* --- chance --- */

struct chance {
    uint64_t state;
};

static uint64_t draw(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static unsigned below(struct chance *c, unsigned limit)
{
    return (unsigned)(draw(c) % limit);
}

#define PICK(c, table) (table)[below(c, sizeof(table) / sizeof(table)[0])]

/* --- arguments --- */

static uint64_t edge(struct chance *c)
{
    static const uint64_t edges[] = {
        0,         1,         2,         3,         7,          8,          16,
        PAGE - 1,  PAGE,      PAGE + 1,  2 * PAGE,  1UL << 21,  1UL << 31,  (1UL << 31) - 1,
        1UL << 32, 1UL << 46, 1UL << 47, 1UL << 62, 1UL << 63,  ~0UL >> 1,  ~0UL,
        -PAGE,     -2UL,      100,       64,        0xffffffff, 1000000000, INT_MIN};
    uint64_t value = PICK(c, edges);

    return below(c, 8) ? value : value + below(c, 5) - 2;
}

static uint64_t place(struct chance *c)
{
    static const uint64_t bad[] = {0,
                                   1,
                                   PAGE,
                                   0x7ffffffff000,
                                   0x7fffffffeff8,
                                   0x800000000000,
                                   0x8000000000000000,
                                   0xffff800000000000,
                                   0xffffffff80000000,
                                   0xffffffff80101000,
                                   0xfffffffffffff000,
                                   ~0UL};

    switch (below(c, 32)) {
    case 0:
        return PICK(c, bad);
    case 1:
        return edge(c);
    case 2:
        return HUGE_ARENA + (uint64_t)below(c, 4) * (2UL << 20);
    case 3:
        return ARENA + below(c, ARENA_PAGES * (unsigned)PAGE);
    case 4: /* itself: code, data, stack */
        return below(c, 8) ? ARENA : (uint64_t)(below(c, 2) ? (void *)place : (void *)&c) & -PAGE;
    default:
        return ARENA + below(c, ARENA_PAGES) * PAGE;
    }
}

/* Where a structure is read or written: good, at the end of a page, or bad. */
static uint64_t pointer(struct chance *c)
{
    switch (below(c, 16)) {
    case 0:
        return place(c);
    case 1:
        return 0;
    case 2:
        return (uint64_t)data + (1 + below(c, DATA_BYTES / PAGE)) * PAGE - 1 - below(c, 16);
    default:
        return (uint64_t)data + below(c, DATA_BYTES / 8 - 32) * 8UL;
    }
}

static uint64_t length(struct chance *c)
{
    switch (below(c, 8)) {
    case 0:
        return edge(c);
    case 1:
        return below(c, 4 * (unsigned)PAGE);
    case 2:
        return 8UL << below(c, 5);
    default:
        return (1 + below(c, 8)) * PAGE;
    }
}

/* Of a range that is changed: what is long takes the worker's own memory, and its life. */
static uint64_t short_length(struct chance *c)
{
    return below(c, 64) ? (1 + below(c, 8)) * PAGE - (below(c, 16) ? 0 : below(c, 3)) : length(c);
}

static uint64_t flags(struct chance *c)
{
    switch (below(c, 8)) {
    case 0:
        return edge(c);
    case 1:
        return draw(c);
    case 2:
        return 1UL << below(c, 32) | 1UL << below(c, 32);
    case 3:
        return 1UL << below(c, 32);
    default:
        return below(c, 40);
    }
}

static uint64_t path(struct chance *c)
{
    static const char *const paths[] = {OWN_DIR "/a",
                                        OWN_DIR "/b",
                                        OWN_DIR "/d",
                                        OWN_DIR "/d/e",
                                        OWN_DIR "/l",
                                        "a",
                                        "d/../b",
                                        "/dev/zero",
                                        "/dev/null",
                                        "/proc/self/maps",
                                        "/proc/self/fd/3",
                                        "/proc/self/stat",
                                        "/proc/self",
                                        "/proc/meminfo",
                                        "",
                                        ".",
                                        "/no/such/file",
                                        "a/b/c/d"};

    return below(c, 12) ? (uint64_t)PICK(c, paths) : pointer(c);
}

/* One that may be changed or removed. */
static uint64_t own_path(struct chance *c)
{
    static const char *const paths[] = {
        OWN_DIR "/a", OWN_DIR "/b", OWN_DIR "/d", OWN_DIR "/d/e", OWN_DIR "/l", OWN_DIR "/d/../b",
        "a",          "a/b",        "",           "/no/such/file"};

    return below(c, 12) ? (uint64_t)PICK(c, paths) : pointer(c);
}

static uint64_t file_system(struct chance *c)
{
    static const char *const types[] = {"tmpfs", "tmpfs", "ramfs", "hugetlbfs",
                                        "proc",  "sysfs", ""};

    return below(c, 12) ? (uint64_t)PICK(c, types) : pointer(c);
}

static uint64_t process(struct chance *c)
{
    static const int others[] = {0, 0, -1, INT_MIN, INT_MAX, 1, 99999, -2};

    if (below(c, 3) == 0)
        return (uint64_t)(int64_t)PICK(c, others);
    if (below(c, 3) == 0)
        return (uint64_t)getpid();
    return (uint64_t)atomic_load(&progress[below(c, WORKERS)].pid) +
           (below(c, 4) ? 0 : below(c, 6));
}

/* A name of a socket: one of few, so that they meet. */
static uint64_t address(struct chance *c)
{
    static struct sockaddr_un names[] = {
        {AF_UNIX, "\0a"}, {AF_UNIX, "\0b"}, {AF_UNIX, "socket"}, {AF_UNIX, OWN_DIR "/s"}};

    return below(c, 12) ? (uint64_t)&names[below(c, 4)] : pointer(c);
}

/* A message with two descriptors. */
static uint64_t message(struct chance *c)
{
    static __thread struct {
        struct mmsghdr m;
        struct iovec iov;
        struct cmsghdr control;
        int fds[2];
    } x;

    if (below(c, 12) == 0)
        return pointer(c);
    x.iov = (struct iovec){(void *)pointer(c), short_length(c)};
    x.control = (struct cmsghdr){CMSG_LEN(sizeof x.fds), 0, SOL_SOCKET, SCM_RIGHTS};
    x.fds[0] = 3 + (int)below(c, FDS);
    x.fds[1] = 3 + (int)below(c, FDS);
    x.m.msg_hdr = (struct msghdr){.msg_name = below(c, 3) ? NULL : (void *)address(c),
                                  .msg_namelen = 10,
                                  .msg_iov = &x.iov,
                                  .msg_iovlen = 1,
                                  .msg_control = &x.control,
                                  .msg_controllen = sizeof x.control + sizeof x.fds};
    return (uint64_t)&x;
}

/* Kinds of arguments, one letter each. */
static uint64_t argument(struct chance *c, char kind)
{
    switch (kind) {
    case 'a':
        return place(c);
    case 'p':
        return pointer(c);
    case 'l':
        return length(c);
    case 'L':
        return short_length(c);
    case 'f': /* a descriptor */
        return below(c, 16) ? 3 + below(c, FDS) : edge(c);
    case '@': /* a directory's */
        return below(c, 3) ? (uint64_t)-100 : 3 + below(c, FDS);
    case 's':
        return path(c);
    case 'S':
        return own_path(c);
    case 'd':
        return process(c);
    case 'g': /* a signal */
        return below(c, 8) ? below(c, 66) : edge(c);
    case 'o': /* an offset */
        return below(c, 4) ? below(c, 16) * PAGE : edge(c);
    case 'r': /* rights */
        return below(c, 8) ? below(c, 8) : flags(c);
    case 'm': /* how to map */
        return 1UL + below(c, 3) + (below(c, 4) ? 0x10 : 0) + (below(c, 2) ? 0x20 : 0) +
               (below(c, 3) ? 0 : flags(c) & ~0xfUL);
    case 'i':
        return flags(c);
    case 'u': /* a family of sockets */
        return below(c, 16) ? AF_UNIX : edge(c);
    case 't': /* a type of sockets */
        return below(c, 16) ? (below(c, 2) ? SOCK_STREAM : SOCK_DGRAM) : below(c, 8);
    case 'k':
        return address(c);
    case 'K': /* how long that is */
        return below(c, 12) ? 4 : below(c, 120);
    case 'h':
        return message(c);
    case 'w': /* how to send and receive: mostly without waiting */
        return (below(c, 8) ? MSG_DONTWAIT : 0) | (below(c, 4) ? 0 : MSG_PEEK) |
               (below(c, 8) ? MSG_NOSIGNAL : flags(c));
    case 'y': /* a file system */
        return file_system(c);
    case 'x': /* a small number: of a key, a segment, a semaphore, a command */
        return below(c, 12) ? below(c, 20) : edge(c);
    case 'z':
        return 0;
    default:
        return edge(c);
    }
}

/* --- calls --- */

#define CALL(name, kinds, weight)        \
    {                                    \
#name, SYS_##name, kinds, weight \
    }

static const struct call {
    const char *name;
    long number;
    const char *kinds;
    unsigned weight;
} calls[] = {
    CALL(mmap, "aLrmfo", 30),
    CALL(munmap, "aL", 8),
    CALL(mprotect, "aLr", 12),
    CALL(pkey_mprotect, "aLri", 1),
    CALL(mremap, "aLLiam", 8),
    CALL(madvise, "aLi", 14),
    CALL(brk, "a", RARELY),
    CALL(memfd_create, "si", 3),
    CALL(memfd_secret, "i", 2),
    CALL(mlock, "al", 3),
    CALL(mlock2, "ali", 2),
    CALL(munlock, "al", 3),
    CALL(mincore, "alp", 2),
    CALL(msync, "ali", 2),
    CALL(mlockall, "i", 1),
    CALL(munlockall, "", 1),
    CALL(clone, "ipppp", 3),
    CALL(clone3, "pl", 3),
    CALL(fork, "", 4),
    CALL(vfork, "", 1),
    CALL(execve, "spp", 1),
    CALL(execveat, "fsppi", 1),
    CALL(exit, "i", RARELY),
    CALL(wait4, "dpip", 4),
    CALL(waitid, "idpip", 3),
    CALL(getpid, "", 1),
    CALL(gettid, "", 1),
    CALL(getppid, "", 1),
    CALL(set_tid_address, "p", 1),
    CALL(getpgid, "d", 1),
    CALL(getpgrp, "", 1),
    CALL(getsid, "d", 1),
    CALL(setpgid, "dd", 1),
    CALL(setsid, "", 1),
    CALL(futex, "pinppi", 8),
    CALL(set_robust_list, "pl", RARELY),
    CALL(get_robust_list, "dpp", 1),
    CALL(rseq, "plii", 1),
    CALL(membarrier, "iii", 1),
    CALL(ptrace, "idap", 4),
    CALL(process_vm_readv, "dpnpnz", 3),
    CALL(process_vm_writev, "dpnpnz", 3),
    CALL(kill, "dg", RARELY),
    CALL(tgkill, "ddg", RARELY),
    CALL(tkill, "dg", RARELY),
    CALL(rt_sigqueueinfo, "dgp", RARELY),
    CALL(rt_tgsigqueueinfo, "ddgp", RARELY),
    CALL(rt_sigaction, "gppl", RARELY),
    CALL(rt_sigprocmask, "ippl", 2),
    CALL(rt_sigpending, "pl", 1),
    CALL(rt_sigsuspend, "pl", RARELY),
    CALL(rt_sigtimedwait, "pppl", 1),
    CALL(rt_sigreturn, "", RARELY),
    CALL(sigaltstack, "pp", 1),
    CALL(pause, "", RARELY),
    CALL(restart_syscall, "", 1),
    CALL(clock_gettime, "ip", 1),
    CALL(clock_getres, "ip", 1),
    CALL(gettimeofday, "pp", 1),
    CALL(time, "p", 1),
    CALL(nanosleep, "pp", 1),
    CALL(clock_nanosleep, "iipp", 1),
    CALL(getrusage, "ip", 1),
    CALL(times, "p", 1),
    CALL(alarm, "i", 1),
    CALL(getitimer, "ip", 1),
    CALL(setitimer, "ipp", 1),
    CALL(timer_create, "ipp", 2),
    CALL(timer_settime, "iipp", 2),
    CALL(timer_gettime, "ip", 1),
    CALL(timer_getoverrun, "i", 1),
    CALL(timer_delete, "i", 2),
    CALL(sched_yield, "", 1),
    CALL(sched_getaffinity, "dlp", 1),
    CALL(sched_setaffinity, "dlp", 1),
    CALL(getcpu, "ppp", 1),
    CALL(sched_getscheduler, "d", 1),
    CALL(sched_setscheduler, "dip", 1),
    CALL(sched_getparam, "dp", 1),
    CALL(sched_setparam, "dp", 1),
    CALL(sched_get_priority_max, "i", 1),
    CALL(sched_get_priority_min, "i", 1),
    CALL(sched_rr_get_interval, "dp", 1),
    CALL(getpriority, "id", 1),
    CALL(setpriority, "idi", 1),
    CALL(epoll_create, "i", 1),
    CALL(epoll_create1, "i", 1),
    CALL(epoll_ctl, "fifp", 6),
    CALL(epoll_wait, "fpii", 2),
    CALL(epoll_pwait, "fpiipl", 2),
    CALL(uname, "p", 1),
    CALL(arch_prctl, "ip", RARELY),
    CALL(prlimit64, "dipp", RARELY),
    CALL(getrlimit, "ip", 1),
    CALL(setrlimit, "ip", RARELY),
    CALL(getrandom, "pli", 1),
    CALL(getgroups, "ip", 1),
    CALL(prctl, "innnn", 2),
    CALL(sysinfo, "p", 1),
    CALL(reboot, "iiip", 1),
    CALL(getuid, "", 1),
    CALL(read, "fpl", 6),
    CALL(write, "fpl", 6),
    CALL(pread64, "fplo", 4),
    CALL(pwrite64, "fplo", 5),
    CALL(readv, "fpn", 3),
    CALL(writev, "fpn", 3),
    CALL(preadv, "fpnoo", 2),
    CALL(preadv2, "fpnooi", 2),
    CALL(pwritev2, "fpnooi", 2),
    CALL(pwritev, "fpnoo", 2),
    CALL(lseek, "foi", 3),
    CALL(close, "f", 3),
    CALL(dup, "f", 3),
    CALL(dup2, "ff", 2),
    CALL(dup3, "ffi", 2),
    CALL(fcntl, "fip", 5),
    CALL(ioctl, "fip", 3),
    CALL(ftruncate, "fl", 5),
    CALL(fallocate, "fiol", 5),
    CALL(getdents64, "fpl", 2),
    CALL(sendfile, "ffpl", 3),
    CALL(fsync, "f", 1),
    CALL(sync, "", 1),
    CALL(syncfs, "f", 1),
    CALL(sync_file_range, "fooi", 1),
    CALL(readahead, "fol", 1),
    CALL(fadvise64, "foli", 1),
    CALL(flock, "fi", 2),
    CALL(open, "sii", 4),
    CALL(openat, "@sii", 3),
    CALL(creat, "Si", 1),
    CALL(stat, "sp", 1),
    CALL(lstat, "sp", 1),
    CALL(fstat, "fp", 1),
    CALL(newfstatat, "@spi", 1),
    CALL(statfs, "sp", 1),
    CALL(fstatfs, "fp", 1),
    CALL(access, "si", 1),
    CALL(faccessat, "@si", 1),
    CALL(faccessat2, "@sii", 1),
    CALL(truncate, "Sl", 2),
    CALL(mkdir, "Si", 2),
    CALL(mkdirat, "@Si", 1),
    CALL(mknod, "Sii", 1),
    CALL(mknodat, "@Sii", 1),
    CALL(unlink, "S", 2),
    CALL(unlinkat, "@Si", 1),
    CALL(rmdir, "S", 2),
    CALL(rename, "SS", 2),
    CALL(renameat, "@S@S", 1),
    CALL(renameat2, "@S@Si", 2),
    CALL(link, "SS", 1),
    CALL(linkat, "@S@Si", 1),
    CALL(symlink, "SS", 1),
    CALL(symlinkat, "S@S", 1),
    CALL(readlink, "spl", 1),
    CALL(readlinkat, "@spl", 1),
    CALL(chdir, "s", 1),
    CALL(fchdir, "f", 1),
    CALL(getcwd, "pl", 1),
    CALL(chmod, "Si", 1),
    CALL(fchmod, "fi", 1),
    CALL(fchmodat, "@Si", 1),
    CALL(chown, "Sii", 1),
    CALL(lchown, "Sii", 1),
    CALL(fchown, "fii", 1),
    CALL(fchownat, "@Siii", 1),
    CALL(utimensat, "@Spi", 1),
    CALL(umask, "i", 1),
    CALL(mount, "sSyip", 3),
    CALL(umount2, "Si", 2),
    CALL(openat2, "@Shl", 1),
    CALL(shmget, "xLi", 3),
    CALL(shmat, "xai", 3),
    CALL(shmdt, "a", 3),
    CALL(shmctl, "xxp", 3),
    CALL(semget, "xxi", 3),
    CALL(semop, "xpx", 3),
    CALL(semtimedop, "xpxp", 2),
    CALL(semctl, "xxxp", 4),
    CALL(socket, "utz", 3),
    CALL(socketpair, "utzp", 3),
    CALL(bind, "fkK", 3),
    CALL(listen, "fi", 2),
    CALL(accept4, "fppz", 3),
    CALL(connect, "fkK", 4),
    CALL(getsockname, "fpp", 1),
    CALL(getpeername, "fpp", 1),
    CALL(shutdown, "fi", 1),
    CALL(getsockopt, "fiipp", 1),
    CALL(setsockopt, "fiipl", 1),
    CALL(sendto, "fpLwkK", 3),
    CALL(recvfrom, "fpLwpp", 4),
    CALL(sendmsg, "fhw", 14),
    CALL(recvmsg, "fhw", 8),
    CALL(sendmmsg, "fhzw", 1),
    CALL(recvmmsg, "fhzwz", 1),
    CALL(splice, "fzfzLi", 8),
    CALL(tee, "ffLi", 4),
    CALL(vmsplice, "fpni", 6),
    CALL(copy_file_range, "fzfzLz", 2),
    CALL(pipe, "p", 1),
    CALL(pipe2, "pi", 2),
    CALL(poll, "pni", 2),
    CALL(ppoll, "pnppl", 1),
};

enum { NR_CALLS = sizeof calls / sizeof calls[0] };

static unsigned weight_of(const struct call *call)
{
    return call->weight == RARELY ? 1 : call->weight * COMMON;
}

static const struct call *pick_call(struct chance *c)
{
    static unsigned total; /* the same, whoever finds it out first */
    unsigned sum = 0, at, i;

    for (i = 0; total == 0 && i < NR_CALLS; i++)
        sum += weight_of(&calls[i]);
    if (sum)
        total = sum;
    at = below(c, total);
    for (i = 0; at >= weight_of(&calls[i]); i++)
        at -= weight_of(&calls[i]);
    return &calls[i];
}

static bool spared(uint64_t pid)
{
    int n = (int)pid;

    return n == 1 || n == supervisor || n == -1 || n == -supervisor;
}

/* Claim 1. */
static bool allowed(long number, const uint64_t a[6])
{
    switch (number) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_rt_sigqueueinfo:
    case SYS_process_vm_writev:
    case SYS_prlimit64:
    case SYS_sched_setaffinity:
    case SYS_sched_setscheduler:
    case SYS_sched_setparam:
    case SYS_setpgid:
        return !spared(a[0]);
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo:
    case SYS_ptrace:
        return !spared(a[0]) && !spared(a[1]);
    case SYS_setpriority:
        return (int)a[0] == PRIO_PROCESS && !spared(a[1]);
    case SYS_reboot:
        return (uint32_t)a[0] != 0xfee1dead;
    case SYS_mount:
    case SYS_umount2:
    case SYS_mknod:
    case SYS_mknodat:
        return false; /* a device in the way would lead to the ports of the machine */
    default:
        return true;
    }
}

/* --- a worker --- */

/* The call itself; a child that shares our memory leaves at once, touching nothing. */
static long raw_call(long number, const uint64_t a[6])
{
    bool makes = number == SYS_clone || number == SYS_clone3 || number == SYS_vfork;
    bool shares = makes && (number != SYS_clone || (a[0] & CLONE_VM));
    register uint64_t r10 asm("r10") = a[3];
    register uint64_t r8 asm("r8") = a[4];
    register uint64_t r9 asm("r9") = a[5];
    register uint64_t leaves asm("r12") = shares;
    long result;

    asm volatile("syscall\n"
                 "test %%rax, %%rax\n"
                 "jnz 1f\n"
                 "test %%r12, %%r12\n"
                 "jz 1f\n"
                 "xor %%edi, %%edi\n"
                 "mov $60, %%eax\n" /* exit */
                 "syscall\n"
                 "1:\n"
                 : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(leaves)
                 : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2])
                 : "rcx", "r11", "memory");
    return result;
}

static void refresh_data(struct chance *c)
{
    unsigned at = below(c, DATA_BYTES / 8 - 16);
    uint64_t *words = (uint64_t *)data;

    for (unsigned i = at; i < at + 16; i++)
        words[i] = below(c, 4) == 0 ? edge(c) : below(c, 2) ? place(c) : below(c, 64);
}

/* Returns the number of the call if a new process came out of it, else 0. */
static bool one_call(struct chance *c, struct progress *mine)
{
    const struct call *call = pick_call(c);
    uint64_t a[6] = {0};

    for (int i = 0; call->kinds[i]; i++)
        a[i] = argument(c, call->kinds[i]);
    if (!allowed(call->number, a))
        return false;
    if (mine) {
        atomic_store(&mine->number, call->number);
        atomic_fetch_add(&mine->calls, 1);
    }
    long result = raw_call(call->number, a);
    return result == 0 && (call->number == SYS_fork || call->number == SYS_clone);
}

/* A process that a call made: a few calls, then away. */
_Noreturn static void short_life(struct chance *c)
{
    c->state += (uint64_t)getpid();
    for (int i = 0; i < CALLS_OF_A_CHILD; i++)
        one_call(c, NULL);
    for (;;)
        syscall(SYS_exit_group, 0);
}

/* An access that may fault: the handler leads behind it. */
static void touch(uint64_t at, bool write)
{
    if (write)
        asm volatile("lea 1f(%%rip), %%r11\nmovb $1, (%0)\n1:" : : "r"(at) : "r11", "memory");
    else
        asm volatile("lea 1f(%%rip), %%r11\nmovb (%0), %%al\n1:" : : "r"(at) : "r11", "rax");
}

static void skip_access(int sig, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

    if (regs[REG_R11] - regs[REG_RIP] > 8 || regs[REG_R11] <= regs[REG_RIP])
        signal(sig, SIG_DFL); /* not in touch() */
    else
        regs[REG_RIP] = regs[REG_R11];
    (void)info;
}

static void live(struct chance *c, struct progress *mine)
{
    pid_t me = getpid();

    for (int i = 0; i < CALLS_OF_A_LIFE; i++) {
        if (one_call(c, mine) && getpid() != me)
            short_life(c);
        if (below(c, 16) == 0)
            refresh_data(c);
        if (below(c, 4) == 0)
            touch(ARENA + below(c, ARENA_PAGES) * PAGE, below(c, 2));
    }
}

struct thread {
    struct chance chance;
    struct progress *progress;
};

static void *thread_main(void *arg)
{
    struct thread *t = arg;

    live(&t->chance, t->progress);
    return NULL;
}

static void ignore(int sig)
{
    (void)sig;
}

/* Calls that wait end after a while. */
static void interrupt_often(void)
{
    struct sigaction catcher = {.sa_handler = ignore};
    struct itimerval often = {{0, 20000}, {0, 20000}};

    struct sigaction skipper = {.sa_sigaction = skip_access, .sa_flags = SA_SIGINFO | SA_NODEFER};

    sigaction(SIGALRM, &catcher, NULL);
    sigaction(SIGSEGV, &skipper, NULL);
    sigaction(SIGBUS, &skipper, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static void open_some(void)
{
    int ends[2], fd;

    for (fd = 0; fd < 64; fd++)
        close(fd);
    for (fd = 0; fd < 3; fd++)
        open("/dev/null", O_RDWR);
    memfd_create("plain", 0);
    memfd_create("sealed", MFD_ALLOW_SEALING);
    fd = memfd_create("large", MFD_ALLOW_SEALING);
    if (ftruncate(fd, 16 * PAGE) == 0)
        syscall(SYS_memfd_create, "huge", 4 /* HUGETLB */);
    syscall(SYS_memfd_secret, 0);
    syscall(SYS_memfd_secret, 2 /* sealed */);
    syscall(SYS_memfd_secret, 6 /* sealed, huge */);
    syscall(SYS_memfd_secret, 0x100 /* strict */);
    if (pipe(ends) == 0 && pipe2(ends, O_NONBLOCK) == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0 &&
        socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0)
        fd = epoll_create1(0);
    open("/dev/zero", O_RDWR);
    open("/proc/self/maps", O_RDONLY);
    open(OWN_DIR "/a", O_RDWR | O_CREAT, 0666);
    open(OWN_DIR, O_RDONLY | O_DIRECTORY);
    open(OWN_DIR "/b", O_WRONLY | O_CREAT | O_APPEND, 0666);
}

static void map_some(void)
{
    mmap((void *)ARENA, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap((void *)(ARENA + 16 * PAGE), 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 5,
         0);
    data = mmap(NULL, DATA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

_Noreturn static void work(unsigned index, uint64_t seed)
{
    struct chance c = {seed};
    struct thread threads[THREADS];
    pthread_t ids[THREADS];

    setsid();
    chdir(OWN_DIR);
    open_some();
    map_some();
    interrupt_often();
    for (int i = 0; i < 500; i++)
        refresh_data(&c);
    for (unsigned i = 0; i < (index & 1 ? THREADS : 0); i++) {
        threads[i] = (struct thread){{draw(&c)}, &progress[index]};
        pthread_create(&ids[i], NULL, thread_main, &threads[i]);
    }
    live(&c, &progress[index]);
    _exit(0);
}

/* --- the one that counts --- */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static void start(unsigned index, uint64_t seed)
{
    pid_t child = fork();

    if (child == 0)
        work(index, seed);
    atomic_store(&progress[index].pid, child);
    workers[index] = child;
}

/* Whoever ended is followed by another; who makes no progress is killed. */
static unsigned tend(uint64_t *seen, uint64_t *since, struct chance *c)
{
    unsigned deaths = 0;
    pid_t child;

    while ((child = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
        for (unsigned i = 0; i < WORKERS; i++)
            if (workers[i] == child) {
                start(i, draw(c));
                deaths++;
            }
    for (unsigned i = 0; i < WORKERS; i++) {
        uint64_t calls_now = atomic_load(&progress[i].calls);

        if (calls_now != seen[i]) {
            nr_calls += calls_now - seen[i] < 1000000 ? calls_now - seen[i] : 0;
            seen[i] = calls_now;
            since[i] = now_ms();
        } else if (now_ms() - since[i] > STUCK_MS) {
            kill(workers[i], SIGKILL);
            since[i] = now_ms();
        }
    }
    return deaths;
}

/* All others but process 1 die. False: somebody survives SIGKILL. */
static bool kill_all(void)
{
    uint64_t end = now_ms() + SETTLE_MS;

    while (now_ms() < end) {
        bool alone = kill(-1, SIGKILL) < 0 && errno == ESRCH;

        while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
            ;
        if (alone)
            return true;
        sleep_ms(5);
    }
    return false;
}

/* For the report: who is there, and in which state. */
static void list_processes(void)
{
    char name[64], text[400];

    for (int pid = 1; pid < 40000; pid++) {
        snprintf(name, sizeof name, "/proc/%d/stat", pid);
        if (slurp(name, text, sizeof text) > 0)
            printf("# %.60s\n", text);
    }
}

/* What a worker that found its way to the root directory left there goes, too. Without malloc(),
 * whose memory would count as kept. */
static void clean_root(bool first)
{
    static char known[4096] = "/", entries[8192]; /* known: names, a slash on both sides of each */
    char name[300];
    int root = open("/", O_RDONLY | O_DIRECTORY);
    long len = syscall(SYS_getdents64, root, entries, sizeof entries);

    for (long at = 0; at < len; at += ((struct dirent *)(entries + at))->d_reclen) {
        snprintf(name, sizeof name, "/%s/", ((struct dirent *)(entries + at))->d_name);
        if (first)
            strncat(known, name + 1, sizeof known - strlen(known) - 1);
        else if (!strstr(known, name)) {
            name[strlen(name) - 1] = '\0';
            if (unlink(name) < 0)
                rmdir(name);
        }
    }
    close(root);
}

/* Mounts that were not there at the start, the last first. */
static void clean_mounts(bool first)
{
    static char lines[16384];
    static int known;
    int id = 0;

    for (bool again = true; again;) {
        char path[PATH_MAX] = "", *last = lines;
        ssize_t len = slurp("/proc/self/mountinfo", lines, sizeof lines);
        for (char *line = lines; len > 0 && line < lines + len; line = strchr(line, '\n') + 1) {
            if (!strchr(line, '\n'))
                break;
            last = line;
        }
        if (sscanf(last, "%d %*d %*s %*s %4000s", &id, path) != 2)
            return;
        known = first ? id : known;
        again = id > known && umount2(path, MNT_DETACH) == 0;
    }
}

/* Segments and semaphores stay when their makers end. */
static void clean_ipc(void)
{
    struct shmid_ds shm;
    struct semid_ds sem;

    for (int i = 0; i < 4096; i++) {
        int id = shmctl(i, SHM_STAT, &shm), set = semctl(i, 0, SEM_STAT, &sem);
        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
        if (set >= 0)
            semctl(set, 0, IPC_RMID);
    }
}

static void clean_up(void)
{
    clean_mounts(false);
    clean_ipc();
    clean_root(false);
    pid_t child = fork();

    if (child == 0) {
        execl("/bin/busybox", "rm", "-rf", OWN_DIR, NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    mkdir(OWN_DIR, 0777);
}

/* Claim 2; what dies takes a moment. */
static bool settles(const struct held *before)
{
    static struct held after;
    uint64_t end = now_ms() + SETTLE_MS;

    do {
        held_look(&after);
        if (held_same(before, &after))
            return true;
        sleep_ms(20);
    } while (now_ms() < end);
    printf("# before: %ld kB, %s\n# after:  %ld kB, %s\n", before->kib, before->objects, after.kib,
           after.objects);
    return false;
}

/* The same at two looks in a row: else what is still dying would be taken for what stays. */
static void look_when_settled(struct held *out)
{
    static struct held again;
    uint64_t end = now_ms() + SETTLE_MS;
    bool same;

    held_look(out);
    do {
        sleep_ms(QUIET_MS);
        held_look(&again);
        same = out->kib == again.kib && !strcmp(out->objects, again.objects);
        *out = again;
    } while (!same && now_ms() < end);
}

static unsigned round_of_chaos(struct chance *c, unsigned ms)
{
    uint64_t seen[WORKERS] = {0}, since[WORKERS], end = now_ms() + ms;
    unsigned deaths = 0;

    for (unsigned i = 0; i < WORKERS; i++) {
        since[i] = now_ms();
        start(i, draw(c));
    }
    while (now_ms() < end) {
        deaths += tend(seen, since, c);
        sleep_ms(2);
    }
    return deaths;
}

int main(int argc, char **argv)
{
    static struct held before;
    uint64_t end;

    if (argc != 3 || getppid() != 1 || access("/etc/job", F_OK) != 0) {
        fprintf(stderr, "fuzz: SEED SECONDS, as the job of a machine of its own\n");
        return 2;
    }
    struct chance c = {strtoul(argv[1], NULL, 10)};
    unsigned seconds = (unsigned)strtoul(argv[2], NULL, 10);
    supervisor = getpid();
    progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mlockall(MCL_CURRENT);
    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir(OWN_DIR, 0777);
    clean_root(true);
    clean_mounts(true);
    round_of_chaos(&c, 300); /* what is kept once is no leak */
    end = now_ms() + seconds * 1000UL;
    for (unsigned round = 0;; round++) {
        if (!kill_all()) {
            printf("# round %u: somebody survives SIGKILL\n", round);
            list_processes();
            return 1;
        }
        clean_up();
        if (round == 0)
            look_when_settled(&before);
        else if (!settles(&before))
            return 1;
        if (now_ms() >= end)
            break;
        uint64_t calls_before = nr_calls;
        unsigned deaths = round_of_chaos(&c, ROUND_MS);
        printf("# round %u: %lu calls, %u workers died\n", round, nr_calls - calls_before, deaths);
    }
    printf("# %lu calls\n", nr_calls);
    return 0;
}

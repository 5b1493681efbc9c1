/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pkeys.h - protection keys by hand: the calls, PKRU, and accesses that a key refuses
 *
 * Room:   tests/user. libc only.
 * Owns:   nothing.
 * Locks:  none; for programs with one thread.
 * Always: (1) an access that was refused leaves PKRU as it was.
 * Source: pkeys(7); Intel SDM 2B, "RDPKRU", "WRPKRU".
 * Tour:   before tests/user/pkeys.c.
 */
#pragma once

#include "ktap.h"
#include <cpuid.h>
#include <sys/mman.h>

#define RW           (PROT_READ | PROT_WRITE)
#define NO_ACCESS    1u
#define NO_WRITE     2u
#define KEYS         16
#define PKRU_AT_EXEC 0x55555554u
#define SEGV_BY_KEY  4 /* SEGV_PKUERR */
#define XSTATE_PKRU  9 /* the component of an XSAVE image */
#define XSTATE_BV    512
#define SIGINFO_PKEY 32 /* where si_pkey is */

/* The area that the tests go at: it may have no neighbour that it merges with. */
#define AREA ((unsigned char *)0x200000000000)

static inline unsigned pkru_read(void)
{
    unsigned pkru, edx;
    __asm__ volatile("rdpkru" : "=a"(pkru), "=d"(edx) : "c"(0));
    return pkru;
}

static inline void pkru_write(unsigned pkru)
{
    __asm__ volatile("wrpkru" ::"a"(pkru), "c"(0), "d"(0) : "memory");
}

static inline void key_rights(int key, unsigned rights)
{
    pkru_write((pkru_read() & ~(3u << 2 * key)) | rights << 2 * key);
}

static inline unsigned rights_with(int key)
{
    return pkru_read() >> 2 * key & 3;
}

static inline int key_alloc(unsigned long flags, unsigned long rights)
{
    return (int)syscall(SYS_pkey_alloc, flags, rights);
}

static inline int key_free(int key)
{
    return (int)syscall(SYS_pkey_free, key);
}

static inline int key_protect(void *addr, size_t len, int prot, int key)
{
    return (int)syscall(SYS_pkey_mprotect, addr, len, prot, key);
}

/* Has the CPU keys, and does the kernel give any out? */
static inline bool keys_exist(void)
{
    unsigned a, b, c = 0, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 4 & 1);
}

/* How a key's refusal looks: what probe() says, and the key; -1: it was no key's. */
struct key_fault {
    struct fault fault;
    int key;
};

static volatile int key_seen;

static void key_handler(int sig, siginfo_t *info, void *context)
{
    (void)context;
    key_seen = info->si_code == SEGV_BY_KEY ? *(int *)((char *)info + SIGINFO_PKEY) : -1;
    probe_seen = (struct fault){sig, info->si_code, true, info->si_addr};
    siglongjmp(probe_return, 1);
}

/* probe(), but for the key; a handler's PKRU is not the program's. */
__attribute__((unused)) static struct key_fault key_probe(const volatile void *p,
                                                          enum probe_kind kind)
{
    struct sigaction catcher = {.sa_sigaction = key_handler, .sa_flags = SA_SIGINFO}, segv, bus;
    volatile unsigned pkru = pkru_read();

    sigaction(SIGSEGV, &catcher, &segv);
    sigaction(SIGBUS, &catcher, &bus);
    probe_seen = (struct fault){.details = true};
    key_seen = -1;
    if (sigsetjmp(probe_return, 1) == 0)
        probe_access((volatile char *)p, kind);
    pkru_write(pkru);
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return (struct key_fault){probe_seen, key_seen};
}

/* The access at @p: 0 it goes through, the key that refuses it, or who else does. */
enum { BY_RIGHTS = -3, ELSEWHERE = -2 };

static inline int refused_by(const volatile void *p, enum probe_kind kind)
{
    struct key_fault f = key_probe(p, kind);

    if (f.fault.sig && f.fault.addr != p)
        return ELSEWHERE;
    return f.fault.sig ? (f.key < 0 ? BY_RIGHTS : f.key) : 0;
}

/* Keys are the process's: each test has one of its own. */
__attribute__((unused)) static void apart(void (*test)(void))
{
    int status = -1;

    fflush(stdout);
    pid_t child = fork();

    if (child == 0) {
        ktap_failed = false;
        test();
        fflush(stdout);
        _exit(ktap_failed);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
}

static inline unsigned char *area_map(size_t pages, int prot)
{
    munmap(AREA, 64 * PAGE);
    return mmap(AREA, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* A field of the area at @addr in /proc/self/smaps, as "ProtectionKey"; -1: there is none. */
__attribute__((unused)) static long smaps_field(const void *addr, const char *name)
{
    char line[512];
    bool inside = false;
    long value = -1;
    FILE *file = fopen("/proc/self/smaps", "r");

    while (file && value < 0 && fgets(line, sizeof(line), file)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = (unsigned long)addr >= start && (unsigned long)addr < end;
        else if (inside && !strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            value = strtol(line + strlen(name) + 1, NULL, 10);
    }
    if (file)
        fclose(file);
    return value;
}

/* How many areas [AREA, AREA + @pages) consists of. */
__attribute__((unused)) static int areas_in(size_t pages)
{
    char line[512];
    int nr = 0;
    FILE *file = fopen("/proc/self/maps", "r");

    while (file && fgets(line, sizeof(line), file)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            nr += start < (unsigned long)(AREA + pages * PAGE) && end > (unsigned long)AREA;
    }
    if (file)
        fclose(file);
    return nr;
}

/* A test in a process of its own, where there are keys. */
#define EACH_WITH_KEYS(name, test) \
    static void name(void)         \
    {                              \
        if (!keys_exist())         \
            SKIP("no keys");       \
        apart(test);               \
    }

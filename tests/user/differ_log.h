/* SPDX-License-Identifier: MIT */
/*
 * tests/user/differ_log.h - what a sequence of steps has: an arena, a log, chance, and accesses
 *
 * Room:   tests/user. libc only; all of it is the thread's own.
 * Owns:   the handlers of SIGSEGV and SIGBUS.
 * Locks:  none.
 * Always: (1) nothing is printed that the kernel may choose: addresses count from the arena;
 *         (2) an access that is refused leaves PKRU as it was.
 * Source: sigaction(2) "The siginfo_t argument"; pkeys(7).
 * Tour:   before tests/user/differ_near.h.
 */
#pragma once

#include "../../user/probe.h"
#include <cpuid.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ARENA_FIRST  0x10000010000UL /* too short for a huge page, wherever it begins */
#define ARENA_STRIDE 0x10000000UL    /* each thread has an arena */
#define ARENA_PAGES  64
#define ARENA_END    (arena + ARENA_PAGES * PAGE)
#define AROUND       (16 * PAGE) /* shown as well: what grows or is moved out of the arena */

/* A page that stays: scans tell whether there is a page table, and when one is made or freed is the
 * kernel's choice. */
#define ANCHOR 0xf0000UL

#define SEGV_BY_KEY  4  /* SEGV_PKUERR */
#define SIGINFO_PKEY 32 /* where si_pkey is */

enum {
    SLOTS = 3,
    LOG_BYTES = 64 << 10,
    SAMPLES = 8, /* words of a page that a look reads, evenly spaced */
    CODE = 0xc3, /* the byte that a page begins with which may be called: ret */
};

static __thread uintptr_t arena = ARENA_FIRST;
static __thread int memfds[SLOTS] = {-1, -1, -1};
static bool have_keys;

/* --- the log --- */

static __thread char log_text[LOG_BYTES];
static __thread size_t log_len;

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
    else if (at >= arena && at < ARENA_END)
        say(" = page %lu\n", (at - arena) / PAGE);
    else
        say(" = elsewhere\n");
    return result == -1 || (at >= arena && at < ARENA_END);
}

static uint64_t hash_more(uint64_t hash, const void *data, size_t len)
{
    for (const unsigned char *p = data; len--; p++)
        hash = (hash ^ *p) * 0x100000001b3;
    return hash;
}

/* --- chance --- */

static __thread uint64_t chance;

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
    struct range r = {arena + first * PAGE, count * PAGE};

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
    say(" %lu", (r.start - arena) / PAGE);
    if (r.start % PAGE)
        say("(+%lu)", r.start % PAGE);
    say(" for %lu", r.len / PAGE);
    if (r.len % PAGE)
        say("(+%lu)", r.len % PAGE);
    return r;
}

/* PROT_EXEC alone means something else on a CPU without protection keys: both have them, or none
 * (tests/user/differ). */
static int pick_prot(void)
{
    static const int prots[] = {PROT_NONE,
                                PROT_READ,
                                PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE,
                                PROT_WRITE,
                                PROT_EXEC,
                                PROT_READ | PROT_EXEC,
                                PROT_READ | PROT_WRITE | PROT_EXEC,
                                PROT_READ | PROT_WRITE | PROT_EXEC,
                                PROT_READ | 8 /* SEM */};
    int prot = PICK(prots);

    say(" prot %d", prot);
    return prot;
}

/* --- accesses --- */

static __thread sigjmp_buf refused_to;
static __thread volatile struct {
    int sig, code, key;
    uintptr_t addr;
} refusal;

static void on_refusal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    refusal.sig = sig;
    refusal.code = info->si_code;
    if (sig == SIGBUS && refusal.code == BUS_MCEERR_AR) /* as poison is told only by some Linuxes */
        refusal.code = BUS_ADRERR;
    refusal.key =
        sig == SIGSEGV && info->si_code == SEGV_BY_KEY ? *(int *)((char *)info + SIGINFO_PKEY) : -1;
    refusal.addr = (uintptr_t)info->si_addr;
    siglongjmp(refused_to, 1);
}

/* Once, before the first access. */
static void accesses_begin(void)
{
    struct sigaction catcher = {.sa_sigaction = on_refusal, .sa_flags = SA_SIGINFO | SA_NODEFER};
    unsigned a, b, c = 0, d;

    sigaction(SIGSEGV, &catcher, NULL);
    sigaction(SIGBUS, &catcher, NULL);
    have_keys = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 4 & 1);
}

static unsigned pkru_read(void)
{
    unsigned pkru = 0, edx;

    if (have_keys)
        __asm__ volatile("rdpkru" : "=a"(pkru), "=d"(edx) : "c"(0));
    return pkru;
}

static void pkru_write(unsigned pkru)
{
    if (have_keys)
        __asm__ volatile("wrpkru" ::"a"(pkru), "c"(0), "d"(0) : "memory");
}

/* Read, write or call the byte at @at. A handler's PKRU is not the program's. */
static bool goes_through(uintptr_t at, enum probe_kind kind)
{
    volatile unsigned pkru = pkru_read();

    refusal.sig = 0;
    if (sigsetjmp(refused_to, 0) == 0)
        probe_access((volatile char *)at, kind);
    else
        pkru_write(pkru);
    return !refusal.sig;
}

/* How the last access went. */
static void say_access(void)
{
    if (!refusal.sig) {
        say(" = ok\n");
        return;
    }
    say(" = %s code %d", refusal.sig == SIGBUS ? "SIGBUS" : "SIGSEGV", refusal.code);
    if (refusal.key >= 0)
        say(" key %d", refusal.key);
    say(" at %ld\n", (long)(refusal.addr - arena));
}

/* The words of one page, or how the kernel refused. */
static uint64_t hash_page(uintptr_t at, uint64_t hash)
{
    if (!goes_through(at, PROBE_READ)) {
        int how[] = {refusal.sig, refusal.code, refusal.key};
        return hash_more(hash, how, sizeof how);
    }
    for (int i = 0; i < SAMPLES; i++)
        hash = hash_more(hash, (void *)(at + (unsigned)i * (PAGE / SAMPLES)), 8);
    return hash;
}

static uint64_t hash_arena(void)
{
    uint64_t hash = 1;

    for (uintptr_t at = arena; at < ARENA_END; at += PAGE)
        hash = hash_page(at, hash);
    return hash;
}

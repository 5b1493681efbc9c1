/* SPDX-License-Identifier: MIT */
/*
 * tests/user/fault.c - what a program learns about its faults: signal, code, address
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: sigaction(2) "SIGSEGV", "SIGBUS"; Intel SDM 3A "Page-Fault Exceptions".
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

#define RW (PROT_READ | PROT_WRITE)

#ifndef SI_KERNEL
#define SI_KERNEL 0x80
#endif

static unsigned char *map(size_t len, int prot)
{
    void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void expect_fault(const volatile void *p, enum probe_kind kind, int sig, int code,
                         const volatile void *addr)
{
    struct fault f = probe(p, kind);

    EXPECT_IS(f.sig, sig);
    if (f.sig && f.details) {
        EXPECT_IS(f.code, code);
        EXPECT(f.addr == addr);
    }
}

static void null_is_not_mapped(void)
{
    expect_fault(NULL, PROBE_READ, SIGSEGV, SEGV_MAPERR, NULL);
    expect_fault(NULL, PROBE_WRITE, SIGSEGV, SEGV_MAPERR, NULL);
    expect_fault((void *)0x10, PROBE_CALL, SIGSEGV, SEGV_MAPERR, (void *)0x10);
}

static void address_is_exact(void)
{
    unsigned char *p = map(2 * PAGE, PROT_READ);

    munmap(p + PAGE, PAGE);
    expect_fault(p + 1234, PROBE_WRITE, SIGSEGV, SEGV_ACCERR, p + 1234);
    expect_fault(p + PAGE + 567, PROBE_READ, SIGSEGV, SEGV_MAPERR, p + PAGE + 567);
    munmap(p, PAGE);
}

static void rights_are_told_from_holes(void)
{
    unsigned char *none = map(PAGE, PROT_NONE), *data = map(PAGE, RW);

    expect_fault(none, PROBE_READ, SIGSEGV, SEGV_ACCERR, none);
    expect_fault(none, PROBE_WRITE, SIGSEGV, SEGV_ACCERR, none);
    data[0] = 0xc3;
    expect_fault(data, PROBE_CALL, SIGSEGV, SEGV_ACCERR, data);
    munmap(none, PAGE);
    munmap(data, PAGE);
}

static void kernel_addresses_are_holes(void)
{
    void *kernel = (void *)0xffffffff81000000, *direct = (void *)0xffff888000000000;

    expect_fault(kernel, PROBE_READ, SIGSEGV, SEGV_MAPERR, kernel);
    expect_fault(direct, PROBE_WRITE, SIGSEGV, SEGV_MAPERR, direct);
    expect_fault(kernel, PROBE_CALL, SIGSEGV, SEGV_MAPERR, kernel);
}

static void addresses_that_no_table_can_hold_come_without_one(void)
{
    expect_fault((void *)0x8000000000000000, PROBE_READ, SIGSEGV, SI_KERNEL, NULL);
    expect_fault((void *)0x0001000000000000, PROBE_WRITE, SIGSEGV, SI_KERNEL, NULL);
}

static void end_of_user_space_is_a_hole(void)
{
    void *end = (void *)0x7ffffffff000;

    expect_fault(end, PROBE_READ, SIGSEGV, SEGV_MAPERR, end);
}

static void past_the_end_of_a_file_is_a_bus_error(void)
{
    int fd = memfd_create("fault", 0);

    EXPECT_IS(ftruncate(fd, 1), 0);
    unsigned char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    unsigned char *private = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
    expect_fault(shared + PAGE + 5, PROBE_READ, SIGBUS, BUS_ADRERR, shared + PAGE + 5);
    expect_fault(shared + PAGE + 5, PROBE_WRITE, SIGBUS, BUS_ADRERR, shared + PAGE + 5);
    expect_fault(private + PAGE, PROBE_WRITE, SIGBUS, BUS_ADRERR, private + PAGE);
    munmap(shared, 2 * PAGE);
    munmap(private, 2 * PAGE);
    close(fd);
}

static void accesses_across_two_pages_name_the_bad_one(void)
{
    unsigned char *volatile p = map(2 * PAGE, RW);

    munmap(p + PAGE, PAGE);
    uint64_t *across = (uint64_t *)(p + PAGE - 4);
    struct sigaction catcher = {.sa_sigaction = probe_handler, .sa_flags = SA_SIGINFO}, old;
    if (sigaction(SIGSEGV, &catcher, &old) < 0)
        SKIP("no signals");
    probe_seen.addr = NULL;
    if (sigsetjmp(probe_return, 1) == 0)
        __asm__ volatile("movq (%0), %%rax" ::"r"(across) : "rax", "memory");
    sigaction(SIGSEGV, &old, NULL);
    EXPECT(probe_seen.addr == p + PAGE);
    munmap(p, PAGE);
}

static void one_fault_after_another(void)
{
    unsigned char *p = map(PAGE, PROT_READ);
    int caught = 0;

    for (int i = 0; i < 500; i++)
        caught += probe(p + i, PROBE_WRITE).sig == SIGSEGV;
    EXPECT_IS(caught, 500);
    munmap(p, PAGE);
}

static void stack_grows_by_faults(void)
{
    volatile char big[512 * 1024];

    for (size_t i = sizeof big; i > 0; i -= PAGE)
        big[i - 1] = (char)(i / PAGE);
    EXPECT_IS(big[sizeof big - 1], (char)(sizeof big / PAGE));
    EXPECT_IS(big[PAGE - 1], 1);
}

static const struct ktap_test tests[] = {
    TEST(null_is_not_mapped),
    TEST(address_is_exact),
    TEST(rights_are_told_from_holes),
    TEST(kernel_addresses_are_holes),
    TEST(addresses_that_no_table_can_hold_come_without_one),
    TEST(end_of_user_space_is_a_hole),
    TEST(past_the_end_of_a_file_is_a_bus_error),
    TEST(accesses_across_two_pages_name_the_bad_one),
    TEST(one_fault_after_another),
    TEST(stack_grows_by_faults),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

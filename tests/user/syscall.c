/* SPDX-License-Identifier: MIT */
/*
 * tests/user/syscall.c - the system call itself: registers, unknown numbers, the FPU across it
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: System V ABI, AMD64, "AMD64 Linux Kernel Conventions".
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

static void unknown_calls_are_told(void)
{
    EXPECT_ERR(syscall(5000), ENOSYS);
    EXPECT_ERR(syscall(-1), ENOSYS);
    EXPECT_ERR(syscall(0x7fffffff), ENOSYS);
}

/* All registers but RAX, RCX and R11 survive. */
static void registers_survive(void)
{
    uint64_t out[12];
    long result;

    __asm__ volatile(
        "pushq %%rbx; pushq %%rbp; pushq %%r12; pushq %%r13; pushq %%r14; pushq %%r15\n"
        "movq %[out], %%r15\n"
        "movl $39, %%eax\n" /* getpid */
        "movq $0x11, %%rdi; movq $0x22, %%rsi; movq $0x33, %%rdx; movq $0x44, %%r10\n"
        "movq $0x55, %%r8; movq $0x66, %%r9; movq $0x77, %%rbx; movq $0x88, %%rbp\n"
        "movq $0x99, %%r12; movq $0xaa, %%r13; movq $0xbb, %%r14\n"
        "syscall\n"
        "movq %%rdi, 0(%%r15); movq %%rsi, 8(%%r15); movq %%rdx, 16(%%r15)\n"
        "movq %%r10, 24(%%r15); movq %%r8, 32(%%r15); movq %%r9, 40(%%r15)\n"
        "movq %%rbx, 48(%%r15); movq %%rbp, 56(%%r15); movq %%r12, 64(%%r15)\n"
        "movq %%r13, 72(%%r15); movq %%r14, 80(%%r15)\n"
        "popq %%r15; popq %%r14; popq %%r13; popq %%r12; popq %%rbp; popq %%rbx\n"
        : "=a"(result)
        : [out] "r"(out)
        : "rcx", "r11", "rdi", "rsi", "rdx", "r8", "r9", "r10", "memory", "cc");
    EXPECT(result > 0);
    for (uint64_t i = 0; i < 11; i++)
        EXPECT_IS(out[i], 0x11 * (i + 1));
}

static void return_address_and_flags_come_back(void)
{
    uint64_t rip_before, rip, flags_before, flags;

    __asm__ volatile("std; pushfq; popq %[before]\n"
                     "leaq 1f(%%rip), %[here]\n"
                     "movl $39, %%eax\n"
                     "syscall\n"
                     "1: movq %%rcx, %[rip]\n"
                     "pushfq; popq %[after]; cld\n"
                     : [before] "=&r"(flags_before), [here] "=&r"(rip_before), [rip] "=&r"(rip),
                       [after] "=&r"(flags)
                     :
                     : "rax", "rcx", "r11", "memory", "cc");
    EXPECT(rip == rip_before);
    EXPECT_IS(flags, flags_before); /* the direction flag with them */
}

static void wide_registers_survive(void)
{
    uint64_t in[2] = {0x0123456789abcdef, 0xfedcba9876543210}, out[2] = {0};

    for (int i = 0; i < 100; i++) {
        __asm__ volatile("movdqu %[in], %%xmm7\n"
                         "movl $24, %%eax\n" /* sched_yield */
                         "syscall\n"
                         "movdqu %%xmm7, %[out]\n"
                         : [out] "=m"(out)
                         : [in] "m"(in)
                         : "rax", "rcx", "r11", "xmm7", "memory");
        EXPECT(out[0] == in[0] && out[1] == in[1]);
    }
}

static void wide_registers_survive_a_page_fault(void)
{
    static char untouched[64 * 4096];
    uint64_t in[2] = {0x1122334455667788, 0x99aabbccddeeff00}, out[2] = {0};

    for (size_t i = 0; i < 64; i++) {
        __asm__ volatile("movdqu %[in], %%xmm3\n"
                         "movb $1, (%[page])\n"
                         "movdqu %%xmm3, %[out]\n"
                         : [out] "=m"(out)
                         : [in] "m"(in), [page] "r"(untouched + i * PAGE)
                         : "xmm3", "memory");
        EXPECT(out[0] == in[0] && out[1] == in[1]);
    }
}

static void upper_halves_of_small_arguments_are_ignored(void)
{
    int fd = memfd_create("syscall", 0);

    EXPECT_IS(syscall(SYS_close, 0xdead00000000UL | (unsigned)fd), 0);
    EXPECT_ERR(syscall(SYS_close, (unsigned)fd), EBADF);
}

static const struct ktap_test tests[] = {
    TEST(unknown_calls_are_told),
    TEST(registers_survive),
    TEST(return_address_and_flags_come_back),
    TEST(wide_registers_survive),
    TEST(wide_registers_survive_a_page_fault),
    TEST(upper_halves_of_small_arguments_are_ignored),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

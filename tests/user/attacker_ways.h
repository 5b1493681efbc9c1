/* SPDX-License-Identifier: MIT */
/*
 * tests/user/attacker_ways.h - where a pattern leaves traces: registers, pipes, sockets
 *
 * Room:   tests/user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) here, too, the pattern stands in no memory of the program: registers are loaded with
 *             one half, and made the pattern by the other.
 * Source: trust.md section 4: S11, S12.
 * Tour:   with tests/user/attacker.h.
 */
#pragma once

#include "attacker.h"
#include <sys/socket.h>

/* All general registers that survive pause(2), and all of SSE, and of AVX if the CPU has it; never
 * returns, and waits for a signal. */
__attribute__((unused, noreturn)) static void hold_in_registers(void)
{
    int avx = __builtin_cpu_supports("avx") != 0;

    __asm__ volatile("movdqu (%0), %%xmm0\n movdqu 16(%0), %%xmm1\n"
                     "movdqu (%1), %%xmm2\n movdqu 16(%1), %%xmm3\n"
                     "pxor %%xmm2, %%xmm0\n pxor %%xmm3, %%xmm1\n"
                     ".irp r,2,4,6,8,10,12,14\n movdqa %%xmm0, %%xmm\\r\n .endr\n"
                     ".irp r,3,5,7,9,11,13,15\n movdqa %%xmm1, %%xmm\\r\n .endr\n"
                     "testl %2, %2\n jz 1f\n"
                     ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
                     "vinsertf128 $1, %%xmm\\r, %%ymm\\r, %%ymm\\r\n .endr\n"
                     "1:\n"
                     "movq %%xmm0, %%rbx\n movq %%xmm1, %%rbp\n"
                     "movq %%xmm0, %%r8\n movq %%xmm1, %%r9\n"
                     "movq %%xmm0, %%r10\n movq %%xmm1, %%r12\n"
                     "movq %%xmm0, %%r13\n movq %%xmm1, %%r14\n"
                     "movq %%xmm0, %%r15\n movq %%xmm0, %%rdi\n"
                     "movq %%xmm1, %%rsi\n movq %%xmm0, %%rdx\n"
                     "0: movl $34, %%eax\n syscall\n jmp 0b" /* pause */
                     ::"r"(attack_now.half[0]),
                     "r"(attack_now.half[1]), "r"(avx)
                     : "memory");
    __builtin_unreachable();
}

/* From @from to @to, which both are places for a pattern that nobody may see. */
__attribute__((unused)) static void send_through(int in, int out, char *from, char *to)
{
    EXPECT_IS(write(in, from, ATTACKER_BYTES), ATTACKER_BYTES);
    EXPECT_IS(read(out, to, ATTACKER_BYTES), ATTACKER_BYTES);
    EXPECT(is_planted(to));
    EXPECT_IS(write(in, from, ATTACKER_BYTES), ATTACKER_BYTES); /* and nobody reads that */
    close(in);
    close(out);
}

__attribute__((unused)) static void send_through_pipe(char *from, char *to)
{
    int ends[2];

    EXPECT_IS(pipe(ends), 0);
    send_through(ends[1], ends[0], from, to);
}

__attribute__((unused)) static void send_through_socket(char *from, char *to)
{
    int ends[2];

    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    send_through(ends[1], ends[0], from, to);
}

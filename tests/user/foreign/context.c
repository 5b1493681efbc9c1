/* SPDX-License-Identifier: MIT */
/* A handler of SIGSEGV that steps over the instruction and chooses what it left in registers. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#define LOAD_BYTES 3 /* movq (%rcx), %rax */

static volatile long hits;
static void *seen;

static void handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)sig;

    hits++;
    seen = info->si_addr;
    u->uc_mcontext.gregs[REG_RIP] += LOAD_BYTES;
    u->uc_mcontext.gregs[REG_RAX] = 42;
    u->uc_mcontext.gregs[REG_RBX] ^= 1;
    memset(&u->uc_mcontext.fpregs->_xmm[3], 0x5a, 16);
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    unsigned char xmm[16];
    long a, b;

    sigaction(SIGSEGV, &sa, NULL);
    __asm__ volatile("movq $8, %%rcx; movl $6, %%ebx; pxor %%xmm3, %%xmm3; movq (%%rcx), %%rax;"
                     "movdqu %%xmm3, %2"
                     : "=a"(a), "=b"(b), "=m"(xmm)::"rcx", "xmm3", "memory");
    printf("%ld %ld, %ld hits at %p, xmm3 %02x..%02x\n", a, b, hits, seen, xmm[0], xmm[15]);
    return 0;
}

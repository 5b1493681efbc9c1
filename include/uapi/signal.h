/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/signal.h - signals: numbers, siginfo, the frame a handler sees
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: signal(7), sigaction(2), rt_sigreturn(2); System V AMD64 psABI.
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31

#define SIGNALS 64

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
#define SIG_DFL     0UL
#define SIG_IGN     1UL

#define SA_NOCLDSTOP      0x1UL
#define SA_NOCLDWAIT      0x2UL
#define SA_SIGINFO        0x4UL
#define SA_EXPOSE_TAGBITS 0x800UL
#define SA_RESTORER       0x04000000UL
#define SA_ONSTACK        0x08000000UL
#define SA_RESTART        0x10000000UL
#define SA_NODEFER        0x40000000UL
#define SA_RESETHAND      0x80000000UL

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1U << 31)
#define MINSIGSTKSZ   2048

#define SI_USER       0
#define SI_KERNEL     0x80
#define SI_QUEUE      -1
#define SI_TIMER      -2
#define SI_TKILL      -6
#define ILL_ILLOPN    2
#define FPE_INTDIV    1
#define FPE_FLTINV    7
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define SEGV_PKUERR   4
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define BUS_MCEERR_AR 4 /* what is there is lost */
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_TRAPPED   4
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

/* siginfo_t: 128 bytes; the union is read as the code says. */
struct uapi_siginfo {
    int32_t signo, errno_, code, pad;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            union {
                uint64_t value; /* sigqueue() */
                struct {
                    int32_t status; /* SIGCHLD */
                    int64_t utime, stime;
                };
            };
        };
        struct { /* SIGSEGV, SIGBUS, SIGILL, SIGFPE */
            uint64_t addr;
            int16_t addr_lsb;
            uint16_t pad2[3];
            uint32_t pkey; /* SEGV_PKUERR */
        };
        uint8_t bytes[112];
    };
};

struct uapi_stack {
    uint64_t sp;
    int32_t flags;
    uint32_t pad;
    uint64_t size;
};

struct uapi_sigaction {
    uint64_t handler, flags, restorer, mask;
};

struct uapi_sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    uint64_t fpstate; /* user address of the FPU image, 64-byte aligned; 0: none */
    uint64_t reserved[8];
};

#define UC_FP_XSTATE         1UL
#define UC_SIGCONTEXT_SS     2UL
#define UC_STRICT_RESTORE_SS 4UL

struct uapi_ucontext {
    uint64_t flags, link;
    struct uapi_stack stack;
    struct uapi_sigcontext context;
    uint64_t sigmask;
};

/* Where a handler begins: its return address, then what it may read and change. */
struct uapi_sigframe {
    uint64_t restorer;
    struct uapi_ucontext uc;
    struct uapi_siginfo info;
};

/* Words in the unused part of an FXSAVE image that tell how large the whole image is. */
#define FP_XSTATE_MAGIC1 0x46505853U
#define FP_XSTATE_MAGIC2 0x46505845U

struct uapi_fpx_sw_bytes {
    uint32_t magic1, extended_size;
    uint64_t xfeatures;
    uint32_t xstate_size;
    uint32_t padding[7];
};

#define FPX_SW_BYTES_OFFSET 464

_Static_assert(sizeof(struct uapi_siginfo) == 128, "siginfo_t");
_Static_assert(sizeof(struct uapi_sigcontext) == 256, "sigcontext");

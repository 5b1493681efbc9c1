/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/ptrace.h - requests of ptrace, and registers as it carries them
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: ptrace(2); sys/user.h.
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define PTRACE_TRACEME    0
#define PTRACE_PEEKTEXT   1
#define PTRACE_PEEKDATA   2
#define PTRACE_PEEKUSER   3
#define PTRACE_POKETEXT   4
#define PTRACE_POKEDATA   5
#define PTRACE_CONT       7
#define PTRACE_KILL       8
#define PTRACE_SINGLESTEP 9
#define PTRACE_GETREGS    12
#define PTRACE_SETREGS    13
#define PTRACE_GETFPREGS  14
#define PTRACE_SETFPREGS  15
#define PTRACE_ATTACH     16
#define PTRACE_DETACH     17
#define PTRACE_SYSCALL    24
#define PTRACE_SETOPTIONS 0x4200
#define PTRACE_GETSIGINFO 0x4202
#define PTRACE_SETSIGINFO 0x4203
#define PTRACE_GETREGSET  0x4204
#define PTRACE_SETREGSET  0x4205

#define PTRACE_O_TRACESYSGOOD 1
#define PTRACE_O_EXITKILL     0x100000

/* struct user_regs_struct */
struct uapi_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax;
    uint64_t rip, cs, rflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};

#define FXSAVE_BYTES 512 /* struct user_fpregs_struct */

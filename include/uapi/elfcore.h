/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/elfcore.h - notes of a core file
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: core(5); System V gABI, "Note Section".
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>
#include <uapi/ptrace.h>

#define ET_CORE 4
#define PT_NOTE 4

#define NT_PRSTATUS   1
#define NT_FPREGSET   2
#define NT_PRPSINFO   3
#define NT_AUXV       6
#define NT_X86_XSTATE 0x202
#define NT_SIGINFO    0x53494749
#define NT_FILE       0x46494c45

struct elf64_note {
    uint32_t namesz, descsz, type;
};

struct elf_prstatus {
    int32_t signo, code, errno_;
    int16_t cursig, pad;
    uint64_t sigpend, sighold;
    int32_t pid, ppid, pgrp, sid;
    int64_t utime[2], stime[2], cutime[2], cstime[2];
    struct uapi_user_regs regs;
    int32_t fpvalid, pad2;
};

struct elf_prpsinfo {
    char state, sname, zomb, nice;
    uint32_t pad;
    uint64_t flag;
    uint32_t uid, gid;
    int32_t pid, ppid, pgrp, sid;
    char fname[16], psargs[80];
};

_Static_assert(sizeof(struct elf_prstatus) == 336, "elf_prstatus");
_Static_assert(sizeof(struct elf_prpsinfo) == 136, "elf_prpsinfo");

/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/access.h - one memory access: how it is made, and how it has to end
 *
 * Room:   tests/kernel. Numbers of its own: what the kernel thinks of entries is not asked.
 * Owns:   the description of a case.
 * Locks:  none.
 * Always: (1) nothing here or in access_model.c comes from asm/pte.h or asm/pgtable.h.
 * Source: Intel SDM 3A, "Paging"; the idea is that of kvm-unit-tests' "access".
 * Tour:   before access_model.c, access_cpu.c, access.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Bits of entries, of error codes. */
#define BIT_P  (1UL << 0)
#define BIT_W  (1UL << 1)
#define BIT_U  (1UL << 2)
#define BIT_A  (1UL << 5)
#define BIT_D  (1UL << 6)
#define BIT_PS (1UL << 7)
#define BIT_NX (1UL << 63)

#define BIT_KEY_SHIFT 59

#define CODE_PRESENT  (1U << 0)
#define CODE_WRITE    (1U << 1)
#define CODE_USER     (1U << 2)
#define CODE_RESERVED (1U << 3)
#define CODE_FETCH    (1U << 4)
#define CODE_KEY      (1U << 5)

enum access_kind { AN_READ, A_WRITE, A_FETCH, ACCESS_KINDS };

/* The processor's say. */
struct access_machine {
    bool wp, smep, smap, nxe, pke;
    unsigned key_rights; /* PKRU's two bits for the leaf's key */
};

struct access_case {
    unsigned level;       /* of the leaf: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB */
    uint64_t upper, leaf; /* the entries, without frames; those above are permissive */
    bool upper_reserved, leaf_reserved; /* they have a reserved bit */
    enum access_kind kind;
    bool user, ac; /* from ring 3; RFLAGS.AC in ring 0 */
};

struct access_end {
    bool fault;
    uint32_t code;        /* of the fault */
    uint64_t upper, leaf; /* the entries afterwards, as they were given */
    bool upper_may_age;   /* of the model: whether they become accessed is the CPU's say */
    bool leaf_may_age;
};

/* What the manual says. */
struct access_end access_model(const struct access_machine *m, const struct access_case *c);

/* Tables, descriptors, code for ring 3: 0, or -ENOMEM. access_cpu_end() frees them. */
int access_cpu_begin(void);
void access_cpu_end(void);

/* This CPU becomes @m, and what it was before. IRQs off in between. */
void access_cpu_enter(const struct access_machine *m);
void access_cpu_leave(void);

/* What the CPU does. */
struct access_end access_cpu_try(const struct access_case *c);

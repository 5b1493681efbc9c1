/* SPDX-License-Identifier: MIT */
/*
 * tests/host/mmu.h - CPUs that read page tables, and forget only what they are told to forget
 *
 * Room:   tests/host. Stands in for arch/x86_64/tlb.c, direct_map.c and the CPU; the tables are
 *         those of the real arch/x86_64/pgtable.c.
 * Owns:   TLBs that never evict, hidden frames, sleeping locks that only check their use.
 * Locks:  one thread.
 * Always: (1) a translation that was remembered is used until exactly its leaf is gathered and
 *             flushed: a flush that is missing, or too late, is seen;
 *         (2) a hidden frame cannot be touched at its kernel address: the program would die.
 * Source: Intel SDM 3A, "Details of TLB Use"; trust.md T1, V25.
 * Tour:   before tests/host/test_mm.c.
 */
#pragma once

#include <mm/mm.h>

/* After host_machine_start(): kernel root, caches, zero page. Call again for a new machine. */
void mmu_start(void);

/**
 * mmu_access() - one load or store of a word, by a program that has @mm loaded
 * @word: what is stored, or what was loaded
 * Faults go to mm_fault() as often as it says that it helped.
 * Return: FAULT_RESOLVED when the access was made, else why not.
 */
enum fault_result mmu_access(struct mm *mm, uint64_t va, enum fault_access access, uint64_t *word);

/* What programs may do with keys, two bits each: the CPU's PKRU. */
extern uint32_t mmu_pkru;

/* Is the access refused by the key of @va's area? Then mmu_access() must not be asked: it checks
 * that leaves have their area's key, and that it is not refused. */
bool mmu_key_refuses(struct mm *mm, uint64_t va, enum fault_access access);

/* The next accesses and calls are made by this CPU. Each has a TLB of its own. */
#define MMU_CPUS 2
extern unsigned mmu_cpu;

/* Does every remembered translation still follow from the tables, and lead to a page in use? */
void mmu_check(void);

/* Translations that are remembered of @mm. */
unsigned mmu_remembered(const struct mm *mm);

/* Every CPU goes on to another space: what they knew of @mm is gone. */
void mmu_forget(const struct mm *mm);

/* Flushes that removed something, and leaves that were gathered, since the start. */
unsigned mmu_flushes(void);

/* Accesses that the kernel was asked to make possible, since the start. */
unsigned mmu_faults(void);

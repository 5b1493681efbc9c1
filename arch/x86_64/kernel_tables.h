/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/kernel_tables.h - walking and filling the kernel half
 *
 * Room:   arch, private.
 * Owns:   the root table of the kernel; kernel stacks; device windows.
 * Locks:  kmap_lock (rank KMAP) for stacks and windows; direct_map.lock for the direct map.
 * Always: (1) root entries of the kernel half never change after boot: every space has copied them.
 * Source: Intel SDM 3A, "4-Level Paging".
 * Tour:   with arch/x86_64/kernel_tables.c.
 */
#pragma once

#include <asm/memory_layout.h>
#include <asm/pte.h>

/* A table by its physical address; before the direct map exists, through the boot identity map. */
pte_t *kernel_table(phys_addr_t a);

/* Walk the kernel half: the slot that decides about @va, and its level in *@level. */
pte_t *kernel_slot(uint64_t va, enum pt_level *level);

enum kernel_table_source { TABLES_FROM_BOOT_ALLOC, TABLES_FROM_BUDDY };

/**
 * kernel_map() - map frames at a kernel address with the largest leaves that fit
 * @largest: no leaf above this level
 * The range must be unmapped so far. TLB: none needed.
 * Return: 0, or -ENOMEM with a part mapped.
 */
int __must_check kernel_map(uint64_t va, phys_addr_t a, uint64_t len_bytes, pgprot_t prot,
                            enum pt_level largest, enum kernel_table_source source);

/* An empty table for the 2 MiB at @va, from boot_alloc: its first slot. */
pte_t *kernel_slots_reserve(uint64_t va);

/* Boot: the table of asm/window.h. */
void windows_boot_init(void);

/* A kernel stack of KSTACK_SIZE with a guard page below; NULL when there is no memory. Freed, it is
 * wiped: not the one that runs. */
void *kstack_alloc(void);
void kstack_free(void *stack);

/* Start the counters of direct_map.c from what boot mapped. */
void direct_map_count_boot_leaves(void);

/* Is @va in the guard page of some kernel stack? For the panic message. */
bool kstack_is_guard(uint64_t va);

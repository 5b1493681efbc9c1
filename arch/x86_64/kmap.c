/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/kmap.c - kernel stacks with guard pages, windows onto device registers
 *
 * Room:   arch.
 * Owns:   the address space from KMAP_BASE to WINDOWS_BASE: stacks from below, windows from above.
 * Locks:  kmap_lock.
 * Always: (1) a stack's slot is twice its size, and the half below it is never mapped;
 *         (2) a freed stack stays mapped in its slot and is the first to be used again, so that
 *             exits cost no flush;
 *         (3) a freed stack holds zeros and its node: its leaves' dirty bits, which the CPU sets
 *             and nobody clears, tell which pages were ever written.
 * Source: design.md section 8; Intel SDM 3A, "Accessed and Dirty Flags".
 * Tour:   after arch/x86_64/kernel_tables.c.
 */
#include "insn.h"
#include "kernel_tables.h"

#include <asm/context.h>
#include <asm/machine.h>
#include <asm/spinlock.h>
#include <base/fail.h>
#include <lib/frames.h>
#include <lib/list.h>
#include <mm/buddy.h>
#include <mm/page.h>

#define STACK_SLOT  (2 * KSTACK_SIZE)
#define STACKS_END  (KMAP_BASE + (KMAP_END - KMAP_BASE) / 2)
#define STACK_ORDER 2

static spinlock_t kmap_lock = SPINLOCK_INIT(LOCK_RANK_KMAP);
static uint64_t next_slot = KMAP_BASE;
static uint64_t windows_start = WINDOWS_BASE;
static struct list_node free_stacks =
    LIST_INIT(free_stacks); /* the node lies at the top of the stack, which is dirty anyway */

_Static_assert(KSTACK_SIZE == PAGE_SIZE << STACK_ORDER, "one block of the buddy");

static struct list_node *node_of(void *stack)
{
    return (struct list_node *)((char *)stack + KSTACK_SIZE) - 1;
}

static void *stack_take_free(void)
{
    struct list_node *node = NULL;
    irq_flags_t flags = spin_lock_irqsave(&kmap_lock);
    if (!list_empty(&free_stacks)) {
        node = free_stacks.next;
        list_del(node);
    }
    spin_unlock_irqrestore(&kmap_lock, flags);
    return node ? (char *)(node + 1) - KSTACK_SIZE : NULL;
}

static void *stack_make(void)
{
    struct page *pages;
    if (page_alloc(STACK_ORDER, PAGE_ALLOC_ZERO, &pages))
        return NULL;

    irq_flags_t flags = spin_lock_irqsave(&kmap_lock);
    void *stack = NULL;
    uint64_t va = next_slot + KSTACK_SIZE;
    if (va + KSTACK_SIZE <= STACKS_END &&
        !kernel_map(va, page_to_phys(pages), KSTACK_SIZE, pgprot_write(pgprot_kernel()), PT_4K,
                    TABLES_FROM_BUDDY)) {
        next_slot += STACK_SLOT;
        stack = (void *)va;
    }
    spin_unlock_irqrestore(&kmap_lock, flags);
    if (!stack)
        page_free(pages, STACK_ORDER); /* tables made on the way stay for the next try */
    return stack;
}

void *kstack_alloc(void)
{
    if (fail_injected(FAIL_KSTACK))
        return NULL;
    void *stack = stack_take_free();
    return stack ? stack : stack_make();
}

/* Claim 3. A slot's leaves lie in one table. */
static void stack_wipe(char *stack)
{
    enum pt_level level;
    const pte_t *slot = kernel_slot((uint64_t)stack, &level);

    for (unsigned i = 0; i < 1U << STACK_ORDER; i++)
        if (pte_is_dirty(pte_read(&slot[i])))
            zero_frames(stack + i * PAGE_SIZE, PAGE_SIZE);
}

void kstack_free(void *stack)
{
    stack_wipe(stack);
    irq_flags_t flags = spin_lock_irqsave(&kmap_lock);
    list_add(node_of(stack), &free_stacks);
    spin_unlock_irqrestore(&kmap_lock, flags);
}

uint64_t kstack_total_bytes(void)
{
    return (READ_ONCE(next_slot) - KMAP_BASE) / STACK_SLOT * KSTACK_SIZE;
}

bool kstack_is_guard(uint64_t va)
{
    return va >= KMAP_BASE && va < next_slot && (va - KMAP_BASE) % STACK_SLOT < KSTACK_SIZE;
}

/* Page-table entries with higher bits would fault as reserved. */
static uint64_t physical_end(void)
{
    bool told = cpuid(0x80000000, 0).eax >= 0x80000008;
    return 1UL << (told ? cpuid(0x80000008, 0).eax & 0xff : 36);
}

void *device_map(phys_addr_t a, uint64_t len_bytes)
{
    if (a.raw >= physical_end() || len_bytes > physical_end() - a.raw)
        return NULL;
    uint64_t first = round_down(a.raw, PAGE_SIZE);
    uint64_t len = round_up(a.raw + len_bytes, PAGE_SIZE) - first;
    void *window = NULL;

    irq_flags_t flags = spin_lock_irqsave(&kmap_lock);
    uint64_t va = windows_start - len;
    if (va >= STACKS_END &&
        !kernel_map(va, phys(first), len, pgprot_device(pgprot_write(pgprot_kernel())), PT_4K,
                    TABLES_FROM_BUDDY)) {
        windows_start = va;
        window = (void *)(va + (a.raw - first));
    }
    spin_unlock_irqrestore(&kmap_lock, flags);
    return window;
}

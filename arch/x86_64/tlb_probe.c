/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_probe.c - does this CPU use what the tables no longer say?
 *
 * Room:   arch. Debug builds, with tlb_probe=N.
 * Owns:   nothing.
 * Locks:  IRQs off.
 * Always: (1) nothing in memory changes: what is stored is what was there;
 *         (2) it is said only of what stood still: a table entry that was the same before and
 *             after, while nobody had taken anything out that was not flushed yet.
 * Source: trust.md 2b, T3. QEMU's TCG keeps a translation until it is told to forget it.
 * Tour:   after arch/x86_64/tlb.c.
 */
#include "tlb_probe.h"

#include "percpu.h"
#include <asm/tlb.h>
#include <base/panic.h>

#define ADDRESSES 8 /* of a range, at most */
#define TRIES     3 /* that must agree: what others write to may change under our eyes */

/* arch/x86_64/uaccess.asm. With IRQs off a fault is not served. */
size_t user_copy(void *to, const void *from, size_t len);
int user_cmpxchg32(uint32_t *at, uint32_t *expected, uint32_t new);

/* One address, looked at through the tables. */
struct sight {
    pte_t pte;
    uint64_t generation;
    bool still; /* claim 2, so far */
    bool known; /* the kernel can read what lies there: */
    uint64_t word;
};

static struct sight sight_of(struct pgtable *pgt, uint64_t va)
{
    struct pt_walk walk = pt_walk(pgt, user(va));
    struct sight s = {.pte = pte_read(walk.slot)};
    uint64_t offset = va & (pt_level_size(walk.level) - 1);

    s.generation = atomic_load(&pgt->generation);
    s.still = !atomic_load(&pgt->unflushed);
    if (!pte_is_present(s.pte))
        return s;
    phys_addr_t at = phys_add(pte_phys(s.pte, walk.level), offset);
    s.known =
        page_is_initialised(phys_to_pfn(at)) && page_head(phys_to_page(at))->state < PAGE_HIDDEN;
    if (s.known)
        s.word = *(volatile uint64_t *)direct_map_ptr(at);
    return s;
}

static bool is_same(const struct sight *a, const struct sight *b)
{
    return a->still && b->still && a->generation == b->generation &&
           pte_class(a->pte) == pte_class(b->pte) &&
           pte_phys_bits(a->pte) == pte_phys_bits(b->pte) && a->word == b->word;
}

/* Does a read of @va find what the tables do not say? */
static bool reads_stale(struct pgtable *pgt, uint64_t va)
{
    struct sight before = sight_of(pgt, va);
    uint64_t word = 0;
    bool could = !user_copy(&word, (const void *)va, sizeof(word));
    struct sight after = sight_of(pgt, va);

    if (!could || !is_same(&before, &after))
        return false;
    return !pte_is_present(before.pte) || (before.known && word != before.word);
}

/* Does a store to @va go through where the tables refuse it? */
static bool writes_stale(struct pgtable *pgt, uint64_t va)
{
    struct sight before = sight_of(pgt, va);
    if (!pte_is_present(before.pte) || pte_is_writable(before.pte))
        return false;
    uint32_t word = 0;
    bool could = !user_cmpxchg32((uint32_t *)va, &word, 0);
    struct sight after = sight_of(pgt, va);

    return could && is_same(&before, &after);
}

static void probe_one(struct pgtable *pgt, uint64_t va)
{
    unsigned reads = 0, writes = 0;

    for (unsigned i = 0; i < TRIES; i++) {
        reads += reads_stale(pgt, va);
        writes += writes_stale(pgt, va);
    }
    ASSERT(reads < TRIES && writes < TRIES, "V25: CPU %u uses a translation of %#lx that is gone",
           cpu_id(), va);
}

void tlb_probe_here(struct pgtable *pgt, uint64_t start, uint64_t end)
{
    struct cpu *cpu = this_cpu();
    uint64_t step = max(round_down((end - start) / ADDRESSES, PAGE_SIZE), PAGE_SIZE);

    if (cpu->pgt != pgt || atomic_load(&cpu->tlb.lazy))
        return; /* lazy: it remembers, and does not use */
    cpu->tlb.probing = true;
    for (uint64_t va = start; va < end && va < USER_END; va += step)
        probe_one(pgt, va);
    cpu->tlb.probing = false;
}

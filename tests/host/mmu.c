/* SPDX-License-Identifier: MIT */
/*
 * tests/host/mmu.c - CPUs that read page tables, and forget only what they are told to forget
 *
 * Room:   tests/host.
 * Owns:   see tests/host/mmu.h.
 * Locks:  one thread; waiting for a sleeping lock is a failure, there is nobody to wait for.
 * Always: (1) the contracts of asm/tlb.h, asm/direct_map.h and base/mutex.h, nothing more.
 * Source: those headers.
 * Tour:   after tests/host/mmu.h.
 */
#include "mmu.h"

#include "machine.h"
#include <arch/x86_64/kernel_tables.h>
#include <asm/cpu.h>
#include <asm/direct_map.h>
#include <asm/pkey.h>
#include <asm/tlb.h>
#include <asm/window.h>
#include <base/fail.h>
#include <mm/buddy.h>
#include <mm/hugetlb.h>
#include <mm/internal.h>
#include <mm/secretmem.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <uapi/errno.h>

#define TLB_SIZE 4096
#define TRIES    4

struct translation {
    unsigned cpu;
    struct pgtable *pgt;
    uint64_t va; /* of the leaf's first byte */
    enum pt_level level;
    pte_t pte; /* as it was when it was remembered */
};

unsigned mmu_cpu;
uint32_t mmu_pkru;
uint64_t pte_supported_mask = ~0UL;
struct pgtable kernel_pgtable;

static struct translation tlb[TLB_SIZE];
static unsigned nr_remembered;
static unsigned nr_gathers; /* begun, not ended */
static unsigned nr_flushes, nr_faults;
static struct pgtable *loaded;
static uint64_t nr_hidden;
static bool hidden[HOST_RAM_MAX / PAGE_SIZE]; /* by frame */

pte_t *kernel_table(phys_addr_t a)
{
    return direct_map_ptr(a);
}

pte_t *kernel_slot(uint64_t va, enum pt_level *level)
{
    (void)va, (void)level;
    panic("the kernel half is not modelled");
}

unsigned cpus_running = 1;

uint32_t cpu_features = ~0U;

bool pkey_refuses(unsigned key, bool write)
{
    return mmu_pkru >> 2 * key & (write ? PKEY_RIGHTS : PKEY_NO_ACCESS);
}

bool mmu_key_refuses(struct mm *mm, uint64_t va, enum fault_access access)
{
    int key = mm_pkey_at(mm, va);
    return key != NO_PKEY && access != ACCESS_EXEC && pkey_refuses(key, access == ACCESS_WRITE);
}

void mmu_start(void)
{
    static bool declared;
    struct page *root;

    nr_remembered = nr_gathers = 0;
    nr_hidden = 0;
    loaded = NULL;
    if (page_alloc(0, PAGE_ALLOC_ZERO, &root))
        panic("no memory for the kernel's root");
    kernel_pgtable.root = page_to_phys(root);
    if (declared)
        panic("caches are declared once: one machine per program");
    declared = true;
    kmem_init();
    mm_boot_init();
    object_boot_init();
    hugetlb_boot_init();
    secretmem_boot_init();
}

/* The TLB. */

static void forget(unsigned i)
{
    tlb[i] = tlb[--nr_remembered];
}

#define EVERY_CPU MMU_CPUS

static void forget_leaf(unsigned cpu, const struct pgtable *pgt, uint64_t va, uint64_t size)
{
    for (unsigned i = nr_remembered; i-- > 0;)
        if ((cpu == EVERY_CPU || tlb[i].cpu == cpu) && tlb[i].pgt == pgt && tlb[i].va < va + size &&
            va < tlb[i].va + pt_level_size(tlb[i].level))
            forget(i);
}

static struct translation *remembered(const struct pgtable *pgt, uint64_t va)
{
    for (unsigned i = 0; i < nr_remembered; i++)
        if (tlb[i].cpu == mmu_cpu && tlb[i].pgt == pgt &&
            va - tlb[i].va < pt_level_size(tlb[i].level))
            return &tlb[i];
    return NULL;
}

void mmu_forget(const struct mm *mm)
{
    forget_leaf(EVERY_CPU, &mm->pgtable, 0, ~0UL);
}

unsigned mmu_remembered(const struct mm *mm)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < nr_remembered; i++)
        nr += tlb[i].pgt == &mm->pgtable;
    return nr;
}

unsigned mmu_flushes(void)
{
    return nr_flushes;
}

unsigned mmu_faults(void)
{
    return nr_faults;
}

static bool permits(pte_t pte, enum pt_level level, enum fault_access access)
{
    return pte_kind(pte, level) == PTE_KIND_LEAF && pte_is_user(pte) &&
           (access != ACCESS_WRITE || pte_is_writable(pte)) &&
           (access != ACCESS_EXEC || pte_is_executable(pte));
}

/* Walk, mark the leaf as the CPU does, remember it. NULL: the walk refuses. */
static struct translation *walk(struct mm *mm, uint64_t va, enum fault_access access)
{
    struct pt_walk w = pt_walk(&mm->pgtable, user(va));
    pte_t pte = pte_read(w.slot);

    if (!permits(pte, w.level, access))
        return NULL;
    if (access != ACCESS_EXEC && pkey_refuses(pte_pkey(pte), access == ACCESS_WRITE))
        panic("the key of the leaf at %#lx refuses what its area's grants", va);
    pte = pte_made_young(pte);
    if (access == ACCESS_WRITE)
        pte.raw |= PTE_D; /* what the kernel means by dirty is more */
    pte_write(w.slot, pte);
    if (nr_remembered == TLB_SIZE)
        panic("the model's TLB is too small");
    tlb[nr_remembered] = (struct translation){mmu_cpu, &mm->pgtable,
                                              round_down(va, pt_level_size(w.level)), w.level, pte};
    return &tlb[nr_remembered++];
}

/* A translation that permits @access: remembered, or walked for, as for a store to a clean page. */
static struct translation *translate(struct mm *mm, uint64_t va, enum fault_access access)
{
    struct translation *t = remembered(&mm->pgtable, va);

    if (t && !permits(t->pte, t->level, access))
        return NULL;
    if (t && access == ACCESS_WRITE && !pte_is_dirty(t->pte)) {
        forget((unsigned)(t - tlb));
        t = NULL;
    }
    return t ? t : walk(mm, va, access);
}

enum fault_result mmu_access(struct mm *mm, uint64_t va, enum fault_access access, uint64_t *word)
{
    loaded = &mm->pgtable;
    for (unsigned i = 0; i < TRIES; i++) {
        struct translation *t = translate(mm, va, access);
        if (t) {
            uint64_t *at = host_ram_of_programs(phys_add(pte_phys(t->pte, t->level), va - t->va));
            if (access == ACCESS_WRITE)
                *at = *word;
            else
                *word = *at;
            return FAULT_RESOLVED;
        }
        nr_faults++;
        enum fault_result result = mm_fault(mm, user(va), access);
        if (result != FAULT_RESOLVED)
            return result;
    }
    panic("the access at %#lx faults for ever", va);
}

/* Does what a CPU remembers of [va, va + size) still follow from the tables? @t may be larger. */
static void check_part(const struct translation *t, uint64_t va)
{
    struct pt_walk w = pt_walk(t->pgt, user(va));
    pte_t now = pte_read(w.slot);
    uint64_t frame = pte_phys(t->pte, t->level).raw + va - t->va;

    if (w.level > t->level || pte_kind(now, w.level) != PTE_KIND_LEAF ||
        pte_phys(now, w.level).raw != frame)
        panic("%#lx leads to frame %#lx for a CPU, the leaf is %#lx", va, frame >> PAGE_SHIFT,
              now.raw);
    if ((pte_is_writable(t->pte) && !pte_is_writable(now)) ||
        (pte_is_executable(t->pte) && !pte_is_executable(now)))
        panic("%#lx grants more to a CPU than its leaf %#lx", va, now.raw);
    if (w.level < t->level && pte_is_executable(t->pte))
        panic("%#lx: a CPU could know two executable translations", va);
}

void mmu_check(void)
{
    if (nr_gathers)
        panic("%u gathers were begun and not ended", nr_gathers);
    for (unsigned i = 0; i < nr_remembered; i++) {
        struct translation *t = &tlb[i];
        struct page *page = page_head(phys_to_page(pte_phys(t->pte, t->level)));
        bool split = pt_walk(t->pgt, user(t->va)).level < t->level; /* needs no flush by itself */
        uint64_t step = split ? PAGE_SIZE : pt_level_size(t->level);

        for (uint64_t va = t->va; va < t->va + pt_level_size(t->level); va += step)
            check_part(t, va);
        if (page->state == PAGE_FREE || page->state == PAGE_CPU || page->state == PAGE_POOL)
            panic("%#lx leads to a frame that is %s", t->va, page_state_names[page->state]);
    }
}

/* asm/tlb.h */

static void gather_reset(struct tlb_gather *g)
{
    *g = (struct tlb_gather){.pgt = g->pgt, .start = ~0UL, .stride = ~0UL};
    list_init(&g->tables_list);
}

void tlb_gather_begin(struct tlb_gather *g, struct pgtable *pgt)
{
    g->pgt = pgt;
    gather_reset(g);
    nr_gathers++;
}

void tlb_gather_page(struct tlb_gather *g, struct page *page)
{
    if (!tlb_gather_room(g))
        tlb_gather_flush(g);
    g->pages[g->nr_pages++] = page;
}

void tlb_gather_table(struct tlb_gather *g, struct page *table)
{
    list_add(&table->list, &g->tables_list);
}

void tlb_gather_flush(struct tlb_gather *g)
{
    host_may_wait(LOCK_RANK_IPI_SAFE_BELOW);
    if (g->start < g->end) {
        for (uint64_t va = g->start; va < g->end; va += g->stride)
            forget_leaf(EVERY_CPU, g->pgt, va, 1);
        nr_flushes++;
        atomic_fetch_sub(&g->pgt->unflushed, 1);
    }
    for (unsigned i = 0; i < g->nr_pages; i++)
        folio_put(page_folio(g->pages[i]));
    while (!list_empty(&g->tables_list)) {
        struct page *table = list_first_entry(&g->tables_list, struct page, list);
        list_del(&table->list);
        page_free(table, 0);
    }
    gather_reset(g);
}

void tlb_gather_end(struct tlb_gather *g)
{
    tlb_gather_flush(g);
    nr_gathers--;
}

void tlb_flush_user_local(user_addr_t va)
{
    if (loaded)
        forget_leaf(mmu_cpu, loaded, va.raw, 1);
}

void tlb_refresh_user_local(user_addr_t va)
{
    tlb_flush_user_local(va);
}

/* CPUs of this machine have one root. */
void tlb_roots_begin(struct pgtable *pgt)
{
    (void)pgt;
}

void tlb_leave(struct pgtable *pgt)
{
    forget_leaf(EVERY_CPU, pgt, 0, ~0UL);
    if (loaded == pgt)
        loaded = NULL;
}

/* Every gather is flushed at once: nothing is put off. */
struct tlb_settings tlb_settings;

uint64_t tlb_users(uint64_t space, uint64_t generation, bool walk)
{
    (void)space;
    (void)generation;
    (void)walk;
    return 0;
}

void tlb_ledger_look(const struct page *page, unsigned order)
{
    (void)page;
    (void)order;
}

void tlb_sweep(uint64_t targets)
{
    panic("CPUs %#lx are behind, and none can be", targets);
}

bool tlb_late_is_over(struct pgtable *pgt)
{
    return !atomic_load(&pgt->late);
}

void tlb_settle_late(struct pgtable *pgt)
{
    panic("%p has something put off, and nothing is", (void *)pgt);
}

/* asm/direct_map.h. Hiding costs one allocation, as if it split. */

static void protect_frames(uint64_t pfn, uint64_t nr_pages, int prot)
{
    if (mprotect(host_ram + pfn * PAGE_SIZE, nr_pages * PAGE_SIZE, prot))
        panic("mprotect of frame %#lx", pfn);
}

void direct_map_change_begin(struct direct_map_change *change)
{
    *change = (struct direct_map_change){.first_pfn = ~0UL};
}

int direct_map_hide_noflush(struct direct_map_change *change, uint64_t pfn, uint64_t nr_pages)
{
    if (fail_injected(FAIL_PAGE_TABLE))
        return -ENOMEM;
    change->first_pfn = pfn;
    change->end_pfn = pfn + nr_pages;
    nr_hidden += nr_pages;
    memset(&hidden[pfn], true, nr_pages);
    return 0;
}

void direct_map_restore_noflush(struct direct_map_change *change, uint64_t pfn, uint64_t nr_pages)
{
    (void)change;
    nr_hidden -= nr_pages;
    memset(&hidden[pfn], false, nr_pages);
    protect_frames(pfn, nr_pages, PROT_READ | PROT_WRITE);
}

void direct_map_change_end(struct direct_map_change *change)
{
    host_may_wait(LOCK_RANK_IPI_SAFE_BELOW);
    if (change->first_pfn < change->end_pfn)
        protect_frames(change->first_pfn, change->end_pfn - change->first_pfn, PROT_NONE);
}

void direct_map_counts(struct direct_map_counts *out)
{
    *out = (struct direct_map_counts){.hidden_pages = nr_hidden};
}

bool direct_map_present(uint64_t pfn)
{
    return !hidden[pfn];
}

/* asm/window.h: what programs see the frame through. */

void *window_open(const struct page *page, irq_flags_t *irq)
{
    *irq = irq_save();
    return host_ram_of_programs(page_to_phys(page));
}

void window_close(irq_flags_t irq)
{
    irq_restore(irq);
}

void window_zero(const struct page *page)
{
    irq_flags_t irq;

    memset(window_open(page, &irq), 0, PAGE_SIZE);
    window_close(irq);
}

int windows_check(void)
{
    return 0;
}

int tlb_check(void)
{
    return 0;
}

int direct_map_check(void)
{
    return 0;
}

/* base/mutex.h: one task, so a lock that is taken is a deadlock. */

#define HOLDER ((struct task *)8)

void mutex_lock(struct mutex *m)
{
    host_may_wait(LOCK_RANK_NONE);
    if (m->word)
        panic("a mutex is taken twice");
    m->word = (uintptr_t)HOLDER;
}

void mutex_unlock(struct mutex *m)
{
    if (!m->word)
        panic("a mutex is released but not held");
    m->word = 0;
}

bool mutex_is_locked(const struct mutex *m)
{
    return m->word;
}

/* One task, so nobody waits; but ranges are looked after as in kernel/rwsem.c. */
struct rwsem_line {
    unsigned readers, seekers;
    bool turn; /* some writer's */
    uint64_t start, end;
};

int rwsem_init(struct rwsem *s)
{
    *s = (struct rwsem){.lines = kmem_alloc(sizeof(*s->lines), SLAB_ALLOC_ZERO)};
    return s->lines ? 0 : -ENOMEM;
}

void rwsem_destroy(struct rwsem *s)
{
    if (s->lines->turn || s->lines->readers)
        panic("a semaphore is held while it dies");
    kmem_free(s->lines);
}

rwsem_reader_t rwsem_read_lock(struct rwsem *s)
{
    host_may_wait(LOCK_RANK_NONE);
    if (s->lines->turn || s->lines->readers)
        panic("a semaphore is read while it is held: with a writer between, a deadlock");
    s->lines->readers++;
    return 0;
}

struct rwsem_line *rwsem_read_seek(struct rwsem *s, uint64_t start, uint64_t end)
{
    rwsem_read_lock(s);
    s->lines->seekers++;
    s->lines->start = start;
    s->lines->end = end;
    return s->lines;
}

void rwsem_read_settle(struct rwsem_line *line, uint64_t start)
{
    if (!line->seekers)
        panic("a reader settles that did not seek");
    if (start != line->start)
        panic("a reader settles for what it did not seek");
    line->seekers--;
}

bool rwsem_settle_for_more(struct rwsem *s, struct rwsem_line *line, uint64_t start, uint64_t end)
{
    (void)s;
    if (start > line->start || end < line->end)
        panic("a reader settles for less than it sought");
    rwsem_read_settle(line, line->start);
    return true;
}

void rwsem_read_leave(struct rwsem *s, struct rwsem_line *line)
{
    line->seekers = 0;
    rwsem_read_unlock(s, 0);
}

void rwsem_read_unlock(struct rwsem *s, rwsem_reader_t reader)
{
    (void)reader;
    if (!s->lines->readers)
        panic("a reader leaves that never came");
    s->lines->readers--;
}

void rwsem_write_begin(struct rwsem *s, uint64_t start, uint64_t end)
{
    (void)start, (void)end;
    host_may_wait(LOCK_RANK_NONE);
    if (s->lines->turn || s->lines->readers)
        panic("a semaphore is written while it is held");
    s->lines->turn = true;
}

void rwsem_write_range(struct rwsem *s, uint64_t start, uint64_t end)
{
    if (!s->lines->turn || s->ranges[0].end || start >= end)
        panic("a range is written out of turn, twice, or empty");
    s->ranges[0].end = end;
}

int rwsem_write_pass(struct rwsem *s)
{
    if (!s->lines->turn || !s->ranges[0].end)
        panic("a turn is passed that nobody has, or without a range");
    s->lines->turn = false;
    return 1;
}

void rwsem_write_resume(struct rwsem *s, int passed)
{
    (void)passed;
    s->lines->turn = true;
}

void rwsem_write_lock(struct rwsem *s)
{
    rwsem_write_begin(s, 0, RWSEM_EVERYTHING);
    rwsem_write_range(s, 0, RWSEM_EVERYTHING);
}

void rwsem_write_unlock(struct rwsem *s)
{
    if (!s->lines->turn)
        panic("a writer leaves that never came");
    s->lines->turn = false;
    s->ranges[0].end = 0;
}

void rwsem_seekers_wait(struct rwsem *s)
{
    if (s->lines->seekers)
        panic("who seeks waits for itself");
}

rwsem_reader_t rwsem_downgrade(struct rwsem *s)
{
    rwsem_write_unlock(s);
    return rwsem_read_lock(s);
}

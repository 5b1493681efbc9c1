/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/smp.c - what other CPUs remember, and when they must have forgotten it
 *
 * Room:   tests/kernel. With one CPU these tests are skipped.
 * Owns:   nothing.
 * Locks:  none: the other CPUs act in interrupts that this CPU sends, or in kernel threads.
 * Always: (1) every CPU that loaded a space for a test leaves it before the space is dropped.
 * Source: asm/tlb.h; trust.md V25, V26, T3, T6, S3, B11, B48; Black et al. (1989).
 * Tour:   after arch/x86_64/tlb.c, tests/kernel/tlb.c.
 */
#include "crew.h"
#include "kit.h"

#include "kernel/task.h"
#include <asm/smp.h>
#include <asm/time.h>

static bool alone(void)
{
    if (nr_cpus() == 1)
        ktest_skip("one CPU");
    return nr_cpus() == 1;
}

/* What each CPU found at one address. */
struct probe {
    uint64_t va;
    struct {
        bool read;
        uint64_t word;
    } on[MAX_CPUS];
};

static void probe_here(void *arg)
{
    struct probe *p = arg;
    unsigned cpu = cpu_id();

    p->on[cpu].read = kit_probe_read(p->va, &p->on[cpu].word);
}

/* Every CPU reads @va: how many could. */
static unsigned probe_everywhere(struct probe *p, uint64_t va)
{
    unsigned could = 0;

    p->va = va;
    probe_here(p);
    smp_call_others(probe_here, p);
    for (unsigned cpu = 0; cpu < nr_cpus(); cpu++)
        could += p->on[cpu].read;
    return could;
}

static bool all_found(const struct probe *p, uint64_t word)
{
    for (unsigned cpu = 0; cpu < nr_cpus(); cpu++)
        if (!p->on[cpu].read || p->on[cpu].word != word)
            return false;
    return true;
}

static void load_here(void *mm)
{
    kit_load(mm);
}

static void unload_here(void *arg)
{
    (void)arg;
    kit_unload();
}

static void load_everywhere(struct mm *mm)
{
    load_here(mm);
    smp_call_others(load_here, mm);
}

static void unload_everywhere(void)
{
    unload_here(NULL);
    smp_call_others(unload_here, NULL);
}

static uint64_t all_cpus(void)
{
    return nr_cpus() == 64 ? ~0UL : (1UL << nr_cpus()) - 1;
}

KTEST(hidden_page_is_unreadable_on_every_cpu)
{
    struct direct_map_change change;
    static struct probe p;
    struct page *page;
    REQUIRE(page_alloc(0, PAGE_ALLOC_ZERO, &page) == 0);
    uint64_t va = (uint64_t)page_kva(page);

    if (alone()) {
        page_free(page, 0);
        return;
    }
    for (unsigned round = 0; round < 50; round++) {
        EXPECT_EQ(probe_everywhere(&p, va), nr_cpus()); /* every TLB knows it */
        direct_map_change_begin(&change);
        EXPECT(direct_map_hide_noflush(&change, page_to_pfn(page), 1) == 0);
        direct_map_change_end(&change);
        EXPECT_EQ(probe_everywhere(&p, va), 0);
        direct_map_change_begin(&change);
        direct_map_restore_noflush(&change, page_to_pfn(page), 1);
        direct_map_change_end(&change);
    }
    page_free(page, 0);
}

/* The control: without the flush the other CPUs go on reading. */
KTEST(missing_flush_of_the_direct_map_is_seen_on_other_cpus)
{
    struct direct_map_change change;
    static struct probe p;
    struct page *block;
    REQUIRE(page_alloc(1, PAGE_ALLOC_ZERO, &block) == 0);
    uint64_t va = (uint64_t)page_kva(block), pfn = page_to_pfn(block);

    if (alone()) {
        page_free(block, 1);
        return;
    }
    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, pfn + 1, 1) == 0); /* splits: the neighbour is 4K */
    direct_map_change_end(&change);
    EXPECT_EQ(probe_everywhere(&p, va), nr_cpus());
    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, pfn, 1) == 0);
    unsigned could = probe_everywhere(&p, va);
    if (cpu_has(CPU_HYPERVISOR))
        EXPECT(could > 0, "every CPU forgot by itself: the probe proves nothing");
    direct_map_change_end(&change);
    EXPECT_EQ(probe_everywhere(&p, va), 0);
    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, pfn, 2);
    direct_map_change_end(&change);
    page_free(block, 1);
}

/* Secret pages come in blocks of 1 << @order. */
static void expect_forgotten_before_faults_return(unsigned order)
{
    struct object *object = kit_object(&secretmem_ops, 20);
    struct mm *mm = kit_mm();
    static struct probe p;
    REQUIRE(object && mm);

    secret_pool_settings.block_pages = 1UL << order;
    EXPECT(kit_map_object(mm, 0, 20, RW | VM_SHARED, object, 0) == 0);
    for (uint64_t i = 0; i < 20; i++) {
        struct page *next; /* what the fault will get: each CPU knows its addresses */
        secret_pool_shrink();
        REQUIRE(page_alloc(order, PAGE_ALLOC_PLAIN, &next) == 0);
        for (unsigned n = 0; n < min(1U << order, 40U); n++)
            EXPECT_EQ(probe_everywhere(&p, (uint64_t)page_kva(next) + n * PAGE_SIZE), nr_cpus());
        page_free(next, order);
        EXPECT(mm_fault(mm, user(AT(i)), ACCESS_WRITE) == FAULT_RESOLVED);
        uint64_t pfn = page_to_pfn(kit_page(mm, i));
        EXPECT(order == 0 || pfn == page_to_pfn(next));
        for (unsigned n = 0; n < min(1U << order, 40U); n++)
            EXPECT_EQ(probe_everywhere(&p, DIRECT_MAP_BASE + (pfn + n) * PAGE_SIZE), 0);
        if (order) {
            kit_truncate(object, 0);
            kit_truncate(object, 20 * PAGE_SIZE);
        }
    }
    kit_mm_put(mm);
    object_put(object);
    secret_pool_settings.block_pages = SECRET_BLOCK_PAGES_MAX;
}

KTEST(secret_page_is_forgotten_everywhere_before_a_fault_returns)
{
    if (!alone())
        expect_forgotten_before_faults_return(0);
}

KTEST(hidden_block_is_forgotten_everywhere_before_a_fault_returns)
{
    if (!alone())
        expect_forgotten_before_faults_return(HUGE_ORDER);
}

KTEST(unmapped_page_is_forgotten_by_every_cpu_that_has_the_space)
{
    struct mm *mm = kit_mm();
    static struct probe p;
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 60, RW) == 0);
    for (uint64_t i = 0; i < 60; i++)
        EXPECT(kit_write(mm, i, 1000 + i));
    load_everywhere(mm);
    EXPECT_EQ(atomic_load(&mm->pgtable.cpus), all_cpus());
    for (uint64_t i = 0; i < 20; i++) {
        EXPECT_EQ(probe_everywhere(&p, AT(i)), nr_cpus());
        EXPECT(all_found(&p, 1000 + i), "page %lu", i);
        EXPECT(mm_unmap(mm, AT(i), PAGE_SIZE) == 0);
        EXPECT_EQ(probe_everywhere(&p, AT(i)), 0);
    }
    for (uint64_t i = 20; i < 60; i++)
        probe_everywhere(&p, AT(i));
    EXPECT(mm_unmap(mm, AT(20), 40 * PAGE_SIZE) == 0); /* more than single flushes are made for */
    for (uint64_t i = 20; i < 60; i++)
        EXPECT_EQ(probe_everywhere(&p, AT(i)), 0);
    unload_everywhere();
    EXPECT_EQ(atomic_load(&mm->pgtable.cpus), 0);
    kit_mm_put(mm);
    alone();
}

KTEST(replaced_page_is_seen_by_every_cpu)
{
    struct mm *mm = kit_mm(), *child = NULL;
    static struct probe p;
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(kit_write(mm, 0, 1));
    load_everywhere(mm);
    for (uint64_t round = 2; round < 30; round++) {
        EXPECT(probe_everywhere(&p, AT(0)) == nr_cpus() && all_found(&p, round - 1), "round %lu",
               round);
        REQUIRE(mm_fork(mm, &child) == 0); /* the next write gets another page */
        EXPECT(!kit_probe_write(AT(0), 0));
        EXPECT(kit_write(mm, 0, round));
        EXPECT(probe_everywhere(&p, AT(0)) == nr_cpus() && all_found(&p, round), "round %lu",
               round);
        mm_put(child);
    }
    unload_everywhere();
    kit_mm_put(mm);
    alone();
}

KTEST(shootdown_asks_only_cpus_that_have_the_space)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 2, RW) == 0);
    EXPECT(kit_write(mm, 0, 1) && kit_write(mm, 1, 1));
    kit_load(mm);
    uint64_t requests = tlb_events(TLB_REMOTE_REQUEST), handled = tlb_events(TLB_REMOTE_HANDLED);
    EXPECT(mm_unmap(mm, AT(0), PAGE_SIZE) == 0);
    EXPECT_EQ(tlb_events(TLB_REMOTE_REQUEST) - requests, 0);
    smp_call_others(load_here, mm);
    EXPECT(mm_unmap(mm, AT(1), PAGE_SIZE) == 0);
    EXPECT_EQ(tlb_events(TLB_REMOTE_REQUEST) - requests, nr_cpus() > 1);
    EXPECT_EQ(tlb_events(TLB_REMOTE_HANDLED) - handled, nr_cpus() - 1);
    unload_everywhere();
    kit_mm_put(mm);
    alone();
}

/* Hide and show a page of one's own, as fast as it goes: everybody asks everybody. */
static void work_flush_kernel(struct crew *crew, unsigned who)
{
    struct page *page;
    uint64_t word;
    (void)who;

    if (page_alloc(0, PAGE_ALLOC_ZERO, &page)) {
        atomic_fetch_add(&crew->wrong, 1);
        return;
    }
    uint64_t va = (uint64_t)page_kva(page);
    for (unsigned i = 0; i < 300; i++) {
        struct direct_map_change change;
        direct_map_change_begin(&change);
        int err = direct_map_hide_noflush(&change, page_to_pfn(page), 1);
        direct_map_change_end(&change);
        atomic_fetch_add(&crew->wrong, err || kit_probe_read(va, &word));
        direct_map_change_begin(&change);
        direct_map_restore_noflush(&change, page_to_pfn(page), 1);
        direct_map_change_end(&change);
        atomic_fetch_add(&crew->wrong, !kit_probe_read(va, &word));
    }
    page_free(page, 0);
}

KTEST(cpus_that_flush_at_each_other_all_go_on)
{
    static struct crew crew;

    if (alone())
        return;
    crew = (struct crew){.work = work_flush_kernel};
    crew_run(&crew);
}

/* Everybody writes and discards pages of its own in one space that all have loaded. */
static void work_one_space(struct crew *crew, unsigned who)
{
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t page = who * 64 + i % 8, word;
        bool right = mm_fault(crew->mm, user(AT(page)), ACCESS_WRITE) == FAULT_RESOLVED;
        kit_load(crew->mm); /* waiting for a lock may have taken it away */
        right =
            right && kit_probe_write(AT(page), i) && kit_probe_read(AT(page), &word) && word == i;
        right = right && mm_discard(crew->mm, AT(page), PAGE_SIZE) == 0;
        kit_load(crew->mm);
        right = right && !kit_probe_read(AT(page), &word);
        atomic_fetch_add(&crew->wrong, !right);
    }
    kit_unload();
}

KTEST(cpus_that_share_a_space_fault_and_discard_at_once)
{
    static struct crew crew;

    if (alone())
        return;
    crew = (struct crew){.work = work_one_space, .mm = kit_mm()};
    REQUIRE(crew.mm);
    EXPECT(kit_map(crew.mm, 0, 64 * nr_cpus(), RW) == 0);
    crew_run(&crew);
    EXPECT_EQ(rss_anon(crew.mm), 0);
    kit_mm_put(crew.mm);
}

/* Everybody faults the same page of the same object: one page must come of it. */
static void work_same_index(struct crew *crew, unsigned who)
{
    uint64_t nr = object_size(crew->object) / object_folio_bytes(crew->object);
    (void)who;

    for (uint64_t i = 0; i < nr; i++) {
        struct page *page;
        if (crew->object->ops->get_page(crew->object, i, OBJECT_GET_ALLOCATE, &page)) {
            atomic_fetch_add(&crew->wrong, 1);
            continue;
        }
        atomic_fetch_add(&crew->wrong, page->object != crew->object);
        page_put(page);
    }
}

static void same_index_of(const struct object_ops *ops, uint64_t nr)
{
    static struct crew crew;

    crew = (struct crew){.work = work_same_index, .object = kit_object(ops, nr)};
    REQUIRE(crew.object);
    crew_run(&crew);
    EXPECT_EQ(atomic_load(&crew.object->nr_pages), nr << ops->folio_order);
    EXPECT(vm_check() == 0);
    object_put(crew.object);
}

KTEST(cpus_that_fault_the_same_page_get_the_same_page)
{
    if (!alone())
        same_index_of(&shmem_ops, 500);
}

KTEST(cpus_that_fault_the_same_secret_page_lose_none)
{
    if (alone())
        return;
    same_index_of(&secretmem_ops, 300);
    EXPECT_EQ(secretmem_pages(), 0);
}

KTEST(cpus_that_fault_the_same_huge_page_redeem_one_promise)
{
    struct hugetlb_counts pool;

    if (alone())
        return;
    hugetlb_pool_resize(hugetlb_pool_of(0), 4);
    for (unsigned round = 0; round < 10; round++) {
        struct crew crew = {.work = work_same_index, .object = kit_object(&hugetlb_ops, 4)};
        REQUIRE(crew.object);
        EXPECT(crew.object->ops->reserve(crew.object, 0, 4 << HUGE_ORDER) == 0);
        crew_run(&crew); /* the last page is there for one of them only */
        EXPECT(hugetlb_check() == 0);
        object_put(crew.object);
    }
    hugetlb_counts(hugetlb_pool_of(0), &pool);
    EXPECT(pool.free == 4 && pool.reserved == 0, "%lu free, %lu reserved", pool.free,
           pool.reserved);
}

/* Faults of the first thread against truncation by the others. */
static void work_fault_and_truncate(struct crew *crew, unsigned who)
{
    for (uint64_t i = 0; i < 200; i++) {
        if (who) {
            kit_truncate(crew->object, i % 2 ? 8 * PAGE_SIZE : 0);
            continue;
        }
        enum fault_result result = mm_fault(crew->mm, user(AT(i % 8)), ACCESS_WRITE);
        bool right = result == FAULT_RESOLVED || result == FAULT_BEYOND;
        atomic_fetch_add(&crew->wrong, !right);
    }
}

static void faults_against_truncation(const struct object_ops *ops)
{
    static struct crew crew;

    crew = (struct crew){
        .work = work_fault_and_truncate, .mm = kit_mm(), .object = kit_object(ops, 8)};
    REQUIRE(crew.mm && crew.object);
    EXPECT(kit_map_object(crew.mm, 0, 8, RW | VM_SHARED, crew.object, 0) == 0);
    crew_run(&crew);
    kit_truncate(crew.object, 0);
    EXPECT(rss_file(crew.mm) == 0 && atomic_load(&crew.object->nr_pages) == 0);
    kit_mm_put(crew.mm);
    object_put(crew.object);
}

KTEST(faults_and_truncation_at_once_leave_no_page_behind)
{
    if (!alone())
        faults_against_truncation(&shmem_ops);
}

KTEST(secret_faults_and_truncation_at_once_leave_no_page_behind)
{
    if (alone())
        return;
    faults_against_truncation(&secretmem_ops);
    EXPECT_EQ(secretmem_pages(), 0);
}

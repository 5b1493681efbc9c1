/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/check.c - damage that vm_check() and the debug kernel's claims must find
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  those of the calls.
 * Always: (1) what a test damages it mends, or the machine ends with it.
 * Source: trust.md V4, V7-V10, V12, V25, V26, V29, V30.
 * Tour:   after mm/check.c, mm/frames.c, kernel/check.c; others are in tests/kernel/fault.c.
 */
#include "crew.h"

#include "../../arch/x86_64/percpu.h"
#include "../../arch/x86_64/roots.h"
#include "../../kernel/files.h"
#include "../../kernel/fs.h"
#include "../../kernel/quiet.h"
#include "../../kernel/sched.h"
#include "../../kernel/sealed.h"
#include "../../kernel/syscall.h"
#include <asm/context.h>
#include <asm/time.h>
#include <mm/usage.h>
#include <upcalls.h>

#define SHARED (RW | VM_SHARED)

/* A space that has written to page 0 of an object, and what it wrote to. */
struct shared_page {
    struct object *object;
    struct mm *mm;
    struct page *page;
};

static bool shared_page_make(struct shared_page *s)
{
    s->object = kit_object(&shmem_ops, 4);
    s->mm = kit_mm();
    if (!s->object || !s->mm ||
        !EXPECT(kit_map_object(s->mm, 0, 4, SHARED, s->object, 0) == 0 && kit_write(s->mm, 0, 1)))
        return false;
    s->page = kit_page(s->mm, 0);
    return true;
}

static void shared_page_drop(struct shared_page *s)
{
    EXPECT(vm_check() == 0);
    kit_mm_put(s->mm);
    object_put(s->object);
}

KTEST(a_leaf_too_many_or_an_owner_too_many_is_found)
{
    struct shared_page s;
    REQUIRE(shared_page_make(&s));

    atomic_fetch_add(&s.page->refcount, 1);
    EXPECT_FINDS(vm_check(), "V8");
    atomic_fetch_add(&s.page->mapcount, 1);
    EXPECT_FINDS(vm_check(), "V7");
    atomic_fetch_sub(&s.page->mapcount, 1);
    atomic_fetch_sub(&s.page->refcount, 1);
    shared_page_drop(&s);
}

KTEST(a_leaf_of_the_wrong_page_of_its_object_is_found)
{
    struct shared_page s;
    REQUIRE(shared_page_make(&s));

    s.page->index++;
    EXPECT_FINDS(vm_check(), "V9");
    s.page->index--;
    shared_page_drop(&s);
}

KTEST(an_exclusive_page_with_two_leaves_is_found)
{
    struct mm *mm = kit_mm(), *child;
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 1, RW) == 0 && kit_write(mm, 0, 1));
    REQUIRE(mm_fork(mm, &child) == 0);
    pte_t leaf = kit_leaf(mm, 0), *slot = pt_walk(&mm->pgtable, user(AT(0))).slot;
    pte_write(slot, pte_made_exclusive(leaf));
    EXPECT_FINDS(vm_check(), "V10");
    pte_write(slot, leaf);
    EXPECT(vm_check() == 0);
    kit_mm_put(child);
    kit_mm_put(mm);
}

KTEST(a_first_write_that_would_not_be_seen_is_found)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 1, RW) == 0 && kit_write(mm, 0, 1));
    mm_track_writes(mm);
    pte_t leaf = kit_leaf(mm, 0), *slot = pt_walk(&mm->pgtable, user(AT(0))).slot;
    EXPECT(!pte_is_writable(leaf) && !pte_is_soft_dirty(leaf) && vm_check() == 0);
    pte_write(slot, pte_made_writable(leaf));
    EXPECT_FINDS(vm_check(), "V5");
    pte_write(slot, leaf);
    EXPECT(vm_check() == 0);
    kit_mm_put(mm);
}

/* Inverted by nobody, its frame is there for a CPU to guess. */
KTEST(a_frame_that_nobody_may_touch_and_everybody_may_read_is_found)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 1, RW) == 0 && kit_write(mm, 0, 1));
    EXPECT(mm_protect(mm, AT(0), PAGE_SIZE, 0, 0) == 0 && vm_check() == 0);
    pte_t leaf = kit_leaf(mm, 0), *slot = pt_walk(&mm->pgtable, user(AT(0))).slot;
    EXPECT(pte_kind(leaf, PT_4K) == PTE_KIND_PROTNONE);
    pte_write(slot, (pte_t){page_to_phys(kit_page(mm, 0)).raw | (leaf.raw & 0xfff)});
    EXPECT_FINDS(vm_check(), "V15");
    pte_write(slot, leaf);
    EXPECT(vm_check() == 0);
    kit_mm_put(mm);
}

KTEST(a_table_that_is_refused_and_a_guard_that_is_forgotten_are_found)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 2, RW) == 0 && kit_write(mm, 0, 1));
    pte_t *upper = pt_walk_down_to(&mm->pgtable, user(AT(0)), PT_2M).slot, was = pte_read(upper);
    pte_write(upper, (pte_t){was.raw & ~(pgprot_write(pgprot_none()).raw ^ pgprot_none().raw)});
    EXPECT_FINDS(vm_check(), "V3");
    pte_write(upper, was);
    struct pt_walk walk = pt_walk(&mm->pgtable, user(AT(1)));
    pt_set(walk.table, walk.slot, pte_guard());
    EXPECT_FINDS(vm_check(), "V16");
    pt_set(walk.table, walk.slot, pte_none());
    EXPECT(vm_check() == 0);
    kit_mm_put(mm);
}

static void sealed_file_release(struct object *object)
{
    sealed_forget(inode_of(object));
    kmem_free(object);
}

/* A file of one page and a few bytes, under all seals that keep something. There is no file system
 * yet: it is made by hand. */
static struct inode *sealed_file(void)
{
    struct inode *inode = kmem_alloc(sizeof(*inode), SLAB_ALLOC_ZERO);
    uint8_t bytes[16] = {1, 2, 3};
    struct kernel_copy copy = kernel_buffer_in(bytes);

    if (!EXPECT(inode))
        return NULL;
    object_init(&inode->object, &shmem_ops, sealed_file_release);
    inode->mode = S_IFREG | 0755;
    EXPECT(object_write(&inode->object, PAGE_SIZE, sizeof(bytes), &copy.copy) == sizeof(bytes));
    EXPECT(object_deny_writers(&inode->object) == 0);
    inode->object.seals = SEAL_SHRINK | SEAL_GROW | SEAL_WRITE | SEAL_EXEC;
    sealed_note(inode);
    EXPECT(sealed_check() == 0);
    return inode;
}

static void sealed_file_drop(struct inode *inode)
{
    EXPECT(sealed_check() == 0);
    inode_put(inode);
    EXPECT(sealed_check() == 0);
}

KTEST(sealed_bytes_that_change_are_found)
{
    struct inode *inode = sealed_file();
    REQUIRE(inode);

    struct page *page = object_find_page(&inode->object, 1);
    uint8_t *byte = (uint8_t *)page_kva(page) + 2;
    (*byte)++;
    EXPECT_FINDS(sealed_check(), "V12");
    (*byte)--;
    page_put(page);
    sealed_file_drop(inode);
}

KTEST(sealed_files_that_are_otherwise_are_found)
{
    struct inode *inode = sealed_file();
    REQUIRE(inode);
    struct object *object = &inode->object;

    atomic_fetch_add(&object->size_bytes, 1);
    EXPECT_FINDS(sealed_check(), "V12");
    atomic_fetch_sub(&object->size_bytes, 2);
    EXPECT_FINDS(sealed_check(), "V12");
    atomic_fetch_add(&object->size_bytes, 1);
    atomic_fetch_add(&object->writers, 1);
    EXPECT_FINDS(sealed_check(), "V12");
    atomic_fetch_sub(&object->writers, 1);
    inode->mode ^= 0001;
    EXPECT_FINDS(sealed_check(), "V12");
    inode->mode ^= 0001;
    object->seals &= ~SEAL_GROW;
    EXPECT_FINDS(sealed_check(), "V12");
    object->seals |= SEAL_GROW;
    sealed_file_drop(inode);
}

KTEST(an_area_that_may_write_what_is_sealed_is_found)
{
    struct shared_page s;
    REQUIRE(shared_page_make(&s));

    s.object->seals = SEAL_WRITE;
    EXPECT_FINDS(vm_check(), "V12");
    s.object->seals = 0;
    shared_page_drop(&s);
}

KTEST(a_table_in_no_tree_is_found)
{
    struct page *page;
    REQUIRE(page_alloc(0, PAGE_ALLOC_ZERO, &page) == 0);

    page_set_state(page, PAGE_TABLE);
    EXPECT_FINDS(vm_check(), "V4");
    page_free(page, 0);
}

KTEST(a_cpu_that_its_address_space_does_not_know_of_is_found)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t bit = 1UL << cpu_id();

    kit_load(mm);
    EXPECT(tlb_check() == 0);
    atomic_fetch_and(&mm->pgtable.cpus, ~bit);
    EXPECT_FINDS(tlb_check(), "V26");
    atomic_fetch_or(&mm->pgtable.cpus, bit);
    kit_unload();
    kit_mm_put(mm);
}

KTEST(an_own_root_that_nobody_knows_of_is_found)
{
    unsigned usual = tlb_settings.roots;

    tlb_settings.roots = TLB_ROOTS_PERCPU;
    struct mm *mm = kit_mm();
    tlb_settings.roots = usual;
    REQUIRE(mm && kit_map(mm, 0, 1, RW) == 0 && kit_write(mm, 0, 1));
    struct pt_roots *roots = roots_of(&mm->pgtable);
    pte_t *slot = page_kva(roots->own[cpu_id()].table);
    kit_load(mm);
    EXPECT(tlb_follow_root(AT(0)) && !tlb_follow_root(AT(0)));
    EXPECT(mm_check(mm) == 0 && tlb_check() == 0);
    uint64_t users = atomic_exchange(&roots->users[0], 0);
    EXPECT_FINDS(mm_check(mm), "V26");
    atomic_store(&roots->users[0], users);
    pte_t entry = pte_read(slot);
    pte_write(slot, pte_user_table(mm->pgtable.root));
    EXPECT_FINDS(mm_check(mm), "V26");
    pte_write(slot, entry);
    bitmap_clear(roots->own[cpu_id()].entries, 0);
    EXPECT_FINDS(mm_check(mm), "V26");
    bitmap_set(roots->own[cpu_id()].entries, 0);
    kit_unload();
    kit_mm_put(mm);
}

KTEST(everybody_stands_while_it_is_quiet)
{
    for (unsigned i = 0; i < 50; i++) {
        REQUIRE(quiet_begin());
        EXPECT(!irqs_enabled());
        EXPECT(!quiet_begin()); /* one at a time */
        quiet_end();
        EXPECT(irqs_enabled() && !quiet_is_wanted());
    }
}

static _Atomic bool nobody_asks;
static _Atomic unsigned sleep_ms;

/* Sleeps and asks all others in turn. Asks for a millisecond; sleeps longer each time until it was
 * quiet: a busy host has a CPU wait for many milliseconds, and does not see a short sleep. */
static void sleep_and_ask(struct crew *crew, unsigned who)
{
    const uint64_t ms = 1000000;

    (void)crew;
    while (!who && !nobody_asks) {
        sched_sleep(++sleep_ms * ms);
        for (uint64_t end = clock_ns() + ms; clock_ns() < end;)
            tlb_flush_kernel(&nobody_asks, &nobody_asks + 1);
    }
}

KTEST(who_runs_again_is_waited_for)
{
    struct crew crew = {.work = sleep_and_ask};

    nobody_asks = false;
    sleep_ms = 0;
    REQUIRE(crew_start(&crew));
    for (unsigned i = 0; i < 50; i++) {
        REQUIRE(quiet_begin());
        quiet_end();
        sleep_ms = 0;
    }
    nobody_asks = true;
    EXPECT(crew_join(&crew));
}

KTEST_PANICS(page_freed_before_every_cpu_flushed_panics, "V25: CPUs 0x2 have not flushed")
{
    struct mm *mm = kit_mm();

    if (nr_cpus() < 2) {
        ktest_skip("one CPU");
        return;
    }
    EXPECT(kit_map(mm, 0, 1, RW) == 0 && kit_write(mm, 0, 1));
    atomic_store(&cpus[1].tlb.lazy, false);
    atomic_store(&cpus[1].tlb.seen, 0);
    atomic_store(&cpus[1].tlb.space, mm->pgtable.id); /* loaded, but the mask does not say so */
    EXPECT(mm_unmap(mm, AT(0), PAGE_SIZE) == 0);
}

/* One page goes without a flush, beside one that goes as it should. */
KTEST_PANICS(translation_that_nobody_flushed_is_found_by_a_probe, "V25: CPU 0 uses a translation")
{
    struct mm *mm = kit_mm();
    uint64_t word;

    EXPECT(kit_map(mm, 0, 2, RW) == 0 && kit_write(mm, 0, 1) && kit_write(mm, 1, 1));
    kit_load(mm);
    EXPECT(kit_probe_read(AT(0), &word) && kit_probe_read(AT(1), &word));
    struct pt_walk walk = pt_walk(&mm->pgtable, user(AT(0)));
    pt_set(walk.table, walk.slot, pte_none());
    tlb_probe_every = 1;
    EXPECT(mm_discard(mm, AT(0), 2 * PAGE_SIZE) == 0);
}

KTEST_PANICS(right_that_nobody_flushed_is_found_by_a_probe, "V25: CPU 0 uses a translation")
{
    struct mm *mm = kit_mm();

    EXPECT(kit_map(mm, 0, 2, RW) == 0 && kit_write(mm, 0, 1) && kit_write(mm, 1, 1));
    kit_load(mm);
    EXPECT(kit_probe_write(AT(0), 1) && kit_probe_write(AT(1), 1));
    pte_share(pt_walk(&mm->pgtable, user(AT(0))).slot);
    tlb_probe_every = 1;
    EXPECT(mm_protect(mm, AT(0), 2 * PAGE_SIZE, VM_READ, false) == 0);
}

KTEST_PANICS(lock_of_interrupts_taken_with_irqs_on_panics, "V29: a lock of rank 65")
{
    spinlock_t lock;

    spin_lock_init(&lock, LOCK_RANK_BUDDY);
    spin_lock(&lock);
}

KTEST_PANICS(ring_3_with_a_lock_held_panics, "V29: on the way to ring 3")
{
    spinlock_t lock;

    spin_lock_init(&lock, LOCK_RANK_FILES);
    spin_lock(&lock);
    upcall_exit(NULL);
}

KTEST_PANICS(stack_written_past_its_end_panics, "V30: the stack's end was written to")
{
    struct context c;

    EXPECT(context_init_kernel(&c, NULL, NULL) == 0);
    EXPECT(context_is_sound(&c));
    *(uint64_t *)c.kstack = 0;
    EXPECT(!context_is_sound(&c));
    context_destroy(&c);
}

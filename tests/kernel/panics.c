/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/panics.c - what must end the machine, each in a boot of its own
 *
 * Room:   tests/kernel. Run by tests/kernel/run --panics, which looks for the text in the log.
 * Owns:   nothing.
 * Locks:  taken wrongly, on purpose.
 * Always: (1) a test here that returns has failed: the machine must panic before.
 * Source: trust.md V13, V29, S1, S4; design.md section 5.
 * Tour:   after arch/x86_64/trap.c, kernel/panic.c.
 */
#include "kit.h"

#include "arch/x86_64/kernel_tables.h"
#include <asm/context.h>
#include <asm/smp.h>

extern char kernel_text_start[], kernel_rodata_start[];

static uint64_t plain_read(uint64_t va)
{
    return *(volatile uint64_t *)va;
}

static void plain_write(uint64_t va)
{
    *(volatile uint64_t *)va = 0;
}

static void jump_to(uint64_t va)
{
    ((void (*)(void))va)();
}

/* Memory. */

KTEST_PANICS(null_pointer_panics, "kernel read of 0: nothing is mapped there")
{
    plain_read(0);
}

KTEST_PANICS(write_to_text_panics, "the page may not be written")
{
    plain_write((uint64_t)kernel_text_start);
}

KTEST_PANICS(write_to_rodata_panics, "the page may not be written")
{
    plain_write((uint64_t)kernel_rodata_start);
}

KTEST_PANICS(jump_into_data_panics, "not executable for the kernel (NX or SMEP)")
{
    static uint8_t code[16] = {0xc3};

    if (cpu_has(CPU_NX))
        jump_to((uint64_t)code);
    else
        ktest_skip("no NX");
}

KTEST_PANICS(jump_into_the_direct_map_panics, "not executable for the kernel (NX or SMEP)")
{
    uint8_t *code = kmem_alloc(16, SLAB_ALLOC_PLAIN);

    code[0] = 0xc3;
    if (cpu_has(CPU_NX))
        jump_to((uint64_t)code);
    else
        ktest_skip("no NX");
}

static struct mm *user_page(uint32_t rights)
{
    struct mm *mm = kit_mm();

    if (!mm || kit_map(mm, 0, 1, RW | rights) || !kit_write(mm, 0, 0xc3))
        return NULL;
    kit_load(mm);
    return mm;
}

KTEST_PANICS(read_of_user_memory_outside_a_copy_panics, "the page is the user's and SMAP is shut")
{
    if (!cpu_has(CPU_SMAP))
        ktest_skip("no SMAP");
    else if (user_page(0))
        plain_read(AT(0));
}

KTEST_PANICS(jump_into_user_memory_panics, "not executable for the kernel (NX or SMEP)")
{
    if (!cpu_has(CPU_SMEP))
        ktest_skip("no SMEP");
    else if (user_page(VM_EXEC))
        jump_to(AT(0));
}

static struct page *secret_page(void)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    struct page *page = NULL;

    if (object)
        EXPECT(object->ops->get_page(object, 0, OBJECT_GET_ALLOCATE, &page) == 0);
    return page;
}

KTEST_PANICS(address_of_a_secret_page_panics, "is secret")
{
    plain_read((uint64_t)page_kva(secret_page()));
}

KTEST_PANICS(read_of_a_secret_page_panics, "nothing is mapped there")
{
    plain_read(DIRECT_MAP_BASE + page_to_pfn(secret_page()) * PAGE_SIZE);
}

KTEST_PANICS(free_of_a_secret_page_panics, "V21: frame")
{
    page_free(secret_page(), 0);
}

KTEST_PANICS(hiding_a_hidden_page_panics, "claim: a page is hidden once")
{
    struct direct_map_change change;
    uint64_t pfn = page_to_pfn(secret_page());

    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, pfn, 1) == 0);
}

/* Stacks: a call with 64 bytes left above the guard page. */

static void run_off_the_stack(void)
{
    volatile char room[256];

    room[0] = 1;
    room[255] = room[0];
}

KTEST_PANICS(stack_overflow_panics_on_a_stack_of_its_own, "double fault in the kernel")
{
    char *stack = kstack_alloc();

    __asm__ volatile("mov %0, %%rsp; call *%1" ::"r"(stack + 64), "r"(run_off_the_stack));
}

/* Allocators. */

KTEST_PANICS(page_freed_twice_panics, "V21: frame")
{
    struct page *page;

    EXPECT(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    page_free(page, 0);
    page_free(page, 0);
}

KTEST_PANICS(page_freed_while_mapped_panics, "V21: frame")
{
    struct page *page;

    EXPECT(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    atomic_store(&page->mapcount, 1);
    page_free(page, 0);
}

KTEST_PANICS(page_written_while_free_panics_when_it_is_used_again, "was written to")
{
    struct page *page;

    EXPECT(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    uint64_t *word = page_kva(page);
    page_free(page, 0);
    word[9] = 1;
    EXPECT(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
}

KTEST_PANICS(last_reference_dropped_twice_panics, "lost a reference it had not")
{
    struct page *page;

    EXPECT(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    folio_put(page_folio(page));
    folio_put(page_folio(page));
}

KTEST_PANICS(object_freed_twice_panics, "freed twice")
{
    void *object = kmem_alloc(100, SLAB_ALLOC_PLAIN);

    kmem_free(object);
    kmem_free(object);
}

KTEST_PANICS(object_written_past_its_end_panics_when_freed, "was written past its end")
{
    char *object = kmem_alloc(128, SLAB_ALLOC_PLAIN);

    object[128] = 1;
    kmem_free(object);
}

/* Locks. */

KTEST_PANICS(locks_in_falling_rank_panic, "claim: locks are taken in rising rank")
{
    static spinlock_t inner = SPINLOCK_INIT(LOCK_RANK_BUDDY);
    static spinlock_t outer = SPINLOCK_INIT(LOCK_RANK_OBJECT);

    irq_disable();
    spin_lock(&inner);
    spin_lock(&outer);
}

KTEST_PANICS(lock_taken_twice_panics, "claim: locks are taken in rising rank")
{
    static spinlock_t lock = SPINLOCK_INIT(LOCK_RANK_OBJECT);

    spin_lock(&lock);
    spin_lock(&lock);
}

KTEST_PANICS(release_of_a_lock_that_is_free_panics, "is released but was not held")
{
    static spinlock_t lock = SPINLOCK_INIT(LOCK_RANK_OBJECT);

    spin_unlock(&lock);
}

KTEST_PANICS(mutex_taken_twice_panics, "claim: a mutex is not taken twice")
{
    static struct mutex mutex;

    mutex_init(&mutex);
    mutex_lock(&mutex);
    mutex_lock(&mutex);
}

/* Page tables. */

KTEST_PANICS(destroying_a_space_with_a_leaf_panics, "claim: no leaf is left")
{
    struct mm *mm = kit_mm();

    EXPECT(kit_map(mm, 0, 1, RW) == 0 && kit_write(mm, 0, 1));
    pgtable_destroy(&mm->pgtable);
}

KTEST_PANICS(destroying_a_loaded_space_panics, "cpus=")
{
    struct mm *mm = kit_mm();

    kit_load(mm);
    pgtable_destroy(&mm->pgtable);
}

/* A table is freed, and the entry that leads to it stays: what a CPU may remember of it. */
static void free_table_early(struct mm *mm)
{
    struct pt_walk walk = pt_walk(&mm->pgtable, user(AT(0)));

    pte_t leaf = pt_set(walk.table, walk.slot, pte_none());
    EXPECT(pte_is_present(leaf) && walk.table->table.used == 0);
    tlb_flush_user_local(user(AT(0)));
    page_free_blank(walk.table);
}

KTEST_PANICS(walk_to_a_freed_table_panics, "a reserved bit is set in a page-table entry")
{
    struct mm *mm = user_page(0);

    REQUIRE(mm);
    free_table_early(mm);
    plain_read(AT(1));
}

KTEST_PANICS(assertion_prints_its_claim_and_values, "expected < found; expected=3 found=2")
{
    int expected = 3, found = 2;

    ASSERT(expected < found, "expected=%d found=%d", expected, found);
}

KTEST_PANICS(divide_error_in_the_kernel_panics, "divide error in the kernel")
{
    __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" ::: "rax", "rcx", "rdx");
}

KTEST_PANICS(breakpoint_in_the_kernel_panics, "breakpoint in the kernel")
{
    __asm__ volatile("int3");
}

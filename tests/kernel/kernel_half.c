/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/kernel_half.c - who may do what in the kernel's half of the address space
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a planted entry is taken out again before the test ends.
 * Source: trust.md V3, V4, V13, V14, V15, B54, B55.
 * Tour:   after arch/x86_64/check.c.
 */
#include "kit.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/kernel_tables.h"
#include <asm/context.h>
#include <asm/machine.h>

extern char kernel_text_start[], kernel_text_end[], kernel_rodata_start[], kernel_rodata_end[],
    kernel_data_start[], kernel_image_end[];

static pte_t leaf_of(uint64_t va)
{
    enum pt_level level;

    return pte_read(kernel_slot(va, &level));
}

/* Every page of [start, end) has exactly these rights, and is the kernel's alone. */
static void expect_rights(const char *start, const char *end, bool write, bool exec)
{
    for (uint64_t va = (uint64_t)start; va < (uint64_t)end; va += PAGE_SIZE) {
        pte_t pte = leaf_of(va);
        EXPECT(pte_is_writable(pte) == write, "pte %#lx at %#lx", pte.raw, va);
        EXPECT(pte_is_executable(pte) == (exec || !cpu_has(CPU_NX)), "pte %#lx at %#lx", pte.raw,
               va);
        EXPECT(!pte_is_user(pte), "pte %#lx at %#lx", pte.raw, va);
    }
}

KTEST(kernel_image_has_exact_rights)
{
    expect_rights(kernel_text_start, kernel_text_end, false, true);
    expect_rights(kernel_rodata_start, kernel_rodata_end, false, false);
    expect_rights(kernel_data_start, kernel_image_end, true, false);
}

KTEST(kernel_text_and_rodata_refuse_writes)
{
    uint64_t word;

    REQUIRE(kit_probe_read((uint64_t)kernel_text_start, &word));
    EXPECT(!kit_probe_write((uint64_t)kernel_text_start, word));
    REQUIRE(kit_probe_read((uint64_t)kernel_rodata_start, &word));
    EXPECT(!kit_probe_write((uint64_t)kernel_rodata_start, word));
    REQUIRE(kit_probe_read((uint64_t)kernel_data_start, &word));
    EXPECT(kit_probe_write((uint64_t)kernel_data_start, word));
}

KTEST(kernel_text_and_rodata_have_no_second_mapping)
{
    uint64_t word;

    for (char *p = kernel_text_start; p < kernel_rodata_end; p += PAGE_SIZE) {
        phys_addr_t a = kernel_image_phys(p);
        EXPECT(!direct_map_present(phys_to_pfn(a)), "frame %#lx", phys_to_pfn(a));
        EXPECT(!kit_probe_read((uint64_t)direct_map_ptr(a), &word));
    }
    EXPECT(direct_map_present(phys_to_pfn(kernel_image_phys(kernel_data_start))));
}

KTEST(addresses_between_the_regions_are_refused)
{
    static const uint64_t holes[] = {
        0,
        PAGE_SIZE,
        USER_END,
        0x0000800000000000UL, /* not canonical */
        KERNEL_HALF,
        DIRECT_MAP_BASE - PAGE_SIZE,
        DIRECT_MAP_END - PAGE_SIZE,
        KMAP_BASE - PAGE_SIZE,
        KMAP_BASE, /* the guard below the first stack */
        PAGE_ARRAY_END,
        KERNEL_IMAGE_BASE,
        0xfffffffffffff000UL,
    };
    uint64_t word;

    for (unsigned i = 0; i < ARRAY_SIZE(holes); i++) {
        EXPECT(!kit_probe_read(holes[i], &word), "%#lx", holes[i]);
        EXPECT(!kit_probe_write(holes[i], 0), "%#lx", holes[i]);
    }
}

KTEST(kernel_stack_has_an_unmapped_page_below_it)
{
    uint64_t word;
    char *stack = kstack_alloc();

    REQUIRE(stack);
    EXPECT(kit_probe_write((uint64_t)stack, 1));
    EXPECT(kit_probe_write((uint64_t)stack + KSTACK_SIZE - 8, 1));
    EXPECT(!kit_probe_read((uint64_t)stack - 8, &word));
    EXPECT(!kit_probe_read((uint64_t)stack + KSTACK_SIZE, &word));
    EXPECT(kstack_is_guard((uint64_t)stack - 8) && !kstack_is_guard((uint64_t)stack));
    kstack_free(stack);
}

KTEST(control_registers_guard_the_kernel)
{
    EXPECT(read_cr0() & CR0_WP);
    EXPECT(!(read_cr4() & CR4_SMEP) == !cpu_has(CPU_SMEP), "cr4=%#lx", read_cr4());
    EXPECT(!(read_cr4() & CR4_SMAP) == !cpu_has(CPU_SMAP), "cr4=%#lx", read_cr4());
    EXPECT(!(read_cr4() & CR4_UMIP) == !cpu_has(CPU_UMIP), "cr4=%#lx", read_cr4());
    EXPECT(!(read_cr4() & CR4_PGE) == !cpu_has(CPU_PGE), "cr4=%#lx", read_cr4());
}

/* A root entry of the user half that is not present: harmless, but wrong. */
KTEST(planted_user_entry_in_the_kernels_own_root_is_found)
{
    pte_t *root = kernel_table(kernel_pgtable.root);

    pte_write(&root[3], (pte_t){0x1000});
    EXPECT_FINDS(kernel_tables_check(), "V14");
    pte_write(&root[3], pte_none());
    EXPECT(kernel_tables_check() == 0);
}

KTEST(planted_absent_kernel_entry_with_a_frame_is_found)
{
    enum pt_level level;
    pte_t *slots[] = {kernel_slot((KMAP_BASE + KMAP_END) / 2, &level),
                      kernel_slot(PAGE_ARRAY_END - PAGE_SIZE, &level)}; /* in the root */

    EXPECT_EQ(level, PT_512G);
    for (unsigned i = 0; i < ARRAY_SIZE(slots); i++) {
        REQUIRE(pte_is_none(pte_read(slots[i])));
        pte_write(slots[i], (pte_t){0x1000});
        EXPECT_FINDS(kernel_tables_check(), "V15");
        pte_write(slots[i], pte_none());
    }
}

KTEST(planted_difference_of_a_kernel_half_is_found)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    pte_t *slot = kernel_table(mm->pgtable.root) + PT_ENTRIES - 1;
    pte_t right = pte_read(slot);

    EXPECT(pgtable_check(&mm->pgtable) == 0);
    pte_write(slot, pte_none());
    EXPECT_FINDS(pgtable_check(&mm->pgtable), "V4");
    pte_write(slot, right);
    kit_mm_put(mm);
}

KTEST(planted_wrong_table_count_is_found)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    struct pt_walk walk;

    REQUIRE(pt_walk_alloc(&mm->pgtable, user(AT(0)), PT_4K, &walk) == 0);
    walk.table->table.used++;
    EXPECT_FINDS(pgtable_check(&mm->pgtable), "V4");
    walk.table->table.used--;
    atomic_fetch_add(&mm->pgtable.nr_tables, 1);
    EXPECT_FINDS(pgtable_check(&mm->pgtable), "V4");
    atomic_fetch_sub(&mm->pgtable.nr_tables, 1);
    walk.table->state = PAGE_KERNEL;
    EXPECT_FINDS(pgtable_check(&mm->pgtable), "V3");
    walk.table->state = PAGE_TABLE;
    kit_mm_put(mm);
}

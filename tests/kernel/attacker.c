/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/attacker.c - debugfs' attacker: who can read all that the kernel can, and all of RAM
 *
 * Room:   tests/kernel: in kernels with tests only.
 * Owns:   a window onto any frame; the pattern that is looked for now.
 * Locks:  attacker.lock (mutex), before all others; the machine stands still during a search.
 * Always: (1) a search is made by the CPU that asked, with what its TLB holds;
 *         (2) it finds itself nothing to find: see attacker.h;
 *         (3) the window is shut when the machine goes on.
 * Source: beyond-linux.md 9; trust.md section 4: S1, S2, S3, S4, S6.
 * Tour:   after tests/kernel/attacker_search.c; then tests/user/attacker.c.
 */
#include "attacker.h"
#include "kit.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/kernel_tables.h"
#include "kernel/files.h"
#include "kernel/fs.h"
#include "kernel/quiet.h"
#include "kernel/task.h"
#include <asm/machine.h>
#include <base/mutex.h>

#define ROOT_SLOT_FIRST (PT_ENTRIES / 2) /* of the kernel's half */

static struct {
    struct mutex lock;
    uint64_t window; /* a page of addresses */
    uint64_t absent_at_boot;
    struct pattern pattern;
    struct uapi_attack attack;
} attacker;

static uint64_t direct_va(uint64_t pfn)
{
    return DIRECT_MAP_BASE + pfn * PAGE_SIZE;
}

static bool is_ram(uint64_t pfn)
{
    return page_is_initialised(pfn) ? pfn_to_page(pfn)->state != PAGE_HOLE
                                    : direct_map_present(pfn);
}

static uint64_t count_absent(void)
{
    uint64_t absent = 0;

    for (uint64_t pfn = 0; pfn < frames_end(); pfn++)
        absent += is_ram(pfn) && !direct_map_present(pfn);
    return absent;
}

/* Through leaves. The machine stands still. */

static void search_leaf(uint64_t va, pte_t pte, enum pt_level level)
{
    struct uapi_attack *attack = &attacker.attack;
    uint64_t pfn = phys_to_pfn(pte_phys(pte, level));

    if (!is_ram(pfn))
        return; /* registers of a device */
    if (pte_is_executable(pte))
        attack->open_code += pte_is_writable(pte) || direct_map_present(pfn);
    for (uint64_t end = va + pt_level_size(level); va < end; va += PAGE_SIZE) {
        int found = pattern_search(&attacker.pattern, va);
        attack->pages += found >= 0;
        attack->refused += found < 0;
        attack->words += max(found, 0);
    }
}

static void search_entry(uint64_t va, pte_t pte, enum pt_level level)
{
    enum pte_kind kind = pte_kind(pte, level);

    if (kind == PTE_KIND_LEAF)
        search_leaf(va, pte, level);
    if (kind != PTE_KIND_TABLE)
        return;
    const pte_t *slots = kernel_table(pte_table_phys(pte));
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        search_entry(va + i * pt_level_size(level - 1), pte_read(&slots[i]), level - 1);
}

/* The kernel's half of one address space, which is loaded, but for what @shared has, too. */
static void search_space(const struct pgtable *pgt, const struct pgtable *shared)
{
    const pte_t *slots = kernel_table(pgt->root), *known = kernel_table(shared->root);

    for (unsigned i = ROOT_SLOT_FIRST; i < PT_ENTRIES; i++)
        if (pgt == shared || slots[i].raw != known[i].raw)
            search_entry(-pt_level_size(PT_512G) * (PT_ENTRIES - i), pte_read(&slots[i]), PT_512G);
    attacker.attack.spaces++;
}

/* What the direct map lacks is asked for all the same: an old translation would answer. */
static void search_absent(void)
{
    for (uint64_t pfn = 0; pfn < frames_end(); pfn++)
        if (is_ram(pfn) && !direct_map_present(pfn))
            attacker.attack.stale += attacker_reads(direct_va(pfn));
}

static void search_leaves(void)
{
    struct pgtable *own = &task_current()->mm->pgtable;
    struct mm *mm;

    search_absent(); /* first: what comes next fills the TLB */
    search_space(own, own);
    list_for_each_entry (mm, &all_mms, all_node) {
        tlb_switch(&mm->pgtable);
        search_space(&mm->pgtable, own);
    }
    tlb_switch(own);
}

/* Through frames. The machine stands still. */

static void window_set(pte_t pte)
{
    enum pt_level level;

    pte_write(kernel_slot(attacker.window, &level), pte);
    tlb_flush_kernel_local((void *)attacker.window);
}

static void search_frames(void)
{
    struct uapi_attack *attack = &attacker.attack;

    for (uint64_t pfn = 0; pfn < frames_end(); pfn++) {
        if (!is_ram(pfn))
            continue;
        window_set(pte_leaf(pfn_to_phys(pfn), pgprot_kernel(), PT_4K));
        int found = pattern_search(&attacker.pattern, attacker.window);
        ASSERT(found >= 0, "the attacker's window onto %#lx is shut", pfn);
        attack->pages++;
        attack->words += found;
        if (found && attack->nr_frames++ < ATTACKER_FRAMES)
            attack->frames[attack->nr_frames - 1] = pfn;
    }
    window_set(pte_none());
}

/* The machine goes on meanwhile: what this CPU remembers would not outlive a switch. */
static void touch_frames(void)
{
    struct uapi_attack *attack = &attacker.attack;
    irq_flags_t flags = irq_save();

    for (uint64_t i = 0; i < min(attack->nr_frames, (uint64_t)ATTACKER_FRAMES); i++)
        if (attack->frames[i] < frames_end())
            attack->pages += attacker_reads(direct_va(attack->frames[i]));
    irq_restore(flags);
}

static void read_user(void)
{
    attacker.attack.pages = attacker_reads(attacker.attack.address);
    kit_unload();
    attacker.attack.pages += attacker_reads(attacker.attack.address);
    kit_load(task_current()->mm);
}

static void attack(unsigned cmd)
{
    struct uapi_attack *a = &attacker.attack;

    pattern_init(&attacker.pattern, a->half);
    a->absent = count_absent();
    a->absent_at_boot = attacker.absent_at_boot;
    if (cmd == ATTACK_LEAVES)
        search_leaves();
    else if (cmd == ATTACK_FRAMES)
        search_frames();
    else if (a->address < USER_END)
        read_user();
    memset(&attacker.pattern, 0, sizeof(attacker.pattern));
}

static int attack_locked(unsigned cmd, user_addr_t arg)
{
    struct uapi_attack *a = &attacker.attack;

    if (copy_from_user(a, arg, sizeof(*a)))
        return -EFAULT;
    a->words = a->pages = a->spaces = a->refused = a->stale = a->open_code = 0;
    if (cmd == ATTACK_FRAMES)
        a->nr_frames = 0;
    if (cmd == ATTACK_TOUCH) {
        touch_frames();
    } else if (quiet_begin()) {
        attack(cmd);
        quiet_end();
    } else {
        return -EAGAIN;
    }
    return copy_to_user(arg, a, sizeof(*a)) ? -EFAULT : 0;
}

static int64_t attacker_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    (void)f;
    if (cmd < ATTACK_LEAVES || cmd > ATTACK_USER)
        return -EINVAL;
    mutex_lock(&attacker.lock);
    int err = attack_locked(cmd, user(arg));
    mutex_unlock(&attacker.lock);
    return err;
}

void attacker_boot_init(struct dentry *debugfs)
{
    static const struct file_ops ops = {.ioctl = attacker_ioctl, .no_seek = true};
    void *window = device_map(phys(0), PAGE_SIZE);

    ASSERT(window, "no address space for the attacker");
    mutex_init(&attacker.lock);
    attacker.window = (uint64_t)window;
    window_set(pte_none());
    attacker.absent_at_boot = count_absent();
    fs_boot_file(debugfs, "attacker", S_IFREG | 0600, &ops);
}

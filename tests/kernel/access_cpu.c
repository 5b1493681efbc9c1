/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/access_cpu.c - making the access: tables, control bits and ring 3 of its own
 *
 * Room:   tests/kernel.
 * Owns:   a root with an entry under test on each level, a copy of the kernel's half without NX and
 *         global pages, an IDT, and 16 bytes of code for ring 3.
 * Locks:  none: IRQs are off between enter and leave, on one CPU.
 * Always: (1) a case's page holds INT3 and is written INT3: whoever gets there is told;
 *         (2) each case begins with INVLPG: what was cached of the last one is gone.
 * Source: Intel SDM 3A, "Interrupt and Exception Handling", "Invalidation of TLBs".
 * Tour:   after access.h; before access.c.
 */
#include "access.h"

#include "../../arch/x86_64/insn.h"
#include "../../arch/x86_64/percpu.h"
#include "kit.h"

#define SLOT_OF_CASES  100 /* of the root: what is tried lies there .. */
#define SLOT_OF_CODE   101 /* .. and the code of ring 3 here */
#define ROOT_SHIFT     39
#define FRAME_MASK     0x000ffffffffff000UL
#define GOOD           (BIT_P | BIT_W | BIT_U | BIT_A)
#define NX_AND_GLOBAL  (BIT_NX | 1UL << 8)
#define TABLES_MAX     400
#define INT3           0xcc
#define KEY_UNDER_TEST 1
#define VECTOR_BP      3
#define VECTOR_GP      13
#define VECTOR_PF      14

struct gate {
    uint16_t low, selector, type, middle;
    uint32_t high, reserved;
};

struct pointer {
    uint16_t limit;
    uint64_t base;
} __packed;

static struct page *pages[TABLES_MAX]; /* all that was allocated */
static unsigned nr_pages;
static uint64_t *root, *tables[4]; /* tables[n]: the one on the way with entries of level n */
static struct page *target;
static uint64_t case_va;
static struct gate gates[256] __aligned(16);
static uint8_t ring0_stack[1024] __aligned(16);

/* What the processor was before access_cpu_enter(). */
static struct {
    uint64_t cr0, cr3, cr4, efer, rsp0;
    struct pointer idt;
} before;

/* Written by the entries below. */
uint64_t access_saved_rsp, access_cr2, access_code;

/* long access_run(uint64_t va, enum access_kind kind, uint64_t stub, uint64_t rflags)
 * From ring 3 by the code at @stub; 0: here, with @rflags. Returns the vector, or 0: no exception,
 * which only a read or write of ring 0 ends in. */
long access_run(uint64_t va, uint64_t kind, uint64_t stub, uint64_t rflags);
void access_entry_pf(void);
void access_entry_bp(void);
void access_entry_other(void);

__asm__(".text\n"
        ".global access_run, access_entry_pf, access_entry_bp, access_entry_other\n"
        "access_run:\n"
        "       pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "       movq %rsp, access_saved_rsp(%rip)\n"
        "       testq %rdx, %rdx\n"
        "       jnz 3f\n"
        "       pushq %rcx; popfq\n"
        "       movb $0xcc, %al\n"
        "       cmpq $1, %rsi\n"
        "       ja 2f\n"
        "       je 1f\n"
        "       movb (%rdi), %al\n"
        "       jmp 4f\n"
        "1:     movb %al, (%rdi)\n"
        "       jmp 4f\n"
        "2:     jmpq *%rdi\n"
        "3:     leaq (%rdx, %rsi, 4), %rdx\n"
        "       pushq $0x1b; pushq $0; pushq $2; pushq $0x23; pushq %rdx\n"
        "       movb $0xcc, %al\n"
        "       iretq\n"
        "4:     xorl %eax, %eax\n"
        "       jmp 5f\n"
        "access_entry_pf:\n"
        "       popq access_code(%rip)\n"
        "       movq %cr2, %rax\n"
        "       movq %rax, access_cr2(%rip)\n"
        "       movl $14, %eax\n"
        "       jmp 5f\n"
        "access_entry_bp:\n"
        "       movl $3, %eax\n"
        "       jmp 5f\n"
        "access_entry_other:\n"
        "       movl $255, %eax\n"
        "5:     movq access_saved_rsp(%rip), %rsp\n"
        "       pushq $2; popfq\n"
        "       movl $0x10, %edx\n"
        "       movl %edx, %ss\n"
        "       popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
        "       ret\n");

/* For ring 3, four bytes each: read, write, fetch. */
static const uint8_t ring3_code[] = {0x8a, 0x07, INT3, INT3,  /* mov al, [rdi] */
                                     0x88, 0x07, INT3, INT3,  /* mov [rdi], al */
                                     0xff, 0xe7, INT3, INT3}; /* jmp rdi */

static void *page_make(uint64_t *phys)
{
    struct page *page;

    if (nr_pages == TABLES_MAX || page_alloc(0, PAGE_ALLOC_ZERO, &page))
        return NULL;
    pages[nr_pages++] = page;
    *phys = page_to_phys(page).raw;
    return page_kva(page);
}

/* A copy of a table of level @level and all below it, without NX and global leaves: EFER.NXE may be
 * off. 0: no memory. */
static uint64_t clone(uint64_t table, unsigned level)
{
    const uint64_t *from = direct_map_ptr(phys(table & FRAME_MASK));
    uint64_t phys_to, *to = page_make(&phys_to);

    for (unsigned i = 0; to && i < 512; i++) {
        uint64_t entry = from[i];
        bool leads_on = level > 1 && (entry & (BIT_P | BIT_PS)) == BIT_P;
        uint64_t below = leads_on ? clone(entry, level - 1) : 0;
        if (leads_on && !below)
            return 0;
        to[i] = (leads_on ? below | (entry & ~FRAME_MASK) : entry) & ~NX_AND_GLOBAL;
    }
    return to ? phys_to : 0;
}

/* A page of tables below entry @index of @table, which becomes permissive. */
static uint64_t *table_below(uint64_t *table, unsigned index)
{
    uint64_t phys_below, *below = page_make(&phys_below);

    if (below)
        table[index] = phys_below | GOOD;
    return below;
}

static unsigned index_of(uint64_t va, unsigned level)
{
    return va >> (12 + 9 * (level - 1)) & 511;
}

/* The target is where its frame lies in its GiB: so each level can map it by one leaf. */
static int cases_make(void)
{
    uint64_t frame;
    uint8_t *bytes = page_make(&frame);

    if (!bytes)
        return -ENOMEM;
    memset(bytes, INT3, PAGE_SIZE);
    target = pages[nr_pages - 1];
    case_va = ((uint64_t)SLOT_OF_CASES << ROOT_SHIFT) + (frame & (GIGA_SIZE - 1));
    tables[3] = table_below(root, SLOT_OF_CASES);
    tables[2] = tables[3] ? table_below(tables[3], index_of(case_va, 3)) : NULL;
    tables[1] = tables[2] ? table_below(tables[2], index_of(case_va, 2)) : NULL;
    return tables[1] ? 0 : -ENOMEM;
}

static int ring3_make(void)
{
    uint64_t *at = root, frame;

    for (unsigned level = 4; level > 1 && at; level--)
        at = table_below(at, level == 4 ? SLOT_OF_CODE : 0);
    uint8_t *code = at ? page_make(&frame) : NULL;
    if (!code)
        return -ENOMEM;
    memcpy(code, ring3_code, sizeof(ring3_code));
    at[0] = frame | GOOD;
    return 0;
}

static void gate_set(unsigned vector, void (*entry)(void), bool for_all)
{
    uint64_t at = (uint64_t)entry;

    gates[vector] =
        (struct gate){at, SELECTOR_KERNEL_CODE, for_all ? 0xee00 : 0x8e00, at >> 16, at >> 32, 0};
}

int access_cpu_begin(void)
{
    uint64_t phys_root, old = read_cr3() & FRAME_MASK;

    root = page_make(&phys_root);
    int err = root ? 0 : -ENOMEM;
    for (unsigned i = 256; i < 512 && !err; i++) {
        uint64_t entry = ((const uint64_t *)direct_map_ptr(phys(old)))[i];
        uint64_t below = entry & BIT_P ? clone(entry, 3) : 0;
        if ((entry & BIT_P) && !below)
            err = -ENOMEM;
        root[i] = below ? below | (entry & ~FRAME_MASK & ~NX_AND_GLOBAL) : 0;
    }
    if (!err)
        err = cases_make();
    if (!err)
        err = ring3_make();
    for (unsigned vector = 0; vector < 256; vector++)
        gate_set(vector, access_entry_other, false);
    gate_set(VECTOR_PF, access_entry_pf, false);
    gate_set(VECTOR_BP, access_entry_bp, true);
    if (err)
        access_cpu_end();
    return err;
}

void access_cpu_end(void)
{
    while (nr_pages)
        page_free(pages[--nr_pages], 0);
}

void access_cpu_enter(const struct access_machine *m)
{
    struct pointer idt = {sizeof(gates) - 1, (uint64_t)gates};

    irq_disable();
    before.cr0 = read_cr0();
    before.cr3 = read_cr3();
    before.cr4 = read_cr4();
    before.efer = rdmsr(MSR_EFER);
    before.rsp0 = this_cpu()->tss.rsp[0];
    __asm__ volatile("sidt %0" : "=m"(before.idt));
    this_cpu()->tss.rsp[0] = (uint64_t)ring0_stack + sizeof(ring0_stack);
    __asm__ volatile("lidt %0" ::"m"(idt));
    write_cr4(before.cr4 & ~CR4_PGE);
    write_cr3(direct_map_phys(root).raw);
    write_cr4((before.cr4 & ~(CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_PKE)) | (m->smep ? CR4_SMEP : 0) |
              (m->smap ? CR4_SMAP : 0) | (m->pke ? CR4_PKE : 0));
    wrmsr(MSR_EFER, m->nxe ? before.efer : before.efer & ~EFER_NXE);
    write_cr0(m->wp ? before.cr0 : before.cr0 & ~CR0_WP);
    if (m->pke)
        wrpkru(m->key_rights << 2 * KEY_UNDER_TEST);
}

void access_cpu_leave(void)
{
    write_cr0(before.cr0);
    wrmsr(MSR_EFER, before.efer);
    write_cr3(before.cr3);
    write_cr4(before.cr4);
    this_cpu()->tss.rsp[0] = before.rsp0;
    __asm__ volatile("lidt %0" ::"m"(before.idt));
    irq_enable();
}

/* A bit that is reserved in this kind of entry, on every processor. */
static uint64_t reserved_bit(unsigned level, bool leaf)
{
    if (!leaf)
        return level == 3 ? BIT_PS : 1UL << 51; /* the root's entries never map anything */
    return level == 1 ? 1UL << 51 : 1UL << (level == 2 ? 13 : 29);
}

struct access_end access_cpu_try(const struct access_case *c)
{
    uint64_t frame = page_to_phys(target).raw & ~((1UL << (12 + 9 * (c->level - 1))) - 1);
    uint64_t *above = c->level == 3 ? root : tables[c->level + 1];
    uint64_t *upper = &above[c->level == 3 ? SLOT_OF_CASES : index_of(case_va, c->level + 1)];
    uint64_t *leaf = &tables[c->level][index_of(case_va, c->level)];
    uint64_t good_upper = *upper, good_leaf = *leaf;
    uint64_t stub = c->user ? (uint64_t)SLOT_OF_CODE << ROOT_SHIFT : 0;

    uint64_t upper_more =
        (good_upper & FRAME_MASK) | (c->upper_reserved ? reserved_bit(c->level, false) : 0);
    uint64_t leaf_more = frame | (c->level > 1 ? BIT_PS : 0) |
                         (uint64_t)KEY_UNDER_TEST << BIT_KEY_SHIFT |
                         (c->leaf_reserved ? reserved_bit(c->level, true) : 0);
    *(volatile uint64_t *)upper = c->upper | upper_more;
    *(volatile uint64_t *)leaf = c->leaf | leaf_more;
    invlpg(case_va);
    long vector = access_run(case_va, c->kind, stub, c->ac ? 0x40002 : 2);
    struct access_end end = {
        .fault = vector == VECTOR_PF,
        .code = access_code,
        .upper = *(volatile uint64_t *)upper & ~upper_more,
        .leaf = *(volatile uint64_t *)leaf & ~leaf_more,
    };
    if (vector != 0 && vector != VECTOR_BP && vector != VECTOR_PF)
        end.code = ~0U;
    if (end.fault && access_cr2 != case_va)
        end.code |= 1U << 31; /* no bit of any code: it differs */
    *(volatile uint64_t *)upper = good_upper;
    *(volatile uint64_t *)leaf = good_leaf;
    return end;
}

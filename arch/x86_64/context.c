/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/context.c - making, switching and wiping contexts
 *
 * Room:   arch.
 * Owns:   the registers that are not on the kernel stack: FPU, FS and GS bases, PKRU.
 * Locks:  see asm/context.h.
 * Always: (1) user FS and GS bases are read from the CPU at each switch: with FSGSBASE a program
 *             changes them without telling anybody.
 * Source: Intel SDM 3A, "FSGSBASE"; System V AMD64 psABI, "Registers".
 * Tour:   after asm/context.h; then kernel/sched.c.
 */
#include <asm/context.h>

#include "fpu.h"
#include "insn.h"
#include "kernel_tables.h"
#include "percpu.h"
#include <asm/tlb.h>
#include <base/bug.h>
#include <base/panic.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>

#define STACK_CANARY 0x57ac57ac57ac57acUL
#define PKRU_AT_EXEC 0x55555554 /* every key but 0 refuses everything */

void context_swap(uint64_t *save_rsp, uint64_t load_rsp);
void context_entry(void);

struct trap_frame *context_frame(const struct context *c)
{
    return (struct trap_frame *)((char *)c->kstack + KSTACK_SIZE) - 1;
}

bool context_is_sound(const struct context *c)
{
    return DEBUG < 1 || *(const uint64_t *)c->kstack == STACK_CANARY;
}

int context_init_kernel(struct context *c, void (*fn)(void *), void *arg)
{
    memset(c, 0, sizeof(*c));
    c->kstack = kstack_alloc();
    if (!c->kstack)
        return -ENOMEM;
    if (DEBUG >= 1)
        *(uint64_t *)c->kstack = STACK_CANARY;

    struct {
        uint64_t r15, r14, r13, r12, rbp, rbx, rip, pad;
    } *start = (void *)((char *)context_frame(c) - 64);
    *start =
        (typeof(*start)){.r12 = (uint64_t)fn, .r13 = (uint64_t)arg, .rip = (uint64_t)context_entry};
    c->kernel_rsp = (uint64_t)start;
    c->pkru = cpu_has(CPU_PKU) ? PKRU_AT_EXEC : 0;
    return 0;
}

int context_init_user(struct context *c, void (*fn)(void *), void *arg)
{
    int err = context_init_kernel(c, fn, arg);
    if (err)
        return err;
    struct page *area;
    err = page_alloc(0, PAGE_ALLOC_ZERO, &area);
    if (err) {
        kstack_free(c->kstack);
        return err;
    }
    ASSERT(fpu_size() <= PAGE_SIZE, "fpu_size=%zu", fpu_size());
    c->fpu = page_kva(area);
    fpu_area_init(c->fpu);
    return 0;
}

void context_destroy(struct context *c)
{
    if (c->fpu) {
        fpu_area_wipe(c->fpu, c->fpu_written);
        page_free_blank(kva_to_page(c->fpu));
    }
    DEBUG_ASSERT(context_is_sound(c), "V30: the stack's end was written to");
    kstack_free(c->kstack);
}

uint64_t user_fs_base(void)
{
    return rdmsr(MSR_FS_BASE);
}

void user_fs_base_set(uint64_t base)
{
    wrmsr(MSR_FS_BASE, base);
}

/* While the kernel runs, the user's GS base rests in the other MSR; see entry.asm. */
uint64_t user_gs_base(void)
{
    return rdmsr(MSR_KERNEL_GS_BASE);
}

void user_gs_base_set(uint64_t base)
{
    wrmsr(MSR_KERNEL_GS_BASE, base);
}

static void user_state_save(struct context *c)
{
    fpu_save(c->fpu);
    c->fpu_written |= fpu_area_present(c->fpu);
    c->fs_base = user_fs_base();
    c->gs_base = user_gs_base();
    if (cpu_has(CPU_PKU))
        c->pkru = rdpkru();
}

static void user_state_load(struct context *c)
{
    fpu_load(c->fpu);
    user_fs_base_set(c->fs_base);
    user_gs_base_set(c->gs_base);
    if (cpu_has(CPU_PKU))
        wrpkru(c->pkru);
}

void context_save_user_state(struct context *c)
{
    irq_flags_t flags = irq_save();
    user_state_save(c);
    irq_restore(flags);
}

void context_registers_get(const struct context *c, struct uapi_user_regs *out)
{
    const struct trap_frame *f = context_frame(c);
    *out = (struct uapi_user_regs){
        .r15 = f->r15,
        .r14 = f->r14,
        .r13 = f->r13,
        .r12 = f->r12,
        .rbp = f->rbp,
        .rbx = f->rbx,
        .r11 = f->r11,
        .r10 = f->r10,
        .r9 = f->r9,
        .r8 = f->r8,
        .rax = f->rax,
        .rcx = f->rcx,
        .rdx = f->rdx,
        .rsi = f->rsi,
        .rdi = f->rdi,
        .rip = f->rip,
        .cs = f->cs,
        .orig_rax = (int64_t)f->orig_rax < 0 ? -1UL : f->orig_rax, /* no system call */
        .rflags = f->rflags,
        .rsp = f->rsp,
        .ss = f->ss,
        .fs_base = c->fs_base,
        .gs_base = c->gs_base,
    };
}

void context_fpu_legacy_get(const struct context *c, void *out)
{
    fpu_area_legacy_get(c->fpu, out);
}

int context_fpu_legacy_set(struct context *c, const void *image)
{
    return fpu_area_legacy_set(c->fpu, image);
}

void context_xstate_get(const struct context *c, void *out)
{
    fpu_area_get(c->fpu, out);
}

int context_xstate_set(struct context *c, const void *image)
{
    int err = fpu_image_check(image);
    if (err)
        return err;
    fpu_area_set(c->fpu, image);
    c->fpu_written |= fpu_area_present(c->fpu);
    c->pkru = fpu_area_pkru(c->fpu);
    return 0;
}

void context_copy_user_state(struct context *to)
{
    user_state_save(to);
}

void context_reset_user_state(struct context *c)
{
    irq_flags_t flags = irq_save();
    fpu_area_wipe(c->fpu, c->fpu_written);
    c->fpu_written = 0;
    fpu_area_init(c->fpu);
    c->fs_base = 0;
    c->gs_base = 0;
    c->pkru = cpu_has(CPU_PKU) ? PKRU_AT_EXEC : 0;
    user_state_load(c);
    irq_restore(flags);
}

void user_state_for_handler(void)
{
    irq_flags_t flags = irq_save();
    uint32_t pkru = cpu_has(CPU_PKU) && bug_is_back(BUG_B65) ? rdpkru() : PKRU_AT_EXEC;
    fpu_load_initial();
    if (cpu_has(CPU_PKU))
        wrpkru(pkru);
    irq_restore(flags);
}

static void enter(struct context *to, struct task *task)
{
    struct cpu *cpu = this_cpu();
    uint64_t top = (uint64_t)to->kstack + KSTACK_SIZE;

    cpu->task = task;
    cpu->kernel_rsp = top;
    cpu->tss.rsp[0] = top;
    if (to->fpu)
        user_state_load(to);
}

void context_switch(struct context *from, struct context *to, struct task *task)
{
    DEBUG_ASSERT(!irqs_enabled());
    if (from->fpu)
        user_state_save(from);
    enter(to, task);
    context_swap(&from->kernel_rsp, to->kernel_rsp);
}

/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/backtrace.c - who called whom, with names
 *
 * Room:   arch.
 * Owns:   nothing; the table of names is made by tools/symbols from the first link.
 * Locks:  none: it is read while things are broken.
 * Always: (1) a frame is read only where a kernel stack can lie and something is mapped;
 *         (2) the walk ends, whatever the stack holds.
 * Source: System V AMD64 psABI, "The Stack Frame".
 * Tour:   after arch/x86_64/entry.asm, with kernel/panic.c.
 */
#include <asm/backtrace.h>

#include "entry.h"
#include "kernel_tables.h"
#include "percpu.h"
#include <asm/memory_layout.h>
#include <base/log.h>
#include <lib/string.h>

#define LINES_MAX 32

extern const char kernel_text_start[], kernel_text_end[], kernel_data_start[], kernel_image_end[];

/* Weak: the first link, whose addresses the table is made from, does not have it. */
extern const uint32_t symbol_count __attribute__((weak));
extern const uint32_t symbol_offsets[] __attribute__((weak)); /* from kernel_text_start; rising */
extern const char symbol_names[] __attribute__((weak));       /* in the same order, each with NUL */

void trap_return(void); /* entry.asm: where trap_dispatch() returns to */

struct frame {
    uint64_t caller; /* frame */
    uint64_t return_address;
};

static bool in_text(uint64_t address)
{
    return address >= (uint64_t)kernel_text_start && address < (uint64_t)kernel_text_end;
}

const char *symbol_name(uint64_t address, uint64_t *offset)
{
    *offset = 0;
    if (!in_text(address) || !&symbol_count)
        return "?";
    uint64_t wanted = address - (uint64_t)kernel_text_start;
    const char *name = symbol_names, *found = "?";
    for (unsigned i = 0; i < symbol_count && symbol_offsets[i] <= wanted; i++) {
        found = name;
        *offset = wanted - symbol_offsets[i];
        name += strlen(name) + 1;
    }
    return found;
}

/* The boot stack and those of the boot CPU's exceptions lie in the image. */
static bool in_image_data(uint64_t va)
{
    return va >= (uint64_t)kernel_data_start && va < (uint64_t)kernel_image_end;
}

static bool in_task_stack(uint64_t va)
{
    enum pt_level level;

    if (va < KMAP_BASE || va >= KMAP_END)
        return false;
    pte_t pte = *kernel_slot(va, &level);
    return pte_kind(pte, level) == PTE_KIND_LEAF;
}

static bool in_exception_stack(uint64_t va)
{
    for (unsigned i = 0; i < IST_STACKS; i++) {
        uint64_t top = this_cpu()->tss.ist[i];
        if (va < top && va >= top - IST_STACK_SIZE)
            return true;
    }
    return false;
}

static bool in_stack(uint64_t va)
{
    return in_image_data(va) || in_task_stack(va) || in_exception_stack(va);
}

static bool frame_is_readable(uint64_t va)
{
    return va % 8 == 0 && in_stack(va) && in_stack(va + offsetof(struct frame, return_address));
}

static void print_exact(uint64_t address)
{
    uint64_t offset;
    const char *name = symbol_name(address, &offset);
    log_error("  %016lx %s+%#lx", address, name, offset);
}

/* It lies behind its call, which may be the last instruction of a function. */
static void print_return(uint64_t address, const char *mark)
{
    uint64_t offset;
    const char *name = symbol_name(address - 1, &offset);
    log_error("  %016lx %s%s+%#lx", address, mark, name, offset + 1);
}

static bool follows_a_call(uint64_t address)
{
    const uint8_t *code = (const uint8_t *)address;

    if (!in_text(address) || !in_text(address - 5))
        return false;
    return code[-5] == 0xe8 || code[-2] == 0xff || code[-3] == 0xff; /* near; through a register */
}

/* What a trap interrupted. A function that calls nothing has no frame of its own: then its caller
 * is on top of the stack, or something that looks like one. */
static void print_trap(const struct trap_frame *trap)
{
    print_exact(trap->rip);
    if (trap_from_user(trap) || trap->rsp % 8 || !in_stack(trap->rsp))
        return;
    uint64_t top = *(const uint64_t *)trap->rsp;
    if (follows_a_call(top))
        print_return(top, "? ");
}

static void print_frames(uint64_t va)
{
    for (unsigned n = 0; n < LINES_MAX && frame_is_readable(va); n++) {
        const struct frame *frame = (const struct frame *)va;
        uint64_t address = frame->return_address;
        if (!in_text(address))
            return;
        print_return(address, "");
        if (address == (uint64_t)trap_return)
            print_trap((const struct trap_frame *)(frame + 1));
        va = frame->caller;
    }
}

void backtrace_print(const struct trap_frame *frame)
{
    log_error("backtrace:");
    if (!frame) {
        print_frames((uint64_t)__builtin_frame_address(0));
        return;
    }
    print_trap(frame);
    if (!trap_from_user(frame))
        print_frames(frame->rbp);
}

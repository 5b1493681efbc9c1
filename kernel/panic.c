/* SPDX-License-Identifier: MIT */
/*
 * kernel/panic.c - the last report
 *
 * Room:   kernel.
 * Owns:   the first CPU that panicked; later ones just stop.
 * Locks:  none, on purpose.
 * Always: (1) the report is printed once; (2) every other CPU stops before it is printed.
 * Source: include/base/panic.h.
 * Tour:   after kernel/log.c; kernel/symbols.c names the addresses.
 */
#include <asm/backtrace.h>
#include <asm/cpu.h>
#include <asm/power.h>
#include <asm/smp.h>
#include <asm/spinlock.h>
#include <asm/trap.h>
#include <base/log.h>
#include <base/panic.h>
#include <lib/format.h>
#include <stdatomic.h>

static _Atomic int panicking = -1; /* the CPU that does */
static const struct trap_frame *frames[MAX_CPUS];

bool panic_in_progress(void)
{
    return atomic_load(&panicking) >= 0;
}

void panic_set_frame(const struct trap_frame *frame)
{
    frames[cpu_id()] = frame;
}

static void print_registers(const struct trap_frame *f)
{
    log_error("rip %016lx cs %04lx rflags %08lx rsp %016lx", f->rip, f->cs, f->rflags, f->rsp);
    log_error("rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
    log_error("rsi %016lx rdi %016lx rbp %016lx r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
    log_error("r9  %016lx r10 %016lx r11 %016lx r12 %016lx", f->r9, f->r10, f->r11, f->r12);
    log_error("r13 %016lx r14 %016lx r15 %016lx", f->r13, f->r14, f->r15);
}

/* Who did not answer, or held what was waited for, is one of these. */
static void print_others(void)
{
    for (unsigned cpu = 0; cpu < nr_cpus(); cpu++) {
        const struct trap_frame *frame = smp_stopped_at(cpu);
        if (!frame)
            continue;
        log_error("CPU %u was stopped with IRQs %s%s", cpu,
                  irq_flags_enabled(frame->rflags) ? "on" : "off",
                  trap_from_user(frame) ? ", in a program" : "");
        backtrace_print(frame);
    }
}

static _Noreturn void panic_va(const char *fmt, va_list args)
{
    char claim[200];
    int nobody = -1;
    unsigned cpu = cpu_id();

    if (!atomic_compare_exchange_strong(&panicking, &nobody, (int)cpu))
        machine_halt_this_cpu();
    smp_stop_others();
    vsnprintf(claim, sizeof(claim), fmt, args);
    log_error("panic on CPU %u: %s", cpu, claim);
    if (frames[cpu])
        print_registers(frames[cpu]);
    backtrace_print(frames[cpu]);
    print_others();
    machine_power_off(EXIT_CODE_PANIC);
}

void panic(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    panic_va(fmt, args);
}

void assert_failed(const char *claim, const char *file, int line, const char *fmt, ...)
{
    char values[120];
    va_list args;
    va_start(args, fmt);
    vsnprintf(values, sizeof(values), fmt, args);
    va_end(args);
    panic("broken claim at %s:%d: %s%s%s", file, line, claim, values[0] ? "; " : "", values);
}

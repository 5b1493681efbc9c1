/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_machine.c - stat, loadavg, uptime, cpuinfo, interrupts: the machine and what it does
 *
 * Room:   kernel.
 * Owns:   their formats.
 * Locks:  tasks_lock, while tasks are counted.
 * Always: (1) formats are Linux's to the blank: programs parse them by column.
 * Source: proc_stat(5), proc_loadavg(5), proc_uptime(5), proc_cpuinfo(5), proc_interrupts(5).
 * Tour:   after kernel/load.c, kernel/proc.c.
 */
#include "load.h"
#include "proc.h"
#include "process.h"
#include "text_file.h"
#include <asm/cpu.h>
#include <asm/time.h>
#include <uapi/misc.h>

#define NS_PER_SEC  1000000000UL
#define NS_PER_TICK 10000000UL /* USER_HZ is 100 */

static int show_version(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "Linux version %s (bulla) #1 SMP\n", BULLA_RELEASE);
    return 0;
}

/* What all CPUs did. */
static struct cpu_times times_of_all(void)
{
    struct cpu_times sum = {0}, cpu;

    for (unsigned i = 0; i < nr_cpus(); i++) {
        load_cpu_times(i, &cpu);
        sum.user_ns += cpu.user_ns;
        sum.system_ns += cpu.system_ns;
        sum.idle_ns += cpu.idle_ns;
    }
    return sum;
}

static int show_uptime(struct text *t, struct dentry *dentry)
{
    uint64_t ticks = clock_ns() / NS_PER_TICK, idle = times_of_all().idle_ns / NS_PER_TICK;
    (void)dentry;
    text_add(t, "%lu.%02lu %lu.%02lu\n", ticks / 100, ticks % 100, idle / 100, idle % 100);
    return 0;
}

static int show_loadavg(struct text *t, struct dentry *dentry)
{
    struct load_now now = load_now();
    uint64_t averages[3];
    int last;
    (void)dentry;

    load_averages(averages);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t rounded = averages[i] + LOAD_ONE / 200;
        text_add(t, "%lu.%02lu ", rounded >> LOAD_SHIFT,
                 ((rounded & (LOAD_ONE - 1)) * 100) >> LOAD_SHIFT);
    }
    tasks_born(&last);
    text_add(t, "%u/%u %d\n", now.runnable, now.all, last);
    return 0;
}

static void add_cpu(struct text *t, const struct cpu_times *times)
{
    text_add(t, " %lu 0 %lu %lu 0 0 0 0 0 0\n", times->user_ns / NS_PER_TICK,
             times->system_ns / NS_PER_TICK, times->idle_ns / NS_PER_TICK);
}

static uint64_t interrupts_of_all(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < nr_cpus(); i++)
        for (unsigned kind = 0; kind < CPU_INTERRUPTS; kind++)
            sum += cpu_nr_interrupts(i, kind);
    return sum;
}

static int show_stat(struct text *t, struct dentry *dentry)
{
    struct cpu_times times = times_of_all();
    struct load_now now = load_now();
    uint64_t switches = 0;
    int last;
    (void)dentry;

    text_add(t, "cpu ");
    add_cpu(t, &times);
    for (unsigned i = 0; i < nr_cpus(); i++) {
        load_cpu_times(i, &times);
        text_add(t, "cpu%u", i);
        add_cpu(t, &times);
        switches += sched_nr_switches(i);
    }
    text_add(t, "intr %lu\nctxt %lu\nbtime %lu\n", interrupts_of_all(), switches,
             clock_boot_epoch_ns() / NS_PER_SEC);
    text_add(t, "processes %lu\nprocs_running %u\nprocs_blocked %u\n", tasks_born(&last),
             now.runnable, now.blocked);
    text_add(t, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
    return 0;
}

static int show_interrupts(struct text *t, struct dentry *dentry)
{
    static const char *const names[CPU_INTERRUPTS][2] = {
        [CPU_INTERRUPT_CONSOLE] = {"  4", " IO-APIC   4-edge      ttyS0"},
        [CPU_INTERRUPT_TIMER] = {"LOC", "  Local timer interrupts"},
        [CPU_INTERRUPT_RESCHEDULE] = {"RES", "  Rescheduling interrupts"},
        [CPU_INTERRUPT_CALL] = {"CAL", "  Function call interrupts"},
        [CPU_INTERRUPT_TLB] = {"TLB", "  TLB shootdowns"},
        [CPU_INTERRUPT_SPURIOUS] = {"SPU", "  Spurious interrupts"},
    };
    (void)dentry;

    text_add(t, "    ");
    for (unsigned i = 0; i < nr_cpus(); i++)
        text_add(t, "       CPU%-1u", i);
    text_add(t, "\n");
    for (unsigned kind = 0; kind < CPU_INTERRUPTS; kind++) {
        text_add(t, "%s:", names[kind][0]);
        for (unsigned i = 0; i < nr_cpus(); i++)
            text_add(t, " %10lu", cpu_nr_interrupts(i, kind));
        text_add(t, " %s\n", names[kind][1]);
    }
    return 0;
}

static void add_processor(struct text *t, const struct cpu_model *m, unsigned cpu)
{
    uint64_t khz = tsc_hz() / 1000;
    char flag[24];

    text_add(t, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", cpu,
             m->vendor, m->family, m->model);
    text_add(t, "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %lu.%03lu\n", m->name, m->stepping,
             khz / 1000, khz % 1000);
    text_add(t, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n", nr_cpus(),
             cpu, nr_cpus());
    text_add(t, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
             m->max_leaf);
    for (unsigned n = 0; cpu_flag(&n, flag, sizeof(flag)); n++)
        text_add(t, " %s", flag);
    text_add(t, "\nbogomips\t: %lu.%02lu\nclflush size\t: 64\ncache_alignment\t: 64\n", khz / 500,
             khz % 500 / 5);
    text_add(t, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
             m->phys_bits, m->virt_bits);
}

static int show_cpuinfo(struct text *t, struct dentry *dentry)
{
    struct cpu_model model;
    (void)dentry;

    cpu_model_read(&model);
    for (unsigned i = 0; i < nr_cpus(); i++)
        add_processor(t, &model, i);
    return 0;
}

const struct text_kind proc_machine_files[] = {
    {"version", 0444, .show = show_version},
    {"uptime", 0444, .show = show_uptime},
    {"loadavg", 0444, .show = show_loadavg},
    {"stat", 0444, .show = show_stat},
    {"cpuinfo", 0444, .show = show_cpuinfo},
    {"interrupts", 0444, .show = show_interrupts},
    {NULL},
};

/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/machine.c - the CPU, its TLBs, the hypervisor, the clock, the kernel
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what the CPU does not say is not printed: no guess.
 * Source: Intel SDM 2A, "CPUID", leaves 4 and 18H; AMD APM 3, Fn8000_0005, Fn8000_0006.
 * Tour:   after tests/experiments/kit.c.
 */
#include "machine.h"

#include "arch/x86_64/insn.h"
#include <asm/cpu.h>
#include <asm/time.h>
#include <base/ktest.h>
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>

static void say(const char *key, const char *value)
{
    ktest_note("lab|machine|%s|%s", key, value);
}

static void say_option(const char *cmdline, const char *option, const char *key)
{
    char value[64] = "unknown";

    if (parse_has_option(cmdline, option) && parse_option(cmdline, option, value, sizeof(value)))
        return;
    say(key, value);
}

static void say_hypervisor(void)
{
    char name[13] = "none";

    if (cpu_has(CPU_HYPERVISOR)) {
        struct cpuid r = cpuid(0x40000000, 0);
        memcpy(name, &r.ebx, 4);
        memcpy(name + 4, &r.ecx, 4);
        memcpy(name + 8, &r.edx, 4);
        name[12] = '\0';
    }
    say("hypervisor", name);
}

static void say_features(void)
{
    static const struct {
        enum cpu_feature feature;
        const char *name;
    } names[] = {{CPU_PGE, "pge"},       {CPU_PAGE_1G, "1g"},
                 {CPU_PCID, "pcid"},     {CPU_INVPCID, "invpcid"},
                 {CPU_RDTSCP, "rdtscp"}, {CPU_INVARIANT_TSC, "invariant_tsc"},
                 {CPU_X2APIC, "x2apic"}, {CPU_SMAP, "smap"},
                 {CPU_PKU, "pku"},       {CPU_HYPERVISOR, "hypervisor"}};
    char text[160];
    size_t len = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cpu_has(names[i].feature))
            len += snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", names[i].name);
    text[len] = '\0';
    say("features", text);
}

/* Intel: one subleaf for each TLB. */
static void say_tlbs_of_leaf_18(void)
{
    static const char *const kinds[] = {"none", "data", "code", "unified", "load", "store"};
    uint32_t last = cpuid(0x18, 0).eax;

    for (uint32_t i = 0; i <= min(last, 32U); i++) {
        struct cpuid r = cpuid(0x18, i);
        uint32_t kind = r.edx & 0x1f;
        if (!kind || kind >= sizeof(kinds) / sizeof(kinds[0]))
            continue;
        ktest_note("lab|machine|tlb|L%u %s%s%s%s%s %ux%u", r.edx >> 5 & 7, kinds[kind],
                   r.ebx & 1 ? " 4K" : "", r.ebx & 2 ? " 2M" : "", r.ebx & 4 ? " 4M" : "",
                   r.ebx & 8 ? " 1G" : "", r.ecx, r.ebx >> 16);
    }
}

/* AMD: entries alone. */
static void say_tlbs_of_amd(void)
{
    struct cpuid one = cpuid(0x80000005, 0), two = cpuid(0x80000006, 0);

    if (one.ebx)
        ktest_note("lab|machine|tlb|L1 data 4K %u entries, 2M %u", one.ebx >> 16 & 0xff,
                   one.eax >> 16 & 0xff);
    if (two.ebx)
        ktest_note("lab|machine|tlb|L2 data 4K %u entries, 2M %u", two.ebx >> 16 & 0xfff,
                   two.eax >> 16 & 0xfff);
}

static void say_caches(void)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct cpuid r = cpuid(4, i);
        if (!(r.eax & 0x1f))
            return;
        if ((r.eax & 0x1f) != 2)
            ktest_note("lab|machine|cache|L%u %u KiB", r.eax >> 5 & 7,
                       ((r.ebx >> 22) + 1) * ((r.ebx >> 12 & 0x3ff) + 1) * ((r.ebx & 0xfff) + 1) *
                           (r.ecx + 1) / 1024);
    }
}

static void say_geometry(const struct cpu_model *model)
{
    if (model->max_leaf >= 4)
        say_caches();
    if (model->max_leaf >= 0x18)
        say_tlbs_of_leaf_18();
    if (!strcmp(model->vendor, "AuthenticAMD") && cpuid(0x80000000, 0).eax >= 0x80000006)
        say_tlbs_of_amd();
}

void lab_machine_print(const char *cmdline)
{
    struct cpu_model model;

    cpu_model_read(&model);
    say("kernel", "Bulla");
    say_option(cmdline, "lab.commit", "commit");
    say_option(cmdline, "lab.clock", "clock");
    say_hypervisor();
    say("cpu", model.name);
    ktest_note("lab|machine|model|%s %u/%u/%u", model.vendor, model.family, model.model,
               model.stepping);
    ktest_note("lab|machine|tsc_hz|%lu", tsc_hz());
    ktest_note("lab|machine|cpus|%u", nr_cpus());
    say_features();
    say_geometry(&model);
}

/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/cpu.c - finding out what the CPU can do, and switching it on
 *
 * Room:   arch.
 * Owns:   the feature list, control registers, EFER and the SYSCALL MSRs.
 * Locks:  none: written by the boot CPU before others run.
 * Always: (1) control registers are written whole, never read, changed and written back;
 *         (2) a processor that lacks a feature the boot CPU has does not come online.
 * Source: Intel SDM 2A, "CPUID"; SDM 3A, "Control Registers"; AMD64 APM 2, "SYSCALL and SYSRET".
 * Tour:   after boot/; then arch/x86_64/descriptors.c.
 */
#include "insn.h"
#include "percpu.h"

#include "entry.h"
#include "fpu.h"
#include <asm/machine.h>
#include <asm/pte.h>
#include <base/log.h>
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>

struct cpu cpus[MAX_CPUS];
uint64_t pte_supported_mask = ~0UL;

/* What percpu.inc and the inline assembly of the headers rely on. */
_Static_assert(offsetof(struct cpu, id) == 8, "gs:8");
_Static_assert(offsetof(struct cpu, task) == 16, "gs:16");
_Static_assert(offsetof(struct cpu, kernel_rsp) == 24, "gs:24");
_Static_assert(offsetof(struct cpu, user_rsp) == 32, "gs:32");
_Static_assert(offsetof(struct cpu, copy_end) == 40, "gs:40");
_Static_assert(sizeof(struct tss) == 104, "the hardware's size");

uint32_t cpu_features;
static uint32_t left_off; /* the same: what it has and the command line does not want */
unsigned cpus_running = 1;

/* Where CPUID tells of each feature, in the order of enum cpu_feature. */
static const struct {
    const char *name;
    uint32_t leaf;
    enum { EBX, ECX, EDX, EAX } reg;
    unsigned bit;
} feature_table[CPU_FEATURES] = {
    [CPU_NX] = {"nx", 0x80000001, EDX, 20},
    [CPU_PGE] = {"pge", 1, EDX, 13},
    [CPU_PAGE_1G] = {"1g-pages", 0x80000001, EDX, 26},
    [CPU_SMEP] = {"smep", 7, EBX, 7},
    [CPU_SMAP] = {"smap", 7, EBX, 20},
    [CPU_UMIP] = {"umip", 7, ECX, 2},
    [CPU_PKU] = {"pku", 7, ECX, 3},
    [CPU_FSGSBASE] = {"fsgsbase", 7, EBX, 0},
    [CPU_XSAVE] = {"xsave", 1, ECX, 26},
    [CPU_XSAVEOPT] = {"xsaveopt", 0xd, EAX, 0}, /* subleaf 1 */
    [CPU_PCID] = {"pcid", 1, ECX, 17},
    [CPU_INVPCID] = {"invpcid", 7, EBX, 10},
    [CPU_X2APIC] = {"x2apic", 1, ECX, 21},
    [CPU_TSC_DEADLINE] = {"tsc-deadline", 1, ECX, 24},
    [CPU_INVARIANT_TSC] = {"invariant-tsc", 0x80000007, EDX, 8},
    [CPU_RDTSCP] = {"rdtscp", 0x80000001, EDX, 27},
    [CPU_HYPERVISOR] = {"hypervisor", 1, ECX, 31},
    [CPU_RDRAND] = {"rdrand", 1, ECX, 30},
};

/* On some CPUs INVLPG leaves global translations where they are while PCIDs are on. */
static bool pcid_is_broken(void)
{
    static const uint8_t models[] = {0x97, 0x9a, 0xb7,
                                     0xba, 0xbe, 0xbf}; /* Alder and Raptor Lake */
    struct cpu_model cpu;

    cpu_model_read(&cpu);
    if (strcmp(cpu.vendor, "GenuineIntel") || cpu.family != 6)
        return false;
    for (unsigned i = 0; i < sizeof(models); i++)
        if (models[i] == cpu.model)
            return true;
    return false;
}

static uint32_t features_read(void)
{
    uint32_t found = 0;
    uint32_t max_basic = cpuid(0, 0).eax;
    uint32_t max_extended = cpuid(0x80000000, 0).eax;

    for (unsigned i = 0; i < CPU_FEATURES; i++) {
        uint32_t leaf = feature_table[i].leaf;
        if (leaf > (leaf & 0x80000000 ? max_extended : max_basic))
            continue;
        struct cpuid r = cpuid(leaf, i == CPU_XSAVEOPT);
        uint32_t regs[] = {[EBX] = r.ebx, [ECX] = r.ecx, [EDX] = r.edx, [EAX] = r.eax};
        if (regs[feature_table[i].reg] & (1U << feature_table[i].bit))
            found |= 1U << i;
    }
    if (!(found & (1U << CPU_XSAVE)))
        found &= ~(1U << CPU_PKU | 1U << CPU_XSAVEOPT); /* PKRU lives in the XSAVE area */
    if (!(found & (1U << CPU_PGE)) || pcid_is_broken())
        found &= ~(1U << CPU_PCID); /* the kernel's pages would have a PCID, too */
    return found;
}

/* As on Linux: "nopku" leaves it off, though the CPU has it. */
static uint32_t features_unwanted(const char *cmdline)
{
    static const struct {
        const char *option;
        enum cpu_feature feature;
    } options[] = {{"nopku", CPU_PKU},
                   {"nosmap", CPU_SMAP},
                   {"nosmep", CPU_SMEP},
                   {"nopcid", CPU_PCID},
                   {"noinvpcid", CPU_INVPCID}};
    uint32_t unwanted = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
        if (parse_has_option(cmdline, options[i].option))
            unwanted |= 1U << options[i].feature;
    return unwanted;
}

bool cpu_left_off(const char *name)
{
    for (unsigned i = 0; i < CPU_FEATURES; i++)
        if (left_off & (1U << i) && !strcmp(feature_table[i].name, name))
            return true;
    return false;
}

#define RANDOM_TRIES 10 /* the manual's: a generator that fails as often is broken */

uint64_t cpu_random(void)
{
    uint64_t word;

    if (!cpu_has(CPU_RDRAND))
        return 0;
    for (unsigned i = 0; i < RANDOM_TRIES; i++) {
        if (rdrand(&word))
            return word;
    }
    return 0;
}

uint32_t cpu_hwcap(void)
{
    return cpuid(1, 0).edx;
}

void nr_cpus_set(unsigned nr)
{
    WRITE_ONCE(cpus_running, nr);
}

void control_registers_init(void)
{
    uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= cpu_has(CPU_PGE) ? CR4_PGE : 0;
    cr4 |= cpu_has(CPU_UMIP) ? CR4_UMIP : 0;
    cr4 |= cpu_has(CPU_FSGSBASE) ? CR4_FSGSBASE : 0;
    cr4 |= cpu_has(CPU_XSAVE) ? CR4_OSXSAVE : 0;
    cr4 |= cpu_has(CPU_SMEP) ? CR4_SMEP : 0;
    cr4 |= cpu_has(CPU_SMAP) ? CR4_SMAP : 0;
    cr4 |= cpu_has(CPU_PKU) ? CR4_PKE : 0;
    cr4 |= cpu_has(CPU_PCID) ? CR4_PCIDE : 0; /* CR3 has PCID 0 here, as it must */
    write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    write_cr4(cr4);

    uint64_t efer = EFER_SCE | EFER_LME | EFER_LMA;
    efer |= cpu_has(CPU_NX) ? EFER_NXE : 0;
    wrmsr(MSR_EFER, efer);
    /* SYSRET loads CS from STAR[63:48] + 16 and SS from + 8, both with RPL 3. */
    wrmsr(MSR_STAR,
          (uint64_t)(SELECTOR_USER_DATA - 8) << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
    wrmsr(MSR_LSTAR, (uint64_t)entry_syscall);
    wrmsr(MSR_CSTAR, (uint64_t)entry_syscall_compat);
    wrmsr(MSR_SFMASK,
          0x257fd5); /* every flag but the reserved bit: IF, DF, TF, AC, NT among them */
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    fpu_init_cpu();
}

/* entry.asm and uaccess.asm mark where CLAC and STAC belong; without SMAP they are NOPs. */
static void patch_smap_sites(void)
{
    extern struct {
        uint64_t site;
        uint8_t insn[3];
        uint8_t pad[5];
    } __smap_sites_start[], __smap_sites_end[];

    for (__auto_type s = __smap_sites_start; s < __smap_sites_end; s++)
        memcpy((void *)s->site, s->insn, sizeof(s->insn));
}

void cpu_early_init(const char *cmdline)
{
    left_off = features_unwanted(cmdline);
    cpu_features = features_read() & ~left_off;
    if (!cpu_has(CPU_NX))
        pte_supported_mask &= ~PTE_NX;
    if (!cpu_has(CPU_PGE))
        pte_supported_mask &= ~PTE_G;
    if (!cpu_has(CPU_PKU))
        pte_supported_mask &= ~PTE_PKEY;
    if (cpu_has(CPU_SMAP))
        patch_smap_sites(); /* the boot tables still map text writable */

    struct cpu *cpu = &cpus[0];
    cpu->apic_id = cpuid(1, 0).ebx >> 24;
    cpu->pgt = &kernel_pgtable;
    atomic_store(&cpu->online, true);
    descriptors_init(cpu);
    control_registers_init();
}

bool cpu_secondary_init(struct cpu *cpu)
{
    descriptors_init(cpu);
    if (cpu_features & ~features_read())
        return false;
    control_registers_init();
    cpu->pgt = &kernel_pgtable;
    return true;
}

void cpu_print_features(void)
{
    char line[200];
    size_t at = 0;

    for (unsigned i = 0; i < CPU_FEATURES; i++)
        if (cpu_has(i))
            at += snprintf(line + at, sizeof(line) - at, " %s", feature_table[i].name);
    log_info("cpu:%s", line);
}

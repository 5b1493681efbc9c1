/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/cpu_model.c - what CPUID says of this CPU, in words
 *
 * Room:   arch.
 * Owns:   the names of its feature bits, which are Linux's.
 * Locks:  none.
 * Always: (1) a name is told only if the CPU says that it has the feature.
 * Source: Intel SDM 2A, "CPUID - CPU Identification"; AMD APM 3, appendix E.
 * Tour:   after arch/x86_64/cpu.c; kernel/proc_machine.c shows it.
 */
#include <asm/cpu.h>

#include "insn.h"
#include <lib/string.h>

/* The names of 32 bits from bit 0 on; "-" has none. */
static const struct {
    uint32_t leaf;
    enum { EAX, EBX, ECX, EDX } reg;
    const char *names;
} words[] = {
    {1, EDX,
     "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts "
     "acpi mmx fxsr sse sse2 ss ht tm ia64 pbe"},
    {0x80000001, EDX,
     "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm "
     "3dnowext 3dnow"},
    {1, ECX,
     "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid "
     "dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand "
     "hypervisor"},
    {0x80000001, ECX,
     "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop "
     "skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc "
     "perfctr_llc mwaitx - -"},
    {7, EBX,
     "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f "
     "avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd "
     "sha_ni avx512bw avx512vl"},
    {7, ECX,
     "- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni "
     "avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - "
     "movdiri movdir64b enqcmd - -"},
    {7, EDX,
     "- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - serialize - "
     "tsxldtrk pconfig arch_lbr - ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 - - flush_l1d "
     "arch_capabilities - -"},
};

static bool has_leaf(uint32_t leaf)
{
    return leaf <= cpuid(leaf & 0x80000000, 0).eax;
}

static uint32_t read_word(unsigned word)
{
    uint32_t leaf = words[word].leaf;
    if (!has_leaf(leaf))
        return 0;
    struct cpuid r = cpuid(leaf, 0);
    const uint32_t regs[] = {[EAX] = r.eax, [EBX] = r.ebx, [ECX] = r.ecx, [EDX] = r.edx};
    return regs[words[word].reg];
}

/* The name of bit @n of a word, into @name; false: it has none. */
static bool name_of(unsigned word, unsigned n, char *name, size_t size)
{
    const char *at = words[word].names;
    size_t len = 0;

    for (; n && *at; at++)
        n -= *at == ' ';
    for (; at[len] && at[len] != ' ' && len + 1 < size; len++)
        name[len] = at[len];
    name[len] = '\0';
    return len && name[0] != '-';
}

bool cpu_flag(unsigned *n, char *name, size_t size)
{
    for (; *n < 32 * ARRAY_SIZE(words); ++*n)
        if ((read_word(*n / 32) >> *n % 32 & 1) && name_of(*n / 32, *n % 32, name, size) &&
            !cpu_left_off(name))
            return true;
    return false;
}

/* Twelve bytes in three registers. */
static void read_vendor(char vendor[13])
{
    struct cpuid r = cpuid(0, 0);
    uint32_t parts[] = {r.ebx, r.edx, r.ecx};
    memcpy(vendor, parts, sizeof(parts));
    vendor[12] = '\0';
}

static void read_name(char name[49])
{
    name[0] = '\0';
    if (!has_leaf(0x80000004))
        return;
    for (unsigned i = 0; i < 3; i++) {
        struct cpuid r = cpuid(0x80000002 + i, 0);
        uint32_t parts[] = {r.eax, r.ebx, r.ecx, r.edx};
        memcpy(name + i * sizeof(parts), parts, sizeof(parts));
    }
    name[48] = '\0';
}

void cpu_model_read(struct cpu_model *out)
{
    uint32_t signature = cpuid(1, 0).eax;
    uint32_t family = signature >> 8 & 15, model = signature >> 4 & 15;
    uint32_t sizes = has_leaf(0x80000008) ? cpuid(0x80000008, 0).eax : 48 << 8 | 36;

    *out = (struct cpu_model){
        .family = family == 15 ? family + (signature >> 20 & 255) : family,
        .model = family == 6 || family == 15 ? model | (signature >> 12 & 0xf0) : model,
        .stepping = signature & 15,
        .max_leaf = cpuid(0, 0).eax,
        .phys_bits = sizes & 255,
        .virt_bits = sizes >> 8 & 255,
    };
    read_vendor(out->vendor);
    read_name(out->name);
}

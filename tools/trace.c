/* SPDX-License-Identifier: MIT */
/*
 * tools/trace.c - which translations does a machine use, and forget? A QEMU plugin
 *
 * Room:   tools. A shared library for qemu -plugin; tools/trace builds, runs and explains it.
 * Owns:   the trace: tools/tlbmodel/replay.h has its format.
 * Locks:  one mutex: CPUs are threads of QEMU.
 * Always: (1) what is left out changes nothing for a first level of 16, 8 and 1 sets: the leaf that
 *             was the last of its set is used once more;
 *         (2) each translation was compared with the tables: wrong counts those that differ.
 * Source: QEMU documentation, "QEMU TCG Plugins"; Intel SDM 2, INVLPG, MOV to control registers.
 * Tour:   after tools/qemu_plugin.h and tools/guest.h; then tools/trace.
 */
#include "guest.h"
#include "qemu_plugin.h"
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT  __attribute__((visibility("default")))
#define CR4_PGE (1UL << 7)

enum { SETS = 16, LEVELS = 3 };

/* An instruction that flushes. Its operand: [base + displacement], or the register itself. */
enum { INVLPG = 'i', LOAD_ROOT = 'l', LOAD_CR4 = '4' };

struct flush {
    char what;
    uint8_t base;
    int32_t displacement;
};

static struct cpu {
    uint64_t root, cr4;
    const struct flush *pending; /* was executed; its operand is seen at the next block */
    uint64_t last[LEVELS][SETS]; /* leaf number + 1 */
} cpus[GUEST_CPUS];

static const unsigned sets[LEVELS] = {16, 8, 1};

EXPORT int qemu_plugin_version = 1;

static FILE *out;
static const volatile bool *on; /* tools/trace says so */
static uint64_t records, records_max, wrong;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool may_record(void)
{
    return *on && records < records_max;
}

/* Was this leaf the last of its set? Tells nothing of leaves that were not seen yet. */
static bool is_last(const struct cpu *cpu, uint64_t va)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        uint64_t leaf = va >> (12 + 9 * level);
        if (cpu->last[level][leaf % sets[level]] == leaf + 1)
            return true;
    }
    return false;
}

static void record_access(unsigned nr, uint64_t va, uint64_t pa)
{
    struct cpu *cpu = &cpus[nr];
    struct guest_leaf leaf = {pa, 0, false};

    if (!guest_walk(cpu->root, va, &leaf) || leaf.pa != pa)
        wrong++;
    uint64_t number = va >> (12 + 9 * leaf.level);
    cpu->last[leaf.level][number % sets[leaf.level]] = number + 1;
    fprintf(out, "a %u %" PRIx64 " %" PRIx64 " %u%s\n", nr, va & ~0xfffUL, pa & ~0xfffUL,
            leaf.level, leaf.global ? " g" : "");
    records++;
}

static void accessed(unsigned nr, uint32_t info, uint64_t va, void *arg)
{
    (void)arg;
    if (nr >= GUEST_CPUS || !may_record() || !cpus[nr].root || is_last(&cpus[nr], va))
        return;
    const struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, va);
    if (!where || qemu_plugin_hwaddr_is_io(where))
        return;
    pthread_mutex_lock(&lock);
    record_access(nr, va, qemu_plugin_hwaddr_phys_addr(where));
    pthread_mutex_unlock(&lock);
}

/* Flushes. The interface of version 1 shows no registers. But what QEMU makes of a block finds the
 * guest's registers, in the order of their numbers, where RBP points; when a block begins they are
 * in memory; and each of these instructions ends a block. */

static void record_flush(unsigned nr, char what, uint64_t value)
{
    memset(cpus[nr].last, 0, sizeof(cpus[nr].last));
    if (!may_record())
        return;
    pthread_mutex_lock(&lock);
    if (what == 'p')
        fprintf(out, "p %u\n", nr);
    else
        fprintf(out, "%c %u %" PRIx64 "\n", what, nr, value);
    records++;
    pthread_mutex_unlock(&lock);
}

__attribute__((used)) static void block_begins(unsigned nr, void *arg, const uint64_t *registers)
{
    struct cpu *cpu = &cpus[nr];
    const struct flush *flush = cpu->pending;

    (void)arg;
    if (!flush)
        return;
    uint64_t value = registers[flush->base] + (uint64_t)flush->displacement;
    cpu->pending = NULL;
    if (flush->what == LOAD_ROOT)
        cpu->root = value;
    if (flush->what != LOAD_CR4) {
        record_flush(nr, flush->what, value);
        return;
    }
    if (cpu->cr4 & ~value & CR4_PGE)
        record_flush(nr, 'p', 0);
    cpu->cr4 = value;
}

__attribute__((naked)) static void block_begins_here(unsigned nr __attribute__((unused)),
                                                     void *arg __attribute__((unused)))
{
    __asm__("mov %rbp, %rdx\n\tjmp block_begins");
}

static void flushes(unsigned nr, void *flush)
{
    cpus[nr].pending = flush;
}

/* The operand in memory of @code, from its ModRM byte. False: of a kind that kernels do without. */
static bool decode_memory(struct flush *flush, const uint8_t *code, bool extended)
{
    unsigned mode = code[0] >> 6, base = code[0] & 7;

    flush->base = (uint8_t)(base + 8 * extended);
    if (base == 4 || mode == 3 || (mode == 0 && base == 5))
        return false;
    if (mode == 1)
        flush->displacement = (int8_t)code[1];
    if (mode == 2)
        memcpy(&flush->displacement, code + 1, sizeof(flush->displacement));
    return true;
}

/* Is @code an instruction that flushes? REX, 0F, 22 or 01, ModRM. */
static bool decode(struct flush *flush, const uint8_t *code, size_t size)
{
    bool rex = (code[0] & 0xf0) == 0x40, extended = rex && code[0] & 1;

    code += rex;
    size -= rex;
    if (size < 3 || code[0] != 0x0f)
        return false;
    unsigned reg = code[2] >> 3 & 7;
    if (code[1] == 0x22 && (reg == 3 || reg == 4)) {
        *flush = (struct flush){reg == 3 ? LOAD_ROOT : LOAD_CR4,
                                (uint8_t)((code[2] & 7) + 8 * extended), 0};
        return true;
    }
    *flush = (struct flush){.what = INVLPG};
    return code[1] == 0x01 && reg == 7 && decode_memory(flush, code + 2, extended);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block_begins_here, QEMU_PLUGIN_CB_NO_REGS, NULL);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        struct flush flush, *kept;

        qemu_plugin_register_vcpu_mem_cb(insn, accessed, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                         NULL);
        if (!decode(&flush, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn)))
            continue;
        kept = malloc(sizeof(*kept)); /* as long as the block: for ever */
        *kept = flush;
        qemu_plugin_register_vcpu_insn_exec_cb(insn, flushes, QEMU_PLUGIN_CB_NO_REGS, kept);
    }
}

static void report(uint64_t id, void *arg)
{
    (void)id, (void)arg;
    fprintf(out, "# end: %" PRIu64 " records, %" PRIu64 " wrong%s\n", records, wrong,
            records < records_max ? "" : ", no room for more");
    fclose(out);
}

/* The tool's switch: a file of one byte. */
static bool map_switch(const char *path)
{
    int fd = open(path, O_RDONLY);

    on = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    return fd >= 0 && on != MAP_FAILED;
}

/* ram=FILE on=FILE out=FILE max=RECORDS */
EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
    bool good = true;

    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "ram=", 4))
            good &= guest_map(argv[i] + 4);
        if (!strncmp(argv[i], "on=", 3))
            good &= map_switch(argv[i] + 3);
        if (!strncmp(argv[i], "out=", 4))
            out = fopen(argv[i] + 4, "w");
        if (!strncmp(argv[i], "max=", 4))
            records_max = strtoull(argv[i] + 4, NULL, 10);
    }
    if (!good || !out || !on)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}

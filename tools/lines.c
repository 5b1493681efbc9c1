/* SPDX-License-Identifier: MIT */
/*
 * tools/lines.c - which cache lines does the kernel write on more than one CPU? A QEMU plugin
 *
 * Room:   tools. A shared library for qemu -plugin; tools/lines builds, runs and explains it.
 * Owns:   a record for each line of the machine's RAM: who wrote it, and from where.
 * Locks:  one mutex: CPUs are threads of QEMU.
 * Always: (1) only stores of the kernel count, and only while all threads are between their marks;
 *         (2) a line is 64 bytes of physical memory: one record, whatever it is mapped at.
 * Source: QEMU documentation, "QEMU TCG Plugins".
 * Tour:   after tools/qemu_plugin.h; then tools/lines.
 */
#include "qemu_plugin.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT      __attribute__((visibility("default")))
#define LINE_SHIFT  6
#define RAM_BYTES   (1UL << 30)
#define KERNEL_HALF (1UL << 63)

enum { CPUS = 4, PLACES = 8 };

/* Who wrote a line: all zeros is nobody. */
struct line {
    uint32_t cpus, last; /* masks: all who wrote it; the last */
    struct {
        uint64_t code, va; /* the last address that was written from there */
        uint32_t stores;
        uint32_t moves; /* the last store before was another CPU's: the line had to come over */
    } places[PLACES];
};

EXPORT int qemu_plugin_version = 1;

static struct line *lines; /* never touched where nobody writes */
static uint64_t stores[CPUS];
static unsigned threads = 2, begun;
static bool ended;
static FILE *out;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(struct line *line, unsigned cpu, uint64_t code, uint64_t va)
{
    uint32_t me = 1U << cpu;
    bool moves = line->last & ~me;

    line->cpus |= me;
    line->last = me;
    for (unsigned i = 0; i < PLACES; i++) {
        if (line->places[i].stores && line->places[i].code != code)
            continue;
        line->places[i].code = code;
        line->places[i].va = va;
        line->places[i].stores++;
        line->places[i].moves += moves;
        return;
    }
}

/* QEMU 7.2 also calls for loads, and after IRET for the first atomic operation of the user. */
static void stored(unsigned cpu, uint32_t info, uint64_t va, void *code)
{
    if (begun < threads || ended || cpu >= CPUS || !qemu_plugin_mem_is_store(info) ||
        va < KERNEL_HALF)
        return;
    const struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, va);
    uint64_t pa = where ? qemu_plugin_hwaddr_phys_addr(where) : RAM_BYTES;
    if (pa >= RAM_BYTES || qemu_plugin_hwaddr_is_io(where))
        return;
    pthread_mutex_lock(&lock);
    stores[cpu]++;
    note(&lines[pa >> LINE_SHIFT], cpu, (uint64_t)code, va);
    pthread_mutex_unlock(&lock);
}

/* A mark is NOPL with four letters as its displacement: no compiler makes that. */
static bool is_mark(const struct qemu_plugin_insn *insn, const char *letters)
{
    const char *bytes = qemu_plugin_insn_data(insn);

    return qemu_plugin_insn_size(insn) == 7 && !memcmp(bytes, "\x0f\x1f\x80", 3) &&
           !memcmp(bytes + 3, letters, 4);
}

static void mark_begin(unsigned cpu, void *arg)
{
    (void)cpu, (void)arg;
    pthread_mutex_lock(&lock);
    begun++;
    pthread_mutex_unlock(&lock);
}

static void mark_end(unsigned cpu, void *arg)
{
    (void)cpu, (void)arg;
    ended = true;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t va = qemu_plugin_insn_vaddr(insn);

        if (is_mark(insn, "LNSb"))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (is_mark(insn, "LNSe"))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (va >= KERNEL_HALF)
            qemu_plugin_register_vcpu_mem_cb(insn, stored, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_W, (void *)va);
    }
}

/* "total STORES..." by CPU; "store LINE CODE ADDRESS STORES MOVES" for lines that are shared. */
static void report(uint64_t id, void *arg)
{
    (void)id, (void)arg;
    fprintf(out, "total");
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        fprintf(out, " %" PRIu64, stores[cpu]);
    fprintf(out, "\n");
    for (uint64_t i = 0; i < RAM_BYTES >> LINE_SHIFT; i++) {
        if (!(lines[i].cpus & (lines[i].cpus - 1)))
            continue;
        for (unsigned p = 0; p < PLACES && lines[i].places[p].stores; p++)
            fprintf(out, "store %" PRIx64 " %" PRIx64 " %" PRIx64 " %u %u\n", i << LINE_SHIFT,
                    lines[i].places[p].code, lines[i].places[p].va, lines[i].places[p].stores,
                    lines[i].places[p].moves);
    }
    fclose(out);
}

/* threads=N out=FILE */
EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "threads=", 8))
            threads = (unsigned)atoi(argv[i] + 8);
        if (!strncmp(argv[i], "out=", 4))
            out = fopen(argv[i] + 4, "w");
    }
    lines = mmap(NULL, (RAM_BYTES >> LINE_SHIFT) * sizeof(*lines), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!out || lines == MAP_FAILED)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}

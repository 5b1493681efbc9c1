/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbsan.c - does anybody reach a frame that is free, or hidden? A QEMU plugin
 *
 * Room:   tools. A shared library for qemu -plugin; tools/tlbsan builds, runs and explains it.
 * Owns:   what was found: one record for each instruction and state.
 * Locks:  one mutex: CPUs are threads of QEMU.
 * Always: (1) it looks at the frame that was reached, not at what the tables name: so it sees
 *             who uses a translation that should be forgotten;
 *         (2) what a frame is, is what its descriptor says when the access is just done: a CPU that
 *             waits for all others to forget cannot have freed it before.
 * Source: QEMU documentation, "QEMU TCG Plugins"; trust.md 2b, T4.
 * Tour:   after tools/guest.h and include/mm/page.h; then tools/tlbsan.
 */
#include "guest.h"
#include "qemu_plugin.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT     __attribute__((visibility("default")))
#define FRAMES_MAX (1UL << 19) /* of 2 GiB */
#define PAGE_BITS  12
#define ORDER_MAX  18
#define IN(state)  (1U << (state))

enum { FOUND_MAX = 256 };

static struct found {
    uint64_t pc, va, pa;
    unsigned cpu, state;
    uint32_t info;
    uint64_t times;
} found[FOUND_MAX];

EXPORT int qemu_plugin_version = 1;

/* What tools/tlbsan says of the kernel: where its descriptors are, which states are which. */
static struct {
    uint64_t root_at; /* physical address of the word that names the kernel's root */
    uint64_t array, size, state_at;
    uint64_t windows, windows_end; /* where the kernel looks at hidden frames, one at a time */
    uint64_t tail, free, hidden, secret, kernels; /* the first a state, the others masks */
} kernel;

static FILE *out;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Where the descriptor of a frame lies, or NULL: nowhere yet. The array's tables never change. */
static const volatile uint8_t *descriptor(uint64_t pfn)
{
    static const volatile uint8_t *pages[FRAMES_MAX / 16]; /* of descriptors, by their place */
    uint64_t va = kernel.array + pfn * kernel.size;
    uint64_t nr = (va - kernel.array) >> PAGE_BITS, offset = va & 0xfff;
    const volatile uint64_t *root = guest_ram(kernel.root_at);
    struct guest_leaf leaf;

    if (pages[nr])
        return pages[nr] + offset;
    if (!root || !*root || !guest_walk(*root, va - offset, &leaf))
        return NULL;
    pages[nr] = guest_ram(leaf.pa);
    return pages[nr] ? pages[nr] + offset : NULL;
}

static unsigned state_at(uint64_t pfn)
{
    const volatile uint8_t *page = descriptor(pfn);
    return page ? page[kernel.state_at] : 0;
}

/* The state of the block that the frame lies in. */
static unsigned state_of(uint64_t pfn)
{
    unsigned state = state_at(pfn);

    for (unsigned order = 1; state == kernel.tail && order <= ORDER_MAX; order++)
        state = state_at(pfn >> order << order);
    return state;
}

static bool is_wrong(uint64_t va, unsigned state)
{
    uint64_t bit = IN(state);

    if (bit & kernel.free)
        return true;
    if (va < GUEST_KERNEL_HALF)
        return bit & (kernel.hidden | kernel.kernels);
    return bit & (kernel.hidden | kernel.secret) &&
           !(va >= kernel.windows && va < kernel.windows_end);
}

static void print(const struct found *f)
{
    fprintf(out, "%u %s %" PRIx64 " %" PRIx64 " %" PRIx64 " %u %" PRIu64 "\n", f->cpu,
            qemu_plugin_mem_is_store(f->info) ? "store" : "load", f->pc, f->va, f->pa, f->state,
            f->times);
    fflush(out);
}

/* The first of each is printed at once: who knows how this ends. */
static void note(const struct found *f)
{
    unsigned i = 0;

    while (i < FOUND_MAX - 1 && found[i].times &&
           (found[i].pc != f->pc || found[i].state != f->state))
        i++;
    if (!found[i].times) {
        found[i] = *f;
        print(f);
    }
    found[i].times++;
}

static void accessed(unsigned cpu, uint32_t info, uint64_t va, void *pc)
{
    const struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, va);

    if (!where || qemu_plugin_hwaddr_is_io(where))
        return;
    uint64_t pa = qemu_plugin_hwaddr_phys_addr(where);
    if (pa >> PAGE_BITS >= FRAMES_MAX)
        return;
    unsigned state = state_of(pa >> PAGE_BITS);
    if (!is_wrong(va, state))
        return;
    struct found f = {(uint64_t)pc, va, pa, cpu, state, info, 0};
    pthread_mutex_lock(&lock);
    note(&f);
    pthread_mutex_unlock(&lock);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_mem_cb(insn, accessed, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                         (void *)qemu_plugin_insn_vaddr(insn));
    }
}

/* All once more, with their numbers; then the end. */
static void report(uint64_t id, void *arg)
{
    (void)id, (void)arg;
    for (unsigned i = 0; i < FOUND_MAX && found[i].times; i++)
        print(&found[i]);
    fprintf(out, "end\n");
    fclose(out);
}

static const struct {
    const char *name;
    uint64_t *number;
} numbers[] = {
    {"root_at=", &kernel.root_at}, {"array=", &kernel.array},
    {"size=", &kernel.size},       {"state_at=", &kernel.state_at},
    {"windows=", &kernel.windows}, {"windows_end=", &kernel.windows_end},
    {"tail=", &kernel.tail},       {"free=", &kernel.free},
    {"hidden=", &kernel.hidden},   {"secret=", &kernel.secret},
    {"kernels=", &kernel.kernels},
};

/* ram=FILE out=FILE, and all of these */
EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
    bool mapped = false;

    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "ram=", 4))
            mapped = guest_map(argv[i] + 4);
        if (!strncmp(argv[i], "out=", 4))
            out = fopen(argv[i] + 4, "w");
        for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
            if (!strncmp(argv[i], numbers[n].name, strlen(numbers[n].name)))
                *numbers[n].number = strtoull(strchr(argv[i], '=') + 1, NULL, 0);
    }
    if (!mapped || !out || !kernel.size)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}

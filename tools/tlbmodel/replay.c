/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/replay.c - traces, and policies to replay them under
 *
 * Room:   tools.
 * Owns:   what a policy makes of what was recorded.
 * Locks:  none.
 * Always: (1) a space that was flushed on another CPU while it had a slot on this one is flushed
 *             when this CPU loads it again: generations, as kernels with PCIDs have them;
 *         (2) who flushes because another asked him to is not taken for one more change.
 * Source: Linux, arch/x86/mm/tlb.c (behaviour): six slots a CPU, the oldest goes.
 * Tour:   after replay.h, before main.c.
 */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

#define ROOTS_MAX   4096
#define SLOTS_MAX   16
#define ROOT_MASK   0x000ffffffffff000UL
#define KERNEL_HALF (1UL << 63)
#define BURST_GAP   8 /* accesses between two INVLPGs of a loop */

/* Reading. */

static bool parse(const char *line, struct trace_record *r)
{
    unsigned cpu = 0, detail = 0, pcid;
    uint64_t pa;
    char global = 0;
    bool good;

    *r = (struct trace_record){.what = (uint8_t)line[0]};
    switch (line[0]) {
    case 'a':
        good = sscanf(line, "a %u %lx %lx %u %c", &cpu, &r->va, &pa, &detail, &global) >= 4 &&
               detail < TLB_LEAVES;
        break;
    case 'l':
    case 'i':
        good = sscanf(line + 1, "%u %lx", &cpu, &r->va) == 2;
        break;
    case 'v':
        good = sscanf(line, "v %u %u %x %lx", &cpu, &detail, &pcid, &r->va) == 4 && detail < 4;
        break;
    case 'p':
        good = sscanf(line, "p %u", &cpu) == 1;
        break;
    default:
        good = false;
    }
    r->cpu = (uint8_t)cpu;
    r->detail = (uint8_t)detail;
    r->global = global == 'g';
    return good && cpu < TLB_CPUS_MAX;
}

static bool append(struct trace *trace, const struct trace_record *r, size_t *room)
{
    if (trace->nr == *room) {
        *room = *room ? 2 * *room : 1024;
        struct trace_record *more = realloc(trace->records, *room * sizeof(*more));
        if (!more)
            return false;
        trace->records = more;
    }
    trace->records[trace->nr++] = *r;
    if (trace->nr_cpus <= r->cpu)
        trace->nr_cpus = r->cpu + 1U;
    return true;
}

/* Finds the INVLPGs of one CPU that belong together; the first gets their number. */
static void find_bursts(struct trace *trace)
{
    struct {
        struct trace_record *first;
        unsigned gap;
    } cpus[TLB_CPUS_MAX] = {0};

    for (struct trace_record *r = trace->records; r < trace->records + trace->nr; r++) {
        if (r->what == 'a' && ++cpus[r->cpu].gap > BURST_GAP)
            cpus[r->cpu].first = NULL;
        if (r->what != 'a' && r->what != 'i')
            cpus[r->cpu].first = NULL;
        if (r->what != 'i')
            continue;
        if (!cpus[r->cpu].first)
            cpus[r->cpu].first = r;
        cpus[r->cpu].first->burst++;
        cpus[r->cpu].gap = 0;
    }
}

long trace_read(FILE *file, struct trace *trace)
{
    struct trace_record record;
    char line[128];
    size_t room = 0;

    *trace = (struct trace){0};
    for (long number = 1; fgets(line, sizeof(line), file); number++) {
        if (line[0] == '#')
            continue;
        bool good = parse(line, &record);
        if (good && append(trace, &record, &room))
            continue;
        trace_free(trace);
        return good ? -1 : number;
    }
    find_bursts(trace);
    return 0;
}

void trace_free(struct trace *trace)
{
    free(trace->records);
    trace->records = NULL;
}

/* Replaying. */

struct slot {
    unsigned root; /* its index + 1; 0: nobody's */
    uint64_t generation, used;
};

struct player {
    struct tlb_model *model;
    const struct replay_policy *policy;
    uint64_t now;
    uint64_t roots[ROOTS_MAX], generations[ROOTS_MAX];
    struct {
        unsigned root, slot; /* what it has loaded */
        bool skips;          /* the rest of a burst that became one flush */
        struct slot slots[SLOTS_MAX];
    } cpus[TLB_CPUS_MAX];
};

/* The number of a root, from 1; when there are too many, several share the last. */
static unsigned number_of(struct player *p, uint64_t root)
{
    unsigned i = 0;

    while (i < ROOTS_MAX - 2 && p->roots[i] && p->roots[i] != root)
        i++;
    p->roots[i] = root;
    return i + 1;
}

/* The slot of a root on this CPU, or the oldest. */
static unsigned slot_of(struct player *p, unsigned cpu, unsigned root)
{
    struct slot *slots = p->cpus[cpu].slots;
    unsigned oldest = 0;

    for (unsigned i = 0; i < p->policy->slots; i++) {
        if (slots[i].root == root)
            return i;
        if (slots[i].used < slots[oldest].used)
            oldest = i;
    }
    return oldest;
}

/* Claim 2. */
static void space_flushed(struct player *p, unsigned cpu)
{
    struct slot *slot = &p->cpus[cpu].slots[p->cpus[cpu].slot];
    uint64_t *generation = &p->generations[p->cpus[cpu].root];

    if (slot->generation == *generation)
        ++*generation;
    slot->generation = *generation;
}

static void load_slot(struct player *p, unsigned cpu, unsigned root)
{
    unsigned nr = slot_of(p, cpu, root);
    struct slot *slot = &p->cpus[cpu].slots[nr];
    bool keeps = slot->root == root && slot->generation == p->generations[root];

    *slot = (struct slot){root, p->generations[root], ++p->now};
    p->cpus[cpu].slot = nr;
    tlb_load(p->model, cpu, nr, keeps ? TLB_ROOT_KEEP : TLB_ROOT);
}

/* The same root again is a flush of its space. */
static void play_load(struct player *p, unsigned cpu, uint64_t value)
{
    unsigned before = p->cpus[cpu].root, root = number_of(p, value & ROOT_MASK);

    p->cpus[cpu].root = root;
    if (p->policy->never)
        tlb_load(p->model, cpu, root, TLB_ROOT_KEEP);
    else if (!p->policy->slots)
        tlb_load(p->model, cpu, root, TLB_ROOT);
    else if (root != before)
        load_slot(p, cpu, root);
    else {
        space_flushed(p, cpu);
        tlb_load(p->model, cpu, p->cpus[cpu].slot, TLB_ROOT);
    }
}

static void play_full(struct player *p, unsigned cpu, uint64_t va)
{
    if (va & KERNEL_HALF)
        tlb_flush(p->model, cpu, TLB_PGE, 0, 0);
    else
        tlb_load(p->model, cpu, p->policy->slots ? p->cpus[cpu].slot : 0, TLB_ROOT);
}

static void play_invlpg(struct player *p, const struct trace_record *r)
{
    if (p->policy->never)
        return;
    if (r->burst)
        p->cpus[r->cpu].skips = r->burst > p->policy->ceiling;
    if (!(r->va & KERNEL_HALF))
        space_flushed(p, r->cpu);
    if (!p->cpus[r->cpu].skips)
        tlb_flush(p->model, r->cpu, TLB_INVLPG, 0, r->va);
    else if (r->burst)
        play_full(p, r->cpu, r->va);
}

static void play(struct player *p, const struct trace_record *r)
{
    struct tlb_page page = {r->va, r->detail, r->global};

    if (r->what == 'a')
        tlb_access(p->model, r->cpu, &page);
    else if (r->what == 'l')
        play_load(p, r->cpu, r->va);
    else if (r->what == 'i')
        play_invlpg(p, r);
    else if (r->what == 'v' && !p->policy->never)
        tlb_flush(p->model, r->cpu, TLB_INVPCID_ONE + r->detail, p->cpus[r->cpu].slot, r->va);
    else if (r->what == 'p' && !p->policy->never)
        tlb_flush(p->model, r->cpu, TLB_PGE, 0, 0);
}

bool replay(const struct trace *trace, const struct tlb_machine *machine,
            const struct replay_policy *policy, struct tlb_counts *counts)
{
    struct player *p = calloc(1, sizeof(*p));
    bool pcid = policy->slots || policy->never;

    if (p)
        p->model = tlb_model_new(machine, trace->nr_cpus, pcid);
    if (!p || !p->model) {
        free(p);
        return false;
    }
    p->policy = policy;
    for (size_t i = 0; i < trace->nr; i++)
        play(p, &trace->records[i]);
    *counts = *tlb_counts(p->model);
    tlb_model_free(p->model);
    free(p);
    return true;
}

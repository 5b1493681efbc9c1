/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/main.c - what would a processor have missed? A trace under each policy, as CSV
 *
 * Room:   tools. usage: tlbmodel [MACHINE] < TRACE
 * Owns:   the list of policies that are compared.
 * Locks:  none.
 * Always: (1) the first row is what was recorded; the last, to forget nothing, no kernel can do.
 * Source: replay.h has the format.
 * Tour:   after replay.h.
 */
#include "replay.h"

static const struct {
    const char *name;
    struct replay_policy policy;
} policies[] = {
    {"as recorded", {0, REPLAY_NO_CEILING, false}},
    {"ceiling 0", {0, 0, false}},
    {"ceiling 1", {0, 1, false}},
    {"ceiling 8", {0, 8, false}},
    {"ceiling 33", {0, 33, false}},
    {"6 pcids", {6, REPLAY_NO_CEILING, false}},
    {"6 pcids + ceiling 8", {6, 8, false}},
    {"never", {0, REPLAY_NO_CEILING, true}},
};

static uint64_t flushes_but_invlpg(const struct tlb_counts *c)
{
    uint64_t sum = 0;
    for (unsigned kind = TLB_INVLPG + 1; kind < TLB_FLUSH_KINDS; kind++)
        sum += kind == TLB_ROOT_KEEP ? 0 : c->flushes[kind];
    return sum;
}

static void print_row(const char *machine, const char *policy, const struct tlb_counts *c)
{
    printf("%s,%s,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu\n", machine, policy, c->accesses,
           c->l1_misses, c->walks, c->steps, c->refills, c->flushes[TLB_INVLPG],
           flushes_but_invlpg(c), c->flush_cycles, c->refill_cycles,
           c->access_cycles + c->flush_cycles);
}

static int compare_policies(const struct trace *trace, const struct tlb_machine *machine)
{
    puts("machine,policy,accesses,l1_misses,walks,walk_steps,refills,invlpg,full_flushes,"
         "flush_cycles,refill_cycles,all_cycles");
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        struct tlb_counts counts;
        if (!replay(trace, machine, &policies[i].policy, &counts))
            return 1;
        print_row(machine->name, policies[i].name, &counts);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct tlb_machine *machine = tlb_machine_find(argc > 1 ? argv[1] : "skylake");
    struct trace trace;

    if (!machine) {
        fprintf(stderr, "tlbmodel: %s: not a machine of parameters.h\n", argv[1]);
        return 1;
    }
    long line = trace_read(stdin, &trace);
    if (line) {
        fprintf(stderr, line > 0 ? "tlbmodel: line %ld is no record\n" : "tlbmodel: no memory\n",
                line);
        return 1;
    }
    int status = compare_policies(&trace, machine);
    trace_free(&trace);
    return status;
}

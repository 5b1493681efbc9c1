/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/replay.h - a recorded run, once more, under another policy
 *
 * Room:   tools.
 * Owns:   the format of traces, which are text, a record a line (# begins a comment):
 *           a CPU VA PA LEAF [g]    an access: addresses in hex, LEAF 0 (4K) to 2 (1G), g: global
 *           l CPU VALUE             MOV to CR3
 *           i CPU VA                INVLPG
 *           v CPU TYPE PCID VA      INVPCID
 *           p CPU                   CR4.PGE was cleared
 * Locks:  none.
 * Always: (1) what was flushed as a whole stays so: which part of it was meant is not recorded.
 * Source: tools/trace.c, which writes them.
 * Tour:   after model.h, before replay.c.
 */
#pragma once

#include "model.h"
#include <stddef.h>
#include <stdio.h>

#define REPLAY_NO_CEILING (~0U)

struct trace_record {
    uint64_t va;         /* or the value of CR3 */
    unsigned burst;      /* first INVLPG of several in a row: how many; the others: 0 */
    uint8_t what;        /* the letter */
    uint8_t cpu, detail; /* enum tlb_leaf, or the type */
    bool global;
};

struct trace {
    struct trace_record *records;
    size_t nr;
    unsigned nr_cpus;
};

/* 0, or the number of the first line that is none, or -1: no memory. Then nothing is to free. */
long trace_read(FILE *file, struct trace *trace);
void trace_free(struct trace *trace);

struct replay_policy {
    unsigned slots;   /* spaces whose translations a CPU keeps, by PCID; 0: no PCIDs */
    unsigned ceiling; /* more INVLPGs in a row than that become one flush of all */
    bool never;       /* nothing is forgotten, which is wrong: what would be saved at best? */
};

/* False: no memory. */
bool replay(const struct trace *trace, const struct tlb_machine *machine,
            const struct replay_policy *policy, struct tlb_counts *counts);

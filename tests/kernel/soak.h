/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/soak.h - random memory calls on several CPUs at once, and what each CPU may see then
 *
 * Room:   tests/kernel. Three files: soak.c, soak_events.c, soak_model.c.
 * Owns:   struct soak and what it is made of.
 * Locks:  soak_slot.seq, odd while somebody changes the slot: taken upwards, held over calls.
 * Always: (1) a word that a worker writes names the space, the page and the worker, and is the next
 *             of its numbers: whoever reads it knows whose it is, and how old;
 *         (2) between two equal, even values of a slot's seq no call was under way there, and all
 *             that ended before have done their flushes: what a CPU may see is known exactly.
 * Source: trust.md section 2b, T1, T3, T6; docs/tlb.md, "What shows that it is right".
 * Tour:   after tests/kernel/crew.h, tests/kernel/tlb_others.c.
 */
#pragma once

#include "crew.h"

#include "kernel/sched.h"

#define SOAK_WORKERS 4    /* a CPU more has none */
#define SOAK_SPACES  8    /* more than a CPU has PCIDs for */
#define SOAK_PAGES   1024 /* the first half small, the second may be one huge leaf */
#define SOAK_HALF    (SOAK_PAGES / 2)
#define SOAK_ENOUGH  100 /* with so much that is wrong there is nothing more to learn */

/* One page, as those who call mm/ agree that it is. */
struct soak_slot {
    _Atomic uint32_t seq;
    int rights;    /* enum vm_flags, VM_READ and VM_WRITE; or SOAK_UNMAPPED */
    bool settled;  /* all CPUs, not only who took its contents, have forgotten those */
    uint32_t life; /* one more each time its contents are lost */
    uint32_t gone[SOAK_WORKERS];            /* each worker's words up to this number were, then */
    uint32_t gone_for_all[SOAK_WORKERS];    /* .. the last time when all had to know */
    _Atomic uint64_t written[SOAK_WORKERS]; /* life << 32 | number: what surely is there since */
};

struct soak_space {
    struct mm *mm;
    struct soak_slot slots[SOAK_PAGES];
};

enum soak_event {
    SOAK_READ,
    SOAK_WRITE,
    SOAK_MAP,
    SOAK_UNMAP,
    SOAK_PROTECT,
    SOAK_DISCARD,
    SOAK_RENEW,  /* all of a half: unmapped and mapped again, so that there may be a huge leaf */
    SOAK_SWITCH, /* another space is loaded */
    SOAK_REST,   /* the CPU has a space loaded that it does not use, or none */
    SOAK_SETTLE, /* what others are late with is done */
    SOAK_EVENTS
};

struct soak_worker {
    unsigned who;
    uint64_t random;
    unsigned at; /* the space that is loaded, but within calls */
    struct soak_space *space;
    uint64_t switches;         /* to this task, until its space was loaded */
    _Atomic uint32_t finished; /* the number of the last word that it has written */
    uint64_t events[SOAK_EVENTS];
    uint64_t judged, faults; /* accesses whose end was known before; faults resolved */
    uint32_t lost_life[SOAK_SPACES][SOAK_PAGES]; /* a slot's life when this worker began it */
} __aligned(CACHE_LINE_SIZE);

struct soak {
    struct crew crew;
    const char *policy;
    bool weak;       /* the policy lets others be late */
    unsigned nr;     /* workers */
    uint64_t wanted; /* events */
    uint64_t seed;
    uint64_t tick_ns; /* 0: none */
    struct timer tick;
    uint64_t started_ns, told_ns;
    _Atomic uint64_t begun;
    _Atomic uint32_t stale, refused; /* seen what must be gone; calls that failed */
    struct soak_space spaces[SOAK_SPACES];
    struct soak_worker workers[SOAK_WORKERS];
};

/* soak_events.c: one event, and its checks. */
void soak_event(struct soak *soak, struct soak_worker *w);

/* soak_model.c. */

/* An access: what is known before, what is done, how it ends. */
struct soak_touch {
    uint64_t page;
    unsigned whose; /* the word of which worker */
    bool write, could;
    uint64_t word; /* written, or read */
    uint32_t seq, life, gone, gone_for_all;
    uint64_t written;
    bool allowed, settled;
};

/* Before: t->page, t->whose and t->write are set. */
void soak_look(const struct soak_worker *w, struct soak_touch *t);

/* After: was what came of it right? */
void soak_judge(struct soak *soak, struct soak_worker *w, const struct soak_touch *t);

/* It was refused, and so, or not, was its fault: right? */
void soak_judge_fault(struct soak *soak, struct soak_worker *w, const struct soak_touch *t,
                      bool resolved);

/* A change of some pages in a row: which, and the moment before it. */
struct soak_change {
    uint64_t page, nr;
    bool mapped;
    uint32_t finished[SOAK_WORKERS];
};

/* Nobody else changes them; and they are only those in front that are mapped as the first is. */
void soak_change_begin(struct soak *soak, struct soak_worker *w, struct soak_change *change);

/* They are so from now on. @rights: of enum vm_flags, or one of these; @lossy: their contents are
 * gone. */
#define SOAK_UNMAPPED    (-1)
#define SOAK_AS_THEY_ARE (-2)
void soak_change_end(struct soak *soak, struct soak_worker *w, const struct soak_change *change,
                     int rights, bool lossy);

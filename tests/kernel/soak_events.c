/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/soak_events.c - what the workers of a soak do, by chance
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  soak_slot.seq, over calls of mm/.
 * Always: (1) after each call that has waited the worker's space is loaded again;
 *         (2) an access is never made within a change, and a call is told of pages of one kind.
 * Source: tests/kernel/soak.h.
 * Tour:   after tests/kernel/soak_model.c; then soak.c.
 */
#include "soak.h"

#include "kernel/task.h"
#include <mm/limbo.h>

#define TRIES     8         /* of an access, each after a fault */
#define REST_LONG 300       /* pauses */
#define HOT       16        /* pages that are chosen more often, of each half */
#define WORD_STEP 64        /* each worker's word in a page has a cache line */
#define STRETCH   (1 << 14) /* events */

/* After a call that may have waited: the space is to be used again, as by a program that goes on.
 * Not otherwise: who comes back to a space catches up with it. */
static void go_on(struct soak_worker *w)
{
    const struct schedulable *sched = &task_current()->sched;
    uint64_t switches = sched->nr_waits + sched->nr_preemptions;

    if (w->switches != switches)
        kit_load(w->space->mm);
    w->switches = switches;
}

/* xorshift64* (Vigna 2016). */
static uint64_t draw(struct soak_worker *w)
{
    uint64_t x = w->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    w->random = x;
    return x * 0x2545f4914f6cdd1dUL >> 32;
}

static bool one_in(struct soak_worker *w, uint64_t nr)
{
    return draw(w) % nr == 0;
}

static uint64_t any_page(struct soak_worker *w)
{
    uint64_t page = draw(w) % SOAK_PAGES;

    return one_in(w, 4) ? page : page / SOAK_HALF * SOAK_HALF + page % HOT;
}

/* A copy that is refused goes on byte by byte, and may mix two words: so it reads twice. */
static bool try_once(struct soak_touch *t)
{
    uint64_t va = AT(t->page) + t->whose * WORD_STEP, before;

    if (t->write)
        return kit_probe_write(va, t->word);
    do {
        if (!kit_probe_read(va, &before) || !kit_probe_read(va, &t->word))
            return false;
    } while (before != t->word);
    return true;
}

/* Where others may be late, that is over as soon as anything is flushed: there are stretches in
 * which pages are written and discarded, and little else. */
static bool is_stretch_of_discards(const struct soak *soak)
{
    return soak->weak && atomic_load_explicit(&soak->begun, memory_order_relaxed) & STRETCH;
}

/* Of zeros that were read a write makes all CPUs forget. */
static bool should_write(const struct soak *soak, const struct soak_worker *w, uint64_t page)
{
    const struct soak_slot *slot = &w->space->slots[page];
    uint64_t written = atomic_load_explicit(&slot->written[w->who], memory_order_relaxed);

    return is_stretch_of_discards(soak) && written >> 32 != READ_ONCE(slot->life);
}

static enum soak_event touch(struct soak *soak, struct soak_worker *w, bool write)
{
    struct soak_touch t = {.page = any_page(w), .whose = w->who};
    bool resolved = true;

    t.write = write || should_write(soak, w, t.page);
    if (!t.write && one_in(w, 2))
        t.whose = draw(w) % soak->nr;
    for (unsigned i = 0; i < TRIES && resolved; i++) {
        soak_look(w, &t);
        t.could = try_once(&t);
        soak_judge(soak, w, &t);
        if (t.could)
            break;
        enum fault_access access = t.write ? ACCESS_WRITE : ACCESS_READ;
        resolved = mm_fault(w->space->mm, user(AT(t.page)), access) == FAULT_RESOLVED;
        go_on(w);
        soak_judge_fault(soak, w, &t, resolved);
        w->faults += resolved;
    }
    if (resolved && !t.could)
        soak_judge_fault(soak, w, &t, false);
    return t.write ? SOAK_WRITE : SOAK_READ;
}

/* 1 page, mostly; or some, or more than are forgotten one by one. Of one half. */
static struct soak_change some_pages(struct soak_worker *w)
{
    struct soak_change change = {.page = any_page(w), .nr = 1};
    uint64_t room = SOAK_HALF - change.page % SOAK_HALF;

    if (one_in(w, 3))
        change.nr = min(1 + draw(w) % (one_in(w, 4) ? 2 * TLB_CEILING : 4), room);
    return change;
}

static void expect_done(struct soak *soak, int err, const char *what)
{
    if (err && atomic_fetch_add(&soak->refused, 1) == 0)
        ktest_note("soak: %s: error %d", what, -err);
}

static enum soak_event map(struct soak *soak, struct soak_worker *w, const struct soak_change *c)
{
    uint32_t size = c->page < SOAK_HALF ? VM_NOHUGEPAGE : VM_HUGEPAGE;

    expect_done(soak, kit_map(w->space->mm, c->page, c->nr, RW | size), "map");
    soak_change_end(soak, w, c, VM_READ | VM_WRITE, false);
    return SOAK_MAP;
}

static enum soak_event unmap(struct soak *soak, struct soak_worker *w, const struct soak_change *c)
{
    expect_done(soak, mm_unmap(w->space->mm, AT(c->page), c->nr * PAGE_SIZE), "unmap");
    soak_change_end(soak, w, c, SOAK_UNMAPPED, true);
    return SOAK_UNMAP;
}

static enum soak_event discard(struct soak *soak, struct soak_worker *w,
                               const struct soak_change *c)
{
    expect_done(soak, mm_discard(w->space->mm, AT(c->page), c->nr * PAGE_SIZE), "discard");
    soak_change_end(soak, w, c, SOAK_AS_THEY_ARE, true);
    return SOAK_DISCARD;
}

static enum soak_event protect(struct soak *soak, struct soak_worker *w,
                               const struct soak_change *c)
{
    static const uint32_t rights[] = {0, VM_READ, VM_READ | VM_WRITE, VM_READ | VM_WRITE};
    uint32_t chosen = rights[draw(w) % ARRAY_SIZE(rights)];

    expect_done(soak, mm_protect(w->space->mm, AT(c->page), c->nr * PAGE_SIZE, chosen, 0),
                "protect");
    soak_change_end(soak, w, c, (int)chosen, false);
    return SOAK_PROTECT;
}

static enum soak_event change_mapped(struct soak *soak, struct soak_worker *w,
                                     const struct soak_change *c)
{
    uint64_t dice = draw(w) % (is_stretch_of_discards(soak) ? 256 : 8);

    if (dice == 0)
        return unmap(soak, w, c);
    return dice < 6 && dice > 2 ? protect(soak, w, c) : discard(soak, w, c);
}

static enum soak_event change(struct soak *soak, struct soak_worker *w)
{
    struct soak_change c = some_pages(w);

    soak_change_begin(soak, w, &c);
    return c.mapped ? change_mapped(soak, w, &c) : map(soak, w, &c);
}

/* A half becomes one area again, in which there may be a huge leaf. */
static enum soak_event renew(struct soak *soak, struct soak_worker *w)
{
    uint64_t first = one_in(w, 2) ? SOAK_HALF : 0, end = first + SOAK_HALF;
    struct soak_change c;

    for (uint64_t page = first; page < end; page = c.page + c.nr) {
        c = (struct soak_change){.page = page, .nr = end - page};
        soak_change_begin(soak, w, &c);
        unmap(soak, w, &c);
    }
    c = (struct soak_change){.page = first, .nr = SOAK_HALF};
    soak_change_begin(soak, w, &c);
    if (c.mapped) /* another was faster */
        unmap(soak, w, &c);
    else
        map(soak, w, &c);
    return SOAK_RENEW;
}

static enum soak_event go_elsewhere(struct soak *soak, struct soak_worker *w)
{
    w->at = one_in(w, 4) ? draw(w) % SOAK_SPACES : 0;
    w->space = &soak->spaces[w->at];
    kit_load(w->space->mm);
    return SOAK_SWITCH;
}

static enum soak_event rest(struct soak_worker *w)
{
    if (one_in(w, 2)) {
        kit_unload();
    } else {
        irq_flags_t flags = irq_save();
        tlb_idle();
        irq_restore(flags);
    }
    for (unsigned i = 0; i < REST_LONG; i++)
        cpu_relax();
    kit_load(w->space->mm);
    return SOAK_REST;
}

static enum soak_event call(struct soak *soak, struct soak_worker *w)
{
    enum soak_event event;

    if (one_in(w, 256))
        event = renew(soak, w);
    else if (soak->weak && one_in(w, 6))
        limbo_drain(), event = SOAK_SETTLE;
    else
        event = change(soak, w);
    go_on(w);
    return event;
}

static enum soak_event any_event(struct soak *soak, struct soak_worker *w)
{
    uint64_t dice = draw(w) % 1024;

    if (dice == 0)
        return rest(w);
    if (dice <= 2)
        return go_elsewhere(soak, w);
    if (dice < 128)
        return call(soak, w);
    return touch(soak, w, dice % 8 < 3);
}

void soak_event(struct soak *soak, struct soak_worker *w)
{
    w->events[any_event(soak, w)]++;
}

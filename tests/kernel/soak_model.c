/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/soak_model.c - what a CPU may see of a page while others change it
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  soak_slot.seq; see tests/kernel/soak.h.
 * Always: (1) a word that is read is 0, or one of that worker for that page, whatever is under way:
 *             a frame is never another's while somebody reaches it;
 *         (2) what is sure, and settled, is as after the last change: old contents, old rights and
 *             writes that were lost count as stale;
 *         (3) where the policy lets others be late, (2) is claimed of who took the contents away,
 *             and of all once something new was mapped there.
 * Source: docs/tlb.md, "The policies".
 * Tour:   after tests/kernel/soak.h; then soak_events.c.
 */
#include "soak.h"

#define REPORTS 10

static struct soak_slot *slot_of(const struct soak_worker *w, uint64_t page)
{
    return &w->space->slots[page];
}

static uint32_t owner(unsigned space, uint64_t page, unsigned whose)
{
    return (uint32_t)((space + 1) << 24 | page << 8 | whose);
}

void soak_look(const struct soak_worker *w, struct soak_touch *t)
{
    struct soak_slot *slot = slot_of(w, t->page);

    t->seq = atomic_load_explicit(&slot->seq, memory_order_acquire);
    t->written = atomic_load_explicit(&slot->written[t->whose], memory_order_acquire);
    t->life = READ_ONCE(slot->life);
    t->gone = READ_ONCE(slot->gone[t->whose]);
    t->gone_for_all = READ_ONCE(slot->gone_for_all[t->whose]);
    int rights = READ_ONCE(slot->rights);
    t->allowed = rights != SOAK_UNMAPPED && (rights & (t->write ? VM_WRITE : VM_READ));
    t->settled = READ_ONCE(slot->settled);
    if (t->write)
        t->word = (uint64_t)owner(w->at, t->page, w->who) << 32 | (w->finished + 1);
}

/* No change of the page is under way, nor was one since soak_look(). */
static bool is_sure(const struct soak_worker *w, const struct soak_touch *t)
{
    atomic_thread_fence(memory_order_seq_cst);
    return !(t->seq & 1) && atomic_load(&slot_of(w, t->page)->seq) == t->seq;
}

/* It was @w who took what was there. */
static bool is_own_loss(const struct soak_worker *w, const struct soak_touch *t)
{
    return w->lost_life[w->at][t->page] == t->life;
}

static void report(struct soak *soak, const struct soak_worker *w, const struct soak_touch *t,
                   const char *what)
{
    if (atomic_fetch_add(&soak->stale, 1) < REPORTS)
        ktest_note("soak: STALE: %s: worker %u, space %u, page %lu, %s of %u: %#lx; life %u, %s, "
                   "gone %u, surely %#lx",
                   what, w->who, w->at, t->page, t->write ? "write" : "read", t->whose, t->word,
                   t->life, t->settled ? "settled" : "unsettled", t->gone, t->written);
}

static void judge_contents(struct soak *soak, struct soak_worker *w, const struct soak_touch *t)
{
    uint32_t number = (uint32_t)t->word, surely = (uint32_t)t->written;
    bool own = is_own_loss(w, t);

    if (number && number <= (t->settled || own ? t->gone : t->gone_for_all))
        report(soak, w, t, "what was lost");
    if (t->written >> 32 == t->life && number < surely &&
        (t->settled || (own && t->whose == w->who)))
        report(soak, w, t, "not what was written");
}

static void note_written(struct soak_worker *w, const struct soak_touch *t)
{
    atomic_store_explicit(&slot_of(w, t->page)->written[w->who],
                          (uint64_t)t->life << 32 | (uint32_t)t->word, memory_order_release);
}

void soak_judge(struct soak *soak, struct soak_worker *w, const struct soak_touch *t)
{
    bool sure = is_sure(w, t);

    if (t->could && !t->write && t->word && t->word >> 32 != owner(w->at, t->page, t->whose))
        report(soak, w, t, "another frame");
    if (sure) {
        w->judged++;
        if (t->could && !t->allowed && (t->settled || is_own_loss(w, t)))
            report(soak, w, t, "a right that is gone");
        if (t->could && !t->write)
            judge_contents(soak, w, t);
        else if (t->could && t->allowed) /* else it went where he was late to leave */
            note_written(w, t);
    }
    if (t->could && t->write) /* from here on others may call it lost */
        atomic_store_explicit(&w->finished, (uint32_t)t->word, memory_order_release);
}

void soak_judge_fault(struct soak *soak, struct soak_worker *w, const struct soak_touch *t,
                      bool resolved)
{
    if (!is_sure(w, t) || resolved == t->allowed)
        return;
    if (atomic_fetch_add(&soak->refused, 1) < REPORTS)
        ktest_note("soak: worker %u, space %u, page %lu: a %s is %s", w->who, w->at, t->page,
                   t->write ? "write" : "read", resolved ? "resolved" : "refused");
}

static void slot_lock(struct soak_slot *slot)
{
    for (;;) {
        uint32_t seq = atomic_load_explicit(&slot->seq, memory_order_relaxed);
        if (!(seq & 1) && atomic_compare_exchange_weak(&slot->seq, &seq, seq + 1))
            return;
        cpu_relax();
    }
}

/* @by: 1, or, where nothing was begun, -1. */
static void slot_unlock(struct soak_slot *slot, int by)
{
    atomic_store_explicit(&slot->seq, slot->seq + by, memory_order_release);
}

void soak_change_begin(struct soak *soak, struct soak_worker *w, struct soak_change *change)
{
    struct soak_slot *slots = slot_of(w, change->page);
    uint64_t locked = 0;

    slot_lock(&slots[locked++]);
    change->mapped = slots->rights != SOAK_UNMAPPED;
    while (locked < change->nr) {
        slot_lock(&slots[locked]);
        if ((slots[locked].rights != SOAK_UNMAPPED) != change->mapped) {
            slot_unlock(&slots[locked], -1);
            break;
        }
        locked++;
    }
    change->nr = locked;
    for (unsigned i = 0; i < soak->nr; i++)
        change->finished[i] = atomic_load(&soak->workers[i].finished);
}

static void lose(struct soak *soak, struct soak_slot *slot, const struct soak_change *change)
{
    slot->life++;
    slot->settled = !soak->weak;
    for (unsigned i = 0; i < soak->nr; i++)
        slot->gone[i] = change->finished[i];
}

/* Whoever could be late is not any more. */
static void settle(struct soak *soak, struct soak_slot *slot)
{
    slot->settled = true;
    for (unsigned i = 0; i < soak->nr; i++)
        slot->gone_for_all[i] = slot->gone[i];
}

void soak_change_end(struct soak *soak, struct soak_worker *w, const struct soak_change *change,
                     int rights, bool lossy)
{
    for (uint64_t page = change->page; page < change->page + change->nr; page++) {
        struct soak_slot *slot = slot_of(w, page);
        if (lossy) {
            lose(soak, slot, change);
            w->lost_life[w->at][page] = slot->life;
        }
        if (rights != SOAK_UNMAPPED && slot->rights == SOAK_UNMAPPED)
            settle(soak, slot);
        if (rights != SOAK_AS_THEY_ARE)
            slot->rights = rights;
        slot_unlock(slot, 1);
    }
}

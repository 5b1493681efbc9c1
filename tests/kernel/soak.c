/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/soak.c - millions of memory calls on all CPUs: does anybody use what was taken away?
 *
 * Room:   tests/kernel.
 * Owns:   the run of each policy.
 * Locks:  none; see tests/kernel/soak.h.
 * Always: (1) it ends after soak.events events, or when enough is wrong;
 *         (2) an accepted run has done each kind of event;
 *         (3) soak.seed gives each worker its own sequence, the same in every run: how these meet
 *             is up to the CPUs.
 * Source: docs/tlb.md, "What shows that it is right"; tools/soak starts it.
 * Tour:   after tests/kernel/soak_events.c.
 */
#include "soak.h"

#include <asm/time.h>
#include <mm/limbo.h>
#include <mm/thp.h>

#define SECOND     (1000 * 1000 * 1000UL)
#define TELL_EVERY (10 * SECOND)
#define BATCH      256
#define FEW_EVENTS 20000 /* where nobody says how many */

static const char *const names[SOAK_EVENTS] = {"reads",    "writes",   "maps",   "unmaps",
                                               "protects", "discards", "renews", "switches",
                                               "rests",    "settles"};

static uint64_t sum(const struct soak *soak)
{
    uint64_t nr = 0;

    for (unsigned i = 0; i < soak->nr; i++)
        for (unsigned event = 0; event < SOAK_EVENTS; event++)
            nr += READ_ONCE(soak->workers[i].events[event]);
    return nr;
}

static void tell(const struct soak *soak, const char *end)
{
    uint64_t done = sum(soak), ms = max((clock_ns() - soak->started_ns) / 1000000, 1UL);

    ktest_note("soak: %s, seed %lu, %u CPUs: %lu of %lu events, %lu s, %lu/s, %u stale%s",
               soak->policy, soak->seed, soak->nr, done, soak->wanted, ms / 1000, done * 1000 / ms,
               atomic_load(&soak->stale), end);
}

static void tell_now_and_then(struct soak *soak)
{
    uint64_t now = clock_ns();

    if (now - soak->told_ns < TELL_EVERY)
        return;
    soak->told_ns = now;
    tell(soak, "");
}

/* Where an emulator runs its CPUs in turn, each until the next timer is due, they are to take turns
 * in the middle of whatever they do. */
static void tick(struct timer *timer)
{
    timer_start(timer, clock_ns() + container_of(timer, struct soak, tick)->tick_ns);
}

static void tick_begin(struct soak *soak)
{
    irq_flags_t flags = irq_save();

    soak->tick.fire = tick;
    if (soak->tick_ns)
        tick(&soak->tick);
    irq_restore(flags);
}

static bool goes_on(struct soak *soak)
{
    return atomic_fetch_add(&soak->begun, BATCH) < soak->wanted &&
           atomic_load(&soak->stale) + atomic_load(&soak->refused) < SOAK_ENOUGH;
}

static void work(struct crew *crew, unsigned who)
{
    struct soak *soak = container_of(crew, struct soak, crew);
    struct soak_worker *w = &soak->workers[who];

    if (who >= soak->nr)
        return;
    if (who == 0)
        tick_begin(soak);
    kit_load(w->space->mm);
    while (goes_on(soak)) {
        for (unsigned i = 0; i < BATCH; i++)
            soak_event(soak, w);
        if (who == 0)
            tell_now_and_then(soak);
    }
    kit_unload();
    if (who == 0)
        timer_stop(&soak->tick);
}

static bool make_spaces(struct soak *soak)
{
    for (unsigned i = 0; i < SOAK_SPACES; i++) {
        struct soak_space *space = &soak->spaces[i];
        space->mm = kit_mm();
        if (!space->mm)
            return false;
        for (unsigned page = 0; page < SOAK_PAGES; page++) {
            space->slots[page].rights = SOAK_UNMAPPED;
            space->slots[page].settled = true;
        }
    }
    return true;
}

static void drop_spaces(struct soak *soak)
{
    limbo_drain();
    for (unsigned i = 0; i < SOAK_SPACES; i++) {
        if (!soak->spaces[i].mm)
            continue;
        tlb_leave(&soak->spaces[i].mm->pgtable);
        kit_mm_put(soak->spaces[i].mm);
    }
}

static void make_workers(struct soak *soak)
{
    for (unsigned i = 0; i < soak->nr; i++) {
        struct soak_worker *w = &soak->workers[i];
        w->who = i;
        w->random = (soak->seed * SOAK_WORKERS + i) * 0x9e3779b97f4a7c15UL + 1;
        w->space = &soak->spaces[0];
    }
}

/* Was it worth its time? */
static void look_back(struct soak *soak, uint64_t ipis)
{
    uint64_t judged = 0, faults = 0, nr[SOAK_EVENTS] = {0};

    for (unsigned i = 0; i < soak->nr; i++) {
        judged += soak->workers[i].judged;
        faults += soak->workers[i].faults;
        for (unsigned event = 0; event < SOAK_EVENTS; event++)
            nr[event] += soak->workers[i].events[event];
    }
    for (unsigned event = 0; event < SOAK_EVENTS; event++) {
        ktest_note("soak: %s: %lu %s", soak->policy, nr[event], names[event]);
        EXPECT(nr[event] || (event == SOAK_SETTLE && !soak->weak), "%s", names[event]);
    }
    ktest_note("soak: %s: %lu accesses judged, %lu faults, %lu interrupts", soak->policy, judged,
               faults, ipis);
    EXPECT(judged > soak->wanted / 4 && faults, "%lu of %lu", judged, soak->wanted);
    EXPECT(ipis || soak->nr == 1);
    EXPECT_EQ(atomic_load(&soak->stale), 0);
    EXPECT_EQ(atomic_load(&soak->refused), 0);
}

static void run(struct soak *soak, unsigned policy)
{
    struct tlb_settings usual = tlb_settings;
    unsigned usual_thp = thp_mode;
    uint64_t ipis = tlb_events(TLB_REMOTE_IPI);

    tlb_settings.policy = policy;
    thp_mode = THP_MADVISE;
    if (make_spaces(soak)) {
        make_workers(soak);
        soak->started_ns = soak->told_ns = clock_ns();
        crew_run_everywhere(&soak->crew);
        tell(soak, ": done");
        look_back(soak, tlb_events(TLB_REMOTE_IPI) - ipis);
    }
    drop_spaces(soak);
    tlb_settings = usual;
    thp_mode = usual_thp;
}

static void soak_under(unsigned policy, const char *name)
{
    static bool again[TLB_POLICIES]; /* by ktest_run(), for frames that were lost */
    unsigned order = 0;
    struct page *pages;

    while (PAGE_SIZE << order < sizeof(struct soak))
        order++;
    REQUIRE(page_alloc(order, PAGE_ALLOC_ZERO, &pages) == 0);
    struct soak *soak = page_kva(pages);
    soak->crew.work = work;
    soak->policy = name;
    soak->weak = policy >= TLB_LATE;
    soak->nr = min(nr_cpus(), (unsigned)SOAK_WORKERS);
    soak->wanted = again[policy] ? FEW_EVENTS : ktest_option("soak.events", FEW_EVENTS);
    again[policy] = true;
    soak->seed = ktest_option("soak.seed", 1);
    soak->tick_ns = ktest_option("soak.tick_ns", 0);
    run(soak, policy);
    page_free(pages, order);
}

KTEST(soak_under_sync)
{
    soak_under(TLB_SYNC, "sync");
}

KTEST(soak_under_early)
{
    soak_under(TLB_EARLY, "early");
}

KTEST(soak_under_late)
{
    soak_under(TLB_LATE, "late");
}

KTEST(soak_under_reuse)
{
    soak_under(TLB_REUSE, "reuse");
}

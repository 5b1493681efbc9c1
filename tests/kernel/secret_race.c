/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/secret_race.c - secret pages come and go while other CPUs look for them
 *
 * Room:   tests/kernel. Three threads of a crew: with fewer than four CPUs these tests are skipped.
 * Owns:   the frame that was secret last, for all to see.
 * Locks:  none.
 * Always: (1) a test ends after RACE_NS, or ROUNDS rounds, and says how many that were.
 * Source: trust.md S3, S5, B48, B51.
 * Tour:   after tests/kernel/secret.c, tests/kernel/smp.c; tests/user/secret_race.c does the rest.
 */
#include "crew.h"
#include "kit.h"

#include <asm/time.h>

#define ROUNDS  100000
#define RACE_NS 2000000000UL
#define PAGES   8
#define SECRET  0x5ec2e75ec2e75ec2UL

static struct {
    struct crew crew;
    _Atomic bool over;
    _Atomic uint64_t pfn;
    unsigned rounds;
} race;

static void wrong_if(bool is_wrong)
{
    atomic_fetch_add(&race.crew.wrong, is_wrong);
}

/* Write the secret, as a program does that has the space loaded. */
static void write_secret(uint64_t page)
{
    for (bool written = false; !written;) {
        wrong_if(mm_fault(race.crew.mm, user(AT(page)), ACCESS_WRITE) != FAULT_RESOLVED);
        atomic_store(&race.pfn, page_to_pfn(kit_page(race.crew.mm, page)));
        kit_load(race.crew.mm);
        written = kit_probe_write(AT(page), SECRET);
    }
}

/* The first of the crew: secrets come, all at once they go. */
static void come_and_go(void)
{
    uint64_t until = clock_ns() + RACE_NS;

    for (race.rounds = 0; race.rounds < ROUNDS && clock_ns() < until; race.rounds += PAGES) {
        for (uint64_t i = 0; i < PAGES; i++)
            write_secret(i);
        kit_truncate(race.crew.object, 0);
        kit_truncate(race.crew.object, PAGES * PAGE_SIZE);
    }
    kit_unload();
    atomic_store(&race.over, true);
}

/* S3: what was readable before, and is again later, is not while it is secret. */
static void look_through_the_direct_map(void)
{
    uint64_t word;

    while (!atomic_load(&race.over)) {
        bool read = kit_probe_read(DIRECT_MAP_BASE + atomic_load(&race.pfn) * PAGE_SIZE, &word);
        wrong_if(read && word == SECRET);
    }
}

/* S5: what the allocator gives is in the direct map, and holds no secret. */
static void be_the_next_owner(void)
{
    struct page *page;
    uint64_t word;

    while (!atomic_load(&race.over)) {
        if (page_alloc(0, PAGE_ALLOC_PLAIN, &page)) {
            wrong_if(true);
            continue;
        }
        wrong_if(!direct_map_present(page_to_pfn(page)));
        wrong_if(!kit_probe_read((uint64_t)page_kva(page), &word) || word == SECRET);
        page_free(page, 0);
    }
}

static void work_secrets(struct crew *crew, unsigned who)
{
    (void)crew;
    if (who == 0)
        come_and_go();
    else if (who == 1)
        look_through_the_direct_map();
    else
        be_the_next_owner();
}

/* Two fault the same pages, and drop them all when both are done; the third allocates. */
static void work_losers(struct crew *crew, unsigned who)
{
    static _Atomic unsigned turns;
    uint64_t until = clock_ns() + RACE_NS;
    struct page *page;

    if (who > 1) {
        be_the_next_owner();
        return;
    }
    for (unsigned i = 0; i < ROUNDS && clock_ns() < until && !atomic_load(&race.over); i++) {
        wrong_if(crew->object->ops->get_page(crew->object, i % PAGES, OBJECT_GET_ALLOCATE, &page));
        page_put(page);
        if (i % PAGES == PAGES - 1 && atomic_fetch_add(&turns, 1) % 2)
            kit_truncate(crew->object, 0);
        race.rounds += who == 0;
    }
    atomic_store(&race.over, true);
}

/* One faults, one truncates, the third allocates. */
static void work_truncated(struct crew *crew, unsigned who)
{
    uint64_t until = clock_ns() + RACE_NS;

    if (who > 1) {
        be_the_next_owner();
        return;
    }
    for (unsigned i = 0; i < ROUNDS && clock_ns() < until && !atomic_load(&race.over); i++) {
        if (who) {
            kit_truncate(crew->object, i % 2 ? PAGES * PAGE_SIZE : 0);
            continue;
        }
        enum fault_result result = mm_fault(crew->mm, user(AT(i % PAGES)), ACCESS_WRITE);
        wrong_if(result != FAULT_RESOLVED && result != FAULT_BEYOND);
        race.rounds++;
    }
    atomic_store(&race.over, true);
}

static void race_with(void (*work)(struct crew *crew, unsigned who), uint64_t block_pages)
{
    uint64_t before = secret_pool_settings.block_pages;

    if (nr_cpus() < 4) {
        ktest_skip("fewer than four CPUs");
        return;
    }
    secret_pool_settings.block_pages = block_pages;
    secret_pool_shrink();
    race.crew =
        (struct crew){.work = work, .mm = kit_mm(), .object = kit_object(&secretmem_ops, PAGES)};
    atomic_store(&race.over, false);
    race.rounds = 0;
    REQUIRE(race.crew.mm && race.crew.object);
    EXPECT(kit_map_object(race.crew.mm, 0, PAGES, RW | VM_SHARED, race.crew.object, 0) == 0);
    crew_run(&race.crew);
    ktest_note("%u rounds", race.rounds);
    kit_mm_put(race.crew.mm);
    object_put(race.crew.object);
    EXPECT_EQ(secretmem_pages(), 0);
    secret_pool_shrink();
    secret_pool_settings.block_pages = before;
}

KTEST(secret_pages_of_a_pool_come_and_go_unseen)
{
    race_with(work_secrets, SECRET_BLOCK_PAGES_MAX);
}

KTEST(secret_pages_that_are_hidden_one_by_one_come_and_go_unseen)
{
    race_with(work_secrets, 1);
}

KTEST(secret_page_of_the_fault_that_came_second_is_in_the_direct_map_before_it_is_free)
{
    race_with(work_losers, 1);
}

KTEST(secret_faults_against_truncation_leave_nothing_to_the_next_owner)
{
    race_with(work_truncated, 1);
}

KTEST(secret_page_of_the_fault_that_came_second_goes_back_to_the_pool)
{
    race_with(work_losers, SECRET_BLOCK_PAGES_MAX);
}

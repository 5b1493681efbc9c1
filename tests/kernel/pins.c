/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/pins.c - pins and seals at once: who writes to a page, and who says that nobody does
 *
 * Room:   tests/kernel. With less than three CPUs these tests are skipped.
 * Owns:   nothing.
 * Locks:  those of what it calls.
 * Always: (1) a seal is taken back as soon as it was looked at, so that rounds go on.
 * Source: mm/pin.c, mm/pin_scan.c; trust.md V8, V12, B36, B38.
 * Tour:   after tests/kernel/crew.h; tests/user/pins.c is the same as programs see it.
 */
#include "crew.h"

#include <asm/time.h>
#include <mm/pin.h>

#define ROUNDS 100000U
#define SEALS  1000U                      /* of them, at least */
#define LASTS  (8 * 1000 * 1000 * 1000UL) /* ns, at most */
#define LOOKS  20                         /* how long a seal, or a pin, is held .. */
#define RESTS  200                        /* .. and how long nobody has one, so that others can */
#define PAGES  8

static struct {
    _Atomic bool sealed, done;
    _Atomic unsigned seals, pins, refusals;
} race;

/* As ADD_SEALS does without waiting. True: nobody can write any more. */
static bool seal(struct object *object)
{
    if (object_deny_writers(object))
        return false;
    bool pinned = object_mark_pinned(object);
    if (pinned)
        pinned = object_scan_marked(object, PIN_MARKS_GO);
    if (pinned)
        object_allow_writers(object);
    return !pinned;
}

static void dawdle(unsigned looks)
{
    while (looks--)
        cpu_relax();
}

static void seal_once(struct object *object)
{
    mutex_lock(&object->lock);
    bool sealed = seal(object);
    atomic_store(&race.sealed, sealed);
    atomic_fetch_add(sealed ? &race.seals : &race.refusals, 1);
    if (sealed) {
        dawdle(LOOKS);
        atomic_store(&race.sealed, false);
        object_allow_writers(object);
    }
    mutex_unlock(&object->lock);
}

static void work_sealer(struct crew *crew)
{
    uint64_t end = clock_ns() + LASTS;

    for (unsigned i = 0; (i < ROUNDS || race.seals < SEALS) && clock_ns() < end; i++) {
        seal_once(crew->object);
        dawdle(RESTS);
    }
    atomic_store(&race.done, true);
}

/* While the page is pinned for writing, there is no seal. */
static void hold(struct crew *crew, struct page *page)
{
    bool both = false;

    for (unsigned look = 0; look < LOOKS; look++)
        both |= atomic_load(&race.sealed);
    atomic_fetch_add(&crew->wrong, both);
    atomic_fetch_add(&race.pins, 1);
    page_unkeep(page);
}

/* By a mapping that is gone when the pin is looked at, as a device does with an address. */
static void pin_mapped(struct crew *crew, struct mm *mm, uint64_t index)
{
    struct page *page;

    if (kit_map_object(mm, 0, PAGES, RW | VM_SHARED, crew->object, 0))
        return;
    int err = mm_pin(mm, AT(index), KEEP_TO_WRITE, &page);
    atomic_fetch_add(&crew->wrong, mm_unmap(mm, AT(0), PAGES * PAGE_SIZE) != 0);
    if (!err)
        hold(crew, page);
}

/* As /dev/udmabuf does. */
static void pin_of_object(struct crew *crew, uint64_t index)
{
    struct page *page = NULL;

    mutex_lock(&crew->object->lock);
    if (!atomic_load(&race.sealed) && object_keep(crew->object, index * PAGE_SIZE, &page))
        atomic_fetch_add(&crew->wrong, 1);
    mutex_unlock(&crew->object->lock);
    if (page)
        hold(crew, page);
}

static void work_pin_and_seal(struct crew *crew, unsigned who)
{
    struct mm *mm;

    if (!who) {
        work_sealer(crew);
        return;
    }
    if (mm_create(&mm)) {
        atomic_fetch_add(&crew->wrong, 1);
        return;
    }
    for (uint64_t i = 0; !atomic_load(&race.done); i++) {
        if (i % 4)
            pin_of_object(crew, i % PAGES);
        else
            pin_mapped(crew, mm, i % PAGES);
        dawdle(RESTS);
    }
    mm_put(mm);
}

KTEST(an_object_is_sealed_or_pinned)
{
    static struct crew crew;

    if (nr_cpus() < 3) {
        ktest_skip("less than three CPUs");
        return;
    }
    atomic_store(&race.done, false);
    crew = (struct crew){.work = work_pin_and_seal, .object = kit_object(&shmem_ops, PAGES)};
    REQUIRE(crew.object);
    crew_run(&crew);
    EXPECT(race.seals && race.pins && race.refusals, "%u seals, %u pins, %u refusals", race.seals,
           race.pins, race.refusals);
    EXPECT_EQ(pins_count(), 0);
    EXPECT(vm_check() == 0);
    object_put(crew.object);
}

KTEST(pages_are_counted_pin_by_pin)
{
    struct object *object = kit_object(&shmem_ops, 2), *borrower = kit_object(&borrowed_ops, 0);
    struct page *kept, *held;
    REQUIRE(object && borrower);

    EXPECT(object_keep(object, 0, &kept) == 0 && object_pin(object, 0, &held) == 0);
    EXPECT(held == kept && kept->pins == 2 && kept->keeps == 1 && kept->refcount == 3);
    EXPECT(object_borrow(borrower, object, 0, 2 * PAGE_SIZE) == 0);
    EXPECT(kept->pins == 3 && kept->keeps == 2);
    EXPECT(object_borrow(borrower, object, 2 * PAGE_SIZE, PAGE_SIZE) == -EINVAL);
    EXPECT_EQ(pins_count(), 4);
    EXPECT(vm_check() == 0);
    object_put(object); /* the pages live on */
    EXPECT(kept->pins == 3 && kept->refcount == 3 && !kept->object);
    object_put(borrower);
    page_unkeep(kept);
    EXPECT(kept->refcount == 1);
    page_unpin(held);
    EXPECT_EQ(pins_count(), 0);
    EXPECT(vm_check() == 0);
}

/* What is pinned while its object is sealed is marked, and nothing else; then nothing is. */
KTEST(marks_are_on_what_is_pinned_and_go)
{
    struct object *object = kit_object(&shmem_ops, 200);
    struct page *a, *b;
    REQUIRE(object);

    for (uint64_t i = 0; i < 200; i++) {
        REQUIRE(object_keep(object, i * PAGE_SIZE, &a) == 0);
        page_unkeep(a);
    }
    EXPECT(!object_mark_pinned(object));
    EXPECT(object_keep(object, 70 * PAGE_SIZE, &a) == 0);
    EXPECT(object_keep(object, 199 * PAGE_SIZE, &b) == 0);
    mutex_lock(&object->lock);
    EXPECT(object_mark_pinned(object));
    for (uint64_t i = 0; i < 200; i++)
        EXPECT_EQ(index_test_mark(&object->folios, i, INDEX_MARK_PINNED), i == 70 || i == 199);
    page_unkeep(a);
    EXPECT(object_scan_marked(object, PIN_MARKS_STAY));
    EXPECT(!index_test_mark(&object->folios, 70, INDEX_MARK_PINNED));
    EXPECT(object_scan_marked(object, PIN_MARKS_GO));
    EXPECT(!index_has_mark(&object->folios, INDEX_MARK_PINNED));
    mutex_unlock(&object->lock);
    page_unkeep(b);
    EXPECT(vm_check() == 0);
    object_put(object);
}

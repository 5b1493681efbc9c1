/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slab.c - objects: reuse, isolation, reclaim, injected failure, planted damage
 *
 * Room:   tests/host.
 * Owns:   a model that knows every object and what it holds.
 * Locks:  none.
 * Always: (1) after every storm all checkers agree, and reclaim brings every frame back.
 * Source: mm/slab.c, mm/kmem.c; trust.md V21, V23, V24, P4.
 * Tour:   with mm/slab.c.
 */
#include "machine.h"

#include <asm/cpu.h>
#include <base/fail.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <mm/slab.h>

#define OBJECTS_MAX 60000
#define RAM         (16 * MIB)

struct object {
    unsigned char *at;
    size_t len;
    unsigned char fill;
};

static struct object objects[OBJECTS_MAX];
static unsigned nr_objects;
static struct slab_cache widgets, lines;
static uint64_t free_at_start;

static uint64_t free_frames(void)
{
    struct page_counts counts;

    page_counts(&counts);
    return counts.free;
}

static void assert_sound(void)
{
    if (slab_check() != 0 || buddy_check() != 0 || page_accounting_check() != 0)
        fail_msg("%s", host_log_line);
}

static int start(void **state)
{
    (void)state;
    host_machine_start(RAM);
    kmem_init();
    slab_cache_init(&widgets, "widget", 72, 0);
    slab_cache_init(&lines, "line", 40, 64);
    free_at_start = free_frames();
    return 0;
}

/* Every test leaves the machine as it found it: that is a claim too (V24). */
static int stop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < nr_objects; i++)
        kmem_free(objects[i].at);
    nr_objects = 0;
    host_cpu = 0;
    slab_reclaim();
    buddy_reclaim();
    assert_sound();
    for (unsigned n = 0; slab_cache_nth(n) != NULL; n++)
        assert_int_equal(slab_objects_in_use(slab_cache_nth(n)), 0);
    assert_int_equal(free_frames(), free_at_start);
    return 0;
}

static bool take(size_t len)
{
    struct object *object = &objects[nr_objects];

    if (nr_objects == OBJECTS_MAX)
        return false;
    object->at = kmem_alloc(len, SLAB_ALLOC_PLAIN);
    if (object->at == NULL)
        return false;
    object->len = len;
    object->fill = (unsigned char)host_random();
    memset(object->at, object->fill, len);
    nr_objects++;
    return true;
}

static void give(unsigned i)
{
    for (size_t byte = 0; byte < objects[i].len; byte++)
        assert_int_equal(objects[i].at[byte], objects[i].fill);
    kmem_free(objects[i].at);
    objects[i] = objects[--nr_objects];
}

static void objects_are_aligned_and_apart(void **state)
{
    (void)state;
    unsigned char *got[200];

    for (unsigned i = 0; i < 200; i++) {
        got[i] = slab_alloc(&lines, SLAB_ALLOC_PLAIN);
        assert_non_null(got[i]);
        assert_true(is_aligned((uint64_t)(got[i] - (unsigned char *)host_ram), 64));
        memset(got[i], (int)i, 40);
    }
    for (unsigned i = 0; i < 200; i++) {
        for (unsigned byte = 0; byte < 40; byte++)
            assert_int_equal(got[i][byte], (unsigned char)i);
    }
    assert_int_equal(slab_objects_in_use(&lines), 200);
    for (unsigned i = 0; i < 200; i++)
        slab_free(&lines, got[i]);
}

static void zero_flag_zeroes_a_used_object(void **state)
{
    (void)state;
    unsigned char *object = slab_alloc(&widgets, SLAB_ALLOC_PLAIN);

    memset(object, 0xee, 72);
    slab_free(&widgets, object);

    unsigned char *again = slab_alloc(&widgets, SLAB_ALLOC_ZERO);

    assert_ptr_equal(again, object); /* last freed, first reused: it is warm in the cache */
    for (unsigned byte = 0; byte < 72; byte++)
        assert_int_equal(again[byte], 0);
    slab_free(&widgets, again);
}

static void every_length_fits_and_is_aligned(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 20000; len += len < 2200 ? 1 : 997) {
        unsigned char *p = kmem_alloc(len, SLAB_ALLOC_ZERO);

        assert_non_null(p);
        assert_true(is_aligned((uint64_t)(p - (unsigned char *)host_ram), 16));
        for (size_t byte = 0; byte < len; byte++)
            assert_int_equal(p[byte], 0);
        memset(p, 0xff, len);
        kmem_free(p);
    }
    assert_null(kmem_alloc(0, SLAB_ALLOC_PLAIN));
    assert_null(kmem_alloc(4 * MIB + 1, SLAB_ALLOC_PLAIN));
    assert_null(kmem_alloc(SIZE_MAX, SLAB_ALLOC_PLAIN));
    kmem_free(NULL);
    slab_free(&widgets, NULL);
}

static void random_storm_on_four_cpus_keeps_every_byte(void **state)
{
    (void)state;
    for (unsigned step = 0; step < 30000; step++) {
        host_cpu = (unsigned)host_random_below(4);
        if (nr_objects == 0 || host_random_below(100) < 53)
            (void)take(1 + host_random_below(host_random_below(50) ? 2100 : 30000));
        else
            give((unsigned)host_random_below(nr_objects));
        if (step % 3000 == 0)
            assert_sound();
    }
    while (nr_objects > 0)
        give((unsigned)host_random_below(nr_objects));
}

static void exhaustion_is_null_and_all_memory_comes_back(void **state)
{
    (void)state;
    while (take(1000))
        ;
    while (take(16))
        ;
    assert_null(kmem_alloc(2048, SLAB_ALLOC_PLAIN));
    assert_sound();
    while (nr_objects > 0)
        give(nr_objects - 1);
    assert_true(take(1 * MIB)); /* empty slabs went back by themselves */
    give(0);
}

static void objects_waiting_on_other_cpus_are_found(void **state)
{
    (void)state;
    while (take(512))
        ;
    host_cpu = 5;
    for (unsigned i = 0; i < 40; i++)
        give(nr_objects - 1);
    host_cpu = 6;
    for (unsigned i = 0; i < 40; i++)
        assert_true(take(512));
    assert_false(take(512));
}

static void each_nth_failure_changes_nothing(void **state)
{
    (void)state;
    static const size_t lengths[] = {24, 700, 64, 2048, 5000, 130};

    for (unsigned n = 1; n <= 60; n++) {
        uint64_t before = free_frames();

        fail_at_set(n);
        for (unsigned i = 0; i < 30; i++)
            (void)take(lengths[i % ARRAY_SIZE(lengths)]);
        fail_at_set(0);
        while (nr_objects > 0)
            give(nr_objects - 1);
        slab_reclaim();
        assert_int_equal(free_frames(), before);
        assert_sound();
    }
    assert_true(fail_sites_failed() & 1 << FAIL_SLAB);
    assert_true(fail_sites_failed() & 1 << FAIL_PAGE);
}

static void at_most_one_empty_slab_is_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++)
        assert_true(take(72));
    while (nr_objects > 0)
        give((unsigned)host_random_below(nr_objects));
    slab_reclaim();
    buddy_reclaim();
    assert_int_equal(free_frames(), free_at_start);
}

static void write_past_the_end_is_caught(void **state)
{
    (void)state;
    if (DEBUG == 0)
        skip();

    unsigned char *object = slab_alloc(&widgets, SLAB_ALLOC_PLAIN);
    unsigned char before = object[72];

    object[72] = 1;
    assert_panics(slab_free(&widgets, object), "past its end");
    object[72] = before;
    slab_free(&widgets, object);
}

static void write_after_free_is_caught(void **state)
{
    (void)state;
    if (DEBUG == 0)
        skip();

    unsigned char *object = slab_alloc(&widgets, SLAB_ALLOC_PLAIN);

    slab_free(&widgets, object);
    object[10] ^= 1;
    assert_finds(slab_check(), "written to while free");
    object[10] ^= 1;
    assert_sound();
}

/* Loses the object: must be the last test. */
static void reuse_of_a_damaged_object_is_caught(void **state)
{
    (void)state;
    if (DEBUG == 0)
        skip();

    unsigned char *object = slab_alloc(&widgets, SLAB_ALLOC_PLAIN);

    slab_free(&widgets, object);
    object[71] ^= 1;
    assert_panics((void)!slab_alloc(&widgets, SLAB_ALLOC_PLAIN), "written to while free");
}

static void wrong_frees_are_caught(void **state)
{
    (void)state;
    if (DEBUG == 0)
        skip();

    unsigned char *object = slab_alloc(&widgets, SLAB_ALLOC_PLAIN);

    assert_panics(slab_free(&lines, object), "none of its objects");
    assert_panics(slab_free(&widgets, object + 8), "none of its objects");
    slab_free(&widgets, object);
    assert_panics(slab_free(&widgets, object), "freed twice");

    /* The panic left the object where it was: on this CPU's list, once. */
    assert_sound();
}

static void planted_damage_is_found(void **state)
{
    (void)state;
    void *object = slab_alloc(&widgets, SLAB_ALLOC_PLAIN);
    struct page *slab = page_head(kva_to_page(object));

    assert_sound();
    slab->slab.in_use++;
    assert_int_not_equal(slab_check(), 0);
    slab->slab.in_use--;

    widgets.nr_slabs++;
    assert_finds(slab_check(), "were lost");
    widgets.nr_slabs--;

    widgets.nr_taken--;
    assert_finds(slab_check(), "were lost");
    widgets.nr_taken++;

    void *free = slab->slab.free;

    slab->slab.free = (char *)free + 8;
    assert_finds(slab_check(), "out of its slabs");
    slab->slab.free = NULL;
    assert_finds(slab_check(), "has not the length");
    slab->slab.free = free;

    slab->slab.cache = &lines;
    assert_int_not_equal(slab_check(), 0);
    slab->slab.cache = &widgets;
    assert_sound();
    slab_free(&widgets, object);
}

#define SLAB_TEST(name) cmocka_unit_test_setup_teardown(name, NULL, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLAB_TEST(objects_are_aligned_and_apart),
        SLAB_TEST(zero_flag_zeroes_a_used_object),
        SLAB_TEST(every_length_fits_and_is_aligned),
        SLAB_TEST(random_storm_on_four_cpus_keeps_every_byte),
        SLAB_TEST(exhaustion_is_null_and_all_memory_comes_back),
        SLAB_TEST(objects_waiting_on_other_cpus_are_found),
        SLAB_TEST(each_nth_failure_changes_nothing),
        SLAB_TEST(at_most_one_empty_slab_is_kept),
        SLAB_TEST(write_past_the_end_is_caught),
        SLAB_TEST(write_after_free_is_caught),
        SLAB_TEST(wrong_frees_are_caught),
        SLAB_TEST(planted_damage_is_found),
        cmocka_unit_test(reuse_of_a_damaged_object_is_caught),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}

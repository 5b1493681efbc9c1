/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_index.c - the radix tree against a sorted array, with every allocation failing
 *
 * Room:   tests/host.
 * Owns:   the model, and a node allocator that counts and fails on demand.
 * Locks:  none.
 * Always: (1) an empty index owns no node; a failed insertion changed nothing.
 * Source: lib/index.c.
 * Tour:   with lib/index.c.
 */
#include "machine.h"

#include <lib/index.h>
#include <stdlib.h>
#include <uapi/errno.h>

#define KEYS 120

struct entry {
    uint64_t key;
    void *item; /* NULL: absent */
    bool marks[INDEX_MARKS];
};

static struct entry model[KEYS]; /* sorted by key */
static struct index idx;
static unsigned nr_nodes, fail_after = UINT32_MAX;
static char things[1000];

static struct index_node *new_node(void)
{
    if (fail_after == 0)
        return NULL;
    fail_after--;
    nr_nodes++;
    struct index_node *node = malloc(sizeof(*node));
    memset(node, 0xdd, sizeof(*node));
    return node;
}

static void free_node(struct index_node *node)
{
    nr_nodes--;
    free(node);
}

static const struct index_ops ops = {new_node, free_node};

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct entry *)a)->key;
    uint64_t y = ((const struct entry *)b)->key;

    return x < y ? -1 : x > y;
}

/* Distinct keys: dense ones from 0, clusters, and some all over 64 bits. */
static void start(void)
{
    index_init(&idx, &ops);
    for (unsigned i = 0; i < KEYS; i++) {
        uint64_t key = i;

        if (i >= KEYS / 2)
            key = (host_random() >> host_random_below(57)) / KEYS * KEYS + i;
        model[i] = (struct entry){.key = key};
    }
    model[KEYS - 1].key = UINT64_MAX;
    qsort(model, KEYS, sizeof(model[0]), by_key);
}

static void *random_thing(void)
{
    return &things[host_random_below(sizeof(things))];
}

static void insert(struct entry *entry)
{
    void *thing = random_thing();
    int err = index_insert(&idx, entry->key, thing);

    if (entry->item != NULL) {
        assert_int_equal(err, -EEXIST);
        return;
    }
    assert_int_equal(err, 0);
    *entry = (struct entry){.key = entry->key, .item = thing};
}

static void drop(struct entry *entry)
{
    assert_ptr_equal(index_remove(&idx, entry->key), entry->item);
    *entry = (struct entry){.key = entry->key};
}

static void replace(struct entry *entry)
{
    void *thing = random_thing();

    assert_ptr_equal(index_replace(&idx, entry->key, thing), entry->item);
    if (entry->item != NULL)
        entry->item = thing;
}

static void mark(struct entry *entry)
{
    unsigned nr = (unsigned)host_random_below(INDEX_MARKS);
    bool value = host_random_below(2);

    if (value)
        index_set_mark(&idx, entry->key, nr);
    else
        index_clear_mark(&idx, entry->key, nr);
    entry->marks[nr] = value && entry->item != NULL;
}

/* The first entry from @i on that is present and, unless nr is INDEX_MARKS, marked. */
static unsigned next_in_model(unsigned i, unsigned nr)
{
    while (i < KEYS && (model[i].item == NULL || (nr < INDEX_MARKS && !model[i].marks[nr])))
        i++;
    return i;
}

static void assert_next(uint64_t from, unsigned expected, unsigned nr)
{
    uint64_t key = from;
    void *item = nr < INDEX_MARKS ? index_next_marked(&idx, &key, nr) : index_next(&idx, &key);

    if (expected == KEYS) {
        assert_null(item);
        assert_int_equal(key, from);
        return;
    }
    assert_ptr_equal(item, model[expected].item);
    assert_int_equal(key, model[expected].key);
}

static void assert_like_model(void)
{
    uint64_t nr_items = 0;

    assert_true(index_is_valid(&idx));
    for (unsigned i = 0; i < KEYS; i++) {
        nr_items += model[i].item != NULL;
        assert_ptr_equal(index_find(&idx, model[i].key), model[i].item);
        for (unsigned nr = 0; nr < INDEX_MARKS; nr++)
            assert_int_equal(index_test_mark(&idx, model[i].key, nr), model[i].marks[nr]);
        for (unsigned nr = 0; nr <= INDEX_MARKS; nr++) {
            assert_next(model[i].key, next_in_model(i, nr), nr);
            if (i > 0)
                assert_next(model[i - 1].key + 1, next_in_model(i, nr), nr);
        }
    }
    for (unsigned nr = 0; nr < INDEX_MARKS; nr++)
        assert_int_equal(index_has_mark(&idx, nr), next_in_model(0, nr) < KEYS);
    assert_int_equal(idx.nr_items, nr_items);
}

static void drop_all(void)
{
    for (unsigned i = 0; i < KEYS; i++)
        drop(&model[i]);
    assert_null(idx.root);
    assert_int_equal(nr_nodes, 0);
}

static void random_operations_match_the_model(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        start();
        for (unsigned step = 0; step < 400; step++) {
            struct entry *entry = &model[host_random_below(KEYS)];
            unsigned what = (unsigned)host_random_below(100);

            if (what < 40)
                insert(entry);
            else if (what < 60)
                drop(entry);
            else if (what < 70)
                replace(entry);
            else
                mark(entry);
            assert_like_model();
        }
        drop_all();
    }
}

/* For every insertion: fail its first, second .. allocation; nothing may change. */
static void failed_insertion_changes_nothing(void **state)
{
    (void)state;
    unsigned nr_failures = 0;

    start();
    for (unsigned i = 0; i < KEYS; i++) {
        struct entry *entry = &model[(i * 37) % KEYS];
        unsigned before = nr_nodes;

        for (unsigned n = 0;; n++) {
            fail_after = n;
            int err = index_insert(&idx, entry->key, things);

            fail_after = UINT32_MAX;
            if (err == 0)
                break;
            nr_failures++;
            assert_int_equal(err, -ENOMEM);
            assert_int_equal(nr_nodes, before);
            assert_like_model();
        }
        entry->item = things;
    }
    assert_like_model();
    assert_true(nr_failures > 200);
    drop_all();
}

static unsigned nr_released;

static void release(uint64_t key, void *item, void *context)
{
    assert_ptr_equal(context, things);
    assert_null(index_find(&idx, key));
    assert_non_null(item);
    nr_released++;
}

static void ranges_are_removed_exactly(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        start();
        for (unsigned i = 0; i < KEYS; i++)
            insert(&model[i]);

        unsigned a = (unsigned)host_random_below(KEYS);
        unsigned b = a + (unsigned)host_random_below(KEYS - a);

        nr_released = 0;
        assert_int_equal(index_remove_range(&idx, model[a].key, model[b].key, release, things),
                         b - a);
        assert_int_equal(nr_released, b - a);
        for (unsigned i = a; i < b; i++)
            model[i] = (struct entry){.key = model[i].key};
        assert_like_model();
        drop_all();
    }
}

static void runs_are_taken_in_order_and_counted(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        void *taken[KEYS];
        start();
        for (unsigned i = 0; i < KEYS; i++)
            if (host_random_below(4))
                insert(&model[i]);

        unsigned a = (unsigned)host_random_below(KEYS);
        unsigned b = a + (unsigned)host_random_below(KEYS - a);
        unsigned max = 1 + (unsigned)host_random_below(KEYS), nr = 0;

        for (unsigned i = a; i < b; i++)
            nr += model[i].item != NULL;
        nr = nr < max ? nr : max;
        assert_int_equal(index_take(&idx, model[a].key, model[b].key, taken, max), nr);
        for (unsigned i = a, n = 0; n < nr; i++) {
            if (model[i].item == NULL)
                continue;
            assert_ptr_equal(taken[n++], model[i].item);
            model[i] = (struct entry){.key = model[i].key};
        }
        assert_like_model();
        drop_all();
    }
}

static void one_page_file_needs_one_node(void **state)
{
    (void)state;
    index_init(&idx, &ops);
    assert_int_equal(index_insert(&idx, 0, things), 0);
    assert_int_equal(nr_nodes, 1);
    assert_int_equal(index_insert(&idx, 1UL << 40, things), 0);
    assert_true(nr_nodes > 6);
    assert_ptr_equal(index_remove(&idx, 1UL << 40), things);
    assert_int_equal(nr_nodes, 1);
    assert_ptr_equal(index_remove(&idx, 0), things);
    assert_int_equal(nr_nodes, 0);
}

static void validity_check_sees_damage(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < KEYS; i++)
        insert(&model[i]);

    struct index_node *root = idx.root;

    root->marks[1] ^= 1;
    assert_false(index_is_valid(&idx));
    root->marks[1] ^= 1;
    root->count++;
    assert_false(index_is_valid(&idx));
    root->count--;
    idx.nr_items++;
    assert_false(index_is_valid(&idx));
    idx.nr_items--;
    assert_true(index_is_valid(&idx));
    drop_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_match_the_model),
        cmocka_unit_test(failed_insertion_changes_nothing),
        cmocka_unit_test(ranges_are_removed_exactly),
        cmocka_unit_test(runs_are_taken_in_order_and_counted),
        cmocka_unit_test(one_page_file_needs_one_node),
        cmocka_unit_test(validity_check_sees_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

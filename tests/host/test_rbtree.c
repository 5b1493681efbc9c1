/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_rbtree.c - the tree against a sorted array, with a summary like VMAs have
 *
 * Room:   tests/host.
 * Owns:   the model; elements are spans, the summary of a subtree is its longest span.
 * Locks:  none.
 * Always: (1) after every step colours, order, links and all summaries are checked.
 * Source: lib/rbtree.c.
 * Tour:   with lib/rbtree.c.
 */
#include "machine.h"

#include <lib/rbtree.h>

#define SPANS 300

struct span {
    struct rb_node node;
    unsigned key, len, longest;
    bool present;
};

static struct span spans[SPANS];
static struct rb_root root;
static unsigned nr_present;

static struct span *span_of(struct rb_node *node)
{
    return rb_entry(node, struct span, node);
}

static unsigned longest_of(struct rb_node *node)
{
    return node == NULL ? 0 : span_of(node)->longest;
}

static unsigned longest_below(struct rb_node *node)
{
    return max(span_of(node)->len, max(longest_of(node->left), longest_of(node->right)));
}

static bool update(struct rb_node *node)
{
    unsigned old = span_of(node)->longest;

    span_of(node)->longest = longest_below(node);
    return span_of(node)->longest != old;
}

static void insert(struct span *span)
{
    struct rb_node **link = &root.node;
    struct rb_node *parent = NULL;

    while (*link != NULL) {
        parent = *link;
        link = span->key < span_of(parent)->key ? &parent->left : &parent->right;
    }
    span->longest = span->len;
    rb_link(&span->node, parent, link);
    rb_update(&root, parent);
    rb_balance(&root, &span->node);
    span->present = true;
    nr_present++;
}

static void erase(struct span *span)
{
    rb_erase(&root, &span->node);
    span->present = false;
    nr_present--;
}

static void assert_like_model(void)
{
    struct rb_node *node = rb_first(&root);
    struct rb_node *last = NULL;

    assert_true(rb_is_valid(&root));
    for (unsigned i = 0; i < SPANS; i++) {
        if (!spans[i].present)
            continue;
        assert_ptr_equal(node, &spans[i].node);
        assert_ptr_equal(rb_prev(node), last);
        if (root.update != NULL)
            assert_int_equal(spans[i].longest, longest_below(node));
        last = node;
        node = rb_next(node);
    }
    assert_null(node);
    assert_ptr_equal(rb_last(&root), last);
}

static void start(rb_update_fn fn)
{
    root = (struct rb_root){.update = fn};
    nr_present = 0;
    for (unsigned i = 0; i < SPANS; i++)
        spans[i] = (struct span){.key = i, .len = (unsigned)host_random_below(1000)};
}

static void storm(unsigned steps, unsigned keep)
{
    for (unsigned step = 0; step < steps; step++) {
        struct span *span = &spans[host_random_below(SPANS)];

        if (span->present && nr_present > keep)
            erase(span);
        else if (!span->present)
            insert(span);
        assert_like_model();
    }
}

static void random_inserts_and_erases_match_the_model(void **state)
{
    (void)state;
    start(update);
    storm(4000, 0);
    storm(1000, SPANS * 9 / 10);
}

static void tree_without_summary_works(void **state)
{
    (void)state;
    start(NULL);
    storm(2000, 0);
}

static void ascending_and_descending_orders_stay_balanced(void **state)
{
    (void)state;
    start(update);
    for (unsigned i = 0; i < SPANS; i++)
        insert(&spans[i]);
    assert_like_model();
    for (unsigned i = 0; i < SPANS; i++) {
        erase(&spans[i]);
        assert_like_model();
    }
    for (unsigned i = SPANS; i-- > 0;)
        insert(&spans[i]);
    assert_like_model();
    for (unsigned i = SPANS; i-- > 0;) {
        erase(&spans[i]);
        assert_like_model();
    }
    assert_null(root.node);
}

static void update_carries_a_change_to_the_root(void **state)
{
    (void)state;
    start(update);
    storm(500, 0);
    for (unsigned step = 0; step < 1000; step++) {
        struct span *span = &spans[host_random_below(SPANS)];

        if (!span->present)
            continue;
        span->len = (unsigned)host_random_below(2000);
        rb_update(&root, &span->node);
        assert_like_model();
    }
}

static void validity_check_sees_damage(void **state)
{
    (void)state;
    start(update);
    for (unsigned i = 0; i < SPANS; i++)
        insert(&spans[i]);
    assert_true(rb_is_valid(&root));
    for (unsigned i = 0; i < SPANS; i++) {
        spans[i].node.parent_colour ^= 1;
        assert_false(rb_is_valid(&root));
        spans[i].node.parent_colour ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_inserts_and_erases_match_the_model),
        cmocka_unit_test(tree_without_summary_works),
        cmocka_unit_test(ascending_and_descending_orders_stay_balanced),
        cmocka_unit_test(update_carries_a_change_to_the_root),
        cmocka_unit_test(validity_check_sees_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

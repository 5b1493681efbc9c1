/* SPDX-License-Identifier: MIT */
/*
 * include/lib/index.h - a map from 64-bit numbers to pointers, in order, with marks
 *
 * Room:   lib. Allocates through callbacks of the owner only.
 * Owns:   struct index and its nodes: a radix tree of 64-way nodes.
 * Locks:  none; the owner (a memory object) has one.
 * Always: (1) a call that returns an error has changed nothing;
 *         (2) no node is empty; the root node is as low as its largest key allows;
 *         (3) a mark of a slot in an inner node is set exactly when some item below has it.
 * Source: Knuth 3, 6.3 "Digital Searching".
 * Tour:   after include/lib/rbtree.h, before mm/object.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_SHIFT 6
#define INDEX_WAYS  (1U << INDEX_SHIFT)
#define INDEX_MARKS 3U /* marks 0, 1 and 2; what they mean is the owner's affair */

struct index_node {
    struct index_node *parent;
    uint8_t shift;  /* a slot covers 1 << shift keys; 0: slots are items */
    uint8_t offset; /* this node's slot in its parent */
    uint8_t count;  /* slots in use, 1..64 */
    uint64_t marks[INDEX_MARKS];
    void *slots[INDEX_WAYS];
};

/* Where nodes come from. new_node() returns NULL when there is no memory; need not be zeroed. */
struct index_ops {
    struct index_node *(*new_node)(void);
    void (*free_node)(struct index_node *node);
};

struct index {
    struct index_node *root; /* NULL: empty */
    uint64_t nr_items;
    const struct index_ops *ops;
};

/* Makes an empty index. It owns memory only while it has items. */
void index_init(struct index *index, const struct index_ops *ops);

static inline bool index_is_empty(const struct index *index)
{
    return !index->root;
}

/**
 * index_insert() - add an item under a free key
 * @item: not NULL; starts without marks
 *
 * Return: 0, -EEXIST when the key is taken, -ENOMEM; on error nothing changed.
 */
int __must_check index_insert(struct index *index, uint64_t key, void *item);

/* The item under @key, or NULL. */
void *index_find(const struct index *index, uint64_t key);

/* Puts @item (not NULL) in the place of the present item, keeping marks; returns the old item.
 * NULL: there was none, and nothing changed. Never allocates. */
void *index_replace(struct index *index, uint64_t key, void *item);

/* Takes the item out and returns it; NULL when there is none. Never allocates. */
void *index_remove(struct index *index, uint64_t key);

/* Takes out up to @max items of [start, end), the first ones, into @items. Never allocates. Return:
 * how many; less than @max: there are no more. */
unsigned index_take(struct index *index, uint64_t start, uint64_t end, void *items[], unsigned max);

/**
 * index_next() - the first item at or after a key
 * @key: in: where to start; out: the key of the item found, else unchanged
 *
 * Return: the item, or NULL when there is none. Looks over all items:
 *         for (key = 0; (item = index_next(index, &key)) != NULL; key++) ...
 */
void *index_next(const struct index *index, uint64_t *key);

/* As index_next(), among the items with @mark. */
void *index_next_marked(const struct index *index, uint64_t *key, unsigned mark);

/**
 * index_remove_range() - take out every item in [start, end)
 * @release: called with each item after it left the index; may be NULL
 * @context: passed to @release
 *
 * Return: the number of items taken out. Never allocates.
 */
uint64_t index_remove_range(struct index *index, uint64_t start, uint64_t end,
                            void (*release)(uint64_t key, void *item, void *context),
                            void *context);

/* Marks of the item under @key. Without an item: set and clear do nothing, test says false. */
void index_set_mark(struct index *index, uint64_t key, unsigned mark);
void index_clear_mark(struct index *index, uint64_t key, unsigned mark);
bool index_test_mark(const struct index *index, uint64_t key, unsigned mark);

/* Does any item have @mark? */
bool index_has_mark(const struct index *index, unsigned mark);

/* Claims (2) and (3), the counts and the parent links; O(n), for tests and vm_check(). */
bool index_is_valid(const struct index *index);

/* SPDX-License-Identifier: MIT */
/*
 * include/lib/rbtree.h - red-black trees through a member of the element
 *
 * Room:   lib. The owner compares: it walks down itself, then links and lets the tree balance.
 * Owns:   colours, rotations, and the order in which summaries are brought up to date.
 * Locks:  none; the owner of the tree has one.
 * Always: (1) the root is black, no red node has a red child;
 *         (2) every path from a node to a leaf has the same number of black nodes;
 *         (3) with an update callback, every summary is right when a call returns.
 * Source: Cormen et al., Introduction to Algorithms, "Red-Black Trees", "Augmenting".
 * Tour:   after include/lib/list.h, before mm/vma.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rb_node {
    uintptr_t parent_colour; /* parent's address; bit 0 set: black */
    struct rb_node *left, *right;
};

/*
 * Recomputes what @node keeps about its subtree (such as the largest gap) from itself and its
 * two children. Returns whether that changed.
 */
typedef bool (*rb_update_fn)(struct rb_node *node);

struct rb_root {
    struct rb_node *node; /* NULL: empty */
    rb_update_fn update;  /* NULL: no summaries */
};

#define rb_entry(node, type, member) container_of(node, type, member)

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
    return (struct rb_node *)(node->parent_colour & ~(uintptr_t)1);
}

/**
 * rb_link() - put a node where the caller's search ended
 * @node: not in a tree; its summary is that of a node without children
 * @parent: last node of the search, NULL when the tree is empty
 * @link: the empty place: &@parent->left, &@parent->right, or &@root->node
 * What comes next: where summaries above have to count @node, they are corrected; rb_balance().
 */
static inline void rb_link(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
    node->parent_colour = (uintptr_t)parent; /* red */
    node->left = NULL;
    node->right = NULL;
    *link = node;
}

void rb_balance(struct rb_root *root, struct rb_node *node);

/* Takes @node out and balances. @node's links are stale afterwards. */
void rb_erase(struct rb_root *root, struct rb_node *node);

/* After the element of @node changed its own part of the summary: corrects it up to the root. */
void rb_update(struct rb_root *root, struct rb_node *node);

/* The same of two elements, @node and @above, which lies above it. */
void rb_update_through(struct rb_root *root, struct rb_node *node, struct rb_node *above);

/* In order. NULL past either end. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

/* @pos: struct rb_node *. The body must not erase @pos. */
#define rb_for_each(pos, root) for ((pos) = rb_first(root); (pos) != NULL; (pos) = rb_next(pos))

/* Claims (1) to (2) and the parent links; an O(n) checker for tests and vm_check(). */
bool rb_is_valid(const struct rb_root *root);

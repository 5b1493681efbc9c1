/* SPDX-License-Identifier: MIT */
/*
 * lib/rbtree.c - red-black trees with optional summaries
 *
 * Room:   lib.
 * Owns:   balance. A missing child (NULL) counts as black.
 * Locks:  none.
 * Always: (1) a rotation leaves the set below the upper node as it was: only the two nodes that
 *             turn need a new summary, lower first;
 *         (2) summaries are right on every path before balancing starts.
 * Source: Cormen et al., Introduction to Algorithms, "Red-Black Trees".
 * Tour:   after include/lib/rbtree.h.
 */
#include <lib/rbtree.h>

#define BLACK ((uintptr_t)1)

static bool is_black(const struct rb_node *node)
{
    return node == NULL || (node->parent_colour & BLACK);
}

static bool is_red(const struct rb_node *node)
{
    return !is_black(node);
}

static void set_black(struct rb_node *node)
{
    node->parent_colour |= BLACK;
}

static void set_red(struct rb_node *node)
{
    node->parent_colour &= ~BLACK;
}

static void set_parent(struct rb_node *node, struct rb_node *parent)
{
    node->parent_colour = (uintptr_t)parent | (node->parent_colour & BLACK);
}

static void copy_colour(struct rb_node *to, const struct rb_node *from)
{
    to->parent_colour = (to->parent_colour & ~BLACK) | (from->parent_colour & BLACK);
}

/* The pointer that points to @node: in its parent, or in the root. */
static struct rb_node **link_of(struct rb_root *root, const struct rb_node *node)
{
    struct rb_node *parent = rb_parent(node);

    if (parent == NULL)
        return &root->node;
    return parent->left == node ? &parent->left : &parent->right;
}

/* Recomputes every node from @from up to and without @until. */
static void update_path(struct rb_root *root, struct rb_node *from, const struct rb_node *until)
{
    if (root->update == NULL)
        return;
    for (; from != until; from = rb_parent(from))
        root->update(from);
}

void rb_update(struct rb_root *root, struct rb_node *node)
{
    if (root->update == NULL)
        return;
    while (node != NULL && root->update(node))
        node = rb_parent(node);
}

void rb_update_through(struct rb_root *root, struct rb_node *node, struct rb_node *above)
{
    update_path(root, node, above);
    rb_update(root, above);
}

/*
 *     top               child
 *    /   \             /     \
 *   a   child   <=>  top      c      rotate_left goes right, rotate_right goes back
 *       /   \       /   \
 *      b     c     a     b
 */
static void turn(struct rb_root *root, struct rb_node *top, struct rb_node *child)
{
    *link_of(root, top) = child;
    set_parent(child, rb_parent(top));
    set_parent(top, child);
    if (root->update != NULL) {
        root->update(top);
        root->update(child);
    }
}

static void rotate_left(struct rb_root *root, struct rb_node *top)
{
    struct rb_node *child = top->right;

    top->right = child->left;
    if (top->right != NULL)
        set_parent(top->right, top);
    child->left = top;
    turn(root, top, child);
}

static void rotate_right(struct rb_root *root, struct rb_node *top)
{
    struct rb_node *child = top->left;

    top->left = child->right;
    if (top->left != NULL)
        set_parent(top->left, top);
    child->right = top;
    turn(root, top, child);
}

/* Rotates @node down to the left, or to the right. */
static void rotate(struct rb_root *root, struct rb_node *node, bool left)
{
    if (left)
        rotate_left(root, node);
    else
        rotate_right(root, node);
}

static struct rb_node *child_of(const struct rb_node *node, bool left)
{
    return left ? node->left : node->right;
}

/* @node is red; its parent may be red too, which is the only claim that may be broken. */
void rb_balance(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *parent;

    while ((parent = rb_parent(node)) != NULL && is_red(parent)) {
        struct rb_node *grand = rb_parent(parent);
        bool left = parent == grand->left;
        struct rb_node *uncle = child_of(grand, !left);

        if (is_red(uncle)) {
            set_black(parent);
            set_black(uncle);
            set_red(grand);
            node = grand;
            continue;
        }
        if (node == child_of(parent, !left)) {
            rotate(root, parent, left);
            parent = node;
        }
        set_black(parent);
        set_red(grand);
        rotate(root, grand, !left);
        break;
    }
    set_black(root->node);
}

/*
 * Paths through @node (which may be NULL, hence @parent) have one black node too few. Each turn
 * either ends by borrowing one from the sibling's side, or moves the deficit one level up.
 */
static void balance_erase(struct rb_root *root, struct rb_node *node, struct rb_node *parent)
{
    while (node != root->node && is_black(node)) {
        bool left = node == parent->left;
        struct rb_node *sibling = child_of(parent, !left);

        if (is_red(sibling)) {
            set_black(sibling);
            set_red(parent);
            rotate(root, parent, left);
            sibling = child_of(parent, !left);
        }
        if (is_black(sibling->left) && is_black(sibling->right)) {
            set_red(sibling);
            node = parent;
            parent = rb_parent(node);
            continue;
        }
        if (is_black(child_of(sibling, !left))) {
            set_black(child_of(sibling, left));
            set_red(sibling);
            rotate(root, sibling, !left);
            sibling = child_of(parent, !left);
        }
        copy_colour(sibling, parent);
        set_black(parent);
        set_black(child_of(sibling, !left));
        rotate(root, parent, left);
        return;
    }
    if (node != NULL)
        set_black(node);
}

/* Points everything that points to @old to @new, which takes over links and colour. */
static void take_place(struct rb_root *root, struct rb_node *old, struct rb_node *new)
{
    *link_of(root, old) = new;
    *new = *old;
    if (new->left != NULL)
        set_parent(new->left, new);
    if (new->right != NULL)
        set_parent(new->right, new);
}

/* Takes out a node with at most one child. Returns its parent, and that child in *@child. */
static struct rb_node *splice_out(struct rb_root *root, struct rb_node *node,
                                  struct rb_node **child)
{
    struct rb_node *parent = rb_parent(node);

    *child = node->left != NULL ? node->left : node->right;
    *link_of(root, node) = *child;
    if (*child != NULL)
        set_parent(*child, parent);
    return parent;
}

void rb_erase(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *victim = node; /* the one whose place in the tree disappears */
    struct rb_node *child;

    if (node->left != NULL && node->right != NULL)
        victim = rb_next(node);

    struct rb_node *parent = splice_out(root, victim, &child);
    bool lost_black = is_black(victim);

    if (victim != node) {
        take_place(root, node, victim);
        if (parent == node)
            parent = victim;
    }
    if (victim != node) /* where the victim is now, its old summary means nothing */
        update_path(root, parent, rb_parent(victim));
    rb_update(root, victim != node ? rb_parent(victim) : parent);
    if (lost_black)
        balance_erase(root, child, parent);
}

static struct rb_node *leftmost(struct rb_node *node)
{
    while (node != NULL && node->left != NULL)
        node = node->left;
    return node;
}

static struct rb_node *rightmost(struct rb_node *node)
{
    while (node != NULL && node->right != NULL)
        node = node->right;
    return node;
}

struct rb_node *rb_first(const struct rb_root *root)
{
    return leftmost(root->node);
}

struct rb_node *rb_last(const struct rb_root *root)
{
    return rightmost(root->node);
}

struct rb_node *rb_next(const struct rb_node *node)
{
    if (node->right != NULL)
        return leftmost(node->right);

    struct rb_node *parent = rb_parent(node);

    while (parent != NULL && node == parent->right) {
        node = parent;
        parent = rb_parent(node);
    }
    return parent;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
    if (node->left != NULL)
        return rightmost(node->left);

    struct rb_node *parent = rb_parent(node);

    while (parent != NULL && node == parent->left) {
        node = parent;
        parent = rb_parent(node);
    }
    return parent;
}

/* Is @node a link its parent has, and not the second red in a row? */
static bool node_is_valid(const struct rb_root *root, const struct rb_node *node)
{
    const struct rb_node *parent = rb_parent(node);

    if (parent == NULL)
        return root->node == node && is_black(node);
    if (is_red(node) && is_red(parent))
        return false;
    return parent->left == node || parent->right == node;
}

bool rb_is_valid(const struct rb_root *root)
{
    int expected = -1; /* black nodes above a missing child, the same everywhere */
    const struct rb_node *node;

    rb_for_each (node, root) {
        if (!node_is_valid(root, node))
            return false;
        if (node->left != NULL && node->right != NULL)
            continue;
        int blacks = 0;
        for (const struct rb_node *up = node; up != NULL; up = rb_parent(up))
            blacks += is_black(up);
        if (expected >= 0 && blacks != expected)
            return false;
        expected = blacks;
    }
    return true;
}

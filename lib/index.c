/* SPDX-License-Identifier: MIT */
/*
 * lib/index.c - a radix tree from 64-bit numbers to pointers
 *
 *   root (shift 6)  [ 0 ][ 1 ] .. [63]       slot i covers keys i*64 .. i*64+63
 *                     |
 *   node (shift 0)  [item][ ] .. [item]      slots are items
 *
 * Room:   lib.
 * Owns:   growth, shrinking, and the propagation of marks.
 * Locks:  none.
 * Always: (1) nodes are allocated before the first change: insertion cannot fail half way.
 * Source: Knuth 3, 6.3 "Digital Searching".
 * Tour:   after include/lib/index.h.
 */
#include <lib/index.h>

#include <lib/string.h>
#include <uapi/errno.h>

#define KEY_BITS 64

static unsigned slot_of(const struct index_node *node, uint64_t key)
{
    return (key >> node->shift) % INDEX_WAYS;
}

static uint64_t bit_of(unsigned slot)
{
    return 1ULL << slot;
}

/* Does @key lie below a root of this shift? */
static bool shift_covers(unsigned shift, uint64_t key)
{
    return shift + INDEX_SHIFT >= KEY_BITS || key >> (shift + INDEX_SHIFT) == 0;
}

/* The lowest shift of a root that covers @key. */
static unsigned shift_for(uint64_t key)
{
    unsigned shift = 0;

    while (!shift_covers(shift, key))
        shift += INDEX_SHIFT;
    return shift;
}

void index_init(struct index *index, const struct index_ops *ops)
{
    *index = (struct index){.ops = ops};
}

/* Walks towards @key; returns the last node there is, NULL when none covers the key. */
static struct index_node *walk(const struct index *index, uint64_t key)
{
    struct index_node *node = index->root;

    if (node == NULL || !shift_covers(node->shift, key))
        return NULL;
    while (node->shift > 0 && node->slots[slot_of(node, key)] != NULL)
        node = node->slots[slot_of(node, key)];
    return node;
}

/* The leaf node in which @key has its slot, or NULL. */
static inline struct index_node *leaf_of(const struct index *index, uint64_t key)
{
    struct index_node *node = index->root;

    if (node == NULL || !shift_covers(node->shift, key))
        return NULL;
    while (node->shift > 0) {
        node = node->slots[slot_of(node, key)];
        if (node == NULL)
            return NULL;
    }
    return node;
}

/* The same, if there is an item. */
static inline struct index_node *find_leaf(const struct index *index, uint64_t key)
{
    struct index_node *leaf = leaf_of(index, key);

    return leaf != NULL && leaf->slots[key % INDEX_WAYS] != NULL ? leaf : NULL;
}

void *index_find(const struct index *index, uint64_t key)
{
    const struct index_node *node = index->root;

    if (node == NULL || !shift_covers(node->shift, key))
        return NULL;
    for (unsigned shift = node->shift;; shift -= INDEX_SHIFT) {
        void *item = node->slots[(key >> shift) % INDEX_WAYS];

        if (shift == 0 || item == NULL)
            return item;
        node = item;
    }
}

void *index_replace(struct index *index, uint64_t key, void *item)
{
    struct index_node *leaf = find_leaf(index, key);

    if (leaf == NULL)
        return NULL;

    void *old = leaf->slots[slot_of(leaf, key)];

    leaf->slots[slot_of(leaf, key)] = item;
    return old;
}

/* How many nodes must be made before @key has a leaf: new roots, then the way down. */
static unsigned nodes_missing(const struct index *index, uint64_t key)
{
    const struct index_node *root = index->root;

    if (root == NULL)
        return shift_for(key) / INDEX_SHIFT + 1;
    if (shift_covers(root->shift, key))
        return walk(index, key)->shift / INDEX_SHIFT;

    /* New roots from above the old one to the top; then a whole path from below the top. */
    unsigned top = shift_for(key);

    return (top - root->shift) / INDEX_SHIFT + top / INDEX_SHIFT;
}

static void free_spares(struct index *index, struct index_node *spares)
{
    while (spares != NULL) {
        struct index_node *next = spares->parent;

        index->ops->free_node(spares);
        spares = next;
    }
}

/* Makes a list of @count cleared nodes, linked by their parent field; NULL if one failed. */
static struct index_node *make_spares(struct index *index, unsigned count)
{
    struct index_node *spares = NULL;

    while (count-- > 0) {
        struct index_node *node = index->ops->new_node();

        if (node == NULL) {
            free_spares(index, spares);
            return NULL;
        }
        memset(node, 0, sizeof(*node));
        node->parent = spares;
        spares = node;
    }
    return spares;
}

static struct index_node *take_spare(struct index_node **spares)
{
    struct index_node *node = *spares;

    *spares = node->parent;
    node->parent = NULL;
    return node;
}

static void attach(struct index_node *parent, unsigned slot, struct index_node *child)
{
    child->parent = parent;
    child->offset = (uint8_t)slot;
    parent->slots[slot] = child;
    parent->count++;
}

/* Puts one node above the root: the old tree becomes its slot 0. */
static void raise_root(struct index *index, struct index_node *top)
{
    struct index_node *old = index->root;

    top->shift = (uint8_t)(old->shift + INDEX_SHIFT);
    attach(top, 0, old);
    for (unsigned mark = 0; mark < INDEX_MARKS; mark++)
        top->marks[mark] = old->marks[mark] != 0;
    index->root = top;
}

/* Builds what is missing above and below until @key has a leaf. Uses up all @spares. */
static struct index_node *grow(struct index *index, uint64_t key, struct index_node *spares)
{
    if (index->root == NULL) {
        index->root = take_spare(&spares);
        index->root->shift = (uint8_t)shift_for(key);
    }
    while (!shift_covers(index->root->shift, key))
        raise_root(index, take_spare(&spares));

    struct index_node *node = walk(index, key);

    while (node->shift > 0) {
        struct index_node *child = take_spare(&spares);

        child->shift = (uint8_t)(node->shift - INDEX_SHIFT);
        attach(node, slot_of(node, key), child);
        node = child;
    }
    return node;
}

/* The leaf node for @key, which has none yet; NULL, with nothing changed: no memory. */
static __cold struct index_node *make_leaf(struct index *index, uint64_t key)
{
    struct index_node *spares = make_spares(index, nodes_missing(index, key));

    return spares != NULL ? grow(index, key, spares) : NULL;
}

int index_insert(struct index *index, uint64_t key, void *item)
{
    struct index_node *leaf = leaf_of(index, key);

    if (unlikely(leaf == NULL))
        leaf = make_leaf(index, key);
    if (leaf == NULL)
        return -ENOMEM;
    if (leaf->slots[key % INDEX_WAYS] != NULL)
        return -EEXIST;
    leaf->slots[key % INDEX_WAYS] = item;
    leaf->count++;
    index->nr_items++;
    return 0;
}

static void clear_mark_upwards(struct index_node *node, unsigned slot, unsigned mark)
{
    while (node->marks[mark] & bit_of(slot)) {
        node->marks[mark] &= ~bit_of(slot);
        if (node->marks[mark] != 0 || node->parent == NULL)
            return;
        slot = node->offset;
        node = node->parent;
    }
}

/* The slots that have any mark. */
static inline uint64_t marks_of(const struct index_node *node)
{
    uint64_t marks = 0;

    for (unsigned mark = 0; mark < INDEX_MARKS; mark++)
        marks |= node->marks[mark];
    return marks;
}

static __cold void clear_marks(struct index_node *leaf, unsigned slot)
{
    for (unsigned mark = 0; mark < INDEX_MARKS; mark++)
        clear_mark_upwards(leaf, slot, mark);
}

/* Lowers the root while all it holds is below its slot 0. */
static void lower_root(struct index *index)
{
    struct index_node *root = index->root;

    while (root->shift > 0 && root->count == 1 && root->slots[0] != NULL) {
        index->root = root->slots[0];
        index->root->parent = NULL;
        index->ops->free_node(root);
        root = index->root;
    }
}

/* Frees @node, which is empty, then whatever that empties above. */
static __cold void prune(struct index *index, struct index_node *node)
{
    while (node->count == 0) {
        struct index_node *parent = node->parent;

        if (parent == NULL) {
            index->root = NULL;
            index->ops->free_node(node);
            return;
        }
        parent->slots[node->offset] = NULL;
        parent->count--;
        index->ops->free_node(node);
        node = parent;
    }
    lower_root(index);
}

void *index_remove(struct index *index, uint64_t key)
{
    struct index_node *leaf = find_leaf(index, key);

    if (leaf == NULL)
        return NULL;

    unsigned slot = key % INDEX_WAYS;
    void *item = leaf->slots[slot];

    if (unlikely(marks_of(leaf) & bit_of(slot)))
        clear_marks(leaf, slot);
    leaf->slots[slot] = NULL;
    leaf->count--;
    index->nr_items--;
    if (unlikely(leaf->count == 0))
        prune(index, leaf);
    return item;
}

/* First used slot at or after @from that has @mark (INDEX_MARKS: any); INDEX_WAYS if none. */
static unsigned next_slot(const struct index_node *node, unsigned from, unsigned mark)
{
    if (mark < INDEX_MARKS) {
        uint64_t rest = node->marks[mark] >> from;

        return rest == 0 ? INDEX_WAYS : from + (unsigned)__builtin_ctzll(rest);
    }
    while (from < INDEX_WAYS && node->slots[from] == NULL)
        from++;
    return from;
}

/*
 * Goes down towards *key and right and up whenever a node has nothing more, until it stands on
 * an item. The key's digits below the current node are zeroed as soon as a step went right.
 */
static void *next_item(const struct index *index, uint64_t *key, unsigned mark)
{
    const struct index_node *node = index->root;
    uint64_t at = *key;

    if (node == NULL || !shift_covers(node->shift, at))
        return NULL;

    unsigned from = slot_of(node, at);

    for (;;) {
        unsigned slot = from < INDEX_WAYS ? next_slot(node, from, mark) : INDEX_WAYS;

        if (slot == INDEX_WAYS) {
            if (node->parent == NULL)
                return NULL;
            from = node->offset + 1U;
            node = node->parent;
            continue;
        }
        if (slot != slot_of(node, at)) {
            uint64_t below = (1ULL << node->shift) - 1;
            uint64_t digit = (uint64_t)(INDEX_WAYS - 1) << node->shift;

            at = (at & ~(below | digit)) | (uint64_t)slot << node->shift;
        }
        if (node->shift == 0) {
            *key = at;
            return node->slots[slot];
        }
        node = node->slots[slot];
        from = slot_of(node, at);
    }
}

void *index_next(const struct index *index, uint64_t *key)
{
    const struct index_node *leaf = leaf_of(index, *key);
    void *item = leaf != NULL ? leaf->slots[*key % INDEX_WAYS] : NULL;

    return item != NULL ? item : next_item(index, key, INDEX_MARKS);
}

void *index_next_marked(const struct index *index, uint64_t *key, unsigned mark)
{
    return next_item(index, key, mark);
}

/* Items of [*key, end) in one leaf, at most @max; *@key moves on. */
static unsigned take_run(struct index *index, struct index_node *leaf, uint64_t *key, uint64_t end,
                         void *items[], unsigned max)
{
    unsigned nr = 0, slot = *key % INDEX_WAYS, first = slot;
    uint64_t stop = end - *key < INDEX_WAYS - slot ? slot + end - *key : INDEX_WAYS;

    max = min(max, (unsigned)leaf->count);
    for (; slot < stop && nr < max; slot++) {
        if (leaf->slots[slot] == NULL)
            continue;
        if (unlikely(marks_of(leaf) & bit_of(slot)))
            clear_marks(leaf, slot);
        items[nr++] = leaf->slots[slot];
        leaf->slots[slot] = NULL;
    }
    *key += slot - first;
    leaf->count -= (uint8_t)nr;
    index->nr_items -= nr;
    if (leaf->count == 0)
        prune(index, leaf);
    return nr;
}

unsigned index_take(struct index *index, uint64_t start, uint64_t end, void *items[], unsigned max)
{
    unsigned nr = 0;

    while (nr < max && index_next(index, &start) != NULL && start < end)
        nr += take_run(index, leaf_of(index, start), &start, end, items + nr, max - nr);
    return nr;
}

uint64_t index_remove_range(struct index *index, uint64_t start, uint64_t end,
                            void (*release)(uint64_t key, void *item, void *context), void *context)
{
    uint64_t removed = 0;

    for (uint64_t key = start; index_next(index, &key) != NULL && key < end; key++) {
        void *item = index_remove(index, key);

        removed++;
        if (release != NULL)
            release(key, item, context);
    }
    return removed;
}

void index_set_mark(struct index *index, uint64_t key, unsigned mark)
{
    struct index_node *node = find_leaf(index, key);

    for (; node != NULL; node = node->parent)
        node->marks[mark] |= bit_of(slot_of(node, key));
}

void index_clear_mark(struct index *index, uint64_t key, unsigned mark)
{
    struct index_node *leaf = find_leaf(index, key);

    if (leaf != NULL)
        clear_mark_upwards(leaf, slot_of(leaf, key), mark);
}

bool index_test_mark(const struct index *index, uint64_t key, unsigned mark)
{
    struct index_node *leaf = find_leaf(index, key);

    return leaf != NULL && (leaf->marks[mark] & bit_of(slot_of(leaf, key)));
}

bool index_has_mark(const struct index *index, unsigned mark)
{
    return index->root != NULL && index->root->marks[mark] != 0;
}

/* Is an inner node's child linked back, one level lower, and are its marks told above? */
static bool child_is_valid(const struct index_node *node, unsigned slot)
{
    const struct index_node *child = node->slots[slot];

    if (child->parent != node || child->offset != slot)
        return false;
    if (child->shift + INDEX_SHIFT != node->shift)
        return false;
    for (unsigned mark = 0; mark < INDEX_MARKS; mark++) {
        if ((child->marks[mark] != 0) != ((node->marks[mark] & bit_of(slot)) != 0))
            return false;
    }
    return true;
}

static bool node_is_valid(const struct index_node *node)
{
    unsigned count = 0;

    for (unsigned slot = 0; slot < INDEX_WAYS; slot++) {
        if (node->slots[slot] != NULL) {
            count++;
            if (node->shift > 0 && !child_is_valid(node, slot))
                return false;
            continue;
        }
        for (unsigned mark = 0; mark < INDEX_MARKS; mark++) {
            if (node->marks[mark] & bit_of(slot))
                return false;
        }
    }
    return count > 0 && count == node->count;
}

/* Visits the leaf of every item, and checks the nodes above it on the way to the root. */
bool index_is_valid(const struct index *index)
{
    uint64_t nr_items = 0;
    const struct index_node *root = index->root;

    if (root != NULL && root->shift > 0 && root->count == 1 && root->slots[0] != NULL)
        return false;
    for (uint64_t key = 0; index_next(index, &key) != NULL; key++) {
        nr_items++;
        for (const struct index_node *node = find_leaf(index, key); node; node = node->parent) {
            if (!node_is_valid(node))
                return false;
        }
        if (key == UINT64_MAX)
            break;
    }
    return nr_items == index->nr_items;
}

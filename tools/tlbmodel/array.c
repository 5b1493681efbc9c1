/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/array.c - one array of remembered translations
 *
 * Room:   tools.
 * Owns:   the choice of the set, and of who goes when it is full.
 * Locks:  none.
 * Always: (1) who was used last in his set stays when another comes.
 * Source: array.h.
 * Tour:   after array.h, before model.c.
 */
#include "array.h"

#include <stdlib.h>

#define GROUP_WAYS 4

struct tlb_entry {
    struct tlb_tag tag;
    enum tlb_presence presence;
};

/* Per group three bits of a tree: which half, and in each half which way, is to go. */
struct tlb_set {
    uint8_t recent; /* group */
    uint8_t trees[8];
};

bool array_init(struct tlb_array *array, const struct tlb_shape *shape)
{
    array->shape = shape;
    array->entries = calloc((size_t)shape->sets * shape->ways + 1, sizeof(*array->entries));
    array->sets = calloc(shape->sets + 1UL, sizeof(*array->sets));
    return array->entries && array->sets;
}

void array_destroy(struct tlb_array *array)
{
    free(array->entries);
    free(array->sets);
}

static unsigned set_of(const struct tlb_shape *shape, uint64_t page)
{
    uint64_t bits = shape->folded ? page ^ page / shape->sets : page;
    return (unsigned)(bits % shape->sets);
}

/* The bits point away from @way. */
static void mark_used(struct tlb_set *set, unsigned way)
{
    unsigned half = way / 2 % 2, side = way % 2;
    uint8_t *tree = &set->trees[way / GROUP_WAYS];

    *tree = (uint8_t)((*tree & ~(1U | 2U << half)) | !half | (unsigned)!side << (1 + half));
    set->recent = (uint8_t)(way / GROUP_WAYS);
}

static unsigned victim(const struct tlb_set *set, unsigned groups)
{
    unsigned group = (set->recent + 1U) % groups;
    uint8_t tree = set->trees[group];
    unsigned half = tree & 1;

    return group * GROUP_WAYS + half * 2 + (tree >> (1 + half) & 1);
}

static bool is_same(const struct tlb_tag *entry, const struct tlb_tag *tag)
{
    return entry->page == tag->page && entry->leaf == tag->leaf &&
           (entry->global || entry->space == tag->space);
}

enum tlb_presence array_use(struct tlb_array *array, const struct tlb_tag *tag)
{
    enum tlb_presence found = TLB_ABSENT;

    if (!array->shape->sets)
        return TLB_ABSENT;
    unsigned set = set_of(array->shape, tag->page);
    const struct tlb_entry *entries = array->entries + (size_t)set * array->shape->ways;
    for (unsigned way = 0; way < array->shape->ways; way++) {
        if (!entries[way].presence || !is_same(&entries[way].tag, tag))
            continue;
        found = found > entries[way].presence ? found : entries[way].presence;
        if (found == TLB_PRESENT) {
            mark_used(&array->sets[set], way);
            break;
        }
    }
    return found;
}

/* A place where nothing is remembered, that of the same entry first; else the victim's. */
static unsigned place_for(const struct tlb_array *array, unsigned set, const struct tlb_tag *tag)
{
    const struct tlb_entry *entries = array->entries + (size_t)set * array->shape->ways;
    unsigned place = array->shape->ways;

    for (unsigned way = 0; way < array->shape->ways; way++) {
        if (entries[way].presence == TLB_PRESENT)
            continue;
        if (entries[way].presence == TLB_DROPPED && is_same(&entries[way].tag, tag))
            return way;
        if (place == array->shape->ways || entries[way].presence < entries[place].presence)
            place = way;
    }
    return place < array->shape->ways ? place
                                      : victim(&array->sets[set], array->shape->ways / GROUP_WAYS);
}

void array_add(struct tlb_array *array, const struct tlb_tag *tag)
{
    if (!array->shape->sets)
        return;
    unsigned set = set_of(array->shape, tag->page);
    unsigned way = place_for(array, set, tag);
    array->entries[(size_t)set * array->shape->ways + way] = (struct tlb_entry){*tag, TLB_PRESENT};
    mark_used(&array->sets[set], way);
}

unsigned array_drop(struct tlb_array *array,
                    bool (*goes)(const struct tlb_tag *entry, const struct tlb_tag *what),
                    const struct tlb_tag *what)
{
    unsigned nr = 0;

    for (size_t i = 0; i < (size_t)array->shape->sets * array->shape->ways; i++) {
        struct tlb_entry *entry = &array->entries[i];
        if (entry->presence == TLB_PRESENT && goes(&entry->tag, what)) {
            entry->presence = TLB_DROPPED;
            nr++;
        }
    }
    return nr;
}

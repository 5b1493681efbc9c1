/* SPDX-License-Identifier: MIT */
/*
 * mm/userfault_event.c - telling a program how the memory it watches changes
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  mmap_lock for reading while areas are looked at; none while somebody is told.
 * Always: (1) from the change until it is told, answers are refused: userfault.changing;
 *         (2) who changes memory waits until the news is read.
 * Source: Linux Documentation/admin-guide/mm/userfaultfd.rst, "Non-cooperative userfaultfd".
 * Tour:   after mm/userfault.c; mm/fork.c, mm/remap.c and mm/map.c have what to tell.
 */
#include "internal.h"
#include <mm/slab.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

bool userfault_wants(const struct userfault *u, enum userfault_news news)
{
    return u && (u->tells & 1U << news);
}

void userfault_begin(struct userfault *u)
{
    userfault_get(u);
    atomic_fetch_add(&u->changing, 1);
}

static void userfault_end(struct userfault *u)
{
    atomic_fetch_sub(&u->changing, 1);
    userfault_put(u);
}

void userfault_tell(struct userfault *u, const struct userfault_event *event)
{
    u->ops->tell(u, event);
    userfault_end(u);
}

/* Removed */

/* The first area from *@at on whose program wants to know; *@at becomes its end. */
static struct userfault *find_removed(struct mm *mm, uint64_t *at, uint64_t end,
                                      struct userfault_event *event)
{
    struct userfault *u = NULL;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find_from(mm, *at);
    while (vma && vma->start < end && !userfault_wants(vma->userfault, USERFAULT_REMOVED))
        vma = vma_next(vma);
    if (vma && vma->start < end) {
        u = vma->userfault;
        userfault_begin(u);
        event->start = max(vma->start, *at);
        event->end = *at = min(vma->end, end);
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return u;
}

void mm_userfault_tell_removed(struct mm *mm, uint64_t start, uint64_t end)
{
    struct userfault_event event = {.news = USERFAULT_REMOVED};
    struct userfault *u;

    while (start < end && (u = find_removed(mm, &start, end, &event)))
        userfault_tell(u, &event);
}

/* Unmapped */

/* Was the same told of an area before @vma in the list? */
static bool is_told(const struct list_node *dead, const struct vma *vma)
{
    const struct vma *before;

    list_for_each_entry (before, dead, mapping_node) {
        if (before == vma)
            break;
        if (before->userfault == vma->userfault && before->gap == vma->gap)
            return true;
    }
    return false;
}

void userfault_note_unmapped(struct vma *vma, uint64_t start, uint64_t end)
{
    vma->gap = start;
    vma->max_gap = end;
    if (userfault_wants(vma->userfault, USERFAULT_UNMAPPED))
        userfault_begin(vma->userfault);
}

void userfault_tell_unmapped(struct list_node *dead)
{
    const struct vma *vma;

    list_for_each_entry (vma, dead, mapping_node) {
        struct userfault_event event = {
            .news = USERFAULT_UNMAPPED, .start = vma->gap, .end = vma->max_gap};
        if (!userfault_wants(vma->userfault, USERFAULT_UNMAPPED))
            continue;
        if (is_told(dead, vma))
            userfault_end(vma->userfault);
        else
            userfault_tell(vma->userfault, &event);
    }
}

/* Forked */

/* A parent's and a child's, which are told apart until the child is complete. */
struct pair {
    struct list_node node;
    struct userfault *parents, *childs; /* with a reference each */
};

static struct pair *pair_make(struct userfault *u, const struct mm *child, struct list_node *pairs)
{
    struct pair *pair = kmem_alloc(sizeof(*pair), SLAB_ALLOC_PLAIN);

    if (!pair)
        return NULL;
    pair->parents = u;
    pair->childs = u->ops->like(u, child);
    if (!pair->childs) {
        kmem_free(pair);
        return NULL;
    }
    userfault_begin(u);
    list_add_tail(&pair->node, pairs);
    return pair;
}

int userfault_fork(struct vma *copy, const struct vma *vma, struct list_node *pairs)
{
    struct pair *pair, *found = NULL;

    if (!userfault_wants(vma->userfault, USERFAULT_FORKED))
        return 0;
    list_for_each_entry (pair, pairs, node)
        found = pair->parents == vma->userfault ? pair : found;
    if (!found)
        found = pair_make(vma->userfault, copy->mm, pairs);
    if (!found)
        return -ENOMEM;
    userfault_get(found->childs);
    copy->userfault = found->childs;
    copy->flags |= vma->flags & VM_UFFD;
    return 0;
}

void userfault_forked(struct mm *child, struct list_node *pairs, bool succeeded)
{
    struct pair *pair, *after;

    list_for_each_safe (pair, after, pairs, node) {
        list_del(&pair->node);
        if (succeeded) {
            userfault_tell(pair->parents, &(struct userfault_event){.news = USERFAULT_FORKED,
                                                                    .mm = child,
                                                                    .child = pair->childs});
        } else {
            userfault_put(pair->childs);
            userfault_end(pair->parents);
        }
        kmem_free(pair);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/secret_huge.c - secret memory in pages of 2 MiB and 1 GiB
 *
 * Room:   mm.
 * Owns:   a huge secret page, from its first fault to its release.
 * Locks:  making (sleeping, 18) > object.index_lock (20), which is not held while CPUs flush.
 * Always: (1) a page is zero, unmapped and flushed everywhere before it enters the index;
 *         (2) it is wiped through the window while it is still hidden, then restored, then freed;
 *         (3) one is made at a time: who comes second finds it, and never lacks memory for another.
 * Source: beyond-linux.md 3; Linux has none.
 * Tour:   after mm/secretmem.c; mm/hugetlb.c has those that are not secret.
 */
#include "giant.h"
#include "secret_pool.h"

#include <asm/cpu.h>
#include <asm/window.h>
#include <lib/frames.h>
#include <uapi/errno.h>

static struct mutex making;
static _Atomic uint64_t nr_frames;

void secret_huge_boot_init(void)
{
    mutex_init(&making);
}

uint64_t secret_huge_frames(void)
{
    return atomic_load_explicit(&nr_frames, memory_order_relaxed);
}

static int block_alloc(unsigned order, struct page **out)
{
    return order > PAGE_ORDER_MAX ? giant_alloc(order, out)
                                  : page_alloc(order, PAGE_ALLOC_PLAIN, out);
}

static void block_free(struct page *page)
{
    if (page->order > PAGE_ORDER_MAX)
        giant_free(page);
    else
        page_free(page, page->order);
}

/* What the pool of small pages keeps and nobody uses may be what is lacking. */
static int block_alloc_hard(unsigned order, struct page **out)
{
    int err = block_alloc(order, out);
    return err && secret_pool_shrink() ? block_alloc(order, out) : err;
}

/* Claim 1, up to the index. With one reference. */
static int page_make(unsigned order, struct page **out)
{
    int err = block_alloc_hard(order, out);
    if (err)
        return err;
    zero_frames(page_kva(*out), PAGE_SIZE << order);
    err = frames_hide(*out);
    if (err) {
        block_free(*out);
        return err;
    }
    page_set_state(*out, PAGE_SECRET);
    atomic_store_explicit(&(*out)->refcount, 1, memory_order_relaxed);
    atomic_fetch_add(&nr_frames, 1UL << order);
    return 0;
}

/* It holds zeros only, and no CPU remembers a leaf. */
static void page_end(struct page *page)
{
    page_set_state(page, PAGE_HIDDEN);
    frames_restore(page);
    atomic_fetch_sub(&nr_frames, 1UL << page->order);
    block_free(page);
}

void secret_huge_release(struct page *head)
{
    for (uint64_t i = 0; i < 1UL << head->order; i++)
        window_zero(head + i);
    page_end(head);
}

/* As object_add_page(), in the unit of these objects. */
static int add(struct object *object, uint64_t index, struct page *page)
{
    spin_lock(&object->index_lock);
    int err = index_insert(&object->folios, index, page);
    if (!err) {
        folio_get(page_folio(page));
        page->index = index << page->order;
        WRITE_ONCE(page->object, object);
        atomic_fetch_add(&object->nr_pages, 1UL << page->order);
    }
    spin_unlock(&object->index_lock);
    return err;
}

/* Nobody else makes one. */
static int make_locked(struct object *object, uint64_t index, struct page **out)
{
    *out = object_find_page(object, index);
    if (*out)
        return 0;
    int err = page_make(object->ops->folio_order, out);
    if (err)
        return err;
    err = add(object, index, *out);
    if (err) {
        atomic_store_explicit(&(*out)->refcount, 0, memory_order_relaxed);
        page_end(*out);
    }
    return err;
}

static int huge_get_page(struct object *object, uint64_t index, enum object_get how,
                         struct page **out)
{
    *out = object_find_page(object, index);
    if (*out || how == OBJECT_GET_EXISTING)
        return 0;
    mutex_lock(&making);
    int err = make_locked(object, index, out);
    mutex_unlock(&making);
    return err;
}

/* The first page of [start, end), out of the index; NULL: there is none. */
static struct page *take_out(struct object *object, uint64_t start, uint64_t end)
{
    spin_lock(&object->index_lock);
    struct page *page = index_next(&object->folios, &start);
    if (page && start < end) {
        index_remove(&object->folios, start);
        WRITE_ONCE(page->object, NULL);
        atomic_fetch_sub(&object->nr_pages, 1UL << page->order);
    } else {
        page = NULL;
    }
    spin_unlock(&object->index_lock);
    return page;
}

static void huge_remove_folios(struct object *object, uint64_t start, uint64_t end)
{
    struct page *page;

    while ((page = take_out(object, start, end)))
        page_put(page);
}

#define OPS(order)                                                              \
    {                                                                           \
        .name = "secretmem", .folio_order = (order), .get_page = huge_get_page, \
        .remove_folios = huge_remove_folios, .secret = true                     \
    }

static const struct object_ops huge_ops = OPS(HUGE_ORDER), giant_ops = OPS(PAGE_ORDER_GIANT);

const struct object_ops *secretmem_ops_for(unsigned order)
{
    switch (order) {
    case 0:
        return &secretmem_ops;
    case HUGE_ORDER:
        return &huge_ops;
    case PAGE_ORDER_GIANT:
        return cpu_has(CPU_PAGE_1G) ? &giant_ops : NULL;
    default:
        return NULL;
    }
}

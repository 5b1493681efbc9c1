/* SPDX-License-Identifier: MIT */
/*
 * mm/object.c - what all memory objects have in common
 *
 * Room:   mm. Sees folios, sizes, seals; never descriptors or page-table bits.
 * Owns:   the index, reading and writing through the kernel's address of a folio.
 * Locks:  lock > mappings_lock; lock > index_lock; see include/mm/object.h.
 * Always: (1) a call that fails has changed neither index nor counts, but for pages that others may
 *             look for, too.
 * Source: include/mm/object.h.
 * Tour:   after include/mm/object.h; then mm/truncate.c, mm/shmem.c.
 */
#include "internal.h"
#include <lib/string.h>
#include <mm/commit.h>
#include <uapi/errno.h>

static struct slab_cache index_node_cache;

static struct index_node *index_node_new(void)
{
    return slab_alloc(&index_node_cache, SLAB_ALLOC_PLAIN);
}

static void index_node_free(struct index_node *node)
{
    slab_free(&index_node_cache, node);
}

static const struct index_ops index_ops = {index_node_new, index_node_free};

void object_index_init(struct index *index)
{
    index_init(index, &index_ops);
}

void object_boot_init(void)
{
    slab_cache_init(&index_node_cache, "index_node", sizeof(struct index_node), 0);
}

void object_init(struct object *object, const struct object_ops *ops,
                 void (*release)(struct object *object))
{
    object->ops = ops;
    object->release = release;
    object->huge = SHMEM_HUGE_NEVER;
    atomic_store_explicit(&object->refcount, 1, memory_order_relaxed);
    mutex_init(&object->lock);
    spin_lock_init(&object->index_lock, LOCK_RANK_OBJECT);
    spin_lock_init(&object->mappings_lock, LOCK_RANK_RMAP);
    object_index_init(&object->folios);
    list_init(&object->mappings);
}

static void release_nameless(struct object *object)
{
    kmem_free(object);
}

int object_create(const struct object_ops *ops, uint64_t size_bytes, struct object **out)
{
    struct object *object = kmem_alloc(sizeof(*object), SLAB_ALLOC_ZERO);
    if (!object)
        return -ENOMEM;
    object_init(object, ops, release_nameless);
    object->huge = SHMEM_HUGE_NO_MOUNT;
    atomic_store(&object->size_bytes, size_bytes);
    *out = object;
    return 0;
}

int object_promise(struct object *object)
{
    uint64_t pages = round_up(object_size(object), PAGE_SIZE) >> PAGE_SHIFT;
    int err = commit_charge(pages, 0);
    if (!err)
        object->promised = pages;
    return err;
}

void object_get(struct object *object)
{
    uint32_t before = atomic_fetch_add_explicit(&object->refcount, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX / 2, "refcount=%u", before);
}

void object_put(struct object *object)
{
    if (atomic_fetch_sub_explicit(&object->refcount, 1, memory_order_acq_rel) != 1)
        return;
    ASSERT(list_empty(&object->mappings), "claim: a mapping holds a reference");
    if (!index_is_empty(&object->folios))
        object->ops->remove_folios(object, 0, UINT64_MAX);
    if (object->promised)
        commit_release(object->promised);
    object->release(object);
}

static int quota_charge(struct object_quota *quota, uint64_t nr_pages)
{
    uint64_t used = atomic_load(&quota->used);
    do {
        if (used + nr_pages > atomic_load(&quota->max))
            return -ENOSPC;
    } while (!atomic_compare_exchange_weak(&quota->used, &used, used + nr_pages));
    return 0;
}

int object_charge(struct object *object, uint64_t nr_pages)
{
    struct object_quota *quota = object->quota;

    if (quota && quota_charge(quota, nr_pages))
        return -ENOSPC;
    if (!promises_pages(object) || !commit_charge(nr_pages, 0))
        return 0;
    if (quota)
        atomic_fetch_sub(&quota->used, nr_pages);
    return -ENOSPC;
}

void object_uncharge(struct object *object, uint64_t nr_pages)
{
    if (object->quota)
        atomic_fetch_sub(&object->quota->used, nr_pages);
    if (promises_pages(object))
        commit_release(nr_pages);
}

void object_join(struct object *object, struct object_quota *quota)
{
    atomic_fetch_add(&quota->used, atomic_load(&object->nr_pages));
    object->quota = quota;
}

uint64_t object_block_bytes(const struct object *object)
{
    return shmem_wants_huge(object, 0, OBJECT_GET_ALLOCATE) ? HUGE_SIZE
                                                            : object_folio_bytes(object);
}

uint32_t folio_slots(const struct page *head)
{
    uint32_t slots = head->object ? 1 : 0;

    for (unsigned i = 1; head->state == PAGE_OBJECT && i < 1U << head->order; i++)
        slots += head[i].object ? 1 : 0;
    return slots;
}

struct page *object_find_page(struct object *object, uint64_t index)
{
    return object_find_page_inline(object, index);
}

bool object_has_page(struct object *object, uint64_t index)
{
    struct page *page;
    int err = object->ops->get_page(object, index, OBJECT_GET_EXISTING, &page);
    if (err || !page)
        return false;
    bool touched = !page_is_untouched(page);
    page_put(page);
    return touched;
}

void object_touch(struct object *object, struct page *page)
{
    if (likely(!page_is_untouched(page)))
        return;
    spin_lock(&object->index_lock); /* a block's other flags may be changing */
    page_head(page)->flags &= (uint16_t)~PAGE_UNTOUCHED;
    spin_unlock(&object->index_lock);
}

/* Does a page of it cost anybody anything but memory? */
static inline bool is_charged(const struct object *object)
{
    return object->quota || promises_pages(object);
}

int object_add_page(struct object *object, uint64_t index, struct page *page)
{
    bool charged = is_charged(object);

    if (charged && object_charge(object, 1))
        return -ENOSPC;
    spin_lock(&object->index_lock);
    int err = index_insert(&object->folios, index, page);
    if (!err) {
        folio_get(page_folio(page));
        page->index = index;
        WRITE_ONCE(page->object, object);
        atomic_fetch_add_explicit(&object->nr_pages, 1, memory_order_relaxed);
    }
    spin_unlock(&object->index_lock);
    if (err && charged)
        object_uncharge(object, 1);
    return err;
}

enum remove_what { REMOVE_ALL, REMOVE_UNTOUCHED };

/* Up to @max pages that nobody looked at yet, out of the index. */
static unsigned take_untouched(struct index *folios, uint64_t start, uint64_t end, void *pages[],
                               unsigned max)
{
    struct page *page;
    unsigned nr = 0;

    for (uint64_t i = start; nr < max && (page = index_next(folios, &i)) && i < end; i++)
        if (page_is_untouched(page))
            pages[nr++] = index_remove(folios, i);
    return nr;
}

/* It has left the index of an object. */
static struct page *object_lost(struct page *page)
{
    struct page *head = page_head(page);

    if (head->order)
        block_lost_slot(head);
    WRITE_ONCE(page->object, NULL);
    return head;
}

/* Take out a batch under the lock, drop it outside: dropping may flush, which waits. */
static void remove_pages(struct object *object, uint64_t start, uint64_t end, enum remove_what what)
{
    void *pages[32];
    struct page *heads[32];
    unsigned nr;

    do {
        spin_lock(&object->index_lock);
        nr = (what == REMOVE_ALL ? index_take : take_untouched)(&object->folios, start, end, pages,
                                                                ARRAY_SIZE(pages));
        for (unsigned i = 0; i < nr; i++)
            heads[i] = object_lost(pages[i]);
        atomic_fetch_sub_explicit(&object->nr_pages, nr, memory_order_relaxed);
        spin_unlock(&object->index_lock);
        object_uncharge(object, nr); /* of one page each */
        folios_put(heads, nr);
    } while (nr == ARRAY_SIZE(heads));
}

void object_remove_folios(struct object *object, uint64_t start, uint64_t end)
{
    remove_pages(object, start, end, REMOVE_ALL);
}

/* How many slots of the index hold @page's block, from that page on. Asking for one is enough. */
static uint64_t slots_from(struct page *page)
{
    struct page *head = page_head(page);
    return page_is_whole(head) ? head + PT_ENTRIES - page : 1;
}

int object_allocate(struct object *object, uint64_t start, uint64_t end)
{
    uint64_t folio_bytes = object_folio_bytes(object);

    for (uint64_t i = start / folio_bytes, step; i * folio_bytes < end; i += step) {
        struct page *page;
        int err = object->ops->get_page(object, i, OBJECT_GET_RESERVE, &page);
        if (err && !object->ops->folio_order)
            remove_pages(object, start / folio_bytes, i, REMOVE_UNTOUCHED);
        if (err)
            return err;
        step = object->ops->folio_order ? 1 : slots_from(page);
        page_put(page);
    }
    return 0;
}

unsigned object_mappings(struct object *object)
{
    struct vma *vma;
    unsigned nr = 0;

    spin_lock(&object->mappings_lock);
    list_for_each_entry (vma, &object->mappings, mapping_node)
        nr++;
    spin_unlock(&object->mappings_lock);
    return nr;
}

int users_get(_Atomic int64_t *users, const _Atomic int64_t *rivals)
{
    int64_t n = atomic_load(users);
    do {
        if (n < 0)
            return -EPERM;
    } while (!atomic_compare_exchange_weak(users, &n, n + 1));
    if (!vm_settings.wx_enforce || atomic_load(rivals) <= 0)
        return 0;
    users_put(users);
    return -EACCES;
}

void users_put(_Atomic int64_t *users)
{
    int64_t before = atomic_fetch_sub(users, 1);
    ASSERT(before > 0, "users=%ld", before);
}

int users_deny(_Atomic int64_t *users)
{
    int64_t none = 0;
    if (atomic_compare_exchange_strong(users, &none, -1) || none < 0)
        return 0;
    return -EBUSY;
}

int object_writer_get(struct object *object)
{
    return users_get(&object->writers, &object->executors);
}

void object_writer_put(struct object *object)
{
    users_put(&object->writers);
}

int object_deny_writers(struct object *object)
{
    return users_deny(&object->writers);
}

void object_allow_writers(struct object *object)
{
    atomic_store(&object->writers, 0);
}

/* The part of [pos, pos + len) that lies in one folio. */
static size_t folio_chunk(const struct object *object, uint64_t pos, size_t len)
{
    uint64_t folio_bytes = object_folio_bytes(object);
    return min(len, folio_bytes - (pos & (folio_bytes - 1)));
}

static size_t copy_page(const struct page *page, uint64_t offset, struct object_copy *c,
                        size_t done, size_t len)
{
    return c->copy(c, (char *)page_kva(page) + offset, done, len);
}

/* Holes read as zeros, a page at a time. */
static size_t copy_zeros(struct object_copy *c, size_t done, size_t len)
{
    size_t moved = 0;
    while (moved < len) {
        size_t chunk = min(len - moved, PAGE_SIZE);
        size_t left = c->copy(c, page_kva(zero_page), done + moved, chunk);
        moved += chunk - left;
        if (left)
            break;
    }
    return len - moved;
}

int64_t object_read(struct object *object, uint64_t pos, size_t len, struct object_copy *c)
{
    uint64_t folio_bytes = object_folio_bytes(object);
    size_t done = 0;

    while (done < len) {
        uint64_t size = object_size(object);
        if (pos >= size)
            break;
        size_t chunk = folio_chunk(object, pos, min(len - done, size - pos));
        struct page *page = object_existing_page(object, pos / folio_bytes);
        size_t left = page ? copy_page(page, pos & (folio_bytes - 1), c, done, chunk)
                           : copy_zeros(c, done, chunk);
        if (page)
            page_put(page);
        done += chunk - left;
        pos += chunk - left;
        if (left)
            return done ? (int64_t)done : -EFAULT;
    }
    return done;
}

int64_t object_write(struct object *object, uint64_t pos, size_t len, struct object_copy *c)
{
    uint64_t folio_bytes = object_folio_bytes(object);
    size_t done = 0;

    while (done < len) {
        size_t chunk = folio_chunk(object, pos, len - done);
        struct page *page;
        int err = object->ops->get_page(object, pos / folio_bytes, OBJECT_GET_ALLOCATE, &page);
        if (err)
            return done ? (int64_t)done : err;
        size_t left = copy_page(page, pos & (folio_bytes - 1), c, done, chunk);
        page_put(page);
        done += chunk - left;
        pos += chunk - left;
        if (pos > object_size(object))
            atomic_store(&object->size_bytes, pos);
        if (left == chunk) /* after a part the source may be readable: what was written is it */
            return done ? (int64_t)done : -EFAULT;
    }
    return done;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/sealed.c - is what is sealed as it was? For vm_check() of debug kernels
 *
 * Room:   kernel.
 * Owns:   a record for each file with seals: what it was when they were added.
 * Locks:  records_lock (spin, rank FILES) round the list.
 * Always: (1) a file whose record finds no memory is not checked, and works as any other;
 *         (2) bytes are compared once they can neither be written nor cut off, as far as BYTES_MAX,
 *             if the kernel can read them.
 * Source: trust.md section 2, V12; fcntl(2) "File Sealing".
 * Tour:   after kernel/memfd.c; mm/check.c looks at mappings of what is sealed.
 */
#include "sealed.h"

#include "fs.h"
#include <base/claim.h>
#include <base/panic.h>
#include <lib/list.h>
#include <mm/slab.h>

#define BYTES_MAX  MIB
#define BYTES_STAY (SEAL_WRITE | SEAL_SHRINK)

struct record {
    struct list_node node;
    struct inode *inode; /* no reference */
    uint32_t seals;      /* of which the rest knows */
    uint32_t mode;       /* when it was sealed */
    uint64_t least_size, greatest_size, hashed_bytes, hash;
};

/* A sum over bytes that are read. */
struct hasher {
    struct object_copy copy;
    uint64_t hash;
};

static struct list_node records = LIST_INIT(records);
static spinlock_t records_lock = SPINLOCK_INIT(LOCK_RANK_FILES);

static size_t hash_bytes(struct object_copy *c, void *kva, size_t done, size_t len)
{
    struct hasher *h = container_of(c, struct hasher, copy);
    const uint8_t *bytes = kva;
    (void)done;

    for (size_t i = 0; i < len; i++)
        h->hash = (h->hash ^ bytes[i]) * 1099511628211UL; /* FNV-1a */
    return 0;
}

static uint64_t hash_of(struct object *object, uint64_t len)
{
    struct hasher h = {.copy = {hash_bytes}};

    int64_t n = object_read(object, 0, len, &h.copy);
    ASSERT(n == (int64_t)len, "%ld of %lu sealed bytes could be read", n, len);
    return h.hash;
}

/* records_lock held, or the machine stands still. */
static struct record *record_of(const struct inode *inode)
{
    struct record *r;

    list_for_each_entry (r, &records, node)
        if (r->inode == inode)
            return r;
    return NULL;
}

static struct record *record_get(struct inode *inode)
{
    spin_lock(&records_lock);
    struct record *r = record_of(inode);
    spin_unlock(&records_lock);
    if (r)
        return r;
    r = kmem_alloc(sizeof(*r), SLAB_ALLOC_ZERO);
    if (!r)
        return NULL;
    r->inode = inode;
    spin_lock(&records_lock);
    list_add_tail(&r->node, &records);
    spin_unlock(&records_lock);
    return r;
}

void sealed_note(struct inode *inode)
{
    struct object *object = &inode->object;
    struct record *r = object->seals & ~SEAL_SEAL ? record_get(inode) : NULL;

    if (!r)
        return;
    uint32_t added = object->seals & ~r->seals;
    if (added & SEAL_EXEC)
        r->mode = inode->mode;
    if (added & SEAL_SHRINK)
        r->least_size = object_size(object);
    if (added & SEAL_GROW)
        r->greatest_size = object_size(object);
    if ((added & BYTES_STAY) && object->ops->kernel_access &&
        (object->seals & BYTES_STAY) == BYTES_STAY) {
        r->hashed_bytes = min(object_size(object), BYTES_MAX);
        r->hash = hash_of(object, r->hashed_bytes);
    }
    WRITE_ONCE(r->seals, object->seals);
}

void sealed_forget(struct inode *inode)
{
    if (!inode->object.seals)
        return;
    spin_lock(&records_lock);
    struct record *r = record_of(inode);
    if (r)
        list_del(&r->node);
    spin_unlock(&records_lock);
    kmem_free(r);
}

/* Linux lets the rights of huge files change, whatever their seals. */
static bool mode_stays(const struct record *r)
{
    return (r->seals & SEAL_EXEC) && !object_is_hugetlb(&r->inode->object);
}

static int record_check(const struct record *r)
{
    struct object *object = &r->inode->object;
    uint64_t size = object_size(object);

    CLAIM((r->seals & ~object->seals) == 0, "V12", "file %lu lost seals: %#x of %#x", r->inode->ino,
          object->seals, r->seals);
    CLAIM(!(r->seals & SEAL_WRITE) || atomic_load(&object->writers) == -1, "V12",
          "file %lu is write-sealed, but has %ld writers", r->inode->ino,
          atomic_load(&object->writers));
    CLAIM(!(r->seals & SEAL_NEVER_EXEC) || atomic_load(&object->executors) == -1, "V12",
          "file %lu is never to be executed, but %ld mappings may be", r->inode->ino,
          atomic_load(&object->executors));
    CLAIM(!(r->seals & SEAL_SHRINK) || size >= r->least_size, "V12",
          "file %lu shrank from %lu to %lu", r->inode->ino, r->least_size, size);
    CLAIM(!(r->seals & SEAL_GROW) || size <= r->greatest_size, "V12",
          "file %lu grew from %lu to %lu", r->inode->ino, r->greatest_size, size);
    CLAIM(!mode_stays(r) || !((r->mode ^ r->inode->mode) & 0111), "V12",
          "file %lu may be executed otherwise: %o, sealed %o", r->inode->ino, r->inode->mode,
          r->mode);
    CLAIM((r->seals & BYTES_STAY) != BYTES_STAY || hash_of(object, r->hashed_bytes) == r->hash,
          "V12", "file %lu: sealed bytes changed", r->inode->ino);
    return 0;
}

int sealed_check(void)
{
    struct record *r;
    int err = 0;

    list_for_each_entry (r, &records, node)
        if (!err && atomic_load(&r->inode->object.refcount)) /* else its pages are going */
            err = record_check(r);
    return err;
}

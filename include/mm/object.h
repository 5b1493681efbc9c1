/* SPDX-License-Identifier: MIT */
/*
 * include/mm/object.h - everything mappable is a memory object
 *
 * Room:   mm.
 * Owns:   struct object: an index of folios, a size, seals, who maps it; its operations.
 * Locks:  lock (mutex, rank INODE): size, seals, content changes by calls (Linux: i_rwsem).
 *         index_lock (spin, rank OBJECT): the index. mappings_lock (spin, rank RMAP): the list.
 * Always: (1) the index holds one reference for each of its slots, each mapping leaf one more;
 *         (2) a page in the index, be it a tail, has page.object == this object; taken out, NULL.
 *             What is borrowed is in the index of two, and has the lender's;
 *         (3) a mapping is on the list as long as its page tables may hold folios of the object.
 * Source: design.md section 2.
 * Tour:   after include/mm/page.h; then mm/shmem.c, mm/hugetlb.c, mm/secretmem.c.
 */
#pragma once

#include <asm/spinlock.h>
#include <base/mutex.h>
#include <lib/index.h>
#include <lib/list.h>
#include <mm/page.h>

struct hugetlb_pool;
struct object;
struct vma;

enum object_get {
    OBJECT_GET_EXISTING, /* NULL when there is none */
    OBJECT_GET_ALLOCATE, /* make it if it is missing */
    OBJECT_GET_RESERVE,  /* the same, but it counts as a hole until asked for again */
    OBJECT_GET_ADVISED,  /* make it: large pages were asked for here */
    OBJECT_GET_SMALL     /* make it: no large pages here */
};

/* What makes one kind of memory different from another. */
struct object_ops {
    const char *name;
    unsigned folio_order;      /* size of its folios, and of its mappings' leaves: 0, 9 or 18 */
    struct hugetlb_pool *pool; /* where they come from, if they are huge */

    /**
     * get_page() - the page at @index (in units of the folio size): a head, or where an object of
     * small pages has a huge one, the part of it that lies there
     * The caller checked the size. Context: task, no spinning lock held.
     * Return: 0 with a reference in *@out (NULL only for OBJECT_GET_EXISTING), -ENOMEM with
     *         nothing changed.
     */
    int (*get_page)(struct object *object, uint64_t index, enum object_get how, struct page **out);

    /**
     * make_page() - the page at @index, which the index had not a moment ago. NULL but for objects
     * whose small pages are all that the index holds.
     * Context: as get_page(). Return: 0 with a reference in *@out; -EEXIST: it has it now; -ENOMEM.
     */
    int (*make_page)(struct object *object, uint64_t index, enum object_get how, struct page **out);

    /**
     * get_copy() - a folio for the own bytes of @vma, a private mapping, at @index. May be NULL:
     * then a page of the system does. Context: the lock of vma->hugetlb held until it is mapped.
     * Return: 0 with a reference and PAGE_COPY set, its contents anything; or -ENOMEM.
     */
    int (*get_copy)(const struct vma *vma, uint64_t index, struct page **out);

    /* Take whole folios [start, end) out of the index and drop them. Mappings are gone already. */
    void (*remove_folios)(struct object *object, uint64_t start, uint64_t end);

    /* A mapping of @nr_pages 4 KiB pages from @pgoff is about to be made: reserve. May be NULL. */
    int (*reserve)(struct object *object, uint64_t pgoff, uint64_t nr_pages);

    /* Its pages are promised memory: one by one, or all at once by object_promise(). */
    bool promises;

    /* A mapping that may write makes the object as large as what it maps. */
    bool grows_mapped;

    /* The kernel can read and write its folios through their kernel address. */
    bool kernel_access;

    /* Its folios have no kernel address: mm/secretmem.c. */
    bool secret;

    /* Its pages are other objects': mm/borrow.c. */
    bool borrows;
};

/* Seals, as F_ADD_SEALS numbers them: fcntl(2). */
enum object_seal {
    SEAL_SEAL = 0x01,
    SEAL_SHRINK = 0x02,
    SEAL_GROW = 0x04,
    SEAL_WRITE = 0x08,
    SEAL_FUTURE_WRITE = 0x10,
    SEAL_EXEC = 0x20,
    SEAL_NEVER_EXEC = 0x10000
};

/* How much memory some objects together may take: those of one file system. In frames. */
struct object_quota {
    _Atomic uint64_t used, max;  /* [a] */
    struct hugetlb_pool *pool;   /* of huge pages; NULL: of others [I] */
    struct list_node pool_node;  /* on the pool's list */
    uint64_t set_aside, minimum; /* huge pages promised to nobody else; mm/hugetlb_quota.c */
};

/* [I] fixed at init  [l] lock  [x] index_lock  [r] mappings_lock  [a] atomic */
struct object {
    const struct object_ops *ops; /* [I] */
    struct object_quota *quota;   /* [I] while it has pages; NULL: no limit. Outlives the object */
    _Atomic uint32_t refcount;    /* [a] */
    uint32_t seals;               /* enum object_seal [l] */
    struct mutex lock;
    spinlock_t index_lock;
    struct index folios;         /* [x] */
    _Atomic uint64_t size_bytes; /* written under lock [a] */
    _Atomic uint64_t nr_pages;   /* 4 KiB frames in the index [a] */
    uint64_t promised;           /* pages of object_promise(); 0: each for itself [I] */
    _Atomic int64_t executors;   /* mappings that may be executed; -1: none ever may [a] */
    _Atomic int64_t writers;     /* shared mappings that may write; -1: no more may come [a] */
    spinlock_t mappings_lock;
    struct list_node mappings;  /* struct vma.mapping_node [r] */
    struct list_node pool_node; /* of huge pages: on its pool's list, if it has any [x] */
    uint8_t
        huge; /* when it, or what is made in a directory, gets huge pages: enum shmem_huge [a] */
    bool has_huge; /* there was a huge page among small ones once; never cleared [a] */
    void (*release)(struct object *object); /* [I] the last reference went; frees the memory */
    void (*unmapped)(
        struct object *object); /* [I] a mapping of it ended; NULL: nobody counts them */
};

/* Fill in a new object, all zeros before, with one reference. */
void object_init(struct object *object, const struct object_ops *ops,
                 void (*release)(struct object *object));

/* An object of its own, without a file: anonymous memory that is shared, or made of huge pages.
 * 0 with one reference in *@out, or -ENOMEM. */
int __must_check object_create(const struct object_ops *ops, uint64_t size_bytes,
                               struct object **out);

/* Promise a new object the memory for all of its size. 0 or -ENOMEM. */
int __must_check object_promise(struct object *object);

void object_get(struct object *object);

/* The last reference removes all folios, then calls release. Task context, no spinning lock. */
void object_put(struct object *object);

static inline uint64_t object_size(const struct object *object)
{
    return atomic_load_explicit(&object->size_bytes, memory_order_relaxed);
}

/* Have a size of @size_bytes at least; what lies behind the old end stays. lock held. */
static inline void object_cover(struct object *object, uint64_t size_bytes)
{
    if (object_size(object) < size_bytes)
        atomic_store(&object->size_bytes, size_bytes);
}

static inline uint64_t object_folio_bytes(const struct object *object)
{
    return PAGE_SIZE << object->ops->folio_order;
}

/* Is it made of huge pages only, of a pool? */
static inline bool object_is_hugetlb(const struct object *object)
{
    return object->ops && object->ops->pool;
}

/* In what sizes it likes to be read and written: what stat(2) calls the block size. */
uint64_t object_block_bytes(const struct object *object);

/* Look up @index and take a reference; NULL when there is none. */
struct page *object_find_page(struct object *object, uint64_t index);

/* Is there a page at @index? */
bool object_has_page(struct object *object, uint64_t index);

/**
 * object_add_page() - put a new page into the index
 * On success the index took over the caller's reference and the caller has one more.
 * Return: 0; -EEXIST when somebody was faster; -ENOMEM; -ENOSPC, which is no memory that could be
 *         promised, or a quota that is used up. Then nothing changed.
 */
int __must_check object_add_page(struct object *object, uint64_t index, struct page *page);

/* The plain form of ops->remove_folios(). */
void object_remove_folios(struct object *object, uint64_t start, uint64_t end);

/**
 * object_truncate() - set the size
 * Shrinking takes pages beyond it from all mappings, zeroes the rest of the last page, and frees.
 * Context: object->lock held. Seals and limits were checked. Never fails.
 * TLB: all mappings are flushed before pages are freed.
 */
void object_truncate(struct object *object, uint64_t size_bytes);

/**
 * object_punch() - make [start, end) (bytes) a hole that reads as zeros
 * Whole folios are freed, parts of folios zeroed; private copies in mappings stay.
 * Context: object->lock held; seals were checked. Never fails. TLB: flushed before pages are freed.
 */
void object_punch(struct object *object, uint64_t start, uint64_t end);

/* Make every folio that [start, end) touches. object->lock held. 0, or -ENOMEM or -ENOSPC: small
 * pages that nobody touched yet are taken back, huge ones of the pool stay. */
int __must_check object_allocate(struct object *object, uint64_t start, uint64_t end);

/* A new object belongs to those of @quota from now on; what it has already is counted there. */
void object_join(struct object *object, struct object_quota *quota);

/* How many areas map it. */
unsigned object_mappings(struct object *object);

/* A shared mapping that may write comes: -EPERM if a seal forbids more of them; -EACCES: wx=enforce
 * does, since the object has executors. */
int __must_check object_writer_get(struct object *object);
void object_writer_put(struct object *object);

/* No writer is there and none may come from now on; -EBUSY when there are. */
int __must_check object_deny_writers(struct object *object);

/* The same of mappings that may be executed, private or shared: mm/wx.c. -EPERM: a seal forbids
 * them; -EACCES: wx=enforce does, since the object has writers. */
int __must_check object_executor_get(struct object *object);
void object_executor_put(struct object *object);
int __must_check object_deny_executors(struct object *object);

/* They may again: it was denied a moment ago. */
void object_allow_writers(struct object *object);

/**
 * object_read() / object_write() - copy between the object and a buffer
 * @copy: moves @len bytes between the kernel address and the caller's place at @done bytes into the
 *        buffer; returns how many it could not move (a user buffer that faults)
 * Reading stops at the size; holes read as zeros and stay holes. Writing allocates and grows.
 * Context: write: object->lock held. Task context: @copy may fault.
 * Return: bytes moved, if any; else -EFAULT, -ENOMEM, 0 at the end of the object.
 */
struct object_copy {
    size_t (*copy)(struct object_copy *c, void *kva, size_t done, size_t len);
};

int64_t object_read(struct object *object, uint64_t pos, size_t len, struct object_copy *c);
int64_t object_write(struct object *object, uint64_t pos, size_t len, struct object_copy *c);

/* The kinds. */
extern const struct object_ops shmem_ops, hugetlb_ops, borrowed_ops;

/* Boot: slab cache of index nodes, release functions of page states. */
void object_boot_init(void);

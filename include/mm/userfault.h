/* SPDX-License-Identifier: MIT */
/*
 * include/mm/userfault.h - faults that a program answers
 *
 * Room:   mm.
 * Owns:   struct userfault: who is asked, as an address space sees it.
 * Locks:  mmap_lock, taken inside.
 * Always: (1) an area that asks has a reference on whom it asks;
 *         (2) what is missing in it comes by mm_userfault_fill() only, or by another mapping.
 * Source: userfaultfd(2), ioctl_userfaultfd(2).
 * Tour:   after include/mm/mm.h; then mm/userfault.c, kernel/userfaultfd.c.
 */
#pragma once

#include <lib/compiler.h>
#include <mm/mm.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct object_copy;
struct userfault;
struct vma;

enum userfault_reason {
    USERFAULT_NONE,
    USERFAULT_MISSING,  /* there is no page */
    USERFAULT_MINOR,    /* there is one, which is not mapped here */
    USERFAULT_PROTECTED /* there is one, or could be, and this is the first write to it */
};

/* An access that waits for an answer. */
struct userfault_question {
    uint64_t addr;
    enum fault_access access;
    bool by_kernel; /* only a signal that ends the program interrupts */
    /* mm_userfault_ask() fills in: */
    uint64_t unit; /* bytes of the page */
    enum userfault_reason reason;
};

/* What else a program may want to know. */
enum userfault_news {
    USERFAULT_FORKED,  /* a child has areas that ask, too */
    USERFAULT_MOVED,   /* mremap(2) */
    USERFAULT_REMOVED, /* pages are about to go: madvise(2) */
    USERFAULT_UNMAPPED /* areas are gone */
};

struct userfault_event {
    enum userfault_news news;
    uint64_t start, end;     /* moved: the old place */
    uint64_t to;             /* moved: the new one */
    struct mm *mm;           /* forked: the child, */
    struct userfault *child; /* and whom it asks, with a reference that tell() takes over */
};

struct userfault_ops {
    /**
     * wait() - ask, and wait until there is an answer
     * Context: task, no locks held. It asks mm_userfault_is_open() before it sleeps.
     * Return: FAULT_RESOLVED: try the access again; FAULT_BEYOND: it fails.
     */
    enum fault_result (*wait)(struct userfault *u, struct mm *mm,
                              const struct userfault_question *q);

    /* Tell, and wait until it is read, or nobody can read it. Context: task, no locks held. */
    void (*tell)(struct userfault *u, const struct userfault_event *event);

    /* Another like it, for areas of @mm, with a reference; NULL: no memory. */
    struct userfault *(*like)(const struct userfault *u, const struct mm *mm);

    /* The last reference went. Any lock may be held that a mapping call holds. */
    void (*release)(struct userfault *u);
};

struct userfault {
    const struct userfault_ops *ops; /* [I] */
    _Atomic uint32_t refcount;       /* [a] */
    _Atomic uint32_t changing;       /* areas change, which the program is not told of yet [a] */
    unsigned tells;      /* 1 << enum userfault_news: what its program wants to know [I] */
    bool wp_async;       /* first writes are noted, by the mark that goes; nobody waits [I] */
    bool wp_unpopulated; /* also those to private memory where nothing was [I] */
};

/* May areas and pages be looked at, and be as the program believes they are? */
static inline bool userfault_is_settled(const struct userfault *u)
{
    return !atomic_load(&u->changing);
}

void userfault_get(struct userfault *u);
void userfault_put(struct userfault *u);

/**
 * mm_userfault_ask() - what follows when mm_fault() says FAULT_ASKED
 * Context: task, no locks held.
 * Return: FAULT_RESOLVED: try the access again; FAULT_BEYOND.
 */
enum fault_result mm_userfault_ask(struct mm *mm, struct userfault_question *q);

/* mm_fault() for accesses of the kernel's own: it asks, and tries again. */
enum fault_result mm_fault_and_ask(struct mm *mm, user_addr_t addr, enum fault_access access);

/* Is @q still to be asked of @u? */
bool mm_userfault_is_open(struct mm *mm, const struct userfault_question *q,
                          const struct userfault *u);

/**
 * mm_userfault_register() - from now on what happens in [start, end) is asked of @u
 * @modes: VM_UFFD_*, what: in place of what was asked before
 * @hugetlb: set when an area is made of pages of the huge page pool
 * Return: 0; -EINVAL (nothing there, or a kind of memory that cannot); -EPERM (an area that may
 *         never be written); -EBUSY (another is asked); -ENOMEM (areas before it stay changed).
 */
int __must_check mm_userfault_register(struct mm *mm, uint64_t start, uint64_t end, uint32_t modes,
                                       struct userfault *u, bool *hugetlb);

/* The way back: 0, -EINVAL (as above, or @u is not who is asked), -ENOMEM. */
int __must_check mm_userfault_unregister(struct mm *mm, uint64_t start, uint64_t end,
                                         struct userfault *u);

/* No area of @mm asks @u any more. */
void mm_userfault_forget(struct mm *mm, struct userfault *u);

enum userfault_fill {
    USERFAULT_COPY,     /* pages with these bytes come */
    USERFAULT_ZEROS,    /* pages of zeros */
    USERFAULT_CONTINUE, /* what the object has is mapped here, too */
    USERFAULT_POISON    /* what was here is lost: no access will ever succeed */
};

/**
 * mm_userfault_fill() - put pages where they are missing
 * @from: of USERFAULT_COPY: what is in them, at done bytes into the range
 * @tell: of the first write to them, too
 * Context: task, no locks held: @from may fault.
 * Return: bytes filled, if any; -ENOENT (no area that asks has the whole range), -EINVAL (a kind of
 *         memory that cannot, half of a huge page, or nobody to tell), -EEXIST (not missing),
 *         -EFAULT (@from, past the end of the object, or nothing to continue with), -ENOMEM,
 *         -EAGAIN (areas change).
 */
int64_t mm_userfault_fill(struct mm *mm, const struct userfault *u, uint64_t dst, uint64_t len,
                          enum userfault_fill fill, struct object_copy *from, bool tell);

/**
 * mm_userfault_protect() - the first write to each page of the range is told; or not any more
 * Context: task, no locks held. TLB: write rights are gone on return; flushed once.
 * Return: 0; -ENOENT (an area that tells nobody, or none: those before it stay changed), -EINVAL
 *         (half of a huge page), -ENOMEM, -EAGAIN (areas change).
 */
int __must_check mm_userfault_protect(struct mm *mm, struct userfault *u, uint64_t start,
                                      uint64_t len, bool tell);

/**
 * mm_userfault_move() - pages of private memory of the same program come, and are gone where they
 * were
 * @holes: what is missing in the source stays missing
 * Context: task, no locks held. TLB: flushed before a page is seen at its new place.
 * Return: bytes moved, if any; -ENOENT (no area, or nothing there), -EEXIST (not missing), -EINVAL
 *         (areas that are not private, writable, alike and @u's), -EBUSY (a page that others have,
 *         too), -EFAULT (what is there cannot be moved), -ENOMEM, -EAGAIN (areas change).
 */
int64_t mm_userfault_move(struct mm *mm, const struct userfault *u, uint64_t dst, uint64_t src,
                          uint64_t len, bool holes);

/* Pages of [start, end) are about to go, by madvise(2): tell who wants to know. No locks held. */
void mm_userfault_tell_removed(struct mm *mm, uint64_t start, uint64_t end);

/* Are first writes in @vma noted, by marks that go? mmap_lock held. */
static inline bool area_notes_writes(const struct vma *vma)
{
    return (vma->flags & (VM_UFFD_WP | VM_UFFD_ASYNC)) == (VM_UFFD_WP | VM_UFFD_ASYNC);
}

/**
 * area_note_writes() - from now on the first write to each page of [start, end) of @vma is noted
 * Context: mmap_lock held, for reading at least. TLB: flushed on return.
 * Return: 0 or -ENOMEM.
 */
int __must_check area_note_writes(const struct vma *vma, uint64_t start, uint64_t end);

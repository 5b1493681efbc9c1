/* SPDX-License-Identifier: MIT */
/*
 * include/mm/pin.h - keeping pages whatever becomes of their mappings
 *
 * Room:   mm.
 * Owns:   nothing; the code is mm/pin.c and mm/pin_scan.c.
 * Locks:  as noted.
 * Always: (1) what is pinned is unpinned once.
 * Source: vmsplice(2); fcntl(2), "File Sealing".
 * Tour:   after include/mm/page.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

struct mm;
struct object;
struct page;

/* One reference more, on a page that the caller has one of. Any page, also a tail. */
void page_pin(struct page *page);

void page_unpin(struct page *page);

enum pin_how {
    PIN_TO_READ,  /* for a while; a private page may be copied away by who writes to it */
    KEEP_TO_READ, /* for long: page_unkeep(). No write of the program parts it from the page .. */
    KEEP_TO_WRITE /* .. and it is written to */
};

/**
 * mm_pin() - keep the page that a program sees at @addr
 * To be read for a while, a page that was never written is one of zeros.
 * Context: task, IRQs on, no locks held. TLB: as the fault that it takes.
 * Return: 0 with the page (maybe a tail) in *@out; -EFAULT: it may not be used so, or has no
 *         address in the kernel; -ENOMEM.
 */
int __must_check mm_pin(struct mm *mm, uint64_t addr, enum pin_how how, struct page **out);

/* What was kept for long is let go. */
void page_unkeep(struct page *page);

/**
 * object_pin() - keep the page that holds byte @pos of an object whose pages the kernel can address
 * A hole is a page of zeros. Context: as object->ops->get_page().
 * Return: 0 with the page (maybe a tail) in *@out, or what get_page() says.
 */
int __must_check object_pin(struct object *object, uint64_t pos, struct page **out);

/**
 * object_keep() - the same for long: what is missing is made, zeroed
 * Context: object->lock held since its seals were looked at.
 * Return: 0; -EINVAL: the object ends before @pos, or the kernel cannot address its pages; what
 *         get_page() says.
 */
int __must_check object_keep(struct object *object, uint64_t pos, struct page **out);

/**
 * object_borrow() - [pos, pos + len_bytes) of @from, whole pages, become the end of @object
 * @object: of borrowed_ops, not mapped yet; it has them, pinned, until its own end
 * Context: from->lock held since its seals were looked at.
 * Return: 0; -EINVAL: @from ends before that; -ENOMEM, or what get_page() says. What was borrowed
 *         before stays: the caller puts @object.
 */
int __must_check object_borrow(struct object *object, struct object *from, uint64_t pos,
                               uint64_t len_bytes);

/**
 * object_mark_pinned() - mark those folios of an object that somebody has who is no mapping
 * For a moment, a fault is that, too. Context: object->lock held, until the marks are gone again.
 * Return: is any marked?
 */
bool object_mark_pinned(struct object *object);

enum pin_marks {
    PIN_MARKS_STAY, /* on what is still pinned */
    PIN_MARKS_GO
};

/* Look again at what was marked, and at nothing else: is some of it still pinned? */
bool object_scan_marked(struct object *object, enum pin_marks marks);

/* How many there are now, on pages that programs and objects have. For checks. */
int64_t pins_count(void);

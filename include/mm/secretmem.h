/* SPDX-License-Identifier: MIT */
/*
 * include/mm/secretmem.h - memory the kernel itself cannot read: pages without a kernel address
 *
 * Room:   mm.
 * Owns:   nothing; see mm/secretmem.c.
 * Locks:  as mm/object.h.
 * Always: (1) a page that a program can touch is in no leaf of the kernel's half, on no CPU;
 *         (2) a page that is free again holds no byte of what was secret.
 * Source: memfd_secret(2); trust.md V18, V19.
 * Tour:   after include/mm/object.h; then mm/secretmem.c, asm/direct_map.h.
 */
#pragma once

#include <mm/object.h>

/* Pages of 4 KiB. */
extern const struct object_ops secretmem_ops;

static inline bool object_is_secret(const struct object *object)
{
    return object->ops && object->ops->secret;
}

/* Boot: how pages in state SECRET die. */
void secretmem_boot_init(void);

/* Frames that are secret now: what objects hold. */
uint64_t secretmem_pages(void);

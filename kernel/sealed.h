/* SPDX-License-Identifier: MIT */
/*
 * kernel/sealed.h - is what is sealed as it was? For vm_check() of debug kernels
 *
 * Room:   kernel.
 * Owns:   nothing; the code is kernel/sealed.c.
 * Locks:  as noted.
 * Always: (1) only debug kernels call this.
 * Source: trust.md section 2, V12.
 * Tour:   with kernel/memfd.c.
 */
#pragma once

#include <lib/compiler.h>

struct inode;

/* Seals were added to @inode: remember what they keep. object.lock held, or nobody has it yet. */
void sealed_note(struct inode *inode);

/* @inode ends. */
void sealed_forget(struct inode *inode);

/* V12. 0 or -EUCLEAN. The machine stands still. */
int __must_check sealed_check(void);

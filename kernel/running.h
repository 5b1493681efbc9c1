/* SPDX-License-Identifier: MIT */
/*
 * kernel/running.h - a file is written, or it runs: never both
 *
 * Room:   kernel.
 * Owns:   nothing; the code is kernel/running.c.
 * Locks:  none.
 * Always: (1) what is begun is ended once.
 * Source: execve(2), open(2): ETXTBSY.
 * Tour:   after kernel/fs.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

struct inode;
struct place;

/* Somebody opens it for writing. 0, or -ETXTBSY: it runs. */
int __must_check inode_write_begin(struct inode *inode);
void inode_write_end(struct inode *inode);

/* A program is started from it. 0, or -ETXTBSY: it is open for writing, or mapped so. */
int __must_check inode_run_begin(struct inode *inode);
void inode_run_end(struct inode *inode);

/* One more process runs what runs already at @exe: with references on the place; and one less. */
void exe_get(const struct place *exe);
void exe_put(const struct place *exe);

/* inode_truncate() for who has not opened it for writing: or -ETXTBSY. */
int __must_check inode_truncate_idle(struct inode *inode, uint64_t size_bytes);

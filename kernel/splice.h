/* SPDX-License-Identifier: MIT */
/*
 * kernel/splice.h - moving pages in and out of pipes
 *
 * Room:   kernel; for kernel/sys_splice.c.
 * Owns:   nothing.
 * Locks:  the pipes' are taken inside.
 * Always: (1) the result is bytes moved, if any; else 0, when there is no more, or an error:
 *             -EPIPE with its signal, -EAGAIN, -ERESTARTSYS, -ENOMEM, or what the file says.
 * Source: splice(2), tee(2), vmsplice(2).
 * Tour:   after kernel/pipe.h; then kernel/splice.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file;
struct pipe;
struct vector;

/* Parts leave one pipe for the other; with @keep, the other gets references on the same pages. */
int64_t splice_pipes(struct pipe *from, struct pipe *to, size_t len, bool keep, bool nonblocking);

/* From a file at *@pos, which moves on: an object's pages by reference, other bytes by copy. */
int64_t splice_in(struct file *in, struct pipe *to, uint64_t *pos, size_t len, bool nonblocking);

/* To a file at *@pos, which moves on. */
int64_t splice_out(struct pipe *from, struct file *out, uint64_t *pos, size_t len,
                   bool nonblocking);

/* The pages that the running program sees at @v, by reference. Also -EFAULT. */
int64_t splice_memory(struct pipe *to, const struct vector *v, bool nonblocking);

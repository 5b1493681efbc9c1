/* SPDX-License-Identifier: MIT */
/*
 * kernel/pipe.h - pipes: references to parts of pages, between those who write and who read
 *
 * Room:   kernel, private to pipe.c, pipe_file.c and splice.c.
 * Owns:   struct pipe.
 * Locks:  pipe.lock (mutex, rank PIPE); user memory is copied, and files are written, under it.
 *         Of two pipes the one at the lower address is locked first.
 * Always: (1) a part holds a reference on its page, and is never empty;
 *         (2) bytes are added behind a part only if the page is the pipe's own, or was given to it
 *             as a whole by another one that had written it.
 * Source: pipe(2), pipe(7), fifo(7), splice(2).
 * Tour:   after kernel/files.h; then kernel/pipe.c.
 */
#pragma once

#include "sched.h"
#include <base/mutex.h>
#include <lib/addr.h>
#include <mm/page.h>
#include <stdint.h>

struct file;
struct inode;
struct object_copy;

#define PIPE_PARTS_DEFAULT 16
#define PIPE_SPARES        16

struct pipe_part {
    struct page *page;
    uint32_t offset, len;
    bool grows;  /* claim 2 */
    bool packet; /* a read gets no more than this, and what it leaves is lost: O_DIRECT */
};

struct pipe {
    struct mutex lock;
    struct wait_queue waiters;           /* both sides */
    unsigned head, tail;                 /* parts ever put in and taken out */
    unsigned nr_parts;                   /* as many may be in it: a power of two */
    struct pipe_part *part;              /* nr_parts */
    unsigned readers, writers;           /* open files */
    unsigned reader_opens, writer_opens; /* how often one was opened */
    bool named;
    unsigned nr_spares;
    struct page *spare[PIPE_SPARES]; /* pages of its own that are read */
};

/* Boot: how pages of pipes die. */
void pipes_boot_init(void);

/* The pipe behind a file, or NULL: it is a file of another kind. */
struct pipe *pipe_of(const struct file *f);

/* A named pipe, or one without a name. 0 or -ENOMEM. */
int __must_check pipe_inode_create(uint32_t mode, bool named, struct inode **out);

static inline unsigned pipe_used(const struct pipe *p)
{
    return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

static inline bool pipe_is_empty(const struct pipe *p)
{
    return READ_ONCE(p->head) == READ_ONCE(p->tail);
}

static inline bool pipe_is_full(const struct pipe *p)
{
    return pipe_used(p) >= READ_ONCE(p->nr_parts);
}

/* The @n-th part that was ever put in, while it is there. */
static inline struct pipe_part *pipe_part(const struct pipe *p, unsigned n)
{
    return &p->part[n & (p->nr_parts - 1)];
}

static inline char *pipe_bytes(const struct pipe_part *part)
{
    return (char *)page_kva(part->page) + part->offset;
}

/* read(2) and write(2) of @len bytes. Each write is a packet: @packets. */
int64_t pipe_take(struct pipe *p, struct object_copy *c, size_t len, bool nonblocking);
int64_t pipe_put(struct pipe *p, struct object_copy *c, size_t len, bool nonblocking, bool packets);

/* Everybody who waits looks again. */
void pipe_changed(struct pipe *p);

/* All below: lock held. */

/* Put a part in, which there is room for; its reference is taken over. */
void pipe_push(struct pipe *p, const struct pipe_part *part);

/* The first part is somewhere else now. */
static inline void pipe_skip(struct pipe *p)
{
    WRITE_ONCE(p->tail, p->tail + 1);
}

/* @bytes of the first part were read. */
void pipe_consume(struct pipe *p, size_t bytes);

/* A page to write to, with a reference; NULL: no memory. */
struct page *pipe_page_get(struct pipe *p);

/* Give up a reference on a page of the pipe's own, which keeps it if that was the last. */
void pipe_page_put(struct pipe *p, struct page *page);

/* Wait until there is room. The lock is given up meanwhile. 0; -EPIPE with its signal, -EAGAIN,
 * -ERESTARTSYS. */
int __must_check pipe_wait_room(struct pipe *p, bool nonblocking);

/* Wait until there is something. 1; 0: there will be nothing; -EAGAIN, -ERESTARTSYS. */
int __must_check pipe_wait_data(struct pipe *p, bool nonblocking);

/* fcntl(2) F_SETPIPE_SZ: the new size; -EINVAL, -EPERM, -EBUSY, -ENOMEM. Takes the lock. */
int64_t pipe_set_size(struct pipe *p, unsigned bytes);
int64_t pipe_size(const struct pipe *p);

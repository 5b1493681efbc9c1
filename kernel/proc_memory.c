/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_memory.c - /proc/PID/mem, environ, pagemap, clear_refs: memory, and where it lies
 *
 * Room:   kernel.
 * Owns:   which address space each open file is on: its id, in file.private.
 * Locks:  mmap_lock for reading, while pages are looked at.
 * Always: (1) an open file is on the memory that the process had when it was opened, and keeps
 *             none: once that is gone, all reads are of nothing;
 *         (2) where frames lie is told to CAP_SYS_ADMIN alone.
 * Source: proc_pid_mem(5), proc_pid_pagemap(5), proc_pid_clear_refs(5).
 * Tour:   after kernel/proc_pid.c; include/mm/usage.h.
 */
#include "cred.h"
#include "files.h"
#include "proc.h"
#include <mm/mm.h>
#include <mm/slab.h>
#include <mm/usage.h>
#include <uapi/errno.h>
#include <uapi/pagemap.h>

/* What is written to clear_refs. */
enum { CLEAR_ALL = 1, CLEAR_ANON, CLEAR_OF_FILES, CLEAR_SOFT_DIRTY, CLEAR_PEAK };

#define PAGES_AT_ONCE 64

static int memory_open(struct file *f)
{
    int err = proc_may_look(f->dentry);
    if (err)
        return err;
    struct mm *mm = proc_mm(proc_pid(f->dentry->parent));
    if (!mm)
        return -ESRCH;
    f->private = (void *)mm->id;
    mm_put(mm);
    return 0;
}

/* Claim 1. With a reference; NULL: the process has other memory now, or none. */
static struct mm *memory_of(const struct file *f)
{
    struct mm *mm = proc_mm(proc_pid(f->dentry->parent));
    if (!mm || mm->id == (uint64_t)f->private)
        return mm;
    mm_put(mm);
    return NULL;
}

/* pagemap: a word for each page */

static uint64_t word_of(const struct page_seen *seen, bool with_frames)
{
    uint64_t marks = (seen->soft_dirty ? PM_SOFT_DIRTY : 0) | (seen->uffd_wp ? PM_UFFD_WP : 0) |
                     (seen->guard ? PM_GUARD : 0);

    if (!seen->present)
        return marks | (seen->guard || seen->poison || seen->uffd_wp ? PM_SWAP : 0);
    return marks | PM_PRESENT | (with_frames ? seen->frame_number & PM_FRAME : 0) |
           (seen->alone ? PM_ALONE : 0) | (seen->object ? PM_OBJECT : 0);
}

/* The words of @nr pages from page number @first on. */
static void words_make(struct mm *mm, uint64_t first, unsigned nr, uint64_t *words)
{
    struct page_seen seen[PAGES_AT_ONCE];
    bool with_frames = capable(CAP_SYS_ADMIN);

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    pages_see(mm, first << PAGE_SHIFT, nr, seen);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    for (unsigned i = 0; i < nr; i++)
        words[i] = word_of(&seen[i], with_frames);
}

static int64_t words_read(struct mm *mm, struct object_copy *c, size_t len, uint64_t *pos)
{
    uint64_t words[PAGES_AT_ONCE], first = *pos / sizeof(words[0]);
    size_t done = 0;

    if (*pos % sizeof(words[0]) || len % sizeof(words[0]))
        return -EINVAL;
    while (done < len && first < USER_END >> PAGE_SHIFT) {
        uint64_t nr = min((len - done) / sizeof(words[0]), (USER_END >> PAGE_SHIFT) - first);
        nr = min(nr, (uint64_t)PAGES_AT_ONCE);
        words_make(mm, first, nr, words);
        size_t left = c->copy(c, words, done, nr * sizeof(words[0]));
        done += nr * sizeof(words[0]) - left;
        first += nr;
        if (left)
            break;
    }
    *pos += done;
    return done || !len || first >= USER_END >> PAGE_SHIFT ? (int64_t)done : -EFAULT;
}

/* What a file on memory does: moves bytes at *@pos, which moves on. */
typedef int64_t (*memory_work)(struct mm *mm, struct object_copy *c, size_t len, uint64_t *pos);

static int64_t on_memory(struct file *f, memory_work work, struct object_copy *c, size_t len,
                         uint64_t *pos)
{
    struct mm *mm = memory_of(f);
    int64_t result = mm ? work(mm, c, len, pos) : 0;
    if (mm)
        mm_put(mm);
    return result;
}

static int64_t pagemap_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    return on_memory(f, words_read, c, len, pos);
}

static int64_t pagemap_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    if (cmd != PAGEMAP_SCAN)
        return -EINVAL;
    struct mm *mm = memory_of(f);
    if (!mm)
        return -EINVAL;
    int64_t result = pagemap_scan(mm, user(arg));
    mm_put(mm);
    return result;
}

static const struct file_ops pagemap_ops = {
    .open = memory_open,
    .read = pagemap_read,
    .ioctl = pagemap_ioctl,
};

const struct text_kind proc_pagemap = {"pagemap", 0400, .ops = &pagemap_ops};

/* clear_refs: from now on, what is touched, or written? */

static void track(struct mm *mm, int64_t what)
{
    if (what == CLEAR_SOFT_DIRTY)
        mm_track_writes(mm);
    else if (what == CLEAR_PEAK)
        mm_rss_peak_reset(mm);
    else
        mm_track_accesses(mm, what == CLEAR_ALL    ? AREAS_ALL
                              : what == CLEAR_ANON ? AREAS_ANONYMOUS
                                                   : AREAS_OF_OBJECTS);
}

static int store_clear_refs(struct dentry *dentry, int64_t what)
{
    int pid = proc_pid(dentry->parent);

    if (what < CLEAR_ALL || what > CLEAR_PEAK)
        return -EINVAL;
    if (!proc_exists(pid))
        return -ESRCH;
    struct mm *mm = proc_mm(pid);
    if (mm) {
        track(mm, what);
        mm_put(mm);
    }
    return 0;
}

const struct text_kind proc_clear_refs = {"clear_refs", 0200, .open = proc_may_look,
                                          .store_for = store_clear_refs};

/* environ: as the program left it, as far as it can be read */

static int64_t environment_copy(struct mm *mm, struct object_copy *c, size_t len, uint64_t *pos)
{
    uint64_t all = mm->env_end - mm->env_start;
    char *page = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_PLAIN);
    int64_t n = 0;
    size_t done = 0;

    if (!page)
        return -ENOMEM;
    while (done < len && *pos + done < all) {
        size_t chunk = min(min(len - done, PAGE_SIZE), all - *pos - done);
        n = mm_access(mm, mm->env_start + *pos + done, page, chunk, ACCESS_READ, false);
        if (n <= 0)
            break;
        size_t left = c->copy(c, page, done, n);
        done += n - left;
        n = left ? -EFAULT : n;
        if (left)
            break;
    }
    kmem_free(page);
    *pos += done;
    return done ? (int64_t)done : min(n, (int64_t)0);
}

static int64_t environ_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    return on_memory(f, environment_copy, c, len, pos);
}

static const struct file_ops environ_ops = {
    .open = memory_open,
    .read = environ_read,
};

const struct text_kind proc_environ = {"environ", 0400, .ops = &environ_ops};

/* mem: the bytes themselves, whatever the areas forbid */

static int64_t bytes_copy(struct mm *mm, struct object_copy *c, size_t len, uint64_t *pos,
                          enum fault_access access)
{
    char *page = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_PLAIN);
    size_t done = 0;
    int64_t n = 0;

    if (!page)
        return -ENOMEM;
    while (done < len) {
        size_t chunk = min(len - done, PAGE_SIZE), left = 0;
        if (access == ACCESS_WRITE)
            left = c->copy(c, page, done, chunk);
        n = chunk > left ? mm_access(mm, *pos + done, page, chunk - left, access, true) : -EFAULT;
        if (n > 0 && access == ACCESS_READ)
            left = c->copy(c, page, done, n);
        if (n <= 0)
            break;
        done += access == ACCESS_READ ? n - left : (size_t)n;
        if (left || (size_t)n < chunk)
            break;
    }
    kmem_free(page);
    *pos += done;
    if (done || n == 0)
        return done;
    return n < 0 ? -EIO : -EFAULT;
}

static int64_t bytes_read(struct mm *mm, struct object_copy *c, size_t len, uint64_t *pos)
{
    return bytes_copy(mm, c, len, pos, ACCESS_READ);
}

static int64_t bytes_write(struct mm *mm, struct object_copy *c, size_t len, uint64_t *pos)
{
    return bytes_copy(mm, c, len, pos, ACCESS_WRITE);
}

static int64_t mem_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    return on_memory(f, bytes_read, c, len, pos);
}

static int64_t mem_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    return on_memory(f, bytes_write, c, len, pos);
}

static const struct file_ops mem_ops = {
    .open = memory_open,
    .read = mem_read,
    .write = mem_write,
};

const struct text_kind proc_mem = {"mem", 0600, .ops = &mem_ops};

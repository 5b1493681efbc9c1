/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_map_files.c - /proc/PID/map_files: a link for each area that maps a file
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  mmap_lock (reading) while an area is looked for.
 * Always: (1) a link leads to the file that the area maps now, or nowhere: -ENOENT.
 * Source: proc_pid_map_files(5).
 * Tour:   after kernel/proc_fd.c.
 */
#include "cred.h"
#include "mount.h"
#include "proc.h"
#include "task.h"
#include <lib/format.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <uapi/errno.h>

#define NAME_BYTES 40 /* two addresses, the line between them, and a NUL */

/* An area that maps a file, and that file with a reference. */
struct mapped {
    uint64_t start, end;
    bool read, write;
    struct dentry *dentry;
};

static struct dentry *file_of_area(const struct vma *vma)
{
    struct inode *inode = vma->object ? inode_of_object(vma->object) : NULL;
    return inode ? inode->dentry : NULL;
}

/* The first such area of the process at @from or above. */
static bool find_from(int pid, uint64_t from, struct mapped *out)
{
    struct mm *mm = proc_mm(pid);
    if (!mm)
        return false;
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, from);
    while (vma && (vma->start < from || !file_of_area(vma)))
        vma = vma_next(vma);
    if (vma) {
        *out = (struct mapped){vma->start, vma->end, vma->flags & VM_READ, vma->flags & VM_WRITE,
                               file_of_area(vma)};
        dentry_get(out->dentry);
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    mm_put(mm);
    return vma;
}

static void name_of(const struct mapped *area, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%lx-%lx", area->start, area->end);
}

/* That which @name names: its start is the link's private word. -ENOENT. */
static int find_named(int pid, uint64_t start, const char *name, struct mapped *out)
{
    char found[NAME_BYTES];

    if (!find_from(pid, start, out))
        return -ENOENT;
    name_of(out, found);
    if (!strcmp(found, name))
        return 0;
    dentry_put(out->dentry);
    return -ENOENT;
}

static int follow(const struct place *link, struct place *out)
{
    struct mapped area;

    int err = proc_may_look(link->dentry);
    if (!err && !capable(CAP_SYS_ADMIN))
        err = -EPERM;
    if (!err)
        err = find_named(proc_pid(link->dentry->parent), link->dentry->inode->private,
                         link->dentry->name, &area);
    if (err)
        return err;
    dentry_place(area.dentry, out);
    dentry_put(area.dentry);
    return 0;
}

static int read_link(struct dentry *link, char *buf, size_t size)
{
    struct mapped area;

    int err = proc_may_look(link);
    if (!err)
        err = find_named(proc_pid(link->parent), link->inode->private, link->name, &area);
    if (err)
        return err;
    int len = dentry_path(area.dentry, buf, size);
    dentry_put(area.dentry);
    return len;
}

/* The number before the line in a name; 0: there is none. */
static uint64_t start_of(const char *name)
{
    uint64_t start = 0;

    for (; *name && *name != '-'; name++) {
        bool digit = *name >= '0' && *name <= '9', letter = *name >= 'a' && *name <= 'f';
        if (!digit && !letter)
            return 0;
        start = start << 4 | (uint64_t)(digit ? *name - '0' : *name - 'a' + 10);
    }
    return start;
}

static int lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    uint64_t start = start_of(name);
    struct mapped area;

    int err = find_named(proc_pid(dir), start, name, &area);
    if (err)
        return err;
    dentry_put(area.dentry);
    err = proc_link_create(dir, name, follow, start, out);
    if (err)
        return err;
    (*out)->inode->read_link = read_link;
    (*out)->inode->mode = S_IFLNK | (area.read ? 0500 : 0) | (area.write ? 0300 : 0);
    return 0;
}

static bool entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    struct mapped area;

    if (!find_from(proc_pid(dir), *n << PAGE_SHIFT, &area))
        return false;
    name_of(&area, out->name);
    out->ino = area.dentry->inode->ino;
    out->type = DT_LNK;
    *n = area.start >> PAGE_SHIFT;
    dentry_put(area.dentry);
    return true;
}

const struct dynamic_dir proc_map_files_dir = {lookup, entry, .exists = proc_dir_exists};

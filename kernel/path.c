/* SPDX-License-Identifier: MIT */
/*
 * kernel/path.c - paths as programs give them: a descriptor, and a string in their memory
 *
 * Room:   kernel.
 * Owns:   nothing; see path.h.
 * Locks:  fs_lock, while the current directory is looked at.
 * Always: (1) see path.h.
 * Source: path_resolution(7).
 * Tour:   after kernel/path.h.
 */
#include "path.h"

#include "files.h"
#include "fs.h"
#include "task.h"
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>

int path_start(int dirfd, struct place *start)
{
    if (dirfd == AT_FDCWD) {
        mutex_lock(&fs_lock);
        *start = process_current()->cwd;
        place_get(start);
        mutex_unlock(&fs_lock);
        return 0;
    }
    struct file *f = fd_get(dirfd);
    if (!f)
        return -EBADF;
    *start = file_place(f);
    place_get(start);
    file_put(f);
    return 0;
}

int path_text(user_addr_t from, char **text)
{
    *text = kmem_alloc(PATH_MAX, SLAB_ALLOC_PLAIN);
    if (!*text)
        return -ENOMEM;
    long len = copy_string_from_user(*text, from, PATH_MAX);
    if (len >= 0)
        return 0;
    kmem_free(*text);
    return len;
}

int path_get(int dirfd, user_addr_t from, int flags, struct path *p)
{
    int err = path_text(from, &p->text);
    if (err)
        return err;
    if (!p->text[0] && !(flags & AT_EMPTY_PATH))
        err = -ENOENT;
    if (!err)
        err = path_start(p->text[0] == '/' && !(flags & PATH_SCOPED) ? AT_FDCWD : dirfd, &p->start);
    if (err)
        kmem_free(p->text);
    return err;
}

void path_put(struct path *p)
{
    place_put(&p->start);
    kmem_free(p->text);
}

int path_find(const struct path *p, int flags, struct place *out)
{
    if (p->text[0] || !(flags & AT_EMPTY_PATH))
        return fs_lookup(&p->start, p->text, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, out);
    *out = p->start;
    place_get(out);
    return 0;
}

int path_lookup_at(int dirfd, user_addr_t from, int flags, struct place *out)
{
    struct path p;
    int err = path_get(dirfd, from, flags, &p);
    if (err)
        return err;
    err = path_find(&p, flags, out);
    path_put(&p);
    return err;
}

int path_lookup(user_addr_t from, struct place *out)
{
    return path_lookup_at(AT_FDCWD, from, 0, out);
}

int path_lookup_text(const char *path, struct place *out)
{
    struct place start;

    int err = path_start(AT_FDCWD, &start);
    if (err)
        return err;
    err = fs_lookup(&start, path, LOOKUP_FOLLOW, out);
    place_put(&start);
    return err;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs.c - the tree of names: inodes, dentries, from paths to what they name
 *
 * Room:   kernel.
 * Owns:   the shape of the tree.
 * Locks:  fs_lock (rank FS); name_lock (spin, rank FILES) inside: names, parents and in_tree change
 *         under both, so that dentry_path() needs only the inner one.
 * Always: (1) see fs.h; (2) nothing is freed while name_lock is held.
 * Source: path_resolution(7), symlink(7).
 * Tour:   after kernel/fs.h; then kernel/files.c.
 */
#include "fs.h"

#include "files.h"
#include <asm/time.h>
#include <base/panic.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define LINKS_MAX   40 /* symbolic links followed in one lookup */
#define FS_DEVICE   1  /* st_dev: there is one file system */
#define ROOT_MODE   (S_IFDIR | 0755)
#define NS_PER_SEC  1000000000UL
#define SECTOR_SIZE 512

struct dentry *fs_root;
struct mutex fs_lock;

static spinlock_t name_lock = SPINLOCK_INIT(LOCK_RANK_FILES);
static struct slab_cache inode_cache, dentry_cache;
static _Atomic uint64_t last_ino;
static uint64_t last_cookie = COOKIE_FIRST;

/* Inodes */

static void dentry_free(struct dentry *dentry)
{
    kmem_free(dentry->name);
    slab_free(&dentry_cache, dentry);
}

/* The last reference on the object went. */
static void inode_release(struct object *object)
{
    struct inode *inode = inode_of(object);
    struct dentry *dentry = inode->dentry, *parent = NULL;

    if (dentry) {
        parent = dentry->parent;
        dentry_free(dentry);
    }
    if (inode->release)
        inode->release(inode);
    kmem_free(inode->target);
    slab_free(&inode_cache, inode);
    if (parent)
        dentry_put(parent);
}

struct inode *inode_of_object(struct object *object)
{
    return object->release == inode_release ? inode_of(object) : NULL;
}

int inode_create(uint32_t mode, const struct object_ops *ops, struct inode **out)
{
    struct inode *inode = slab_alloc(&inode_cache, SLAB_ALLOC_ZERO);
    if (!inode)
        return -ENOMEM;
    object_init(&inode->object, ops, inode_release);
    inode->ino = atomic_fetch_add(&last_ino, 1) + 1;
    inode->mode = mode;
    inode->nlink = inode_is(inode, S_IFDIR) ? 2 : 1;
    if (inode_is(inode, S_IFREG))
        inode->file_ops = &object_file_ops;
    else if (inode_is(inode, S_IFDIR))
        inode->file_ops = &directory_ops;
    inode_touch(inode);
    *out = inode;
    return 0;
}

int inode_create_link(const char *target, struct inode **out)
{
    size_t len = strlen(target);
    char *copy = kmem_alloc(len + 1, SLAB_ALLOC_PLAIN);
    if (!copy)
        return -ENOMEM;
    int err = inode_create(S_IFLNK | 0777, NULL, out);
    if (err) {
        kmem_free(copy);
        return err;
    }
    memcpy(copy, target, len + 1);
    (*out)->target = copy;
    atomic_store(&(*out)->object.size_bytes, len);
    return 0;
}

void inode_touch(struct inode *inode)
{
    uint64_t now = clock_boot_epoch_ns() + clock_ns();
    inode->mtime = (struct uapi_timespec){.sec = now / NS_PER_SEC, .nsec = now % NS_PER_SEC};
}

void inode_stat(const struct inode *inode, struct uapi_stat *out)
{
    const struct object *object = &inode->object;
    *out = (struct uapi_stat){
        .dev = FS_DEVICE,
        .ino = inode->ino,
        .nlink = inode->nlink,
        .mode = inode->mode,
        .uid = inode->uid,
        .gid = inode->gid,
        .rdev = inode->rdev,
        .size = object_size(object),
        .blksize = object->ops ? object_folio_bytes(object) : PAGE_SIZE,
        .blocks = atomic_load(&object->nr_pages) * (PAGE_SIZE / SECTOR_SIZE),
        .atime = inode->mtime,
        .mtime = inode->mtime,
        .ctime = inode->mtime,
    };
}

/* Dentries */

int dentry_create(const char *name, struct dentry *parent, struct inode *inode, struct dentry **out)
{
    size_t len = strlen(name);
    struct dentry *dentry = slab_alloc(&dentry_cache, SLAB_ALLOC_ZERO);
    char *copy = kmem_alloc(len + 1, SLAB_ALLOC_PLAIN);

    if (!dentry || !copy) {
        slab_free(&dentry_cache, dentry);
        kmem_free(copy);
        inode_put(inode);
        return -ENOMEM;
    }
    ASSERT(!inode->dentry, "claim 3: an inode has one name");
    memcpy(copy, name, len + 1);
    atomic_store(&dentry->refcount, 1);
    dentry->name = copy;
    dentry->parent = parent;
    if (parent)
        dentry_get(parent);
    dentry->inode = inode;
    inode->dentry = dentry;
    list_init(&dentry->children);
    list_init(&dentry->sibling);
    *out = dentry;
    return 0;
}

void dentry_get(struct dentry *dentry)
{
    atomic_fetch_add_explicit(&dentry->refcount, 1, memory_order_relaxed);
}

/*
 * The name of a file stays with its inode, which a mapping may keep for long. A directory is not
 * mapped: it goes at once, and its parent may be the next, without recursion.
 */
void dentry_put(struct dentry *dentry)
{
    while (atomic_fetch_sub_explicit(&dentry->refcount, 1, memory_order_acq_rel) == 1) {
        struct inode *inode = dentry->inode;
        struct dentry *parent = dentry->parent;
        if (!inode_is(inode, S_IFDIR)) {
            inode_put(inode);
            return;
        }
        ASSERT(!dentry->in_tree && list_empty(&dentry->children), "claim 2");
        inode->dentry = NULL;
        dentry_free(dentry);
        inode_put(inode);
        if (!parent)
            return;
        dentry = parent;
    }
}

static void in_tree_set(struct dentry *dentry, bool in_tree)
{
    spin_lock(&name_lock);
    dentry->in_tree = in_tree;
    spin_unlock(&name_lock);
}

void dentry_link(struct dentry *dentry)
{
    struct dentry *parent = dentry->parent;

    dentry_get(dentry);
    dentry->cookie = last_cookie++;
    list_add_tail(&dentry->sibling, &parent->children);
    in_tree_set(dentry, true);
    if (inode_is(dentry->inode, S_IFDIR))
        parent->inode->nlink++;
    inode_touch(parent->inode);
}

/* Off its parent's list, which keeps its reference for the caller to pass on or drop. */
static void take_off(struct dentry *dentry)
{
    struct dentry *parent = dentry->parent;

    list_del(&dentry->sibling);
    in_tree_set(dentry, false);
    if (inode_is(dentry->inode, S_IFDIR))
        parent->inode->nlink--;
    inode_touch(parent->inode);
}

void dentry_unlink(struct dentry *dentry)
{
    take_off(dentry);
    dentry->inode->nlink = 0;
    dentry_put(dentry);
}

/* Paths backwards */

/* Put @text in front of what is in buf[*at..]. */
static bool prepend(char *buf, size_t *at, const char *text)
{
    size_t len = strlen(text);
    if (len > *at)
        return false;
    *at -= len;
    memcpy(buf + *at, text, len);
    return true;
}

static bool is_deleted(const struct dentry *d)
{
    return !d->in_tree && d->parent && d->parent != d && !d->parent->inode->dynamic;
}

/* name_lock held. Builds the text at the end of @buf; false when it does not fit. */
static bool path_backwards(const struct dentry *dentry, char *buf, size_t *at)
{
    const struct dentry *d = dentry;

    if (is_deleted(dentry) && !prepend(buf, at, " (deleted)"))
        return false;
    if (!d->parent)
        return prepend(buf, at, d->name);
    if (d->parent == d)
        return prepend(buf, at, "/");
    for (; d->parent && d->parent != d; d = d->parent) {
        if (!prepend(buf, at, d->name) || !prepend(buf, at, "/"))
            return false;
    }
    return true;
}

int dentry_path(struct dentry *dentry, char *buf, size_t size)
{
    size_t at = size - 1;

    buf[at] = '\0';
    spin_lock(&name_lock);
    bool fits = path_backwards(dentry, buf, &at);
    spin_unlock(&name_lock);
    if (!fits)
        return -ENAMETOOLONG;
    memmove(buf, buf + at, size - at);
    return size - 1 - at;
}

int dentry_read_link(struct dentry *dentry, char *buf, size_t size)
{
    const struct inode *inode = dentry->inode;

    if (!inode_is(inode, S_IFLNK))
        return -EINVAL;
    if (inode->read_link)
        return inode->read_link(dentry, buf, size);
    return min(strlcpy(buf, inode->target, size), size - 1);
}

/* Paths forwards. All below: fs_lock held. */

static bool is_dot(const char *name, size_t len)
{
    return len == 1 && name[0] == '.';
}

static bool is_dot_dot(const char *name, size_t len)
{
    return len == 2 && name[0] == '.' && name[1] == '.';
}

/* One step down. Kept apart for its buffer: walk() recurses. */
static __attribute__((noinline)) int find_child(struct dentry *dir, const char *name, size_t len,
                                                struct dentry **out)
{
    const struct dynamic_dir *dynamic = dir->inode->dynamic;
    struct dentry *child;

    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    list_for_each_entry (child, &dir->children, sibling) {
        if (!strncmp(child->name, name, len) && !child->name[len]) {
            dentry_get(child);
            *out = child;
            return 0;
        }
    }
    if (!dynamic)
        return -ENOENT;
    char copy[NAME_MAX + 1];
    memcpy(copy, name, len);
    copy[len] = '\0';
    return dynamic->lookup(dir, copy, out);
}

static int walk(struct dentry *start, const char *path, size_t len, unsigned flags, unsigned *links,
                struct dentry **out);

/* Replace *@at, a symbolic link, by what it stands for. */
static int follow(struct dentry **at, unsigned flags, unsigned *links)
{
    struct dentry *link = *at, *to;
    int err;

    if (++*links > LINKS_MAX)
        return -ELOOP;
    if (link->inode->follow)
        err = link->inode->follow(link, &to);
    else
        err = walk(link->parent, link->inode->target, strlen(link->inode->target),
                   flags | LOOKUP_FOLLOW, links, &to);
    if (err)
        return err;
    dentry_put(link);
    *at = to;
    return 0;
}

/* From *@at to its entry @name, whose reference it then has. */
static int step(struct dentry **at, const char *name, size_t len)
{
    struct dentry *next;

    if (!inode_is((*at)->inode, S_IFDIR))
        return -ENOTDIR;
    if (is_dot(name, len))
        return 0;
    if (is_dot_dot(name, len)) {
        next = (*at)->parent;
        dentry_get(next);
    } else {
        int err = find_child(*at, name, len, &next);
        if (err)
            return err;
    }
    dentry_put(*at);
    *at = next;
    return 0;
}

static int walk(struct dentry *start, const char *path, size_t len, unsigned flags, unsigned *links,
                struct dentry **out)
{
    struct dentry *at = len && path[0] == '/' ? fs_root : start;
    const char *end = path + len;
    int err = 0;

    dentry_get(at);
    while (!err) {
        while (path < end && *path == '/')
            path++;
        if (path == end)
            break;
        const char *name = path;
        while (path < end && *path != '/')
            path++;
        err = step(&at, name, path - name);
        /* A slash behind the name asks for what the link stands for, too. */
        if (!err && inode_is(at->inode, S_IFLNK) && (path < end || (flags & LOOKUP_FOLLOW)))
            err = follow(&at, flags & ~LOOKUP_DIRECTORY, links);
        if (!err && path < end && !inode_is(at->inode, S_IFDIR))
            err = -ENOTDIR;
    }
    if (!err && (flags & LOOKUP_DIRECTORY) && !inode_is(at->inode, S_IFDIR))
        err = -ENOTDIR;
    if (err) {
        dentry_put(at);
        return err;
    }
    *out = at;
    return 0;
}

int fs_lookup(struct dentry *start, const char *path, unsigned flags, struct dentry **out)
{
    unsigned links = 0;

    if (!*path)
        return -ENOENT;
    mutex_lock(&fs_lock);
    int err = walk(start, path, strlen(path), flags, &links, out);
    mutex_unlock(&fs_lock);
    return err;
}

/* Where the last name begins, and its length without slashes behind it; 0: the path is a root. */
static const char *last_name(const char *path, size_t *len)
{
    const char *end = path + strlen(path);

    while (end > path && end[-1] == '/')
        end--;
    const char *name = end;
    while (name > path && name[-1] != '/')
        name--;
    *len = end - name;
    return name;
}

static int lookup_parent(struct dentry *start, const char *path, struct dentry **parent, char *name,
                         struct dentry **existing)
{
    unsigned links = 0;
    size_t len;
    const char *last = last_name(path, &len);

    if (!*path)
        return -ENOENT;
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    if (len == 0 || is_dot(last, len) || is_dot_dot(last, len)) {
        int err = walk(start, path, strlen(path), LOOKUP_DIRECTORY, &links, parent);
        if (err)
            return err;
        strlcpy(name, ".", NAME_MAX + 1);
        *existing = *parent;
        dentry_get(*existing);
        return 0;
    }
    int err = walk(start, path, last - path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &links, parent);
    if (err)
        return err;
    memcpy(name, last, len);
    name[len] = '\0';
    err = find_child(*parent, last, len, existing);
    if (err == -ENOENT) {
        *existing = NULL;
        err = 0;
    }
    if (err)
        dentry_put(*parent);
    return err;
}

int fs_lookup_parent(struct dentry *start, const char *path, struct dentry **parent, char *name,
                     struct dentry **existing)
{
    mutex_lock(&fs_lock);
    int err = lookup_parent(start, path, parent, name, existing);
    if (err)
        mutex_unlock(&fs_lock);
    return err;
}

static bool ends_in_slash(const char *path)
{
    size_t len = strlen(path);
    return len && path[len - 1] == '/';
}

/* May names be added to or taken from this directory? */
static int check_directory(const struct dentry *dir)
{
    if (dir->inode->dynamic)
        return -EPERM;
    return dir->in_tree || dir == fs_root ? 0 : -ENOENT;
}

int fs_create(struct dentry *start, const char *path, struct inode *inode, struct dentry **out)
{
    char name[NAME_MAX + 1];
    struct dentry *parent, *existing, *dentry;

    int err = fs_lookup_parent(start, path, &parent, name, &existing);
    if (err) {
        inode_put(inode);
        return err;
    }
    err = existing ? -EEXIST : check_directory(parent);
    if (!err && ends_in_slash(path) && !inode_is(inode, S_IFDIR))
        err = -EISDIR;
    if (err)
        inode_put(inode);
    else
        err = dentry_create(name, parent, inode, &dentry);
    if (!err)
        dentry_link(dentry);
    mutex_unlock(&fs_lock);
    if (existing)
        dentry_put(existing);
    dentry_put(parent);
    if (err)
        return err;
    if (out)
        *out = dentry;
    else
        dentry_put(dentry);
    return 0;
}

static int check_remove(const struct dentry *parent, const struct dentry *victim, bool directory)
{
    if (!victim)
        return -ENOENT;
    bool is_directory = inode_is(victim->inode, S_IFDIR);
    if (directory != is_directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (victim == parent)
        return victim == fs_root ? -EBUSY : -EINVAL;
    if (victim->inode->dynamic || parent->inode->dynamic)
        return -EPERM;
    return list_empty(&victim->children) ? 0 : -ENOTEMPTY;
}

int fs_remove(struct dentry *start, const char *path, bool directory)
{
    char name[NAME_MAX + 1];
    struct dentry *parent, *victim;

    int err = fs_lookup_parent(start, path, &parent, name, &victim);
    if (err)
        return err;
    err = check_remove(parent, victim, directory);
    if (!err && !directory && ends_in_slash(path))
        err = -ENOTDIR;
    if (!err)
        dentry_unlink(victim);
    mutex_unlock(&fs_lock);
    if (victim)
        dentry_put(victim);
    dentry_put(parent);
    return err;
}

/* rename(2) */

static bool is_below(const struct dentry *d, const struct dentry *top)
{
    while (d != top && d->parent && d->parent != d)
        d = d->parent;
    return d == top;
}

static int check_rename(const struct dentry *from, const struct dentry *to_dir,
                        const struct dentry *to)
{
    bool directory = inode_is(from->inode, S_IFDIR);

    if (directory && is_below(to_dir, from))
        return -EINVAL;
    if (!to)
        return 0;
    if (inode_is(to->inode, S_IFDIR) != directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (to == to_dir)
        return -EBUSY;
    return list_empty(&to->children) ? 0 : -ENOTEMPTY;
}

/* Cannot fail. Takes over @name. */
static void move(struct dentry *from, struct dentry *to_dir, char *name)
{
    struct dentry *old_parent = from->parent;
    char *old_name = from->name;

    take_off(from);
    dentry_get(to_dir);
    spin_lock(&name_lock);
    from->parent = to_dir;
    from->name = name;
    spin_unlock(&name_lock);
    dentry_link(from);
    dentry_put(from); /* take_off() left the list's old reference */
    kmem_free(old_name);
    dentry_put(old_parent);
}

static int rename_found(struct dentry *from_dir, struct dentry *from, struct dentry *to_dir,
                        struct dentry *to, const char *name)
{
    if (!from)
        return -ENOENT;
    if (from == from_dir)
        return -EBUSY;
    if (from == to)
        return 0;
    int err = check_directory(from_dir);
    if (!err)
        err = check_directory(to_dir);
    if (!err)
        err = check_rename(from, to_dir, to);
    if (err)
        return err;
    char *copy = kmem_alloc(strlen(name) + 1, SLAB_ALLOC_PLAIN);
    if (!copy)
        return -ENOMEM;
    strlcpy(copy, name, NAME_MAX + 1);
    if (to)
        dentry_unlink(to);
    move(from, to_dir, copy);
    return 0;
}

int fs_rename(struct dentry *start_old, const char *old, struct dentry *start_new, const char *new)
{
    char name[NAME_MAX + 1];
    struct dentry *from_dir, *from, *to_dir, *to;

    mutex_lock(&fs_lock);
    int err = lookup_parent(start_old, old, &from_dir, name, &from);
    if (err)
        goto unlock;
    err = lookup_parent(start_new, new, &to_dir, name, &to);
    if (err)
        goto put_from;
    err = rename_found(from_dir, from, to_dir, to, name);
    if (to)
        dentry_put(to);
    dentry_put(to_dir);
put_from:
    if (from)
        dentry_put(from);
    dentry_put(from_dir);
unlock:
    mutex_unlock(&fs_lock);
    return err;
}

/* Reading directories */

static void entry_fill(struct dir_entry *out, const char *name, const struct inode *inode)
{
    strlcpy(out->name, name, sizeof(out->name));
    out->ino = inode->ino;
    out->type = (inode->mode & S_IFMT) >> 12; /* that is how DT_ numbers are made */
}

bool directory_next(struct dentry *dir, uint64_t *cookie, struct dir_entry *out)
{
    const struct dynamic_dir *dynamic = dir->inode->dynamic;
    struct dentry *child;

    if (*cookie == COOKIE_DOT || *cookie == COOKIE_DOT_DOT) {
        bool dot = (*cookie)++ == COOKIE_DOT;
        entry_fill(out, dot ? "." : "..", dot ? dir->inode : dir->parent->inode);
        return true;
    }
    list_for_each_entry (child, &dir->children, sibling) {
        if (child->cookie >= *cookie) {
            *cookie = child->cookie + 1;
            entry_fill(out, child->name, child->inode);
            return true;
        }
    }
    if (!dynamic)
        return false;
    uint64_t n = *cookie >= COOKIE_DYNAMIC ? *cookie - COOKIE_DYNAMIC : 0;
    if (!dynamic->entry(dir, &n, out))
        return false;
    *cookie = COOKIE_DYNAMIC + n + 1;
    return true;
}

/* Boot */

void fs_boot_init(void)
{
    struct inode *inode;

    mutex_init(&fs_lock);
    slab_cache_init(&inode_cache, "inode", sizeof(struct inode), 0);
    slab_cache_init(&dentry_cache, "dentry", sizeof(struct dentry), 0);
    if (inode_create(ROOT_MODE, NULL, &inode) || dentry_create("/", NULL, inode, &fs_root))
        panic("no memory for the root directory");
    fs_root->parent = fs_root;
    fs_root->in_tree = true;
}

static struct dentry *boot_entry(struct dentry *parent, const char *name, struct inode *inode)
{
    struct dentry *dentry;

    if (dentry_create(name, parent, inode, &dentry))
        panic("no memory for %s", name);
    dentry_link(dentry);
    dentry_put(dentry);
    return dentry;
}

struct dentry *fs_boot_directory(struct dentry *parent, const char *name, uint32_t mode)
{
    struct inode *inode;

    if (inode_create(S_IFDIR | mode, NULL, &inode))
        panic("no memory for %s", name);
    return boot_entry(parent, name, inode);
}

struct inode *fs_boot_file(struct dentry *parent, const char *name, uint32_t mode,
                           const struct file_ops *ops)
{
    struct inode *inode;

    if (inode_create(mode, NULL, &inode))
        panic("no memory for %s", name);
    inode->file_ops = ops;
    boot_entry(parent, name, inode);
    return inode;
}

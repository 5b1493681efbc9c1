/* SPDX-License-Identifier: MIT */
/*
 * kernel/text_file.c - files whose text is made when it is read (/proc, /sys)
 *
 * Room:   kernel.
 * Owns:   the text of each open file, in file.private.
 * Locks:  see text_file.h.
 * Always: (1) see text_file.h.
 * Source: proc(5).
 * Tour:   after kernel/text_file.h; then kernel/proc.c.
 */
#include "text_file.h"

#include "files.h"
#include "fs.h"
#include "mount.h"
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define FIRST_BYTES 512
#define STORE_BYTES 32
#define MOST_LINES  100 /* bytes that are enough for what is usually added */

/* Room for @more bytes and a NUL. */
static bool text_room(struct text *t, size_t more)
{
    size_t capacity = max(t->capacity, (size_t)FIRST_BYTES);

    if (t->len + more < t->capacity)
        return true;
    while (capacity <= t->len + more)
        capacity *= 2;
    char *bytes = kmem_alloc(capacity, SLAB_ALLOC_PLAIN);
    if (!bytes) {
        t->failed = true;
        return false;
    }
    memcpy(bytes, t->bytes, t->len);
    kmem_free(t->bytes);
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

void text_add(struct text *t, const char *format, ...)
{
    size_t len = MOST_LINES;
    va_list args;

    do { /* once more if there was too little room */
        if (!text_room(t, len))
            return;
        va_start(args, format);
        len = vsnprintf(t->bytes + t->len, t->capacity - t->len, format, args);
        va_end(args);
    } while (t->len + len >= t->capacity);
    t->len += len;
}

char *text_add_begin(struct text *t, size_t len)
{
    return text_room(t, len) ? t->bytes + t->len : NULL;
}

void text_add_bytes(struct text *t, const char *bytes, size_t len)
{
    if (!text_room(t, len))
        return;
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

static void text_free(struct text *t)
{
    if (t)
        kmem_free(t->bytes);
    kmem_free(t);
}

const struct text_kind *text_kind_of(const struct dentry *dentry)
{
    return (const struct text_kind *)dentry->inode->private;
}

static const struct text_kind *kind_of(const struct file *f)
{
    return (const struct text_kind *)f->inode->private;
}

static bool can_show(const struct text_kind *kind)
{
    return kind->show || kind->show_piece || kind->setting || kind->says;
}

static int show(const struct text_kind *kind, struct text *t, struct dentry *dentry)
{
    if (kind->show_piece)
        return kind->show_piece(t, dentry);
    t->next = TEXT_END;
    if (!can_show(kind))
        return -EINVAL;
    if (kind->says)
        text_add(t, "%s\n", kind->says);
    if (!kind->setting)
        return kind->says ? 0 : kind->show(t, dentry);
    text_add(t, "%lu\n", READ_ONCE(*kind->setting->value));
    return 0;
}

int choice_show(struct text *t, struct dentry *dentry)
{
    const struct choice *c = container_of(text_kind_of(dentry), struct choice, kind);

    for (unsigned i = 0; c->names[i]; i++)
        text_add(t, i == READ_ONCE(*c->value) ? "%s[%s]" : "%s%s", i ? " " : "", c->names[i]);
    text_add(t, "\n");
    return 0;
}

int choice_store(const struct text_kind *kind, const char *word)
{
    const struct choice *c = container_of(kind, struct choice, kind);

    for (unsigned i = 0; c->names[i]; i++) {
        if (!strcmp(word, c->names[i])) {
            WRITE_ONCE(*c->value, i);
            return c->changed ? c->changed() : 0;
        }
    }
    return -EINVAL;
}

int setting_change(const struct setting *setting, uint64_t number)
{
    if (number < setting->min || number > setting->max)
        return -EINVAL;
    if (setting->fits && !setting->fits(number))
        return -EINVAL;
    WRITE_ONCE(*setting->value, number);
    return setting->changed ? setting->changed() : 0;
}

static int store(struct file *f, uint64_t number, bool negative)
{
    const struct text_kind *kind = kind_of(f);

    if (kind->store_for)
        return number > INT32_MAX
                   ? -EINVAL
                   : kind->store_for(f->dentry, negative ? -(int64_t)number : (int64_t)number);
    if (negative)
        return -EINVAL;
    return kind->setting ? setting_change(kind->setting, number) : kind->store(number);
}

static bool can_store(const struct text_kind *kind)
{
    bool sets = kind->setting && (kind->rights & 0222);
    return kind->store || kind->store_for || kind->store_word || sets;
}

/* The next piece takes the place of the one that is there. */
static int show_next(struct file *f, struct text *t)
{
    t->start += t->len;
    t->len = 0;
    int err = show(kind_of(f), t, f->dentry);
    return err ? err : t->failed ? -ENOMEM : 0;
}

/* From the beginning, as things are now. */
static int text_begin(struct file *f)
{
    struct text *t = kmem_alloc(sizeof(*t), SLAB_ALLOC_ZERO);
    if (!t)
        return -ENOMEM;
    int err = show_next(f, t);
    if (err) {
        text_free(t);
        return err;
    }
    text_free(f->private);
    f->private = t;
    return 0;
}

/* Claim 1. A piece that has gone by is found from the beginning. object.lock held. */
static int text_refresh(struct file *f, uint64_t pos)
{
    struct text *t = f->private;
    int err = pos && t && t->start <= pos ? 0 : text_begin(f);

    for (t = f->private; !err && pos >= t->start + t->len && t->next != TEXT_END;)
        err = show_next(f, t);
    if (err && t) { /* what is there is no whole piece */
        text_free(t);
        f->private = NULL;
    }
    return err;
}

static int64_t text_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    mutex_lock(&f->inode->object.lock);
    int64_t n = text_refresh(f, *pos);
    struct text *t = f->private;
    if (!n && *pos < t->start + t->len && len) {
        len = min(len, t->start + t->len - *pos);
        n = len - c->copy(c, t->bytes + (*pos - t->start), 0, len);
        *pos += n;
        n = n ? n : -EFAULT;
    }
    mutex_unlock(&f->inode->object.lock);
    return n;
}

static int64_t write_text(struct file *f, struct object_copy *c, size_t len)
{
    char bytes[STORE_BYTES];
    size_t kept = min(len, sizeof(bytes) - 1);

    if (c->copy(c, bytes, 0, kept))
        return -EFAULT;
    bytes[kept] = '\0';
    int err = kind_of(f)->store_text(f->dentry, bytes, kept);
    return err ? err : (int64_t)len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* What is between the blanks around it. */
static char *strip(char *text)
{
    size_t len = strlen(text);

    while (len && is_blank(text[len - 1]))
        text[--len] = '\0';
    while (is_blank(*text))
        text++;
    return text;
}

static int64_t text_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    char bytes[STORE_BYTES];
    uint64_t number;
    (void)pos;

    const struct text_kind *kind = kind_of(f);
    if (kind->store_text)
        return write_text(f, c, len);
    if (!can_store(kind) || len >= sizeof(bytes))
        return -EINVAL;
    if (c->copy(c, bytes, 0, len))
        return -EFAULT;
    bytes[len] = '\0';
    const char *word = strip(bytes);
    if (kind->store_word) {
        int err = kind->store_word(kind, word);
        return err ? err : (int64_t)len;
    }
    bool negative = word[0] == '-';
    if (parse_number(word + negative, &number))
        return -EINVAL;
    int err = store(f, number, negative);
    return err ? err : (int64_t)len;
}

/* Where what cannot be written is not opened for writing, either. */
static bool is_in_sysfs(const struct inode *inode)
{
    return inode->super && inode->super->type->magic == SYSFS_MAGIC;
}

static int text_open(struct file *f)
{
    const struct text_kind *kind = kind_of(f);

    if (kind->open)
        return kind->open(f->dentry);
    if (file_writable(f) && !can_store(kind) && !kind->store_text && is_in_sysfs(f->inode))
        return -EACCES;
    return file_readable(f) && !can_show(kind) ? -EACCES : 0; /* whoever asks, as sysctl's */
}

static void text_release(struct file *f)
{
    text_free(f->private);
}

static const struct file_ops text_file_ops = {
    .open = text_open,
    .read = text_read,
    .write = text_write,
    .release = text_release,
};

void text_file_boot(struct dentry *dir, const struct text_kind *kind)
{
    struct inode *inode = fs_boot_file(dir, kind->name, S_IFREG | kind->rights,
                                       kind->ops ? kind->ops : &text_file_ops);
    inode->private = (uint64_t)kind;
}

void text_files_boot(struct dentry *dir, const struct text_kind *kinds, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        text_file_boot(dir, &kinds[i]);
}

int text_file_create(struct dentry *dir, const char *name, const struct text_kind *kind,
                     struct dentry **out)
{
    struct inode *inode;
    int err = inode_create(S_IFREG | kind->rights, NULL, &inode);
    if (err)
        return err;
    inode->file_ops = kind->ops ? kind->ops : &text_file_ops;
    inode->private = (uint64_t)kind;
    return dentry_create(name, dir, inode, out);
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/text_file.h - files whose text is made when it is read (/proc, /sys)
 *
 * Room:   kernel.
 * Owns:   struct text: a text that grows; struct text_kind: how one kind of file is made.
 * Locks:  the inode's object.lock while an open file's text is made and read.
 * Always: (1) one open file shows one moment: its text is made when it is read from the start.
 * Source: proc(5).
 * Tour:   before kernel/proc.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dentry;
struct inode;

#define TEXT_END   UINT64_MAX
#define TEXT_PIECE 4096 /* bytes after which a piece should end */

/* The text of a file, or the piece of it that somebody reads. */
struct text {
    char *bytes; /* of kmem_alloc() */
    size_t len, capacity;
    uint64_t start; /* where in the file it lies */
    uint64_t next;  /* of the kind's own: what the next piece tells; TEXT_END: there is none */
    bool failed;    /* no memory: what is there is not all */
};

/* Add to the end; remembers a lack of memory in @t. */
void text_add(struct text *t, const char *format, ...) __printf(2, 3);
void text_add_bytes(struct text *t, const char *bytes, size_t len);

/* Room for @len bytes, to be written by the caller, who then says how many it were. NULL: none. */
char *text_add_begin(struct text *t, size_t len);
static inline void text_add_end(struct text *t, const char *end)
{
    t->len = end - t->bytes;
}

struct file_ops;

struct text_kind {
    const char *name;
    uint32_t rights;
    int (*open)(struct dentry *dentry);                 /* NULL: rights alone decide */
    int (*show)(struct text *t, struct dentry *dentry); /* 0 or a negative errno */
    /* Instead, if it is long: adds what @t->next says, 0 at first, and moves that on. */
    int (*show_piece)(struct text *t, struct dentry *dentry);
    int (*store)(uint64_t number);                           /* NULL: cannot be written */
    int (*store_for)(struct dentry *dentry, int64_t number); /* the same, where it matters whose */
    int (*store_word)(const struct text_kind *kind, const char *word);      /* what is no number */
    int (*store_text)(struct dentry *dentry, const char *text, size_t len); /* cut to 31 bytes */
    const struct setting *setting; /* instead of all: a number to show and change */
    const char *says;              /* instead of all: what it always says */
    const struct file_ops *ops;    /* instead of all: it is no text */
};

/* A number that can be changed, where the file's rights say so. */
struct setting {
    uint64_t *value, max;
    int (*changed)(void); /* NULL: nobody has to know; what it returns, the writer gets */
    uint64_t min;
    bool (*fits)(uint64_t number); /* NULL: all from min to max do */
};

/* -EINVAL: it does not fit, and is as it was. */
int __must_check setting_change(const struct setting *setting, uint64_t number);

/* A setting that is one of a few words, and shows them all: "this [that]". */
struct choice {
    struct text_kind kind; /* with these two: */
    const char *names[7];  /* NULL behind the last */
    unsigned *value;       /* which */
    int (*changed)(void);  /* as a setting's */
};

int choice_show(struct text *t, struct dentry *dentry);
int choice_store(const struct text_kind *kind, const char *word); /* 0, or -EINVAL: none of them */

/* Of a file that was made from one. */
const struct text_kind *text_kind_of(const struct dentry *dentry);

/* A file of @kind in a directory of the kernel's own. Boot. */
void text_file_boot(struct dentry *dir, const struct text_kind *kind);

/* The same for each of a table. */
void text_files_boot(struct dentry *dir, const struct text_kind *kinds, unsigned nr);
#define TEXT_FILES_BOOT(dir, kinds) text_files_boot((dir), (kinds), ARRAY_SIZE(kinds))

/* The same, called @name, for a directory whose entries are made when they are looked up. 0 or
 * -ENOMEM. */
int __must_check text_file_create(struct dentry *dir, const char *name,
                                  const struct text_kind *kind, struct dentry **out);

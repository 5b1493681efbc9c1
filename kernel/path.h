/* SPDX-License-Identifier: MIT */
/*
 * kernel/path.h - paths as programs give them: a descriptor, and a string in their memory
 *
 * Room:   kernel.
 * Owns:   struct path: a path in the kernel's memory, and where it begins.
 * Locks:  takes fs_lock inside.
 * Always: (1) what path_get() took, path_put() gives back.
 * Source: open(2), "The *at() functions"; path_resolution(7).
 * Tour:   before kernel/sys_path.c.
 */
#pragma once

#include "place.h"
#include <lib/addr.h>
#include <lib/compiler.h>

struct path {
    char *text;         /* PATH_MAX bytes at most, with its NUL */
    struct place start; /* its references */
};

#define PATH_SCOPED (1 << 30) /* in flags: absolute paths, too, begin at the descriptor */

/* 0; -EFAULT, -ENAMETOOLONG, -ENOMEM, -EBADF, -ENOENT for an empty one without AT_EMPTY_PATH in
 * @flags. An absolute path does not look at @dirfd. */
int __must_check path_get(int dirfd, user_addr_t from, int flags, struct path *out);
void path_put(struct path *path);

/* Only the string; the caller frees it by kmem_free(). */
int __must_check path_text(user_addr_t from, char **text);

/* What a path leads to that the kernel has read already. */
int __must_check path_lookup_text(const char *path, struct place *out);

/* Only where relative paths begin: references in *@start, or -EBADF. */
int __must_check path_start(int dirfd, struct place *start);

/* What is there, with references. AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW in @flags count. */
int __must_check path_lookup_at(int dirfd, user_addr_t from, int flags, struct place *out);
int __must_check path_find(const struct path *path, int flags, struct place *out);
int __must_check path_lookup(user_addr_t from, struct place *out);

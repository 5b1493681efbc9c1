/* SPDX-License-Identifier: MIT */
/*
 * kernel/cpio.h - reading a newc cpio archive
 *
 * Room:   kernel. Pure: bytes in, entries out; host tests feed it broken archives.
 * Owns:   the format.
 * Locks:  none.
 * Always: (1) nothing outside the archive is read, whatever its fields say;
 *         (2) an entry's name, and a link's target, end in a NUL and hold no other.
 * Source: cpio(5), "New ASCII Format"; initramfs buffer format (Linux documentation).
 * Tour:   before kernel/initramfs.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpio_entry {
    const char *name; /* in the archive */
    uint32_t mode, uid, gid, nlink;
    uint32_t rdev_major, rdev_minor;
    const uint8_t *data; /* in the archive */
    uint32_t size_bytes;
};

/**
 * cpio_next() - the entry at an offset
 * @archive: @len_bytes; may be several archives, one after another, with zeros between them
 * @offset: in: 0, or as the last call left it; out: behind the entry
 * @why: what is wrong, in a few words
 *
 * Return: 1, 0 at the end of the archive, -EINVAL with *@why set and @offset where it is broken.
 */
int __must_check cpio_next(const void *archive, size_t len_bytes, size_t *offset,
                           struct cpio_entry *out, const char **why);

/* A symbolic link's target: copied to @target, with a NUL. False: empty, too long, or not text. */
bool cpio_link_target(const struct cpio_entry *entry, char *target, size_t size_bytes);

/* SPDX-License-Identifier: MIT */
/*
 * kernel/cpio.c - reading a newc cpio archive
 *
 * Room:   kernel. Pure; also a host program.
 * Owns:   the format: 6 bytes of magic, 13 numbers of 8 hexadecimal digits, name, data.
 * Locks:  none.
 * Always: (1) see cpio.h: every length is compared with what is left before it is used.
 * Source: cpio(5), "New ASCII Format".
 * Tour:   after kernel/cpio.h.
 */
#include "cpio.h"

#include <lib/addr.h>
#include <lib/string.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>

#define MAGIC       "070701"
#define MAGIC_BYTES 6
#define FIELD_BYTES 8
#define ALIGNMENT   4
#define TRAILER     "TRAILER!!!"

enum field {
    F_INO,
    F_MODE,
    F_UID,
    F_GID,
    F_NLINK,
    F_MTIME,
    F_SIZE,
    F_DEV_MAJOR,
    F_DEV_MINOR,
    F_RDEV_MAJOR,
    F_RDEV_MINOR,
    F_NAME_BYTES,
    F_CHECK,
    FIELDS
};

#define HEADER_BYTES (MAGIC_BYTES + FIELDS * FIELD_BYTES)

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_fields(const char *text, uint32_t fields[FIELDS])
{
    for (unsigned i = 0; i < FIELDS; i++) {
        fields[i] = 0;
        for (unsigned n = 0; n < FIELD_BYTES; n++) {
            int digit = hex_digit(*text++);
            if (digit < 0)
                return false;
            fields[i] = fields[i] << 4 | digit;
        }
    }
    return true;
}

/* Exactly one NUL, at the end of @bytes bytes. */
static bool is_text(const char *text, size_t bytes)
{
    return bytes > 0 && strnlen(text, bytes) == bytes - 1;
}

static const char *check_entry(const struct cpio_entry *e)
{
    switch (e->mode & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFLNK:
        return e->size_bytes ? NULL : "symbolic link without a target";
    case S_IFDIR:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        return e->size_bytes ? "data where there can be none" : NULL;
    default:
        return "unknown type of file";
    }
}

/* One entry at @at of @left bytes. NULL, or what is wrong. *@bytes: how long it is. */
static const char *read_entry(const char *at, size_t left, struct cpio_entry *e, size_t *bytes)
{
    uint32_t f[FIELDS];

    if (left < HEADER_BYTES)
        return "truncated header";
    if (memcmp(at, MAGIC, MAGIC_BYTES) != 0)
        return "bad magic: not an uncompressed newc cpio archive";
    if (!read_fields(at + MAGIC_BYTES, f))
        return "bad number in a header";
    if (f[F_NAME_BYTES] > PATH_MAX)
        return "name too long";
    if (left - HEADER_BYTES < f[F_NAME_BYTES])
        return "truncated name";
    if (!is_text(at + HEADER_BYTES, f[F_NAME_BYTES]))
        return "bad name";
    /* The padding after the last data may be missing; that after a name may not. */
    size_t data_at = round_up(HEADER_BYTES + f[F_NAME_BYTES], ALIGNMENT);
    if (f[F_SIZE] && (left < data_at || left - data_at < f[F_SIZE]))
        return "truncated data";
    *e = (struct cpio_entry){
        .name = at + HEADER_BYTES,
        .mode = f[F_MODE],
        .uid = f[F_UID],
        .gid = f[F_GID],
        .nlink = f[F_NLINK],
        .rdev_major = f[F_RDEV_MAJOR],
        .rdev_minor = f[F_RDEV_MINOR],
        .data = (const uint8_t *)at + data_at,
        .size_bytes = f[F_SIZE],
    };
    *bytes = min(round_up(data_at + f[F_SIZE], ALIGNMENT), left);
    return NULL;
}

int cpio_next(const void *archive, size_t len_bytes, size_t *offset, struct cpio_entry *out,
              const char **why)
{
    const char *bytes = archive;
    size_t entry_bytes;

    for (;;) {
        while (*offset < len_bytes && !bytes[*offset])
            ++*offset; /* between archives, and behind the last */
        if (*offset == len_bytes)
            return 0;
        *why = read_entry(bytes + *offset, len_bytes - *offset, out, &entry_bytes);
        if (*why)
            return -EINVAL;
        *offset += entry_bytes;
        if (!strcmp(out->name, TRAILER))
            continue;
        *why = check_entry(out);
        return *why ? -EINVAL : 1;
    }
}

bool cpio_link_target(const struct cpio_entry *entry, char *target, size_t size_bytes)
{
    if (entry->size_bytes == 0 || entry->size_bytes >= size_bytes)
        return false;
    memcpy(target, entry->data, entry->size_bytes);
    target[entry->size_bytes] = '\0';
    return strlen(target) == entry->size_bytes;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/image.h - an ELF file, on its way to being a program
 *
 * Room:   kernel.
 * Owns:   struct image.
 * Locks:  see image.c.
 * Always: -
 * Source: elf(5).
 * Tour:   with kernel/image.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <uapi/elf.h>

struct inode;
struct mm;

#define PHDRS_MAX 64

struct image {
    struct elf64_header header;
    struct elf64_phdr phdrs[PHDRS_MAX];
    struct inode *inode;
    uint64_t start, end; /* of all segments, in pages, as the file says */
    uint64_t alignment;  /* the largest that a segment wants */
    uint64_t bias;       /* added to every address of the file; known when it is mapped */
    uint64_t phdr_at;    /* user address of the program headers, 0: not loaded; as bias */
    const struct elf64_phdr *loader; /* where it names the loader of its libraries; NULL: no need */
    bool stack_exec;
};

/* Read the headers into @image, which is zero, and check them. 0, -ENOEXEC, -EIO (it has none). */
int __must_check image_read(struct inode *inode, struct image *image);

/* The path of the loader that @image has; PATH_MAX bytes. 0, -ENOEXEC, -EIO. */
int __must_check image_loader_path(const struct image *image, char *path);

/* An address space with all segments of @image, and of its @loader if that is not NULL, and a stack
 * without contents. Limits are those of the running process. 0, -ENOMEM, -ENOEXEC. */
int __must_check image_map(struct image *image, struct image *loader, struct mm **out);

/* Zero what segments have of their last page beyond the file's part. Own mm loaded. */
int __must_check image_clear_tails(const struct image *image);

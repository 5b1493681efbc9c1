/* SPDX-License-Identifier: MIT */
/*
 * kernel/image.c - an ELF file becomes the areas of an address space
 *
 * Room:   kernel.
 * Owns:   what a file must be like to be a program, and where its segments go.
 * Locks:  none; the new address space is nobody else's until it is complete.
 * Always: (1) everything that can be wrong with the file is found before an area is made;
 *         (2) a segment is a private mapping of the file's memory object, nothing is copied.
 * Source: execve(2), elf(5).
 * Tour:   after mm/map.c, kernel/layout.c; then kernel/exec.c.
 */
#include "image.h"

#include "fs.h"
#include "layout.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define STACK_FIRST (132 * KIB) /* the area's size before it grows */

/* All of it: -EIO if the file is shorter. */
static int read_file(struct inode *inode, uint64_t pos, void *buf, size_t len)
{
    struct kernel_copy copy = kernel_buffer_out(buf);
    int64_t n = object_read(&inode->object, pos, len, &copy.copy);
    return n < 0 ? n : (size_t)n == len ? 0 : -EIO;
}

static bool header_is_right(const struct elf64_header *h)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little endian */};
    return !memcmp(h->ident, ident, sizeof(ident)) && h->machine == EM_X86_64 &&
           (h->type == ET_EXEC || h->type == ET_DYN) && h->phentsize == sizeof(struct elf64_phdr) &&
           h->phnum > 0 && h->phnum <= PHDRS_MAX;
}

static bool segment_is_right(const struct elf64_phdr *p)
{
    return p->filesz <= p->memsz && (p->offset - p->vaddr) % PAGE_SIZE == 0 &&
           p->memsz <= USER_END && p->vaddr <= USER_END - p->memsz &&
           p->offset + p->filesz >= p->offset;
}

/* Take note of one segment that is loaded. */
static int segment_read(struct image *image, const struct elf64_phdr *p)
{
    const struct elf64_header *h = &image->header;

    if (!segment_is_right(p))
        return -ENOEXEC;
    image->start = min(image->start, round_down(p->vaddr, PAGE_SIZE));
    image->end = max(image->end, round_up(p->vaddr + p->memsz, PAGE_SIZE));
    if (p->align && !(p->align & (p->align - 1)))
        image->alignment = max(image->alignment, p->align);
    if (h->phoff >= p->offset && h->phoff < p->offset + p->filesz)
        image->phdr_at = p->vaddr + (h->phoff - p->offset);
    return 0;
}

/* Claim 1. */
int image_read(struct inode *inode, struct image *image)
{
    image->inode = inode;
    image->start = USER_END;
    image->alignment = PAGE_SIZE;
    int err = read_file(inode, 0, &image->header, sizeof(image->header));
    if (err)
        return err;
    const struct elf64_header *h = &image->header;
    if (!header_is_right(h))
        return -ENOEXEC;
    if (read_file(inode, h->phoff, image->phdrs, h->phnum * sizeof(struct elf64_phdr)))
        return -ENOEXEC;
    for (unsigned i = 0; i < h->phnum && !err; i++) {
        const struct elf64_phdr *p = &image->phdrs[i];
        if (p->type == PT_INTERP && !image->loader)
            image->loader = p;
        if (p->type == PT_GNU_STACK)
            image->stack_exec = p->flags & PF_X;
        if (p->type == PT_LOAD)
            err = segment_read(image, p);
    }
    if (err)
        return err;
    return image->end && image->alignment <= USER_END ? 0 : -ENOEXEC;
}

int image_loader_path(const struct image *image, char *path)
{
    const struct elf64_phdr *p = image->loader;

    if (p->filesz < 2 || p->filesz > PATH_MAX)
        return -ENOEXEC;
    int err = read_file(image->inode, p->offset, path, p->filesz);
    return err ? err : path[p->filesz - 1] ? -ENOEXEC : 0;
}

static uint32_t segment_rights(const struct elf64_phdr *p)
{
    return (p->flags & PF_R ? VM_READ : 0) | (p->flags & PF_W ? VM_WRITE : 0) |
           (p->flags & PF_X ? VM_EXEC : 0);
}

/* What /proc and debuggers are told of a segment; and the break lies behind the last. */
static void note_segment(struct mm *mm, const struct elf64_phdr *p, uint64_t start)
{
    if (p->flags & PF_X) {
        mm->start_code = mm->start_code ? min(mm->start_code, start) : start;
        mm->end_code = max(mm->end_code, start + p->filesz);
    } else if (p->flags & PF_W) {
        mm->start_data = start;
        mm->end_data = start + p->filesz;
    }
    mm->brk = max(mm->brk, start + p->memsz);
}

/* One segment: the file's part mapped, the rest anonymous. */
static int map_segment(struct mm *mm, const struct image *image, const struct elf64_phdr *p)
{
    uint64_t start = round_down(image->bias + p->vaddr, PAGE_SIZE);
    uint64_t file_end = round_up(image->bias + p->vaddr + p->filesz, PAGE_SIZE);
    uint64_t end = round_up(image->bias + p->vaddr + p->memsz, PAGE_SIZE), at;
    struct map_request r = {
        .addr = start,
        .len_bytes = file_end - start,
        .place = MAP_FIXED_REPLACE,
        .flags = segment_rights(p) | VM_MAY_RIGHTS,
        .object = &image->inode->object,
        .pgoff = p->offset >> PAGE_SHIFT,
    };
    int err = 0;

    if (p->filesz)
        err = mm_map(mm, &r, &at);
    if (!err && end > file_end) {
        r = (struct map_request){
            .addr = file_end,
            .len_bytes = end - file_end,
            .place = MAP_FIXED_REPLACE,
            .flags = segment_rights(p) | VM_MAY_RIGHTS,
        };
        err = mm_map(mm, &r, &at);
    }
    return !err || err == -ENOMEM ? err : -ENOEXEC;
}

static int map_stack(struct mm *mm, const struct image *image)
{
    uint64_t at;
    struct map_request r = {
        .addr = mm->stack_top - STACK_FIRST,
        .len_bytes = STACK_FIRST,
        .place = MAP_FIXED_NEW,
        .flags = VM_READ | VM_WRITE | VM_MAY_RIGHTS | VM_GROWSDOWN | VM_STACK |
                 (image->stack_exec ? VM_EXEC : 0),
    };
    return mm_map(mm, &r, &at);
}

/* Where a mapping of its size would lie. */
static int find_place(struct mm *mm, const struct image *image, uint64_t *place)
{
    struct map_request r = {
        .len_bytes = image->end - image->start,
        .place = MAP_ANYWHERE,
        .flags = VM_MAY_RIGHTS,
    };

    if (image->alignment > PAGE_SIZE)
        r.len_bytes += image->alignment;
    int err = mm_map(mm, &r, place);
    if (!err)
        err = mm_unmap(mm, *place, r.len_bytes);
    *place = round_up(*place, image->alignment);
    return err;
}

/* All segments; at @place if the image can lie anywhere, or where there is room if that is 0. */
static int map_segments(struct mm *mm, struct image *image, uint64_t place)
{
    int err = 0;

    if (image->header.type == ET_DYN) {
        if (!place)
            err = find_place(mm, image, &place);
        image->bias = round_down(place, image->alignment) - image->start;
    }
    for (unsigned i = 0; i < image->header.phnum && !err; i++)
        if (image->phdrs[i].type == PT_LOAD)
            err = map_segment(mm, image, &image->phdrs[i]);
    if (image->phdr_at)
        image->phdr_at += image->bias;
    return err;
}

static void set_limits(struct mm *mm)
{
    const struct rlimit *limits = process_current()->limits;
    mm->limits.address_space = limits[RLIMIT_AS].soft;
    mm->limits.data = limits[RLIMIT_DATA].soft;
    mm->limits.stack = limits[RLIMIT_STACK].soft;
    mm->limits.locked = limits[RLIMIT_MEMLOCK].soft;
}

/* A program with a loader lies apart from where that and the libraries go. */
static int map_all(struct mm *mm, struct image *image, struct image *loader)
{
    int err = map_segments(mm, image, loader ? layout_program_place() : 0);

    for (unsigned i = 0; i < image->header.phnum && !err; i++)
        if (image->phdrs[i].type == PT_LOAD)
            note_segment(mm, &image->phdrs[i], image->bias + image->phdrs[i].vaddr);
    if (!err && loader)
        err = map_segments(mm, loader, 0);
    return err ? err : map_stack(mm, image);
}

int image_map(struct image *image, struct image *loader, struct mm **out)
{
    struct mm *mm;
    int err = mm_create(&mm);
    if (err)
        return err;
    set_limits(mm);
    mm->thp_disabled = task_current()->mm && task_current()->mm->thp_disabled;
    if (task_current()->mm)
        mm_inherit_mdwe(mm, task_current()->mm);
    layout_choose(mm);
    err = map_all(mm, image, loader);
    if (err) {
        mm_put(mm);
        return err;
    }
    if (image->header.type == ET_DYN && !loader)
        layout_place_heap_apart(mm);
    else
        layout_place_heap(mm);
    *out = mm;
    return 0;
}

int image_clear_tails(const struct image *image)
{
    for (unsigned i = 0; i < image->header.phnum; i++) {
        const struct elf64_phdr *p = &image->phdrs[i];
        uint64_t end = image->bias + p->vaddr + p->filesz;
        if (p->type == PT_LOAD && p->memsz > p->filesz && p->filesz && (p->flags & PF_W) &&
            clear_user(user(end), round_up(end, PAGE_SIZE) - end))
            return -EFAULT;
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/kit.h - what many kernel tests need: address spaces, leaves, probes
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  those of what it calls.
 * Always: (1) addresses in tests are KIT_BASE plus pages, so that layouts can be written as text.
 * Source: design.md section 10, ring 3.
 * Tour:   before the other files of tests/kernel/.
 */
#pragma once

#include <asm/cpu.h>
#include <asm/direct_map.h>
#include <asm/pgtable.h>
#include <asm/spinlock.h>
#include <asm/tlb.h>
#include <asm/uaccess.h>
#include <base/fail.h>
#include <base/ktest.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/hugetlb.h>
#include <mm/internal.h>
#include <mm/mm.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/secretmem.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define KIT_BASE 0x40000000UL /* aligned to 1 GiB */
#define AT(page) (KIT_BASE + (page)*PAGE_SIZE)

#define RW (VM_READ | VM_WRITE | VM_MAY_RIGHTS)
#define RO (VM_READ | VM_MAY_RIGHTS)

/* An empty address space; a machine without memory for one fails the test. */
struct mm *kit_mm(void);

/* Check it, then drop it. */
void kit_mm_put(struct mm *mm);

/* Map @nr pages from page @page on; @object may be NULL. Returns the error. */
int kit_map_object(struct mm *mm, uint64_t page, uint64_t nr, uint32_t flags, struct object *object,
                   uint64_t pgoff);
int kit_map(struct mm *mm, uint64_t page, uint64_t nr, uint32_t flags);

/* The entry that decides about a page, and the page behind a leaf (NULL: none). */
pte_t kit_leaf(struct mm *mm, uint64_t page);
struct page *kit_page(struct mm *mm, uint64_t page);

/* Fault a page in and write, or read, its first word through the kernel's address of it. */
bool kit_write(struct mm *mm, uint64_t page, uint64_t word);
uint64_t kit_read(struct mm *mm, uint64_t page);

/* Areas as text: "0-4 rw-p, 4-8 r--s": pages from KIT_BASE, rights, shared or private. */
void kit_layout(struct mm *mm, char *text, size_t size_bytes);

#define EXPECT_AREAS(mm, expected)                               \
    do {                                                         \
        char _text[400];                                         \
        kit_layout(mm, _text, sizeof(_text));                    \
        EXPECT(!strcmp(_text, expected), "areas are %s", _text); \
    } while (0)

/* An object of @nr_pages pages (shmem, secretmem) or 2 MiB units (hugetlb). NULL: no memory. */
struct object *kit_object(const struct object_ops *ops, uint64_t nr);
void kit_truncate(struct object *object, uint64_t size_bytes);

/*
 * Read or write a word as the kernel, at any address; false: refused. Kernel addresses, or user
 * addresses of the space that is loaded. IRQs are off meanwhile, so nothing is faulted in.
 */
bool kit_probe_read(uint64_t va, uint64_t *word);
bool kit_probe_write(uint64_t va, uint64_t word);

/* Load an address space on this CPU, and the kernel's own again. */
void kit_load(struct mm *mm);
void kit_unload(void);

/* Frames that are free when no cache holds any back. */
uint64_t kit_frames_free(void);

/* Resident pages of one kind. */
int64_t rss_anon(const struct mm *mm);
int64_t rss_file(const struct mm *mm);

/* SPDX-License-Identifier: MIT */
/*
 * mm/kmem.c - memory of any size
 *
 * Room:   mm.
 * Owns:   one cache for each size class; larger requests are blocks of pages.
 * Locks:  none of its own.
 * Always: (1) what kmem_free() gets tells by its page where it came from.
 * Source: design.md section 6.
 * Tour:   after mm/slab.c.
 */
#include <mm/slab.h>

#include <asm/cpu.h>
#include <lib/addr.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/page.h>

#define KMEM_ALIGN   16
#define KMEM_CLASSES ARRAY_SIZE(class_sizes)

static const uint16_t class_sizes[] = {16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048};
static const char *const class_names[] = {"kmem-16",  "kmem-32",   "kmem-64",  "kmem-96",
                                          "kmem-128", "kmem-192",  "kmem-256", "kmem-384",
                                          "kmem-512", "kmem-1024", "kmem-2048"};
static struct slab_cache classes[KMEM_CLASSES];

/* By size in units of KMEM_ALIGN: the smallest class that holds it. */
static uint8_t class_of[SLAB_OBJECT_MAX / KMEM_ALIGN + 1];

void kmem_init(void)
{
    for (unsigned i = 0; i < KMEM_CLASSES; i++)
        slab_cache_init(&classes[i], class_names[i], class_sizes[i],
                        is_aligned(class_sizes[i], CACHE_LINE_SIZE) ? CACHE_LINE_SIZE : KMEM_ALIGN);
    for (unsigned units = 0, i = 0; units < ARRAY_SIZE(class_of); units++) {
        while (class_sizes[i] < units * KMEM_ALIGN)
            i++;
        class_of[units] = (uint8_t)i;
    }
}

/* The order of the smallest block that holds @len_bytes. */
static unsigned order_for(size_t len_bytes)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < len_bytes)
        order++;
    return order;
}

static void *pages_alloc(size_t len_bytes, unsigned flags)
{
    struct page *page;
    unsigned page_flags = flags & SLAB_ALLOC_ZERO ? PAGE_ALLOC_ZERO : PAGE_ALLOC_PLAIN;

    if (len_bytes > PAGE_SIZE << PAGE_ORDER_MAX)
        return NULL;
    if (page_alloc(order_for(len_bytes), page_flags, &page) != 0)
        return NULL;
    return page_kva(page);
}

void *kmem_alloc(size_t len_bytes, unsigned flags)
{
    if (len_bytes == 0)
        return NULL;
    if (len_bytes > SLAB_OBJECT_MAX)
        return pages_alloc(len_bytes, flags);
    return slab_alloc(&classes[class_of[round_up(len_bytes, KMEM_ALIGN) / KMEM_ALIGN]], flags);
}

void kmem_free(void *p)
{
    if (p == NULL)
        return;

    struct page *head = page_head(kva_to_page(p));

    if (head->state == PAGE_SLAB)
        slab_free(head->slab.cache, p);
    else
        page_free(head, head->order);
}

void kmem_free_wiped(void *p, size_t len_bytes)
{
    if (p)
        memset(p, 0, len_bytes);
    kmem_free(p);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/kit.c - what many kernel tests need: address spaces, leaves, probes
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  those of what it calls.
 * Always: (1) a helper that cannot do its work fails the test.
 * Source: -
 * Tour:   with tests/kernel/kit.h.
 */
#include "kit.h"

#include <lib/format.h>

/* arch/x86_64/uaccess.asm: either side may be refused; returns the bytes not copied. */
size_t user_copy(void *to, const void *from, size_t len);

struct mm *kit_mm(void)
{
    struct mm *mm = NULL;

    if (EXPECT(mm_create(&mm) == 0))
        mm_begin_threads(mm);
    return mm;
}

void kit_mm_put(struct mm *mm)
{
    EXPECT(mm_check(mm) == 0);
    mm_put(mm);
}

int kit_map_object(struct mm *mm, uint64_t page, uint64_t nr, uint32_t flags, struct object *object,
                   uint64_t pgoff)
{
    uint64_t at;
    bool secret = object && object_is_secret(object); /* which is never executed */
    struct map_request request = {.addr = AT(page),
                                  .len_bytes = nr * PAGE_SIZE,
                                  .place = MAP_FIXED_NEW,
                                  .flags = secret ? flags & ~VM_MAYEXEC : flags,
                                  .object = object,
                                  .pgoff = pgoff};

    return mm_map(mm, &request, &at);
}

int kit_map(struct mm *mm, uint64_t page, uint64_t nr, uint32_t flags)
{
    return kit_map_object(mm, page, nr, flags, NULL, 0);
}

pte_t kit_leaf(struct mm *mm, uint64_t page)
{
    return pte_read(pt_walk(&mm->pgtable, user(AT(page))).slot);
}

struct page *kit_page(struct mm *mm, uint64_t page)
{
    struct pt_walk walk = pt_walk(&mm->pgtable, user(AT(page)));
    pte_t pte = pte_read(walk.slot);

    if (pte_is_none(pte))
        return NULL;
    uint64_t offset = AT(page) & (pt_level_size(walk.level) - 1);
    return phys_to_page(phys_add(pte_phys(pte, walk.level), offset));
}

bool kit_write(struct mm *mm, uint64_t page, uint64_t word)
{
    if (mm_fault(mm, user(AT(page)), ACCESS_WRITE) != FAULT_RESOLVED ||
        !EXPECT(pte_is_writable(kit_leaf(mm, page)), "page %lu", page))
        return false;
    *(uint64_t *)direct_map_ptr(page_to_phys(kit_page(mm, page))) = word;
    return true;
}

uint64_t kit_read(struct mm *mm, uint64_t page)
{
    if (!EXPECT(mm_fault(mm, user(AT(page)), ACCESS_READ) == FAULT_RESOLVED, "page %lu", page))
        return ~0UL;
    return *(uint64_t *)direct_map_ptr(page_to_phys(kit_page(mm, page)));
}

void kit_layout(struct mm *mm, char *text, size_t size_bytes)
{
    size_t len = 0;

    text[0] = '\0';
    for (struct vma *vma = vma_find_from(mm, 0); vma && len < size_bytes; vma = vma_next(vma))
        len += snprintf(text + len, size_bytes - len, "%s%lu-%lu %c%c%c%c", len ? ", " : "",
                        (vma->start - KIT_BASE) / PAGE_SIZE, (vma->end - KIT_BASE) / PAGE_SIZE,
                        vma->flags & VM_READ ? 'r' : '-', vma->flags & VM_WRITE ? 'w' : '-',
                        vma->flags & VM_EXEC ? 'x' : '-', vma->flags & VM_SHARED ? 's' : 'p');
}

static void release_object(struct object *object)
{
    kmem_free(object);
}

struct object *kit_object(const struct object_ops *ops, uint64_t nr)
{
    struct object *object = kmem_alloc(sizeof(*object), SLAB_ALLOC_ZERO);

    if (!EXPECT(object != NULL))
        return NULL;
    object_init(object, ops, release_object);
    atomic_store(&object->size_bytes, nr * object_folio_bytes(object));
    return object;
}

void kit_truncate(struct object *object, uint64_t size_bytes)
{
    mutex_lock(&object->lock);
    object_truncate(object, size_bytes);
    mutex_unlock(&object->lock);
}

bool kit_probe_read(uint64_t va, uint64_t *word)
{
    irq_flags_t flags = irq_save();
    size_t left = user_copy(word, (const void *)va, sizeof(*word));

    irq_restore(flags);
    return left == 0;
}

bool kit_probe_write(uint64_t va, uint64_t word)
{
    irq_flags_t flags = irq_save();
    size_t left = user_copy((void *)va, &word, sizeof(word));

    irq_restore(flags);
    return left == 0;
}

void kit_load(struct mm *mm)
{
    irq_flags_t flags = irq_save();

    tlb_switch(&mm->pgtable);
    irq_restore(flags);
}

void kit_unload(void)
{
    irq_flags_t flags = irq_save();

    tlb_switch(&kernel_pgtable);
    irq_restore(flags);
}

uint64_t kit_frames_free(void)
{
    struct page_counts counts;

    secret_pool_shrink();
    slab_reclaim();
    buddy_reclaim();
    page_counts(&counts);
    return counts.free;
}

int64_t rss_anon(const struct mm *mm)
{
    int64_t anon, file;
    mm_rss(mm, &anon, &file);
    return anon;
}

int64_t rss_file(const struct mm *mm)
{
    int64_t anon, file;
    mm_rss(mm, &anon, &file);
    return file;
}

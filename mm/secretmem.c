/* SPDX-License-Identifier: MIT */
/*
 * mm/secretmem.c - memory objects whose pages leave the direct map
 *
 * Room:   mm. Sees pages, objects; never page-table bits or descriptors.
 * Owns:   the hidden state of a page, from its first fault to its release.
 * Locks:  object.index_lock (20) > direct_map.lock (30); none is held while CPUs flush.
 * Always: (1) hide: zero, unmap, flush everywhere, only then into the index, where faults find it;
 *         (2) release: restore, flush, zero, only then to the allocator; also for the page of a
 *             fault that came second;
 *         (3) after a fault returns no CPU can read the page through the direct map.
 * Source: memfd_secret(2); Intel SDM 3A, "Invalidation of TLBs and Paging-Structure Caches".
 * Tour:   after mm/hugetlb.c, before arch/x86_64/direct_map.c.
 */
#include "internal.h"
#include <asm/direct_map.h>
#include <lib/string.h>
#include <mm/secretmem.h>
#include <uapi/errno.h>

static _Atomic uint64_t nr_secret;

uint64_t secretmem_pages(void)
{
    return atomic_load(&nr_secret);
}

/* Claim 2. The last reference went: user leaves were flushed by whoever removed them. */
static void secret_release(struct folio *folio)
{
    uint64_t pfn = page_to_pfn(&folio->page);
    struct direct_map_change change;

    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, pfn, 1);
    direct_map_change_end(&change);
    page_set_state(&folio->page, PAGE_KERNEL);
    memset(page_kva(&folio->page), 0, PAGE_SIZE);
    atomic_fetch_sub(&nr_secret, 1);
    page_free(&folio->page, 0);
}

/* Claim 1, up to the index. */
static int secret_alloc(struct page **out)
{
    struct page *page;
    int err = page_alloc(0, PAGE_ALLOC_ZERO, &page);
    if (err)
        return err;

    struct direct_map_change change;
    direct_map_change_begin(&change);
    err = direct_map_hide_noflush(&change, page_to_pfn(page), 1);
    direct_map_change_end(&change);
    if (err) {
        page_free(page, 0);
        return err;
    }
    page_set_state(page, PAGE_SECRET);
    atomic_fetch_add(&nr_secret, 1);
    *out = page;
    return 0;
}

static int secretmem_get_page(struct object *object, uint64_t index, enum object_get how,
                              struct page **out)
{
    for (;;) {
        *out = object_find_page(object, index);
        if (*out || how == OBJECT_GET_EXISTING)
            return 0;
        int err = secret_alloc(out);
        if (err)
            return err;
        err = object_add_page(object, index, *out);
        if (!err)
            return 0;
        page_put(*out);
        if (err != -EEXIST)
            return err;
    }
}

const struct object_ops secretmem_ops = {
    .name = "secretmem",
    .get_page = secretmem_get_page,
    .remove_folios = object_remove_folios,
    .secret = true,
};

void secretmem_boot_init(void)
{
    folio_set_release(PAGE_SECRET, secret_release);
}

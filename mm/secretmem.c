/* SPDX-License-Identifier: MIT */
/*
 * mm/secretmem.c - memory objects whose pages no CPU can reach but through the programs' mappings
 *
 * Room:   mm. Sees pages, objects; never page-table bits or descriptors.
 * Owns:   a secret page, from its first fault to its release.
 * Locks:  object.index_lock (20); none is held while a page is taken or given.
 * Always: (1) a page is hidden, forgotten by every CPU and zero before it enters the index, where
 *             faults find it;
 *         (2) a page that was anybody's is wiped before it is free again, while it is still hidden;
 *         (3) the page of a fault that came second was nobody's: it goes as blank as it came.
 * Source: memfd_secret(2); Intel SDM 3A, "Invalidation of TLBs and Paging-Structure Caches".
 * Tour:   after mm/hugetlb.c, before mm/secret_pool.c.
 */
#include "secret_pool.h"

#include <asm/window.h>
#include <base/bug.h>
#include <uapi/errno.h>

uint64_t secretmem_pages(void)
{
    return READ_ONCE(secret_pool.counts.secret) + secret_huge_frames();
}

/* Claim 2. The last reference went: user leaves were flushed by whoever removed them. */
static void secret_release(struct folio *folio)
{
    if (unlikely(folio->page.order)) {
        secret_huge_release(&folio->page);
        return;
    }
    window_zero(&folio->page);
    secret_page_give(&folio->page);
}

static void secret_release_many(struct list_node *pages)
{
    struct page *page;

    list_for_each_entry (page, pages, list)
        window_zero(page);
    secret_pages_give(pages);
}

/* Claim 3. */
static void give_unused(struct page *page)
{
    atomic_store_explicit(&page->refcount, 0, memory_order_relaxed);
    if (bug_is_back(BUG_B48))
        page_free(page, 0);
    else
        secret_page_give(page);
}

static int secretmem_get_page(struct object *object, uint64_t index, enum object_get how,
                              struct page **out)
{
    for (;;) {
        *out = object_find_page_inline(object, index);
        if (*out || how == OBJECT_GET_EXISTING)
            return 0;
        int err = secret_page_take(out);
        if (err)
            return err;
        err = object_add_page(object, index, *out);
        if (!err)
            return 0;
        give_unused(*out);
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
    secret_pool_init();
    secret_huge_boot_init();
    folio_set_release(PAGE_SECRET, secret_release);
    folio_set_release_many(PAGE_SECRET, secret_release_many);
}

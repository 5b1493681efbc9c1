/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/secret_pages.c - secret pages, by how many are hidden at a time
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the pool is empty before each repetition.
 * Source: mm/secret_pool.c; Linux hides each page for itself: block size 1.
 * Tour:   after tests/experiments/memory.h.
 */
#include "kit.h"
#include "tests/kernel/secret_kit.h"

struct secrets {
    struct object *object;
    uint64_t nr;
};

static void empty(void *arg)
{
    const struct secrets *s = arg;

    secrets_drop(s->object, 0, s->nr);
    secret_pool_shrink();
}

static void have_all(void *arg)
{
    const struct secrets *s = arg;
    EXPECT(secrets_make(s->object, 0, s->nr));
}

static void rows(uint64_t block_pages, const char *series)
{
    struct secrets s = {.object = kit_object(&secretmem_ops, 512)};

    REQUIRE(s.object);
    pool_begin(block_pages);
    for (s.nr = 1; s.nr <= 512; s.nr *= 2)
        lab_measure(&(struct lab_probe){.series = series,
                                        .x = s.nr,
                                        .body = have_all,
                                        .settle = empty,
                                        .arg = &s,
                                        .per = s.nr,
                                        .irqs_on = true});
    object_put(s.object);
    pool_end();
}

EXPERIMENT(secret_pages, .title = "A secret page, by the size of the pool's blocks",
           .x_axis = "pages populated",
           .bare = "A flush on all CPUs for each block: 512 pages a block pay it once.",
           .virt = LAB_VIRT_IPI)
{
    rows(1, "blocks of 1 page");
    rows(64, "blocks of 64 pages");
    rows(512, "blocks of 512 pages");
}

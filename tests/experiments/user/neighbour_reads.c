/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/neighbour_reads.c - what another thread pays for munmap(2)
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the measured thread keeps x pages; the other unmaps one page, again and again.
 * Source: Linux 33: a full flush on behalf of somebody else costs who has many pages.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

#include <stdatomic.h>

static _Atomic bool stop;

static void *unmap_again_and_again(void *arg)
{
    uint64_t nr = *(const uint64_t *)arg;

    while (!atomic_load(&stop)) {
        char *p = pages_make(nr);
        munmap(p, nr * PAGE);
    }
    return NULL;
}

struct reading {
    char *p;
    uint64_t nr;
};

static void read_pages(void *arg)
{
    const struct reading *r = arg;

    for (unsigned round = 0; round < 16; round++)
        for (uint64_t i = 0; i < r->nr; i++)
            (void)((volatile char *)r->p)[i * PAGE];
}

static void rows(uint64_t unmapped, const char *series)
{
    pthread_t thread;

    LAB_FOR_SIZES (nr, 64, 1024) {
        struct reading r = {pages_make(nr), nr};
        atomic_store(&stop, false);
        MUST(pthread_create(&thread, NULL, unmap_again_and_again, &unmapped) == 0);
        lab_measure(&(struct lab_probe){
            .series = series, .x = nr, .body = read_pages, .arg = &r, .per = 16 * nr});
        atomic_store(&stop, true);
        pthread_join(thread, NULL);
        munmap(r.p, nr * PAGE);
    }
}

EXPERIMENT(neighbour_reads, .title = "A read of a page while another thread unmaps",
           .x_axis = "pages read", .bare = "Interrupts, and refill after full flushes.",
           .virt = LAB_VIRT_IPI)
{
    rows(1, "it unmaps 1 page at a time");
    rows(64, "it unmaps 64 pages at a time");
}

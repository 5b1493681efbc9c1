/* SPDX-License-Identifier: MIT */
/*
 * mm/secret_pool.c - free pages that no CPU can reach, held ready in blocks
 *
 * Room:   mm.
 * Owns:   the shelves of blocks, settings and counts.
 * Locks:  pool.lock (53), never while CPUs flush or a page is wiped.
 * Always: (1) a block is hidden before it is on a shelf, and restored after it left it, unused;
 *         (2) a free page of the carved part holds zeros: it was wiped when it was given back;
 *         (3) the fullest block with room is taken from first: so others become unused.
 * Source: beyond-linux.md; Linux mm/secretmem.c for what a flush per page costs (behaviour).
 * Tour:   after mm/secretmem.c, before mm/secret_block.c; then kernel/secretd.c.
 */
#include "secret_pool.h"

#include <asm/window.h>
#include <uapi/errno.h>

struct secret_pool_settings secret_pool_settings = {
    .block_pages = SECRET_BLOCK_PAGES_MAX, .low = 64, .max = 1024};

/* Before a block is fetched, its frames are prepared, a few in each fault: they may be a part of
 * memory that nobody ever used. From when free pages are so many times what is kept ahead. */
#define PREPARE_BEFORE 3
#define PREPARE_FRAMES 16

struct secret_pool secret_pool = {.lock = SPINLOCK_INIT(LOCK_RANK_SECRET)};

static bool no_tender(void)
{
    return true;
}

static bool (*wake_tender)(void) = no_tender;

/* Shelves. The lock held. */

static unsigned shelf_for(const struct secret_block *block)
{
    if (!block->in_use)
        return SHELF_UNUSED;
    return 1 + (block->in_use << 3 >> block->order);
}

static void unshelve(struct secret_block *block)
{
    list_del(&block->node);
    if (list_empty(&secret_pool.shelves[block->shelf]))
        secret_pool.stocked &= ~(1U << block->shelf);
    if (block->shelf == SHELF_UNUSED)
        secret_pool.counts.unused -= 1UL << block->order;
}

static void shelve(struct secret_block *block)
{
    block->shelf = shelf_for(block);
    list_add(&block->node, &secret_pool.shelves[block->shelf]);
    secret_pool.stocked |= 1U << block->shelf;
    if (block->shelf == SHELF_UNUSED)
        secret_pool.counts.unused += 1UL << block->order;
}

static void reshelve(struct secret_block *block)
{
    if (block->shelf == shelf_for(block))
        return;
    unshelve(block);
    shelve(block);
}

/* Claim 3. NULL: no block has a free page. */
static struct secret_block *block_with_room(void)
{
    uint32_t with_room = secret_pool.stocked & ~(1U << SHELF_FULL);

    if (!with_room)
        return NULL;
    unsigned shelf = 31 - __builtin_clz(with_room);
    return list_first_entry(&secret_pool.shelves[shelf], struct secret_block, node);
}

static unsigned wanted_order(void)
{
    return __builtin_ctzl(READ_ONCE(secret_pool_settings.block_pages));
}

/* A block more. 0 or -ENOMEM. */
static int add_block(unsigned order)
{
    struct secret_block *block;

    int err = block_get(order, &block);
    if (err)
        return err;
    spin_lock(&secret_pool.lock);
    shelve(block);
    secret_pool.counts.blocks++;
    secret_pool.counts.pages += 1UL << order;
    secret_pool.counts.fills++;
    secret_pool.counts.fill_pages += 1UL << order;
    spin_unlock(&secret_pool.lock);
    return 0;
}

/* For a fault: as large as is wanted, or smaller. */
static int fill(void)
{
    for (unsigned order = wanted_order();; order--) {
        int err = add_block(order);
        if (!err || !order)
            return err;
    }
}

/* Are single pages hidden and restored as they come and go, as Linux does it? */
static bool keeps_nothing(void)
{
    return READ_ONCE(secret_pool_settings.block_pages) == 1;
}

static bool is_too_much(uint64_t unused)
{
    return unused > (keeps_nothing() ? 0 : READ_ONCE(secret_pool_settings.max));
}

/* Take an unused block off its shelf, which is nobody else's then. The lock held. */
static struct secret_block *unused_take(struct secret_block *block)
{
    unshelve(block);
    secret_pool.counts.blocks--;
    secret_pool.counts.pages -= 1UL << block->order;
    secret_pool.counts.returns++;
    return block;
}

/* How many frames they had. */
static uint64_t put_all(struct list_node *going)
{
    struct secret_block *block, *after;
    uint64_t frames = 0;

    list_for_each_safe (block, after, going, node) {
        frames += 1UL << block->order;
        block_put(block);
    }
    return frames;
}

/* Give back the unused blocks that are @wanted back, each asked once. How many frames that were. */
static uint64_t give_back(bool (*wanted)(struct secret_block *block))
{
    struct secret_block *block, *after;
    struct list_node going;

    list_init(&going);
    spin_lock(&secret_pool.lock);
    list_for_each_safe (block, after, &secret_pool.shelves[SHELF_UNUSED], node) {
        if (wanted(block))
            list_add(&unused_take(block)->node, &going);
    }
    spin_unlock(&secret_pool.lock);
    return put_all(&going);
}

static bool any(struct secret_block *block)
{
    (void)block;
    return true;
}

uint64_t secret_pool_shrink(void)
{
    return give_back(any);
}

static bool beyond_limit(struct secret_block *block)
{
    (void)block;
    return is_too_much(secret_pool.counts.unused);
}

/* Whoever looks at blocks marks them; the mark goes with the first use. */
static bool idle_since_last_look(struct secret_block *block)
{
    bool was = block->idle;

    block->idle = true;
    return was;
}

/* Pages. */

static struct secret_block *block_of(const struct page *page)
{
    return (struct secret_block *)page->private;
}

/* The lock held. */
static struct page *page_of(struct secret_block *block, bool *blank)
{
    struct page *page;

    *blank = !list_empty(&block->blanks);
    if (*blank) {
        page = list_first_entry(&block->blanks, struct page, list);
        list_del(&page->list);
        secret_pool.counts.blank_hits++;
    } else {
        page = block_carve(block);
        secret_pool.counts.carves++;
    }
    block->in_use++;
    block->idle = false;
    reshelve(block);
    secret_pool.counts.secret++;
    page_set_state_of_single(page, PAGE_HIDDEN, PAGE_SECRET);
    atomic_store_explicit(&page->refcount, 1, memory_order_relaxed);
    return page;
}

/* Does the tender have to be told @what, if it is @wanted? By the caller, once. The lock held. */
static bool call_tender(enum secret_call what, bool wanted)
{
    bool call = wanted && !(secret_pool.called & what);

    secret_pool.called |= call ? what : 0;
    return call;
}

/* As call_tender() said. */
static __cold void tell_tender(enum secret_call what)
{
    if (wake_tender())
        return;
    spin_lock(&secret_pool.lock);
    secret_pool.called &= ~what;
    spin_unlock(&secret_pool.lock);
}

/* Would the tender be called if @times less pages were free? The lock held. */
static bool is_low(unsigned times)
{
    const struct secret_pool_counts *counts = &secret_pool.counts;

    return counts->pages - counts->secret < times * READ_ONCE(secret_pool_settings.low) &&
           counts->secret && !keeps_nothing();
}

/* Does it need a second look, whether few pages are left? The lock held. */
static inline bool may_be_low(void)
{
    return secret_pool.counts.pages - secret_pool.counts.secret <
           PREPARE_BEFORE * READ_ONCE(secret_pool_settings.low);
}

/* See to it that the next block will be there in time. */
static __cold void look_ahead(void)
{
    spin_lock(&secret_pool.lock);
    bool soon = is_low(PREPARE_BEFORE), call = call_tender(SECRET_CALL_LOW, is_low(1));
    spin_unlock(&secret_pool.lock);
    if (call)
        tell_tender(SECRET_CALL_LOW);
    if (soon)
        buddy_prepare(PREPARE_FRAMES);
}

/* NULL: the pool has none. */
static inline struct page *take_ready(bool *blank)
{
    spin_lock(&secret_pool.lock);
    struct secret_block *block = block_with_room();
    struct page *page = block ? page_of(block, blank) : NULL;
    bool low = may_be_low();
    spin_unlock(&secret_pool.lock);
    if (unlikely(low))
        look_ahead();
    return page;
}

int secret_page_take(struct page **out)
{
    bool blank;

    while (unlikely(!(*out = take_ready(&blank)))) {
        int err = fill();
        if (err)
            return err;
    }
    if (!blank)
        window_zero(*out);
    return 0;
}

/* A block that goes for it is put on @going. The lock held. */
static inline void give_locked(struct page *page, struct list_node *going)
{
    struct secret_block *block = block_of(page);

    if (DEBUG >= 1)
        page_check_step(page, PAGE_SECRET, PAGE_HIDDEN);
    page->state = PAGE_HIDDEN;
    list_add(&page->list, &block->blanks);
    block->in_use--;
    reshelve(block);
    if (unlikely(block->shelf == SHELF_UNUSED) && is_too_much(secret_pool.counts.unused))
        list_add(&unused_take(block)->node, going);
}

void secret_pages_give(struct list_node *pages)
{
    struct page *page, *after;
    struct list_node going;
    unsigned nr = 0;

    list_init(&going);
    spin_lock(&secret_pool.lock);
    list_for_each_safe (page, after, pages, list) {
        give_locked(page, &going);
        nr++;
    }
    page_count_steps(PAGE_SECRET, PAGE_HIDDEN, nr);
    secret_pool.counts.secret -= nr;
    bool call = call_tender(SECRET_CALL_UNUSED, secret_pool.stocked & 1U << SHELF_UNUSED);
    spin_unlock(&secret_pool.lock);
    put_all(&going);
    if (unlikely(call))
        tell_tender(SECRET_CALL_UNUSED);
}

void secret_page_give(struct page *page)
{
    struct list_node one;

    list_init(&one);
    list_add(&page->list, &one);
    secret_pages_give(&one);
}

/* Beside the programs. */

void secret_pool_expect(void)
{
    if ((READ_ONCE(secret_pool.stocked) & ~(1U << SHELF_FULL)) || keeps_nothing() || fill())
        return;
    spin_lock(&secret_pool.lock);
    bool call = call_tender(SECRET_CALL_UNUSED, true);
    spin_unlock(&secret_pool.lock);
    if (call)
        tell_tender(SECRET_CALL_UNUSED);
}

void secret_pool_changed(void)
{
    give_back(beyond_limit);
}

static bool is_low_locked(void)
{
    spin_lock(&secret_pool.lock);
    bool low = is_low(1);
    spin_unlock(&secret_pool.lock);
    return low;
}

/* Fetch what is wanted ahead. False: there is no memory in such pieces, and the last small ones are
 * for those who need them now. */
static bool refill(void)
{
    while (is_low_locked())
        if (add_block(wanted_order()))
            return false;
    return true;
}

bool secret_pool_tend(bool tidy)
{
    if (tidy)
        give_back(idle_since_last_look);
    bool filled = refill();
    spin_lock(&secret_pool.lock);
    bool unused = secret_pool.stocked & 1U << SHELF_UNUSED;
    secret_pool.called = (unused ? SECRET_CALL_UNUSED : 0) | (filled ? 0 : SECRET_CALL_LOW);
    spin_unlock(&secret_pool.lock);
    return unused || !filled;
}

void secret_pool_counts(struct secret_pool_counts *out)
{
    spin_lock(&secret_pool.lock);
    *out = secret_pool.counts;
    spin_unlock(&secret_pool.lock);
}

void secret_pool_boot_init(bool (*wake)(void))
{
    wake_tender = wake;
}

void secret_pool_init(void)
{
    blocks_boot_init();
    for (unsigned i = 0; i < SHELVES; i++)
        list_init(&secret_pool.shelves[i]);
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/gup_test.c - debugfs' gup_test: a device that keeps pages by their address, for tests
 *
 * Room:   kernel.
 * Owns:   the pages that somebody keeps for long: one range at a time in all of the machine.
 * Locks:  kept.lock (mutex), before all others: programs' memory is faulted in under it.
 * Always: (1) what a call keeps it lets go before it returns, but for PIN_LONGTERM_TEST_START;
 *         (2) what that keeps is let go by PIN_LONGTERM_TEST_STOP, or when any file of this device
 *             is closed, as Linux does.
 * Source: Linux mm/gup_test.c, Documentation/core-api/pin_user_pages.rst (behaviour).
 * Tour:   after mm/pin.c; Linux's selftests gup_test, gup_longterm and cow use it.
 */
#include "files.h"
#include "fs.h"
#include "process.h"
#include "task.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <base/log.h>
#include <base/mutex.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/pin.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/gup_test.h>

#define NS_PER_US 1000

struct kept_pages {
    uint64_t nr;
    enum pin_how how;
    struct page *pages[];
};

static struct {
    struct mutex lock;
    struct kept_pages *pages; /* NULL: none */
} kept;

static void pages_put(struct kept_pages *k)
{
    for (uint64_t i = 0; i < k->nr; i++)
        k->how == PIN_TO_READ ? page_unpin(k->pages[i]) : page_unkeep(k->pages[i]);
    k->nr = 0;
}

static int pages_alloc(uint64_t nr, enum pin_how how, struct kept_pages **out)
{
    if (nr > UINT32_MAX)
        return -ENOMEM;
    *out = kmem_alloc(sizeof(**out) + nr * sizeof((*out)->pages[0]), SLAB_ALLOC_PLAIN);
    if (!*out)
        return -ENOMEM;
    (*out)->nr = 0;
    (*out)->how = how;
    return 0;
}

/* @nr pages more, from @addr on; 0, or the error of the first that could not be had: those before
 * it stay. */
static int pages_get(struct kept_pages *k, uint64_t addr, uint64_t nr)
{
    int err = 0;

    for (uint64_t i = 0; i < nr && !err; i++) {
        err = mm_pin(task_current()->mm, addr + i * PAGE_SIZE, k->how, &k->pages[k->nr]);
        k->nr += !err;
    }
    return err;
}

/* For a while */

static enum pin_how how_to(unsigned cmd, const struct uapi_gup_test *test)
{
    bool dumps_got =
        cmd == DUMP_USER_PAGES_TEST && !(test->test_flags & GUP_TEST_FLAG_DUMP_PAGES_USE_PIN);
    bool gets = cmd == GUP_FAST_BENCHMARK || cmd == GUP_BASIC_TEST || dumps_got;

    if (test->gup_flags & FOLL_WRITE)
        return KEEP_TO_WRITE;
    return gets ? PIN_TO_READ : KEEP_TO_READ;
}

/* As many at once as the caller wants, until all are there or one is refused; @test->size is how
 * far it got: what was refused counts, too. */
static void get_range(struct kept_pages *k, struct uapi_gup_test *test)
{
    uint64_t end = test->addr + test->size, addr = test->addr;
    uint64_t at_once = test->nr_pages_per_call * PAGE_SIZE;
    bool refused = false;

    while (addr < end && at_once && !refused) {
        uint64_t len = min(at_once, end - addr), before = k->nr;
        int err = pages_get(k, addr, len / PAGE_SIZE);
        refused = err || k->nr == before;
        addr += k->nr == before ? 0 : len;
    }
    test->size = addr - test->addr;
}

static void dump(const struct kept_pages *k, struct uapi_gup_test *test)
{
    for (unsigned i = 0; i < GUP_TEST_DUMPED; i++) {
        uint32_t which = test->which_pages[i];
        if (which > k->nr)
            test->which_pages[i] = which = 0;
        if (which)
            log_info("gup_test: page %u of those at %#lx is frame %#lx", which - 1, test->addr,
                     page_to_pfn(k->pages[which - 1]));
    }
}

static int run_test(unsigned cmd, struct uapi_gup_test *test)
{
    struct kept_pages *k;

    if (test->addr + test->size < test->addr)
        return -EINVAL;
    int err = pages_alloc(test->size / PAGE_SIZE, how_to(cmd, test), &k);
    if (err)
        return err;
    uint64_t began = clock_ns();
    get_range(k, test);
    uint64_t got = clock_ns();
    test->get_delta_usec = (got - began) / NS_PER_US;
    if (cmd == DUMP_USER_PAGES_TEST)
        dump(k, test);
    got = clock_ns();
    pages_put(k);
    test->put_delta_usec = (clock_ns() - got) / NS_PER_US;
    kmem_free(k);
    return 0;
}

/* For long. kept.lock held. */

static void let_go(void)
{
    if (!kept.pages)
        return;
    pages_put(kept.pages);
    kmem_free(kept.pages);
    kept.pages = NULL;
}

static int keep(user_addr_t arg)
{
    uint32_t known = PIN_LONGTERM_TEST_FLAG_USE_WRITE | PIN_LONGTERM_TEST_FLAG_USE_FAST;
    struct uapi_pin_longterm_test test;

    if (kept.pages)
        return -EINVAL;
    if (copy_from_user(&test, arg, sizeof(test)))
        return -EFAULT;
    if ((test.flags & ~known) || !is_aligned(test.addr | test.size, PAGE_SIZE) || !test.size ||
        (int64_t)test.size < 0)
        return -EINVAL;
    bool writes = test.flags & PIN_LONGTERM_TEST_FLAG_USE_WRITE;
    int err =
        pages_alloc(test.size / PAGE_SIZE, writes ? KEEP_TO_WRITE : KEEP_TO_READ, &kept.pages);
    if (err)
        return err;
    err = pages_get(kept.pages, test.addr, test.size / PAGE_SIZE);
    if (err)
        let_go();
    return err;
}

/* What is in the pages now, whatever the program sees at their addresses. */
static int show(user_addr_t arg)
{
    uint64_t to;

    if (!kept.pages)
        return -EINVAL;
    if (copy_from_user(&to, arg, sizeof(to)))
        return -EFAULT;
    for (uint64_t i = 0; i < kept.pages->nr; i++, to += PAGE_SIZE)
        if (copy_to_user(user(to), page_kva(kept.pages->pages[i]), PAGE_SIZE))
            return -EFAULT;
    return 0;
}

static int for_long(unsigned cmd, user_addr_t arg)
{
    int err = 0;

    mutex_lock(&kept.lock);
    if (cmd == PIN_LONGTERM_TEST_START)
        err = keep(arg);
    else if (cmd == PIN_LONGTERM_TEST_READ)
        err = show(arg);
    else
        let_go();
    mutex_unlock(&kept.lock);
    return err;
}

static int64_t gup_test_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct uapi_gup_test test;
    (void)f;

    if (cmd == PIN_LONGTERM_TEST_START || cmd == PIN_LONGTERM_TEST_STOP ||
        cmd == PIN_LONGTERM_TEST_READ)
        return for_long(cmd, user(arg));
    if (cmd < GUP_FAST_BENCHMARK || cmd > DUMP_USER_PAGES_TEST)
        return -EINVAL;
    if (copy_from_user(&test, user(arg), sizeof(test)))
        return -EFAULT;
    int err = run_test(cmd, &test);
    if (err)
        return err;
    return copy_to_user(user(arg), &test, sizeof(test)) ? -EFAULT : 0;
}

static void gup_test_release(struct file *f)
{
    (void)f;
    mutex_lock(&kept.lock);
    let_go();
    mutex_unlock(&kept.lock);
}

void gup_test_boot_init(struct dentry *debugfs)
{
    static const struct file_ops ops = {
        .ioctl = gup_test_ioctl, .release = gup_test_release, .no_seek = true};

    mutex_init(&kept.lock);
    fs_boot_file(debugfs, "gup_test", S_IFREG | 0600, &ops);
}

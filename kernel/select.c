/* SPDX-License-Identifier: MIT */
/*
 * kernel/select.c - select: the old form of poll, with sets of descriptors
 *
 * Room:   kernel.
 * Owns:   the copy of the program's sets while it waits.
 * Locks:  none of its own.
 * Always: (1) the program's sets are written only when the answer is a number.
 * Source: select(2), pselect(2).
 * Tour:   after kernel/poll.c.
 */
#include "files.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include <uapi/stat.h>

#define NS_PER_SEC  1000000000UL
#define NS_PER_US   1000UL
#define SECONDS_MAX 9000000000L /* in nanoseconds it still fits */
#define WORDS       BITMAP_WORDS(FILES_MAX)

enum set { FOR_INPUT, FOR_OUTPUT, FOR_EXCEPTION, SETS };

static const unsigned means_ready[SETS] = {
    [FOR_INPUT] = POLLIN | POLLRDNORM | POLLHUP | POLLERR,
    [FOR_OUTPUT] = POLLOUT | POLLWRNORM | POLLERR,
    [FOR_EXCEPTION] = POLLPRI,
};

struct select {
    unsigned nr; /* of descriptors that are looked at */
    uint64_t wanted[SETS][WORDS], ready[SETS][WORDS];
    user_addr_t at[SETS]; /* 0: not asked for */
};

static size_t set_bytes(const struct select *s)
{
    return BITMAP_WORDS(s->nr) * sizeof(uint64_t);
}

static int sets_read(struct select *s)
{
    for (unsigned i = 0; i < SETS; i++) {
        memset(s->wanted[i], 0, sizeof(s->wanted[i]));
        if (s->at[i].raw && copy_from_user(s->wanted[i], s->at[i], set_bytes(s)))
            return -EFAULT;
    }
    return 0;
}

static int sets_write(const struct select *s)
{
    for (unsigned i = 0; i < SETS; i++)
        if (s->at[i].raw && copy_to_user(s->at[i], s->ready[i], set_bytes(s)))
            return -EFAULT;
    return 0;
}

/* How many sets @fd is ready in; -EBADF. */
static int look_at(struct select *s, unsigned fd)
{
    unsigned asked = 0, ready;
    int nr = 0;

    for (unsigned i = 0; i < SETS; i++)
        asked |= bitmap_test(s->wanted[i], fd);
    if (!asked)
        return 0;
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    ready = f->ops->poll ? f->ops->poll(f) : POLLIN | POLLOUT;
    file_put(f);
    for (unsigned i = 0; i < SETS; i++) {
        if (!bitmap_test(s->wanted[i], fd) || !(ready & means_ready[i]))
            continue;
        bitmap_set(s->ready[i], fd);
        nr++;
    }
    return nr;
}

/* One look at all. */
static int look(struct select *s)
{
    int sum = 0;

    memset(s->ready, 0, sizeof(s->ready));
    for (unsigned fd = 0; fd < s->nr; fd++) {
        int nr = look_at(s, fd);
        if (nr < 0)
            return nr;
        sum += nr;
    }
    return sum;
}

/* What is left until @end_ns, in the form of the call; without it the program has no use for it. */
static void time_left(uint64_t end_ns, user_addr_t out, uint64_t ns_per_part)
{
    uint64_t now = clock_ns(), left = end_ns > now ? end_ns - now : 0;
    uint64_t t[] = {left / NS_PER_SEC, left % NS_PER_SEC / ns_per_part};

    if (end_ns != UINT64_MAX && copy_to_user(out, t, sizeof(t)))
        return; /* a constant timeout is fine */
}

static int64_t select_until(int nr, const user_addr_t at[SETS], uint64_t end_ns)
{
    struct select s = {.at = {at[0], at[1], at[2]}};
    int ready = 0;

    if (nr < 0)
        return -EINVAL;
    s.nr = min(nr, FILES_MAX);
    int err = sets_read(&s);
    if (!err)
        err = wait_event_until(&poll_queue, (ready = look(&s)) != 0, end_ns);
    if (err && err != -ETIME)
        return err;
    if (ready >= 0 && sets_write(&s))
        return -EFAULT;
    return ready;
}

/* When a wait ends that may take *@timeout: seconds, and parts of @ns_per_part. */
static int end_of(user_addr_t timeout, uint64_t ns_per_part, uint64_t *end_ns)
{
    int64_t t[2];

    *end_ns = UINT64_MAX;
    if (!timeout.raw)
        return 0;
    if (copy_from_user(t, timeout, sizeof(t)))
        return -EFAULT;
    if (ns_per_part == NS_PER_US && t[1] >= 0 && t[0] >= 0) { /* more than a second counts, too */
        t[0] += t[1] / 1000000;
        t[1] %= 1000000;
    }
    if (t[0] < 0 || t[1] < 0 || (uint64_t)t[1] >= NS_PER_SEC / ns_per_part)
        return -EINVAL;
    *end_ns = clock_ns() + min(t[0], SECONDS_MAX) * NS_PER_SEC + t[1] * ns_per_part;
    return 0;
}

int64_t sys_select(int nr, user_addr_t in, user_addr_t out, user_addr_t except, user_addr_t timeout)
{
    uint64_t end_ns;
    int64_t err = end_of(timeout, NS_PER_US, &end_ns);
    if (err)
        return err;
    err = select_until(nr, (user_addr_t[]){in, out, except}, end_ns);
    time_left(end_ns, timeout, NS_PER_US);
    return err;
}

int64_t sys_pselect6(int nr, user_addr_t in, user_addr_t out, user_addr_t except,
                     user_addr_t timeout, user_addr_t mask_at)
{
    struct {
        uint64_t at, size;
    } mask = {0};
    uint64_t end_ns, set;

    if (mask_at.raw && copy_from_user(&mask, mask_at, sizeof(mask)))
        return -EFAULT;
    int64_t err = end_of(timeout, 1, &end_ns);
    if (err)
        return err;
    if (mask.at && mask.size != sizeof(set))
        return -EINVAL;
    if (mask.at && copy_from_user(&set, user(mask.at), sizeof(set)))
        return -EFAULT;
    if (mask.at)
        signal_mask_begin(set);
    err = select_until(nr, (user_addr_t[]){in, out, except}, end_ns);
    if (mask.at)
        signal_mask_end(err == -EINTR);
    time_left(end_ns, timeout, 1);
    return err;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_log.c - the kernel's log, read by programs
 *
 * Room:   kernel.
 * Owns:   how much of the log was read, and where it was cleared.
 * Locks:  none: two who read at the same time may both get the same lines.
 * Always: (1) what was read or cleared is passed over; nothing is taken out of the log.
 * Source: syslog(2).
 * Tour:   after kernel/log.c.
 */
#include "cred.h"
#include "log.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>

enum action {
    CLOSE,
    OPEN,
    READ,
    READ_ALL,
    READ_CLEAR,
    CLEAR,
    CONSOLE_OFF,
    CONSOLE_ON,
    CONSOLE_LEVEL,
    SIZE_UNREAD,
    SIZE_BUFFER,
    ACTIONS
};

static uint64_t read_up_to, cleared_up_to; /* of the bytes ever kept [a] */

/* The newest @len bytes of what was kept behind @from, to the program. */
static int64_t copy_newest(user_addr_t out, size_t len, uint64_t from, uint64_t *total)
{
    char *text = kmem_alloc(LOG_KEPT_BYTES, SLAB_ALLOC_PLAIN);
    if (!text)
        return -ENOMEM;
    size_t n = log_kept(text, LOG_KEPT_BYTES, from, total), put = min(n, len);
    int err = copy_to_user(out, text + n - put, put);
    kmem_free(text);
    return err ? err : (int64_t)put;
}

static int64_t read_log(int action, user_addr_t out, int len)
{
    uint64_t total;

    if (!out.raw || len < 0)
        return -EINVAL;
    uint64_t from = READ_ONCE(*(action == READ ? &read_up_to : &cleared_up_to));
    int64_t n = copy_newest(out, len, from, &total);
    if (n >= 0 && action == READ)
        WRITE_ONCE(read_up_to, total);
    if (n >= 0 && action == READ_CLEAR)
        WRITE_ONCE(cleared_up_to, total);
    return n;
}

static int64_t clear(void)
{
    uint64_t total;
    log_kept(NULL, 0, 0, &total);
    WRITE_ONCE(cleared_up_to, total);
    return 0;
}

static int64_t unread(void)
{
    uint64_t total;
    log_kept(NULL, 0, 0, &total);
    return min(total - READ_ONCE(read_up_to), (uint64_t)LOG_KEPT_BYTES);
}

int64_t sys_syslog(int action, user_addr_t out, int len)
{
    if (action < 0 || action >= ACTIONS)
        return -EINVAL;
    if (action != READ_ALL && action != SIZE_BUFFER && !capable(CAP_SYSLOG))
        return -EPERM;
    switch (action) {
    case READ:
    case READ_ALL:
    case READ_CLEAR:
        return read_log(action, out, len);
    case CLEAR:
        return clear();
    case CONSOLE_LEVEL:
        if (len < 1 || len > 8)
            return -EINVAL;
        log_limit_set(len > 7 ? LOG_DEBUG : len > 6 ? LOG_INFO : len > 4 ? LOG_WARN : LOG_ERROR);
        return 0;
    case SIZE_UNREAD:
        return unread();
    case SIZE_BUFFER:
        return LOG_KEPT_BYTES;
    default:
        return 0;
    }
}

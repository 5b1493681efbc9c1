/* SPDX-License-Identifier: MIT */
/*
 * kernel/log.c - the kernel's log: whole lines to the serial line and the screen
 *
 * Room:   kernel.
 * Owns:   the log port and the screen; the last lines, in memory.
 * Locks:  log_lock (rank CONSOLE).
 * Always: (1) a line is written whole; (2) after a panic the lock is ignored.
 * Source: -
 * Tour:   after include/base/log.h.
 */
#include "log.h"

#include <asm/console.h>
#include <asm/spinlock.h>
#include <asm/time.h>
#include <base/log.h>
#include <base/panic.h>
#include <lib/format.h>

static spinlock_t log_lock = SPINLOCK_INIT(LOCK_RANK_CONSOLE);
static enum log_level log_limit = LOG_INFO;

/* The last lines, for dmesg(1). log_lock. */
static char kept[LOG_KEPT_BYTES];
static uint64_t kept_total;

static void (*tap)(const char *line);

void log_tap_set(void (*to)(const char *line))
{
    tap = to;
}

void log_limit_set(enum log_level limit)
{
    log_limit = limit;
}

/* log_lock held, unless a panic is in progress. */
static void keep(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        kept[kept_total++ % LOG_KEPT_BYTES] = bytes[i];
}

/* syslog(2) counts levels from 0, "unusable"; ours begin at 3, "error". */
static void keep_line(enum log_level level, const char *line, size_t len)
{
    static const char syslog_level[] = {
        [LOG_ERROR] = '3', [LOG_WARN] = '4', [LOG_INFO] = '6', [LOG_DEBUG] = '7'};
    char head[32];
    uint64_t us = clock_ns() / 1000;

    int n = snprintf(head, sizeof(head), "<%c>[%5lu.%06lu] ", syslog_level[level], us / 1000000,
                     us % 1000000);
    irq_flags_t flags = irq_save();
    bool locked = !panic_in_progress();
    if (locked)
        spin_lock(&log_lock);
    keep(head, n);
    keep(line, len);
    if (locked)
        spin_unlock(&log_lock);
    irq_restore(flags);
}

size_t log_kept(char *buf, size_t size, uint64_t skip_bytes, uint64_t *total)
{
    irq_flags_t flags = spin_lock_irqsave(&log_lock);
    uint64_t oldest = kept_total - min(kept_total, (uint64_t)LOG_KEPT_BYTES);
    uint64_t from = max(skip_bytes, oldest);
    size_t n = min(kept_total - from, (uint64_t)size);
    for (size_t i = 0; i < n; i++)
        buf[i] = kept[(from + i) % LOG_KEPT_BYTES];
    *total = kept_total;
    spin_unlock_irqrestore(&log_lock, flags);
    return n;
}

void log_bytes(const char *bytes, size_t len_bytes)
{
    irq_flags_t flags = irq_save();
    bool locked = !panic_in_progress();

    if (locked)
        spin_lock(&log_lock);
    serial_write(SERIAL_LOG, bytes, len_bytes);
    screen_write(bytes, len_bytes);
    if (locked)
        spin_unlock(&log_lock);
    irq_restore(flags);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char line[256];
    va_list args;

    if (level > log_limit)
        return;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof(line) - 1, fmt, args);
    va_end(args);
    len = min(len, (int)sizeof(line) - 2);
    if (tap) {
        tap(line);
        return;
    }
    line[len] = '\n';
    keep_line(level, line, len + 1);
    log_bytes(line, len + 1);
}

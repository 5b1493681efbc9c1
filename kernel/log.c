/* SPDX-License-Identifier: MIT */
/*
 * kernel/log.c - the kernel's log: whole lines to the serial line and the screen
 *
 * Room:   kernel.
 * Owns:   the log port and the screen.
 * Locks:  log_lock (rank CONSOLE).
 * Always: (1) a line is written whole; (2) after a panic the lock is ignored.
 * Source: -
 * Tour:   after include/base/log.h.
 */
#include "log.h"

#include <asm/console.h>
#include <asm/spinlock.h>
#include <base/log.h>
#include <base/panic.h>
#include <lib/format.h>

static spinlock_t log_lock = SPINLOCK_INIT(LOCK_RANK_CONSOLE);
static enum log_level log_limit = LOG_INFO;

static void (*tap)(const char *line);

void log_tap_set(void (*to)(const char *line))
{
    tap = to;
}

void log_limit_set(enum log_level limit)
{
    log_limit = limit;
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
    log_bytes(line, len + 1);
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/log.h - what the rest of kernel/ may do with the log beyond writing lines
 *
 * Room:   kernel.
 * Owns:   nothing; see log.c.
 * Locks:  as log.c.
 * Always: -
 * Source: -
 * Tour:   with kernel/log.c.
 */
#pragma once

#include <base/log.h>
#include <stddef.h>
#include <stdint.h>

/* Lines above @limit are dropped from now on (loglevel=). */
void log_limit_set(enum log_level limit);

/* Whole lines go to @to instead of the consoles, without their newline. Any context. */
void log_tap_set(void (*to)(const char *line));

/* What log_kept() keeps at most. */
#define LOG_KEPT_BYTES 16384

/**
 * log_kept() - the last lines, as dmesg(1) wants them: "<level>[seconds.micros] line"
 * @skip_bytes: pass over that many of the bytes ever kept (0: from the oldest that is there)
 * @total: out, bytes ever kept
 * Return: bytes put into @buf; whole lines, but for the first if it is half overwritten.
 */
size_t log_kept(char *buf, size_t size, uint64_t skip_bytes, uint64_t *total);

/* Bytes as they are, in one piece: what programs write to /dev/console. */
void log_bytes(const char *bytes, size_t len_bytes);

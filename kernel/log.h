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

/* Lines above @limit are dropped from now on (loglevel=). */
void log_limit_set(enum log_level limit);

/* Whole lines go to @to instead of the consoles, without their newline. Any context. */
void log_tap_set(void (*to)(const char *line));

/* Bytes as they are, in one piece: what programs write to /dev/console. */
void log_bytes(const char *bytes, size_t len_bytes);

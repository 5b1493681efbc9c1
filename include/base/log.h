/* SPDX-License-Identifier: MIT */
/*
 * include/base/log.h - one line to the kernel's log
 *
 * Room:   base: contracts every room above lib may call; the code is kernel/log.c.
 * Owns:   the levels and the two calls.
 * Locks:  takes the console lock (rank CONSOLE, the innermost); safe with IRQs off.
 * Always: (1) a line is written whole: lines of two CPUs never mix.
 * Source: -
 * Tour:   with include/base/panic.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/**
 * log_line() - format one line and write it to every console
 * @level: lines above the level set by loglevel= are dropped
 * @fmt: printf format without the final newline
 *
 * Context: any, also interrupts. Cuts a line at 255 bytes.
 */
void log_line(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

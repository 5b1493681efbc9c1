/* SPDX-License-Identifier: MIT */
/*
 * include/lib/format.h - printf without the file
 *
 * Room:   lib.
 * Owns:   the format language of the kernel's log, /proc and panics.
 * Locks:  none; usable in any context, panic included.
 * Always: (1) never writes past size_bytes, and ends with a NUL when size_bytes > 0;
 *         (2) an unknown conversion is printed as it stands, nothing is skipped silently.
 * Source: ISO C11 7.21.6.1, without floating point, wide characters and %n.
 * Tour:   with lib/format.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdarg.h>
#include <stddef.h>

/**
 * vsnprintf() - format into a buffer
 * @buf: may be NULL when @size_bytes is 0
 * @size_bytes: size of @buf, the NUL included
 * @format: %d %i %u %x %X %o %p %s %c %%, flags "0-#+ ", width and precision (also '*'),
 *          lengths hh h l ll z j t. %p prints 0x and 16 digits.
 *
 * Return: the length the whole text has, without NUL, whether it fitted or not.
 */
int vsnprintf(char *buf, size_t size_bytes, const char *format, va_list args) __printf(3, 0);

/* As vsnprintf(), with the arguments in place. */
int snprintf(char *buf, size_t size_bytes, const char *format, ...) __printf(3, 4);

/* For text of many alike lines: @value at @at without a NUL; returns the place behind it, at
 * most 16 digits (or @min_digits) away, or 20. */
char *format_hex(char *at, uint64_t value, unsigned min_digits);
char *format_decimal(char *at, uint64_t value);

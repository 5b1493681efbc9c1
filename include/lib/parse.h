/* SPDX-License-Identifier: MIT */
/*
 * include/lib/parse.h - numbers and options in a command line
 *
 * Room:   lib.
 * Owns:   the syntax: words parted by blanks, each "key" or "key=value".
 * Locks:  none.
 * Always: (1) out-parameters are written on success only;
 *         (2) the last of several options with the same key counts, as in Linux.
 * Source: bootparam(7).
 * Tour:   with lib/parse.c; the options themselves are listed in docs/boot.md.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * parse_number() - a whole text as an unsigned number
 * @text: decimal, or hexadecimal with 0x; then at most one of K, M, G, T (either case)
 * @number: result
 *
 * Return: 0, -EINVAL when @text is not such a number, -ERANGE when it needs more than 64 bits.
 */
int __must_check parse_number(const char *text, uint64_t *number);

/* Is "key" or "key=..." a word of @cmdline? */
bool parse_has_option(const char *cmdline, const char *key);

/**
 * parse_option() - the value of "key=value"
 * @value: buffer of @size_bytes
 *
 * Return: 0, -ENOENT without such a word, -E2BIG when the value does not fit.
 */
int __must_check parse_option(const char *cmdline, const char *key, char *value, size_t size_bytes);

/* As parse_option(), then parse_number(); -EINVAL or -ERANGE as that says. */
int __must_check parse_option_number(const char *cmdline, const char *key, uint64_t *number);

/* The same where there is an answer in any case: @otherwise, if none can be read. */
uint64_t parse_option_or(const char *cmdline, const char *key, uint64_t otherwise);

/* SPDX-License-Identifier: MIT */
/*
 * kernel/arguments.h - argv and envp between one program and the next
 *
 * Room:   kernel.
 * Owns:   struct arguments.
 * Locks:  none.
 * Always: see arguments.c.
 * Source: execve(2).
 * Tour:   with kernel/arguments.c.
 */
#pragma once

#include <lib/addr.h>
#include <lib/compiler.h>
#include <stddef.h>

/* The strings of argv, then envp. All zero: none; arguments_free() ends it. */
struct arguments {
    char *strings;
    size_t len, capacity;
    unsigned argc, envc;
};

void arguments_free(struct arguments *args);

/* Each returns 0, -E2BIG, -ENOMEM, or -EFAULT where it reads from the program. */

/* One more string at the end; the caller counts it. */
int __must_check arguments_add(struct arguments *args, const char *string);

/* The strings of a vector of the program that ends in NULL; 0 is an empty one. *@nr: how many. */
int __must_check arguments_add_vector(struct arguments *args, user_addr_t vector, unsigned *nr);

/* One more argv[0], which does not lie in @args; those that are there move up. */
int __must_check arguments_prepend(struct arguments *args, const char *string);

/* argv[0], which there is, becomes @name. */
int __must_check arguments_name(struct arguments *args, const char *name);

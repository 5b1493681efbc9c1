/* SPDX-License-Identifier: MIT */
/*
 * kernel/arguments.c - the strings that a program is started with
 *
 * Room:   kernel.
 * Owns:   how many and how long they may be.
 * Locks:  none.
 * Always: (1) the strings lie one after another, with their NULs, in the order in which the program
 *             finds them on its stack.
 * Source: execve(2), "Limits on size of arguments and environment".
 * Tour:   before kernel/exec.c.
 */
#include "arguments.h"

#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/resource.h>

#define ARG_BYTES_MIN  (128 * KIB) /* of strings of argv and envp together, whatever the limits */
#define ARG_BYTES_MAX  (6 * MIB)
#define ARG_STRING_MAX (128 * KIB) /* one of them */
#define ARGS_MAX       (128 * KIB) /* how many of them */

void arguments_free(struct arguments *args)
{
    kmem_free(args->strings);
}

/* A quarter of the stack, within bounds. */
static uint64_t arg_bytes_max(void)
{
    uint64_t quarter = process_current()->limits[RLIMIT_STACK].soft / 4;
    return max(ARG_BYTES_MIN, min(quarter, ARG_BYTES_MAX));
}

static int arguments_room(struct arguments *args, size_t more)
{
    if (args->len + more <= args->capacity)
        return 0;
    size_t capacity = max(args->capacity * 2, round_up(args->len + more, PAGE_SIZE));
    if (capacity > arg_bytes_max())
        return -E2BIG;
    char *strings = kmem_alloc(capacity, 0);
    if (!strings)
        return -ENOMEM;
    memcpy(strings, args->strings, args->len);
    kmem_free(args->strings);
    args->strings = strings;
    args->capacity = capacity;
    return 0;
}

int arguments_add(struct arguments *args, const char *string)
{
    size_t len = strlen(string) + 1;
    int err = arguments_room(args, len);
    if (err)
        return err;
    memcpy(args->strings + args->len, string, len);
    args->len += len;
    return 0;
}

static int add_user_string(struct arguments *args, user_addr_t from)
{
    for (size_t room = 256;; room *= 8) {
        int err = room <= ARG_STRING_MAX ? arguments_room(args, room) : -E2BIG;
        if (err)
            return err;
        long len = copy_string_from_user(args->strings + args->len, from, room);
        if (len == -ENAMETOOLONG)
            continue;
        if (len < 0)
            return len;
        args->len += len + 1;
        return 0;
    }
}

int arguments_add_vector(struct arguments *args, user_addr_t vector, unsigned *nr)
{
    uint64_t pointer;

    for (*nr = 0; vector.raw; ++*nr) {
        int err =
            copy_from_user(&pointer, user(vector.raw + *nr * sizeof(pointer)), sizeof(pointer));
        if (err || !pointer)
            return err;
        err = *nr < ARGS_MAX ? add_user_string(args, user(pointer)) : -E2BIG;
        if (err)
            return err;
    }
    return 0;
}

int arguments_prepend(struct arguments *args, const char *string)
{
    size_t len = strlen(string) + 1;
    int err = arguments_room(args, len);

    if (err)
        return err;
    memmove(args->strings + len, args->strings, args->len);
    memcpy(args->strings, string, len);
    args->len += len;
    args->argc++;
    return 0;
}

int arguments_name(struct arguments *args, const char *name)
{
    size_t len = strlen(args->strings) + 1;

    memmove(args->strings, args->strings + len, args->len - len);
    args->len -= len;
    args->argc--;
    return arguments_prepend(args, name);
}

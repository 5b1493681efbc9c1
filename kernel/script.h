/* SPDX-License-Identifier: MIT */
/*
 * kernel/script.h - the first line of a file that another program interprets
 *
 * Room:   kernel.
 * Owns:   struct script.
 * Locks:  none.
 * Always: -
 * Source: execve(2), "Interpreter scripts".
 * Tour:   with kernel/script.c.
 */
#pragma once

#include <lib/compiler.h>

struct inode;

#define SCRIPT_LINE_MAX 255

struct script {
    char line[SCRIPT_LINE_MAX + 1];
    const char *interpreter; /* in @line */
    const char *argument;    /* in @line: all that follows, as one; NULL: nothing does */
};

/* Is @inode a script? 1 with *@script filled in, 0 if it is something else, -ENOEXEC if nobody is
 * named or the name is cut off, or what reading said. */
int __must_check script_read(struct inode *inode, struct script *script);

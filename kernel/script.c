/* SPDX-License-Identifier: MIT */
/*
 * kernel/script.c - "#!": a file says who reads it
 *
 * Room:   kernel.
 * Owns:   how such a line is taken apart.
 * Locks:  none.
 * Always: (1) a name that may be longer than what was read of it is not used.
 * Source: execve(2), "Interpreter scripts".
 * Tour:   from kernel/exec.c.
 */
#include "script.h"

#include "files.h"
#include "fs.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *skip(char *s, bool blanks)
{
    while (*s && is_blank(*s) == blanks)
        s++;
    return s;
}

/*
 * Cut "#! NAME ARGUMENT" into its parts. A cut-off argument may be used, as on Linux; and as there,
 * no name at the end of a file is the name of a directory.
 */
static int parse(struct script *script, size_t len)
{
    script->line[len] = '\0';
    char *newline = strchr(script->line, '\n');
    char *end = newline ? newline : script->line + len;
    bool whole = newline || len < SCRIPT_LINE_MAX;

    *end = '\0';
    char *name = skip(script->line + 2, true), *name_end = skip(name, false);
    if (!whole && name_end == end) /* claim 1 */
        return -ENOEXEC;
    if (name == name_end)
        return newline ? -ENOEXEC : -EACCES;
    while (is_blank(end[-1]))
        *--end = '\0';
    char *argument = skip(name_end, true);
    *name_end = '\0';
    script->interpreter = name;
    script->argument = *argument ? argument : NULL;
    return 1;
}

int script_read(struct inode *inode, struct script *script)
{
    struct kernel_copy copy = kernel_buffer_out(script->line);
    int64_t n = object_read(&inode->object, 0, SCRIPT_LINE_MAX, &copy.copy);

    if (n < 2)
        return n < 0 ? n : 0;
    if (script->line[0] != '#' || script->line[1] != '!')
        return 0;
    return parse(script, n);
}

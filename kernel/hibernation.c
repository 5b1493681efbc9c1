/* SPDX-License-Identifier: MIT */
/*
 * kernel/hibernation.c - /sys/power: whether the machine could be written to disk and switched off
 *
 * Room:   kernel.
 * Owns:   the two files. There is no disk: who asks for it is told what Linux says without one.
 * Locks:  none.
 * Always: (1) while there is a secret file the answer is -EPERM, before anything is looked for.
 * Source: Linux Documentation/admin-guide/pm/sleep-states.rst; observed on Linux 6.1.
 * Tour:   after kernel/secretmem.c.
 */
#include "fs.h"
#include "secretmem.h"
#include "text_file.h"
#include <lib/string.h>
#include <uapi/errno.h>

static int show_state(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, secretmem_in_use() ? "" : "disk\n");
    return 0;
}

/* Claim 1. */
static int store_state(const struct text_kind *kind, const char *word)
{
    (void)kind;
    if (strcmp(word, "disk"))
        return -EINVAL;
    return secretmem_in_use() ? -EPERM : -ENODEV;
}

/* What would be done when all is written. */
static int show_disk(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, secretmem_in_use() ? "[disabled]\n" : "[shutdown]\n");
    return 0;
}

static int store_disk(const struct text_kind *kind, const char *word)
{
    (void)kind;
    if (secretmem_in_use())
        return -EPERM;
    return strcmp(word, "shutdown") ? -EINVAL : 0;
}

static const struct text_kind state_file = {"state", 0644, .show = show_state,
                                            .store_word = store_state},
                              disk_file = {"disk", 0644, .show = show_disk,
                                           .store_word = store_disk};

void hibernation_boot_files(struct dentry *sys)
{
    struct dentry *power = fs_boot_directory(sys, "power", 0755);

    text_file_boot(power, &state_file);
    text_file_boot(power, &disk_file);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/user/held.h - does the kernel hold as much memory, and as many objects, as before?
 *
 * Room:   tests/user.
 * Owns:   nothing.
 * Locks:  none; for programs with one thread, when nobody else runs.
 * Always: (1) what may stay for the next user is left out: free objects of slabs, kernel stacks.
 * Source: proc_meminfo(5), slabinfo(5); trust.md V24.
 * Tour:   before tests/user/fuzz.c, tests/user/fail.c.
 */
#pragma once

#include "../../user/probe.h"

/* What the kernel holds: kB that are neither free nor slabs, and a text of all objects. */
struct held {
    long kib, stacks_kib; /* stacks stay where they are for whoever is started next */
    char objects[8192];
};

/* Hidden pages that were kept for the next secret go, and not at any later moment. */
__attribute__((unused)) static void hidden_pages_go(void)
{
    int fd = open("/sys/kernel/mm/secretmem/shrink", O_WRONLY);

    if (fd >= 0 && write(fd, "1", 1) < 0)
        printf("# hidden pages stay\n");
    close(fd);
}

/* Two lines of headings come first. */
__attribute__((unused)) static void held_look(struct held *h)
{
    static char text[16384];
    size_t len = 0;

    hidden_pages_go();
    h->stacks_kib = meminfo("KernelStack");
    h->kib = meminfo("MemTotal") - meminfo("MemFree") - meminfo("Slab") - h->stacks_kib;
    h->objects[0] = '\0';
    if (slurp("/proc/slabinfo", text, sizeof text) < 0)
        return;
    for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char name[40];
        unsigned long active;

        if (line[1] != '#' && sscanf(line + 1, "%39s %lu", name, &active) == 2)
            len += (size_t)snprintf(h->objects + len, sizeof h->objects - len, "%s=%lu ", name,
                                    active);
    }
}

/* As many objects of each kind; but the OOM killer remembers its last victim until the next. */
__attribute__((unused)) static bool held_objects_same(const char *a, const char *b)
{
    enum { OF_A_VICTIM = 2 };

    while ((a = strchr(a, '=')) && (b = strchr(b, '=')))
        if (labs(strtol(++a, NULL, 10) - strtol(++b, NULL, 10)) > OF_A_VICTIM)
            return false;
    return true;
}

/* More stacks need more page tables: one page for a MiB of them, and one that was begun. */
__attribute__((unused)) static bool held_same(const struct held *a, const struct held *b)
{
    long tables_kib = (b->stacks_kib - a->stacks_kib) / 1024 * 4 + 4;

    return b->kib >= a->kib - 4 && b->kib <= a->kib + tables_kib &&
           held_objects_same(a->objects, b->objects);
}

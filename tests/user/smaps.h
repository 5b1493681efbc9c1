/* SPDX-License-Identifier: MIT */
/*
 * tests/user/smaps.h - an area where a table begins; what areas and files use, as the kernel says
 *
 * Room:   tests/user. libc only: the same binary runs on Linux and on Bulla.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: proc_pid_smaps(5).
 * Tour:   after tests/user/ktap.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* A free place for @len bytes that begins where a page table does, and a huge page could. */
__attribute__((unused)) static char *place_of_units(size_t len)
{
    const size_t huge = 2UL << 20;
    char *p = mmap(NULL, len + huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(p, len + huge);
    return (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
}

/* A line of smaps in KiB, of all areas that lie in [p, p + len). */
__attribute__((unused)) static long smaps(const char *p, size_t len, const char *name)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    unsigned long start, end, kib;
    char line[512], key[64];
    bool inside = false;
    long sum = 0;

    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = start >= (uintptr_t)p && end <= (uintptr_t)p + len;
        else if (inside && sscanf(line, "%63[^:]: %lu kB", key, &kib) == 2 && !strcmp(key, name))
            sum += (long)kib;
    }
    if (f)
        fclose(f);
    return sum;
}

/* Touch it for reading. */
__attribute__((unused)) static char look(const char *p)
{
    return *(const volatile char *)p;
}

/* What a file has of memory. */
__attribute__((unused)) static long kib_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_blocks / 2 : -1;
}

/* SPDX-License-Identifier: MIT */
/*
 * tools/guest.h - the machine that a QEMU plugin watches: its RAM, its page tables
 *
 * Room:   tools. Linked into plugins.
 * Owns:   a mapping of the guest's RAM, which tools/plugin.py makes a file that both share.
 * Locks:  none: the guest writes while it is read, entry by entry.
 * Always: (1) all of RAM lies below 2 GiB, where its offset in the file is its address.
 * Source: Intel SDM 3A, "4-Level Paging".
 * Tour:   after tools/qemu_plugin.h, before tools/trace.c and tools/tlbsan.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GUEST_KERNEL_HALF (1UL << 63)

enum { GUEST_CPUS = 64 };

/* Maps the file @path. False: it cannot. */
bool guest_map(const char *path);

/* What lies at a physical address, or NULL: no RAM. */
const volatile void *guest_ram(uint64_t pa);

struct guest_leaf {
    uint64_t pa;    /* of the address that was asked for */
    unsigned level; /* 0: 4K, 1: 2M, 2: 1G */
    bool global;
};

/* What the tables below @root say of @va at the moment. False: nothing is mapped there. */
bool guest_walk(uint64_t root, uint64_t va, struct guest_leaf *leaf);

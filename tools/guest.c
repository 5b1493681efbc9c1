/* SPDX-License-Identifier: MIT */
/*
 * tools/guest.c - the machine that a QEMU plugin watches
 *
 * Room:   tools.
 * Owns:   the mapping.
 * Locks:  none.
 * Always: (1) page-table bits are the manual's, not those of the kernel's headers: who watches must
 *             not share its mistakes.
 * Source: Intel SDM 3A, "4-Level Paging".
 * Tour:   after tools/guest.h.
 */
#include "guest.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRESENT    (1UL << 0)
#define LARGE      (1UL << 7)
#define GLOBAL     (1UL << 8)
#define FRAME_MASK 0x000ffffffffff000UL

static const uint8_t *ram;
static uint64_t ram_bytes;

bool guest_map(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &st))
        return false;
    ram_bytes = (uint64_t)st.st_size;
    void *at = mmap(NULL, ram_bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    ram = at;
    return at != MAP_FAILED;
}

const volatile void *guest_ram(uint64_t pa)
{
    return pa < ram_bytes ? ram + pa : NULL;
}

bool guest_walk(uint64_t root, uint64_t va, struct guest_leaf *leaf)
{
    uint64_t entry = root;

    for (unsigned level = 4; level-- > 0;) {
        unsigned shift = 12 + 9 * level;
        uint64_t slot = (entry & FRAME_MASK) + (va >> shift & 511) * 8;
        const volatile uint64_t *at = guest_ram(slot);
        entry = at ? *at : 0;
        if (!(entry & PRESENT))
            return false;
        if (level && !(entry & LARGE))
            continue;
        uint64_t inside = (1UL << shift) - 1;
        *leaf = (struct guest_leaf){(entry & FRAME_MASK & ~inside) | (va & inside), level,
                                    entry & GLOBAL};
        return level < 3;
    }
    return false;
}

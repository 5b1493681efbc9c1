/* SPDX-License-Identifier: MIT */
/*
 * asm/pte_bits.h - the bits of a page-table entry, as the manual draws them
 *
 * Room:   arch. Public only so that asm/pte.h can be inline; no other room names these.
 * Owns:   the bit positions.
 * Locks:  none.
 * Always: (1) PTE_PHYS covers every address bit the architecture may ever use.
 * Source: Intel SDM 3A, "Formats of CR3 and Paging-Structure Entries" and "Protection Keys".
 *
 *   63 62..59 58..52 51..........12  11..9  8 7   6 5 4   3   2 1 0
 *   NX  pkey  (soft)  frame          (soft) G PS  D A PCD PWT U W P
 * Tour:   with asm/pte.h.
 */
#pragma once

#define PTE_P              (1UL << 0)
#define PTE_W              (1UL << 1)
#define PTE_U              (1UL << 2)
#define PTE_PWT            (1UL << 3)
#define PTE_PCD            (1UL << 4)
#define PTE_A              (1UL << 5)
#define PTE_D              (1UL << 6)
#define PTE_PS             (1UL << 7) /* a leaf, at level 2M and above */
#define PTE_G              (1UL << 8)
#define PTE_SOFT_PROTNONE  (1UL << 9)  /* not present, but holds a frame (inverted) */
#define PTE_SOFT_DIRTY     (1UL << 10) /* written since those who track writes looked last */
#define PTE_SOFT_EXCLUSIVE (1UL << 11) /* the only leaf of a private page */
#define PTE_SOFT_POISON    (1UL << 56) /* not present, no frame: what was here is lost */
#define PTE_SOFT_UFFD_WP   (1UL << 57) /* a program is told of the first write; may stand alone */
#define PTE_SOFT_GUARD     (1UL << 58) /* not present, no frame: nobody may touch this page */
#define PTE_PKEY_SHIFT     59
#define PTE_PKEY           (15UL << PTE_PKEY_SHIFT)
#define PTE_NX             (1UL << 63)
#define PTE_PHYS           0x000ffffffffff000UL

/* What a change of rights replaces; the rest (frame, A, D, PS, soft dirty) stays. */
#define PTE_RIGHTS \
    (PTE_P | PTE_W | PTE_U | PTE_PWT | PTE_PCD | PTE_G | PTE_SOFT_PROTNONE | PTE_PKEY | PTE_NX)

/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/bulla.h - what programs may ask of Bulla and not of Linux
 *
 * Room:   uapi. Numbers only.
 * Owns:   the bits of memfd_secret(2) and of F_ADD_SEALS that Linux answers with EINVAL.
 * Locks:  none.
 * Always: (1) a program that asks for none of these cannot tell Bulla from Linux;
 *         (2) on Linux each of them is EINVAL: so a program asks whether it is there.
 * Source: beyond-linux.md; memfd_secret(2); memfd_create(2), whose bits these are where it can be.
 * Tour:   with kernel/secretmem.c.
 */
#pragma once

#define SECRET_ALLOW_SEALING 0x0002U /* seals, and descriptors that only read */
#define SECRET_HUGETLB       0x0004U /* pages of 2 MiB, or of the size that follows */
#define SECRET_STRICT        0x0100U /* the kernel copies nothing from or to its pages */
#define SECRET_HUGE_SHIFT    26      /* log2 of the page size, as MFD_HUGE_SHIFT */
#define SECRET_HUGE_MASK     0x3fU
#define SECRET_HUGE_2MB      (21U << SECRET_HUGE_SHIFT)
#define SECRET_HUGE_1GB      (30U << SECRET_HUGE_SHIFT)

#define F_SEAL_NEVER_EXEC 0x10000U /* no mapping may ever be executed; EBUSY while one may be */

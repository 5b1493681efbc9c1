/* SPDX-License-Identifier: MIT */
/*
 * mm/bug.c - which bug is put back
 *
 * Room:   mm.
 * Owns:   the choice.
 * Locks:  none: written once, at boot.
 * Always: (1) 0, no bug, unless the kernel was built with -DBUGS=1.
 * Source: include/base/bug.h.
 * Tour:   after include/base/bug.h.
 */
#include <base/bug.h>

uint64_t bug_chosen;

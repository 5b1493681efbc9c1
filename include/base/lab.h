/* SPDX-License-Identifier: MIT */
/*
 * include/base/lab.h - the door of the TLB laboratory
 *
 * Room:   base. Called only by a kernel that was built as LAB; the code is tests/experiments/kit.c.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a kernel that is no LAB has no byte of it.
 * Source: docs/tlb-lab.md.
 * Tour:   before tests/experiments/kit.h.
 */
#pragma once

/* lab=NAME,NAME runs these experiments and leaves the machine; without lab= it returns. */
void lab_start(const char *cmdline);

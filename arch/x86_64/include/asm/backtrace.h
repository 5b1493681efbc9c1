/* SPDX-License-Identifier: MIT */
/*
 * asm/backtrace.h - who called whom, with names
 *
 * Room:   arch, public face.
 * Owns:   the walk along frame pointers; the symbol table is made by tools/symbols at link time.
 * Locks:  none.
 * Always: (1) only addresses inside kernel stacks are followed.
 * Source: System V AMD64 psABI, "The Stack Frame".
 * Tour:   with kernel/panic.c.
 */
#pragma once

#include <stdint.h>

struct trap_frame;

/* One log line per caller, from @frame, or from here if it is NULL. */
void backtrace_print(const struct trap_frame *frame);

/* The function that @address lies in and the offset in it; "?" if it is none of the kernel's. */
const char *symbol_name(uint64_t address, uint64_t *offset);

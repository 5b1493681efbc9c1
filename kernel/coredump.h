/* SPDX-License-Identifier: MIT */
/*
 * kernel/coredump.h - the memory and registers of a program that died, as a file
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  see kernel/coredump.c.
 * Always: see kernel/coredump.c.
 * Source: core(5).
 * Tour:   with kernel/coredump.c.
 */
#pragma once

#include <stdbool.h>
#include <uapi/signal.h>

struct trap_frame;

/* The running program is about to die of @info: write "core" into its directory, if its limits let
 * it. True: it was written. */
bool coredump_write(const struct trap_frame *frame, const struct uapi_siginfo *info);

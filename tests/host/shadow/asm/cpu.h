/* SPDX-License-Identifier: MIT */
/*
 * tests/host/shadow/asm/cpu.h - a CPU number that a test can set
 *
 * Room:   tests/host: stands in for arch/x86_64/include/asm/cpu.h, which it includes.
 * Owns:   host_cpu.
 * Locks:  none.
 * Always: (1) everything but cpu_id() is the kernel's own.
 * Source: -
 * Tour:   with tests/host/machine.h.
 */
#pragma once

#define cpu_id arch_cpu_id
#include_next <asm/cpu.h>
#undef cpu_id

extern unsigned host_cpu;

static inline unsigned cpu_id(void)
{
    return host_cpu;
}

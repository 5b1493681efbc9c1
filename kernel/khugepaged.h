/* SPDX-License-Identifier: MIT */
/*
 * kernel/khugepaged.h - the thread that makes huge pages of small ones, at its own pace
 *
 * Room:   kernel.
 * Owns:   the pace, as /sys/kernel/mm/transparent_hugepage/khugepaged shows it.
 * Locks:  none: single words.
 * Always: -
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst, "Khugepaged controls".
 * Tour:   with kernel/khugepaged.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

#define KHUGEPAGED_NEVER UINT32_MAX /* as scan_sleep_ms: it does not look at all */

struct khugepaged_pace {
    uint64_t scan_sleep_ms, alloc_sleep_ms; /* between scans; after a lack of memory */
    uint64_t pages_to_scan;                 /* at a time */
};

extern struct khugepaged_pace khugepaged_pace;

/* Boot: who comes first wakes it. */
void khugepaged_boot_init(void);

/* A setting has changed, the policy perhaps: start the thread if it is wanted now, and let it look.
 * 0, or -ENOMEM: there is no thread. */
int __must_check khugepaged_settings_changed(void);

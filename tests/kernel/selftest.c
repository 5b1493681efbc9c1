/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/selftest.c - the machine after boot, and whether the test frame sees what is wrong
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what is damaged is repaired before the test ends.
 * Source: include/base/ktest.h.
 * Tour:   first of tests/kernel/.
 */
#include <asm/cpu.h>
#include <base/ktest.h>
#include <base/log.h>
#include <mm/mm.h>

KTEST(machine_is_sound_after_boot)
{
    EXPECT(vm_check() == 0);
    EXPECT(nr_cpus() >= 1, "nr_cpus=%u", nr_cpus());
}

KTEST(log_lines_are_seen_by_the_watcher)
{
    ktest_log_watch("needle");
    log_info("a line with a needle in it");
    EXPECT(ktest_log_seen());
    ktest_log_watch("needle");
    log_info("a line without");
    EXPECT(!ktest_log_seen());
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine.h - the machine that mm/ sees in a host test
 *
 * Room:   tests/host.
 * Owns:   RAM, CPU number, locks held, the panic that a test waits for, the last line logged.
 * Locks:  one thread.
 * Always: (1) memory that the firmware did not report is not accessible;
 *         (2) an unexpected panic ends the test program with a failure.
 * Source: design.md section 10, ring 2.
 * Tour:   before any tests/host/test_*.c.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <base/lock_rank.h>
#include <boot_info.h>
#include <mm/memmap.h>

#define HOST_RAM_MAX (16UL << 30) /* address space, not memory */

extern jmp_buf host_panic_jump;
extern bool host_panic_expected;
extern char host_panic_message[512];
extern char host_log_line[512]; /* the last one */

/* Runs a statement that must panic, with a message that contains @text. */
#define assert_panics(statement, text)                         \
    do {                                                       \
        host_panic_expected = true;                            \
        if (setjmp(host_panic_jump) == 0) {                    \
            statement;                                         \
            fail_msg("did not panic: %s", #statement);         \
        }                                                      \
        host_panic_expected = false;                           \
        if (strstr(host_panic_message, text) == NULL)          \
            fail_msg("panicked with: %s", host_panic_message); \
    } while (0)

/* A checker must fail, and say @text. */
#define assert_finds(check, text)                \
    do {                                         \
        assert_int_not_equal(check, 0);          \
        if (strstr(host_log_line, text) == NULL) \
            fail_msg("said: %s", host_log_line); \
    } while (0)

/* Adds a region to what the firmware of the next machine says. */
void host_region(struct boot_info *info, uint64_t start, uint64_t end, enum boot_region_kind kind);

/* A machine with the RAM of @info, up to and with boot_alloc_init(). Throws the last one away. */
void host_machine_boot(const struct boot_info *info);

/* The rest: page array, buddy allocator. */
void host_machine_start_mm(void);

/* The usual machine: one range of RAM from 1 MiB on. All of the above. */
void host_machine_start(uint64_t ram_bytes);

extern struct memmap host_memmap;

/* A byte of RAM where programs see it, hidden from the kernel or not. */
void *host_ram_of_programs(phys_addr_t a);

/* Whoever waits for other CPUs holds no lock of rank >= @below, and interrupts are on. */
void host_may_wait(enum lock_rank below);

/* The same on every run: a test that fails fails again. */
uint64_t host_random(void);
void host_random_seed(uint64_t seed);

static inline uint64_t host_random_below(uint64_t limit)
{
    return host_random() % limit;
}

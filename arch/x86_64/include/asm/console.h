/* SPDX-License-Identifier: MIT */
/*
 * asm/console.h - bytes to and from the serial lines and the screen
 *
 * Room:   arch, public face.
 * Owns:   two 16550 ports, the VGA text screen or the boot framebuffer.
 * Locks:  none: the caller serialises output per port (kernel/log.c, kernel/tty.c).
 * Always: (1) output polls the line status with a bound: a missing port costs time, never a hang;
 *         (2) works from the first instruction of kernel_main().
 * Source: National Semiconductor PC16550D data sheet.
 * Tour:   before kernel/log.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct boot_framebuffer;

enum serial_port { SERIAL_LOG, SERIAL_JOB, SERIAL_PORTS };

/* Program both ports (115200 8N1, FIFOs on) and find out which exist. */
void serial_init(void);
bool serial_present(enum serial_port port);
void serial_write(enum serial_port port, const char *bytes, size_t len_bytes);

/* One byte if there is one, else -1. */
int serial_read(enum serial_port port);

/* From now on arriving bytes raise INTERRUPT_CONSOLE. */
void serial_enable_interrupts(enum serial_port port);

/* VGA text if @fb has no base, else text drawn into the framebuffer. */
void screen_init(const struct boot_framebuffer *fb);

/* The kernel's page tables are loaded and device_map() works: what was written since is drawn. */
void screen_remap(void);
void screen_write(const char *bytes, size_t len_bytes);

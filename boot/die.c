/* SPDX-License-Identifier: MIT */
/*
 * boot/die.c - the last words of a door that cannot open
 *
 * Room:   boot. Needs nothing of the kernel: its log and panic are not up yet.
 * Owns:   COM1 and the text screen, for the one line before the machine stops.
 * Locks:  none.
 * Always: (1) waiting for the port is bounded, so that the screen gets the line in any case.
 * Source: National Semiconductor PC16550D, "Line Status Register"; IBM VGA text mode.
 * Tour:   with boot/die.h.
 */
#include <boot/die.h>
#include <stdint.h>

enum {
    COM1 = 0x3f8,
    COM1_LSR = COM1 + 5,
    LSR_THRE = 0x20,
    THRE_TRIES = 10000,
    VGA_RED = 0x4f00,
    DEBUG_EXIT_PORT = 0xf4,
    DEBUG_EXIT_FAIL = 17
};

static uint8_t port_read(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void port_write(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void put_char(char c, volatile uint16_t **screen)
{
    for (int i = 0; i < THRE_TRIES && !(port_read(COM1_LSR) & LSR_THRE); i++)
        __asm__ volatile("pause");
    port_write(COM1, (uint8_t)c);
    if (c >= ' ')
        *(*screen)++ = VGA_RED | (uint8_t)c;
}

static void put_string(const char *s, volatile uint16_t **screen)
{
    while (*s)
        put_char(*s++, screen);
}

void boot_die(const char *reason)
{
    volatile uint16_t *screen = (volatile uint16_t *)0xb8000;

    put_string("bulla: ", &screen);
    put_string(reason, &screen);
    put_string("\r\n", &screen);
    port_write(DEBUG_EXIT_PORT, DEBUG_EXIT_FAIL);
    for (;;)
        __asm__ volatile("cli; hlt");
}

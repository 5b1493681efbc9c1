/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/serial.c - the two serial lines: the kernel's log, the program's console
 *
 * Room:   arch.
 * Owns:   COM1 and COM2.
 * Locks:  none; see asm/console.h.
 * Always: (1) a byte is sent only when the holding register says it is empty (Bochs drops it
 *             otherwise), and waiting for that is bounded.
 * Source: National Semiconductor PC16550D, "Registers".
 * Tour:   with kernel/log.c.
 */
#include <asm/console.h>

#include "insn.h"
#include <asm/spinlock.h>

#define RBR_THR 0 /* data */
#define IER     1 /* interrupt enable */
#define FCR     2 /* FIFO control */
#define LCR     3 /* line control */
#define MCR     4 /* modem control */
#define LSR     5 /* line status */
#define SCR     7 /* scratch */

#define IER_RECEIVED  0x01
#define FCR_ENABLE    0xc7 /* FIFOs on and cleared, 14-byte trigger */
#define LCR_8N1       0x03
#define LCR_DIVISOR   0x80
#define MCR_READY     0x0b /* DTR, RTS, OUT2 (which lets interrupts through) */
#define LSR_DATA      0x01
#define LSR_THR_EMPTY 0x20

#define WAIT_MAX 200000

static const uint16_t bases[SERIAL_PORTS] = {[SERIAL_LOG] = 0x3f8, [SERIAL_JOB] = 0x2f8};
static bool present[SERIAL_PORTS];

static bool probe(uint16_t base)
{
    outb(base + SCR, 0x5a);
    return inb(base + SCR) == 0x5a;
}

void serial_init(void)
{
    for (unsigned i = 0; i < SERIAL_PORTS; i++) {
        uint16_t base = bases[i];
        present[i] = probe(base);
        if (!present[i])
            continue;
        outb(base + IER, 0);
        outb(base + LCR, LCR_DIVISOR);
        outb(base + RBR_THR, 1); /* divisor 1: 115200 */
        outb(base + IER, 0);
        outb(base + LCR, LCR_8N1);
        outb(base + FCR, FCR_ENABLE);
        outb(base + MCR, MCR_READY);
    }
}

bool serial_present(enum serial_port port)
{
    return present[port];
}

void serial_write(enum serial_port port, const char *bytes, size_t len_bytes)
{
    uint16_t base = bases[port];

    if (!present[port])
        return;
    for (size_t i = 0; i < len_bytes; i++) {
        for (unsigned n = 0; !(inb(base + LSR) & LSR_THR_EMPTY) && n < WAIT_MAX; n++)
            cpu_relax();
        outb(base + RBR_THR, bytes[i]);
    }
}

int serial_read(enum serial_port port)
{
    if (!present[port] || !(inb(bases[port] + LSR) & LSR_DATA))
        return -1;
    return inb(bases[port] + RBR_THR);
}

void serial_enable_interrupts(enum serial_port port)
{
    if (present[port])
        outb(bases[port] + IER, IER_RECEIVED);
}

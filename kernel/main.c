/* SPDX-License-Identifier: MIT */
/*
 * kernel/main.c - prints what the door handed over, and stops
 *
 * Room:   kernel. A placeholder until the kernel proper moves in.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) exits through isa-debug-exit with status 33.
 * Source: include/boot_info.h.
 * Tour:   after boot/doors.c.
 */
#include <boot_info.h>

static void put_char(char c)
{
    uint8_t status = 0;

    while (!(status & 0x20))
        __asm__ volatile("inb %w1, %0" : "=a"(status) : "d"(0x3fd));
    __asm__ volatile("outb %0, %w1" : : "a"(c), "d"(0x3f8));
}

static void put_string(const char *s)
{
    while (*s)
        put_char(*s++);
}

static void put_hex(const char *name, uint64_t value)
{
    put_string(name);
    for (int shift = 60; shift >= 0; shift -= 4)
        put_char("0123456789abcdef"[value >> shift & 15]);
    put_string(" ");
}

void kernel_main(struct boot_info *info)
{
    put_string("\r\ndoor ");
    put_string(info->door);
    put_string(" loader \"");
    put_string(info->loader);
    put_string("\" cmdline \"");
    put_string(info->cmdline);
    put_hex("\"\r\nkernel ", info->kernel_start.raw);
    put_hex("", info->kernel_end.raw);
    put_hex("initramfs ", info->initramfs_start.raw);
    put_hex("", info->initramfs_end.raw);
    put_hex("rsdp ", info->rsdp.raw);
    put_hex("tsc ", info->entry_tsc);
    put_hex("framebuffer ", info->framebuffer.base.raw);
    put_string("\r\n");
    for (unsigned i = 0; i < info->nr_regions; i++) {
        put_hex("region ", info->regions[i].start.raw);
        put_hex("", info->regions[i].end.raw);
        put_hex("kind ", info->regions[i].kind);
        put_string("\r\n");
    }
    __asm__ volatile("outb %b0, %w1" : : "a"(16), "d"(0xf4));
    for (;;)
        __asm__ volatile("cli; hlt");
}

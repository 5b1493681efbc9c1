/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/screen.c - the log on a screen: VGA text, or letters drawn into a framebuffer
 *
 * Room:   arch.
 * Owns:   the screen, and a copy of the text on it.
 * Locks:  none; see asm/console.h.
 * Always: (1) the screen is only written, never read: device memory answers slowly;
 *         (2) while no page table maps it, text is kept and drawn by screen_remap().
 * Source: IBM VGA, "Alphanumeric Modes"; UEFI, "Graphics Output Protocol", for the framebuffer.
 * Tour:   with arch/x86_64/serial.c; the font is made by tools/font.
 */
#include <asm/console.h>

#include "insn.h"
#include <asm/machine.h>
#include <base/log.h>
#include <lib/string.h>

#define VGA_TEXT       0xb8000
#define VGA_COLUMNS    80
#define VGA_ROWS       25
#define VGA_COLOUR     0x0700 /* light grey on black */
#define VGA_CRTC_INDEX 0x3d4
#define VGA_CRTC_DATA  0x3d5
#define VGA_CURSOR_LOW 0x0f

#define GLYPH_WIDTH  8
#define GLYPH_HEIGHT 16
#define FIRST_GLYPH  ' '
#define LAST_GLYPH   '~'
#define GREY         0xaa /* of each colour, so that their order does not matter */

#define COLUMNS_MAX 160U
#define ROWS_MAX    64U
#define TAB_COLUMNS 8
#define BOOT_END    (4 * GIB) /* the identity map every door sets up */

/* One byte a row, the leftmost pixel in the highest bit. */
extern const uint8_t screen_font[LAST_GLYPH - FIRST_GLYPH + 1][GLYPH_HEIGHT];

static enum { SCREEN_NONE, SCREEN_TEXT, SCREEN_PIXELS } kind;
static struct boot_framebuffer screen; /* SCREEN_TEXT: width and height in characters */
static volatile char *window;          /* NULL: not mapped */
static uint64_t boot_root;             /* the page tables under which the first window is valid */
static unsigned columns, rows, column, row;
static char text[ROWS_MAX * COLUMNS_MAX]; /* what is, or should be, on the screen */

static void draw_pixels(unsigned at, char c)
{
    const uint8_t *glyph = screen_font[c - FIRST_GLYPH];
    unsigned bytes = screen.bits_per_pixel / 8;
    volatile char *line = window + (uint64_t)(at / columns) * GLYPH_HEIGHT * screen.pitch_bytes +
                          at % columns * GLYPH_WIDTH * bytes;

    for (unsigned y = 0; y < GLYPH_HEIGHT; y++, line += screen.pitch_bytes)
        for (unsigned x = 0; x < GLYPH_WIDTH * bytes; x++)
            line[x] = glyph[y] & 0x80 >> x / bytes ? GREY : 0;
}

static void draw(unsigned at)
{
    if (!window)
        return;
    if (kind == SCREEN_TEXT)
        ((volatile uint16_t *)window)[at] = VGA_COLOUR | (uint8_t)text[at];
    else
        draw_pixels(at, text[at]);
}

static void put(unsigned at, char c)
{
    if (text[at] == c)
        return;
    text[at] = c;
    draw(at);
}

static void scroll(void)
{
    unsigned last = (rows - 1) * columns;

    for (unsigned at = 0; at < last; at++)
        put(at, text[at + columns]);
    for (unsigned at = last; at < last + columns; at++)
        put(at, ' ');
}

static void new_line(void)
{
    column = 0;
    if (row + 1 < rows)
        row++;
    else
        scroll();
}

static void put_next(char c)
{
    if (c == '\n') {
        new_line();
    } else if (c == '\r') {
        column = 0;
    } else if (c == '\t') {
        column = min((column / TAB_COLUMNS + 1) * TAB_COLUMNS, columns - 1);
    } else {
        if (column == columns)
            new_line();
        put(row * columns + column++, c >= FIRST_GLYPH && c <= LAST_GLYPH ? c : '?');
    }
}

void screen_write(const char *bytes, size_t len_bytes)
{
    if (kind == SCREEN_NONE)
        return;
    if (boot_root && read_cr3() != boot_root) {
        boot_root = 0;
        window = NULL; /* claim 2 */
    }
    while (len_bytes--)
        put_next(*bytes++);
}

/* A register of the display controller keeps what is written. (Its memory proves nothing: without a
 * display there may be RAM at that address.) */
static bool vga_present(void)
{
    outb(VGA_CRTC_INDEX, VGA_CURSOR_LOW);
    uint8_t before = inb(VGA_CRTC_DATA), probe = before ^ 0x55;

    outb(VGA_CRTC_DATA, probe);
    bool present = inb(VGA_CRTC_DATA) == probe;
    outb(VGA_CRTC_DATA, before);
    return present;
}

/* How large the screen's memory is. */
static uint64_t screen_bytes(void)
{
    return (uint64_t)screen.pitch_bytes * screen.height;
}

/* Firmware may have left a picture. */
static void wipe(void)
{
    memset(text, ' ', sizeof(text));
    for (uint64_t n = 0; kind == SCREEN_PIXELS && window && n < screen_bytes() / 8; n++)
        ((volatile uint64_t *)window)[n] = 0;
    for (unsigned at = 0; kind == SCREEN_TEXT && at < columns * rows; at++)
        draw(at);
}

void screen_init(const struct boot_framebuffer *fb)
{
    if (fb->base.raw) {
        kind = SCREEN_PIXELS;
        screen = *fb;
        columns = min(fb->width / GLYPH_WIDTH, COLUMNS_MAX);
        rows = min(fb->height / GLYPH_HEIGHT, ROWS_MAX);
    } else if (vga_present()) {
        kind = SCREEN_TEXT;
        screen = (struct boot_framebuffer){
            .base = phys(VGA_TEXT), .height = VGA_ROWS, .pitch_bytes = VGA_COLUMNS * 2};
        columns = VGA_COLUMNS;
        rows = VGA_ROWS;
    }
    if (columns == 0 || rows == 0) {
        kind = SCREEN_NONE;
        return;
    }
    boot_root = read_cr3();
    if (screen.base.raw + screen_bytes() <= BOOT_END)
        window = (volatile char *)screen.base.raw;
    wipe();
}

void screen_remap(void)
{
    if (kind == SCREEN_NONE)
        return;
    boot_root = 0;
    window = device_map(screen.base, screen_bytes());
    for (unsigned at = 0; at < columns * rows; at++)
        if (text[at] != ' ')
            draw(at);
}

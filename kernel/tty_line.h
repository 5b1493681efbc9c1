/* SPDX-License-Identifier: MIT */
/*
 * kernel/tty_line.h - what the two files of the terminal share
 *
 * Room:   kernel. For kernel/tty.c and kernel/tty_line.c only.
 * Owns:   struct tty.
 * Locks:  see kernel/tty.c.
 * Always: -
 * Source: termios(3).
 * Tour:   with kernel/tty.c.
 */
#pragma once

#include "sched.h"
#include <asm/console.h>
#include <base/mutex.h>
#include <lib/addr.h>
#include <lib/bitmap.h>
#include <mm/object.h>
#include <uapi/ioctl.h>

#define INPUT_BYTES (64 * KIB) /* powers of two */
#define RAW_BYTES   (4 * KIB)
#define OUT_BYTES   256
#define DELETE      0x7f /* as typed */

/* Bytes received: [tail, line) can be read as lines, [line, head) is still being edited. */
struct input {
    uint32_t head, line, tail;
    uint64_t ends[BITMAP_WORDS(INPUT_BYTES)]; /* this byte ends a line; if it is NUL: end of file */
    uint8_t bytes[INPUT_BYTES];
};

struct tty {
    enum serial_port port;
    struct mutex lock;
    struct mutex out_lock;
    struct uapi_termios termios;
    struct uapi_winsize size;
    int session, pgrp;         /* 0: nobody's controlling terminal */
    bool literal_next;         /* VLNEXT came */
    struct input *input;       /* NULL: nobody has asked for input yet */
    struct wait_queue readers; /* for input */
    struct wait_queue work;    /* the thread: for raw bytes, or room for them */
    spinlock_t raw_lock;
    uint32_t raw_head, raw_tail;
    uint8_t raw[RAW_BYTES];
};

static inline bool has(uint32_t flags, uint32_t flag)
{
    return flags & flag;
}

/* Output on its way to a terminal; flush it before it goes out of scope. */
struct out {
    struct tty *tty;
    size_t len;
    char bytes[OUT_BYTES];
};

void tty_out_raw(struct out *o, char c);
void tty_out_byte(struct out *o, char c); /* as oflag says */
void tty_out_flush(struct out *o);

/* tty_line.c: the line discipline. tty.lock is held, but for the two that only look. */

/* A byte came: edit, echo, send a signal, or keep it for readers. */
void tty_line_receive(struct out *o, uint8_t c);
bool tty_line_has_room(const struct tty *t);

/* Is there what a read of @len bytes waits for: a line, or VMIN bytes? */
bool tty_line_readable(const struct tty *t, size_t len);

/* Up to @len bytes, up to the end of a line: how many, 0 at an end of file, -EFAULT. */
int64_t tty_line_take(struct tty *t, struct object_copy *c, size_t len);
void tty_line_flush(struct tty *t);

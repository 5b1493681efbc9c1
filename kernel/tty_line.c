/* SPDX-License-Identifier: MIT */
/*
 * kernel/tty_line.c - the line discipline: editing, echoes, signals, and lines for readers
 *
 * Room:   kernel.
 * Owns:   struct input.
 * Locks:  tty.lock, held by the caller.
 * Always: (1) in a line being edited nothing can be read; (2) no byte is dropped: whoever calls
 *         tty_line_receive() has asked tty_line_has_room().
 * Source: termios(3), "Canonical and noncanonical mode".
 * Tour:   after kernel/tty.c.
 */
#include "tty_line.h"

#include "signal.h"
#include <uapi/errno.h>

/* Echoes */

static bool shown_as_two(const struct tty *t, uint8_t c)
{
    return has(t->termios.lflag, ECHOCTL) && (c < ' ' || c == DELETE) && c != '\t' && c != '\n';
}

static void echo(struct out *o, uint8_t c)
{
    struct tty *t = o->tty;

    if (!has(t->termios.lflag, ECHO) && !(c == '\n' && has(t->termios.lflag, ECHONL)))
        return;
    if (shown_as_two(t, c)) {
        tty_out_raw(o, '^');
        tty_out_raw(o, c ^ '@');
    } else {
        tty_out_byte(o, c);
    }
}

static void out_text(struct out *o, const char *text)
{
    while (*text)
        tty_out_raw(o, *text++);
}

static void echo_erased(struct out *o, uint8_t c)
{
    if (!has(o->tty->termios.lflag, ECHO) || !has(o->tty->termios.lflag, ECHOE))
        return;
    out_text(o, "\b \b");
    if (shown_as_two(o->tty, c))
        out_text(o, "\b \b");
}

/* The input that waits. lock held. */

static uint8_t *input_at(struct input *in, uint32_t at)
{
    return &in->bytes[at % INPUT_BYTES];
}

bool tty_line_has_room(const struct tty *t)
{
    return READ_ONCE(t->input->head) - READ_ONCE(t->input->tail) < INPUT_BYTES;
}

static void store(struct tty *t, uint8_t c, bool ends_line)
{
    struct input *in = t->input;

    *input_at(in, in->head) = c;
    bitmap_clear(in->ends, in->head % INPUT_BYTES);
    if (ends_line)
        bitmap_set(in->ends, in->head % INPUT_BYTES);
    in->head++;
    /* A line that fills everything is given away in pieces rather than lost. */
    if (ends_line || !has(t->termios.lflag, ICANON) || !tty_line_has_room(t))
        in->line = in->head;
}

void tty_line_flush(struct tty *t)
{
    if (t->input)
        t->input->tail = t->input->line = t->input->head;
}

static void erase_one(struct out *o)
{
    struct input *in = o->tty->input;
    if (in->head != in->line)
        echo_erased(o, *input_at(in, --in->head));
}

static void erase_word(struct out *o)
{
    struct input *in = o->tty->input;
    while (in->head != in->line && *input_at(in, in->head - 1) == ' ')
        erase_one(o);
    while (in->head != in->line && *input_at(in, in->head - 1) != ' ')
        erase_one(o);
}

static void erase_line(struct out *o)
{
    struct input *in = o->tty->input;
    while (in->head != in->line)
        erase_one(o);
}

/* Receiving. In the terminal's thread, lock held. */

static bool is_control(const struct tty *t, unsigned which, uint8_t c)
{
    return c && t->termios.cc[which] == c;
}

static int signal_for(const struct tty *t, uint8_t c)
{
    if (is_control(t, VINTR, c))
        return SIGINT;
    if (is_control(t, VQUIT, c))
        return SIGQUIT;
    return is_control(t, VSUSP, c) ? SIGTSTP : 0;
}

static void receive_signal(struct out *o, uint8_t c, int signo)
{
    struct tty *t = o->tty;

    if (!has(t->termios.lflag, NOFLSH))
        tty_line_flush(t);
    echo(o, c);
    if (t->pgrp)
        signal_send_group(t->pgrp, signo);
}

/* Editing, in ICANON. False: an ordinary byte. */
static bool receive_edit(struct out *o, uint8_t c)
{
    struct tty *t = o->tty;
    bool extended = has(t->termios.lflag, IEXTEN);

    if (is_control(t, VERASE, c))
        erase_one(o);
    else if (is_control(t, VKILL, c))
        erase_line(o);
    else if (extended && is_control(t, VWERASE, c))
        erase_word(o);
    else if (is_control(t, VEOF, c))
        store(t, '\0', true);
    else
        return false;
    return true;
}

void tty_line_receive(struct out *o, uint8_t c)
{
    struct tty *t = o->tty;
    uint32_t iflag = t->termios.iflag, lflag = t->termios.lflag;
    int signo;

    if (t->literal_next) {
        t->literal_next = false;
        store(t, c, false);
        echo(o, c);
        return;
    }
    if (has(iflag, ISTRIP))
        c &= 0x7f;
    if (c == '\r' && has(iflag, IGNCR))
        return;
    if (c == '\r' && has(iflag, ICRNL))
        c = '\n';
    else if (c == '\n' && has(iflag, INLCR))
        c = '\r';
    if (has(lflag, ISIG) && (signo = signal_for(t, c))) {
        receive_signal(o, c, signo);
        return;
    }
    if (has(lflag, ICANON) && has(lflag, IEXTEN) && is_control(t, VLNEXT, c)) {
        t->literal_next = true;
        return;
    }
    if (has(lflag, ICANON) && receive_edit(o, c))
        return;
    bool ends_line = c == '\n' || is_control(t, VEOL, c) || is_control(t, VEOL2, c);
    store(t, c, has(lflag, ICANON) && ends_line);
    echo(o, c);
}

/* Reading */

bool tty_line_readable(const struct tty *t, size_t len)
{
    const struct input *in = t->input;
    uint32_t there = READ_ONCE(in->line) - in->tail;
    size_t wanted = t->termios.cc[VTIME] ? 1 : min((size_t)max(t->termios.cc[VMIN], 1), len);

    return has(t->termios.lflag, ICANON) ? there > 0 : there >= wanted;
}

/* The next piece to copy: within the line, the ring, and @max. *@end: it ends the line. */
static uint32_t line_piece(const struct input *in, size_t max, bool *end)
{
    uint32_t limit = min((uint64_t)(in->line - in->tail), max), n = 0;
    limit = min(limit, (uint32_t)(INPUT_BYTES - in->tail % INPUT_BYTES));

    for (*end = false; n < limit && !*end; n++)
        *end = bitmap_test(in->ends, (in->tail + n) % INPUT_BYTES);
    return n;
}

static bool at_end_of_file(struct input *in)
{
    return in->tail != in->line && bitmap_test(in->ends, in->tail % INPUT_BYTES) &&
           !*input_at(in, in->tail);
}

/* Up to the end of the line, which may be an end of file: that is not copied. lock held. */
static int64_t take_line(struct input *in, struct object_copy *c, size_t len)
{
    size_t done = 0;
    bool end = false;

    while (!end && done < len && in->tail != in->line && !at_end_of_file(in)) {
        uint32_t n = line_piece(in, len - done, &end);
        if (end && n > 1 && !*input_at(in, in->tail + n - 1)) {
            n--;
            end = false;
        }
        size_t left = c->copy(c, input_at(in, in->tail), done, n);
        in->tail += n - left;
        done += n - left;
        if (left)
            return done ? (int64_t)done : -EFAULT;
    }
    if (!end && at_end_of_file(in))
        in->tail++;
    return done;
}

static int64_t take_bytes(struct input *in, struct object_copy *c, size_t len)
{
    size_t done = 0, left = 0;

    while (done < len && in->tail != in->head && !left) {
        uint32_t n = min((uint64_t)(in->head - in->tail), len - done);
        n = min(n, (uint32_t)(INPUT_BYTES - in->tail % INPUT_BYTES));
        left = c->copy(c, input_at(in, in->tail), done, n);
        in->tail += n - left;
        done += n - left;
    }
    return done || !left ? (int64_t)done : -EFAULT;
}

int64_t tty_line_take(struct tty *t, struct object_copy *c, size_t len)
{
    return has(t->termios.lflag, ICANON) ? take_line(t->input, c, len)
                                         : take_bytes(t->input, c, len);
}

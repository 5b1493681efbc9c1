/* SPDX-License-Identifier: MIT */
/*
 * kernel/tty.c - terminals: from bytes on a serial line to lines, signals and echoes
 *
 * Room:   kernel.
 * Owns:   struct tty, one per port: settings, session, input not yet read.
 * Locks:  tty.lock (mutex, rank INODE) for all but the raw ring; raw_lock (spin, IRQs off) for it;
 *         out_lock (mutex, rank OBJECT) round each piece of output.
 * Always: (1) an interrupt only moves bytes into the raw ring; a thread per terminal does the rest;
 *         (2) a byte leaves the port only when the ring has room, and the ring only when the input
 *             has: what is not read waits in the machine that sends it.
 * Source: termios(3), ioctl_tty(2), credentials(7) for sessions.
 * Tour:   after kernel/files.c and kernel/poll.h.
 */
#include "tty.h"

#include "files.h"
#include "fs.h"
#include "log.h"
#include "poll.h"
#include "task.h"
#include <asm/console.h>
#include <asm/time.h>
#include <asm/uaccess.h>
#include <lib/bitmap.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/ioctl.h>

#define INPUT_BYTES       (64 * KIB) /* powers of two */
#define RAW_BYTES         (4 * KIB)
#define OUT_BYTES         256
#define CTRL(c)           ((c) - '@')
#define DELETE            0x7f
#define NS_PER_DECISECOND 100000000UL

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
    struct input *input;       /* NULL: nobody has opened it for reading yet */
    struct wait_queue readers; /* for input */
    struct wait_queue work;    /* the thread: for raw bytes, or room for them */
    spinlock_t raw_lock;
    uint32_t raw_head, raw_tail;
    uint8_t raw[RAW_BYTES];
};

static struct tty ttys[SERIAL_PORTS];
static struct tty *console = &ttys[SERIAL_LOG];

/* Settings of a new terminal, as Linux has them; without flow control, which memory does not need.
 */
static const struct uapi_termios default_termios = {
    .iflag = ICRNL,
    .oflag = OPOST | ONLCR,
    .cflag = B115200 | CS8 | CREAD | HUPCL,
    .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .cc = {[VINTR] = CTRL('C'),
           [VQUIT] = CTRL('\\'),
           [VERASE] = DELETE,
           [VKILL] = CTRL('U'),
           [VEOF] = CTRL('D'),
           [VMIN] = 1,
           [VSTART] = CTRL('Q'),
           [VSTOP] = CTRL('S'),
           [VSUSP] = CTRL('Z'),
           [VREPRINT] = CTRL('R'),
           [VDISCARD] = CTRL('O'),
           [VWERASE] = CTRL('W'),
           [VLNEXT] = CTRL('V')},
};

static bool has(uint32_t flags, uint32_t flag)
{
    return flags & flag;
}

/* Output */

struct out {
    struct tty *tty;
    size_t len;
    char bytes[OUT_BYTES];
};

static void out_flush(struct out *o)
{
    if (!o->len)
        return;
    mutex_lock(&o->tty->out_lock);
    if (o->tty->port == SERIAL_LOG)
        log_bytes(o->bytes, o->len);
    else
        serial_write(o->tty->port, o->bytes, o->len);
    mutex_unlock(&o->tty->out_lock);
    o->len = 0;
}

static void out_raw(struct out *o, char c)
{
    if (o->len == OUT_BYTES)
        out_flush(o);
    o->bytes[o->len++] = c;
}

/* As the program wrote it: oflag says how it reaches the line. */
static void out_byte(struct out *o, char c)
{
    uint32_t flags = o->tty->termios.oflag;

    if (has(flags, OPOST) && c == '\n' && has(flags, ONLCR))
        out_raw(o, '\r');
    if (has(flags, OPOST) && c == '\r' && has(flags, OCRNL))
        c = '\n';
    out_raw(o, c);
}

static void out_text(struct out *o, const char *text)
{
    while (*text)
        out_raw(o, *text++);
}

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
        out_raw(o, '^');
        out_raw(o, c ^ '@');
    } else {
        out_byte(o, c);
    }
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

static bool has_room(const struct tty *t)
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
    if (ends_line || !has(t->termios.lflag, ICANON) || !has_room(t))
        in->line = in->head;
}

static void flush_input(struct tty *t)
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
        flush_input(t);
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

static void receive(struct out *o, uint8_t c)
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

/* The raw ring */

static void raw_fill(struct tty *t)
{
    irq_flags_t flags = spin_lock_irqsave(&t->raw_lock);
    while (t->raw_head - t->raw_tail < RAW_BYTES) { /* claim 2 */
        int c = serial_read(t->port);
        if (c < 0)
            break;
        t->raw[t->raw_head++ % RAW_BYTES] = c;
    }
    spin_unlock_irqrestore(&t->raw_lock, flags);
}

static int raw_take(struct tty *t)
{
    irq_flags_t flags = spin_lock_irqsave(&t->raw_lock);
    int c = t->raw_head == t->raw_tail ? -1 : t->raw[t->raw_tail++ % RAW_BYTES];
    spin_unlock_irqrestore(&t->raw_lock, flags);
    return c;
}

static bool raw_empty(const struct tty *t)
{
    return READ_ONCE(t->raw_head) == READ_ONCE(t->raw_tail);
}

void tty_interrupt(void)
{
    for (unsigned i = 0; i < SERIAL_PORTS; i++) {
        if (!READ_ONCE(ttys[i].input))
            continue;
        raw_fill(&ttys[i]);
        wake_all(&ttys[i].work);
    }
}

static void receive_all(struct tty *t)
{
    struct out o = {.tty = t};
    int c;

    mutex_lock(&t->lock);
    while (has_room(t) && (c = raw_take(t)) >= 0)
        receive(&o, c);
    out_flush(&o);
    mutex_unlock(&t->lock);
    wake_all(&t->readers);
    poll_wake();
}

/* Claim 1. */
static void tty_thread(void *arg)
{
    struct tty *t = arg;

    sched_finish_switch();
    irq_enable();
    for (;;) {
        raw_fill(t); /* what came while the ring was full raises no interrupt any more */
        if (wait_event_interruptible(&t->work, !raw_empty(t) && has_room(t)))
            continue;
        receive_all(t);
    }
}

/* Somebody wants input: make room for it, and let it come. lock held. */
static int start_input_locked(struct tty *t)
{
    struct input *in = kmem_alloc(sizeof(*in), SLAB_ALLOC_PLAIN);
    if (!in)
        return -ENOMEM;
    in->head = in->line = in->tail = 0;
    int err = kernel_thread("tty", tty_thread, t, NULL);
    if (err) {
        kmem_free(in);
        return err;
    }
    WRITE_ONCE(t->input, in);
    serial_enable_interrupts(t->port);
    return 0;
}

static int start_input(struct tty *t)
{
    if (t->input)
        return 0;
    mutex_lock(&t->lock);
    int err = t->input ? 0 : start_input_locked(t);
    mutex_unlock(&t->lock);
    return err;
}

/* Reading */

/* Is there what a read of @len bytes waits for: a line, or VMIN bytes? */
static bool readable(const struct tty *t, size_t len)
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

/* A background process must not read what is typed for another. */
static int check_foreground(const struct tty *t)
{
    struct process *me = process_current();

    if (t->session != me->sid || !t->pgrp || t->pgrp == me->pgid)
        return 0;
    if (me->signals.action[SIGTTIN - 1].handler == SIG_IGN ||
        (task_current()->signals.blocked & sigmask(SIGTTIN)))
        return -EIO;
    signal_send_group(me->pgid, SIGTTIN);
    return -ERESTARTSYS;
}

/* How long a read waits: VMIN and VTIME of termios(3), where VTIME limits the whole read. */
static uint64_t read_end(const struct tty *t)
{
    unsigned time = t->termios.cc[VTIME];

    if (has(t->termios.lflag, ICANON))
        return UINT64_MAX;
    if (!t->termios.cc[VMIN])
        return clock_ns() + time * NS_PER_DECISECOND;
    return UINT64_MAX;
}

static int64_t take(struct tty *t, struct object_copy *c, size_t len)
{
    mutex_lock(&t->lock);
    int64_t n =
        has(t->termios.lflag, ICANON) ? take_line(t->input, c, len) : take_bytes(t->input, c, len);
    mutex_unlock(&t->lock);
    wake_all(&t->work); /* there is room again */
    return n;
}

static int64_t tty_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    struct tty *t = f->private;
    (void)pos;

    int64_t err = check_foreground(t);
    if (err || !len)
        return err;
    err = start_input(t);
    if (err)
        return err;
    if (!readable(t, len) && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    err = wait_event_until(&t->readers, readable(t, len), read_end(t));
    if (err == -EINTR)
        return -ERESTARTSYS;
    return take(t, c, len);
}

/* Writing */

static int64_t tty_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    struct out o = {.tty = f->private};
    char bytes[OUT_BYTES];
    size_t done = 0, left = 0;
    (void)pos;

    while (done < len && !left) {
        size_t n = min(len - done, sizeof(bytes));
        left = c->copy(c, bytes, done, n);
        n -= left;
        for (size_t i = 0; i < n; i++)
            out_byte(&o, bytes[i]);
        out_flush(&o);
        done += n;
        if (sched_wanted())
            schedule();
        if (signal_pending_current())
            break;
    }
    return done || !left ? (int64_t)done : -EFAULT;
}

static unsigned tty_poll(struct file *f)
{
    struct tty *t = f->private;
    bool in = file_readable(f) && !start_input(t) && readable(t, SIZE_MAX);
    return POLLOUT | POLLWRNORM | (in ? POLLIN | POLLRDNORM : 0);
}

/* Sessions */

/* Is the terminal taken by a session whose leader still lives? */
static bool is_taken(const struct tty *t)
{
    tasks_lock();
    struct process *leader = t->session ? process_find(t->session) : NULL;
    bool taken = leader && !leader->zombie;
    tasks_unlock();
    return taken;
}

static struct tty *controlling_tty(const struct process *process)
{
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        if (ttys[i].session == process->sid)
            return &ttys[i];
    return NULL;
}

/* From now on ^C means something, so input is wanted even if nobody reads. lock held. */
static int take_control(struct tty *t, const struct process *leader)
{
    int err = t->input ? 0 : start_input_locked(t);
    if (err)
        return err;
    t->session = leader->sid;
    t->pgrp = leader->pgid;
    return 0;
}

static int64_t set_controlling(struct tty *t)
{
    struct process *me = process_current();

    if (t->session == me->sid)
        return 0;
    if (me->sid != me->pid || controlling_tty(me) || is_taken(t))
        return -EPERM;
    return take_control(t, me);
}

static int64_t set_foreground(struct tty *t, uint64_t arg)
{
    int pgid;

    if (t->session != process_current()->sid)
        return -ENOTTY;
    if (copy_from_user(&pgid, user(arg), sizeof(pgid)))
        return -EFAULT;
    if (pgid <= 0)
        return -EINVAL;
    t->pgrp = pgid;
    return 0;
}

static int64_t put_id(const struct tty *t, int id, uint64_t arg)
{
    if (t->session != process_current()->sid)
        return -ENOTTY;
    return copy_to_user(user(arg), &id, sizeof(id));
}

/* Settings */

static int64_t set_termios(struct tty *t, uint64_t arg, bool flush)
{
    struct uapi_termios new;

    if (copy_from_user(&new, user(arg), sizeof(new)))
        return -EFAULT;
    if (flush)
        flush_input(t);
    if (t->input && has(t->termios.lflag ^ new.lflag, ICANON))
        t->input->line = t->input->head; /* what was typed can be read in either mode */
    t->termios = new;
    wake_all(&t->readers);
    poll_wake();
    return 0;
}

static int64_t set_size(struct tty *t, uint64_t arg)
{
    struct uapi_winsize new;

    if (copy_from_user(&new, user(arg), sizeof(new)))
        return -EFAULT;
    if (t->pgrp && memcmp(&new, &t->size, sizeof(new)) != 0)
        signal_send_group(t->pgrp, SIGWINCH);
    t->size = new;
    return 0;
}

static int64_t flush(struct tty *t, uint64_t which)
{
    if (which > TCIOFLUSH)
        return -EINVAL;
    if (which != TCOFLUSH)
        flush_input(t);
    return 0;
}

static int64_t bytes_waiting(struct tty *t, uint64_t arg)
{
    int n = t->input ? t->input->line - t->input->tail : 0;
    return copy_to_user(user(arg), &n, sizeof(n));
}

static int64_t ioctl_locked(struct tty *t, unsigned cmd, uint64_t arg)
{
    switch (cmd) {
    case TCGETS:
        return copy_to_user(user(arg), &t->termios, sizeof(t->termios));
    case TCSETS:
    case TCSETSW: /* output never waits: it has left before the write returns */
    case TCSETSF:
        return set_termios(t, arg, cmd == TCSETSF);
    case TCSBRK:
    case TCSBRKP:
    case TCXONC:
        return 0;
    case TCFLSH:
        return flush(t, arg);
    case TIOCGWINSZ:
        return copy_to_user(user(arg), &t->size, sizeof(t->size));
    case TIOCSWINSZ:
        return set_size(t, arg);
    case TIOCSCTTY:
        return set_controlling(t);
    case TIOCNOTTY:
        if (t->session != process_current()->sid)
            return -ENOTTY;
        t->session = t->pgrp = 0;
        return 0;
    case TIOCGPGRP:
        return put_id(t, t->pgrp, arg);
    case TIOCSPGRP:
        return set_foreground(t, arg);
    case TIOCGSID:
        return put_id(t, t->session, arg);
    case FIONREAD:
        return bytes_waiting(t, arg);
    case TIOCOUTQ: {
        int none = 0;
        return copy_to_user(user(arg), &none, sizeof(none));
    }
    default:
        return -ENOTTY;
    }
}

static int64_t tty_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct tty *t = f->private;

    mutex_lock(&t->lock);
    int64_t result = ioctl_locked(t, cmd, arg);
    mutex_unlock(&t->lock);
    wake_all(&t->work);
    return result;
}

/* Opening */

static struct tty *tty_of_number(uint64_t rdev)
{
    if (rdev == device_number(5, 0))
        return controlling_tty(process_current());
    if (rdev == device_number(4, 64))
        return &ttys[SERIAL_LOG];
    return rdev == device_number(4, 65) ? &ttys[SERIAL_JOB] : console;
}

static int tty_open(struct file *f)
{
    struct process *me = process_current();
    struct tty *t = tty_of_number(f->inode->rdev);
    int err = 0;

    if (!t || (t != console && !serial_present(t->port)))
        return -ENXIO;
    f->private = t;
    mutex_lock(&t->lock);
    bool wants = !(f->flags & O_NOCTTY) && f->inode->rdev != device_number(5, 1);
    if (wants && me->sid == me->pid && !controlling_tty(me) && !is_taken(t))
        err = take_control(t, me);
    mutex_unlock(&t->lock);
    return err;
}

const struct file_ops tty_ops = {
    .open = tty_open,
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .no_seek = true,
};

void tty_boot_init(const char *cmdline)
{
    char name[16] = "";

    for (unsigned i = 0; i < SERIAL_PORTS; i++) {
        struct tty *t = &ttys[i];
        t->port = i;
        t->termios = default_termios;
        mutex_init(&t->lock);
        mutex_init(&t->out_lock);
        wait_queue_init(&t->readers);
        wait_queue_init(&t->work);
        spin_lock_init(&t->raw_lock, LOCK_RANK_CONSOLE);
    }
    if (!parse_option(cmdline, "console", name, sizeof(name)) && !strcmp(name, "ttyS1"))
        console = &ttys[SERIAL_JOB];
}

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
#include "tty_line.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

#define CTRL(c)           ((c) - '@')
#define NS_PER_DECISECOND 100000000UL

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

/* Output */

void tty_out_flush(struct out *o)
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

void tty_out_raw(struct out *o, char c)
{
    if (o->len == OUT_BYTES)
        tty_out_flush(o);
    o->bytes[o->len++] = c;
}

/* As the program wrote it: oflag says how it reaches the line. */
void tty_out_byte(struct out *o, char c)
{
    uint32_t flags = o->tty->termios.oflag;

    if (has(flags, OPOST) && c == '\n' && has(flags, ONLCR))
        tty_out_raw(o, '\r');
    if (has(flags, OPOST) && c == '\r' && has(flags, OCRNL))
        c = '\n';
    tty_out_raw(o, c);
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
    while (tty_line_has_room(t) && (c = raw_take(t)) >= 0)
        tty_line_receive(&o, c);
    tty_out_flush(&o);
    mutex_unlock(&t->lock);
    wake_all(&t->readers);
    poll_wake();
}

/* Claim 1. */
static void tty_thread(void *arg)
{
    struct tty *t = arg;

    mutex_lock(&t->lock); /* until who started it is done */
    mutex_unlock(&t->lock);
    for (;;) {
        raw_fill(t); /* what came while the ring was full raises no interrupt any more */
        if (wait_event_interruptible(&t->work, !raw_empty(t) && tty_line_has_room(t)))
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
    int64_t n = tty_line_take(t, c, len);
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
    if (!tty_line_readable(t, len) && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    err = wait_event_until(&t->readers, tty_line_readable(t, len), read_end(t));
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
            tty_out_byte(&o, bytes[i]);
        tty_out_flush(&o);
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
    bool in = file_readable(f) && !start_input(t) && tty_line_readable(t, SIZE_MAX);
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
    tasks_lock();
    t->pgrp = pid_meant(pgid);
    tasks_unlock();
    return 0;
}

static int64_t put_id(const struct tty *t, int id, uint64_t arg)
{
    if (t->session != process_current()->sid)
        return -ENOTTY;
    id = pid_here(id);
    return copy_to_user(user(arg), &id, sizeof(id));
}

/* Settings */

static int64_t set_termios(struct tty *t, uint64_t arg, bool flush)
{
    struct uapi_termios new;

    if (copy_from_user(&new, user(arg), sizeof(new)))
        return -EFAULT;
    if (flush)
        tty_line_flush(t);
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
        tty_line_flush(t);
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

int tty_of_session(int sid, int *pgrp)
{
    *pgrp = -1;
    for (unsigned i = 0; i < SERIAL_PORTS; i++) {
        if (READ_ONCE(ttys[i].session) != sid)
            continue;
        *pgrp = READ_ONCE(ttys[i].pgrp);
        return (int)device_number(4, &ttys[i] == &ttys[SERIAL_LOG] ? 64 : 65);
    }
    return 0;
}

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
    .splices = true,
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

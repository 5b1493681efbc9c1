/* SPDX-License-Identifier: MIT */
/*
 * kernel/scm.h - what goes with a message beside its bytes: descriptors and credentials
 *
 * Room:   kernel.
 * Owns:   struct passed; struct in_flight, a socket's part in finding cycles.
 * Locks:  sockets_lock [s].
 * Always: (1) a file that is passed holds a reference, from the sending call to the receiving one;
 *         (2) it is in flight as long as its message is in a queue.
 * Source: unix(7), "Ancillary messages"; cmsg(3).
 * Tour:   before kernel/socket.h; then kernel/scm.c.
 */
#pragma once

#include <lib/compiler.h>
#include <lib/list.h>
#include <stdbool.h>
#include <uapi/socket.h>

struct file;
struct message;
struct sender;

/* Files of one message. */
struct passed_files {
    struct sender *sender; /* whose count they are in; NULL: not counted */
    unsigned nr, room;
    struct file *file[];
};

struct passed {
    bool has_cred;
    struct uapi_ucred cred;     /* pid as the first namespace counts */
    struct passed_files *files; /* NULL: none */
};

/* Of a socket that is a passed file itself. */
struct in_flight {
    struct list_node node; /* on the list of all, while nr > 0 [s] */
    unsigned nr;           /* references on its file that queued messages hold [s] */
    unsigned inside;       /* of these, held by sockets in flight: while cycles are searched [s] */
    bool reached;          /* the same [s] */
};

/* What goes with a message that says nothing else: who the running task really is. */
struct uapi_ucred passed_cred(void);

/* Room for @room more files. 0 or -ENOMEM. */
int __must_check passed_files_create(unsigned room, struct passed_files **out);

/* They are counted as on their way from the running task's user. 0, -ETOOMANYREFS, -ENOMEM. */
int __must_check passed_files_count(struct passed_files *files);

/* The same files once more, for somebody who only looks. 0 or -ENOMEM. */
int __must_check passed_copy_files(const struct passed *from, struct passed *to);

/* Give back all of it. No lock held. */
void passed_drop(struct passed *passed);

/* Its message is put into a queue, or taken out. sockets_lock held. */
void scm_fly(const struct passed *passed);
void scm_land(const struct passed *passed);

/* Close the sockets that only messages hold which nobody can receive any more. No lock held. */
void scm_collect(void);

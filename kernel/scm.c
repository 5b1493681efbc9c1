/* SPDX-License-Identifier: MIT */
/*
 * kernel/scm.c - files that travel in messages, and cycles of sockets that nobody can reach
 *
 * Room:   kernel.
 * Owns:   the list of sockets in flight; how many files each user has on their way.
 * Locks:  sockets_lock (spin, rank SOCKETS).
 * Always: (1) a socket is alive if its file has more references than messages in flight hold, or
 *             if a live socket's queue holds it; the others are found whenever a socket is closed,
 *             and end by having their queues emptied;
 *         (2) sending and receiving change queues under the lock under which that is found out.
 * Source: unix(7), "SCM_RIGHTS"; mark and sweep.
 * Tour:   after kernel/socket_receive.c; then kernel/cmsg.c.
 */
#include "scm.h"

#include "socket.h"
#include "task.h"
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

/* A user with files on their way. */
struct sender {
    struct list_node node;
    uint32_t uid;
    unsigned nr;
};

static struct list_node senders = LIST_INIT(senders);     /* [s] */
static struct list_node in_flight = LIST_INIT(in_flight); /* [s] */

struct uapi_ucred passed_cred(void)
{
    const struct cred *cred = cred_current();
    return (struct uapi_ucred){
        .pid = process_current()->pid, .uid = cred->user.real, .gid = cred->group.real};
}

/* Files */

int passed_files_create(unsigned room, struct passed_files **out)
{
    struct passed_files *files =
        kmem_alloc(sizeof(*files) + room * sizeof(files->file[0]), SLAB_ALLOC_PLAIN);
    if (!files)
        return -ENOMEM;
    *files = (struct passed_files){.room = room};
    *out = files;
    return 0;
}

int passed_copy_files(const struct passed *from, struct passed *to)
{
    if (!from->files)
        return 0;
    int err = passed_files_create(from->files->nr, &to->files);
    if (err)
        return err;
    for (unsigned i = 0; i < from->files->nr; i++) {
        to->files->file[i] = from->files->file[i];
        file_get(to->files->file[i]);
    }
    to->files->nr = from->files->nr;
    return 0;
}

static void uncount(struct passed_files *files)
{
    struct sender *idle = NULL;

    if (!files->sender)
        return;
    spin_lock(&sockets_lock);
    files->sender->nr -= files->nr;
    if (!files->sender->nr) {
        idle = files->sender;
        list_del(&idle->node);
    }
    spin_unlock(&sockets_lock);
    kmem_free(idle);
}

void passed_drop(struct passed *passed)
{
    struct passed_files *files = passed->files;

    if (!files)
        return;
    passed->files = NULL;
    uncount(files);
    for (unsigned i = 0; i < files->nr; i++)
        file_put(files->file[i]);
    kmem_free(files);
}

/* Counting */

static struct sender *find_sender(uint32_t uid)
{
    struct sender *sender;

    list_for_each_entry (sender, &senders, node) {
        if (sender->uid == uid)
            return sender;
    }
    return NULL;
}

static bool too_many(const struct sender *sender)
{
    return sender && sender->nr > process_current()->limits[RLIMIT_NOFILE].soft &&
           !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

/* @fresh is used up, and NULL, if this is the user's only message. sockets_lock held. */
static int count(struct passed_files *files, struct sender **fresh)
{
    struct sender *sender = find_sender(cred_current()->user.real);

    if (too_many(sender))
        return -ETOOMANYREFS;
    if (!sender) {
        sender = *fresh;
        *fresh = NULL;
        *sender = (struct sender){.uid = cred_current()->user.real};
        list_add(&sender->node, &senders);
    }
    sender->nr += files->nr;
    files->sender = sender;
    return 0;
}

int passed_files_count(struct passed_files *files)
{
    struct sender *fresh = kmem_alloc(sizeof(*fresh), SLAB_ALLOC_PLAIN);
    if (!fresh)
        return -ENOMEM;
    spin_lock(&sockets_lock);
    int err = count(files, &fresh);
    spin_unlock(&sockets_lock);
    kmem_free(fresh);
    return err;
}

/* In flight */

void scm_fly(const struct passed *passed)
{
    for (unsigned i = 0; passed->files && i < passed->files->nr; i++) {
        struct socket *s = socket_of(passed->files->file[i]);
        if (s && !s->in_flight.nr++)
            list_add_tail(&s->in_flight.node, &in_flight);
    }
}

void scm_land(const struct passed *passed)
{
    for (unsigned i = 0; passed->files && i < passed->files->nr; i++) {
        struct socket *s = socket_of(passed->files->file[i]);
        if (s && !--s->in_flight.nr)
            list_del(&s->in_flight.node);
    }
}

/* Cycles. All below: sockets_lock held. */

typedef void (*visit_fn)(struct socket *held, struct list_node *list);

static void visit_queue(struct socket *s, visit_fn visit, struct list_node *list)
{
    struct message *m;

    list_for_each_entry (m, &s->messages, node) {
        const struct passed_files *files = m->passed.files;
        for (unsigned i = 0; files && i < files->nr; i++) {
            struct socket *held = socket_of(files->file[i]);
            if (held)
                visit(held, list);
        }
    }
}

/* Every socket that messages to @s hold, or to those that wait to be accepted there. */
static void visit_held(struct socket *s, visit_fn visit, struct list_node *list)
{
    struct socket *half;

    visit_queue(s, visit, list);
    list_for_each_entry (half, &s->pending, pending_node)
        visit_queue(half, visit, list);
}

static void count_inside(struct socket *held, struct list_node *list)
{
    (void)list;
    held->in_flight.inside++;
}

static void reach(struct socket *s, struct list_node *reached)
{
    if (s->in_flight.reached)
        return;
    s->in_flight.reached = true;
    list_del(&s->in_flight.node);
    list_add_tail(&s->in_flight.node, reached);
}

#define for_each_in(list, s) list_for_each_entry (s, list, in_flight.node)

/* Claim 1: those of @in_flight that live go to @reached. */
static void find_reached(struct list_node *reached)
{
    struct socket *s, *after;

    for_each_in(&in_flight, s)
    {
        s->in_flight.inside = 0;
        s->in_flight.reached = false;
    }
    for_each_in(&in_flight, s) visit_held(s, count_inside, NULL);
    list_for_each_safe (s, after, &in_flight, in_flight.node) {
        if (!s->file || atomic_load(&s->file->refcount) > s->in_flight.inside)
            reach(s, reached);
    }
    for_each_in(reached, s) /* which grows at its end */
        visit_held(s, reach, reached);
}

static void empty_queues(struct socket *s, struct list_node *messages)
{
    struct socket *half;

    messages_take(s, messages);
    list_for_each_entry (half, &s->pending, pending_node)
        messages_take(half, messages);
}

static void collect(struct list_node *messages)
{
    struct list_node reached = LIST_INIT(reached), garbage = LIST_INIT(garbage);

    find_reached(&reached);
    list_splice(&in_flight, &garbage);
    list_splice(&reached, &in_flight);
    while (!list_empty(&garbage)) {
        struct socket *s = list_first_entry(&garbage, struct socket, in_flight.node);
        list_del(&s->in_flight.node);
        list_add(&s->in_flight.node, &in_flight); /* until its message is taken */
        empty_queues(s, messages);
    }
}

void scm_collect(void)
{
    struct list_node messages = LIST_INIT(messages);

    if (list_empty(&in_flight))
        return;
    spin_lock(&sockets_lock);
    collect(&messages);
    spin_unlock(&sockets_lock);
    messages_drop(&messages);
}

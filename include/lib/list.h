/* SPDX-License-Identifier: MIT */
/*
 * include/lib/list.h - doubly linked lists through a member of the element
 *
 * Room:   lib.
 * Owns:   struct list_node, used both as the head of a list and as a link of it.
 * Locks:  none; the owner of the list has one.
 * Always: (1) a list is a ring through its head; an empty list points to itself;
 *         (2) a node that list_del() took out points to itself: list_empty() says "on no list".
 * Source: Knuth, The Art of Computer Programming 1, 2.2.5 "Doubly Linked Lists".
 * Tour:   after include/lib/compiler.h, before include/mm/page.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next, *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }

static inline void list_init(struct list_node *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_empty(const struct list_node *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list_node *node, struct list_node *prev,
                                       struct list_node *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

/* To the front: right after @head. */
static inline void list_add(struct list_node *node, struct list_node *head)
{
    list_insert_between(node, head, head->next);
}

/* To the back: right before @head. */
static inline void list_add_tail(struct list_node *node, struct list_node *head)
{
    list_insert_between(node, head->prev, head);
}

/* Takes @node off its list; harmless when it is on none. */
static inline void list_del(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves all of @from to the front of @to; @from is empty afterwards. */
static inline void list_splice(struct list_node *from, struct list_node *to)
{
    if (list_empty(from))
        return;
    from->prev->next = to->next;
    to->next->prev = from->prev;
    from->next->prev = to;
    to->next = from->next;
    list_init(from);
}

/* Moves all of @from to the back of @to; @from is empty afterwards. */
static inline void list_splice_tail(struct list_node *from, struct list_node *to)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_entry(node, type, member)       container_of(node, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)

/* The way back, for loops: past the last element @pos is none, so nothing is accessed. */
#define list_node_of(pos, member) \
    ((struct list_node *)((char *)(pos) + offsetof(__typeof__(*(pos)), member)))

/* @pos: pointer to struct list_node. The body must not take @pos off the list. */
#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* @pos: pointer to the element. The body must not take @pos off the list. */
#define list_for_each_entry(pos, head, member)                       \
    for ((pos) = list_first_entry(head, __typeof__(*(pos)), member); \
         list_node_of(pos, member) != (head);                        \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

/* As list_for_each_entry(); the body may free @pos. @after: a second pointer to an element. */
#define list_for_each_safe(pos, after, head, member)                                \
    for ((pos) = list_first_entry(head, __typeof__(*(pos)), member);                \
         list_node_of(pos, member) != (head) &&                                     \
         ((after) = list_entry((pos)->member.next, __typeof__(*(pos)), member), 1); \
         (pos) = (after))

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/reference.c - what must become of each cell of the table
 *
 * Room:   tests/host.
 * Owns:   the rules of Linux for one page, without tables, areas, locks or references.
 * Locks:  none.
 * Always: (1) at most 150 lines of code (braces not counted), so that it can be checked by reading;
 *         (2) it includes nothing of the kernel's.
 * Source: mmap(2), mprotect(2), madvise(2), fork(2), ptrace(2); Linux mm/mprotect.c (behaviour).
 * Tour:   after tests/host/cell.h.
 */
#include "cell.h"
#include <errno.h>

enum { R = 1, W = 2, X = 4 };
enum leaf { NONE, GUARD, POISON, ZEROS, OBJECTS, OWN };

struct model {
    const struct cell *c;
    bool has_object, tracked;
    unsigned rights, may;
    enum key key;
    enum leaf leaf;
    bool told, soft;          /* of the next write; written since writes are tracked */
    bool exclusive, writable; /* OWN, and nobody else's; the leaf, while the rights last */
    uint64_t own, object;     /* words */
};

static bool is_there(const struct model *m)
{
    return m->leaf >= ZEROS;
}

static uint64_t word_of(const struct model *m)
{
    const uint64_t words[] = {NOTHING, NOTHING, NOTHING, 0, m->object, m->own};
    return words[m->leaf];
}

/* No leaf may be writable that a write has to fault on, so that it is copied, or seen. */
static void set_writable(struct model *m)
{
    bool ours = m->leaf == OBJECTS ? m->c->shared : m->leaf == OWN && m->exclusive;
    m->writable = ours && (m->rights & W) && (!m->tracked || m->soft) && !m->told;
}

static void become_own(struct model *m, uint64_t word)
{
    m->leaf = OWN;
    m->own = word;
    m->exclusive = true;
}

/* A page where there is none. A pool keeps its promise to a private area without the object. */
static void map_it(struct model *m, bool as_own)
{
    if (m->has_object && m->object == NOTHING && (m->c->kind != POOL_PAGES || m->c->shared))
        m->object = 0;
    if (m->object != NOTHING && !as_own)
        m->leaf = OBJECTS;
    else if (m->has_object || as_own)
        become_own(m, m->object == NOTHING ? 0 : m->object);
    else
        m->leaf = ZEROS;
    set_writable(m);
}

/* From now on what is private is a page of its own, that nobody else has. */
static void unshare(struct model *m)
{
    if (!is_there(m))
        map_it(m, !m->c->shared);
    else if (!m->c->shared && !(m->leaf == OWN && m->exclusive))
        become_own(m, word_of(m));
}

static void write_it(struct model *m, uint64_t word)
{
    unshare(m);
    *(m->c->shared ? &m->object : &m->own) = word;
    m->soft = m->writable = true;
}

/* Can the past and the company be? Then they were. */
static bool begin(struct model *m, struct model *child)
{
    const struct cell *c = m->c;
    bool kept = c->company == KEPT, listens = c->told || c->past == LOST;

    if ((c->kind == SECRETS && (!c->shared || c->past == DISCARDED || kept || listens)) ||
        (c->kind >= POOL_PAGES && c->past == GUARDED) || (listens && !(m->may & W)) ||
        (c->told && c->past == GONE && !m->has_object) || (kept && c->past >= CLOSED))
        return false;
    if (c->past >= WRITTEN && (m->rights & W))
        write_it(m, WORD_WRITTEN);
    else if (c->past != UNTOUCHED)
        map_it(m, false);
    if (c->past == DISCARDED || c->past >= GUARDED)
        m->leaf = c->past == GUARDED ? GUARD : c->past == LOST ? POISON : NONE;
    if (c->past == GONE)
        m->object = NOTHING;
    if (c->past == CLOSED || c->past == READ_ONLY)
        m->rights &= c->past == CLOSED ? 0 : R;
    if (c->told && c->kind == HUGE && m->leaf == OBJECTS)
        m->leaf = NONE; /* what is told of is small */
    m->told = c->told && (is_there(m) || (m->leaf == NONE && m->has_object));
    m->writable &= (m->rights & W) && !m->told;
    if (kept)
        unshare(m);
    if (c->company == FORKED && m->leaf == OWN)
        m->exclusive = m->writable = false;
    *child = *m;
    return true;
}

/* mprotect(): what it says, and whether a CPU has to forget something. */
static int protect(struct model *m, bool *flushed)
{
    bool was_there = is_there(m) && m->rights, was_writable = m->writable;

    if (!m->has_object && m->c->past == GONE)
        return -ENOMEM;
    if (m->c->rights & ~m->may)
        return -EACCES;
    if (m->c->rights == m->rights && !m->c->key)
        return 0;
    m->rights = m->c->rights;
    m->key = m->c->key;
    set_writable(m);
    *flushed = was_there && (!m->rights || (was_writable && !m->writable) || m->c->key);
    return 0;
}

/* May it be? What is done for a debugger may be forced, and asks no key. */
static enum verdict allowed(const struct model *m, bool force, bool write)
{
    enum way way = m->c->way;
    bool gone = m->c->past == GONE, told = write && m->told;
    bool by_key = m->key && (write || m->key == KEY_SHUT);
    bool may_force = way == FORCES_READ || (way == FORCES_WRITE && !m->c->shared);
    bool stopped = gone || m->leaf == GUARD || m->leaf == POISON || m->c->kind == SECRETS || told;

    if (way > EXECUTES && (stopped || (force && !may_force) || (way == KEEPS_TO_WRITE && by_key)))
        return REFUSED;
    if (way > EXECUTES)
        return DONE;
    if (gone && !m->has_object)
        return NO_AREA;
    if (by_key && way != EXECUTES)
        return KEY_REFUSES;
    if (force || gone)
        return force ? NO_RIGHT : BEYOND;
    return m->leaf == GUARD ? NO_AREA : m->leaf == POISON ? IS_LOST : told ? IS_TOLD : DONE;
}

/* Would it be, if nobody were told of it? */
static bool is_but_told(struct model m, bool force, bool write)
{
    bool told = write && m.told;

    m.told = false;
    return told && allowed(&m, force, write) == DONE;
}

static void access_it(struct model *m, bool force, bool write, struct outcome *o)
{
    o->faulted = m->c->way <= EXECUTES && !(is_there(m) && (!write || m->writable));
    if (write || (force && !is_there(m)))
        unshare(m);
    else if (!is_there(m))
        map_it(m, false);
    if (write)
        write_it(m, m->c->way == KEEPS_TO_WRITE ? word_of(m) : WORD_NEW);
}

struct outcome reference(const struct cell *c)
{
    static const unsigned needed[WAYS] = {R | W | X, W, X, R, W, W};
    bool object = c->shared || c->kind >= FILE_PAGES, sealed = c->seal && c->kind >= FILE_PAGES;
    unsigned may = sealed && c->shared && c->seal == SEALED ? R : R | W;
    struct model child, m = {.c = c, .has_object = object, .rights = may, .may = may | X};
    struct outcome o = {0};

    m.may &= c->kind == SECRETS ? R | W : 7;
    m.object = sealed ? WORD_BEFORE : NOTHING;
    o.exists = begin(&m, &child);
    if (!o.exists)
        return o;
    m.tracked = c->tracked;
    m.soft = !c->tracked;
    m.writable &= m.soft;
    o.protect = protect(&m, &o.flushed);
    bool force = !(m.rights & needed[c->way]), write = needed[c->way] == W;
    o.verdict = allowed(&m, force, write);
    if (o.verdict == DONE)
        access_it(&m, force, write, &o);
    else if (m.leaf == NONE && is_but_told(m, force, write))
        unshare(&m); /* its page comes before the question */
    o.word = word_of(&m);
    o.kept = c->company == KEPT ? o.word : NOTHING;
    o.object = child.object = m.object;
    if (c->company != FORKED || (c->past >= CLOSED && !(c->past == LOST && c->shared)))
        child.leaf = NONE;
    else if (!is_there(&child))
        map_it(&child, false);
    o.child = word_of(&child);
    o.soft_dirty = m.soft && !(c->past == GONE && !object);
    return o;
}

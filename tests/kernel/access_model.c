/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/access_model.c - how an access ends, by the manual
 *
 * Room:   tests/kernel. Pure: only numbers in, numbers out.
 * Owns:   the rules.
 * Locks:  none.
 * Always: (1) each rule stands once, in the manual's words.
 * Source: Intel SDM 3A, "Determination of Access Rights", "Protection Keys", "Page-Fault
 *         Exceptions", "Accessed and Dirty Flags".
 * Tour:   after access.h.
 */
#include "access.h"

#define KEY_NO_ACCESS 1U
#define KEY_NO_WRITE  2U

/* The bits of an error code that say what was tried. */
static uint32_t code_of(const struct access_machine *m, const struct access_case *c)
{
    return (c->kind == A_WRITE ? CODE_WRITE : 0) | (c->user ? CODE_USER : 0) |
           (c->kind == A_FETCH && (m->nxe || m->smep) ? CODE_FETCH : 0);
}

/* Without EFER.NXE the bit is reserved. */
static bool is_reserved(const struct access_machine *m, uint64_t entry, bool reserved)
{
    return reserved || ((entry & BIT_NX) && !m->nxe);
}

/* The translation is there: do its rights refuse the access? */
static bool rights_refuse(const struct access_machine *m, const struct access_case *c, bool user,
                          bool write, bool nx)
{
    if (c->user) {
        if (!user)
            return true;
        return c->kind == A_WRITE ? !write : c->kind == A_FETCH && nx;
    }
    if (c->kind == A_FETCH)
        return nx || (user && m->smep);
    if (user && m->smap && !c->ac)
        return true;
    return c->kind == A_WRITE && m->wp && !write;
}

/* Does the protection key of a user-mode address refuse it? */
static bool key_refuses(const struct access_machine *m, const struct access_case *c, bool user)
{
    if (!m->pke || !user || c->kind == A_FETCH)
        return false;
    if (m->key_rights & KEY_NO_ACCESS)
        return true;
    return (m->key_rights & KEY_NO_WRITE) && c->kind == A_WRITE && (c->user || m->wp);
}

struct access_end access_model(const struct access_machine *m, const struct access_case *c)
{
    struct access_end end = {
        .fault = true, .code = code_of(m, c), .upper = c->upper, .leaf = c->leaf};
    const uint64_t both = c->upper & c->leaf;
    bool user = both & BIT_U, write = both & BIT_W, nx = (c->upper | c->leaf) & BIT_NX;

    if (!(c->upper & BIT_P))
        return end;
    if (is_reserved(m, c->upper, c->upper_reserved)) {
        end.code |= CODE_PRESENT | CODE_RESERVED;
        return end;
    }
    end.upper_may_age = true;
    if (!(c->leaf & BIT_P))
        return end;
    end.code |= CODE_PRESENT;
    if (is_reserved(m, c->leaf, c->leaf_reserved)) {
        end.code |= CODE_RESERVED;
        return end;
    }
    bool by_key = key_refuses(m, c, user);
    end.code |= by_key ? CODE_KEY : 0;
    if (by_key || rights_refuse(m, c, user, write, nx))
        return end;
    return (struct access_end){
        .upper = c->upper | BIT_A,
        .leaf = c->leaf | BIT_A | (c->kind == A_WRITE ? BIT_D : 0),
    };
}

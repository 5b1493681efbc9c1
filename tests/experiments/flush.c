/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/flush.c - the ways to forget, and what comes back afterwards
 *
 * Room:   tests/experiments.
 * Owns:   the names of the ways.
 * Locks:  none.
 * Always: (1) a way that the CPU lacks is never tried.
 * Source: Intel SDM 2A, "INVPCID"; SDM 3A, "Process-Context Identifiers (PCIDs)".
 * Tour:   after tests/experiments/flush.h.
 */
#include "flush.h"

#include "arch/x86_64/insn.h"

#define CR3_KEEP (1UL << 63)
#define CR3_PCID 0xfffUL

static const struct {
    const char *name;
    bool single, pcid, invpcid, pge; /* one address; what the CPU must have */
    bool plain, global;              /* which entries it must forget */
} ways[LAB_FLUSHES] = {
    [LAB_NOTHING] = {.name = "nothing"},
    [LAB_INVLPG] = {.name = "invlpg", .single = true, .plain = true, .global = true},
    [LAB_INVPCID_ADDRESS] = {.name = "invpcid 0", .single = true, .invpcid = true, .plain = true},
    [LAB_INVPCID_SPACE] = {.name = "invpcid 1", .invpcid = true, .plain = true},
    [LAB_INVPCID_ALL] = {.name = "invpcid 2", .invpcid = true, .plain = true, .global = true},
    [LAB_INVPCID_NOT_GLOBAL] = {.name = "invpcid 3", .invpcid = true, .plain = true},
    [LAB_CR3] = {.name = "cr3", .plain = true},
    [LAB_CR3_KEEP] = {.name = "cr3 no-flush", .pcid = true},
    [LAB_CR4_PGE] = {.name = "cr4.pge", .pge = true, .plain = true, .global = true},
};

const char *lab_flush_name(enum lab_flush how)
{
    return ways[how].name;
}

const char *lab_flush_absent(enum lab_flush how)
{
    bool has = (!ways[how].pcid || cpu_has(CPU_PCID)) &&
               (!ways[how].invpcid || cpu_has(CPU_INVPCID)) && (!ways[how].pge || cpu_has(CPU_PGE));

    return has ? NULL : "not in this CPU";
}

bool lab_flush_is_single(enum lab_flush how)
{
    return ways[how].single;
}

bool lab_flush_forgets(enum lab_flush how, bool global)
{
    return global ? ways[how].global : ways[how].plain;
}

static void toggle_pge(void)
{
    uint64_t cr4 = read_cr4();

    write_cr4(cr4 & ~CR4_PGE);
    write_cr4(cr4);
}

void lab_flush(enum lab_flush how, uint64_t va)
{
    switch (how) {
    case LAB_INVLPG:
        invlpg(va);
        break;
    case LAB_INVPCID_ADDRESS:
    case LAB_INVPCID_SPACE:
        invpcid((enum invpcid_type)(how - LAB_INVPCID_ADDRESS), read_cr3() & CR3_PCID, va);
        break;
    case LAB_INVPCID_ALL:
    case LAB_INVPCID_NOT_GLOBAL:
        invpcid((enum invpcid_type)(how - LAB_INVPCID_ADDRESS), 0, 0);
        break;
    case LAB_CR3:
        write_cr3(read_cr3());
        break;
    case LAB_CR3_KEEP:
        write_cr3(read_cr3() | CR3_KEEP);
        break;
    case LAB_CR4_PGE:
        toggle_pge();
        break;
    default:
        break;
    }
}

void lab_flush_space(enum lab_flush how, const struct lab_space *s)
{
    uint64_t nr = ways[how].single ? s->nr : 1;

    for (uint64_t i = 0; i < nr; i++)
        lab_flush(how, lab_space_va(s, i));
}

void lab_refill_prepare(void *refill)
{
    const struct lab_refill *r = refill;
    irq_flags_t flags = irq_save();

    lab_space_chase(&r->space);
    lab_space_chase(&r->space);
    lab_flush_space(r->how, &r->space);
    irq_restore(flags);
}

void lab_refill_body(void *refill)
{
    lab_space_chase(&((const struct lab_refill *)refill)->space);
}

void lab_refill_row(struct lab_refill *r, enum lab_flush how, void (*prepare)(void *refill))
{
    struct lab_probe p = {.series = lab_flush_name(how),
                          .x = r->space.nr,
                          .prepare = prepare,
                          .body = lab_refill_body,
                          .arg = r,
                          .per = r->space.nr};

    r->how = how;
    if (lab_flush_absent(how))
        lab_absent(p.series, p.x, lab_flush_absent(how));
    else
        lab_measure(&p);
}

void lab_refill_rows(enum pt_level level, uint64_t nr, uint64_t stride, bool global)
{
    struct lab_refill r = {.space = {.level = level, .nr = nr, .stride = stride, .global = global}};
    const char *why = lab_space_make(&r.space);

    if (why) {
        lab_absent("all", nr, why);
        return;
    }
    lab_space_load(&r.space);
    for (enum lab_flush how = 0; how < LAB_FLUSHES; how++)
        lab_refill_row(&r, how, lab_refill_prepare);
    lab_space_unload();
    lab_space_drop(&r.space);
}

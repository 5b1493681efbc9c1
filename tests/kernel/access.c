/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/access.c - all page-table bits, accesses and control bits: does the CPU do what the
 * manual says, as the kernel assumes?
 *
 * Room:   tests/kernel.
 * Owns:   the order of the enumeration.
 * Locks:  none; IRQs are off for some thousand cases at a time.
 * Always: (1) what the CPU has not is left out, and said;
 *         (2) a case is one set of entries, one access, one set of control bits.
 * Source: Intel SDM 3A, "Paging".
 * Tour:   after access_model.c and access_cpu.c.
 */
#include "access.h"
#include "kit.h"

#define SHOWN_MAX 8
#define SLICE     61 /* of the part that is tried everywhere: every so many cases */

struct difference {
    struct access_machine machine;
    struct access_case c;
    struct access_end model, cpu;
};

/* One run. */
struct run {
    unsigned stride;  /* each so many cases: 1 is all */
    bool wrong_model; /* it forgets CR0.WP: to see that somebody looks */
    bool reserved_is_absent, giants_age, keys_are_lax; /* this CPU, against the manual */
    uint64_t seen, tried, differ;
    struct difference shown[SHOWN_MAX];
};

static bool ends_as(const struct access_end *cpu, const struct access_end *model)
{
    uint64_t upper = model->upper_may_age ? BIT_A : 0, leaf = model->leaf_may_age ? BIT_A : 0;

    return cpu->fault == model->fault && (!model->fault || cpu->code == model->code) &&
           (cpu->upper | upper) == (model->upper | upper) &&
           (cpu->leaf | leaf) == (model->leaf | leaf);
}

static void try(struct run *r, const struct access_machine *m, const struct access_case *c)
{
    if (r->seen++ % r->stride)
        return;
    struct access_machine told = *m;
    told.wp &= !r->wrong_model;
    struct access_end model = access_model(&told, c), cpu = access_cpu_try(c);
    if (r->reserved_is_absent && (model.code & CODE_RESERVED))
        model.code &= ~CODE_PRESENT;
    model.leaf_may_age = model.fault && r->giants_age && c->level == 3;
    r->tried++;
    if (ends_as(&cpu, &model))
        return;
    if (r->differ < SHOWN_MAX)
        r->shown[r->differ] = (struct difference){*m, *c, model, cpu};
    r->differ++;
}

/* The bits that number @n stands for. */
static uint64_t bits_of(unsigned n, bool leaf, bool *reserved)
{
    static const uint64_t leaf_bits[] = {BIT_P, BIT_W, BIT_U, BIT_A, BIT_NX, BIT_D};
    unsigned nr = leaf ? 6 : 5;
    uint64_t bits = 0;

    for (unsigned i = 0; i < nr; i++)
        bits |= n >> i & 1 ? leaf_bits[i] : 0;
    *reserved = n >> nr & 1;
    return bits;
}

#define UPPERS 64U  /* P, W, U, A, NX, reserved */
#define LEAVES 128U /* and D */

/* All entries of one level, for one access. */
static void try_entries(struct run *r, const struct access_machine *m, struct access_case c)
{
    for (unsigned upper = 0; upper < UPPERS; upper++) {
        c.upper = bits_of(upper, false, &c.upper_reserved);
        for (unsigned leaf = 0; leaf < LEAVES; leaf++) {
            c.leaf = bits_of(leaf, true, &c.leaf_reserved);
            bool is_there = c.upper & c.leaf & BIT_P;
            if (m->pke && m->key_rights && (!is_there || c.kind == A_FETCH))
                continue; /* no key is looked at: tried without rights taken away */
            try(r, m, &c);
        }
    }
}

static void try_accesses(struct run *r, const struct access_machine *m)
{
    unsigned levels = cpu_has(CPU_PAGE_1G) ? 3 : 2;

    for (unsigned n = 0; n < levels * ACCESS_KINDS * 4; n++) {
        struct access_case c = {
            .level = 1 + n / 12, .kind = n % 12 / 4, .user = n & 1, .ac = n & 2};
        if (c.ac && (c.user || c.kind == A_FETCH || !m->smap))
            continue; /* it means nothing */
        access_cpu_enter(m);
        try_entries(r, m, c);
        access_cpu_leave();
    }
}

/* Can this CPU be @m? */
static bool exists(const struct access_machine *m)
{
    return (!m->smep || cpu_has(CPU_SMEP)) && (!m->smap || cpu_has(CPU_SMAP)) &&
           (!m->nxe || cpu_has(CPU_NX)) && (!m->pke || cpu_has(CPU_PKU));
}

static void try_machines(struct run *r)
{
    for (unsigned n = 0; n < 128; n++) {
        struct access_machine m = {.wp = n & 1,
                                   .smep = n & 2,
                                   .smap = n & 4,
                                   .nxe = n & 8,
                                   .pke = n & 16,
                                   .key_rights = n >> 5};
        if (exists(&m) && (m.pke || !m.key_rights) && !(m.key_rights && r->keys_are_lax))
            try_accesses(r, &m);
    }
}

static void show(const struct difference *d)
{
    const struct access_machine *m = &d->machine;
    const struct access_case *c = &d->c;

    ktest_note(
        "level %u, upper %#lx%s, leaf %#lx%s: %s from ring %d%s, wp %d smep %d smap %d nxe %d "
        "pke %d rights %u",
        c->level, c->upper, c->upper_reserved ? "+reserved" : "", c->leaf,
        c->leaf_reserved ? "+reserved" : "",
        c->kind == AN_READ   ? "read"
        : c->kind == A_WRITE ? "write"
                             : "fetch",
        c->user ? 3 : 0, c->ac ? " with AC" : "", m->wp, m->smep, m->smap, m->nxe, m->pke,
        m->key_rights);
    ktest_note("  manual: fault %d code %#x upper %#lx leaf %#lx; CPU: %d %#x %#lx %#lx",
               d->model.fault, d->model.code, d->model.upper, d->model.leaf, d->cpu.fault,
               d->cpu.code, d->cpu.upper, d->cpu.leaf);
}

/* The manual sets P in the code of a fault by a reserved bit: only entries with P are looked at so
 * closely. QEMU 7.2 does not. */
static bool leaves_out_present(void)
{
    const struct access_machine m = {.wp = true, .nxe = cpu_has(CPU_NX)};
    const struct access_case c = {.level = 1,
                                  .upper = BIT_P | BIT_W | BIT_U | BIT_A,
                                  .leaf = BIT_P | BIT_W | BIT_A,
                                  .leaf_reserved = true};

    access_cpu_enter(&m);
    struct access_end end = access_cpu_try(&c);
    access_cpu_leave();
    return end.fault && end.code == CODE_RESERVED;
}

/* A leaf that refuses is not used, and so not accessed. QEMU 7.2 marks those of 1 GiB before it
 * looks at the rest of them. */
static bool marks_refusing_giants(void)
{
    const struct access_machine m = {.wp = true, .nxe = cpu_has(CPU_NX)};
    const struct access_case c = {
        .level = 3, .upper = BIT_P | BIT_W | BIT_U | BIT_A, .leaf = BIT_P | BIT_W, .user = true};

    if (!cpu_has(CPU_PAGE_1G))
        return false;
    access_cpu_enter(&m);
    struct access_end end = access_cpu_try(&c);
    access_cpu_leave();
    return end.fault && (end.leaf & BIT_A);
}

/* A key refuses ring 0, too. Bochs 2.7 asks ring 3 only, and there of the kernel's pages, too. */
static bool has_lax_keys(void)
{
    const struct access_machine m = {
        .wp = true, .nxe = cpu_has(CPU_NX), .pke = true, .key_rights = 1};
    const struct access_case c = {
        .level = 1, .upper = BIT_P | BIT_W | BIT_U | BIT_A, .leaf = BIT_P | BIT_W | BIT_U | BIT_A};

    if (!cpu_has(CPU_PKU))
        return false;
    access_cpu_enter(&m);
    struct access_end end = access_cpu_try(&c);
    access_cpu_leave();
    return !end.fault;
}

static struct run one; /* too large for a stack */

/* False: there is no memory for it. */
static bool run(unsigned stride, bool wrong_model)
{
    one = (struct run){.stride = stride, .wrong_model = wrong_model};
    if (!EXPECT(access_cpu_begin() == 0))
        return false;
    one.reserved_is_absent = leaves_out_present();
    one.giants_age = marks_refusing_giants();
    one.keys_are_lax = has_lax_keys();
    try_machines(&one);
    access_cpu_end();
    return true;
}

static void expect_no_difference(unsigned stride)
{
    if (!run(stride, false))
        return;
    ktest_note("%lu cases, %lu differences", one.tried, one.differ);
    if (one.reserved_is_absent)
        ktest_note("this CPU leaves P out of the code where a reserved bit is set: not counted");
    if (one.keys_are_lax)
        ktest_note("keys do not refuse this CPU's ring 0: what they take away was left out");
    if (one.giants_age)
        ktest_note("this CPU marks leaves of 1 GiB accessed, though they refuse: not counted");
    for (unsigned i = 0; i < SHOWN_MAX && i < one.differ; i++)
        show(&one.shown[i]);
    EXPECT_EQ(one.differ, 0);
}

KTEST(page_table_bits_mean_what_the_manual_says)
{
    expect_no_difference(1);
}

KTEST(a_part_of_the_page_table_bits_mean_what_the_manual_says)
{
    expect_no_difference(SLICE);
}

KTEST(a_wrong_model_of_page_table_bits_is_seen)
{
    if (run(SLICE, true))
        EXPECT(one.differ > 0, "none of %lu", one.tried);
}

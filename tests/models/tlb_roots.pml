/* SPDX-License-Identifier: MIT */
/*
 * tests/models/tlb_roots.pml - a root for each CPU: notes of who uses an entry, against a shootdown
 * that asks only those, loads that drop an entry, and own roots that come to a space that is loaded
 *
 * One space, one entry of its root, one leaf below. CPU 0 takes the leaf away and maps anew there,
 * with an eye on the ledger; CPU 1 uses it, leaves and comes back; the maker tells CPU 1 that there
 * are own roots. What CPU 1 remembers goes through the stages of tests/models/tlb.inc; its hardware
 * walks whenever it can.
 *
 *   step here              code
 *   load, load_own         load(), own_root_load(), tlb_load_own() of arch/x86_64/tlb_space.c
 *   choose, chosen         roots_choose(), roots_chosen() of arch/x86_64/roots.c
 *   fault                  roots_follow(), there
 *   suspected              tlb_suspects() of arch/x86_64/tlb.c
 *   unmapper               tlb_ledger_note(), tlb_shoot_down(), ledger_assert(), tlb_ledger_look()
 *
 * Mutants: 1 is bug B85; 2 the entry comes, and then the note; 3 the notes are looked at before the
 * leaf goes; 4 a note goes, and what the PCID remembers stays; 5 so does what the shared root led
 * to; 6 a drop is no generation; 7 neither is to leave the shared root; 8 a CPU that leaves that is
 * not known to be about to: the ledger accuses.
 */

#define ROUNDS 3
#define LOADS  4

#define NOTHING 0
#define SO      1
#define STALE   2
#define LOST    3

mtype = { kernel, shared, own, loading };

bool leaf = true;
bool note, entry, young; /* users[], own[] of the one entry, its accessed bit */
bool outside = true, made; /* there are own roots, but CPU 1 may remember by the shared one */
bool known; /* pgtable.cpus */
byte generation, seen, slot_seen;
mtype cr3 = kernel, space = kernel; /* space: own stands for that of the leaf */
byte tlb = NOTHING;
bool moved;
bool wanted, wanted_own, behind;
byte wanted_generation;

#define REACHES (cr3 == shared || (cr3 == own && entry))

active proctype hardware()
{
end:
    do
    :: atomic { REACHES && leaf && tlb == NOTHING -> tlb = SO; young = young || cr3 == own }
    od
}

inline choose()
{
    keep = slot_seen == g && !outside;
#ifdef MUTANT_5
    keep = slot_seen == g;
#endif
    if
    :: !keep && entry && young -> young = false
    :: !keep && entry && !young ->
        entry = false;
        note = false;
#ifdef MUTANT_4
        keep = true;
#endif
#ifndef MUTANT_6
        generation++
#endif
    :: else
    fi;
    if
    :: !keep -> g = generation
    :: else
    fi
}

inline chosen()
{
    if
    :: outside ->
        outside = false;
#ifndef MUTANT_7
        atomic { generation++; g = generation }
#endif
    :: else
    fi
}

inline load()
{
    space = loading;
    known = true;
    g = generation;
    if
    :: made ->
        choose();
        atomic { cr3 = own; tlb = (keep -> tlb : NOTHING) }
        chosen()
    :: else -> atomic { keep = slot_seen == g; cr3 = shared; tlb = (keep -> tlb : NOTHING) }
    fi;
    seen = g;
    atomic { space = own; moved = true; keep = false; g = 0 }
}

inline leave()
{
    atomic { slot_seen = seen; space = loading }
    atomic { cr3 = kernel; space = kernel; seen = 255; moved = true }
    known = false
}

inline load_own()
{
#ifndef MUTANT_8
    behind = true;
#endif
    g = generation;
    choose();
    atomic { cr3 = own; tlb = (keep -> tlb : NOTHING) }
    chosen();
    atomic { seen = g; keep = false; g = 0 }
    behind = false
}

inline fault()
{
#ifdef MUTANT_2
    entry = true;
    young = true;
    note = true
#else
#ifndef MUTANT_1
    note = true;
#endif
    atomic { entry = true; young = true }
#endif
}

/* One of the leaf's address forgets all that CPU 1 knows of the space. */
inline follow()
{
    g = generation;
    if
    :: space == own && seen < wanted_generation -> tlb = NOTHING; seen = g
    :: else
    fi;
    g = 0;
    wanted = false
}

active proctype cpu_1()
{
    byte loads, g;
    bool keep;

end:
    do
    :: wanted -> follow()
    :: wanted_own ->
        if
        :: space == own -> load_own()
        :: else
        fi;
        wanted_own = false
    :: cr3 == kernel && loads < LOADS -> loads++; load()
    :: cr3 != kernel -> leave()
    :: atomic { cr3 != kernel -> assert(tlb != LOST) } /* a program uses it */
    :: cr3 == own && !entry -> fault()
    od
}

active proctype maker()
{
    made = true;
    if
    :: known -> wanted_own = true; !wanted_own
    :: else
    fi
}

/* May CPU 1 use what left at @gn? */
inline suspected(gn)
{
    atomic { moved = false; is = space == own }
    is = is && !behind;
    is = is && seen < gn;
    is = is && space == own && !moved
}

active proctype unmapper()
{
    byte round, g, noted;
    bool is, holder, holder_noted, user;

    do
    :: round < ROUNDS ->
#ifdef MUTANT_3
        user = note || outside;
#endif
        atomic { leaf = false; tlb = (tlb == SO -> STALE : tlb) }
        atomic { holder_noted = entry || outside; noted = generation + 1 }
        atomic { generation++; g = generation }
        holder = entry || outside;
        is = known;
#ifndef MUTANT_3
        user = outside;
        user = user || note;
#endif
        if
        :: is && user -> wanted_generation = g; wanted = true; !wanted
        :: else
        fi;
        suspected(g);
        assert(!(is && holder));
        suspected(noted);
        assert(!(is && holder_noted));
        atomic { tlb = (tlb == STALE -> LOST : tlb); leaf = true }
        atomic { round++; is = false; holder = false; holder_noted = false; user = false }
    :: else -> break
    od
}

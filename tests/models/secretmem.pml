/* SPDX-License-Identifier: MIT */
/*
 * tests/models/secretmem.pml - in which order secret pages come and go: two CPUs, a block of two
 *
 * The machine: one entry of the direct map for the block; one page of one object, one leaf for it;
 * a window for each CPU; and what each CPU remembers of these. hardware() may remember anything that
 * an entry says, as early as it likes, and forgets nothing by itself. Programs write secrets through
 * what their CPU remembers. kernel() faults and truncates. Steps are single, but for what is done
 * under one lock.
 *
 *   step here                      code
 *   fill: dm = 0, tlb              block_get(), frames_hide(): direct_map_hide_noflush(),
 *                                  direct_map_change_end()
 *   take                           take_ready(), page_of(), block_carve() of mm/secret_pool.c
 *   wipe                           window_zero()
 *   index = f; loser: give         secretmem_get_page(), object_add_page(), give_unused()
 *   publish                        publish(), publish_written() of mm/fault.c
 *   truncate: pte, utlb            object_truncate(), zap, tlb_gather_end()
 *   put                            folio_put(), secret_release(), secret_release_many()
 *   give: ready, leaving, dm = 1   secret_page_give(), block_put(), frames_restore()
 *
 * Each MUTANT is one step left out or done too early: spin must find what comes of it.
 */

#define NONE 2

mtype = { free, taken, ready, used, dying }; /* frames */
mtype = { zeros, others, secret };            /* what is in them */
mtype = { allocator, coming, pool, leaving }; /* whose the block is */

mtype state[2] = free;
mtype bytes[2] = others;
bool blank[2];
byte refs[2];
mtype block = allocator;
byte in_use;
bool truncating;

bool dm = 1, tlb[2];                         /* the direct map's entry; who remembers it */
byte index = NONE, pte = NONE;               /* the object's page; the programs' leaf */
byte utlb[2] = NONE;                         /* who remembers that */
byte window[2] = NONE, wtlb[2] = NONE;       /* the same of each CPU's window */

inline wipe(f)
{
    window[c] = f;
    wtlb[c] = f;
    bytes[f] = zeros;
    window[c] = NONE;
#ifndef MUTANT_4 /* the window is not forgotten */
    wtlb[c] = NONE
#endif
}

inline give(f)
{
    atomic {
        state[f] = ready;
        blank[f] = 1;
        in_use--;
        if
        :: in_use == 0 -> block = leaving; mine = 1
        :: mine = 0
        fi
    }
    if
    :: mine ->
#ifndef MUTANT_6 /* a block is freed, and then restored */
        dm = 1;
#endif
        atomic {
            state[0] = free;
            state[1] = free;
            block = allocator
        }
#ifdef MUTANT_6
        dm = 1
#endif
    :: else
    fi
}

inline put(f)
{
    atomic {
        refs[f]--;
        mine = refs[f] == 0;
        if
        :: mine -> state[f] = dying
        :: else
        fi
    }
    if
    :: mine ->
#ifndef MUTANT_3 /* what was anybody's is given back as it is */
        wipe(f);
#endif
        give(f)
    :: else
    fi
}

inline fill()
{
    atomic {
        mine = block == allocator;
        if
        :: mine ->
            block = coming;
            state[0] = taken;
            state[1] = taken;
            bytes[0] = others;
            bytes[1] = others
        :: else
        fi
    }
    if
    :: mine ->
        dm = 0;
        tlb[c] = 0;
#ifndef MUTANT_1 /* the pages are anybody's before the other CPU has forgotten the direct map */
        tlb[1 - c] = 0;
#endif
        atomic {
            state[0] = ready;
            state[1] = ready;
            blank[0] = 0;
            blank[1] = 0;
            block = pool
        }
#ifdef MUTANT_1
        tlb[1 - c] = 0
#endif
    :: else
    fi
}

/* A page that is ready, or NONE. */
inline take()
{
    atomic {
        if
        :: block == pool && state[0] == ready -> f = 0
        :: block == pool && state[1] == ready -> f = 1
        :: block != pool || (state[0] != ready && state[1] != ready) -> f = NONE
        fi;
        if
        :: f != NONE -> state[f] = taken; refs[f] = 1; in_use++
        :: else
        fi
    }
}

inline add_or_lose()
{
    atomic {
        added = index == NONE;
        if
        :: added ->
            assert(bytes[f] == zeros);
            index = f;
            state[f] = used;
            refs[f] = 2
        :: else -> refs[f] = 0
        fi
    }
    if
    :: added
    :: else ->
#ifdef MUTANT_5 /* the loser's page goes to the allocator as it is */
        atomic { state[f] = free; in_use-- };
#else
        give(f);
#endif
        f = NONE
    fi
}

inline publish()
{
    atomic {
        added = index == f && pte == NONE;
        if
        :: added -> pte = f
        :: else
        fi
    }
    if
    :: added
    :: else -> put(f)
    fi
}

inline fault()
{
    atomic {
        f = index;
        if
        :: f != NONE -> refs[f]++
        :: else
        fi
    }
    if
    :: f == NONE ->
        take();
        if
        :: f != NONE ->
            if
            :: !blank[f] ->
#ifndef MUTANT_7 /* what was others' is handed out as it is */
                wipe(f)
#else
                skip
#endif
            :: else
            fi;
            add_or_lose()
        :: else -> fill()
        fi
    :: else
    fi;
    if
    :: f != NONE -> publish()
    :: else
    fi
}

inline truncate()
{
    atomic { !truncating; truncating = 1 }
    atomic { f = index; index = NONE }
    atomic { leaf = pte; pte = NONE }
#ifdef MUTANT_2 /* references are dropped before everybody forgot the leaf */
    if
    :: leaf != NONE -> put(leaf)
    :: else
    fi;
    if
    :: f != NONE -> put(f)
    :: else
    fi;
    utlb[c] = NONE;
    utlb[1 - c] = NONE;
#else
    utlb[c] = NONE;
    utlb[1 - c] = NONE;
    if
    :: leaf != NONE -> put(leaf)
    :: else
    fi;
    if
    :: f != NONE -> put(f)
    :: else
    fi;
#endif
    truncating = 0
}

proctype kernel(byte c)
{
    byte f, leaf;
    bool mine, added;

    do
    :: f = NONE; fault()
    :: !truncating -> f = NONE; leaf = NONE; truncate()
    od
}

proctype hardware(byte c)
{
    do
    :: atomic { dm && !tlb[c] -> tlb[c] = 1 }
    :: atomic { pte != NONE -> utlb[c] = pte }
    :: atomic { window[c] != NONE -> wtlb[c] = window[c] }
    :: atomic { utlb[c] != NONE -> bytes[utlb[c]] = secret }
    od
}

#define direct_map_tells (dm || tlb[0] || tlb[1])
#define stale(c)         (utlb[c] != NONE && state[utlb[c]] != used)
#define peeps(c)         (wtlb[c] != NONE && state[wtlb[c]] != taken && state[wtlb[c]] != dying)

proctype claims()
{
    do
    :: atomic {
        assert(!direct_map_tells || (bytes[0] != secret && bytes[1] != secret));
        assert(state[0] != free || (dm && bytes[0] != secret));
        assert(state[1] != free || (dm && bytes[1] != secret));
        assert(!stale(0) && !stale(1));
        assert(!peeps(0) && !peeps(1))
    }
    od
}

init
{
    atomic {
        run kernel(0);
        run kernel(1);
        run hardware(0);
        run hardware(1);
        run claims()
    }
}

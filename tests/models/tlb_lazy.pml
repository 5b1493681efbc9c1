/* SPDX-License-Identifier: MIT */
/*
 * tests/models/tlb_lazy.pml - lazy CPUs: not asked while they do not use A, unless tables go; they
 * catch up when they do again
 *
 * CPU 0 unmaps, with tables or without, and maps anew; CPUs 1 and 2 run programs in A, and idle with
 * A loaded, for ever. What the ledger asserts in the kernel is asserted here. Steps and code:
 * tests/models/tlb.inc.
 */

#ifdef MUTANT_1 /* who wakes goes on with what he remembers */
#define WAKES_AS_IT_WAS
#endif
#ifdef MUTANT_2 /* who wakes looks what he missed, and is then asked again */
#define READS_THEN_WAKES
#endif
#ifdef MUTANT_3 /* lazy CPUs are spared when tables go, too */
#define SPARES_WHOEVER_IS_LAZY
#endif
#ifdef MUTANT_4 /* up to which generation it has caught up is looked up when it has */
#define FLUSHES_THEN_READS
#endif

#define CPUS  3
#define EARLY false
#include "tlb.inc"

init
{
    atomic {
        start(0, true);
        start(1, true);
        start(2, true);
        run unmapper(0, 0, 2);
        run sleeper(1);
        run sleeper(2)
    }
}

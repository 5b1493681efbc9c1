/* SPDX-License-Identifier: MIT */
/*
 * tests/models/tlb_limbo.pml - frames that wait until every CPU has forgotten them anyway
 *
 * CPU 0 unmaps, with tables or without, and asks nobody; before it maps anew there it settles. CPU 1
 * runs programs in A, idles with A loaded, and loads the kernel's tables and A again, for ever.
 * CPU 2 drains, or CPU 0. Steps and code: tests/models/tlb.inc.
 */

#ifdef MUTANT_1 /* a CPU that loads A is taken for one that does not use it */
#define UNSEEN_WHILE_IT_LOADS
#endif
#ifdef MUTANT_2 /* a CPU that is in the middle of catching up is taken for one that has */
#define BELIEVES_WHO_IS_BEHIND
#endif
#ifdef MUTANT_3 /* the sweep leaves out a CPU */
#define SWEEPS_ONE_TOO_FEW
#endif
#ifdef MUTANT_4 /* tables are freed under lazy CPUs */
#define WALKS_DO_NOT_COUNT
#endif
#ifdef MUTANT_5 /* something new is mapped where others still use what was */
#define SETTLES_NOTHING
#endif

#define CPUS  3
#define EARLY false
#include "tlb.inc"

proctype switcher(byte me) provided (!in_irq[me])
{
    OWN;

end:
    do
    :: user[me] = false; idle(me); switch_to(me, A); user[me] = true
    :: user[me] = false; switch_to(me, KERNEL); switch_to(me, A); user[me] = true
    od
}

init
{
    atomic {
        start(0, true);
        start(1, true);
        start(2, false);
        run late_unmapper(0, 0, 2, false);
        run switcher(1);
        run drainer(2, 0)
    }
}

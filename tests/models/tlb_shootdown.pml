/* SPDX-License-Identifier: MIT */
/*
 * tests/models/tlb_shootdown.pml - two who unmap at once, and one who only uses: generations,
 * requests, interrupts, answers
 *
 * CPUs 0 and 1 each take away a leaf of their own, map anew there, and do it again; each must
 * answer the other while it waits. Steps and code: tests/models/tlb.inc.
 */

#ifdef MUTANT_1 /* the generation begins, and then the leaf goes */
#define SHOOTS_THEN_TAKES
#endif
#ifdef MUTANT_2 /* who missed a generation forgets one range all the same */
#define FORGETS_ONE_HAVING_MISSED_MORE
#endif
#ifdef MUTANT_3 /* who asks while others are answered is not heard */
#define FORGETS_WHO_ASKS_LATER
#endif
#ifdef MUTANT_4 /* an initiator does not wait */
#define NOBODY_WAITS
#endif
#ifdef MUTANT_5 /* frames are free before the flush */
#define FREES_THEN_SHOOTS
#endif

#define CPUS  3
#define EARLY false
#define WITHOUT_LEDGER
#include "tlb.inc"

proctype program(byte me, mine, rounds) provided (!in_irq[me])
{
    OWN;

    do
    :: rounds > 0 ->
        user[me] = false;
        unmap(me, mine, false);
        comes(mine);
        user[me] = true;
        rounds--
    :: else -> break
    od
}

init
{
    atomic {
        start(0, true);
        start(1, true);
        start(2, true);
        run program(0, 0, 2);
        run program(1, 1, 2)
    }
}

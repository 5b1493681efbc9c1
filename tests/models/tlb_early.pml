/* SPDX-License-Identifier: MIT */
/*
 * tests/models/tlb_early.pml - early acknowledgement: who is asked says that he has forgotten when
 * he is in the interrupt that forgets before it returns
 *
 * CPU 0 unmaps a leaf, with tables or without, and maps anew, and then does so with the other; CPUs 1
 * and 2 run programs in A, and idle, for ever. What the ledger asserts in the kernel is asserted
 * here. Steps and code: tests/models/tlb.inc.
 */

#ifdef MUTANT_1 /* it returns to what it interrupted, and forgets then */
#define ANSWERS_AND_RETURNS
#endif
#ifdef MUTANT_2 /* the request is read when it may be another */
#define ANSWERS_THEN_LOOKS
#endif
#ifdef MUTANT_3 /* tables are freed while others may still walk them */
#define EARLY_WHATEVER_GOES
#endif
#ifdef MUTANT_4 /* the ledger cannot tell who is in the middle of it */
#define SAYS_NOT_THAT_IT_IS_BEHIND
#endif

#define CPUS  3
#define EARLY true
#include "tlb.inc"

proctype two_unmapper(byte me) provided (!in_irq[me])
{
    OWN;

    user[me] = false;
    if
    :: unmap(me, 0, true)
    :: unmap(me, 0, false)
    fi;
    comes(0);
    user[me] = true;
    user[me] = false;
    unmap(me, 1, false);
    comes(1);
    user[me] = true
}

init
{
    atomic {
        start(0, true);
        start(1, true);
        start(2, true);
        run two_unmapper(0);
        run sleeper(1);
        run sleeper(2)
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/models/tlb_switch.pml - a context switch against a shootdown: being known, then reading the
 * generation, and what a PCID remembers
 *
 * CPU 0 unmaps, with tables or without, and maps anew; CPU 1 loads A, B and the kernel's in any
 * order, for ever, and runs programs in A and B. Steps and code: tests/models/tlb.inc.
 */

#ifdef MUTANT_1 /* bug B20: A knows of a CPU after that has loaded it */
#define IS_KNOWN_AFTER_IT_LOADS
#endif
#ifdef MUTANT_2 /* the generation is read before A knows of the CPU */
#define READS_THEN_IS_KNOWN
#endif
#ifdef MUTANT_3 /* bug B22: a slot is given to another with what it remembers */
#define KEEPS_ANOTHERS
#endif
#ifdef MUTANT_4 /* a slot's generation is not compared */
#define KEEPS_WHATEVER_IT_MISSED
#endif
#ifdef MUTANT_5 /* A knows of the CPU no more, which walks there still */
#define IS_UNKNOWN_BEFORE_IT_LEFT
#endif
#ifdef MUTANT_6 /* the ledger believes what it read of a CPU that has switched meanwhile */
#define BELIEVES_WHAT_MOVED
#endif

#define CPUS  2
#define EARLY false
#include "tlb.inc"

proctype switcher(byte me) provided (!in_irq[me])
{
    OWN;

end:
    do
    :: switch_to(me, A); user[me] = true; user[me] = false
    :: switch_to(me, B); user[me] = true; user[me] = false
    :: switch_to(me, KERNEL)
    od
}

init
{
    atomic {
        start(0, true);
        start(1, false);
        run unmapper(0, 0, 3);
        run switcher(1)
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/models/tlb_log.pml - two that take away and ask nobody: each forgets by the log what the
 * other took
 *
 * CPUs 0 and 1 unmap a leaf each, of one table, asking nobody; each settles before it maps anew, and
 * drains. Steps and code: tests/models/tlb.inc.
 */

#ifdef MUTANT_1 /* a generation whose range is not logged yet is taken for none */
#define BELIEVES_WHAT_IS_NOT_LOGGED
#endif
#ifdef MUTANT_2 /* a generation begins, and is logged, before its leaf is gone */
#define BEGINS_THEN_TAKES
#endif
#ifdef MUTANT_3 /* who missed one whose range is not logged forgets the range of its own only */
#define FORGETS_ONE_HAVING_MISSED_MORE
#endif

#define CPUS  2
#define EARLY false
#include "tlb.inc"

init
{
    atomic {
        start(0, true);
        start(1, true);
        run late_unmapper(0, 0, 2, true);
        run late_unmapper(1, 1, 2, true)
    }
}

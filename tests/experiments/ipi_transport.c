/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/ipi_transport.c - the interrupt alone: sent, taken, answered, nothing forgotten
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the other CPUs do nothing but say that they were there.
 * Source: asm/smp.h, smp_call_others().
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"

#include <asm/smp.h>

static void be_there(void *arg)
{
    (void)arg;
}

static void call_all(void *arg)
{
    smp_call_others(be_there, arg);
}

EXPERIMENT(
    ipi_transport, .title = "An interrupt to all other CPUs and back", .x_axis = "what they do",
    .bare = "Transport and entry; halted CPUs wake first. The rest of a shootdown is flushing.",
    .virt = LAB_VIRT_IPI)
{
    for (enum lab_state state = 0; state < LAB_STATES; state++) {
        if (nr_cpus() == 1) {
            lab_absent(lab_state_name(state), 0, "one CPU");
            continue;
        }
        REQUIRE(lab_others_begin(NULL, nr_cpus() - 1, state));
        lab_measure(&(struct lab_probe){
            .series = lab_state_name(state), .body = call_all, .irqs_on = true});
        lab_others_end();
    }
}

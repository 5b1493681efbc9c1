/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/machine.h - on what was it measured
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: -
 * Tour:   with tests/experiments/machine.c.
 */
#pragma once

/* The machine's lines: lab|machine|KEY|VALUE. */
void lab_machine_print(const char *cmdline);

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/shadow/base/rwsem_seek.h - reading a range, where every step is checked
 *
 * Room:   tests/host: stands in for include/base/rwsem_seek.h.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: -
 * Tour:   with tests/host/mmu.c, which has the code.
 */
#pragma once

#include <base/mutex.h>

struct rwsem_line *rwsem_read_seek(struct rwsem *s, uint64_t start, uint64_t end);
void rwsem_read_settle(struct rwsem_line *line, uint64_t start);
bool __must_check rwsem_settle_for_more(struct rwsem *s, struct rwsem_line *line, uint64_t start,
                                        uint64_t end);
void rwsem_read_leave(struct rwsem *s, struct rwsem_line *line);

/* SPDX-License-Identifier: MIT */
/*
 * kernel/memfd_noexec.h - may a file that is only memory be a program? vm.memfd_noexec
 *
 * Room:   kernel.
 * Owns:   nothing; the code is kernel/memfd_noexec.c.
 * Locks:  none.
 * Always: -
 * Source: Linux Documentation/admin-guide/sysctl/vm.rst, "memfd_noexec".
 * Tour:   before kernel/memfd.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

struct dentry;
struct pid_ns;
struct text;

/* What counts in @ns: the strictest of its own and of those above it. */
unsigned memfd_noexec_in(const struct pid_ns *ns);

/* Say for the caller of memfd_create() whether it wants a program, if it did not. 0, or -EACCES:
 * it wants one, and there must be none here. */
int __must_check memfd_noexec_apply(unsigned *flags);

/* /proc/sys/vm/memfd_noexec, of the namespace of who reads and writes it. */
int memfd_noexec_show(struct text *t, struct dentry *dentry);
int memfd_noexec_store(uint64_t number);

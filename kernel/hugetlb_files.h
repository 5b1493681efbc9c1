/* SPDX-License-Identifier: MIT */
/*
 * kernel/hugetlb_files.h - the pools of huge pages, as files and as words of the command line
 *
 * Room:   kernel.
 * Owns:   nothing; see kernel/hugetlb_files.c.
 * Locks:  none.
 * Always: -
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst.
 * Tour:   with kernel/hugetlb_files.c.
 */
#pragma once

struct dentry;

/* hugepages=, hugepagesz=, default_hugepagesz=: fill the pools while memory is in one piece. */
void hugetlb_boot_options(const char *cmdline);

/* Into /sys/kernel/mm, into a node's directory, into /proc/sys/vm. Boot. */
void hugetlb_boot_files(struct dentry *mm);
void hugetlb_boot_node_files(struct dentry *node);
void hugetlb_boot_settings(struct dentry *vm);

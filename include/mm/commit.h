/* SPDX-License-Identifier: MIT */
/*
 * include/mm/commit.h - how much memory the machine has promised, and the settings of vm.*
 *
 * Room:   mm.
 * Owns:   struct vm_settings.
 * Locks:  none: counters are atomic, settings are single words.
 * Always: (1) the sum of all charges is that of areas with VM_ACCOUNT and of shared objects.
 * Source: proc_sys_vm(5); Linux Documentation/mm/overcommit-accounting.rst (behaviour).
 * Tour:   before mm/commit.c, mm/limits.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

enum overcommit {
    OVERCOMMIT_GUESS,  /* refuse only what can never be had */
    OVERCOMMIT_ALWAYS, /* promise anything */
    OVERCOMMIT_NEVER   /* promise what is there */
};

/* /proc/sys/vm. Whoever writes one has checked it. */
struct vm_settings {
    uint64_t overcommit;        /* enum overcommit */
    uint64_t overcommit_ratio;  /* percent of memory that is promised at most */
    uint64_t overcommit_kbytes; /* the same in KiB; 0: the ratio counts */
    uint64_t admin_reserve_kbytes, user_reserve_kbytes;
    uint64_t max_map_count;
    uint64_t mmap_min_addr; /* what lies below is never chosen */
    uint64_t wx_enforce;    /* nothing is writable and executable: mm/wx.c */
    uint64_t pkey_strict;   /* a protection key that areas have is not freed */
};

extern struct vm_settings vm_settings;

/**
 * commit_charge() - promise @nr_pages more; @comes_back of them are given back right after
 * Return: 0, or -ENOMEM with nothing changed.
 */
int __must_check commit_charge(uint64_t nr_pages, uint64_t comes_back);
void commit_release(uint64_t nr_pages);

/* As commit_charge() of pages that come back right after: nothing to check. */
void commit_twice(uint64_t nr_pages);

/* In pages: what may be promised when overcommit is refused, and what is. */
uint64_t commit_limit(void);
uint64_t commit_sum(void);

/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/prctl.h - options of prctl
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: prctl(2).
 * Tour:   as needed.
 */
#pragma once

#define PR_SET_PDEATHSIG       1
#define PR_GET_PDEATHSIG       2
#define PR_GET_DUMPABLE        3
#define PR_SET_DUMPABLE        4
#define PR_SET_NAME            15
#define PR_GET_NAME            16
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_SET_THP_DISABLE     41
#define PR_GET_THP_DISABLE     42

/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/rseq.h - restartable sequences and membarrier
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: rseq(2) of librseq; membarrier(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define RSEQ_FLAG_UNREGISTER      1
#define RSEQ_CPU_ID_UNINITIALIZED (-1)
#define RSEQ_SIZE_FIRST           32 /* all that the first version had */
#define RSEQ_ALIGN                32

struct uapi_rseq {
    uint32_t cpu_id_start;
    int32_t cpu_id;
    uint64_t rseq_cs; /* struct uapi_rseq_cs; 0: in no critical section */
    uint32_t flags, node_id, mm_cid;
    uint32_t pad;
};

struct uapi_rseq_cs {
    uint32_t version, flags;
    uint64_t start_ip, post_commit_offset, abort_ip;
};

#define MEMBARRIER_CMD_QUERY                                0
#define MEMBARRIER_CMD_GLOBAL                               (1 << 0)
#define MEMBARRIER_CMD_GLOBAL_EXPEDITED                     (1 << 1)
#define MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED            (1 << 2)
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED                    (1 << 3)
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED           (1 << 4)
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE          (1 << 5)
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE (1 << 6)

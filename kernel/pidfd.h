/* SPDX-License-Identifier: MIT */
/*
 * kernel/pidfd.h - descriptors that stand for processes
 *
 * Room:   kernel.
 * Owns:   nothing; see pidfd.c.
 * Locks:  none held by callers, unless noted.
 * Always: (1) a descriptor stands for one process for ever, whoever gets its number later.
 * Source: pidfd_open(2).
 * Tour:   with kernel/pidfd.c.
 */
#pragma once

#include "task.h"
#include <asm/uaccess.h>

/* A new descriptor of the running task, close-on-exec; -EMFILE, -ENOMEM. @flags: O_NONBLOCK */
int __must_check pidfd_create(struct process *process, unsigned flags);

/* The process behind a descriptor, with a reference; it may be gone. @flags: of the file; may be
 * NULL. 0 or -EBADF. */
int __must_check pidfd_get(int fd, struct process **out, uint32_t *flags);

/* Its memory, with a reference. -ESRCH, -EACCES (not to be looked into). */
int __must_check process_memory(const struct process *process, enum access_as as, struct mm **out);

/* From exit and wait: what poll(2) tells of @process has changed. */
void pidfd_changed(const struct process *process);

int64_t sys_pidfd_open(int pid, unsigned flags);
int64_t sys_pidfd_send_signal(int fd, int signo, user_addr_t info, unsigned flags);
int64_t sys_pidfd_getfd(int fd, int target, unsigned flags);
int64_t sys_process_mrelease(int fd, unsigned flags);
int64_t sys_process_madvise(int fd, user_addr_t vector, uint64_t nr, int advice, unsigned flags);

/* SPDX-License-Identifier: MIT */
/*
 * kernel/cmsg.h - control messages, between a program's buffer and struct passed
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none at entry.
 * Always: see kernel/cmsg.c.
 * Source: cmsg(3).
 * Tour:   after kernel/scm.h.
 */
#pragma once

#include "scm.h"
#include <lib/addr.h>

/* What the running program wants to go with a message. 0, or an error with nothing in @p:
 * -EINVAL, -EBADF, -EPERM, -ESRCH, -EFAULT, -ETOOMANYREFS, -ENOBUFS, -ENOMEM. */
int __must_check cmsg_read(struct passed *p, user_addr_t from, size_t len);

/* Into the buffer of @h, whose flags say what did not fit; control_len: how much was written. */
void cmsg_write(struct uapi_msghdr *h, const struct passed *p, bool tell_cred, bool close_on_exec);

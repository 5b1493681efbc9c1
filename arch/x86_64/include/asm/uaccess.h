/* SPDX-License-Identifier: MIT */
/*
 * asm/uaccess.h - copying to and from a program's memory
 *
 * Room:   arch, public face.
 * Owns:   the only windows in which SMAP is open.
 * Locks:  none held by the caller that a page fault takes (mmap_lock above all).
 * Always: (1) an address outside the user half is refused before it is touched;
 *         (2) a refused access ends the copy and is reported, never a panic;
 *         (3) copies obey PKRU and page rights as the program's own accesses do;
 *         (4) in an address space of uaccess_ask() each copy asks upcall_copyable() first.
 * Source: Intel SDM 3A, "Access Rights"; design.md section 5.
 * Tour:   after asm/trap.h.
 */
#pragma once

#include <asm/memory_layout.h>
#include <asm/pgtable.h>
#include <lib/addr.h>
#include <lib/compiler.h>
#include <stddef.h>

/* Is [p, p+len) inside the user half? len 0 is fine anywhere in it. */
static inline bool user_range_ok(user_addr_t p, size_t len)
{
    return len <= USER_END && p.raw <= USER_END - len;
}

/* All or nothing is promised only to the error code: 0, or -EFAULT with a part copied. */
int __must_check copy_from_user(void *to, user_addr_t from, size_t len);
int __must_check copy_to_user(user_addr_t to, const void *from, size_t len);

/* As far as it goes: how many bytes were NOT copied or cleared. */
size_t copy_from_user_partial(void *to, user_addr_t from, size_t len);
size_t copy_to_user_partial(user_addr_t to, const void *from, size_t len);
size_t clear_user(user_addr_t to, size_t len);

/* A string with its NUL: length without it; -EFAULT; -ENAMETOOLONG when no NUL within @size. */
long __must_check copy_string_from_user(char *to, user_addr_t from, size_t size);

/**
 * uaccess_ask() - from now on, and for good, the kernel asks before it copies in this address space
 * A copy that is under way on another CPU goes on as it began: with pages that are there already.
 * Context: IRQs on, no spinning lock held.
 */
void uaccess_ask(struct pgtable *pgt);

static inline bool uaccess_asks(const struct pgtable *pgt)
{
    return !atomic_load(&pgt->copy_end);
}

/* A new address space, nowhere loaded, asks if @from does. */
static inline void uaccess_ask_as(struct pgtable *pgt, const struct pgtable *from)
{
    atomic_store(&pgt->copy_end, atomic_load(&from->copy_end));
}

/* Atomically replace *@at by @new if it is *@expected; *@expected becomes what was there. */
int __must_check cmpxchg32_user(user_addr_t at, uint32_t *expected, uint32_t new);

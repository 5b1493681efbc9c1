/* SPDX-License-Identifier: MIT */
/*
 * mm/giant.h - blocks larger than the buddy allocator's
 *
 * Room:   mm, private.
 * Owns:   nothing; see mm/giant.c.
 * Locks:  as page_alloc(); for a long time, so not under any that others wait for.
 * Always: -
 * Source: -
 * Tour:   with mm/giant.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

struct page;

/**
 * giant_alloc() - 1 << @order frames in one block, @order > PAGE_ORDER_MAX
 * @page: result: the head, in state KERNEL, with one reference; contents are anything
 * Return: 0, or -ENOMEM: no such block is free as a whole.
 */
int __must_check giant_alloc(unsigned order, struct page **page);

/* @page, as for giant_free(), becomes blocks of @order in the same state. */
void giant_cut(struct page *page, unsigned order);

/* @page: in state KERNEL, not mapped, at most one reference. */
void giant_free(struct page *page);

/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/fpu.h - saving and loading FPU and vector registers
 *
 * Room:   arch, private.
 * Owns:   the choice between FXSAVE and XSAVE.
 * Locks:  IRQs off around save and load of a task's area.
 * Always: (1) the kernel itself never touches these registers.
 * Source: Intel SDM 1, "Managing State Using the XSAVE Feature Set".
 * Tour:   with arch/x86_64/context.c.
 */
#pragma once

#include <lib/compiler.h>

/* Switch XSAVE on with every state component the kernel carries. Each CPU. */
void fpu_init_cpu(void);

void fpu_save(void *area);
void fpu_load(void *area);

/* What a new program starts with, without an area of its own. */
void fpu_load_initial(void);

/* Fill @area, which holds zeros, with what a new program starts with. */
void fpu_area_init(void *area);

/* An area's x87 and SSE registers in FXSAVE's form: what XSAVE left out is as at exec. Set: -EINVAL
 * for reserved bits of MXCSR, with nothing changed. */
void fpu_area_legacy_get(const void *area, void *out);
int __must_check fpu_area_legacy_set(void *area, const void *image);

/* All of an area, as signal frames carry it: what XSAVE left out is as at exec. */
void fpu_area_get(const void *area, void *out);

/* The components that an area has; without XSAVE 0. */
uint64_t fpu_area_present(const void *area);

/* Fill an area with what @image has, for which fpu_image_check() said yes. */
void fpu_area_set(void *area, const void *image);

/* Make an area zeros again. @written: the components that it has, or ever had since it was. */
void fpu_area_wipe(void *area, uint64_t written);

/* PKRU in an area; 0 when it is not in it. */
uint32_t fpu_area_pkru(const void *area);

/* Would XRSTOR take it? 0 or -EINVAL. */
int __must_check fpu_image_check(const void *image);

/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/fpu.c - saving and loading FPU and vector registers
 *
 * Room:   arch.
 * Owns:   XCR0, the layout and size of the area.
 * Locks:  none; see fpu.h.
 * Always: (1) the area is 64-byte aligned and in the standard (not compacted) format, which is what
 *             signal frames carry.
 * Source: Intel SDM 1, "XSAVE-Managed Features"; SDM 2A, "FXSAVE".
 * Tour:   with arch/x86_64/context.c.
 */
#include "fpu.h"

#include "insn.h"
#include "percpu.h"
#include <asm/context.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define XCR0_X87    (1UL << 0)
#define XCR0_SSE    (1UL << 1)
#define XCR0_AVX    (1UL << 2)
#define XCR0_AVX512 (7UL << 5)
#define XSTATE_PKRU 9 /* the component */
#define XCR0_PKRU   (1UL << XSTATE_PKRU)

#define FXSAVE_SIZE   512
#define FCW_DEFAULT   0x37f  /* all x87 exceptions masked */
#define MXCSR_DEFAULT 0x1f80 /* all SSE exceptions masked */
#define MXCSR_OFFSET  24
#define XSTATE_BV     512 /* offset of the header that says which components are there */
#define XSAVE_HEADER  64

static uint8_t initial_area[PAGE_SIZE] __aligned(64); /* filled by the boot CPU */
static uint64_t xcr0;                                 /* 0: FXSAVE only */
static size_t area_size = FXSAVE_SIZE;
static const uint32_t mxcsr_mask = 0xffff;

#define FIRST_EXTENDED 2 /* components: 0 is x87, 1 is SSE */
#define LAST_EXTENDED  XSTATE_PKRU
#define SOFTWARE_WORDS 464 /* of the image: the first says which components it may have */

/* Where an extended component lies in an area; filled by the boot CPU. */
static struct component {
    uint32_t offset, size;
} components[LAST_EXTENDED + 1];

static void components_read(void)
{
    for (unsigned n = FIRST_EXTENDED; n <= LAST_EXTENDED; n++) {
        struct cpuid r = cpuid(0xd, n);
        components[n] = (struct component){r.ebx, r.eax};
    }
}

static void xsave_enable(void)
{
    struct cpuid supported = cpuid(0xd, 0);
    uint64_t wanted = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_PKRU;
    if ((supported.eax & XCR0_AVX512) == XCR0_AVX512)
        wanted |= XCR0_AVX512;
    if (!cpu_has(CPU_PKU))
        wanted &= ~XCR0_PKRU;
    xcr0 = wanted & supported.eax;
    xsetbv(0, xcr0);
    area_size = cpuid(0xd, 0).ebx; /* for what XCR0 has now */
    if (cpu_id() == 0)
        components_read();
}

void fpu_init_cpu(void)
{
    __asm__ volatile("fninit");
    if (cpu_has(CPU_XSAVE))
        xsave_enable();
    if (cpu_id() == 0)
        fpu_area_init(initial_area);
}

void fpu_save(void *area)
{
    if (cpu_has(CPU_XSAVEOPT))
        __asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else if (xcr0)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void fpu_load(void *area)
{
    if (xcr0)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void fpu_area_init(void *area)
{
    *(uint16_t *)area = FCW_DEFAULT;
    *(uint32_t *)((char *)area + MXCSR_OFFSET) = MXCSR_DEFAULT;
    if (xcr0)
        *(uint64_t *)((char *)area + XSTATE_BV) = XCR0_X87 | XCR0_SSE;
}

#define XMM_OFFSET 160 /* of an FXSAVE image: before it x87, MXCSR and its mask between */
#define XMM_BYTES  256

void fpu_area_legacy_get(const void *area, void *out)
{
    uint64_t present = xcr0 ? *(const uint64_t *)((const char *)area + XSTATE_BV) : ~0UL;

    memcpy(out, area, FXSAVE_SIZE);
    if (!(present & XCR0_X87)) {
        uint64_t mxcsr = *(const uint64_t *)((const char *)area + MXCSR_OFFSET);
        memset(out, 0, XMM_OFFSET);
        *(uint16_t *)out = FCW_DEFAULT;
        *(uint64_t *)((char *)out + MXCSR_OFFSET) = mxcsr;
    }
    if (!(present & XCR0_SSE))
        memset((char *)out + XMM_OFFSET, 0, XMM_BYTES);
}

int fpu_area_legacy_set(void *area, const void *image)
{
    if (*(const uint32_t *)((const char *)image + MXCSR_OFFSET) & ~mxcsr_mask)
        return -EINVAL;
    memcpy(area, image, FXSAVE_SIZE);
    if (xcr0)
        *(uint64_t *)((char *)area + XSTATE_BV) |= XCR0_X87 | XCR0_SSE;
    return 0;
}

void fpu_area_get(const void *area, void *out)
{
    uint64_t present = *(const uint64_t *)((const char *)area + XSTATE_BV);

    memcpy(out, area, area_size);
    fpu_area_legacy_get(area, out);
    *(uint64_t *)((char *)out + SOFTWARE_WORDS) = xcr0;
    for (unsigned n = FIRST_EXTENDED; n <= LAST_EXTENDED; n++) {
        if (!(xcr0 & ~present & 1UL << n))
            continue;
        memset((char *)out + components[n].offset, 0, components[n].size);
    }
}

uint64_t fpu_area_present(const void *area)
{
    return xcr0 ? *(const uint64_t *)((const char *)area + XSTATE_BV) : 0;
}

void fpu_area_wipe(void *area, uint64_t written)
{
    memset(area, 0, xcr0 ? XSTATE_BV + XSAVE_HEADER : FXSAVE_SIZE);
    for (unsigned n = FIRST_EXTENDED; n <= LAST_EXTENDED; n++)
        if (written & xcr0 & 1UL << n)
            memset((char *)area + components[n].offset, 0, components[n].size);
}

void fpu_area_set(void *area, const void *image)
{
    uint64_t present = fpu_area_present(image);

    memcpy(area, image, xcr0 ? XSTATE_BV + XSAVE_HEADER : FXSAVE_SIZE);
    for (unsigned n = FIRST_EXTENDED; n <= LAST_EXTENDED; n++)
        if (present & 1UL << n)
            memcpy((char *)area + components[n].offset, (const char *)image + components[n].offset,
                   components[n].size);
}

uint32_t fpu_area_pkru(const void *area)
{
    const char *bytes = area;

    if (!(*(const uint64_t *)(bytes + XSTATE_BV) & XCR0_PKRU))
        return 0;
    return *(const uint32_t *)(bytes + components[XSTATE_PKRU].offset);
}

void fpu_load_initial(void)
{
    fpu_load(initial_area);
}

size_t fpu_size(void)
{
    return area_size;
}

uint64_t fpu_features(void)
{
    return xcr0;
}

/* Whole: XSAVEOPT leaves out what it thinks is in memory already, and this is other memory. */
void fpu_save_to(void *image)
{
    if (xcr0)
        __asm__ volatile("xsave64 (%0)" ::"r"(image), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(image) : "memory");
}

void fpu_image_keep_legacy(void *image)
{
    uint64_t *header = (uint64_t *)((char *)image + XSTATE_BV);
    memset(header, 0, area_size - XSTATE_BV);
    header[0] = XCR0_X87 | XCR0_SSE;
}

int fpu_image_check(const void *image)
{
    const uint64_t *header = (const uint64_t *)((const char *)image + XSTATE_BV);

    if (*(const uint32_t *)((const char *)image + MXCSR_OFFSET) & ~mxcsr_mask)
        return -EINVAL;
    if (!xcr0)
        return 0;
    if (header[0] & ~xcr0)
        return -EINVAL;
    for (unsigned i = 1; i < XSAVE_HEADER / sizeof(*header); i++)
        if (header[i])
            return -EINVAL;
    return 0;
}

int fpu_restore_from(void *image)
{
    int err = fpu_image_check(image);
    if (!err)
        fpu_load(image);
    return err;
}

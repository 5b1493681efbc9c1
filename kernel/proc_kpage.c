/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_kpage.c - /proc/kpagecount and kpageflags: a word for each frame of the machine
 *
 * Room:   kernel.
 * Owns:   their formats.
 * Locks:  none: frames change while they are looked at, as in Linux.
 * Always: (1) a frame without RAM is told as such; behind the last frame the files end.
 * Source: Linux Documentation/admin-guide/mm/pagemap.rst.
 * Tour:   after kernel/proc_memory.c; include/mm/page.h.
 */
#include "files.h"
#include "proc.h"
#include "text_file.h"
#include <mm/page.h>
#include <uapi/errno.h>

/* Bits of kpageflags. */
#define KPF_REFERENCED    (1UL << 2)
#define KPF_UPTODATE      (1UL << 3)
#define KPF_DIRTY         (1UL << 4)
#define KPF_LRU           (1UL << 5)
#define KPF_SLAB          (1UL << 7)
#define KPF_BUDDY         (1UL << 10)
#define KPF_MMAP          (1UL << 11)
#define KPF_ANON          (1UL << 12)
#define KPF_SWAPBACKED    (1UL << 14)
#define KPF_COMPOUND_HEAD (1UL << 15)
#define KPF_COMPOUND_TAIL (1UL << 16)
#define KPF_HUGE          (1UL << 17)
#define KPF_UNEVICTABLE   (1UL << 18)
#define KPF_NOPAGE        (1UL << 20)
#define KPF_THP           (1UL << 22)
#define KPF_ZERO_PAGE     (1UL << 24)
#define KPF_PGTABLE       (1UL << 26)

#define WORDS_AT_ONCE 64

static uint64_t count_word(const struct frame_seen *seen)
{
    return seen->leaves;
}

/* What kind of memory the frame holds. */
static uint64_t kind_bits(const struct frame_seen *seen)
{
    switch (seen->state) {
    case PAGE_HOLE:
        return KPF_NOPAGE;
    case PAGE_SLAB:
        return KPF_SLAB;
    case PAGE_TABLE:
        return KPF_PGTABLE;
    case PAGE_FREE:
        return seen->tail ? 0 : KPF_BUDDY; /* the head alone, as in Linux */
    case PAGE_ANON:
        return KPF_UPTODATE | KPF_LRU | KPF_SWAPBACKED | KPF_ANON;
    case PAGE_OBJECT:
        return KPF_UPTODATE | KPF_LRU | KPF_SWAPBACKED | KPF_DIRTY;
    case PAGE_SECRET:
        return KPF_UPTODATE | KPF_UNEVICTABLE;
    case PAGE_HUGETLB:
        return KPF_UPTODATE | KPF_HUGE;
    case PAGE_POOL:
        return KPF_HUGE;
    default:
        return 0;
    }
}

static uint64_t flags_word(const struct frame_seen *seen)
{
    bool used = seen->state >= PAGE_KERNEL && seen->state < PAGE_STATES;
    bool huge = seen->order && (seen->state == PAGE_ANON || seen->state == PAGE_OBJECT);
    uint64_t bits = kind_bits(seen);

    if (seen->leaves)
        bits |= KPF_MMAP | KPF_REFERENCED;
    if (used && seen->order)
        bits |= seen->tail ? KPF_COMPOUND_TAIL : KPF_COMPOUND_HEAD;
    return bits | (huge ? KPF_THP : 0) | (seen->zeros ? KPF_ZERO_PAGE : 0);
}

typedef uint64_t (*word_of)(const struct frame_seen *seen);

static int64_t words_read(word_of word, struct object_copy *c, size_t len, uint64_t *pos)
{
    uint64_t words[WORDS_AT_ONCE], pfn = *pos / sizeof(words[0]), end = frames_end();
    struct frame_seen seen;
    size_t done = 0;

    if (*pos % sizeof(words[0]) || len % sizeof(words[0]))
        return -EINVAL;
    while (done < len && pfn < end) {
        uint64_t nr = min(min((len - done) / sizeof(words[0]), end - pfn), (uint64_t)WORDS_AT_ONCE);
        for (uint64_t i = 0; i < nr; i++) {
            frame_see(pfn + i, &seen);
            words[i] = word(&seen);
        }
        size_t left = c->copy(c, words, done, nr * sizeof(words[0]));
        done += nr * sizeof(words[0]) - left;
        pfn += nr;
        if (left)
            break;
    }
    *pos += done;
    return done || !len || pfn >= end ? (int64_t)done : -EFAULT;
}

static int64_t count_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)f;
    return words_read(count_word, c, len, pos);
}

static int64_t flags_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)f;
    return words_read(flags_word, c, len, pos);
}

static const struct file_ops count_ops = {.read = count_read}, flags_ops = {.read = flags_read};

const struct text_kind proc_kpage_files[] = {
    {"kpagecount", 0400, .ops = &count_ops}, {"kpageflags", 0400, .ops = &flags_ops}, {NULL}};

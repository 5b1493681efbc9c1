/* SPDX-License-Identifier: MIT */
/*
 * include/base/bug.h - bugs that others had, put back on purpose
 *
 * Room:   base: whoever has the cure of one may ask whether it is to be left out.
 * Owns:   their numbers; tests/bugs/run has what each was, and which test must see it.
 * Locks:  none: chosen once, at boot.
 * Always: (1) in a kernel built without -DBUGS=1 no bug is back, and no trace of the question left;
 *         (2) at most one is back: bug=N of the kernel's command line, N the number.
 * Source: the faults of other kernels, by tests/bugs/run; Linux's commits and CVEs.
 * Tour:   after include/base/fail.h.
 */
#pragma once

#include <asm/spinlock.h>
#include <stdbool.h>
#include <stdint.h>

enum bug {
    BUG_NONE,
    BUG_B01,      /* who forces a write asks for a copy once, and then for any page */
    BUG_B02,      /* a dirty leaf is taken for one of a copy, and who reads makes it dirty */
    BUG_B03,      /* the same, and what comes as an answer is dirty */
    BUG_B04,      /* a private page with one leaf is its alone, whoever has it otherwise */
    BUG_B05,      /* a huge leaf that is split is not counted for a moment */
    BUG_B06,      /* a page that is kept is shared by a fork */
    BUG_B07,      /* a child can write its parent's huge pages */
    BUG_B08,      /* rights that are given back hide the first write */
    BUG_B09,      /* a page is pinned by what its leaf was */
    BUG_B10,      /* a count of references falls again, however often it was raised */
    BUG_B11,      /* what moved is flushed after it can be cut off at its new place */
    BUG_B12,      /* what moves is not kept from those who cut */
    BUG_B13,      /* a table goes while somebody cuts along it */
    BUG_B14,      /* a huge page moves whole, wherever it goes */
    BUG_B16 = 16, /* a table goes that a neighbour's fault may be in */
    BUG_B17,      /* who unmaps does not wait for those who cut, nor they for him */
    BUG_B18,      /* what somebody else discards at the moment is taken for gone */
    BUG_B19,      /* of two ranges that are gathered one is flushed */
    BUG_B20,      /* an address space knows of a CPU after that has loaded it */
    BUG_B22 = 22, /* a PCID is given to another space with what it remembers */
    BUG_B23,      /* code is in a large and in a small leaf at once */
    BUG_B24,      /* what nobody may touch names its frame */
    BUG_B25,      /* tables are freed when what lies around may grow into them */
    BUG_B26,      /* what was a large leaf is taken for one when it is a table */
    BUG_B27,      /* an area is freed while somebody looks for his */
    BUG_B28,      /* a copy of an area is believed after that has changed */
    BUG_B29,      /* a fork does not wait for those who fault */
    BUG_B32 = 32, /* an area whose making failed late stays */
    BUG_B33,      /* no length is a length to move to */
    BUG_B34,      /* a stack grows up to what lies below it */
    BUG_B35,      /* what a file has in two places is taken for one */
    BUG_B36 = 36, /* sealing does not ask whether somebody has a page */
    BUG_B37 = 37, /* a huge page of a file counts as if somebody had it */
    BUG_B38 = 38, /* a device looks at the seals before it takes the lock */
    BUG_B39 = 39, /* a device writes to what will not be written to */
    BUG_B40 = 40, /* what is mapped to read after the seal may be made writable */
    BUG_B41 = 41, /* sealing refuses private mappings */
    BUG_B42 = 42, /* sealing refuses mappings that only read */
    BUG_B43 = 43, /* sealing does not wait for a write that is under way */
    BUG_B44 = 44, /* what is spliced into a pipe may be written to by who writes to the pipe */
    BUG_B45 = 45, /* what runs is written */
    BUG_B46 = 46, /* a program's answers reach memory that it may not write */
    BUG_B47 = 47, /* mincore() tells everybody which pages of a file are there */
    BUG_B48 = 48, /* the secret page of the fault that came second is freed as it is */
    BUG_B49 = 49, /* who keeps pages asks the page, not the mapping, whether it is secret */
    BUG_B50 = 50, /* nobody is asked what he may do with a secret file */
    BUG_B51 = 51, /* the size of a secret file changes again, and a part of a page is cleared */
    BUG_B52 = 52, /* who reads for others does not ask whether the kernel can */
    BUG_B53 = 53, /* a count that fell to 0 is taken for dead */
    BUG_B54 = 54, /* the direct map's leaves may be executed */
    BUG_B55 = 55, /* the direct map has the kernel's code, too, and can write it */
    BUG_B56 = 56, /* truncation gives back a promise that a fault redeems */
    BUG_B57 = 57, /* a reservation that fails leaves its file system's quota used */
    BUG_B58 = 58, /* an offset into a file of huge pages is checked in pages only */
    BUG_B59 = 59, /* MADV_DONTNEED lets a fault see its huge page gone and not yet promised again */
    BUG_B60 = 60, /* what moves away from who is told of its first write stays marked */
    BUG_B61 = 61, /* what is discarded loses the mark that somebody is told of its first write */
    BUG_B62 = 62, /* a protection key is freed while areas have it, though that is not wanted */
    BUG_B63 = 63, /* a child does not know which keys its parent has given out */
    BUG_B64 = 64, /* the kernel touches for a program what the program has shut for itself */
    BUG_B65 = 65, /* a handler goes on with the rights by key that were in force */

    BUG_B70 = 70, /* a shootdown's interrupt is not sent */
    BUG_B71,      /* a shootdown leaves out a CPU */
    BUG_B72,      /* frames are free before the flush */
    BUG_B73,      /* what a huge leaf lost before it was split is not flushed */
    BUG_B74,      /* small leaves are forgotten in steps of large ones */
    BUG_B75,      /* who flushed for one generation takes the next for flushed, too */
    BUG_B76,      /* kernel addresses are not flushed */
    BUG_B77,      /* global translations are to go by a load of CR3 */
    BUG_B78,      /* a sweep leaves out a CPU */
    BUG_B79,      /* who answers early does not flush before he returns */
    BUG_B80,      /* a lazy CPU wakes, and goes on with what it remembers */
    BUG_B81,      /* a CPU that is loading a space is taken for one that does not use it */
    BUG_B82,      /* a CPU that is catching up is taken for one that has */
    BUG_B83,      /* who was late sees what he took away when he comes to another CPU */
    BUG_B84,      /* who unmaps what another was late with goes on using it */
    BUG_B85,      /* a CPU's own root leads where the address space does not know of it */
    BUG_B86       /* who runs again while the others are stopped is not waited for */
};

/* Which is back. Written by kernel/main.c before the first program. */
extern uint64_t bug_chosen;

/* Shall the caller do without the cure of @bug? Stands where the cure is, never elsewhere. */
static inline bool bug_is_back(enum bug bug)
{
    return BUGS && bug_chosen == bug;
}

/* Some races are lost in so short a moment that nobody would meet it by chance: if @bug is back, it
 * is long. Any context in which another CPU can go on. */
static inline void bug_moment(enum bug bug)
{
    enum { PAUSES = 20000 };

    for (unsigned i = 0; bug_is_back(bug) && i < PAUSES; i++)
        cpu_relax();
}

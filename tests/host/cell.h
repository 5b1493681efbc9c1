/* SPDX-License-Identifier: MIT */
/*
 * tests/host/cell.h - one case of the exhaustive table: one page, what befell it, one access
 *
 * Room:   tests/host.
 * Owns:   the table's dimensions, and what is told of a cell.
 * Locks:  none.
 * Always: (1) the page is mapped to be read and written (a sealed object: to be read), its past
 *             comes about, then its company, tracking begins, mprotect() sets the rights, and the
 *             access is made.
 * Source: trust.md P5.
 * Tour:   before tests/host/reference.c and tests/host/test_table.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum kind { SMALL, HUGE, FILE_PAGES, POOL_PAGES, SECRETS, KINDS }; /* SMALL, HUGE: anonymous */
enum seal { NO_SEAL, SEALED, SEALED_FOR_FUTURE, SEAL_CASES };
enum past {
    UNTOUCHED,
    WAS_READ,
    WRITTEN,
    DISCARDED, /* written, as all that follow: MADV_DONTNEED */
    READ_ONLY,
    MOVED,
    CLOSED, /* PROT_NONE; and from here on nobody can read it */
    GUARDED,
    LOST, /* discarded, and UFFDIO_POISON */
    GONE, /* unmapped; if it is an object's, that was truncated */
    PASTS
};
enum key { NO_KEY, KEY_READS, KEY_SHUT, KEYS }; /* what the program may do with it */
enum company { ALONE, FORKED, KEPT, COMPANIES };
enum way { READS, WRITES, EXECUTES, FORCES_READ, FORCES_WRITE, KEEPS_TO_WRITE, WAYS };

#define RIGHTS 8 /* 1 read, 2 write, 4 execute */

struct cell {
    unsigned rights;
    bool shared;
    enum kind kind;
    enum seal seal;
    bool told;    /* a program is told of first writes: UFFDIO_WRITEPROTECT, before the company */
    bool tracked; /* writes are, since just before mprotect() */
    enum key key; /* that mprotect() gives */
    enum past past;
    enum company company;
    enum way way;
};

enum verdict {
    DONE,
    NO_AREA,
    NO_RIGHT,
    KEY_REFUSES,
    BEYOND,
    IS_LOST,
    IS_TOLD,
    REFUSED /* by the kernel, -EFAULT */
};

#define NOTHING (~0UL) /* no word: no page */

#define WORD_BEFORE  3 /* of an object that is sealed */
#define WORD_WRITTEN 1
#define WORD_NEW     2 /* what the access writes */

struct outcome {
    bool exists;  /* the past and the company can come about; else nothing below counts */
    int protect;  /* what mprotect() said */
    bool flushed; /* .. and whether it flushed */
    enum verdict verdict;
    bool faulted;    /* the program's access needed the kernel */
    uint64_t word;   /* under the leaf, afterwards */
    uint64_t object; /* in the object's page */
    uint64_t child;  /* what the child reads */
    uint64_t kept;   /* in the page that is kept */
    bool soft_dirty; /* as pagemap tells it */
};

/* tests/host/reference.c: what must be. */
struct outcome reference(const struct cell *c);

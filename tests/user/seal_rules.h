/* SPDX-License-Identifier: MIT */
/*
 * tests/user/seal_rules.h - what seals mean: which error every way to change a file has to give
 *
 * Room:   tests/user. No calls: only numbers in, numbers out.
 * Owns:   the rules.
 * Locks:  none.
 * Always: (1) a seal counts from the call that set it: what was mapped before keeps its rights;
 *         (2) a call that cannot add all its seals adds none.
 * Source: fcntl(2) "File Sealing"; observed on Linux 6.18.
 * Tour:   before tests/user/seal_matrix.c.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20 /* newer than some C libraries */
#endif

enum kind { SMALL, THP, HUGETLB, SECRET, HUGE_SECRET, KINDS }; /* of pages */
enum state { FRESH, MAPPED_RW, MAPPED_RO, PINNED, STATES };    /* of the file when it is sealed */

enum way {
    WRITE,
    PWRITEV,
    WRITE_PAST_END,
    SPLICE,
    SENDFILE,
    COPY_FILE_RANGE,
    STORE,        /* through a new mapping */
    STORE_PINNED, /* the same, of a page that lies in a pipe then */

    /* Through the mapping that is there already, or a new one if none is. */
    PROTECT,   /* mprotect to writable, then a store */
    REMAP,     /* mremap to twice the size, then a store beyond */
    VM_WRITEV, /* process_vm_writev */
    MEM_FILE,  /* /proc/self/mem */
    FILL_HOLE, /* UFFDIO_COPY into the second unit, where a hole is */
    MADVISE_REMOVE,

    PUNCH_HOLE,
    SHRINK,          /* ftruncate */
    OPEN_TRUNC,      /* open(O_TRUNC) of /proc/self/fd/N */
    GROW,            /* ftruncate */
    ALLOCATE,        /* fallocate beyond the end */
    ALLOCATE_KEEP,   /* the same, leaving the size */
    ALLOCATE_INSIDE, /* fallocate within it */
    CHANGE_MODE,     /* fchmod of the right to execute */
    ADD_SEAL,
    UDMABUF, /* of its first unit */
    WAYS
};

#define NO_WRITING (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

struct answer {
    int of_sealing, of_way; /* errno; 0: it succeeds */
};

/* To seal what can be executed is to seal what it is. */
static int seals_meant(int seals, bool executable)
{
    return seals & F_SEAL_EXEC && executable ? seals | F_SEAL_SHRINK | F_SEAL_GROW | NO_WRITING
                                             : seals;
}

/* The error of making a mapping that may write, if there is none. */
static int error_of_mapping(int seals, enum state state)
{
    return state != MAPPED_RW && state != MAPPED_RO && (seals & NO_WRITING) ? EPERM : 0;
}

/* Secret memory: no call moves its bytes, nobody else has its pages, its size is set already. 0:
 * as of other kinds. */
static int error_of_secret(enum way way, int seals, enum kind kind, enum state state)
{
    int of_mapping = error_of_mapping(seals, state);

    switch (way) {
    case WRITE:
    case PWRITEV:
    case WRITE_PAST_END:
    case SENDFILE:
        return ESPIPE;
    case SPLICE:
    case FILL_HOLE:
    case SHRINK:
    case OPEN_TRUNC:
    case GROW:
        return EINVAL;
    case COPY_FILE_RANGE:
        return EXDEV;
    case STORE_PINNED:
        return seals & NO_WRITING ? EPERM : ENFILE;
    case VM_WRITEV:
        return of_mapping ? of_mapping : EFAULT;
    case MEM_FILE:
        return of_mapping ? of_mapping : EIO;
    case MADVISE_REMOVE:
        return of_mapping ? of_mapping : EINVAL;
    case REMAP:
        return of_mapping ? of_mapping : kind == HUGE_SECRET ? EINVAL : 0;
    case PUNCH_HOLE:
    case ALLOCATE:
    case ALLOCATE_KEEP:
    case ALLOCATE_INSIDE:
        return EOPNOTSUPP;
    case UDMABUF:
        return EBADFD;
    default:
        return 0;
    }
}

/* @seals are in force. */
static int error_of(enum way way, int seals, enum kind kind, enum state state)
{
    int if_no_writing = seals & NO_WRITING ? EPERM : 0, if_grow = seals & F_SEAL_GROW ? EPERM : 0;
    int of_mapping = error_of_mapping(seals, state);
    int of_secret = kind >= SECRET ? error_of_secret(way, seals, kind, state) : 0;

    if (of_secret)
        return of_secret;
    switch (way) {
    case COPY_FILE_RANGE:
        return kind == HUGETLB ? EXDEV : if_no_writing; /* from a file of small pages */
    case WRITE:
    case PWRITEV:
    case SPLICE:
    case SENDFILE:
        return kind == HUGETLB ? EINVAL : if_no_writing; /* hugetlbfs has no write() */
    case WRITE_PAST_END:
        return kind == HUGETLB ? EINVAL : if_no_writing | if_grow;
    case PROTECT:
        return of_mapping ? EACCES : 0; /* may be mapped to read, without the right to more */
    case REMAP:
        return of_mapping ? of_mapping : kind == HUGETLB ? EINVAL : state == MAPPED_RO ? EFAULT : 0;
    case VM_WRITEV:
        return state == MAPPED_RO ? EFAULT : of_mapping;
    case MEM_FILE:
        return state == MAPPED_RO ? EIO : of_mapping;
    case FILL_HOLE: /* wants the right to write, be it not used: a mapping that reads may have it */
        return of_mapping;
    case STORE:
    case STORE_PINNED:
    case MADVISE_REMOVE: /* is a hole in the file, whoever may write the mapping */
    case PUNCH_HOLE:
        return if_no_writing;
    case SHRINK:
    case OPEN_TRUNC:
        return seals & F_SEAL_SHRINK ? EPERM : 0;
    case GROW:
    case ALLOCATE:
    case ALLOCATE_KEEP: /* what is beyond the end counts as growth though the size stays */
        return if_grow;
    case CHANGE_MODE: /* Linux asks for shmem only: its hugetlbfs has no such check */
        return seals & F_SEAL_EXEC && kind != HUGETLB ? EPERM : 0;
    case ADD_SEAL:
        return seals & F_SEAL_SEAL ? EPERM : 0;
    case UDMABUF: /* others write to it, and rely on its size */
        return !(seals & F_SEAL_SHRINK) || if_no_writing ? EINVAL : 0;
    default: /* ALLOCATE_INSIDE: zeros where zeros were */
        return 0;
    }
}

__attribute__((unused)) static struct answer answer_of(enum way way, int seals, bool executable,
                                                       enum kind kind, enum state state)
{
    int meant = seals_meant(seals, executable);
    bool busy = (meant & F_SEAL_WRITE) && state != FRESH; /* somebody could still write */

    return (struct answer){busy ? EBUSY : 0, error_of(way, busy ? 0 : meant, kind, state)};
}

/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/errno.h - the error numbers of the Linux ABI
 *
 * Room:   uapi. Numbers only; uses no type of ours.
 * Owns:   the names of errors. Functions return them negated: -ENOMEM.
 * Locks:  none.
 * Always: (1) a number here is the number that an x86-64 Linux program sees.
 * Source: errno(3); the x86-64 System V ABI as used by Linux.
 * Tour:   after include/lib/addr.h.
 */
#pragma once

#define EPERM           1  /* not permitted */
#define ENOENT          2  /* no such file or entry */
#define ESRCH           3  /* no such process */
#define EINTR           4  /* interrupted by a signal */
#define EIO             5  /* input or output failed */
#define ENXIO           6  /* no such device or address */
#define E2BIG           7  /* argument list too long */
#define ENOEXEC         8  /* not an executable we know */
#define EBADF           9  /* bad descriptor */
#define ECHILD          10 /* no child to wait for */
#define EAGAIN          11 /* try again */
#define ENOMEM          12 /* out of memory */
#define EACCES          13 /* access denied */
#define EFAULT          14 /* bad user address */
#define ENOTBLK         15
#define EBUSY           16 /* in use */
#define EEXIST          17 /* exists already */
#define EXDEV           18
#define ENODEV          19 /* the object cannot do this */
#define ENOTDIR         20
#define EISDIR          21
#define EINVAL          22 /* invalid argument */
#define ENFILE          23
#define EMFILE          24 /* too many open descriptors */
#define ENOTTY          25 /* no such ioctl here */
#define ETXTBSY         26
#define EFBIG           27 /* file too large */
#define ENOSPC          28 /* no space left */
#define ESPIPE          29 /* cannot seek */
#define EROFS           30
#define EMLINK          31
#define EPIPE           32
#define EDOM            33
#define ERANGE          34 /* number out of range */
#define EDEADLK         35
#define ENAMETOOLONG    36
#define ENOLCK          37
#define ENOSYS          38 /* no such system call */
#define ENOTEMPTY       39
#define ELOOP           40
#define EWOULDBLOCK     EAGAIN
#define ENOMSG          42
#define EIDRM           43
#define ENODATA         61
#define ETIME           62
#define EPROTO          71
#define EBADMSG         74
#define EBADFD          77
#define EOVERFLOW       75 /* value does not fit its type */
#define ELIBBAD         80 /* the loader of a program is none */
#define EILSEQ          84
#define EUSERS          87
#define ENOTSOCK        88
#define EDESTADDRREQ    89
#define EMSGSIZE        90
#define EPROTOTYPE      91
#define ENOPROTOOPT     92
#define EPROTONOSUPPORT 93
#define ESOCKTNOSUPPORT 94
#define EOPNOTSUPP      95
#define ENOTSUP         EOPNOTSUPP
#define EAFNOSUPPORT    97
#define EADDRINUSE      98
#define ECONNRESET      104
#define ENOBUFS         105
#define EISCONN         106
#define ENOTCONN        107
#define ETOOMANYREFS    109
#define ETIMEDOUT       110
#define ECONNREFUSED    111
#define EALREADY        114
#define EINPROGRESS     115
#define ESTALE          116
#define EUCLEAN         117 /* a structure is broken: what checkers return */
#define EDQUOT          122
#define ECANCELED       125
#define EOWNERDEAD      130
#define ENOTRECOVERABLE 131
#define EHWPOISON       133

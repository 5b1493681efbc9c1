/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_socket.h - the system calls about sockets, and what they have in common
 *
 * Room:   kernel.
 * Owns:   struct socket_address: an address as a program gave it.
 * Locks:  none at entry.
 * Always: (1) the order of checks is Linux's.
 * Source: the man page of each.
 * Tour:   with kernel/sys_socket.c, sys_message.c, sockopt.c.
 */
#pragma once

#include "socket.h"
#include <lib/addr.h>

struct socket_address {
    int len; /* 0: there is none */
    union {
        struct uapi_sockaddr_storage any;
        struct uapi_sockaddr_un local;
    };
};

/* The socket behind a descriptor of the running task, with a reference on its file. -EBADF,
 * -ENOTSOCK. */
int __must_check fd_get_socket(int fd, struct file **out);

/* -EINVAL: it is too long for any family; -EFAULT. */
int __must_check address_read(user_addr_t from, int len, struct socket_address *out);

/* Write the address of @name (NULL: that of no name) where there is room for *@len_at bytes; its
 * length to @len_at. -EINVAL, -EFAULT. */
int __must_check address_write(const struct socket_name *name, user_addr_t to, user_addr_t len_at);

/* sys_socket.c */
int64_t sys_socket(int family, int type, int protocol);
int64_t sys_socketpair(int family, int type, int protocol, user_addr_t out);
int64_t sys_bind(int fd, user_addr_t address, int len);
int64_t sys_listen(int fd, int backlog);
int64_t sys_accept(int fd, user_addr_t address, user_addr_t len_at);
int64_t sys_accept4(int fd, user_addr_t address, user_addr_t len_at, int flags);
int64_t sys_connect(int fd, user_addr_t address, int len);
int64_t sys_getsockname(int fd, user_addr_t address, user_addr_t len_at);
int64_t sys_getpeername(int fd, user_addr_t address, user_addr_t len_at);
int64_t sys_shutdown(int fd, int how);

/* sys_message.c */
int64_t sys_sendto(int fd, user_addr_t buf, size_t len, unsigned flags, user_addr_t address,
                   int address_len);
int64_t sys_recvfrom(int fd, user_addr_t buf, size_t len, unsigned flags, user_addr_t address,
                     user_addr_t address_len_at);
int64_t sys_sendmsg(int fd, user_addr_t header, unsigned flags);
int64_t sys_recvmsg(int fd, user_addr_t header, unsigned flags);
int64_t sys_sendmmsg(int fd, user_addr_t headers, unsigned nr, unsigned flags);
int64_t sys_recvmmsg(int fd, user_addr_t headers, unsigned nr, unsigned flags, user_addr_t timeout);

/* sockopt.c */
int64_t sys_getsockopt(int fd, int level, int option, user_addr_t value, user_addr_t len_at);
int64_t sys_setsockopt(int fd, int level, int option, user_addr_t value, int len);

/* For the table of kernel/syscall.c. */
#define SYS_SOCKET_CALLS                                                                   \
    CALL(socket), CALL(socketpair), CALL(bind), CALL(listen), CALL(accept), CALL(accept4), \
        CALL(connect), CALL(getsockname), CALL(getpeername), CALL(shutdown), CALL(sendto), \
        CALL(recvfrom), CALL(sendmsg), CALL(recvmsg), CALL(sendmmsg), CALL(recvmmsg),      \
        CALL(getsockopt), CALL(setsockopt)

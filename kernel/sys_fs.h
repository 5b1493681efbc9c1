/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_fs.h - the system calls about files and names
 *
 * Room:   kernel. Only kernel/syscall.c calls these.
 * Owns:   nothing; the list of them for the table.
 * Locks:  none at entry.
 * Always: (1) the result is a value or a negative errno; (2) user pointers are user_addr_t;
 *         (3) the order of checks is Linux's.
 * Source: the man page of each.
 * Tour:   with kernel/sys_fs.c, sys_path.c, sys_attr.c, pipe.c, poll.c.
 */
#pragma once

#include <lib/addr.h>
#include <stddef.h>
#include <stdint.h>

/* sys_rw.c, sys_fs.c: by descriptor */
int64_t sys_read(int fd, user_addr_t buf, size_t len);
int64_t sys_write(int fd, user_addr_t buf, size_t len);
int64_t sys_pread64(int fd, user_addr_t buf, size_t len, int64_t pos);
int64_t sys_pwrite64(int fd, user_addr_t buf, size_t len, int64_t pos);
int64_t sys_readv(int fd, user_addr_t vector, size_t nr);
int64_t sys_writev(int fd, user_addr_t vector, size_t nr);
int64_t sys_preadv(int fd, user_addr_t vector, size_t nr, int64_t pos);
int64_t sys_pwritev(int fd, user_addr_t vector, size_t nr, int64_t pos);
int64_t sys_preadv2(int fd, user_addr_t vector, size_t nr, int64_t pos, uint64_t pos_high,
                    unsigned flags);
int64_t sys_pwritev2(int fd, user_addr_t vector, size_t nr, int64_t pos, uint64_t pos_high,
                     unsigned flags);
int64_t sys_lseek(int fd, int64_t offset, int whence);
int64_t sys_close(int fd);
int64_t sys_dup(int fd);
int64_t sys_dup2(int fd, int to);
int64_t sys_dup3(int fd, int to, int flags);
int64_t sys_fcntl(int fd, unsigned cmd, uint64_t arg);
int64_t sys_ioctl(int fd, unsigned cmd, uint64_t arg);
int64_t sys_ftruncate(int fd, int64_t size_bytes);
int64_t sys_fallocate(int fd, unsigned mode, int64_t offset, int64_t len);
int64_t sys_getdents64(int fd, user_addr_t out, unsigned size);
int64_t sys_fsync(int fd);
int64_t sys_sync(void);
int64_t sys_syncfs(int fd);
int64_t sys_sync_file_range(int fd, int64_t offset, int64_t len, unsigned flags);
int64_t sys_readahead(int fd, int64_t offset, size_t len);
int64_t sys_fadvise64(int fd, int64_t offset, int64_t len, int advice);
int64_t sys_flock(int fd, unsigned operation);

/* sys_path.c, sys_attr.c: by name */
int64_t sys_open(user_addr_t path, int flags, unsigned mode);
int64_t sys_openat(int dirfd, user_addr_t path, int flags, unsigned mode);
int64_t sys_openat2(int dirfd, user_addr_t path, user_addr_t how_at, size_t size);
int64_t sys_creat(user_addr_t path, unsigned mode);
int64_t sys_stat(user_addr_t path, user_addr_t out);
int64_t sys_lstat(user_addr_t path, user_addr_t out);
int64_t sys_fstat(int fd, user_addr_t out);
int64_t sys_newfstatat(int dirfd, user_addr_t path, user_addr_t out, int flags);
int64_t sys_statx(int dirfd, user_addr_t path, int flags, unsigned mask, user_addr_t out);
int64_t sys_statfs(user_addr_t path, user_addr_t out);
int64_t sys_fstatfs(int fd, user_addr_t out);
int64_t sys_access(user_addr_t path, int mode);
int64_t sys_faccessat(int dirfd, user_addr_t path, int mode);
int64_t sys_faccessat2(int dirfd, user_addr_t path, int mode, int flags);
int64_t sys_truncate(user_addr_t path, int64_t size_bytes);
int64_t sys_mkdir(user_addr_t path, unsigned mode);
int64_t sys_mkdirat(int dirfd, user_addr_t path, unsigned mode);
int64_t sys_mknod(user_addr_t path, unsigned mode, unsigned rdev);
int64_t sys_mknodat(int dirfd, user_addr_t path, unsigned mode, unsigned rdev);
int64_t sys_unlink(user_addr_t path);
int64_t sys_unlinkat(int dirfd, user_addr_t path, int flags);
int64_t sys_rmdir(user_addr_t path);
int64_t sys_rename(user_addr_t old, user_addr_t new);
int64_t sys_renameat(int olddirfd, user_addr_t old, int newdirfd, user_addr_t new);
int64_t sys_renameat2(int olddirfd, user_addr_t old, int newdirfd, user_addr_t new, unsigned flags);
int64_t sys_link(user_addr_t old, user_addr_t new);
int64_t sys_linkat(int olddirfd, user_addr_t old, int newdirfd, user_addr_t new, int flags);
int64_t sys_symlink(user_addr_t target, user_addr_t path);
int64_t sys_symlinkat(user_addr_t target, int dirfd, user_addr_t path);
int64_t sys_readlink(user_addr_t path, user_addr_t out, int size);
int64_t sys_readlinkat(int dirfd, user_addr_t path, user_addr_t out, int size);
int64_t sys_chdir(user_addr_t path);
int64_t sys_fchdir(int fd);
int64_t sys_getcwd(user_addr_t out, size_t size);
int64_t sys_chmod(user_addr_t path, unsigned mode);
int64_t sys_fchmod(int fd, unsigned mode);
int64_t sys_fchmodat(int dirfd, user_addr_t path, unsigned mode);
int64_t sys_chown(user_addr_t path, unsigned uid, unsigned gid);
int64_t sys_lchown(user_addr_t path, unsigned uid, unsigned gid);
int64_t sys_fchown(int fd, unsigned uid, unsigned gid);
int64_t sys_fchownat(int dirfd, user_addr_t path, unsigned uid, unsigned gid, int flags);
int64_t sys_utimensat(int dirfd, user_addr_t path, user_addr_t times, int flags);
int64_t sys_umask(unsigned mask);
int64_t sys_mount(user_addr_t source, user_addr_t target, user_addr_t type, uint64_t flags,
                  user_addr_t data);
int64_t sys_umount2(user_addr_t target, int flags);
int64_t sys_chroot(user_addr_t path);

/* pipe.c */
int64_t sys_pipe(user_addr_t out);
int64_t sys_pipe2(user_addr_t out, int flags);

/* sys_splice.c */
int64_t sys_splice(int in, user_addr_t in_at, int out, user_addr_t out_at, size_t len,
                   unsigned flags);
int64_t sys_tee(int in, int out, size_t len, unsigned flags);
int64_t sys_vmsplice(int fd, user_addr_t vector, size_t nr, unsigned flags);
int64_t sys_sendfile(int out, int in, user_addr_t offset, size_t len);
int64_t sys_copy_file_range(int in, user_addr_t in_at, int out, user_addr_t out_at, size_t len,
                            unsigned flags);

/* select.c, eventfd.c */
int64_t sys_select(int nr, user_addr_t in, user_addr_t out, user_addr_t except,
                   user_addr_t timeout);
int64_t sys_pselect6(int nr, user_addr_t in, user_addr_t out, user_addr_t except,
                     user_addr_t timeout, user_addr_t mask_at);
int64_t sys_eventfd(unsigned count);
int64_t sys_eventfd2(unsigned count, unsigned flags);

/* timerfd.c, signalfd.c */
int64_t sys_timerfd_create(int clock, unsigned flags);
int64_t sys_timerfd_settime(int fd, unsigned how, user_addr_t in, user_addr_t out);
int64_t sys_timerfd_gettime(int fd, user_addr_t out);
int64_t sys_signalfd(int fd, user_addr_t mask, size_t size);
int64_t sys_signalfd4(int fd, user_addr_t mask, size_t size, unsigned flags);

/* userfaultfd.c */
int64_t sys_userfaultfd(unsigned flags);

/* poll.c */
int64_t sys_poll(user_addr_t fds, unsigned nr, int timeout_ms);
int64_t sys_epoll_create(int size);
int64_t sys_epoll_create1(int flags);
int64_t sys_epoll_ctl(int epfd, int op, int fd, user_addr_t event_at);
int64_t sys_epoll_wait(int epfd, user_addr_t out, int max, int timeout_ms);
int64_t sys_epoll_pwait(int epfd, user_addr_t out, int max, int timeout_ms, user_addr_t mask,
                        size_t mask_size);
int64_t sys_ppoll(user_addr_t fds, unsigned nr, user_addr_t timeout, user_addr_t mask,
                  size_t mask_size);

/* For the table of kernel/syscall.c. */
#define SYS_FS_CALLS                                                                            \
    CALL(read), CALL(write), CALL(pread64), CALL(pwrite64), CALL(readv), CALL(writev),          \
        CALL(preadv), CALL(pwritev), CALL(preadv2), CALL(pwritev2), CALL(lseek), CALL(close),   \
        CALL(dup), CALL(dup2), CALL(dup3), CALL(fcntl), CALL(ioctl), CALL(ftruncate),           \
        CALL(fallocate), CALL(getdents64), CALL(sendfile), CALL(fsync),                         \
        CALL_AS(fdatasync, sys_fsync), CALL(sync), CALL(syncfs), CALL(sync_file_range),         \
        CALL(readahead), CALL(fadvise64), CALL(flock), CALL(open), CALL(openat), CALL(openat2), \
        CALL(creat), CALL(stat), CALL(lstat), CALL(fstat), CALL(newfstatat), CALL(statfs),      \
        CALL(fstatfs), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(truncate),         \
        CALL(mkdir), CALL(mkdirat), CALL(mknod), CALL(mknodat), CALL(unlink), CALL(unlinkat),   \
        CALL(rmdir), CALL(rename), CALL(renameat), CALL(renameat2), CALL(link), CALL(linkat),   \
        CALL(symlink), CALL(symlinkat), CALL(readlink), CALL(readlinkat), CALL(chdir),          \
        CALL(fchdir), CALL(getcwd), CALL(chmod), CALL(fchmod), CALL(fchmodat), CALL(chown),     \
        CALL(lchown), CALL(fchown), CALL(fchownat), CALL(utimensat), CALL(umask), CALL(mount),  \
        CALL(umount2), CALL(chroot), CALL(pipe), CALL(pipe2), CALL(poll), CALL(ppoll),          \
        CALL(select), CALL(pselect6), CALL(eventfd), CALL(eventfd2), CALL(timerfd_create),      \
        CALL(timerfd_settime), CALL(timerfd_gettime), CALL(signalfd), CALL(signalfd4),          \
        CALL(statx), CALL(splice), CALL(tee), CALL(vmsplice), CALL(copy_file_range),            \
        CALL(userfaultfd)

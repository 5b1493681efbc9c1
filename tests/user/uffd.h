/* SPDX-License-Identifier: MIT */
/*
 * tests/user/uffd.h - a userfaultfd, and a thread that touches what it watches
 *
 * Room:   tests/user. libc only.
 * Owns:   one userfaultfd at a time, and the thread.
 * Locks:  none: the thread leaves its findings, the main thread claims.
 * Always: (1) no test hangs: who waits for a question does so for a second at most.
 * Source: userfaultfd(2), ioctl_userfaultfd(2).
 * Tour:   before tests/user/userfaultfd.c and its neighbours.
 */
#pragma once

#include "../../include/uapi/userfaultfd.h"
#include "ktap.h"
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RW (PROT_READ | PROT_WRITE)
enum { PAGES = 8, LEN = PAGES * PAGE, SECOND = 1000 };

static int uffd = -1;
static char source[PAGE] __attribute__((aligned(4096)));

static inline int open_with(unsigned flags, uint64_t features)
{
    struct uapi_uffdio_api api = {.api = UFFD_API, .features = features};

    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);
    return uffd >= 0 ? ioctl(uffd, (int)UFFDIO_API, &api) : -1;
}

#define NEED_FILE(flags, features)                               \
    do {                                                         \
        if (open_with((flags), (features)) < 0)                  \
            SKIP("needs userfaultfd, which this machine lacks"); \
    } while (0)

static inline int watch(const void *p, size_t len, uint64_t modes)
{
    struct uapi_uffdio_register r = {{(uintptr_t)p, len}, modes, 0};
    return ioctl(uffd, (int)UFFDIO_REGISTER, &r);
}

static inline int ask_about(const void *p, size_t len)
{
    return watch(p, len, UFFDIO_REGISTER_MODE_MISSING);
}

/* The next write to each page is told, or not any more. */
static inline int protect(const void *p, size_t len, uint64_t mode)
{
    struct uapi_uffdio_writeprotect w = {{(uintptr_t)p, len}, mode};
    return ioctl(uffd, (int)UFFDIO_WRITEPROTECT, &w);
}

static inline int ask_no_more(const void *p, size_t len)
{
    struct uapi_uffdio_range r = {(uintptr_t)p, len};
    return ioctl(uffd, (int)UFFDIO_UNREGISTER, &r);
}

static int64_t filled; /* what the last answer says it did */

static inline int fill_from(const void *from, void *p, size_t len, uint64_t mode)
{
    struct uapi_uffdio_copy c = {(uintptr_t)p, (uintptr_t)from, len, mode, 12345};
    int result = ioctl(uffd, (int)UFFDIO_COPY, &c);

    filled = c.copy;
    return result;
}

static inline int fill(void *p, char byte)
{
    memset(source, byte, PAGE);
    return fill_from(source, p, PAGE, 0);
}

/* ZEROPAGE, CONTINUE, POISON. */
static inline int answer(unsigned request, void *p, size_t len, uint64_t mode)
{
    struct uapi_uffdio_zeropage z = {{(uintptr_t)p, len}, mode, 12345};
    int result = ioctl(uffd, (int)request, &z);

    filled = z.zeropage;
    return result;
}

static inline int zero(void *p, size_t len)
{
    return answer(UFFDIO_ZEROPAGE, p, len, 0);
}

static inline int wake(const void *p, size_t len)
{
    struct uapi_uffdio_range r = {(uintptr_t)p, len};
    return ioctl(uffd, (int)UFFDIO_WAKE, &r);
}

static inline char *map(int flags, int fd)
{
    return mmap(NULL, LEN, RW, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

/* Somebody who touches memory. */
static struct {
    pthread_t thread;
    char *at;
    int (*how)(char *at);
    int got;
    volatile bool done;
} toucher;

static inline int read_byte(char *at)
{
    return *(volatile char *)at;
}

static inline int write_byte(char *at)
{
    *(volatile char *)at = 'w';
    return 0;
}

static inline void *touch_main(void *unused)
{
    toucher.got = toucher.how(toucher.at);
    toucher.done = true;
    return unused;
}

static inline void touch(char *at, int (*how)(char *at))
{
    toucher.at = at;
    toucher.how = how;
    toucher.done = false;
    EXPECT_IS(pthread_create(&toucher.thread, NULL, touch_main, NULL), 0);
}

static inline int touched(void)
{
    pthread_join(toucher.thread, NULL);
    return toucher.got;
}

/* The next question, or one of address 0: none came. */
static inline struct uapi_uffd_msg question(void)
{
    struct pollfd ready = {uffd, POLLIN, 0};
    struct uapi_uffd_msg msg = {0};

    if (poll(&ready, 1, SECOND) == 1 && read(uffd, &msg, sizeof msg) != sizeof msg)
        msg.address = 0;
    return msg;
}

static inline bool asks_about(const char *p)
{
    return question().address == (uintptr_t)p;
}

/* Does a question of these flags come about @p? */
static inline bool asks(const char *p, uint64_t flags)
{
    struct uapi_uffd_msg msg = question();
    return msg.event == UFFD_EVENT_PAGEFAULT && msg.address == (uintptr_t)p && msg.flags == flags;
}

/* Is there no question now? */
static inline bool is_quiet(void)
{
    struct pollfd ready = {uffd, POLLIN, 0};
    return poll(&ready, 1, 20) == 0;
}

/* What /proc/self/pagemap says of the page, but its frame. */
static inline uint64_t pagemap_of(const void *p)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    uint64_t word = 0;

    if (pread(fd, &word, sizeof word, (off_t)((uintptr_t)p / PAGE * sizeof word)) != sizeof word)
        word = ~0UL;
    close(fd);
    return word;
}

#define PM_UFFD_WP (1UL << 57)
#define PM_FILE    (1UL << 61)
#define PM_SWAP    (1UL << 62)
#define PM_PRESENT (1UL << 63)

static inline bool is_marked(const void *p)
{
    return pagemap_of(p) & PM_UFFD_WP;
}

static inline void done_with(char *p)
{
    munmap(p, LEN);
    close(uffd);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/user/epoll.c - epoll: what is told when, and what is refused
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: epoll(7), epoll_ctl(2), epoll_wait(2).
 * Tour:   after tests/user/timers.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

static int ep, ends[2];

static int control(int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = 1000 + fd};

    return epoll_ctl(ep, op, fd, &event);
}

static void open_all(void)
{
    ep = epoll_create1(EPOLL_CLOEXEC);
    EXPECT(ep >= 0);
    EXPECT_IS(pipe(ends), 0);
}

static void close_all(void)
{
    close(ep);
    close(ends[0]);
    close(ends[1]);
}

static void put(void)
{
    EXPECT_IS(write(ends[1], "x", 1), 1);
}

static void get(void)
{
    char c;

    EXPECT_IS(read(ends[0], &c, 1), 1);
}

static void readiness_is_told(void)
{
    struct epoll_event events[4];

    open_all();
    EXPECT_IS(control(EPOLL_CTL_ADD, ends[0], EPOLLIN), 0);
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 0);
    EXPECT_IS(epoll_wait(ep, events, 4, 5), 0);
    put();
    EXPECT_IS(epoll_wait(ep, events, 4, -1), 1);
    EXPECT(events[0].events == EPOLLIN && events[0].data.u64 == 1000UL + ends[0]);
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 1); /* it still is */
    get();
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 0);
    close_all();
}

static void edges_are_told_once(void)
{
    struct epoll_event events[4];

    open_all();
    EXPECT_IS(control(EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET), 0);
    put();
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 1);
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 0);
    put();
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 1);
    EXPECT_IS(control(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT), 0);
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 1);
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 0);
    EXPECT_IS(control(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT), 0);
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 1);
    close_all();
}

static void waiting_ends_when_something_happens(void)
{
    struct epoll_event events[4];

    open_all();
    EXPECT_IS(control(EPOLL_CTL_ADD, ends[0], EPOLLIN), 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        _exit(write(ends[1], "x", 1) != 1);
    }
    EXPECT_IS(epoll_wait(ep, events, 4, -1), 1);
    waitpid(child, NULL, 0);
    close(ends[1]);
    get();
    EXPECT_IS(epoll_wait(ep, events, 4, -1), 1);
    EXPECT_IS(events[0].events, EPOLLHUP);
    close(ends[0]); /* it leaves the list */
    EXPECT_IS(epoll_wait(ep, events, 4, 0), 0);
    close(ep);
}

static void arguments_are_checked(void)
{
    struct epoll_event events[4];
    int file = memfd_create("epoll", 0);

    open_all();
    EXPECT_ERR(epoll_create1(1), EINVAL);
    EXPECT_ERR(syscall(SYS_epoll_create, 0), EINVAL);
    EXPECT_ERR(control(EPOLL_CTL_ADD, 999, EPOLLIN), EBADF);
    EXPECT_ERR(control(EPOLL_CTL_ADD, file, EPOLLIN), EPERM);
    EXPECT_ERR(control(EPOLL_CTL_ADD, ep, EPOLLIN), EINVAL);
    EXPECT_ERR(control(EPOLL_CTL_MOD, ends[0], EPOLLIN), ENOENT);
    EXPECT_ERR(control(EPOLL_CTL_DEL, ends[0], 0), ENOENT);
    EXPECT_IS(control(EPOLL_CTL_ADD, ends[0], EPOLLIN), 0);
    EXPECT_ERR(control(EPOLL_CTL_ADD, ends[0], EPOLLIN), EEXIST);
    EXPECT_ERR(control(9, ends[0], EPOLLIN), EINVAL);
    EXPECT_IS(control(EPOLL_CTL_DEL, ends[0], 0), 0);
    EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], (void *)8), EFAULT);
    EXPECT_ERR(epoll_ctl(file, EPOLL_CTL_ADD, ends[0], events), EINVAL);
    EXPECT_ERR(epoll_wait(file, events, 4, 0), EINVAL);
    EXPECT_ERR(epoll_wait(999, events, 4, 0), EBADF);
    EXPECT_ERR(epoll_wait(ep, events, 0, 0), EINVAL);
    close_all();
    close(file);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(readiness_is_told),
        TEST(edges_are_told_once),
        TEST(waiting_ends_when_something_happens),
        TEST(arguments_are_checked),
    };

    return KTAP_MAIN(tests);
}

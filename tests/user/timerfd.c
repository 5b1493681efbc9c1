/* SPDX-License-Identifier: MIT */
/*
 * tests/user/timerfd.c - timers and signals that are read
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: timerfd_create(2), signalfd(2).
 * Tour:   with kernel/timerfd.c, kernel/signalfd.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define MS 1000000L

static struct itimerspec after(long ns, long period_ns)
{
    return (struct itimerspec){{period_ns / 1000000000, period_ns % 1000000000},
                               {ns / 1000000000, ns % 1000000000}};
}

static unsigned long ticks(int fd)
{
    uint64_t n = 0;
    return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static bool is_ready(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    return poll(&p, 1, timeout_ms) == 1 && p.revents == POLLIN;
}

static void a_timer_is_read_once_it_is_due(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec s = after(50 * MS, 0), old;
    char buf[8];

    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_ERR(read(fd, buf, 8), EAGAIN);
    EXPECT_ERR(read(fd, buf, 7), EINVAL);
    EXPECT_ERR(write(fd, buf, 8), EINVAL);
    EXPECT_IS(timerfd_settime(fd, 0, &s, &old), 0);
    EXPECT(!old.it_value.tv_sec && !old.it_value.tv_nsec);
    EXPECT_IS(timerfd_gettime(fd, &old), 0);
    EXPECT(!old.it_value.tv_sec && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 50 * MS);
    EXPECT(is_ready(fd, 5000));
    EXPECT_IS(ticks(fd), 1);
    EXPECT_ERR(read(fd, buf, 8), EAGAIN);
    EXPECT_IS(timerfd_gettime(fd, &old), 0);
    EXPECT(!old.it_value.tv_sec && !old.it_value.tv_nsec);
    close(fd);
}

static void periods_are_counted(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec s = after(20 * MS, 20 * MS), left;

    EXPECT_IS(timerfd_settime(fd, 0, &s, NULL), 0);
    usleep(130000);
    unsigned long n = ticks(fd);
    EXPECT(n >= 6);         /* busy machines sleep longer */
    EXPECT(ticks(fd) >= 1); /* waits */
    EXPECT_IS(timerfd_gettime(fd, &left), 0);
    EXPECT(left.it_value.tv_nsec <= 20 * MS && left.it_interval.tv_nsec == 20 * MS);
    s = after(0, 0);
    EXPECT_IS(timerfd_settime(fd, 0, &s, &left), 0);
    EXPECT(left.it_interval.tv_nsec == 20 * MS);
    EXPECT(!is_ready(fd, 50));
    close(fd);
}

static void the_shortest_period_does_no_harm(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec s = after(1, 1);

    EXPECT_IS(timerfd_settime(fd, 0, &s, NULL), 0);
    usleep(20000);
    EXPECT(ticks(fd) >= 15000000);
    close(fd);
}

static void times_of_clocks_are_absolute(void)
{
    static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};

    for (int i = 0; i < 3; i++) {
        int fd = timerfd_create(clocks[i], TFD_NONBLOCK);
        struct timespec now;
        clock_gettime(clocks[i], &now);
        struct itimerspec s = {.it_value = now}, past = after(1, 0);
        s.it_value.tv_nsec += 30 * MS;
        s.it_value.tv_sec += s.it_value.tv_nsec / 1000000000;
        s.it_value.tv_nsec %= 1000000000;
        EXPECT_IS(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL), 0);
        EXPECT(is_ready(fd, 5000));
        EXPECT_IS(ticks(fd), 1);
        EXPECT_IS(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL), 0);
        EXPECT(is_ready(fd, 5000));
        EXPECT_IS(ticks(fd), 1);
        close(fd);
    }
}

static void epoll_waits_for_timers(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), epoll = epoll_create1(0);
    struct itimerspec s = after(30 * MS, 0);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 9};

    EXPECT_IS(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), 0);
    EXPECT_IS(epoll_wait(epoll, &e, 1, 0), 0);
    EXPECT_IS(timerfd_settime(fd, 0, &s, NULL), 0);
    EXPECT_IS(epoll_wait(epoll, &e, 1, 5000), 1);
    EXPECT(e.data.u64 == 9 && e.events == EPOLLIN);
    close(fd);
    EXPECT_IS(epoll_wait(epoll, &e, 1, 0), 0);
    close(epoll);
}

static volatile bool enough;

static void *set_on(void *arg)
{
    struct itimerspec s = after(100000, 100000);
    while (!enough)
        timerfd_settime(*(int *)arg, 0, &s, NULL);
    return NULL;
}

static void a_timer_may_be_set_while_it_fires(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    time_t end = time(NULL) + 2;
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, set_on, &fd);
    while (time(NULL) < end) {
        struct itimerspec left;
        ticks(fd);
        EXPECT_IS(timerfd_gettime(fd, &left), 0);
    }
    enough = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    close(fd);
}

static void timers_refuse_as_linux_does(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec s = after(0, 0), bad = after(0, 0);

    bad.it_value.tv_nsec = 1000000000;
    EXPECT_ERR(timerfd_create(99, 0), EINVAL);
    EXPECT_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    EXPECT_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    EXPECT_ERR(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
    EXPECT_ERR(timerfd_settime(fd, 8, &s, NULL), EINVAL);
    EXPECT_ERR(timerfd_settime(0, 0, &s, NULL), EINVAL);
    EXPECT_ERR(timerfd_settime(-1, 0, &s, NULL), EBADF);
    EXPECT_ERR(timerfd_settime(-1, 8, &s, NULL), EINVAL);
    EXPECT_ERR(timerfd_settime(fd, 0, (void *)8, NULL), EFAULT);
    EXPECT_ERR(timerfd_settime(fd, 0, &s, (void *)8), EFAULT);
    EXPECT_ERR(timerfd_gettime(0, &s), EINVAL);
    EXPECT_ERR(timerfd_gettime(-1, &s), EBADF);
    EXPECT_ERR(timerfd_gettime(fd, (void *)8), EFAULT);
    close(fd);
}

/* Signals */

static long raw_signalfd(int fd, const void *mask, size_t size, int flags)
{
    return syscall(SYS_signalfd4, fd, mask, size, flags);
}

static sigset_t set_of(int a, int b, int c)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    sigaddset(&set, b);
    sigaddset(&set, c);
    return set;
}

static void signals_are_read_in_order(void)
{
    sigset_t set = set_of(SIGUSR1, SIGCHLD, 40), empty;
    struct signalfd_siginfo info[4];

    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    EXPECT_ERR(read(fd, info, 128), EAGAIN);
    EXPECT_ERR(read(fd, info, 127), EINVAL);
    EXPECT_ERR(write(fd, info, 128), EINVAL);
    EXPECT(!is_ready(fd, 0));
    sigqueue(getpid(), 40, (union sigval){.sival_int = 5});
    sigqueue(getpid(), 40, (union sigval){.sival_int = 6});
    raise(SIGUSR1);
    EXPECT(is_ready(fd, 0));
    memset(info, 0x55, sizeof(info));
    EXPECT_IS(read(fd, info, sizeof(info)), 3 * 128);
    EXPECT(info[0].ssi_signo == SIGUSR1 && info[0].ssi_code == SI_TKILL &&
           info[0].ssi_pid == (uint32_t)getpid() && info[0].ssi_int == 0);
    EXPECT(info[1].ssi_signo == 40 && info[1].ssi_code == SI_QUEUE && info[1].ssi_int == 5);
    EXPECT(info[2].ssi_int == 6 && info[2].ssi_pid == (uint32_t)getpid());
    EXPECT(!is_ready(fd, 0));
    pid_t pid = fork();
    if (!pid)
        _exit(9);
    EXPECT(is_ready(fd, 5000));
    EXPECT_IS(read(fd, info, 128), 128);
    EXPECT(info[0].ssi_signo == SIGCHLD && info[0].ssi_code == CLD_EXITED &&
           info[0].ssi_pid == (uint32_t)pid && info[0].ssi_status == 9);
    waitpid(pid, NULL, 0);
    sigemptyset(&empty);
    EXPECT_IS(signalfd(fd, &empty, 0), fd); /* another set */
    raise(SIGUSR1);
    EXPECT(!is_ready(fd, 0));
    EXPECT_ERR(read(fd, info, 128), EAGAIN);
    EXPECT_IS(signalfd(fd, &set, 0), fd);
    EXPECT_IS(read(fd, info, 128), 128);
    close(fd);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void a_read_waits_for_a_signal(void)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR1, SIGUSR1);
    struct signalfd_siginfo info;

    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, 0), epoll = epoll_create1(0);
    for (int i = 0; i < 2; i++) {
        struct epoll_event e = {.events = EPOLLIN};
        if (i)
            EXPECT_IS(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), 0);
        pid_t pid = fork();
        if (!pid) {
            usleep(30000);
            kill(getppid(), SIGUSR1);
            _exit(0);
        }
        if (i)
            EXPECT_IS(epoll_wait(epoll, &e, 1, 5000), 1);
        EXPECT_IS(read(fd, &info, sizeof(info)), 128);
        EXPECT(info.ssi_signo == SIGUSR1 && info.ssi_code == SI_USER &&
               info.ssi_pid == (uint32_t)pid);
        waitpid(pid, NULL, 0);
    }
    close(fd);
    close(epoll);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void signalfd_refuses_as_linux_does(void)
{
    sigset_t set = set_of(SIGUSR1, SIGKILL, SIGSTOP);

    EXPECT_ERR(raw_signalfd(-1, &set, 8, 1), EINVAL);
    EXPECT_ERR(raw_signalfd(-1, &set, 4, 0), EINVAL);
    EXPECT_ERR(raw_signalfd(-1, (void *)8, 8, 0), EFAULT);
    EXPECT_ERR(raw_signalfd(0, &set, 8, 0), EINVAL);
    EXPECT_ERR(raw_signalfd(99, &set, 8, 0), EBADF);
    EXPECT_ERR(raw_signalfd(-2, &set, 8, 0), EBADF);
}

/* A timer's interrupt may come while page tables are locked. */
static void timers_fire_amid_changes_of_memory(void)
{
    struct itimerspec often = {{0, 20000}, {0, 20000}};
    uint64_t count = 0, more;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

    EXPECT_IS(timerfd_settime(fd, 0, &often, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        char *p =
            mmap(NULL, 128 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(p, 1, 128 * PAGE);
        if (read(fd, &more, sizeof(more)) == sizeof(more)) /* it is set again */
            count += more;
        munmap(p, 128 * PAGE);
    }
    EXPECT(count > 0);
    close(fd);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(a_timer_is_read_once_it_is_due),
        TEST(periods_are_counted),
        TEST(the_shortest_period_does_no_harm),
        TEST(times_of_clocks_are_absolute),
        TEST(epoll_waits_for_timers),
        TEST(a_timer_may_be_set_while_it_fires),
        TEST(timers_refuse_as_linux_does),
        TEST(signals_are_read_in_order),
        TEST(a_read_waits_for_a_signal),
        TEST(signalfd_refuses_as_linux_does),
        TEST(timers_fire_amid_changes_of_memory),
    };
    return KTAP_MAIN(tests);
}

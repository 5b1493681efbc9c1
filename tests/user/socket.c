/* SPDX-License-Identifier: MIT */
/*
 * tests/user/socket.c - AF_UNIX sockets: bytes and messages, connections, names, and their ends
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   sockets below /tmp.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: unix(7), socket(7), socketpair(2), send(2), recv(2), accept(2), connect(2).
 * Tour:   after tests/user/epoll.c; then tests/user/scm.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#define NOW MSG_DONTWAIT

static int pair[2];
static char buf[256 * 1024];

static void open_pair(int type)
{
    EXPECT_IS(socketpair(AF_UNIX, type, 0, pair), 0);
}

static void close_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

static short ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

    poll(&p, 1, 0);
    return p.revents;
}

static int option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

static void bytes_of_a_stream_are_glued(void)
{
    open_pair(SOCK_STREAM);
    EXPECT_IS(write(pair[0], "ab", 2), 2);
    EXPECT_IS(send(pair[0], "cde", 3, 0), 3);
    EXPECT_IS(recv(pair[1], buf, 4, MSG_PEEK), 4);
    EXPECT(!memcmp(buf, "abcd", 4));
    EXPECT_IS(read(pair[1], buf, 1), 1);
    EXPECT_IS(read(pair[1], buf, sizeof buf), 4);
    EXPECT(!memcmp(buf, "bcde", 4));
    EXPECT_ERR(recv(pair[1], buf, 1, NOW), EAGAIN);
    EXPECT_IS(read(pair[1], buf, 0), 0);
    EXPECT_IS(write(pair[1], "z", 1), 1);
    EXPECT_IS(read(pair[0], buf, 9), 1);
    close_pair();
}

static void messages_keep_their_bounds(void)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};

    for (int i = 0; i < 2; i++) {
        open_pair(types[i]);
        EXPECT_IS(write(pair[0], "abc", 3), 3);
        EXPECT_IS(write(pair[0], "de", 2), 2);
        EXPECT_IS(recv(pair[1], buf, 2, MSG_PEEK), 2);
        EXPECT_IS(recv(pair[1], buf, 2, MSG_PEEK | MSG_TRUNC), 3);
        EXPECT_IS(recv(pair[1], buf, 2, 0), 2);
        EXPECT_IS(recv(pair[1], buf, 9, 0), 2);
        EXPECT(!memcmp(buf, "de", 2));
        EXPECT_ERR(recv(pair[1], buf, 9, NOW), EAGAIN);
        close_pair();
    }
}

static void empty_messages_count(void)
{
    open_pair(SOCK_DGRAM);
    EXPECT_IS(send(pair[0], "", 0, 0), 0);
    EXPECT_IS(ready(pair[1]), POLLIN | POLLOUT);
    EXPECT_IS(recv(pair[1], buf, 9, NOW), 0);
    EXPECT_ERR(recv(pair[1], buf, 9, NOW), EAGAIN);
    EXPECT_IS(write(pair[0], "", 0), 0);
    EXPECT_IS(recv(pair[1], buf, 9, NOW), 0);
    close_pair();
    open_pair(SOCK_STREAM);
    EXPECT_IS(send(pair[0], "", 0, 0), 0);
    EXPECT_ERR(recv(pair[1], buf, 9, NOW), EAGAIN);
    close_pair();
}

static void a_stream_ends_when_the_other_side_closes(void)
{
    open_pair(SOCK_STREAM);
    signal(SIGPIPE, SIG_IGN);
    EXPECT_IS(ready(pair[0]), POLLOUT);
    EXPECT_IS(write(pair[1], "last", 4), 4);
    close(pair[1]);
    EXPECT_IS(ready(pair[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    EXPECT_IS(read(pair[0], buf, 9), 4);
    EXPECT_IS(read(pair[0], buf, 9), 0);
    EXPECT_ERR(write(pair[0], "x", 1), EPIPE);
    EXPECT_IS(option(pair[0], SO_ERROR), 0);
    close(pair[0]);
}

static void unread_bytes_reset_the_connection(void)
{
    open_pair(SOCK_STREAM);
    EXPECT_IS(write(pair[0], "unread", 6), 6);
    close(pair[1]);
    EXPECT_IS(ready(pair[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR);
    EXPECT_ERR(read(pair[0], buf, 9), ECONNRESET);
    EXPECT_IS(read(pair[0], buf, 9), 0);
    close(pair[0]);
    open_pair(SOCK_SEQPACKET);
    EXPECT_IS(write(pair[0], "unread", 6), 6);
    close(pair[1]);
    EXPECT_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), ECONNRESET);
    EXPECT_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(pair[0]);
}

static volatile int pipe_signals, pipe_code, pipe_pid;

static void on_pipe(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    pipe_signals++;
    pipe_code = info->si_code;
    pipe_pid = info->si_pid;
}

static void broken_pipes_are_told_by_a_signal(void)
{
    struct sigaction action = {.sa_sigaction = on_pipe, .sa_flags = SA_SIGINFO};
    int ends[2];

    sigaction(SIGPIPE, &action, NULL);
    open_pair(SOCK_STREAM);
    close(pair[1]);
    EXPECT_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_IS(pipe_signals, 0);
    EXPECT_ERR(send(pair[0], "x", 1, 0), EPIPE);
    EXPECT_IS(pipe_signals, 1);
    EXPECT(pipe_code == SI_USER && pipe_pid == getpid());
    close(pair[0]);
    open_pair(SOCK_SEQPACKET);
    close(pair[1]);
    EXPECT_ERR(write(pair[0], "x", 1), EPIPE);
    EXPECT_IS(pipe_signals, 1);
    close(pair[0]);
    EXPECT_IS(pipe(ends), 0);
    close(ends[0]);
    EXPECT_ERR(write(ends[1], "x", 1), EPIPE);
    EXPECT_IS(pipe_signals, 2);
    EXPECT(pipe_code == SI_USER && pipe_pid == getpid());
    close(ends[1]);
    signal(SIGPIPE, SIG_IGN);
}

static void datagrams_to_nobody_are_refused(void)
{
    open_pair(SOCK_DGRAM);
    close(pair[1]);
    EXPECT_IS(ready(pair[0]), POLLOUT);
    EXPECT_ERR(write(pair[0], "x", 1), ECONNREFUSED);
    EXPECT_ERR(write(pair[0], "x", 1), ENOTCONN);
    EXPECT_ERR(recv(pair[0], buf, 1, NOW), EAGAIN);
    close(pair[0]);
}

static void each_direction_can_be_shut_down(void)
{
    open_pair(SOCK_STREAM);
    EXPECT_IS(write(pair[0], "abc", 3), 3);
    EXPECT_IS(shutdown(pair[0], SHUT_WR), 0);
    EXPECT_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_IS(ready(pair[1]), POLLIN | POLLOUT | POLLRDHUP);
    EXPECT_IS(read(pair[1], buf, 9), 3);
    EXPECT_IS(read(pair[1], buf, 9), 0);
    EXPECT_IS(write(pair[1], "back", 4), 4);
    EXPECT_IS(read(pair[0], buf, 9), 4);
    EXPECT_IS(shutdown(pair[0], SHUT_RD), 0);
    EXPECT_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_IS(ready(pair[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    EXPECT_ERR(shutdown(pair[0], 3), EINVAL);
    EXPECT_ERR(shutdown(pair[0], -1), EINVAL);
    close_pair();
    open_pair(SOCK_DGRAM);
    EXPECT_IS(shutdown(pair[0], SHUT_RD), 0);
    EXPECT_ERR(recv(pair[0], buf, 1, NOW), EAGAIN);
    EXPECT_IS(recv(pair[0], buf, 1, 0), 0);
    EXPECT_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    close_pair();
    open_pair(SOCK_SEQPACKET);
    EXPECT_IS(shutdown(pair[0], SHUT_RD), 0);
    EXPECT_IS(recv(pair[0], buf, 1, NOW), 0);
    close_pair();
}

static void what_is_on_its_way_is_bounded(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

    for (int i = 0; i < 3; i++) {
        int sent = 0;
        open_pair(types[i]);
        while (sent < 1000 && send(pair[0], buf, 4096, NOW) == 4096)
            sent++;
        EXPECT(errno == EAGAIN && sent >= 10 && sent < 100);
        EXPECT_IS(ready(pair[0]), 0);
        EXPECT_IS(ready(pair[1]), POLLIN | POLLOUT);
        while (sent-- > 0)
            EXPECT_IS(recv(pair[1], buf, 4096, NOW), 4096);
        EXPECT_IS(ready(pair[0]), POLLOUT);
        close_pair();
    }
    open_pair(SOCK_DGRAM);
    EXPECT_ERR(send(pair[0], buf, sizeof buf, NOW), EMSGSIZE);
    EXPECT_IS(send(pair[0], buf, 200000, NOW), 200000);
    EXPECT_IS(recv(pair[1], buf, sizeof buf, NOW), 200000);
    close_pair();
}

static void a_large_write_waits_for_its_reader(void)
{
    static char big[1 << 20];
    size_t got = 0;
    int status = -1;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 4096);
    open_pair(SOCK_STREAM);
    pid_t child = fork();
    if (child == 0) {
        close(pair[1]);
        _exit(write(pair[0], big, sizeof big) != sizeof big);
    }
    close(pair[0]);
    bool same = true;
    for (ssize_t n; (n = read(pair[1], buf, 50000)) > 0; got += (size_t)n)
        same &= !memcmp(buf, big + got, (size_t)n);
    EXPECT(same);
    EXPECT_IS(got, sizeof big);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close(pair[1]);
}

static void waitall_waits_for_all(void)
{
    open_pair(SOCK_STREAM);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 5; i++) {
            usleep(5000);
            if (write(pair[0], "12345", 5) != 5)
                _exit(1);
        }
        _exit(0);
    }
    EXPECT_IS(recv(pair[1], buf, 20, MSG_WAITALL), 20);
    EXPECT_IS(waitpid(child, NULL, 0), child);
    EXPECT_IS(recv(pair[1], buf, 20, NOW), 5);
    close_pair();
}

static void on_alarm(int signo)
{
    (void)signo;
}

static void waiting_ends_with_signals_and_timeouts(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct timeval t = {0, 20000};
    struct itimerval alarm_soon = {.it_value = {0, 20000}};

    open_pair(SOCK_STREAM);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &alarm_soon, NULL);
    EXPECT_ERR(read(pair[0], buf, 1), EINTR);
    EXPECT_IS(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
    EXPECT_ERR(read(pair[0], buf, 1), EAGAIN);
    EXPECT_IS(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
    EXPECT(write(pair[0], buf, sizeof buf) > 0);
    EXPECT_ERR(write(pair[0], buf, sizeof buf), EAGAIN);
    t = (struct timeval){0, 1000000};
    EXPECT_ERR(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), EDOM);
    t = (struct timeval){3, 0};
    socklen_t len = sizeof t;
    EXPECT_IS(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
    t.tv_sec = 0;
    EXPECT_IS(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, &len), 0);
    EXPECT(t.tv_sec == 3 && t.tv_usec == 0);
    close_pair();
}

static void options_tell_what_a_socket_is(void)
{
    int one = 1;
    struct ucred cred;
    socklen_t len = sizeof cred;

    open_pair(SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK);
    EXPECT_IS(fcntl(pair[1], F_GETFD), FD_CLOEXEC);
    EXPECT_IS(fcntl(pair[1], F_GETFL), O_RDWR | O_NONBLOCK);
    EXPECT_IS(option(pair[0], SO_TYPE), SOCK_SEQPACKET);
    EXPECT_IS(option(pair[0], SO_DOMAIN), AF_UNIX);
    EXPECT_IS(option(pair[0], SO_PROTOCOL), 0);
    EXPECT_IS(option(pair[0], SO_ERROR), 0);
    EXPECT_IS(option(pair[0], SO_ACCEPTCONN), 0);
    EXPECT_IS(option(pair[0], SO_PASSCRED), 0);
    EXPECT_IS(option(pair[0], 31 /* SO_PEERSEC */), -ENOPROTOOPT);
    EXPECT_IS(option(pair[0], 9999), -ENOPROTOOPT);
    EXPECT_ERR(setsockopt(pair[0], SOL_SOCKET, SO_TYPE, &one, sizeof one), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, 3), EINVAL);
    EXPECT_ERR(setsockopt(pair[0], 6, 1, &one, sizeof one), EOPNOTSUPP);
    EXPECT_ERR(getsockopt(pair[0], 6, 1, &one, &len), EOPNOTSUPP);
    EXPECT_IS(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
    EXPECT_IS(option(pair[0], SO_PASSCRED), 1);
    one = 1000;
    EXPECT_IS(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof one), 0);
    EXPECT_IS(option(pair[0], SO_SNDBUF), 4608);
    one = 10000;
    EXPECT_IS(setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &one, sizeof one), 0);
    EXPECT_IS(option(pair[0], SO_RCVBUF), 20000);
    len = sizeof cred;
    EXPECT_IS(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    EXPECT(len == sizeof cred && cred.pid == getpid() && cred.uid == geteuid());
    len = 4;
    EXPECT_IS(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    EXPECT_IS(len, 4);
    close_pair();
}

static void a_socket_is_a_file_of_its_kind(void)
{
    struct stat st;
    char path[64], link[64], expected[64];
    int bytes;

    open_pair(SOCK_STREAM);
    EXPECT_IS(fstat(pair[0], &st), 0);
    EXPECT(S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0777 && st.st_size == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", pair[0]);
    snprintf(expected, sizeof expected, "socket:[%lu]", st.st_ino);
    ssize_t n = readlink(path, link, sizeof link - 1);
    link[n > 0 ? n : 0] = '\0';
    EXPECT(!strcmp(link, expected));
    EXPECT_ERR(open(path, O_RDWR), ENXIO);
    EXPECT_ERR(lseek(pair[0], 0, SEEK_SET), ESPIPE);
    EXPECT_ERR(pread(pair[0], buf, 1, 0), ESPIPE);
    EXPECT_ERR(ftruncate(pair[0], 0), EINVAL);
    EXPECT_ERR(fsync(pair[0]), EINVAL);
    EXPECT_IS(write(pair[0], "abc", 3), 3);
    EXPECT_IS(write(pair[0], "de", 2), 2);
    EXPECT_IS(ioctl(pair[1], FIONREAD, &bytes), 0);
    EXPECT_IS(bytes, 5);
    EXPECT_ERR(ioctl(pair[1], 0x5401 /* TCGETS */, buf), ENOTTY);
    close_pair();
}

static unsigned told(int ep)
{
    struct epoll_event event = {0};

    return epoll_wait(ep, &event, 1, 0) == 1 ? event.events : 0;
}

static void epoll_tells_of_sockets(void)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
    int ep = epoll_create1(0);

    open_pair(SOCK_STREAM);
    EXPECT_IS(epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &event), 0);
    EXPECT_IS(told(ep), 0);
    EXPECT_IS(write(pair[1], "x", 1), 1);
    EXPECT_IS(told(ep), EPOLLIN);
    EXPECT_IS(told(ep), 0);
    EXPECT_IS(shutdown(pair[1], SHUT_WR), 0);
    EXPECT_IS(told(ep), EPOLLIN | EPOLLRDHUP);
    close(pair[1]);
    EXPECT_IS(told(ep), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    close(pair[0]);
    EXPECT_IS(told(ep), 0);
    close(ep);
}

static void a_waiting_reader_is_woken_by_the_end(void)
{
    int status = -1;

    open_pair(SOCK_STREAM);
    pid_t child = fork();
    if (child == 0) {
        struct pollfd p = {.fd = pair[0], .events = 0};
        close(pair[1]);
        _exit(read(pair[0], buf, 1) != 0 || poll(&p, 1, -1) != 1 || p.revents != POLLHUP);
    }
    usleep(20000);
    close_pair();
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
}

/* Whoever sends and receives at once, each message arrives once. */
static void many_can_use_one_socket(void)
{
    enum { SENDERS = 4, EACH = 300 };
    int status, results[2], sum = 0, n;
    long total = 0;

    open_pair(SOCK_DGRAM);
    EXPECT_IS(pipe(results), 0);
    for (int i = 0; i < SENDERS; i++) {
        if (fork() == 0) {
            for (int value = 1; value <= EACH; value++)
                if (write(pair[0], &value, sizeof value) != sizeof value)
                    _exit(1);
            _exit(0);
        }
        if (fork() == 0) {
            for (int k = 0; k < EACH && read(pair[1], &n, sizeof n) == sizeof n; k++)
                sum += n;
            _exit(write(results[1], &sum, sizeof sum) != sizeof sum);
        }
    }
    for (int i = 0; i < 2 * SENDERS; i++)
        EXPECT(wait(&status) > 0 && status == 0);
    for (int i = 0; i < SENDERS && read(results[0], &n, sizeof n) == sizeof n; i++)
        total += n;
    EXPECT_IS(total, SENDERS * EACH * (EACH + 1) / 2);
    close(results[0]);
    close(results[1]);
    close_pair();
}

static void bad_arguments_are_refused(void)
{
    EXPECT_ERR(socket(AF_UNIX, 7, 0), ESOCKTNOSUPPORT);
    EXPECT_ERR(socket(AF_UNIX, 11, 0), EINVAL);
    EXPECT_ERR(socket(AF_UNIX, SOCK_STREAM | 0x10000, 0), EINVAL);
    EXPECT_ERR(socket(AF_UNIX, SOCK_STREAM, 2), EPROTONOSUPPORT);
    EXPECT_ERR(socket(46, SOCK_STREAM, 0), EAFNOSUPPORT);
    EXPECT_ERR(socket(-1, 9, 0), EAFNOSUPPORT);
    EXPECT_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | 0x100, 0, pair), EINVAL);
    EXPECT_ERR(send(99, "x", 1, 0), EBADF);
    EXPECT_ERR(send(0, "x", 1, 0), ENOTSOCK);
    open_pair(SOCK_STREAM);
    EXPECT_ERR(recv(pair[0], buf, 1, MSG_OOB | NOW), EINVAL);
    EXPECT_ERR(send(pair[0], (void *)8, 1, 0), EFAULT);
    EXPECT_IS(write(pair[0], "ab", 2), 2);
    EXPECT_ERR(recv(pair[1], (void *)8, 2, 0), EFAULT);
    EXPECT_IS(recv(pair[1], buf, 9, NOW), 2);
    close_pair();
    open_pair(SOCK_DGRAM);
    EXPECT_IS(write(pair[0], "ab", 2), 2);
    EXPECT_ERR(recv(pair[1], (void *)8, 2, 0), EFAULT);
    EXPECT_ERR(recv(pair[1], buf, 9, NOW), EAGAIN);
    close_pair();
}

static const struct ktap_test tests[] = {
    TEST(bytes_of_a_stream_are_glued),
    TEST(messages_keep_their_bounds),
    TEST(empty_messages_count),
    TEST(a_stream_ends_when_the_other_side_closes),
    TEST(unread_bytes_reset_the_connection),
    TEST(broken_pipes_are_told_by_a_signal),
    TEST(datagrams_to_nobody_are_refused),
    TEST(each_direction_can_be_shut_down),
    TEST(what_is_on_its_way_is_bounded),
    TEST(a_large_write_waits_for_its_reader),
    TEST(waitall_waits_for_all),
    TEST(waiting_ends_with_signals_and_timeouts),
    TEST(options_tell_what_a_socket_is),
    TEST(a_socket_is_a_file_of_its_kind),
    TEST(epoll_tells_of_sockets),
    TEST(a_waiting_reader_is_woken_by_the_end),
    TEST(many_can_use_one_socket),
    TEST(bad_arguments_are_refused),
};

int main(void)
{
    return KTAP_MAIN(tests);
}

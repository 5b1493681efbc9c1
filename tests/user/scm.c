/* SPDX-License-Identifier: MIT */
/*
 * tests/user/scm.c - descriptors and credentials that travel through sockets
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: unix(7), cmsg(3), sendmsg(2), recvmsg(2); fcntl(2), "File Sealing".
 * Tour:   after tests/user/socket.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOW     MSG_DONTWAIT
#define FDS_MAX 253

static int pair[2];
static char buf[256];
static union {
    char bytes[CMSG_SPACE(300 * sizeof(int))];
    struct cmsghdr align;
} control;

static void open_pair(int type)
{
    EXPECT_IS(socketpair(AF_UNIX, type, 0, pair), 0);
}

static void close_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

/* libc would look at it first, and has less room. */
static long send_message(int fd, const struct msghdr *m, int flags)
{
    return syscall(SYS_sendmsg, fd, m, flags);
}

static long receive_message(int fd, struct msghdr *m, int flags)
{
    return syscall(SYS_recvmsg, fd, m, flags);
}

static struct msghdr message(struct iovec *iov, size_t bytes, size_t control_len)
{
    *iov = (struct iovec){buf, bytes};
    return (struct msghdr){.msg_iov = iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = control_len};
}

static ssize_t send_fds(int to, const int *fds, int nr)
{
    struct iovec iov;
    struct msghdr m = message(&iov, 1, CMSG_SPACE(nr * sizeof(int)));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(nr * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
    return send_message(to, &m, NOW);
}

static ssize_t send_fd(int to, int fd)
{
    return send_fds(to, &fd, 1);
}

/* How many descriptors came; the first into *@fd. */
static int receive_fds(int from, int room, int flags, int *fd, int *flags_out)
{
    struct iovec iov;
    struct msghdr m = message(&iov, sizeof buf, room ? CMSG_LEN(room * sizeof(int)) : 0);
    ssize_t n = receive_message(from, &m, flags | NOW);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    *fd = -1;
    *flags_out = m.msg_flags;
    if (n < 0)
        return -errno;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

static int receive_fd(int from)
{
    int fd, flags;

    return receive_fds(from, 1, 0, &fd, &flags) == 1 ? fd : -1;
}

static void a_sealed_memfd_is_handed_over(void)
{
    int status = -1, fd = memfd_create("letter", MFD_ALLOW_SEALING | MFD_CLOEXEC);

    open_pair(SOCK_STREAM);
    EXPECT_IS(write(fd, "sealed and sent", 15), 15);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fd);
        close(pair[0]);
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(geteuid() == 0);
        struct pollfd p = {.fd = pair[1], .events = POLLIN};
        poll(&p, 1, -1);
        int got = receive_fd(pair[1]);
        char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, got, 0);
        bool same = map != MAP_FAILED && !memcmp(map, "sealed and sent", 15);
        bool sealed = fcntl(got, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
        bool kept = pwrite(got, "x", 1, 0) < 0 && errno == EPERM;
        _exit(!(same && sealed && kept));
    }
    EXPECT_IS(send_fd(pair[0], fd), 1);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close(fd);
    close_pair();
}

static void what_comes_is_the_same_open_file(void)
{
    int fd = memfd_create("offset", 0);

    open_pair(SOCK_DGRAM);
    EXPECT_IS(write(fd, "abcdef", 6), 6);
    EXPECT_IS(lseek(fd, 2, SEEK_SET), 2);
    EXPECT_IS(send_fd(pair[0], fd), 1);
    EXPECT_IS(lseek(fd, 3, SEEK_SET), 3);
    int got = receive_fd(pair[1]);
    EXPECT(got >= 0 && got != fd);
    EXPECT_IS(read(got, buf, 1), 1);
    EXPECT_IS(buf[0], 'd');
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 4);
    EXPECT_IS(fcntl(got, F_SETFL, O_NONBLOCK), 0);
    EXPECT(fcntl(fd, F_GETFL) & O_NONBLOCK);
    EXPECT_IS(fcntl(got, F_GETFD), 0);
    close(got);
    close(fd);
    close_pair();
}

static void cloexec_can_be_asked_for(void)
{
    int fd, flags;

    open_pair(SOCK_STREAM);
    EXPECT_IS(send_fd(pair[0], pair[0]), 1);
    EXPECT_IS(receive_fds(pair[1], 1, MSG_CMSG_CLOEXEC, &fd, &flags), 1);
    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_IS(flags, MSG_CMSG_CLOEXEC);
    close(fd);
    close_pair();
}

static void what_does_not_fit_is_closed(void)
{
    int ends[2], fd, flags, fds[3];

    open_pair(SOCK_STREAM);
    EXPECT_IS(pipe(ends), 0);
    for (int i = 0; i < 3; i++)
        fds[i] = ends[1];
    EXPECT_IS(send_fds(pair[0], fds, 3), 1);
    EXPECT_IS(receive_fds(pair[1], 2, 0, &fd, &flags), 2);
    EXPECT_IS(flags, MSG_CTRUNC);
    close(fd);
    close(fd + 1);
    EXPECT_IS(send_fds(pair[0], fds, 3), 1);
    EXPECT_IS(receive_fds(pair[1], 0, 0, &fd, &flags), 0);
    EXPECT_IS(flags, MSG_CTRUNC);
    EXPECT_IS(send_fds(pair[0], fds, 3), 1);
    EXPECT_IS(read(pair[1], buf, 9), 1);
    EXPECT_IS(send_fds(pair[0], fds, 3), 1);
    close(ends[1]);
    close_pair();
    EXPECT_IS(read(ends[0], buf, 9), 0);
    close(ends[0]);
}

static void a_full_table_takes_no_more(void)
{
    struct rlimit all, few;
    int fd, flags, fds[2];

    open_pair(SOCK_STREAM);
    int next = dup(0);
    close(next);
    fds[0] = fds[1] = 0;
    EXPECT_IS(send_fds(pair[0], fds, 2), 1);
    EXPECT_IS(send_fds(pair[0], fds, 2), 1);
    getrlimit(RLIMIT_NOFILE, &all);
    few = (struct rlimit){(rlim_t)next + 1, all.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    EXPECT_IS(receive_fds(pair[1], 2, 0, &fd, &flags), 1);
    EXPECT_IS(flags, MSG_CTRUNC);
    EXPECT_IS(fd, next);
    EXPECT_IS(receive_fds(pair[1], 2, 0, &fd, &flags), 0);
    EXPECT_IS(flags, MSG_CTRUNC);
    setrlimit(RLIMIT_NOFILE, &all);
    close(next);
    close_pair();
}

static void descriptors_come_with_their_bytes(void)
{
    int fd, flags;

    open_pair(SOCK_STREAM);
    EXPECT_IS(write(pair[0], "before", 6), 6);
    EXPECT_IS(send_fd(pair[0], 0), 1);
    EXPECT_IS(write(pair[0], "after", 5), 5);
    EXPECT_IS(receive_fds(pair[1], 1, MSG_PEEK, &fd, &flags), 1);
    close(fd);
    struct iovec iov;
    struct msghdr m = message(&iov, 100, CMSG_LEN(sizeof(int)));
    EXPECT_IS(receive_message(pair[1], &m, 0), 7);
    EXPECT(CMSG_FIRSTHDR(&m));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    close(fd);
    EXPECT_IS(receive_fds(pair[1], 1, 0, &fd, &flags), 0);
    EXPECT_ERR(recv(pair[1], buf, 1, NOW), EAGAIN);
    close_pair();
}

static void bad_control_messages_are_refused(void)
{
    static int many[FDS_MAX + 1];
    struct iovec iov;
    struct msghdr m = message(&iov, 1, CMSG_SPACE(sizeof(int)));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    open_pair(SOCK_STREAM);
    EXPECT_IS(send_fd(pair[0], -1) < 0 ? errno : 0, EBADF);
    EXPECT_IS(send_fd(pair[0], 999) < 0 ? errno : 0, EBADF);
    EXPECT_IS(send_fds(pair[0], many, FDS_MAX + 1) < 0 ? errno : 0, EINVAL);
    EXPECT_IS(send_fds(pair[0], many, FDS_MAX), 1);
    EXPECT_IS(read(pair[1], buf, 9), 1);
    *c = (struct cmsghdr){CMSG_LEN(1), 0, SOL_SOCKET, 99};
    EXPECT_ERR(send_message(pair[0], &m, 0), EINVAL);
    c->cmsg_level = 99;
    EXPECT_IS(send_message(pair[0], &m, 0), 1);
    c->cmsg_len = 3;
    EXPECT_ERR(send_message(pair[0], &m, 0), EINVAL);
    c->cmsg_len = 1000;
    EXPECT_ERR(send_message(pair[0], &m, 0), EINVAL);
    *c = (struct cmsghdr){CMSG_LEN(4), 0, SOL_SOCKET, SCM_CREDENTIALS};
    EXPECT_ERR(send_message(pair[0], &m, 0), EINVAL);
    m.msg_control = (void *)8;
    EXPECT_ERR(send_message(pair[0], &m, 0), EFAULT);
    m.msg_controllen = 0;
    m.msg_iovlen = 1025;
    EXPECT_ERR(send_message(pair[0], &m, 0), EMSGSIZE);
    EXPECT_ERR(send_message(pair[0], (void *)8, 0), EFAULT);
    EXPECT_ERR(receive_message(pair[0], (void *)8, 0), EFAULT);
    EXPECT_ERR(send_message(0, &m, 0), ENOTSOCK);
    EXPECT_ERR(receive_message(99, &m, 0), EBADF);
    EXPECT_IS(recv(pair[1], buf, 9, NOW), 1);
    close_pair();
}

/* The credentials of the next message, or a pid of -errno. */
static struct ucred receive_cred(int from, int *flags)
{
    struct ucred cred = {-1, 1, 1};
    struct iovec iov;
    struct msghdr m = message(&iov, sizeof buf, CMSG_SPACE(sizeof cred));
    ssize_t n = receive_message(from, &m, NOW);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    *flags = m.msg_flags;
    if (n < 0)
        cred.pid = -errno;
    else if (c && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof cred))
        memcpy(&cred, CMSG_DATA(c), sizeof cred);
    return cred;
}

static void who_sends_can_be_asked_for(void)
{
    int one = 1, flags;

    open_pair(SOCK_DGRAM);
    EXPECT_IS(write(pair[0], "early", 5), 5);
    EXPECT_IS(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
    EXPECT_IS(write(pair[0], "x", 1), 1);
    struct ucred cred = receive_cred(pair[1], &flags);
    EXPECT(cred.pid == 0 && cred.uid == 65534 && cred.gid == 65534);
    cred = receive_cred(pair[1], &flags);
    EXPECT(cred.pid == getpid() && cred.uid == getuid() && cred.gid == getgid());
    EXPECT_IS(flags, 0);
    EXPECT_IS(write(pair[0], "x", 1), 1);
    struct iovec iov;
    struct msghdr m = message(&iov, 9, 20);
    EXPECT_IS(receive_message(pair[1], &m, 0), 1);
    EXPECT_IS(m.msg_flags, MSG_CTRUNC);
    EXPECT_IS(m.msg_controllen, 20);
    EXPECT_IS(write(pair[0], "x", 1), 1);
    m.msg_control = NULL;
    EXPECT_IS(receive_message(pair[1], &m, 0), 1);
    EXPECT_IS(m.msg_flags, MSG_CTRUNC);
    EXPECT_IS(m.msg_controllen, 0);
    close_pair();
}

static void nobody_says_to_be_another(void)
{
    struct ucred cred = {getpid(), getuid(), getgid()};
    struct iovec iov;
    struct msghdr m = message(&iov, 1, CMSG_SPACE(sizeof cred));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int one = 1, flags, status = -1;

    open_pair(SOCK_SEQPACKET);
    EXPECT_IS(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
    *c = (struct cmsghdr){CMSG_LEN(sizeof cred), 0, SOL_SOCKET, SCM_CREDENTIALS};
    memcpy(CMSG_DATA(c), &cred, sizeof cred);
    EXPECT_IS(send_message(pair[0], &m, 0), 1);
    cred = receive_cred(pair[1], &flags);
    EXPECT(cred.pid == getpid() && cred.uid == getuid());
    pid_t child = fork();
    if (child == 0) {
        m = message(&iov, 1, CMSG_SPACE(sizeof cred));
        *c = (struct cmsghdr){CMSG_LEN(sizeof cred), 0, SOL_SOCKET, SCM_CREDENTIALS};
        memcpy(CMSG_DATA(c), &cred, sizeof cred); /* the parent's */
        _exit(setuid(65534) < 0 || send_message(pair[0], &m, 0) != -1 || errno != EPERM);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close_pair();
}

static void streams_are_not_glued_across_senders(void)
{
    int one = 1, status;

    open_pair(SOCK_STREAM);
    EXPECT_IS(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
    EXPECT_IS(write(pair[0], "mine", 4), 4);
    EXPECT_IS(write(pair[0], "mine", 4), 4);
    pid_t child = fork();
    if (child == 0)
        _exit(write(pair[0], "yours", 5) != 5);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(recv(pair[1], buf, 100, NOW), 8);
    EXPECT_IS(recv(pair[1], buf, 100, NOW), 5);
    close_pair();
}

static void many_messages_go_in_one_call(void)
{
    struct iovec iov[4];
    struct mmsghdr m[4];
    char bytes[4][8];
    struct timespec soon = {0, 1};

    open_pair(SOCK_DGRAM);
    for (int i = 0; i < 4; i++) {
        iov[i] = (struct iovec){bytes[i], (size_t)i + 1};
        m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
    }
    EXPECT_IS(syscall(SYS_sendmmsg, pair[0], m, 3, 0), 3);
    EXPECT(m[0].msg_len == 1 && m[2].msg_len == 3);
    for (int i = 0; i < 4; i++)
        iov[i].iov_len = 8;
    EXPECT_IS(syscall(SYS_recvmmsg, pair[1], m, 4, MSG_WAITFORONE, NULL), 3);
    EXPECT(m[0].msg_len == 1 && m[1].msg_len == 2 && m[2].msg_len == 3);
    EXPECT_ERR(syscall(SYS_recvmmsg, pair[1], m, 4, NOW, NULL), EAGAIN);
    EXPECT_IS(syscall(SYS_sendmmsg, pair[0], m, 3, 0), 3);
    EXPECT_IS(syscall(SYS_recvmmsg, pair[1], m, 4, 0, &soon), 1);
    soon.tv_nsec = -1;
    EXPECT_ERR(syscall(SYS_recvmmsg, pair[1], m, 4, 0, &soon), EINVAL);
    EXPECT_ERR(syscall(SYS_sendmmsg, 0, m, 1, 0), ENOTSOCK);
    close_pair();
}

/* A pipe's end that only a garbage socket's queue holds is closed, sooner or later. */
static bool ends_soon(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int extra[2];

    for (int i = 0; i < 200; i++) {
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, extra) < 0) /* Linux looks when one is closed */
            return false;
        close(extra[0]);
        close(extra[1]);
        if (poll(&p, 1, 10) == 1 && (p.revents & POLLHUP))
            return true;
    }
    return false;
}

static void a_socket_in_its_own_queue_is_collected(void)
{
    int ends[2];

    EXPECT_IS(pipe(ends), 0);
    open_pair(SOCK_DGRAM);
    EXPECT_IS(send_fd(pair[0], ends[1]), 1);
    EXPECT_IS(send_fd(pair[0], pair[1]), 1);
    close(ends[1]);
    close_pair();
    EXPECT(ends_soon(ends[0]));
    close(ends[0]);
}

static void rings_of_sockets_are_collected(void)
{
    int ends[2], ring[6][2], fd;

    EXPECT_IS(pipe(ends), 0);
    for (int i = 0; i < 6; i++)
        EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, ring[i]), 0);
    for (int i = 0; i < 6; i++) { /* each one's queue holds both ends of the next */
        EXPECT_IS(send_fds(ring[i][0], ring[(i + 1) % 6], 2), 1);
        EXPECT_IS(send_fd(ring[i][0], ends[1]), 1);
    }
    close(ends[1]);
    for (int i = 1; i < 6; i++) {
        close(ring[i][0]);
        close(ring[i][1]);
    }
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    EXPECT_IS(poll(&p, 1, 30), 0); /* all can still be received */
    fd = receive_fd(ring[0][1]);
    EXPECT(fd >= 0);
    close(fd);
    close(fd + 1);
    close(ring[0][0]);
    close(ring[0][1]);
    EXPECT(ends_soon(ends[0]));
    close(ends[0]);
}

static void a_long_chain_comes_apart(void)
{
    int ends[2], last = -1;

    EXPECT_IS(pipe(ends), 0);
    last = ends[1];
    for (int i = 0; i < 500; i++) { /* each socket's queue holds the one before */
        open_pair(SOCK_DGRAM);
        EXPECT_IS(send_fd(pair[0], last), 1);
        close(last);
        close(pair[0]);
        last = pair[1];
    }
    close(last);
    EXPECT(ends_soon(ends[0]));
    close(ends[0]);
}

static void how_many_are_on_their_way_is_limited(void)
{
    int status = -1;

    open_pair(SOCK_DGRAM);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit few = {16, 16};
        int fds[10] = {0};
        uid_t nobody = 100000 + (uid_t)getpid(); /* who sends nothing else */
        if (setrlimit(RLIMIT_NOFILE, &few) < 0 || setgid(nobody) < 0 || setuid(nobody) < 0)
            _exit(1);
        if (send_fds(pair[0], fds, 10) != 1 || send_fds(pair[0], fds, 10) != 1)
            _exit(2);
        if (send_fds(pair[0], fds, 1) != -1 || errno != ETOOMANYREFS)
            _exit(3);
        if (read(pair[1], buf, 1) != 1 || send_fds(pair[0], fds, 1) != 1)
            _exit(4);
        _exit(0);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(WEXITSTATUS(status), 0);
    close_pair();
}

static const struct ktap_test tests[] = {
    TEST(a_sealed_memfd_is_handed_over),
    TEST(what_comes_is_the_same_open_file),
    TEST(cloexec_can_be_asked_for),
    TEST(what_does_not_fit_is_closed),
    TEST(a_full_table_takes_no_more),
    TEST(descriptors_come_with_their_bytes),
    TEST(bad_control_messages_are_refused),
    TEST(who_sends_can_be_asked_for),
    TEST(nobody_says_to_be_another),
    TEST(streams_are_not_glued_across_senders),
    TEST(many_messages_go_in_one_call),
    TEST(a_socket_in_its_own_queue_is_collected),
    TEST(rings_of_sockets_are_collected),
    TEST(a_long_chain_comes_apart),
    TEST(how_many_are_on_their_way_is_limited),
};

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    return KTAP_MAIN(tests);
}

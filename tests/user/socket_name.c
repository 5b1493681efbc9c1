/* SPDX-License-Identifier: MIT */
/*
 * tests/user/socket_name.c - sockets that are found by a name: bind, listen, connect, accept
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory below /tmp, while a test runs.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: unix(7), bind(2), listen(2), connect(2), accept(2), getsockname(2).
 * Tour:   after tests/user/socket.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#define NOW  MSG_DONTWAIT
#define PATH "server"

static char buf[4096], directory[64];

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    strncpy(a.sun_path, path, sizeof a.sun_path - 1);
    return a;
}

static int bind_to(int fd, const char *path)
{
    struct sockaddr_un a = address(path);

    return bind(fd, (struct sockaddr *)&a, sizeof a);
}

static int connect_to(int fd, const char *path)
{
    struct sockaddr_un a = address(path);

    return connect(fd, (struct sockaddr *)&a, sizeof a);
}

/* "\0name", of this process: others may run the same test. */
static socklen_t abstract(struct sockaddr_un *a, const char *name)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "%s.%d", name, getpid());
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

static int new_socket(int type)
{
    int fd = socket(AF_UNIX, type, 0);

    EXPECT(fd >= 0);
    return fd;
}

static int new_listener(int type, int backlog)
{
    int fd = new_socket(type);

    EXPECT_IS(bind_to(fd, PATH), 0);
    EXPECT_IS(listen(fd, backlog), 0);
    return fd;
}

static short ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

    poll(&p, 1, 0);
    return p.revents;
}

static void enter_directory(void)
{
    strcpy(directory, "/tmp/socketXXXXXX");
    EXPECT(mkdtemp(directory) && chdir(directory) == 0);
}

static void leave_directory(void)
{
    unlink(PATH);
    EXPECT(chdir("/") == 0 && rmdir(directory) == 0);
}

static void a_client_finds_a_server_by_path(void)
{
    struct sockaddr_un a;
    socklen_t len = sizeof a;
    struct ucred cred;

    enter_directory();
    int server = new_listener(SOCK_STREAM, 5), client = new_socket(SOCK_STREAM);
    EXPECT_IS(ready(client), POLLOUT | POLLHUP);
    EXPECT_IS(ready(server), 0);
    EXPECT_IS(connect_to(client, PATH), 0);
    EXPECT_IS(ready(server), POLLIN);
    EXPECT_IS(write(client, "hello", 5), 5);
    int fd = accept(server, (struct sockaddr *)&a, &len);
    EXPECT(fd >= 0);
    EXPECT_IS(len, 2);
    EXPECT_IS(read(fd, buf, 9), 5);
    EXPECT_IS(write(fd, "yes", 3), 3);
    EXPECT_IS(read(client, buf, 9), 3);
    len = sizeof a;
    EXPECT_IS(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    EXPECT(len == 2 + sizeof PATH && !strcmp(a.sun_path, PATH));
    len = sizeof a;
    EXPECT_IS(getpeername(client, (struct sockaddr *)&a, &len), 0);
    EXPECT(len == 2 + sizeof PATH && !strcmp(a.sun_path, PATH));
    len = sizeof a;
    EXPECT_IS(getsockname(client, (struct sockaddr *)&a, &len), 0);
    EXPECT_IS(len, 2);
    len = 4;
    EXPECT_IS(getpeername(client, (struct sockaddr *)&a, &len), 0);
    EXPECT_IS(len, 2 + sizeof PATH);
    len = sizeof cred;
    EXPECT_IS(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    EXPECT(cred.pid == getpid() && cred.uid == geteuid() && cred.gid == getegid());
    EXPECT_IS(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    EXPECT(cred.pid == getpid());
    close(fd);
    close(client);
    close(server);
    leave_directory();
}

static void the_name_is_a_file_of_its_kind(void)
{
    struct stat st;

    enter_directory();
    umask(022);
    int server = new_listener(SOCK_STREAM, 5), other = new_socket(SOCK_STREAM);
    EXPECT_IS(stat(PATH, &st), 0);
    EXPECT(S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0755);
    EXPECT_ERR(open(PATH, O_RDWR), ENXIO);
    EXPECT_ERR(bind_to(other, PATH), EADDRINUSE);
    EXPECT_ERR(bind_to(server, "another"), EINVAL);
    EXPECT_ERR(bind_to(other, "no/such"), ENOENT);
    EXPECT_IS(rename(PATH, "moved"), 0);
    EXPECT_ERR(connect_to(other, PATH), ENOENT);
    EXPECT_IS(connect_to(other, "moved"), 0);
    EXPECT_IS(rename("moved", PATH), 0);
    close(server);
    int late = new_socket(SOCK_STREAM);
    EXPECT_ERR(connect_to(late, PATH), ECONNREFUSED);
    EXPECT_IS(unlink(PATH), 0);
    EXPECT_ERR(connect_to(late, PATH), ENOENT);
    close(late);
    close(other);
    leave_directory();
}

static void what_is_unlinked_stays_connected(void)
{
    enter_directory();
    int server = new_listener(SOCK_STREAM, 5), client = new_socket(SOCK_STREAM);
    EXPECT_IS(connect_to(client, PATH), 0);
    EXPECT_IS(unlink(PATH), 0);
    int fd = accept(server, NULL, NULL);
    EXPECT_IS(write(client, "x", 1), 1);
    EXPECT_IS(read(fd, buf, 9), 1);
    close(fd);
    close(client);
    close(server);
    leave_directory();
}

static void connecting_needs_the_right_to_write(void)
{
    int status = -1;

    enter_directory();
    if (geteuid() != 0) {
        leave_directory();
        SKIP("needs root");
    }
    chmod(directory, 0755);
    int server = new_listener(SOCK_STREAM, 5);
    chmod(PATH, 0755);
    pid_t child = fork();
    if (child == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        bool refused = setuid(65534) == 0 && connect_to(fd, PATH) < 0 && errno == EACCES;
        _exit(!refused);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close(server);
    leave_directory();
}

static void abstract_names_are_no_files(void)
{
    struct sockaddr_un a, seen;
    socklen_t len = abstract(&a, "bulla test"), seen_len = sizeof seen;
    int server = new_socket(SOCK_STREAM), client = new_socket(SOCK_STREAM);

    EXPECT_IS(bind(server, (struct sockaddr *)&a, len), 0);
    EXPECT_ERR(bind(client, (struct sockaddr *)&a, len), EADDRINUSE);
    EXPECT_ERR(connect(client, (struct sockaddr *)&a, len), ECONNREFUSED);
    EXPECT_IS(listen(server, 1), 0);
    EXPECT_ERR(connect(client, (struct sockaddr *)&a, len + 1), ECONNREFUSED);
    EXPECT_IS(connect(client, (struct sockaddr *)&a, len), 0);
    EXPECT_ERR(connect(client, (struct sockaddr *)&a, len), EISCONN);
    EXPECT_IS(getpeername(client, (struct sockaddr *)&seen, &seen_len), 0);
    EXPECT(seen_len == len && !memcmp(&seen, &a, len));
    close(server);
    EXPECT_ERR(read(client, buf, 1), ECONNRESET);
    close(client);
    server = new_socket(SOCK_STREAM);
    EXPECT_IS(bind(server, (struct sockaddr *)&a, len), 0);
    close(server);
}

static void a_name_can_be_chosen(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = sizeof a;
    int fd = new_socket(SOCK_DGRAM);

    EXPECT_IS(bind(fd, (struct sockaddr *)&a, 2), 0);
    EXPECT_IS(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    EXPECT(len == 8 && a.sun_path[0] == '\0' && strspn(a.sun_path + 1, "0123456789abcdef") >= 5);
    close(fd);
}

static void names_may_fill_their_room(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char seen[128];
    socklen_t len = sizeof seen;
    int fd = new_socket(SOCK_DGRAM);

    enter_directory();
    memset(a.sun_path, 'x', sizeof a.sun_path);
    EXPECT_IS(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    EXPECT_IS(getsockname(fd, (struct sockaddr *)seen, &len), 0);
    EXPECT_IS(len, 111);
    EXPECT(strlen(seen + 2) == 108);
    EXPECT_IS(unlink(seen + 2), 0);
    close(fd);
    fd = new_socket(SOCK_DGRAM);
    EXPECT_ERR(bind(fd, (struct sockaddr *)&a, sizeof a + 1), EINVAL);
    a.sun_family = 2;
    EXPECT_ERR(bind(fd, (struct sockaddr *)&a, sizeof a), EINVAL);
    EXPECT_ERR(bind(fd, (struct sockaddr *)&a, 1000), EINVAL);
    EXPECT_ERR(bind(fd, (struct sockaddr *)&a, 0), EINVAL);
    close(fd);
    leave_directory();
}

static void datagrams_tell_who_sent_them(void)
{
    struct sockaddr_un a;
    socklen_t len = sizeof a;

    enter_directory();
    int server = new_socket(SOCK_DGRAM), client = new_socket(SOCK_DGRAM);
    EXPECT_IS(bind_to(server, PATH), 0);
    a = address(PATH);
    EXPECT_ERR(send(client, "x", 1, 0), ENOTCONN);
    EXPECT_IS(sendto(client, "one", 3, 0, (struct sockaddr *)&a, sizeof a), 3);
    EXPECT_IS(recvfrom(server, buf, 9, NOW, (struct sockaddr *)&a, &len), 3);
    EXPECT_IS(len, 0);
    EXPECT_IS(bind_to(client, "client"), 0);
    EXPECT_IS(connect_to(client, PATH), 0);
    EXPECT_IS(send(client, "two", 3, 0), 3);
    len = sizeof a;
    EXPECT_IS(recvfrom(server, buf, 9, NOW, (struct sockaddr *)&a, &len), 3);
    EXPECT(len == 2 + sizeof "client" && !strcmp(a.sun_path, "client"));
    EXPECT_IS(sendto(server, "back", 4, 0, (struct sockaddr *)&a, len), 4);
    EXPECT_IS(recv(client, buf, 9, NOW), 4);
    EXPECT_IS(unlink("client"), 0);
    int stranger = new_socket(SOCK_DGRAM);
    EXPECT_IS(bind_to(stranger, "client"), 0);
    EXPECT_IS(connect_to(stranger, PATH), 0);
    EXPECT_IS(connect_to(server, "client"), 0);
    EXPECT_ERR(send(client, "x", 1, NOW), EPERM);
    a.sun_family = AF_UNSPEC;
    EXPECT_IS(connect(server, (struct sockaddr *)&a, sizeof a), 0);
    EXPECT_IS(send(client, "x", 1, NOW), 1);
    EXPECT_IS(unlink("client"), 0);
    close(stranger);
    close(server);
    EXPECT_ERR(send(client, "x", 1, NOW), ECONNREFUSED);
    close(client);
    leave_directory();
}

static void a_crowded_reader_makes_senders_wait(void)
{
    struct sockaddr_un a = address(PATH);
    int sent = 0, status = -1;

    enter_directory();
    int server = new_socket(SOCK_DGRAM), client = new_socket(SOCK_DGRAM);
    EXPECT_IS(bind_to(server, PATH), 0);
    EXPECT_IS(connect_to(client, PATH), 0);
    while (sent < 600 && send(client, "x", 1, NOW) == 1)
        sent++;
    EXPECT(errno == EAGAIN && sent > 2 && sent < 600);
    EXPECT_IS(ready(client), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(sendto(client, "y", 1, 0, (struct sockaddr *)&a, sizeof a) != 1);
    usleep(20000);
    EXPECT_IS(waitpid(child, &status, WNOHANG), 0);
    EXPECT_IS(recv(server, buf, 1, NOW), 1);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close(client);
    close(server);
    leave_directory();
}

static void a_full_backlog_makes_clients_wait(void)
{
    int fds[4], status = -1;

    enter_directory();
    int server = new_listener(SOCK_STREAM, 1);
    for (int i = 0; i < 3; i++)
        fds[i] = new_socket(SOCK_STREAM | SOCK_NONBLOCK);
    EXPECT_IS(connect_to(fds[0], PATH), 0);
    EXPECT_IS(connect_to(fds[1], PATH), 0);
    EXPECT_ERR(connect_to(fds[2], PATH), EAGAIN);
    pid_t child = fork();
    if (child == 0)
        _exit(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), PATH) != 0);
    usleep(20000);
    EXPECT_IS(waitpid(child, &status, WNOHANG), 0);
    fds[3] = accept(server, NULL, NULL);
    EXPECT(fds[3] >= 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(server);
    leave_directory();
}

static void accept_takes_flags_and_refuses_others(void)
{
    struct rlimit all, few = {0, 0};

    enter_directory();
    int server = new_listener(SOCK_SEQPACKET | SOCK_NONBLOCK, 5);
    EXPECT_ERR(accept(server, NULL, NULL), EAGAIN);
    int client = new_socket(SOCK_SEQPACKET);
    EXPECT_IS(connect_to(client, PATH), 0);
    EXPECT_ERR(syscall(SYS_accept4, server, NULL, NULL, 1), EINVAL);
    getrlimit(RLIMIT_NOFILE, &all);
    few.rlim_max = all.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    EXPECT_ERR(accept(server, NULL, NULL), EMFILE);
    setrlimit(RLIMIT_NOFILE, &all);
    int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    EXPECT(fd >= 0);
    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_IS(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
    EXPECT_IS(write(client, "abc", 3), 3);
    EXPECT_IS(read(fd, buf, 9), 3);
    EXPECT_ERR(read(fd, buf, 9), EAGAIN);
    EXPECT_ERR(accept(client, NULL, NULL), EINVAL);
    EXPECT_ERR(listen(client, 1), EINVAL);
    EXPECT_ERR(connect_to(server, PATH), EINVAL);
    EXPECT_IS(shutdown(server, SHUT_RDWR), 0);
    int late = new_socket(SOCK_SEQPACKET);
    EXPECT_ERR(connect_to(late, PATH), ECONNREFUSED);
    close(late);
    close(fd);
    close(client);
    close(server);
    leave_directory();
}

/* The line of /proc/net/unix that ends in @end, from its type on. */
static const char *line_of(const char *end)
{
    static char line[256];
    FILE *f = fopen("/proc/net/unix", "r");

    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        line[strcspn(line, "\n")] = '\0';
        if (colon && strlen(line) > strlen(end) &&
            !strcmp(line + strlen(line) - strlen(end), end)) {
            fclose(f);
            return colon + 2 + 9 + 9; /* a count, and a protocol */
        }
    }
    if (f)
        fclose(f);
    return "";
}

static void sockets_are_listed(void)
{
    char expected[192], name[128];
    struct sockaddr_un a;
    struct stat st;

    enter_directory();
    int server = new_socket(SOCK_STREAM), other = new_socket(SOCK_DGRAM);
    snprintf(name, sizeof name, " %s/" PATH, directory);
    EXPECT_IS(bind_to(server, name + 1), 0);
    EXPECT_IS(listen(server, 1), 0);
    EXPECT_IS(bind(other, (struct sockaddr *)&a, abstract(&a, "listed")), 0);
    EXPECT_IS(fstat(server, &st), 0);
    snprintf(expected, sizeof expected, "00010000 0001 01 %5lu%s", st.st_ino, name);
    EXPECT(!strcmp(line_of(name), expected));
    EXPECT_IS(fstat(other, &st), 0);
    snprintf(name, sizeof name, " @listed.%d", getpid());
    snprintf(expected, sizeof expected, "00000000 0002 01 %5lu%s", st.st_ino, name);
    EXPECT(!strcmp(line_of(name), expected));
    close(server);
    close(other);
    EXPECT(!strcmp(line_of(name), ""));
    leave_directory();
}

static void calls_of_the_wrong_kind_are_refused(void)
{
    struct sockaddr_un a = address(PATH);
    socklen_t len = sizeof a;

    enter_directory();
    int stream = new_socket(SOCK_STREAM), dgram = new_socket(SOCK_DGRAM);
    int packet = new_socket(SOCK_SEQPACKET);
    EXPECT_IS(bind_to(dgram, PATH), 0);
    EXPECT_ERR(connect_to(stream, PATH), EPROTOTYPE);
    EXPECT_ERR(listen(stream, 1), EINVAL);
    EXPECT_ERR(listen(dgram, 1), EOPNOTSUPP);
    EXPECT_ERR(accept(dgram, NULL, NULL), EOPNOTSUPP);
    EXPECT_ERR(accept(stream, NULL, NULL), EINVAL);
    EXPECT_ERR(send(stream, "x", 1, 0), ENOTCONN);
    EXPECT_ERR(send(packet, "x", 1, 0), ENOTCONN);
    EXPECT_ERR(recv(stream, buf, 1, 0), EINVAL);
    EXPECT_ERR(recv(packet, buf, 1, 0), ENOTCONN);
    EXPECT_ERR(sendto(stream, "x", 1, 0, (struct sockaddr *)&a, len), EOPNOTSUPP);
    EXPECT_ERR(getpeername(stream, (struct sockaddr *)&a, &len), ENOTCONN);
    EXPECT_ERR(getsockname(0, (struct sockaddr *)&a, &len), ENOTSOCK);
    EXPECT_ERR(getsockname(99, (struct sockaddr *)&a, &len), EBADF);
    EXPECT_ERR(syscall(SYS_getsockname, stream, &a, 0), EFAULT);
    len = (socklen_t)-1;
    EXPECT_ERR(getsockname(stream, (struct sockaddr *)&a, &len), EINVAL);
    EXPECT_ERR(bind(0, (struct sockaddr *)&a, sizeof a), ENOTSOCK);
    EXPECT_ERR(connect(0, (struct sockaddr *)&a, sizeof a), ENOTSOCK);
    EXPECT_ERR(connect(stream, (struct sockaddr *)8, sizeof a), EFAULT);
    EXPECT_ERR(connect_to(stream, "/proc/self/exe"), ECONNREFUSED);
    EXPECT_ERR(connect_to(stream, "/tmp"), ECONNREFUSED);
    a.sun_family = AF_UNSPEC;
    EXPECT_ERR(connect(stream, (struct sockaddr *)&a, sizeof a), EINVAL);
    EXPECT_IS(shutdown(stream, SHUT_RDWR), 0);
    close(packet);
    close(stream);
    close(dgram);
    leave_directory();
}

static void who_waits_to_be_accepted_is_reset(void)
{
    enter_directory();
    int server = new_listener(SOCK_STREAM, 5), client = new_socket(SOCK_STREAM);
    EXPECT_IS(connect_to(client, PATH), 0);
    EXPECT_IS(write(client, "x", 1), 1);
    close(server);
    EXPECT_ERR(read(client, buf, 1), ECONNRESET);
    EXPECT_IS(read(client, buf, 1), 0);
    close(client);
    leave_directory();
}

static const struct ktap_test tests[] = {
    TEST(a_client_finds_a_server_by_path),
    TEST(the_name_is_a_file_of_its_kind),
    TEST(what_is_unlinked_stays_connected),
    TEST(connecting_needs_the_right_to_write),
    TEST(abstract_names_are_no_files),
    TEST(a_name_can_be_chosen),
    TEST(names_may_fill_their_room),
    TEST(datagrams_tell_who_sent_them),
    TEST(a_crowded_reader_makes_senders_wait),
    TEST(a_full_backlog_makes_clients_wait),
    TEST(accept_takes_flags_and_refuses_others),
    TEST(sockets_are_listed),
    TEST(calls_of_the_wrong_kind_are_refused),
    TEST(who_waits_to_be_accepted_is_reset),
};

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    return KTAP_MAIN(tests);
}

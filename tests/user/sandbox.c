/* SPDX-License-Identifier: MIT */
/*
 * tests/user/sandbox.c - what a sandbox does with memory: copy, seal, hand over, run
 *
 * Room:   tests/user. Needs root, for the PID namespace.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) who is inside has the same descriptor as who is outside, and can as little.
 * Source: memfd_create(2), unix(7) SCM_RIGHTS, pid_namespaces(7), execveat(2).
 * Tour:   after tests/user/seal_ways.h; tests/user/foreign/sandbox.go is the same in Go.
 */
#define _GNU_SOURCE
#include "seal_ways.h"
#include <sched.h>
#include <sys/socket.h>

#define READ_ONLY_FOR_GOOD (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define TEXT_LEN           (10 * PAGE)

extern char **environ;

static char text[TEXT_LEN];

#define NEED_NAMESPACES                                 \
    if (geteuid() || access("/proc/self/ns/pid", F_OK)) \
    SKIP("needs root and PID namespaces")

/* Copy what @from has, from its offset on. */
static bool copy_in(int fd, int from)
{
    char bytes[5000];
    ssize_t n;

    while ((n = read(from, bytes, sizeof bytes)) > 0)
        if (write(fd, bytes, (size_t)n) != n)
            return false;
    return n == 0;
}

/* A file with what @from has, read-only for good, to be read from the start. */
static int sealed_copy(const char *name, int from)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    EXPECT(copy_in(fd, from));
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, READ_ONLY_FOR_GOOD), 0);
    EXPECT_IS(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* The text comes through a pipe, as from a process. */
static int sealed_text(void)
{
    int ends[2];

    for (size_t i = 0; i < TEXT_LEN; i++)
        text[i] = (char)('a' + i % 23);
    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(write(ends[1], text, TEXT_LEN), TEXT_LEN);
    close(ends[1]);
    int fd = sealed_copy("text", ends[0]);
    close(ends[0]);
    return fd;
}

/* Fork process 1 of a PID namespace. */
static pid_t fork_inside(void)
{
    fflush(stdout);
    return (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0L, 0L, 0L, 0L);
}

static void expect_done(pid_t child)
{
    int status = -1;

    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message(struct iovec *byte, union control *control)
{
    return (struct msghdr){.msg_iov = byte,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(*control)};
}

static void send_fd(int to, int fd)
{
    union control control = {
        {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec byte = {"f", 1};
    struct msghdr m = message(&byte, &control);

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    EXPECT_IS(sendmsg(to, &m, 0), 1);
}

static int receive_fd(int from)
{
    union control control = {0};
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr m = message(&part, &control);
    int fd = -1;

    EXPECT_IS(recvmsg(from, &m, MSG_CMSG_CLOEXEC), 1);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

/* Every way but those that need no right: they change nothing. */
static void try_every_way(int fd)
{
    struct cell c = {.kind = SMALL, .state = FRESH, .fd = fd, .unit = TEXT_LEN / 2, .byte = 'x'};

    for (enum way way = 0; way < WAYS; way++) {
        struct answer expected = answer_of(way, READ_ONLY_FOR_GOOD, true, SMALL, FRESH);
        if (way != UDMABUF && way != CHANGE_MODE) {
            int seen = ways[way].run(&c) < 0 ? errno : 0;
            if (seen != expected.of_way)
                printf("# way %d: errno %d, not %d\n", way, seen, expected.of_way);
            EXPECT(seen == expected.of_way);
        }
    }
}

static bool is_as_it_was(int fd)
{
    static char bytes[TEXT_LEN + 1];
    return pread(fd, bytes, sizeof bytes, 0) == TEXT_LEN && !memcmp(bytes, text, TEXT_LEN);
}

static void use_inside(int fd)
{
    char *p = mmap(NULL, TEXT_LEN, PROT_READ, MAP_SHARED, fd, 0);

    EXPECT_IS(getpid(), 1);
    EXPECT_IS(fcntl(fd, F_GET_SEALS), READ_ONLY_FOR_GOOD);
    EXPECT(p != MAP_FAILED && !memcmp(p, text, TEXT_LEN));
    try_every_way(fd);
    EXPECT(is_as_it_was(fd));
    EXPECT(!memcmp(p, text, TEXT_LEN));
}

static void what_is_inherited_is_read_and_not_changed(void)
{
    NEED_NAMESPACES;
    int fd = sealed_text();
    pid_t child = fork_inside();
    if (child == 0) {
        use_inside(fd);
        fflush(stdout);
        _exit(ktap_failed);
    }
    expect_done(child);
    EXPECT(is_as_it_was(fd));
    close(fd);
}

static void what_is_sent_is_read_and_not_changed(void)
{
    int ends[2];

    NEED_NAMESPACES;
    EXPECT_IS(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    pid_t child = fork_inside();
    if (child == 0) {
        int fd = receive_fd(ends[1]);
        for (size_t i = 0; i < TEXT_LEN; i++)
            text[i] = (char)('a' + i % 23);
        use_inside(fd);
        fflush(stdout);
        _exit(ktap_failed);
    }
    int fd = sealed_text();
    send_fd(ends[0], fd);
    expect_done(child);
    EXPECT(is_as_it_was(fd));
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

/* The program that runs inside: this one, called for "@file inside". */
static int inside(void)
{
    char exe[64] = "";
    bool first = getpid() == 1 && readlink("/proc/self/exe", exe, sizeof exe - 1) > 0;
    int fd = open("/proc/self/exe", O_RDWR);

    return !(first && !strcmp(exe, "/memfd:program (deleted)") && fd < 0 && errno == ETXTBSY);
}

static void what_is_run_is_not_changed(void)
{
    char *argv[] = {"program", "inside", NULL};

    NEED_NAMESPACES;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int fd = sealed_copy("program", self);
    pid_t child = fork_inside();
    if (child == 0) {
        syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        _exit(99);
    }
    expect_done(child);
    close(fd);
    close(self);
}

static void many_children_read_one_file(void)
{
    enum { CHILDREN = 8 };
    pid_t children[CHILDREN];

    NEED_NAMESPACES;
    int fd = sealed_text();
    for (unsigned i = 0; i < CHILDREN; i++) {
        children[i] = fork_inside();
        if (children[i] == 0) {
            use_inside(fd);
            fflush(stdout);
            _exit(ktap_failed);
        }
    }
    for (unsigned i = 0; i < CHILDREN; i++)
        expect_done(children[i]);
    EXPECT(is_as_it_was(fd));
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(what_is_inherited_is_read_and_not_changed),
    TEST(what_is_sent_is_read_and_not_changed),
    TEST(what_is_run_is_not_changed),
    TEST(many_children_read_one_file),
};

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "inside"))
        return inside();
    return KTAP_MAIN(tests);
}

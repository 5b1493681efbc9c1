/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_share.c - who shares secret memory, and where it ends: fork, exec, death
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory of its own in /dev/shm, for core files.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_secret(2), fork(2), unix(7), execve(2), core(5); trust.md S9, S13.
 * Tour:   after tests/user/secretmem_reach.c.
 */
#define _GNU_SOURCE
#include "secret.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define DIR   "/dev/shm/bulla-secret"
#define WORDS 8 /* of a pattern */

static int fd;
static char *map;

#define WITH_MAP                  \
    do {                          \
        fd = secret_file(1);      \
        NEED_SECRET(fd);          \
        map = secret_map(fd, 1);  \
        strcpy(map, "of parent"); \
    } while (0)

static void end_map(void)
{
    munmap(map, PAGE);
    close(fd);
}

/* fork */

static void child_looks(void)
{
    EXPECT(!strcmp(map, "of parent"));
    strcpy(map, "of child");
    char *again = secret_map(fd, 1);
    EXPECT(!strcmp(again, "of child"));
}

static void a_child_has_the_mapping_and_the_descriptor(void)
{
    WITH_MAP;
    in_child(child_looks);
    EXPECT(!strcmp(map, "of child"));
    end_map();
}

static void child_touches_first(void)
{
    map[1] = 'c';
}

static void what_a_child_touches_first_is_shared_too(void)
{
    fd = secret_file(1);
    NEED_SECRET(fd);
    map = secret_map(fd, 1);
    in_child(child_touches_first);
    EXPECT_IS(map[1], 'c');
    end_map();
}

static void child_misses_it(void)
{
    EXPECT(probe(map, PROBE_READ).sig == SIGSEGV);
}

static void a_child_can_be_kept_out(void)
{
    WITH_MAP;
    EXPECT_IS(madvise(map, PAGE, MADV_DONTFORK), 0);
    in_child(child_misses_it);
    EXPECT(!strcmp(map, "of parent"));
    end_map();
}

static void child_lets_go(void)
{
    EXPECT_IS(munmap(map, PAGE), 0);
    EXPECT_IS(close(fd), 0);
}

static void who_lets_go_takes_nothing_along(void)
{
    WITH_MAP;
    in_child(child_lets_go);
    EXPECT(!strcmp(map, "of parent"));
    end_map();
}

static void child_sizes_it(void)
{
    EXPECT_IS(ftruncate(fd, PAGE), 0);
}

static void whoever_sizes_it_sizes_it_for_all(void)
{
    fd = secret(0);
    NEED_SECRET(fd);
    in_child(child_sizes_it);
    EXPECT_ERR(ftruncate(fd, 2 * PAGE), EINVAL);
    close(fd);
}

/* Sockets */

static union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} control;

static struct msghdr message(struct iovec *part)
{
    static char byte;

    *part = (struct iovec){&byte, 1};
    return (struct msghdr){.msg_iov = part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
}

static long send_descriptor(int socket, int what)
{
    struct iovec part;
    struct msghdr m = message(&part);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    *c = (struct cmsghdr){CMSG_LEN(sizeof(int)), 0, SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &what, sizeof what);
    return sendmsg(socket, &m, 0);
}

static int receive_descriptor(int socket)
{
    struct iovec part;
    struct msghdr m = message(&part);
    int what = -1;

    if (recvmsg(socket, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
        memcpy(&what, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof what);
    return what;
}

static int pair[2];

static void child_sends(void)
{
    fd = secret_file(1);
    map = secret_map(fd, 1);
    strcpy(map, "sent");
    EXPECT_IS(send_descriptor(pair[1], fd), 1);
}

static void a_descriptor_can_be_sent(void)
{
    NEED_SECRET(secret(0));
    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    in_child(child_sends);
    fd = receive_descriptor(pair[0]); /* whose sender is gone */
    map = secret_map(fd, 1);
    EXPECT(!strcmp(map, "sent"));
    EXPECT_ERR(ftruncate(fd, PAGE), EINVAL);
    EXPECT_ERR(read(fd, map, 1), EINVAL);
    end_map();
    close(pair[0]);
    close(pair[1]);
}

static void as_stranger(void)
{
    become_nobody();
    fd = receive_descriptor(pair[0]);
    EXPECT(fd >= 0);
    map = secret_map(fd, 1);
    EXPECT(!strcmp(map, "for anybody"));
}

static void who_gets_a_descriptor_may_use_it(void)
{
    NEED_ROOT;
    WITH_MAP;
    strcpy(map, "for anybody");
    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_IS(send_descriptor(pair[1], fd), 1);
    in_child(as_stranger);
    end_map();
    close(pair[0]);
    close(pair[1]);
}

/* exec */

static int run_self(const char *word)
{
    char number[16], at[32];
    int status = -1;

    snprintf(number, sizeof number, "%d", fd);
    snprintf(at, sizeof at, "%lx", (unsigned long)(uintptr_t)map);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", word, number, at, NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The new program: has it the mapping, or the descriptor? Bits of the answer. */
static int what_is_left(char **argv)
{
    int number = atoi(argv[1]);
    char *at = (char *)strtoul(argv[2], NULL, 16);
    bool mapped = !probe(at, PROBE_READ).sig && !memcmp(at, "of parent", 10);
    bool open = fcntl(number, F_GETFD) >= 0;
    char *p = open ? mmap(NULL, PAGE, RW, MAP_SHARED, number, 0) : MAP_FAILED;

    return mapped | open << 1 | (p != MAP_FAILED && !strcmp(p, "of parent")) << 2;
}

static void a_new_program_has_the_descriptor_not_the_mapping(void)
{
    WITH_MAP;
    EXPECT_IS(run_self("left"), 6);
    end_map();
}

static void a_new_program_has_nothing_that_is_closed(void)
{
    fd = secret(O_CLOEXEC);
    NEED_SECRET(fd);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    map = secret_map(fd, 1);
    strcpy(map, "of parent");
    EXPECT_IS(run_self("left"), 0);
    end_map();
}

/* Death */

static void who_dies_frees_it(void)
{
    int status;

    NEED_SECRET(secret(0));
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            fd = secret_file(64);
            memset(secret_map(fd, 64), 'd', 64 * PAGE);
            kill(getpid(), SIGKILL);
        }
        EXPECT_IS(waitpid(child, &status, 0), child);
        EXPECT(WIFSIGNALED(status));
    }
}

/* Patterns that lie in no file, and in memory only where they are made. */
static void pattern_make(uint64_t *to, uint64_t seed)
{
    for (unsigned i = 0; i < WORDS; i++)
        to[i] = (seed + i) * 0x9e3779b97f4a7c15UL;
}

enum { PLAIN = 0x1000, SECRET = 0x2000 };

/* Dies, with a page of each. @advice: for the secret one. */
static void die_with_pages(int advice)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    uint64_t *plain = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int filter = open("/proc/self/coredump_filter", O_WRONLY);

    if (filter >= 0 && write(filter, "0xff", 4) < 0)
        _exit(1);
    if (chdir(DIR) || setrlimit(RLIMIT_CORE, &all) || (advice && madvise(map, PAGE, advice)))
        _exit(1);
    pattern_make(plain, PLAIN);
    pattern_make((uint64_t *)map, SECRET);
    abort();
}

/* Is the pattern in the file "core"? */
static bool core_holds(uint64_t seed)
{
    uint64_t wanted[WORDS], word;
    bool holds = false;
    int core = open(DIR "/core", O_RDONLY);
    off_t size = lseek(core, 0, SEEK_END);
    char *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, core, 0);

    pattern_make(wanted, seed);
    for (off_t at = 0; p != MAP_FAILED && at + 8 <= size && !holds; at += 8) {
        memcpy(&word, p + at, 8);
        for (unsigned i = 0; i < WORDS; i++)
            holds |= word == wanted[i];
    }
    munmap(p, (size_t)size);
    close(core);
    return holds;
}

static void die_and_look(int advice)
{
    int status = 0;

    mkdir(DIR, 0700);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        die_with_pages(advice);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT(core_holds(PLAIN));
    EXPECT(!core_holds(SECRET));
    unlink(DIR "/core");
    rmdir(DIR);
}

/* Where cores go elsewhere than into the current directory, nobody can look at them here. */
static bool cores_come_here(void)
{
    char pattern[64] = "";

    return slurp("/proc/sys/kernel/core_pattern", pattern, sizeof pattern) < 0 ||
           !strcmp(pattern, "core\n");
}

#define NEED_CORES                      \
    do {                                \
        if (!cores_come_here())         \
            SKIP("cores go elsewhere"); \
    } while (0)

static void a_core_holds_none_of_it(void)
{
    NEED_CORES;
    WITH_MAP;
    die_and_look(0);
    end_map();
}

static void a_core_holds_none_even_if_asked_to(void)
{
    NEED_CORES;
    WITH_MAP;
    die_and_look(MADV_DODUMP);
    end_map();
}

static const struct ktap_test tests[] = {
    TEST(a_child_has_the_mapping_and_the_descriptor),
    TEST(what_a_child_touches_first_is_shared_too),
    TEST(a_child_can_be_kept_out),
    TEST(who_lets_go_takes_nothing_along),
    TEST(whoever_sizes_it_sizes_it_for_all),
    TEST(a_descriptor_can_be_sent),
    TEST(who_gets_a_descriptor_may_use_it),
    TEST(a_new_program_has_the_descriptor_not_the_mapping),
    TEST(a_new_program_has_nothing_that_is_closed),
    TEST(who_dies_frees_it),
    TEST(a_core_holds_none_of_it),
    TEST(a_core_holds_none_even_if_asked_to),
};

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[0], "left"))
        return what_is_left(argv);
    return KTAP_MAIN(tests);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_strict.c - secrets that the kernel does not copy either, whatever call is
 * given their address
 *
 * Room:   tests/user. On Linux, which has no such flag, all but the first is skipped.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) each way is tried on a page that was touched, on one that was not, and on bytes that
 *             only end in one.
 * Source: include/uapi/bulla.h; what each call says of an address where nothing is mapped.
 * Tour:   after tests/user/secretmem_reach.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/bulla.h"
#include "../../include/uapi/futex.h"
#include "../../include/uapi/rseq.h"
#include "secret.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

/* A page of the program's own in front of two strict ones, of which the first is touched. */
static int fd;
static char *plain, *map;

static bool have_map(void)
{
    fd = secret(SECRET_STRICT);
    if (fd < 0)
        return false;
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    plain = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map = mmap(plain + PAGE, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    EXPECT(map == plain + PAGE);
    memset(map, 's', PAGE);
    return true;
}

#define WITH_MAP                    \
    do {                            \
        if (!have_map())            \
            SKIP("none is strict"); \
    } while (0)

static void end_map(void)
{
    munmap(plain, 3 * PAGE);
    close(fd);
}

static bool is_as_it_was(void)
{
    unsigned char there[2] = {0, 0};
    bool same = mincore(map, 2 * PAGE, there) == 0 && !(there[1] & 1);

    for (size_t i = 0; i < PAGE; i++)
        same &= map[i] == 's';
    return same;
}

/* Files to read from and write to. */
static int file, ends[2], pair[2];

static void files_open(void)
{
    file = memfd_create("plain", 0);
    EXPECT_IS(ftruncate(file, PAGE), 0);
    EXPECT_IS(pipe2(ends, O_NONBLOCK), 0);
    EXPECT_IS(write(ends[1], "in the pipe", 12), 12);
    EXPECT_IS(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
}

static void files_close(void)
{
    close(file);
    close(ends[0]);
    close(ends[1]);
    close(pair[0]);
    close(pair[1]);
}

/* Every call that copies from or to an address, with @p as that. */

static long way_write(char *p)
{
    return write(file, p, 8);
}

static long way_read(char *p)
{
    return pread(file, p, 8, 0);
}

static long way_pwrite(char *p)
{
    return pwrite(file, p, 8, 0);
}

static long way_writev(char *p)
{
    struct iovec part = {p, 8};
    return writev(file, &part, 1);
}

static long way_readv(char *p)
{
    struct iovec part = {p, 8};
    return preadv(file, &part, 1, 0);
}

static long way_vector(char *p)
{
    return syscall(SYS_writev, file, p, 1L);
}

static long way_pipe_write(char *p)
{
    return write(ends[1], p, 8);
}

static long way_pipe_read(char *p)
{
    return read(ends[0], p, 8);
}

static long way_vmsplice(char *p)
{
    struct iovec part = {p, 8};
    return vmsplice(ends[1], &part, 1, SPLICE_F_NONBLOCK);
}

static long way_send(char *p)
{
    return send(pair[0], p, 8, 0);
}

static long way_receive(char *p)
{
    EXPECT_IS(send(pair[0], "message", 8, 0), 8);
    return recv(pair[1], p, 8, 0);
}

static long way_sendmsg(char *p)
{
    return syscall(SYS_sendmsg, pair[0], p, 0L);
}

static long way_recvmsg(char *p)
{
    return syscall(SYS_recvmsg, pair[1], p, 0L);
}

static long way_control(char *p)
{
    struct iovec part = {"x", 1};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = p, .msg_controllen = 32};
    return syscall(SYS_sendmsg, pair[0], &m, 0L);
}

static long way_option(char *p)
{
    return setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, p, 4);
}

static long way_ioctl(char *p)
{
    return ioctl(ends[0], FIONREAD, p);
}

static long way_stat(char *p)
{
    return syscall(SYS_fstat, file, p);
}

static long way_path(char *p)
{
    return open(p, O_RDONLY);
}

static long way_getcwd(char *p)
{
    return syscall(SYS_getcwd, p, 64L);
}

static long way_readlink(char *p)
{
    return syscall(SYS_readlink, "/proc/self/exe", p, 8L);
}

static long way_getdents(char *p)
{
    int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
    long n = syscall(SYS_getdents64, dir, p, 256L);
    int error = errno;

    close(dir);
    errno = error;
    return n;
}

static long way_uname(char *p)
{
    return syscall(SYS_uname, p);
}

static long way_getrandom(char *p)
{
    return syscall(SYS_getrandom, p, 8L, 0L);
}

static long way_clock(char *p)
{
    return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p);
}

static long way_time(char *p)
{
    return syscall(SYS_gettimeofday, p, NULL);
}

static long way_sleep(char *p)
{
    return syscall(SYS_nanosleep, p, NULL);
}

static long way_timer(char *p)
{
    return syscall(SYS_getitimer, ITIMER_REAL, p);
}

static long way_limits(char *p)
{
    return syscall(SYS_getrlimit, RLIMIT_NOFILE, p);
}

static long way_usage(char *p)
{
    return syscall(SYS_getrusage, RUSAGE_SELF, p);
}

static long way_pipe(char *p)
{
    return syscall(SYS_pipe, p);
}

static long way_wait(char *p)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    long pid = syscall(SYS_wait4, child, p, 0L, NULL);
    int error = errno;
    waitpid(child, NULL, 0);
    errno = error;
    return pid;
}

static long way_poll(char *p)
{
    return syscall(SYS_poll, p, 1L, 0L);
}

static long way_select(char *p)
{
    struct timeval now = {0, 0};
    return syscall(SYS_select, 64L, p, NULL, NULL, &now);
}

static long way_epoll(char *p)
{
    int epoll = epoll_create1(0);
    long n = epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], (struct epoll_event *)p);
    int error = errno;

    close(epoll);
    errno = error;
    return n;
}

static long way_sigaction(char *p)
{
    return syscall(SYS_rt_sigaction, SIGUSR2, p, NULL, 8L);
}

static long way_sigmask(char *p)
{
    return syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8L);
}

static long way_stack(char *p)
{
    return syscall(SYS_sigaltstack, NULL, p);
}

static long way_private_futex(char *p)
{
    return syscall(SYS_futex, p, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static long way_shared_futex(char *p)
{
    return syscall(SYS_futex, p, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static long way_futex_op(char *p)
{
    static uint32_t word;
    return syscall(SYS_futex, &word, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, 1L, p, 1 << 12);
}

static long way_robust(char *p)
{
    size_t len;
    return syscall(SYS_get_robust_list, 0, p, &len);
}

static long way_affinity(char *p)
{
    return syscall(SYS_sched_getaffinity, 0, 8L, p);
}

static long way_mincore(char *p)
{
    return mincore(plain, PAGE, (unsigned char *)p);
}

static long way_exec(char *p)
{
    return syscall(SYS_execve, p, NULL, NULL);
}

static long way_arguments(char *p)
{
    return syscall(SYS_execve, "/proc/self/exe", p, NULL);
}

static long way_memfd(char *p)
{
    return memfd_create(p, 0);
}

static long way_own_memory(char *p)
{
    static char bytes[8];
    struct iovec local = {p, 8}, remote = {bytes, 8};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

static const struct way {
    const char *name;
    long (*run)(char *p);
} ways[] = {
    {"write", way_write},
    {"pread", way_read},
    {"pwrite", way_pwrite},
    {"writev", way_writev},
    {"preadv", way_readv},
    {"the vector of writev", way_vector},
    {"write to a pipe", way_pipe_write},
    {"read from a pipe", way_pipe_read},
    {"vmsplice", way_vmsplice},
    {"send", way_send},
    {"recv", way_receive},
    {"sendmsg", way_sendmsg},
    {"recvmsg", way_recvmsg},
    {"control data", way_control},
    {"setsockopt", way_option},
    {"ioctl", way_ioctl},
    {"fstat", way_stat},
    {"open", way_path},
    {"getcwd", way_getcwd},
    {"readlink", way_readlink},
    {"getdents64", way_getdents},
    {"uname", way_uname},
    {"getrandom", way_getrandom},
    {"clock_gettime", way_clock},
    {"gettimeofday", way_time},
    {"nanosleep", way_sleep},
    {"getitimer", way_timer},
    {"getrlimit", way_limits},
    {"getrusage", way_usage},
    {"pipe", way_pipe},
    {"wait4", way_wait},
    {"poll", way_poll},
    {"select", way_select},
    {"epoll_ctl", way_epoll},
    {"rt_sigaction", way_sigaction},
    {"rt_sigprocmask", way_sigmask},
    {"sigaltstack", way_stack},
    {"a private futex", way_private_futex},
    {"a shared futex", way_shared_futex},
    {"FUTEX_WAKE_OP", way_futex_op},
    {"get_robust_list", way_robust},
    {"sched_getaffinity", way_affinity},
    {"mincore", way_mincore},
    {"execve", way_exec},
    {"the arguments of execve", way_arguments},
    {"memfd_create", way_memfd},
    {"process_vm_readv", way_own_memory},
};
#define WAYS (sizeof ways / sizeof ways[0])

static void way_is_refused(const struct way *way, char *p)
{
    long result = way->run(p);
    int error = result < 0 ? errno : 0;

    if (error != EFAULT)
        printf("# %s: %ld, errno %d\n", way->name, result, error);
    EXPECT(error == EFAULT);
    if (!is_as_it_was())
        printf("# %s: changed it\n", way->name);
    EXPECT(is_as_it_was());
}

static void a_kernel_without_strict_secrets_says_so(void)
{
    int with = secret(SECRET_STRICT), without = secret(0);

    NEED_SECRET(without);
    if (with < 0)
        EXPECT_ERR(secret(SECRET_STRICT), EINVAL);
    close(with);
    close(without);
}

static void its_owner_reads_and_writes_it(void)
{
    WITH_MAP;
    map[0] = 'a';
    map[PAGE] = 'b';
    EXPECT(map[0] == 'a' && map[PAGE] == 'b' && map[1] == 's');
    end_map();
}

static void no_call_copies_it(void)
{
    WITH_MAP;
    files_open();
    for (size_t i = 0; i < WAYS; i++)
        way_is_refused(&ways[i], map);
    files_close();
    end_map();
}

static void no_call_touches_what_was_not_there(void)
{
    WITH_MAP;
    files_open();
    for (size_t i = 0; i < WAYS; i++)
        way_is_refused(&ways[i], map + PAGE);
    files_close();
    end_map();
}

static void plain_memory_beside_it_is_copied(void)
{
    WITH_MAP;
    files_open();
    EXPECT_IS(write(file, plain, PAGE), PAGE);
    EXPECT_IS(pread(file, plain, PAGE, 0), PAGE);
    strcpy(plain + PAGE - 11, "/proc/self"); /* a string that ends where the secret begins */
    EXPECT_IS(access(plain + PAGE - 11, F_OK), 0);
    EXPECT_IS(syscall(SYS_getrandom, plain + PAGE - 8, 8L, 0L), 8);
    files_close();
    end_map();
}

static void a_copy_ends_where_the_secret_begins(void)
{
    char seen[16];

    WITH_MAP;
    files_open();
    memset(plain, 'p', PAGE);
    EXPECT_IS(pwrite(file, plain + PAGE - 8, 16, 0), 8);
    EXPECT_IS(pread(file, seen, 16, 0), 16);
    EXPECT(!memcmp(seen, "pppppppp\0\0\0\0\0\0\0\0", 16));
    EXPECT_IS(pread(file, plain + PAGE - 8, 16, 0), 8);
    EXPECT(is_as_it_was());
    plain[PAGE - 1] = 'x'; /* a string without an end */
    EXPECT_ERR(access(plain + PAGE - 4, F_OK), EFAULT);
    files_close();
    end_map();
}

static void what_is_unmapped_is_forgotten(void)
{
    WITH_MAP;
    files_open();
    EXPECT(mmap(map, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map);
    EXPECT_IS(pread(file, map, 8, 0), 8);
    EXPECT_ERR(pread(file, map + PAGE, 8, 0), EFAULT);
    files_close();
    end_map();
}

static void it_moves_with_its_mapping(void)
{
    WITH_MAP;
    files_open();
    char *to = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(mremap(map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    EXPECT_ERR(write(file, to, 8), EFAULT);
    EXPECT_IS(mprotect(to, PAGE, PROT_READ), 0);
    EXPECT_ERR(write(file, to, 8), EFAULT);
    EXPECT_IS(to[5], 's');
    munmap(to, PAGE);
    files_close();
    end_map();
}

static void child_tries(void)
{
    EXPECT_ERR(write(file, map, 8), EFAULT);
    EXPECT_ERR(pread(file, map + PAGE, 8, 0), EFAULT);
    EXPECT_IS(write(file, plain, 8), 8);
}

static void children_inherit_it(void)
{
    WITH_MAP;
    files_open();
    in_child(child_tries);
    files_close();
    end_map();
}

static void handler(int sig)
{
    (void)sig;
}

static void no_signal_is_handled_on_it(void)
{
    int status = 0;

    WITH_MAP;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        stack_t stack = {.ss_sp = map, .ss_size = 2 * PAGE};
        struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
        sigaltstack(&stack, NULL);
        sigaction(SIGUSR1, &action, NULL);
        raise(SIGUSR1);
        _exit(0);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    EXPECT(is_as_it_was());
    end_map();
}

/* The kernel's words of a task: it leaves them alone, or ends the task. */
static void dies_of_rseq(void)
{
    syscall(SYS_rseq, map, sizeof(struct uapi_rseq), 0, 0x53053053);
    for (int i = 0; i < 100; i++)
        sched_yield();
}

static void no_word_of_the_kernel_is_kept_there(void)
{
    int status = 0;

    WITH_MAP;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        syscall(SYS_set_tid_address, map);
        syscall(SYS_set_robust_list, map, 24L);
        dies_of_rseq();
        _exit(0);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(is_as_it_was());
    end_map();
}

/* Another process maps strict memory where this one has a buffer, over and over, on the same file
 * table but not the same memory: nothing of it shows here. */
static void others_are_not_asked(void)
{
    char buf[64];

    WITH_MAP;
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    munmap(plain, 3 * PAGE);
    EXPECT(mmap(plain, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == plain);
    files_open();
    EXPECT_IS(pread(file, map, 64, 0), 64);
    EXPECT_IS(pread(file, buf, 64, 0), 64);
    files_close();
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    end_map();
}

/* A thread that copies from a place, again and again, until it is told to end. */
static _Atomic bool mapped, ended;
static _Atomic unsigned refused, copied_after;

static void *copier(void *at)
{
    while (!ended) {
        bool strict = mapped;
        bool done = pwrite(file, at, 8, 0) == 8;
        refused += !done;
        copied_after += strict && done;
    }
    return NULL;
}

/* In a program that has mapped nothing strict before. */
static int threads_learn(void)
{
    pthread_t thread;

    file = memfd_create("plain", 0);
    fd = secret(SECRET_STRICT);
    char *at = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ftruncate(fd, PAGE) || pthread_create(&thread, NULL, copier, at))
        return 2;
    usleep(20000);
    bool too_early = refused;
    at = mmap(at, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    mapped = true;
    memset(at, 's', PAGE);
    usleep(20000);
    ended = true;
    pthread_join(thread, NULL);
    return too_early || copied_after || !refused;
}

static void other_threads_learn_of_it_at_once(void)
{
    int status = -1;

    WITH_MAP;
    end_map();
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/proc/self/exe", "threads", NULL);
            _exit(99);
        }
        EXPECT_IS(waitpid(child, &status, 0), child);
        EXPECT_IS(status, 0);
    }
}

static void strict_and_sealed_go_together(void)
{
    fd = secret(SECRET_STRICT | SECRET_ALLOW_SEALING | O_CLOEXEC);
    if (fd < 0)
        SKIP("none is strict");
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    files_open();
    char *p = secret_map(fd, 1);
    strcpy(p, "both");
    munmap(p, PAGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    int reader = open(proc_name(fd), O_RDONLY);
    p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    EXPECT(p != MAP_FAILED && !strcmp(p, "both"));
    EXPECT_ERR(write(file, p, 4), EFAULT);
    munmap(p, PAGE);
    close(reader);
    close(fd);
    files_close();
}

static const struct ktap_test tests[] = {
    TEST(a_kernel_without_strict_secrets_says_so),
    TEST(its_owner_reads_and_writes_it),
    TEST(no_call_copies_it),
    TEST(no_call_touches_what_was_not_there),
    TEST(plain_memory_beside_it_is_copied),
    TEST(a_copy_ends_where_the_secret_begins),
    TEST(what_is_unmapped_is_forgotten),
    TEST(it_moves_with_its_mapping),
    TEST(children_inherit_it),
    TEST(no_signal_is_handled_on_it),
    TEST(no_word_of_the_kernel_is_kept_there),
    TEST(others_are_not_asked),
    TEST(other_threads_learn_of_it_at_once),
    TEST(strict_and_sealed_go_together),
};

int main(int argc, char **argv)
{
    if (argc && !strcmp(argv[0], "threads"))
        return threads_learn();
    return KTAP_MAIN(tests);
}

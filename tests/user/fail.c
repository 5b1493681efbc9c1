/* SPDX-License-Identifier: MIT */
/*
 * tests/user/fail.c - each system call about memory, with its n-th allocation failing, for every n
 *
 * Room:   tests/user. Needs /proc/sys/vm/fail_at, which is Bulla's own: on Linux it skips.
 * Owns:   the countdown, while it runs.
 * Locks:  none.
 * Always: (1) a failed allocation is an error of the call, or the end of the process that faulted;
 *         (2) when all are done the kernel holds what it held before.
 * Source: trust.md P4; include/base/fail.h.
 * Tour:   after tests/user/held.h; with tests/kernel/fail.c.
 */
#define _GNU_SOURCE
#include "held.h"
#include "ktap.h"
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGES 16

enum { TRIES_MAX = 300, SETTLE_TRIES = 100, FIRED = 0, NOT_FIRED = 1, WRONG = 2 };

static int control = -1; /* /proc/sys/vm/fail_at */
static char *memory;     /* PAGES, written to */

static void fail_at(int n)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", n);

    if (write(control, text, (size_t)len) != len)
        _exit(WRONG);
}

/* Did the countdown end? Asking allocates: who fails then has ended it just now. */
static bool fired(void)
{
    char text[16] = "";
    ssize_t n = pread(control, text, sizeof text - 1, 0);

    return n > 0 && atoi(text) == 0;
}

/* An error is one that lack of memory may cause. */
static bool honest(long result)
{
    return result >= 0 || errno == ENOMEM || errno == EAGAIN || errno == EFAULT;
}

static long do_fork(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return child < 0 ? -1 : waitpid(child, NULL, 0);
}

static long do_map(void)
{
    char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);

    if (p == MAP_FAILED)
        return -1;
    p[0] = p[3 * PAGE] = 1;
    return munmap(p, 4 * PAGE);
}

static long do_map_shared(void)
{
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return -1;
    p[PAGE] = 1;
    return munmap(p, 4 * PAGE);
}

static long do_fault_far_away(void)
{
    char *p = mmap((void *)0x123400000000, PAGE, RW, ANON | MAP_FIXED, -1, 0);

    if (p == MAP_FAILED)
        return -1;
    *p = 1;
    return 0;
}

static long do_unmap(void)
{
    return munmap(memory + 4 * PAGE, 2 * PAGE);
}

static long do_protect(void)
{
    return mprotect(memory + 4 * PAGE, 2 * PAGE, PROT_READ);
}

static long do_remap(void)
{
    return mremap(memory, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0;
}

static long do_advise(void)
{
    static const int advices[] = {
        MADV_DONTNEED, 23 /* POPULATE_WRITE */, MADV_WIPEONFORK, 102 /* GUARD_INSTALL */, 103,
        MADV_HUGEPAGE};

    for (unsigned i = 0; i < sizeof advices / sizeof advices[0]; i++)
        if (madvise(memory + 3 * PAGE, 2 * PAGE, advices[i]) < 0)
            return -1;
    return 0;
}

static long do_lock(void)
{
    return mlock(memory + 2 * PAGE, 2 * PAGE);
}

static long do_copy_on_write(void)
{
    pid_t child = fork();

    if (child == 0) {
        memory[0] = memory[5 * PAGE] = 2;
        _exit(0);
    }
    return child < 0 ? -1 : waitpid(child, NULL, 0);
}

static long do_exec(void)
{
    char number[16];

    snprintf(number, sizeof number, "%d", control);
    execl("/proc/self/exe", "fail", number, NULL);
    return -1;
}

static int thread_main(void *arg)
{
    (void)arg;
    return 0;
}

static long do_clone(void)
{
    static char stack[16 * 1024] __attribute__((aligned(16)));
    pid_t child = clone(thread_main, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);

    return child < 0 ? -1 : waitpid(child, NULL, 0);
}

static long do_memfd(void)
{
    int fd = memfd_create("fail", MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, 8 * (off_t)PAGE) < 0 || pwrite(fd, memory, 2 * PAGE, 100) < 0 ||
        fallocate(fd, 0, 0, 4 * (off_t)PAGE) < 0)
        return -1;
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -1;
    p[PAGE] = 1;
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
}

static long do_secret(void)
{
    int fd = (int)syscall(447 /* memfd_secret */, 0);

    if (fd < 0 || ftruncate(fd, 2 * (off_t)PAGE) < 0)
        return -1;
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -1;
    p[0] = p[PAGE] = 1;
    return 0;
}

static long do_pipe(void)
{
    int ends[2];

    return pipe(ends) < 0 ? -1 : write(ends[1], memory, PAGE);
}

static long do_splice(void)
{
    struct iovec iov = {memory, 3 * PAGE};
    int from[2], to[2], fd = memfd_create("splice", 0);

    if (fd < 0 || pipe(from) < 0 || pipe(to) < 0 || vmsplice(from[1], &iov, 1, 0) < 0 ||
        tee(from[0], to[1], PAGE + 1, 0) < 0 || splice(from[0], NULL, fd, NULL, PAGE, 0) < 0 ||
        splice(from[0], NULL, to[1], NULL, PAGE + 5, 0) < 0 ||
        fcntl(to[1], F_SETPIPE_SZ, 64 * PAGE) < 0)
        return -1;
    return 0;
}

static long do_fifo(void)
{
    const char *path = "/tmp/fail.fifo";

    if ((unlink(path) < 0 && errno != ENOENT) || mknod(path, S_IFIFO | 0600, 0) < 0)
        return -1;
    int fd = open(path, O_RDWR);
    return fd < 0 ? -1 : write(fd, memory, PAGE + 1);
}

/* A message with a descriptor. */
static long send_fd(int to, int fd)
{
    struct iovec iov = {"x", 1};
    struct {
        struct cmsghdr header;
        int fd;
    } control = {{CMSG_LEN(sizeof fd), 0, SOL_SOCKET, SCM_RIGHTS}, fd};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};

    return syscall(SYS_sendmsg, to, &m, 0);
}

static long receive_fd(int from)
{
    char byte, control[64];
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    return syscall(SYS_recvmsg, from, &m, MSG_DONTWAIT);
}

static long do_socketpair(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || send_fd(ends[0], ends[1]) < 0 ||
        receive_fd(ends[1]) < 0 || write(ends[0], memory, 3 * PAGE) < 0)
        return -1;
    return send_fd(ends[0], ends[1]); /* in its own queue */
}

static long do_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/tmp/fail.socket"};

    if (unlink(a.sun_path) < 0 && errno != ENOENT)
        return -1;
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    if (server < 0 || client < 0 || bind(server, (struct sockaddr *)&a, sizeof a) < 0 ||
        listen(server, 1) < 0 || connect(client, (struct sockaddr *)&a, sizeof a) < 0)
        return -1;
    return accept(server, NULL, NULL);
}

/* Names of every kind, on a file system of their own. */
static long use_names(void)
{
    int fd = open("/tmp/fail.mount/file", O_CREAT | O_RDWR, 0600);

    if (fd < 0 || write(fd, memory, 2 * PAGE) < 0 || mkdir("/tmp/fail.mount/dir", 0700) < 0 ||
        symlink("file", "/tmp/fail.mount/link") < 0)
        return -1;
    return link("/tmp/fail.mount/file", "/tmp/fail.mount/dir/name") < 0 ||
                   rename("/tmp/fail.mount/link", "/tmp/fail.mount/dir/link") < 0
               ? -1
               : 0;
}

static long do_mount(void)
{
    if (mkdir("/tmp/fail.mount", 0700) < 0 && errno != EEXIST)
        return -1;
    if (mount("none", "/tmp/fail.mount", "tmpfs", 0, "size=1m,nr_inodes=10") < 0)
        return -1;
    long result = use_names();
    int error = errno;
    if (umount2("/tmp/fail.mount", MNT_DETACH) < 0 && umount2("/tmp/fail.mount", MNT_DETACH) < 0)
        _exit(WRONG); /* one failure is all there is */
    errno = error;
    return result;
}

static long do_shm(void)
{
    int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600);

    if (id < 0)
        return -1;
    char *p = shmat(id, NULL, 0);
    int error = errno;
    if (shmctl(id, IPC_RMID, NULL) < 0)
        _exit(WRONG);
    errno = error;
    if (p == (void *)-1)
        return -1;
    p[PAGE] = 1;
    return shmdt(p);
}

static long do_sem(void)
{
    struct sembuf ops[9] = {{1, 1, SEM_UNDO}};
    int id = semget(IPC_PRIVATE, 3, 0600);

    if (id < 0)
        return -1;
    long result = semop(id, ops, 9);
    int error = errno;
    if (semctl(id, 0, IPC_RMID) < 0)
        _exit(WRONG);
    errno = error;
    return result;
}

/* Who dies when a fault finds no memory: whoever tries, not the one that counts. */
static void offer_to_die(const char *score)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);

    if (write(fd, score, strlen(score)) < 0)
        _exit(WRONG);
    close(fd);
}

/* In a process of its own, which may die of it. */
static int attempt(long (*run)(void), int n)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        offer_to_die("1000");
        fail_at(n);
        bool good = honest(run());
        int error = errno;
        bool done = fired();
        fail_at(0);
        if (!good)
            printf("# allocation %d: %s\n", n, strerror(error));
        fflush(stdout);
        _exit(!good ? WRONG : done ? FIRED : NOT_FIRED);
    }
    waitpid(child, &status, 0);
    fail_at(0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS ||
                       WTERMSIG(status) == SIGSEGV
                   ? FIRED
                   : WRONG;
    return WEXITSTATUS(status);
}

static struct held before, after;

static bool all_is_back(void)
{
    for (int i = 0; i < SETTLE_TRIES; i++) {
        held_look(&after);
        if (held_same(&before, &after))
            return true;
        usleep(10000);
    }
    printf("# before: %ld kB, %s\n# after:  %ld kB, %s\n", before.kib, before.objects, after.kib,
           after.objects);
    return false;
}

/* What is held once nothing changes: the last child is freed a moment after it ended. */
static void look_when_settled(struct held *held)
{
    struct held last;

    held_look(held);
    for (int i = 0; i < SETTLE_TRIES; i++) {
        last = *held;
        usleep(10000);
        held_look(held);
        if (held->kib == last.kib && !strcmp(held->objects, last.objects))
            return;
    }
}

static void sweep(long (*run)(void))
{
    int n = 1, result = FIRED;

    if (control < 0)
        SKIP("no /proc/sys/vm/fail_at");
    offer_to_die("-1000");
    attempt(run, 0);           /* what is kept once is no leak */
    look_when_settled(&after); /* so that its own pages are there */
    look_when_settled(&before);
    for (; result == FIRED && n < TRIES_MAX; n++)
        result = attempt(run, n);
    EXPECT_IS(result, NOT_FIRED);
    EXPECT(all_is_back());
}

#define SWEEP(name)                                 \
    static void name##_survives_every_failure(void) \
    {                                               \
        sweep(do_##name);                           \
    }

SWEEP(fork)
SWEEP(map)
SWEEP(map_shared)
SWEEP(fault_far_away)
SWEEP(unmap)
SWEEP(protect)
SWEEP(remap)
SWEEP(advise)
SWEEP(lock)
SWEEP(copy_on_write)
SWEEP(exec)
SWEEP(clone)
SWEEP(memfd)
SWEEP(secret)
SWEEP(pipe)
SWEEP(splice)
SWEEP(fifo)
SWEEP(socketpair)
SWEEP(connect)
SWEEP(mount)
SWEEP(shm)
SWEEP(sem)

static const struct ktap_test tests[] = {
    TEST(fork_survives_every_failure),       TEST(map_survives_every_failure),
    TEST(map_shared_survives_every_failure), TEST(fault_far_away_survives_every_failure),
    TEST(unmap_survives_every_failure),      TEST(protect_survives_every_failure),
    TEST(remap_survives_every_failure),      TEST(advise_survives_every_failure),
    TEST(lock_survives_every_failure),       TEST(copy_on_write_survives_every_failure),
    TEST(exec_survives_every_failure),       TEST(clone_survives_every_failure),
    TEST(memfd_survives_every_failure),      TEST(secret_survives_every_failure),
    TEST(pipe_survives_every_failure),       TEST(splice_survives_every_failure),
    TEST(fifo_survives_every_failure),       TEST(socketpair_survives_every_failure),
    TEST(connect_survives_every_failure),    TEST(mount_survives_every_failure),
    TEST(shm_survives_every_failure),        TEST(sem_survives_every_failure),
};

/* With an argument: it is what do_exec() became. */
int main(int argc, char **argv)
{
    if (argc == 2) {
        control = atoi(argv[1]);
        bool done = fired();
        fail_at(0);
        return done ? FIRED : NOT_FIRED;
    }
    control = open("/proc/sys/vm/fail_at", O_RDWR);
    memory = mmap(NULL, PAGES * PAGE, RW, ANON, -1, 0);
    memset(memory, 1, PAGES * PAGE);
    return KTAP_MAIN(tests);
}

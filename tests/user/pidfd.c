/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pidfd.c - descriptors that stand for processes, and what is done through them
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), clone(2), process_madvise(2).
 * Tour:   with kernel/pidfd.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define RW       PROT_READ | PROT_WRITE
#define BY_PIDFD 3 /* P_PIDFD */
#define COLD     20
#define PAGEOUT  21

static int pidfd_open(pid_t pid, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int send_signal(int fd, int signo, siginfo_t *info, unsigned flags)
{
    return (int)syscall(SYS_pidfd_send_signal, fd, signo, info, flags);
}

static int get_fd(int fd, int target, unsigned flags)
{
    return (int)syscall(SYS_pidfd_getfd, fd, target, flags);
}

static int release(int fd, unsigned flags)
{
    return (int)syscall(448, fd, flags); /* process_mrelease */
}

static long advise(int fd, const struct iovec *v, unsigned long nr, int advice, unsigned flags)
{
    return syscall(SYS_process_madvise, fd, v, nr, advice, flags);
}

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (!pid)
        for (;;)
            pause();
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void a_descriptor_stands_for_a_process(void)
{
    int fd = pidfd_open(getpid(), 0), patient = pidfd_open(getpid(), O_NONBLOCK);
    char buf[64] = "", path[64];

    EXPECT(fd >= 0 && patient >= 0);
    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_IS(fcntl(fd, F_GETFL), O_RDWR);
    EXPECT_IS(fcntl(patient, F_GETFL), O_RDWR | O_NONBLOCK);
    EXPECT_ERR(read(fd, buf, 8), EINVAL);
    EXPECT_ERR(write(fd, buf, 8), EINVAL);
    EXPECT_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    EXPECT(readlink(path, buf, sizeof(buf) - 1) > 0 && !strcmp(buf, "anon_inode:[pidfd]"));
    close(fd);
    close(patient);
    EXPECT_ERR(pidfd_open(0, 0), EINVAL);
    EXPECT_ERR(pidfd_open(-1, 0), EINVAL);
    EXPECT_ERR(pidfd_open(getpid(), 1), EINVAL);
    EXPECT_ERR(pidfd_open(getpid(), O_CLOEXEC), EINVAL);
    EXPECT_ERR(pidfd_open(4000000, 0), ESRCH);
}

static int go[2], named[2];

static void *thread(void *arg)
{
    pid_t tid = gettid();
    char c;
    (void)arg;
    write(named[1], &tid, sizeof(tid));
    read(go[0], &c, 1);
    return NULL;
}

static void a_thread_is_not_a_process(void)
{
    pthread_t t;
    pid_t tid;

    EXPECT_IS(pipe(go), 0);
    EXPECT_IS(pipe(named), 0);
    EXPECT_IS(pthread_create(&t, NULL, thread, NULL), 0);
    read(named[0], &tid, sizeof(tid));
    int fd = pidfd_open(tid, 0);
    EXPECT(fd < 0 && (errno == ENOENT || errno == EINVAL)); /* EINVAL: before Linux 6.9 */
    close(go[1]);
    pthread_join(t, NULL);
    close(go[0]);
    close(named[0]);
    close(named[1]);
}

static void poll_tells_when_it_ends(void)
{
    pid_t pid = sleeper();
    int fd = pidfd_open(pid, 0), epoll = epoll_create1(0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    siginfo_t info = {0};

    EXPECT_IS(poll(&p, 1, 0), 0);
    EXPECT_IS(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), 0);
    EXPECT_IS(epoll_wait(epoll, &e, 1, 0), 0);
    kill(pid, SIGKILL);
    EXPECT_IS(epoll_wait(epoll, &e, 1, 5000), 1);
    EXPECT_IS(poll(&p, 1, 5000), 1);
    EXPECT(p.revents == POLLIN);
    EXPECT_IS(send_signal(fd, 0, NULL, 0), 0); /* its number is still its own */
    EXPECT_IS(waitid(BY_PIDFD, fd, &info, WEXITED), 0);
    EXPECT(info.si_pid == pid && info.si_code == CLD_KILLED && info.si_status == SIGKILL);
    EXPECT_ERR(send_signal(fd, 0, NULL, 0), ESRCH);
    EXPECT_ERR(get_fd(fd, 0, 0), ESRCH);
    EXPECT_ERR(release(fd, 0), ESRCH);
    EXPECT_ERR(waitid(BY_PIDFD, fd, &info, WEXITED), ECHILD);
    EXPECT_IS(poll(&p, 1, 0), 1);
    EXPECT(p.revents & POLLIN);
    close(fd);
    close(epoll);
}

static void *wait_for_it(void *arg)
{
    struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};
    return (void *)(long)poll(&p, 1, 10000);
}

static void who_polls_is_woken(void)
{
    pid_t pid = sleeper();
    int fd = pidfd_open(pid, 0);
    pthread_t t;
    void *result;

    EXPECT_IS(pthread_create(&t, NULL, wait_for_it, &fd), 0);
    usleep(50000);
    kill(pid, SIGKILL);
    pthread_join(t, &result);
    EXPECT_IS((long)result, 1);
    waitpid(pid, NULL, 0);
    close(fd);
}

static void one_waits_for_the_process_itself(void)
{
    pid_t pid = sleeper();
    int fd = pidfd_open(pid, 0), impatient = pidfd_open(pid, O_NONBLOCK);
    int own = pidfd_open(getpid(), 0);
    siginfo_t info = {0};

    EXPECT_IS(waitid(BY_PIDFD, fd, &info, WEXITED | WNOHANG), 0);
    EXPECT_IS(info.si_pid, 0);
    EXPECT_ERR(waitid(BY_PIDFD, impatient, &info, WEXITED), EAGAIN);
    EXPECT_ERR(waitid(BY_PIDFD, -1, &info, WEXITED), EINVAL);
    EXPECT_ERR(waitid(BY_PIDFD, 0, &info, WEXITED), EBADF);
    EXPECT_ERR(waitid(BY_PIDFD, own, &info, WEXITED), ECHILD);
    end(pid);
    close(fd);
    close(impatient);
    close(own);
}

static volatile int seen, seen_value;

static void note(int signo, siginfo_t *info, void *context)
{
    (void)context;
    seen = signo;
    seen_value = info->si_value.sival_int;
}

static void signals_are_sent_through_it(void)
{
    int fd = pidfd_open(getpid(), 0);
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};

    EXPECT_IS(sigaction(SIGUSR1, &action, NULL), 0);
    EXPECT_IS(send_signal(fd, SIGUSR1, NULL, 0), 0);
    EXPECT_IS(seen, SIGUSR1);
    info.si_value.sival_int = 77;
    EXPECT_IS(send_signal(fd, SIGUSR1, &info, 0), 0);
    EXPECT_IS(seen_value, 77);
    EXPECT_ERR(send_signal(fd, SIGUSR2, &info, 0), EINVAL); /* another than it says */
    EXPECT_ERR(send_signal(fd, 65, NULL, 0), EINVAL);
    EXPECT_ERR(send_signal(fd, -1, NULL, 0), EINVAL);
    EXPECT_ERR(send_signal(fd, 0, NULL, 3), EINVAL);
    EXPECT_ERR(send_signal(fd, 0, NULL, 8), EINVAL);
    EXPECT_ERR(send_signal(fd, SIGUSR1, (void *)8, 0), EFAULT);
    EXPECT_ERR(send_signal(0, 0, NULL, 0), EBADF);
    EXPECT_ERR(send_signal(-1, 0, NULL, 0), EBADF);
    pid_t pid = sleeper();
    int child = pidfd_open(pid, 0);
    info.si_code = SI_USER; /* says that the kernel sent it */
    EXPECT_ERR(send_signal(child, SIGUSR1, &info, 0), EPERM);
    EXPECT_IS(send_signal(child, SIGKILL, NULL, 0), 0);
    waitpid(pid, NULL, 0);
    close(child);
    close(fd);
    signal(SIGUSR1, SIG_DFL);
}

static void descriptors_are_taken_from_it(void)
{
    int ends[2], fd = memfd_create("taken", 0);
    EXPECT_IS(ftruncate(fd, 100), 0);
    EXPECT_IS(pipe(ends), 0);
    pid_t pid = fork();
    if (!pid) {
        int own = memfd_create("own", 0);
        ftruncate(own, 4321);
        write(ends[1], &own, sizeof(own));
        for (;;)
            pause();
    }
    int theirs, child = pidfd_open(pid, 0);
    struct stat st;
    read(ends[0], &theirs, sizeof(theirs));
    int got = get_fd(child, theirs, 0);
    EXPECT(got >= 0 && fstat(got, &st) == 0 && st.st_size == 4321);
    EXPECT_IS(fcntl(got, F_GETFD), FD_CLOEXEC);
    EXPECT_ERR(get_fd(child, 999, 0), EBADF);
    EXPECT_ERR(get_fd(child, -1, 0), EBADF);
    EXPECT_ERR(get_fd(child, 0, 1), EINVAL);
    EXPECT_ERR(get_fd(0, 0, 0), EBADF);
    end(pid);
    close(got);
    close(child);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

struct clone_args_0 {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static pid_t clone_with(uint64_t flags, void *pidfd)
{
    struct clone_args_0 a = {.flags = flags, .pidfd = (uintptr_t)pidfd, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
    if (!pid)
        _exit(7);
    return pid;
}

static void clone_gives_one_with_the_child(void)
{
    siginfo_t info = {0};
    int fd = -1, old = -1;

    pid_t pid = clone_with(CLONE_PIDFD, &fd);
    EXPECT(pid > 0 && fd >= 0);
    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_IS(waitid(BY_PIDFD, fd, &info, WEXITED), 0);
    EXPECT(info.si_pid == pid && info.si_status == 7);
    close(fd);
    int next = dup(0);
    close(next);
    EXPECT_ERR(clone_with(CLONE_PIDFD, (void *)8), EFAULT);
    EXPECT_ERR(clone_with(CLONE_PIDFD | CLONE_DETACHED, &fd), EINVAL);
    EXPECT_ERR(waitpid(-1, NULL, 0), ECHILD); /* no child came of that */
    EXPECT_IS(dup(0), next);                  /* nor a descriptor */
    close(next);
    pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &old, 0, 0);
    if (!pid)
        _exit(0);
    EXPECT(pid > 0 && old >= 0);
    waitpid(pid, NULL, 0);
    close(old);
    EXPECT_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &old, 0, 0),
               EINVAL);
}

static void memory_of_the_dying_is_released(void)
{
    enum { PAGES = 4096 };
    int ends[2];
    char c;

    EXPECT_IS(pipe(ends), 0);
    pid_t pid = fork();
    if (!pid) {
        char *p = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(p, 1, PAGES * PAGE);
        write(ends[1], "x", 1);
        for (;;)
            pause();
    }
    int fd = pidfd_open(pid, 0), own = pidfd_open(getpid(), 0);
    read(ends[0], &c, 1);
    EXPECT_ERR(release(fd, 0), EINVAL); /* it lives */
    EXPECT_ERR(release(own, 0), EINVAL);
    EXPECT_ERR(release(fd, 1), EINVAL);
    EXPECT_ERR(release(0, 0), EBADF);
    kill(pid, SIGKILL);
    int result = release(fd, 0);
    EXPECT(result == 0 || errno == ESRCH || errno == EAGAIN); /* it may be faster */
    waitpid(pid, NULL, 0);
    EXPECT_ERR(release(fd, 0), ESRCH);
    close(fd);
    close(own);
    close(ends[0]);
    close(ends[1]);
}

static void advice_is_given_through_it(void)
{
    int own = pidfd_open(getpid(), 0);
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec v[] = {{p, PAGE}, {p + PAGE, PAGE}}, gap[] = {{p, PAGE}, {(void *)PAGE, PAGE}};
    struct iovec first_gap[] = {{(void *)PAGE, PAGE}, {p, PAGE}}, odd = {p + 1, PAGE};

    EXPECT_IS(advise(own, v, 2, COLD, 0), 2 * PAGE);
    EXPECT_IS(advise(own, v, 2, PAGEOUT, 0), 2 * PAGE);
    EXPECT_IS(advise(own, v, 0, COLD, 0), 0);
    EXPECT_IS(advise(own, gap, 2, COLD, 0), PAGE);
    EXPECT_ERR(advise(own, first_gap, 2, COLD, 0), ENOMEM);
    EXPECT_ERR(advise(own, &odd, 1, COLD, 0), EINVAL);
    EXPECT_ERR(advise(own, v, 2, 999, 0), EINVAL);
    EXPECT_ERR(advise(own, v, 2, COLD, 1), EINVAL);
    EXPECT_ERR(advise(own, v, 2000, COLD, 0), EINVAL);
    EXPECT_ERR(advise(own, (void *)8, 2, COLD, 0), EFAULT);
    EXPECT_ERR(advise(0, v, 2, COLD, 0), EBADF);
    EXPECT_ERR(advise(-1, v, 2, COLD, 0), EBADF);
    pid_t pid = sleeper();
    int child = pidfd_open(pid, 0);
    p[0] = 1;
    EXPECT_ERR(advise(child, v, 2, MADV_DONTNEED, 0), EINVAL); /* not for others to say */
    if (geteuid() == 0)
        EXPECT_IS(advise(child, v, 2, COLD, 0), 2 * PAGE);
    end(pid);
    EXPECT_ERR(advise(child, v, 2, COLD, 0), ESRCH);
    close(child);
    close(own);
    munmap(p, 2 * PAGE);
}

static void others_processes_are_out_of_reach(void)
{
    if (geteuid() != 0)
        SKIP("needs root");
    pid_t target = sleeper(), pid = fork();
    int status;

    if (!pid) {
        struct iovec v = {(void *)PAGE, PAGE};
        setresgid(65534, 65534, 65534);
        setresuid(65534, 65534, 65534);
        int fd = pidfd_open(target, 0);
        EXPECT(fd >= 0);
        EXPECT_ERR(send_signal(fd, SIGKILL, NULL, 0), EPERM);
        EXPECT_ERR(get_fd(fd, 0, 0), EPERM);
        EXPECT_ERR(advise(fd, &v, 1, COLD, 0), EACCES);
        fflush(stdout);
        _exit(ktap_failed);
    }
    waitpid(pid, &status, 0);
    EXPECT_IS(status, 0);
    end(target);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(a_descriptor_stands_for_a_process), TEST(a_thread_is_not_a_process),
        TEST(poll_tells_when_it_ends),           TEST(who_polls_is_woken),
        TEST(one_waits_for_the_process_itself),  TEST(signals_are_sent_through_it),
        TEST(descriptors_are_taken_from_it),     TEST(clone_gives_one_with_the_child),
        TEST(memory_of_the_dying_is_released),   TEST(advice_is_given_through_it),
        TEST(others_processes_are_out_of_reach),
    };
    return KTAP_MAIN(tests);
}

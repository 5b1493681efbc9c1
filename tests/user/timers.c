/* SPDX-License-Identifier: MIT */
/*
 * tests/user/timers.c - alarm, interval timers, POSIX timers, CPU time, what was used
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18; none fails because a machine is slow.
 * Source: setitimer(2), timer_create(2), clock_gettime(2), getrusage(2), times(2).
 * Tour:   after tests/user/signals.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

static volatile int ticks;
static siginfo_t last;

static void tick(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    last = *info;
    ticks++;
}

static void on(int signo)
{
    struct sigaction action = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO};

    ticks = 0;
    sigaction(signo, &action, NULL);
}

static void wait_for_ticks(int count)
{
    for (int i = 0; i < 2000 && ticks < count; i++)
        usleep(1000);
    EXPECT(ticks >= count);
}

static void burn_until_ticks(int count)
{
    time_t end = time(NULL) + 10;

    while (ticks < count && time(NULL) < end)
        for (volatile int i = 0; i < 100000; i++)
            ;
    EXPECT(ticks >= count);
}

static void alarm_rings_once(void)
{
    struct itimerval now;

    on(SIGALRM);
    EXPECT_IS(alarm(100), 0);
    EXPECT_IS(alarm(0), 100);
    EXPECT_IS(alarm(1), 0);
    EXPECT_ERR(pause(), EINTR);
    EXPECT_IS(ticks, 1);
    EXPECT_IS(last.si_code, SI_KERNEL);
    EXPECT_IS(getitimer(ITIMER_REAL, &now), 0);
    EXPECT(now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0);
}

static void interval_timers_repeat(void)
{
    struct itimerval set = {{0, 5000}, {0, 5000}}, old;

    on(SIGALRM);
    EXPECT_IS(setitimer(ITIMER_REAL, &set, NULL), 0);
    wait_for_ticks(5);
    memset(&set, 0, sizeof set);
    EXPECT_IS(setitimer(ITIMER_REAL, &set, &old), 0);
    EXPECT(old.it_interval.tv_usec == 5000 && old.it_value.tv_usec <= 5000);
    int before = ticks;
    usleep(20000);
    EXPECT_IS(ticks, before);
    set.it_value.tv_usec = 1000000;
    EXPECT_ERR(setitimer(ITIMER_REAL, &set, NULL), EINVAL);
    set.it_value.tv_usec = 0;
    EXPECT_ERR(setitimer(3, &set, NULL), EINVAL);
    EXPECT_ERR(getitimer(3, &set), EINVAL);
    EXPECT_ERR(syscall(SYS_setitimer, ITIMER_REAL, (void *)8, NULL), EFAULT);
}

static void cpu_timers_count_cpu_time(void)
{
    struct itimerval set = {{0, 10000}, {0, 10000}}, zero = {{0, 0}, {0, 0}};

    on(SIGPROF);
    EXPECT_IS(setitimer(ITIMER_PROF, &set, NULL), 0);
    burn_until_ticks(3);
    EXPECT_IS(setitimer(ITIMER_PROF, &zero, NULL), 0);
    on(SIGVTALRM);
    EXPECT_IS(setitimer(ITIMER_VIRTUAL, &set, NULL), 0);
    burn_until_ticks(3);
    EXPECT_IS(setitimer(ITIMER_VIRTUAL, &zero, NULL), 0);
}

static void posix_timers_send_their_value(void)
{
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    struct itimerspec set = {{0, 0}, {0, 5000000}}, now;
    timer_t timer;

    on(SIGUSR1);
    EXPECT_IS(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    EXPECT_IS(timer_gettime(timer, &now), 0);
    EXPECT(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    EXPECT_IS(timer_settime(timer, 0, &set, NULL), 0);
    wait_for_ticks(1);
    EXPECT_IS(last.si_code, SI_TIMER);
    EXPECT_IS(last.si_value.sival_int, 77);
    EXPECT_IS(last.si_overrun, 0);
    set.it_interval.tv_nsec = 3000000;
    EXPECT_IS(timer_settime(timer, 0, &set, NULL), 0);
    wait_for_ticks(5);
    EXPECT_IS(timer_delete(timer), 0);
}

static void overruns_are_counted(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec set = {{0, 1000000}, {0, 1000000}};
    timer_t timer;
    sigset_t mask;

    on(SIGUSR1);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    EXPECT_IS(timer_create(CLOCK_REALTIME, &event, &timer), 0);
    EXPECT_IS(timer_settime(timer, 0, &set, NULL), 0);
    usleep(50000);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    EXPECT(ticks >= 1);
    EXPECT(timer_getoverrun(timer) >= 0);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    usleep(50000);
    siginfo_t info;
    EXPECT_IS(sigwaitinfo(&mask, &info), SIGUSR1);
    EXPECT(info.si_overrun >= 30);
    EXPECT_IS(timer_getoverrun(timer), info.si_overrun);
    EXPECT_IS(timer_delete(timer), 0);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

static void absolute_times_may_have_passed(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec set = {{0, 0}, {1, 0}}; /* 1970 */
    timer_t timer;

    on(SIGUSR1);
    EXPECT_IS(timer_create(CLOCK_REALTIME, &event, &timer), 0);
    EXPECT_IS(timer_settime(timer, TIMER_ABSTIME, &set, NULL), 0);
    wait_for_ticks(1);
    EXPECT_IS(timer_delete(timer), 0);
}

static void silent_timers_only_count(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec set = {{0, 0}, {100, 0}}, now;
    timer_t timer;

    EXPECT_IS(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    EXPECT_IS(timer_settime(timer, 0, &set, NULL), 0);
    EXPECT_IS(timer_gettime(timer, &now), 0);
    EXPECT(now.it_value.tv_sec == 99 || now.it_value.tv_sec == 100);
    EXPECT_IS(timer_delete(timer), 0);
}

static void timers_check_their_arguments(void)
{
    struct {
        uint64_t value;
        int signo, notify, tid, pad[11];
    } event = {.signo = 65};
    struct itimerspec bad = {{0, 0}, {0, 1000000000}};
    int id;

    EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.signo = SIGUSR1;
    event.notify = 9;
    EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.notify = 4; /* SIGEV_THREAD_ID */
    event.tid = 1;
    EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    EXPECT_ERR(syscall(SYS_timer_create, 99, NULL, &id), EINVAL);
    EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, NULL, &id), EOPNOTSUPP);
    EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, (void *)8), EFAULT);
    event.tid = gettid();
    EXPECT_IS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), 0);
    EXPECT_ERR(syscall(SYS_timer_settime, id, 0, &bad, NULL), EINVAL);
    EXPECT_ERR(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
    EXPECT_IS(syscall(SYS_timer_delete, id), 0);
    EXPECT_ERR(syscall(SYS_timer_delete, id), EINVAL);
    EXPECT_ERR(syscall(SYS_timer_gettime, id, &bad), EINVAL);
    EXPECT_ERR(syscall(SYS_timer_getoverrun, id), EINVAL);
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec t;

    EXPECT_IS(clock_gettime(clock, &t), 0);
    return t.tv_sec * 1000000UL + t.tv_nsec / 1000;
}

static void *burn(void *arg)
{
    uint64_t end = clock_us(CLOCK_THREAD_CPUTIME_ID) + 30000;

    while (clock_us(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
    return arg;
}

static void cpu_clocks_add_up_threads(void)
{
    uint64_t process = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t thread = clock_us(CLOCK_THREAD_CPUTIME_ID);
    pthread_t other;
    clockid_t its;

    EXPECT_IS(pthread_create(&other, NULL, burn, NULL), 0);
    EXPECT_IS(pthread_getcpuclockid(other, &its), 0);
    EXPECT_IS(pthread_join(other, NULL), 0);
    thread = clock_us(CLOCK_THREAD_CPUTIME_ID) - thread; /* however long that was */
    EXPECT(clock_us(CLOCK_PROCESS_CPUTIME_ID) - process >= thread + 30000);
    EXPECT_IS(clock_getcpuclockid(0, &its), 0);
    EXPECT(clock_us(its) >= process);
    EXPECT_ERR(clock_gettime(99, &(struct timespec){0, 0}), EINVAL);
    EXPECT_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void *)8), EFAULT);
}

static void usage_is_told(void)
{
    struct rusage self, children, child_usage;
    struct tms t;
    int status;

    pid_t child = fork();
    if (child == 0) {
        burn(NULL);
        _exit(0);
    }
    EXPECT_IS(wait4(child, &status, 0, &child_usage), child);
    uint64_t us = child_usage.ru_utime.tv_sec * 1000000UL + child_usage.ru_utime.tv_usec +
                  child_usage.ru_stime.tv_sec * 1000000UL + child_usage.ru_stime.tv_usec;
    EXPECT(us >= 25000);
    EXPECT(child_usage.ru_minflt > 0);
    EXPECT_IS(getrusage(RUSAGE_SELF, &self), 0);
    EXPECT(self.ru_minflt > 0);
    EXPECT(self.ru_nvcsw > 0);
    EXPECT_IS(getrusage(RUSAGE_CHILDREN, &children), 0);
    EXPECT(children.ru_utime.tv_sec * 1000000 + children.ru_utime.tv_usec +
               children.ru_stime.tv_sec * 1000000 + children.ru_stime.tv_usec >=
           25000);
    EXPECT_IS(getrusage(RUSAGE_THREAD, &self), 0);
    EXPECT_ERR(syscall(SYS_getrusage, 2, &self), EINVAL);
    EXPECT(times(&t) != -1 && t.tms_cutime + t.tms_cstime >= 2);
}

static void policies_say_what_linux_says(void)
{
    struct sched_param p = {0};
    struct timespec t;
    unsigned cpu = 99, node = 99;

    EXPECT_IS(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
    EXPECT_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
    EXPECT_ERR(syscall(SYS_sched_getscheduler, 99999), ESRCH);
    EXPECT_IS(syscall(SYS_sched_getparam, 0, &p), 0);
    EXPECT_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
    EXPECT_IS(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p), 0);
    EXPECT_ERR(syscall(SYS_sched_setscheduler, 0, 99, &p), EINVAL);
    EXPECT_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p), EINVAL);
    EXPECT_ERR(syscall(SYS_sched_setscheduler, 0, -1, &p), EINVAL);
    EXPECT_IS(syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
    EXPECT_IS(syscall(SYS_sched_get_priority_min, SCHED_FIFO), 1);
    EXPECT_IS(syscall(SYS_sched_get_priority_max, SCHED_OTHER), 0);
    EXPECT_ERR(syscall(SYS_sched_get_priority_max, 99), EINVAL);
    EXPECT_IS(syscall(SYS_sched_rr_get_interval, 0, &t), 0);
    EXPECT_IS(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
    EXPECT(cpu < 64 && node == 0);
    EXPECT_IS(syscall(SYS_getcpu, NULL, NULL, NULL), 0);
}

static void prctl_says_what_linux_says(void)
{
    int value = -1;
    char name[16];

    EXPECT_IS(prctl(PR_SET_NAME, "a name that is too long"), 0);
    EXPECT_IS(prctl(PR_GET_NAME, name), 0);
    EXPECT(!strcmp(name, "a name that is "));
    EXPECT_IS(prctl(PR_GET_DUMPABLE), 1);
    EXPECT_IS(prctl(PR_SET_DUMPABLE, 0), 0);
    EXPECT_IS(prctl(PR_GET_DUMPABLE), 0);
    EXPECT_IS(prctl(PR_SET_DUMPABLE, 1), 0);
    EXPECT_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
    EXPECT_IS(prctl(PR_SET_PDEATHSIG, SIGUSR1), 0);
    EXPECT_IS(prctl(PR_GET_PDEATHSIG, &value), 0);
    EXPECT_IS(value, SIGUSR1);
    EXPECT_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    EXPECT_IS(prctl(PR_SET_PDEATHSIG, 0), 0);
    EXPECT_ERR(prctl(9999), EINVAL);
}

static void parents_death_is_a_signal(void)
{
    int ends[2];
    char c = 0;

    EXPECT_IS(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (write(ends[1], "r", 1) != 1)
                _exit(1);
            for (;;)
                pause();
        }
        if (read(ends[0], &c, 1) != 1)
            _exit(1);
        _exit(0);
    }
    close(ends[1]);
    waitpid(child, NULL, 0);
    EXPECT_IS(read(ends[0], &c, 1), 0); /* the last writer is gone */
    close(ends[0]);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(alarm_rings_once),
        TEST(interval_timers_repeat),
        TEST(cpu_timers_count_cpu_time),
        TEST(posix_timers_send_their_value),
        TEST(overruns_are_counted),
        TEST(absolute_times_may_have_passed),
        TEST(silent_timers_only_count),
        TEST(timers_check_their_arguments),
        TEST(cpu_clocks_add_up_threads),
        TEST(usage_is_told),
        TEST(policies_say_what_linux_says),
        TEST(prctl_says_what_linux_says),
        TEST(parents_death_is_a_signal),
    };

    return KTAP_MAIN(tests);
}

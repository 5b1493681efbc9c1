/* SPDX-License-Identifier: MIT */
/*
 * tests/user/threads.c - threads: locks, conditions, local storage, beginning and end
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  the tests' own.
 * Always: (1) every expectation was seen on Linux 6.18;
 *         (2) threads leave their findings to the main thread: only it makes claims.
 * Source: pthreads(7), futex(2), clone(2), exit_group(2), execve(2).
 * Tour:   after tests/user/process.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/futex.h"
#include "ktap.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS = 8, ROUNDS = 2000 };

static const char *self; /* the path of this program */

static void run_all(pthread_t *threads, void *(*fn)(void *), void *arg)
{
    for (long i = 0; i < THREADS; i++)
        EXPECT_IS(pthread_create(&threads[i], NULL, fn, arg ? arg : (void *)i), 0);
    for (long i = 0; i < THREADS; i++)
        EXPECT_IS(pthread_join(threads[i], NULL), 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count_under_mutex(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        if (i % 100 == 0)
            sched_yield();
    }
    return unused;
}

static void mutexes_exclude(void)
{
    pthread_t threads[THREADS];

    counter = 0;
    run_all(threads, count_under_mutex, &counter);
    EXPECT_IS(counter, THREADS * ROUNDS);
}

static pthread_cond_t full = PTHREAD_COND_INITIALIZER, empty = PTHREAD_COND_INITIALIZER;
static int queue[4], queued, consumed_sum;

static void *produce(void *arg)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mutex);
        while (queued == 4)
            pthread_cond_wait(&empty, &mutex);
        queue[queued++] = i;
        pthread_cond_signal(&full);
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void *consume(void *arg)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mutex);
        while (!queued)
            pthread_cond_wait(&full, &mutex);
        consumed_sum += queue[--queued];
        pthread_cond_signal(&empty);
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void *produce_or_consume(void *arg)
{
    return (long)arg % 2 ? produce(arg) : consume(arg);
}

static void conditions_wake(void)
{
    pthread_t threads[THREADS];

    queued = consumed_sum = 0;
    run_all(threads, produce_or_consume, NULL);
    EXPECT_IS(consumed_sum, THREADS / 2 * (199 * 200 / 2));
}

static void condition_waits_end_in_time(void)
{
    struct timespec until, now;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20 * 1000 * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&mutex);
    EXPECT_IS(pthread_cond_timedwait(&full, &mutex, &until), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    clock_gettime(CLOCK_REALTIME, &now);
    EXPECT(now.tv_sec > until.tv_sec ||
           (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
}

static __thread long local = 42;
static pthread_key_t key;
static _Atomic int destroyed, local_errors;

static void destroy(void *value)
{
    atomic_fetch_add(&destroyed, value != NULL);
}

static void *use_local_storage(void *arg)
{
    if (local != 42)
        atomic_fetch_add(&local_errors, 1);
    local = (long)arg;
    pthread_setspecific(key, &local);
    for (int i = 0; i < 50; i++) {
        sched_yield();
        if (local != (long)arg || pthread_getspecific(key) != &local)
            atomic_fetch_add(&local_errors, 1);
    }
    return NULL;
}

static void each_thread_has_its_own_storage(void)
{
    pthread_t threads[THREADS];

    EXPECT_IS(pthread_key_create(&key, destroy), 0);
    run_all(threads, use_local_storage, NULL);
    EXPECT_IS(local, 42);
    EXPECT_IS(destroyed, THREADS);
    EXPECT_IS(local_errors, 0);
    pthread_key_delete(key);
}

static pthread_barrier_t barrier;
static _Atomic int serial, arrived, early;

static void *meet(void *arg)
{
    for (int round = 1; round <= 20; round++) {
        atomic_fetch_add(&arrived, 1);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            atomic_fetch_add(&serial, 1);
        if (arrived < round * THREADS)
            atomic_fetch_add(&early, 1);
        pthread_barrier_wait(&barrier);
    }
    return arg;
}

static void barriers_hold_everybody(void)
{
    pthread_t threads[THREADS];

    EXPECT_IS(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    run_all(threads, meet, NULL);
    EXPECT_IS(serial, 20);
    EXPECT_IS(early, 0);
    pthread_barrier_destroy(&barrier);
}

static void *return_argument(void *arg)
{
    if ((long)arg % 2)
        pthread_exit(arg);
    return arg;
}

static void joining_gets_the_result(void)
{
    pthread_t thread;
    void *result;

    for (long i = 0; i < 20; i++) {
        EXPECT_IS(pthread_create(&thread, NULL, return_argument, (void *)i), 0);
        EXPECT_IS(pthread_join(thread, &result), 0);
        EXPECT_IS(result, i);
    }
}

static sem_t done;

static void *post_and_end(void *arg)
{
    sem_post(&done);
    return arg;
}

static void detached_threads_come_and_go(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    sem_init(&done, 0, 0);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 50; i++) {
        int err = pthread_create(&thread, &attr, post_and_end, NULL);
        EXPECT_IS(err, 0);
        sem_wait(&done);
    }
}

static void *hold_and_die(void *arg)
{
    pthread_mutex_lock(arg);
    return NULL;
}

static void robust_mutexes_outlive_their_owner(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t robust;
    pthread_t thread;

    pthread_mutexattr_init(&attr);
    EXPECT_IS(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    EXPECT_IS(pthread_mutex_init(&robust, &attr), 0);
    EXPECT_IS(pthread_create(&thread, NULL, hold_and_die, &robust), 0);
    EXPECT_IS(pthread_join(thread, NULL), 0);
    EXPECT_IS(pthread_mutex_lock(&robust), EOWNERDEAD);
    EXPECT_IS(pthread_mutex_consistent(&robust), 0);
    EXPECT_IS(pthread_mutex_unlock(&robust), 0);
    EXPECT_IS(pthread_mutex_lock(&robust), 0);
    pthread_mutex_unlock(&robust);
}

static void robust_mutexes_outlive_their_process(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t *robust =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    EXPECT_IS(pthread_mutex_init(robust, &attr), 0);
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(robust);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    EXPECT_IS(pthread_mutex_lock(robust), EOWNERDEAD);
    munmap(robust, PAGE);
}

static void *spin(void *arg)
{
    for (;;)
        ;
    return arg;
}

static void *sleep_long(void *arg)
{
    sleep(1000);
    return arg;
}

static void *read_pipe(void *arg)
{
    char c;
    int ends[2];

    if (pipe(ends) == 0 && read(ends[0], &c, 1) == 1)
        _exit(99);
    return arg;
}

static void *wait_on_futex(void *arg)
{
    static int word;

    for (;;)
        syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return arg;
}

static void start_busy_threads(void)
{
    static void *(*const kinds[])(void *) = {spin, sleep_long, read_pipe, wait_on_futex};
    pthread_t thread;

    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread, NULL, kinds[i], NULL))
            _exit(98);
    usleep(10000);
}

static int status_of(void (*body)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        body();
        _exit(97);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    return status;
}

static void end_with_7(void)
{
    start_busy_threads();
    _exit(7);
}

static void exit_group_ends_threads_that_run_and_wait(void)
{
    EXPECT_IS(status_of(end_with_7), 7 << 8);
}

static void *end_the_process(void *arg)
{
    _exit(8);
    return arg;
}

static void let_another_end_it(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, end_the_process, NULL);
    sleep(1000);
}

static void any_thread_ends_the_process(void)
{
    EXPECT_IS(status_of(let_another_end_it), 8 << 8);
}

static void *end_last(void *arg)
{
    usleep(20000);
    return arg;
}

static void leave_the_main_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, end_last, NULL);
    syscall(SYS_exit, 5);
}

static void status_is_the_first_threads(void)
{
    int status = status_of(leave_the_main_thread);

    EXPECT(status == 5 << 8 || status == 0); /* libc's last thread may call exit(0) */
}

static void fault_in_thread(void)
{
    start_busy_threads();
    raise(SIGKILL);
}

static void a_signal_kills_all_threads(void)
{
    EXPECT_IS(status_of(fault_in_thread), SIGKILL);
}

static void *exec_again(void *arg)
{
    char pid[16];
    char *args[] = {(char *)self, "pid-is", pid, NULL}, *env[] = {NULL};

    snprintf(pid, sizeof pid, "%d", getpid());
    execve(self, args, env);
    return arg;
}

static void exec_from_thread(void)
{
    pthread_t thread;

    start_busy_threads();
    pthread_create(&thread, NULL, exec_again, NULL);
    sleep(1000);
}

static void exec_from_main(void)
{
    start_busy_threads();
    exec_again(NULL);
}

static void exec_ends_all_other_threads(void)
{
    EXPECT_IS(status_of(exec_from_main), 0);
    EXPECT_IS(status_of(exec_from_thread), 0);
}

static _Atomic int progress[THREADS];
static _Atomic bool stop_hogs;

static void *hog(void *arg)
{
    while (!stop_hogs)
        progress[(long)arg]++;
    return NULL;
}

static bool all_progress(void)
{
    for (int i = 0; i < THREADS; i++)
        if (progress[i] < 1000)
            return false;
    return true;
}

static void hogs_share_the_cpus(void)
{
    pthread_t threads[THREADS];

    stop_hogs = false;
    for (long i = 0; i < THREADS; i++)
        EXPECT_IS(pthread_create(&threads[i], NULL, hog, (void *)i), 0);
    for (int i = 0; i < 1000 && !all_progress(); i++)
        usleep(5000);
    EXPECT(all_progress());
    stop_hogs = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *pin_and_look(void *arg)
{
    cpu_set_t set, seen;

    for (int round = 0; round < 20; round++) {
        int cpu = round % (long)arg;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set) < 0 || sched_getcpu() != cpu)
            return "not where it was put";
        sched_yield();
        if (sched_getcpu() != cpu)
            return "left the CPU it was pinned to";
        if (sched_getaffinity(0, sizeof seen, &seen) < 0 || !CPU_EQUAL(&set, &seen))
            return "the mask is another";
    }
    return NULL;
}

static void affinity_is_obeyed(void)
{
    pthread_t threads[THREADS];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    void *why;
    cpu_set_t set;

    for (int i = 0; i < THREADS; i++)
        EXPECT_IS(pthread_create(&threads[i], NULL, pin_and_look, (void *)cpus), 0);
    for (int i = 0; i < THREADS; i++) {
        EXPECT_IS(pthread_join(threads[i], &why), 0);
        EXPECT(why == NULL);
    }
    CPU_ZERO(&set);
    EXPECT_ERR(sched_setaffinity(0, sizeof set, &set), EINVAL);
    CPU_SET(1000, &set);
    EXPECT_ERR(sched_setaffinity(0, sizeof set, &set), EINVAL);
    CPU_SET(0, &set);
    EXPECT_ERR(sched_setaffinity(99999, sizeof set, &set), ESRCH);
    EXPECT_ERR(sched_getaffinity(99999, sizeof set, &set), ESRCH);
    EXPECT_ERR(syscall(SYS_sched_getaffinity, 0, 3L, &set), EINVAL);
    EXPECT_ERR(syscall(SYS_sched_setaffinity, 0, 8L, (void *)8), EFAULT);
}

static void membarrier_says_what_linux_says(void)
{
    EXPECT((syscall(SYS_membarrier, 0, 0, 0) & 0x7f) == 0x7f);
    EXPECT_IS(syscall(SYS_membarrier, 1, 0, 0), 0);
    EXPECT_IS(syscall(SYS_membarrier, 2, 0, 0), 0);
    EXPECT_ERR(syscall(SYS_membarrier, 8, 0, 0), EPERM);
    EXPECT_IS(syscall(SYS_membarrier, 16, 0, 0), 0);
    EXPECT_IS(syscall(SYS_membarrier, 8, 0, 0), 0);
    EXPECT_ERR(syscall(SYS_membarrier, 32, 0, 0), EPERM);
    EXPECT_IS(syscall(SYS_membarrier, 64, 0, 0), 0);
    EXPECT_IS(syscall(SYS_membarrier, 32, 0, 0), 0);
    EXPECT_ERR(syscall(SYS_membarrier, 3, 0, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_membarrier, -1, 0, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_membarrier, 0, 2, 0), EINVAL);
}

static void futex_operations_say_what_linux_says(void)
{
    uint32_t word = 5, other = 7;
    struct timespec bad = {0, 1000000000}, soon = {0, 1000000};

    EXPECT_ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
    EXPECT_ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 5, &soon, NULL, 0), ETIMEDOUT);
    EXPECT_ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 5, &bad, NULL, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT, 5, NULL, NULL, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_futex, (void *)8, FUTEX_WAIT, 5, NULL, NULL, 0), EFAULT);
    EXPECT_IS(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    /* other += 3, and wake other too because it was 7 */
    EXPECT_IS(syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, 1L, &other,
                      FUTEX_OP_ADD << 28 | FUTEX_OP_CMP_EQ << 24 | 3 << 12 | 7),
              0);
    EXPECT_IS(other, 10);
    EXPECT_ERR(syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, 1L, &other, 0xf << 28), ENOSYS);
    EXPECT_ERR(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 1, 1L, &other, 4), EAGAIN);
}

int main(int argc, char **argv)
{
    static const struct ktap_test tests[] = {
        TEST(mutexes_exclude),
        TEST(conditions_wake),
        TEST(condition_waits_end_in_time),
        TEST(each_thread_has_its_own_storage),
        TEST(barriers_hold_everybody),
        TEST(joining_gets_the_result),
        TEST(detached_threads_come_and_go),
        TEST(robust_mutexes_outlive_their_owner),
        TEST(robust_mutexes_outlive_their_process),
        TEST(exit_group_ends_threads_that_run_and_wait),
        TEST(any_thread_ends_the_process),
        TEST(status_is_the_first_threads),
        TEST(a_signal_kills_all_threads),
        TEST(exec_ends_all_other_threads),
        TEST(hogs_share_the_cpus),
        TEST(affinity_is_obeyed),
        TEST(membarrier_says_what_linux_says),
        TEST(futex_operations_say_what_linux_says),
    };

    self = argv[0];
    if (argc == 3)
        return atoi(argv[2]) == getpid() && getpid() == gettid() ? 0 : 1;
    return KTAP_MAIN(tests);
}

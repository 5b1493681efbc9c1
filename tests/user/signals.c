/* SPDX-License-Identifier: MIT */
/*
 * tests/user/signals.c - sending, queueing, handling, waiting; stop and continue; the frame
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: signal(7), sigaction(2), sigqueue(3), sigwaitinfo(2), sigaltstack(2), waitid(2).
 * Tour:   after tests/user/threads.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#define AUTODISARM (1U << 31)

static volatile int seen[16], nr_seen;
static siginfo_t last;

static void note(int signo, siginfo_t *info, void *context)
{
    (void)context;
    last = *info;
    seen[nr_seen++ % 16] = signo == SIGRTMIN || signo == SIGRTMIN + 1
                               ? (signo - SIGRTMIN) * 100 + info->si_value.sival_int
                               : signo;
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

    nr_seen = 0;
    EXPECT_IS(sigaction(signo, &action, NULL), 0);
}

static void block(int how, int signo)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signo);
    EXPECT_IS(sigprocmask(how, &set, NULL), 0);
}

static void realtime_signals_queue_in_order(void)
{
    handle(SIGRTMIN, note, 0);
    handle(SIGRTMIN + 1, note, 0);
    block(SIG_BLOCK, SIGRTMIN);
    block(SIG_BLOCK, SIGRTMIN + 1);
    for (int i = 1; i <= 3; i++) {
        EXPECT_IS(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}), 0);
        EXPECT_IS(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}), 0);
    }
    EXPECT_IS(nr_seen, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    EXPECT_IS(nr_seen, 6);
    /* Frames are built lowest number first: so the handler of the last built runs first. */
    int sum = 0;
    for (int i = 0; i < 6; i++)
        sum += seen[i];
    EXPECT_IS(sum, 312);
    EXPECT_IS(last.si_code, SI_QUEUE);
    EXPECT_IS(last.si_pid, getpid());
}

static void ordinary_signals_are_pending_once(void)
{
    handle(SIGUSR1, note, 0);
    block(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    block(SIG_UNBLOCK, SIGUSR1);
    EXPECT_IS(nr_seen, 1);
    EXPECT_IS(last.si_code, SI_USER);
}

static void queueing_checks_its_arguments(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    EXPECT_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info), EINVAL);
    EXPECT_IS(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &info), 0);
    EXPECT_ERR(syscall(SYS_rt_sigqueueinfo, 99999, SIGUSR1, &info), ESRCH);
    info.si_code = SI_USER;
    EXPECT_ERR(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info), EPERM);
    EXPECT_ERR(syscall(SYS_tgkill, 0, gettid(), 0), EINVAL);
    EXPECT_ERR(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_tgkill, getpid(), 99999, 0), ESRCH);
    EXPECT_ERR(syscall(SYS_tgkill, getppid(), gettid(), 0), ESRCH);
    EXPECT_IS(syscall(SYS_tgkill, getpid(), gettid(), 0), 0);
    EXPECT_ERR(syscall(SYS_tkill, -1, 0), EINVAL);
    EXPECT_ERR(kill(99999, 0), ESRCH);
    EXPECT_ERR(kill(getpid(), 65), EINVAL);
}

static void waiting_takes_a_signal(void)
{
    struct timespec soon = {0, 10 * 1000 * 1000}, now = {0, 0};
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    block(SIG_BLOCK, SIGUSR2);
    EXPECT_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
    EXPECT_ERR(sigtimedwait(&set, &info, &soon), EAGAIN);
    kill(getpid(), SIGUSR2);
    EXPECT_IS(sigtimedwait(&set, &info, &soon), SIGUSR2);
    EXPECT_IS(info.si_pid, getpid());
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        kill(getppid(), SIGUSR2);
        _exit(0);
    }
    EXPECT_IS(sigwaitinfo(&set, &info), SIGUSR2);
    EXPECT_IS(info.si_pid, child);
    waitpid(child, NULL, 0);
    block(SIG_UNBLOCK, SIGUSR2);
}

static void send_soon(int signo, int us)
{
    if (fork() == 0) {
        usleep(us);
        kill(getppid(), signo);
        _exit(0);
    }
}

static void suspending_lets_signals_in(void)
{
    sigset_t none;

    sigemptyset(&none);
    handle(SIGUSR1, note, 0);
    block(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
    EXPECT_IS(nr_seen, 0);
    EXPECT_ERR(sigsuspend(&none), EINTR);
    EXPECT_IS(nr_seen, 1);
    kill(getpid(), SIGUSR1);
    EXPECT_IS(nr_seen, 1); /* blocked again */
    block(SIG_UNBLOCK, SIGUSR1);
    EXPECT_IS(nr_seen, 2);
    send_soon(SIGUSR1, 20000);
    EXPECT_ERR(pause(), EINTR);
    EXPECT_IS(nr_seen, 3);
    wait(NULL);
}

static void calls_restart_if_the_handler_says_so(void)
{
    int ends[2], status;
    char c;

    EXPECT_IS(pipe(ends), 0);
    handle(SIGUSR1, note, 0);
    send_soon(SIGUSR1, 20000);
    EXPECT_ERR(read(ends[0], &c, 1), EINTR);
    wait(NULL);
    handle(SIGUSR1, note, SA_RESTART);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        kill(getppid(), SIGUSR1);
        usleep(20000);
        _exit(write(ends[1], "x", 1) == 1 ? 3 : 4);
    }
    EXPECT_IS(read(ends[0], &c, 1), 1);
    EXPECT_IS(nr_seen, 1);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 3 << 8);
    close(ends[0]);
    close(ends[1]);
}

static void sleeping_tells_what_is_left(void)
{
    struct timespec request = {10, 0}, left = {0, 0};

    handle(SIGUSR1, note, SA_RESTART);
    send_soon(SIGUSR1, 20000);
    EXPECT_ERR(nanosleep(&request, &left), EINTR);
    EXPECT(left.tv_sec == 9 && left.tv_nsec > 0);
    wait(NULL);
    EXPECT_ERR(nanosleep(&(struct timespec){0, -1}, NULL), EINVAL);
    EXPECT_ERR(nanosleep(&(struct timespec){-1, 0}, NULL), EINVAL);
    EXPECT_IS(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){0, 1}, NULL), 0);
    EXPECT_IS(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &request, NULL), EINVAL);
    EXPECT_IS(clock_nanosleep(99, 0, &request, NULL), EINVAL);
}

static volatile int depth, max_depth, runs;

static void nest(int signo)
{
    max_depth = ++depth > max_depth ? depth : max_depth;
    if (++runs < 3)
        raise(signo);
    depth--;
}

static void handlers_nest_only_if_asked(void)
{
    struct sigaction action = {.sa_handler = nest};

    max_depth = runs = 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    EXPECT_IS(max_depth, 1);
    action.sa_flags = SA_NODEFER;
    max_depth = runs = 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    EXPECT_IS(max_depth, 3);
    signal(SIGUSR1, SIG_DFL);
}

static void handlers_may_be_for_once(void)
{
    struct sigaction now;

    handle(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    EXPECT_IS(nr_seen, 1);
    EXPECT_IS(sigaction(SIGUSR1, NULL, &now), 0);
    EXPECT(now.sa_handler == SIG_DFL);
}

static char alt_stack[65536];
static volatile bool on_alt, armed_inside;

static void look_at_stack(int signo, siginfo_t *info, void *context)
{
    stack_t now;
    char here;

    (void)signo, (void)info, (void)context;
    on_alt = &here >= alt_stack && &here < alt_stack + sizeof alt_stack;
    sigaltstack(NULL, &now);
    armed_inside = now.ss_flags == SS_ONSTACK;
}

static void alternate_stacks_are_used(void)
{
    stack_t stack = {.ss_sp = alt_stack, .ss_size = sizeof alt_stack}, now;

    EXPECT_IS(sigaltstack(&stack, NULL), 0);
    handle(SIGUSR1, look_at_stack, 0);
    raise(SIGUSR1);
    EXPECT(!on_alt);
    handle(SIGUSR1, look_at_stack, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT(on_alt && armed_inside);
    stack.ss_flags = (int)AUTODISARM;
    EXPECT_IS(sigaltstack(&stack, NULL), 0);
    raise(SIGUSR1);
    EXPECT(on_alt && !armed_inside);
    EXPECT_IS(sigaltstack(NULL, &now), 0);
    EXPECT_IS(now.ss_flags, (int)AUTODISARM);
    stack.ss_flags = 64;
    EXPECT_ERR(sigaltstack(&stack, NULL), EINVAL);
    stack.ss_flags = 0;
    stack.ss_size = 100;
    EXPECT_ERR(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_flags = SS_DISABLE;
    EXPECT_IS(sigaltstack(&stack, NULL), 0);
}

static void edit_registers(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)signo, (void)info;
    uc->uc_mcontext.gregs[REG_RIP] += 2; /* over UD2 */
    uc->uc_mcontext.gregs[REG_RAX] = 1234;
    memcpy(&uc->uc_mcontext.fpregs->_xmm[7], &(uint64_t){0x1122334455667788}, 8);
    sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void edits_of_the_frame_count(void)
{
    uint64_t rax = 0, xmm = 0;
    sigset_t mask;

    handle(SIGILL, edit_registers, 0);
    __asm__ volatile("ud2; movq %%xmm7, %1" : "+a"(rax), "=r"(xmm)::"xmm7", "memory");
    EXPECT_IS(rax, 1234);
    EXPECT(xmm == 0x1122334455667788);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    EXPECT(sigismember(&mask, SIGUSR2));
    block(SIG_UNBLOCK, SIGUSR2);
    signal(SIGILL, SIG_DFL);
}

static int status_of(void (*body)(void))
{
    struct rlimit none = {0, 0};
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &none);
        body();
        _exit(97);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    return status;
}

static void return_without_frame(void)
{
    __asm__ volatile("xor %%esp, %%esp; mov %0, %%eax; syscall" ::"i"(SYS_rt_sigreturn)
                     : "rax", "memory");
}

static void break_fpu_pointer(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)signo, (void)info;
    uc->uc_mcontext.fpregs = (void *)8;
}

static void return_with_bad_fpu(void)
{
    handle(SIGUSR1, break_fpu_pointer, 0);
    raise(SIGUSR1);
}

static void handle_without_stack(void)
{
    handle(SIGUSR1, note, 0);
    __asm__ volatile(
        "mov $4096, %%rsp; mov %0, %%eax; mov %1, %%edi; mov %2, %%esi; syscall" ::"i"(SYS_kill),
        "r"(getpid()), "i"(SIGUSR1)
        : "rax", "rdi", "rsi", "memory");
}

static void bad_frames_kill(void)
{
    EXPECT_IS(status_of(return_without_frame), SIGSEGV);
    EXPECT_IS(status_of(return_with_bad_fpu), SIGSEGV);
    EXPECT_IS(status_of(handle_without_stack), SIGSEGV);
}

static void abort_itself(void)
{
    abort();
}

static void blocked_fault(void)
{
    int *volatile nowhere = (int *)8;

    block(SIG_BLOCK, SIGSEGV);
    *nowhere = 1;
}

static void deaths_are_told(void)
{
    EXPECT_IS(status_of(abort_itself), SIGABRT);
    EXPECT_IS(status_of(blocked_fault), SIGSEGV);
}

static pid_t start_child_that_waits(void)
{
    pid_t child = fork();

    if (child == 0)
        for (;;)
            pause();
    return child;
}

static void stops_and_continues_are_told(void)
{
    int status;
    pid_t child = start_child_that_waits();

    EXPECT_IS(waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
    kill(child, SIGSTOP);
    EXPECT_IS(waitpid(child, &status, WUNTRACED), child);
    EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    EXPECT_IS(waitpid(child, &status, WNOHANG | WUNTRACED), 0); /* told once */
    kill(child, SIGCONT);
    EXPECT_IS(waitpid(child, &status, WCONTINUED), child);
    EXPECT(WIFCONTINUED(status));
    EXPECT_IS(waitpid(child, &status, WNOHANG | WCONTINUED), 0);
    kill(child, SIGSTOP);
    EXPECT_IS(waitpid(child, &status, WUNTRACED), child);
    kill(child, SIGKILL);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, SIGKILL);
}

static void a_stop_holds_all_threads(void)
{
    int status;
    volatile long *ticks =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();

    if (child == 0)
        for (;;)
            ++*ticks;
    while (!*ticks)
        usleep(1000);
    kill(child, SIGSTOP);
    EXPECT_IS(waitpid(child, &status, WUNTRACED), child);
    long before = *ticks;
    usleep(20000);
    EXPECT_IS(*ticks, before);
    kill(child, SIGCONT);
    while (*ticks == before)
        usleep(1000);
    kill(child, SIGKILL);
    EXPECT_IS(waitpid(child, &status, 0), child);
    munmap((void *)ticks, PAGE);
}

static void waitid_tells_everything(void)
{
    siginfo_t info = {0};
    pid_t child = start_child_that_waits();

    EXPECT_IS(waitid(P_PID, child, &info, WEXITED | WNOHANG), 0);
    EXPECT_IS(info.si_pid, 0);
    kill(child, SIGSTOP);
    EXPECT_IS(waitid(P_PID, child, &info, WSTOPPED), 0);
    EXPECT(info.si_signo == SIGCHLD && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    EXPECT_IS(info.si_pid, child);
    kill(child, SIGCONT);
    EXPECT_IS(waitid(P_PID, child, &info, WCONTINUED | WNOWAIT), 0);
    EXPECT_IS(info.si_code, CLD_CONTINUED);
    EXPECT_IS(waitid(P_PID, child, &info, WCONTINUED), 0);
    kill(child, SIGTERM);
    EXPECT_IS(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
    EXPECT(info.si_code == CLD_KILLED && info.si_status == SIGTERM);
    EXPECT_IS(waitid(P_ALL, 0, &info, WEXITED), 0);
    EXPECT_IS(info.si_pid, child);
    EXPECT_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    EXPECT_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
    EXPECT_ERR(waitid(P_PID, 0, &info, WEXITED), EINVAL);
    EXPECT_ERR(waitid(9, 1, &info, WEXITED), EINVAL);
}

static volatile int chld_code, chld_status, nr_chld;

static void note_child(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    chld_code = info->si_code;
    chld_status = info->si_status;
    nr_chld++;
}

static void sigchld_tells_what_happened(void)
{
    int status;
    pid_t child;

    handle(SIGCHLD, note_child, SA_RESTART);
    nr_chld = 0;
    child = start_child_that_waits();
    kill(child, SIGSTOP);
    EXPECT_IS(waitpid(child, &status, WUNTRACED), child);
    EXPECT(nr_chld == 1 && chld_code == CLD_STOPPED && chld_status == SIGSTOP);
    handle(SIGCHLD, note_child, SA_RESTART | SA_NOCLDSTOP);
    kill(child, SIGCONT);
    EXPECT_IS(waitpid(child, &status, WCONTINUED), child);
    EXPECT_IS(nr_chld, 1);
    kill(child, SIGKILL);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(nr_chld == 2 && chld_code == CLD_KILLED && chld_status == SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    child = fork();
    if (child == 0)
        _exit(0);
    EXPECT_ERR(waitpid(child, &status, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
}

static void *spin_until(void *flag)
{
    while (!*(volatile int *)flag)
        ;
    return NULL;
}

static pthread_t handled_by;
static volatile int handled;

static void note_thread(int signo)
{
    (void)signo;
    handled_by = pthread_self();
    handled = 1;
}

static void threads_get_their_own_signals(void)
{
    struct sigaction action = {.sa_handler = note_thread};
    pthread_t thread;

    handled = 0;
    sigaction(SIGUSR1, &action, NULL);
    EXPECT_IS(pthread_create(&thread, NULL, spin_until, (void *)&handled), 0);
    EXPECT_IS(pthread_kill(thread, SIGUSR1), 0);
    EXPECT_IS(pthread_join(thread, NULL), 0);
    EXPECT(pthread_equal(handled_by, thread));
    /* A signal for the process goes to a thread that lets it through. */
    handled = 0;
    EXPECT_IS(pthread_create(&thread, NULL, spin_until, (void *)&handled), 0);
    block(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
    EXPECT_IS(pthread_join(thread, NULL), 0);
    EXPECT(pthread_equal(handled_by, thread));
    block(SIG_UNBLOCK, SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(realtime_signals_queue_in_order),
        TEST(ordinary_signals_are_pending_once),
        TEST(queueing_checks_its_arguments),
        TEST(waiting_takes_a_signal),
        TEST(suspending_lets_signals_in),
        TEST(calls_restart_if_the_handler_says_so),
        TEST(sleeping_tells_what_is_left),
        TEST(handlers_nest_only_if_asked),
        TEST(handlers_may_be_for_once),
        TEST(alternate_stacks_are_used),
        TEST(edits_of_the_frame_count),
        TEST(bad_frames_kill),
        TEST(deaths_are_told),
        TEST(stops_and_continues_are_told),
        TEST(a_stop_holds_all_threads),
        TEST(waitid_tells_everything),
        TEST(sigchld_tells_what_happened),
        TEST(threads_get_their_own_signals),
    };

    return KTAP_MAIN(tests);
}

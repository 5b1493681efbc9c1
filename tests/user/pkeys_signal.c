/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pkeys_signal.c - PKRU is a thread's: in handlers, children, threads, new programs, and
 * in the hands of a debugger
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: pkeys(7); Intel SDM 1, "Managing State Using the XSAVE Feature Set"; ptrace(2).
 * Tour:   after tests/user/pkeys.c.
 */
#define _GNU_SOURCE
#include "pkeys.h"
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <ucontext.h>

#define STACK_BYTES  (16 * PAGE)
#define IMAGE_MAX    (16 * PAGE)
#define SW_XFEATURES (464 + 8) /* in an image of ptrace(2) or a frame: which components it has */
#define NT_XSTATE    0x202

static unsigned pkru_offset(void)
{
    unsigned a, b = 0, c, d;

    __get_cpuid_count(0xd, XSTATE_PKRU, &a, &b, &c, &d);
    return b;
}

/* What a handler saw, and what it shall do. */
static volatile unsigned seen_pkru, framed_pkru, new_pkru;
static volatile enum { LEAVE, CHANGE_OWN, CHANGE_FRAME, FORGET_IN_FRAME } what;

static void handler(int sig, siginfo_t *info, void *context)
{
    unsigned char *image = (unsigned char *)((ucontext_t *)context)->uc_mcontext.fpregs;
    uint64_t *present = (uint64_t *)(image + XSTATE_BV);
    unsigned *pkru = (unsigned *)(image + pkru_offset());
    (void)sig, (void)info;

    seen_pkru = pkru_read();
    framed_pkru = *present >> XSTATE_PKRU & 1 ? *pkru : 0;
    if (what == CHANGE_OWN) {
        pkru_write(0);
    } else if (what == CHANGE_FRAME) {
        *present |= 1UL << XSTATE_PKRU;
        *pkru = new_pkru;
    } else if (what == FORGET_IN_FRAME) {
        *present &= ~(1UL << XSTATE_PKRU);
    }
}

static void on_signal(int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigaction(SIGUSR1, &action, NULL);
}

static void handlers(void)
{
    on_signal(0);
    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    unsigned mine = pkru_read();
    raise(SIGUSR1);
    EXPECT_IS(seen_pkru, PKRU_AT_EXEC);
    EXPECT_IS(framed_pkru, mine);
    EXPECT_IS(pkru_read(), mine);
    what = CHANGE_OWN;
    raise(SIGUSR1);
    EXPECT_IS(pkru_read(), mine);
    what = CHANGE_FRAME;
    new_pkru = mine & ~0xcu;
    raise(SIGUSR1);
    EXPECT_IS(pkru_read(), new_pkru);
    what = LEAVE;
    pkru_write(0);
    raise(SIGUSR1);
    EXPECT_IS(framed_pkru, 0);
    EXPECT_IS(pkru_read(), 0);
    pkru_write(mine);
    what = FORGET_IN_FRAME;
    raise(SIGUSR1);
    EXPECT_IS(pkru_read(), 0);
}

static volatile int refused, opened_key;

/* Opens the key in the frame: the access is made again, and goes through. */
static void opener(int sig, siginfo_t *info, void *context)
{
    unsigned char *image = (unsigned char *)((ucontext_t *)context)->uc_mcontext.fpregs;
    unsigned *pkru = (unsigned *)(image + pkru_offset());
    (void)sig;

    refused++;
    opened_key = *(int *)((char *)info + SIGINFO_PKEY);
    *pkru &= ~(3u << 2 * opened_key);
}

static void openers(void)
{
    struct sigaction action = {.sa_sigaction = opener, .sa_flags = SA_SIGINFO};
    unsigned char *p = area_map(1, RW);

    sigaction(SIGSEGV, &action, NULL);
    EXPECT_IS(key_alloc(0, NO_ACCESS), 1);
    EXPECT_IS(key_protect(p, PAGE, RW, 1), 0);
    *(volatile unsigned char *)p = 7;
    EXPECT_IS(refused, 1);
    EXPECT_IS(opened_key, 1);
    EXPECT_IS(rights_with(1), 0);
    EXPECT_IS(*p, 7);
}

/* The frame is written all the same, but the handler's own first push is refused. */
static void shut_stacks(void)
{
    unsigned char *stack = area_map(16, RW);
    stack_t alt = {.ss_sp = stack, .ss_size = STACK_BYTES};

    on_signal(SA_ONSTACK);
    EXPECT_IS(sigaltstack(&alt, NULL), 0);
    EXPECT_IS(key_alloc(0, 0), 1);
    EXPECT_IS(key_protect(stack, STACK_BYTES, RW, 1), 0);
    raise(SIGUSR1);
}

static void shut_stack_kills(void)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        shut_stacks();
        _exit(0);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* A signal to itself while PKRU is @pkru; what it is after it. Nothing else touches memory then. */
static unsigned signal_without_memory(unsigned pkru)
{
    long pid = getpid(), tid = syscall(SYS_gettid);
    register long sig __asm__("r8") = SIGUSR1;
    register long result __asm__("rax") = pkru;

    __asm__ volatile("xorl %%ecx, %%ecx; xorl %%edx, %%edx; wrpkru;"
                     "movl %[call], %%eax; movq %[sig], %%rdx; syscall;"
                     "xorl %%ecx, %%ecx; rdpkru; movq %%rax, %%r9;"
                     "movl %[all], %%eax; xorl %%edx, %%edx; wrpkru; movq %%r9, %%rax"
                     : "+r"(result)
                     : "D"(pid),
                       "S"(tid), [sig] "r"(sig), [call] "i"(SYS_tgkill), [all] "i"(PKRU_AT_EXEC)
                     : "rcx", "rdx", "r9", "r11", "memory");
    return (unsigned)result;
}

static void written_frames(void)
{
    unsigned char *stack = area_map(16, RW);
    stack_t alt = {.ss_sp = stack, .ss_size = STACK_BYTES};

    on_signal(SA_ONSTACK);
    EXPECT_IS(sigaltstack(&alt, NULL), 0);
    EXPECT_IS(signal_without_memory(PKRU_AT_EXEC | NO_WRITE), PKRU_AT_EXEC | NO_WRITE);
    EXPECT_IS(seen_pkru, PKRU_AT_EXEC);
    EXPECT_IS(framed_pkru, PKRU_AT_EXEC | NO_WRITE);
}

static void children(void)
{
    int status;

    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    EXPECT_IS(key_alloc(0, NO_ACCESS), 2);
    EXPECT_IS(key_free(1), 0);
    unsigned mine = pkru_read();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        ktap_failed = false;
        EXPECT_IS(pkru_read(), mine);
        EXPECT_IS(key_alloc(0, 0), 1); /* 2 is given already, as in its parent */
        EXPECT_IS(key_alloc(0, 0), 3);
        EXPECT_IS(key_free(2), 0);
        fflush(stdout);
        _exit(ktap_failed);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    EXPECT_IS(pkru_read(), mine);
    EXPECT_IS(key_alloc(0, 0), 1); /* the child's are its own */
    EXPECT_IS(key_free(2), 0);
}

static void exec_only_in_children(void)
{
    unsigned char *p = area_map(1, RW);
    int status;

    p[0] = 0xc3;
    EXPECT_IS(mprotect(p, PAGE, PROT_EXEC), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        ktap_failed = false;
        EXPECT_IS(refused_by(p, PROBE_READ), 1);
        EXPECT_ERR(key_free(1), EINVAL);
        EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
        EXPECT_IS(smaps_field(p, "ProtectionKey"), 0);
        fflush(stdout);
        _exit(ktap_failed);
    }
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
}

static volatile unsigned start_pkru;
static volatile int thread_key;

static void *looks_and_allocates(void *arg)
{
    (void)arg;
    start_pkru = pkru_read();
    thread_key = key_alloc(0, NO_WRITE);
    return NULL;
}

static void thread_rights(void)
{
    pthread_t thread;

    EXPECT_IS(key_alloc(0, NO_WRITE), 1);
    unsigned mine = pkru_read();
    pthread_create(&thread, NULL, looks_and_allocates, NULL);
    pthread_join(thread, NULL);
    EXPECT_IS(start_pkru, mine);
    EXPECT_IS(thread_key, 2);
    EXPECT_IS(pkru_read(), mine); /* only the thread that allocates gets rights */
    EXPECT_IS(rights_with(2), NO_ACCESS);
}

#define SWITCHERS 4

static void *keeps_its_own(void *arg)
{
    unsigned wanted = PKRU_AT_EXEC & ~(3u << 2 * (1 + (unsigned)(long)arg));
    long wrong = 0;

    pkru_write(wanted);
    for (int i = 0; i < 2000; i++) {
        wrong += pkru_read() != wanted;
        sched_yield();
    }
    return (void *)wrong;
}

static void switches(void)
{
    pthread_t threads[SWITCHERS];

    for (long i = 0; i < SWITCHERS; i++)
        pthread_create(&threads[i], NULL, keeps_its_own, (void *)i);
    for (int i = 0; i < SWITCHERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        EXPECT_IS(wrong, 0);
    }
}

/* In a new program; main() comes by here. Its exit status tells. */
static int new_program(void)
{
    return pkru_read() != PKRU_AT_EXEC || key_alloc(0, 0) != 1;
}

static void exec_rights(void)
{
    char *const argv[] = {"pkeys_signal", "new", NULL};

    EXPECT_IS(key_alloc(0, 0), 1);
    EXPECT_IS(key_alloc(0, NO_WRITE), 2);
    fflush(stdout);
    execv("/proc/self/exe", argv);
    EXPECT(!"executed");
}

static void traced(unsigned pkru)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    pkru_write(pkru);
    raise(SIGSTOP);
    _exit(pkru_read() == 0x55555550 ? 0 : 1);
}

static void debuggers(void)
{
    static unsigned char image[IMAGE_MAX];
    struct iovec io = {image, sizeof(image)};
    int status;
    fflush(stdout);
    pid_t child = fork();

    if (child == 0)
        traced(0x55555558);
    waitpid(child, &status, 0);
    EXPECT_IS(ptrace(PTRACE_GETREGSET, child, (void *)NT_XSTATE, &io), 0);
    EXPECT(io.iov_len > pkru_offset() && io.iov_len % 8 == 0);
    uint64_t *present = (uint64_t *)(image + XSTATE_BV);
    unsigned *pkru = (unsigned *)(image + pkru_offset());
    EXPECT(*(uint64_t *)(image + SW_XFEATURES - 8) >> XSTATE_PKRU & 1);
    EXPECT_IS(*present >> XSTATE_PKRU & 1, 1);
    EXPECT_IS(*pkru, 0x55555558);
    *pkru = 0x55555550;
    EXPECT_IS(ptrace(PTRACE_SETREGSET, child, (void *)NT_XSTATE, &io), 0);
    *pkru = 0;
    EXPECT_IS(ptrace(PTRACE_GETREGSET, child, (void *)NT_XSTATE, &io), 0);
    EXPECT_IS(*pkru, 0x55555550);
    struct iovec part = {image, io.iov_len - 8};
    EXPECT_ERR(ptrace(PTRACE_SETREGSET, child, (void *)NT_XSTATE, &part), EFAULT);
    part.iov_len = 7;
    EXPECT_ERR(ptrace(PTRACE_GETREGSET, child, (void *)NT_XSTATE, &part), EINVAL);
    part.iov_len = 64;
    EXPECT_IS(ptrace(PTRACE_GETREGSET, child, (void *)NT_XSTATE, &part), 0);
    EXPECT_IS(part.iov_len, 64);
    *present |= 1UL << 63;
    EXPECT_ERR(ptrace(PTRACE_SETREGSET, child, (void *)NT_XSTATE, &io), EINVAL);
    EXPECT_ERR(ptrace(PTRACE_GETREGSET, child, (void *)0x9999, &io), EINVAL);
    EXPECT_IS(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
}

EACH_WITH_KEYS(a_handler_starts_as_a_new_program, handlers)
EACH_WITH_KEYS(a_handler_can_open_a_key, openers)
EACH_WITH_KEYS(a_handler_cannot_run_on_a_shut_stack, shut_stack_kills)
EACH_WITH_KEYS(children_have_their_parents_keys, children)
EACH_WITH_KEYS(execute_only_memory_stays_so_in_children, exec_only_in_children)
EACH_WITH_KEYS(rights_are_a_threads, thread_rights)
EACH_WITH_KEYS(rights_are_switched_with_the_thread, switches)
EACH_WITH_KEYS(a_new_program_has_no_keys, exec_rights)
EACH_WITH_KEYS(a_debugger_sees_and_changes_rights, debuggers)

/* Linux before 6.12 writes frames with the program's own rights. */
static void a_frame_is_written_whatever_is_shut(void)
{
    if (!keys_exist())
        SKIP("no keys");
    if (linux_before(6, 12))
        SKIP("Linux before 6.12");
    apart(written_frames);
}

int main(int argc, char **argv)
{
    static const struct ktap_test tests[] = {
        TEST(a_handler_starts_as_a_new_program),
        TEST(a_handler_can_open_a_key),
        TEST(a_handler_cannot_run_on_a_shut_stack),
        TEST(a_frame_is_written_whatever_is_shut),
        TEST(children_have_their_parents_keys),
        TEST(execute_only_memory_stays_so_in_children),
        TEST(rights_are_a_threads),
        TEST(rights_are_switched_with_the_thread),
        TEST(a_new_program_has_no_keys),
        TEST(a_debugger_sees_and_changes_rights),
    };
    if (argc > 1 && !strcmp(argv[1], "new"))
        return new_program();
    return KTAP_MAIN(tests);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/user/rseq.c - restartable sequences: registration, the CPU's number, aborts
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18;
 *         (2) built with musl, which leaves registration to us.
 * Source: Linux include/uapi/linux/rseq.h.
 * Tour:   after tests/user/threads.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/rseq.h"
#include "ktap.h"
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define SIGNATURE 0x53053053U

static volatile struct uapi_rseq area __attribute__((aligned(32)));

static long set(volatile void *at, unsigned len, int flags, uint32_t signature)
{
    return syscall(SYS_rseq, at, len, flags, signature);
}

static void registration_is_checked(void)
{
    EXPECT_ERR(set(&area, 32, 1, SIGNATURE), EINVAL); /* there is none */
    EXPECT_ERR(set(&area, 32, 2, SIGNATURE), EINVAL);
    EXPECT_ERR(set(&area, 16, 0, SIGNATURE), EINVAL);
    EXPECT_ERR(set((char *)&area + 4, 32, 0, SIGNATURE), EINVAL);
    EXPECT_ERR(set((void *)(1UL << 63), 32, 0, SIGNATURE), EFAULT);
    EXPECT_IS(set(&area, 32, 0, SIGNATURE), 0);
    EXPECT_ERR(set(&area, 32, 0, SIGNATURE), EBUSY);
    EXPECT_ERR(set(&area, 32, 0, SIGNATURE + 1), EPERM);
    EXPECT_ERR(set((char *)&area + 32, 32, 0, SIGNATURE), EINVAL);
    EXPECT_ERR(set(&area, 32, 1, SIGNATURE + 1), EPERM);
    EXPECT_IS(set(&area, 32, 1, SIGNATURE), 0);
    EXPECT(area.cpu_id == RSEQ_CPU_ID_UNINITIALIZED);
    EXPECT_IS(set(&area, 32, 0, SIGNATURE), 0);
}

static void cpu_number_is_kept_right(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t one;

    for (int cpu = 0; cpu < cpus; cpu++) {
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        EXPECT_IS(sched_setaffinity(0, sizeof one, &one), 0);
        EXPECT_IS(area.cpu_id, cpu);
        EXPECT_IS(area.cpu_id_start, cpu);
        EXPECT_IS(area.node_id, 0);
    }
}

static volatile bool spinning;

static void nothing(int signo)
{
    (void)signo;
}

/* Spins inside a critical section until it is aborted; which a signal does. Returns true then. */
static bool spin_until_aborted(void)
{
    long aborted = 0;

    __asm__ volatile(
        "jmp 5f\n\t"
        ".balign 32\n"
        "1: .long 0, 0\n\t"
        ".quad 2f, 3f - 2f, 4f\n\t"
        ".long %c[signature]\n"
        "4: mov $1, %[aborted]\n\t"
        "jmp 3f\n"
        "5: lea 1b(%%rip), %%rax\n\t"
        "mov %%rax, %[section]\n"
        "2: movb $1, %[spinning]\n\t"
        "jmp 2b\n"
        "3:\n\t"
        : [aborted] "+&r"(aborted), [section] "=m"(area.rseq_cs), [spinning] "=m"(spinning)
        : [signature] "i"(SIGNATURE)
        : "rax", "memory");
    return aborted;
}

static void a_signal_aborts_a_section(void)
{
    struct itimerval soon = {{0, 0}, {0, 20000}};

    signal(SIGALRM, nothing);
    EXPECT_IS(setitimer(ITIMER_REAL, &soon, NULL), 0);
    EXPECT(spin_until_aborted());
    EXPECT(spinning);
    EXPECT_IS(area.rseq_cs, 0);
}

static void a_wrong_signature_kills(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct itimerval soon = {{0, 0}, {0, 20000}};

        set(&area, 32, 1, SIGNATURE);
        set(&area, 32, 0, SIGNATURE + 1);
        setitimer(ITIMER_REAL, &soon, NULL);
        spin_until_aborted();
        _exit(1);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(registration_is_checked),
        TEST(cpu_number_is_kept_right),
        TEST(a_signal_aborts_a_section),
        TEST(a_wrong_signature_kills),
    };

    return KTAP_MAIN(tests);
}

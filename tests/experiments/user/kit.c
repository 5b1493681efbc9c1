/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/kit.c - the program that runs the experiments; its machine, its helpers
 *
 * Room:   user. usage: lab [-r REPS] [-c CLOCK] [-k COMMIT] [EXPERIMENT...]; lab -x ends
 * Owns:   the readers.
 * Locks:  none.
 * Always: (1) the policy of the kernel is afterwards what it was.
 * Source: Intel SDM 2A, "CPUID"; kernel/tlb_files.c for the policies.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

#include <cpuid.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#define POLICY_FILE "/proc/sys/vm/tlb_policy"
#define READERS_MAX 64

extern const struct user_experiment __start_experiments[], __stop_experiments[];

void lab_print(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("# ", stdout);
    vprintf(fmt, args);
    putchar('\n');
    fflush(stdout);
    va_end(args);
}

bool lab_has_rdtscp(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000001, &a, &b, &c, &d) && (d & 1u << 27);
}

uint64_t lab_undisturbed_begin(void)
{
    return 0;
}

void lab_undisturbed_end(uint64_t flags)
{
    (void)flags;
}

/* --- policies --- */

static const char *const policies[] = {"sync", "early", "late", "reuse"};
static const char *policy = "as it is";

bool is_linux(void)
{
    return access(POLICY_FILE, F_OK) != 0;
}

static void policy_write(const char *name)
{
    FILE *file = fopen(POLICY_FILE, "w");

    MUST(file && fputs(name, file) >= 0 && fclose(file) == 0);
}

bool policy_use(unsigned i)
{
    if (is_linux())
        return i == 0;
    bool is = i < sizeof(policies) / sizeof(policies[0]);
    policy = policies[is ? i : 0];
    policy_write(policy);
    return is;
}

const char *policy_name(void)
{
    return policy;
}

void measure_by_policy(struct lab_probe *probe)
{
    for (unsigned i = 0; policy_use(i); i++) {
        probe->series = policy_name();
        lab_measure(probe);
    }
}

/* --- memory --- */

void pages_touch(char *p, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++)
        ((volatile char *)p)[i * PAGE] = 1;
}

char *pages_make(uint64_t nr)
{
    char *p = mmap(NULL, nr * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(p != MAP_FAILED);
    madvise(p, nr * PAGE, MADV_NOHUGEPAGE); /* refused where there are none */
    pages_touch(p, nr);
    return p;
}

/* --- readers --- */

static struct {
    pthread_t threads[READERS_MAX];
    char *p;
    uint64_t nr_pages;
    unsigned nr;
    _Atomic unsigned there;
    _Atomic bool stop;
} readers;

unsigned nr_cpus(void)
{
    return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

static void *read_again_and_again(void *arg)
{
    (void)arg;
    bool first = true;

    while (!atomic_load_explicit(&readers.stop, memory_order_relaxed)) {
        for (uint64_t i = 0; i < readers.nr_pages; i++)
            (void)((volatile char *)readers.p)[i * PAGE];
        if (first)
            atomic_fetch_add(&readers.there, 1);
        first = false;
    }
    return NULL;
}

void readers_start(char *p, uint64_t nr_pages, unsigned nr)
{
    readers.p = p;
    readers.nr_pages = nr_pages;
    readers.nr = nr;
    atomic_store(&readers.there, 0);
    atomic_store(&readers.stop, false);
    MUST(nr <= READERS_MAX);
    for (unsigned i = 0; i < nr; i++)
        MUST(pthread_create(&readers.threads[i], NULL, read_again_and_again, NULL) == 0);
    while (atomic_load(&readers.there) < nr)
        sched_yield();
}

void readers_stop(void)
{
    atomic_store(&readers.stop, true);
    for (unsigned i = 0; i < readers.nr; i++)
        pthread_join(readers.threads[i], NULL);
}

/* --- the program --- */

static void print_hypervisor(void)
{
    unsigned a, b, c, d, name[4] = {0};

    if (__get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 31))
        __cpuid(0x40000000, a, name[0], name[1], name[2]);
    lab_print("lab|machine|hypervisor|%s", name[0] ? (const char *)name : "none");
}

static void print_machine(const char *clock, const char *commit)
{
    struct utsname u;
    unsigned brand[13] = {0};

    MUST(uname(&u) == 0);
    if (is_linux())
        lab_print("lab|machine|kernel|Linux %s", u.release);
    else
        lab_print("lab|machine|kernel|Bulla");
    if (commit)
        lab_print("lab|machine|commit|%s", commit);
    lab_print("lab|machine|clock|%s", clock);
    print_hypervisor();
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2],
                    &brand[4 * i + 3]);
    lab_print("lab|machine|cpu|%s", (const char *)brand);
    lab_print("lab|machine|cpus|%u", nr_cpus());
}

static bool is_wanted(const char *name, char **names, int nr)
{
    for (int i = 0; i < nr; i++)
        if (!strcmp(names[i], name))
            return true;
    return nr == 0;
}

int main(int argc, char **argv)
{
    const char *clock = "time", *commit = NULL;
    int option;

    if (getpid() == 1)                           /* an image of its own: nobody was here before */
        mount("proc", "/proc", "proc", 0, NULL); /* refused where the kernel did it */
    while ((option = getopt(argc, argv, "r:c:k:x")) != -1) {
        if (option == 'x')
            return 0;
        if (option == 'r')
            lab_reps_set(strtoul(optarg, NULL, 10));
        else
            *(option == 'c' ? &clock : &commit) = optarg;
    }
    print_machine(clock, commit);
    printf("1..%d\n", (int)(__stop_experiments - __start_experiments));
    for (const struct user_experiment *e = __start_experiments; e < __stop_experiments; e++) {
        if (!is_wanted(e->experiment->name, argv + optind, argc - optind))
            continue;
        lab_begin(e->experiment);
        e->measure();
        printf("ok %d %s\n", (int)(e - __start_experiments) + 1, e->experiment->name);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pairs.c - whatever two threads do to one range, each page has its tag, or is zero
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   SIGSEGV and SIGBUS: an access that is refused at the moment is no finding.
 * Locks:  none: what is found is counted in an atomic.
 * Always: (1) all pairs, each for a fixed time; a third thread looks on;
 *         (2) only a page's own tag is ever written to it, and memory taken meanwhile has another.
 * Source: trust.md 1a to 1c; mmap(2), mremap(2), mprotect(2), madvise(2), fork(2).
 * Tour:   after tests/user/thp_threads.c and tests/user/stale.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define RW      (PROT_READ | PROT_WRITE)
#define PAGES   512UL
#define HUGE    (PAGES * PAGE)
#define UNIT    ((char *)0x100000000000) /* where it is; it may move to AWAY */
#define AWAY    ((char *)0x100040000000)
#define TAG(i)  (0x7a67000000000000UL | (i))
#define FOREIGN 0xf04e160000000000UL
#define PAIR_MS 30

static int file; /* -1: private memory */
static _Atomic bool over;
static _Atomic int wrong;
static _Atomic size_t wrong_word;
static __thread sigjmp_buf refused;

static void on_fault(int sig)
{
    (void)sig;
    siglongjmp(refused, 1);
}

static bool word_read(const char *p, size_t *word)
{
    if (sigsetjmp(refused, 0))
        return false;
    *word = *(const volatile size_t *)p;
    return true;
}

static void word_write(char *p, size_t word)
{
    if (!sigsetjmp(refused, 0))
        *(volatile size_t *)p = word;
}

static void word_check(const char *p, size_t tag)
{
    size_t word = 0;

    if (!word_read(p, &word) || word == 0 || word == tag)
        return;
    wrong_word = word;
    wrong++;
}

/* One of the two, or who looks on. */
struct actor {
    size_t seed;
    char *other; /* memory of its own */
};

static size_t below(struct actor *a, size_t n)
{
    a->seed = a->seed * 6364136223846793005UL + 1442695040888963407UL;
    return (a->seed >> 33) % n;
}

struct range {
    char *at;
    size_t len;
};

static struct range some(struct actor *a)
{
    size_t first = below(a, PAGES), nr = below(a, 64) + 1;

    return (struct range){UNIT + first * PAGE, (first + nr > PAGES ? PAGES - first : nr) * PAGE};
}

static void map_at(char *at, size_t len)
{
    int kind = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

    if (mmap(at, len, RW, kind | MAP_FIXED, file, file < 0 ? 0 : at - UNIT) != at)
        wrong++;
    madvise(at, len, MADV_HUGEPAGE);
}

static void protect(struct actor *a)
{
    static const int rights[] = {PROT_NONE, PROT_READ, RW};
    struct range r = some(a);

    mprotect(r.at, r.len, rights[below(a, 3)]);
    mprotect(r.at, r.len, RW);
}

static void unmap(struct actor *a)
{
    struct range r = some(a);

    munmap(r.at, r.len);
    map_at(r.at, r.len);
}

static void move(struct actor *a)
{
    (void)a;
    mremap(UNIT, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, AWAY);
    mremap(AWAY, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, UNIT);
}

static int child_look(void)
{
    for (size_t i = 0; i < PAGES; i += 8) {
        word_check(UNIT + i * PAGE, TAG(i));
        word_check(AWAY + i * PAGE, TAG(i));
    }
    return wrong != 0;
}

static void do_fork(struct actor *a)
{
    int status = 0;
    pid_t child = fork();

    (void)a;
    if (child == 0)
        _exit(child_look());
    if (waitpid(child, &status, 0) != child || status)
        wrong++;
}

static void fault(struct actor *a)
{
    for (int n = 0; n < 16; n++) {
        size_t i = below(a, PAGES);
        word_write(UNIT + i * PAGE, TAG(i));
        word_check(UNIT + i * PAGE, TAG(i));
    }
}

/* What was free for a moment is taken, and nobody else may store to it. */
static void discard(struct actor *a)
{
    struct range r = some(a);

    madvise(r.at, r.len, MADV_DONTNEED);
    for (size_t i = 0; i < 8; i++)
        word_write(a->other + i * PAGE, FOREIGN + i);
    for (size_t i = 0; i < 8; i++)
        word_check(a->other + i * PAGE, FOREIGN + i);
    madvise(a->other, 8 * PAGE, MADV_DONTNEED);
}

static void collapse(struct actor *a)
{
    (void)a;
    madvise(UNIT, HUGE, MADV_COLLAPSE);
}

static void split(struct actor *a)
{
    char *p = UNIT + below(a, PAGES) * PAGE;

    madvise(p, PAGE, MADV_DONTDUMP);
    madvise(p, PAGE, MADV_DODUMP);
}

typedef void act_fn(struct actor *a);

static act_fn *const acts[] = {protect, unmap, move, do_fork, fault, discard, collapse, split};

enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

static char *others; /* memory of the two threads' own */

struct thread {
    act_fn *act;
    unsigned cpu;
    struct actor actor;
};

static void *act_run(void *arg)
{
    struct thread *t = arg;

    run_on(t->cpu);
    while (!over)
        t->act(&t->actor);
    return NULL;
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void look_on(void)
{
    struct actor me = {.seed = 3};

    for (long start = now_ms(); now_ms() - start < PAIR_MS && !wrong;) {
        size_t i = below(&me, PAGES);
        word_check(UNIT + i * PAGE, TAG(i));
        word_check(AWAY + i * PAGE, TAG(i));
    }
}

static void pair_run(unsigned first, unsigned second)
{
    struct thread threads[2] = {{acts[first], 1, {1, others}},
                                {acts[second], 2, {2, others + 8 * PAGE}}};
    pthread_t ids[2];

    map_at(UNIT, HUGE);
    for (size_t i = 0; i < PAGES; i++)
        word_write(UNIT + i * PAGE, TAG(i));
    over = false;
    for (int i = 0; i < 2; i++)
        EXPECT_IS(pthread_create(&ids[i], NULL, act_run, &threads[i]), 0);
    look_on();
    over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(ids[i], NULL);
    munmap(UNIT, HUGE);
    munmap(AWAY, HUGE);
    if (wrong)
        printf("# acts %u and %u: %d times wrong, as %#zx\n", first, second, wrong, wrong_word);
}

/* Each act beside itself, and beside those after it. */
static void pairs_run(void)
{
    struct sigaction on = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, segv, bus;

    sigaction(SIGSEGV, &on, &segv);
    sigaction(SIGBUS, &on, &bus);
    others = mmap(NULL, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    wrong = 0;
    for (unsigned first = 0; first < ACTS; first++)
        for (unsigned second = first; second < ACTS && !wrong; second++)
            pair_run(first, second);
    EXPECT_IS(wrong, 0);
    munmap(others, 16 * PAGE);
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
}

static void private_pages_have_their_tags_or_are_zero(void)
{
    file = -1;
    pairs_run();
}

static void shared_pages_have_their_tags_or_are_zero(void)
{
    file = memfd_create("pairs", 0);
    EXPECT_IS(ftruncate(file, HUGE), 0);
    pairs_run();
    close(file);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(private_pages_have_their_tags_or_are_zero),
        TEST(shared_pages_have_their_tags_or_are_zero),
    };

    huge_pages_allow();
    run_on(0);
    return KTAP_MAIN(tests);
}

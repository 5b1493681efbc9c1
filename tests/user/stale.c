/* SPDX-License-Identifier: MIT */
/*
 * tests/user/stale.c - what is taken away is forgotten by every CPU, whoever took it away
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none: two threads meet at barriers of atomics, and leave what they found in one.
 * Always: (1) nobody sleeps between two barriers: a CPU that changes its task forgets anyhow.
 * Source: trust.md B11 to B20; Linux 3ea277194daa, 99baac21e458, eb66ae030829 (behaviour).
 * Tour:   after tests/user/cow.c; arch/x86_64/tlb.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define RW     (PROT_READ | PROT_WRITE)
#define HUGE   (512 * PAGE)
#define ROUNDS 10
#define FAR    ((char *)0x100000000000) /* nobody maps anything there by himself */

static _Atomic int wrong;

static long now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void spin_us(long us)
{
    for (long start = now_us(); now_us() - start < us;)
        ;
}

/* Two threads, in rounds. @first begins, @second comes a little later. */
struct race {
    void (*prepare)(void);
    void (*warm)(void); /* by the second, which is to remember something */
    void (*first)(void);
    void (*second)(void);
    void (*verify)(void);
};

static _Atomic int met;

/* The @n-th time that both come here. */
static void meet(int n)
{
    met++;
    while (met < 2 * n)
        sched_yield();
}

static void *second_run(void *arg)
{
    const struct race *r = arg;

    run_on(1);
    for (int round = 0; round < ROUNDS; round++) {
        meet(3 * round + 1);
        r->warm();
        meet(3 * round + 2);
        spin_us(300 * (round + 1));
        r->second();
        meet(3 * round + 3);
    }
    return NULL;
}

static void race_run(struct race *r)
{
    pthread_t thread;

    wrong = met = 0;
    run_on(0);
    EXPECT_IS(pthread_create(&thread, NULL, second_run, r), 0);
    for (int round = 0; round < ROUNDS; round++) {
        r->prepare();
        meet(3 * round + 1);
        meet(3 * round + 2);
        r->first();
        meet(3 * round + 3);
        r->verify();
    }
    pthread_join(thread, NULL);
    EXPECT_IS(wrong, 0);
}

static void nothing(void)
{
}

static volatile char *p; /* what it is about */
static char *place;      /* around it */
static int fd;

static void discarding_several_areas_forgets_them_all(void)
{
    char *q = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT_IS(mprotect(q + PAGE, PAGE, RW | PROT_EXEC), 0);
    p = q;
    for (size_t i = 0; i < 3; i++)
        p[i * PAGE] = 'a';
    EXPECT_IS(madvise(q, 3 * PAGE, MADV_DONTNEED), 0);
    for (size_t i = 0; i < 3; i++)
        EXPECT_IS(p[i * PAGE], 0);
    munmap(q, 3 * PAGE);
}

static void tag(void)
{
    *p = 't';
}

static void see_tag(void)
{
    wrong += *p != 't';
}

static void discard(void)
{
    madvise((char *)p, PAGE, MADV_DONTNEED);
}

static void discard_and_look(void)
{
    discard();
    wrong += *p != 0;
}

static void what_two_discard_is_gone_for_both(void)
{
    struct race race = {tag, see_tag, discard, discard_and_look, nothing};

    place = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = place + PAGE;
    place[0] = 'k'; /* the table stays */
    race_run(&race);
    munmap(place, 3 * PAGE);
}

static void file_map(void)
{
    wrong += ftruncate(fd, PAGE) != 0;
    wrong += mmap((char *)p, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) != p;
    tag();
}

static void file_cut(void)
{
    wrong += ftruncate(fd, 0) != 0;
}

/* What was cut off is not there when the file grows again. */
static void cut_and_look(void)
{
    file_cut();
    wrong += ftruncate(fd, PAGE) != 0;
    wrong += *p != 0;
}

static void what_is_cut_off_while_it_is_discarded_is_forgotten(void)
{
    struct race race = {file_map, see_tag, discard, cut_and_look, nothing};

    fd = memfd_create("file", 0);
    place = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = place + PAGE;
    place[0] = 'k';
    race_run(&race);
    munmap(place, 3 * PAGE);
    close(fd);
}

/* A third thread stores to @p whenever it may. */
static _Atomic bool hammers, over;
static __thread sigjmp_buf after_fault;

static void on_fault(int sig)
{
    (void)sig;
    siglongjmp(after_fault, 1);
}

static void *hammer(void *arg)
{
    run_on(2);
    sigsetjmp(after_fault, 1);
    while (!over)
        if (hammers)
            *p = 'w';
    return arg;
}

static char *moved, *other;

static void file_map_and_hammer(void)
{
    file_map();
    hammers = true;
    while (*p != 'w')
        sched_yield();
}

static void move_away(void)
{
    wrong += mremap((char *)p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, moved) != moved;
}

/* Whoever has the page now must not find anybody's store in it. */
static void cut_and_take(void)
{
    file_cut();
    memset(other, 'o', 16 * PAGE);
    for (long start = now_us(); now_us() - start < 3000;)
        for (size_t i = 0; i < 16 * PAGE; i += PAGE)
            wrong += ((volatile char *)other)[i] != 'o';
}

static void hammer_rest(void)
{
    hammers = false;
    munmap(moved, PAGE);
    madvise(other, 16 * PAGE, MADV_DONTNEED);
}

static void what_moved_is_forgotten_before_it_can_be_cut_off(void)
{
    struct race race = {file_map_and_hammer, nothing, move_away, cut_and_take, hammer_rest};
    pthread_t thread;

    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    fd = memfd_create("file", 0);
    place = mmap(NULL, 5 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = place + PAGE;
    moved = place + 3 * PAGE;
    place[0] = place[4 * PAGE] = 'k';
    other = mmap(NULL, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hammers = over = false;
    EXPECT_IS(pthread_create(&thread, NULL, hammer, NULL), 0);
    race_run(&race);
    over = true;
    pthread_join(thread, NULL);
    munmap(other, 16 * PAGE);
    munmap(place, 5 * PAGE);
    close(fd);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

static void map_both(void)
{
    wrong += ftruncate(fd, 2 * PAGE) != 0;
    wrong += mmap(place, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) != place;
    wrong += mmap(moved, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE) != moved;
    place[0] = moved[0] = 'm';
}

/* To where it goes on with what lies before it, and becomes a part of that. */
static void move_near(void)
{
    wrong += mremap(moved, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) != p;
}

static void see_end(void)
{
    wrong += probe(place, PROBE_READ).sig != SIGBUS;
    wrong += probe(p, PROBE_READ).sig != SIGBUS;
}

static void what_moves_while_its_file_is_cut_is_cut_too(void)
{
    struct race race = {map_both, nothing, move_near, file_cut, see_end};

    fd = memfd_create("file", 0);
    place = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = place + PAGE;
    moved = place + 3 * PAGE;
    race_run(&race);
    munmap(place, 4 * PAGE);
    close(fd);
}

static void fill(void)
{
    for (size_t i = 0; i < 512; i++)
        place[i * PAGE] = 'f';
}

static void collapse(void)
{
    madvise(place, HUGE, MADV_COLLAPSE);
}

static void see_zeros(void)
{
    wrong += ftruncate(fd, HUGE) != 0;
    for (size_t i = 0; i < 512; i++)
        wrong += place[i * PAGE] != 0;
}

static void tables_go_when_nobody_cuts_along_them(void)
{
    struct race race = {fill, nothing, collapse, file_cut, see_zeros};

    fd = memfd_create("file", 0);
    wrong += ftruncate(fd, HUGE) != 0;
    place = mmap(place_of_units(HUGE), HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    race_run(&race);
    munmap(place, HUGE);
    close(fd);
}

/* In @place a page that is not there any more, and @p, in one table, of which nothing is used. */
static void table_empty(void)
{
    wrong += mmap(place, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != place;
    place[0] = *p = 'u';
    madvise(place, PAGE, MADV_DONTNEED);
    discard();
}

static void unmap(void)
{
    munmap(place, 4 * PAGE);
}

static void tables_stay_while_a_neighbour_faults(void)
{
    struct race race = {table_empty, nothing, tag, unmap, see_tag};

    place = FAR;
    p = mmap(place + 8 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    race_run(&race);
    munmap((char *)p, PAGE);
}

/* A stack behind the table, that may grow into it. */
static void stack_above(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;

    wrong += mmap(place + HUGE, PAGE, RW, flags, -1, 0) != place + HUGE;
    wrong += mmap(place, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != place;
    place[0] = place[HUGE] = 'u';
    madvise(place, PAGE, MADV_DONTNEED);
}

static void see_stack(void)
{
    see_tag();
    munmap(place, HUGE + PAGE);
}

static void tables_go_before_a_stack_may_grow_into_them(void)
{
    struct race race = {stack_above, nothing, unmap, tag, see_stack};

    place = FAR;
    p = place + HUGE - PAGE;
    race_run(&race);
}

static void units_fill(void)
{
    wrong += mmap(place, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != place;
    madvise(place, HUGE, MADV_HUGEPAGE);
    memset(place, 'u', HUGE);
}

static void discard_whole(void)
{
    madvise(place, HUGE, MADV_DONTNEED);
}

static void discard_part(void)
{
    madvise(place + 7 * PAGE, PAGE, MADV_DONTNEED);
}

static void see_no_units(void)
{
    for (size_t i = 0; i < HUGE; i += PAGE)
        wrong += place[i] != 0;
}

static void a_huge_page_is_discarded_whole_and_in_part_at_once(void)
{
    struct race race = {units_fill, nothing, discard_whole, discard_part, see_no_units};

    place = FAR;
    race_run(&race);
    munmap(place, HUGE);
}

/* Of pages that are areas of their own, one is touched while most of the others go. */
enum { AREAS = 64 };

static void areas_map(void)
{
    wrong += mmap(place, AREAS * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != place;
    for (size_t i = 1; i < AREAS; i += 2)
        mprotect(place + i * PAGE, PAGE, PROT_READ);
    p = place + AREAS / 2 * PAGE;
}

static void areas_unmap(void)
{
    for (size_t i = 0; i < AREAS; i++)
        if (i != AREAS / 2)
            munmap(place + i * PAGE, PAGE);
}

static void areas_go_while_another_is_looked_for(void)
{
    struct race race = {areas_map, nothing, tag, areas_unmap, see_tag};

    place = FAR;
    race_run(&race);
    munmap(place, AREAS * PAGE);
}

/* A page of a file whose neighbours are there, and mapped with it. */
static void neighbours_map(void)
{
    wrong += mmap(place, 16 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) != place;
}

static void read_first(void)
{
    wrong += *(volatile char *)place != 'f';
}

static void neighbours_unmap(void)
{
    munmap(place + 4 * PAGE, 12 * PAGE);
}

static void see_no_neighbours(void)
{
    for (size_t i = 4; i < 16; i++)
        wrong += probe(place + i * PAGE, PROBE_READ).sig != SIGSEGV;
}

static void a_fault_maps_no_neighbours_that_were_unmapped(void)
{
    struct race race = {neighbours_map, nothing, read_first, neighbours_unmap, see_no_neighbours};
    char bytes[16 * PAGE];

    memset(bytes, 'f', sizeof(bytes));
    fd = memfd_create("file", 0);
    EXPECT_IS(write(fd, bytes, sizeof(bytes)), (long)sizeof(bytes));
    place = FAR;
    race_run(&race);
    munmap(place, 16 * PAGE);
    close(fd);
}

static int to_child[2], from_child[2];

static int echo(void)
{
    char byte;

    while (read(to_child[0], &byte, 1) == 1 && byte)
        if (write(from_child[1], &byte, 1) != 1)
            return 1;
    return 0;
}

/* Its CPU loads one space, and the other, and again. */
static void *take_turns(void *arg)
{
    char byte = 1;

    run_on(1);
    while (!over)
        if (write(to_child[1], &byte, 1) != 1 || read(from_child[0], &byte, 1) != 1)
            wrong++;
    byte = 0;
    wrong += write(to_child[1], &byte, 1) != 1;
    return arg;
}

static void processes_that_take_turns_see_each_change(void)
{
    pthread_t thread;
    int status = -1;

    over = false;
    wrong = 0;
    EXPECT(pipe(to_child) == 0 && pipe(from_child) == 0);
    place = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p = place + PAGE;
    pid_t child = fork();
    if (child == 0)
        _exit(echo());
    EXPECT_IS(pthread_create(&thread, NULL, take_turns, NULL), 0);
    for (long start = now_us(); now_us() - start < 300000;) {
        tag();
        discard_and_look();
    }
    over = true;
    pthread_join(thread, NULL);
    EXPECT_IS(wrong, 0);
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    munmap(place, 3 * PAGE);
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(from_child[i]);
    }
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(discarding_several_areas_forgets_them_all),
        TEST(what_two_discard_is_gone_for_both),
        TEST(what_is_cut_off_while_it_is_discarded_is_forgotten),
        TEST(what_moved_is_forgotten_before_it_can_be_cut_off),
        TEST(what_moves_while_its_file_is_cut_is_cut_too),
        TEST(tables_go_when_nobody_cuts_along_them),
        TEST(tables_stay_while_a_neighbour_faults),
        TEST(tables_go_before_a_stack_may_grow_into_them),
        TEST(a_huge_page_is_discarded_whole_and_in_part_at_once),
        TEST(areas_go_while_another_is_looked_for),
        TEST(a_fault_maps_no_neighbours_that_were_unmapped),
        TEST(processes_that_take_turns_see_each_change),
    };

    huge_pages_allow();
    return KTAP_MAIN(tests);
}

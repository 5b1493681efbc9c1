/* SPDX-License-Identifier: MIT */
/*
 * tests/user/layout.c - where a program's parts lie, and how well that can be guessed
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, kernel.randomize_va_space 2.
 * Source: personality(2), setrlimit(2), proc_sys_kernel(5).
 * Tour:   after tests/user/ktap.h; then kernel/layout.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>

#define RUNS      12
#define USER_END  0x7ffffffff000UL
#define MIB       (1UL << 20)
#define GIB       (1UL << 30)
#define GUARD_GAP (256 * PAGE)

/* What a new run of this program saw. */
struct places {
    uintptr_t stack, map, second_map, heap, text;
};

static const char *self;
static uintptr_t heap_begin; /* before anything moves the break */

static void *map_at(void *at, size_t len, int flags)
{
    return mmap(at, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* The program again: tell the other side of the pipe. */
static int report(int fd)
{
    struct places p = {
        .stack = (uintptr_t)&p,
        .heap = heap_begin,
        .text = (uintptr_t)report,
    };

    p.map = (uintptr_t)map_at(NULL, PAGE, 0);
    p.second_map = (uintptr_t)map_at(NULL, PAGE, MAP_NORESERVE);
    return write(fd, &p, sizeof p) != sizeof p;
}

static struct places places(unsigned long persona, rlim_t stack)
{
    struct places p = {0};
    int fds[2], status = -1;
    char number[16];

    if (pipe(fds))
        return p;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {stack, RLIM_INFINITY};

        personality(persona);
        if (stack)
            setrlimit(RLIMIT_STACK, &limit);
        snprintf(number, sizeof number, "%d", fds[1]);
        execl(self, self, number, (char *)NULL);
        _exit(9);
    }
    close(fds[1]);
    EXPECT_IS(read(fds[0], &p, sizeof p), sizeof p);
    close(fds[0]);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    return p;
}

static void personality_is_kept_over_fork_and_exec(void)
{
    int before = personality(0xffffffff), status = -1;

    EXPECT_IS(before, 0);
    EXPECT_IS(personality(ADDR_NO_RANDOMIZE), 0);
    EXPECT_IS(personality(0xffffffff), ADDR_NO_RANDOMIZE);
    if (fork() == 0)
        _exit(personality(0xffffffff) != ADDR_NO_RANDOMIZE);
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_IS(personality((unsigned long)before), ADDR_NO_RANDOMIZE);
}

static void without_randomness_two_runs_are_alike(void)
{
    struct places a = places(ADDR_NO_RANDOMIZE, 0), b = places(ADDR_NO_RANDOMIZE, 0);

    EXPECT(!memcmp(&a, &b, sizeof a));
    EXPECT(a.stack < USER_END && a.stack > USER_END - 132 * 1024);
    EXPECT(a.map < USER_END - 128 * MIB && a.map > USER_END - 129 * MIB);
}

static void all_parts_differ_from_run_to_run(void)
{
    struct places first = places(0, 0);
    uintptr_t stack = 0, map = 0, heap = 0;

    for (int i = 1; i < RUNS; i++) {
        struct places p = places(0, 0);

        stack |= p.stack ^ first.stack;
        map |= p.map ^ first.map;
        heap |= p.heap ^ first.heap;
    }
    /* Of 22, 28 and 18 random bits half are enough for a sign. */
    EXPECT(__builtin_popcountl(stack >> 12) >= 11);
    EXPECT(__builtin_popcountl(map >> 12) >= 14);
    EXPECT(__builtin_popcountl(heap >> 12) >= 9);
    EXPECT(stack & 0xff0);
}

static void random_places_stay_within_their_bounds(void)
{
    for (int i = 0; i < RUNS; i++) {
        struct places p = places(0, 0);

        EXPECT(p.stack < USER_END && p.stack > USER_END - 16 * GIB - 10 * MIB);
        EXPECT(p.map < USER_END - 16 * GIB && p.map > USER_END - 17 * GIB - 1024 * GIB);
        EXPECT(p.heap % PAGE == 0 && p.heap > p.text);
    }
}

static void a_low_stack_limit_leaves_128_mib(void)
{
    struct places p = places(ADDR_NO_RANDOMIZE, MIB);
    EXPECT(p.map < USER_END - 128 * MIB && p.map > USER_END - 129 * MIB);
}

static void a_high_stack_limit_moves_mappings_down(void)
{
    struct places p = places(ADDR_NO_RANDOMIZE, 4 * GIB);
    uintptr_t base = USER_END - 4 * GIB - GUARD_GAP;

    EXPECT(p.map < base && p.map > base - MIB);
}

static void no_stack_limit_leaves_a_sixth(void)
{
    struct places p = places(ADDR_NO_RANDOMIZE, RLIM_INFINITY);
    uintptr_t base = USER_END - USER_END / 6 * 5;

    EXPECT(p.map < base && p.map > base - MIB);
}

static void old_layout_maps_upwards(void)
{
    struct places p = places(ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT, 0);
    uintptr_t base = USER_END / 3;

    EXPECT(p.map > base && p.map < base + MIB);
    EXPECT(p.second_map > p.map);
    p = places(ADDR_NO_RANDOMIZE, 0);
    EXPECT(p.second_map < p.map);
}

static void map_32bit_stays_below_2_gib(void)
{
    void *p = map_at(NULL, PAGE, MAP_32BIT), *q = map_at(NULL, 1536 * MIB, MAP_32BIT);

    EXPECT((uintptr_t)p >= GIB && (uintptr_t)p < 2 * GIB);
    EXPECT(q == MAP_FAILED && errno == ENOMEM);
    munmap(p, PAGE);
}

static void readable_means_executable_if_wanted(void)
{
    EXPECT_IS(personality(READ_IMPLIES_EXEC), 0);
    char *p = map_at(NULL, 2 * PAGE, 0);
    EXPECT(!strcmp(maps_rights(p), "r-xp"));
    EXPECT_IS(mprotect(p, PAGE, PROT_READ | PROT_WRITE), 0);
    EXPECT(!strcmp(maps_rights(p), "rwxp"));
    EXPECT_IS(mprotect(p, PAGE, PROT_NONE), 0);
    EXPECT(!strcmp(maps_rights(p), "---p"));
    EXPECT_IS(personality(0), READ_IMPLIES_EXEC);
    munmap(p, 2 * PAGE);
}

/* A hint below an area that grows down is not taken when it is too near, MAP_FIXED is. */
static void hints_keep_away_from_stacks(void)
{
    char *hole = map_at(NULL, 2 * GUARD_GAP, 0), *top = hole + 2 * GUARD_GAP - PAGE;

    munmap(hole, 2 * GUARD_GAP);
    EXPECT(map_at(top, PAGE, MAP_FIXED | MAP_GROWSDOWN) == top);
    char *near = map_at(top - 16 * PAGE, PAGE, 0);
    EXPECT(near != MAP_FAILED && near != top - 16 * PAGE);
    munmap(near, PAGE);
    near = map_at(top - GUARD_GAP, PAGE, 0);
    EXPECT(near != top - GUARD_GAP);
    munmap(near, PAGE);
    near = map_at(top - GUARD_GAP - PAGE, PAGE, 0);
    EXPECT(near == top - GUARD_GAP - PAGE);
    munmap(near, PAGE);
    near = map_at(top - 16 * PAGE, PAGE, MAP_FIXED);
    EXPECT(near == top - 16 * PAGE);
    munmap(near, PAGE);
    munmap(top, PAGE);
}

static void randomness_is_set_by_one_number(void)
{
    char text[16];

    EXPECT(slurp("/proc/sys/kernel/randomize_va_space", text, sizeof text) > 0);
    EXPECT(!strcmp(text, "2\n"));
}

static const struct ktap_test tests[] = {
    TEST(personality_is_kept_over_fork_and_exec),
    TEST(without_randomness_two_runs_are_alike),
    TEST(all_parts_differ_from_run_to_run),
    TEST(random_places_stay_within_their_bounds),
    TEST(a_low_stack_limit_leaves_128_mib),
    TEST(a_high_stack_limit_moves_mappings_down),
    TEST(no_stack_limit_leaves_a_sixth),
    TEST(old_layout_maps_upwards),
    TEST(map_32bit_stays_below_2_gib),
    TEST(readable_means_executable_if_wanted),
    TEST(hints_keep_away_from_stacks),
    TEST(randomness_is_set_by_one_number),
};

int main(int argc, char **argv)
{
    heap_begin = (uintptr_t)sbrk(0);
    self = argv[0];
    return argc > 1 ? report(atoi(argv[1])) : KTAP_MAIN(tests);
}

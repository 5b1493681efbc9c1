/* SPDX-License-Identifier: MIT */
/*
 * tests/user/attacker.h - patterns that are planted, and asking the kernel's attacker for them
 *
 * Room:   tests/user.
 * Owns:   the two halves of the pattern, which stand in memory; the pattern never does.
 * Locks:  none.
 * Always: (1) a pattern is made byte by byte where it is planted, and nowhere else.
 * Source: include/uapi/attacker.h.
 * Tour:   before tests/user/attacker.c.
 */
#pragma once

#define _GNU_SOURCE
#include "../../include/uapi/attacker.h"
#include "../../include/uapi/bulla.h"
#include "secret.h"
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#define HUGE (512 * PAGE)

static int attacker = -1;
static struct uapi_attack attack_now;

/* A new pattern, which nobody has seen; a test that finds an attacker to ask. */
#define NEED_ATTACKER                               \
    do {                                            \
        if (attacker < 0)                           \
            attacker = open(ATTACKER_PATH, O_RDWR); \
        if (attacker < 0)                           \
            SKIP("no attacker");                    \
        pattern_new();                              \
    } while (0)

__attribute__((unused)) static void pattern_new(void)
{
    volatile uint8_t *a = attack_now.half[0], *b = attack_now.half[1];

    EXPECT_IS(getrandom(attack_now.half, sizeof(attack_now.half), 0), sizeof(attack_now.half));
    for (int i = 0; i < ATTACKER_BYTES; i++)
        b[i] = a[i] == b[i] ? b[i] ^ 0x5a : b[i]; /* no byte of it is zero */
}

__attribute__((unused)) static void plant(void *at)
{
    const volatile uint8_t *a = attack_now.half[0], *b = attack_now.half[1];
    volatile uint8_t *p = at;

    for (int i = 0; i < ATTACKER_BYTES; i++)
        p[i] = a[i] ^ b[i];
}

__attribute__((unused)) static void wipe(void *at)
{
    volatile uint8_t *p = at;

    for (int i = 0; i < ATTACKER_BYTES; i++)
        p[i] = 0;
}

__attribute__((unused)) static bool is_planted(const void *at)
{
    const volatile uint8_t *a = attack_now.half[0], *b = attack_now.half[1], *p = at;
    bool same = true;

    for (int i = 0; i < ATTACKER_BYTES; i++)
        same &= p[i] == (a[i] ^ b[i]);
    return same;
}

/* The kernel's answer is in attack_now. Somebody else may just have the machine stand still. */
__attribute__((unused)) static void attack(unsigned how)
{
    int err;

    do
        err = ioctl(attacker, how, &attack_now);
    while (err < 0 && errno == EAGAIN);
    EXPECT_IS(err, 0);
}

__attribute__((unused)) static void go_to_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    EXPECT_IS(sched_setaffinity(0, sizeof(set), &set), 0);
}

__attribute__((unused)) static int nr_cpus(void)
{
    static long nr; /* libc counts those that the task may use: before it is bound to one */

    nr = nr ? nr : sysconf(_SC_NPROCESSORS_CONF);
    return (int)nr;
}

/* On how many CPUs is it found through some leaf of the kernel's? */
__attribute__((unused)) static int cpus_that_find(void)
{
    int find = 0;

    for (int cpu = 0; cpu < nr_cpus(); cpu++) {
        go_to_cpu(cpu);
        attack(ATTACK_LEAVES);
        EXPECT(attack_now.pages > 1000 && attack_now.spaces > 1);
        EXPECT_IS(attack_now.refused, 0);
        EXPECT_IS(attack_now.stale, 0);
        find += attack_now.words > 0;
    }
    return find;
}

/* How many frames hold some of it. */
__attribute__((unused)) static long frames_with_it(void)
{
    attack(ATTACK_FRAMES);
    return (long)attack_now.nr_frames;
}

/* How many of the frames that were found last can be read through the direct map, on all CPUs. */
__attribute__((unused)) static long readable_frames(void)
{
    long readable = 0;

    for (int cpu = 0; cpu < nr_cpus(); cpu++) {
        go_to_cpu(cpu);
        attack(ATTACK_TOUCH);
        readable += (long)attack_now.pages;
    }
    return readable;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/kit.h - how an experiment in a program is written
 *
 * Room:   user. One static program of all of them: the same on Linux and on Bulla.
 * Owns:   EXPERIMENT(), the policies of the kernel that it runs on.
 * Locks:  none.
 * Always: (1) as tests/experiments/measure.h;
 *         (2) a kernel without policies has one series, "as it is".
 * Source: docs/tlb-lab.md.
 * Tour:   after tests/experiments/measure.h; then tests/experiments/user/kit.c.
 */
#pragma once

#define _GNU_SOURCE
#include "../measure.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)

struct user_experiment {
    const struct experiment *experiment;
    void (*measure)(void);
};

/* EXPERIMENT(munmap_pages, .title = "...", ...) { what it does } */
#define EXPERIMENT(id, ...)                                                               \
    static const struct experiment experiment_##id = {.name = #id, ##__VA_ARGS__};        \
    static void measure_##id(void);                                                       \
    static const struct user_experiment user_##id                                         \
        __attribute__((used, section("experiments"))) = {&experiment_##id, measure_##id}; \
    static void measure_##id(void)

#define LAB_VIRT_CALL "The call's length as on bare metal; a miss walks two sets of tables."

/* A claim without which nothing here means anything: the program ends. */
#define MUST(claim)                                                                   \
    do {                                                                              \
        if (!(claim)) {                                                               \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #claim); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* What can be set: for (i = 0; policy_use(i); i++) with policy_name(); the last call sets back. */
bool policy_use(unsigned i);
const char *policy_name(void);

/* Private memory of small pages, each touched. */
char *pages_make(uint64_t nr);
void pages_touch(char *p, uint64_t nr);

/* So many threads that read all pages of @p again and again, each on a CPU of its own if there is
 * one. */
void readers_start(char *p, uint64_t nr_pages, unsigned nr);
void readers_stop(void);

unsigned nr_cpus(void);

/* Is this kernel Linux? Else it is Bulla. */
bool is_linux(void);

/* Measure @probe once for each policy: its series is the policy's name. */
void measure_by_policy(struct lab_probe *probe);

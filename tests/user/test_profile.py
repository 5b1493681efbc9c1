#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_profile.py - tools/profile counts instructions, and a shootdown takes few

Room:   tests. pytest, tools/profile, musl-gcc.
Owns:   nothing.
Always: (1) what is counted has no time in it: the same on every host.
Source: docs/tlb.md, what a shootdown costs on both sides.
Tour:   after tools/profile.
"""
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
ROUNDS = 60
INITIATOR_MAX = 150
RESPONDER_MAX = 60

# One thread takes a right from a page and gives it back, while the other uses the same tables.
TAKES_RIGHTS = """
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

static atomic_int begun, over;

static void *stay(void *unused)
{
    atomic_store(&begun, 1);
    while (!atomic_load(&over))
        ;
    return unused;
}

int main(void)
{
    volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t other;

    pthread_create(&other, NULL, stay, NULL);
    while (!atomic_load(&begun))
        sched_yield();
    for (int i = 0; i < ROUNDS; i++) {
        *p = 1;
        mprotect((void *)p, 4096, PROT_READ);
        mprotect((void *)p, 4096, PROT_READ | PROT_WRITE);
    }
    atomic_store(&over, 1);
    return pthread_join(other, NULL);
}
"""


def profile(*arguments):
    done = subprocess.run([os.path.join(TOP, "tools", "profile"), *arguments], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout + done.stderr


def test_a_shootdown_takes_few_instructions_on_both_sides(tmp_path):
    program = os.path.join(tmp_path, "program")
    subprocess.run(["musl-gcc", "-static", "-O2", "-x", "c", "-", "-o", program,
                    f"-DROUNDS={ROUNDS}"], input=TAKES_RIGHTS, text=True, check=True)
    status, said = profile("--smp", "2", "--path", "tlb_shoot_down", "--path", "entry_tlb",
                           "--", program)
    assert status == 0, said
    paths = {name: (int(times), int(usual)) for name, times, usual in
             re.findall(r"^(\w+): (\d+) times, (\d+) instructions", said, re.M)}
    assert paths["tlb_shoot_down"][0] >= ROUNDS
    assert ROUNDS / 2 <= paths["entry_tlb"][0] <= 2 * ROUNDS
    assert 100 < paths["tlb_shoot_down"][1] <= INITIATOR_MAX
    assert 30 < paths["entry_tlb"][1] <= RESPONDER_MAX


def test_instructions_are_the_same_each_time():
    runs = [profile("--top", "5", "--path", "page_alloc", "--", "build/user/bench", "fault_anon:50")
            for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0][0] == 0
    assert re.search(r"^page_alloc: \d+ times, \d+ instructions", runs[0][1], re.M)


def test_what_is_not_there_is_refused():
    status, said = profile("--path", "no_such_function", "--", "build/user/bench", "getppid:1")
    assert status == 125
    assert "no_such_function" in said

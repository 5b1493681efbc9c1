# SPDX-License-Identifier: MIT
"""A part of the soak: millions of memory calls, of which make soak does a hundred times as many.

And what it is worth: each fault that is put back is seen by what a CPU reads or writes, in a kernel
without assertions. Needs build/soak. Run by: /usr/bin/python3 -m pytest
"""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
POLICIES = ("sync", "early", "late", "reuse")


def soak(*arguments):
    """(exit status, what it printed)"""
    done = subprocess.run([ROOT / "tools/soak", "--timeout", "200", *map(str, arguments)],
                          capture_output=True, text=True, timeout=250, check=False)
    print(done.stdout[-5000:])
    return done.returncode, done.stdout


def expect_clean(events, *arguments):
    status, said = soak("--events", events, *arguments)
    assert status == 0
    done = re.search(r"^soak: .*: (\d+) events under 4 policies in .*: 0 stale$", said, re.M)
    assert int(done[1]) >= events
    return said


def test_nobody_uses_what_was_taken_away():
    expect_clean(1000000)


def test_a_seed_gives_the_same_run_again():
    """Line by line. Now and then the host cuts a CPU's turn short: then it is run once more."""
    runs = []
    for _ in range(4):
        runs.append(expect_clean(100000, "--seed", 7).split("\n")[:-2])
        if runs[-1] in runs[:-1]:
            break
    assert runs[-1] in runs[:-1]
    assert expect_clean(100000, "--seed", 8).split("\n")[:-2] not in runs


def test_four_cpus_in_turns():
    expect_clean(200000, "--smp", 4)


def test_cpus_that_run_at_the_same_time():
    expect_clean(80000, "--parallel")


needs_bochs = pytest.mark.skipif(not shutil.which("bochs"),
                                 reason="bochs is not installed (Debian: bochs)")


@needs_bochs
def test_a_cpu_with_pcids():
    assert " pcid invpcid " in expect_clean(100000, "--bochs")


def expect_stale(*arguments):
    """By the soak itself: its kernel has no other check."""
    status, said = soak(*arguments)
    assert status == 1
    assert "soak: STALE: " in said


@needs_bochs
def test_a_fault_is_seen_on_a_cpu_with_pcids():
    expect_stale("--bochs", "--events", "20000", "--policy", "sync", "--bug", "71")


@pytest.mark.parametrize("bug, policy, events", [
    (71, "sync", 400000),   # a shootdown leaves out a CPU
    (79, "early", 400000),  # who answers early does not flush before he returns
    (74, "sync", 400000),   # small leaves are forgotten in steps of large ones
    (75, "sync", 400000),   # who flushed for one generation takes the next for flushed, too
    (80, "sync", 400000),   # a lazy CPU wakes, and goes on with what it remembers
    (78, "late", 3000000),  # a sweep leaves out a CPU
    (78, "reuse", 3000000),
])
def test_a_fault_is_seen(bug, policy, events):
    expect_stale("--events", events, "--policy", policy, "--bug", bug)

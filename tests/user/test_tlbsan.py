#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_tlbsan.py - tools/tlbsan finds who reaches frames that are free, and nobody else

Room:   tests. pytest, tools/tlbsan, tests/user/compare, build/test, build/bugs.
Owns:   nothing.
Always: (1) what is planted is a bug of tests/bugs/run that frees a frame too early, or flushes too
            little; those that only break a promise about memory that nobody freed are not seen
            here: their tests see them.
Source: trust.md B11, B16, B19.
Tour:   after tools/tlbsan and tests/bugs/run.
"""
import os
import re
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
STALE = os.path.join(TOP, "build", "tests", "stale")
FOUND = re.compile(r"tlbsan: CPU \d+: (\w+) at 0x\w+ reached frame 0x\w+, which is (\w+): (\w+)")
CHANCES = 40  # to meet a race: which instruction comes first is one, too
STUCK = 15  # seconds: a program may wait for ever for what its stale translation hides


@pytest.fixture(scope="module", autouse=True)
def built():
    """tests/user/compare builds the program, and runs none of its tests."""
    compare = os.path.join(TOP, "tests", "user", "compare")
    subprocess.run([compare, "--build-only", "stale"], check=True)


def tlbsan(flavour, smp, append, *program, timeout=60):
    """(status, what was found, all that was printed)."""
    command = [os.path.join(TOP, "tools", "tlbsan"), "--smp", smp, "--timeout",
               str(timeout), "--kernel", os.path.join(TOP, "build", flavour, "bulla-pvh.elf"),
               "--append", append, *program]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
                          check=False)
    said = done.stdout.decode(errors="replace")
    return done.returncode, FOUND.findall(said), said


def test_nobody_reaches_what_is_free():
    status, found, said = tlbsan("test", "2", "hugepages=8", STALE)
    assert "ok 12 " in said and "not ok" not in said, said
    assert status == 0 and not found, said


@pytest.mark.parametrize("bug, smp, test, function", [
    (11, "4", "what_moved_is_forgotten_before_it_can_be_cut_off", "hammer"),
    (16, "2", "tables_stay_while_a_neighbour_faults", "mm_fault"),
    (19, "2", "discarding_several_areas_forgets_them_all",
     "discarding_several_areas_forgets_them_all"),
    (72, "4", "what_moved_is_forgotten_before_it_can_be_cut_off", "hammer"),
    (74, "2", "discarding_several_areas_forgets_them_all",
     "discarding_several_areas_forgets_them_all"),
    (75, "4", "what_moved_is_forgotten_before_it_can_be_cut_off", "hammer"),
])
def test_who_reaches_what_is_free_is_named(bug, smp, test, function):
    for _ in range(CHANCES):
        status, found, said = tlbsan("bugs", smp, f"hugepages=8 bug={bug}", STALE, test,
                                     timeout=STUCK)
        assert all(state in ("cpu", "free") for _, state, _ in found), said
        if function in [name for _, _, name in found]:
            assert status == 1, said
            return
    pytest.fail(said)

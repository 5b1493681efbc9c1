#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_trace.py - what tools/trace records is what the program's kernel did

Room:   tests. pytest, tools/trace, build/user; Debian's Linux if it is installed.
Owns:   nothing.
Always: (1) counts of flushes are exact, but for the few of the program's start and end.
Source: user/bench.c: one operation of mprotect_16_touch takes a right from 16 pages, and gives it
        back, for which Linux 6.1 flushes too.
Tour:   after tools/trace.
"""
import csv
import glob
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BENCH = os.path.join(TOP, "build", "user", "bench")
LINUX = sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"))
OPERATIONS = 100


def trace(tmp_path, *arguments):
    """The rows by policy, numbers as numbers; what was printed."""
    table = os.path.join(tmp_path, "rows.csv")
    command = [os.path.join(TOP, "tools", "trace"), "--csv", table, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                          check=False)
    said = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, said
    with open(table, encoding="ascii") as file:
        rows = {row.pop("policy"): row for row in csv.DictReader(file)}
    return {policy: {name: int(row[name]) for name in row if name != "machine"}
            for policy, row in rows.items()}, said


def check_flushes(rows, ranges):
    """Of @ranges of 16 pages in each operation."""
    flushed = 16 * ranges * OPERATIONS
    assert flushed <= rows["as recorded"]["invlpg"] <= flushed + 100
    assert rows["ceiling 33"] == rows["as recorded"]
    assert rows["ceiling 8"]["invlpg"] < 100
    assert 0 <= rows["ceiling 8"]["full_flushes"] - ranges * OPERATIONS <= 50
    assert rows["never"]["refills"] == 0
    assert rows["never"]["walks"] < rows["as recorded"]["walks"] - 15 * OPERATIONS


def test_flushes_of_bulla_are_seen(tmp_path):
    rows, said = trace(tmp_path, BENCH, f"mprotect_16_touch:{OPERATIONS}")
    assert "mprotect_16_touch," in said
    check_flushes(rows, 1)


@pytest.mark.skipif(not LINUX, reason="no Linux to boot")
def test_flushes_of_linux_are_seen(tmp_path):
    rows, _ = trace(tmp_path, "--kernel", LINUX[-1], BENCH, f"mprotect_16_touch:{OPERATIONS}")
    check_flushes(rows, 2)


def test_a_trace_has_an_end(tmp_path):
    kept = os.path.join(tmp_path, "trace")
    _, said = trace(tmp_path, "--smp", "2", "--max", "50", "--keep", kept,
                    os.path.join(TOP, "build", "user", "hello"))
    assert "no room for more" in said
    with open(kept, encoding="ascii") as file:
        assert sum(not line.startswith("#") for line in file) <= 52

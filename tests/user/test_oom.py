#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_oom.py - memory runs out: one process ends, the others and the machine go on

Room:   tests. pytest, musl-gcc; the kernel with assertions, which checks itself when it shuts down.
Owns:   nothing.
Always: (1) every machine has a time limit; nothing here runs on the machine of the developer.
Source: tests/user/oom/eat.c.
Tour:   after tests/user/test_run.py.
"""
import os
import re
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
KERNEL = os.path.join(TOP, "build", "test", "bulla-pvh.elf")
KILLED = "status 0x9"
EATERS = ["private", "shared", "locked", "tables", "processes", "copies"]
REPORT = re.compile(r"out of memory for \S+\[\d+\]: killed (\S+)\[\d+\], \d+ kB of its own, "
                    r"\d+ kB of objects, \d+ kB of tables, oom_score_adj (-?\d+)")


@pytest.fixture(scope="module", name="eat")
def build_eat(tmp_path_factory):
    program = tmp_path_factory.mktemp("oom") / "eat"
    source = os.path.join(TOP, "tests", "user", "oom", "eat.c")
    subprocess.run(["musl-gcc", "-static", "-O1", "-o", program, source], check=True)
    return program


@pytest.mark.parametrize("cpus", ["1", "4"])
@pytest.mark.parametrize("memory", ["16M", "64M"])
def test_one_process_ends(eat, memory, cpus):
    done = subprocess.run([os.path.join(TOP, "tools", "run"), "-v", "--timeout", "90", "--mem",
                           memory, "--smp", cpus, "--kernel", KERNEL, eat],
                          capture_output=True, timeout=400, check=False, text=True)
    assert done.stdout.splitlines() == ["droppable: 0", "hidden: 0",
                                        *(f"{e}: {KILLED}" for e in EATERS),
                                        "guard: status 0x700"]
    reports = REPORT.findall(done.stderr)
    assert len(reports) >= len(EATERS)
    assert all(name == "eat" and adj == "500" for name, adj in reports)
    assert done.returncode == 0

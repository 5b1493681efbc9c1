#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_snapshot.py - a program's memory is copied again only where it was written

Room:   tests. pytest, tools/run, build/user; the kernel with assertions, which checks itself.
Owns:   nothing.
Always: (1) every machine has a time limit.
Source: user/snapshot.c.
Tour:   after tests/user/userfaultfd_async.c.
"""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
RUN = os.path.join(TOP, "tools", "run")
KERNEL = os.path.join(TOP, "build", "test", "bulla-pvh.elf")
SNAPSHOT = os.path.join(TOP, "build", "user", "snapshot")


def test_each_copy_is_what_the_memory_was():
    done = subprocess.run([RUN, "--kernel", KERNEL, "--smp", "2", "--timeout", "90", "--append",
                           "vm_check=50", SNAPSHOT], stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, timeout=100)
    said = done.stdout.decode().replace("\r", "")
    assert done.returncode == 0, said
    assert [line[20:].strip() for line in said.splitlines()] == [
        "86 of 2048 pages copied again in 8 rounds: each time as the memory was",
        "86 of 2048 pages copied again in 8 rounds: each time as the memory was",
        "8 copies while the memory was written: each of one moment"]

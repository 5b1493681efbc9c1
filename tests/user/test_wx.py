#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_wx.py - with wx=enforce nothing is both written and executed, and programs still run

Room:   tests. pytest, tools/run, build/user; the kernel with assertions, which checks itself.
Owns:   nothing.
Always: (1) every machine has a time limit.
Source: docs/boot.md, "wx=enforce"; user/jit.c.
Tour:   after tests/user/mdwe.c.
"""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
KERNEL = os.path.join(TOP, "build", "test", "bulla-pvh.elf")


def boot(append, *program):
    command = [os.path.join(TOP, "tools", "run"), "--kernel", KERNEL, "--timeout", "90", "--append",
               f"{append} vm_check=50", "--", *program]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
                          check=False)
    return done.returncode, done.stdout.decode().replace("\r", "")


def jit(append):
    """How each of jit's ways ended, in its order; the lines before them."""
    status, said = boot(append, os.path.join(TOP, "build", "user", "jit"))
    assert status == 0, said
    lines = said.splitlines()
    return lines[0], [line[40:].strip() for line in lines[1:]]


def test_code_is_written_then_executed():
    first, ways = jit("")
    assert first == "6 * 7 + 1 = 43"
    refused = "Permission denied"
    assert ways == ["runs", refused, "runs", refused, "runs", "Operation not permitted"]


def test_enforced_nothing_is_both():
    first, ways = jit("wx=enforce")
    assert first == "6 * 7 + 1: Permission denied"
    assert ways == ["Permission denied"] * 5 + ["Operation not permitted"]


def test_enforced_programs_still_run():
    status, said = boot("wx=enforce", "/bin/busybox", "sh", "-c",
                        "cat /proc/sys/vm/wx_enforce; echo a | cat; ls / > /dev/null")
    assert status == 0 and said.split() == ["1", "a"]


def test_another_word_enforces_nothing():
    assert jit("wx=enforced")[0] == "6 * 7 + 1 = 43"

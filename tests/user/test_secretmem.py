#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_secretmem.py - what the command line says of secret memory is so

Room:   tests. pytest, musl-gcc; the kernel with assertions, which checks itself when it shuts down.
Owns:   nothing.
Always: (1) every machine has a time limit.
Source: docs/boot.md, "secretmem."; the tests of tests/user/secretmem_*.c.
Tour:   after tests/user/test_run.py.
"""
import os
import re
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
KERNEL = os.path.join(TOP, "build", "test", "bulla-pvh.elf")
ENOSYS = """#include <errno.h>
#include <unistd.h>
int main(void)
{
    int flags[] = {0, 1, 2, 0x80000, -1};
    for (int i = 0; i < 5; i++)
        if (syscall(447, flags[i]) != -1 || errno != ENOSYS)
            return i + 1;
    return 0;
}
"""


def boot(program, append):
    command = [os.path.join(TOP, "tools", "run"), "--kernel", KERNEL, "--timeout", "90", "--smp",
               "2", "--append", append, program]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
                          check=False)


def results(name, append):
    """Names of tests -> (ok, why it was skipped or '') of a program of tests/user."""
    subprocess.run([os.path.join(TOP, "tests", "user", "compare"), "--build-only", name],
                   check=True)
    done = boot(os.path.join(TOP, "build", "tests", name), append)
    assert done.returncode == 0, done.stdout.decode()
    lines = done.stdout.decode().replace("\r", "").splitlines()
    found = (re.fullmatch(r"(ok|not ok) \d+ (\w+)(?: # SKIP (.*))?", line) for line in lines)
    return {match[2]: (match[1] == "ok", match[3] or "") for match in found if match}


def test_there_may_be_none(tmp_path):
    source, program = tmp_path / "enosys.c", tmp_path / "enosys"
    source.write_text(ENOSYS)
    subprocess.run(["musl-gcc", "-static", "-o", program, source], check=True)
    assert boot(program, "secretmem.enable=0").returncode == 0
    assert boot(program, "secretmem.enable=1").returncode == 1


def test_programs_go_on_without_it():
    seen = results("secretmem_fd", "secretmem.enable=0")
    assert len(seen) > 20
    assert all(ok and why for ok, why in seen.values())


@pytest.mark.parametrize("limit", [1, 4])
def test_files_are_counted(limit):
    seen = results("secretmem_limits", f"secretmem.max_files={limit}")
    assert seen["the_count_of_files_has_an_end"] == (True, "")
    assert seen["files_come_and_go_for_ever"] == (True, "")


@pytest.mark.parametrize("pages", [1, 8, 512])
def test_blocks_of_any_size_hold_secrets(pages):
    for name in ("secretmem_map", "secretmem_reach", "secretmem_seals"):
        assert all(ok for ok, _ in results(name, f"secretmem.pool_pages={pages}").values())

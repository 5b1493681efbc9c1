#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_foreign.py - programs of other languages and libraries say the same as on Linux

Room:   tests. pytest; gcc, g++, and Go if it is installed (it is not asked for by tools/deps).
Owns:   nothing.
Always: (1) the same binary runs on both sides, and every machine has a time limit.
Source: tests/user/foreign.
Tour:   after tests/user/test_run.py.
"""
import os
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SOURCES = os.path.join(TOP, "tests", "user", "foreign")
BUILD = os.path.join(TOP, "build", "tests", "foreign")
RUN = [os.path.join(TOP, "tools", "run"), "--timeout", "90", "--smp", "4", "--mem", "256M"]
BUILDERS = {
    "threads.cc": ["g++", "-O2", "-static"],
    "tree.c": ["gcc", "-O2", "-static"],
    "context.c": ["gcc", "-O2", "-static"],
    "hello.go": ["go", "build"],
    "memfd.go": ["go", "build"],
    "sandbox.go": ["go", "build"],
}


def build(source):
    name, compiler = os.path.splitext(source)[0], BUILDERS[source]
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not installed")
    os.makedirs(BUILD, exist_ok=True)
    program = os.path.join(BUILD, name + ("-go" if source.endswith(".go") else ""))
    subprocess.run([*compiler, "-o", program, os.path.join(SOURCES, source)], check=True,
                   env={**os.environ, "CGO_ENABLED": "0"}, timeout=300)
    return program


@pytest.mark.parametrize("source", BUILDERS)
def test_output_is_linux(source):
    program = build(source)
    linux = subprocess.run([program], capture_output=True, timeout=60, check=True)
    bulla = subprocess.run([*RUN, program], capture_output=True, timeout=100, check=False)
    assert bulla.stdout == linux.stdout and linux.stdout
    assert bulla.returncode == 0 and bulla.stderr == linux.stderr

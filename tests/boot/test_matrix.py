# SPDX-License-Identifier: MIT
"""Programs run behind every door, on every machine: the greeting, or the whole tour, by tools/run.

Needs the kernels, the loader and user programs in build/. Run by: /usr/bin/python3 -m pytest
"""
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELLO, TOUR = ROOT / "build/user/hello", ROOT / "build/user/tour"
GREETING = b"Hello, world\n"
DOORS = ["pvh", "multiboot", "iso-bios", "iso-uefi", "efi"]


def run(*args):
    """Returns (exit status, standard output) of tools/run."""
    done = subprocess.run([ROOT / "tools/run", "--timeout", "180", *map(str, args)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return done.returncode, done.stdout


def assert_greets(*args):
    assert run(*args, HELLO) == (0, GREETING)


def assert_tour_holds(*args):
    status, output = run(*args, "--append", "hugepages=2", TOUR)
    assert status == 0, output.decode()
    assert b" 0 failed" in output.splitlines()[-1]


@pytest.mark.parametrize("door", DOORS)
def test_every_door_leads_to_the_greeting(door):
    assert_greets("--boot", door)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_with_four_cpus_and_memory_above_4_gib(door):
    assert_greets("--boot", door, "--smp", 4, "--mem", "6G")


@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_tour_on_so_many_cpus(cpus):
    assert_tour_holds("--smp", cpus)


@pytest.mark.parametrize("mem", ["16M", "128M", "1G", "6G"])
def test_tour_in_so_much_memory(mem):
    assert_tour_holds("--mem", mem)


@pytest.mark.parametrize("cpu", ["qemu64", "max", "EPYC", "Nehalem"])
def test_tour_on_this_cpu(cpu):
    assert_tour_holds("--cpu", cpu)


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("door", ["pvh", "multiboot", "iso-bios"])
def test_tour_on_this_machine(machine, door):
    assert_tour_holds("--machine", machine, "--boot", door)


def test_64_gib():
    assert_greets("--mem", "64G", "--smp", 2)


def test_64_cpus():
    assert_greets("--smp", 64, "--mem", "256M")


def test_tour_with_every_assertion_on():
    assert_tour_holds("--kernel", ROOT / "build/test/bulla-pvh.elf", "--smp", 2)


def test_counting_instructions_gives_the_same_count_twice():
    counts = set()
    for _ in range(2):
        done = subprocess.run([ROOT / "tools/run", "--icount", "--timeout", "60", "-v", HELLO],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        counts |= {line for line in done.stderr.splitlines() if line.startswith(b"boot: ")}
    assert len(counts) == 1

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_secret_cost.py - what secret memory may cost, in instructions

Room:   tests. pytest; tools/run --icount with the kernel that is used, user/bench, secret_cost.
Owns:   nothing.
Always: (1) instructions are counted on one CPU, so that two runs say the same;
        (2) a bar is a ratio to ordinary memory in the same machine, where there is one.
Source: beyond-linux.md 1, 2; issue 6, "Bars".
Tour:   after user/secret_cost.c, tools/secret-cost.
"""
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PAGES = 2048
LIFE_BAR = 30000  # create, 16 pages, destroy


def run(append, *program):
    command = [os.path.join(TOP, "tools", "run"), "--icount", "--mem", "1G", "--timeout", "200",
               "--append", f"norandmaps {append}", *program]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=220, check=True)
    return done.stdout.replace("\r", "").splitlines()


@pytest.fixture(scope="module", name="cost")
def cost_of_pages():
    """(phase, what) -> number, as user/secret_cost.c tells."""
    program = os.path.join(TOP, "build", "user", "secret_cost")
    fields = (line.rsplit(",", 2) for line in run("", program, str(PAGES)))
    return {tuple(field[:2]): int(field[2]) for field in fields if len(field) == 3}


def test_secret_fault_costs_a_tenth_more_than_an_ordinary_one_at_most(cost):
    assert cost["secret fault", "mean"] <= 1.10 * cost["memfd fault", "mean"]
    assert cost["secret fault", "median"] <= 1.10 * cost["memfd fault", "median"]


def test_no_secret_fault_takes_four_times_as_long_as_most(cost):
    assert cost["secret fault", "worst"] <= 4 * cost["secret fault", "median"]


def test_secrets_split_nothing_and_hide_what_they_need(cost):
    assert cost["while they live", "splits of 2M"] == 0
    hidden = -cost["while they live", "kB in 2M leaves"]
    assert hidden <= (PAGES // 512 + 1) * 2048


def test_the_direct_map_is_as_before_a_second_later(cost):
    for what in "kB in 4K leaves", "kB in 2M leaves", "kB in 1G leaves":
        assert cost["a second later, all in all", what] == 0


def test_a_short_life_with_secrets_is_cheap():
    row = run("", os.path.join(TOP, "build", "user", "bench"), "secret_life_16")
    assert [line for line in row if line.startswith("secret_life_16,")]
    assert int(row[-1].split(",")[1]) <= LIFE_BAR

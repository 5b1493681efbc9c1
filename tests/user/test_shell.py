#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_shell.py - a shell on Bulla does what it does on Linux, for scripts and for people

Room:   tests. pytest, pexpect, busybox; a kernel that can run programs.
Owns:   nothing.
Always: (1) the same busybox runs the same script on both sides; (2) every machine has a time limit.
Source: sh(1), busybox(1); POSIX.1, "Shell & Utilities"; termios(3).
Tour:   after tests/user/test_run.py.

RUN_KERNEL=FILE runs the tests with that kernel (a Linux bzImage) instead of Bulla.
"""
import os
import subprocess
import time

import pexpect
import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SCRIPTS = os.path.join(TOP, "tests", "user", "shell")
KERNEL = ["--kernel", os.environ["RUN_KERNEL"]] if "RUN_KERNEL" in os.environ else []
RUN = [os.path.join(TOP, "tools", "run"), "--timeout", "120", "--smp", "2", *KERNEL]
BUSYBOX = "/bin/busybox"
PLACE = "/tmp/place"  # where a script runs; the same on both sides, as messages may name it
START = f"mkdir -p {PLACE} && cd {PLACE} && exec {BUSYBOX} sh"
HERE = ["env", "-i", "PATH=/nowhere", "HOME=/", BUSYBOX, "sh"]



@pytest.mark.parametrize("script", ["applets", "grammar"])
def test_script_says_what_it_says_on_linux(script, tmp_path):
    path = os.path.join(SCRIPTS, f"{script}.sh")
    linux = subprocess.run([*HERE, path], cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=60,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    bulla = subprocess.run([*RUN, "--file", f"{path}:/script.sh", BUSYBOX, "sh", "-c",
                            f"{START} /script.sh 2>&1"], stdin=subprocess.DEVNULL, timeout=130,
                           capture_output=True, check=False)
    theirs = linux.stdout.decode().replace(path, "/script.sh")
    assert bulla.stdout.decode().splitlines() == theirs.splitlines()
    assert bulla.returncode == linux.returncode


# --- a person at a terminal ---

PROMPT = r"[#$] "
UP, LEFT = "\x1b[A", "\x1b[D"


class Terminal:
    """A shell of the machine on a pseudo-terminal of this one."""

    def __init__(self):
        self.pty = pexpect.spawn(RUN[0], [*RUN[1:], "sh"], timeout=30, dimensions=(30, 90),
                                 encoding="utf-8")
        self.pty.expect(PROMPT)

    def wants(self, pattern):
        self.pty.expect(pattern)
        return self.pty.match

    def does(self, command, answer=""):
        """The answer comes at the start of a line: what was typed is not taken for it."""
        self.pty.sendline(command)
        self.wants(r"\r\n" + answer)

    def presses(self, letter):
        self.pty.sendcontrol(letter)

    def starts(self, command):
        """Type a command and wait until it runs in the shell's place, which ignores some keys."""
        self.does(f"sh -c 'echo run''ning; exec {command}'", "running")
        time.sleep(0.3)

    def ends_with(self, status):
        self.pty.expect(pexpect.EOF)
        self.pty.wait()
        return self.pty.exitstatus == status


@pytest.fixture(name="shell")
def start_shell():
    shell = Terminal()
    yield shell
    shell.pty.close(force=True)


def test_ctrl_c_ends_a_pipeline(shell):
    shell.does("sleep 1000 | cat | cat & echo go", "go")
    shell.does("kill %1; wait; echo gone", ".*gone")
    shell.starts("sleep 1000")
    shell.presses("c")
    shell.does("echo status $?", "status 130")
    shell.starts("yes > /dev/null")
    shell.presses("\\")
    shell.does("echo status $?", ".*status 131")
    shell.does("trap '' INT; sleep 0.3; echo kept; trap - INT", "kept")


def test_ctrl_z_stops_and_fg_and_bg_go_on(shell):
    shell.starts("sleep 2")
    shell.presses("z")
    shell.wants("Stopped")
    shell.does("jobs", r"\[1\]\+  Stopped +sh -c")
    shell.does("bg", r"\[1\]")
    shell.does("jobs", r"\[1\]\+  Running +sh -c")
    shell.does("fg; echo status $?", ".*status 0")
    shell.does("cat > /tmp/typed &", "")
    shell.does("sleep 0.2; jobs", r".*Stopped \(tty input\)")
    shell.does("fg", "cat 1>")
    time.sleep(0.3)  # the shell hands the terminal over
    shell.pty.sendline("a line for cat")
    shell.presses("d")
    shell.does("echo; cat /tmp/typed", ".*a line for cat")


def test_line_editing_and_history(shell):
    shell.pty.send("echo abd" + LEFT + "c\r")
    shell.wants(r"\r\nabcd")
    shell.pty.send(UP + "e\r")
    shell.wants(r"\r\nabcde")
    shell.pty.send("echo wrong")
    shell.presses("u")
    shell.pty.send("echo right\r")
    shell.wants(r"\r\nright")
    shell.does("stty size", "30 90")
    shell.does("stty -echo; read line; stty echo; echo; echo \"<$line>\"", "")
    shell.does("unseen words", "<unseen words>")


def test_vi_writes_a_file(shell):
    shell.pty.sendline("vi /tmp/note")
    shell.wants("note")
    shell.pty.send("ione line\rand another\x1b")
    time.sleep(0.5)  # an escape alone, not the start of a key
    shell.pty.send(":wq\r")
    shell.wants(PROMPT)
    shell.does("cat /tmp/note", "one line\r\nand another")


def test_ctrl_d_leaves_with_the_last_status(shell):
    shell.does("sh -c 'exit 3'; cat", "")
    shell.pty.sendline("typed")
    shell.wants("typed\r\ntyped")
    shell.presses("d")
    shell.wants(PROMPT)
    shell.does("(exit 7)", "")
    shell.wants(PROMPT)
    shell.presses("d")
    assert shell.ends_with(7)

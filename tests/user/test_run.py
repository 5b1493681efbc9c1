#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tests/user/test_run.py - tools/run keeps its contract: output, input, exit statuses, no remains

Room:   tests. pytest and pexpect; a kernel that can run programs.
Owns:   nothing.
Always: (1) every machine has a time limit.
Source: tools/run --help.
Tour:   after tools/run.

RUN_KERNEL=FILE runs the tests with that kernel (a Linux bzImage) instead of Bulla.
"""
import hashlib
import os
import re
import signal
import subprocess
import time

import pexpect
import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
RUN = os.path.join(TOP, "tools", "run")
HELLO = os.path.join(TOP, "build", "user", "hello")
BUSYBOX = "/bin/busybox"
LIMIT = ["--timeout", "60"]
KERNEL = ["--kernel", os.environ["RUN_KERNEL"]] if "RUN_KERNEL" in os.environ else []
PROGRAMS = {
    "status": "#include <stdlib.h>\nint main(int c, char **v) { return c > 1 ? atoi(v[1]) : 0; }",
    "forever": "int main(void) { for (;;) ; }",
    "null": "int main(void) { *(int *volatile)0 = 1; return 0; }",
    "trap": "int main(void) { __builtin_trap(); }",
    "deep": "int deep(int n) { return n ? deep(n - 1) + 1 : *(int *volatile)0; }\n"
            "int main(void) { return deep(3); }",
    "where": "#include <stdio.h>\nint main(int c, char **v) { (void)c; puts(v[0]); return 0; }",
}


def run(*args, stdin=b"", limit=LIMIT, kernel=None):
    command = [RUN, *limit, *(KERNEL if kernel is None else kernel), *args]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=100, check=False)


@pytest.fixture(scope="module", name="programs")
def build_programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    for name, text in PROGRAMS.items():
        source = folder / f"{name}.c"
        source.write_text(text)
        subprocess.run(["musl-gcc", "-static", "-g", "-o", folder / name, source], check=True)
    return folder


def test_programs_read_the_log():
    first, again = (run(BUSYBOX, "sh", "-c", f"dmesg {flag}; dmesg").stdout.decode()
                    for flag in ("", "-c"))
    assert re.search(r"^\[ *\d+\.\d{6}\] .*\S", first, re.M)
    assert len(first.splitlines()) == 2 * len(again.splitlines()) > 0


def test_output_and_nothing_else():
    done = run(HELLO, "a", "b c")
    assert done.stdout == b"Hello, world\nargument 1: a\nargument 2: b c\n"
    assert done.returncode == 0 and done.stderr == b""


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_status_comes_back(programs, status):
    assert run(programs / "status", str(status)).returncode == status


def test_null_pointer_gives_139_and_one_line(programs):
    done = run(programs / "null")
    assert done.returncode == 139 and done.stdout == b""
    assert done.stderr.count(b"\n") == 1 and b"SIGSEGV" in done.stderr


def test_trap_gives_132(programs):
    assert run(programs / "trap").returncode == 128 + signal.SIGILL


def test_timeout_gives_124(programs):
    done = run(programs / "forever", limit=["--timeout", "5"])
    assert done.returncode == 124 and b"5 s" in done.stderr


def test_argv0_is_what_was_typed(programs):
    done = subprocess.run([RUN, *LIMIT, *KERNEL, "./where"], cwd=programs, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=100, check=False)
    assert done.stdout == b"./where\n"


def test_mem_and_smp(programs):
    assert run("--smp", "2", "--mem", "512M", programs / "status", "7").returncode == 7


def test_log_is_kept_apart(programs, tmp_path):
    log = tmp_path / "log"
    assert run("--log", log, programs / "status", "3").returncode == 3
    assert b"init: status 3" in log.read_bytes()
    assert b"init: status 3" in run("-v", programs / "status", "3").stderr


# --- refusals: 125, one line, no machine ---


def refused(*args, saying):
    done = run(*args, kernel=[])
    assert done.returncode == 125 and done.stdout == b""
    assert done.stderr.count(b"\n") == 1 and saying in done.stderr


def test_core_opens_in_gdb(programs, tmp_path):
    core = tmp_path / "core"
    done = run("--core", str(core), str(programs / "deep"))
    assert done.returncode == 128 + signal.SIGSEGV and done.stdout == b""
    gdb = subprocess.run(["gdb", "-q", "-batch", "-ex", "bt", str(programs / "deep"), str(core)],
                         capture_output=True, timeout=60, check=False)
    assert b"SIGSEGV" in gdb.stdout
    assert gdb.stdout.count(b"#1 ") == 1 and b"deep (n=1) at " in gdb.stdout
    assert b" in main () at " in gdb.stdout


def test_no_core_without_a_crash(tmp_path):
    core = tmp_path / "core"
    done = run("--core", str(core), HELLO)
    assert done.returncode == 0 and done.stdout == b"Hello, world\n"
    assert core.read_bytes() == b""


def test_idle_machine_costs_nothing():
    """Idle CPUs halt: a sleep of 4 s takes the host little CPU time beyond boot's."""
    def cpu_seconds(seconds):
        before = os.times()
        run("--smp", "4", BUSYBOX, "sleep", str(seconds))
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])
    assert cpu_seconds(4.2) - cpu_seconds(0.2) < 1.0


def test_missing_program():
    refused("/no/such/program", saying=b"No such file")
    refused("no-such-program", saying=b"no such")


def test_not_a_program(tmp_path):
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n")
    refused(text, saying=b"not an ELF")
    refused(tmp_path, saying=b"directory")


def build_dynamic(tmp_path, *flags):
    source = tmp_path / "d.c"
    source.write_text('#include <math.h>\n#include <stdio.h>\n#include <string.h>\n'
                      'int main(int c, char **v) { char line[512]; int maps = 0;\n'
                      'FILE *f = fopen("/proc/self/maps", "r");\n'
                      'while (fgets(line, 512, f)) maps += !!strstr(line, "/libm.so.6");\n'
                      'printf("%s %.3f %d\\n", c > 1 ? v[1] : "", cos(c), maps > 0); return 9; }')
    program = tmp_path / "d"
    subprocess.run(["gcc", "-o", program, source, *flags, "-lm"], check=True)
    return program


@pytest.mark.parametrize("flag", ["-pie", "-no-pie"])
def test_libraries_come_along(tmp_path, flag):
    done = run(build_dynamic(tmp_path, flag), "word")
    assert (done.stdout, done.returncode) == (b"word -0.416 1\n", 9)


def test_missing_library(tmp_path):
    (tmp_path / "l.c").write_text("int unit(void) { return 1; }")
    subprocess.run(["gcc", "-shared", "-o", tmp_path / "libgone.so", tmp_path / "l.c"], check=True)
    program = build_dynamic(tmp_path, "-Wl,--no-as-needed", f"-L{tmp_path}", "-lgone")
    refused(program, saying=b"libgone.so")


def test_other_machine(tmp_path):
    head = bytearray(open(HELLO, "rb").read())
    head[18] = 183  # AArch64
    other = tmp_path / "other"
    other.write_bytes(head)
    other.chmod(0o755)
    refused(other, saying=b"x86-64")


def test_not_executable(tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(open(HELLO, "rb").read())
    refused(copy, saying=b"not executable")


def test_bad_options():
    refused("--boot", "window", HELLO, saying=b"pvh")
    refused("--mem", "lots", HELLO, saying=b"--mem")
    refused("--smp", "0", HELLO, saying=b"--smp")
    refused("--timeout", "soon", HELLO, saying=b"--timeout")
    refused("--icount", "--smp", "2", HELLO, saying=b"--icount")
    refused("--file", "/no/such/file", HELLO, saying=b"/no/such/file")
    refused("--kernel", "/no/such/kernel", HELLO, saying=b"/no/such/kernel")
    refused("--no-such-option", HELLO, saying=b"--no-such-option")


def test_qemu_refuses():
    done = run("--cpu", "abacus", HELLO)
    assert done.returncode == 125 and b"abacus" in done.stderr


# --- the kernel dies ---


def test_kernel_that_is_none(tmp_path):
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"not a kernel")
    assert run(HELLO, kernel=["--kernel", kernel]).returncode == 125


def test_init_that_cannot_start_the_job(tmp_path):
    done = run("--file", f"{tmp_path}:/job/nothing", "/job/nothing")
    assert done.returncode == 126 and b"cannot run /job/nothing" in done.stderr


# --- files and standard input ---


@pytest.fixture(scope="module", name="megabyte")
def make_megabyte(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "F"
    path.write_bytes(os.urandom(1 << 20))
    return path


def test_file_arrives(megabyte):
    done = run("--file", megabyte, BUSYBOX, "sha256sum", "F")
    assert done.stdout.decode() == hashlib.sha256(megabyte.read_bytes()).hexdigest() + "  F\n"


def test_file_at_another_place(megabyte):
    done = run("--file", f"{megabyte}:/deep/er/G", BUSYBOX, "sha256sum", "/deep/er/G")
    assert done.stdout.startswith(hashlib.sha256(megabyte.read_bytes()).hexdigest().encode())


def test_output_is_exact(megabyte):
    assert run("--file", megabyte, BUSYBOX, "cat", "F").stdout == megabyte.read_bytes()


def test_stdin_pipe_is_exact(megabyte):
    done = run(BUSYBOX, "sha256sum", stdin=megabyte.read_bytes())
    assert done.stdout.startswith(hashlib.sha256(megabyte.read_bytes()).hexdigest().encode())


def test_stdin_file_is_exact(megabyte):
    with open(megabyte, "rb") as f:
        done = subprocess.run([RUN, *LIMIT, *KERNEL, BUSYBOX, "sha256sum"], stdin=f,
                              capture_output=True, timeout=100, check=False)
    assert done.stdout.startswith(hashlib.sha256(megabyte.read_bytes()).hexdigest().encode())


def test_stdin_that_comes_slowly():
    with subprocess.Popen([RUN, *LIMIT, *KERNEL, BUSYBOX, "cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as job:
        parts = [b"one\n", b"no end of line", bytes(range(256)), b"\x04\x16\x04", b"last\n"]
        for part in parts:
            time.sleep(0.6)
            job.stdin.write(part)
            job.stdin.flush()
        job.stdin.close()
        assert job.stdout.read() == b"".join(parts)
        assert job.wait(60) == 0


def test_silent_stdin_does_not_hold_the_machine():
    with subprocess.Popen([RUN, *LIMIT, *KERNEL, HELLO], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as job:
        assert job.stdout.read() == b"Hello, world\n"
        assert job.wait(60) == 0


def test_reader_that_leaves_early():
    shell = f"{' '.join(KERNEL)} {BUSYBOX} yes | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {RUN} --timeout 60 {shell}"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False)
    assert done.stdout == b"y\n" and done.returncode == 128 + signal.SIGPIPE


# --- a terminal ---


def terminal(*args):
    return pexpect.spawn(RUN, [*LIMIT, *KERNEL, *args], timeout=60, dimensions=(33, 99), echo=False)


def test_shell_on_a_terminal():
    shell = terminal("sh")
    shell.expect("# ")
    shell.sendline("stty size")
    shell.expect("33 99")
    shell.expect("# ")
    shell.sendline("sleep 1000")
    time.sleep(1)
    shell.sendcontrol("c")
    shell.expect("# ")
    shell.sendline("exit 9")
    shell.expect(pexpect.EOF)
    shell.wait()
    assert shell.exitstatus == 9


def test_ctrl_a_x_ends_it():
    shell = terminal("sh")
    shell.expect("# ")
    shell.send("\x01x")
    shell.expect(pexpect.EOF)
    shell.wait()
    assert shell.exitstatus == 128 + signal.SIGINT


# --- no remains ---


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


def gone(pid):
    """The process has ended; it may wait to be collected by whoever inherited it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signals_end_the_machine(programs, sent):
    heeding = ["env", "--default-signal"]  # who starts this test may ignore some
    with subprocess.Popen([*heeding, RUN, *LIMIT, *KERNEL, programs / "forever"],
                          stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
        time.sleep(1)
        machine = children_of(job.pid)
        assert len(machine) == 1
        job.send_signal(sent)
        assert job.wait(10) == (-sent if sent == signal.SIGKILL else 128 + sent)
        time.sleep(0.5)
        assert gone(machine[0])

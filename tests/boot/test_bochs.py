# SPDX-License-Identifier: MIT
"""One boot on Bochs, the emulator that has PCID, INVPCID, x2APIC and the TSC deadline timer.

The ISO runs the greeting as its job; Bochs has no way to return a status, so the lines of init on
the log port are read. Needs build, build/test, build/bugs and user programs.
Run by: /usr/bin/python3 -m pytest
"""
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import bochs  # noqa: E402
from initramfs import Initramfs  # noqa: E402

TIMEOUT_S = 240


def make_iso(path, kernel="build/bulla.elf", cmdline=""):
    root = Initramfs()
    root.copy("/init", ROOT / "build/user/init")
    root.copy("/bin/hello", ROOT / "build/user/hello")
    root.file("/etc/job", b"mode=raw\0--\0/bin/hello\0")
    (path / "initramfs").write_bytes(root.cpio())
    subprocess.run([ROOT / "tools/mkiso", path / "bulla.iso", ROOT / kernel,
                    path / "initramfs", cmdline], check=True, stdout=subprocess.DEVNULL)


def run_bochs(path):
    """The kernel's log."""
    return bochs.run(path, TIMEOUT_S)


needs_bochs = pytest.mark.skipif(not shutil.which("bochs"),
                                 reason="bochs is not installed (Debian: bochs)")


@needs_bochs
def test_greeting_on_a_cpu_with_pcid(tmp_path):
    make_iso(tmp_path)
    log = run_bochs(tmp_path)
    assert " pcid invpcid " in log
    assert "init: status 0" in log
    assert b"Hello, world\n" in (tmp_path / "job.txt").read_bytes()


@needs_bochs
def test_page_table_bits_mean_what_the_manual_says(tmp_path):
    make_iso(tmp_path, "build/test/bulla.elf", "ktest=a_part_of_the_page_table_bits*")
    log = run_bochs(tmp_path)
    print(log[-2000:])
    assert " cases, 0 differences" in log
    assert "\nok 1 a_part_of_the_page_table_bits" in log.replace("\r", "")


@needs_bochs
@pytest.mark.parametrize("bug, test", [
    (22, "each_of_many_spaces_sees_its_own_words"),
    (77, "global_translations_fall_to_a_flush_of_all"),
])
def test_faults_that_qemu_cannot_show_are_seen(tmp_path, bug, test):
    """A PCID that is reused; global translations that CR3 is to forget: see tests/bugs/run."""
    results = {0: "ok", bug: "not ok"}
    for chosen, result in results.items():
        make_iso(tmp_path, "build/bugs/bulla.elf", f"ktest={test} bug={chosen}")
        log = run_bochs(tmp_path).replace("\r", "")
        assert f"\n{result} 1 {test}" in log, log[-2000:]


@needs_bochs
def test_each_way_to_forget_forgets_what_the_manual_says(tmp_path):
    """Global entries stay where they must, and no way is missing on this CPU."""
    make_iso(tmp_path, "build/lab/bulla.elf", "lab=stale_entry lab.clock=bochs")
    log = run_bochs(tmp_path)
    print(log[-4000:])
    assert "\nok 1 stale_entry" in log.replace("\r", "")
    gone = {line.split("|")[3]: line.split("|")[7]
            for line in log.split("\n") if "lab|row|stale_entry|" in line}
    ways = {way for way in gone if not way.endswith(", global")}
    assert len(ways) == 9
    assert {way for way in ways if gone[f"{way}, global"] == "1"} == \
        {"invlpg", "invpcid 2", "cr4.pge"}
    assert {way for way in ways if gone[way] == "0"} <= {"nothing", "cr3 no-flush"}

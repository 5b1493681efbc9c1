# SPDX-License-Identifier: MIT
"""One boot on Bochs, the emulator that has PCID, INVPCID, x2APIC and the TSC deadline timer.

The ISO runs the greeting as its job; Bochs has no way to return a status, so the lines of init on
the log port are read. Needs build/bulla.elf and user programs. Run by: /usr/bin/python3 -m pytest
"""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from initramfs import Initramfs  # noqa: E402

TIMEOUT_S = 240
RC = """\
plugin_ctrl: unmapped=true, serial=true, speaker=false, sb16=false
display_library: term
memory: guest=128, host=128
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_icelake_u, count={cpus}, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=1600000000
ata0-master: type=cdrom, path=bulla.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=log.txt
com2: enabled=1, mode=file, dev=job.txt
panic: action=fatal
log: bochs.log
"""


def make_iso(path):
    root = Initramfs()
    root.copy("/init", ROOT / "build/user/init")
    root.copy("/bin/hello", ROOT / "build/user/hello")
    root.file("/etc/job", b"mode=raw\0--\0/bin/hello\0")
    (path / "initramfs").write_bytes(root.cpio())
    subprocess.run([ROOT / "tools/mkiso", path / "bulla.iso", ROOT / "build/bulla.elf",
                    path / "initramfs", ""], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.skipif(not shutil.which("bochs"), reason="bochs is not installed (Debian: bochs)")
def test_greeting_on_a_cpu_with_pcid(tmp_path):
    make_iso(tmp_path)
    (tmp_path / "bochsrc").write_text(RC.format(cpus=1))
    (tmp_path / "go").write_text("c\n")
    bochs = ["bochs", "-q", "-f", "bochsrc", "-rc", "go"]
    subprocess.run(["script", "-qfec", " ".join(bochs), "typescript"], cwd=tmp_path,
                   env={**os.environ, "TERM": "xterm"}, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)
    log = (tmp_path / "log.txt").read_text(errors="replace")
    assert " pcid invpcid " in log
    assert "init: status 0" in log
    assert b"Hello, world\n" in (tmp_path / "job.txt").read_bytes()

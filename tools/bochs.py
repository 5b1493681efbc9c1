# SPDX-License-Identifier: MIT
"""tools/bochs.py - one run of Bochs, the emulator that has PCID, INVPCID and global entries

Room:   tools. Python standard library, bochs, script; a module for tests/boot and tools/tlb.
Owns:   nothing: all of its files lie in the folder that it is given.
Always: (1) without a window, and without a debugger that waits.
Source: bochsrc(5).
Tour:   with tests/boot/test_bochs.py.
"""
import os
import pathlib
import subprocess

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


def run(folder, seconds, cpus=1):
    """Boots bulla.iso of @folder; returns the kernel's log. It has no way to return a status."""
    folder = pathlib.Path(folder)
    (folder / "bochsrc").write_text(RC.format(cpus=cpus))
    (folder / "go").write_text("c\n")
    bochs = ["bochs", "-q", "-f", "bochsrc", "-rc", "go"]
    subprocess.run(["script", "-qfec", " ".join(bochs), "typescript"], cwd=folder,
                   env={**os.environ, "TERM": "xterm"}, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, timeout=seconds, check=False)
    return (folder / "log.txt").read_text(errors="replace")

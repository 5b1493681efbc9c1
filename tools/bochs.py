# SPDX-License-Identifier: MIT
"""tools/bochs.py - one run of Bochs, the emulator that has PCID, INVPCID and global entries

Room:   tools. Python standard library, bochs, script; a module for tests/boot and tools/tlb.
Owns:   nothing: all of its files lie in the folder that it is given.
Always: (1) without a window, and without a debugger that waits;
        (2) the terminal that Bochs shows the screen on is read: it would wait for that, too.
Source: bochsrc(5).
Tour:   with tests/boot/test_bochs.py.
"""
import os
import pathlib
import re
import select
import subprocess
import time

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


SCREEN = re.compile(r'Bochs connected to screen "(/dev/pts/\d+)"')


def open_screen(typescript):
    """The terminal that Bochs says it writes to, or None: not yet, or not any more."""
    said = SCREEN.search(typescript.read_text(errors="replace")) if typescript.exists() else None
    try:
        return os.open(said[1], os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK) if said else None
    except FileNotFoundError:
        return None


def wait_for(process, typescript, seconds):
    """Until it ends, or the time is up."""
    deadline, screen = time.monotonic() + seconds, None
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(process.args, seconds)
        if screen is None:
            screen = open_screen(typescript)
        if select.select([screen] if screen is not None else [], [], [], 0.1)[0]:
            try:
                os.read(screen, 65536)
            except OSError:  # Bochs is gone
                break
    if screen is not None:
        os.close(screen)


def run(folder, seconds, cpus=1):
    """Boots bulla.iso of @folder; returns the kernel's log. It has no way to return a status."""
    folder = pathlib.Path(folder)
    (folder / "bochsrc").write_text(RC.format(cpus=cpus))
    (folder / "go").write_text("c\n")
    bochs = ["bochs", "-q", "-f", "bochsrc", "-rc", "go"]
    with subprocess.Popen(["script", "-qfec", " ".join(bochs), "typescript"], cwd=folder,
                          env={**os.environ, "TERM": "xterm"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(process, folder / "typescript", seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return (folder / "log.txt").read_text(errors="replace")

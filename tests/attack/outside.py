# SPDX-License-Identifier: MIT
"""
tests/attack/outside.py - the attacker outside: a stopped machine's memory, and what leads to it

Room:   tests. Python standard library only; a module for tests/attack/run.
Owns:   the walk below, written from the manual: it shares nothing with the kernel but two regions
        of addresses, which docs/memory-map.md promises.
Always: (1) what is looked at is one instant: registers and memory of a machine that stands.
Source: Intel SDM 3A, "4-Level Paging"; QEMU Machine Protocol: stop, pmemsave, cont.
Tour:   with tests/attack/run.
"""
import json
import os
import re
import secrets
import select
import socket
import struct
import subprocess
import tempfile
import time

PAGE = 4096
SIZES = {1: PAGE, 2: 2 << 20, 3: 1 << 30}  # of a leaf in a table of that level
PRESENT, WRITE, USER, LARGE, NO_EXECUTE = 1, 2, 4, 1 << 7, 1 << 63
FRAME = 0x000ffffffffff000
DIRECT_MAP = (0xffff888000000000, 0xffffc88000000000)
WINDOWS = (0xffffc97fffe00000, 0xffffc98000000000)
KERNEL_HALF = 256  # the first root entry of it


class Silent(Exception):
    """The machine, or the program in it, did not answer in time."""


class Pattern:
    """32 random bytes that a file's name may have, of which only two halves ever leave this
    process."""

    def __init__(self):
        letters = [byte for byte in range(1, 256) if byte != ord("/")]
        self.bytes = bytes(secrets.choice(letters) for _ in range(32))
        mask = secrets.token_bytes(32)
        self.halves = [mask.hex(), bytes(a ^ b for a, b in zip(self.bytes, mask)).hex()]
        self.words = [self.bytes[i:i + 8] for i in range(0, 32, 8)]


class Monitor:
    """QEMU's, at a socket."""

    def __init__(self, path, seconds):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(seconds)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._lines.readline()
        self.do("qmp_capabilities")

    def do(self, what, **arguments):
        command = {"execute": what, "arguments": arguments}
        self._socket.sendall(json.dumps(command).encode())
        while True:
            answer = json.loads(self._lines.readline() or "{}")
            if "return" in answer:
                return answer["return"]
            if "event" not in answer:
                raise Silent(f"{what}: {answer}")

    def close(self):
        self._lines.close()
        self._socket.close()


class Leaf:
    """One translation, with the rights that all levels together grant."""

    def __init__(self, va, pa, size, rights):
        self.va, self.pa, self.size = va, pa, size
        self.user, self.write = bool(rights & USER), bool(rights & WRITE)
        self.execute = not rights & NO_EXECUTE

    def has(self, frame):
        return self.pa <= frame * PAGE < self.pa + self.size

    def lies_in(self, region):
        return region[0] <= self.va < region[1]


class Snapshot:
    """Memory and roots of page tables at one instant."""

    def __init__(self, memory, registers):
        self.memory = memory
        self.roots = {int(value, 16) & FRAME for value in
                      re.findall(r"\bCR3=([0-9a-f]+)", registers)}
        halves = {memory[root + PAGE // 2:root + PAGE]: root for root in self.roots}
        self.kernel_leaves = [leaf for root in halves.values()
                              for leaf in self._leaves(root, KERNEL_HALF, 512)]

    def _leaves(self, root, first, end):
        yield from self._walk(root, 4, 0, WRITE | USER, first, end)

    def _walk(self, table, level, base, rights, first=0, end=512):
        if table + PAGE > len(self.memory):
            return  # not of RAM: no table of anybody's
        entries = struct.unpack_from("<512Q", self.memory, table)
        for i in range(first, end):
            entry = entries[i]
            if not entry & PRESENT:
                continue
            granted = (rights & entry & (WRITE | USER)) | ((rights | entry) & NO_EXECUTE)
            va = base + (i << (3 + 9 * level))
            va |= 0xffff000000000000 if va >> 47 & 1 else 0
            if level == 1 or (level < 4 and entry & LARGE):
                yield Leaf(va, entry & FRAME & -SIZES[level], SIZES[level], granted)
            else:
                yield from self._walk(entry & FRAME, level - 1, va, granted)

    def frames_with(self, *words):
        """Frames that hold one of these, wherever it begins."""
        frames = set()
        for word in words:
            at = self.memory.find(word)
            while at >= 0:
                frames.add(at // PAGE)
                at = self.memory.find(word, at + 1)
        return frames

    def kernel_leaves_to(self, frames):
        """Those that lead to one of the frames."""
        return [leaf for leaf in self.kernel_leaves if any(leaf.has(frame) for frame in frames)]

    def user_frames(self):
        """Frames that the programs which run just now can read."""
        return {leaf.pa // PAGE + i for root in self.roots
                for leaf in self._leaves(root, 0, KERNEL_HALF) if leaf.user
                for i in range(leaf.size // PAGE)}

    def direct_map_kib(self):
        """KiB mapped by leaves of each size, as /proc/meminfo has it."""
        sums = dict.fromkeys(SIZES.values(), 0)
        for leaf in self.kernel_leaves:
            if leaf.lies_in(DIRECT_MAP):
                sums[leaf.size] += leaf.size >> 10
        return sums

    def nr_absent(self):
        """Frames that the direct map has no leaf for."""
        return len(self.memory) // PAGE - (sum(self.direct_map_kib().values()) << 10) // PAGE

    def wrong_leaves(self):
        """Of the kernel's half: the user's, writable code, or frames that are code at one address
        and writable at another."""
        code = {leaf.pa // PAGE for leaf in self.kernel_leaves if leaf.execute}
        return [leaf for leaf in self.kernel_leaves if leaf.user or
                (leaf.write and any(leaf.has(frame) for frame in code))]


class Victim:
    """A machine with tests/attack/victim.c as its job. A context: leaving it ends the machine."""

    def __init__(self, command, program, smp, pattern):
        self._directory = tempfile.TemporaryDirectory(prefix="bulla-attack-")
        self._qmp = os.path.join(self._directory.name, "qmp")
        self.bytes = 40 << 20
        command = [*command, "--smp", str(smp), "--mem", "40M", "--timeout", "100", "--qmp",
                   self._qmp, program, *pattern.halves]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT)
        self._said = b""
        self.monitor = None

    def __enter__(self):
        self.listen("ready")
        self.monitor = Monitor(self._qmp, 20)
        return self

    def __exit__(self, *_):
        if self.monitor:
            self.monitor.close()
        self._process.kill()  # QEMU goes with it
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._directory.cleanup()

    def listen(self, last, seconds=30):
        """The lines up to the one that is @last."""
        until, lines = time.monotonic() + seconds, []
        while True:
            line, end, rest = self._said.partition(b"\n")
            if end:
                self._said = rest
                lines.append(line.decode(errors="replace").strip())
                if lines[-1] == last:
                    return lines[:-1]
                continue
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise Silent(f"no '{last}' after {lines}")
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                raise Silent(f"the machine ended: {lines}")
            self._said += data

    def do(self, word):
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()
        return self.listen(f"done {word}")

    def look(self):
        """The machine as it is now; it goes on afterwards."""
        path = os.path.join(self._directory.name, "memory")
        self.monitor.do("stop")
        self.monitor.do("pmemsave", val=0, size=self.bytes, filename=path)
        registers = self.monitor.do("human-monitor-command",
                                    **{"command-line": "info registers -a"})
        self.monitor.do("cont")
        with open(path, "rb") as file:
            return Snapshot(file.read(), registers)

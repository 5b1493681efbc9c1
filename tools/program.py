# SPDX-License-Identifier: MIT
"""tools/program.py - is this file a program that a kernel here can run, and what does it need?

Room:   tools. Python standard library only.
Owns:   nothing.
Always: (1) what cannot work is refused in one line.
Source: elf(5); ld.so(8), --list; ldd(1).
Tour:   from tools/run.
"""
import os
import re
import subprocess

from machine import Refusal, readable

PT_INTERP = 3


def field(data, offset, size):
    return int.from_bytes(data[offset:offset + size], "little")


def _loader(path):
    """The path of the dynamic loader that the program at @path names, or None."""
    with open(readable(path), "rb") as f:
        head = f.read(64)
        if head[:4] != b"\x7fELF":
            raise Refusal(f"{path}: not an ELF program")
        if len(head) < 64 or head[4:6] != b"\x02\x01" or field(head, 18, 2) != 62:
            raise Refusal(f"{path}: an ELF file, but not for x86-64")
        if field(head, 16, 2) not in (2, 3):  # ET_EXEC, ET_DYN
            raise Refusal(f"{path}: an ELF file, but not a program")
        f.seek(field(head, 32, 8))
        size, count = field(head, 54, 2), field(head, 56, 2)
        headers = f.read(size * count)
        for at in range(0, size * count, size):
            if field(headers, at, 4) == PT_INTERP:
                f.seek(field(headers, at + 8, 8))
                return os.fsdecode(f.read(field(headers, at + 32, 8)).rstrip(b"\0"))
    return None


def libraries(path):
    """Refuse what is no program; else what must lie beside it: its loader, its libraries."""
    loader = _loader(path)
    if not os.access(path, os.X_OK):
        raise Refusal(f"{path}: not executable (chmod +x)")
    if not loader:
        return []
    try:
        asked = subprocess.run([loader, "--list", os.path.abspath(path)], text=True, check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise Refusal(f"{path}: its loader {loader}: {error.strerror}") from None
    if asked.returncode:
        raise Refusal(asked.stdout.strip().splitlines()[-1] or f"{path}: {loader} refuses it")
    found = re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", asked.stdout, re.M)
    return [loader, *(library for library in found if library != loader)]

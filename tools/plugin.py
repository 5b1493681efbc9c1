# SPDX-License-Identifier: MIT
"""
tools/plugin.py - machines that a QEMU plugin watches, and names for what it saw

Room:   tools. Python standard library, gcc, nm; a module for lines, trace, tlbsan.
Owns:   build/NAME.so; the files that QEMU, the plugin and the tool share.
Always: (1) the guest's RAM is one of these files: a plugin reads it as the guest has it.
Source: QEMU documentation, "QEMU TCG Plugins".
Tour:   after tools/machine.py and tools/qemu_plugin.h.
"""
import bisect
import importlib.machinery
import importlib.util
import os
import re
import subprocess

from machine import BUILD, Machine, Refusal

HERE = os.path.dirname(os.path.realpath(__file__))
CFLAGS = ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
RAM_MAX = 2 << 30  # what QEMU's q35 puts below 4 GiB, where it is found by its address

# Where what has no symbol lies: arch/x86_64/include/asm/memory_layout.h.
REGIONS = ((0, "program"), (0xffff888000000000, "direct map"), (0xffffc90000000000, "stacks"),
           (0xffffea0000000000, "frame descriptors"), (0xffffffff80000000, "kernel image"))


def load_run():
    """tools/run as a module: its name has no suffix."""
    loader = importlib.machinery.SourceFileLoader("run", os.path.join(HERE, "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
    loader.exec_module(module)
    return module


def build(name, *sources):
    """Builds build/NAME.so of sources that lie here. Returns its path."""
    plugin = os.path.join(BUILD, f"{name}.so")
    paths = [os.path.join(HERE, source) for source in sources]
    if subprocess.run(["gcc", *CFLAGS, *paths, "-o", plugin], check=False).returncode:
        raise Refusal(f"tools/{sources[0]} does not build")
    return plugin


class WatchedMachine(Machine):
    """A machine with a plugin."""

    def __init__(self, options, archive, plugin, **arguments):
        super().__init__(options, archive)
        self.plugin, self.arguments = plugin, arguments

    def shared_file(self, size):
        """A file of zeros that QEMU inherits: its path there, and our descriptor."""
        fd = os.memfd_create("shared")
        os.ftruncate(fd, size)
        self._held.append(fd)
        return f"/proc/self/fd/{fd}", os.dup(fd)

    def _memory(self, size):
        number, unit = re.fullmatch(r"(\d+)([MG])", size).groups()
        size_bytes = int(number) << {"M": 20, "G": 30}[unit]
        if size_bytes > RAM_MAX:
            raise Refusal(f"--mem {size}: plugins know their way in 2G at most")
        self.arguments["ram"], fd = self.shared_file(size_bytes)
        os.close(fd)
        return ["-m", size, "-machine", f"{self.options.machine},memory-backend=ram", "-object",
                f"memory-backend-file,id=ram,size={size},share=on,mem-path={self.arguments['ram']}"]

    def _command(self):
        command = super()._command()
        arguments = [f"{name}={value}" for name, value in self.arguments.items()]
        return command + ["-plugin", ",".join([self.plugin, *arguments])]


class Symbols:
    """The names of a program's or a kernel's addresses."""

    def __init__(self, path):
        text = subprocess.run(["nm", path], text=True, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
        words = (line.split() for line in text.splitlines())
        self.known = sorted((int(w[0], 16), w[2]) for w in words if len(w) == 3)
        self.addresses = [address for address, _ in self.known]

    def at(self, address):
        base, region = max(place for place in REGIONS if place[0] <= address)
        i = bisect.bisect_right(self.addresses, address) - 1
        if 0 <= i < len(self.addresses) - 1 and self.addresses[i] >= base:
            return self.known[i][1]
        return region

    def of(self, name):
        address = next((address for address, known in self.known if known == name), None)
        if address is None:
            raise Refusal(f"the kernel has no {name}")
        return address

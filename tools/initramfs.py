#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
tools/initramfs.py - write a root file system as a newc cpio archive

Room:   tools. Python standard library only; a module for tools/run, a command for the Makefile.
Owns:   the archive's layout, and the directories and device nodes that every root has.
Always: (1) the same input gives the same bytes: time stamps and owners are zero;
        (2) a parent directory comes before what lies in it;
        (3) the last file given under a name wins.
Source: initramfs buffer format (Linux documentation), cpio(5) "New ASCII Format".
Tour:   before tools/run, after user/init.c.
"""
import os
import stat
import sys

DIRECTORIES = ("bin", "dev", "etc", "job", "proc", "root", "sys", "tmp", "dev/shm")
# name: (mode, major, minor); the numbers are Linux's
DEVICES = {
    "dev/console": (0o600, 5, 1),
    "dev/tty": (0o666, 5, 0),
    "dev/ttyS0": (0o600, 4, 64),
    "dev/ttyS1": (0o600, 4, 65),
    "dev/null": (0o666, 1, 3),
    "dev/zero": (0o666, 1, 5),
}
TEXTS = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
}
PROGRAMS = ("tour", "hello")
BUSYBOX = "/bin/busybox"  # of Debian's busybox-static
APPLETS = ("cat", "dmesg", "echo", "head", "ls", "ps", "sh", "sha256sum", "vi")


class Initramfs:
    """A root file system under construction. Paths are those of the guest, with or without '/'."""

    def __init__(self):
        self.nodes = {}  # path without leading '/': (mode, data, rdev)
        for path in DIRECTORIES:
            self.directory(path)
        for path, (mode, major, minor) in DEVICES.items():
            self._put(path, stat.S_IFCHR | mode, b"", (major, minor))
        for path, text in TEXTS.items():
            self.file(path, text)
        self.nodes["tmp"] = (stat.S_IFDIR | 0o1777, b"", (0, 0))

    def directory(self, path, mode=0o755):
        self._put(path, stat.S_IFDIR | mode, b"", (0, 0))

    def file(self, path, data, mode=0o644):
        self._put(path, stat.S_IFREG | mode, data, (0, 0))

    def symlink(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, os.fsencode(target), (0, 0))

    def copy(self, path, host):
        """Put the host's file or directory tree at path; the permission bits come along."""
        if not os.path.isdir(host):
            with open(host, "rb") as f:
                self.file(path, f.read(), stat.S_IMODE(os.fstat(f.fileno()).st_mode) & 0o777)
            return
        self.directory(path)
        for entry in sorted(os.scandir(host), key=lambda e: e.name):
            self.copy(f"{path}/{entry.name}", entry.path)

    def standard_programs(self, build):
        """/bin as a person finds it: our own programs, and busybox if this machine has it."""
        for name in PROGRAMS:
            if os.path.exists(f"{build}/user/{name}"):
                self.copy(f"/bin/{name}", f"{build}/user/{name}")
        if os.path.exists(BUSYBOX):
            self.copy("/bin/busybox", BUSYBOX)
            for applet in APPLETS:
                self.symlink(f"/bin/{applet}", "busybox")

    def has(self, path):
        return clean(path) in self.nodes

    def cpio(self):
        """The archive as bytes."""
        parts = []
        # A parent's name is a prefix of its children's, so sorting by name puts it first.
        for number, path in enumerate(sorted(self.nodes), 1):
            parts.append(record(path, number, *self.nodes[path]))
        parts.append(record("TRAILER!!!", 0, 0, b"", (0, 0)))
        archive = b"".join(parts)
        return archive + bytes(-len(archive) % 512)

    def _put(self, path, mode, data, rdev):
        path = clean(path)
        parent = os.path.dirname(path)
        if parent and parent not in self.nodes:
            self.directory(parent)
        self.nodes[path] = (mode, data, rdev)


def clean(path):
    """The guest's path without '/' at either end, '.' or '..'."""
    return os.path.normpath("/" + path).lstrip("/")


def record(path, number, mode, data, rdev):
    name = os.fsencode(path) + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, *rdev, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


USAGE = """\
usage: tools/initramfs.py OUT [GUEST=HOST | GUEST=>TARGET]...

Writes OUT, a newc cpio archive: the standard directories and devices; /init, the tour, hello and
busybox as far as they exist; the host's file or directory HOST at GUEST; a symbolic link GUEST to
TARGET.
"""


def main(argv):
    if len(argv) < 2 or argv[1] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if len(argv) > 1 else 2
    build = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "build")
    root = Initramfs()
    try:
        root.copy("/init", f"{build}/user/init")
        root.standard_programs(build)
        for spec in argv[2:]:
            add(root, spec)
    except OSError as error:
        print(f"initramfs.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"initramfs.py: {error}", file=sys.stderr)
        return 2
    with open(argv[1], "wb") as out:
        out.write(root.cpio())
    return 0


def add(root, spec):
    """GUEST=HOST or GUEST=>TARGET, from the command line."""
    guest, equals, host = spec.partition("=")
    if not equals or not clean(guest):
        raise ValueError(f"{spec}: not GUEST=HOST")
    if host.startswith(">"):
        root.symlink(guest, host[1:])
    else:
        root.copy(guest, host)


if __name__ == "__main__":
    sys.exit(main(sys.argv))

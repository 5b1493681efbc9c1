# SPDX-License-Identifier: MIT
"""tools/debian.py - what comes out of Debian packages without being installed

Room:   tools. Python standard library, apt-get and dpkg-deb.
Owns:   the folders that packages are unpacked into, below build/.
Always: (1) nothing of this machine changes; (2) a package is fetched once.
Tour:   before tools/bench and tests/conformance/run.
"""
import glob
import os
import re
import subprocess
import sys

LINUX_PACKAGE = "linux-image-cloud-amd64"
LINUX_FILES = "boot/vmlinuz-*-cloud-amd64"
SOURCE_PACKAGE = "linux-source"
SOURCE_FILES = "usr/src/linux-source-*.tar.xz"
TRINITY_PACKAGE = "trinity"
TRINITY_FILES = "usr/bin/trinity"


class Missing(Exception):
    """A package cannot be had; the text says what to do, in one line."""


def _fetch(package, into):
    """Unpack the package, or what it depends on if it only stands for a version of Linux."""
    print(f"fetching {package}", file=sys.stderr)
    os.makedirs(into, exist_ok=True)
    depends = subprocess.run(["apt-cache", "depends", package], text=True, check=True,
                             stdout=subprocess.PIPE).stdout
    newest = re.search(r"Depends: (linux-\S+)", depends)
    real = newest[1] if newest else package
    subprocess.run(["apt-get", "download", "-qq", real], cwd=into, check=True)
    for archive in glob.glob(os.path.join(into, real + "_*.deb")):
        subprocess.run(["dpkg-deb", "-x", archive, into], check=True)
        os.remove(archive)


def _version(path):
    return [int(n) for n in re.findall(r"\d+", os.path.basename(path))]


def _find(package, files, into):
    """The newest file that is installed, or was fetched before, or is fetched now."""
    for _ in range(2):
        for root in ("/", into):
            found = glob.glob(os.path.join(root, files))
            if found:
                return max(found, key=_version)
        try:
            _fetch(package, into)
        except (OSError, subprocess.CalledProcessError):
            break
    raise Missing(f"no {os.path.basename(files)}: install {package}")


def find_linux(into):
    """Debian's cloud kernel: the path of its bzImage."""
    return _find(LINUX_PACKAGE, LINUX_FILES, into)


def find_source(into):
    """The source of Debian's kernel: the path of its archive."""
    return _find(SOURCE_PACKAGE, SOURCE_FILES, into)


def find_trinity(into):
    """Debian's fuzzer of system calls: the path of its program."""
    return _find(TRINITY_PACKAGE, TRINITY_FILES, into)

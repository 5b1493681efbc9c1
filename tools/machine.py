# SPDX-License-Identifier: MIT
"""
tools/machine.py - one QEMU machine: its command line, its two serial ports, its end

Room:   tools. Python standard library only; a module for tools/run.
Owns:   the QEMU process, with everything that it leaves on the host.
Always: (1) COM1 is the kernel's log, COM2 the job's standard input, output and error;
        (2) whatever ends this process ends QEMU too, and no file stays behind;
        (3) a status line counts only if the machine also ended cleanly.
Source: docs/boot.md; qemu(1); isa-debug-exit of QEMU (value v ends it with status 2v+1).
Tour:   after tools/run.
"""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BUILD = os.path.join(TOP, "build")
OVMF = "/usr/share/ovmf/OVMF.fd"
DOORS = ("pvh", "multiboot", "iso-bios", "iso-uefi", "efi")
GDB_PORT = 1234
TIMED_OUT, KERNEL_DIED = 124, 126
CLEAN_EXITS = (0, 33)  # ACPI power-off; isa-debug-exit when Bulla says that all is well
POWER_OFF_SECONDS = 5  # what a machine gets between its status line and its end
READY = b"init: job "
MARK = b"\x01init: job\x02"  # on COM2, before the job's first byte; firmware may have written there
CORE_MARK = b"\x01init: core\x02"  # on COM2, after the job's last byte: the rest is its core file
STATUS = re.compile(rb"init: status (\d+)\s")
# no5lvl: the same 47 bits of user space as Bulla
LINUX_CMDLINE = "console=ttyS0 quiet panic=-1 secretmem.enable=1 no5lvl rdinit=/init"


class Refusal(Exception):
    """The tool cannot run; the text says why, in one line."""


class TimedOut(Exception):
    """The timer of --timeout, or of the power-off, has run out."""


def readable(path, what=""):
    """Returns path if it can be read; else refuses, with @what in front of the path."""
    try:
        with open(path, "rb") as f:
            f.read(1)
    except OSError as error:
        raise Refusal(f"{what}{path}: {error.strerror}") from None
    return path


def built(name):
    return readable(os.path.join(BUILD, name), "not built yet (run make): ")


def is_linux(path):
    """A bzImage has this magic in its setup header."""
    with open(path, "rb") as f:
        return f.read(0x206)[0x202:] == b"HdrS"


class Machine:
    """A machine with one kernel and one root file system. A context: leaving it ends QEMU."""

    def __init__(self, options, archive):
        self.options, self.archive = options, archive
        self.kernel = None  # the file
        self.timed_out, self.status, self.exit = False, None, None
        self.log = b""
        self._said_anything = self._ready = False
        self._directory = self._process = None
        self._marked, self._unmarked = False, b""  # has the job begun to write; what came before
        self._held_back = b""  # of the job's bytes: perhaps the beginning of CORE_MARK
        self._core_file = open_output(options.core, "--core")
        self._core_begun = False
        self._ports, self._held = [], []  # our ends of COM1 and COM2; descriptors for QEMU
        self._log_file = open_output(options.log, "--log")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    # --- the command line ---

    def start(self):
        """Start QEMU. Raises Refusal when something that it needs is missing."""
        command = self._command()
        self._errors = self._memory_file("errors", b"")
        # setpriv: when this process dies, by whatever signal, the kernel ends QEMU.
        command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._errors,
                                         stderr=self._errors, pass_fds=self._held,
                                         start_new_session=True)
        for fd in self._held:
            if fd != self._errors:
                os.close(fd)

    def _command(self):
        o = self.options
        if not shutil.which("qemu-system-x86_64"):
            raise Refusal("qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")
        command = ["qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none",
                   "-no-reboot", "-accel", o.accel, "-cpu", o.cpu,
                   "-smp", str(o.smp), "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        for name in ("log", "job"):
            command += ["-chardev", f"socket,id={name},fd={self._port()}", "-serial",
                        f"chardev:{name}"]
        if o.icount:
            command += ["-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01,clock=vm",
                        "-seed", "1"]  # what RDRAND gives repeats, too
        if o.qmp:
            command += ["-qmp", f"unix:{o.qmp},server=on,wait=off"]
        if o.gdb:
            command += ["-S", "-gdb", f"tcp:127.0.0.1:{GDB_PORT}"]
        return command + self._door()

    def _port(self):
        """A serial port's line. Returns QEMU's end of it."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._ports.append(ours)
        self._held.append(theirs.detach())
        return self._held[-1]

    def _memory_file(self, name, data):
        """A file without a name on disk, so there is nothing to clean up."""
        fd = os.memfd_create(name)
        with open(fd, "wb", closefd=False) as f:
            f.write(data)
        self._held.append(fd)
        return fd

    def _door(self):
        o = self.options
        linux = o.kernel and is_linux(readable(o.kernel))
        if linux and o.door != "pvh":
            raise Refusal(f"--boot {o.door}: a Linux bzImage is booted directly, without --boot")
        kernel = o.kernel or built("bulla-pvh.elf" if o.door == "pvh" else "bulla.elf")
        self.kernel = kernel
        cmdline = f"{LINUX_CMDLINE} {o.append}" if linux else o.append
        memory = self._memory(o.mem or default_memory(len(self.archive), linux))
        if o.door in ("pvh", "multiboot"):
            initrd = f"/proc/self/fd/{self._memory_file('initramfs', self.archive)}"
            firmware = [] if o.door == "multiboot" else ["-bios", "qboot.rom"]
            return [*memory, *firmware, "-kernel", kernel, "-initrd", initrd, "-append", cmdline]
        return memory + self._disk(kernel, cmdline)

    def _memory(self, size):
        """The machine and its memory; the host reserves nothing, so that 64 GiB may be tried."""
        return ["-m", size, "-object", f"memory-backend-ram,id=ram,size={size},reserve=off",
                "-machine", f"{self.options.machine},memory-backend=ram"]

    def _disk(self, kernel, cmdline):
        """Make the image of a door that boots from one."""
        self._directory = tempfile.mkdtemp(prefix="bulla-run-")
        image, initramfs = (os.path.join(self._directory, name) for name in ("image", "initramfs"))
        with open(initramfs, "wb") as f:
            f.write(self.archive)
        if self.options.door == "efi":
            maker = ["mkesp", image, built("BOOTX64.EFI"), kernel, initramfs, cmdline]
            drive = ["-drive", f"format=raw,file={image}", "-bios", readable(OVMF)]
        else:
            maker = ["mkiso", image, kernel, initramfs, cmdline]
            drive = ["-cdrom", image, "-boot", "d"]
        if self.options.door == "iso-uefi":
            drive += ["-bios", readable(OVMF)]
        maker[0] = readable(os.path.join(TOP, "tools", maker[0]))
        made = subprocess.run(maker, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False,
                              env={**os.environ, "TMPDIR": self._directory})
        if made.returncode:
            lines = made.stdout.decode(errors="replace").split("\n")
            raise Refusal("".join([line for line in lines if line][-1:]) or f"{maker[0]} failed")
        return drive

    # --- the run ---

    def serve(self, stdin):
        """Carry bytes between the ports and our own descriptors until the machine has ended."""
        signal.signal(signal.SIGALRM, raise_timed_out)
        signal.setitimer(signal.ITIMER_REAL, 0 if self.options.gdb else self.options.timeout)
        log, job = self._ports
        try:
            open_ports = [log, job]
            while open_ports:
                self._exchange(open_ports, log, job, stdin)
            self._process.wait()
        except TimedOut:
            self.timed_out = self.status is None
            self._process.kill()
            self._process.wait()
        self.exit = self._process.returncode

    def _exchange(self, open_ports, log, job, stdin):
        readers = list(open_ports)
        if self._ready and stdin.wants_more():
            readers.append(0)
        writers = [job] if self._ready and stdin.queue and job in open_ports else []
        readers, writers, _ = select.select(readers, writers, [])
        if job in readers:
            data = self._past_mark(self._receive(job, open_ports))
            write_all(1, self._before_core(data, job in open_ports) if self._core_file else data)
        if log in readers:
            self._take_log(self._receive(log, open_ports), stdin)
        if 0 in readers:
            stdin.read()
        if writers:
            stdin.queue = stdin.queue[job.send(stdin.queue):]

    def _past_mark(self, data):
        """What of @data is the job's."""
        if self._marked:
            return data
        self._unmarked += data
        _, mark, rest = self._unmarked.partition(MARK)
        self._marked = bool(mark)
        return rest

    def _before_core(self, data, more):
        """What of @data is the job's; a core file that follows goes to --core."""
        if self._core_begun:
            self._core_file.write(data)
            return b""
        data = self._held_back + data
        before, mark, core = data.partition(CORE_MARK)
        if mark:
            self._core_begun = True
            self._core_file.write(core)
            return before
        keep = longest_beginning(data, CORE_MARK) if more else 0
        self._held_back = data[len(data) - keep:]
        return data[:len(data) - keep]

    def _receive(self, port, open_ports):
        try:
            data = port.recv(65536)
        except ConnectionResetError:  # QEMU ended with our bytes unread
            data = b""
        if not data:
            open_ports.remove(port)
        self._said_anything |= bool(data)
        return data

    def _take_log(self, data, stdin):
        start = max(0, len(self.log) - 80)
        self.log += data
        if self._log_file:
            self._log_file.write(data)
        if self.options.verbose:
            write_all(2, data)
        if not self._ready and self.log.find(READY, start) >= 0:
            self._ready = True
            stdin.start()
        found = STATUS.findall(self.log, start)
        if found and self.status is None:
            self.status = int(found[-1])
            signal.setitimer(signal.ITIMER_REAL, POWER_OFF_SECONDS)

    # --- the end ---

    def verdict(self):
        """The exit status of the whole run; what the user must know goes to standard error."""
        if self.timed_out:
            complain(f"no end after {self.options.timeout:g} s; the machine was stopped")
            return TIMED_OUT
        killed_by_us = self.exit == -signal.SIGKILL
        if self.status is None or not (self.exit in CLEAN_EXITS or killed_by_us):
            return self._death()
        if killed_by_us:
            complain("the machine did not switch itself off")
        if 128 < self.status < 128 + signal.NSIG:
            complain(f"{self.options.name}: killed by {self._signal_report()}")
        elif self.status in (126, 127):
            for line in re.findall(r"init: (cannot run .*?)\r?\n", self._log_text()):
                complain(line)
        return self.status

    def _death(self):
        if not self._said_anything:
            errors = os.pread(self._errors, 4096, 0).decode(errors="replace").strip()
            raise Refusal(errors.replace("\n", "; ") or f"QEMU ended with status {self.exit}")
        complain("the kernel panicked or vanished without a status")
        if not self.options.verbose:
            for line in self._log_text().splitlines()[-20:]:
                complain("  " + line)
        return KERNEL_DIED

    def _signal_report(self):
        """The signal's name, and the line that the kernel wrote about it."""
        name = signal.Signals(self.status - 128).name
        during = self._log_text().rpartition(READY.decode())[2].partition("init: status")[0]
        lines = [line for line in during.splitlines()[1:] if line.strip()]
        told = [line for line in lines if re.search(r"killed by|segfault|traps:|trap ", line)]
        report = re.sub(r"^\[ *[\d.]+\] ", "", told[0].strip()) if told else ""
        return f"{name} ({report})" if report else name

    def _log_text(self):
        """The log without the firmware's screen control."""
        return re.sub(r"\x1b\[[\d;=]*[A-Za-z]", "", self.log.decode(errors="replace"))


def default_memory(archive_bytes, linux):
    """Enough for the archive as loaded, as unpacked, and for the job to work with it."""
    return f"{max(256 if linux else 128, 64 + 3 * (archive_bytes >> 20))}M"


def longest_beginning(data, mark):
    """How many bytes at the end of @data could be the beginning of @mark."""
    for size in range(min(len(data), len(mark) - 1), 0, -1):
        if mark.startswith(data[-size:]):
            return size
    return 0


def open_output(path, option):
    if not path:
        return None
    try:
        return open(path, "wb", buffering=0)
    except OSError as error:
        raise Refusal(f"{option} {path}: {error.strerror}") from None


def raise_timed_out(*_):
    raise TimedOut


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def complain(text):
    sys.stderr.write(f"run: {text}\n")

# SPDX-License-Identifier: MIT
"""
tools/job_stdin.py - how standard input of tools/run reaches the job in the guest

Room:   tools. Python standard library only; a module for tools/run.
Owns:   the bytes on their way to COM2, with the settings of the terminal they come from.
Always: (1) every byte arrives, and so does the end of the input;
        (2) a silent pipe that nobody closes does not keep the machine from starting;
        (3) the terminal is left as it was found.
Source: termios(3) (ICANON, VEOF, VLNEXT); user/init.c, "mode=".
Tour:   after tools/run.

A file, or a pipe that keeps coming until it ends, travels in the root file system: a serial line
has no end, and Linux drops what its tty cannot hold. A pipe that falls silent is sent over COM2
as it comes, in init's stream mode: ^V before a byte makes it an ordinary one, ^D ends the input.
A terminal that also shows the program's output is passed through as it is.
"""
import os
import re
import select
import stat
import termios
import tty

SPOOL_MAX = 64 << 20  # bytes of a pipe that are collected before the machine starts
SPOOL_SILENCE_MS = 250  # a pipe that is silent for longer is sent as it comes
CHUNK = 1000  # bytes; a tty holds a line of at most 4095
QUEUE_MAX = 64 << 10  # bytes that wait for the guest before we stop reading


class JobStdin:
    """Standard input of one run. A context: leaving it restores the terminal.

    mode:    init's word for what COM2 carries: raw (nothing), stream or term
    spooled: the whole input, or None when it is live
    live:    more may come from file descriptor 0
    queue:   bytes for COM2
    """

    def __init__(self):
        self.mode, self.spooled, self.live, self.queue = "raw", None, False, b""
        self._saved, self._after_prefix = None, False
        try:
            kind = os.fstat(0)
        except OSError:  # closed
            self.spooled = b""
            return
        if os.isatty(0):
            self.mode, self.live = "term" if os.isatty(1) else "stream", True
        elif stat.S_ISCHR(kind.st_mode) and kind.st_rdev != os.stat("/dev/null").st_rdev:
            self.mode, self.live = "stream", True  # such as /dev/zero: it may have no end
        else:
            self._spool(stat.S_ISREG(kind.st_mode))

    def _spool(self, is_file):
        poll = select.poll()
        poll.register(0, select.POLLIN)
        data = bytearray()
        while is_file or (len(data) < SPOOL_MAX and poll.poll(SPOOL_SILENCE_MS)):
            part = os.read(0, 1 << 20)
            if not part:
                self.spooled = bytes(data)
                return
            data += part
        self.mode, self.live = "stream", True
        for start in range(0, len(data), CHUNK):
            self.queue += quoted(bytes(data[start:start + CHUNK]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._saved:
            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)

    def start(self):
        """The guest is ready: from now on the keys are its own."""
        if self.mode == "term":
            self._saved = termios.tcgetattr(0)
            tty.setraw(0)

    def wants_more(self):
        return self.live and len(self.queue) < QUEUE_MAX

    def read(self):
        """Queue what has come. Call when descriptor 0 is readable.

        Raises KeyboardInterrupt when a person typed Ctrl-A x.
        """
        data = os.read(0, CHUNK)
        if not data:
            self.live = False
            self.queue += b"\x04"
        elif self.mode == "stream":
            self.queue += quoted(data)
        else:
            self.queue += self._typed(data)

    def _typed(self, data):
        out = bytearray()
        for byte in data:
            if self._after_prefix and byte == ord("x"):
                raise KeyboardInterrupt
            if byte == 1 and not self._after_prefix:
                self._after_prefix = True
                continue
            self._after_prefix = False
            out.append(byte)
        return bytes(out)


def quoted(data):
    """Bytes for a tty in init's stream mode. What does not end a line is pushed by ^D."""
    data = re.sub(rb"[\x04\x16]", lambda m: b"\x16" + m.group(), data)
    return data if data.endswith(b"\n") else data + b"\x04"

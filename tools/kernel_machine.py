# SPDX-License-Identifier: MIT
"""tools/kernel_machine.py - a QEMU machine for a kernel that runs tests, and no program

Room:   tools. Python standard library; a module for tools/tlb, tools/soak and tests/kernel/run.
Owns:   nothing.
Always: (1) one serial line, which is standard output; (2) exit code v is status 2v + 1.
Source: qemu(1), isa-debug-exit.
Tour:   before tests/kernel/run, tools/soak.
"""
EXIT_OK, EXIT_PANIC = 33, 37

# CPUs take turns on one thread of the host, an instruction takes a ns: the same in every run.
IN_TURNS = ("-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01,clock=vm")


def command(kernel, append, mem, smp, cpu, *more):
    return ["qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none",
            "-no-reboot", "-accel", "tcg", "-machine", "q35", "-bios", "qboot.rom",
            "-m", mem, "-smp", str(smp), "-cpu", cpu, "-serial", "stdio",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *more,
            "-kernel", str(kernel), "-append", append]

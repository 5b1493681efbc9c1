# SPDX-License-Identifier: MIT
"""The machine under the kernel: how many CPUs come up, where power goes off, what a screen shows.

Needs build/bulla.elf, build/bulla-pvh.elf, build/test/bulla-pvh.elf. Run by: /usr/bin/python3 -m
pytest. The release kernel is booted without an initramfs: it ends after the machine is up.
"""
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
TIMEOUT_S = 60
DEBUG_EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
QUICK_TEST = "ktest=machine_is_sound_after_boot"


def command(kernel, machine, *args):
    return ["qemu-system-x86_64", "-accel", "tcg", "-M", machine, "-m", "128M", "-cpu", "max",
            "-nodefaults", "-display", "none", "-no-reboot", "-kernel", str(BUILD / kernel),
            *map(str, args)]


def boot(kernel, machine, *args):
    """Returns (exit status, serial output) of one machine."""
    done = subprocess.run(command(kernel, machine, "-serial", "stdio", *args),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=TIMEOUT_S,
                          check=False)
    return done.returncode, done.stdout.decode("latin-1")


@pytest.mark.parametrize("cpus", [1, 2, 4, 8, 64])
def test_every_cpu_comes_up(cpus):
    _, serial = boot("bulla-pvh.elf", "q35", "-bios", "qboot.rom", "-smp", cpus, *DEBUG_EXIT)
    assert f"cpus: {cpus} online" in serial


@pytest.mark.parametrize("machine", ["pc", "microvm", "q35"])
@pytest.mark.parametrize("kernel", ["bulla.elf", "bulla-pvh.elf"])
def test_cpus_come_up_on_every_machine_by_both_protocols(machine, kernel):
    """By multiboot 1 nobody tells where the ACPI tables are: they are searched for."""
    if machine == "microvm" and kernel == "bulla.elf":
        pytest.skip("no tables where BIOSes have them")
    _, serial = boot(kernel, machine, "-smp", 3, *DEBUG_EXIT)
    assert "cpus: 3 online" in serial


def test_one_thread_of_the_host_runs_all_cpus():
    """No wait loop without PAUSE: this emulator would never leave it."""
    _, serial = boot("bulla-pvh.elf", "q35", "-accel", "tcg,thread=single", "-smp", 4, *DEBUG_EXIT)
    assert "cpus: 4 online" in serial


def test_maxcpus_leaves_the_rest_asleep():
    _, serial = boot("bulla-pvh.elf", "q35", "-smp", 4, "-append", "maxcpus=2", *DEBUG_EXIT)
    assert "cpus: 2 online" in serial


def test_cpus_beyond_the_limit_are_counted_and_left_alone():
    _, serial = boot("bulla-pvh.elf", "q35", "-smp", 70, *DEBUG_EXIT)
    assert "cpus: 70 are listed, 64 is the limit" in serial
    assert "cpus: 64 online" in serial


def test_cpus_that_could_be_plugged_in_are_not_waited_for():
    _, serial = boot("bulla-pvh.elf", "q35", "-smp", "2,maxcpus=8", *DEBUG_EXIT)
    assert "cpus: 2 online" in serial


@pytest.mark.parametrize("machine", ["pc,acpi=off", "microvm,acpi=off"])
def test_no_tables_means_one_cpu(machine):
    _, serial = boot("bulla-pvh.elf", machine, "-smp", 2, *DEBUG_EXIT)
    assert "acpi: no tables found, going on with one CPU" in serial
    assert "cpus: 1 online" in serial


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_power_goes_off_without_a_test_device(machine):
    status, serial = boot("test/bulla-pvh.elf", machine, "-smp", 2, "-append", QUICK_TEST)
    assert "ok 1 machine_is_sound_after_boot" in serial
    assert status == 0


def wait_for(path, found, machine, request):
    """Asks the monitor again and again, until found(content of path) or time is up."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        machine.stdin.write(f"{request}\n".encode())
        machine.stdin.flush()
        time.sleep(0.3)
        if path.exists() and found(path.read_bytes()):
            return True
    return False


def test_text_screen_shows_the_log(tmp_path):
    dump = tmp_path / "screen"
    machine = subprocess.Popen(
        command("bulla-pvh.elf", "q35", "-vga", "std", "-monitor", "stdio",
                "-serial", f"file:{tmp_path / 'serial'}"),
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        def found(screen):
            text = screen[::2]
            return b"bulla: booted by pvh" in text and b"cpus: 1 online" in text
        assert wait_for(dump, found, machine, f'pmemsave 0xb8000 4000 "{dump}"')
    finally:
        machine.kill()
        machine.wait()


def grey_pixels(picture):
    """How many of a PPM's pixels are the grey that letters are drawn in."""
    pixels = picture.split(b"\n", 3)[-1]
    return sum(pixels[i:i + 3] == b"\xaa\xaa\xaa" for i in range(0, len(pixels), 3))


def test_framebuffer_of_uefi_shows_the_log(tmp_path):
    image, dump = tmp_path / "cd.iso", tmp_path / "screen.ppm"
    subprocess.run([ROOT / "tools/mkiso", image, BUILD / "bulla.elf", "", ""], check=True)
    machine = subprocess.Popen(
        ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-m", "256M", "-cpu", "max",
         "-nodefaults", "-vga", "std", "-display", "none", "-no-reboot", "-monitor", "stdio",
         "-bios", "/usr/share/ovmf/OVMF.fd", "-cdrom", image,
         "-serial", f"file:{tmp_path / 'serial'}"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        def found(picture):
            booted = b"cpus: 1 online" in (tmp_path / "serial").read_bytes()
            return booted and grey_pixels(picture) > 1000
        assert wait_for(dump, found, machine, f'screendump "{dump}"')
    finally:
        machine.kill()
        machine.wait()

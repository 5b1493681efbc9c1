# SPDX-License-Identifier: MIT
"""What cannot boot says so in one line and ends with a failing status: no hang, no triple fault.
And the EFI door opens where firmware has taken the memory at 1 MiB.

Needs build/bulla.elf, build/bulla-pvh.elf, build/BOOTX64.EFI. Run by: /usr/bin/python3 -m pytest
"""
import pathlib
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
EXIT_FAIL = 35  # isa-debug-exit, 17 written
OVMF = "/usr/share/ovmf/OVMF.fd"
TIMEOUT_S = 60  # firmware takes up to 10 s


def boot(*args, cpu="max", mem="256M"):
    """Returns (exit status, serial output) of one machine."""
    command = ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-m", mem, "-cpu", cpu,
               "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *map(str, args)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          timeout=TIMEOUT_S, check=False)
    return done.returncode, done.stdout.decode("latin-1")


def make_esp(tmp_path, kernel):
    image = tmp_path / "esp.img"
    subprocess.run([ROOT / "tools/mkesp", image, BUILD / "BOOTX64.EFI", kernel, "", ""], check=True)
    return image


def boot_esp(image):
    return boot("-bios", OVMF, "-drive", f"format=raw,file={image}")


def assert_refused(result, line):
    status, serial = result
    assert line in serial
    assert status == EXIT_FAIL


@pytest.fixture(name="cut_kernel")
def fixture_cut_kernel(tmp_path):
    path = tmp_path / "cut.elf"
    path.write_bytes((BUILD / "bulla.elf").read_bytes()[:5000])
    return path


def grow_last_segment(kernel, memory_bytes):
    """Sets p_memsz of the last PT_LOAD."""
    elf = bytearray(kernel.read_bytes())
    table, = struct.unpack_from("<Q", elf, 32)
    count, = struct.unpack_from("<H", elf, 56)
    headers = [table + 56 * i for i in range(count)]
    last = [at for at in headers if struct.unpack_from("<I", elf, at)[0] == 1][-1]
    struct.pack_into("<Q", elf, last + 40, memory_bytes)
    return bytes(elf)


@pytest.mark.parametrize("image", ["bulla.elf", "bulla-pvh.elf"])
@pytest.mark.parametrize("cpu", ["486", "pentium3", "qemu32"])
def test_cpu_without_long_mode_is_refused(image, cpu):
    assert_refused(boot("-kernel", BUILD / image, cpu=cpu), "bulla: this CPU has no 64-bit mode")


def test_refusal_is_seen_on_the_text_screen(tmp_path):
    """The same line lies in VGA memory, read back through the monitor."""
    dump = tmp_path / "screen"
    machine = subprocess.Popen(
        ["qemu-system-x86_64", "-accel", "tcg", "-M", "q35", "-m", "64M", "-cpu", "pentium3",
         "-nodefaults", "-vga", "std", "-display", "none", "-no-reboot", "-monitor", "stdio",
         "-serial", f"file:{tmp_path / 'serial'}", "-kernel", BUILD / "bulla-pvh.elf"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            machine.stdin.write(f'pmemsave 0xb8000 160 "{dump}"\n'.encode())
            machine.stdin.flush()
            try:
                machine.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
            if dump.exists() and b"64-bit mode" in dump.read_bytes()[::2]:
                return
        pytest.fail("the line did not appear on the screen")
    finally:
        machine.kill()
        machine.wait()


def test_efi_loader_names_a_missing_kernel(tmp_path):
    image = make_esp(tmp_path, BUILD / "bulla.elf")
    subprocess.run(["mdel", "-i", image, "::bulla.elf"], check=True)
    assert_refused(boot_esp(image), "bulla: cannot read \\bulla.elf (Not Found)")


def test_efi_loader_names_a_cut_kernel(tmp_path, cut_kernel):
    assert_refused(boot_esp(make_esp(tmp_path, cut_kernel)), "bulla: the kernel file is cut short")


def test_efi_loader_names_lack_of_memory(tmp_path):
    huge = tmp_path / "huge.elf"
    huge.write_bytes(grow_last_segment(BUILD / "bulla.elf", 1 << 30))
    assert_refused(boot_esp(make_esp(tmp_path, huge)), "bulla: no memory below 4 GiB")


def test_image_that_does_not_fit_at_its_address_boots_elsewhere(tmp_path):
    """OVMF keeps memory at 8 MiB, so an image of 16 MiB has to move."""
    large = tmp_path / "large.elf"
    large.write_bytes(grow_last_segment(BUILD / "bulla.elf", 16 << 20))
    _, serial = boot_esp(make_esp(tmp_path, large))
    assert "bulla: booted by efi" in serial


def test_grub_says_that_the_kernel_is_broken(tmp_path, cut_kernel):
    image = tmp_path / "cd.iso"
    subprocess.run([ROOT / "tools/mkiso", image, cut_kernel, "", ""], check=True)
    assert_refused(boot("-cdrom", image), "bulla: GRUB could not start the kernel")


@pytest.mark.parametrize("tool, nr_args", [("mkiso", 4), ("mkesp", 5)])
def test_image_tools_explain_their_arguments(tool, nr_args):
    for count in (0, nr_args - 1, nr_args + 1):
        done = subprocess.run([ROOT / "tools" / tool] + ["x"] * count, capture_output=True,
                              check=False)
        assert done.returncode != 0
        assert b"usage: tools/" in done.stderr


def test_image_tools_fail_on_missing_files(tmp_path):
    for command in (["mkiso", tmp_path / "i", "/nonexistent", "", ""],
                    ["mkesp", tmp_path / "e", "/nonexistent", "/nonexistent", "", ""]):
        done = subprocess.run([ROOT / "tools" / command[0]] + command[1:], capture_output=True,
                              check=False)
        assert done.returncode != 0
        assert b"/nonexistent" in done.stderr

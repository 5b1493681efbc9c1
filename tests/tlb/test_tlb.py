# SPDX-License-Identifier: MIT
"""The TLB laboratory from its first line to its page: a short run, and what came out of it.

Needs build/lab and build/user, gnuplot, chromium; Debian's Linux if it is here. Run by:
/usr/bin/python3 -m pytest.
"""
import csv
import glob
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from tlb_model import flush_sizes  # noqa: E402

LINUX = sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64")
               + glob.glob(str(ROOT / "build/bench/linux/boot/vmlinuz-*-cloud-amd64")))
CHROMIUM = shutil.which("chromium")
REPS = "3"


def tlb(*arguments):
    return subprocess.run([ROOT / "tools/tlb", *map(str, arguments)], capture_output=True,
                          text=True, timeout=500, check=False)


@pytest.fixture(scope="module", name="lab")
def short_run(tmp_path_factory):
    """The folder of a run with few repetitions."""
    out = tmp_path_factory.mktemp("tlb")
    linux = ["--linux", LINUX[-1]] if LINUX else ["--no-linux"]
    done = tlb("--reps", REPS, "--out", out, *linux)
    assert done.returncode == 0, done.stderr
    return out


def rows_of(folder):
    with open(folder / "rows.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def written_experiments():
    """By the sources."""
    for path in (ROOT / "tests/experiments").rglob("*.c"):
        yield from re.findall(r"^EXPERIMENT\(\s*(\w+),", path.read_text(), re.M)


def test_every_experiment_has_rows_on_every_machine_that_runs_it(lab):
    names = sorted(written_experiments())
    assert len(names) >= 30 and len(names) == len(set(names))
    rows = rows_of(lab)
    for name in names:
        clocks = {row["machine"].split("-")[2] for row in rows if row["experiment"] == name}
        assert clocks >= {"time", "instructions"}, name


def test_a_row_is_ordered_and_says_what_is_missing(lab):
    for row in rows_of(lab):
        if row["n"] == "0":
            assert row["note"] and not row["p50"], row
            continue
        figures = [int(row[name]) for name in ("min", "p50", "p90", "p99", "max")]
        assert figures == sorted(figures), row
        assert row["n"] in (REPS, "1"), row


def test_mechanisms_that_the_cpu_lacks_are_named(lab):
    lacking = {row["series"] for row in rows_of(lab) if row["note"] == "not in this CPU"}
    assert {"invpcid 0", "invpcid 1", "invpcid 2", "invpcid 3", "cr3 no-flush"} <= lacking


def gone_entries(lab, bochs):
    """{way: was the old entry gone after it}; both as text."""
    return {row["series"]: row["p50"] for row in rows_of(lab)
            if row["experiment"] == "stale_entry" and row["n"] != "0"
            and ("-bochs-" in row["machine"]) == bochs}


def test_old_entries_are_there_before_a_flush_and_gone_after_it(lab):
    gone = gone_entries(lab, False)
    assert gone["nothing"] == gone["nothing, global"] == "0"
    assert gone["invlpg"] == gone["invlpg, global"] == gone["cr4.pge, global"] == "1"


@pytest.mark.skipif(not shutil.which("bochs"), reason="bochs is not installed (Debian: bochs)")
def test_a_cpu_with_pcids_keeps_global_entries(lab):
    gone = gone_entries(lab, True)
    assert gone["cr3"] == gone["invpcid 1"] == gone["invpcid 2, global"] == "1"
    assert gone["cr3, global"] == gone["invpcid 1, global"] == gone["invpcid 3, global"] == "0"


def test_lazy_policies_send_no_interrupts_where_others_send_one_for_each_flush(lab):
    sent = {row["note"]: int(row["p50"]) for row in rows_of(lab)
            if row["experiment"] == "policy_replay_interrupts" and "-time-" in row["machine"]}
    assert sent == {"sync": 20, "early": 20, "late": 0, "reuse": 0}


def test_programs_run_on_every_kernel_under_each_policy(lab):
    rows = [row for row in rows_of(lab) if re.match("program_(?!interrupts)", row["experiment"])]
    bulla = {(row["experiment"], row["series"]) for row in rows if row["machine"][:5] == "bulla"}
    assert len(bulla) == 5 * 4
    if LINUX:
        assert {row["experiment"] for row in rows if row["machine"][:5] == "linux"} \
            == {experiment for experiment, _ in bulla}


def test_other_kernels_have_no_byte_of_it():
    for kernel in ("build/bulla.elf", "build/test/bulla.elf"):
        data = (ROOT / kernel).read_bytes()
        assert b"lab|row" not in data and b"lab_start" not in data, kernel
    assert b"lab|row" in (ROOT / "build/lab/bulla.elf").read_bytes()


def test_instructions_are_the_same_on_every_repetition(lab):
    """Of what one CPU does alone, in the kernel."""
    exact = [row for row in rows_of(lab) if row["unit"] == "instructions" and row["n"] != "0"
             and row["experiment"] in ("instruction_cost", "refill_4k", "break_even", "protect")]
    assert exact
    for row in exact:
        assert row["min"] == row["max"] == row["control"], row


def test_flushes_of_a_trace_are_counted_by_their_size():
    """Two in a loop; the root again, which is all; another root, which is none; one alone."""
    trace = ["i 0 1", "a 0 1 1 0", "i 0 2", "l 0 1000", "l 0 1000", "l 0 2000", "i 0 5",
             *["a 0 1 1 0"] * 9]
    assert flush_sizes(trace) == [2, 512, 1]


def test_what_was_published_stands_beside_what_was_traced(lab):
    rows = [row for row in rows_of(lab) if row["experiment"] == "trace_flush_sizes"]
    assert {row["series"] for row in rows} == {"a shell's work", "a compiler, published"}
    assert all(row["p50"] == "1000" for row in rows if row["x"] == "512")


def test_logs_alone_give_the_same_csv(lab, tmp_path):
    """In the order in which they came: as from a machine that was only listened to."""
    logs = sorted(lab.glob("*.log"), key=lambda path: path.stat().st_mtime_ns)
    done = tlb("log", *logs, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("rows.csv", "machines.csv", "experiments.csv"):
        assert (tmp_path / name).read_bytes() == (lab / name).read_bytes()


def test_a_log_from_a_terminal_is_understood(lab, tmp_path):
    """With carriage returns, other lines, and nothing at the beginning or the end."""
    log = next(lab.glob("kernel-time*.log"))
    lines = log.read_text(encoding="latin-1").split("\n")
    (tmp_path / "log").write_text("\r\n".join(["\x1b[2JGRUB", *lines[8:]]), encoding="latin-1")
    assert tlb("log", tmp_path / "log", "--out", tmp_path).returncode == 0
    assert len(rows_of(tmp_path)) > 500


def test_a_stick_with_the_laboratory_boots_by_uefi(tmp_path):
    """As make lab-iso makes it, with one experiment; CPUs as firmware leaves them."""
    iso = tmp_path / "lab.iso"
    subprocess.run([ROOT / "tools/mkiso", iso, ROOT / "build/lab/bulla.elf", "",
                    "lab=walk_depth lab.clock=time lab.reps=3"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    with open(tmp_path / "log", "wb") as log:
        done = subprocess.run(
            ["qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none",
             "-no-reboot", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-smp", "2",
             "-m", "256M", "-bios", "/usr/share/ovmf/OVMF.fd", "-serial", "stdio",
             "-device", "usb-ehci", "-device", "usb-storage,drive=stick",
             "-drive", f"if=none,id=stick,format=raw,file={iso}",
             "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
            stdin=subprocess.DEVNULL, stdout=log, timeout=200, check=False)
    assert done.returncode == 33  # switched off with status 0
    assert tlb("log", "--out", tmp_path, tmp_path / "log").returncode == 0
    assert {row["experiment"] for row in rows_of(tmp_path)} == {"walk_depth"}


def test_a_log_without_rows_is_refused(tmp_path):
    (tmp_path / "log").write_text("bulla: booted by pvh\n")
    done = tlb("log", tmp_path / "log", "--out", tmp_path)
    assert done.returncode == 1
    assert "no row" in done.stderr


def test_plots_come_from_the_csv_byte_for_byte(lab, tmp_path):
    for path in lab.glob("*.csv"):
        shutil.copy(path, tmp_path)
    assert tlb("plot", "--out", tmp_path).returncode == 0
    pictures = [*lab.glob("*.svg"), *lab.glob("*.png"), lab / "index.html"]
    assert len(pictures) > 60
    for path in pictures:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def browse(page):
    """The page as a browser sees it, and what its script complained of."""
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
                           "--enable-logging=stderr", "--dump-dom", page.as_uri()],
                          capture_output=True, text=True, timeout=120, check=False)
    errors = re.findall(r"CONSOLE.*|Uncaught.*", done.stderr)
    return done.stdout, errors


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed (Debian: chromium)")
def test_the_page_shows_every_plot_and_needs_nothing_else(lab):
    dom, errors = browse(lab / "index.html")
    assert not errors
    plots = {path.stem for path in lab.glob("*.svg")}
    assert plots == set(re.findall(r'data-plot="?([\w]+)', dom))
    assert dom.count("<svg") == len(plots)
    names = {row["experiment"] for row in rows_of(lab)}
    assert f'data-ready="{len(names)}"' in dom and len(names) >= 30
    assert names == set(re.findall(r'<section class="experiment" id="(\w+)"', dom))
    assert not re.findall(r'(?:src|href)="?(?!#|http://www.w3.org)[\w./]+', dom)


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed (Debian: chromium)")
def test_a_broken_script_would_be_seen(lab, tmp_path):
    text = (lab / "index.html").read_text(encoding="utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace("document.getElementById", "document.getNoElement"),
                      encoding="utf-8")
    dom, errors = browse(broken)
    assert errors and "data-ready" not in dom.replace('setAttribute("data-ready"', "")

# SPDX-License-Identifier: MIT
"""tools/tlb_model.py - what a processor's TLB would have missed: rows of the model

Room:   tools. Python standard library, gcc, tools/trace; a module for tools/tlb.
Owns:   the workloads that are traced.
Always: (1) every figure is the model's, and says so: clock=model.
Source: tools/tlbmodel/parameters.h.
Tour:   after tools/trace and tools/tlbmodel/shapes_main.c.
"""
import os
import subprocess
import tempfile

from tlb_rows import read_csv

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.join(os.path.dirname(HERE), "build")
SHAPES = [os.path.join(HERE, "tlbmodel", name)
          for name in ("array.c", "model.c", "shapes.c", "shapes_main.c")]
TRACE_SECONDS = 120
# Rows of user/bench.c, with how many operations.
WORKLOADS = (("mprotect_16_touch:500", "mprotect of 16 pages, then touch"),
             ("munmap_512_touched:30", "munmap of 512 touched pages"),
             ("dontneed_16_touch:500", "MADV_DONTNEED of 16 pages, then touch"),
             ("fork_exit_wait:200", "fork, exit and wait"),
             ("fault_cow:1000", "copy on write"))
FIGURES = (("walks", "walks", "What the TLB missed."),
           ("all_cycles", "model cycles", "Accesses and flushes together."))
MEANS = "A model's figures, made of published costs: neither QEMU's nor a CPU's."


SHELL = ["/bin/busybox", "sh", "-c",
         "i=0; while [ $i -lt 20 ]; do ls -lR /bin | sort | md5sum; i=$((i+1)); done"]
SIZES = "trace_flush_sizes"
SIZE_LIMITS = (1, 2, 4, 8, 16, 33, 64, 512)  # the last stands for everything
COMPILER = {1: 569, 4: 886, 33: 986, 512: 1000}  # published: of 1000 flushes, up to so many pages
BURST_GAP = 8  # accesses between two INVLPGs of a loop, as in tlbmodel/replay.c
ROOT_MASK = 0x000ffffffffff000


def flush_sizes(trace):
    """How many pages each flush of a trace forgot; 512: all of them, by the root loaded again."""
    sizes, run, gap, roots = [], 0, 0, {}
    for line in trace:
        fields = line.split()
        gap += fields[0] == "a"
        if fields[0] == "i":
            run, gap = run + 1, 0
        elif run and (fields[0] != "a" or gap > BURST_GAP):
            sizes.append(run)
            run = 0
        if fields[0] == "l":
            root = int(fields[2], 16) & ROOT_MASK
            sizes += [SIZE_LIMITS[-1]] if roots.get(fields[1]) == root else []
            roots[fields[1]] = root
    return sizes


def sizes_lines(series, shares):
    """@shares: {limit: of 1000 flushes}."""
    return [f"lab|experiment|{SIZES}|Sizes of flushes: a shell's work, and a compiler's|"
            "pages of a flush, at most|of 1000 flushes",
            f"lab|means|{SIZES}|bare|Counts of what the kernel asked for: the same on any CPU.",
            f"lab|means|{SIZES}|virt|The same.", f"lab|means|{SIZES}|emulated|The same.",
            *(f"lab|row|{SIZES}|{series}|{limit}|1|" + "|".join([str(share)] * 5) + "|||"
              for limit, share in shares.items())]


def shell_lines(kernel):
    """The distribution in a trace of a shell's work."""
    with tempfile.TemporaryDirectory(prefix="bulla-tlb-") as folder:
        path = os.path.join(folder, "trace")
        trace(kernel, ["--keep", path], SHELL)
        with open(path, encoding="ascii") as file:
            sizes = flush_sizes(line for line in file if not line.startswith("#"))
    shares = {limit: round(1000 * sum(size <= limit for size in sizes) / len(sizes))
              for limit in SIZE_LIMITS}
    return sizes_lines("a shell's work", shares)


def shapes_log():
    """The model beside what was published."""
    program = os.path.join(BUILD, "tlbshapes")
    subprocess.run(["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", *SHAPES, "-o",
                    program], check=True)
    done = subprocess.run([program], check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout + "\n".join(sizes_lines("a compiler, published", COMPILER))


def trace(kernel, options, program):
    """One run of tools/trace; kernel None: Bulla."""
    command = [os.path.join(HERE, "trace"), *options, *(["--kernel", kernel] if kernel else []),
               *program]
    subprocess.run(["timeout", str(TRACE_SECONDS), *command], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def trace_rows(workload, kernel):
    """By policy."""
    with tempfile.TemporaryDirectory(prefix="bulla-tlb-") as folder:
        path = os.path.join(folder, "rows.csv")
        trace(kernel, ["--csv", path], [os.path.join(BUILD, "user", "bench"), workload])
        return read_csv(path)


def trace_log(kernel_name, kernel):
    """The traces of one kernel, as lines of the laboratory."""
    lines = [f"lab|machine|kernel|{kernel_name}", "lab|machine|clock|model", "lab|machine|cpus|1",
             "lab|machine|cpu|a model of a TLB"]
    for workload, title in WORKLOADS:
        rows = trace_rows(workload, kernel)
        for column, unit, means in FIGURES:
            name = f"trace_{workload.split(':')[0]}_{column}"
            lines += [f"lab|experiment|{name}|A trace in the model: {title}|policy|{unit}",
                      f"lab|means|{name}|bare|{means} No CPU was measured.",
                      f"lab|means|{name}|virt|No machine was measured.",
                      f"lab|means|{name}|emulated|{MEANS}"]
            lines += [f"lab|row|{name}|{row['policy']}|0|1|" + "|".join([row[column]] * 5)
                      + "|||" for row in rows]
    return "\n".join(lines + shell_lines(kernel))


def model_logs(linux, say):
    """(title, text) of each."""
    say("model: published shapes")
    yield "model", shapes_log()
    for name, kernel in (("Bulla", None), ("Linux", linux)):
        if name == "Bulla" or kernel:
            say(f"model: {len(WORKLOADS)} traces of {name}")
            yield f"model traces {name}", trace_log(name, kernel)

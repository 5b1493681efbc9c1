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
WORKLOADS = (("mprotect_16_touch:50", "mprotect of 16 pages, then touch"),
             ("munmap_512_touched:2", "munmap of 512 touched pages"),
             ("dontneed_16_touch:50", "MADV_DONTNEED of 16 pages, then touch"),
             ("fork_exit_wait:10", "fork, exit and wait"),
             ("fault_cow:100", "copy on write"))
FIGURES = (("walks", "walks", "What the TLB missed."),
           ("all_cycles", "model cycles", "Accesses and flushes together."))
MEANS = "A model's figures, made of published costs: neither QEMU's nor a CPU's."


def shapes_log():
    """The model beside what was published."""
    program = os.path.join(BUILD, "tlbshapes")
    subprocess.run(["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", *SHAPES, "-o",
                    program], check=True)
    return subprocess.run([program], check=True, text=True, stdout=subprocess.PIPE).stdout


def trace_rows(workload, kernel):
    """By policy; kernel None: Bulla."""
    with tempfile.TemporaryDirectory(prefix="bulla-tlb-") as folder:
        path = os.path.join(folder, "rows.csv")
        command = [os.path.join(HERE, "trace"), "--csv", path,
                   *(["--kernel", kernel] if kernel else []),
                   os.path.join(BUILD, "user", "bench"), workload]
        subprocess.run(["timeout", str(TRACE_SECONDS), *command], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return read_csv(path)


def trace_log(kernel_name, kernel):
    """The traces of one kernel, as lines of the laboratory."""
    lines = [f"lab|machine|kernel|{kernel_name}", "lab|machine|clock|model", "lab|machine|cpus|1",
             "lab|machine|cpu|a model of a TLB (skylake)"]
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
    return "\n".join(lines)


def model_logs(linux, say):
    """(title, text) of each."""
    say("model: published shapes")
    yield "model", shapes_log()
    for name, kernel in (("Bulla", None), ("Linux", linux)):
        if name == "Bulla" or kernel:
            say(f"model: {len(WORKLOADS)} traces of {name}")
            yield f"model traces {name}", trace_log(name, kernel)

# SPDX-License-Identifier: MIT
"""tests/lint/test_lint.py - each rule of tools/lint goes red on a planted violation

Room:   tests.
Always: (1) the small tree is clean before the violation is planted, so the rule alone is seen;
        (2) every rule that tools/lint lists has at least one case here.
Usage:  pytest-3 tests/lint
"""
import os
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
LINT = os.path.join(ROOT, "tools", "lint")


def head(path, sign=" *"):
    return "\n".join(f"{sign} {line}".rstrip() for line in [
        f"{path} - a small example", "",
        "Room:   here.", "Owns:   nothing.", "Locks:  none.", "Always: (1) it is clean.",
        "Source: -", "Tour:   alone."])


def c_file(path, body=""):
    return f"/* SPDX-License-Identifier: MIT */\n/*\n{head(path)}\n */\n{body}"


def header(path, body=""):
    return c_file(path, f"#pragma once\n{body}")


def asm_file(path, body):
    return f"; SPDX-License-Identifier: MIT\n;\n{head(path, ';')}\n\n{body}"


LABEL = ("; Entry:    anything\n; Exit:     returns\n; Clobbers: -\n"
         "global here\nhere:\n        ret\n")

CLEAN = {
    "include/uapi/errno.h": header("include/uapi/errno.h", "\n#define EPERM 1\n"),
    "include/lib/list.h": header("include/lib/list.h", "\n#include <stddef.h>\n"),
    "include/base/log.h": header("include/base/log.h"),
    "include/boot_info.h": header("include/boot_info.h"),
    "include/mm/page.h": header("include/mm/page.h", "\n#include <lib/list.h>\n"),
    "include/mm/mm.h": header("include/mm/mm.h"),
    "arch/x86_64/include/asm/pte.h": header("asm/pte.h", "\n#define PTE_W 2\n"),
    "arch/x86_64/private.h": header("arch/x86_64/private.h"),
    "arch/x86_64/tlb.c": c_file("arch/x86_64/tlb.c",
                                '#include "private.h"\n#include <mm/page.h>\n'),
    "arch/x86_64/entry.asm": asm_file("arch/x86_64/entry.asm", LABEL),
    "mm/internal.h": header("mm/internal.h"),
    "mm/page.c": c_file("mm/page.c", "#include <asm/pte.h>\n#include <uapi/errno.h>\n"),
    "kernel/main.c": c_file("kernel/main.c", "#include <boot_info.h>\n#include <mm/mm.h>\n"),
    "lib/list.c": c_file("lib/list.c", "#include <lib/list.h>\n"),
    "boot/pvh.c": c_file("boot/pvh.c", "#include <boot_info.h>\n"),
    "user/hello.c": "#include <stdio.h>\n#include <uapi/errno.h>\n",
    "tests/kernel/test_page.c": c_file("tests/kernel/test_page.c",
                                       "#include <mm/internal.h>\n"),
    "tools/run": "#!/usr/bin/python3\nimport os\n",
    "tools/build.sh": "#!/bin/bash\nset -eu\n",
}

# (rule, file, what is appended to it or, if it is new, what it is, what the message contains)
PLANTED = [
    ("layer", "lib/list.c", "#include <mm/page.h>\n", "lib must not include include/mm/page.h"),
    ("layer", "lib/list.c", "#include <asm/pte.h>\n", "lib must not include"),
    ("layer", "include/uapi/errno.h", "#include <lib/list.h>\n", "uapi must not include"),
    ("layer", "arch/x86_64/tlb.c", "#include <mm/mm.h>\n", "arch must not include"),
    ("layer", "mm/page.c", '#include "../arch/x86_64/private.h"\n', "mm must not include"),
    ("layer", "mm/page.c", "#include <boot_info.h>\n", "mm must not include"),
    ("layer", "kernel/main.c", "#include <mm/internal.h>\n", "must not include mm/internal.h"),
    ("layer", "kernel/main.c", "#include <arch/x86_64/private.h>\n", "kernel must not include"),
    ("layer", "boot/pvh.c", "#include <base/log.h>\n", "boot must not include"),
    ("layer", "user/hello.c", "#include <lib/list.h>\n", "user must not include"),
    ("layer", "tests/user/a.c", "#include <mm/page.h>\n", "user must not include"),
    ("layer", "mm/page.c", "#include <stdio.h>\n", "neither ours nor freestanding"),
    ("cycle", "include/lib/list.h", "#include <lib/other.h>\n", "includes itself"),
    ("word", "mm/page.c", "int a = PTE_W;\n", "a page-table bit: PTE_W"),
    ("word", "kernel/main.c", "int a = PTE_NX;\n", "a page-table bit"),
    ("word", "mm/page.c", "int a = MSR_EFER;\n", "a model-specific register"),
    ("word", "mm/page.c", "struct task *t = current;\n", "who is running"),
    ("word", "mm/page.c", "int f(struct file *file);\n", "a descriptor"),
    ("word", "mm/page.c", "int f(int fd);\n", "a descriptor"),
    ("word", "mm/page.c", "int a = SYS_mmap;\n", "a system call number"),
    ("word", "mm/page.c", '__asm__("nop");\n', "an instruction"),
    ("word", "mm/page.c", "#ifdef __x86_64__\n#endif\n", "a choice of architecture"),
    ("word", "kernel/main.c", "#if defined(__x86_64__)\n#endif\n", "a choice of architecture"),
    ("word", "lib/list.c", "void f(void) { spin_lock(0); }\n", "a lock"),
    ("word", "include/uapi/errno.h", "phys_addr_t a;\n", "a type of ours"),
    ("head", "mm/new.c", "int a;\n", "does not open with"),
    ("head", "mm/new.c", c_file("mm/new.c").replace(" * Locks:  none.\n", ""), "lacks Locks"),
    ("head", "mm/new.c", c_file("mm/old.c"), "does not start with 'mm/new.c - "),
    ("head", "mm/new.c", c_file("mm/new.c").replace(" * Source:", " * more\n" * 12 + " * Source:"),
     "14 are the limit"),
    ("head", "arch/x86_64/new.asm", "bits 64\n", "does not open with"),
    ("label", "arch/x86_64/entry.asm", "global there\nthere:\n        ret\n", "lacks Entry:"),
    ("kinds", "mm/page.c", "int f(pte_t pte)\n{\n    switch (pte_kind(pte, 1)) {\n"
     "    case PTE_KIND_NONE:\n        return 0;\n    default:\n        return 1;\n    }\n}\n",
     "name the kinds"),
    ("once", "include/mm/new.h", c_file("include/mm/new.h"), "no #pragma once"),
    ("unfinished", "mm/page.c", "/* TODO */\n", "TODO"),
    ("unfinished", "tools/run", "# FIXME later\n", "FIXME"),
    ("path", "tools/run", "A = '/home/somebody/bulla'\n", "/home/somebody"),
    ("path", "mm/page.c", "/* see /" "work/main/x */\n", "/" "work/"),
    ("width", "tools/run", f"A = '{'x' * 100}'\n", "106 columns"),
    ("width", "arch/x86_64/entry.asm", "        nop \n", "blanks at the end"),
    ("python", "tools/run", "import numpy\n", "imports numpy"),
    ("format", "mm/page.c", "int   a;\n", "clang-format would change"),
    ("shell", "tools/build.sh", "rm -r $1/x\n", "SC2086"),
]


def lint(root):
    done = subprocess.run([LINT, "--root", str(root)], stdout=subprocess.PIPE, check=False,
                          text=True)
    return done.returncode, done.stdout.splitlines()


@pytest.fixture(name="tree")
def small_clean_tree(tmp_path):
    shutil.copy(os.path.join(ROOT, ".clang-format"), tmp_path)
    for path, text in CLEAN.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_clean_tree_has_no_findings(tree):
    assert lint(tree) == (0, [])


@pytest.mark.parametrize("rule,path,text,message", PLANTED)
def test_planted_violation_is_found(tree, rule, path, text, message):
    if rule == "shell" and shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    if rule == "cycle":
        (tree / "include/lib/other.h").write_text(
            header("include/lib/other.h", "\n#include <lib/list.h>\n"))
    target = tree / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "a", encoding="utf-8") as file:
        file.write(text)
    status, lines = lint(tree)
    assert status == 1
    assert any(line.startswith(f"{path}:") and f": {rule}: " in line and message in line
               for line in lines), lines


def test_words_in_comments_and_strings_are_no_violation(tree):
    with open(tree / "mm/page.c", "a", encoding="utf-8") as file:
        file.write('/* PTE_W and current, an fd */\nconst char *text = "PTE_W current";\n')
    assert lint(tree) == (0, [])


def test_every_rule_has_a_case():
    listed = subprocess.run([LINT, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert {line.split(":")[0] for line in listed.splitlines()} == {case[0] for case in PLANTED}

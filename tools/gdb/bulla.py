# SPDX-License-Identifier: MIT
"""
tools/gdb/bulla.py - gdb commands that show Bulla's memory: walk, vmas, alloc, page

Room:   tools. For gdb with Python, attached to QEMU's gdb server (tools/run --gdb, make gdb).
Owns:   nothing; it only reads.
Always: (1) page tables are read by physical address, through QEMU: it works before the kernel
            has tables of its own, and when they are broken;
        (2) structures are read by their types in the debug information, never by offset.
Source: Intel SDM 3A, "4-Level Paging"; gdb manual, "Python API".
Tour:   with include/mm/page.h, include/mm/mm.h, arch/x86_64/include/asm/pte_bits.h.
"""
import re

import gdb

PAGE_ARRAY_BASE = 0xFFFFEA0000000000  # asm/memory_layout.h
LEVELS = {4: "512G", 3: "1G", 2: "2M", 1: "4K"}
FRAME = 0x000FFFFFFFFFF000
PRESENT, LARGE, SOFT_PROTNONE = 1 << 0, 1 << 7, 1 << 9
# (bit, letter): upper case when set, as in Bochs' "page"
LETTERS = ((63, "x"), (8, "g"), (6, "d"), (5, "a"), (4, "c"), (3, "t"), (2, "u"), (1, "w"),
           (0, "p"))
# enum vm_flags
VM_READ, VM_WRITE, VM_EXEC, VM_SHARED = 1, 2, 4, 8


def read_phys(address):
    """The 8 bytes at a physical address."""
    text = gdb.execute(f"monitor xp /1gx {address:#x}", to_string=True)
    match = re.search(r": 0x([0-9a-f]+)", text)
    if not match:
        raise gdb.GdbError(f"no memory at physical address {address:#x}")
    return int(match.group(1), 16)


def value_of(text):
    """An unsigned 64-bit number from an expression."""
    return int(gdb.parse_and_eval(text).cast(gdb.lookup_type("unsigned long"))) & (2**64 - 1)


def walk(va, root):
    """Yields (level, physical address of the entry, entry), down to where the CPU stops."""
    table = root & FRAME
    for level in (4, 3, 2, 1):
        slot = table + ((va >> (12 + 9 * (level - 1))) & 511) * 8
        entry = read_phys(slot)
        yield level, slot, entry
        if not entry & PRESENT or level == 1 or (level < 4 and entry & LARGE):
            return
        table = entry & FRAME


def flags_of(entry):
    """x: not executable. Lower case: the bit is clear."""
    return "".join(letter.upper() if entry >> bit & 1 else letter for bit, letter in LETTERS)


class Walk(gdb.Command):
    """walk VA [ROOT]: how the CPU translates an address, level by level.

    ROOT is the physical address of a root table; default: what CR3 of the selected CPU holds.
    Flags, upper case when set: X not executable, G global, D dirty, A accessed, C uncached,
    T write-through, U user, W writable, P present.
    """

    def __init__(self):
        super().__init__("walk", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) not in (1, 2):
            raise gdb.GdbError("usage: walk VA [ROOT]")
        va = value_of(words[0])
        root = value_of(words[1] if len(words) == 2 else "$cr3")
        print(f"{va:#018x}, root {root & FRAME:#x}")
        level = entry = 0
        for level, slot, entry in walk(va, root):
            leaf = "" if level > 1 and not (level < 4 and entry & LARGE) else "  leaf"
            print(f"  {LEVELS[level]:>4}  at {slot:#014x}  {entry:#018x}  {flags_of(entry)}"
                  f"{leaf if entry & PRESENT else '  not present'}")
        if not entry & PRESENT:
            frame = ~entry & FRAME if entry & SOFT_PROTNONE else 0
            print(f"  no rights; frame {frame:#x} is kept" if frame else "  not mapped")
            return
        size = 1 << (12 + 9 * (level - 1))
        print(f"  physical {(entry & FRAME & ~(size - 1)) | (va & (size - 1)):#x}")


def rb_nodes(node):
    """The nodes of a red-black tree, in order."""
    if int(node):
        yield from rb_nodes(node["left"])
        yield node
        yield from rb_nodes(node["right"])


def container(pointer, type_name, member):
    """The struct that a member's address lies in."""
    struct = gdb.lookup_type(type_name)
    offset = next(f.bitpos // 8 for f in struct.fields() if f.name == member)
    return gdb.Value(int(pointer) - offset).cast(struct.pointer()).dereference()


def loaded_mm():
    """The address space that the selected CPU has loaded; None: the kernel's own."""
    cpu = gdb.parse_and_eval("cpus")[gdb.selected_thread().num - 1]
    if int(cpu["pgt"]) in (0, int(gdb.parse_and_eval("&kernel_pgtable"))):
        return None
    return container(cpu["pgt"], "struct mm", "pgtable")


class Vmas(gdb.Command):
    """vmas [MM]: the areas of an address space, as /proc/PID/maps shows them.

    MM is an expression for a struct mm *; default: what the selected CPU has loaded.
    """

    def __init__(self):
        super().__init__("vmas", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        mm = gdb.parse_and_eval(argument).dereference() if argument else loaded_mm()
        if mm is None:
            print("the CPU has no user address space loaded")
            return
        for node in rb_nodes(mm["vmas"]["node"]):
            vma = container(node, "struct vma", "node")
            flags = int(vma["flags"])
            rights = "".join(letter if flags & bit else "-" for bit, letter in
                             ((VM_READ, "r"), (VM_WRITE, "w"), (VM_EXEC, "x")))
            what = f"object {int(vma['object']):#x}" if int(vma["object"]) else "anonymous"
            print(f"{int(vma['start']):016x}-{int(vma['end']):016x} "
                  f"{rights}{'s' if flags & VM_SHARED else 'p'} "
                  f"{int(vma['pgoff']):08x} flags {flags:#x} {what}")
        print(f"{int(mm['nr_vmas'])} areas, {int(mm['total_pages'])} pages")


def page_states():
    """The names of enum page_state, by number."""
    names = gdb.parse_and_eval("page_state_names")
    return [names[i].string() for i in range(names.type.range()[1] + 1)]


class Alloc(gdb.Command):
    """alloc: frames by state, free blocks by order, frames on each CPU's list, slab caches."""

    def __init__(self):
        super().__init__("alloc", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        counts = gdb.parse_and_eval("cpu_counts")
        cpus = range(counts.type.range()[1] + 1)
        print("frames by state:")
        for state, name in enumerate(page_states()):
            frames = sum(int(counts[cpu]["frames"][state]) for cpu in cpus)
            if frames:
                print(f"  {name:<10} {frames:>10}  {frames * 4:>12} KiB")
        free = gdb.parse_and_eval("zone.free")
        orders = range(free.type.range()[1] + 1)
        print("free blocks by order: ", " ".join(f"{i}:{int(free[i]['nr'])}" for i in orders))
        lists = gdb.parse_and_eval("cpu_pages")
        held = {cpu: int(lists[cpu]["nr"]) for cpu in cpus}
        print("frames on CPU lists:  ",
              " ".join(f"{cpu}:{nr}" for cpu, nr in held.items() if nr) or "none")
        self.caches()

    @staticmethod
    def caches():
        print("slab caches:            size  slabs  objects taken")
        for i in range(int(gdb.parse_and_eval("nr_caches"))):
            cache = gdb.parse_and_eval("caches")[i]
            print(f"  {cache['name'].string():<20} {int(cache['size']):>5}  "
                  f"{int(cache['nr_slabs']):>5}  {int(cache['nr_taken']):>13}")


class Page(gdb.Command):
    """page PFN: what the descriptor of a frame says. A frame nobody touched yet shows as a hole."""

    def __init__(self):
        super().__init__("page", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("usage: page PFN")
        pfn = value_of(argument)
        array = gdb.Value(PAGE_ARRAY_BASE).cast(gdb.lookup_type("struct page").pointer())
        page = array[pfn]
        state = page_states()[int(page["state"])]
        print(f"frame {pfn:#x} at {pfn << 12:#x}: {state}, order {int(page['order'])}, "
              f"{int(page['refcount'])} references, {int(page['mapcount'])} leaves, "
              f"flags {int(page['flags']):#x}")


for command in (Walk, Vmas, Alloc, Page):
    command()

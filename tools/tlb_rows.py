# SPDX-License-Identifier: MIT
"""tools/tlb_rows.py - the laboratory's lines, as a log has them and as CSV

Room:   tools. Python standard library; a module for tools/tlb.
Owns:   the schema: docs/tlb-lab.md.
Always: (1) a log and the CSV made of it say the same; (2) of two rows for one figure the later
            counts: an experiment may be run twice;
        (3) what was measured where is a key: each row has its machine's.
Tour:   before tools/tlb; tests/experiments/kit.c and tests/experiments/user/kit.c print the lines.
"""
import csv
import os
import re

MARK = re.compile(r"lab\|(machine|experiment|means|row)\|(.*)")
FIGURES = ("n", "min", "p50", "p90", "p99", "max", "control", "empty")
COLUMNS = ("machine", "experiment", "series", "x", "unit", *FIGURES, "note")
EXPERIMENT_COLUMNS = ("experiment", "title", "x_axis", "unit", "bare", "virt", "emulated")
EMULATORS = ("TCGTCGTCGTCG", "Bochs")


class Results:
    """Machines {key: [(name, value)]}, experiments {name: {column: text}}, rows of columns."""

    def __init__(self):
        self.machines, self.experiments, self._rows = {}, {}, {}

    @property
    def rows(self):
        return list(self._rows.values())

    def facts(self, row):
        """Those of the row's machine."""
        return dict(self.machines.get(row["machine"], []))

    def by_experiment(self):
        """{name: rows}, in the order in which they were measured."""
        found = {}
        for row in self.rows:
            found.setdefault(row["experiment"], []).append(row)
        return found

    def add_row(self, row):
        self._rows[row["machine"], row["experiment"], row["series"], row["x"]] = row

    def add_log(self, text):
        """Lines of one machine; anything else in the text is passed over. Returns how many rows."""
        facts, rows = [], []
        for line in text.replace("\r", "").split("\n"):
            match = MARK.search(line)
            if not match:
                continue
            fields = match[2].split("|")
            if match[1] == "machine" and tuple(fields) not in facts:
                facts.append(tuple(fields))
            elif match[1] == "experiment":
                self.experiments.setdefault(fields[0], {}).update(
                    zip(EXPERIMENT_COLUMNS, fields))
            elif match[1] == "means":
                self.experiments.setdefault(fields[0], {})[fields[1]] = fields[2]
            elif match[1] == "row" and len(fields) == len(COLUMNS) - 2:
                rows.append(fields)
        key = machine_key(dict(facts))
        known = self.machines.setdefault(key, [])
        known += [fact for fact in facts if fact not in known]
        for fields in rows:
            self._add_fields(key, dict(facts), fields)
        return len(rows)

    def _add_fields(self, key, facts, fields):
        unit = self.experiments.get(fields[0], {}).get("unit", "ticks")
        if unit == "ticks" and facts.get("clock") == "instructions":
            unit = "instructions"
        self.add_row(dict(zip(COLUMNS, [key, *fields[:3], unit, *fields[3:]])))

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        write_csv(os.path.join(folder, "rows.csv"), COLUMNS,
                  [[row[name] for name in COLUMNS] for row in self.rows])
        write_csv(os.path.join(folder, "machines.csv"), ("machine", "fact", "value"),
                  [[key, *fact] for key, facts in self.machines.items() for fact in facts])
        write_csv(os.path.join(folder, "experiments.csv"), EXPERIMENT_COLUMNS,
                  [[experiment.get(name, "") for name in EXPERIMENT_COLUMNS]
                   for experiment in self.experiments.values()])

    def read(self, folder):
        for row in read_csv(os.path.join(folder, "experiments.csv")):
            self.experiments[row["experiment"]] = row
        for row in read_csv(os.path.join(folder, "machines.csv")):
            self.machines.setdefault(row["machine"], []).append((row["fact"], row["value"]))
        for row in read_csv(os.path.join(folder, "rows.csv")):
            self.add_row(row)
        return self


def write_csv(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def machine_key(facts):
    """Short, and the same for the same kind of machine."""
    where = {"emulated": "emulated", "virt": "virtual", "bare": "hardware"}[validity(facts)]
    words = [facts.get("kernel", "unknown").split(" ")[0], where,
             facts.get("clock", "unknown"), facts.get("cpus", "?") + "cpu"]
    if where != "emulated":
        words.append(re.sub(r"\W+", "-", facts.get("cpu", "unknown")))
    return "-".join(words).lower()


def validity(facts):
    """What its figures mean: "emulated", "virt" or "bare"."""
    hypervisor = facts.get("hypervisor", "none")
    if hypervisor in EMULATORS or facts.get("clock") in ("instructions", "bochs", "model"):
        return "emulated"
    return "bare" if hypervisor == "none" else "virt"


def verdict(facts):
    """One line for a plot: where it was measured, and what that is worth."""
    what = {"emulated": "QEMU's cost, not a CPU's", "virt": "hardware, below a hypervisor",
            "bare": "hardware"}[validity(facts)]
    if facts.get("clock") == "instructions":
        what = "instructions of the guest, exact; misses and flushes cost nothing here"
    elif facts.get("clock") == "model":
        what = "its figures, made of published costs: neither QEMU's nor a CPU's"
    elif facts.get("clock") == "bochs":
        what = "Bochs' cost, not a CPU's"
    return f"{facts.get('cpu', 'unknown CPU')}, {facts.get('cpus', '?')} CPU: {what}"

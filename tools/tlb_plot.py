# SPDX-License-Identifier: MIT
"""tools/tlb_plot.py - the laboratory's plots, by gnuplot, from CSV alone

Room:   tools. Python standard library, gnuplot; a module for tools/tlb.
Owns:   build/tlb/*.svg and *.png.
Always: (1) the same CSV gives the same bytes;
        (2) each plot says where it was measured and what that is worth.
Tour:   after tools/tlb_rows.py.
"""
import os
import re
import subprocess

from tlb_rows import verdict

COLOURS = ("#c0392b", "#2471a3", "#1e8449", "#9a7d0a", "#7d3c98", "#ba4a00", "#117864", "#566573",
           "#d98880", "#7fb3d5", "#7dcea0", "#f0b27a")


class Plot:
    """One picture: lines {title: [(x, p50, min, p90)]} in the order they came."""

    def __init__(self, name, title, x_axis, unit, where):
        self.name, self.title, self.x_axis, self.unit, self.where = name, title, x_axis, unit, where
        self.lines = {}

    def add(self, line, x, p50, low, high):
        self.lines.setdefault(line, []).append((x, p50, low, high))

    def _points(self):
        return [point for line in self.lines.values() for point in line]

    def _x_positions(self):
        """Where each x is drawn: in order of size, one beside the other."""
        return {x: i for i, x in enumerate(sorted({point[0] for point in self._points()}))}

    def _head(self):
        values = [figure for point in self._points() for figure in point[1:] if figure > 0]
        head = [f"set title {quoted(self.title)} . \"\\n\" . {quoted(self.where)}",
                f"set ylabel {quoted(self.unit)}", "set grid",
                "set key outside right top Left reverse",
                "set bmargin 5"]
        if values and max(values) / min(values) >= 30:
            return [*head, "set logscale y", f"set yrange [{max(min(values) / 2, 0.5)}:*]"]
        return [*head, "set yrange [0:*]" if values else "set yrange [0:1]"]

    def _bars(self):
        """All at one x: a bar for each line."""
        rows = [f"{i} {p50} {low} {high} {quoted(line)}"
                for i, (line, ((_, p50, low, high), *_)) in enumerate(self.lines.items())]
        head = [f"set xrange [-0.6:{len(rows) - 0.4}]", "set xtics rotate by -35", "unset key",
                "set style fill solid 0.6", "set boxwidth 0.6", "set bmargin 9"]
        return head, [rows], [f"$d0 using 1:2:xtic(5) with boxes lc rgb '{COLOURS[1]}' notitle",
                              "$d0 using 1:2:3:4 with yerrorbars lc rgb '#333333' pt 0 notitle"]

    def _curves(self):
        positions = self._x_positions()
        tics = ", ".join(f"'{x}' {i}" for x, i in positions.items())
        head = [f"set xlabel {quoted(self.x_axis)}", f"set xtics ({tics})",
                f"set xrange [-0.3:{len(positions) - 0.7}]"]
        data = [[f"{positions[x]} {p50} {low} {high}" for x, p50, low, high in sorted(points)]
                for points in self.lines.values()]
        return head, data, [
            f"$d{i} using 1:2:3:4 with yerrorlines pt {4 + i % 10} ps 0.7 lw 1.5 "
            f"lc rgb '{COLOURS[i % len(COLOURS)]}' title {quoted(line)}"
            for i, line in enumerate(self.lines)]

    def script(self, folder):
        head, data, plots = self._bars() if len(self._x_positions()) == 1 else self._curves()
        blocks = [f"$d{i} << EOD\n" + "\n".join(rows) + "\nEOD" for i, rows in enumerate(data)]
        text = "\n".join(["reset", *blocks, *self._head(), *head]) + "\n"
        for terminal, suffix in ((f"svg noenhanced size 900,480 font 'sans,12' name '{self.name}_' "
                                  "background '#ffffff'", "svg"),
                                 ("pngcairo noenhanced size 900,480 font 'sans,10'", "png")):
            path = os.path.join(folder, f"{self.name}.{suffix}")
            text += f"set terminal {terminal}\nset output {quoted(path)}\n" \
                    f"plot {', '.join(plots)}\nunset output\n"
        return text


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', "'") + '"'


def place_of(facts):
    """Figures of one place may stand in one plot: the kernels of one machine, by one clock."""
    return tuple(facts.get(name, "") for name in ("clock", "hypervisor", "cpu", "cpus"))


def plot_name(experiment, clock, taken):
    """As experiment_clock; the second place of that clock gets a number."""
    name = f"{experiment}_{clock}"
    number = sum(1 for other in taken if other == name or re.fullmatch(name + r"_\d+", other))
    return f"{name}_{number + 1}" if number else name


def plots_of(results):
    """One for each experiment and place: {(experiment, place): Plot}."""
    plots = {}
    kernels = {name: len({results.facts(row).get("kernel") for row in rows})
               for name, rows in results.by_experiment().items()}
    for row in results.rows:
        if not row["p50"]:
            continue
        name, facts = row["experiment"], results.facts(row)
        key = (name, place_of(facts))
        if key not in plots:
            experiment = results.experiments.get(name, {})
            plots[key] = Plot(plot_name(name, facts.get("clock", "unknown"),
                                        [plot.name for plot in plots.values()]),
                              experiment.get("title", name), experiment.get("x_axis", "x"),
                              f"{row['unit']}, p50 (min to p90)", verdict(facts))
        line = row["series"]
        if kernels[name] > 1:
            line = f"{facts.get('kernel', '').split(' ')[0]}: {line}"
        plots[key].add(line, int(row["x"]), int(row["p50"]), int(row["min"]), int(row["p90"]))
    return plots


def draw(plots, folder):
    script = "".join(plot.script(folder) for plot in plots)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)

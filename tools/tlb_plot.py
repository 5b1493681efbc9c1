# SPDX-License-Identifier: MIT
"""tools/tlb_plot.py - the laboratory's plots, by gnuplot, from CSV alone

Room:   tools. Python standard library, gnuplot; a module for tools/tlb.
Owns:   build/tlb/*.svg and *.png.
Always: (1) the same CSV gives the same bytes; (2) each plot says where it was measured and what that
            is worth.
Tour:   after tools/tlb_rows.py.
"""
import os
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

    def _is_categories(self):
        return len({point[0] for point in self._points()}) == 1

    def _wants_log(self, values):
        values = [value for value in values if value > 0]
        return bool(values) and max(values) / min(values) >= 30

    def _shift(self):
        """0 has no logarithm: it is drawn where there is room for it, and its label says 0."""
        return 0.5

    def _head(self):
        points = self._points()
        head = [f"set title {quoted(self.title)} . \"\\n\" . {quoted(self.where)}",
                f"set ylabel {quoted(self.unit)}", "set grid", "set key outside right top Left reverse",
                "unset logscale", "unset xtics", "set xtics", "unset xlabel"]
        if self._wants_log([point[1] for point in points]):
            head.append("set logscale y")
        else:
            head.append("set yrange [0:*]")
        return head

    def script(self, folder):
        head = self._head()
        data, plots = [], []
        if self._is_categories():
            rows = [f"{i} {value(p50)} {value(low)} {value(high)} {quoted(line)}"
                    for i, (line, ((_, p50, low, high), *_)) in enumerate(self.lines.items())]
            data.append("$d0 << EOD\n" + "\n".join(rows) + "\nEOD")
            head += [f"set xrange [-0.6:{len(rows) - 0.4}]", "set xtics rotate by -35",
                     "unset key", "set style fill solid 0.6", "set boxwidth 0.6"]
            plots.append(f"$d0 using 1:2:xtic(5) with boxes lc rgb '{COLOURS[1]}' notitle")
            plots.append("$d0 using 1:2:3:4 with yerrorbars lc rgb '#333333' pt 0 notitle")
        else:
            head.append(f"set xlabel {quoted(self.x_axis)}")
            xs = [point[0] for point in self._points()]
            positive = [x for x in xs if x > 0]
            if max(positive) / min(positive) >= 16 and min(xs) > 0:
                head.append("set logscale x 2")
            for i, (line, points) in enumerate(self.lines.items()):
                rows = [f"{x} {value(p50)} {value(low)} {value(high)}"
                        for x, p50, low, high in sorted(points)]
                data.append(f"$d{i} << EOD\n" + "\n".join(rows) + "\nEOD")
                plots.append(f"$d{i} using 1:2:3:4 with yerrorlines pt {4 + i % 10} ps 0.6 "
                             f"lc rgb '{COLOURS[i % len(COLOURS)]}' title {quoted(line)}")
        text = "reset\n" + "\n".join(data + head) + "\n"
        for terminal, suffix in (("svg noenhanced size 900,480 font 'sans,12' "
                                  f"name '{self.name}_' background '#ffffff'", "svg"),
                                 ("pngcairo noenhanced size 900,480 font 'sans,10'", "png")):
            path = os.path.join(folder, f"{self.name}.{suffix}")
            text += f"set terminal {terminal}\nset output {quoted(path)}\nplot " \
                    + ", ".join(plots) + "\nunset output\n"
        return text


def value(figure):
    """A logarithmic axis has no 0."""
    return max(figure, 0.5)


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', "'") + '"'


def plots_of(results):
    """One for each experiment and unit: machines of one clock side by side. {(experiment, unit)}."""
    plots = {}
    for row in results.rows:
        if not row["p50"]:
            continue
        facts = dict(results.machines.get(row["machine"], []))
        key = (row["experiment"], row["unit"])
        if key not in plots:
            experiment = results.experiments.get(row["experiment"], {})
            plots[key] = Plot(f"{row['experiment']}_{row['unit']}".replace(" ", "_"),
                              experiment.get("title", row["experiment"]),
                              experiment.get("x_axis", "x"), f"{row['unit']}, p50 (min to p90)",
                              verdict(facts))
        kernel = facts.get("kernel", "").split(" ")[0]
        line = f"{kernel}: {row['series']}" if of_user(results, row["experiment"]) else row["series"]
        plots[key].add(line, int(row["x"]), int(row["p50"]), int(row["min"]), int(row["p90"]))
    return plots


def of_user(results, experiment):
    """Was it measured on more than one kernel?"""
    return len({dict(results.machines.get(row["machine"], [])).get("kernel")
                for row in results.rows if row["experiment"] == experiment}) > 1


def draw(plots, folder):
    script = "".join(plot.script(folder) for plot in plots)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)

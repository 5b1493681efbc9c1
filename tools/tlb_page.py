# SPDX-License-Identifier: MIT
"""tools/tlb_page.py - one page that holds all plots and tables of the laboratory

Room:   tools. Python standard library; a module for tools/tlb.
Owns:   build/tlb/index.html.
Always: (1) the page needs nothing beside itself; (2) every figure stands beside where it was
            measured, and what that is worth.
Tour:   after tools/tlb_plot.py.
"""
import html
import os
import re
import statistics

from tlb_rows import FIGURES, validity, verdict

STYLE = """
body { font: 15px/1.45 sans-serif; margin: 1.5em auto; max-width: 62em; padding: 0 1em }
h2 { border-top: 1px solid #ccc; padding-top: .8em; margin-top: 2em }
table { border-collapse: collapse; font-size: 13px; margin: .6em 0 }
th, td { border: 1px solid #ddd; padding: 2px 7px; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums }
.warn { background: #fdebd0; padding: .5em .8em }
svg { max-width: 100%; height: auto }
nav a { display: inline-block; margin-right: 1em }
"""
SCRIPT = """
document.getElementById("filter").addEventListener("input", function (event) {
    var wanted = event.target.value.toLowerCase();
    document.querySelectorAll("section.experiment").forEach(function (section) {
        section.hidden = section.textContent.toLowerCase().indexOf(wanted) < 0;
    });
});
document.body.setAttribute("data-ready", document.querySelectorAll("section.experiment").length);
"""


def esc(text):
    return html.escape(str(text))


def table(columns, rows, numbers=()):
    head = "".join(f"<th>{esc(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(
        f"<td{' class=n' if name in numbers else ''}>{esc(cell)}</td>"
        for name, cell in zip(columns, row)) + "</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>\n"


def inline_svg(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"^<\?xml[^>]*>\s*(<!DOCTYPE[^>]*>\s*)?", "", text, flags=re.S)


def machines_part(results):
    parts = ["<h2 id=machines>Machines</h2>\n"]
    for key, facts in results.machines.items():
        parts.append(f"<h3>{esc(key)}</h3>\n<p class=warn>{esc(verdict(dict(facts)))}</p>\n")
        parts.append(table(("fact", "value"), facts))
    return "".join(parts)


def meanings(results, name, rows):
    """What its figures mean on the machines that they come from."""
    experiment = results.experiments.get(name, {})
    kinds = dict.fromkeys(validity(results.facts(row)) for row in rows)
    words = {"bare": "On bare metal", "virt": "Under hardware virtualisation",
             "emulated": "Under an emulator"}
    shown = "".join(f"<p class=warn><b>{words[kind]}:</b> {esc(experiment.get(kind, ''))}</p>\n"
                    for kind in kinds if kind != "bare")
    return shown + f"<p><b>{words['bare']}:</b> {esc(experiment.get('bare', ''))} " \
        + f"<b>{words['virt']}:</b> {esc(experiment.get('virt', ''))}</p>\n"


def apart(rows):
    """How far the same thing, measured twice, lies apart: the A/A control of all rows."""
    ratios = [abs(int(row["control"]) / int(row["p50"]) - 1) for row in rows
              if row["control"] and int(row["p50"])]
    return f"; A/A control: {statistics.median(ratios):.1%} apart, at most {max(ratios):.0%}" \
        if ratios else ""


def experiment_part(results, name, rows, plots, folder):
    title = results.experiments.get(name, {}).get("title", name)
    parts = [f"<section class=experiment id={esc(name)} data-rows={len(rows)}>\n"
             f"<h2>{esc(title)}</h2>\n<p><code>{esc(name)}</code></p>\n",
             meanings(results, name, rows)]
    for plot in plots:
        parts.append(f"<figure class=plot data-plot={esc(plot.name)}>\n"
                     + inline_svg(os.path.join(folder, plot.name + ".svg")) + "</figure>\n")
    columns = ("machine", "series", "x", "unit", *FIGURES, "note")
    parts.append(f"<details><summary>{len(rows)} rows{apart(rows)}</summary>\n"
                 + table(columns, [[row[c] for c in columns] for row in rows], ("x", *FIGURES))
                 + "</details>\n</section>\n")
    return "".join(parts)


def write_page(results, plots, folder):
    experiments = results.by_experiment()
    links = "".join(f"<a href='#{esc(name)}'>{esc(name)}</a>\n" for name in experiments)
    body = ""
    for name, rows in experiments.items():
        own = [plot for (experiment, _), plot in plots.items() if experiment == name]
        body += experiment_part(results, name, rows, own, folder)
    with open(os.path.join(folder, "index.html"), "w", encoding="utf-8") as file:
        file.write(f"""<!DOCTYPE html>
<html lang=en><head><meta charset=utf-8><title>Bulla: the TLB laboratory</title>
<style>{STYLE}</style></head><body>
<h1>The TLB laboratory</h1>
<p>What it costs to forget a translation: {len(experiments)} experiments on {len(results.machines)}
machines. p50 is the median of n repetitions; <i>control</i> is the median of the same thing,
measured once more, <i>empty</i> that of an empty body.</p>
<p><label>Show only what says <input id=filter></label></p>
<nav><a href='#machines'>machines</a>
{links}</nav>
{machines_part(results)}{body}<script>{SCRIPT}</script>
</body></html>
""")

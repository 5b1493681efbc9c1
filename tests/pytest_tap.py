# SPDX-License-Identifier: MIT
"""tests/pytest_tap.py - makes pytest print TAP, as the other rings do

Room:   tests. A pytest plugin: -p pytest_tap -p no:terminal, with PYTHONPATH=tests.
Always: (1) one line per test; what a failed one said follows as "# " lines.
Source: TAP version 13.
"""


class Tap:
    """Prints the results in the order in which they come."""

    def __init__(self):
        self.number = 0

    def pytest_collection_finish(self, session):
        print(f"TAP version 13\n1..{len(session.items)}", flush=True)

    def pytest_collectreport(self, report):
        if report.failed:
            print(f"Bail out! {report.nodeid}\n{report.longreprtext}", flush=True)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed" and report.when == "setup":
            self._line(report)
        elif report.failed:
            self._details(report)

    def _line(self, report):
        self.number += 1
        name = report.nodeid.rpartition("::")[2].replace(" ", "_").replace("#", "")[:100]
        skip = f" # SKIP {report.longrepr[2]}" if report.skipped else ""
        print(f"{'not ok' if report.failed else 'ok'} {self.number} {name}{skip}", flush=True)
        if report.failed:
            self._details(report)

    def _details(self, report):
        print("\n".join(f"# {line}" for line in report.longreprtext.splitlines()), flush=True)


def pytest_addoption(parser):
    """What the terminal plugin would add; assertions ask for it when they explain themselves."""
    parser.addoption("--verbose", type=int, default=0)


def pytest_configure(config):
    config.pluginmanager.register(Tap(), "tap")

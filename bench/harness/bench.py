"""What a suite is given: servers, rounds in turn, and words for the report.

A suite is a module with `run(bench)`; bench/README.md shows one.
"""
import sys
import time

from harness import charts, servers
from harness.figures import Rounds, number
from harness.processes import end_all
from harness.tools import Failed, Missing


def tell(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


class Bench:
    """One suite in the making. `quick`, `rounds`, `keys` are what was asked
    for; `keys` is None where nothing was said. `cores` is machine.Cores;
    `folder` is for files that nobody needs later."""

    def __init__(self, name, options, cores, folder, into):
        self.name, self.cores = name, cores
        self.quick, self.keys = options.quick, options.keys
        self.rounds_asked, self.perf = options.rounds, options.perf
        self.folder, self.into = folder, into
        self.started = {}  # name: server
        self.blocks, self.goals = [], []
        self.left_out, self.failed, self.rounds = {}, {}, {}

    # How much.

    def count(self, quick, full):
        """How many keys: what --keys said, else one of these."""
        return self.keys or (quick if self.quick else full)

    def n_rounds(self, quick=3, full=5):
        return self.rounds_asked or (quick if self.quick else full)

    # Servers; each is started when first asked for, and ended with the suite.

    def server(self, name, make):
        if name not in self.started:
            self.started[name] = make()
        return self.started[name]

    def nginx(self, secure=False):
        name = "nginx-tls" if secure else "nginx"
        return self.server(name, lambda: servers.Nginx(
            self.folder / name, self.cores.server, secure))

    def origin(self, *arguments, cores=None):
        """The bundled origin with these options; one for each set of them."""
        name = "origin" + "".join(f" {argument}" for argument in arguments)
        return self.server(name, lambda: servers.Origin(
            self.folder / f"origin-{len(self.started)}",
            cores or self.cores.server, *arguments))

    def postgres(self, **settings):
        """A server of PostgreSQL with these settings beside those it has;
        one for each set of them."""
        name = "postgres" + "".join(
            f" {key}={value}" for key, value in settings.items())
        return self.server(name, lambda: servers.Postgres(
            self.folder / f"postgres-{len(self.started)}", self.cores.server,
            **settings))

    def shared_memory(self):
        """A folder in memory."""
        return self.server("memory", servers.SharedMemory).folder

    def end(self):
        for server in reversed(list(self.started.values())):
            server.end()
        self.started.clear()
        end_all()

    # Measuring.

    def in_turn(self, table, systems, rounds=None, warm_up=True,
                show="keys_s"):
        """Runs each of `systems`, {name: function() -> {metric: value}}, in
        turn: A B C, A B C, ... The first turn warms up and does not count.
        One that raises Missing is left out, one that raises Failed is named
        in the report and dropped; the others go on. Returns Rounds, which
        stay in the report under the name `table`."""
        found, systems = Rounds(), dict(systems)
        n = rounds or self.n_rounds()
        for turn in range(0 if warm_up else 1, n + 1):
            for name in list(systems):
                tell(f"{self.name}: {table}, "
                     + (f"round {turn} of {n}" if turn else "warming up")
                     + f": {name} ... ", end="")
                figures = self.attempt(name, systems[name])
                if figures is None:
                    del systems[name]
                    found.drop(name)
                    continue
                tell(f"{number(figures[show])} {show}"
                     if figures.get(show) is not None else "done")
                if turn:
                    found.add(name, figures)
        self.rounds[table] = found.runs
        return found

    def attempt(self, name, function):
        """function(), or None with the reason noted."""
        try:
            return function()
        except Missing as why:
            tell(f"left out: {why}")
            self.left_out[name] = str(why)
        except Failed as why:
            tell(f"FAILED: {why}")
            self.failed[name] = str(why)
        return None

    # The report.

    def say(self, text):
        """A paragraph, Markdown."""
        self.blocks.append(["text", text])

    def table(self, rounds, columns, against=None):
        """A row for each system. `columns`: {heading: metric}. With `against`
        (a system and a metric) a last column says how many times that
        system's each one's is."""
        headers, rows = ["", *columns], []
        if against and against[0] in rounds:
            headers.append(f"times {against[0]}")
        for system in rounds.systems():
            spreads = [rounds.spread(system, metric)
                       for metric in columns.values()]
            if len(headers) > 1 + len(columns):
                spreads.append(rounds.ratio(system, *against))
            rows.append([system, *(spread.text() if spread else ""
                                   for spread in spreads)])
        self.grid(headers, rows)

    def grid(self, headers, rows):
        """A table of texts."""
        self.blocks.append(["table", headers, rows])
        widths = [max(len(str(line[i])) for line in [headers, *rows])
                  for i in range(len(headers))]
        print()
        for line in [headers, *rows]:
            print("  ".join(str(cell).ljust(width)
                            for cell, width in zip(line, widths)).rstrip())
        print(flush=True)

    def bars(self, title, unit, rounds, metric):
        """A chart with a bar for each system that has the metric."""
        values = []
        for system in rounds.systems():
            if spread := rounds.spread(system, metric):
                values.append((system, spread.low, spread.median, spread.high,
                               number(spread.median)))
        if values:
            self.chart(title, charts.bars(self.into, title, unit, values))

    def lines(self, title, xlabel, ylabel, series, logx=False):
        """A chart of lines: {name: [(x, y), ...]}."""
        series = {name: points for name, points in series.items() if points}
        if series:
            self.chart(title, charts.lines(self.into, title, xlabel, ylabel,
                                           series, logx))

    def chart(self, title, name):
        if name:
            self.blocks.append(["chart", title, name])
        else:
            self.left_out["the charts"] = ("gnuplot is missing: apt-get "
                                           "install gnuplot-nox")

    def goal(self, what, spread, kind, wanted, unit=""):
        """A figure that is to be "<=" or ">=" `wanted`. `spread` is a
        Spread, a number, or None where it could not be measured."""
        value = getattr(spread, "median", spread)
        met = None if value is None else (
            value <= wanted if kind == "<=" else value >= wanted)
        text = ("a system of it was left out" if value is None else
                (spread.text() if hasattr(spread, "text") else number(value))
                + unit)
        self.goals.append({"what": what, "value": value, "kind": kind,
                           "wanted": wanted, "unit": unit, "text": text,
                           "met": met})

    def written(self, suite, others, began):
        """The suite's part of the report."""
        return {"name": self.name, "title": suite.TITLE,
                "about": suite.ABOUT, "blocks": self.blocks,
                "goals": self.goals, "left_out": self.left_out,
                "failed": self.failed, "rounds": self.rounds,
                "others": others, "seconds": time.monotonic() - began}

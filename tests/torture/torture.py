"""What a fault did: counted in the database, asserted, and reported.

A test asks for the fixture `torture` and, when its run has ended, says

    torture.row("node killed", store=store, keys=503, recover=1.2)

Everything is counted in the database itself, never taken from what the
programs say. The report has a line of JSON for each such call, which
render.py makes a table of.
"""
import collections
import json
import os
import pathlib

# Read at once: the system tests' conftest clears the environment.
REPORT = os.environ.get("WINDROW_TORTURE_REPORT")
FULL = os.environ.get("WINDROW_TORTURE_FORM", "full") == "full"


def as_dict(value):
    return value if isinstance(value, dict) else None


class Counts:
    """What a store holds of one run."""

    def __init__(self, store, run, table):
        # No rows before the sink has made its table.
        rows = (store.rows(table, "symbol, price") if store.count(table)
                else [])
        failures = store.query("SELECT key, reason FROM windrow_failures"
                               f" WHERE run = {run}")
        self.prices = dict(rows)
        self.failures = dict(failures)
        self.n_rows, self.n_failures = len(rows), len(failures)
        times = collections.Counter(key for key, _ in rows + failures)
        self.repeated = sorted(key for key, n in times.items() if n > 1)

    @property
    def duplicates(self):
        """How many rows and failures are there beyond one for each key."""
        return (self.n_rows + self.n_failures
                - len(self.prices.keys() | self.failures.keys()))


class Torture:
    def __init__(self, report=REPORT, full=FULL):
        self.report = pathlib.Path(report) if report else None
        self.full = full

    def row(self, fault, *, store, keys, expected_failures=0, run=1, tried=1,
            recover=None, note="", prices=None, table="prices"):
        """Counts what `store` holds, adds it to the report, and asserts that
        it is right.

        `keys` is their number, or all of them; `expected_failures` a number,
        or key to reason; `prices`, if given, key to exact digits; `recover`
        the seconds from the fault to its being made good; `tried` how often
        the fault happened. Returns the counts."""
        counts = Counts(store, run, table)
        n_keys = keys if isinstance(keys, int) else len(set(keys))
        n_expected = (expected_failures if isinstance(expected_failures, int)
                      else len(expected_failures))
        self.add(fault=fault, store=store.kind, tried=tried, keys=n_keys,
                 rows=counts.n_rows, failed=counts.n_failures,
                 expected=n_expected, duplicates=counts.duplicates,
                 recover=recover, note=note)
        assert counts.repeated[:20] == [], "stored or recorded twice"
        if as_dict(expected_failures) is not None:
            assert counts.failures == expected_failures
        assert counts.n_failures == n_expected
        assert counts.n_rows + counts.n_failures == n_keys
        if not isinstance(keys, int):
            assert counts.prices.keys() | counts.failures.keys() == set(keys)
        if prices is not None:
            assert counts.prices == store.expected(
                {key: digits for key, digits in prices.items()
                 if key not in counts.failures})
        return counts

    def figure(self, name, value):
        """A figure beside the table, such as a time that was measured."""
        self.add(figure=name, value=value)

    def add(self, **line):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
        line["file"] = pathlib.PurePath(test).name
        if self.report:
            with open(self.report, "a", encoding="utf-8") as report:
                report.write(json.dumps(line) + "\n")

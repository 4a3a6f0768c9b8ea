"""Fixtures of the system tests; see harness.py for what they give."""
import os
import re

import pytest

import harness

SETTINGS = re.compile(
    r"(?i)PG[A-Z_]+|DATABASE_URL|PIPELINE_LOCATION|WIKIPEDIA_URL|YAHOO_.*|"
    r"WINDROW_.*|TICKERS|KEYS_QUERY|.*_proxy")
KEPT = {"WINDROW_BUILD", "WINDROW_PATIENCE"}


def clean_environment():
    """What the caller has set must not reach the programs."""
    for name in list(os.environ):
        if SETTINGS.fullmatch(name) and name not in KEPT:
            del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "prior_art(row): a row of the table of what others get"
        " wrong; all rows are counted at the end")
    clean_environment()


def pytest_collection_modifyitems(items):
    missing = [name for name in ("windrow", "windrow-node", "windrow-origin")
               if not (harness.BUILD / name).exists()]
    if missing:
        skip = pytest.mark.skip(
            reason=f"not built in {harness.BUILD}: {', '.join(missing)}")
        for item in items:
            item.add_marker(skip)


# The table of prior art, counted.

PRIOR_ART_ROWS = 17
prior_art = {}  # row: "passed" only if each of its tests passed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """The row goes with the report, from whichever process it comes."""
    report = (yield).get_result()
    if marker := item.get_closest_marker("prior_art"):
        report.user_properties.append(("prior_art", marker.args[0]))


def pytest_runtest_logreport(report):
    row = dict(report.user_properties).get("prior_art")
    if not row or (report.when != "call" and report.passed):
        return
    outcome = "failed" if hasattr(report, "wasxfail") else report.outcome
    before = prior_art.get(row, outcome)
    prior_art[row] = max(before, outcome,
                         key=["skipped", "passed", "failed"].index)


def pytest_terminal_summary(terminalreporter):
    if not prior_art:
        return
    good = [row for row in prior_art if prior_art[row] == "passed"]
    terminalreporter.write_line(
        f"prior art: {len(good)} of {PRIOR_ART_ROWS}")
    for row, outcome in prior_art.items():
        if outcome != "passed":
            terminalreporter.write_line(f"prior art: {outcome}: {row}")


# Origins, databases, runs.

class Starter:
    """Starts things, and ends them all."""

    def __init__(self, folder):
        self.folder, self.things = folder, []

    def keep(self, thing):
        self.things.append(thing)
        return thing

    def origin(self, *arguments):
        """Starts a windrow-origin with these arguments."""
        return self.keep(harness.Origin(self.folder, *arguments))

    def pipeline(self, *workers, **arguments):
        """A file with this pipeline (see harness.pipeline), or this text."""
        path = self.folder / f"pipeline-{len(self.things)}.yaml"
        text = (workers[0] if isinstance(workers[0], str) else
                harness.pipeline(*workers, **arguments))
        self.keep(Nothing())
        path.write_text(text)
        return path

    def start(self, *arguments, origin=None, store=None, env=None,
              program=None):
        """Starts windrow with these arguments, for this origin and store;
        what `env` says goes first."""
        environment = {**(origin.settings() if origin else {}), **(env or {})}
        if store:
            arguments += ("--store", store.url)
        return self.keep(harness.Windrow(
            self.folder, arguments, environment, program))

    def end(self):
        for thing in reversed(self.things):
            thing.end()


class Nothing:
    def end(self):
        pass


@pytest.fixture
def starter(tmp_path):
    starter = Starter(tmp_path)
    yield starter
    starter.end()


@pytest.fixture
def origin(starter):
    return starter.origin


@pytest.fixture
def pipeline(starter):
    return starter.pipeline


@pytest.fixture
def start(starter):
    """start(ARGUMENT..., origin=, store=, env=): a running windrow."""
    return starter.start


@pytest.fixture
def windrow(starter):
    """windrow(ARGUMENT..., origin=, store=, env=, timeout=): its Result."""
    def run(*arguments, timeout=60, **options):
        return starter.start(*arguments, **options).wait(timeout)
    return run


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL server for all tests."""
    if not harness.Cluster.programs():
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql/*/bin")
    pytest.importorskip("psycopg2")
    cluster = harness.Cluster()
    yield cluster
    cluster.end()


@pytest.fixture(scope="session")
def fragile(cluster):
    """A second PostgreSQL server, for tests that stop and start it."""
    fragile = harness.Cluster()
    yield fragile
    fragile.end()


@pytest.fixture
def postgres(cluster):
    """An empty database of PostgreSQL."""
    return cluster.database()


@pytest.fixture
def sqlite(tmp_path):
    """A database of SQLite that is not there yet."""
    return harness.SqliteStore(tmp_path / "store.db")


@pytest.fixture(params=["sqlite", "postgres"])
def store(request):
    """Each of both."""
    return request.getfixturevalue(request.param)

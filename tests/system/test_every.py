"""`windrow run --every`: one run after the other, each at its time."""
import calendar
import re
import signal
import time

import pytest

from harness import (SP500, Clock, Cluster, quotes, source, store as sink,
                     until)
from network import Network

VALUES = {"kind": "values", "input_values": ["AAPL", "MSFT", "NVDA"]}


def three(pipeline, *keys, **options):
    """A pipeline of three keys, or these."""
    values = {**VALUES, "input_values": keys} if keys else VALUES
    return pipeline(source(**values), quotes(**options), sink())


def said(run):
    return run.err.read_text("utf-8", "replace")


def runs(store):
    """Number, name, state of each, in their order."""
    try:
        return store.query("SELECT run, run_name, state FROM windrow_runs "
                           "ORDER BY run")
    except store.errors:
        return []


def ended(store):
    return [row for row in runs(store) if row[2] != "open"]


def ends(run):
    """What each run ended with, as it was logged."""
    return re.findall(r"ended with exit status (\d+)", said(run))


# What it does.

def test_one_run_after_the_other(windrow, origin, pipeline, store):
    """Each is a run of its own, with rows of its own, at whole multiples."""
    server = origin()
    result = windrow("run", three(pipeline), "--every", "1s", "--runs", 3,
                     "--format", "json", origin=server, store=store)
    assert result.status == 0, result
    assert [row[0] for row in runs(store)] == [1, 2, 3]
    assert {row[2] for row in runs(store)} == {"done"}
    assert store.count() == 9
    assert server.asked()["AAPL"] == 3
    assert re.findall(r"run (\d+) ended with exit status 0", result.err) == [
        "1", "2", "3"]
    assert result.out.count('"exit_status": 0') == 3
    assert result.err.count("the next run is due") <= 3


def test_failures_do_not_end_it(windrow, origin, pipeline, sqlite):
    """They are logged, and are the exit status after --runs."""
    server = origin("--fault", "404@MSFT")
    result = windrow("run", three(pipeline), "--every", "1s", "--runs", 2,
                     origin=server, store=sqlite)
    assert result.status == 3, result
    assert result.err.count("ended with exit status 3") == 2
    assert sqlite.count() == 4


def test_no_signal_is_lost(start, origin, pipeline, cluster):
    """Whenever one comes: while it waits, while a run begins, goes on or
    ends, and in between."""
    server, path = origin(), three(pipeline)
    started = [start("run", path, "--every", "1s", "--scale", 1, origin=server,
                     store=cluster.database()) for _ in range(8)]
    for run in started:
        until(lambda run=run: ends(run), "a run")
    now = time.time()
    time.sleep(2 - now % 1 - 0.02)
    for run in started:  # around the time at which they are due
        run.signal(signal.SIGTERM)
        time.sleep(0.01)
    for run in started:
        assert run.wait(10).status in (0, 130)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_waits(start, origin, pipeline, sqlite, number):
    """Nothing is left to do: 0, at once."""
    run = start("run", three(pipeline), "--every", "300d", origin=origin(),
                store=sqlite)
    until(lambda: "the next run is due" in said(run), "it waits")
    time.sleep(0.2)
    run.signal(number)
    began = time.monotonic()
    assert run.wait(5).status == 0
    assert time.monotonic() - began < 2
    assert runs(sqlite) == []


def test_a_signal_during_a_run(start, origin, pipeline, sqlite):
    """The run is paused, and the schedule ends with it; resume goes on."""
    server = origin("--latency", "3s")
    run = start("run", three(pipeline), "--every", "1s", origin=server,
                store=sqlite)
    until(lambda: server.log()["keys"], "a request")
    run.signal(signal.SIGTERM)
    result = run.wait(10)
    assert result.status == 130, result
    assert "resume 1" in result.err
    assert [row[2] for row in runs(sqlite)] == ["open"]
    again = start("resume", 1, origin=server, store=sqlite)
    assert again.wait(30).status == 0
    assert sqlite.count() == 3


# Times that are missed.

def test_a_run_longer_than_the_interval(windrow, origin, pipeline, sqlite):
    """Runs do not overlap: the next begins at the next tick after its end."""
    server = origin("--latency", "1500ms")
    result = windrow("run", three(pipeline, "AAPL"), "--every", "1s",
                     "--runs", 2, origin=server, store=sqlite)
    assert result.status == 0, result
    assert "times missed and left out: 1" in result.err
    began, ended_at = zip(*sqlite.query(
        "SELECT started_at, ended_at FROM windrow_runs ORDER BY run"))
    assert began[1] > ended_at[0]
    late = began[1] % 1_000_000 / 1e6
    print(f"figure: the second began {late:.2f} s after its tick")
    assert late < 0.9


def test_one_run_makes_up_for_all(windrow, origin, pipeline, sqlite):
    """--missed catch-up: at once, whatever the number of missed ticks."""
    server = origin("--latency", "2500ms")
    result = windrow("run", three(pipeline, "AAPL"), "--every", "1s",
                     "--runs", 2, "--missed", "catch-up", "--name", "often",
                     origin=server, store=sqlite)
    assert result.status == 0, result
    assert "one run makes up for all" in result.err
    (_, first, _), (_, second, _) = runs(sqlite)
    assert first < second
    began, ended_at = zip(*sqlite.query(
        "SELECT started_at, ended_at FROM windrow_runs ORDER BY run"))
    assert began[1] - ended_at[0] < 900_000


# The wall clock is another.

needs_clock = pytest.mark.skipif(not Clock.LIBRARY.exists(),
                                 reason="no libfaketime")


class Noon:
    """A schedule of noon, UTC, whose clock begins at a time of day."""

    def __init__(self, start, folder, path, clock="11:00:00", **options):
        self.clock = Clock(folder)
        self.set("2026-06-01 " + clock)
        self.run = start("run", path, "--every", "0 12 * * *", "--time-zone",
                         "UTC", "--name", "noon", *options.pop("more", ()),
                         env=self.clock.environment(), **options)
        until(lambda: "the next run is due" in said(self.run), "it waits")

    def set(self, text):
        at = calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
        self.clock.set(round(at - time.time()))


@needs_clock
def test_a_machine_slept_past_its_time(start, origin, pipeline, sqlite,
                                       tmp_path):
    """Two hours late is missed: the next one is tomorrow's."""
    noon = Noon(start, tmp_path, three(pipeline), origin=origin(),
                store=sqlite)
    noon.set("2026-06-01 14:00:00")
    until(lambda: "times missed and left out: 1" in said(noon.run), "told", 5)
    until(lambda: "due Tue 2026-06-02 12:00:00 UTC" in said(noon.run), "next")
    noon.run.signal(signal.SIGTERM)
    assert noon.run.wait(5).status == 0
    assert runs(sqlite) == []


@needs_clock
def test_a_machine_makes_up_for_its_sleep(start, origin, pipeline, sqlite,
                                          tmp_path):
    """Three days of it, by one run, that of the last noon."""
    noon = Noon(start, tmp_path, three(pipeline), origin=origin(),
                store=sqlite, more=["--missed", "catch-up", "--runs", 1])
    noon.set("2026-06-03 14:00:00")
    result = noon.run.wait(20)
    assert result.status == 0, result
    assert "times missed: 3; one run makes up for all" in result.err
    assert [name for _, name, _ in runs(sqlite)] == [
        "noon 2026-06-03T12:00:00Z"]


@needs_clock
def test_the_clock_is_set_back(start, origin, pipeline, sqlite, tmp_path):
    """It was wrong: the schedule is that of the new time."""
    noon = Noon(start, tmp_path, three(pipeline), clock="12:30:00",
                origin=origin(), store=sqlite, more=["--runs", 1])
    noon.set("2026-06-01 11:59:57")
    result = noon.run.wait(20)
    assert result.status == 0, result
    assert "the clock was set back" in result.err
    assert [name for _, name, _ in runs(sqlite)] == [
        "noon 2026-06-01T12:00:00Z"]


@needs_clock
def test_a_time_that_the_clocks_leave_out(start, origin, pipeline, sqlite,
                                          tmp_path):
    """2026-03-08 has no 02:30 in New York: the run is at 03:00."""
    clock = Clock(tmp_path)
    before = calendar.timegm((2026, 3, 8, 6, 59, 57))
    clock.set(round(before - time.time()))
    run = start("run", three(pipeline), "--every", "30 2 * * *",
                "--time-zone", "America/New_York", "--runs", 1, "--name",
                "night", origin=origin(), store=sqlite,
                env=clock.environment())
    result = run.wait(20)
    assert result.status == 0, result
    assert "due Sun 2026-03-08 03:00:00 EDT" in result.err
    assert [name for _, name, _ in runs(sqlite)] == [
        "night 2026-03-08T07:00:00Z"]


# What is read again.

def test_the_pipeline_is_read_again(start, origin, pipeline, sqlite):
    """A change counts from the next run on; one that is broken is refused,
    with its complaints, until it is mended."""
    server = origin()
    path = three(pipeline)
    run = start("run", path, "--every", "1s", origin=server, store=sqlite)
    good = path.read_text()
    until(lambda: len(ended(sqlite)) >= 1, "a run")
    path.write_text(good.replace("NVDA", "AMZN"))
    until(lambda: server.asked().get("AMZN"), "the new key")
    assert "the pipeline file has changed, and is taken" in said(run)
    path.write_text(good.replace('"class": "store"', '"class": "stroe"'))
    until(lambda: "the pipeline file is not taken" in said(run), "a refusal")
    assert "stroe" in said(run)
    assert re.search(r"pipeline-\d+\.yaml:\d+:\d+: ", said(run))
    n = len(ended(sqlite))
    until(lambda: len(ended(sqlite)) > n, "another run")
    path.unlink()
    refused = said(run).count("is not taken")
    until(lambda: said(run).count("is not taken") > refused, "no file")
    path.write_text(good.replace("NVDA", "GOOG"))
    until(lambda: server.asked().get("GOOG"), "the mended file's key")
    run.signal(signal.SIGTERM)
    assert run.wait(10).status in (0, 130)
    assert set(ends(run)) <= {"0", "130"}


def test_settings_are_read_again(start, origin, pipeline, sqlite, tmp_path):
    """Those of --env, and not what a former run had made of them."""
    first, second = origin(), origin()
    env = tmp_path / "settings.env"
    env.write_text(f"YAHOO_URL={first.url}\n")
    run = start("run", three(pipeline), "--every", "1s", "--env", env,
                store=sqlite)
    until(lambda: first.asked(), "the first")
    env.write_text(f"YAHOO_URL={second.url}\n")
    until(lambda: second.asked(), "the second")
    run.end()


def test_holidays_are_read_again(start, origin, pipeline, sqlite, tmp_path):
    """From then on no run is due for a while."""
    holidays = tmp_path / "holidays"
    holidays.write_text("2020-12-25\n")
    run = start("run", three(pipeline), "--every", "1s", "--holidays",
                holidays, "--time-zone", "UTC", origin=origin(), store=sqlite)
    until(lambda: len(ended(sqlite)) >= 1, "a run")
    holidays.write_text("never\n")
    until(lambda: 'holidays: line 1: "never" is no date' in said(run), "a complaint")
    today = time.time()
    holidays.write_text("".join(
        time.strftime("%Y-%m-%d\n", time.gmtime(today + i * 86400))
        for i in range(3)))
    until(lambda: re.search(r"due \w+ \S+ 00:00:00 UTC", said(run)),
          "a run after the holidays")
    run.signal(signal.SIGTERM)
    assert run.wait(5).status == 0


# The database is away.

def test_the_database_is_away_for_a_tick(start, origin, pipeline):
    """Loudly; the next tick tries again. Also where it was away at first."""
    server = origin()
    own = Cluster()
    try:
        store = own.database()
        own.stop()
        run = start("run", three(pipeline), "--every", "1s", origin=server,
                    store=store,  # a run that is under way gives up soon
                    env={"WINDROW_DATABASE_WAIT": "2s"})
        until(lambda: "no run was made" in said(run), "a failed tick")
        assert "the database is away; it is tried again" in said(run)
        own.start()
        until(lambda: store.count() >= 3, "rows", 20)
        own.stop(signal.SIGINT)
        n = said(run).count("no run was made")
        until(lambda: said(run).count("no run was made") > n, "another", 30)
        own.start()
        n = store.count()
        until(lambda: store.count() > n, "more rows", 20)
        run.end()
    finally:
        own.end()


# Several masters, and nodes elsewhere.

def test_two_masters_of_one_schedule(start, origin, pipeline, store):
    """Each tick has one run, whose name is NAME and the tick. When one of
    them is killed, the other goes on alone."""
    server = origin("--latency", "200ms")
    path = three(pipeline)
    pair = [start("run", path, "--every", "2s", "--name", "pair",
                  origin=server, store=store,
                  env={"WINDROW_MASTER_LEASE": "2s"}) for _ in range(2)]
    until(lambda: len(ended(store)) >= 3, "three runs", 20)
    names = [name for _, name, _ in runs(store)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"pair \d{4}-\d\d-\d\dT\d\d:\d\d:\d[02468]Z", name)
               for name in names), names
    leader = until(lambda: next((run for run in pair if run.nodes()), None),
                   "a leader", 20)
    leader.signal(signal.SIGKILL)
    leader.process.wait(5)
    n = len(ended(store))
    until(lambda: len(ended(store)) >= n + 2, "two more", 30)
    other = next(run for run in pair if run is not leader)
    other.signal(signal.SIGTERM)
    other.wait(10)
    rows = store.query("SELECT count(*) FROM windrow_runs r WHERE "
                       "state <> 'open'")[0][0]
    assert store.count() == 3 * rows, "each run stored each key once"
    assert max(server.asked().values()) <= rows + 2


def test_nodes_elsewhere_serve_run_after_run(starter, origin, pipeline,
                                             postgres):
    """--scale 0: the same node works for all of them."""
    server = origin()
    network = Network(starter, postgres)
    network.settings = server.settings()
    node = network.node()
    master = network.master("run", three(pipeline), "--every", "2s",
                            "--runs", 3)
    assert master.wait(60).status == 0
    assert postgres.count() == 9
    assert node.is_running()


# What is told before.

def test_a_dry_run_shows_the_next_times(windrow, origin, sqlite):
    """All is checked, nothing is started, and five times are shown."""
    result = windrow("run", SP500, "--every", "30 9 * * mon-fri",
                     "--time-zone", "America/New_York", "--dry-run",
                     origin=origin(), store=sqlite)
    assert result.status == 0, result
    assert "all is well, nothing was started" in result.out
    assert len(re.findall(r"(?m)^  (Mon|Tue|Wed|Thu|Fri) \S+ 09:30:00 E[SD]T  "
                          r"\S+T1[34]:30:00Z$", result.out)) == 5
    assert runs(sqlite) == []


def test_the_zone_is_the_systems(windrow, origin, sqlite):
    result = windrow("run", SP500, "--every", "0 12 * * *", "--dry-run",
                     origin=origin(), store=sqlite, env={"TZ": "Asia/Tokyo"})
    assert len(re.findall(r" 12:00:00 JST  \S+T03:00:00Z", result.out)) == 5


@pytest.mark.parametrize("options, words", [
    (["--every", "soon"], '--every: "soon" is neither whole seconds from 1s'),
    (["--every", "*/5 9-25 * * *"],
     'character 7: the hour is out of its range: it is from 0 to 23'),
    (["--every", "0 0 30 feb *"], "is never due"),
    (["--every", "5m", "--hours", "9-16"], "--hours: \"9-16\" is not like"),
    (["--every", "5m", "--days", "mo-fr"], "--days: \"mo-fr\", character 1"),
    (["--every", "5m", "--time-zone", "America/NewYork"],
     'there is no zone "America/NewYork"'),
    (["--every", "5m", "--time-zone", "../../../etc/passwd"], "is no zone"),
    (["--every", "5m", "--holidays", "no-such-file"], "can't be read"),
    (["--every", "5m", "--missed", "always"], "wants skip or catch-up"),
    (["--every", "5m", "--runs", "0"], "--runs wants a number from 1 up"),
    (["--every", "5m", "--name", "x" * 80], "--name: at most 79 characters"),
    (["--hours", "09:30-16:00"], "--hours is of a schedule: say --every too"),
])
def test_mistakes(windrow, origin, sqlite, options, words):
    """Each ends it at once, with 2, and the database is not made."""
    result = windrow("run", SP500, *options, origin=origin(), store=sqlite,
                     timeout=5)
    assert result.status == 2, result
    assert words in result.err, result
    assert not sqlite.path.exists()


def test_a_pipeline_that_is_broken_at_first(windrow, pipeline, sqlite):
    """There is none of before: 2, before the first wait."""
    result = windrow("run", pipeline("version: 1"), "--every", "1s",
                     store=sqlite, timeout=5)
    assert result.status == 2, result
    assert not sqlite.path.exists()


def test_it_is_healthy_while_it_waits(start, windrow, origin, sqlite,
                                      tmp_path):
    """And says so no more when it has ended."""
    health = tmp_path / "health"
    run = start("run", SP500, "--every", "300d", "--health-file", health,
                origin=origin(), store=sqlite)
    until(health.exists, "a health file")
    assert windrow("healthy", health).status == 0
    run.signal(signal.SIGTERM)
    assert run.wait(5).status == 0
    assert not health.exists()

"""kill -9 at each named place in both programs, at its first, second and last
passage; a master that was killed is followed by `windrow resume`.

The pipeline has two sources that name some keys both, so that a list's
closing, shared queues and root batches take part. The origin refuses three
keys for good and others for a while; exactly those three may fail.
"""
import collections
import itertools
import pathlib
import re
import signal
import time

import pytest

from harness import (SOURCE, pipeline, quotes, source, store as store_worker,
                     until)
from together import together

N_KEYS = 40
KEYS = [f"K{i:07d}" for i in range(1, N_KEYS + 1)]
GONE = {KEYS[3]: "not_found", KEYS[17]: "not_found", KEYS[39]: "not_found"}
FAULTS = ("--fault", "404@" + ",".join(GONE),
          "--fault", f"503@{KEYS[5]},{KEYS[20]}:2",
          "--fault", f"reset@{KEYS[11]},{KEYS[30]}:1")
SETTINGS = {"WINDROW_HEARTBEAT": "100ms", "WINDROW_LEASE": "500ms",
            "WINDROW_MASTER_LEASE": "1s"}

POINT = re.compile(r'CRASH_POINT\("(\w+)"\)')
# What else must happen for these to be passed at all.
NEEDS = {"master_after_look": "after_fetch@3",
         "master_before_renew": "after_fetch@3",
         "master_after_renew": "after_fetch@3",
         "master_after_node_exit": "after_fetch@3",
         "master_before_take": "master_after_report@2",
         "master_after_take": "master_after_report@2"}
# Passed where nodes are scaled only; test_a_run_that_is_scaled has them.
SCALING = {"scale_after_write", "master_after_scale"}
# Those at which a run that is led by its name meets the ledger.
LEADING = ("master_after_run_row", "master_after_root_batches",
           "master_before_work", "master_before_renew", "master_after_renew",
           "master_before_take", "master_after_take", "master_before_end",
           "master_after_end")


# Those between which a retry is written, begun and ended.
RETRYING = ("master_after_run_row", "master_before_keys_batch",
            "master_after_root_batches", "master_before_work", "before_close",
            "master_before_end", "master_after_end")


def points():
    """All of them, from the sources."""
    found = set()
    for folder in ("master", "node", "proto"):
        for path in (SOURCE / folder).rglob("*.c"):
            found.update(POINT.findall(path.read_text("utf-8")))
    return sorted(found)


def points_for(kind, master, full):
    """Those of one program; in the short form, half of what both databases
    have in common."""
    mine = [point for point in points()
            if point.startswith("master_") == master
            and point not in SCALING]
    own = [point for point in mine if point.startswith(kind)]
    both = [point for point in mine
            if not point.startswith(("sqlite_", "postgres_"))]
    return own + (both if full else both[kind == "postgres"::2])


class Ground:
    """One origin, one pipeline, and a store for each run."""

    def __init__(self, starter, cluster, tmp_path):
        self.starter, self.cluster, self.folder = starter, cluster, tmp_path
        self.numbers = itertools.count(1)
        keys = tmp_path / "keys.txt"
        keys.write_text("\n".join(KEYS[25:]))
        self.pipeline = tmp_path / "pipeline.yaml"
        self.pipeline.write_text(pipeline(
            source(), source("file", name="more", path=str(keys)),
            quotes(instances=2, retry={"attempts": 4, "backoff": "20ms"}),
            store_worker()))
        server = starter.origin("--count", N_KEYS, "--no-user-agent-check")
        self.prices = {key: server.price(key) for key in KEYS
                       if key not in GONE}
        server.end()

    def origin(self):
        return self.starter.origin("--count", N_KEYS, "--latency", "30ms",
                                   *FAULTS)

    def store(self, kind):
        from harness import SqliteStore
        if kind == "postgres":
            return self.cluster.database()
        return SqliteStore(self.folder / f"store-{next(self.numbers)}.db")

    def marks(self):
        folder = self.folder / f"marks-{next(self.numbers)}"
        folder.mkdir()
        return folder


@pytest.fixture
def ground(starter, cluster, tmp_path):
    return Ground(starter, cluster, tmp_path)


def the_run(store):
    """Its number and state; None as long as no run was written. The number
    need not be 1: PostgreSQL gives none twice, not even after a rollback."""
    if not store.count("windrow_runs"):
        return None
    row, = store.query("SELECT run, state FROM windrow_runs")
    return row


def attempt(ground, kind, crash, scale, ret=None, name=None):
    """A run under WINDROW_CRASH, resumed as often as its master dies of it,
    or, if it has a name, begun with the same words again until it has ended.
    Yields what it starts; leaves in `ret` what came of it."""
    store, server, marks = ground.store(kind), ground.origin(), ground.marks()
    env = {**SETTINGS, "WINDROW_CRASH": crash, "WINDROW_CRASH_ONCE": marks,
           "WINDROW_CRASH_COUNT": marks / "count"}
    env = {name: str(value) for name, value in env.items()}
    began, deaths = time.monotonic(), 0
    command = ("run", ground.pipeline, "--batch", 5)
    if name:
        command += ("--name", name)
    while True:
        result = yield ground.starter.start(
            *command, "--scale", scale, origin=server, store=store, env=env)
        if result.status != -signal.SIGKILL:
            break
        deaths += 1
        assert deaths < 5, result
        run = the_run(store)
        if name:
            continue
        if run and run[1] != "open":  # it died behind its last write
            break
        command = ("resume", run[0]) if run else command
    run = the_run(store)
    assert run, result
    ret.update(result=result, store=store, run=run[0], deaths=deaths,
               seconds=time.monotonic() - began, marks=marks)
    server.end()


def passages(ground, kind):
    """How often each point is passed in a run where one node dies."""
    ret = {}
    together([attempt(ground, kind, "after_fetch@3", 1, ret)])
    lines = (ret["marks"] / "count").read_text().split()
    return collections.Counter(lines), ret["seconds"]


def crash(ground, torture, kind, point, passage, undisturbed, name=None):
    """A case: dies at a point, and all is well all the same."""
    need = NEEDS.get(point)
    entries = [need] if need else []
    scale = 1 if passage > 2 else 2
    while True:
        ret = {}
        yield from attempt(ground, kind, ",".join(
            entries + [f"{point}@{passage}"]), scale, ret, name)
        if (ret["marks"] / point).exists():
            break
        assert passage > 1, f"{point} is never passed"
        passage //= 2  # how often the clock lets it pass differs
    result = ret["result"]
    assert result.status in (3, -signal.SIGKILL), (point, passage, result)
    if point.startswith("master_"):
        assert ret["deaths"] >= 1, (point, result)
    program = "master" if point.startswith("master_") else "node"
    named = " of a run that has a name" if name else ""
    torture.row(f"{program}{named} killed at `{point}`", store=ret["store"],
                run=ret["run"], keys=KEYS, expected_failures=GONE,
                prices=ground.prices,
                recover=max(0.0, ret["seconds"] - undisturbed))


def which(torture, kind, point, number, n):
    """The passages to try. In the short form one for each point and store:
    the first, the second or the last, by turns."""
    n = max(n, 1)
    all_of = sorted({1, min(2, n), n})
    if torture.full:
        return all_of
    return [all_of[(number + (kind == "postgres")) % len(all_of)]]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("program", ["node", "master"])
def test_each_point(ground, torture, program, kind):
    master = program == "master"
    tried = points_for(kind, master, torture.full)
    assert len(tried) >= 5
    count, seconds = passages(ground, kind)
    together(crash(ground, torture, kind, point, passage, seconds)
             for i, point in enumerate(tried)
             for passage in which(torture, kind, point, i, count[point]))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_run_that_has_a_name(ground, torture, kind):
    """Begun with the same words again, as a container is, it goes on, and
    when it has ended its status is that of the run."""
    tried = LEADING if torture.full else LEADING[kind == "postgres"::2]
    together(crash(ground, torture, kind, point, 1, 0, "monday")
             for point in tried)


def retry(ground, torture, kind, point):
    """A run of which every other key fails, and its retry, which dies: before
    its run is there it is begun again, afterwards it is resumed."""
    store, marks = ground.store(kind), ground.marks()
    server = ground.starter.origin(
        "--count", N_KEYS, "--fault", f"404@{','.join(KEYS[::2])}:1", *FAULTS)
    both = {"origin": server, "store": store}
    result = yield ground.starter.start(
        "run", ground.pipeline, "--batch", 5, "--scale", 1, env=SETTINGS,
        **both)
    assert result.status == 3, result
    command = ("retry", the_run(store)[0], "--batch", 5)
    env = {**SETTINGS, "WINDROW_CRASH": f"{point}@1",
           "WINDROW_CRASH_ONCE": str(marks)}
    for _ in range(3):
        result = yield ground.starter.start(*command, "--scale", 1, env=env,
                                            **both)
        runs = store.query("SELECT run, state FROM windrow_runs"
                           " WHERE retry_of IS NOT NULL")
        if runs and runs[0][1] != "open":
            break
        command = ("resume", runs[0][0]) if runs else command
    assert (marks / point).exists(), f"{point} is never passed"
    torture.row(f"`windrow retry` killed at `{point}`", store=store,
                run=runs[0][0], keys=KEYS, expected_failures=GONE,
                prices=ground.prices)
    server.end()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_retry(ground, torture, kind):
    """Resumes like any run; each key has its row once, over both runs."""
    tried = RETRYING if torture.full else RETRYING[kind == "postgres"::2]
    together(retry(ground, torture, kind, point) for point in tried)


def test_a_run_that_is_scaled(ground, torture, windrow, postgres):
    """`windrow scale` dies behind its write; so does the master that has read
    it, when it has started a node more."""
    server, marks = ground.origin(), ground.marks()
    env = {**SETTINGS, "WINDROW_CRASH_ONCE": str(marks)}
    run = ground.starter.start(
        "run", ground.pipeline, "--batch", 2, "--scale", 1, origin=server,
        store=postgres, env={**env, "WINDROW_CRASH": "master_after_scale@1"})
    until(lambda: postgres.count("windrow_runs"), "a run")
    result = windrow("scale", 2, store=postgres, env={
        **env, "WINDROW_CRASH": "scale_after_write@1"})
    assert result.status == -signal.SIGKILL, result
    assert postgres.query("SELECT nodes_wanted FROM windrow_runs") == [(2,)]
    assert run.wait(20).status == -signal.SIGKILL
    result = windrow("resume", 1, origin=server, store=postgres, env=env)
    assert result.status == 3, result
    torture.row("master, and `windrow scale`, killed behind its write",
                store=postgres, keys=KEYS, expected_failures=GONE,
                prices=ground.prices, tried=2)


def test_the_short_form_tries_each_point():
    """Over both databases; so that a new point is never left out."""
    tried = {point for kind in ("sqlite", "postgres")
             for master in (False, True)
             for point in points_for(kind, master, full=False)}
    assert tried | SCALING == set(points())
    assert set(LEADING) < tried


def test_a_point_that_is_never_passed_is_noticed(ground, torture):
    """Or the tests above would prove nothing."""
    with pytest.raises(AssertionError, match="never passed"):
        together([crash(ground, torture, "sqlite", "no_such_point", 1, 0)])

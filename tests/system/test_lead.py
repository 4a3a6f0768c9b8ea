"""A run by its name: one master leads, the others stand by."""
import signal
import time

import pytest

from harness import PATIENCE, SP500, facts, until
from test_kill import LATENCY, SLOWLY, assert_all_stored

PATIENT = {**SLOWLY, "WINDROW_MASTER_LEASE": "2s"}


def said(run):
    return run.err.read_text("utf-8", "replace")


def lead(start, server, store, *options, name="monday", **settings):
    """A master of the named run, on four nodes."""
    return start("run", SP500, "--name", name, "--scale", 4, "--batch", 5,
                 *options, origin=server, store=store,
                 env={**PATIENT, **settings})


def stand_by(start, server, store):
    """A leader with some rows stored, and a second master that waits."""
    leader = lead(start, server, store)
    until(lambda: store.count() >= 40, "some rows")
    second = lead(start, server, store)
    until(lambda: "standing by" in said(second), "a stand-by", 5)
    assert second.nodes() == [], "it starts nothing"
    assert store.count() < 450, "too late to disturb"
    return leader, second


def owner(store):
    """Of the one run; its number may be 2, where another was begun at the same
    moment and was not needed."""
    rows = store.query("SELECT owner, epoch FROM windrow_runs")
    return rows[0]


def test_a_run_of_that_name_is_not_run_again(windrow, origin, store):
    """It had ended: its summary and status are all there is to say."""
    server = origin("--fault", "404@MSFT")
    first, again = (
        windrow("run", SP500, "--name", "monday", origin=server, store=store)
        for _ in range(2))
    assert (first.status, again.status) == (3, 3)
    assert again.summary["run"] == first.summary["run"] == 1
    assert again.summary["stored"] == 502
    assert server.asked()["AAPL"] == 1
    other = windrow("run", SP500, "--name", "tuesday", "--limit", 3,
                    origin=server, store=store)
    assert (other.status, other.summary["run"]) == (0, 2)


def test_two_begin_at_once(start, origin, store):
    """One of them leads; the other ends with the same result."""
    server = origin()
    masters = [lead(start, server, store) for _ in range(2)]
    for master in masters:
        assert_all_stored(master.wait(30), store)
    assert store.query("SELECT count(*) FROM windrow_runs")[0][0] == 1


def test_a_stand_by_ends_with_the_run(start, origin, store):
    """It tells how the run went, though it did nothing for it."""
    leader, second = stand_by(start, origin(*LATENCY), store)
    assert_all_stored(leader.wait(40), store)
    result = second.wait(5)
    assert_all_stored(result, store)
    assert result.summary["stored"] == 503


def test_a_stand_by_takes_over(start, origin, store):
    """Within its lease and a moment; what was committed is not asked for
    again; none is lost."""
    server = origin(*LATENCY)
    leader, second = stand_by(start, server, store)
    leader.signal(signal.SIGKILL)
    leader.process.wait(5)
    killed = time.monotonic()
    committed = store.prices()
    server.reset()
    until(lambda: owner(store)[1] == 2, "the second leads", 5)
    print(f"figure: led {time.monotonic() - killed:.1f} s after the death, "
          "with a lease of 2 s")
    assert time.monotonic() - killed < 5 * PATIENCE
    assert_all_stored(second.wait(40), store)
    assert not set(committed) & set(server.asked())


def test_a_stand_by_takes_over_by_default_in_5_s(start, origin, postgres):
    """With settings as they are when nobody touches them."""
    server = origin("--latency", "200ms")
    env = {"YAHOO_IN_FLIGHT": "8"}
    masters = [start("run", SP500, "--name", "monday", "--scale", 2,
                     origin=server, store=postgres, env=env)
               for _ in range(2)]
    until(lambda: postgres.count() >= 20, "some rows", 20)
    leader = next(master for master in masters if master.nodes())
    leader.signal(signal.SIGKILL)
    leader.process.wait(5)
    killed = time.monotonic()
    until(lambda: owner(postgres)[1] == 2, "the second leads", 8)
    seconds = time.monotonic() - killed
    print(f"figure: led {seconds:.1f} s after the death, by default")
    assert seconds < 5 * PATIENCE
    second = next(master for master in masters if master is not leader)
    assert_all_stored(second.wait(60), postgres)


def test_the_old_leader_wakes_up(start, origin, store):
    """It stood still for longer than its lease. The run is another's: it can
    write nothing, says so, and ends."""
    leader, second = stand_by(start, origin(*LATENCY), store)
    leader.signal(signal.SIGSTOP)
    until(lambda: owner(store)[1] == 2, "the second leads", 8)
    leader.signal(signal.SIGCONT)
    result = leader.wait(10)
    assert result.status == 4, result
    assert "another master" in result.err, result
    assert_all_stored(second.wait(40), store)
    assert owner(store)[1] == 2


def test_the_database_is_away_for_a_stand_by(start, origin, fragile):
    """It goes on waiting, and leads when its turn comes."""
    store = fragile.database()
    leader, second = stand_by(start, origin(*LATENCY), store)
    leader.signal(signal.SIGKILL)
    leader.process.wait(5)
    fragile.restart()
    assert_all_stored(second.wait(40), store)


def test_another_pipeline_has_another_name(windrow, origin, pipeline, sqlite):
    """The name stands for one text of the pipeline."""
    server = origin()
    assert windrow("run", SP500, "--name", "monday", "--limit", 1,
                   origin=server, store=sqlite).status == 0
    changed = pipeline(SP500.read_text() + "\n# changed\n")
    result = windrow("run", changed, "--name", "monday", origin=server,
                     store=sqlite)
    assert result.status == 2
    assert "another --name" in result.err


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb"])
def test_a_bad_name(windrow, sqlite, name):
    result = windrow("run", SP500, "--name", name, store=sqlite)
    assert result.status == 2
    assert "--name wants" in result.err

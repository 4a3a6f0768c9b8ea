"""Processes that die or stand still in mid-run: no row lost, none twice."""
import os
import random
import signal
import time

import pytest

from harness import SP500, facts, is_alive, until

# Slow enough that a run of four nodes lasts for about two seconds. Shares of
# what may be in flight expire with the lease.
SLOWLY = {"YAHOO_IN_FLIGHT": "24", "WINDROW_LEASE": "1s",
          "WINDROW_HEARTBEAT": "250ms", "WINDROW_MASTER_LEASE": "1s"}
LATENCY = ("--latency", "80ms")


def start_slowly(start, server, store, *options, **settings):
    """A run of four nodes, with some of its rows stored."""
    run = start("run", SP500, "--scale", 4, "--batch", 5, *options,
                origin=server, store=store, env={**SLOWLY, **settings})
    until(lambda: store.count() >= 40, "some rows")
    assert store.count() < 450, "too late to disturb"
    return run


def assert_all_stored(result, store):
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())
    assert store.failures() == {}


@pytest.mark.parametrize("who", [0, 3])
def test_a_node_is_killed(start, origin, store, who):
    """Its batches go out again; it is started again."""
    run = start_slowly(start, origin(*LATENCY), store)
    os.kill(run.nodes()[who], signal.SIGKILL)
    assert_all_stored(run.wait(40), store)


def test_nodes_are_killed_again_and_again(start, origin, store):
    """Any of them, at any time."""
    run = start_slowly(start, origin(*LATENCY), store)
    chance = random.Random(1)
    for _ in range(6):
        if nodes := run.nodes():
            os.kill(chance.choice(nodes), signal.SIGKILL)
        time.sleep(0.3)
    assert_all_stored(run.wait(40), store)


def test_the_master_is_killed(start, windrow, origin, store):
    """Its nodes end with it. `windrow resume` does the rest, and does not
    ask again for what was committed."""
    server = origin(*LATENCY)
    run = start_slowly(start, server, store)
    nodes = run.nodes()
    assert len(nodes) == 4
    run.signal(signal.SIGKILL)
    run.process.wait(5)
    until(lambda: not any(map(is_alive, nodes)), "its nodes are gone", 3)
    committed = store.prices()
    assert 40 <= len(committed) < 503
    server.reset()
    time.sleep(1.2)  # until its lease has run out
    result = windrow("resume", 1, "--scale", 4, origin=server, store=store,
                     env=SLOWLY)
    assert_all_stored(result, store)
    asked = server.asked()
    again = {symbol for symbol in committed
             if symbol.replace(".", "-") in asked or symbol in asked}
    assert again == set()
    assert "wiki" not in asked, "the list was closed"


def test_the_master_is_killed_before_the_list_came(start, windrow, origin,
                                                   store):
    """The list's keys do not exist before it is closed: it is read again."""
    server = origin("--wiki-latency", "1s")
    run = start("run", SP500, origin=server, store=store,
                env={"WINDROW_MASTER_LEASE": "1s"})
    until(lambda: server.log()["in_flight"], "the list is asked for")
    run.signal(signal.SIGKILL)
    run.process.wait(5)
    time.sleep(1.2)
    result = windrow("resume", 1, origin=server, store=store)
    assert_all_stored(result, store)
    assert server.asked()["wiki"] == 2


@pytest.mark.parametrize("seconds", [0.5, 3])
def test_a_node_stands_still(start, origin, store, seconds):
    """For less or for more than its lease, here of 1 s: what it does when it
    wakes up stores nothing twice."""
    run = start_slowly(start, origin(*LATENCY), store)
    node = run.nodes()[1]
    os.kill(node, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(node, signal.SIGCONT)
    assert_all_stored(run.wait(40), store)


def test_a_node_that_stands_still_is_not_waited_for(start, origin, sqlite):
    """The others do its work; the run ends while it stands."""
    run = start_slowly(start, origin(*LATENCY), sqlite)
    node = run.nodes()[1]
    os.kill(node, signal.SIGSTOP)
    assert_all_stored(run.wait(30), sqlite)
    assert not is_alive(node), "it is ended with the run"


def test_the_master_stands_still(start, origin, store):
    """For longer than the nodes' lease and its own, with no rival: the run
    goes on."""
    run = start_slowly(start, origin(*LATENCY), store)
    run.signal(signal.SIGSTOP)
    time.sleep(2.5)
    run.signal(signal.SIGCONT)
    assert_all_stored(run.wait(40), store)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed(start, windrow, origin, store, number):
    """Paused and taken up; what is stored is not asked for again."""
    server = origin(*LATENCY)
    run = start_slowly(start, server, store)
    run.signal(number)
    result = run.wait(5)
    assert result.status == 130 and result.summary["open"] > 0, result
    assert result.summary["stored"] == store.count()
    committed = store.prices()
    server.reset()
    result = windrow("resume", 1, "--scale", 2, origin=server, store=store,
                     env=SLOWLY)
    assert_all_stored(result, store)
    assert result.summary["stored"] == 503
    assert not set(committed) & set(server.asked())


def test_a_differing_setting_needs_force(start, windrow, origin, store):
    server = origin(*LATENCY)
    run = start_slowly(start, server, store)
    run.signal(signal.SIGINT)
    run.wait(5)
    result = windrow("resume", 1, origin=server, store=store, timeout=10)
    assert result.status == 2 and "YAHOO_IN_FLIGHT" in result.err, result
    result = windrow("resume", 1, "--force", origin=server, store=store)
    assert_all_stored(result, store)


def test_a_run_has_one_master(start, windrow, origin, store):
    """A second one is refused as long as the first one lives."""
    run = start_slowly(start, origin(*LATENCY), store)
    result = windrow("resume", 1, store=store, timeout=10, env={
        **run_settings(run), **SLOWLY})
    assert result.status in (2, 4), result
    assert_all_stored(run.wait(40), store)


def run_settings(run):
    text = open(f"/proc/{run.pid}/environ", encoding="utf-8").read()
    pairs = (entry.partition("=") for entry in text.split("\0"))
    return {name: value for name, _, value in pairs
            if name in ("WIKIPEDIA_URL", "YAHOO_URL", "YAHOO_RATE")}


@pytest.mark.parametrize("pause", [0, 2])
def test_postgresql_is_restarted(start, origin, fragile, pause):
    """At once, or after a while: the run waits, and goes on."""
    store = fragile.database()
    run = start_slowly(start, origin(*LATENCY), store)
    fragile.stop()
    try:
        time.sleep(pause)
        assert run.is_running()
    finally:
        fragile.start()
    assert_all_stored(run.wait(40), store)


def test_postgresql_ends_our_sessions(start, origin, postgres):
    """As an administrator does."""
    run = start_slowly(start, origin(*LATENCY), postgres)
    for _ in range(3):
        postgres.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
            " datname = current_database() AND pid <> pg_backend_pid()")
        time.sleep(0.2)
    assert_all_stored(run.wait(40), postgres)


def test_postgresql_stays_away(start, windrow, origin, fragile):
    """After WINDROW_DATABASE_WAIT the run ends with 4, and can be resumed."""
    store = fragile.database()
    server = origin(*LATENCY)
    run = start_slowly(start, server, store, WINDROW_DATABASE_WAIT="2s")
    fragile.stop()
    try:
        result = run.wait(15)
        assert result.status == 4, result
        assert "windrow resume 1" in result.text, result
    finally:
        fragile.start()
    result = windrow("resume", 1, origin=server, store=store, env=SLOWLY)
    assert_all_stored(result, store)

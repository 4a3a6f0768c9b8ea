"""Nodes that are killed at random, that come and go, that fall silent."""
import os
import random
import signal
import time

import pytest

from harness import PATIENCE, until
from network import Network
from nodes import (Guest, Recovery, environment, key_file, key_pipeline,
                   prices_of)

KILLS_PER_SECOND = 5


def kill_at_random(run, seed, every=1 / KILLS_PER_SECOND):
    """Until the run ends. How many were killed."""
    chance, n = random.Random(seed), 0
    due = time.monotonic()
    while run.is_running():
        due += every
        if nodes := run.nodes():
            try:
                os.kill(chance.choice(nodes), signal.SIGKILL)
                n += 1
            except ProcessLookupError:
                pass
        time.sleep(max(0, due - time.monotonic()))
    return n


def test_five_nodes_killed_each_second(torture, start, origin, pipeline,
                                       store, tmp_path):
    """For as long as the run lasts; no key is blamed for it."""
    keys, path = key_file(tmp_path, 50_000 if torture.full else 6_000)
    server = origin("--count", len(keys), "--latency", "100ms")
    run = start("run", key_pipeline(pipeline, path, instances=16),
                "--scale", 12, "--batch", 50, origin=server, store=store)
    until(lambda: store.count() > 0, "some rows", 20)
    n = kill_at_random(run, seed=5)
    result = run.wait(300)
    assert result.status == 0, result
    torture.row("five random nodes killed each second", store=store,
                keys=keys, tried=n, prices=prices_of(origin, keys))
    assert n >= (50 if torture.full else 8), "the run was too short"


def test_nodes_join_and_leave(torture, start, starter, origin, pipeline,
                              store, tmp_path):
    """Guests come, work, and leave when they are told to; two are killed."""
    keys, path = key_file(tmp_path, 4_000 if torture.full else 1_500)
    server = origin("--count", len(keys), "--latency", "50ms")
    settings = {"WINDROW_LEASE": "1s", "WINDROW_HEARTBEAT": "250ms"}
    run = start("run", key_pipeline(pipeline, path, instances=8), "--scale",
                2, "--batch", 16, origin=server, store=store, env=settings)
    n, left, guests = 0, 0, []
    while run.is_running():
        guest = starter.keep(Guest(run, f"guest-{n}", environment(
            server, store, **settings)))
        guests.append(guest)
        time.sleep(0.4)
        if len(guests) < 3 or not run.is_running():
            n += 1
            continue
        guest = guests.pop(0)
        if n % 5 == 4:
            guest.kill()
        else:
            assert guest.leave() == 0, guest.log.read_text()
        n, left = n + 1, left + 1
    result = run.wait(60)
    assert result.status == 0, result
    torture.row("nodes join and leave in mid-run", store=store, keys=keys,
                tried=left, prices=prices_of(origin, keys))
    assert left >= 2, "the run was too short"


@pytest.fixture
def network(starter, postgres, windrow, tmp_path):
    """Over TCP, with keys."""
    folder = tmp_path / "keys"
    assert windrow("keygen", folder).status == 0
    return Network(starter, postgres, folder)


def test_nodes_join_and_are_killed_over_tcp(torture, network, origin, pipeline,
                                            postgres, tmp_path):
    """The run has no other nodes. Three at a time, of which the oldest makes
    room for a new one: killed, each fourth told to stop. Between two, rows are
    stored: on a loaded machine none lived long enough, and it had no end."""
    keys, path = key_file(tmp_path, 4_000 if torture.full else 800)
    server = origin("--count", len(keys), "--latency", "50ms")
    network.settings = {**server.settings(), "WINDROW_LEASE": "1s",
                        "WINDROW_HEARTBEAT": "250ms"}
    run = network.master("run", key_pipeline(pipeline, path, instances=8),
                         "--batch", 16)
    n, n_rows, nodes = 0, 0, []
    while run.is_running():
        nodes.append(network.node("--name", f"guest-{n + len(nodes)}"))
        time.sleep(0.4)
        if len(nodes) < 3 or not run.is_running():
            continue
        until(lambda: not run.is_running() or postgres.count() > n_rows,
              "more rows", 20)
        n_rows = postgres.count()
        node, n = nodes.pop(0), n + 1
        if n % 4 == 0:
            node.signal(signal.SIGTERM)
            assert node.wait(20).status == 0
        else:
            node.signal(signal.SIGKILL)
            node.process.wait(10)
    result = run.wait(60)
    assert result.status == 0, result
    torture.row("nodes join and are killed, over TCP with keys",
                store=postgres, keys=keys, tried=n,
                prices=prices_of(origin, keys))
    assert n >= 2, "the run was too short"


def test_a_silent_death_is_noticed(torture, start, starter, origin, pipeline,
                                   store, tmp_path):
    """By default within 3 s a dead node's keys are with another one, although
    nobody says that it died. Measured at the origin, from the kill to the
    next request for one of its keys."""
    deaths = 6 if torture.full else 2
    keys, path = key_file(tmp_path, 900 * deaths)
    server = origin("--count", len(keys), "--latency", "100ms")
    run = start("run", key_pipeline(pipeline, path, instances=8), "--scale",
                2, "--batch", 8, origin=server, store=store)
    seconds = []
    for i in range(deaths):
        guest = starter.keep(Guest(run, f"guest-{i}",
                                   environment(server, store)))
        until(guest.has_work, "it has work", 10)
        time.sleep(0.3)
        guest.kill()
        seconds.append(Recovery(server).wait())
    result = run.wait(120)
    assert result.status == 0, result
    worst = max(seconds)
    torture.figure("from a node's silent death (kill -9) to the next request"
                   f" for one of its keys, defaults, {store.kind}",
                   f"at most {worst:.1f} s of {deaths}")
    torture.row("a node dies, and nobody says so", store=store, keys=keys,
                tried=deaths, recover=worst, prices=prices_of(origin, keys))
    assert worst < 3 * PATIENCE, seconds

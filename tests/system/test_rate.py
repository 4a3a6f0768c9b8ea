"""One budget for each host, over all nodes: while they come and go, with
retries and redirects, and when another master takes over."""
import os
import random
import signal
import time

import pytest

import harness
from harness import quotes, source, until

RATE = 40
NODES = 4
SHORT = {"WINDROW_HEARTBEAT": "250ms", "WINDROW_LEASE": "1s",
         "WINDROW_MASTER_LEASE": "2s"}


@pytest.fixture
def listed(pipeline, tmp_path):
    """listed(N, OPTION=...): a pipeline of N generated keys and one budget."""
    def make(n, **options):
        keys = tmp_path / "keys.txt"
        keys.write_text("".join(f"K{i:07}\n" for i in range(1, n + 1)))
        return pipeline(source("file", input_values=[str(keys)]),
                        quotes(**options), harness.store())
    return make


def assert_rate_held(log, nodes):
    """Never more than the rate, and one for each node, in any second."""
    used = log["requests"] / log["seconds"] / RATE
    print(f"figure: busiest second {log['second_max']} of {RATE}, "
          f"{100 * used:.0f} % used, {log['in_flight_max']} in flight")
    assert log["second_max"] <= RATE + nodes, log


def assert_rate_used(log, part=0.95):
    """So much of it, from the first request to the last; a busy machine, where
    nodes get their turn late, leaves more unused."""
    part = part if harness.PATIENCE == 1 else 0.85 * part
    assert log["requests"] / log["seconds"] >= part * RATE, log


def test_rate_over_four_nodes(windrow, origin, listed, store):
    """It holds, and is used."""
    server = origin("--count", 400)
    result = windrow("run", listed(400, rate=f"{RATE}/s"), "--scale", NODES,
                     "--batch", 10, origin=server, store=store)
    assert (result.status, store.count()) == (0, 400), result
    log = server.log()
    assert_rate_held(log, NODES)
    assert_rate_used(log)


def test_retries_and_redirects_count(windrow, origin, listed, sqlite):
    """Each request is one, whatever made it necessary."""
    server = origin("--count", 240, "--fault", "500=0.2", "--fault",
                    "redirect=0.3")
    result = windrow("run", listed(240, rate=f"{RATE}/s",
                                   retry={"attempts": 20, "backoff": "50ms"}),
                     "--scale", NODES, "--batch", 10, origin=server,
                     store=sqlite)
    assert (result.status, sqlite.count()) == (0, 240), result
    log = server.log()
    assert log["requests"] > 330
    assert_rate_held(log, NODES)
    assert_rate_used(log)


@pytest.mark.parametrize("kill, used", [(False, 0.95), (True, 0.85)],
                         ids=["told", "killed"])
def test_rate_while_nodes_come_and_go(start, windrow, origin, listed, sqlite,
                                      kill, used):
    """Scaled up and down; and killed, which costs a node's share until it
    expires. On a quiet machine 97 % and 92 % are used (docs/scale.md)."""
    server = origin("--count", 600)
    run = start("run", listed(600, rate=f"{RATE}/s"), "--scale", 2,
                "--batch", 10, origin=server, store=sqlite, env=SHORT)
    chance = random.Random(5)
    until(lambda: sqlite.count() > 20, "some rows")
    for n in (5, 3, 6, 2):
        assert windrow("scale", n, store=sqlite).status == 0
        time.sleep(1.2)
        if kill and (nodes := run.nodes()):
            os.kill(chance.choice(nodes), signal.SIGKILL)
        time.sleep(0.8)
    result = run.wait(60)
    assert (result.status, sqlite.count()) == (0, 600), result
    assert_rate_held(server.log(), 6)
    assert_rate_used(server.log(), used)


def test_rate_over_a_takeover(start, origin, listed, store):
    """The second master grants nothing that nodes of the first may use."""
    server = origin("--count", 400)
    arguments = ("run", listed(400, rate=f"{RATE}/s", max_in_flight=12),
                 "--scale", NODES, "--batch", 10, "--name", "monday")
    masters = [start(*arguments, origin=server, store=store, env=SHORT)
               for _ in range(2)]
    until(lambda: store.count() > 60, "some rows")
    leader = next(master for master in masters if master.nodes())
    leader.signal(signal.SIGKILL)
    leader.process.wait(5)
    other = next(master for master in masters if master is not leader)
    result = other.wait(60)
    assert (result.status, store.count()) == (0, 400), result
    log = server.log()
    assert_rate_held(log, NODES)
    assert log["in_flight_max"] <= 12
    # But for the change: the lease of the first, and two of its nodes'.
    if harness.PATIENCE == 1:
        assert log["requests"] >= 0.9 * RATE * (log["seconds"] - 4.5), log


def test_in_flight_while_nodes_come_and_go(start, windrow, origin, listed,
                                           sqlite):
    server = origin("--count", 500, "--latency", "100ms")
    run = start("run", listed(500, max_in_flight=7), "--scale", 2, "--batch",
                10, origin=server, store=sqlite, env=SHORT)
    until(lambda: sqlite.count() > 20, "some rows")
    for n in (5, 2, 6, 1):
        assert windrow("scale", n, store=sqlite).status == 0
        time.sleep(1.3)
    result = run.wait(60)
    assert (result.status, sqlite.count()) == (0, 500), result
    most = server.log()["in_flight_max"]
    print(f"figure: {most} in flight of 7")
    assert most <= 7


def test_a_refusal_slows_all_nodes(start, origin, listed, sqlite):
    """One node sees status 429: within a second no node asks that host."""
    server = origin("--count", 2000, "--latency", "20ms", "--fault",
                    "429-retry-after@K0000600:1", "--retry-after", "4")
    run = start("run", listed(2000, rate="300/s"), "--scale", NODES,
                "--batch", 20, origin=server, store=sqlite)
    until(lambda: server.log()["injected"], "the refusal", 20, 0.02)
    time.sleep(1)
    before = server.log()["requests"]
    time.sleep(1.5)
    assert server.log()["requests"] == before, "nobody asks"
    result = run.wait(60)
    assert (result.status, sqlite.count()) == (0, 2000), result


def test_adaptive_finds_what_a_site_bears(windrow, origin, listed, sqlite):
    """A site that bears 60 a second is not told about: the rate is found, and
    most of the site's answers are no refusals."""
    server = origin("--count", 600, "--bears", 60)
    result = windrow("run", listed(600, rate="400/s", adaptive=True,
                                   hold="500ms", retry={"attempts": 20}),
                     "--scale", 2, "--batch", 20, origin=server, store=sqlite,
                     timeout=90)
    assert (result.status, sqlite.count()) == (0, 600), result
    log = server.log()
    print(f"figure: {log['requests'] / log['seconds']:.0f} requests a second "
          f"where 60 are borne, {log['injected']}")
    assert log["requests"] / log["seconds"] > 25 / harness.PATIENCE, log
    assert log["injected"].get("429", 0) < 0.1 * log["requests"], log

"""Nodes that stand still, and nodes that are slow."""
import os
import random
import signal
import threading
import time

from harness import PATIENCE, SqliteStore, until
from nodes import key_file, key_pipeline

TENTH = (0.1, 0.9)  # seconds running and standing: ten times slower
WITH_IT = 15  # seconds with the second hand-out: 10; 15 to 22 without


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def stop_and_wake(run, seconds, seed):
    """Stops nodes at random for as long as that, one or two at a time, until
    the run ends. How often."""
    chance, n, standing = random.Random(seed), 0, []
    while run.is_running():
        now = time.monotonic()
        for since, pid in [entry for entry in standing
                           if entry[0] + seconds < now]:
            send(pid, signal.SIGCONT)
            standing.remove((since, pid))
        awake = set(run.nodes()) - {pid for _, pid in standing}
        if len(standing) < 2 and len(awake) > 1:
            pid = chance.choice(sorted(awake))
            send(pid, signal.SIGSTOP)
            standing.append((now, pid))
            n += 1
        time.sleep(0.2)
    for _, pid in standing:
        send(pid, signal.SIGCONT)
    return n


def test_nodes_stand_still(torture, start, origin, pipeline, store, tmp_path):
    """For longer than their lease, again and again: what a woken node still
    holds was given to others meanwhile."""
    keys, path = key_file(tmp_path, 4_000 if torture.full else 1_200)
    server = origin("--count", len(keys), "--latency", "50ms")
    run = start("run", key_pipeline(pipeline, path, instances=4), "--scale",
                4, "--batch", 16, origin=server, store=store,
                env={"WINDROW_LEASE": "800ms", "WINDROW_HEARTBEAT": "200ms"})
    until(lambda: store.count() > 0, "some rows", 20)
    n = stop_and_wake(run, seconds=1.5, seed=3)
    result = run.wait(120)
    assert result.status == 0, result
    torture.row("nodes stopped for longer than their lease, and woken",
                store=store, keys=keys, tried=n)
    assert n >= 3, "the run was too short"


class SlowNode(threading.Thread):
    """Lets a process run a tenth of the time, until told to stop."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.over = pid, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(TENTH[0]):
            send(self.pid, signal.SIGSTOP)
            self.over.wait(TENTH[1])
            send(self.pid, signal.SIGCONT)

    def end(self):
        self.over.set()
        self.join(5)


def run_with_slow_node(start, server, store, pipeline, path, **settings):
    """A run of three nodes, one of them slow from its first row on. It ended
    after so many seconds."""
    run = start("run", key_pipeline(pipeline, path, instances=4), "--scale",
                3, "--batch", 60, origin=server, store=store, env=settings)
    nodes = until(lambda: len(run.nodes()) == 3 and run.nodes(), "nodes", 20)
    slow = SlowNode(nodes[1])
    try:
        result = run.wait(120)
    finally:
        slow.end()
    assert result.status == 0, result
    return result.seconds


def test_a_slow_node_does_not_hold_up_the_end(torture, start, origin,
                                              pipeline, tmp_path):
    """Ten times slower than the others. Measured with and without the second
    hand-out of what is left near the end."""
    keys, path = key_file(tmp_path, 1_440)
    server = origin("--count", len(keys), "--latency", "50ms")
    stores = [SqliteStore(tmp_path / f"store-{i}.db") for i in range(2)]
    with_it = run_with_slow_node(start, server, stores[0], pipeline, path)
    torture.row("a node ten times slower than the others", store=stores[0],
                keys=keys)
    assert with_it < WITH_IT * PATIENCE
    if not torture.full:
        return
    without = run_with_slow_node(start, server, stores[1], pipeline, path,
                                 WINDROW_DEFENCE_OFF="second_handout")
    torture.row("a node ten times slower than the others, no second hand-out",
                store=stores[1], keys=keys)
    torture.figure("a run of 1,440 keys on three nodes, one ten times slower",
                   f"{with_it:.1f} s; without the second hand-out"
                   f" {without:.1f} s")
    assert with_it < without

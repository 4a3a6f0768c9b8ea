"""The wall clock jumps: what is stored follows it, what waits does not.

libfaketime tells master and nodes another CLOCK_REALTIME, which a test sets
while they run; CLOCK_MONOTONIC goes on.
"""
import os
import signal
import time

import pytest

from harness import Clock, until
from nodes import key_file, key_pipeline

pytestmark = pytest.mark.skipif(not Clock.LIBRARY.exists(),
                                reason="no libfaketime")
HOUR = 3600
QUICK = {"WINDROW_LEASE": "1s", "WINDROW_HEARTBEAT": "250ms",
         "WINDROW_MASTER_LEASE": "1s"}


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)



def test_jumps_in_mid_run(torture, start, origin, pipeline, store, tmp_path,
                          clock):
    """An hour on, an hour back, a day on; with retries to come, and a node
    killed and started again after each, which must be taken for what it is.
    The run is exact, no slower, and the rows' times show the jumps."""
    keys, path = key_file(tmp_path, 400)
    retried = ",".join(keys[::50])
    server = origin("--count", len(keys), "--latency", "100ms", "--fault",
                    f"503@{retried}:2")
    run = start("run", key_pipeline(pipeline, path, instances=4),
                "--scale", 2, "--batch", 8, origin=server, store=store,
                env={**QUICK, **clock.environment()})
    until(lambda: store.count() > 10, "some rows", 20)
    jumps = (HOUR, -HOUR, 24 * HOUR)
    for jump in jumps:
        clock.set(jump)
        time.sleep(0.2)
        if nodes := run.nodes():
            os.kill(nodes[0], signal.SIGKILL)
        before = store.count()
        until(lambda: store.count() > before, "rows after the jump", 10)
        time.sleep(0.5)
        assert run.is_running(), "the run was too short"
    result = run.wait(40)
    assert result.status == 0, result
    torture.row("the wall clock jumps: an hour on, an hour back, a day on",
                store=store, keys=keys, tried=len(jumps))
    assert span(store) > 24 * HOUR


def span(store):
    """Seconds from the first row's time to the last one's."""
    times = sorted(text[:19].replace("T", " ") for text, in
                   store.rows(columns="extracted_time"))
    first, last = (time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
                   for text in (times[0], times[-1]))
    return last - first


def test_set_back_between_two_masters(torture, start, origin, pipeline,
                                      sqlite, tmp_path, clock):
    """A dead master's lease, which in SQLite is by this machine's clock, is
    not waited for until that clock has come there again."""
    keys, path = key_file(tmp_path, 200)
    server = origin("--count", len(keys), "--latency", "50ms")
    both = {"origin": server, "store": sqlite, "env": clock.environment()}
    run = start("run", key_pipeline(pipeline, path, instances=4), "--scale",
                2, "--batch", 8, **both)
    until(lambda: sqlite.count() > 10, "some rows", 20)
    run.signal(signal.SIGKILL)
    run.process.wait(10)
    clock.set(-HOUR)
    result = start("resume", 1, "--scale", 2, **both).wait(20)
    assert result.status == 0, result
    torture.row("the wall clock set back by an hour between two masters",
                store=sqlite, keys=keys, recover=result.seconds)

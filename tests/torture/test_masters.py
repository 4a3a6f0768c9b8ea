"""The master killed again and again, and two masters of one run."""
import signal
import time

import pytest

from harness import until
from nodes import key_file, key_pipeline

SETTINGS = {"WINDROW_MASTER_LEASE": "1s", "WINDROW_HEARTBEAT": "200ms",
            "WINDROW_LEASE": "600ms"}


def test_killed_again_and_again(torture, start, origin, pipeline, store,
                                tmp_path):
    """Twenty times in one run, and resumed each time."""
    kills = 20 if torture.full else 4
    keys, path = key_file(tmp_path, 160 * kills)
    server = origin("--count", len(keys), "--latency", "50ms")
    command = ("run", key_pipeline(pipeline, path, instances=8))
    worst = 0.0
    for _ in range(kills):
        run = start(*command, "--scale", 2, "--batch", 8, origin=server,
                    store=store, env=SETTINGS)
        began, before = time.monotonic(), store.count()
        until(lambda: store.count() > before, "a row more", 20)
        if command[0] == "resume":
            worst = max(worst, time.monotonic() - began)
        time.sleep(0.1)
        run.signal(signal.SIGKILL)
        run.process.wait(10)
        assert run.process.returncode == -signal.SIGKILL, "the run was short"
        command = ("resume", 1)
    result = start(*command, "--scale", 2, origin=server, store=store,
                   env=SETTINGS).wait(60)
    assert result.status == 0, result
    torture.row("master killed with -9 and resumed", store=store, keys=keys,
                tried=kills, recover=worst)


@pytest.mark.parametrize("woken", ["in mid-run", "after the end"])
def test_two_masters(torture, start, origin, pipeline, store, tmp_path,
                     woken):
    """The first stands still until a second has taken its run, then wakes:
    it says that the run is another's, ends with 4, and has written nothing
    into the ledger. What its nodes still close is closed once."""
    keys, path = key_file(tmp_path, 600)
    server = origin("--count", len(keys), "--latency", "50ms")
    both = {"origin": server, "store": store, "env": SETTINGS}
    first = start("run", key_pipeline(pipeline, path, instances=4), "--scale",
                  2, "--batch", 8, **both)
    until(lambda: store.count() > 50, "some rows", 20)
    first.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    before = store.count()
    second = start("resume", 1, "--scale", 2, **both)
    until(lambda: owner(store)[0] == 2, "the second has the run", 20)
    until(lambda: store.count() > before, "a row more", 20)
    recover = time.monotonic() - stopped
    if woken == "after the end":
        second.wait(40)
    taken = owner(store)
    first.signal(signal.SIGCONT)
    refused = first.wait(20)
    assert refused.status == 4, refused
    assert "belongs to another master now" in refused.text, refused
    result = second.wait(40)
    assert result.status == 0, result
    assert owner(store)[:2] == taken[:2], "the old master wrote"
    assert store.query("SELECT state FROM windrow_runs") == [("done",)]
    torture.row(f"two masters of one run, the old one woken {woken}",
                store=store, keys=keys, recover=recover)


def owner(store):
    row, = store.query("SELECT epoch, owner, state FROM windrow_runs")
    return row

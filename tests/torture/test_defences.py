"""Each defence, taken away: the checks of the other tests must notice.

A check that passes without what it checks would prove nothing. The build for
these tests has switches that take one defence away (DEFENCE_OFF() in the
sources); here each is off, the fault comes that it is for, and the counting
must fail in the way that is expected.
"""
import re
import signal
import time

import pytest

from harness import SOURCE, end, until
from nodes import Guest, environment, key_file, key_pipeline
from torture import Counts, Torture

SETTINGS = {"WINDROW_MASTER_LEASE": "1s", "WINDROW_HEARTBEAT": "200ms",
            "WINDROW_LEASE": "600ms"}


def off(*names):
    return {**SETTINGS, "WINDROW_DEFENCE_OFF": ",".join(names)}


def noticed(torture, defence, fault, store, keys, match, what):
    """The counting fails, and says this. It is told as a figure: a row of
    the table would be one of a build that nobody has."""
    with pytest.raises(AssertionError, match=match):
        Torture(report=None).row(fault, store=store, keys=keys)
    counts = Counts(store, 1, "prices")
    missing = len(set(keys) - counts.prices.keys() - counts.failures.keys())
    torture.figure(f"{defence} switched off ({store.kind}), {fault}",
                   what.format(missing=missing, duplicates=counts.duplicates))


def two_masters(start, server, store, pipeline_path, env):
    """A second master takes over while the first stands still, and the
    first's nodes still work on what they hold."""
    both = {"origin": server, "store": store, "env": env}
    first = start("run", pipeline_path, "--scale", 2, "--batch", 5, **both)
    until(lambda: server.log()["in_flight"] > 0, "transfers", 20)
    first.signal(signal.SIGSTOP)
    second = start("resume", 1, "--scale", 2, **both)
    result = second.wait(60)
    first.signal(signal.SIGCONT)
    return first.wait(30), result


def test_without_the_closing_rule(torture, start, origin, pipeline, store,
                                  tmp_path):
    """Rows are stored twice."""
    keys, path = key_file(tmp_path, 40)
    server = origin("--count", len(keys), "--latency", "1s")
    two_masters(start, server, store, key_pipeline(pipeline, path,
                instances=4), off("closing_rule"))
    noticed(torture, "the closing rule", "two masters of one run", store,
            keys, "stored or recorded twice", "{duplicates} duplicates")


def test_without_the_epoch(torture, start, origin, pipeline, sqlite,
                           tmp_path):
    """The old master goes on as if the run were its own."""
    keys, path = key_file(tmp_path, 40)
    server = origin("--count", len(keys), "--latency", "500ms")
    refused, _ = two_masters(start, server, sqlite, key_pipeline(
        pipeline, path, instances=4), off("epoch"))
    assert "belongs to another master now" not in refused.text
    assert refused.status == 0, refused
    torture.figure("the epoch switched off (sqlite), two masters of one run",
                   "the old master ends with 0, as if the run were its own")


def test_without_one_transaction(torture, start, origin, pipeline, sqlite,
                                 tmp_path):
    """A node that dies between two statements takes the rows with it."""
    keys, path = key_file(tmp_path, 40)
    server = origin("--count", len(keys))
    result = start("run", key_pipeline(pipeline, path), "--scale", 1,
                   "--batch", 5, origin=server, store=sqlite, env={
                       **off("one_transaction"),
                       "WINDROW_CRASH": "sqlite_in_close@3"}).wait(30)
    assert result.status == 0, "it does not know better"
    noticed(torture, "one transaction", "a node dies in mid-closing", sqlite,
            keys, "", "{missing} keys lost")


@pytest.mark.parametrize("switched_off", [True, False])
def test_without_the_lease(torture, start, starter, origin, pipeline, sqlite,
                           tmp_path, switched_off):
    """Nobody gets the keys of a node that died silently. The second hand-out
    would save them here, so it is off as well: alone, that loses nothing."""
    keys, path = key_file(tmp_path, 60)
    server = origin("--count", len(keys), "--latency", "400ms")
    names = ["second_handout", "lease"][:1 + switched_off]
    run = start("run", key_pipeline(pipeline, path, instances=4), "--scale",
                1, "--batch", 5, origin=server, store=sqlite, env=off(*names))
    guest = starter.keep(Guest(run, "guest", environment(
        server, sqlite, **SETTINGS)))
    until(guest.has_work, "it has work", 20)
    guest.kill()
    if not switched_off:
        assert run.wait(60).status == 0
        Torture(report=None).row("lease", store=sqlite, keys=keys)
        return
    until(lambda: stands_still(sqlite), "the run stands still", 60)
    assert run.is_running()
    end(run.process)
    noticed(torture, "the lease", "a node dies, and nobody says so", sqlite,
            keys, "", "{missing} keys lost, and the run never ends")


def stands_still(store, seconds=4):
    """Nothing was stored for so long."""
    before = store.count()
    time.sleep(seconds)
    return before > 0 and store.count() == before


def test_without_suspicion(torture, start, origin, pipeline, sqlite,
                           tmp_path):
    """A key that crashes nodes does so for ever."""
    keys, path = key_file(tmp_path, 40)
    server = origin("--count", len(keys))
    run = start("run", key_pipeline(pipeline, path), "--scale", 2, "--batch",
                20, origin=server, store=sqlite, env={
                    **off("suspicion"), "WINDROW_CRASH": f"extract={keys[5]}"})
    until(lambda: stands_still(sqlite), "the run stands still", 30)
    assert run.is_running()
    end(run.process)
    noticed(torture, "suspicion", "a key whose answer crashes the node",
            sqlite, keys, "", "{missing} keys lost, and the run does not end")


def test_each_defence_is_tried():
    """second_handout: by test_slow_nodes.py, which measures it."""
    found = set()
    for folder in ("master", "node", "proto"):
        for path in (SOURCE / folder).rglob("*.c"):
            found.update(re.findall(r'DEFENCE_OFF\("(\w+)"\)',
                                    path.read_text("utf-8")))
    assert found == {"closing_rule", "epoch", "one_transaction", "lease",
                     "suspicion", "second_handout"}

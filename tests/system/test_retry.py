"""`windrow retry RUN`: a new run over the keys that failed in another."""
import json
import os
import signal

import pytest

from harness import SP500, facts, quotes, source, store as sink, until

KEYS = ["AAPL", "MSFT", "MMM", "AOS"]


def values(*keys):
    return source("values", input_values=keys or KEYS)


@pytest.fixture
def server(origin):
    """Two keys are not found when they are asked for the first time, and one
    never."""
    return origin("--fault", "404@AAPL,MSFT:1", "--fault", "404@MMM")


@pytest.fixture
def failed(windrow, server, pipeline, store):
    """A store with run 1, of which three keys failed."""
    store.pipeline = pipeline(values(), quotes(), sink())
    result = windrow("run", store.pipeline, "--scale", 1, origin=server,
                     store=store)
    assert result.status == 3, result
    assert ("windrow: to try that once more, by the same pipeline: "
            "windrow retry 1 --store '" in result.err)
    return store


def test_failed_keys_are_tried(windrow, failed, server):
    """What failed and no more, by the pipeline in the ledger."""
    failed.pipeline.unlink()
    result = windrow("retry", 1, origin=server, store=failed)
    assert result.status == 3, result
    assert "run 2: 2 stored, 1 failed" in result.out
    assert failed.prices().keys() == {"AAPL", "MSFT", "AOS"}
    assert failed.failures(2) == {"MMM": "not_found"}
    assert server.asked() == {"AAPL": 2, "MSFT": 2, "MMM": 2, "AOS": 1}


def test_a_run_is_retried_once(windrow, failed, server):
    """Else a key would be stored twice; what fails again is the new run's."""
    assert windrow("retry", "last", origin=server, store=failed).status == 3
    again = windrow("retry", 1, origin=server, store=failed)
    assert again.status == 2
    assert "windrow: run 1 was retried already, as run 2\n" in again.err
    assert "windrow: what failed again: windrow retry 2 --store '" in again.err
    result = windrow("retry", 2, origin=server, store=failed)
    assert "run 3: 0 stored, 1 failed" in result.out, result
    assert failed.count("windrow_runs") == 3


def test_two_retries_at_once(start, failed, server):
    """One of them is; the other leaves nothing behind."""
    both = [start("retry", 1, origin=server, store=failed) for _ in range(2)]
    statuses = sorted(one.wait().status for one in both)
    assert statuses == [2, 3]
    assert failed.count("windrow_runs") == 2
    assert failed.prices().keys() == {"AAPL", "MSFT", "AOS"}


def test_nothing_failed(windrow, server, pipeline, store):
    path = pipeline(values("AOS"), quotes(), sink())
    assert windrow("run", path, origin=server, store=store).status == 0
    result = windrow("retry", 1, origin=server, store=store)
    assert (result.status, result.err) == (0, "")
    assert result.out == "run 1: nothing failed, so nothing is retried\n"
    assert store.count("windrow_runs") == 1


def test_of_a_run_that_goes_on(start, windrow, origin, pipeline, store):
    server = origin("--latency", "30s")
    path = pipeline(values(), quotes(), sink())
    run = start("run", path, "--scale", 1, origin=server, store=store)
    until(lambda: run.nodes(), "a node")
    result = windrow("retry", 1, origin=server, store=store)
    assert result.status == 4
    assert "windrow: run 1 still goes on, worked on by " in result.err
    run.signal(signal.SIGINT)
    run.wait()
    result = windrow("retry", 1, origin=server, store=store)
    assert result.status == 4
    assert "windrow: run 1 has not ended: finish it first\n" in result.err
    assert "windrow: go on with: windrow resume 1 --store '" in result.err


def test_settings_differ(windrow, failed, server):
    """They must be as they were then, as for resume."""
    elsewhere = {"YAHOO_URL": "http://127.0.0.1:1"}
    result = windrow("retry", 1, origin=server, store=failed, env=elsewhere)
    assert result.status == 2
    assert result.err == (
        "windrow: the settings are not those that run 1 began with:\n"
        f"  YAHOO_URL was {server.url}, is http://127.0.0.1:1\n"
        "Set them as then, or say --force.\n")
    assert failed.count("windrow_runs") == 1
    result = windrow("retry", 1, "--force", origin=server, store=failed,
                     env=elsewhere)
    assert result.status == 3, result
    assert set(failed.failures(2).values()) == {"connect"}


def test_a_list_is_read_again(windrow, origin, store):
    """A run without keys, since its source failed: the source is retried."""
    server = origin("--fault", "404@wiki:1")
    result = windrow("run", SP500, origin=server, store=store)
    assert result.status == 4 and "windrow retry 1" in result.err, result
    result = windrow("retry", 1, origin=server, store=store)
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())


def test_a_list_elsewhere(windrow, origin, store):
    """With --force it is read where the settings now say that it is."""
    broken, whole = origin("--fault", "404@wiki"), origin()
    assert windrow("run", SP500, origin=broken, store=store).status == 4
    result = windrow("retry", 1, "--force", "--limit-is-no-option",
                     origin=whole, store=store)
    assert result.status == 2 and "--limit-is-no-option" in result.err
    result = windrow("retry", 1, "--force", origin=whole, store=store)
    assert result.status == 0, result
    assert store.count() == 503


def test_a_list_gives_no_key_again(windrow, origin, pipeline, store):
    """Of two sources one failed. What the other gave is stored, and is not
    stored a second time when the first gives it too."""
    server = origin("--fault", "404@wiki:1", "--fault", "404@MMM:1")
    path = pipeline(values(), source(name="list"), quotes(), sink())
    result = windrow("run", path, origin=server, store=store)
    assert result.status == 3, result
    assert store.prices().keys() == {"AAPL", "MSFT", "AOS"}
    result = windrow("retry", 1, "--format", "json", origin=server,
                     store=store)
    assert result.status == 0, result
    assert json.loads(result.out)["stored"] == 500
    assert store.prices() == store.expected(facts())


@pytest.mark.parametrize("victim", ["master", "node"])
def test_a_killed_retry(start, windrow, origin, pipeline, store, victim):
    """It resumes like any run."""
    server = origin("--fault", "404@*:1", "--latency", "100ms")
    path = pipeline(source(), quotes(instances=8), sink())
    result = windrow("run", path, origin=server, store=store)
    assert result.status == 3 and store.count() == 0, result
    retry = start("retry", 1, "--scale", 1, "--batch", 5, origin=server,
                  store=store)
    until(lambda: store.count() > 20, "some are stored")
    if victim == "node":
        os.kill(retry.nodes()[0], signal.SIGKILL)
        result = retry.wait()
    else:
        retry.signal(signal.SIGKILL)
        retry.wait()
        again = windrow("retry", 1, origin=server, store=store)
        assert again.status == 2
        assert "windrow: go on with that: windrow resume 2" in again.err
        result = windrow("resume", 2, "--scale", 1, origin=server, store=store)
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())


@pytest.mark.parametrize("run,status,said", [
    ("7", 2, "there is no run 7"), ("moday", 2, "there is no run named moday")])
def test_no_such_run(windrow, failed, run, status, said):
    result = windrow("retry", run, store=failed)
    assert result.status == status and said in result.err

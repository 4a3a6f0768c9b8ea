"""Several keys with one request: as many rows by fewer requests, and each key
with its own end."""
import os
import re
import signal
import time

import pytest

from harness import SOURCE, facts, quotes, source, store as sink, until

SPARK = SOURCE / "pipelines/sp500-spark.yaml"
LIST = {"url": "${YAHOO_URL}/v7/finance/spark?symbols={keys}",
        "for_key": {"each": "/spark/result", "key": "/symbol"},
        "fields": {"price": "/response/0/meta/regularMarketPrice"}}
OBJECT = {"url": "${YAHOO_URL}/v8/finance/spark?symbols={keys}",
          "for_key": {"each": ""}, "fields": {"price": "/close/0"}}
# None of them is rewritten.
SOME = [key for key in sorted(facts()) if "." not in key]


def asking(keys, shape=LIST, **options):
    return (source("values", input_values=keys),
            quotes(**{"keys_per_request": 20, **shape, **options}), sink())


def requests(server):
    return server.log()["keys"]["spark"]["asked"]


def assert_stored(store, keys):
    prices = facts()
    assert store.prices() == store.expected({key: prices[key] for key in keys})


def test_all_of_them(windrow, origin, store):
    """503 keys by 26 requests, the same digits."""
    server = origin()
    result = windrow("run", SPARK, "--scale", 2, origin=server, store=store)
    assert result.status == 0, result
    assert_stored(store, facts())
    log = server.log()
    assert log["keys"]["spark"]["asked"] == 26
    assert log["requests"] == 27, "the list, and those"
    assert log["keys"]["BRK-B"]["asked"] == 1
    times = store.query("SELECT count(DISTINCT extracted_time) FROM prices")
    # Two nodes may have an answer in the same microsecond.
    assert 13 <= int(times[0][0]) <= 26, "that of its answer"


@pytest.mark.parametrize("shape", [LIST, OBJECT], ids=["list", "object"])
def test_missing_keys(windrow, origin, pipeline, sqlite, shape):
    """What an answer has no part for is recorded; the others are stored."""
    server = origin()
    path = pipeline(*asking(["KO", "NOPE", "AAPL", "^GSPC=X"], shape))
    result = windrow("run", path, origin=server, store=sqlite)
    assert result.status == 3, result
    assert_stored(sqlite, ["AAPL", "KO"])
    assert sqlite.failures() == {"NOPE": "not_in_answer",
                                 "^GSPC=X": "not_in_answer"}
    assert requests(server) == 1


def test_a_key_without_its_field(windrow, origin, pipeline, sqlite):
    """It fails by itself, and is not asked for again."""
    server = origin("--fault", "null-field@KO")
    path = pipeline(*asking(["AAPL", "KO", "MSFT"]))
    result = windrow("run", path, origin=server, store=sqlite)
    assert result.status == 3, result
    assert_stored(sqlite, ["AAPL", "MSFT"])
    assert sqlite.failures() == {"KO": "field_null"}
    assert requests(server) == 1


def test_a_key_that_spoils_the_answer(windrow, origin, pipeline, sqlite):
    """A status that will not pass is found to be for one of sixteen: of each
    half that has it, two halves are asked for."""
    server = origin("--fault", f"404@{SOME[5]}", "--fault", f"403@{SOME[6]}")
    path = pipeline(*asking(SOME[:16]))
    result = windrow("run", path, "--batch", 16, origin=server, store=sqlite)
    assert result.status == 3, result
    assert_stored(sqlite, SOME[:5] + SOME[7:16])
    assert sqlite.failures() == {SOME[5]: "not_found", SOME[6]: "http_status"}
    assert requests(server) == 1 + 2 + 2 + 2 + 2 * 2
    assert server.asked()[SOME[15]] == 2, "not with either of them"


def test_passing_troubles(windrow, origin, pipeline, store):
    """They befall a request, which is tried again as a whole: no key is lost,
    and each try is one request."""
    server = origin("--fault", f"429-retry-after@{SOME[70]}:1", "--fault",
                    f"503@{SOME[2]}:1", "--fault", f"truncated@{SOME[30]}:1",
                    "--fault", f"redirect@{SOME[42]}", "--retry-after", "0")
    path = pipeline(*asking(SOME[:80], retry={"backoff": "20ms"}, hold="50ms"))
    result = windrow("run", path, "--batch", 80, origin=server, store=store)
    assert result.status == 0, result
    assert_stored(store, SOME[:80])
    injected = server.log()["injected"]
    assert injected == {"429-retry-after": 1, "503": 1, "truncated": 1,
                        "redirect": 1}
    assert requests(server) == 4 + 4


def test_a_node_is_killed(start, origin, pipeline, store):
    """What it had asked for is asked for again by others."""
    server = origin("--latency", "60ms")
    path = pipeline(*asking(SOME[:300], instances=1, keys_per_request=5))
    run = start("run", path, "--scale", 3, "--batch", 5, origin=server,
                store=store, env={"WINDROW_LEASE": "1s",
                                  "WINDROW_HEARTBEAT": "250ms"})
    until(lambda: store.count() >= 20, "some rows")
    os.kill(run.nodes()[1], signal.SIGKILL)
    result = run.wait(40)
    assert result.status == 0, result
    assert_stored(store, SOME[:300])


def test_rate_counts_requests(windrow, origin, pipeline, sqlite):
    """100 keys at 5 requests a second, ten at a time."""
    server = origin()
    path = pipeline(*asking(SOME[:100], keys_per_request=10, rate="5/s"))
    began = time.monotonic()
    result = windrow("run", path, "--scale", 1, "--batch", 100, origin=server,
                     store=sqlite)
    assert result.status == 0, result
    assert_stored(sqlite, SOME[:100])
    log = server.log()
    assert requests(server) == 10
    assert log["second_max"] <= 5 + 1
    assert 1.7 < time.monotonic() - began
    assert log["seconds"] > 1.7, log


def test_plan(windrow, origin, pipeline, sqlite):
    """So many requests; the first one, and how long they take."""
    path = pipeline(*asking(SOME[:100] + ["NOPE"], rate="2/s"))
    plan = windrow("plan", path, origin=origin(), store=sqlite)
    assert "20 keys a request, 64 at once in each node" in plan.out, plan
    assert f"symbols={','.join(SOME[:3])}...\n" in plan.out, plan
    assert "about 3 s: 101 keys, 6 requests, rate 2/s" in plan.out, plan


def test_try_and_record(windrow, origin, pipeline):
    """One key alone, its part, and what is there instead; a case of it."""
    server = origin()
    path = pipeline(*asking(["KO"]))
    result = windrow("try", path, "BRK.B", "--record", origin=server)
    assert result.status == 0, result
    assert re.search(r"part of BRK-B in /spark/result: \d+ bytes", result.out)
    assert f"price                    {facts()['BRK.B']}\n" in result.out
    result = windrow("test", path, origin=server)
    assert result.out == "ok   BRK.B\n1 of 1 cases passed\n", result
    wrong = {**LIST, "for_key": {"each": "/spark/result", "key": "/symbl"}}
    result = windrow("try", pipeline(*asking(["KO"], wrong)), "KO",
                     origin=server)
    assert result.status == 3, result
    assert "part of KO in /spark/result: none" in result.out, result
    assert "not_in_answer" in result.out, result
    assert "did you mean symbol?" in result.out, result
    assert requests(server) == 2

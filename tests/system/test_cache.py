"""Option `cache`: what was answered before is asked about, or not asked for.

Whatever the cache does, each key of each run ends with its row.
"""
import csv
import io
import os
import signal

import pytest

from harness import PATIENCE, facts, quotes, source, store as sink, until

KEYS = ["AAPL", "MSFT", "NVDA", "BRK.B"]
PRICE = {"price": "/chart/result/0/meta/regularMarketPrice"}


def cached(pipeline, keys=KEYS, cache="revalidate", **options):
    """A pipeline of these keys, whose quotes are remembered."""
    return pipeline(source("values", input_values=keys),
                    quotes(cache=cache, **options), sink())


def rows(store, key="AAPL"):
    """Price and time of each row of the key, in the order of their runs."""
    return store.query("SELECT CAST(price AS text), CAST(extracted_time AS "
                       f"text) FROM prices WHERE symbol = '{key}' ORDER BY id")


def answers(store):
    return store.query("SELECT count(*) FROM windrow_answers")[0][0]


def run(windrow, path, server, store, *options, status=0, **settings):
    result = windrow("run", path, *options, origin=server, store=store,
                     **settings)
    assert result.status == status, result
    return result


# 304.

@pytest.mark.parametrize("kind", ["--etag", "--last-modified"])
def test_what_has_not_changed_is_stored_again(windrow, origin, pipeline,
                                              store, kind):
    """Each run has its rows, with its own time and the same digits; the
    second one gets no body."""
    server = origin(kind)
    path = cached(pipeline)
    first = run(windrow, path, server, store)
    second = run(windrow, path, server, store)
    assert first.summary["stored"] == second.summary["stored"] == 4
    log = server.log()
    assert log["keys"]["AAPL"]["asked"] == 2
    assert log["keys"]["AAPL"]["unchanged"] == 1
    assert log["unchanged"] == 4
    (price, first_time), (again, second_time) = rows(store)
    assert price == again == store.as_stored(facts()["AAPL"])
    assert second_time > first_time
    assert answers(store) == 4


def test_each_table_and_the_next_fetcher(windrow, origin, pipeline, store):
    """What has not changed is in all tables that its fetcher feeds, and its key
    is given on, as by the first run; an export of a run has its own rows."""
    server = origin("--etag")
    fields = {"key": {"at": "/chart/result/0/meta/symbol", "type": "text"},
              **PRICE}
    path = pipeline(
        source("values", input_values=KEYS),
        quotes(cache="revalidate", fields=fields, key_replace={r"\.": "-"},
               output_queues=["prices", "audits", "more"]),
        quotes(name="again", input_queue="more", output_queues=["others"]),
        sink(), sink("audits", "audit", "audit", code="key", price="price"),
        sink("others", "other", "other", code="key", price="price"),
        queues=["symbols", "prices", "audits", "more", "others"])
    for _ in range(2):
        run(windrow, path, server, store)
    assert server.log()["unchanged"] == 4
    for table, key in ("prices", "symbol"), ("audit", "code"), (
            "other", "code"):
        found = sorted(store.rows(table, f"{key}, price"))
        assert len(found) == 8
        assert found[::2] == found[1::2]
    for number in "1", "2":
        result = windrow("export", number, "--table", "prices", store=store)
        found = list(csv.DictReader(io.StringIO(result.out)))
        assert sorted(row["symbol"] for row in found) == sorted(KEYS), result


def test_what_has_changed_is_taken(windrow, origin, pipeline, store,
                                   tmp_path):
    """Another body has another ETag: the new price is stored, and is what the
    run after that asks about."""
    server = origin("--etag", "--no-user-agent-check")
    path = cached(pipeline, ["AAPL", "MSFT"])
    run(windrow, path, server, store)
    charts = tmp_path / "replay/chart"
    charts.mkdir(parents=True)
    (tmp_path / "replay/wiki.html").write_bytes(
        server.get("/wiki/List_of_S%26P_500_companies"))
    for key in "AAPL", "MSFT":
        (charts / key).write_bytes(server.get("/v8/finance/chart/" + key))
    text = (charts / "AAPL").read_text()
    (charts / "AAPL").write_text(text.replace(facts()["AAPL"], "1.50"))
    server.end()
    server = origin("--etag", "--replay", tmp_path / "replay", "--listen",
                    f"127.0.0.1:{server.port}")
    run(windrow, path, server, store)
    assert {key: entry["unchanged"]
            for key, entry in server.log()["keys"].items()} == {
                "AAPL": 0, "MSFT": 1}
    run(windrow, path, server, store)
    assert server.log()["keys"]["AAPL"]["unchanged"] == 1
    assert [price for price, _ in rows(store)] == [
        store.as_stored(digits) for digits in (facts()["AAPL"], "1.50", "1.50")]
    assert answers(store) == 2


def test_ignored_where_not_asked_for(windrow, origin, pipeline, sqlite):
    """By default nothing is remembered: no table, no condition."""
    server = origin("--etag", "--cache-control", "max-age=60")
    for _ in range(2):
        run(windrow, pipeline(source("values", input_values=KEYS), quotes(),
                              sink()), server, sqlite)
    assert server.log()["unchanged"] == 0
    assert server.asked()["AAPL"] == 2
    assert "windrow_answers" not in sqlite.tables()


@pytest.mark.parametrize("changed", [
    {"fields": {"price": {"at": PRICE["price"], "value": "price / 100"}}},
    {"require": ["price > 0"]}])
def test_another_pipeline_asks_anew(windrow, origin, pipeline, sqlite,
                                    changed):
    """What was remembered is not what this one would store, or was not looked
    at as it does."""
    server = origin("--etag")
    run(windrow, cached(pipeline), server, sqlite)
    path = cached(pipeline, **changed)
    run(windrow, path, server, sqlite)
    assert server.log()["unchanged"] == 0
    before, after = (price for price, _ in rows(sqlite))
    assert (before == after) == ("fields" not in changed)
    run(windrow, path, server, sqlite)
    assert server.log()["unchanged"] == 4
    assert [price for price, _ in rows(sqlite)] == [before, after, after]


def test_a_failure_is_not_remembered(windrow, origin, pipeline, sqlite):
    """Nor does it spoil what was: the third run is told of no change."""
    server = origin("--etag", "--fault", "no-field@MSFT:1")
    path = cached(pipeline)
    run(windrow, path, server, sqlite, status=3)
    assert answers(sqlite) == 3
    run(windrow, path, server, sqlite)
    run(windrow, path, server, sqlite)
    assert server.log()["keys"]["MSFT"]["unchanged"] == 1
    assert server.log()["keys"]["AAPL"]["unchanged"] == 2
    assert len(rows(sqlite, "MSFT")) == 2


def test_a_redirect_is_not_remembered(windrow, origin, pipeline, sqlite):
    """The answer is that of another URL."""
    server = origin("--etag", "--fault", "redirect@AAPL")
    path = cached(pipeline, ["AAPL"])
    for _ in range(2):
        run(windrow, path, server, sqlite)
    assert answers(sqlite) == 0
    assert server.log()["unchanged"] == 0
    assert len(rows(sqlite)) == 2


def test_a_304_that_nobody_asked_for(windrow, origin, pipeline, sqlite):
    """Without a condition it is a status that will not pass."""
    server = origin("--etag", "--last-modified")
    path = cached(pipeline, ["AAPL"], cache="ignore",
                  headers={"If-None-Match": "*"})
    run(windrow, path, server, sqlite, status=3)
    assert sqlite.failures() == {"AAPL": "http_status"}


# Fresh answers.

def test_what_is_fresh_is_not_asked_for(windrow, origin, pipeline, store):
    """Its rows are those of the last answer, with the time of the run; so the
    newest are those of the last run."""
    server = origin("--etag", "--cache-control", "public, max-age=3600")
    path = cached(pipeline, cache="obey")
    for _ in range(3):
        assert run(windrow, path, server, store).summary["stored"] == 4
    assert server.asked() == {"AAPL": 1, "MSFT": 1, "NVDA": 1, "BRK-B": 1}
    prices, times = zip(*rows(store))
    assert set(prices) == {store.as_stored(facts()["AAPL"])}
    assert times == tuple(sorted(set(times)))
    result = windrow("prices", store=store)
    assert result.out.count("AAPL") == 1, result


def test_what_is_stale_is_asked_about(windrow, origin, pipeline, store):
    """When its time is over; the 304 makes it fresh again."""
    server = origin("--etag", "--cache-control", "max-age=3600")
    path = cached(pipeline, cache="obey")
    run(windrow, path, server, store)
    store.execute("UPDATE windrow_answers SET fresh_until = fetched_at")
    run(windrow, path, server, store)
    assert server.log()["unchanged"] == 4
    run(windrow, path, server, store)
    assert server.asked()["AAPL"] == 2
    assert len(rows(store)) == 3


@pytest.mark.parametrize("control, asked, unchanged", [
    ("no-store, max-age=60", 2, 0), ("no-cache, max-age=60", 2, 1),
    ("max-age=nonsense", 2, 1), ("private, max-age=60", 1, 0)])
def test_what_the_site_says(windrow, origin, pipeline, sqlite, control, asked,
                            unchanged):
    server = origin("--etag", "--cache-control", control)
    for _ in range(2):
        run(windrow, cached(pipeline, ["AAPL"], cache="obey"), server, sqlite)
    assert server.log()["keys"]["AAPL"]["asked"] == asked
    assert server.log()["unchanged"] == unchanged
    assert len(rows(sqlite)) == 2


def test_revalidate_takes_no_word_for_it(windrow, origin, pipeline, sqlite):
    """Each key is asked about, however fresh it is said to be."""
    server = origin("--etag", "--cache-control", "max-age=3600")
    for _ in range(2):
        run(windrow, cached(pipeline), server, sqlite)
    assert server.log()["unchanged"] == 4


def test_a_rate_is_for_what_is_asked(windrow, origin, pipeline, sqlite):
    """Fresh answers do not wait for their turn at the site."""
    server = origin("--cache-control", "max-age=3600")
    keys = sorted(facts())[:100]
    path = cached(pipeline, keys, cache="obey")
    run(windrow, path, server, sqlite)
    slow = cached(pipeline, keys, cache="obey", rate="5/s")
    result = run(windrow, slow, server, sqlite, timeout=30)
    print(f"figure: 100 fresh keys at 5/s in {result.seconds:.1f} s")
    assert result.seconds < 5 * PATIENCE
    assert sum(server.asked().values()) == 100


# When something goes wrong.

def test_a_node_is_killed(start, windrow, origin, pipeline, postgres):
    """What is remembered is what was committed: the rows are exact, and the
    next run is told of no change for each key."""
    server = origin("--etag", "--latency", "50ms")
    keys = sorted(key for key in facts() if "." not in key)[:80]
    path = cached(pipeline, keys, instances=4)
    running = start("run", path, "--scale", 2, "--batch", 5, origin=server,
                    store=postgres)
    until(lambda: postgres.count() > 10, "some rows", 20)
    for pid in running.nodes():
        os.kill(pid, signal.SIGKILL)
    assert running.wait(60).status == 0
    assert len(postgres.prices()) == 80
    assert answers(postgres) == 80
    server.reset()
    run(windrow, path, server, postgres)
    told = [entry["unchanged"] for entry in server.log()["keys"].values()]
    assert len(told) == 80 and all(told)


def test_a_look_up_without_an_answer(start, windrow, origin, pipeline,
                                     postgres):
    """The database says nothing for longer than a look-up may take: the keys
    are asked for as if nothing were known, and stored when it can. What it
    says while they are asked for comes too late."""
    import psycopg2
    server = origin("--etag", "--latency", "500ms")
    path = cached(pipeline)
    run(windrow, path, server, postgres)
    server.reset()
    blocker = psycopg2.connect(postgres.url)
    blocker.cursor().execute("LOCK TABLE windrow_answers IN ACCESS EXCLUSIVE "
                             "MODE")
    running = start("run", path, "--scale", 1, origin=server, store=postgres)
    until(lambda: len(server.log()["keys"]) == 4, "requests", 8)
    blocker.rollback()
    blocker.close()
    result = running.wait(20)
    assert result.status == 0, result
    assert server.log()["unchanged"] == 0
    assert set(server.asked().values()) == {1}
    assert len(rows(postgres)) == 2

"""Each case in which the Python original of this job fails, one test each.

The original reads the same list, asks for the same pages and stores the same
rows with threads, queues and a "done" that is passed on. What it did in each
case stands above the test. The last lines of the test run count the cases.

The cases that last long by their nature (an answer after 12 s, after 45 s,
never) run at the same time, from the first test on.
"""
import contextlib
import os
import signal
import time

import pytest

import conftest
import harness
from harness import PATIENCE, SP500, facts, quotes, source, until

# The original's own pipeline file, word for word but for its descriptions.
ORIGINAL = """\
queues:
  - {{name: SymbolQueue, dscription: symbols to be scraped}}
  - {{name: PostgresUploading, description: data to be uploaded}}
workers:
  - {{name: WikiWorker, location: workers.WikiWorker,
     class: WikiWorkerMasterScheduler, instance: 1,
     input_values: ['https://en.wikipedia.org/wiki/List_of_S%26P_500_companies'],
     output_queues: [SymbolQueue]}}
  - {{name: YahooFinanceWorker, location: workers.YahooFinanceWorkers,
     class: YahooFinancePriceScheduler, instances: {fetchers},
     input_queue: SymbolQueue, output_queues: [PostgresUploading]}}
  - {{name: PostgresWorker, location: workers.PostgresWorker,
     class: PostgresMasterScheduler, instances: {inserters},
     input_queue: PostgresUploading}}
"""
FIFTY = 50
FIVE = [f"K{number:07}" for number in range(1, 6)]
SLOW_KEY = FIVE[2]


def case(row):
    return pytest.mark.prior_art(row)


def generated(n):
    """The keys of `windrow-origin --count n`."""
    return {f"K{number:07}" for number in range(1, n + 1)}


# Long cases: started first, looked at in the tests of their names.

class Long:
    """A run, where it stores, and whom it asks."""

    def __init__(self, starter, store, origin, path, *options):
        self.store, self.origin = store, origin
        self.run = starter.start("run", path, "--scale", 2, *options,
                                 origin=origin, store=store)
        self.result = None

    def wait(self, timeout):
        self.result = self.result or self.run.wait(timeout)
        return self.result


def start_long(starter, store):
    """The runs of all long cases into databases of one kind."""
    def long(path, *arguments):
        return Long(starter, store(), starter.origin(*arguments), path)

    def quick(**options):
        return starter.pipeline(source(), quotes(**options), harness.store())

    five = ("--count", 5, "--fault", f"slow@{SLOW_KEY}", "--slow")
    return {
        "list 12 s": long(SP500, "--wiki-latency", "12s"),
        "quotes 12 s": long(quick(instances=512), "--count", 500,
                            "--latency", "12s", "--wiki-latency", "0ms"),
        "quote 45 s": long(quick(timeout="60s"), *five, "45s"),
        "quote 45 s, limit": long(
            quick(timeout="3s", retry={"attempts": 2}), *five, "45s"),
        "quote never": long(
            quick(timeout="3s", retry={"attempts": 2}), "--count", FIFTY,
            "--fault", f"stall@{SLOW_KEY}"),
    }


@pytest.fixture(scope="module")
def all_long(request, tmp_path_factory):
    """{kind of store: {case: Long}}; PostgreSQL where there is one."""
    starter = conftest.Starter(tmp_path_factory.mktemp("long"))
    files = iter(range(1000))

    def sqlite():
        return harness.SqliteStore(starter.folder / f"{next(files)}.db")

    with contextlib.ExitStack() as stack:
        stack.callback(starter.end)
        runs = {"sqlite": start_long(starter, sqlite)}
        if harness.Cluster.programs():
            cluster = request.getfixturevalue("cluster")
            runs["postgres"] = start_long(starter, cluster.database)
        for kind in runs:
            long = runs[kind]["quote 45 s"]
            until(lambda long=long: long.store.count() == 4,
                  "4 of 5 rows while the fifth is waited for", 8)
            long.early = time.monotonic() - long.run.started
            assert long.run.is_running()
        yield runs


@pytest.fixture(scope="module", autouse=True)
def begun(all_long):
    """The long cases begin with the first test."""


@pytest.fixture(params=["sqlite", "postgres"])
def long(request, all_long):
    if request.param not in all_long:
        pytest.skip("no PostgreSQL server")
    return all_long[request.param]


# 138 s, 501 rows, exit 0.
@case("503 symbols, 2 fetchers, 6 inserters, 50 ms answers")
def test_503_symbols_at_50_ms(windrow, origin, pipeline, store):
    """503 rows, well under a second."""
    path = pipeline(ORIGINAL.format(fetchers=2, inserters=6))
    result = windrow("run", path, origin=origin("--latency", "50ms"),
                     store=store)
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())
    assert result.summary["seconds"] < 1 * PATIENCE


# 14 to 16 s, 463 to 501 rows, exit 0.
@case("the same with 20 fetchers (five runs)")
def test_20_fetchers_five_runs(windrow, origin, pipeline, store):
    """503 rows each time."""
    path = pipeline(ORIGINAL.format(fetchers=20, inserters=6))
    server = origin("--latency", "50ms")
    for n_runs in range(1, 6):
        result = windrow("run", path, origin=server, store=store)
        assert result.status == 0 and result.summary["stored"] == 503, result
        assert store.count() == 503 * n_runs
    assert sorted(store.rows()) == sorted(
        list(store.expected(facts()).items()) * 5)


# Both fetchers die: 0 rows, exit 0.
@case("2 of 50 pages lack the field")
def test_2_of_50_pages_lack_the_field(windrow, origin, store):
    """48 rows, 2 recorded failures, exit 3."""
    bad = {"K0000007", "K0000050"}
    server = origin("--count", FIFTY, "--fault", "no-field@" + ",".join(bad))
    result = windrow("run", SP500, origin=server, store=store)
    assert result.status == 3, result
    assert set(store.prices()) == generated(FIFTY) - bad
    assert store.failures() == dict.fromkeys(bad, "field_missing")
    assert result.summary["failed"] == {"field_missing": 2}


# The original stores rows with NULL as price.
@case("quotes answer 404")
def test_quotes_answer_404(windrow, origin, store):
    """Recorded failures, no row; a key that is not found is asked for once."""
    bad = ["K0000001", "K0000049"]
    server = origin("--count", FIFTY, "--fault", "404@" + ",".join(bad))
    result = windrow("run", SP500, origin=server, store=store)
    assert result.status == 3, result
    assert set(store.prices()) == generated(FIFTY) - set(bad)
    assert store.failures() == dict.fromkeys(bad, "not_found")
    assert [server.asked()[key] for key in bad] == [1, 1]

    server = origin("--count", FIFTY, "--fault", "404@*")
    result = windrow("run", SP500, origin=server, store=store)
    assert result.status == 3, result
    assert result.summary["stored"] == 0 and store.count() == 48
    assert store.failures(2) == dict.fromkeys(generated(FIFTY), "not_found")


# 0 rows, exit 0.
@case("the list page answers 403")
def test_the_list_answers_403(windrow, origin, store):
    """A clear error, exit 4, nothing half done."""
    server = origin("--fault", "403@wiki")
    result = windrow("run", SP500, origin=server, store=store, timeout=10)
    assert result.status == 4, result
    assert "403" in result.err and server.url in result.err, result
    assert "gave no keys" in result.err
    assert result.summary["stored"] == 0 and result.summary["open"] == 0
    assert set(server.asked()) == {"wiki"}
    assert store.count() == 0


# Goes on scraping, 0 rows, exit 0.
@case("database down")
def test_database_down(windrow, start, origin, fragile, tmp_path):
    """Checked before the first fetch; lost in mid-run, it is waited for."""
    server = origin("--latency", "50ms")
    store = fragile.database()
    fragile.stop()
    try:
        result = windrow("run", SP500, origin=server, store=store, timeout=10)
        assert result.status == 4 and "connection to server" in result.err, result
        assert server.log()["requests"] == 0
    finally:
        fragile.start()

    run = start("run", SP500, "--batch", 5, "--scale", 2, origin=server,
                store=store, env={"YAHOO_IN_FLIGHT": "20"})
    until(lambda: store.count() > 50, "some rows")
    fragile.stop()
    try:
        time.sleep(1.5)
        assert run.is_running()
        asked = server.log()["requests"]
        time.sleep(1)
        assert server.log()["requests"] == asked, "fetching goes on"
    finally:
        fragile.start()
    result = run.wait(40)
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())

    missing = harness.SqliteStore(tmp_path / "no-such-folder/store.db")
    server.reset()
    result = windrow("run", SP500, origin=server, store=missing, timeout=10)
    assert result.status == 2 and "no-such-folder" in result.err, result
    assert server.log()["requests"] == 0


# The executor's thread dies, the run limps on.
@case("an output queue that nobody reads")
def test_an_output_queue_that_nobody_reads(windrow, origin, pipeline, sqlite):
    """Refused before it starts, with the line of the file."""
    server = origin()
    text = ORIGINAL.format(fetchers=2, inserters=6).replace(
        "output_queues: [SymbolQueue]", "output_queues: [SymbolQueue, Lost]")
    text = text.replace("workers:", "  - {name: Lost}\nworkers:")
    line = next(number for number, text_line in enumerate(text.splitlines(), 1)
                if "Lost]" in text_line)
    path = pipeline(text)
    result = windrow("run", path, origin=server, store=sqlite, timeout=10)
    assert result.status == 2, result
    assert f"{path}:{line}:" in result.err and "'Lost'" in result.err, result
    assert server.log()["requests"] == 0 and not sqlite.path.exists()


# The first to finish sends "done": 9 of 10 rows.
@case("two producers write one queue")
def test_two_producers_write_one_queue(windrow, origin, pipeline, store):
    """All rows, though one producer ends long before the other."""
    keys = sorted(generated(10))
    server = origin("--count", 10, "--fault", f"slow@{keys[0]}",
                    "--slow", "1s")
    path = pipeline(
        source("values", "first", "one", keys[:1]),
        source("values", "second", "other", keys[1:]),
        quotes("first", name="slow"), quotes("second", name="fast"),
        harness.store(), queues=("first", "second", "prices"))
    result = windrow("run", path, "--scale", 2, origin=server, store=store)
    assert result.status == 0, result
    assert set(store.prices()) == set(keys)


# Waits out time-outs.
@case("two consumers read one queue")
def test_two_consumers_read_one_queue(windrow, origin, pipeline, store):
    """All rows, each once, and it ends at once."""
    server = origin("--count", FIFTY)
    path = pipeline(source(), quotes(name="one"), quotes(name="other"),
                    harness.store())
    result = windrow("run", path, "--scale", 2, origin=server, store=store)
    assert result.status == 0, result
    assert set(store.prices()) == generated(FIFTY)
    assert result.seconds < 2 * PATIENCE
    assert {key: n for key, n in server.asked().items() if n != 1} == {}


# "took 0.3", 0 rows.
@case("misspelt class")
def test_misspelt_class(windrow, origin, pipeline, sqlite):
    """Refused, with the nearest name."""
    server = origin()
    text = ORIGINAL.format(fetchers=2, inserters=6).replace(
        "YahooFinancePriceScheduler", "YahooFinancePriceSheduler")
    path = pipeline(text)
    result = windrow("run", path, origin=server, store=sqlite, timeout=10)
    assert result.status == 2, result
    assert "YahooFinancePriceScheduler" in result.err, result

    path = pipeline(harness.pipeline(source(), quotes(), harness.store())
                    .replace('"http_json"', '"http_jsn"'))
    result = windrow("run", path, origin=server, store=sqlite, timeout=10)
    assert result.status == 2 and "'http_json'?" in result.err, result
    assert server.log()["requests"] == 0 and not sqlite.path.exists()


# Hangs at exit.
@case("consumers dead, 20,000 symbols queued")
def test_consumers_dead(windrow, start, origin, pipeline, store):
    """Ends, says what is left, and can be resumed: all nodes are killed as
    fast as they are started again."""
    server = origin("--count", 20000, "--latency", "20ms")
    path = pipeline(
        source("json_list", input_values=["${YAHOO_URL}/symbols.json"],
               list="", key="/symbol"), quotes(), harness.store())
    run = start("run", path, "--scale", 2, origin=server, store=store,
                env={"WINDROW_NODE_WAIT": "2s"})
    until(lambda: 0 < store.count() < 15000, "some rows")
    began = time.monotonic()
    while run.is_running() and time.monotonic() < began + 15 * PATIENCE:
        for pid in run.nodes():
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    result = run.wait(1)
    assert result.status == 4, result
    assert time.monotonic() - began < 10 * PATIENCE
    left = 20000 - store.count()
    assert left > 0 and result.summary["open"] == left
    assert str(left) in result.text and "windrow resume 1" in result.text
    result = windrow("resume", 1, "--scale", 2, origin=server, store=store)
    assert result.status == 0, result
    assert set(store.prices()) == generated(20000)


# Still running 20 s later.
@case("Ctrl-C")
def test_ctrl_c(windrow, start, origin, store):
    """Stops within 1 s, exit 130, resumable; a second Ctrl-C at once."""
    server = origin("--latency", "300ms")
    few = {"YAHOO_IN_FLIGHT": "10", "WINDROW_LEASE": "1s",
           "WINDROW_HEARTBEAT": "250ms"}
    run = start("run", SP500, "--scale", 2, "--batch", 5, origin=server,
                store=store, env=few)
    until(lambda: store.count() > 10, "some rows")
    began = time.monotonic()
    run.signal(signal.SIGINT)
    result = run.wait(10)
    assert time.monotonic() - began < 2 * PATIENCE
    assert result.status == 130, result
    assert "windrow resume 1" in result.text
    assert run.nodes() == []
    assert 10 < store.count() < 503

    run = start("resume", 1, "--scale", 2, origin=server, store=store,
                env=few)
    rows = store.count()
    until(lambda: store.count() > rows, "more rows")
    run.signal(signal.SIGINT)
    time.sleep(0.05)
    began = time.monotonic()
    run.signal(signal.SIGINT)
    result = run.wait(10)
    assert result.status == 130, result
    assert time.monotonic() - began < 0.5 * PATIENCE
    until(lambda: run.nodes() == [], "its nodes are gone", 1)

    result = windrow("resume", 1, "--force", origin=server, store=store)
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())


# Loses a row in 3 of 6 runs.
@case('"done" sent by workers themselves')
def test_done_is_not_guessed(windrow, origin, store):
    """Six runs of many small batches, whose last answers come late and in
    any order: never a row less."""
    server = origin("--count", FIFTY, "--jitter", "60ms")
    for n_runs in range(1, 7):
        result = windrow("run", SP500, "--scale", 4, "--batch", 1,
                         origin=server, store=store)
        assert result.status == 0, result
        assert result.summary["stored"] == FIFTY
        assert store.count() == FIFTY * n_runs


# One quote never answers: the original hangs for ever.
@case("one quote never answers")
def test_one_quote_never_answers(long):
    """The others are stored; that one failed, with its reason; it ends."""
    long = long["quote never"]
    result = long.wait(20)
    assert result.status == 3, result
    assert set(long.store.prices()) == generated(FIFTY) - {SLOW_KEY}
    assert long.store.failures() == {SLOW_KEY: "timed_out"}
    # Two attempts; a second node that helps out near the end has two too.
    assert 2 <= long.origin.asked()[SLOW_KEY] <= 4
    assert 6 <= result.summary["seconds"] < 12 * PATIENCE


# Consumers time out at 10 s: 0 rows, exit 0.
@case("the list page takes 12 s")
def test_the_list_takes_12_s(long):
    """All rows."""
    long = long["list 12 s"]
    result = long.wait(30)
    assert result.status == 0, result
    assert long.store.prices() == long.store.expected(facts())
    assert 12 <= result.summary["seconds"] < 16 * PATIENCE


# Inserters time out: 0 rows, exit 0.
@case("every quote takes 12 s")
def test_every_quote_takes_12_s(long):
    """All rows, after 12 s and a little."""
    long = long["quotes 12 s"]
    result = long.wait(40)
    assert result.status == 0, result
    assert set(long.store.prices()) == generated(500)
    assert 12 <= result.summary["seconds"] < 16 * PATIENCE


# 4 of 5 rows.
@case("one quote takes 45 s")
def test_one_quote_takes_45_s(long):
    """4 rows at once (the batch closes early); the fifth when it comes, or
    a failure by its limit."""
    limited = long["quote 45 s, limit"]
    result = limited.wait(20)
    assert result.status == 3, result
    assert set(limited.store.prices()) == set(FIVE) - {SLOW_KEY}
    assert limited.store.failures() == {SLOW_KEY: "timed_out"}

    patient = long["quote 45 s"]
    assert patient.early < 6 * PATIENCE
    result = patient.wait(60)
    assert result.status == 0, result
    assert set(patient.store.prices()) == set(FIVE)
    assert 45 <= result.summary["seconds"] < 50 * PATIENCE

"""Where keys come from, what fetches, and what becomes of rows: pipelines of
every shape, with real processes."""
import pathlib
import re

import pytest

import harness
from harness import SOURCE, SP500, facts, quotes, source

KEYS = ["AAPL", "BRK.B", "MSFT", "MMM"]
PRICES = {key: facts()[key] for key in KEYS}


def pages(input_queue="symbols", output_queues=("prices",), name="pages"):
    """A worker that asks the origin's quote page."""
    return {"name": name, "class": "http_html", "input_queue": input_queue,
            "output_queues": list(output_queues), "instances": 8,
            "options": {
                "url": "${YAHOO_URL}/quote/{key}",
                "key_replace": {r"^([A-Z]+)\.([AB])$": r"\1-\2"},
                "fields": {"price": '//span[@data-testid="qsp-price"]'}}}


@pytest.fixture
def run(windrow, pipeline, origin, store):
    """run(WORKER..., queues=): runs it; all must be stored."""
    server = origin()

    def run(*workers, **arguments):
        result = windrow("run", pipeline(*workers, **arguments), "--scale", 2,
                         origin=server, store=store)
        assert result.status == 0, result
        return result
    run.server = server
    return run


# Sources.

def test_values(run, store):
    run(source("values", input_values=KEYS), quotes(), harness.store())
    assert store.prices() == store.expected(PRICES)


def test_a_file_with_a_key_a_line(run, store, tmp_path):
    """Trimmed; empty lines and # comments do not count; path from the
    pipeline's folder."""
    (tmp_path / "keys.txt").write_bytes(
        b"# some\nAAPL\n\n  BRK.B \r\nMSFT\nMMM")
    run(source("file", path="keys.txt"), quotes(), harness.store())
    assert store.prices() == store.expected(PRICES)


def test_a_column_of_a_csv_file(run, store, tmp_path):
    (tmp_path / "keys.csv").write_text(
        '\ufeff"Name, in full",Symbol,Sector\n"Apple ""Inc"", US",AAPL,x\n'
        "B,BRK.B,\nM, MSFT ,\n3M,MMM,\n", "utf-8")
    run(source("file", path="keys.csv", column="Symbol"), quotes(),
        harness.store())
    assert store.prices() == store.expected(PRICES)


def test_a_file_that_is_not_there(windrow, pipeline, origin, sqlite):
    server = origin()
    path = pipeline(source("file", path="none.txt"), quotes(),
                    harness.store())
    result = windrow("run", path, origin=server, store=sqlite, timeout=10)
    assert result.status in (2, 4) and "none.txt" in result.err, result
    assert server.log()["requests"] == 0


def test_json_list(run, store):
    run(source("json_list", input_values=["${YAHOO_URL}/symbols.json"],
               list="", key="/symbol"), quotes(), harness.store())
    assert store.prices() == store.expected(facts())


def test_sql_from_the_same_database(run, store):
    """Read in pages; the ledger's database is asked without `database`."""
    store.execute("CREATE TABLE watchlist (symbol text)")
    for key in KEYS:
        store.execute(f"INSERT INTO watchlist VALUES ('{key}')")
    run(source("sql", query="SELECT symbol FROM watchlist"), quotes(),
        harness.store())
    assert store.prices() == store.expected(PRICES)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_sql_from_another_database(run, store, kind, tmp_path, request):
    """Of either kind, whatever the rows go into."""
    if kind == "sqlite":
        other = harness.SqliteStore(tmp_path / "other.db")
    else:
        other = request.getfixturevalue("cluster").database()
    other.execute("CREATE TABLE watchlist (symbol text)")
    values = ", ".join(f"('{symbol}')" for symbol in facts())
    other.execute(f"INSERT INTO watchlist VALUES {values}")
    run(source("sql", database=other.url,
               query="SELECT symbol FROM watchlist"), quotes(),
        harness.store())
    assert store.prices() == store.expected(facts())


def test_a_query_that_fails(windrow, pipeline, origin, store):
    """A clear error, exit 4."""
    path = pipeline(source("sql", query="SELECT symbol FROM no_such_table"),
                    quotes(), harness.store())
    result = windrow("run", path, origin=origin(), store=store, timeout=20)
    assert result.status == 4 and "no_such_table" in result.err, result
    assert list(store.failures().values()) == ["query"]


def test_keys_are_unique(run, store):
    """A queue with one producer or several holds a key once."""
    run(source("values", input_values=KEYS[:3] + KEYS[:1], name="one"),
        source("values", input_values=KEYS[1:], name="other"), quotes(),
        harness.store())
    assert store.prices() == store.expected(PRICES)


def test_two_lists_one_of_which_fails(windrow, pipeline, origin, store):
    """What the other gives is stored; the failure is recorded, exit 3."""
    path = pipeline(
        source("html_table", table="constituents", column="Symbol",
               input_values=["${WIKIPEDIA_URL}/wiki/List_of_S%26P_500_companies",
                             "${WIKIPEDIA_URL}/wiki/No_such_article"]),
        quotes(), harness.store())
    result = windrow("run", path, origin=origin(), store=store)
    assert result.status == 3, result
    assert store.prices() == store.expected(facts())
    assert list(store.failures().values()) == ["not_found"]


# Fetchers.

def test_a_quote_page_by_xpath(run, store):
    run(source("values", input_values=KEYS), pages(), harness.store())
    assert store.prices() == store.expected(PRICES)


def test_a_fetcher_after_a_fetcher(run, store):
    """The second one gets the keys that the first one has fetched."""
    run(source("values", input_values=KEYS),
        quotes(output_queues=("prices", "seen")),
        pages("seen", ("page_prices",)),
        harness.store(), harness.store("page_prices", "store_pages",
                                       "page_prices"),
        queues=("symbols", "prices", "seen", "page_prices"))
    assert store.prices() == store.expected(PRICES)
    assert store.prices("page_prices") == store.expected(PRICES)
    asked = run.server.asked()
    assert asked["AAPL"] == 2 and asked["BRK-B"] == 2


def test_a_key_that_fails_does_not_reach_the_second_fetcher(
        windrow, pipeline, origin, store):
    server = origin("--fault", "404@MSFT")
    path = pipeline(
        source("values", input_values=KEYS), quotes(output_queues=("seen",)),
        pages("seen"), harness.store(), queues=("symbols", "seen", "prices"))
    result = windrow("run", path, origin=server, store=store)
    assert result.status == 3, result
    assert set(store.prices()) == set(KEYS) - {"MSFT"}
    assert store.failures() == {"MSFT": "not_found"}
    assert server.asked()["MSFT"] == 1


# Shapes.

def test_several_sinks(run, store):
    """Each gets all rows of its queue."""
    run(source("values", input_values=KEYS),
        quotes(output_queues=("prices", "copies")),
        harness.store(), harness.store("copies", "keep", "copies",
                                       symbol="key", price="price"),
        queues=("symbols", "prices", "copies"))
    assert store.prices() == store.expected(PRICES)
    assert store.prices("copies") == store.expected(PRICES)


def test_two_sinks_read_one_queue(run, store):
    """Each row goes to one of them."""
    run(source("html_table"), quotes(), harness.store(name="one", table="a"),
        harness.store(name="other", table="b"))
    rows = store.rows("a") + store.rows("b")
    assert sorted(rows) == sorted(store.expected(facts()).items())


def test_two_producers_of_one_queue(run, store):
    """Two sources and two fetchers that write one queue."""
    run(source("values", "left", "one", KEYS[:2]),
        source("values", "right", "other", KEYS[2:]),
        quotes("left", name="charts"), pages("right"), harness.store(),
        queues=("left", "right", "prices"))
    assert store.prices() == store.expected(PRICES)


def test_two_consumers_of_one_queue(run, store):
    """Charts by one, pages by the other: each key by one of both."""
    run(source("html_table"), quotes(name="charts"), pages(), harness.store())
    assert store.prices() == store.expected(facts())
    assert set(run.server.asked().values()) == {1}


def test_more_fields_than_the_price(run, store):
    worker = quotes()
    worker["options"]["fields"] = {
        "price": "/chart/result/0/meta/regularMarketPrice",
        "currency": {"at": "/chart/result/0/meta/currency", "type": "text"},
        "asked": {"at": "/chart/result/0/meta/regularMarketTime",
                  "type": "integer"},
        "none": {"at": "/chart/none", "type": "text", "required": False},
        "seven": {"at": "/chart/none", "type": "integer", "default": 7}}
    run(source("values", input_values=KEYS), worker, harness.store(
        symbol="key", price="price", currency="currency", asked="asked",
        none="none", seven="seven"))
    assert store.prices() == store.expected(PRICES)
    assert {row[1:] for row in store.rows(
        columns="symbol, currency, none, seven")} == {("USD", None, "7")}


# Pipelines that are shipped, and those of the original.

@pytest.mark.parametrize("name, table, n", [
    ("sp500", "prices", 503), ("tickers-csv", "ticker_prices", None),
    ("quote-page", "page_prices", None),
    ("series", "series_tickers", None), ("pounds", "pound_prices", 3),
    ("isin", "isins", 5),
    ("keys-from-postgres", "watched_prices", 4)])
def test_a_shipped_pipeline(windrow, origin, store, tmp_path, name, table, n):
    """Each file of pipelines/ runs as it is."""
    if name == "keys-from-postgres":
        store.execute("CREATE TABLE watchlist (symbol text)")
        for key in KEYS:
            store.execute(f"INSERT INTO watchlist VALUES ('{key}')")
    server = origin()
    result = windrow("run", SOURCE / f"pipelines/{name}.yaml", origin=server,
                     store=store)
    # ^GSPC of quote-page.yaml and those at London are no symbols of the origin,
    # and the symbol of isin.yaml is no ISIN.
    assert set(store.failures()) <= {"^GSPC", "VOD.L", "BP.L", "AAPL"}, result
    assert result.status == (3 if store.failures() else 0), result
    assert store.count(table) == (n or result.summary["stored"]) > 2


ORIGINAL = (pathlib.Path(__file__).parents[1]
            / "cases/pipeline/legacy/pipeline.yaml")


def test_the_original_with_its_own_settings(windrow, origin, cluster,
                                            tmp_path):
    """Pipeline and .env-local unmodified, but for the servers' addresses:
    PG_HOST and the rest name the database."""
    store = cluster.database()
    server = origin()
    settings = tmp_path / ".env-local"
    settings.write_text(
        f"export PIPELINE_LOCATION='{ORIGINAL}'\n"
        "export PG_USER='postgres'\nexport PG_PW='postgres'\n"
        f"export PG_HOST='{cluster.folder}'\nexport PG_DB='{store.name}'\n")
    result = windrow("run", "--env", settings, origin=server)
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())
    notes = re.findall(r"instances of (\w+)", result.err)
    assert notes == ["YahooFinanceWorker", "PostgresWorker"], result

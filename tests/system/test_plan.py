"""`windrow plan`: what a run would do, and how long it would take."""
import json

import pytest

from harness import SOURCE, SP500, quotes, source, store as sink

NOWHERE = {"WIKIPEDIA_URL": "http://127.0.0.1:1",
           "YAHOO_URL": "http://127.0.0.1:1"}


def plan_of(windrow, *arguments, **options):
    result = windrow("plan", *arguments, "--format", "json", **options)
    assert result.status == 0, result
    return json.loads(result.out)


def test_the_graph_is_drawn(windrow, pipeline):
    """Each worker below the queue that it reads; one that is reached twice is
    drawn once in full."""
    path = pipeline(
        source("values", input_values=["A", "B"], name="some"),
        source("values", input_values=["C"], name="more"),
        quotes(output_queues=("prices", "copies")),
        sink(), sink("copies", name="copy", table="copies"),
        queues=("symbols", "prices", "copies"))
    result = windrow("plan", path, env=NOWHERE)
    assert result.status == 0, result
    assert """some (values: keys)
└─ symbols
   └─ quotes (http_json: 64 at once in each node)
      ├─ prices
      │  └─ store (store: into prices, 2 connections in each node)
      └─ copies
         └─ copy (store: into copies, 2 connections in each node)
more (values: keys)
└─ symbols
   └─ quotes (http_json: 64 at once in each node), as above
""" in result.out, result


def test_nothing_is_fetched_nor_stored(windrow, origin, tmp_path):
    server = origin()
    found = plan_of(windrow, SP500, origin=server)
    assert server.log()["requests"] == 0
    assert not list(tmp_path.glob("windrow.db*"))
    assert found["sources"][0]["keys"] is None
    assert [(one["worker"], one["key"]) for one in found["requests"]] == [
        ("constituents", None), ("quotes", None)]
    assert found["requests"][1]["url"].endswith(
        "/v8/finance/chart/{key}?range=1d&interval=1d")
    assert found["estimate"][0]["seconds"] is None and found["past"] is None


def test_only_the_lists_are_fetched(windrow, origin):
    """If asked for; then the keys are known, and the time."""
    server = origin()
    found = plan_of(windrow, SP500, "--fetch-lists", origin=server,
                    env={"YAHOO_RATE": "10/s"})
    assert server.asked() == {"wiki": 1}
    assert found["sources"][0]["keys"] == 503
    assert found["sources"][0]["first"] == ["MMM", "AOS", "ABT"]
    assert found["requests"][1]["url"].startswith(
        server.url + "/v8/finance/chart/MMM?")
    quotes_, = found["estimate"]
    assert quotes_["keys"] == 503 and quotes_["seconds"] == pytest.approx(50.3)
    assert quotes_["limit"] == "rate 10/s"


def test_a_list_that_can_not_be_fetched(windrow):
    """Why, and the status of a run that gets no key."""
    result = windrow("plan", SP500, "--fetch-lists", env=NOWHERE)
    assert result.status == 4, result
    assert "  constituents   none came: connect (" in result.out, result
    assert (f"; more says: windrow try {SP500} --worker constituents\n"
            in result.out), result
    told = windrow("plan", SP500, "--fetch-lists", "--format", "json",
                   env=NOWHERE)
    failure = json.loads(told.out)["sources"][0]["failure"]
    assert told.status == 4 and failure["reason"] == "connect", told


def test_keys_of_a_file(windrow, tmp_path):
    """They are counted, and make the first requests."""
    (tmp_path / "mine.csv").write_text("Symbol\n" + "\n".join(
        ["BRK.B"] + [f"K{i}" for i in range(999)]) + "\n")
    found = plan_of(windrow, SOURCE / "pipelines/tickers-csv.yaml", env={
        "TICKERS": tmp_path / "mine.csv", "YAHOO_RATE": "unlimited",
        "YAHOO_IN_FLIGHT": "8"})
    assert found["sources"][0]["keys"] == 1000
    assert found["requests"][0]["key"] == "BRK.B"
    assert "/BRK-B?" in found["requests"][0]["url"]
    assert found["estimate"][0]["seconds"] == pytest.approx(25)
    assert found["estimate"][0]["limit"] == "8 in flight"
    assert "an answer takes 200 ms" in found["estimate"][0]["assumed"]
    absent = windrow("plan", SOURCE / "pipelines/tickers-csv.yaml",
                     env={"TICKERS": tmp_path / "absent.csv"})
    assert absent.status == 2 and "absent.csv" in absent.err, absent


def test_limit(windrow, tmp_path):
    """Of each source only the first keys, as `run --limit` takes them."""
    (tmp_path / "mine.csv").write_text("Symbol\nA\nB\nC\nD\n")
    env = {"TICKERS": tmp_path / "mine.csv", "YAHOO_RATE": "1/s",
           "YAHOO_IN_FLIGHT": "unlimited"}
    path = SOURCE / "pipelines/tickers-csv.yaml"
    for limit, first, keys in ((2, ["A", "B"], 2), (9, ["A", "B", "C"], 4)):
        found = plan_of(windrow, path, "--limit", limit, env=env)
        assert found["sources"][0]["keys"] == keys
        assert found["sources"][0]["first"] == first
        assert found["estimate"][0]["keys"] == keys


def test_budgets_and_retries(windrow, pipeline):
    path = pipeline(
        source("values", input_values=["A"]),
        quotes(url="https://{key}.example/x", rate="90/m", adaptive=True,
               robots="obey", timeout="7s",
               retry={"attempts": 2, "backoff": "1s", "backoff_max": "1m"}),
        sink())
    result = windrow("plan", path)
    assert ("each key's own host: at most 1.5/s, any number in flight, adaptive"
            ": the rate is found, robots.txt is obeyed") in result.out, result
    assert ("2 tries of 7 s at most, waits of 1 s, doubling up to 60 s"
            in result.out)


def test_a_cache_is_not_counted_on(windrow, pipeline):
    """Which is said as what is assumed, whatever was run before."""
    path = pipeline(source("values", input_values=["A"]),
                    quotes(cache="revalidate", rate="1/s"), sink())
    result = windrow("plan", path, env=NOWHERE)
    assert ("(if nothing comes from the cache; nothing is tried again)"
            in result.out), result


def test_tables_are_those_that_are_made(windrow, origin, pipeline, store):
    """Names and types: as in the database after a run. And that run's keys
    and time are known to the next plan."""
    path = pipeline(source("values", input_values=["KO", "AAPL"]), quotes(
        fields={"price": "/chart/result/0/meta/regularMarketPrice",
                "volume": {"at": "/chart/result/0/meta/regularMarketVolume",
                           "type": "integer", "required": False}}),
        sink(symbol="key", price="price", volume="volume", at="fetched_at"))
    server = origin()
    before = plan_of(windrow, path, origin=server, store=store)
    assert before["past"] is None
    if store.kind == "postgres":
        assert store.tables() == []
    result = windrow("run", path, origin=server, store=store)
    assert result.status == 0, result
    if store.kind == "postgres":
        there = store.query(
            "SELECT column_name, data_type, is_nullable = 'NO' FROM"
            " information_schema.columns WHERE table_name = 'prices'"
            " AND column_name <> 'id' ORDER BY ordinal_position")
        there = [(name, kind.replace("timestamp with time zone",
                                     "timestamptz"), needed)
                 for name, kind, needed in there]
    else:
        there = [(name, kind, bool(needed)) for _, name, kind, needed, _, _ in
                 store.query("PRAGMA table_info(prices)")[1:]]
    columns = before["tables"][0]["columns"]
    assert [(one["name"], one["type"], one["needed"])
            for one in columns] == there
    after = plan_of(windrow, path, origin=server, store=store)
    assert after["past"]["run"] == 1 and after["past"]["keys"] == 2
    assert after["estimate"][0]["limit"].startswith("as fast as the last run")


def test_a_past_run_gives_the_keys(windrow, origin, sqlite):
    """Of a list that is not asked for now."""
    server = origin()
    windrow("run", SP500, "--limit", 7, origin=server, store=sqlite)
    found = plan_of(windrow, SP500, origin=server, store=sqlite)
    assert found["estimate"][0]["keys"] == 7
    assert ("as many keys as in the last run"
            in found["estimate"][0]["assumed"])


def test_a_database_that_is_away_does_not_hinder(windrow, tmp_path):
    result = windrow("plan", SP500, "--store",
                     f"postgresql:///none?host={tmp_path}")
    assert result.status == 0, result
    assert "past runs are not known: the database can't be asked" in result.out
    assert "No such file or directory. Is the server running" in result.out
    other = tmp_path / "other.db"
    other.write_bytes(b"")
    assert windrow("plan", SP500, "--store", f"sqlite:{other}").status == 0
    assert other.read_bytes() == b""


def test_a_password_is_hidden(windrow):
    secret = "geheim-und-lang"
    result = windrow("plan", SP500, "--store",
                     f"postgresql://me:{secret}@127.0.0.1:1/x")
    assert result.status == 0 and secret not in result.text, result
    assert "postgresql://me:***@127.0.0.1:1/x" in result.out


@pytest.mark.parametrize("arguments, words", [
    (["plan", SP500, "AAPL"], 'unexpected argument "AAPL"'),
    (["plan", SP500, "--fetch-list=1"], "takes no value"),
    (["plan", SP500, "--fetsh-lists"], "did you mean --fetch-lists?"),
    (["plan", "absent.yaml"], "absent.yaml"),
    (["plan"], "no pipeline")])
def test_bad_usage(windrow, arguments, words):
    result = windrow(*arguments)
    assert result.status == 2 and words in result.err, result


def test_a_pipeline_that_is_wrong(windrow, pipeline):
    result = windrow("plan", pipeline(source(), quotes(timeuot="1s"), sink()),
                     env=NOWHERE)
    assert result.status == 2 and "'timeout'?" in result.err, result
    assert result.out == ""

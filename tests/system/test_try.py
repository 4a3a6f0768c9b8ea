"""`windrow try` and `windrow test`: a key through a pipeline, told step by
step, and held against what was recorded."""
import json
import re
import shutil
import sqlite3

import pytest

import harness
from harness import SOURCE, SP500, facts, quotes, source, store

PRICE = "/chart/result/0/meta/regularMarketPrice"
SHIPPED = SOURCE / "pipelines/sp500.cases"
# How pipelines/sp500.cases was made: what the origin plays, and the key.
RECORDED = {
    "BRK.B": ([], ["BRK.B"]),
    "unknown": ([], ["NOPE"]),
    "no-price": (["--fault", "no-field@MSFT"], ["MSFT"]),
    "too-many-requests": (["--fault", "429-retry-after@AAPL"], ["AAPL"]),
    "redirected": (["--fault", "redirect-chain@KO", "--redirect-hops", "1"],
                   ["KO"]),
    "constituents": ([], ["--worker", "constituents"]),
}


def events_of(result):
    return [json.loads(line) for line in result.out.splitlines()]


def named(events, name):
    return [event for event in events if event["event"] == name]


def is_untouched(folder):
    return not list(folder.glob("windrow.db*"))


# A key through the chain.

def test_a_key_becomes_a_row(windrow, origin, tmp_path):
    """Each step is there, and nothing is stored."""
    server = origin()
    result = windrow("try", SP500, "BRK.B", origin=server)
    assert result.status == 0, result
    for line in (f"  GET {server.url}/v8/finance/chart/BRK-B?range=1d",
                 "      User-Agent: Mozilla/5.0", "  status 200, ",
                 f"  price at {PRICE}", f"      {facts()['BRK.B']} (number)",
                 "store: a row of prices, which is not stored",
                 "  symbol                   BRK.B"):
        assert line in result.out, (line, result)
    assert is_untouched(tmp_path)
    assert server.asked() == {"BRK-B": 1}


def test_the_same_in_json(windrow, origin):
    result = windrow("try", SP500, "AAPL", "--format", "json", origin=origin())
    assert result.status == 0, result
    events = events_of(result)
    assert [event["event"] for event in events] == [
        "request", "answer", "field", "row", "end"]
    row, = named(events, "row")
    assert row["values"]["symbol"] == "AAPL"
    assert row["values"]["price"] == facts()["AAPL"]
    assert row["times"] == ["extracted_time"]
    answer, = named(events, "answer")
    assert answer["status"] == 200 and answer["us"] > 0
    assert answer["head"].startswith('{"chart":{"result":[{"meta":')


def test_a_misspelt_pointer(windrow, origin, pipeline):
    """How far it leads, and what is there that is spelt like it."""
    path = pipeline(source(), quotes(fields={"price": PRICE[:-2] + "ze"}),
                    store())
    result = windrow("try", path, "AAPL", origin=origin())
    assert result.status == 3, result
    assert "it leads as far as /chart/result/0/meta, an object" in result.out
    assert "did you mean regularMarketPrice?" in result.out
    assert "field_missing (a required field is absent)" in result.out


def test_a_misspelt_xpath(windrow, origin, pipeline):
    path = pipeline(source(), quotes(
        url="${YAHOO_URL}/quote/{key}",
        fields={"price": '//span[@data-testid="qsp-prize"]'}), store())
    path.write_text(path.read_text().replace("http_json", "http_html"))
    result = windrow("try", path, "AAPL", origin=origin())
    assert result.status == 3, result
    assert "did you mean qsp-price?" in result.out


def test_each_field_by_itself(windrow, origin, pipeline):
    """Those that are good are shown beside the one that is not; what was
    found is shown before it was converted; an absent one has its default."""
    path = pipeline(source(), quotes(fields={
        "price": {"at": PRICE, "type": "integer"},
        "currency": {"at": "/chart/result/0/meta/currency", "type": "text"},
        "open": {"at": "/chart/result/0/meta/open", "default": 7}}),
        store(price="price", currency="currency", open="open"))
    result = windrow("try", path, "AAPL", "--format=json", origin=origin())
    assert result.status == 3, result
    price, currency, opened = named(events_of(result), "field")
    assert price["raw"] == facts()["AAPL"] and price["value"] is None
    assert price["reason"] == "field_type"
    assert currency["value"] == "USD" and "reason" not in currency
    assert opened["raw"] is None and opened["value"] == "7"
    assert opened["near"]["up_to"] == "/chart/result/0/meta"


def test_a_chain_of_two_fetchers(windrow, origin, pipeline):
    """The second is asked with the first one's field `key`."""
    first = quotes(output_queues=("more",), name="first", fields={
        "key": {"at": "/chart/result/0/meta/symbol", "type": "text"}})
    path = pipeline(source(), first, quotes("more"), store(),
                    queues=("symbols", "more", "prices"))
    result = windrow("try", path, "BRK.B", "--format=json", origin=origin())
    assert result.status == 0, result
    asked = named(events_of(result), "request")
    assert [(event["worker"], event["key"]) for event in asked] == [
        ("first", "BRK.B"), ("quotes", "BRK-B")]
    second = windrow("try", path, "BRK.B", "--worker", "quotes",
                     "--format=json", origin=origin())
    assert len(named(events_of(second), "request")) == 1


# What would be a recorded failure, and what could not be asked.

@pytest.mark.parametrize("fault, reason, words", [
    ("404@AAPL", "not_found: HTTP status 404\n", ""),
    ("429-retry-after@AAPL", "refused (the",
     "this may pass: a run tries it up to"),
    ("wrong-type@AAPL", "not_json (the", "this may pass"),
    ("redirect-loop@AAPL", "bad_redirect (too many", "too many redirects")])
def test_a_failure(windrow, origin, fault, reason, words):
    result = windrow("try", SP500, "AAPL", origin=origin("--fault", fault))
    assert result.status == 3, result
    assert f"failed: quotes: AAPL: {reason}" in result.out
    assert words in result.out


def test_a_site_that_is_not_there(windrow):
    for arguments in (["AAPL"], ["--worker", "constituents"]):
        result = windrow("try", SP500, *arguments, env={
            "YAHOO_URL": "http://127.0.0.1:1",
            "WIKIPEDIA_URL": "http://127.0.0.1:1"})
        assert result.status == 4 and "no answer" in result.out, result


@pytest.mark.parametrize("hops, status, statuses", [
    (3, 0, [302, 302, 302, 200]), (4, 3, [302, 302, 302, 302])])
def test_redirects_are_followed(windrow, origin, hops, status, statuses):
    """As many as the pipeline's `redirects`, which is 3."""
    result = windrow("try", SP500, "AAPL", "--format=json", origin=origin(
        "--fault", "redirect-chain@AAPL", "--redirect-hops", hops))
    assert result.status == status, result
    assert [event["status"] for event in named(events_of(result),
                                               "answer")] == statuses


def test_robots_txt_is_obeyed(windrow, origin, pipeline):
    server = origin("--robots", "User-agent: *\nDisallow: /v8/finance/\n")
    for robots, status in (("obey", 3), ("ignore", 0)):
        path = pipeline(source(), quotes(robots=robots), store())
        result = windrow("try", path, "AAPL", origin=server)
        assert result.status == status, result
        assert ("robots.txt disallows the path" in result.out) == bool(status)


def test_the_node_is_confined(windrow, origin):
    """It may write no file at all."""
    result = windrow("try", SP500, "AAPL", origin=origin(),
                     env={"WINDROW_LOG_LEVEL": "debug"})
    assert re.search("confined: .*, writes to no file", result.err), result


# Lists.

def test_a_list(windrow, origin):
    """The table that was found, its headers, the first keys and how many."""
    result = windrow("try", SP500, "--worker", "constituents", origin=origin())
    assert result.status == 0, result
    assert ("table 1 of the page, id constituents, column 1 of: Symbol, "
            "Security" in result.out)
    assert "503 keys: MMM, AOS, ABT, " in result.out


def test_a_list_without_its_column(windrow, origin, pipeline):
    path = pipeline(source(column="Ticker", table="constituents", input_values=[
        "${WIKIPEDIA_URL}/wiki/List_of_S%26P_500_companies"]),
        quotes(), store())
    result = windrow("try", path, "--worker", "source", origin=origin())
    assert result.status == 4, result
    assert "no_column" in result.out
    assert "table 2 id changes class wikitable" in result.out


def test_a_json_list(windrow, origin, pipeline):
    for key, status in (("/symbol", 0), ("/symbl", 4)):
        path = pipeline(source("json_list", list="", key=key,
                               input_values=["${YAHOO_URL}/symbols.json"]),
                        quotes(), store())
        result = windrow("try", path, "--worker", "source", origin=origin())
        assert result.status == status, result
    assert "did you mean symbol?" in result.out


# Nothing leaks, and nothing is believed.

SECRET = "s3cret-Wort-of-mine"


# Sources that ask nothing of the web.

def test_keys_that_are_here(windrow, tmp_path):
    """Of a file, of the pipeline, of a query: how many, and the first few."""
    (tmp_path / "mine.csv").write_text("Symbol\nAAPL\nMSFT\n")
    path = SOURCE / "pipelines/tickers-csv.yaml"
    result = windrow("try", path, "--worker", "tickers",
                     env={"TICKERS": str(tmp_path / "mine.csv")})
    assert (result.status, result.out) == (
        0, "tickers\n  2 keys: AAPL, MSFT\n"), result
    (tmp_path / "mine.csv").write_text("Symbol\n")
    result = windrow("try", path, "--worker", "tickers",
                     env={"TICKERS": str(tmp_path / "mine.csv")})
    assert result.status == 4 and "failed: tickers: no_keys" in result.out


def test_keys_of_a_query(windrow, pipeline, postgres, tmp_path):
    lite = f"sqlite:{tmp_path}/keys.db"
    with sqlite3.connect(tmp_path / "keys.db") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE keys AS SELECT 'A' AS key")
    database.close()
    for options, status, said in [
            ({"query": "SELECT 'K' || n FROM generate_series(1, 60000) n"}, 0,
             "names\n  60000 keys: K1, K10, K100, "),
            ({"query": "SELECT 1 WHERE false"}, 4, "failed: names: no_keys"),
            ({"query": "SELEKT"}, 4, "failed: names: query"),
            ({"query": "SELECT key FROM keys", "database": lite}, 0,
             "names\n  1 key: A\n")]:
        path = pipeline(source("sql", name="names", **options),
                        quotes(url="http://127.0.0.1:1/{key}"), store())
        result = windrow("try", path, "--worker", "names",
                         env={"DATABASE_URL": postgres.url})
        assert result.status == status and said in result.out, result


def test_secrets_are_hidden(windrow, origin, pipeline):
    """In the URL, in headers, in what the site sends back; in JSON too."""
    path = pipeline(source(), quotes(
        url="${YAHOO_URL}/v8/finance/chart/{key}?token=${API_TOKEN}",
        headers={"Authorization": "Basic YWJj", "X-Token": "${API_TOKEN}",
                 "X-Plain": "seen"}), store())
    for arguments in ([], ["--format=json"]):
        result = windrow("try", path, "AAPL", *arguments, origin=origin(),
                         env={"API_TOKEN": SECRET})
        assert result.status == 0, result
        assert SECRET not in result.text and "YWJj" not in result.text
        assert "token=*****" in result.out and "seen" in result.out


def test_what_was_sent_can_not_command_the_terminal(windrow, origin, tmp_path,
                                                    pipeline):
    answers = tmp_path / "answers/chart"
    answers.mkdir(parents=True)
    (answers / "AAPL").write_bytes(
        b'{"chart": {"result": [{"meta": {"regularMarketPrice": 1,'
        b' "name": "\\u001b[2J\\u009b2J\x7f"}}]}}')
    path = pipeline(source(), quotes(fields={
        "price": PRICE, "name": {"at": "/chart/result/0/meta/name",
                                 "type": "text"}}),
        store(price="price", name="name"))
    result = windrow("try", path, "AAPL",
                     origin=origin("--replay", tmp_path / "answers"))
    assert "[2J" in result.out, result
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]", result.out)


# Cases.

@pytest.fixture
def copied(tmp_path):
    """pipelines/sp500.yaml with its cases, in a folder of the test's."""
    shutil.copy(SP500, tmp_path / "sp500.yaml")
    shutil.copytree(SHIPPED, tmp_path / "sp500.cases")
    return tmp_path / "sp500.yaml"


def test_shipped_cases_pass(windrow):
    """Without a network: no place that is named is there."""
    result = windrow("test", SP500, env={"YAHOO_URL": "http://127.0.0.1:1"})
    assert result.status == 0, result
    assert f"{len(RECORDED)} of {len(RECORDED)} cases passed" in result.out


@pytest.mark.parametrize("name", RECORDED)
def test_shipped_cases_are_what_the_origin_gives(windrow, origin, tmp_path,
                                                 name):
    """Recorded again, each file is the same."""
    symbols = tmp_path / "symbols"
    symbols.write_text("".join(key + "\n" for key in list(facts())[:12]))
    faults, arguments = RECORDED[name]
    if name == "constituents":
        faults = ["--symbols", symbols]
    shutil.copy(SP500, tmp_path / "sp500.yaml")
    server = origin(*faults)
    result = windrow("try", tmp_path / "sp500.yaml", *arguments,
                     f"--record={name}", origin=server)
    assert "recorded in" in result.err, result
    again = tmp_path / "sp500.cases" / name
    assert sorted(path.name for path in again.iterdir()) == sorted(
        path.name for path in (SHIPPED / name).iterdir())
    for path in again.iterdir():
        text = path.read_text().replace(server.url, "http://127.0.0.1:8080")
        assert text == (SHIPPED / name / path.name).read_text(), path.name


def test_a_difference_is_shown(windrow, copied):
    expected = copied.parent / "sp500.cases/BRK.B/expected.json"
    expected.write_text(expected.read_text().replace(facts()["BRK.B"], "1.5"))
    result = windrow("test", copied)
    assert result.status == 3, result
    assert ("FAIL BRK.B\n  /rows/0/values/price\n    expected \"1.5\"\n"
            f"    found    \"{facts()['BRK.B']}\"\n" in result.out)
    found = json.loads(windrow("test", copied, "BRK.B", "unknown",
                               "--format", "json").out)
    assert [(entry["case"], entry["passed"]) for entry in found] == [
        ("BRK.B", False), ("unknown", True)]
    assert found[0]["differences"] == [
        {"path": "/rows/0/values/price", "expected": "1.5",
         "found": facts()["BRK.B"]}]


def test_a_pipeline_that_was_changed_is_seen(windrow, copied):
    """What a case is for."""
    copied.write_text(copied.read_text().replace("symbol: key, ", ""))
    result = windrow("test", copied)
    assert result.status == 3 and "/rows/0/values/symbol" in result.out, result
    assert "ok   unknown" in result.out


@pytest.mark.parametrize("name, text, words", [
    ("case.yaml", "worker: quotes\nkey: A\n", "a case needs answers"),
    ("case.yaml", "worker: quotse\nkey: A\nanswers: [{status: 200}]\n",
     "did you mean \"quotes\"?"),
    ("case.yaml", "worker: quotes\nkey: A\nanswers: [{status: 1}]\n",
     "case.yaml:3:20: an answer needs a status"),
    ("case.yaml", "worker: quotes\nkey: A\n"
     "answers: [{status: 200, body: ../../x}]\n",
     "body must name a file in the same folder"),
    ("case.yaml", "worker: quotes\nkey: A\nansers: []\n",
     "case.yaml:3:1: an unknown key"),
    ("case.yaml", "a: [", "case.yaml:2:1:"),
    ("expected.json", "{", "expected.json:1:")])
def test_a_case_that_is_wrong(windrow, copied, name, text, words):
    (copied.parent / "sp500.cases/BRK.B" / name).write_text(text)
    result = windrow("test", copied, "BRK.B")
    assert result.status == 2 and words in result.out, result
    assert result.out.startswith("BAD  BRK.B: "), result
    assert result.out.endswith("0 of 1 cases passed, 1 wrong in itself\n")


def test_a_case_that_is_wrong_does_not_hide_the_others(windrow, copied):
    """It is told in its place, in JSON too, and the others run."""
    cases = copied.parent / "sp500.cases"
    (cases / "Empty").mkdir()
    n = len(RECORDED) + 1
    result = windrow("test", copied)
    assert result.status == 2 and not result.err, result
    assert "\nBAD  Empty: there is no case " in result.out, result
    assert "\nok   unknown\n" in result.out, result
    assert result.out.endswith(
        f"\n{n - 1} of {n} cases passed, 1 wrong in itself\n"), result
    told = windrow("test", copied, "--format", "json")
    assert told.status == 2 and not told.err, told
    found = {entry["case"]: entry for entry in json.loads(told.out)}
    assert sorted(found) == sorted([*RECORDED, "Empty"])
    assert "there is no case" in found["Empty"]["error"]
    assert not found["Empty"]["passed"] and found["unknown"]["passed"]


def test_a_record_is_not_overwritten(windrow, origin, copied):
    """Which is told before anything is asked for."""
    result = windrow("try", copied, "BRK.B", "--record", origin=origin())
    assert (result.status, result.out) == (2, ""), result
    assert "is there already: remove it, or give another name" in result.err
    other = windrow("try", copied, "BRK.B", "--record=brk/b", origin=origin())
    assert other.status == 2 and "is no name of a case" in other.err, other


@pytest.mark.parametrize("arguments, words", [
    (["try", SP500], "which key?"),
    (["try", SP500, "A", "--worker", "quotse"], "did you mean \"quotes\"?"),
    (["try", SP500, "A", "--worker", "constituents"], "takes no key"),
    (["try", SP500, "--worker", "store"], "is a store: it gives no keys"),
    (["try", SOURCE / "pipelines/tickers-csv.yaml", "--worker", "tickers",
      "--record"], "asks nothing of the web"),
    (["try", SP500, "A", "--record", "name"], "--record=name"),
    (["try", SP500, "A", "B"], 'unexpected argument "B"'),
    (["try", SP500, "A", "--recrod"], "did you mean --record?"),
    (["try"], "PIPELINE is missing"),
    (["test", SP500, "BRK.A"], "did you mean \"BRK.B\"?"),
    (["test", SOURCE / "pipelines/quote-page.yaml"], "no cases in")])
def test_bad_usage(windrow, arguments, words):
    result = windrow(*arguments)
    assert result.status == 2 and words in result.err, result


# Row sets.

SERIES = SOURCE / "pipelines/series.yaml"


def answer_of(folder, points):
    """A chart of so many points, for windrow-origin --replay."""
    quote = {name: [i + 0.5 for i in range(points)]
             for name in ("open", "high", "low", "close")}
    chart = {"meta": {"regularMarketPrice": 1, "currency": "USD",
                      "regularMarketTime": 1786132801},
             "timestamp": [1786132801 + 60 * i for i in range(points)],
             "indicators": {"quote": [{**quote, "volume": [7] * points}]}}
    (folder / "chart").mkdir(parents=True)
    (folder / "chart/AAPL").write_text(
        json.dumps({"chart": {"result": [chart]}}))
    return folder


def test_rows_of_one_answer(windrow, origin, tmp_path):
    """Three are shown and the others counted; a case has them all."""
    shutil.copy(SERIES, tmp_path / "series.yaml")
    server = origin("--replay", answer_of(tmp_path / "answers", 30))
    result = windrow("try", tmp_path / "series.yaml", "AAPL", "--record",
                     origin=server)
    assert result.status == 0, result
    assert "  points: 30 rows\n" in result.out
    assert result.out.count("store-points: a row of series_points") == 3
    assert "  and 27 more rows of series_points\n" in result.out
    expected = json.loads(
        (tmp_path / "series.cases/AAPL/expected.json").read_text())
    assert len(expected["rows"]) == 31 and expected["sets"] == {"points": 30}
    assert expected["rows"][30]["values"]["close"] == "29.5"
    assert windrow("test", tmp_path / "series.yaml").status == 0


def test_a_misspelt_field_of_rows(windrow, origin, tmp_path):
    """It would be NULL in each row: said even so."""
    path = tmp_path / "series.yaml"
    path.write_text(SERIES.read_text().replace("quote/0/close",
                                               "quote/0/cloze"))
    server = origin("--replay", answer_of(tmp_path / "answers", 2))
    result = windrow("try", path, "AAPL", origin=server)
    assert ("    close:\n      it leads as far as "
            "/chart/result/0/indicators/quote/0, an object with close,"
            in result.out), result
    assert "did you mean close?" in result.out


# Values that are computed.

def test_a_computed_value(windrow, origin, pipeline):
    """What was sent, its formula, and what is stored; and a condition that
    is not met."""
    fields = {"price": {"at": PRICE, "value": "price * 2"},
              "dear": {"value": "price > 100"}}
    path = pipeline(source(), quotes(fields=fields),
                    store(price="price", dear="dear"))
    result = windrow("try", path, "BRK.B", origin=origin())
    assert result.status == 0, result
    assert (f"  price at {PRICE} = price * 2\n      {facts()['BRK.B']} -> "
            f"978.6 (number)\n" in result.out)
    assert "  dear = price > 100\n      true (boolean)\n" in result.out
    path = pipeline(source(), quotes(fields=fields, require=["price < 0"]),
                    store(price="price", dear="dear"))
    result = windrow("try", path, "BRK.B", origin=origin())
    assert result.status == 3 and "978.6 (number)" in result.out, result
    assert "price < 0" in result.out

"""Rows of a table as they are shown and exported: prices, export."""
import csv
import io
import json
import os
import re
import subprocess
import time

import pytest

from harness import BUILD, SP500, facts, quotes, source, store as sink

KEYS = ["AAPL", "MSFT", "BRK.B"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def run_of(windrow, origin, pipeline, store):
    """run_of(KEY...): a run over these keys, into the store."""
    server = origin()
    store.server = server

    def run(*keys):
        path = pipeline(source("values", input_values=keys), quotes(), sink())
        result = windrow("run", path, origin=server, store=store)
        assert result.status == 0, result
        return result
    run.store = store
    return run


def price(store, key):
    return store.as_stored(facts()[key])


# prices

def test_prices(windrow, run_of):
    """The newest row of each key, in the order of the keys, with the digits
    that are stored. The settings that the run had are not needed."""
    store = run_of.store
    run_of(*KEYS)
    run_of("AAPL")
    result = windrow("prices", store=store)
    digits = {key: price(store, key) for key in KEYS}
    width = max(len("price"), *map(len, digits.values()))
    assert TIME.sub("T", result.out) == (
        f"symbol  {'price':>{width}}  extracted_time\n"
        + "".join(f"{key:<6}  {digits[key]:>{width}}  T\n"
                  for key in sorted(KEYS))), result
    assert (result.status, result.err) == (0, "")
    assert windrow("rows", store=store).out == result.out
    exported = windrow("export", "--table", "prices", store=store)
    times = [row["extracted_time"] for row in rows_of(exported)
             if row["symbol"] == "AAPL"]
    assert len(times) == 2
    row, = rows_of(windrow("prices", "AAPL", "--format", "csv", store=store))
    assert row == {"symbol": "AAPL", "price": digits["AAPL"],
                   "extracted_time": max(times)}


def rows_of(result):
    """Those of a CSV."""
    return list(csv.DictReader(io.StringIO(result.out, newline="")))


def test_prices_since(windrow, run_of):
    """All rows from then on; --latest: the newest of these."""
    store = run_of.store
    run_of("AAPL", "MSFT")
    time.sleep(0.01)
    middle = time.time_ns() // 1000
    run_of("AAPL")
    run_of("AAPL")
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(middle // 10**6))
    when += f".{middle % 10**6:06}Z"

    def keys(*arguments):
        result = windrow("prices", "--format", "csv", *arguments, store=store)
        return [row["symbol"] for row in rows_of(result)]

    assert keys("--since", when) == ["AAPL", "AAPL"]
    assert keys("--since", when, "--latest") == ["AAPL"]
    assert keys("--since", "1h") == ["AAPL", "AAPL", "AAPL", "MSFT"]
    assert keys("--since", "9999-01-01") == []
    assert keys("--since", "1h", "MSFT") == ["MSFT"]


def test_prices_of_an_answer_with_several_rows(windrow, run_of):
    """The newest of a key are all rows of its last answer."""
    store = run_of.store
    run_of("AAPL")
    run_of("AAPL", "MSFT")
    store.query("INSERT INTO prices (symbol, price, extracted_time) SELECT"
                " symbol, '1', extracted_time FROM prices ORDER BY"
                " extracted_time DESC, symbol LIMIT 2")
    result = windrow("prices", "--format", "csv", store=store)
    keys = [row["symbol"] for row in rows_of(result)]
    assert keys == ["AAPL", "AAPL", "MSFT", "MSFT"], result


def test_prices_of_unknown_keys(windrow, run_of):
    run_of(*KEYS)
    result = windrow("prices", "AAPL", "BRK-B", "msft", "QQQQQQ",
                     "--format", "csv", store=run_of.store)
    assert result.status == 1
    assert result.out.split(",")[2].startswith("extracted_time\r\nAAPL")
    assert result.err == (
        "windrow: table prices has no BRK-B; did you mean BRK.B?\n"
        "windrow: table prices has no msft; did you mean MSFT?\n"
        "windrow: table prices has no QQQQQQ\n")
    result = windrow("prices", "NOPE", "AAXX", store=run_of.store)
    assert (result.status, result.out) == (1, "")
    assert result.err == ("windrow: table prices has no NOPE\n"
                          "windrow: table prices has no AAXX\n")
    result = windrow("prices", "AAPL", "--since", "9999-01-01",
                     store=run_of.store)
    assert result.status == 1
    assert result.err == "windrow: AAPL has no row since then\n"


def test_prices_without_the_settings_of_the_run(windrow, run_of):
    """The pipeline names ${YAHOO_URL}, which nothing sets here."""
    run_of("AAPL")
    assert "YAHOO_URL" not in os.environ
    assert windrow("prices", store=run_of.store).status == 0


TWO = (source("values", input_values=["AAPL"], output_queue="symbols"),
       quotes(output_queues=["prices", "more"], fields={
           "price": "/chart/result/0/meta/regularMarketPrice",
           "currency": {"at": "/chart/result/0/meta/currency",
                        "type": "text"}}),
       sink(), sink("more", "second", "currencies", symbol="key",
                    currency="currency"))


@pytest.fixture
def two(windrow, origin, pipeline, store):
    """A store with a run into two tables, of which one has no time."""
    path = pipeline(*TWO, queues=("symbols", "prices", "more"))
    assert windrow("run", path, origin=origin(), store=store).status == 0
    return store


def test_several_tables(windrow, two):
    result = windrow("prices", store=two)
    assert result.status == 2
    assert result.err == ("windrow: run 1 stores into several tables: name one "
                          "with --table (prices, currencies)\n")
    assert windrow("prices", "--table", "prices", store=two).status == 0
    result = windrow("prices", "--table", "pricse", store=two)
    assert result.status == 2
    assert result.err == ("windrow: no run here stores into a table pricse; "
                          "did you mean prices? (there is: prices, "
                          "currencies)\n")


def test_table_without_a_time(windrow, two):
    result = windrow("prices", "--table", "currencies", store=two)
    assert result.status == 2
    assert result.err == (
        "windrow: table currencies has no column for the time of the answer, "
        "so the newest row of each key can't be told: add one to its store's "
        "columns, like `fetched: fetched_at`, or see all rows: windrow export "
        "--table currencies\n")
    result = windrow("export", 1, "--table", "currencies", store=two)
    assert result.out == "symbol,currency\r\nAAPL,USD\r\n"
    assert "these are the rows of all runs" in result.err


@pytest.mark.parametrize("arguments, said", [
    (("--since", "soon"), "--since wants a time as 2026-11-22T18:00, or how "
                          'long ago as 2h or 3d, not "soon"'),
    (("--format", "xml"), '--format wants table, csv or json, not "xml"'),
    (("--formt", "csv"), "unknown option --formt; did you mean --format?")])
def test_prices_bad_usage(windrow, run_of, arguments, said):
    run_of("AAPL")
    result = windrow("prices", *arguments, store=run_of.store)
    assert result.status == 2 and said in result.err and not result.out


def test_limits(windrow, run_of):
    """1,000 keys, and 128 columns, are taken; one more is not."""
    store = run_of.store
    run_of("AAPL")
    keys = ["AAPL"] * 1000
    assert windrow("prices", *keys, store=store).status == 0
    result = windrow("prices", "AAPL", *keys, store=store)
    assert result.status == 2
    assert result.err == "windrow prices: at most 1000 keys at once, not 1001\n"
    for n, status in (128, 0), (129, 4):
        columns = ", ".join(f"c{i} integer" for i in range(n))
        store.query(f"CREATE TABLE wide{n} ({columns})")
        store.query(f"INSERT INTO wide{n} (c0) VALUES (1)")
        result = windrow("export", "--table", f"wide{n}", store=store)
        assert result.status == status, result
    assert "table wide129: it has more than 128 columns" in result.err


# export

def test_export_of_a_run(windrow, run_of):
    """Those of its time alone, as CSV and as JSON."""
    store = run_of.store
    run_of("AAPL", "MSFT")
    run_of("BRK.B")
    result = windrow("export", 1, store=store)
    assert (result.status, result.err) == (0, "")
    rows = list(csv.reader(io.StringIO(result.out, newline="")))
    assert rows[0] == ["symbol", "price", "extracted_time"]
    assert {row[0]: row[1] for row in rows[1:]} == {
        key: price(store, key) for key in ("AAPL", "MSFT")}
    assert all(TIME.fullmatch(row[2]) for row in rows[1:])
    assert result.out.count("\r\n") == result.out.count("\n") == 3
    result = windrow("export", "last", "--format", "json", store=store)
    row = json.loads(result.out, parse_float=str, parse_int=str)
    assert row.pop("extracted_time")
    assert row == {"symbol": "BRK.B", "price": price(store, "BRK.B")}


def test_export_of_a_table_has_the_types_of_the_pipeline(windrow, run_of):
    """A number is one in JSON, by RUN and by --table, in text too."""
    store = run_of.store
    run_of("AAPL")
    store.query("CREATE TABLE copied AS SELECT * FROM prices")
    number = f'"price":{price(store, "AAPL")},'
    for arguments in ("last",), ("--table", "prices"):
        result = windrow("export", *arguments, "--format", "json", store=store)
        assert result.status == 0 and number in result.out, result
    result = windrow("export", "--table", "copied", "--format", "json",
                     store=store)
    assert result.status == 0 and not result.err, result


def test_export_that_is_not_whole_says_so(windrow, run_of):
    run_of("AAPL", "MSFT")
    run_of.store.query("DELETE FROM prices WHERE symbol = 'AAPL'")
    result = windrow("export", 1, store=run_of.store)
    assert result.status == 0
    assert ("windrow: run 1 stored 2 rows, and 1 were fetched in its time:"
            in result.err)


def test_export_of_a_table(windrow, store, run_of):
    """Any table, with what CSV must quote, and what JSON can't say."""
    run_of("AAPL")
    store.query("CREATE TABLE odd (a text, b text, n numeric, f boolean)")
    store.query("INSERT INTO odd VALUES ('a,b', 'say \"x\"', 1.50, true),"
                " ('line\nbreak', '', NULL, NULL)")
    result = windrow("export", "--table", "odd", store=store)
    postgres = store.url.startswith("postgresql")
    number, yes = ("1.50", "true") if postgres else ("1.5", "1")
    assert result.out == (f'a,b,n,f\r\n"a,b","say ""x""",{number},{yes}\r\n'
                          '"line\nbreak","",,\r\n')
    result = windrow("export", "--table", "odd", "--format", "json",
                     store=store)
    assert result.out == (
        '{"a":"a,b","b":"say \\"x\\"","n":' f'{number},"f":{yes}}}\n'
        '{"a":"line\\u000abreak","b":"","n":null,"f":null}\n')


def test_export_of_no_rows(windrow, run_of):
    """The names stand there all the same."""
    run_of("AAPL")
    run_of.store.query("DELETE FROM prices")
    result = windrow("export", "--table", "prices", store=run_of.store)
    assert result.out == "id,symbol,price,extracted_time\r\n"


def test_export_into_a_file(windrow, run_of, tmp_path):
    run_of("AAPL")
    path = tmp_path / "rows.csv"
    result = windrow("export", 1, "--into", path, store=run_of.store)
    assert (result.status, result.out) == (0, "")
    assert result.err == f"windrow: 1 row into {path}\n"
    assert path.read_text().startswith("symbol,price,extracted_time\n")
    assert not path.with_name("rows.csv.part").exists()
    result = windrow("export", 1, "--into", tmp_path / "no/rows.csv",
                     store=run_of.store)
    assert result.status == 2
    assert result.err == (f"windrow: {tmp_path}/no/rows.csv can't be written:"
                          f" there is no folder {tmp_path}/no\n")
    result = windrow("export", 1, "--into", path / "rows.csv",
                     store=run_of.store)
    assert result.err == (f"windrow: {path}/rows.csv can't be written: Not a"
                          " directory\n")


@pytest.mark.parametrize("arguments, said", [
    ((), "windrow export: name a RUN, or a table by --table NAME"),
    (("7",), "windrow: there is no run 7"),
    (("--table", "nowhere"), "windrow: table nowhere: "),
    (("1", "--table", "pricse"), "run 1 stores into no table pricse; did you "
                                 "mean prices? (there is: prices)"),
    (("1", "--format", "table"), '--format wants csv or json, not "table"')])
def test_export_bad_usage(windrow, run_of, arguments, said):
    run_of("AAPL")
    result = windrow("export", *arguments, store=run_of.store)
    assert result.status == 2 and said in result.err, result
    assert not result.out


# Memory does not grow with the rows: 300,000 of them, some 25 MB.
def test_export_of_many_rows(run_of):
    store, n = run_of.store, 300_000
    run_of("AAPL")
    store.query("INSERT INTO prices (symbol, price, extracted_time)"
                " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
                f" FROM n WHERE i < {n}) SELECT 'K' || i, price,"
                " extracted_time FROM prices, n")
    process = subprocess.Popen(
        [BUILD / "windrow", "export", "--table", "prices", "--format", "json",
         "--store", store.url], stdout=subprocess.PIPE)

    def peak_kib():
        text = open(f"/proc/{process.pid}/status").read()
        return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1])

    began = time.monotonic()
    rows = [process.stdout.readline() for _ in range(5000)]
    early = peak_kib()
    rows += [process.stdout.readline() for _ in range(n - 10_000)]
    late = peak_kib()
    rows += process.stdout.readlines()
    assert process.wait(60) == 0 and len(rows) == n + 1
    assert json.loads(rows[-1])["symbol"] == f"K{n}"
    print(f"figure: {n} rows exported in {time.monotonic() - began:.1f} s; "
          f"{early} KiB at the 5,000th, {late} KiB at the last")
    assert late < early + 4096


def test_export_of_a_whole_run_is_whole(windrow, origin, store):
    """503 rows, with the digits that were sent."""
    assert windrow("run", SP500, origin=origin(), store=store).status == 0
    result = windrow("export", "last", store=store)
    rows = rows_of(result)
    assert {row["symbol"]: row["price"] for row in rows} == store.expected(
        facts())
    assert len(rows) == 503 and not result.err

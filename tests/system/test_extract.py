"""What is taken out of an answer, and the tables it goes into."""
import http.server
import threading

import pytest

import harness

KEYS = ["AAPL", "KO", "MMM"]


class Answers:
    """A site that answers a path with a text, and any other with 404."""

    def __init__(self, texts):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = texts.get(self.path.lstrip("/"))
                self.send_response(404 if body is None else 200)
                sent = (body or "").encode()
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def answers(starter):
    """answers({KEY: TEXT}): a site that is ended with the test."""
    return lambda texts: starter.keep(Answers(texts))


@pytest.fixture
def take(windrow, pipeline, answers, store):
    """take({KEY: TEXT}, STORE..., queues=, **options): the Result of a run
    that asks for each key, and stores what comes."""
    def take(texts, *stores, queues=("prices",), keys=None, **options):
        fetch = harness.quotes(output_queues=queues, **{
            "url": answers(texts).url + "/{key}", **options})
        if "rows" in options and "fields" not in options:
            del fetch["options"]["fields"]
        file = pipeline(
            harness.source("values", input_values=keys or list(texts)), fetch,
            *stores, queues=("symbols", *queues))
        return windrow("run", file, "--scale", 1, store=store)
    return take


def types(store, table):
    """Column to declared type, of a table that was made."""
    if store.kind == "sqlite":
        return dict(store.query(
            f"SELECT name, type FROM pragma_table_info('{table}')"))
    return dict(store.query(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attrelid = '{table}'::regclass AND attnum > 0"))


# Types.

ALL_TYPES = {
    "price": {"at": "/p"},
    "volume": {"at": "/v", "type": "integer"},
    "label": {"at": "/n", "type": "text"},
    "open": {"at": "/o", "type": "boolean"},
    "seconds": {"at": "/s", "type": "time"},
    "millis": {"at": "/m", "type": "time", "unit": "milliseconds"},
    "iso": {"at": "/i", "type": "time"}}


def test_each_type_has_its_column(take, store):
    """Digits and microseconds are those that were sent."""
    result = take(
        {"A": '{"p": 0.10000000000000000000000000001, "v": 9007199254740993,'
              ' "n": "\\u00e9 \\"", "o": true, "s": 1786132801.25,'
              ' "m": 1786132801123, "i": "2026-08-07T22:00:01.123456+02:00"}'},
        harness.store(**{name: name for name in ALL_TYPES}),
        fields=ALL_TYPES)
    assert result.status == 0, result
    made = types(store, "prices")
    made.pop("id")
    row = dict(zip(made, store.rows(columns=", ".join(made))[0]))
    assert row["price"] == "0.10000000000000000000000000001"
    assert row["volume"] == "9007199254740993" and row["label"] == 'é "'
    times = [row[name].replace(" ", "T").replace("+00", "Z")
             for name in ("seconds", "millis", "iso")]
    if store.kind == "sqlite":
        assert made == {"price": "TEXT", "volume": "INTEGER", "label": "TEXT",
                        "open": "INTEGER", "seconds": "TEXT",
                        "millis": "TEXT", "iso": "TEXT"}
        assert row["open"] == "1"
        assert times == ["2026-08-07T20:00:01.250000Z",
                         "2026-08-07T20:00:01.123000Z",
                         "2026-08-07T20:00:01.123456Z"]
        return
    time = "timestamp with time zone"
    assert made == {"price": "numeric", "volume": "bigint", "label": "text",
                    "open": "boolean", "seconds": time, "millis": time,
                    "iso": time}
    assert row["open"] == "true"
    assert times == ["2026-08-07T20:00:01.25Z", "2026-08-07T20:00:01.123Z",
                     "2026-08-07T20:00:01.123456Z"]


def test_times_into_other_columns(take, store):
    """A text column gets ISO 8601, a timestamp without a zone UTC."""
    store.execute("CREATE TABLE prices (a text, b timestamp)")
    fields = {"t": {"at": "/t", "type": "time"}}
    result = take({"A": '{"t": "2026-08-07T22:00:01+02:00"}'},
                  harness.store(a="t", b="t"), fields=fields)
    assert result.status == 0, result
    text, stamp = store.rows(columns="a, b")[0]
    assert text == "2026-08-07T20:00:01.000000Z"
    assert stamp.replace(" ", "T")[:19] == "2026-08-07T20:00:01"


def test_no_time_fails_its_key_alone(take, store):
    fields = {"t": {"at": "/t", "type": "time"}}
    result = take({"A": '{"t": 1786132801}', "B": '{"t": 1786132801000}'},
                  harness.store(symbol="key", t="t"), fields=fields)
    assert result.status == 3, result
    assert len(store.rows(columns="t")) == 1
    assert store.failures() == {"B": "field_type"}


# Several tables.

def test_one_record_into_two_tables(take, store):
    """Each store takes the fields that it names; a key is stored once,
    however many tables it goes into."""
    texts = {key: '{"p": 1.50, "c": "USD"}' for key in KEYS}
    result = take(
        texts, harness.store(symbol="key", price="price"),
        harness.store("names", "names", "names", symbol="key", unit="unit"),
        queues=("prices", "names"),
        fields={"price": "/p", "unit": {"at": "/c", "type": "text"}})
    assert result.status == 0, result
    assert store.prices() == {key: "1.50" for key in KEYS}
    assert dict(store.rows("names", "symbol, unit")) == dict.fromkeys(
        KEYS, "USD")
    assert "3 stored, 0 failed" in result.out, result


# Rows.

BARS = ('{"chart": {"result": [{"meta": {"currency": "USD"},'
        ' "timestamp": [1786132800, 1786132860, 1786132920],'
        ' "indicators": {"quote": [{"open": [1.10, null, 3.000000000000001],'
        ' "close": [1.25, 2, 3]}]}}]}}')
ZIP = {"at": "/chart/result/0",
       "zip": {"time": {"at": "/timestamp", "type": "time", "required": True},
               "open": "/indicators/quote/0/open",
               "close": "/indicators/quote/0/close"}}
CURRENCY = {"currency": {"at": "/chart/result/0/meta/currency",
                         "type": "text"}}


def of_rows(rows, table="bars", queue="bars", **columns):
    """A store of these rows."""
    worker = harness.store(queue, table, table)
    worker["options"].update(rows=rows, columns=columns)
    return worker


def bars(**columns):
    return of_rows("bars", symbol="key", time="time", open="open",
                   close="close", **columns)


def series(store, columns="symbol, time, open, close"):
    """Its rows, times without the date."""
    return sorted((row[0], row[1].replace("T", " ")[11:19], *row[2:])
                  for row in store.rows("bars", columns))


def test_arrays_side_by_side(take, store):
    """One row an element, in a table of its own, with the key and fields of
    the record; digits as they were sent, nulls as NULL."""
    result = take(
        {key: BARS for key in KEYS},
        harness.store(symbol="key", currency="currency"),
        bars(currency="currency", fetched="fetched_at"),
        queues=("prices", "bars"), fields=CURRENCY, rows={"bars": ZIP})
    assert result.status == 0, result
    assert dict(store.rows(columns="symbol, currency")) == dict.fromkeys(
        KEYS, "USD")
    assert series(store, "symbol, time, open, close, currency") == [
        (key, *row, "USD") for key in KEYS for row in (
            ("20:00:00", "1.10", "1.25"), ("20:01:00", None, "2"),
            ("20:02:00", "3.000000000000001", "3"))]
    assert "3 stored, 0 failed" in result.out, result
    made = types(store, "bars")
    assert made["time"] == made["fetched"]
    nullable = "not null" if store.kind == "sqlite" else None
    if nullable is None:
        found = dict(store.query(
            "SELECT column_name, is_nullable FROM information_schema.columns"
            " WHERE table_name = 'bars'"))
        assert (found["time"], found["open"]) == ("NO", "YES")


def test_an_array_of_objects(take, store):
    """And one of an object's members; where there are none, no rows."""
    rows = {"each": "/items", "fields": {
        "name": {"at": "/n", "type": "text"}, "size": "/s/0"}}
    result = take(
        {"A": '{"items": [{"n": "x", "s": [1.0, 2]}, {"n": null}, {}]}',
         "B": '{"items": {"1": {"n": "y", "s": [5]}, "2": {"s": [6e1]}}}',
         "C": '{"items": []}', "D": "{}"},
        of_rows("items", "items", "prices", symbol="key", name="name",
                size="size"),
        rows={"items": {**rows, "required": False}})
    assert result.status == 0, result
    assert "4 stored" in result.out, result
    many = "60" if store.kind == "postgres" else "6e1"
    found = store.rows("items", "symbol, name, size")
    assert sorted(found, key=str) == sorted(
        [("A", "x", "1.0"), ("A", None, None), ("A", None, None),
         ("B", "y", "5"), ("B", None, many)], key=str)


@pytest.mark.parametrize("lengths,expected", [
    ("equal", None), ("longest", ["1 4", "2 5", "3 None"]),
    ("shortest", ["1 4", "2 5"])])
def test_arrays_of_unequal_length(take, store, lengths, expected):
    result = take(
        {"A": '{"a": [1, 2, 3], "b": [4, 5]}'},
        of_rows("pairs", "pairs", "prices", a="a", b="b"),
        rows={"pairs": {"zip": {"a": "/a", "b": "/b"}, "lengths": lengths}})
    if expected is None:
        assert result.status == 3
        assert store.failures() == {"A": "rows_unequal"}
        assert store.rows("pairs", "a, b") == []
        return
    assert result.status == 0, result
    assert [f"{a} {b}" for a, b in sorted(store.rows("pairs", "a, b"))] \
        == expected


def test_refused_rows_are_one_keys_alone(take, store):
    """A row that the database refuses takes its key with it, out of all
    tables; the others of the batch are stored."""
    store.execute("CREATE TABLE bars (symbol text NOT NULL, time text,"
                  " open numeric, close numeric CHECK (close <> 13))")
    texts = {f"K{n:02}": BARS for n in range(20)}
    texts["K07"] = BARS.replace("[1.25, 2, 3]", "[1, 2, 13]")
    result = take(texts, harness.store(symbol="key", currency="currency"),
                  bars(), queues=("prices", "bars"), fields=CURRENCY,
                  rows={"bars": ZIP})
    assert result.status == 3, result
    assert store.failures() == {"K07": "database_refused"}
    assert sorted(row[0] for row in store.rows(columns="symbol, currency")) \
        == sorted(set(texts) - {"K07"})
    assert len(store.rows("bars", "symbol, time")) == 3 * 19
    assert "19 stored, 1 failed" in result.out, result


def test_long_series(take, store):
    """More than one batch may hold: it closes in parts."""
    numbers = ",".join(f"1.{n:015}" for n in range(20000))
    texts = {f"K{n:02}": f'{{"a": [{numbers}]}}' for n in range(30)}
    result = take(texts, of_rows("all", "many", "prices", symbol="key", a="a"),
                  rows={"all": {"zip": {"a": "/a"}}})
    assert result.status == 0, result
    found = dict(store.query(
        "SELECT symbol, count(DISTINCT a) FROM many GROUP BY symbol"))
    assert found == dict.fromkeys(texts, 20000)


# Values.

def test_pence_become_pounds(take, store):
    """A price in pence is divided exactly, and its currency replaced; what is
    required is looked at after that, and fails a key with the reason."""
    fields = {
        "price": {"at": "/p", "value": "if(currency == 'GBp', price / 100,"
                                       " price)"},
        "currency": {"at": "/c", "type": "text", "value":
                     "if(currency == 'GBp', 'GBP', upper(currency))"},
        "cents": {"value": "round(price, 2, 'half_up')"},
        "day": {"value": "date(time('2026-08-07T23:00:00-02:00'))"}}
    result = take({"A": '{"p": 7880.999755859375, "c": "GBp"}',
                   "B": '{"p": 78.80999755859375, "c": "usd"}',
                   "C": '{"p": -1, "c": "EUR"}'},
                  harness.store(symbol="key", price="price", c="currency",
                                cents="cents", day="day"),
                  fields=fields, require=["price > 0"])
    assert result.status == 3, result
    found = {row[0]: row[1:] for row in store.rows(
        columns="symbol, price, c, cents, day")}
    assert found == {
        "A": ("78.80999755859375", "GBP", "7881.00", "2026-08-08"),
        "B": ("78.80999755859375", "USD", "78.81", "2026-08-08")}
    assert store.failures() == {"C": "requirement"}
    detail, = store.query("SELECT detail FROM windrow_failures")[0]
    assert detail == "not met: price > 0"


def test_values_of_rows(take, store):
    """An element's value may use the record's fields; rows are chosen."""
    rows = {**ZIP, "where": "open is not null and close < 3",
            "zip": {**ZIP["zip"], "unit": {"value": "lower(currency)"},
                    "high": {"value": "close + 0.001"}}}
    result = take({"A": BARS}, bars(unit="unit", high="high"),
                  queues=("bars",), fields=CURRENCY, rows={"bars": rows})
    assert result.status == 0, result
    assert series(store, "symbol, time, open, close, unit, high") == [
        ("A", "20:00:00", "1.10", "1.25", "usd", "1.251")]

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

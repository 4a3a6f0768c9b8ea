"""windrow-origin: its pages, its refusals, and each fault it can inject.

The other system tests believe what the origin says, so it is tested by itself.
"""
import collections
import gzip
import html.parser
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import zlib

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(
    os.environ.get("WINDROW_BUILD", SOURCE / "build/release")).resolve()
BINARY = BUILD / "windrow-origin"
DATA = SOURCE.parent / "shared/data"
AGENT = "Mozilla/5.0 (compatible; test/1)"
WIKI = "/wiki/List_of_S%26P_500_companies"
CHART = "/v8/finance/chart/"

pytestmark = pytest.mark.skipif(
    not BINARY.exists(), reason=f"{BINARY} is not built")

Answer = collections.namedtuple("Answer", "status headers body")


class Origin:
    """A running origin, and requests to it."""

    def __init__(self, process):
        self.process = process
        line = process.stdout.readline()
        found = re.fullmatch(
            r"windrow-origin: listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert found, (line, process.stderr.read() if not line else "")
        self.port = int(found[1])

    def connect(self, timeout=10):
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=timeout)

    def get(self, path, connection=None, method="GET", timeout=10, **headers):
        """One request; a header's name is spelled with _ for -."""
        headers = {name.replace("_", "-"): value
                   for name, value in headers.items() if value is not None}
        headers.setdefault("User-Agent", AGENT)
        if headers["User-Agent"] == "":
            del headers["User-Agent"]
        used = connection or self.connect(timeout)
        try:
            used.request(method, path, headers=headers)
            response = used.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            if not connection:
                used.close()

    def chart(self, key, **arguments):
        return self.get(CHART + urllib.parse.quote(key, safe=""), **arguments)

    def price(self, key):
        """The exact text of the price in the chart answer for `key`."""
        answer = self.chart(key)
        assert answer.status == 200, answer
        return chart_price(answer.body)

    def raw(self, request, timeout=5):
        """All bytes that come for these bytes, until the origin closes."""
        with socket.create_connection(("127.0.0.1", self.port),
                                      timeout) as sock:
            sock.sendall(request)
            pieces = []
            while piece := sock.recv(65536):
                pieces.append(piece)
            return b"".join(pieces)

    def log(self):
        return json.loads(self.get("/origin/log").body)

    def memory_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def chart_price(body):
    meta = json.loads(body, parse_float=str,
                      parse_int=str)["chart"]["result"][0]["meta"]
    return meta["regularMarketPrice"]


@pytest.fixture
def origin():
    """Starts origins with the arguments given; ends them with the test."""
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [BINARY, *map(str, arguments)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return Origin(process)

    yield start
    for process in processes:
        process.terminate()
        try:
            # 0 also under a sanitizer: nothing leaked, nothing was misused.
            assert process.wait(10) == 0, process.stderr.read()
        finally:
            process.kill()
            process.stdout.close()
            process.stderr.close()


def run(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], text=True,
                          capture_output=True, timeout=10)


class Tables(html.parser.HTMLParser):
    """The cells of each table of a page, by the table's id."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.rows, self.cell = {}, None, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.rows = self.tables[dict(attrs).get("id")] = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell.strip())
            self.cell = None


def facts():
    lines = (SOURCE / "bench/origin/sp500.tsv").read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


# The pages.

def test_the_article_lists_the_facts(origin):
    """The table `constituents` holds the 503 symbols in the file's order."""
    page = origin().get(WIKI).body.decode()
    tables = Tables(page).tables
    assert tables["constituents"][0] == ["Symbol", "Security", "GICS Sector"]
    assert tables["constituents"][1:] == [fact[:3] for fact in facts()]
    assert len(facts()) == 503
    assert ('<td><a rel="nofollow" class="external text" '
            'href="https://www.nyse.com/quote/XNYS:MMM">MMM</a>\n</td>') in page


def test_a_second_table_misleads(origin):
    """`changes` holds tickers that are not in the list."""
    tables = Tables(origin().get(WIKI).body.decode()).tables
    removed = [row[3] for row in tables["changes"][2:]]
    assert removed and not set(removed) & {fact[0] for fact in facts()}


def test_the_article_answers_to_both_spellings(origin):
    server = origin()
    plain = server.get("/wiki/List_of_S&P_500_companies")
    assert plain.status == 200 and plain.body == server.get(WIKI).body


def test_the_article_is_compressed_for_those_who_ask(origin):
    server = origin()
    packed = server.get(WIKI, Accept_Encoding="deflate, gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == server.get(WIKI).body


def test_each_chart_has_the_digits_of_the_facts(origin):
    """For all 503, asked for with a dash where they are class shares."""
    server = origin()
    connection = server.connect()
    for symbol, name, _, price in facts():
        key = re.sub(r"^([A-Z]+)\.([AB])$", r"\1-\2", symbol)
        answer = server.chart(key, connection=connection)
        assert chart_price(answer.body) == price, symbol
        meta = json.loads(answer.body)["chart"]["result"][0]["meta"]
        assert (meta["symbol"], meta["longName"]) == (key, name)
        assert 1000 <= len(answer.body) <= 1638
    prices = {fact[3] for fact in facts()}
    assert {"9.0000004E-4", "336.569", "150", "187.44000244140625"} <= prices


def test_two_years_of_days(origin):
    """502 days, one of them null, the same each time; and the same price."""
    server = origin()
    path = CHART + "AAPL?interval=1d&range=2y"
    answer = server.get(path)
    assert answer.body == origin().get(path).body
    assert 50_000 < len(answer.body) < 60_000
    assert chart_price(answer.body) == server.price("AAPL")
    chart = json.loads(answer.body)["chart"]["result"][0]
    quote = chart["indicators"]["quote"][0]
    rows = [*quote.values(), chart["indicators"]["adjclose"][0]["adjclose"]]
    assert sorted(quote) == ["close", "high", "low", "open", "volume"]
    assert chart["timestamp"] == sorted(set(chart["timestamp"]))
    assert [len(row) for row in [chart["timestamp"], *rows]] == [502] * 7
    assert [row.count(None) for row in rows] == [1] * 6
    for low, close, high in zip(quote["low"], quote["close"], quote["high"]):
        assert low is None or 0 < low <= close <= high
    assert server.get(path.replace("AAPL", "KO")).body != answer.body


def test_a_class_share_with_its_dot_is_not_found(origin):
    server = origin()
    assert server.chart("BRK-B").status == 200
    answer = server.chart("BRK.B")
    assert answer.status == 404
    assert json.loads(answer.body)["chart"]["error"]["code"] == "Not Found"


def test_an_unknown_symbol_is_not_found(origin):
    answer = origin().chart("NOSUCH")
    assert (answer.status, json.loads(answer.body)) == (404, {"chart": {
        "result": None, "error": {
            "code": "Not Found",
            "description": "No data found, symbol may be delisted"}}})


def test_the_quote_page_has_two_prices(origin):
    """The first one belongs to an index, as on the real page."""
    server = origin()
    page = server.get("/quote/MMM").body.decode()
    assert page.index('data-field="regularMarketPrice"') < page.index(
        '<span data-testid="qsp-price">150</span>')
    assert server.get("/quote/MMM/").body.decode() == page
    assert server.get("/quote/NOSUCH").status == 404


def test_the_list_in_other_forms(origin):
    server = origin()
    symbols = [fact[0] for fact in facts()]
    listed = json.loads(server.get("/symbols.json").body)
    assert [entry["symbol"] for entry in listed] == symbols
    assert server.get("/symbols.txt").body.decode().split() == symbols
    table = server.get("/symbols.csv").body.decode().splitlines()
    assert table[0] == "Symbol,Security,GICS Sector" and len(table) == 504
    assert any(line.startswith('XYZ,"Block, Inc.",') for line in table)


# The lists.

def derived_price(symbol):
    """The formula of facts.h."""
    number = 0xcbf29ce484222325
    for byte in symbol.encode():
        number = (number ^ byte) * 0x100000001b3 % 2**64
    shape, number = number % 16, number >> 8
    whole, rest = 1 + number % 999, number >> 16
    digits = {0: 0, 1: 0, 2: 1, 3: 1, 11: 3, 12: 3, 13: 4, 14: 14}
    if shape == 15:
        return f"{1 + whole % 9}.{rest % 10**7:07}E-4"
    count = digits.get(shape, 2)
    return f"{whole}.{rest % 10**count:0{count}}" if count else str(whole)


def test_generated_symbols(origin):
    server = origin("--count", 20)
    symbols = server.get("/symbols.txt").body.decode().split()
    assert symbols == [f"K{number:07}" for number in range(1, 21)]
    for symbol in symbols:
        assert server.price(symbol) == derived_price(symbol)
        assert run("--price", symbol).stdout == derived_price(symbol) + "\n"
    assert server.chart("K0000021").status == 404
    assert server.chart("K0000000").status == 404
    assert len(Tables(server.get(WIKI).body.decode()).tables[
        "constituents"]) == 21


def test_the_formula_gives_every_kind_of_digits():
    kinds = {re.sub("[0-9]", "", derived_price(f"K{i:07}")) + str(
        len(derived_price(f"K{i:07}").partition(".")[2])) for i in range(500)}
    assert kinds == {"0", ".1", ".2", ".3", ".4", ".14", ".E-10"}


def test_a_list_from_a_file(origin, tmp_path):
    """Odd symbols are found by their percent-encoded form."""
    path = tmp_path / "list.txt"
    odd = ["^GSPC", "EURUSD=X", "AKO/A", "BQI RT WI", "BB.TO", "CRD.A", "0700"]
    path.write_text("\n".join(odd) + "\n\n")
    server = origin("--symbols", path)
    assert server.get("/symbols.txt").body.decode().splitlines() == odd
    for symbol in odd:
        key = symbol.replace("CRD.A", "CRD-A")
        assert server.price(key) == derived_price(key)
    assert server.get(CHART + "AKO/A").status == 404  # a path of two parts
    assert run("--price", "CRD.A").stdout.strip() == derived_price("CRD-A")
    assert server.chart("AAPL").status == 404


def test_a_list_from_a_csv_file(origin, tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b'\xef\xbb\xbf"Name, full",Symbol\r\n"3M ""Co""",MMM\r\n'
                     b'"A, B", AAPL \r\nshort\r\n')
    server = origin("--symbols", path)
    assert server.get("/symbols.txt").body == b"MMM\nAAPL\n"
    assert server.price("MMM") == "150"


def test_all_equities_of_the_world(origin):
    path = DATA / "symbols/world_equities.txt"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    server = origin("--symbols", path)
    assert server.get("/symbols.txt").body.decode().splitlines() == [
        line.strip() for line in path.read_text().splitlines()]
    assert server.price("AALB.AS") == derived_price("AALB.AS")
    assert server.get(WIKI).body.count(b"<tr>") > 69152


# Who is answered.

@pytest.mark.parametrize("path", [CHART + "MMM", "/quote/MMM"])
@pytest.mark.parametrize("agent", [
    "", "curl/7.88.1", "libcurl", "python-requests/2.31", "Python-urllib/3.11"])
def test_yahoo_turns_libraries_away(origin, path, agent):
    answer = origin().get(path, User_Agent=agent)
    assert (answer.status, answer.body) == (429, b"Edge: Too Many Requests")
    assert "Retry-After" not in answer.headers


def test_wikipedia_turns_away_who_has_no_name(origin):
    server = origin()
    answer = server.get(WIKI, User_Agent="")
    assert answer.status == 403 and len(answer.body) < 200
    assert server.get(WIKI, User_Agent="curl/7.88.1").status == 200


def test_the_check_can_be_switched_off(origin):
    server = origin("--no-user-agent-check")
    assert server.get(WIKI, User_Agent="").status == 200
    assert server.chart("MMM", User_Agent="curl/7.88.1").status == 200


# Recorded answers.

@pytest.fixture
def recorded(tmp_path):
    for folder in ("chart", "quote"):
        (tmp_path / folder).mkdir()
    (tmp_path / "wiki.html").write_text("<p>recorded</p>")
    (tmp_path / "chart/^GSPC").write_text('{"a": 1}')
    (tmp_path / "chart/busy").write_text("Too Many Requests")
    (tmp_path / "quote/MMM").write_text("<p>3M</p>")
    (tmp_path / "status.tsv").write_text("busy\t429\n")
    return tmp_path


def test_recorded_answers(origin, recorded):
    server = origin("--replay", recorded)
    assert server.get(WIKI).body == b"<p>recorded</p>"
    answer = server.chart("^GSPC")
    assert (answer.status, answer.body) == (200, b'{"a": 1}')
    assert answer.headers["Content-Type"].startswith("application/json")
    busy = server.chart("busy")
    assert (busy.status, busy.body) == (429, b"Too Many Requests")
    assert server.get("/quote/MMM").body == b"<p>3M</p>"
    assert server.chart("MMM").status == 404


def test_no_key_leaves_the_folder(origin, recorded):
    (recorded / "secret").write_text("secret")
    server = origin("--replay", recorded)
    for path in ("..%2fsecret", "../secret", "%2e%2e/secret", "..", ".",
                 "status.tsv", "%00", "%zz", "%ff"):
        answer = server.get(CHART + path)
        assert answer.status in (400, 404) and b"secret" not in answer.body


def test_a_status_of_nothing_is_a_mistake(recorded):
    (recorded / "status.tsv").write_text("busy\t429\nlost\t404\n")
    result = run("--replay", recorded)
    assert result.returncode == 1
    assert "status.tsv:2: no answer is recorded for lost" in result.stderr


def test_the_recorded_charts_of_yahoo(origin, tmp_path):
    """Each answer is served byte for byte."""
    charts = DATA / "yahoo/chart"
    if not charts.exists():
        pytest.skip(f"{charts} is absent")
    (tmp_path / "chart").symlink_to(charts)
    server = origin("--replay", tmp_path)
    for path in charts.iterdir():
        assert server.chart(path.name).body == path.read_bytes()


# Faults.

def faulty(origin, kind, *arguments):
    return origin("--fault", f"{kind}@MMM", "--fault", f"{kind}@wiki",
                  *arguments)


@pytest.mark.parametrize("kind", ["403", "404", "429", "500", "503"])
def test_fault_status(origin, kind):
    server = faulty(origin, kind)
    for answer in (server.chart("MMM"), server.get(WIKI)):
        assert answer.status == int(kind)
        assert "Retry-After" not in answer.headers
    assert server.chart("AAPL").status == 200


def test_fault_retry_after(origin):
    answer = faulty(origin, "429-retry-after").chart("MMM")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    answer = faulty(origin, "429-retry-after", "--retry-after", 7).chart("MMM")
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize("option, given, asked", [
    ("--etag", "ETag", "If-None-Match"),
    ("--last-modified", "Last-Modified", "If-Modified-Since")])
def test_who_knows_it_is_told_so(origin, option, given, asked):
    """304, without a body; another page has another validator; and what is
    injected has none."""
    server = origin(option, "--fault", "404@MSFT")
    first = server.chart("AAPL")
    known = first.headers[given]
    again = server.get(CHART + "AAPL", **{asked: known})
    assert (again.status, again.body) == (304, b"")
    assert again.headers[given] == known
    other = server.get(CHART + "NVDA", **{asked: known})
    assert other.status == 200
    assert other.headers[given] != known
    assert given not in server.chart("MSFT").headers
    log = server.log()
    assert (log["unchanged"], log["keys"]["AAPL"]["unchanged"]) == (1, 1)


def test_how_long_it_holds(origin):
    server = origin("--cache-control", "public, max-age=60")
    assert server.chart("AAPL").headers["Cache-Control"] == (
        "public, max-age=60")
    assert "Cache-Control" not in origin().chart("AAPL").headers


def test_fault_reset(origin):
    server = faulty(origin, "reset")
    with pytest.raises(ConnectionResetError):
        server.raw(request_for(CHART + "MMM"))


def test_fault_close(origin):
    assert faulty(origin, "close").raw(request_for(CHART + "MMM")) == b""


def test_fault_stall(origin):
    server = faulty(origin, "stall")
    with pytest.raises(TimeoutError):
        server.chart("MMM", timeout=0.3)
    assert server.chart("AAPL").status == 200


def test_fault_truncated(origin):
    server = faulty(origin, "truncated")
    for path in (CHART + "MMM", WIKI):
        with pytest.raises(http.client.IncompleteRead) as error:
            server.get(path)
        assert error.value.partial and error.value.expected > 0


def test_fault_drip(origin):
    """The body comes a byte at a time, and all of it."""
    server = faulty(origin, "drip", "--drip-interval", "1ms")
    started = time.monotonic()
    connection = server.connect()
    assert chart_price(server.chart("MMM", connection=connection).body) == "150"
    assert time.monotonic() - started >= 1.0
    assert server.chart("AAPL", connection=connection).status == 200


def test_fault_garbage(origin):
    answer = faulty(origin, "garbage").chart("MMM")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    with pytest.raises(ValueError):
        json.loads(answer.body)


def test_fault_huge(origin):
    server = faulty(origin, "huge", "--huge-bytes", 30_000_001)
    answer = server.chart("MMM")
    assert answer.status == 200 and len(answer.body) == 30_000_001
    assert answer.headers["Transfer-Encoding"] == "chunked"
    old = server.raw(request_for(CHART + "MMM").replace(b"1.1", b"1.0"))
    assert len(old.partition(b"\r\n\r\n")[2]) == 30_000_001


def test_fault_huge_takes_no_memory(origin):
    """A client that does not read makes the origin wait, not grow."""
    server = faulty(origin, "huge", "--huge-bytes", 1 << 40)
    server.chart("AAPL")
    before = server.memory_kb()
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(request_for(CHART + "MMM"))
        time.sleep(0.5)
        assert server.memory_kb() - before < 8192
        assert server.chart("AAPL").status == 200


def test_fault_gzip_bomb(origin):
    answer = faulty(origin, "gzip-bomb").chart("MMM")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 2_000_000
    unpacker, size, rest = zlib.decompressobj(31), 0, answer.body
    while rest:
        size += len(unpacker.decompress(rest, 1 << 24))
        rest = unpacker.unconsumed_tail
    assert unpacker.eof and size == 1 << 30  # eof: its checksum is right


def test_fault_wrong_type(origin):
    server = faulty(origin, "wrong-type")
    chart, wiki = server.chart("MMM"), server.get(WIKI)
    assert chart.status == wiki.status == 200
    assert chart.headers["Content-Type"].startswith("text/html")
    assert chart.body.startswith(b"<!DOCTYPE html>")
    assert wiki.headers["Content-Type"].startswith("application/json")


def test_fault_no_field(origin):
    server = faulty(origin, "no-field")
    meta = json.loads(server.chart("MMM").body)["chart"]["result"][0]["meta"]
    assert meta["symbol"] == "MMM" and "regularMarketPrice" not in meta
    assert b'"qsp-price"' not in server.get("/quote/MMM").body
    assert list(Tables(server.get(WIKI).body.decode()).tables) == ["changes"]


def test_fault_null_field(origin):
    server = faulty(origin, "null-field")
    assert chart_price(server.chart("MMM").body) is None
    assert b'"qsp-price"></span>' in server.get("/quote/MMM").body
    tables = Tables(server.get(WIKI).body.decode()).tables
    assert len(tables["constituents"]) == 1


def test_fault_too_many_requests_200(origin):
    answer = faulty(origin, "too-many-requests-200").chart("MMM")
    assert answer.status == 200 and b"Too Many Requests" in answer.body


def test_fault_redirect(origin):
    """The place it leads to answers."""
    server = faulty(origin, "redirect")
    for path, place in ((CHART + "MMM", CHART + "MMM?r=1"),
                        (CHART + "MMM?range=1d", CHART + "MMM?range=1d&r=1")):
        answer = server.get(path)
        assert (answer.status, answer.headers["Location"]) == (302, place)
        assert chart_price(server.get(place).body) == "150"


def test_fault_redirect_loop(origin):
    server = faulty(origin, "redirect-loop")
    for path in (CHART + "MMM?range=1d", CHART + "MMM?r=1"):
        assert server.get(path).headers["Location"] == path


def test_fault_redirect_file(origin):
    answer = faulty(origin, "redirect-file").chart("MMM")
    assert answer.status == 302
    assert answer.headers["Location"] == "file:///etc/passwd"


def test_fault_redirect_chain(origin):
    """Each redirect leads to the next, the last to the answer."""
    server = faulty(origin, "redirect-chain", "--redirect-hops", 2)
    path = CHART + "MMM?range=1d"
    for hop in (1, 2):
        answer = server.get(path)
        path = f"{CHART}MMM?hop={hop}"
        assert (answer.status, answer.headers["Location"]) == (302, path)
    assert chart_price(server.get(path).body) == "150"


def test_fault_redirect_away(origin):
    server = faulty(origin, "redirect-away", "--redirect-url", "http://x:1")
    answer = server.get(CHART + "MMM?range=1d")
    assert answer.status == 302
    assert answer.headers["Location"] == f"http://x:1{CHART}MMM?range=1d"


@pytest.mark.parametrize("kind", ["204", "304"])
def test_fault_without_a_body(origin, kind):
    answer = faulty(origin, kind).chart("MMM")
    assert (answer.status, answer.body) == (int(kind), b"")


def test_fault_206(origin):
    answer = faulty(origin, "206").chart("MMM")
    whole = origin().chart("MMM").body
    assert answer.status == 206 and answer.body == whole[:len(whole) // 2]
    assert answer.headers["Content-Range"] == (
        f"bytes 0-{len(whole) // 2 - 1}/{len(whole)}")


@pytest.mark.parametrize("kind, words", [
    ("1xx", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
            b"Link: </x>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"),
    ("1xx-flood", b"HTTP/1.1 100 Continue\r\n\r\n" * 100000
                  + b"HTTP/1.1 200 OK\r\n"),
    ("header-long", b"\r\nX-Filler: " + b"x" * 1000000 + b"\r\n\r\n{"),
    ("headers-many", b"\r\nX-Filler-99999: x\r\n\r\n{"),
    ("encoding-wrong",
     b"\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n{"),
    ("encoding-unknown", b"\r\nContent-Encoding: zebra\r\n\r\n{"),
    ("length-bad", b"\r\nContent-Length: ten\r\n\r\n{"),
    ("chunked-bad", b"\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n{"),
    ("number-huge", b'"regularMarketPrice":1e200000,'),
    ("number-tiny", b'"regularMarketPrice":1e-400,'),
    ("number-minus-zero", b'"regularMarketPrice":-0,'),
    ("number-nan", b'"regularMarketPrice":NaN,'),
    ("number-infinity", b'"regularMarketPrice":-Infinity,'),
    ("duplicate", b'"regularMarketPrice":150,"regularMarketPrice":0.01,'),
    ("nul", b'{"odd":"a\0b",'),
    ("bad-utf8", b'{"odd":"\xff\xfe\xc0\x80",'),
    ("utf-16", b"\r\n\r\n\xff\xfe{\0\"\0c\0"),
    ("deep", b'{"odd":' + b"[" * 1000000 + b"]" * 1000000 + b","),
], ids=lambda value: value if isinstance(value, str) else "")
def test_faults_of_bytes(origin, kind, words):
    """What is sent holds these bytes, and other keys are answered well."""
    server = faulty(origin, kind)
    text = server.raw(request_for(CHART + "MMM", "Connection: close"))
    found = words in text  # both may be of megabytes: not to be shown
    assert found, text[:300]
    assert server.chart("AAPL").status == 200


def test_fault_long_tag(origin):
    page = faulty(origin, "long-tag").get("/quote/MMM").body
    assert page.startswith(b"<p a00000=xx") and page.index(b">") > 1_000_000


def test_fault_huge_length(origin):
    server = faulty(origin, "huge-length", "--huge-bytes", 3_000_000)
    answer = server.chart("MMM")
    assert answer.headers["Content-Length"] == "3000000"
    assert len(answer.body) == 3_000_000


def test_fault_gzip_bomb_nested(origin):
    answer = faulty(origin, "gzip-bomb-nested").chart("MMM")
    assert answer.headers.get_all("Content-Encoding") == ["gzip", "gzip"]
    bomb = faulty(origin, "gzip-bomb").chart("MMM").body
    assert len(answer.body) < 10_000
    assert gzip.decompress(answer.body) == bomb


def test_fault_length_long(origin):
    server = faulty(origin, "length-long")
    with pytest.raises(TimeoutError):
        server.chart("MMM", timeout=0.3)
    assert server.chart("AAPL").status == 200


def test_fault_length_short(origin):
    text = faulty(origin, "length-short").raw(
        request_for(CHART + "MMM", "Connection: close"))
    head, _, body = text.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d\r\n" % (len(body) // 2) in head + b"\r\n"
    json.loads(body)


def test_fault_http_09(origin):
    text = faulty(origin, "http-0.9").raw(request_for(CHART + "MMM"))
    assert text == origin().chart("MMM").body


def test_fault_close_after_head(origin):
    text = faulty(origin, "close-after-head").raw(request_for(CHART + "MMM"))
    assert text.startswith(b"HTTP/1.1 200") and text.endswith(b"\r\n\r\n")


def test_fault_drip_head(origin):
    server = faulty(origin, "drip-head", "--drip-interval", "1ms")
    started = time.monotonic()
    assert chart_price(server.chart("MMM").body) == "150"
    assert time.monotonic() - started >= 1.0


def test_fault_stale(origin):
    """A new connection is answered, one that is used again is closed."""
    server = faulty(origin, "stale")
    assert server.price("MMM") == "150"
    text = server.raw(request_for(CHART + "MMM") * 2)
    assert text.count(b"HTTP/1.1 200 OK") == 1


def test_fault_slow(origin):
    server = faulty(origin, "slow", "--slow", "300ms")
    started = time.monotonic()
    assert server.price("AAPL")
    assert time.monotonic() - started < 0.25
    assert server.price("MMM") == "150"
    assert time.monotonic() - started >= 0.3


def test_every_kind_of_fault_is_tested_here():
    """The list of --help against this file."""
    kinds = re.findall(r"^  (\S+)", run("--help").stdout.partition(
        "Each KIND:\n")[2], re.MULTILINE)
    here = pathlib.Path(__file__).read_text("utf-8")
    assert len(kinds) == 54
    assert [kind for kind in kinds if f'"{kind}"' not in here] == []


def test_faults_for_the_first_requests_only(origin):
    """Rules for a key follow one another; those for * come last."""
    server = origin("--fault", "503@MMM,AOS:1", "--fault", "429@MMM:3",
                    "--fault", "500@*:4")
    assert [server.chart("MMM").status for _ in range(5)] == [
        503, 429, 429, 500, 200]
    assert [server.chart("AOS").status for _ in range(2)] == [503, 500]
    assert server.get(WIKI).status == 200
    assert server.log()["keys"]["MMM"] == {
        "asked": 5, "unchanged": 0,
        "injected": ["503", "429", "429", "500", None]}


def test_rates_can_be_repeated(origin):
    """The same seed gives the same faults; about as many as asked for."""
    def statuses(seed):
        server = origin("--count", 1000, "--seed", seed, "--fault", "503=0.2",
                        "--fault", "404=0.1")
        connection = server.connect()
        return [server.chart(f"K{i:07}", connection=connection).status
                for i in range(1, 1001)]
    first = statuses(7)
    assert first == statuses(7) != statuses(8)
    assert 150 <= first.count(503) <= 250 and 65 <= first.count(404) <= 135


def test_rates_leave_the_lists_alone(origin):
    server = origin("--fault", "503=1")
    assert server.chart("MMM").status == 503
    assert server.get(WIKI).status == 200
    assert server.get("/symbols.txt").status == 200


def test_faults_of_the_other_lists(origin):
    server = origin("--fault", "503@symbols:1", "--fault", "null-field@symbols")
    assert server.get("/symbols.json").status == 503
    assert server.get("/symbols.json").body == b"[]\n"


# Time.

def test_latency(origin):
    server = origin("--latency", "100ms", "--jitter", "50ms",
                    "--wiki-latency", "300ms")
    def seconds(path):
        started = time.monotonic()
        assert server.get(path).status == 200
        return time.monotonic() - started
    assert 0.095 <= seconds(CHART + "MMM") < 0.3
    assert 0.295 <= seconds(WIKI)
    assert seconds("/origin/health") < 0.1


def test_requests_wait_side_by_side(origin):
    """50 at once take the time of one, and the log saw them at once."""
    server = origin("--latency", "200ms")
    started = time.monotonic()
    connections = [server.connect() for _ in range(50)]
    for connection in connections:
        connection.request("GET", CHART + "MMM", headers={"User-Agent": AGENT})
    for connection in connections:
        assert connection.getresponse().status == 200
        connection.close()
    assert time.monotonic() - started < 2
    log = server.log()
    assert log["in_flight_max"] == 50 and log["in_flight"] == 0
    assert log["connections"] == 51


# The log.

def test_the_log(origin):
    server = origin("--fault", "503@MMM:1")
    server.chart("MMM"), server.chart("MMM"), server.chart("AKO/A\u00e9\"")
    server.get(WIKI), server.get("/nothing")
    log = server.log()
    assert log["requests"] == 4 and log["injected"] == {"503": 1}
    assert log["keys"] == {
        "MMM": {"asked": 2, "unchanged": 0, "injected": ["503", None]},
        "AKO/A\u00e9\"": {"asked": 1, "unchanged": 0, "injected": [None]},
        "wiki": {"asked": 1, "unchanged": 0, "injected": [None]}}
    assert "keys" not in json.loads(server.get("/origin/log?keys=0").body)


def test_the_log_counts_what_it_does_not_keep(origin):
    server = origin("--fault", "503@MMM")
    for _ in range(40):
        server.chart("MMM")
    entry = server.log()["keys"]["MMM"]
    assert entry["asked"] == 40 and entry["injected"] == ["503"] * 32


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_reset_forgets(origin, method):
    """After it the first request of a key is the first again."""
    server = origin("--fault", "503@MMM:1")
    assert [server.chart("MMM").status for _ in range(2)] == [503, 200]
    assert server.get("/origin/reset", method=method).status == 200
    log = server.log()
    assert log["requests"] == 0 and log["keys"] == {}
    assert server.chart("MMM").status == 503


# HTTP.

def request_for(path, *lines):
    head = [f"GET {path} HTTP/1.1", "Host: x", f"User-Agent: {AGENT}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def test_keep_alive(origin):
    """Many answers over one connection, errors among them."""
    server = origin()
    connection = server.connect()
    for key in ["MMM", "NOSUCH", "AAPL"] * 5:
        server.chart(key, connection=connection)
    server.get(WIKI, connection=connection)
    assert json.loads(server.get("/origin/log", connection=connection).body)[
        "connections"] == 1


def test_pipelined_requests_are_answered_in_order(origin):
    server = origin("--latency", "10ms")
    text = server.raw(request_for(CHART + "MMM") + request_for(CHART + "AAPL")
                      + request_for(CHART + "AOS", "Connection: close"))
    assert re.findall(rb'"symbol":"(\w+)"', text) == [b"MMM", b"AAPL", b"AOS"]


def test_a_request_may_come_in_pieces(origin):
    server = origin()
    with socket.create_connection(("127.0.0.1", server.port), 5) as sock:
        for byte in request_for(CHART + "MMM"):
            sock.sendall(bytes([byte]))
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("request_bytes, status", [
    (b"nonsense\r\n\r\n", 400),
    (b"GET nowhere HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
    (b"GET /" + b"x" * 4000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nA: " + b"x" * 20000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (b"EXTRAORDINARY / HTTP/1.1\r\n\r\n", 501),
    (b"PUT / HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
    (b"GET /quote/" + b"x" * 300
     + b" HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
])
def test_bad_requests_get_an_error(origin, request_bytes, status):
    assert origin().raw(request_bytes).startswith(b"HTTP/1.1 %d " % status)


# The program.

def test_the_port_file(origin, tmp_path):
    server = origin("--port-file", tmp_path / "port")
    assert (tmp_path / "port").read_text() == f"{server.port}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["port"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_at_once(origin, number):
    """Also with a request that waits."""
    server = origin("--latency", "60s")
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(request_for(CHART + "MMM"))
        time.sleep(0.1)
        server.process.send_signal(number)
        assert server.process.wait(2) == 0


@pytest.mark.parametrize("arguments, words", [
    (["--nonsense"], "--nonsense"),
    (["more"], "more"),
    (["--latency"], "--latency needs a value"),
    (["--latency", "5"], "50ms"),
    (["--latency", "-5ms"], "50ms"),
    (["--latency", "100000m"], "more than a day"),
    (["--count", "10000000"], "0 to 9999999"),
    (["--count", "x"], "0 to 9999999"),
    (["--count", "1", "--symbols", "x"], "exclude"),
    (["--fault", "503"], "KIND=RATE"),
    (["--fault", "505=0.1"], 'no fault "505"'),
    (["--fault", "503=1.5"], "from 0 to 1"),
    (["--fault", "503=nan"], "from 0 to 1"),
    (["--fault", "503=0.6", "--fault", "500=0.6"], "exceed 1"),
    (["--fault", "503@"], "empty key"),
    (["--listen", "nowhere"], "--listen"),
    (["--listen", "127.0.0.1"], "--listen"),
])
def test_bad_usage(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2 and words in result.stderr
    assert result.stderr.startswith("windrow-origin: ")


def test_a_missing_file_is_named():
    result = run("--symbols", "/nonexistent/list")
    assert result.returncode == 1 and "/nonexistent/list" in result.stderr


def test_a_taken_port_is_said(origin):
    result = run("--listen", f"127.0.0.1:{origin().port}")
    assert result.returncode == 1 and "in use" in result.stderr


def test_help_and_version():
    assert run("--version").stdout.startswith("windrow-origin ")
    text = run("--help").stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    for option in ("--listen", "--replay", "--fault", "--seed"):
        assert option in text

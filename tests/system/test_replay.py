"""Recorded pages and answers of the real sites: ../shared/data, which is no
part of the project; these tests are skipped where it is absent."""
import csv
import html.parser
import re

import pytest

import harness
from harness import DATA, SP500, quotes, source

WIKIPEDIA = DATA / "wikipedia"
YAHOO = DATA / "yahoo"

pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason=f"recorded data is absent: {DATA}")


def expected():
    """The rows of expected.tsv: file (without its folder) to row."""
    path = YAHOO / "expected.tsv"
    if not path.exists():
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["file"].partition("/")[2]: row for row in rows}


# Wikipedia's pages.

class Symbols(html.parser.HTMLParser):
    """The first cell of each row of the first table that has this header:
    found in another way than windrow does it."""

    HEADERS = ("Symbol", "Ticker symbol")

    def __init__(self, page):
        super().__init__()
        self.depth, self.done, self.right = 0, False, False
        self.row, self.cell, self.symbols = None, None, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if self.done:
            return
        if tag == "table":
            self.depth += 1
        elif tag == "tr" and self.depth:
            self.end_row()
            self.row = []
        elif tag in ("td", "th") and self.row is not None:
            self.end_cell()
            self.cell = ""

    def handle_endtag(self, tag):
        if self.done:
            return
        if tag in ("td", "th"):
            self.end_cell()
        elif tag == "tr":
            self.end_row()
        elif tag == "table":
            self.end_row()
            self.depth -= 1
            self.done = self.right

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def end_cell(self):
        if self.cell is not None:
            self.row.append(self.cell.strip())
        self.cell = None

    def end_row(self):
        self.end_cell()
        if self.row:
            if self.right and self.row[0]:
                self.symbols.append(self.row[0])
            self.right = self.right or any(
                cell in self.HEADERS for cell in self.row)
        self.row = None


PAGES = {  # what is known of each: how many rows its table has
    "sp500_enwiki_2018-02.html": 505,
    "sp500_enwiki_2023-01.html": 503,
    "sp500_enwiki_2024-10.html": 503,
    "sp500_parsoid_2021-10-05_066.html": 505,
    "sp500_parsoid_2022-02-17_141.html": 506,
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_wikipedia(windrow, origin, store, tmp_path, page):
    """By pipelines/sp500.yaml as it is. All keys fail here (no chart is
    recorded for them), so the failures are the list."""
    (tmp_path / "wiki.html").symlink_to(WIKIPEDIA / page)
    symbols = Symbols((WIKIPEDIA / page).read_text("utf-8")).symbols
    assert len(symbols) == PAGES[page]
    assert {"AAPL", "MSFT", "BRK.B", "BF.B", "MMM"} <= set(symbols)
    server = origin("--replay", tmp_path)
    result = windrow("run", SP500, origin=server, store=store)
    assert result.status == 3, result
    assert store.failures() == dict.fromkeys(symbols, "not_found")
    assert result.summary["stored"] == 0


@pytest.mark.parametrize("page", ["slickcharts_sp500_2020-06.html",
                                  "slickcharts_nasdaq100_2024-02.html"])
def test_a_table_of_another_site(windrow, origin, sqlite, tmp_path, pipeline,
                                 page):
    """By the column's header alone."""
    (tmp_path / "wiki.html").symlink_to(WIKIPEDIA / page)
    path = pipeline(
        source("html_table", column="Symbol", input_values=[
            "${WIKIPEDIA_URL}/wiki/List_of_S%26P_500_companies"]),
        quotes(), harness.store())
    result = windrow("run", path, origin=origin("--replay", tmp_path),
                     store=sqlite)
    assert result.status == 3, result
    links = set(re.findall(r'href="/symbol/([A-Z.]+)"',
                           (WIKIPEDIA / page).read_text("utf-8")))
    found = set(sqlite.failures())
    assert found and len(found) >= 100
    funds = {"DIA", "ONEQ", "QQQ", "SPY"}  # linked beside the table
    assert found == links - funds


def test_an_article_without_such_a_table(windrow, origin, sqlite, tmp_path):
    """A clear error, exit 4."""
    page = WIKIPEDIA / "wikipedia_mozilla_readability.html"
    (tmp_path / "wiki.html").symlink_to(page)
    result = windrow("run", SP500, origin=origin("--replay", tmp_path),
                     store=sqlite)
    assert result.status == 4, result
    assert list(sqlite.failures().values()) == ["no_table"]
    assert "no such table" in result.err


# Yahoo's answers.

def replay(folder, answers):
    """A folder for --replay, of {key: (file, status)}."""
    (folder / "chart").mkdir()
    for key, (path, _) in answers.items():
        (folder / "chart" / key).symlink_to(path)
    (folder / "status.tsv").write_text("".join(
        f"{key}\t{status}\n" for key, (_, status) in answers.items()
        if status != 200))
    return folder


def run_all(windrow, pipeline, origin, store, tmp_path, answers, **options):
    folder = tmp_path / "replay"
    folder.mkdir()
    server = origin("--replay", replay(folder, answers))
    path = pipeline(source("values", input_values=sorted(answers)),
                    quotes(retry={"attempts": 2, "backoff": "10ms"},
                           hold="100ms", **options), harness.store())
    return windrow("run", path, "--scale", 2, origin=server, store=store)


def test_all_recorded_charts(windrow, pipeline, origin, store, tmp_path):
    """Each answer with a price is stored with its exact digits, the file's
    name as its key; each other one is a failure with its reason; exit 3."""
    rows = expected()
    files = {path.name: path for path in (YAHOO / "chart").iterdir()}
    rows = {key: row for key, row in rows.items() if key in files}
    assert len(files) == len(rows) == 90
    result = run_all(windrow, pipeline, origin, store, tmp_path, {
        key: (files[key], int(row["http_status"]))
        for key, row in rows.items()})
    prices = {key: row["price_text"] for key, row in rows.items()
              if row["price_text"] not in ("ABSENT", "NULL", "")}
    reasons = {}
    for key, row in rows.items():
        if row["http_status"] == "404":
            reasons[key] = "not_found"
        elif row["price_text"] == "ABSENT":
            reasons[key] = "field_missing"
        elif row["price_text"] == "NULL":
            reasons[key] = "field_null"
    assert len(prices) == 88 and len(reasons) == 2
    assert store.prices() == store.expected(prices)
    assert store.failures() == reasons
    assert result.status == 3, result


# Body, status, reason.
REFUSALS = [
    ("401_invalid_cookie.json", 401, "http_status"),
    ("401_invalid_crumb.json", 401, "http_status"),
    ("401_user_unable.json", 401, "http_status"),
    ("404_not_found.json", 404, "not_found"),
    ("429_edge_too_many_requests.txt", 429, "refused"),
    ("429_too_many_requests.txt", 429, "refused"),
    ("429_edge_too_many_requests.txt", 200, "refused"),
    ("429_too_many_requests.txt", 200, "refused"),
    ("iprak_bad_request.json", 400, "http_status"),
    ("2021-01__search-noOpts.json", 400, "http_status"),
    ("2021-02__pageWith404andJson.fake.json", 404, "not_found"),
    ("2021-02__pageWith404andJson.fake.json", 200, "field_missing"),
    ("2021-02__pageWithUnknownError.json", 200, "field_missing"),
    ("404_not_found.json", 200, "field_missing"),
    ("404_not_found.json", 500, "http_error"),
    ("404_not_found.json", 503, "http_error"),
]


def test_all_recorded_refusals(windrow, pipeline, origin, store, tmp_path):
    """No row; the reason of each; a refusal is one whatever its status."""
    files = {path.name for path in (YAHOO / "error").iterdir()}
    assert files == {file for file, _, _ in REFUSALS}
    answers = {f"{status}-{file}": (YAHOO / "error" / file, status)
               for file, status, _ in REFUSALS}
    result = run_all(windrow, pipeline, origin, store, tmp_path, answers)
    assert result.status == 3, result
    assert store.failures() == {f"{status}-{file}": reason
                                for file, status, reason in REFUSALS}
    assert store.count() == 0




@pytest.mark.parametrize("page, at", [
    ("2023-05__getCrumb-quote-AAPL.html",
     '//fin-streamer[@data-symbol="AAPL"][@data-field="regularMarketPrice"]'
     '/@value'),
    ("2025-10__rs_profile_html_AAPL.html", '//span[@data-testid="qsp-price"]'),
])
def test_a_recorded_quote_page(windrow, pipeline, origin, sqlite, tmp_path,
                               page, at):
    """The price of the symbol, not of the index that stands first."""
    folder = tmp_path / "replay"
    (folder / "quote").mkdir(parents=True)
    (folder / "quote/AAPL").symlink_to(YAHOO / "page" / page)
    text = (YAHOO / "page" / page).read_text("utf-8")
    if "qsp-price" in at:
        shown = re.search(
            r'data-testid="qsp-price"[^>]*>\s*([0-9.,]+)\s*<', text)
    else:
        tag = next(tag for tag in re.findall(r"<fin-streamer[^>]*>", text)
                   if 'data-symbol="AAPL"' in tag
                   and 'data-field="regularMarketPrice"' in tag)
        shown = re.search(r' value="([0-9.]+)"', tag)
    path = pipeline(
        source("values", input_values=["AAPL"]),
        {**quotes(), "class": "http_html", "options": {
            "url": "${YAHOO_URL}/quote/{key}", "body_max": "8MiB",
            "fields": {"price": at}}}, harness.store())
    result = windrow("run", path, origin=origin("--replay", folder),
                     store=sqlite)
    if shown:
        assert result.status == 0, result
        assert sqlite.prices() == {"AAPL": shown[1]}
    else:
        assert result.status == 3, result
        assert sqlite.failures() == {"AAPL": "field_missing"}

"""What reading an answer costs alone, beside the libraries' own reading."""
import json
import urllib.request

from harness import processes, tools

ORDER = 2
TITLE = "Extraction: a field of an answer, the keys of a page"
ABOUT = """\
`windrow-bench-micro`, on one core, without network: one field out of an answer
of 1.2 KB by the node's extractor, which checks the whole document, beside
jansson's reading of all of it; and the keys of the table in the bundled
origin's page of companies, beside libxml2's reading of that page, which is
part of it."""

LIST = "/wiki/List_of_S%26P_500_companies"
AGENT = {"User-Agent": "Mozilla/5.0 (compatible; windrow-bench)"}


def measure(bench, page):
    told = json.loads(processes.run(
        [tools.program("windrow-bench-micro"), "extract", "--page", page],
        bench.folder, cores=bench.cores.client).said)
    answer, table = told["answer"], told["page"]
    return {"extract_us": answer["extract_us"],
            "jansson_us": answer["jansson_us"],
            "table_us": table["html_table_ms"] * 1e3,
            "libxml2_us": table["html_read_memory_ms"] * 1e3,
            "answer_bytes": answer["bytes"], "page_bytes": table["bytes"]}


def run(bench):
    page = bench.folder / "page.html"
    asked = urllib.request.Request(bench.origin().url + LIST, headers=AGENT)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        page.write_bytes(answer.read())
    name = "one core"
    rounds = bench.in_turn("extraction", {name: lambda: measure(bench, page)},
                           show="extract_us")
    if name not in rounds:
        return
    bench.grid(["", "bytes", "Windrow, µs", "library alone, µs",
                "times the library"], [
        [what, f"{rounds.median(name, size):,.0f}",
         rounds.spread(name, ours).text(), rounds.spread(name, theirs).text(),
         rounds.ratio(name, name, ours, theirs).text()]
        for what, size, ours, theirs in (
            ("a field of a JSON answer, jansson", "answer_bytes",
             "extract_us", "jansson_us"),
            ("keys of an HTML table, libxml2", "page_bytes", "table_us",
             "libxml2_us"))])
    bench.goal("time of a field, times jansson's whole document",
               rounds.ratio(name, name, "extract_us", "jansson_us"),
               "<=", 0.125)
    bench.goal("time of a page's keys, times libxml2's reading of the page",
               rounds.ratio(name, name, "table_us", "libxml2_us"), "<=", 1.3)

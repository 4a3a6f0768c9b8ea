"""The benchmarks' harness: right figures, honest reports, nothing left."""
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from harness import BUILD, SOURCE, is_alive, need_tool, until

PROGRAM = SOURCE / "bench/windrow-bench"


def bench(*arguments, timeout=100, **options):
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True,
        timeout=timeout, check=False,
        env={**os.environ, "WINDROW_BUILD": str(BUILD)}, **options)


def figured(code):
    """What this prints, in a process that has the benchmarks' harness: the
    system tests have another one of that name."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom harness.figures import *\n" + code],
        cwd=SOURCE / "bench", capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


# Statistics, on given numbers.

def test_medians_and_ratios_of_rounds():
    assert figured("""
rounds = Rounds()
for fast, slow in (10, 5), (30, 10), (80, 20):
    rounds.add("fast", {"rate": fast})
    rounds.add("slow", {"rate": slow, "more": None})
print(rounds.spread("fast", "rate").text())
print(rounds.ratio("fast", "slow", "rate").text())
print(rounds.spread("slow", "more"), rounds.ratio("fast", "none", "rate"))
""") == ["30.0 (10.0 to 80.0)", "3.00 (2.00 to 4.00)", "None None"]


def test_numbers_show_three_digits():
    assert figured("print(*map(number, [0, 0.0123, 1.5, 12.345, 123456.7]))"
                   ) == ["0 0.012 1.50 12.3 123,457"]


# The command.

def test_suites_are_listed():
    listed = bench("list").stdout
    assert listed.startswith("throughput ")


@pytest.mark.parametrize("arguments, said", [
    (["throghput"], "no suite 'throghput'; did you mean 'throughput'?"),
    (["--rounds", "0"], "'0' is no number"),
    (["--sideways"], "unrecognized arguments: --sideways"),
    (["list", "throughput"], "list stands alone"),
    (["--from", "/"], "--from belongs to"),
    (["--into", "/dev/null/x"], "--into /dev/null/x: Not a directory"),
    (["report", "--from", "/dev"], "/dev holds no measurement"),
])
def test_bad_usage_is_answered(arguments, said):
    done = bench(*arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def needs_servers():
    need_tool("nginx", "nginx-light")
    need_tool("wrk", "wrk")


# A run writes what it says: report, rounds, charts, with rows that were
# counted; and no process of it is left.
def test_a_small_run_is_reported(tmp_path):
    needs_servers()
    done = bench("throughput", "--quick", "--keys", 200, "--rounds", 1,
                 "--into", tmp_path / "out", timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out/report.json").read_text())
    suite, = told["suites"]
    run, = suite["rounds"]["one core"]["Windrow, PostgreSQL"]
    assert run["keys_s"] > 0 and run["cpu_us"] > run["node_us"] > 0
    assert any("times Go" in goal["what"] for goal in suite["goals"])
    rows = (tmp_path / "out/rounds.csv").read_text().splitlines()
    assert any(row.startswith("throughput,one core,") for row in rows)
    page = (tmp_path / "out/report.md").read_text()
    assert "| Windrow, PostgreSQL |" in page
    assert bench("report", "--from", tmp_path / "out").stdout == page


# Suites that are named replace theirs in a report that is there; of a quick
# one, nothing stays in a full one.
def test_a_suite_is_measured_again(tmp_path):
    assert figured(f"""
import pathlib
from types import SimpleNamespace as Options
from harness import command, report
into = pathlib.Path({str(tmp_path)!r})
def suite(name, seconds):
    return {{"name": name, "seconds": seconds, "title": name, "about": "",
             "blocks": [], "goals": [], "rounds": {{}}, "left_out": [],
             "failed": {{}}, "others": 0}}
told = {{"when": "long ago", "options": {{"quick": False, "whole": True}},
         "suites": [suite("extraction", 60), suite("scale", 60)],
         "machine": {{}}, "seconds": 120}}
(into / "report.json").write_text(report.json.dumps(told))
for quick in (False, True):
    options = Options(names=["scale"], quick=quick, rounds=None, keys=None)
    class Cores:
        told = staticmethod(lambda: "")
    told = command.begun(options, Cores, into)
    command.put(suite("scale", 30), told)
    print([(one["name"], one["seconds"]) for one in told["suites"]],
          told["options"]["whole"], told["seconds"], "again" in told)
""") == ["[('extraction', 60), ('scale', 30)] True 90 True",
         "[('scale', 30)] False 30 False"]


# Each way asks as it says: HTTP/2 on one connection, HTTP/1.1 on one for each
# request in flight.
def test_versions_of_http_are_compared(tmp_path):
    need_tool("nginx", "nginx-light")
    need_tool("openssl", "openssl")
    done = bench("http", "--quick", "--keys", 500, "--rounds", 1,
                 "--into", tmp_path / "out", timeout=300)
    assert done.returncode == 0, done.stderr
    suite, = json.loads((tmp_path / "out/report.json").read_text())["suites"]
    runs = suite["rounds"]["versions"]
    assert {name: run["connections"] for name, (run,) in runs.items()} == {
        "HTTP/1.1": 64, "HTTP/1.1 over TLS": 64, "HTTP/2 over TLS": 1}
    assert all(run["cpu_us"] > 0 for run, in runs.values())


# A part of a node's time is told by thread, library and function.
def test_samples_are_sorted():
    assert figured("""
from harness.profile import Samples
lines = [("windrow-node 7/7", "f1 curl_easy (/usr/lib/libcurl.so.4)"),
         ("windrow-node 7/7", "f2 tcp_sendmsg ([kernel.kallsyms])"),
         ("ZMQbg/IO/0 7/9", "f2 tcp_sendmsg ([kernel.kallsyms])"),
         ("windrow-node 7/7", "f3 extract_json (/usr/bin/windrow-node)"),
         ("windrow 5/5", "f4 main (/usr/bin/windrow)")]
found = Samples("\\n".join(f"{a}  {b}" for a, b in lines))
print({part: share for part, share in found.shares().items() if share})
""") == ["{'HTTP': 0.5, 'extraction': 0.25, 'messages': 0.25}"]


# Tables and charts go between the page's marks; what is around them stays.
def test_the_docs_are_written(tmp_path):
    goal = {"what": "speed", "kind": ">=", "wanted": 2, "unit": "",
            "value": 3, "text": "3.00", "met": True}
    suite = {"name": "store", "title": "Store", "about": "About it.",
             "blocks": [["table", ["a"], [["1"]]], ["chart", "Bars", "bars"]],
             "goals": [goal], "left_out": {"Go": "go is missing"},
             "failed": {}, "rounds": {}, "others": 0.5, "seconds": 1}
    measured, docs = tmp_path / "measured", tmp_path / "docs"
    measured.mkdir()
    docs.mkdir()
    (measured / "bars.svg").write_text("<svg/>")
    (measured / "report.json").write_text(json.dumps(
        {"suites": [suite], "options": {"quick": True, "whole": True},
         "seconds": 1,
         "machine": dict.fromkeys(["cpu", "cores", "memory_gb", "system",
                                   "kernel", "curl", "nginx", "go",
                                   "python"], "x"),
         "when": "today", "cores_told": "One core."}))
    (docs / "performance.md").write_text(
        "# Before\n<!-- bench: store -->\nold\n<!-- /bench -->\nAfter\n"
        "<!-- bench: goals -->\n<!-- /bench -->\n"
        "<!-- bench: other -->\nkept\n<!-- /bench -->\n")
    for _ in range(2):  # again, and nothing piles up
        done = bench("report", "--from", measured, "--docs", docs)
        assert done.returncode == 0, done.stderr
        page = (docs / "performance.md").read_text()
        assert page.startswith("# Before\n<!-- bench: store -->\n\nAbout it.")
        assert "| 1 |\n\n![Bars](bench/bars.svg)" in page
        assert "Left out: Go. go is missing." in page and "old" not in page
        assert "took 50% of the cores" in page and "kept" in page
        assert "| speed | at least 2 | 3.00 | met |" in page
        assert page.count("About it.") == 1 and "After\n" in page
    assert (docs / "bench/bars.svg").exists()
    told = json.loads((measured / "report.json").read_text())
    told["options"]["whole"] = False  # one suite's goals are not all
    told["suites"][0]["goals"] = []
    told["suites"][0]["about"] = "Anew."
    (measured / "report.json").write_text(json.dumps(told))
    bench("report", "--from", measured, "--docs", docs)
    page = (docs / "performance.md").read_text()
    assert "| speed | at least 2 |" in page and "Anew." in page
    assert bench("report", "--from", measured, "--docs",
                 tmp_path).returncode == 2


# The store's program stores each row once, in each way.
def test_each_way_of_storing(postgres):
    for way, batch in ("closing", 7), ("copy", 0), ("copy", 7), ("insert", 1):
        postgres.query("DROP TABLE IF EXISTS prices; CREATE TABLE prices ("
                       "id serial PRIMARY KEY, symbol text, price numeric,"
                       " extracted_time timestamptz)")
        done = subprocess.run(
            [BUILD / "windrow-bench-store", "--url", postgres.url, "--way",
             way, "--rows", "100", "--batch", str(batch), "--connections",
             "2"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["rows"] == 100 and told["seconds"] > 0
        assert postgres.prices() == {f"K{n:07}": f"10000.{n:03}"
                                     for n in range(1, 101)}


@pytest.mark.parametrize("arguments, said", [
    ([], "--url is needed"), (["--url", "x", "--rows", "0"], "--rows: '0'"),
    (["--url", "x", "--way", "by-hand"], "--way: 'by-hand'"),
    (["--url", "x", "--batch", "0"], "a batch for closing"),
    (["--url", "x", "--batch", "513"], "--batch: '513'")])
def test_bad_usage_of_the_store_program(arguments, said):
    done = subprocess.run([BUILD / "windrow-bench-store", *arguments],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


# What a system needs and lacks is said, and the others are measured.
def test_missing_programs_are_left_out(tmp_path):
    needs_servers()
    done = subprocess.run(
        [PROGRAM, "throughput", "--keys", "50", "--rounds", "1", "--into",
         tmp_path / "out"], capture_output=True, text=True, timeout=300,
        check=False, env={**os.environ, "WINDROW_BUILD": str(tmp_path)})
    page = (tmp_path / "out/report.md").read_text()
    assert f"windrow is not built in {tmp_path}" in page
    assert "| wrk, requests only |" in page and done.returncode == 0


# Rows that are not what was sent are no result: one too few, twice, another
# price.
@pytest.mark.parametrize("rows, good", [
    ("('K0000001', 10000.001), ('K0000002', 10000.002)", True),
    ("('K0000001', 10000.001)", False),
    ("('K0000001', 10000.001), ('K0000001', 10000.001)", False),
    ("('K0000001', 10000.001), ('K0000002', 10000.0021)", False)])
def test_rows_are_looked_at(postgres, rows, good):
    postgres.query("CREATE TABLE prices (symbol text, price numeric);"
                   f"INSERT INTO prices VALUES {rows}")
    assert figured(f"""
from harness import servers, tools
class Found(servers.Postgres):
    def __init__(self):
        self.url, self.psql = {postgres.url!r}, "psql"
try:
    Found().check(2)
    print("good")
except tools.Failed as why:
    print(why)
""")[0].startswith("good" if good else "of 2 rows there are")


# A suite that breaks is named, and the others go on; the status says so.
def test_a_broken_suite_does_not_end_the_others(tmp_path):
    (tmp_path / "suites").mkdir()
    for order, body in enumerate(("1 / 0", "bench.say('all well')")):
        (tmp_path / f"suites/suite{order}.py").write_text(
            f"ORDER = {order}\nTITLE = 'T{order}'\nABOUT = 'A'\n"
            f"def run(bench):\n    {body}\n")
    (tmp_path / "suites/__init__.py").write_text("")
    assert figured(f"""
import pathlib
sys.path.insert(0, {str(tmp_path)!r})
from harness import command
print(command.main(["--into", {str(tmp_path / "out")!r}]))
""")[-1] == "1"
    page = (tmp_path / "out/report.md").read_text()
    assert "**Failed**: all of suite0. ZeroDivisionError" in page
    assert "all well" in page


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_all_it_started(tmp_path, number):
    needs_servers()
    temporary = tmp_path / "t"
    temporary.mkdir()
    temporary.chmod(0o755)
    process = subprocess.Popen(
        [PROGRAM, "throughput", "--quick", "--into", tmp_path / "out"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "WINDROW_BUILD": str(BUILD),
             "TMPDIR": str(temporary)})

    def started():
        found = pathlib.Path(
            f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(pid) for pid in found.read_text().split()]
    try:
        pids = until(lambda: len(started()) > 1 and started(),
                     "nginx and a client run", 20)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert not any(map(is_alive, pids))
        assert list(temporary.iterdir()) == []
    finally:
        process.kill()

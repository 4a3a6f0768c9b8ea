"""What is said of runs afterwards: runs, show, failures."""
import json
import os
import pty
import re
import signal
import subprocess

import pytest

from harness import BUILD, quotes, source, store as sink, until

FAILING = {"NOPE": "not_found", "NADA": "not_found"}
GOOD = ["AAPL", "MSFT"]


@pytest.fixture
def failed(windrow, origin, pipeline, store):
    """A store with run 1: two keys stored, two not found."""
    asked = origin()
    keys = [GOOD[0], "NOPE", GOOD[1], "NADA"]
    path = pipeline(source("values", input_values=keys),
                    quotes(instances=1), sink())  # one after the other
    result = windrow("run", path, "--batch", 1, "--scale", 1, origin=asked,
                     store=store)
    assert result.status == 3, result
    store.origin, store.pipeline = asked, path
    return store


def plain(text):
    """Times, which differ from run to run, as T."""
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?",
                  "T" * 19, text)


# runs

def test_runs(windrow, failed):
    result = windrow("runs", store=failed)
    assert plain(result.out) == (
        "run  state        stored  failed  open  started (UTC)        name"
        "  pipeline\n"
        "  1  failed_keys       2       2     0  TTTTTTTTTTTTTTTTTTT      "
        "  test\n")
    assert result.status == 0 and not result.err


# show

def test_show(windrow, failed):
    """One run whole, without the settings that it had."""
    result = windrow("show", "last", store=failed)
    text = re.sub(r"after \d+\.\d s", "after N s", plain(result.out))
    text = re.sub(r"owner     .*, process \d+", "owner     HOST, process N",
                  text)
    text = text.replace("NADA, NOPE", "NOPE, NADA")  # whichever ended first
    assert text == (
        "run 1: failed_keys\n"
        f"pipeline  test ({failed.pipeline})\n"
        f"started   {'T' * 19} (UTC)\n"
        f"ended     {'T' * 19}, after N s\n"
        "owner     HOST, process N, epoch 1\n"
        "keys      2 stored, 2 failed, 0 open\n"
        f"settings  YAHOO_URL={failed.origin.url}\n"
        "\n"
        "worker  class      queue    batches  open  keys open  done  failed"
        "  stored\n"
        "quotes  http_json  symbols        4     0          0     4       2"
        "       2\n"
        "\n"
        "reason     keys  for example\n"
        "not_found     2  NOPE, NADA\n"
        "\n"
        "to try what failed once more: windrow retry 1 --store "
        f"'{failed.url}'\n"), result
    assert (result.status, result.err) == (0, "")


def test_show_as_json(windrow, failed):
    result = windrow("show", 1, "--format", "json", store=failed)
    shown = json.loads(result.out)
    failure, = shown["failures"]
    assert sorted(failure.pop("examples")) == ["NADA", "NOPE"]
    assert failure == {"reason": "not_found", "keys": 2}
    assert shown["settings"] == {"YAHOO_URL": failed.origin.url}
    assert shown["pipeline_text"] == failed.pipeline.read_text()
    worker, = shown["workers"]
    assert (worker["name"], worker["queue"], worker["batches"],
            worker["done"], worker["failed"]) == ("quotes", "symbols", 4, 4, 2)
    assert shown["next"].startswith("windrow retry 1 --store '")
    assert (shown["state"], shown["epoch"]) == ("failed_keys", 1)


def test_show_a_run_that_goes_on(start, windrow, origin, pipeline, store):
    """Running, then interrupted, then done: each says what comes next."""
    server = origin("--latency", "2s")
    path = pipeline(source("values", input_values=GOOD), quotes(), sink())
    run = start("run", path, "--name", "monday", "--limit", 2, "--scale", 1,
                "--log-format", "json", origin=server, store=store)
    until(lambda: run.nodes(), "a node")
    shown = windrow("show", "monday", store=store).out
    assert shown.startswith("run 1, monday: running\n")
    assert re.search(r"^owner .*, for another \d\.\d s unless it renews that$",
                     shown, re.M)
    assert re.search(r"^ended +not yet; began \d+\.\d s ago$", shown, re.M)
    assert re.search(r"^limit +2 keys of each source$", shown, re.M)
    assert "more or fewer local nodes: windrow scale N --run 1" in shown
    run.signal(signal.SIGINT)
    assert run.wait().status == 130
    shown = windrow("show", 1, store=store).out
    assert shown.startswith("run 1, monday: open\n")
    assert "0 stored, 0 failed, 2 open\n" in shown
    assert "\nit has not ended; go on with: windrow resume 1 --store" in shown
    assert windrow("resume", 1, origin=server, store=store).status == 0
    shown = windrow("show", 1, "--format", "json", store=store)
    assert json.loads(shown.out)["next"] is None


def test_resume_of_a_run_that_has_ended(windrow, failed):
    """What can be done instead: retry what failed; or see that retry."""
    said = "windrow: run 1 has ended already: 2 stored, 2 failed\nwindrow: "
    result = windrow("resume", 1, store=failed)
    assert result.status == 2, result
    assert result.err.startswith(
        f"{said}its failures are tried again by: windrow retry 1"), result
    windrow("retry", 1, origin=failed.origin, store=failed)
    result = windrow("resume", 1, store=failed)
    assert result.status == 2, result
    assert result.err.startswith(
        f"{said}what failed was retried: windrow show 2"), result


def test_show_a_retry(windrow, failed):
    windrow("retry", 1, origin=failed.origin, store=failed)
    shown = windrow("show", 1, store=failed).out
    assert "\nwhat failed was retried: windrow show 2 --store" in shown
    assert "\nretries   run 1\n" in windrow("show", 2, store=failed).out


def test_where_a_retry_would_not_help(windrow, origin, pipeline, sqlite):
    """Nothing is where the pipeline looks: `run` and `show` say how to see
    what is there instead."""
    path = pipeline(source("values", input_values=["AAPL"]),
                    quotes(fields={"price": "/nope"}), sink())
    result = windrow("run", path, origin=origin(), store=sqlite)
    advised = f"windrow try {path} AAPL --worker quotes\n"
    assert result.status == 3 and advised in result.err, result
    assert "windrow retry" not in result.err
    assert windrow("show", 1, store=sqlite).out.endswith(advised)


# Which run is meant.

@pytest.mark.parametrize("name,said", [
    ("2", "there is no run 2"),
    ("-1", "there is no run named -1"),
    ("99999999999999999999", "there is no run named 99999999999999999999"),
    ("mondey", "there is no run named mondey; did you mean monday? "
               "(`windrow runs` lists numbers and names; `last` is the "
               "newest)"),
])
def test_no_such_run(windrow, failed, name, said):
    failed.query("UPDATE windrow_runs SET run_name = 'monday' WHERE run = 1")
    result = windrow("failures", "--store", failed.url, "--", name)
    assert result.status == 2
    assert result.err.startswith(f"windrow: {said}"), result


def test_a_pipeline_is_no_run(windrow, failed):
    """Its newest run is told."""
    result = windrow("show", "test", store=failed)
    assert (result.status, result.err) == (
        2, "windrow: there is no run named test; test is a pipeline, whose "
        "newest run is 1\n"), result


@pytest.mark.parametrize("name", ["1", "monday", "last"])
def test_run_by_number_name_or_last(windrow, failed, name):
    failed.query("UPDATE windrow_runs SET run_name = 'monday' WHERE run = 1")
    result = windrow("failures", name, "--format", "json", store=failed)
    keys = [json.loads(line)["key"] for line in result.out.splitlines()]
    assert sorted(keys) == sorted(FAILING), result


def test_last_of_no_runs(windrow, failed):
    failed.query("DELETE FROM windrow_runs")
    result = windrow("failures", "last", store=failed)
    assert result.status == 2
    assert result.err == "windrow: this database has no run yet\n"


# failures

def test_failures(windrow, failed):
    result = windrow("failures", 1, store=failed)
    lines = plain(result.out).splitlines()
    assert lines[0] == ("reason     status  attempts  time (UTC)           "
                        "worker  key   detail")
    assert sorted(lines[1:]) == [
        f"not_found     404         1  {'T' * 19}  quotes  {key}  "
        "HTTP status 404" for key in ("NADA", "NOPE")]


def test_failures_in_pages(windrow, failed):
    """--limit says where to go on; the last page does not."""
    first = windrow("failures", 1, "--limit", 1, "--format", "json",
                    store=failed)
    row = json.loads(first.out)
    assert first.err == ("windrow: there are more; go on with --after "
                         f"{row['failure']}\n")
    rest = windrow("failures", 1, "--limit", 1, "--after", row["failure"],
                   "--format", "json", store=failed)
    assert {row["key"], json.loads(rest.out)["key"]} == set(FAILING)
    assert not rest.err


@pytest.mark.parametrize("option,n", [
    (("--reason", "not_found"), 2), (("--reason", "timed_out"), 0),
    (("--worker", "quotes"), 2), (("--worker", "store"), 0)])
def test_failures_of_one_kind(windrow, failed, option, n):
    result = windrow("failures", 1, *option, "--format", "json", store=failed)
    assert result.out.count("\n") == n and result.status == 0


@pytest.mark.parametrize("arguments,said", [
    (("--reason", "not_fuond"), 'no reason "not_fuond"; did you mean '
                                'not_found?'),
    (("--reason", "bad luck"), 'no reason "bad luck"; the reasons are:'),
    (("--worker", "qoutes"), "there is no worker qoutes in run 1's pipeline; "
                             "did you mean quotes? (source, quotes, store)"),
    (("--limit", "0"), '--limit wants a number from 1 up, not "0"'),
    (("--after", "-1"), '--after wants a number from 0 up, not "-1"'),
    (("--resaon", "dns"), "unknown option --resaon; did you mean --reason?"),
])
def test_failures_bad_usage(windrow, failed, arguments, said):
    result = windrow("failures", 1, *arguments, store=failed)
    assert result.status == 2 and said in result.err, result
    assert not result.out


def test_no_failures(windrow, failed, pipeline):
    """In words, and no titles alone; as JSON nothing."""
    result = windrow("failures", 1, "--worker", "store", store=failed)
    assert (result.status, result.out) == (0, ""), result
    assert result.err == ("windrow: run 1: none of its failures is like "
                          "that\n")
    path = pipeline(source("values", input_values=GOOD), quotes(), sink())
    windrow("run", path, "--scale", 1, origin=failed.origin, store=failed)
    result = windrow("failures", 2, store=failed)
    assert (result.status, result.out, result.err) == (
        0, "", "windrow: run 2: nothing failed\n"), result
    result = windrow("failures", 2, "--format", "json", store=failed)
    assert (result.status, result.text) == (0, ""), result


@pytest.mark.parametrize("word,said", [
    ("failuers", '"failuers"; did you mean failures? (see windrow --help)'),
    ("xyzzy", '"xyzzy" (see windrow --help)')])
def test_no_such_command(windrow, word, said):
    result = windrow(word)
    assert (result.status, result.out) == (2, "")
    assert result.err == f"windrow: no command {said}\n"


def test_help_of_a_command(windrow):
    """`help COMMAND` is `COMMAND --help`, of either name of `prices`."""
    for name in ("runs", "rows"):
        result = windrow("help", name)
        assert result.status == 0 and not result.err, result
        assert result.out == windrow(name, "--help").out
    result = windrow("help", "rnus")
    assert result.status == 2 and "did you mean runs?" in result.err, result


# The terminal.

def on_terminal(store, *arguments, **env):
    """What a terminal gets to see of a command, less its carriage returns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PAGER": "sed s/^/paged:/",
                   **env}
    process = subprocess.Popen(
        [BUILD / "windrow", *arguments, "--store", store.url], stdout=theirs,
        env=environment)
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # EIO: all of the other side is closed
            break
    os.close(ours)
    assert process.wait(30) == 0
    return seen.decode().replace("\r", "")


def test_terminal_has_pager_and_colours(failed):
    seen = on_terminal(failed, "runs")
    lines = seen.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("paged:") for line in lines), seen
    assert "\033[1mrun\033[0m" in lines[0]
    assert "\033[33mfailed_keys\033[0m" in lines[1]


@pytest.mark.parametrize("arguments,env,paged,coloured", [
    (("--no-pager",), {}, False, True),
    ((), {"NO_COLOR": "1"}, True, False),
    ((), {"NO_COLOR": ""}, True, True),
    ((), {"TERM": "dumb"}, False, False),
    ((), {"PAGER": ""}, False, True),
    ((), {"PAGER": "cat"}, False, True)])
def test_terminal_wishes(failed, arguments, env, paged, coloured):
    seen = on_terminal(failed, "runs", *arguments, **env)
    assert ("paged:" in seen) == paged
    assert ("\033[" in seen) == coloured


def test_reader_goes_away(failed):
    """`windrow failures 1 | head -1` says nothing of it, as other tools."""
    failed.query("INSERT INTO windrow_failures (run, batch, worker, key,"
                 " reason, http_status, attempts, failed_at, detail) WITH"
                 " RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                 " WHERE i < 20000) SELECT run, batch, worker, key, reason,"
                 " http_status, attempts, failed_at, detail"
                 " FROM windrow_failures, n")
    result = subprocess.run(
        ["bash", "-c", '"$@" | head -1; echo ${PIPESTATUS[0]}', "-",
         BUILD / "windrow", "failures", "1", "--store", failed.url],
        capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    assert result.stdout.splitlines()[0].startswith("reason ")
    assert result.stdout.splitlines()[1] == "141"  # 128 + SIGPIPE


def test_full_disk(failed):
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [BUILD / "windrow", "runs", "--store", failed.url], stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 4
    assert result.stderr == ("windrow: standard output: "
                             "No space left on device\n")

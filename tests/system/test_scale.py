"""How many nodes a run has: told while it runs, or following the work."""
import os
import re
import time

import pytest

from harness import PATIENCE, SP500, quotes, source, store as sink, until
from test_kill import SLOWLY, assert_all_stored

UNHURRIED = {**SLOWLY, "YAHOO_IN_FLIGHT": "16", "WINDROW_MASTER_LEASE": "4s"}


def said(run):
    return run.err.read_text("utf-8", "replace")


def begin(start, origin, store, *options, nodes=2, **settings):
    run = start("run", SP500, "--scale", nodes, "--batch", 5, *options,
                origin=origin("--latency", "150ms"), store=store,
                env={**UNHURRIED, **settings})
    until(lambda: store.count() >= 20, "some rows")
    return run


def test_more_nodes_while_it_runs(start, windrow, origin, store):
    """They are there, and have work, within two seconds of the command."""
    run = begin(start, origin, store)
    told = windrow("scale", 6, store=store)
    began = time.monotonic()
    assert (told.status, told.out) == (0, "run 1: 6 local nodes are wanted\n")
    until(lambda: len(run.nodes()) == 6, "six nodes", 5)
    print(f"figure: six nodes {time.monotonic() - began:.1f} s after the word")
    assert time.monotonic() - began < 2 * PATIENCE
    result = run.wait(40)
    assert_all_stored(result, store)
    assert len([node for node in result.summary["nodes"]
                if node["keys"]]) >= 5, (  # a late one may find nothing left
                    result.summary)


def test_fewer_nodes_while_it_runs(start, windrow, origin, store):
    """Those that go hand back what they hold: nothing is asked for twice
    without need, nothing is lost."""
    run = begin(start, origin, store, nodes=6)
    assert windrow("scale", 2, "--run", 1, store=store).status == 0
    until(lambda: len(run.nodes()) == 2, "two nodes", 12)
    assert store.count() < 503, "in mid-run"
    assert_all_stored(run.wait(60), store)


def test_up_and_down_again(start, windrow, origin, sqlite):
    """By its name, again and again."""
    run = begin(start, origin, sqlite, "--name", "monday",
                YAHOO_IN_FLIGHT="6")
    for n in (5, 1, 4, 2):
        assert windrow("scale", n, "--run", "monday",
                       store=sqlite).status == 0
        time.sleep(1.5)
    assert_all_stored(run.wait(60), sqlite)


@pytest.mark.parametrize("arguments, status, words", [
    ((), 2, "N is missing"),
    (("many",), 2, "N is a number from 1 to 1024"),
    (("0",), 2, "N is a number from 1 to 1024"),
    (("2",), 2, "no run goes on in this database"),
    (("2", "--run", "7"), 2, "there is no run 7"),
    (("2", "--run", "monday"), 2, "there is no run named monday"),
    (("2", "--run", "1"), 2, "run 1 has ended already"),
])
def test_bad_usage(windrow, origin, sqlite, arguments, status, words):
    assert windrow("run", SP500, "--limit", 1, origin=origin(),
                   store=sqlite).status == 0
    result = windrow("scale", *arguments, store=sqlite)
    assert (result.status, words in result.err) == (status, True), result


def test_idle_nodes_are_let_go(start, origin, pipeline, tmp_path, sqlite):
    """Nodes that only wait: after ten seconds one goes, down to the least."""
    keys = tmp_path / "keys.txt"
    keys.write_text("".join(f"K{i:07}\n" for i in range(1, 401)))
    slow = pipeline(source("file", input_values=[str(keys)]),
                    quotes(max_in_flight=12), sink())
    run = start("run", slow, "--scale", "auto", "--batch", 4,
                origin=origin("--count", 400, "--latency", "700ms"),
                store=sqlite)
    before = len(os.sched_getaffinity(0))
    if before < 2:
        pytest.skip("one core: one node is the least")
    until(lambda: "local nodes instead of" in said(run), "one is let go", 25)
    assert re.search(rf"{before - 1} local nodes instead of {before}",
                     said(run))
    assert run.wait(60).status == 0
    assert sqlite.count() == 400


def test_busy_nodes_get_help(start, origin, pipeline, tmp_path, sqlite):
    """One node computes without a pause while batches wait: after two seconds
    there is another."""
    keys = [f"K{i}" for i in range(2000)]
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    pages = tmp_path / "replay/quote"
    pages.mkdir(parents=True)
    page = tmp_path / "page"
    page.write_text("<html><body>" + "<p class='x'>some <b>text</b>" * 15000
                    + '<span id="price">1.25</span></body></html>')
    for key in keys:
        (pages / key).hardlink_to(page)
    worker = {**quotes(), "class": "http_html", "instances": 8, "options": {
        "url": "${YAHOO_PAGE_URL}/quote/{key}", "body_max": "8MiB",
        "fields": {"price": '//span[@id="price"]'}}}
    heavy = pipeline(source("file", input_values=[str(tmp_path / "keys.txt")]),
                     worker, sink())
    run = start("run", heavy, "--scale", "1-2", "--batch", 20,
                origin=origin("--replay", tmp_path / "replay"), store=sqlite)
    until(lambda: len(run.nodes()) == 1, "one node")
    until(lambda: "2 local nodes instead of 1" in said(run), "another", 30)
    result = run.wait(120)
    assert result.status == 0, result
    assert sqlite.count() == 2000

"""Threads, processes, async: the programs that compare them do the same work,
and a counter that is guarded counts right."""
import json
import os
import subprocess

import pytest

from harness import BUILD, PATIENCE, SOURCE

MODELS = SOURCE / "bench/models"
PYTHON = "/usr/bin/python3"
PATH = "/v8/finance/chart/"
TWO_YEARS = "?range=2y&interval=1d"


def said_by(*command, status=0, **options):
    done = subprocess.run([str(word) for word in command], text=True,
                          capture_output=True, check=False,
                          timeout=100 * PATIENCE,
                          **options)
    assert done.returncode == status, done.stderr
    return done.stdout or done.stderr


def models(*arguments, status=0):
    return said_by(BUILD / "windrow-bench-models", *arguments, status=status)


@pytest.mark.parametrize("kind", ["--threads", "--processes"])
@pytest.mark.parametrize("way", ["mutex", "atomic", "messages", "batches",
                                 "own"])
def test_a_guarded_counter_loses_nothing(way, kind):
    times = 20_480 if way == "messages" else 1_000_448
    told = json.loads(models("count", way, "--times", times, kind, 4))
    assert (told["counted"], told["lost"]) == (4 * times, 0)


def test_an_unguarded_counter_counts_too_little_if_anything():
    for kind in ("--threads", "--processes"):
        told = json.loads(models("count", "nothing", "--times", 1_000_000,
                                 kind, 4))
        assert told["counted"] > 0 and told["lost"] >= 0
        assert told["counted"] + told["lost"] == 4 * 1_000_448


@pytest.mark.parametrize("arguments, said", [
    (["count"], "two words are needed"),
    (["count", "luck"], "there is no way 'luck'"),
    (["guess", "it"], "there is no 'guess'"),
    (["count", "own", "--threads", "65"], '"65" is no number from 1 to 64'),
    (["count", "own", "--times", "0"], '"0" is no number'),
])
def test_bad_usage_is_answered(arguments, said):
    assert said in models(*arguments, status=2)


def test_no_chart_is_no_answer(tmp_path):
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    assert "open: absent" in models("compute", empty, status=1)
    assert "missing.json" in models("figures", tmp_path / "missing.json",
                                    status=1)


@pytest.fixture
def origin(starter):
    return starter.origin("--count", "100", "--no-user-agent-check",
                          "--latency", "20ms")


# C, Python and a node work out the same figures, to the last bit.
def test_the_figures_are_the_same_everywhere(origin, tmp_path):
    chart = tmp_path / "chart.json"
    chart.write_bytes(origin.get(PATH + "K0000007" + TWO_YEARS))
    in_c = {name: float(figure) for name, figure in (
        line.split() for line in models("figures", chart).splitlines())}
    in_python = json.loads(said_by(
        PYTHON, "-c", "import figures, json, sys;"
        "print(json.dumps(figures.figures(open(sys.argv[1]).read())))", chart,
        cwd=MODELS))
    assert len(in_c) == 60 and in_c == in_python

    (tmp_path / "keys.txt").write_text("K0000007\n")
    said_by(PYTHON, "-c", "import pathlib, sys; from harness import models;"
            "folder = pathlib.Path(sys.argv[1]);"
            "models.pipeline(folder, sys.argv[2], folder / 'keys.txt', 4)",
            tmp_path, origin.url, cwd=SOURCE / "bench")
    said_by(BUILD / "windrow", "run", tmp_path / "figures.yaml", "--store",
            f"sqlite:{tmp_path}/windrow.db")
    row = said_by("sqlite3", tmp_path / "windrow.db",
                  "SELECT volatility, ema20, median FROM figures").split("|")
    assert [float(figure) for figure in row] == [
        in_c[name] for name in ("close_volatility", "close_ema20",
                                "close_p50")]


@pytest.mark.parametrize("what, asked", [("price", ""), ("figures", TWO_YEARS)])
@pytest.mark.parametrize("program", ["one_by_one", "threads", "processes",
                                     "one_loop", "loops"])
def test_each_model_takes_each_answer_once(origin, program, what, asked):
    for module in ("requests", "aiohttp"):
        if subprocess.run([PYTHON, "-c", f"import {module}"], check=False,
                          capture_output=True).returncode:
            pytest.skip(f"Python's {module} is missing")
    said = said_by(PYTHON, MODELS / f"{program}.py",
                   origin.url + PATH + "{key}" + asked, 12, what, 4)
    assert said == "12 answers\n"
    assert origin.asked() == {f"K{n:07}": 1 for n in range(1, 13)}


# Each suite, in its smallest form, measures all of its systems.
@pytest.mark.parametrize("suite, tables", [
    ("computing", {"computing": 6, "nodes": 3}),
    ("models", {"price": 7, "figures": 7}),
    ("sharing", {"counting": 12}),
    ("waiting", {"in flight": 5}),
])
def test_a_small_form_of_each_suite(tmp_path, suite, tables):
    said_by(SOURCE / "bench/windrow-bench", suite, "--quick", "--keys", 40,
            "--rounds", 1, "--into", tmp_path,
            env={**os.environ, "WINDROW_BUILD": str(BUILD)})
    told, = json.loads((tmp_path / "report.json").read_text())["suites"]
    assert not told["failed"], told["failed"]
    if not told["left_out"]:
        assert {name: len(systems) for name, systems in
                told["rounds"].items()} == tables

"""What the dashboard's process tells, to pages and to Prometheus."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from dashboard import SLOWLY, Dashboard
from harness import (BUILD, SP500, need_tool, quotes, source, store as sink,
                     until)

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef0123"


def slow_run(start, origin, store, *arguments, command=("run", SP500), **env):
    return start(*command, "--scale", 2, "--batch", 8, *arguments,
                 origin=origin, store=store, env={**SLOWLY, **env})


def test_what_the_ledger_says(start, windrow, origin, store):
    """Runs, one run, its failures, its tables, after it has ended: the same
    from both databases."""
    result = windrow("run", SP500, store=store,
                     origin=origin("--fault", "404@AAPL,MSFT"))
    assert result.status == 3, result
    dashboard = Dashboard(start, store)
    assert dashboard.status()["masters"] == []
    (run,) = dashboard.json("/api/runs")["runs"]
    assert (run["run"], run["state"], run["stored"], run["failed"],
            run["open"], run["running"]) == (1, "failed_keys", 501, 2, 0,
                                             False)
    one = dashboard.json("/api/runs/1")
    assert [worker["name"] for worker in one["graph"]["workers"]] == [
        "constituents", "quotes", "store"]
    assert sum(worker["failed"] for worker in one["workers"]) == 2
    assert one["reasons"] == [{"reason": "not_found", "keys": 2,
                               "text": "HTTP status 404 or 410"}]
    assert sum(one["pace"]["done"]) == 503
    assert sum(one["pace"]["failed"]) == 2
    for path in ("/api/runs/1/failures",
                 "/api/runs/1/failures?reason=not_found"):
        failures = dashboard.json(path)
        assert sorted(one["key"] for one in failures["failures"]) == [
            "AAPL", "MSFT"]
        assert not failures["more"]
    assert dashboard.json(
        "/api/runs/1/failures?reason=refused")["failures"] == []
    (table,) = dashboard.json("/api/tables")["tables"]
    assert table["table"] == "prices"
    rows = dashboard.json("/api/tables/prices?find=brk")["rows"]
    assert [row[0] for row in rows] == ["BRK.B"]
    assert len(dashboard.json("/api/tables/prices")["rows"]) == 200


def test_chart_has_the_digits_as_sent(start, windrow, origin, store):
    """A key over past runs, the newest first."""
    place = origin("--no-user-agent-check")
    for _ in range(2):
        assert windrow("run", SP500, origin=place, store=store).status == 0
    rows = Dashboard(start, store).json("/api/tables/prices?key=BRK.B")["rows"]
    assert [row[:2] for row in rows] == [["BRK.B", place.price("BRK-B")]] * 2
    assert rows[0][2] > rows[1][2]


def test_nothing_else_is_read(start, windrow, origin, sqlite):
    """Only tables of stores, and only what can be asked for."""
    windrow("run", SP500, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite)
    for path, status in (("/api/tables/windrow_runs", 404),
                         ("/api/tables/sqlite_master", 404),
                         ("/api/tables/prices%22%3B--", 404),
                         ("/api/tables/", 404), ("/api/runs/2", 404),
                         ("/api/runs/0", 404), ("/api/runs/1x", 404),
                         ("/api/runs/-1", 404),
                         ("/api/runs/1/failures?reason=x'", 404),
                         ("/api/runs/1/failures?after=x", 404),
                         ("/../etc/passwd", 404), ("/etc/passwd", 404)):
        answer = dashboard.ask(path)
        assert answer[0] == status, (path, answer)
        assert json.loads(answer[2])["error"]
    assert dashboard.json("/api/tables/prices?find=%25")["rows"] == []
    assert dashboard.json("/api/tables/prices?key='OR''='")["rows"] == []


def test_while_a_run_goes_on(start, origin, store):
    """Pages hear of it each second: counts grow, nodes and workers are named,
    fetches are timed."""
    dashboard = Dashboard(start, store) if store.kind == "postgres" else None
    run = slow_run(start, origin("--latency", "60ms"), store)
    until(lambda: store.count() > 0, "rows")
    dashboard = dashboard or Dashboard(start, store)
    seen = []
    for name, value in dashboard.events():
        assert name == "status"
        assert value["ledger"]["up"] or not seen
        seen += [master for master in value["masters"] if master["run"] == 1]
        if len(seen) >= 6:
            break
    first, last = seen[0]["status"], seen[-1]["status"]
    assert last["stored"] > first["stored"], seen
    assert last["state"] == "running" and not seen[-1]["gone"]
    assert {node["name"] for node in last["nodes"]} == {"node-1", "node-2"}
    assert [worker["name"] for worker in last["workers"]] == [
        "constituents", "quotes", "store"]
    assert sum(last["times"]["fetch"][1:]) > 0
    _, stored, failed, p50, p95, _ = seen[-1]["sample"]
    assert stored >= 0 and failed == 0
    timed = [one["sample"][3:5] for one in seen if "sample" in one
             and one["sample"][3] >= 0]
    assert timed and all(0.01 < p50 <= p95 < 10 for p50, p95 in timed), timed
    run.signal(signal.SIGINT)
    assert run.wait(20).status == 130
    until(lambda: dashboard.master()["status"]["state"] == "paused",
          "the end is told", 5)


def test_master_killed_and_resumed(start, origin, sqlite):
    """Within seconds it is said to be gone, and the ledger goes on telling;
    the run that is resumed is shown as before, with its new master."""
    place = origin("--latency", "60ms")
    run = slow_run(start, place, sqlite)
    until(lambda: sqlite.count() > 20, "rows")
    dashboard = Dashboard(start, sqlite)
    master = until(dashboard.master, "the master is found", 5)
    run.signal(signal.SIGKILL)
    run.process.wait(10)
    until(lambda: dashboard.master()["gone"], "it is gone", 4)
    until(lambda: not dashboard.json("/api/runs/1")["running"],
          "its lease is over", 8)
    assert dashboard.json("/api/runs/1")["open"] > 0
    slow_run(start, place, sqlite, command=("resume", 1))
    again = until(lambda: (found := dashboard.master()) and not found["gone"]
                  and found, "the new master", 15)
    assert again["status"]["epoch"] > master["status"]["epoch"]
    assert again["status"]["before"] > 0


def test_started_by_a_run(start, origin, sqlite):
    """It is there while the run is, and ends with it: by itself, too, when
    the master is killed."""
    run = slow_run(start, origin("--latency", "60ms"), sqlite,
                   "--dashboard=127.0.0.1:0")
    dashboard = Dashboard(start, process=run)
    until(dashboard.master, "the master is found", 5)
    run.signal(signal.SIGKILL)
    run.process.wait(10)

    def is_gone():
        try:
            dashboard.status()
        except OSError:
            return True
        return False
    until(is_gone, "the dashboard ends", 5)


def test_ends_with_its_run(windrow, origin, sqlite):
    """And costs it nothing that a user would notice."""
    result = windrow("run", SP500, "--dashboard=127.0.0.1:0", origin=origin(),
                     store=sqlite)
    assert result.status == 0, result
    assert "dashboard at http://127.0.0.1:" in result.err
    assert result.seconds < 5


@pytest.mark.parametrize("place, said", [
    ("0.0.0.0:0", "WINDROW_DASHBOARD_TOKEN"),
    ("here", "at an address"), ("9000000", "for a port say 127.0.0.1:PORT"),
    ("127.0.0.1:99999", "ADDRESS:PORT")])
def test_bad_places(windrow, origin, sqlite, place, said):
    """Both commands refuse them before anything starts."""
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    for arguments in (("dashboard", place),
                      ("run", SP500, f"--dashboard={place}")):
        result = windrow(*arguments, store=sqlite)
        assert result.status == 2 and said in result.err, result


def test_port_taken(start, windrow, origin, sqlite):
    """Is said, with the address; a run goes on without."""
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite)
    place = f"127.0.0.1:{dashboard.port}"
    result = windrow("dashboard", place, store=sqlite)
    assert result.status == 2 and place in result.err, result
    assert "name another port, or :0 for any that is free" in result.err
    result = windrow("run", SP500, f"--dashboard={place}", origin=origin(),
                     store=sqlite)
    assert result.status == 0, result


def test_no_database(windrow, tmp_path):
    """None is made."""
    result = windrow("dashboard", "127.0.0.1:0",
                     env={"DATABASE_URL": f"sqlite:{tmp_path}/none.db"})
    assert result.status == 2 and "there is no database" in result.err, result
    assert not (tmp_path / "none.db").exists()


def test_database_away(start, cluster, windrow, origin, fragile):
    """It says so, is not ready, and goes on when the database is back."""
    store = fragile.database()
    windrow("run", SP500, "--limit", 3, origin=origin(), store=store)
    dashboard = Dashboard(start, store)
    until(lambda: dashboard.ask("/readyz")[0] == 200, "ready", 5)
    fragile.stop()
    assert dashboard.ask("/api/runs/1")[0] == 503
    assert dashboard.ask("/readyz")[0] == 503
    assert dashboard.ask("/healthz")[0] == 200
    fragile.start()
    until(lambda: dashboard.ask("/readyz")[0] == 200, "ready again", 15)
    until(lambda: dashboard.ask("/api/runs/1")[0] == 200, "answers again", 5)
    assert dashboard.json("/api/runs/1")["stored"] == 3


# Who may ask, and how much.

def test_other_names_are_refused(start, windrow, origin, sqlite):
    """A page of another name that leads here reads nothing."""
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite)
    for host in ("evil.example", f"evil.example:{dashboard.port}"):
        assert dashboard.ask("/api/runs", Host=host)[0] == 403
        assert dashboard.ask("/", Host=host)[0] == 403
    assert dashboard.ask("/api/runs", Host="localhost")[0] == 200


def test_token(start, windrow, origin, sqlite):
    """On any address, once it is set: by header, or by a cookie that one
    visit sets; the token itself leaves the address."""
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite, place="0.0.0.0:0",
                          env={"WINDROW_DASHBOARD_TOKEN": TOKEN})
    for path in ("/", "/api/runs", "/api/events", "/metrics",
                 "/api/runs?token=0123456789abcdef0124"):
        assert dashboard.ask(path)[0] == 401, path
    assert dashboard.ask("/healthz")[0] == 200
    assert dashboard.ask("/api/runs",
                         Authorization=f"Bearer {TOKEN}")[0] == 200
    status, headers, _ = dashboard.ask(f"/?token={TOKEN}")
    assert (status, headers["Location"]) == (302, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert dashboard.ask("/api/runs", Cookie=cookie.split(";")[0])[0] == 200
    said = dashboard.process.err.read_text()
    assert TOKEN not in said


def test_headers_of_every_answer(start, windrow, origin, sqlite):
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite)
    for path in ("/", "/main.js", "/style.css", "/api/runs", "/nothing",
                 "/metrics"):
        _, headers, _ = dashboard.ask(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_only_get_is_answered(start, windrow, origin, sqlite):
    """Others are refused, as JSON; what is sent along is not kept."""
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite)
    for method, body in ("POST", None), ("POST", "x" * 4096), ("PUT", "{}"):
        status, headers, text = dashboard.ask("/api/runs", method, body)
        assert (status, headers["Allow"]) == (405, "GET"), text
        assert json.loads(text) == {"error": "only GET is answered"}
    assert dashboard.ask("/api/runs", "POST", "x" * 4097)[0] == 413


def test_limits(start, windrow, origin, sqlite):
    """Of headers, methods, and connections: those that are too many wait, and
    get their turn when others go."""
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite)
    assert dashboard.ask("/", X_Long="x" * 9000)[0] == 400
    held = [socket.create_connection(("127.0.0.1", dashboard.port))
            for _ in range(520)]
    late = socket.create_connection(("127.0.0.1", dashboard.port))
    late.settimeout(1)
    late.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with pytest.raises(TimeoutError):
        late.recv(1)
    for one in held:
        one.close()
    late.settimeout(10)
    assert late.recv(100).startswith(b"HTTP/1.1 200")


def test_quiet_connections_are_closed(start, windrow, origin, sqlite):
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    dashboard = Dashboard(start, sqlite)
    with socket.create_connection(("127.0.0.1", dashboard.port)) as one:
        one.settimeout(30)
        one.sendall(b"GET / HT")
        began = time.monotonic()
        while one.recv(4096):
            pass
        assert time.monotonic() - began < 20


# Prometheus.

def names_of(metrics):
    return set(re.findall(r"^# TYPE (\S+)", metrics, re.M))


def test_metrics(start, origin, sqlite):
    """As Prometheus wants them, and true."""
    run = slow_run(start, origin("--latency", "60ms"), sqlite)
    until(lambda: sqlite.count() > 20, "rows")
    dashboard = Dashboard(start, sqlite)
    until(dashboard.master, "the master is found", 5)
    time.sleep(1.5)
    status, headers, text = dashboard.ask("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    stored = int(re.search(r'^windrow_keys_stored_total\{run="1"\} (\d+)$',
                           text, re.M)[1])
    assert 0 < stored <= 503
    assert 'windrow_master_up{run="1"} 1' in text
    assert "windrow_ledger_up 1" in text
    for histogram in ("fetch", "extract", "commit", "turn"):
        name = f"windrow_{histogram}_seconds"
        buckets = [int(n) for n in re.findall(
            rf'^{name}_bucket\{{.*\}} (\d+)$', text, re.M)]
        total = int(re.search(rf"^{name}_count\S* (\d+)$", text, re.M)[1])
        assert buckets == sorted(buckets) and buckets[-1] == total > 0
    promtool = need_tool("promtool", "prometheus")
    checked = subprocess.run([promtool, "check", "metrics"], input=text,
                             text=True, capture_output=True, timeout=60)
    assert checked.returncode == 0 and not checked.stdout, checked
    run.signal(signal.SIGKILL)
    run.process.wait(10)
    until(lambda: "windrow_master_up{" not in dashboard.ask("/metrics")[2],
          "nothing is told of it any more", 5)


def test_grafana_asks_for_metrics_that_there_are(start, windrow, origin,
                                                 sqlite):
    """Each metric that Grafana's dashboard names is one of ours."""
    windrow("run", SP500, "--limit", 1, origin=origin(), store=sqlite)
    known = names_of(Dashboard(start, sqlite).ask("/metrics")[2])
    board = json.loads((ROOT / "deploy/grafana/windrow.json").read_text())
    asked = set()
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            asked |= set(re.findall(r"windrow_\w+", target["expr"]))
    assert len(asked) > 8
    for name in asked:
        assert re.sub(r"_(bucket|sum|count)$", "", name) in known, name


def two_free_ports():
    """The first of two, of those that no program is given by chance."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
def test_nowhere_to_tell_the_status(origin, postgres, pipeline, tmp_path):
    """A master of nodes elsewhere needs no folder here: where none can be
    made, it says that no dashboard can follow, and the run goes on."""
    port = two_free_ports()
    place = pathlib.Path(tempfile.mkdtemp(prefix="windrow-", dir="/var/tmp"))
    try:
        made = place / "pipeline.yaml"
        made.write_text(pipeline(source(), quotes(), sink()).read_text())
        script = ('mount --bind "$1" "$2" && mount -t tmpfs -o ro none /tmp && '
                  'cd "$2" && shift 2 && exec "$@"')
        (place / "database").mkdir()
        url = postgres.url.replace(str(postgres.cluster.folder),
                                   str(place / "database"))
        ran = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh",
             postgres.cluster.folder, place / "database",
             BUILD / "windrow", "run", made, "--limit", "3", "--listen",
             f"tcp://127.0.0.1:{port}", "--scale", "1", "--store", url],
            capture_output=True, text=True, timeout=60,
            env={**os.environ, **origin().settings(), "XDG_RUNTIME_DIR": ""})
    finally:
        shutil.rmtree(place, ignore_errors=True)
    assert "no dashboard can follow this run" in ran.stderr, ran
    assert ran.returncode == 0 and postgres.count() == 3, ran

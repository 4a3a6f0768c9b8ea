"""`windrow run` from its arguments to the rows, and the commands that look."""
import json
import pathlib
import re
import socket
import time

import pytest

import harness
from harness import PATIENCE, SP500, facts, quotes, source, until

SECRET = "s3cret-Wort"


# 503 rows.

@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_503_rows_at_each_scale(start, origin, store, scale):
    """As many nodes as asked for, each a process with its share of keys; the
    digits are those of the facts."""
    run = start("run", SP500, "--scale", scale,
                origin=origin("--latency", "50ms"), store=store)
    pids = until(lambda: len(found := run.nodes()) == scale and found,
                 "all nodes run", 5, pause=0)
    result = run.wait(30)
    assert result.status == 0, result
    assert store.prices() == store.expected(facts())
    assert store.failures() == {}
    nodes = result.summary["nodes"]
    assert sorted(node["pid"] for node in nodes) == sorted(pids)
    assert sum(node["keys"] for node in nodes) == 503
    assert all(node["keys"] > 0 for node in nodes), result
    assert max(node["keys"] for node in nodes) < 503 / scale * 2
    assert not any(harness.is_alive(pid) for pid in pids)


def test_each_key_is_asked_for_once(windrow, origin, store):
    server = origin()
    result = windrow("run", SP500, "--scale", 2, origin=server, store=store)
    assert result.status == 0, result
    asked = server.asked()
    assert set(asked.values()) == {1} and len(asked) == 504
    assert asked["wiki"] == 1 and "BRK-B" in asked and "BRK.B" not in asked


def test_times_are_those_of_the_fetch(windrow, origin, store):
    """Time zone UTC, with microseconds; not one time for all."""
    windrow("run", SP500, "--limit", 20, origin=origin(), store=store)
    times = [row[0] for row in store.rows(columns="extracted_time")]
    assert len(set(times)) > 10
    now = time.strftime("%Y-%m-%d", time.gmtime())
    shape = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{1,6}(Z|\+00)"
    for text in times:
        assert re.fullmatch(shape, text) and text[:10] <= now, text
    if store.kind == "postgres":
        age, = store.query("SELECT extract(epoch FROM"
                           " max(now() - extracted_time)) FROM prices")[0]
        assert 0 <= age < 60


def test_run_twice(windrow, origin, store):
    """Each run stores its own rows; the table is kept."""
    server = origin()
    for number in (1, 2):
        result = windrow("run", SP500, origin=server, store=store)
        assert result.status == 0 and result.summary["run"] == number
    assert sorted(store.rows()) == sorted(
        list(store.expected(facts()).items()) * 2)
    assert len(set(store.rows(columns="id"))) == 1006


def test_limit(windrow, origin, store):
    """The first five keys of the list."""
    server = origin()
    result = windrow("run", SP500, "--limit", 5, origin=server, store=store)
    assert result.status == 0, result
    assert list(facts())[:5] == sorted(store.prices(), key=list(
        facts()).index)
    assert len(server.asked()) == 6


def test_batch(windrow, origin, store):
    """Keys in a batch, as asked for."""
    result = windrow("run", SP500, "--batch", 7, "--scale", 2,
                     origin=origin(), store=store)
    assert result.status == 0, result
    sizes = [size for size, in store.query(
        "SELECT n_keys FROM windrow_batches WHERE parent IS NOT NULL")]
    assert sum(sizes) == 503 and max(sizes) == 7
    assert len(sizes) == -(-503 // 7)
    assert store.prices() == store.expected(facts())


def test_dry_run(windrow, origin, store):
    """All is checked; nothing is asked, no run is begun."""
    server = origin()
    result = windrow("run", SP500, "--dry-run", origin=server, store=store)
    assert result.status == 0 and "nothing was started" in result.out, result
    assert server.log()["requests"] == 0
    listed = windrow("runs", "--format", "json", store=store)
    assert json.loads(listed.out) == []


# What is shown.

def test_summary(windrow, origin, store):
    """Counts from the ledger, and what each node did."""
    server = origin("--fault", "404@AAPL", "--fault", "no-field@MSFT,MMM",
                    "--latency", "50ms")
    result = windrow("run", SP500, "--scale", 2, origin=server, store=store)
    summary = result.summary
    assert result.status == summary["exit_status"] == 3, result
    assert (summary["run"], summary["stored"]) == (1, 500)
    assert summary["failed"] == {"not_found": 1, "field_missing": 2}
    assert 0 < summary["seconds"] < result.seconds
    for node in summary["nodes"]:
        assert node["keys"] > 0 and node["cpu_seconds"] > 0
        assert 0.3 < node["waiting_share"] < 1
        assert 0 < node["worst_turn_ms"] < 1000
        assert 5e6 < node["memory_peak_bytes"] < 200e6
    assert "500 stored, 3 failed" in result.out


def test_progress_json(windrow, origin, sqlite):
    """Lines of JSON on standard error, the last one with the end."""
    result = windrow("run", SP500, "--progress", "json",
                     origin=origin("--latency", "50ms"), store=sqlite)
    lines = [json.loads(line) for line in result.err.splitlines()]
    assert lines[-1]["stored"] == 503 and lines[-1]["open"] == 0
    assert lines[-1]["rate"] > 0


def test_progress_plain(windrow, origin, sqlite):
    """A line now and then; no control characters."""
    result = windrow("run", SP500, "--progress", "plain",
                     origin=origin("--latency", "50ms"), store=sqlite)
    assert re.search(r"^503 stored, 0 failed, \d+/s, 0 s left", result.err,
                     re.M), result
    assert "\033" not in result.text and "\r" not in result.text


def test_progress_bar(windrow, origin, sqlite):
    result = windrow("run", SP500, "--progress", "bar",
                     origin=origin("--latency", "50ms"), store=sqlite)
    assert result.err.count("\r") >= 1 and "100 %" in result.err, result


def test_progress_none(windrow, origin, sqlite):
    result = windrow("run", SP500, "--progress", "none", origin=origin(),
                     store=sqlite)
    assert result.err == "", result


def test_runs_and_failures(windrow, origin, store):
    """The commands that look, as text and as JSON."""
    windrow("run", SP500, "--limit", 5, origin=origin(), store=store)
    windrow("run", SP500, "--limit", 5, store=store,
            origin=origin("--fault", "404@MMM"))
    listed = json.loads(windrow("runs", "--format", "json", store=store).out)
    assert [(run["id"], run["state"], run["stored"], run["failed"])
            for run in listed] == [(2, "failed_keys", 4, 1),
                                   (1, "done", 5, 0)], listed
    text = windrow("runs", store=store)
    assert text.status == 0 and len(text.out.splitlines()) == 3

    result = windrow("failures", 2, "--format", "json", store=store)
    failures = [json.loads(line) for line in result.out.splitlines()]
    assert [(f["key"], f["reason"], f["http_status"], f["attempts"])
            for f in failures] == [("MMM", "not_found", 404, 1)], result
    text = windrow("failures", 2, store=store)
    assert re.search(r"^not_found +404 +1 .* quotes +MMM +HTTP", text.out, re.M), text
    assert windrow("failures", 1, store=store).out == ""
    result = windrow("failures", 99, store=store)
    assert result.status in (2, 4) and "99" in result.err, result


# Tables that exist.

OLD_TABLE = ("CREATE TABLE prices (id serial PRIMARY KEY, symbol text,"
             " price {price}, extracted_time {time})")


@pytest.mark.parametrize("price", [
    "double precision", "text", "numeric"])
@pytest.mark.parametrize("time_type", ["timestamp", "timestamptz"])
def test_an_existing_table_of_postgresql(windrow, origin, postgres, price,
                                         time_type):
    """The original's table takes the rows as well as it can; text, digit for
    digit."""
    postgres.execute(OLD_TABLE.format(price=price, time=time_type))
    result = windrow("run", SP500, origin=origin(), store=postgres)
    assert result.status == 0, result
    if price == "text":
        assert postgres.prices() == facts()
    else:
        wrong = {symbol: digits for symbol, digits in
                 postgres.prices().items()
                 if float(digits) != float(facts()[symbol])}
        assert wrong == {}
    age, = postgres.query(
        "SELECT extract(epoch FROM max(CURRENT_TIMESTAMP AT TIME ZONE 'UTC' -"
        " extracted_time)) FROM prices" if time_type == "timestamp" else
        "SELECT extract(epoch FROM max(now() - extracted_time)) FROM prices"
    )[0]
    assert 0 <= age < 60, "time is UTC whatever the server's time zone"


def test_the_database_refuses_some_rows(windrow, origin, store):
    """Those are recorded failures, found by halving; all others are stored."""
    key = "serial" if store.url.startswith("postgres") else "INTEGER"
    store.execute(f"CREATE TABLE prices (id {key} PRIMARY KEY,"
                  " symbol text CHECK (symbol NOT IN ('MMM', 'ABT')),"
                  " price text, extracted_time timestamp)")
    result = windrow("run", SP500, "--limit", 6, "--scale", 1,
                     origin=origin(), store=store)
    assert result.status == 3, result
    assert store.count() == 4
    assert store.failures() == {"MMM": "database_refused",
                                "ABT": "database_refused"}
    assert re.search("quotes (MMM|ABT) failed: database_refused: ",
                     result.err), result


def test_an_existing_table_of_sqlite(windrow, origin, sqlite):
    sqlite.execute("CREATE TABLE prices (id INTEGER PRIMARY KEY, symbol TEXT,"
                   " price DOUBLE, extracted_time TIMESTAMP)")
    result = windrow("run", SP500, origin=origin(), store=sqlite)
    assert result.status == 0 and sqlite.count() == 503, result


@pytest.mark.parametrize("table", [
    "CREATE TABLE prices (symbol text, price boolean, extracted_time text)",
    "CREATE TABLE prices (symbol text, price text)",
    "CREATE TABLE prices (symbol text, price text, extracted_time text,"
    " owner text NOT NULL)",
])
def test_a_table_that_cannot_hold_them(windrow, origin, postgres, table):
    """Refused before the first fetch, naming table and column."""
    postgres.execute(table)
    server = origin()
    result = windrow("run", SP500, origin=server, store=postgres, timeout=10)
    assert result.status in (2, 4), result
    column = {0: "price", 1: "extracted_time", 2: "owner"}
    names = [name for name in column.values() if name in result.err]
    assert "prices" in result.err and names, result
    assert server.log()["requests"] == 0


# Settings.

def test_pipeline_location(windrow, origin, sqlite):
    result = windrow("run", "--limit", 3, origin=origin(), store=sqlite,
                     env={"PIPELINE_LOCATION": str(SP500)})
    assert result.status == 0 and sqlite.count() == 3, result


def test_no_pipeline(windrow, sqlite):
    result = windrow("run", store=sqlite)
    assert result.status == 2 and "PIPELINE_LOCATION" in result.err, result


def write_env(path, origin, **more):
    settings = {**origin.settings(), **more}
    path.write_text("# settings\n" + "".join(
        f"export {name}='{value}' # {name}\n"
        for name, value in settings.items()))


def test_env_beside_the_pipeline(windrow, origin, tmp_path, sqlite):
    (tmp_path / "p").mkdir()
    path = tmp_path / "p/prices.yaml"
    path.write_text(SP500.read_text())
    write_env(tmp_path / "p/.env", origin(), DATABASE_URL=sqlite.url)
    result = windrow("run", path)
    assert result.status == 0, result
    assert sqlite.prices() == facts()


def test_env_by_name_below_the_environment(windrow, origin, tmp_path, sqlite):
    """A variable that is set is not overridden by a file."""
    write_env(tmp_path / "settings", origin(), DATABASE_URL="sqlite:/no/such",
              WIKIPEDIA_URL="http://127.0.0.1:1")
    server = origin()
    result = windrow(
        "run", SP500, "--env", tmp_path / "settings",
        env={"DATABASE_URL": sqlite.url, "WIKIPEDIA_URL": server.url})
    assert result.status == 0, result
    assert sqlite.prices() == facts()
    assert set(server.asked()) == {"wiki"}


def test_secrets_appear_nowhere(start, windrow, origin, cluster, sqlite):
    """Neither in the output, nor in ps, the summary, the ledger."""
    store = cluster.locked(SECRET)
    url = (f"postgresql://{store.name}:{SECRET}@/{store.name}"
           f"?host={cluster.folder}")
    env = {"DATABASE_URL": url, "WINDROW_LOG_LEVEL": "debug"}
    run = start("run", SP500, origin=origin("--latency", "100ms"), env=env)
    pids = until(lambda: len(found := run.nodes()) >= 2 and found, "nodes")
    for pid in [run.pid, *pids]:
        assert SECRET not in " ".join(harness.process_arguments(pid))
    result = run.wait()
    assert result.status == 0, result
    assert store.count() == 503
    assert SECRET not in result.text + repr(result.summary) + store.dump()

    wrong = url.replace(SECRET, SECRET[::-1])
    result = windrow("run", SP500, origin=origin(),
                     env={**env, "DATABASE_URL": wrong}, timeout=10)
    assert result.status == 4 and SECRET[::-1] not in result.text, result
    result = windrow("run", SP500, "--dry-run", env=env)
    assert result.status == 0 and SECRET not in result.text, result


# Mistakes.

@pytest.mark.parametrize("arguments", [
    [], ["rum"], ["run", SP500, "--scael", "2"], ["run", SP500, "--scale", "x"],
    ["run", SP500, "--scale", "0"], ["run", SP500, "--scale", "-1"],
    ["run", SP500, "--batch", "0"], ["run", SP500, "--batch", "513"],
    ["run", SP500, "--limit", "-3"], ["run", SP500, "--progress", "loud"],
    ["run", SP500, "--store", "mysql://x"], ["run", SP500, SP500],
    ["run", "no-such-file.yaml"], ["run", SP500, "--env", "no-such-file"],
    ["resume"], ["resume", "x"], ["resume", "0"], ["failures"],
    ["failures", "1x"], ["runs", "--format", "xml"], ["run", SP500, "--scale"],
    ["check", "no-such-file.yaml"], ["settings", "loudly"],
], ids=lambda arguments: " ".join(
    pathlib.Path(str(a)).name for a in arguments) or "nothing")
def test_wrong_arguments(windrow, arguments, tmp_path):
    """Exit status 2, and a word about it; no database is made."""
    result = windrow(*arguments, timeout=10)
    assert result.status == 2 and result.err, result
    assert not list(tmp_path.glob("*.db"))


def test_a_wrong_setting(windrow, sqlite):
    result = windrow("run", SP500, store=sqlite,
                     env={"WINDROW_LEASE": "soon"}, timeout=10)
    assert result.status == 2 and "WINDROW_LEASE" in result.err, result


def test_a_database_that_can_not_be(windrow, tmp_path):
    """No folder for it, or another file in its place: nothing is fetched."""
    folder, other = tmp_path / "nodir", tmp_path / "junk.db"
    other.write_text("Symbol,Price\n" * 100)
    for command in ["run", SP500], ["runs"]:
        result = windrow(*command, "--store", f"sqlite:{other}")
        assert (result.status, result.err) == (
            2, f"windrow: {other} is no SQLite database\n"), result
    result = windrow("run", SP500, "--store", f"sqlite:{folder}/x.db")
    assert (result.status, result.err) == (
        2, f"windrow: the database {folder}/x.db can't be made: there is no "
        f"folder {folder}\n"), result


def test_a_database_of_postgresql_that_is_not_there(windrow, cluster):
    result = windrow("runs", "--store", cluster.url("nodb"))
    assert result.status == 4, result
    assert result.err.endswith('database "nodb" does not exist; make it: '
                               "createdb nodb\n"), result


def test_an_empty_setting_is_named(windrow, pipeline):
    """Beside the complaint that it leads to."""
    path = pipeline(source("values", input_values=["A"]),
                    quotes(url="${BOOKS_URL}/{key}"), harness.store())
    for command in "check", "run":
        result = windrow(command, path, env={"BOOKS_URL": ""})
        assert result.status == 2, result
        assert result.err.endswith(
            "\nwindrow: note: BOOKS_URL is set, but empty\n"), result


def test_check(windrow, tmp_path):
    """Several complaints at once, each with its place."""
    assert windrow("check", SP500).status == 0
    path = tmp_path / "wrong.yaml"
    path.write_text(SP500.read_text().replace("timeout:", "timeuot:")
                    .replace("class: store", "class: stor"))
    result = windrow("check", path)
    assert result.status == 2, result
    places = re.findall(rf"^{re.escape(str(path))}:(\d+):(\d+): ",
                        result.err, re.M)
    assert len(places) >= 2 and "'timeout'" in result.err, result


def test_a_run_that_is_not_there(windrow, origin, store):
    windrow("run", SP500, "--limit", 1, origin=origin(), store=store)
    result = windrow("resume", 7, store=store, timeout=10)
    assert result.status == 2 and "7" in result.err, result


def test_a_run_that_is_done_is_not_done_again(windrow, origin, store):
    """Nothing is asked; it is told why."""
    server = origin()
    windrow("run", SP500, "--limit", 5, origin=server, store=store)
    asked = server.log()["requests"]
    result = windrow("resume", 1, origin=server, store=store, timeout=10)
    assert result.status == 2 and "ended already" in result.err, result
    assert store.count() == 5 and server.log()["requests"] == asked


# No list.

def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.mark.parametrize("url, word", [
    ("refused", "connect"), ("http://no-such-host.invalid", "resolve")])
def test_an_unreachable_host(windrow, store, url, word):
    """As without a network: a clear error in seconds, exit 4."""
    if url == "refused":
        url = f"http://127.0.0.1:{free_port()}"
    result = windrow("run", SP500, store=store, timeout=30,
                     env={"WIKIPEDIA_URL": url, "YAHOO_URL": url})
    assert result.status == 4, result
    assert word in result.err and url in result.err, result
    assert result.seconds < 20 * PATIENCE
    assert result.summary["stored"] == 0 and store.count() == 0


@pytest.mark.parametrize("fault, reason", [
    ("403@wiki", "http_status"), ("404@wiki", "not_found"),
    ("null-field@wiki", "no_keys"), ("no-field@wiki", "no_table"),
    ("garbage@wiki", "no"), ("wrong-type@wiki", "no")])
def test_no_list(windrow, origin, sqlite, fault, reason):
    """A clear error at once, exit 4, nothing half done."""
    server = origin("--fault", fault)
    result = windrow("run", SP500, origin=server, store=sqlite, timeout=20)
    assert result.status == 4, result
    assert "gave no keys" in result.err and server.url in result.err, result
    found, = sqlite.failures().values()
    assert found.startswith(reason), found
    assert sqlite.count() == 0 and set(server.asked()) == {"wiki"}
    lies_in_page = found in ("no_keys", "no_table", "no_column")
    advised = f": windrow try {SP500} --worker constituents\n"
    assert (advised in result.err) == lies_in_page, result
    assert ("windrow retry" in result.err) != lies_in_page, result


def test_live_sites_are_asked_gently():
    """What the file says without settings: 20 a second, 10 in flight."""
    text = SP500.read_text()
    assert "${YAHOO_RATE:-20/s}" in text and "${YAHOO_IN_FLIGHT:-10}" in text


def test_rate_and_in_flight_hold_for_the_cluster(windrow, origin, sqlite):
    """Over both nodes together."""
    server = origin("--latency", "20ms")
    result = windrow("run", SP500, "--scale", 2, "--limit", 60, origin=server,
                     store=sqlite,
                     env={"YAHOO_RATE": "40/s", "YAHOO_IN_FLIGHT": "6"})
    assert result.status == 0 and sqlite.count() == 60, result
    log = server.log()
    assert log["in_flight_max"] <= 6
    assert log["second_max"] <= 60
    assert result.summary["seconds"] > 0.9

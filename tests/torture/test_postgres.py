"""What can happen to a PostgreSQL server, and between it and Windrow.

Each run reads the origin's list of 503 symbols unless its test says
otherwise; no fault may lose or repeat one.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from databases import Answers, Line, through
from harness import SP500, facts, pipeline as pipeline_text, quotes
from harness import source, store as sink, until
from torture import FULL

full_only = pytest.mark.skipif(not FULL, reason="in the long form only")

# Slow enough that a run of four nodes lasts for about two seconds.
SLOWLY = {"YAHOO_IN_FLIGHT": "24", "WINDROW_LEASE": "1s",
          "WINDROW_HEARTBEAT": "250ms", "WINDROW_MASTER_LEASE": "1s"}
LATENCY = ("--latency", "80ms")


def start_slowly(start, server, store, *options, **settings):
    """A run of four nodes, with some of its rows stored."""
    run = start("run", SP500, "--scale", 4, "--batch", 5, *options,
                origin=server, store=store, env={**SLOWLY, **settings})
    until(lambda: store.count() >= 40, "some rows", 20)
    assert store.count() < 450, "too late to disturb"
    return run


def all_stored(result, torture, fault, store, **more):
    assert result.status == 0, result
    torture.row(fault, store=store, keys=facts(), prices=facts(), **more)


def seconds_until_rows(store):
    """From now to the next row; all may have come before we looked."""
    began, before = time.monotonic(), store.count()
    until(lambda: store.count() > min(before, len(facts()) - 1), "rows again",
          20)
    return time.monotonic() - began


def end_sessions(store):
    store.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                " datname = current_database() AND pid <> pg_backend_pid()")


def session(store):
    """A person's, in a transaction."""
    import psycopg2
    return psycopg2.connect(store.cluster.url(store.name))


# The server goes, and comes back.

@pytest.mark.parametrize("how, mode", [
    ("stopped fast", signal.SIGINT),
    pytest.param("stopped at once", signal.SIGQUIT, marks=full_only),
    ("killed -9", signal.SIGKILL)])
def test_stopped(start, origin, fragile, torture, how, mode):
    store = fragile.database()
    run = start_slowly(start, origin(*LATENCY), store)
    fragile.stop(mode)
    try:
        time.sleep(1)
        assert run.is_running()
    finally:
        start_again(fragile)
    recover = seconds_until_rows(store)
    all_stored(run.wait(40), torture, f"PostgreSQL {how}, away for 1 s",
               store, recover=recover)


def start_again(cluster):
    """After kill -9 the children of the server need a moment to notice;
    until then it refuses to start."""
    for _ in range(50):
        try:
            cluster.start()
            return
        except AssertionError:
            time.sleep(0.2)
    cluster.start()


def test_restarted_again_and_again(start, origin, fragile, torture):
    store = fragile.database()
    run = start_slowly(start, origin(*LATENCY), store)
    times = 6 if torture.full else 3
    for _ in range(times):
        fragile.restart()
        time.sleep(0.4)
    all_stored(run.wait(60), torture, "PostgreSQL restarted", store,
               tried=times)


def test_a_node_is_killed_while_it_is_away(start, origin, fragile, torture):
    """The node that is started instead waits, too; the run goes on."""
    store = fragile.database()
    run = start_slowly(start, origin(*LATENCY), store)
    nodes = run.nodes()
    fragile.stop()
    try:
        for node in nodes:
            os.kill(node, signal.SIGKILL)
        time.sleep(3)
        assert run.is_running()
    finally:
        fragile.start()
    recover = seconds_until_rows(store)
    all_stored(run.wait(40), torture, "all nodes killed while PostgreSQL was"
               " away", store, tried=len(nodes), recover=recover)


@full_only  # in the short form, test_kill.py's
def test_stays_away(start, windrow, origin, fragile, torture):
    """Longer than WINDROW_DATABASE_WAIT: exit 4, and resumed."""
    store = fragile.database()
    server = origin(*LATENCY)
    run = start_slowly(start, server, store, WINDROW_DATABASE_WAIT="1s")
    fragile.stop()
    try:
        result = run.wait(20)
        assert result.status == 4, result
        assert "windrow resume 1" in result.text, result
    finally:
        fragile.start()
    time.sleep(1.1)
    result = windrow("resume", 1, origin=server, store=store, env=SLOWLY)
    all_stored(result, torture, "PostgreSQL away for good, then resumed",
               store)


def test_stands_still(start, origin, fragile, torture):
    """The server takes what it is sent, and does not answer: in the long form
    for longer than an answer is waited for (LEDGER_ANSWER_MAX)."""
    store = fragile.database()
    run = start_slowly(start, origin(*LATENCY), store)
    stopped = [fragile.process.pid, *children(fragile.process.pid)]
    signal_all(stopped, signal.SIGSTOP)
    try:
        if torture.full:
            until(lambda: "gives no answer" in run.err.read_text(),
                  "it is noticed", 200)
        else:
            time.sleep(2)
        assert run.is_running()
    finally:
        signal_all(stopped, signal.SIGCONT)
    recover = seconds_until_rows(store)
    all_stored(run.wait(60), torture, "PostgreSQL stood still", store,
               recover=recover)


def signal_all(pids, number):
    """A session that had ended already may have gone meanwhile."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def test_out_of_connections(start, origin, fragile, torture):
    """Others have them all: class 53."""
    store = fragile.database()
    with options(fragile, max_connections=16):
        run = start_slowly(start, origin(*LATENCY), store)
        with contextlib.ExitStack() as stack:
            end_sessions(store)
            taken = take_all_sessions(store, stack)
            time.sleep(1)
            assert run.is_running() and taken >= 3
        recover = seconds_until_rows(store)
        all_stored(run.wait(40), torture, "no connections left for 1 s",
                   store, recover=recover)


def take_all_sessions(store, stack):
    import psycopg2
    taken = 0
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            stack.enter_context(contextlib.closing(session(store)))
            taken += 1
    return taken


@contextlib.contextmanager
def options(cluster, **changed):
    """The server, restarted with other options, for a while."""
    before = cluster.OPTIONS
    cluster.OPTIONS = {**before, **changed}
    try:
        cluster.restart()
        yield
    finally:
        cluster.OPTIONS = before
        cluster.restart()


# The server is there, but says no.

def test_read_only(start, origin, postgres, torture):
    """SQLSTATE 25006, as a standby answers too."""
    run = start_slowly(start, origin(*LATENCY), postgres)
    change = f"ALTER DATABASE {postgres.name} SET default_transaction_read_only"
    postgres.query(f"{change} = on")
    end_sessions(postgres)
    time.sleep(0.3)
    count = postgres.count()
    time.sleep(1)
    assert run.is_running() and postgres.count() == count
    postgres.cluster.query(f"{change} = off")
    end_sessions(postgres)
    recover = seconds_until_rows(postgres)
    all_stored(run.wait(40), torture, "database read-only for 1 s", postgres,
               recover=recover)


@pytest.fixture
def tablespace(cluster):
    """A folder of 1 MB for a tablespace, and how to make it larger."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="windrow-space-"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k,mode=777",
                       "windrow-test", folder],
                      capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("may not mount a tmpfs")
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    name = "tiny"
    cluster.query(f"CREATE TABLESPACE {name} LOCATION '{folder}'")

    def grow():
        subprocess.run(["mount", "-o", "remount,size=20m", folder],
                       check=True)
    grow.name = name
    yield grow
    cluster.query(f"DROP TABLESPACE IF EXISTS {name}")
    subprocess.run(["umount", "-l", folder], check=False)
    folder.rmdir()


def test_disk_full(start, origin, postgres, tablespace, torture):
    """Class 53, until there is room again."""
    postgres.query(
        "CREATE TABLE prices (symbol text, price numeric, extracted_time"
        " timestamptz, filler text DEFAULT repeat('x', 1900)) TABLESPACE tiny")
    postgres.query("ALTER TABLE prices ALTER filler SET STORAGE PLAIN")
    run = start_slowly(start, origin(*LATENCY), postgres)
    until(lambda: "No space left" in run.err.read_text(), "no space", 20)
    count = postgres.count()
    time.sleep(0.5)
    assert run.is_running() and count < 503
    tablespace()
    recover = seconds_until_rows(postgres)
    all_stored(run.wait(40), torture, "tablespace full, then freed", postgres,
               recover=recover)
    postgres.query("DROP TABLE prices")


@pytest.mark.parametrize("name, value", [
    ("default_transaction_isolation", "repeatable read"),
    ("statement_timeout", "20ms"),
] + [pytest.param(name, value, marks=full_only) for name, value in (
    ("default_transaction_isolation", "serializable"),
    ("idle_in_transaction_session_timeout", "20ms"),
    ("idle_session_timeout", "50ms"),
    ("synchronous_commit", "off"),
    ("datestyle", "SQL, DMY"),
    ("standard_conforming_strings", "off"),
    ("search_path", "elsewhere, public"),
)])
def test_other_defaults(windrow, origin, postgres, torture, name, value):
    """Each transaction brings the settings that it relies on; and nobody
    waits for what only looks like an error."""
    quoted = value if name == "search_path" else f"'{value}'"
    postgres.query(f"ALTER DATABASE {postgres.name} SET {name} = {quoted}")
    result = windrow("run", SP500, "--scale", 4, "--batch", 5,
                     origin=origin("--latency", "20ms"), store=postgres,
                     env={"YAHOO_IN_FLIGHT": "48"})
    if name != "idle_session_timeout":
        assert "SQLSTATE" not in result.text, result
    all_stored(result, torture, f"{name} = {value}", postgres)


def test_another_encoding(windrow, origin, cluster, torture):
    """Refused before anything is written."""
    from harness import PostgresStore
    cluster.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C'"
                  " TEMPLATE template0")
    store = PostgresStore(cluster, "latin")
    result = windrow("run", SP500, origin=origin(), store=store)
    assert result.status in (2, 4), result
    assert "LATIN1" in result.err and "ENCODING 'UTF8'" in result.err, result
    assert store.tables() == []


# The server is slow, or somebody else is in the way.

SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    IF current_setting('test.slept', true) IS DISTINCT FROM
        txid_current()::text THEN
        PERFORM set_config('test.slept', txid_current()::text, true);
        PERFORM pg_sleep(5);
    END IF;
    RETURN NULL;
END$$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON prices
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow();
"""
CREATE = ("CREATE TABLE prices (id serial PRIMARY KEY, symbol text NOT NULL,"
          " price numeric NOT NULL, extracted_time timestamptz NOT NULL);")


def test_slow_commits(windrow, origin, postgres, pipeline, torture):
    """5 s each, much longer than a lease."""
    postgres.query(CREATE + SLOW_COMMIT)
    server = origin("--count", 20, "--no-user-agent-check")
    keys = [f"K{i:07}" for i in range(1, 21)]
    prices = {key: server.price(key) for key in keys}
    server.reset()
    file = pipeline(source("values", input_values=keys), quotes(), sink())
    result = windrow("run", file, "--scale", 2, "--batch", 5, origin=server,
                     store=postgres, env=SLOWLY)
    assert result.status == 0, result
    assert result.seconds > 5
    assert max(server.asked().values()) <= 2, "second hand-out at the most"
    torture.row("each commit takes 5 s", store=postgres, keys=keys,
                prices=prices)


def test_a_lock_on_the_table(start, origin, postgres, torture):
    """Somebody's session holds it; nothing is lost or blamed."""
    seconds = 10 if torture.full else 3
    run = start_slowly(start, origin(*LATENCY), postgres)
    person = session(postgres)
    with contextlib.closing(person), person.cursor() as cursor:
        cursor.execute("LOCK TABLE prices IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)
        assert run.is_running()
    recover = seconds_until_rows(postgres)
    all_stored(run.wait(40), torture, f"prices locked for {seconds} s",
               postgres, recover=recover)


def test_deadlocks(start, origin, postgres, torture):
    """A person's session takes the same locks the other way round: first
    rows that the new ones point at, then the batches. The first that it waits
    for is the victim, and tries again; then it may be the person's."""
    import psycopg2
    postgres.query(
        "CREATE TABLE known (symbol text PRIMARY KEY); INSERT INTO known"
        f" SELECT unnest(ARRAY{list(facts())});" + CREATE
        + "ALTER TABLE prices ADD FOREIGN KEY (symbol) REFERENCES known")
    run = start_slowly(start, origin(*LATENCY), postgres)
    person = session(postgres)
    with contextlib.closing(person), person.cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '3s'")
        cursor.execute("SELECT FROM known FOR UPDATE")
        until(lambda: postgres.query(
            "SELECT 1 FROM pg_locks WHERE NOT granted"), "a closing waits")
        with contextlib.suppress(psycopg2.errors.DeadlockDetected):
            cursor.execute("UPDATE windrow_batches SET attempt = attempt"
                           " WHERE open")
    result = run.wait(60)
    assert "deadlock detected (SQLSTATE 40P01)" in result.err, result
    all_stored(result, torture, "deadlock with another session", postgres)


def test_the_table_is_dropped(start, windrow, origin, postgres):
    """Said clearly, exit 4. A resumed run makes it anew for what is left."""
    server = origin(*LATENCY)
    run = start_slowly(start, server, postgres)
    postgres.query("DROP TABLE prices")
    result = run.wait(20)
    assert result.status == 4, result
    assert 'relation "prices" does not exist' in result.err, result
    assert "windrow resume 1" in result.text, result
    stored, = postgres.query("SELECT sum(stored) FROM windrow_batches")[0]
    time.sleep(1.1)
    result = windrow("resume", 1, origin=server, store=postgres, env=SLOWLY)
    assert result.status == 0, result
    assert len(postgres.prices()) == 503 - stored


def test_no_more_privileges(start, windrow, origin, postgres, torture):
    """Exit 4, and resumed when they are back; before the run: exit 2."""
    server = origin(*LATENCY)
    role = f"clerk_{postgres.name}"
    postgres.query(f"CREATE ROLE {role} LOGIN;"
                   f"GRANT ALL ON SCHEMA public TO {role}; {CREATE}"
                   f"GRANT USAGE ON SEQUENCE prices_id_seq TO {role};")
    clerk = through(postgres, postgres.cluster.folder, role)
    result = windrow("run", SP500, origin=server, store=clerk)
    assert result.status == 2 and "grant it INSERT" in result.err, result
    postgres.query(f"GRANT INSERT ON prices TO {role}")
    run = start_slowly(start, server, clerk)
    postgres.query(f"REVOKE INSERT ON prices FROM {role}")
    result = run.wait(20)
    assert result.status == 4, result
    assert "permission denied for table prices" in result.err, result
    postgres.query(f"GRANT INSERT ON prices TO {role}")
    time.sleep(1.1)
    result = windrow("resume", 1, origin=server, store=clerk, env=SLOWLY)
    all_stored(result, torture, "no right to insert, then resumed", postgres)


# A connection is cut in the middle of a commit.

CLOSING = rb"UPDATE windrow_batches SET open|\0close\d+\0"  # or prepared
RENEWAL = rb"UPDATE windrow_runs SET lease_until = [^\0]* AND epoch"


@pytest.mark.parametrize("how", ["after", "before"])
def test_the_answer_to_a_closing_is_lost(start, origin, postgres, torture,
                                         starter, how):
    """Committed or not: the ledger knows."""
    # Not for ever: all that was sent behind a closing is sent again, too.
    line = starter.keep(Line(postgres, CLOSING, lambda n: how if n % 7 == 0
                             and line.n_cut < 12 else None))
    run = start("run", SP500, "--scale", 2, "--batch", 5, origin=origin(),
                store=line.store, env=SLOWLY)
    result = run.wait(60)
    assert line.n_cut >= 5
    all_stored(result, torture, f"connection cut {how} a closing", postgres,
               tried=line.n_cut)


@pytest.mark.parametrize("match, what", [
    pytest.param(RENEWAL, "a lease's renewal", marks=full_only),
    pytest.param(rb"SELECT batch, worker", "a page of batches",
                 marks=full_only),
    (rb"SET lease_until = NULL", "the run's end"),
])
def test_the_master_hears_no_answer(start, origin, postgres, torture, starter,
                                    match, what):
    """Twice, then it does."""
    line = starter.keep(Line(postgres, match,
                             lambda n: "after" if n <= 2 else None))
    run = start("run", SP500, "--scale", 2, "--batch", 5,
                origin=origin(*LATENCY), store=line.store, env=SLOWLY)
    result = run.wait(60)
    assert line.n_cut >= 1
    all_stored(result, torture, f"connection cut after {what}", postgres,
               tried=line.n_cut)
    state, = postgres.query("SELECT state FROM windrow_runs")[0]
    assert state == "done"


def test_the_new_runs_commit_has_no_answer(start, windrow, origin, postgres,
                                           torture, starter):
    """Nobody knows whether it is there: exit 4. It is, and can be resumed."""
    server = origin()
    line = starter.keep(Line(postgres, rb"Q....COMMIT",
                             lambda n: "after" if commits_run() else None))

    def commits_run():
        return postgres.query("SELECT count(*) FROM pg_locks WHERE relation ="
                              " to_regclass('windrow_runs') AND mode ="
                              " 'RowExclusiveLock'")[0][0]

    result = start("run", SP500, origin=server, store=line.store,
                   env=SLOWLY).wait(20)
    assert line.n_cut == 1
    assert result.status == 4, result
    time.sleep(1.2)
    result = windrow("resume", 1, origin=server, store=postgres, env=SLOWLY)
    all_stored(result, torture, "connection cut after a new run's commit",
               postgres)


# What the database can't hold.

def test_values_that_are_refused(windrow, postgres, torture, tmp_path,
                                 starter):
    """Numbers that numeric can't hold, NUL in a text, a CHECK, a trigger, a
    foreign key, too long a text: found by halving, recorded for its key."""
    good = {f"G{i:03}": f"{i}.50" for i in range(1, 60)}
    odd = {"HUGE": "1e200000", "LONG": "1" + "0" * 140000,
           "NEGATIVE": "-1", "STRANGER": "3", "RAISED": "777"}
    texts = {key: '"fine"' for key in good | odd}
    texts["NULL"], texts["LENGTHY"] = '"a\\u0000b"', '"' + "x" * 60 + '"'
    numbers = {**good, **odd, "NULL": "1", "LENGTHY": "2"}
    server = starter.keep(Answers({
        key: f'{{"price": {number}, "note": {texts[key]}}}'
        for key, number in numbers.items()}))
    postgres.query(
        "CREATE TABLE known (symbol text PRIMARY KEY);"
        "INSERT INTO known VALUES "
        + ", ".join(f"('{key}')" for key in numbers if key != "STRANGER")
        + "; CREATE TABLE prices (symbol text REFERENCES known, price numeric"
        " CHECK (price > 0), note varchar(50));"
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
        " IF NEW.price = 777 THEN RAISE 'not this one'; END IF; RETURN NEW;"
        " END$$; CREATE TRIGGER no BEFORE INSERT ON prices FOR EACH ROW"
        " EXECUTE FUNCTION no()")
    worker = quotes()
    worker["options"].update(
        url=server.url + "/{key}",
        fields={"price": "/price", "note": {"at": "/note", "type": "text"}})
    worker["options"].pop("key_replace")
    file = tmp_path / "refused.yaml"
    file.write_text(pipeline_text(
        source("values", input_values=list(numbers)), worker,
        sink(symbol="key", price="price", note="note")))
    result = windrow("run", file, "--scale", 2, "--batch", 16,
                     store=postgres, env=SLOWLY)
    assert result.status == 3, result
    failures = postgres.failures()
    refused = set(odd) | {"NULL", "LENGTHY"}
    assert set(failures) == refused, result
    torture.row("values that PostgreSQL refuses", store=postgres,
                keys=numbers, expected_failures=len(refused), prices=good)

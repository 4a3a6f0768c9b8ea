"""What the system tests are made of: origins, databases, runs of windrow.

Each process that is started here is ended here, by its own id; should the
tests themselves be killed, the kernel ends it (PR_SET_PDEATHSIG).
"""
import ctypes
import decimal
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(
    os.environ.get("WINDROW_BUILD", SOURCE / "build/release")).resolve()
DATA = SOURCE.parent / "shared/data"
SP500 = SOURCE / "pipelines/sp500.yaml"

# Limits of time are meant for a release build on two cores; a slower one
# (a sanitizer's, a busy machine's) is given more.
PATIENCE = float(os.environ.get("WINDROW_PATIENCE", 1))


def is_sanitized():
    """Whether the programs were built with AddressSanitizer."""
    return b"__asan_init" in (BUILD / "windrow").read_bytes()


PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def ends_with_us():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def facts():
    """Symbol to price, of the origin's own 503."""
    lines = (SOURCE / "bench/origin/sp500.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {row[0]: row[3] for row in rows}


def need_tool(name, package):
    """The path of a tool that deploy/packages/ci.txt has; without it the test
    is left out, but not with CI=true."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if path:
        return path
    why = f"{name} is missing; Debian's {package} has it"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    return pytest.skip(why)


def until(condition, what, seconds=10, pause=0.005):
    """Waits for a true value of condition(), and returns it."""
    limit = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < limit:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what}")


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait(10)


class Origin:
    """A running windrow-origin."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen(
            [BUILD / "windrow-origin", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=folder, preexec_fn=ends_with_us)
        line = self.process.stdout.readline()
        found = re.search(r"listening on (http://127\.0\.0\.1:(\d+))", line)
        assert found, (line, self.process.stderr.read() if not line else "")
        self.url, self.port = found[1], int(found[2])

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read()

    def log(self):
        return json.loads(self.get("/origin/log"))

    def asked(self):
        """How often each key was asked for."""
        return {key: entry["asked"]
                for key, entry in self.log()["keys"].items()}

    def reset(self):
        self.get("/origin/reset")

    def price(self, key):
        """The exact digits of its generated price."""
        chart = json.loads(self.get("/v8/finance/chart/" + key),
                           parse_float=str, parse_int=str)
        return chart["chart"]["result"][0]["meta"]["regularMarketPrice"]

    def settings(self):
        """What points pipelines/sp500.yaml here, as fast as it goes."""
        return {"WIKIPEDIA_URL": self.url, "YAHOO_URL": self.url,
                "YAHOO_PAGE_URL": self.url, "YAHOO_RATE": "unlimited",
                "YAHOO_IN_FLIGHT": "unlimited"}

    def end(self):
        end(self.process)
        self.process.stdout.close()
        self.process.stderr.close()


class Clock:
    """A wall clock that the processes with this environment are told, by
    libfaketime, and that a test sets; the monotonic one goes on."""

    LIBRARY = pathlib.Path(
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")

    def __init__(self, folder):
        self.path = folder / "clock"
        self.set(0)

    def set(self, seconds):
        """So many seconds ahead of the true time."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}s\n")
        os.replace(fresh, self.path)

    def environment(self):
        return {"LD_PRELOAD": str(self.LIBRARY), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_TIMESTAMP_FILE": str(self.path),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1"}


# Databases.

class Store:
    """A database that a run stores into; all values come back as text."""

    def rows(self, table="prices", columns="symbol, price"):
        names = ", ".join(f"CAST({name.strip()} AS text)"
                          for name in columns.split(","))
        return self.query(f"SELECT {names} FROM {table}")

    def prices(self, table="prices"):
        """Symbol to digits. No symbol may be there twice."""
        rows = self.rows(table)
        found = dict(rows)
        assert len(found) == len(rows), "a symbol is stored twice"
        return found

    def as_stored(self, digits):
        """How this database shows a number that was sent like this."""
        return digits

    def expected(self, prices):
        """The same of all values of a dictionary."""
        return {key: self.as_stored(digits)
                for key, digits in prices.items()}

    def count(self, table="prices"):
        """0 also as long as there is no such table."""
        try:
            return self.query(f"SELECT count(*) FROM {table}")[0][0]
        except self.errors:
            return 0

    def failures(self, run=1):
        """Key to reason. No key may be there twice."""
        rows = self.query("SELECT key, reason FROM windrow_failures"
                          f" WHERE run = {run}")
        found = dict(rows)
        assert len(found) == len(rows), "a failure is recorded twice"
        return found

    def dump(self):
        """All that the database holds, as one text."""
        return repr([self.query(f"SELECT * FROM {table}")
                     for table in self.tables()])


class SqliteStore(Store):
    errors = (sqlite3.Error,)
    kind = "sqlite"

    def __init__(self, path):
        self.path = path
        self.url = f"sqlite:{path}"

    def query(self, sql):
        connection = sqlite3.connect(self.path, timeout=10,
                                     isolation_level=None)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    execute = query

    def tables(self):
        return [name for name, in self.query(
            "SELECT name FROM sqlite_master WHERE type = 'table'")]


class PostgresStore(Store):
    kind = "postgres"

    def __init__(self, cluster, name):
        import psycopg2
        self.errors = (psycopg2.Error,)
        self.cluster, self.name = cluster, name
        self.url = cluster.url(name)

    def as_stored(self, digits):
        """numeric is exact, each trailing zero too, but has no exponent."""
        return format(decimal.Decimal(digits), "f")

    def query(self, sql):
        return self.cluster.query(sql, self.name)

    execute = query

    def tables(self):
        return [name for name, in self.query(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


class Cluster:
    """A PostgreSQL server of our own, on a Unix socket in its own folder."""

    # Who is named as a database is asked for a password there: see locked().
    HBA = ("local all postgres trust\n"
           "local sameuser all scram-sha-256\n"
           "local all all trust\n")
    OPTIONS = {"listen_addresses": "", "fsync": "off", "max_connections": 200,
               "shared_buffers": "32MB", "timezone": "Asia/Kolkata",
               "log_min_messages": "fatal"}

    @staticmethod
    def programs():
        """The newest server's folder of programs, or None."""
        folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                         key=lambda path: int(path.parent.name))
        return next((path for path in reversed(folders)
                     if (path / "initdb").exists()), None)

    def __init__(self):
        self.process = None
        self.bin = self.programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="windrow-pg-"))
        self.n_databases = 0
        self.user = []
        if os.getuid() == 0:  # which PostgreSQL refuses to run as
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres",
                         "--init-groups"]
        try:
            self.create()
            self.start()
        except BaseException:
            self.end()
            raise

    def create(self):
        self.data = self.folder / "data"
        subprocess.run(
            [*self.user, self.bin / "initdb", "-D", self.data, "-U",
             "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
             "--no-sync"],
            check=True, capture_output=True, timeout=60, cwd="/")
        (self.data / "pg_hba.conf").write_text(self.HBA)

    def start(self):
        options = [f"--{name}={value}"
                   for name, value in self.OPTIONS.items()]
        pdeath = ["setpriv", "--pdeathsig=QUIT"]
        self.process = subprocess.Popen(
            [*(self.user + pdeath[1:] if self.user else pdeath),
             self.bin / "postgres", "-D", self.data, *options,
             f"--unix_socket_directories={self.folder}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.folder / "log", "ab"), cwd="/")
        until(self.answers, "PostgreSQL answers", 30)

    def answers(self):
        import psycopg2
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.query("SELECT 1")
        except psycopg2.Error:
            return None

    def stop(self, mode=signal.SIGQUIT):
        """As `pg_ctl stop -m immediate` does, or fast by SIGINT."""
        self.process.send_signal(mode)
        self.process.wait(30)

    def restart(self):
        self.stop()
        self.start()

    def url(self, database, user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def query(self, sql, database="postgres"):
        import psycopg2
        connection = psycopg2.connect(self.url(database), connect_timeout=5)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SET timezone = 'UTC'")
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def database(self):
        self.n_databases += 1
        name = f"test_{self.n_databases}"
        self.query(f"CREATE DATABASE {name}")
        return PostgresStore(self, name)

    def locked(self, password):
        """A database that asks for the password of the user named as it is.
        No other test has that user, so it may stay."""
        store = self.database()
        self.query(f"CREATE ROLE {store.name} LOGIN PASSWORD '{password}'")
        store.execute(f"GRANT ALL ON SCHEMA public TO {store.name}")
        return store

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


# Runs of windrow.

def process_arguments(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.decode("utf-8", "replace").split("\0")[:-1]


def is_alive(pid):
    """Neither gone nor a zombie that nobody has waited for yet."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def nodes_of(master):
    """The pids of the living nodes that this master started, in the order
    of their names."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        arguments = process_arguments(entry.name)
        if (arguments and arguments[0].endswith("windrow-node")
                and ["--parent", str(master)] in
                [arguments[i:i + 2] for i in range(len(arguments))]
                and is_alive(entry.name)):
            name = arguments[arguments.index("--name") + 1]
            found.append((name, int(entry.name)))
    return [pid for _, pid in sorted(found)]


class Result:
    """How a run of windrow ended."""

    def __init__(self, status, out, err, summary, seconds):
        self.status, self.out, self.err = status, out, err
        self.summary, self.seconds = summary, seconds

    @property
    def text(self):
        return self.out + self.err

    def __repr__(self):
        return (f"exit status {self.status} after {self.seconds:.1f} s\n"
                f"{self.out[-3000:]}{self.err[-3000:]}")


class Windrow:
    """One `windrow` process, with all that it says in files."""

    def __init__(self, folder, arguments, environment, program=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix="run-"))
        self.arguments = [str(argument) for argument in arguments]
        if self.arguments[:1] in (["run"], ["resume"], ["retry"]):
            self.summary = self.folder / "summary.json"
            self.arguments += ["--summary", str(self.summary)]
        else:
            self.summary = None
        self.out, self.err = self.folder / "out", self.folder / "err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.started = time.monotonic()
            self.process = subprocess.Popen(
                [program or BUILD / "windrow", *self.arguments], stdout=out,
                stderr=err, stdin=subprocess.DEVNULL, cwd=folder,
                env={**os.environ, **environment}, preexec_fn=ends_with_us)
        self.pid = self.process.pid

    def nodes(self):
        return nodes_of(self.pid)

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=60):
        """Its Result. It is a failure if it does not end in time."""
        try:
            self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"windrow {' '.join(self.arguments)} hangs:\n"
                + self.err.read_text("utf-8", "replace")[-3000:]) from None
        seconds = time.monotonic() - self.started
        summary = None
        if self.summary and self.summary.exists():
            summary = json.loads(self.summary.read_text() or "null")
        result = Result(self.process.returncode,
                        self.out.read_bytes().decode(),
                        self.err.read_bytes().decode(), summary, seconds)
        assert "this is a bug in Windrow" not in result.err, result
        return result

    def end(self):
        pids = self.nodes()
        end(self.process)
        for pid in pids + self.nodes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


# Pipelines, which are written as JSON: YAML contains it.

def quotes(input_queue="symbols", output_queues=("prices",), name="quotes",
           **options):
    """A worker that asks the origin's chart API."""
    instances = options.pop("instances", 64)
    return {"name": name, "class": "http_json", "input_queue": input_queue,
            "output_queues": list(output_queues), "instances": instances,
            "options": {
                "url": "${YAHOO_URL}/v8/finance/chart/{key}",
                "key_replace": {r"^([A-Z]+)\.([AB])$": r"\1-\2"},
                "fields": {"price": "/chart/result/0/meta/regularMarketPrice"},
                **options}}


def store(input_queue="prices", name="store", table="prices", **columns):
    return {"name": name, "class": "store", "input_queue": input_queue,
            "instances": 2,
            "options": {"table": table, "columns": columns or {
                "symbol": "key", "price": "price",
                "extracted_time": "fetched_at"}}}


def source(kind="html_table", output_queue="symbols", name="source",
           input_values=None, **options):
    """Without options: the origin's article."""
    worker = {"name": name, "class": kind, "output_queues": [output_queue]}
    if kind == "html_table" and not options:
        input_values = ["${WIKIPEDIA_URL}/wiki/List_of_S%26P_500_companies"]
        options = {"table": "constituents", "column": "Symbol"}
    if input_values is not None:
        worker["input_values"] = list(input_values)
    if options:
        worker["options"] = options
    return worker


def pipeline(*workers, queues=("symbols", "prices"), name="test"):
    return json.dumps({"version": 1, "name": name,
                       "queues": [{"name": queue} for queue in queues],
                       "workers": list(workers)}, indent=1)

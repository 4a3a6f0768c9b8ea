"""Disks that are full or refuse, descriptors and memory that are short; all
over SQLite, whose file lies on that disk, or beside any database."""
import contextlib
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import time

import pytest

from harness import BUILD, SP500, SqliteStore, facts, until
from torture import FULL

full_only = pytest.mark.skipif(not FULL, reason="in the long form only")

SLOWLY = {"YAHOO_IN_FLIGHT": "24", "WINDROW_LEASE": "1s",
          "WINDROW_HEARTBEAT": "250ms", "WINDROW_MASTER_LEASE": "1s"}
LATENCY = ("--latency", "80ms")


def start_slowly(start, server, store, *options, **settings):
    run = start("run", SP500, "--scale", 2, "--batch", 5, *options,
                origin=server, store=store, env={**SLOWLY, **settings})
    until(lambda: store.count() >= 20, "some rows", 20)
    assert store.count() < 450, "too late to disturb"
    return run


def all_stored(result, torture, fault, store, **more):
    assert result.status == 0, result
    torture.row(fault, store=store, keys=facts(), prices=facts(), **more)


@pytest.fixture
def disk(tmp_path):
    """A small disk that can be filled, and freed again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m",
                       "windrow-test", folder],
                      capture_output=True, check=False).returncode:
        pytest.skip("may not mount a tmpfs")

    class Disk:
        path = folder

        @staticmethod
        def fill():
            """Until not a byte more can be written."""
            with open(folder / "ballast", "ab", buffering=0) as file:
                for size in (65536, 4096, 1):
                    with contextlib.suppress(OSError):
                        while file.write(b"x" * size):
                            pass

        @staticmethod
        def free():
            (folder / "ballast").unlink()

    yield Disk
    subprocess.run(["umount", "-l", folder], check=False)


# SQLite's file.

def test_the_disk_is_full(start, origin, disk, torture):
    """Of a run that goes on when there is room again."""
    store = SqliteStore(disk.path / "store.db")
    run = start_slowly(start, origin(*LATENCY), store)
    disk.fill()
    until(lambda: "full" in run.err.read_text(), "it is noticed", 20)
    time.sleep(1)
    assert run.is_running()
    disk.free()
    began, before = time.monotonic(), store.count()
    until(lambda: store.count() > before, "rows again", 20)
    all_stored(run.wait(60), torture, "disk full, then freed", store,
               recover=time.monotonic() - began)


@full_only
def test_the_disk_stays_full(start, windrow, origin, disk, torture):
    """Exit 4 after WINDROW_DATABASE_WAIT; resumed when there is room."""
    store = SqliteStore(disk.path / "store.db")
    server = origin(*LATENCY)
    run = start_slowly(start, server, store, WINDROW_DATABASE_WAIT="1s")
    disk.fill()
    result = run.wait(30)
    assert result.status == 4, result
    disk.free()
    time.sleep(1.2)
    result = windrow("resume", 1, origin=server, store=store, env=SLOWLY)
    all_stored(result, torture, "disk full for good, then resumed", store)


def test_no_room_to_begin(windrow, origin, disk):
    """Said at once, with the file's name."""
    store = SqliteStore(disk.path / "store.db")
    disk.fill()
    result = windrow("run", SP500, origin=origin(), store=store, timeout=30)
    assert result.status == 4, result
    assert "store.db" in result.err and "full" in result.err, result


def test_locked_by_another(start, origin, sqlite, torture):
    """Somebody's transaction holds the file for as long as it takes."""
    seconds = 10 if torture.full else 3
    run = start_slowly(start, origin(*LATENCY), sqlite)
    person = sqlite3.connect(sqlite.path, timeout=20, isolation_level=None)
    with contextlib.closing(person):
        person.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        assert run.is_running()
        person.execute("ROLLBACK")
    began, before = time.monotonic(), sqlite.count()
    until(lambda: sqlite.count() > before, "rows again", 20)
    all_stored(run.wait(60), torture, f"SQLite locked for {seconds} s", sqlite,
               recover=time.monotonic() - began)


def test_two_runs_on_one_file(start, origin, sqlite, torture):
    """Each has all its rows: the file is shared, the runs are not."""
    server = origin("--latency", "20ms")
    both = [start("run", SP500, "--scale", 2, "--batch", 5, origin=server,
                  store=sqlite, env=SLOWLY) for _ in range(2)]
    for run in both:
        result = run.wait(60)
        assert result.status == 0 and result.summary["stored"] == 503, result
    rows = sorted(sqlite.rows())
    assert rows == sorted(list(facts().items()) * 2)
    assert sqlite.query("SELECT run, sum(stored) FROM windrow_batches"
                        " GROUP BY run") == [(1, 503), (2, 503)]


def as_nobody(*arguments, prefix=(), **environment):
    """windrow without root's right to write everywhere."""
    prefix = list(prefix)
    if os.getuid() == 0:
        prefix += ["setpriv", "--reuid=nobody", "--regid=nogroup",
                  "--clear-groups"]
    return subprocess.run(
        [*prefix, BUILD / "windrow", *map(str, arguments)],
        env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=60, stdin=subprocess.DEVNULL, check=False, cwd="/")


@pytest.fixture
def open_path(tmp_path):
    """A folder that others can reach, and the programs with it."""
    path = pathlib.Path("/tmp") / f"windrow-open-{os.getpid()}"
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_may_not_write(origin, open_path, what):
    """A folder, or a file, that is somebody else's: said at once, by name."""
    server = origin()
    if what == "file":
        file = open_path / "store.db"
        sqlite3.connect(file).close()
        file.touch()
        file.chmod(0o444)
    shutil.copy(SP500, open_path / "sp500.yaml")
    (open_path / "sp500.yaml").chmod(0o644)
    result = as_nobody("run", open_path / "sp500.yaml", "--store",
                       f"sqlite:{open_path}/store.db", **server.settings())
    assert result.returncode == 4, result
    assert "store.db" in result.stderr, result
    assert ("unable to open" in result.stderr
            or "readonly" in result.stderr), result


def test_made_read_only(origin, open_path, torture):
    """Between a run and its resumption: a clear error, nothing lost."""
    server = origin(*LATENCY)
    shutil.copy(SP500, open_path / "sp500.yaml")
    (open_path / "sp500.yaml").chmod(0o644)
    open_path.chmod(0o777)
    file = open_path / "store.db"
    settings = {**server.settings(), **SLOWLY}
    first = as_nobody(
        "run", open_path / "sp500.yaml", "--batch", 5, "--store",
        f"sqlite:{file}", **settings,
        prefix=["timeout", "--preserve-status", "-s", "INT", "1"])
    assert first.returncode == 130, first
    mode = file.stat().st_mode
    file.chmod(0o444)
    result = as_nobody("resume", 1, "--store", f"sqlite:{file}", **settings)
    assert result.returncode == 4, result
    assert "readonly" in result.stderr and "store.db-wal" in result.stderr
    for part in open_path.glob("store.db*"):
        part.chmod(mode)
    result = as_nobody("resume", 1, "--store", f"sqlite:{file}", **settings)
    assert result.returncode == 0, result
    torture.row("SQLite's file read-only, then not", store=SqliteStore(file),
                keys=facts(), prices=facts())


@pytest.mark.parametrize("what, status, said", [
    ("garbage", 2, "is no SQLite database"), ("cut", 4, "malformed")])
def test_a_corrupted_file(windrow, origin, sqlite, what, status, said):
    """Not a database, or one whose pages are gone: a clear error."""
    server = origin()
    if what == "garbage":
        sqlite.path.write_bytes(b"This is no database. " * 1000)
    else:
        assert windrow("run", SP500, origin=server, store=sqlite).status == 0
        size = sqlite.path.stat().st_size
        with open(sqlite.path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
    result = windrow("run", SP500, origin=server, store=sqlite, timeout=30)
    assert result.status == status, result
    assert "store.db" in result.err and said in result.err, result


# Logs that nobody can write or read.

def run_with(stdout, stderr, origin, store, *options, **more):
    return subprocess.run(
        [BUILD / "windrow", "run", SP500, "--scale", "2", "--batch", "5",
         "--store", store.url, *options],
        env={**os.environ, **origin.settings(), **SLOWLY,
             "WINDROW_LOG_LEVEL": "debug"}, stdout=stdout,
        stderr=stderr, stdin=subprocess.DEVNULL, timeout=60, check=False,
        **more)


@pytest.mark.parametrize("options", [(), ("--log-format", "json")])
def test_the_log_goes_to_a_full_disk(origin, store, torture, options):
    """/dev/full refuses each byte; the run does not care."""
    with open("/dev/full", "wb") as full:
        result = run_with(subprocess.DEVNULL, full, origin(), store, *options)
    assert result.returncode == 0
    torture.row("log to a full disk " + " ".join(options), store=store,
                keys=facts(), prices=facts())


def test_nobody_reads_the_log(origin, store, torture):
    """A closed pipe is no reason to die of SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        result = run_with(closed, closed, origin(), store)
    assert result.returncode in (0, 4), result.returncode
    torture.row("stdout and stderr closed", store=store, keys=facts(),
                prices=facts())


def test_the_summary_goes_to_a_full_disk(origin, store, torture):
    """Its rows are stored; that the summary was not written is said."""
    result = run_with(subprocess.DEVNULL, subprocess.PIPE, origin(), store,
                      "--summary", "/dev/full")
    torture.row("summary to a full disk", store=store, keys=facts(),
                prices=facts())
    assert result.returncode == 4, result
    assert b"/dev/full" in result.stderr, result


# Descriptors and memory.

@pytest.mark.parametrize("limit", [32, 48, 64, 100] if FULL else [64])
def test_few_descriptors(origin, store, torture, limit):
    """All is stored with what there is, or the run ends with a word about
    it: never half, never for ever."""
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    result = run_with(subprocess.PIPE, subprocess.PIPE,
                      origin("--latency", "20ms"), store, preexec_fn=lower)
    text = result.stderr.decode()
    if result.returncode == 0:
        torture.row(f"{limit} file descriptors", store=store, keys=facts(),
                    prices=facts())
        return
    assert result.returncode in (2, 4), text
    assert ("descriptor" in text or "open files" in text
            or "unable to open" in text), text
    assert store.count() == len(set(store.rows())), "a row is there twice"


def test_little_memory(windrow, origin, store, torture):
    """The least that WINDROW_NODE_MEMORY allows."""
    result = windrow("run", SP500, "--scale", 2, "--batch", 5,
                     origin=origin(), store=store,
                     env={"WINDROW_NODE_MEMORY": "64MiB"})
    all_stored(result, torture, "64 MiB for each node", store)

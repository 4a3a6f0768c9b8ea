"""What one would write or take instead of Windrow: bench/peers/, run.

All take the same arguments (where, which keys, how many at once, on how many
cores, which database), fetch and read the same answers, and store the same
rows.
"""
import os
import pathlib
import subprocess

from harness import tools
from harness.processes import run
from harness.tools import Failed, Missing
from harness.windrow import of_outcome

FOLDER = tools.HERE / "peers"
PYTHON = "/usr/bin/python3"  # Debian's, which finds Debian's modules
GOPATH = "/usr/share/gocode"  # where Debian keeps Go's libraries
PGX = "golang-github-jackc-pgx-v4-dev"


def cache():
    """Where what was compiled is kept from one measurement to the next."""
    folder = (tools.SOURCE / "build/bench/.cache" if tools.SOURCE else
              pathlib.Path(os.environ.get("XDG_CACHE_HOME",
                                          pathlib.Path.home() / ".cache"))
              / "windrow-bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def go_command():
    """The compiled peer; compiled now unless it was."""
    go = tools.program("go")
    if not pathlib.Path(GOPATH, "src/github.com/jackc/pgx/v4").is_dir():
        raise Missing(f"pgx is missing: apt-get install {PGX}")
    program = cache() / "peer-go"
    done = subprocess.run(
        [go, "build", "-o", program, FOLDER / "go/peer.go"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "GO111MODULE": "off", "GOPATH": GOPATH,
             "GOFLAGS": "", "GOCACHE": str(cache() / "go")})
    if done.returncode:
        raise Failed("the peer in Go does not compile: " + done.stderr)
    return [program]


def python_command(script, *modules):
    """`modules` are (module, Debian's package of it) that it needs."""
    if not pathlib.Path(PYTHON).exists():
        raise Missing(f"{PYTHON} is missing: apt-get install python3")
    for module, package in modules:
        tools.need_module(PYTHON, module, package)
    return [PYTHON, FOLDER / script]


AIOHTTP = [("aiohttp", "python3-aiohttp"), ("asyncpg", "python3-asyncpg")]
PSYCOPG = ("psycopg2", "python3-psycopg2")


def aiohttp_command():
    return python_command("with_aiohttp.py", *AIOHTTP)


def uvloop_command():
    return [*python_command("with_aiohttp.py", *AIOHTTP,
                            ("uvloop", "python3-uvloop")), "--uvloop"]


def threads_command():
    return python_command("with_threads.py", PSYCOPG,
                          ("requests", "python3-requests"))


def scrapy_command():
    return python_command("with_scrapy.py", PSYCOPG,
                          ("scrapy", "python3-scrapy"))


def measure(folder, command, server, postgres, keys, count, concurrency,
            cores):
    """One run of the peer whose command `command()` gives, into an empty
    table; its figures. `server` is nginx."""
    command = command()
    postgres.clear()
    outcome = run(
        [*command, "--url", server.url, "--keys", keys, "--dsn", postgres.url,
         "--concurrency", concurrency, "--cores", len(cores)],
        folder, cores=cores, servers={"nginx": server, "postgres": postgres},
        name="peer")
    postgres.check(count)
    return of_outcome(outcome, count)

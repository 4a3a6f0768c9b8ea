"""Nodes that a test starts itself, and what the origin saw of them."""
import http.client
import json
import os
import pathlib
import signal
import subprocess
import time

import harness
from harness import process_arguments, until


def place_of(run):
    """Where the nodes of this run find their master."""
    def find():
        for pid in run.nodes():
            arguments = process_arguments(pid)
            if "--connect" in arguments:
                return arguments[arguments.index("--connect") + 1]
        return None
    if not hasattr(run, "place"):  # which a run that just ended has no more
        run.place = until(find, "a node is started")
    return run.place


class Guest:
    """A windrow-node that joins a run which did not start it: the master
    learns of its death by its silence only."""

    def __init__(self, run, name, environment):
        self.log = run.folder / f"{name}.log"
        self.passed = run.folder / f"{name}.passed"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [harness.BUILD / "windrow-node", "--connect", place_of(run),
                 "--name", name], stdin=subprocess.DEVNULL, stderr=log,
                stdout=log, cwd=run.folder,
                env={**os.environ, **environment,
                     "WINDROW_CRASH_COUNT": str(self.passed)},
                preexec_fn=harness.ends_with_us)
        self.pid = self.process.pid

    def has_work(self):
        return self.passed.exists() and "before_fetch" in (
            self.passed.read_text())

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def leave(self, seconds=10):
        """Told to stop, as `docker stop` does. Its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds * harness.PATIENCE)

    def end(self):
        harness.end(self.process)


def environment(server, store, **settings):
    return {**server.settings(), "DATABASE_URL": store.url, **settings}


def key_file(folder, n):
    """n keys, as `windrow-origin --count n` has them, and their file."""
    keys = [f"K{i:07d}" for i in range(1, n + 1)]
    path = pathlib.Path(folder) / "keys.txt"
    path.write_text("\n".join(keys) + "\n")
    return keys, path


def prices_of(origin, keys):
    """Key to the exact digits of its generated price, as an origin says them
    that does not wait."""
    server = origin("--count", len(keys), "--no-user-agent-check")
    connection = http.client.HTTPConnection(server.url.partition("//")[2])
    prices = {}
    for key in keys:
        connection.request("GET", "/v8/finance/chart/" + key)
        chart = json.loads(connection.getresponse().read(), parse_float=str,
                           parse_int=str)
        prices[key] = (
            chart["chart"]["result"][0]["meta"]["regularMarketPrice"])
    server.end()
    return prices


def key_pipeline(pipeline, path, **options):
    """Keys from a file: nothing of the run is spent on a list."""
    options.setdefault("instances", 64)
    return pipeline(harness.source("file", path=str(path)),
                    harness.quotes(**options), harness.store())


class Recovery:
    """The seconds from a fault to the next request for a key that was asked
    for before: then it is with another node."""

    def __init__(self, server):
        self.server = server
        self.before = server.asked()
        self.began = time.monotonic()

    def wait(self, seconds=20):
        def again():
            asked = self.server.asked()
            return any(asked[key] > n for key, n in self.before.items())
        until(again, "a key of the dead node is asked for again", seconds,
              pause=0.02)
        return time.monotonic() - self.began

"""A Docker engine for the tests: the one that answers, or one of our own.

One of our own is ended with the tests. In CI it has an empty folder for its
images, so that everything is made from nothing; elsewhere it keeps what it
has, so that images are built once.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = SOURCE / "deploy"
PATIENCE = float(os.environ.get("WINDROW_PATIENCE", "1"))
IN_CI = os.environ.get("CI") == "true"
NEEDED = ["dockerd", "docker", "docker-compose", "debootstrap", "iptables"]
# As compose-demo does it: all nodes have the master's settings.
COMPOSE = ["docker-compose", "-f", "compose.yaml", "--env-file", "demo.env",
           "--profile", "demo"]


def run(*command, check=True, timeout=120, **options):
    """Its standard output; a failure tells all that it said."""
    done = subprocess.run([str(word) for word in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout * PATIENCE, **options)
    assert not check or done.returncode == 0, (
        f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def docker(*arguments, **options):
    return run("docker", *arguments, **options)


def inspect(name):
    return json.loads(docker("inspect", name))[0]


def until(condition, what, seconds=30, pause=0.1):
    limit = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < limit:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what}")


def answers():
    return subprocess.run(["docker", "version"], capture_output=True,
                          timeout=30).returncode == 0


class Engine:
    def __init__(self):
        self.process = self.folder = None

    def start(self):
        """None, or why there is no engine."""
        if missing := [name for name in NEEDED if not shutil.which(name)]:
            return f"not installed: {missing} (deploy/packages/docker.txt)"
        if answers():
            return None
        if os.getuid() != 0:
            return "no Docker engine answers, and only root can start one"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="windrow-docker-",
                                                    dir="/var/tmp"))
        command = ["setpriv", "--pdeathsig", "TERM", "dockerd"]
        if IN_CI:
            command += ["--data-root", str(self.folder / "data")]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        limit = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < limit and self.process.poll() is None:
            if answers():
                return None
            time.sleep(0.2)
        log = (self.folder / "log").read_text("utf-8", "replace")
        self.end()
        return f"dockerd does not start; it said:\n{log[-2000:]}"

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

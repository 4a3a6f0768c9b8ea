"""The engine, the images and clusters of the tests in containers."""
import os
import pathlib
import signal
import subprocess
import tempfile
import uuid

import pytest

from engine import (COMPOSE, DEPLOY, IN_CI, PATIENCE, Engine, docker, run,
                    until)


@pytest.fixture(scope="session")
def engine():
    started = Engine()
    if why := started.start():
        message = f"NO DOCKER ENGINE, nothing of deploy/ is tried: {why}"
        pytest.fail(message) if IN_CI else pytest.skip(message)
    yield started
    started.end()


class Demo:
    """deploy/compose-demo under way, kept at its end for a look."""

    def __init__(self, *options, **settings):
        self.ended = False
        self.project = f"windrow-test-{uuid.uuid4().hex[:8]}"
        self.environment = {**os.environ, "COMPOSE_PROJECT_NAME": self.project,
                            **settings}
        self.log = tempfile.NamedTemporaryFile("w+", prefix="windrow-demo-")
        self.process = subprocess.Popen(
            [DEPLOY / "compose-demo", "--keep", *options],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, start_new_session=True)

    def text(self):
        return pathlib.Path(self.log.name).read_text("utf-8", "replace")

    def compose(self, *arguments):
        return run(*COMPOSE, *arguments, cwd=DEPLOY, env=self.environment)

    def containers(self, service, which="-q"):
        """Their ids, by number; which="-aq": those that have ended too."""
        return docker(
            "ps", which, "--filter",
            f"label=com.docker.compose.project={self.project}", "--filter",
            f"label=com.docker.compose.service={service}").split()

    def query(self, sql):
        """Rows as lines; nothing as long as there is no answer."""
        found = self.containers("database")
        if not found:
            return []
        done = subprocess.run(
            ["docker", "exec", found[0], "psql", "-U", "windrow", "-Atc", sql],
            capture_output=True, text=True, timeout=60)
        return done.stdout.split() if done.returncode == 0 else []

    def stored(self):
        return int((self.query("SELECT count(*) FROM prices") or ["0"])[0])

    def is_in_mid_run(self):
        """After this a part of the rows is there."""
        until(lambda: self.stored() >= 50 or self.process.poll() is not None,
              "50 rows are stored", 90)
        assert self.process.poll() is None and self.stored() < 400, self.text()

    def ends_well(self, seconds=120):
        try:
            status = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it hangs:\n{self.text()}") from None
        assert status == 0, f"exit status {status}:\n{self.text()}"
        assert self.query("SELECT count(*), count(DISTINCT symbol)"
                          " FROM prices") == ["503|503"], self.text()

    def end(self):
        if self.ended:
            return
        self.ended = True
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self.compose("down", "-v", "--remove-orphans", "-t", "2")
        self.log.close()


@pytest.fixture(scope="session")
def first_demo(engine):
    """deploy/compose-demo as docs/deploy.md says it: it builds base, windrow's
    image and PostgreSQL's itself, where no registry gives them."""
    assert "POSTGRES_IMAGE" not in os.environ
    first = Demo("--nodes", "4")
    try:
        first.ends_well(480)
        yield first
    finally:
        first.end()


@pytest.fixture(scope="session")
def images(first_demo):
    """What the first demo built; the settings that name it."""
    known = docker("images", "-q", "postgres:15").strip()
    return {"POSTGRES_IMAGE": "postgres:15" if known else "windrow-postgres"}


@pytest.fixture
def demo(images):
    """Starts demos: demo("--nodes", "4", YAHOO_RATE="50/s")."""
    started = []

    def start(*options, **settings):
        started.append(Demo("--no-build", *options, **images, **settings))
        return started[-1]

    yield start
    for one in started:
        one.end()

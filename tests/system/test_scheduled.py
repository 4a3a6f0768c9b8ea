"""deploy/systemd/scheduled, as windrow@NAME.service starts it: by its timer, on
several machines, and by hand. (tests/docker/test_units.py has a real systemd.)
"""
import os
import re
import signal
import subprocess

import pytest

from harness import BUILD, PATIENCE, SOURCE, SP500, until

SCHEDULED = SOURCE / "deploy/systemd/scheduled"
BY_TIMER = {"TRIGGER_UNIT": "windrow@prices.timer"}  # systemd says so


class Machine:
    """One with the pipeline "prices", its settings, and a state folder."""

    def __init__(self, folder, settings):
        self.state, self.credentials = folder / "state", folder / "credentials"
        self.state.mkdir(parents=True)
        self.credentials.mkdir()
        (self.credentials / "pipeline.yaml").write_bytes(SP500.read_bytes())
        (self.credentials / "env").write_text("".join(
            f"{name}={value}\n" for name, value in settings.items()))
        self.log, self.processes = folder / "log", []

    def start(self, by=None):
        with open(self.log, "ab") as log:
            self.processes.append(subprocess.Popen(
                [SCHEDULED, "prices"], cwd=self.state, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}",
                     "CREDENTIALS_DIRECTORY": str(self.credentials),
                     **(by or {})}))

    def ends_well(self):
        status = self.processes[-1].wait(60 * PATIENCE)
        assert status == 0, self.text()
        assert list(self.state.glob("run-name")) == []

    def text(self):
        return self.log.read_text("utf-8", "replace")

    def kill(self):
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(10)


@pytest.fixture
def machines(tmp_path, origin, postgres):
    """Starts machines that share a database: machines(YAHOO_RATE=...)."""
    made, site = [], origin().settings()

    def make(**settings):
        made.append(Machine(tmp_path / f"machine-{len(made)}", {
            "DATABASE_URL": postgres.url, **site, **settings}))
        return made[-1]

    yield make
    for machine in made:
        machine.kill()


def names(store):
    return [name for name, in store.query(
        "SELECT run_name FROM windrow_runs ORDER BY run")]


def test_one_schedule_on_two_machines(machines, postgres):
    """Both are started at once: one run, and no row twice."""
    both = [machines(), machines()]
    for machine in both:
        machine.start(BY_TIMER)
    for machine in both:
        machine.ends_well()
        assert "run 1: 503 stored, 0 failed" in machine.text()
    assert len(postgres.prices()) == 503
    name, = names(postgres)
    assert re.fullmatch(r"prices \d{4}-\d\d-\d\d", name)


def test_the_schedule_makes_up_for_a_time_it_missed(machines, postgres):
    """On a machine that was off meanwhile, the other has done it."""
    for machine in [machines(), machines()]:
        machine.start(BY_TIMER)
        machine.ends_well()
    assert len(postgres.prices()) == 503


def test_by_hand_is_a_run_of_its_own(machines, postgres):
    """However often, and on a day that had its scheduled one."""
    machine = machines()
    for by in [BY_TIMER, None, None]:
        machine.start(by)
        machine.ends_well()
    assert len(set(names(postgres))) == 3
    assert postgres.count() == 3 * 503


def test_another_format_of_names(machines, postgres):
    """RUN_NAME is a format of date(1)."""
    machine = machines(RUN_NAME="evening-%Y")
    machine.start(BY_TIMER)
    machine.ends_well()
    name, = names(postgres)
    assert re.fullmatch(r"prices evening-\d{4}", name)


def test_cut_off_and_then_due(machines, postgres):
    """What was cut off is gone on with, and what is due now comes after it."""
    machine = machines(YAHOO_RATE="200/s", WINDROW_MASTER_LEASE="2s")
    machine.start()
    until(lambda: postgres.count() >= 40, "some rows", 30)
    machine.kill()
    assert postgres.count() < 450, "the run was over before"
    kept = (machine.state / "run-name").read_text().strip()
    machine.start(BY_TIMER)
    machine.ends_well()
    first, second = names(postgres)
    assert first == kept and second != kept
    assert postgres.query("SELECT count(*) FROM (SELECT symbol FROM prices"
                          " GROUP BY symbol HAVING count(*) = 2) x") == [(503,)]
    assert postgres.count() == 2 * 503

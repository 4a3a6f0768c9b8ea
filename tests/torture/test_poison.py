"""Keys whose answer crashes the node that reads it.

In the build for these tests a node dies of SIGSEGV when the answer for one of
the named keys reaches the extractor. Such a key is found by halving its batch,
and recorded as a failure; every other key is stored.
"""
import os
import signal
import subprocess

import pytest

import harness
from harness import until
from nodes import key_file, key_pipeline
from test_kills import kill_at_random
from network import Network

SETTINGS = {"WINDROW_HEARTBEAT": "200ms", "WINDROW_LEASE": "800ms"}


def poison(*keys):
    return {**SETTINGS,
            "WINDROW_CRASH": ",".join(f"extract={key}" for key in keys)}


@pytest.mark.parametrize("n_poisoned", [1, 2])
def test_found_by_halving(torture, start, origin, pipeline, store, tmp_path,
                          n_poisoned):
    """Two of them in one batch are found too."""
    keys, path = key_file(tmp_path, 300)
    poisoned = [keys[70], keys[75]][:n_poisoned]
    server = origin("--count", len(keys), "--latency", "10ms")
    result = start("run", key_pipeline(pipeline, path), "--scale", 4,
                   "--batch", 32, origin=server, store=store,
                   env=poison(*poisoned)).wait(120)
    assert result.status == 3, result
    torture.row(f"{n_poisoned} key{'s' * (n_poisoned > 1)} whose answer"
                " crashes the node", store=store, keys=keys, tried=n_poisoned,
                expected_failures=dict.fromkeys(poisoned, "killed_node"),
                recover=result.seconds)


def test_with_kills_at_random(torture, start, origin, pipeline, store,
                              tmp_path):
    """While other nodes are killed: no other key is blamed for that."""
    keys, path = key_file(tmp_path, 1_500 if torture.full else 600)
    poisoned = [keys[100], keys[500]]
    server = origin("--count", len(keys), "--latency", "100ms")
    run = start("run", key_pipeline(pipeline, path, instances=2), "--scale",
                8, "--batch", 16, origin=server, store=store,
                env=poison(*poisoned))
    until(lambda: store.count() > 0, "some rows", 20)
    n = kill_at_random(run, seed=11, every=0.5)
    result = run.wait(120)
    assert result.status == 3, result
    torture.row("2 keys whose answer crashes the node, and nodes killed at"
                " random", store=store, keys=keys, tried=n + 2,
                expected_failures=dict.fromkeys(poisoned, "killed_node"))


class Restarted:
    """Nodes on other machines, started again whenever they end, as a container
    is. Their master only hears from them."""

    SCRIPT = ('while true; do "$@"; status=$?; [ $status -ge 128 ] || '
              "exit $status; done")

    def __init__(self, network, starter, name, state, **settings):
        self.log = starter.folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "sh", "-c", self.SCRIPT,
                 "sh", harness.BUILD / "windrow-node", "--connect",
                 network.place, "--name", name],
                stdout=log, stderr=log, preexec_fn=harness.ends_with_us,
                start_new_session=True,
                env={**os.environ, **network.settings, **settings,
                     "DATABASE_URL": network.store.url,
                     "WINDROW_NODE_STATE": str(state)})

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def test_of_nodes_elsewhere(torture, starter, origin, pipeline, postgres,
                            tmp_path):
    """A node leaves a note of what it had begun, and the process after it
    tells the master: so the key is found over TCP too."""
    keys, path = key_file(tmp_path, 300)
    poisoned = keys[70]
    network = Network(starter, postgres)
    network.settings = origin("--count", len(keys), "--latency",
                              "10ms").settings()
    for name in ("a", "b"):
        starter.keep(Restarted(network, starter, name, tmp_path / "state",
                               **poison(poisoned)))
    result = network.master("run", key_pipeline(pipeline, path), "--batch", 32,
                            env=SETTINGS).wait(120)
    assert result.status == 3, result
    torture.row("a key whose answer crashes nodes on other machines",
                store=postgres, keys=keys,
                expected_failures={poisoned: "killed_node"},
                recover=result.seconds)

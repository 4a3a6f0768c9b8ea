"""Master and nodes apart: TCP, keys, strangers, nodes that come and go.

All over 127.0.0.1, with real processes and a real PostgreSQL; the hosts that
are apart are those of tests/torture.
"""
import json
import os
import random
import signal
import socket
import threading
import time

import pytest

import harness
from harness import PATIENCE, until
from test_origin import derived_price

zmq = pytest.importorskip("zmq")

N_KEYS = 300


def free_place():
    """tcp://127.0.0.1:PORT where PORT and PORT + 1 are free."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return f"tcp://127.0.0.1:{port}"


class Cluster:
    """Masters and nodes of one test, at one place, on one database."""

    def __init__(self, starter, store, keys=None):
        self.starter, self.store, self.keys = starter, store, keys
        self.place = free_place()

    def node(self, *arguments, keys=None, **env):
        """Starts a node, which serves run after run."""
        keys = keys or self.keys
        if keys:
            arguments += ("--keys", keys)
        return self.starter.start(
            "--connect", self.place, *arguments,
            program=harness.BUILD / "windrow-node",
            env={"DATABASE_URL": self.store.url, **self.settings, **env})

    def master(self, *arguments, **options):
        """Starts a master without nodes of its own."""
        if self.keys:
            arguments += ("--keys", self.keys)
        env = {**self.settings, **options.pop("env", {})}
        return self.starter.start(
            *arguments, "--listen", self.place, "--scale", "0",
            store=self.store, env=env, **options)

    settings = {}


@pytest.fixture
def network(starter, postgres):
    return Cluster(starter, postgres)


@pytest.fixture
def keys(windrow, tmp_path):
    folder = tmp_path / "keys"
    assert windrow("keygen", folder).status == 0
    return folder


@pytest.fixture
def secure(starter, postgres, keys):
    return Cluster(starter, postgres, keys)


class Job:
    """A pipeline over n made-up symbols, and what it must store."""

    def __init__(self, starter, n=N_KEYS, latency="20ms", **options):
        self.keys = [f"N{i:05d}" for i in range(n)]
        self.file = starter.folder / f"keys-{n}.txt"
        self.file.write_text("\n".join(self.keys) + "\n")
        self.origin = starter.origin("--symbols", self.file,
                                     "--latency", latency)
        self.path = starter.pipeline(
            harness.source("file", path=self.file.name),
            harness.quotes(**options), harness.store())

    def check(self, network):
        """Each key once, in the origin's digits, and nothing else."""
        assert network.store.prices() == network.store.expected(
            {key: derived_price(key) for key in self.keys})
        assert network.store.failures() == {}


def test_two_nodes_elsewhere(network, starter):
    job = Job(starter)
    network.settings = job.origin.settings()
    nodes = [network.node("--name", name, "--once") for name in ("a", "b")]
    result = network.master("run", job.path).wait()
    assert result.status == 0, result
    job.check(network)
    assert {node["name"] for node in result.summary["nodes"]} == {"a", "b"}
    for node in nodes:
        assert node.wait(5).status == 0


def test_keys(secure, starter):
    job = Job(starter)
    secure.settings = job.origin.settings()
    node = secure.node("--once")
    result = secure.master("run", job.path).wait()
    assert result.status == 0, result
    job.check(secure)
    assert node.wait(5).status == 0

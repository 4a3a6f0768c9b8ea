"""Master and nodes apart: TCP, keys, strangers, nodes that come and go.

All over 127.0.0.1, with real processes and a real PostgreSQL; the hosts that
are apart are those of tests/torture.
"""
import contextlib
import json
import random
import signal
import threading
import time

import pytest

import harness
from harness import PATIENCE, until
from network import Network, free_place
from test_origin import derived_price

zmq = pytest.importorskip("zmq")

N_KEYS = 300


@pytest.fixture
def network(starter, postgres):
    return Network(starter, postgres)


@pytest.fixture
def keys(windrow, tmp_path):
    folder = tmp_path / "keys"
    assert windrow("keygen", folder).status == 0
    return folder


@pytest.fixture
def secure(starter, postgres, keys):
    return Network(starter, postgres, keys)


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


def test_a_plain_or_unknown_node_gets_nothing(secure, starter, windrow,
                                              tmp_path):
    """Neither one without a key, nor with one that is not allowed, nor with
    another cluster's: each says why, and the run does not know of them."""
    job = Job(starter)
    secure.settings = job.origin.settings()
    windrow("keygen", secure.keys, "--node", "stranger")
    (secure.keys / "allowed/stranger.pub").unlink()
    windrow("keygen", tmp_path / "other")
    other = tmp_path / "other"
    (secure.keys / "allowed/other.pub").write_bytes(
        (other / "node.pub").read_bytes() if (other / "node.pub").exists()
        else (other / "allowed/node.pub").read_bytes())
    run = secure.master("run", job.path)
    stranger = secure.node("--name", "stranger", "--key", "stranger")
    misled = secure.node("--name", "misled", keys=other)
    plain = starter.start("--connect", secure.place, "--name", "plain",
                          program=harness.BUILD / "windrow-node",
                          env={"DATABASE_URL": secure.store.url})
    until(lambda: "does not know this node's key" in stranger.err.read_text()
          and "stranger.pub" in stranger.err.read_text(), "a word of the key")
    until(lambda: "master.pub its key?" in misled.err.read_text(), "a hint")
    until(lambda: "one uses keys" in plain.err.read_text(), "a word of keys")
    until(lambda: "turned away" in run.err.read_text(), "the master's word")
    assert not secure.store.count()
    secure.node("--name", "good", "--once")
    result = run.wait()
    assert result.status == 0, result
    job.check(secure)
    assert [node["name"] for node in result.summary["nodes"]] == ["good"]


def test_a_node_is_allowed_while_it_waits(secure, starter, windrow):
    """It needs no restart, and works within two seconds."""
    job = Job(starter)
    secure.settings = job.origin.settings()
    windrow("keygen", secure.keys, "--node", "late")
    pub = secure.keys / "allowed/late.pub"
    text = pub.read_text()
    pub.unlink()
    run = secure.master("run", job.path)
    late = secure.node("--key", "late", "--once")
    until(lambda: "late.pub" in late.err.read_text(), "a word of the key")
    pub.write_text(text)
    result = run.wait()
    assert result.status == 0, result
    job.check(secure)


# What is refused before anything starts.

@pytest.mark.parametrize("address", ["0.0.0.0", "*", "[::]", "example.org"])
def test_open_to_all_without_keys(windrow, pipeline, postgres, address):
    result = windrow("run", pipeline(harness.source("values", input_values=[
        "A"]), harness.quotes(), harness.store()), "--listen",
        f"tcp://{address}:5555", store=postgres,
        env={"YAHOO_URL": "http://127.0.0.1:9"})
    assert result.status == 2, result
    assert "windrow keygen" in result.err and "--insecure" in result.err
    assert not postgres.count("windrow_runs")


def test_sqlite_is_for_one_machine(windrow, pipeline, sqlite):
    result = windrow("run", pipeline(harness.source("values", input_values=[
        "A"]), harness.quotes(), harness.store()), "--listen",
        "tcp://127.0.0.1:5555", store=sqlite,
        env={"YAHOO_URL": "http://127.0.0.1:9"})
    assert result.status == 2, result
    assert "SQLite" in result.err
    assert not sqlite.path.exists()


def test_keys_that_others_can_read(secure, starter):
    """Refused by master and node alike; nothing of the key is said."""
    job = Job(starter, 3)
    secure.settings = job.origin.settings()
    for name, who in (("master.key", secure.master("run", job.path)),
                      ("node.key", secure.node())):
        who.end()
    for name in ("master.key", "node.key"):
        (secure.keys / name).chmod(0o644)
    for name, who in (("master.key", secure.master("run", job.path)),
                      ("node.key", secure.node())):
        result = who.wait(10)
        assert result.status == 2, result
        assert f"chmod 600 {secure.keys}/{name}" in result.err
        secret = (secure.keys / name).read_text().split()[-1]
        assert secret not in result.text


# Strangers: a port that is open to anybody, for once.

class Stranger:
    """Who speaks ZeroMQ, and has found the ports."""

    def __init__(self, place):
        self.context = zmq.Context()
        self.reports = self.context.socket(zmq.PUSH)
        self.reports.linger = 0
        self.reports.sndhwm = 100
        self.reports.sndtimeo = 50
        self.reports.connect(place)
        self.control = self.context.socket(zmq.SUB)
        self.control.linger = 0
        self.control.rcvtimeo = 3000
        host, _, port = place.rpartition(":")
        self.control.connect(f"{host}:{int(port) + 1}")
        self.control.subscribe("")
        self.sent = 0

    def send(self, data, flags=0):
        try:
            self.reports.send(data, flags)
            self.sent += 1
        except zmq.Again:
            pass

    def say(self, **fields):
        self.send(json.dumps(fields).encode())

    def hello(self, **fields):
        self.say(**{"type": "hello", "epoch": 0, "node": "stranger",
                    "incarnation": 1, "version": 1, "program": "x",
                    "host": "x", "pid": 1, "core": -1, "ledger_id": "x",
                    "last_epoch": 0, "crashed": [], **fields})

    def hears(self, kind):
        """The next message of this kind."""
        limit = time.monotonic() + 5 * PATIENCE
        while time.monotonic() < limit:
            try:
                text = self.control.recv().partition(b" ")[2]
            except zmq.Again:
                continue
            message = json.loads(text)
            if message["type"] == kind:
                return message
        raise AssertionError(f"no {kind}")

    def end(self):
        self.context.destroy(0)


@pytest.fixture
def stranger(network, starter):
    return starter.keep(Stranger(network.place))


def garbage(stranger, chance):
    """Everything that is no message, or not one for now."""
    stranger.send(b"")
    stranger.send(chance.randbytes(100))
    stranger.send(b'{"type": "hello"')
    stranger.send(b"[" * 1000)
    stranger.send(b"x", zmq.SNDMORE)
    stranger.send(b"y")
    stranger.say(type="nonsense", epoch=1, node="a", incarnation=1)
    stranger.say(type="bye", epoch=1, node="a", incarnation=1)
    stranger.say(type="report", epoch=1, node="a", incarnation=1, batch=1,
                 outcome="closed", stored=10, failed=0, children=[],
                 children_more=False)
    stranger.say(type="heartbeat", epoch=99, node="a", incarnation=1)
    stranger.hello(node="../x")
    stranger.hello(incarnation=-1)
    stranger.hello()


def test_strangers(network, starter, stranger):
    """Garbage, messages that claim to be a node's, over-long ones, and a
    flood of all of it: the run stays exact, and the log short."""
    job = Job(starter, 2000, latency="50ms", instances=32)
    network.settings = job.origin.settings()
    run = network.master("run", job.path)
    for name in ("a", "b"):
        network.node("--name", name, "--once")
    until(network.store.count, "a row")
    chance = random.Random(7)
    over = threading.Event()

    def flood():
        while not over.is_set():
            garbage(stranger, chance)
            stranger.send(b"x" * 2_000_000)
            for _ in range(2000):
                if not over.is_set():
                    stranger.hello(node="stranger")

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        result = run.wait(90)
    finally:
        over.set()
        thread.join()
    assert result.status == 0, result
    job.check(network)
    assert stranger.sent > 1000
    assert {node["name"] for node in result.summary["nodes"]} == {"a", "b"}
    assert "sends too much and is held off" in result.err, result
    lines = len(result.err.splitlines())
    assert lines < 100 + 10 * result.seconds, result


def test_another_version(network, starter, stranger):
    """The master says both versions, and the node ends."""
    job = Job(starter, 3)
    network.settings = job.origin.settings()
    network.master("run", job.path)
    until(lambda: stranger.hello(version=7) or stranger.sent > 3, "hellos",
          pause=0.2)
    reason = stranger.hears("refuse")["reason"]
    assert "version 7" in reason and "1" in reason


def test_a_node_is_refused(network, starter):
    """It logs why, and exits with status 4, even if it would serve on."""
    context = zmq.Context()
    host, _, port = network.place.rpartition(":")
    reports, control = context.socket(zmq.PULL), context.socket(zmq.PUB)
    try:
        reports.bind(network.place)
        control.bind(f"{host}:{int(port) + 1}")
        reports.rcvtimeo = 5000
        node = network.node("--name", "a")
        while node.is_running():
            hello = json.loads(reports.recv())
            assert hello["type"] == "hello" and hello["version"] == 1
            control.send(b"a " + json.dumps({
                "type": "refuse", "epoch": 1, "node": "a",
                "incarnation": hello["incarnation"],
                "reason": "the node speaks version 1 of the protocol, the "
                          "master 7"}).encode())
            time.sleep(0.1)
        result = node.wait(5)
        assert result.status == 4, result
        assert "version 1 of the protocol, the master 7" in result.err
    finally:
        context.destroy(0)


# A long-lived cluster.

def test_run_after_run(network, starter):
    """The same two nodes, which were there before the first master."""
    jobs = [Job(starter, 150), Job(starter, 100)]
    network.settings = jobs[0].origin.settings()
    nodes = [network.node("--name", name) for name in ("a", "b")]
    time.sleep(1)
    for job in jobs:
        result = network.master("run", job.path).wait(30)
        assert result.status == 0, result
        assert ({node["name"] for node in result.summary["nodes"]}
                == {"a", "b"})
        assert all(node.is_running() for node in nodes)
    assert network.store.query("SELECT count(*) FROM prices")[0][0] == 250
    for node in nodes:
        node.signal(signal.SIGTERM)
        assert node.wait(5).status == 0


def test_a_node_with_other_settings(network, starter):
    """It would ask other sites, or faster than is meant: it ends, and says
    what differs. Secrets are its own."""
    job = Job(starter, 300, latency="100ms", instances=4)
    network.settings = job.origin.settings()
    node = network.node("--name", "same", "--once", PGPASSWORD="its own")
    run = network.master("run", job.path)
    until(lambda: network.store.count() > 10, "some rows")
    other = network.node("--name", "other", YAHOO_URL="http://127.0.0.1:1")
    said = other.wait(15)
    result = run.wait(60)
    assert result.status == 0, result
    job.check(network)
    assert [node["name"] for node in result.summary["nodes"]
            if node["keys"]] == ["same"]
    assert said.status == 4, said
    assert "settings are not the master's" in said.err
    assert "http://127.0.0.1:1" in said.err
    assert node.wait(5).status == 0


def test_the_master_is_replaced(network, starter):
    """Killed, and the run resumed at the same place: the nodes stay."""
    job = Job(starter, 1500, latency="50ms", instances=16)
    network.settings = {**job.origin.settings(), "WINDROW_MASTER_LEASE": "1s",
                        "WINDROW_LEASE": "1s", "WINDROW_HEARTBEAT": "250ms"}
    nodes = [network.node("--name", name) for name in ("a", "b")]
    run = network.master("run", job.path)
    until(lambda: network.store.count() >= 100, "some rows")
    run.signal(signal.SIGKILL)
    run.process.wait(5)
    assert network.store.count() < 1400
    result = network.master("resume", 1).wait(60)
    assert result.status == 0, result
    job.check(network)
    assert all(node.is_running() for node in nodes)
    assert max(job.origin.asked().values()) <= 2


def test_a_node_joins(network, starter):
    """In mid-run; it has rows of its own within two seconds."""
    job = Job(starter, 3000, latency="50ms", instances=16)
    network.settings = job.origin.settings()
    network.node("--name", "a", "--once")
    run = network.master("run", job.path)
    until(lambda: network.store.count() >= 50, "some rows")
    network.node("--name", "b", "--once")
    until(lambda: network.store.query(
        "SELECT count(*) FROM windrow_batches WHERE closed_by LIKE 'b/%'")[0][0],
        "a batch of the new node", 3)
    result = run.wait(60)
    assert result.status == 0, result
    job.check(network)


def test_a_node_is_told_to_stop(network, starter):
    """SIGTERM: it ends with 0 within its grace; nothing is lost."""
    job = Job(starter, 1500, latency="50ms", instances=16)
    network.settings = job.origin.settings()
    nodes = [network.node("--name", name) for name in ("a", "b")]
    run = network.master("run", job.path)
    until(lambda: network.store.count() >= 100, "some rows")
    began = time.monotonic()
    nodes[0].signal(signal.SIGTERM)
    assert nodes[0].wait(9).status == 0
    assert time.monotonic() - began < 9 * PATIENCE
    assert run.is_running()
    result = run.wait(60)
    assert result.status == 0, result
    job.check(network)
    assert max(job.origin.asked().values()) <= 2


def test_task_ports_are_used_again(network, starter):
    """Three for two nodes, one of which is replaced twice."""
    job = Job(starter, 2000, latency="50ms", instances=16)
    network.settings = {**job.origin.settings(), "WINDROW_LEASE": "1s",
                        "WINDROW_HEARTBEAT": "250ms"}
    first = int(free_place().rpartition(":")[2])
    run = network.master("run", job.path, "--task-ports",
                         f"{first}-{first + 2}")
    network.node("--name", "a")
    for number in range(3):
        rows = network.store.count()
        node = network.node("--name", f"b{number}")
        until(lambda: network.store.count() > rows + 50, "more rows")
        node.signal(signal.SIGKILL)
        time.sleep(1.2)
    result = run.wait(60)
    assert result.status == 0, result
    job.check(network)


def test_local_nodes_too(secure, starter):
    """Nodes of the master's own, over the same ports with the same keys."""
    job = Job(starter)
    result = starter.start(
        "run", job.path, "--listen", secure.place, "--keys", secure.keys,
        "--scale", "2", origin=job.origin, store=secure.store).wait()
    assert result.status == 0, result
    job.check(secure)
    assert len(result.summary["nodes"]) == 2


@contextlib.contextmanager
def locked(store, table):
    """Nobody else gets at the table."""
    import psycopg2
    with contextlib.closing(psycopg2.connect(store.url)) as connection:
        connection.cursor().execute(
            f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def test_a_run_is_replaced_while_it_commits(network, starter):
    """The database holds the closings of a run whose master dies; the node
    goes on with another run, and both end exactly."""
    job = Job(starter, 400)
    network.settings = {**job.origin.settings(), "WINDROW_MASTER_LEASE": "1s",
                        "WINDROW_LEASE": "1s", "WINDROW_HEARTBEAT": "250ms"}
    node = network.node("--name", "a")
    assert network.master("run", job.path, "--limit", "1").wait().status == 0
    network.store.execute("DELETE FROM prices")
    run = network.master("run", job.path, "--batch", "20")
    until(lambda: network.store.query(
        "SELECT count(*) FROM windrow_runs")[0][0] == 2, "a second run")
    with locked(network.store, "prices"):
        time.sleep(1)
        run.signal(signal.SIGKILL)
        run.process.wait(5)
        third = network.master("run", job.path, "--batch", "20")
        time.sleep(2)
    assert third.wait(30).status == 0
    assert network.master("resume", 2).wait(30).status == 0
    assert node.is_running()
    rows = network.store.rows()
    assert len(rows) == 800
    assert network.store.query(
        "SELECT count(*) FROM (SELECT symbol FROM prices GROUP BY symbol"
        " HAVING count(*) = 2) AS pairs")[0][0] == 400
    node.signal(signal.SIGTERM)
    assert node.wait(10).status == 0

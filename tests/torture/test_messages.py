"""Messages that come to harm, and peers that nobody asked for.

Over the ipc:// sockets of `windrow run` and its own nodes, by way of
between.py. What is asked of each run: every key stored once, and an end.
"""
import collections
import json
import time

import pytest

import harness
from halves import one_store_in_the_short_form  # noqa: F401
from harness import PATIENCE, until

zmq = pytest.importorskip("zmq")

from between import HARMS, Between  # noqa: E402

SOON = {"WINDROW_HEARTBEAT": "200ms", "WINDROW_LEASE": "800ms"}


@pytest.fixture
def between(starter):
    def make(*arguments, **options):
        return starter.keep(Between(*arguments, **options))
    return make


def run_through(middle, origin, pipeline, start, store, n_keys, nodes=3,
                latency="20ms"):
    """A run whose messages pass through there; small batches, so many."""
    server = origin("--count", n_keys, "--latency", latency)
    path = pipeline(harness.source(), harness.quotes(instances=16),
                    harness.store())
    return start("run", path, "--scale", nodes, "--batch", 10, origin=server,
                 store=store, env=SOON, program=middle.program)


def test_what_lies_between_changes_nothing(torture, store, between, origin,
                                           pipeline, start):
    """The frame of these tests works, and sees all kinds of messages."""
    middle = between()
    run = run_through(middle, origin, pipeline, start, store, 200)
    result = run.wait(30)
    assert result.status == 0, result
    assert {"hello", "welcome", "task", "report",
            "heartbeat"} <= set(middle.passed)
    torture.row("messages through the tests' proxy, unharmed", store=store,
                keys=200)


@pytest.mark.parametrize("seed", range(1, 11))
def test_messages_come_to_all_harms(torture, store, between, origin, pipeline,
                                    start, seed):
    """One in ten, by chance, in each of all ways."""
    if seed > 1 and not torture.full:
        pytest.skip("the long form: ten seeds")
    middle = between(HARMS, 0.1, seed)
    run = run_through(middle, origin, pipeline, start, store, 1000)
    result = run.wait(120)
    assert result.status == 0, result
    torture.row("messages harmed in all ways, one in ten", store=store,
                keys=1000, tried=sum(middle.counts.values()))


@pytest.mark.parametrize("harm", HARMS)
def test_messages_come_to_one_harm(torture, sqlite, between, origin, pipeline,
                                   start, harm):
    """One in five."""
    if not torture.full:
        pytest.skip("the long form: each harm has a run of its own")
    middle = between([harm], 0.2)
    run = run_through(middle, origin, pipeline, start, sqlite, 400)
    result = run.wait(120)
    assert result.status == 0, result
    torture.row(f"messages {harm}, one in five", store=sqlite, keys=400,
                tried=middle.counts[harm])


def test_reports_that_lie(torture, store, between, origin, pipeline, start):
    """A report says that a batch is closed as soon as the node has got it:
    what is done is what the ledger says, so nothing is lost."""
    lies = collections.Counter()

    def tap(middle, kind, message, data):
        if kind == "task" and message["type"] == "task":
            lies["told"] += 1
            middle.master.send(json.dumps({
                "type": "report", "epoch": message["epoch"],
                "node": message["node"],
                "incarnation": message["incarnation"],
                "batch": message["batch"], "outcome": "closed",
                "stored": len(message["keys"]), "failed": 0, "children": [],
            }).encode())

    middle = between(tap=tap)
    run = run_through(middle, origin, pipeline, start, store, 300)
    result = run.wait(60)
    assert result.status == 0, result
    torture.row("reports that lie: closed, as soon as given", store=store,
                keys=300, tried=lies["told"])


class Stranger:
    """A process of the same user that talks to the master's sockets."""

    def __init__(self, place):
        self.zmq = zmq.Context()
        self.place = place
        self.reports = self.zmq.socket(zmq.PUSH)
        self.control = self.zmq.socket(zmq.SUB)
        for sock in (self.reports, self.control):
            sock.setsockopt(zmq.LINGER, 0)
        self.reports.connect(f"{place}/reports")
        self.control.connect(f"{place}/control")
        self.control.subscribe(b"")

    def say(self, **message):
        self.reports.send(json.dumps(message).encode())

    def hear(self, kind, node, seconds=5):
        """The next such message to this node."""
        limit = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < limit:
            if self.control.poll(50):
                message = json.loads(self.control.recv().partition(b" ")[2])
                if (message["type"], message.get("node")) == (kind, node):
                    return message
        raise AssertionError(f"{node} was sent no {kind}")

    def end(self):
        self.zmq.destroy(0)


@pytest.fixture
def visited(between, origin, pipeline, start, starter, store):
    """A run, and a stranger at its master's own sockets."""
    middle = between()
    run = run_through(middle, origin, pipeline, start, store, 400,
                      latency="200ms")
    until(lambda: (middle.folder / "place").exists(), "the master's place")
    until(lambda: store.count() > 0, "the first row", 20)
    stranger = starter.keep(Stranger((middle.folder / "place").read_text()))
    time.sleep(0.3)  # until it is subscribed
    return middle, run, stranger


def hello(node, **fields):
    return {"type": "hello", "epoch": 0, "node": node, "incarnation": 1,
            "version": 1, "program": "windrow-node 0.1.0", "host": "elsewhere",
            "pid": 1, "core": -1, "ledger_id": "?", "last_epoch": 0,
            "crashed": [], **fields}


def test_strangers_at_the_door(torture, store, visited):
    """What is of another version, or of another database, is refused; what
    makes no sense is dropped; the run goes on."""
    middle, run, stranger = visited
    stranger.say(**hello("other-version", version=99))
    assert "version" in stranger.hear("refuse", "other-version")["reason"]
    stranger.say(**hello("other-database", ledger_id="f" * 32))
    assert stranger.hear("refuse", "other-database")["reason"]
    for junk in (b"", b"{", b"null", b"[]", b"{}", b"\0" * 100,
                 b"{" * 100000, b"x" * 900000, b'{"type":"report"}',
                 b'{"type":"hello","node":"../x"}'):
        stranger.reports.send(junk)
    for _ in range(2000):
        stranger.say(type="heartbeat", epoch=1, node="nobody", incarnation=1)
    result = run.wait(60)
    assert result.status == 0, result
    torture.row("strangers and junk at the master's sockets", store=store,
                keys=400, tried=2012)


def test_a_node_that_takes_work_and_does_nothing(torture, store, between,
                                                 origin, pipeline, start,
                                                 starter):
    """It says a real hello and is given batches; after its lease others do
    them."""
    seen = {}

    def tap(middle, kind, message, data):
        seen.setdefault(message["type"], message)

    middle = between(tap=tap)
    run = run_through(middle, origin, pipeline, start, store, 400,
                      latency="300ms")
    middle.other = "sloth"
    until(lambda: "heartbeat" in seen, "a heartbeat")
    stranger = starter.keep(Stranger((middle.folder / "place").read_text()))
    time.sleep(0.3)
    stranger.say(**{**seen["hello"], "node": "sloth", "incarnation": 1})
    welcome = stranger.hear("welcome", "sloth")
    tasks = stranger.zmq.socket(zmq.PULL)
    tasks.connect(welcome["task_endpoint"])
    stranger.say(**{**seen["heartbeat"], "node": "sloth", "incarnation": 1,
                    "number": 1, "held": [], "shares": []})
    assert tasks.poll(5000 * PATIENCE), "it was given nothing"
    given = time.monotonic()
    result = run.wait(60)
    assert result.status == 0, result
    torture.row("a node that takes work and does nothing", store=store,
                keys=400, recover=time.monotonic() - given)


def test_stolen_tasks(torture, store, between, origin, pipeline, start):
    """Each fourth task never reaches its node, and there is no other one that
    would be given it at the end: the master misses it in the heartbeats, looks
    it up in the ledger, and gives it again."""
    middle = between()
    take, stolen = middle.take, collections.Counter()

    def steal(sock):
        if middle.ours[sock][0] == "task":
            stolen["seen"] += 1
            if stolen["seen"] % 4 == 0:
                stolen["stolen"] += 1
                sock.recv()
                return
        take(sock)

    middle.take = steal
    run = run_through(middle, origin, pipeline, start, store, 300, nodes=1)
    result = run.wait(60)
    assert result.status == 0, result
    assert stolen["stolen"] > 3
    torture.row("tasks that never arrive, one in four", store=store, keys=300,
                tried=stolen["stolen"])


def test_a_node_with_another_database(torture, store, between, origin,
                                      pipeline, start, tmp_path):
    """A real node whose DATABASE_URL is another one is refused, says so, and
    has stored nothing there."""
    middle = between()
    run = run_through(middle, origin, pipeline, start, store, 300,
                      latency="100ms")
    until(lambda: (middle.folder / "place").exists(), "the master's place")
    other = harness.SqliteStore(tmp_path / "other.db")
    node = start("--connect", (middle.folder / "place").read_text(), "--name",
                 "astray", env={"DATABASE_URL": other.url},
                 program=harness.BUILD / "windrow-node").wait(20)
    assert node.status == 4 and "database" in node.err, node
    assert other.count() == 0
    result = run.wait(60)
    assert result.status == 0, result
    torture.row("a node with another database", store=store, keys=300)

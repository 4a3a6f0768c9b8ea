"""What lies between a master and its nodes: each message goes through here,
and some of them come to harm.

`windrow run` starts a script in place of windrow-node, which tells where the
master is and leads the real node to our sockets. The welcome names the place
of a node's tasks; it is changed on its way, and so the tasks pass too.
"""
import collections
import heapq
import itertools
import json
import pathlib
import random
import shutil
import tempfile
import threading
import time

import zmq

import harness

SCRIPT = """#!/bin/bash
arguments=("$@")
for ((i = 0; i < $#; i++)); do
    if [[ ${arguments[i]} == --connect ]]; then
        printf %%s "${arguments[i + 1]}" >%(folder)s/place.$$
        mv %(folder)s/place.$$ %(folder)s/place
        arguments[i + 1]=ipc://%(folder)s
    fi
done
exec -a windrow-node %(node)s "${arguments[@]}"
"""


def parse(data):
    """Topic and a space (of a control message, or empty), and the object."""
    topic, brace, rest = data.partition(b"{")
    return topic, json.loads(brace + rest)


def change(data, **fields):
    topic, message = parse(data)
    return topic + json.dumps({**message, **fields}).encode()


def older(data, field):
    _, message = parse(data)
    return change(data, **{field: max(0, message[field] - 1)})


# What may become of a message: from its bytes and a source of chance to what
# is sent instead: pairs of a delay in seconds and bytes.
HARMS = {
    "lost": lambda data, chance: [],
    "repeated": lambda data, chance: [(0, data), (0, data),
                                      (chance.random(), data)],
    "delayed": lambda data, chance: [(chance.uniform(0.05, 1.5), data)],
    "reordered": lambda data, chance: [(chance.uniform(0, 0.02), data)],
    "truncated": lambda data, chance: [
        (0, data[:chance.randrange(len(data))])],
    "garbled": lambda data, chance: [(0, bytes(
        byte ^ (chance.random() < 0.02) * chance.randrange(1, 256)
        for byte in data))],
    "of an old epoch": lambda data, chance: [(0, older(data, "epoch"))],
    "of an old incarnation": lambda data, chance: [
        (0, older(data, "incarnation"))],
    "of an unknown type": lambda data, chance: [
        (0, change(data, type=parse(data)[1]["type"] + "2"))],
    "from a stranger": lambda data, chance: [
        (0, change(data, node="stranger")), (0, data)],
}


class Between:
    """Starts at once; `harm` is a list of names in HARMS, `share` of all
    messages come to one of them. `tap(between, kind, message)`, if given, sees
    each as it passes, in the thread that passes it."""

    def __init__(self, harms=(), share=0.0, seed=1, tap=None):
        self.harms, self.share = list(harms), share
        self.chance, self.tap = random.Random(seed), tap
        self.counts = collections.Counter()
        self.passed = collections.Counter()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wb-"))
        self.make_programs()
        self.zmq = zmq.Context()
        self.late, self.order = [], itertools.count()
        self.other = None  # a node whose tasks do not pass here
        self.tasks = {}  # the master's endpoint: our endpoint
        self.ours = {}  # a socket that is read: (kind, where to send)
        self.poller = zmq.Poller()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.pass_on, daemon=True)
        self.thread.start()

    def make_programs(self):
        shutil.copy(harness.BUILD / "windrow", self.folder / "windrow")
        script = self.folder / "windrow-node"
        script.write_text(SCRIPT % {"folder": self.folder,
                                    "node": harness.BUILD / "windrow-node"})
        script.chmod(0o755)
        self.program = self.folder / "windrow"

    def socket(self, kind, bind=None, connect=None):
        sock = self.zmq.socket(kind)
        sock.setsockopt(zmq.LINGER, 0)
        sock.setsockopt(zmq.SNDHWM, 100000)
        sock.setsockopt(zmq.RCVHWM, 100000)
        if kind == zmq.SUB:
            sock.subscribe(b"")
        if bind:
            sock.bind(bind)
        if connect:
            sock.connect(connect)
        return sock

    def through(self, kind, take, give):
        self.ours[take] = (kind, give)
        self.poller.register(take, zmq.POLLIN)

    def open(self):
        """To the master, once a node's script has said where it is."""
        self.place = (self.folder / "place").read_text()
        self.master = self.socket(zmq.PUSH, connect=f"{self.place}/reports")
        self.through("report", self.from_nodes, self.master)
        self.through("control", self.socket(
            zmq.SUB, connect=f"{self.place}/control"), self.to_nodes)

    def pass_on(self):
        self.from_nodes = self.socket(zmq.PULL, f"ipc://{self.folder}/reports")
        self.to_nodes = self.socket(zmq.PUB, f"ipc://{self.folder}/control")
        is_open = False
        while not self.over.is_set():
            if not is_open and (self.folder / "place").exists():
                self.open()
                is_open = True
            for sock, _ in self.poller.poll(5 if is_open else 0):
                self.take(sock)
            self.send_late()
            if not is_open:
                time.sleep(0.005)
        for sock in {*self.ours, *(give for _, give in self.ours.values()),
                     self.from_nodes, self.to_nodes}:
            sock.close(0)

    def take(self, sock):
        kind, give = self.ours[sock]
        data = sock.recv()
        topic, message = parse(data)
        self.passed[message["type"]] += 1
        if message["type"] == "welcome" and message["node"] != self.other:
            data = change(data, task_endpoint=self.tasks_of(
                message["task_endpoint"]))
        if self.tap:
            self.tap(self, kind, message, data)
        if self.harms and self.chance.random() < self.share:
            harm = self.chance.choice(self.harms)
            self.counts[harm] += 1
            for delay, bytes_ in HARMS[harm](data, self.chance):
                self.later(delay, give, bytes_)
        else:
            self.send(give, data, time.monotonic())

    def send(self, give, data, since):
        """Never waits: who has not connected yet gets it a little later, who
        does not in PATIENCE seconds is gone."""
        try:
            give.send(data, zmq.DONTWAIT)
        except zmq.Again:
            if time.monotonic() < since + harness.PATIENCE:
                self.later(0.02, give, data, since)

    def later(self, delay, give, data, since=None):
        due = time.monotonic() + delay
        heapq.heappush(self.late, (due, next(self.order), give, data,
                                   since or due))

    def send_late(self):
        while self.late and self.late[0][0] <= time.monotonic():
            _, _, give, data, since = heapq.heappop(self.late)
            self.send(give, data, since)

    def tasks_of(self, endpoint):
        if endpoint not in self.tasks:
            number = len(self.tasks) + 1
            ours = f"ipc://{self.folder}/tasks-{number}"
            self.tasks[endpoint] = ours
            self.through("task", self.socket(zmq.PULL, connect=endpoint),
                         self.socket(zmq.PUSH, bind=ours))
        return self.tasks[endpoint]

    def end(self):
        self.over.set()
        self.thread.join(10)
        self.zmq.destroy(0)
        shutil.rmtree(self.folder, ignore_errors=True)

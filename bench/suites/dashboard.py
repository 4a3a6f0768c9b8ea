"""What open pages of the dashboard cost a run."""
import contextlib
import selectors
import socket
import threading
import time

from harness import servers, windrow

ORDER = 8
TITLE = "The dashboard: a run with a hundred open pages"
ABOUT = """\
The same run without a dashboard, with one (`--dashboard`) and no page, and
with a hundred pages that are told each second how it goes (plain sockets that
read server-sent events). All of it has one core, which the node keeps busy: what
master and dashboard take of it, the node lacks. That is CPU time, which can be
measured to a thousandth; the time of a run varies by a tenth. Then the same at
10,000 keys a second, where the core has time left."""

PAGES = 100
PACE = 10_000  # keys a second
ASKED_FOR = (b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Pages(threading.Thread):
    """So many sockets that read what they are told, from the moment when the
    dashboard listens."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.port, self.count = port, count
        self.ended = threading.Event()
        self.told = 0

    def connect(self):
        while not self.ended.is_set():
            with contextlib.suppress(OSError):
                page = socket.create_connection(("127.0.0.1", self.port), 1)
                page.sendall(ASKED_FOR)
                page.setblocking(False)
                return page
            time.sleep(0.02)
        return None

    def run(self):
        open_pages = selectors.DefaultSelector()
        for _ in range(self.count):
            if page := self.connect():
                open_pages.register(page, selectors.EVENT_READ)
        while not self.ended.is_set():
            for key, _ in open_pages.select(0.1):
                with contextlib.suppress(OSError):
                    text = key.fileobj.recv(1 << 16)
                    self.told += text.count(b"event: status")
                    if text:
                        continue
                open_pages.unregister(key.fileobj)
                key.fileobj.close()

    def end(self):
        self.ended.set()
        self.join(5)


class Runs:
    """The same keys, with and without a dashboard."""

    def __init__(self, bench, count, options=""):
        self.bench, self.count = bench, count
        self.nginx = bench.nginx()
        keys = servers.write_keys(bench.folder / f"keys-{count}.txt", count)
        folder = bench.folder / f"pipeline-{count}"
        folder.mkdir(exist_ok=True)
        self.path = windrow.pipeline(folder, self.nginx.url, keys,
                                     options=options)

    def run(self, dashboard, n_pages=0):
        port = free_port()
        store = windrow.fresh_sqlite(self.bench.folder)
        pages = Pages(port, n_pages)
        pages.start()
        figures = windrow.measure(
            self.bench.folder, self.path, store, self.count,
            cores=self.bench.cores.client, servers={"nginx": self.nginx},
            arguments=[f"--dashboard=127.0.0.1:{port}"] if dashboard else [])
        pages.end()
        windrow.check_sqlite(store, self.count)
        beside = figures["master_us"] * self.count / 1e6
        return figures | {"told": pages.told,
                          "beside": 100 * beside / figures["seconds"]}

    def rounds(self, name):
        rounds = self.bench.in_turn(name, {
            "none": lambda: self.run(False),
            "no page": lambda: self.run(True),
            f"{PAGES} pages": lambda: self.run(True, PAGES)})
        self.bench.table(rounds, {
            "keys/s": "keys_s", "node's CPU, µs a key": "node_us",
            "master and dashboard, % of a core": "beside",
            "statuses told": "told"}, against=("none", "seconds"))
        return rounds


def run(bench):
    fast = Runs(bench, bench.count(quick=20_000, full=200_000))
    bench.say("As fast as it goes:")
    rounds = fast.rounds("as fast as it goes")
    bench.goal(f"what {PAGES} open pages take of the core that the run is on",
               rounds.difference(f"{PAGES} pages", "none", "beside"),
               "<=", 2, " %")
    paced = Runs(bench, bench.count(quick=10_000, full=100_000),
                 f"rate: {PACE}/s")
    bench.say(f"At {PACE:,} keys a second:")
    rounds = paced.rounds("paced")
    bench.goal(f"what telling the dashboard takes of a core at {PACE:,} keys "
               "a second", rounds.difference("no page", "none", "beside"),
               "<=", 1, " %")

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
read server-sent events). The master tells its status once a second in all
three; the dashboard shares the client's core."""

PAGES = 100
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


def run(bench):
    count = bench.count(quick=20_000, full=200_000)
    keys = servers.write_keys(bench.folder / "keys.txt", count)
    nginx = bench.nginx()
    path = windrow.pipeline(bench.folder, nginx.url, keys)

    def a_run(dashboard, n_pages=0):
        port = free_port()
        store = windrow.fresh_sqlite(bench.folder)
        pages = Pages(port, n_pages)
        pages.start()
        figures = windrow.measure(
            bench.folder, path, store, count, cores=bench.cores.client,
            servers={"nginx": nginx},
            arguments=[f"--dashboard=127.0.0.1:{port}"] if dashboard else [])
        pages.end()
        windrow.check_sqlite(store, count)
        return figures | {"told": pages.told}

    rounds = bench.in_turn("dashboard", {
        "none": lambda: a_run(False),
        "no page": lambda: a_run(True),
        f"{PAGES} pages": lambda: a_run(True, PAGES)})
    bench.table(rounds, {"keys/s": "keys_s", "seconds": "seconds",
                         "CPU, µs a key": "cpu_us", "statuses": "told"},
                against=("none", "seconds"))
    bench.goal(f"a run with {PAGES} open pages, times one with none",
               rounds.ratio(f"{PAGES} pages", "none", "seconds"), "<=", 1.02)

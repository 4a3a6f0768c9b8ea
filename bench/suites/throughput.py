"""Keys a second that one core takes from the web into a table."""
import json

from harness import peers, processes, profile, servers, tools, windrow
from harness.tools import Failed, Missing

ORDER = 1
TITLE = "Throughput: keys that one core fetches, reads and stores"
ABOUT = """\
Each client has one core; nginx (one worker, answers of 1.2 KB out of memory)
and PostgreSQL share another. 64 requests are in flight (16 where each takes a
thread). wrk and the bare loop of libcurl and libevent only ask, and throw the
answers away: nothing that uses HTTP, or libcurl, can be cheaper. The others
fetch, read the price with its digits, and store a row for each key in
PostgreSQL, as their users would write it (`bench/peers/`: all by COPY in
batches of 512). Windrow does so exactly once, with a ledger. SQLite in memory
(`/dev/shm`) is the same run with the cheapest store there is. After each run
the rows are looked at: one for each key, with the very digits. Time is from
the start of a command to its end; slow ones are given fewer keys, and what
Python takes to start (0.1 to 0.6 s) is a few parts in a hundred of theirs in
full, more with --quick."""

WRK, LOOP = "wrk, requests only", "libcurl and libevent, requests only"
MEMORY, POSTGRES = "Windrow, SQLite in memory", "Windrow, PostgreSQL"
GO, AIOHTTP = "Go, pgx", "Python, aiohttp, asyncpg"
UVLOOP = AIOHTTP + ", uvloop"
THREADS, SCRAPY = "Python, requests in threads", "Scrapy"
IN_FLIGHT, IN_THREADS = 64, 16

# The peers, and into how many parts the number of keys goes for each.
PEERS = {GO: (peers.go_command, IN_FLIGHT, 1),
         AIOHTTP: (peers.aiohttp_command, IN_FLIGHT, 3),
         UVLOOP: (peers.uvloop_command, IN_FLIGHT, 3),
         THREADS: (peers.threads_command, IN_THREADS, 10),
         SCRAPY: (peers.scrapy_command, IN_FLIGHT, 25)}


class Systems:
    """What is measured, against the same nginx and PostgreSQL."""

    def __init__(self, bench):
        self.bench, self.nginx = bench, bench.nginx()
        self.count = bench.count(20_000, 200_000)
        self.client = bench.cores.client

    def keys(self, count):
        path = self.bench.folder / f"keys-{count}.txt"
        return path if path.exists() else servers.write_keys(path, count)

    def wrk(self):
        seconds = 1 if self.bench.quick else 5
        outcome = processes.run(
            [tools.program("wrk"), "-t1", f"-c{IN_FLIGHT}", f"-d{seconds}s",
             self.nginx.url + servers.PATH + "K0000001" + servers.ASKED],
            self.bench.folder, cores=self.client,
            servers={"nginx": self.nginx})
        told = [line.split() for line in outcome.said.splitlines()]
        count = next((int(words[0]) for words in told
                      if words[1:3] == ["requests", "in"]), 0)
        if not count:
            raise Failed("wrk counted no request: " + outcome.said)
        return windrow.of_outcome(outcome, count)

    def loop(self):
        outcome = processes.run(
            [tools.program("windrow-bench-loop"), "--url",
             f"{self.nginx.url}{servers.PATH}{{key}}{servers.ASKED}",
             "--keys", self.count, "--in-flight", IN_FLIGHT],
            self.bench.folder, cores=self.client,
            servers={"nginx": self.nginx})
        told = json.loads(outcome.said)
        if told["failed"]:
            raise Failed(f"the bare loop: {told}")
        return windrow.of_outcome(outcome, self.count)

    def windrow(self, store, **more):
        path = windrow.pipeline(self.bench.folder, self.nginx.url,
                                self.keys(self.count), IN_FLIGHT)
        return windrow.measure(self.bench.folder, path, store, self.count,
                               cores=self.client, **more)

    def memory(self):
        store = windrow.fresh_sqlite(self.bench.shared_memory())
        figures = self.windrow(store, servers={"nginx": self.nginx})
        windrow.check_sqlite(store, self.count)
        return figures

    def postgres(self, **more):
        postgres = self.bench.postgres()
        postgres.clear()
        figures = self.windrow(postgres.url, servers={
            "nginx": self.nginx, "postgres": postgres}, **more)
        postgres.check(self.count)
        return figures

    def peer(self, name):
        command, at_once, parts = PEERS[name]
        count = max(self.count // parts, 1)
        return peers.measure(self.bench.folder, command, self.nginx,
                             self.bench.postgres(), self.keys(count), count,
                             at_once, self.client)


def run(bench):
    systems = Systems(bench)
    rounds = bench.in_turn("one core", {
        WRK: systems.wrk, LOOP: systems.loop, MEMORY: systems.memory,
        POSTGRES: systems.postgres,
        **{name: lambda name=name: systems.peer(name) for name in PEERS}},
        rounds=bench.n_rounds(2, 5))
    bench.table(rounds, {
        "keys/s": "keys_s", "CPU of the client, µs a key": "cpu_us",
        "keys a CPU second": "keys_cpu_s", "nginx, µs": "nginx_us",
        "PostgreSQL, µs": "postgres_us", "keys": "keys"},
        against=(POSTGRES, "keys_cpu_s"))
    bench.bars("Keys a CPU second of the client", "keys", rounds,
               "keys_cpu_s")
    bench.bars("Keys a second, client on one core", "keys", rounds, "keys_s")
    tell_goals(bench, rounds)
    bench.attempt("where the CPU time goes (perf)",
                  lambda: tell_profile(bench, systems, rounds) or True)


def tell_goals(bench, rounds):
    bench.goal("CPU of a node a key, times the bare loop's",
               rounds.ratio(POSTGRES, LOOP, "node_us", "cpu_us"), "<=", 1.4)
    for peer, wanted in (GO, 1.25), (AIOHTTP, 8), (THREADS, 25):
        bench.goal(f"keys a CPU second, times {peer}",
                   rounds.ratio(POSTGRES, peer, "keys_cpu_s"), ">=", wanted)


def tell_profile(bench, systems, rounds):
    """One more run, sampled: what the node's time serves."""
    if POSTGRES not in rounds:
        raise Missing("there is no run to sample")
    perf, data = profile.need(), bench.folder / "perf.data"
    systems.postgres(before=profile.recording(perf, data), name="profiled")
    samples = profile.read(perf, data, bench.folder)
    if not samples.n:
        raise Missing("perf took no sample of the node")
    cost = rounds.median(POSTGRES, "node_us")
    bench.say("What a key costs the node that stores in PostgreSQL "
              f"({samples.n} samples, {profile.FREQUENCY} a second). The "
              "kernel's part of the loop's thread is counted as HTTP; libc is "
              "memory and strings, most of it for HTTP; other is the loop, "
              "the node's core, and what could not be told.")
    shares = samples.shares()
    bench.grid(["", *shares], [
        ["share of the node's CPU", *(f"{s:.1%}" for s in shares.values())],
        ["µs a key", *(f"{s * cost:.2f}" for s in shares.values())]])
    if bench.perf:
        for title, n, by_function in (("library", 12, False),
                                      ("function", 25, True)):
            bench.grid([f"share, by {title}", "library", "function"][
                :3 if by_function else 2], [
                [f"{share:.1%}", *what[:2 if by_function else 1]]
                for share, *what in samples.top(n, by_function)])

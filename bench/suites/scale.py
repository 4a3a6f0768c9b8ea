"""What more keys and more nodes cost: time, memory, the master's part."""
import pathlib
import urllib.request

from harness import processes, servers, tools, windrow
from harness.tools import Missing

ORDER = 6
TITLE = "Scale: 500 to 5,000,000 keys, 1 to 8 nodes, and the start"
ABOUT = """\
Windrow into PostgreSQL, asking nginx. The nodes have the client's core, or
the clients' cores where there are more than two, so that several nodes on one
core show what they cost, not what they gain. Memory is the largest that a
process had (VmHWM), the master's and the largest node's. The master's share is
that of the CPU time of master and nodes together."""

NODES = [1, 2, 4, 8]
SIZES = [500, 5_000, 50_000, 500_000]
LARGEST = 5_000_000
BASE = 50_000  # whose memory that of the largest is compared with
MORE_MB = 8
START_KEYS = 503


class Systems:
    def __init__(self, bench):
        self.bench = bench
        self.nginx, self.postgres = bench.nginx(), bench.postgres()

    def measure(self, count, nodes):
        folder = self.bench.folder
        keys = folder / f"keys-{count}.txt"
        if not keys.exists():
            servers.write_keys(keys, count)
        self.postgres.clear()
        path = windrow.pipeline(folder, self.nginx.url, keys)
        figures = windrow.measure(
            folder, path, self.postgres.url, count, nodes=nodes, look=True,
            cores=self.bench.cores.clients, limit=3600,
            servers={"nginx": self.nginx, "postgres": self.postgres})
        self.postgres.check(count)
        batches = int(self.postgres.sql("SELECT count(*) FROM windrow_batches"))
        return figures | {
            "batches": batches,
            "master_percent": 100 * figures["master_share"],
            "master_us_batch": figures["master_us"] * count / batches}


COLUMNS = {"seconds": "seconds", "keys/s": "keys_s", "batches": "batches",
           "master, MB": "master_mb", "node, MB": "node_mb",
           "CPU, µs a key": "cpu_us", "master, µs a batch": "master_us_batch",
           "master, % of the CPU": "master_percent"}


def run(bench):
    systems = Systems(bench)
    keys(bench, systems)
    nodes(bench, systems)
    start(bench)


def keys(bench, systems):
    """By the number of keys, with two nodes."""
    sizes = SIZES[:3] if bench.quick else SIZES
    if bench.keys:
        sizes = [bench.keys]
    rounds = bench.in_turn("keys", {
        f"{size:,} keys": lambda size=size: systems.measure(size, 2)
        for size in sizes}, rounds=bench.n_rounds(1, 3),
        warm_up=not bench.quick)
    if not bench.quick and not bench.keys:
        once = bench.in_turn("the largest", {
            f"{LARGEST:,} keys": lambda: systems.measure(LARGEST, 2)},
            rounds=1, warm_up=False)
        rounds.runs |= once.runs
    bench.say("Two nodes, by the number of keys:")
    bench.table(rounds, COLUMNS)
    names = {name: int(name.split()[0].replace(",", ""))
             for name in rounds.systems()}
    bench.lines("Peak of memory by keys", "keys", "MB", {
        what: [(size, rounds.median(name, metric))
               for name, size in names.items()]
        for what, metric in (("master", "master_mb"), ("node", "node_mb"))},
        logx=True)
    largest = f"{sizes[-1]:,} keys"
    bench.goal(f"the master's share of the CPU, {largest}, two nodes",
               rounds.spread(largest, "master_percent"), "<=", 3, " %")
    for what, metric in (("master", "master_mb"), ("a node", "node_mb")):
        more = None
        if f"{LARGEST:,} keys" in rounds and f"{BASE:,} keys" in rounds:
            more = (rounds.median(f"{LARGEST:,} keys", metric)
                    - rounds.median(f"{BASE:,} keys", metric))
        if not bench.quick and not bench.keys:
            bench.goal(f"memory of {what} with {LARGEST:,} keys, more than "
                       f"with {BASE:,}", more, "<=", MORE_MB, " MB")


def nodes(bench, systems):
    """By the number of nodes."""
    count = bench.count(20_000, 200_000)
    several = NODES[::2] if bench.quick else NODES
    rounds = bench.in_turn("nodes", {
        f"{n} nodes" if n > 1 else "1 node":
        lambda n=n: systems.measure(count, n) for n in several},
        rounds=bench.n_rounds(1, 3), warm_up=not bench.quick)
    bench.say(f"{count:,} keys, by the number of nodes, on "
              f"{len(bench.cores.clients)} of the machine's cores:")
    bench.table(rounds, COLUMNS)
    bench.lines("The master's share by nodes", "nodes", "% of the CPU", {
        "master": [(int(name.split()[0]),
                    rounds.median(name, "master_percent"))
                   for name in rounds.systems()]})


# The start: a short run, from the command to its end.

def pipeline_of_companies():
    for path in ((tools.SOURCE or pathlib.Path("/nonexistent"))
                 / "pipelines/sp500.yaml",
                 pathlib.Path("/usr/share/windrow/pipelines/sp500.yaml")):
        if path.exists():
            return path
    raise Missing("pipelines/sp500.yaml is missing: apt-get install windrow")


def run_windrow(bench, origin, path):
    store = windrow.fresh_sqlite(bench.folder)
    figures = windrow.measure(
        bench.folder, path, store, START_KEYS, nodes=2,
        cores=bench.cores.every, env={
            "WIKIPEDIA_URL": origin.url, "YAHOO_URL": origin.url,
            "YAHOO_RATE": "unlimited", "YAHOO_IN_FLIGHT": "unlimited"})
    windrow.check_sqlite(store, START_KEYS)
    return figures | {"ms": figures["seconds"] * 1e3}


def run_curl(bench, config):
    outcome = processes.run(
        [tools.program("curl"), "--silent", "--fail", "--parallel",
         "--parallel-max", "64", "--config", config], bench.folder,
        cores=bench.cores.every)
    return windrow.of_outcome(outcome, START_KEYS) | {
        "ms": outcome.seconds * 1e3}


def start(bench):
    origin = bench.origin()
    with urllib.request.urlopen(origin.url + "/symbols.txt") as answer:
        symbols = answer.read().decode().split()
    symbols = [symbol.replace(".", "-") for symbol in symbols]
    listed = bench.folder / "symbols.txt"
    listed.write_text("\n".join(symbols) + "\n")
    config = bench.folder / "curl.config"
    config.write_text("".join(
        f"url = {origin.url}{servers.PATH}{symbol}{servers.ASKED}\n"
        "output = /dev/null\n" for symbol in symbols)
        + 'user-agent = "Mozilla/5.0 (compatible; peer/1.0)"\n')
    from_page, from_file = "list from the page, sp500.yaml", "list from a file"
    rounds = bench.in_turn("start", {
        from_page: lambda: run_windrow(bench, origin, pipeline_of_companies()),
        from_file: lambda: run_windrow(bench, origin, windrow.pipeline(
            bench.folder, origin.url, listed)),
        "curl --parallel, nothing stored": lambda: run_curl(bench, config)},
        rounds=bench.n_rounds(5, 15), show="ms")
    bench.say(f"The start: {START_KEYS} companies from the bundled origin, "
              "without latency, by two nodes into SQLite with full "
              "durability, on all cores, from the command to its end.")
    bench.table(rounds, {"ms": "ms", "CPU, µs a key": "cpu_us"},
                against=(from_page, "ms"))
    bench.bars(f"Milliseconds from command to end, {START_KEYS} keys", "ms",
               rounds, "ms")
    bench.goal(f"{START_KEYS} companies, command to end",
               rounds.spread(from_page, "ms"), "<=", 150, " ms")

"""What more keys and more nodes cost: time, memory, the master's part."""
from harness import servers, windrow

ORDER = 6
TITLE = "Scale: 500 to 5,000,000 keys, 1 to 8 nodes"
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
PEAKS = {"master": "master_peak_mb", "largest node": "node_peak_mb"}


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
           "master, MB": "master_peak_mb", "node, MB": "node_peak_mb",
           "CPU, µs a key": "cpu_us", "master, µs a batch": "master_us_batch",
           "master, % of the CPU": "master_percent"}


def run(bench):
    systems = Systems(bench)
    keys(bench, systems)
    nodes(bench, systems)


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
        for what, metric in PEAKS.items()}, logx=True)
    largest = f"{sizes[-1]:,} keys"
    bench.goal(f"the master's share of the CPU, {largest}, two nodes",
               rounds.spread(largest, "master_percent"), "<=", 3, " %")
    for what, metric in PEAKS.items():
        more = None
        if f"{LARGEST:,} keys" in rounds and f"{BASE:,} keys" in rounds:
            more = (rounds.median(f"{LARGEST:,} keys", metric)
                    - rounds.median(f"{BASE:,} keys", metric))
        if not bench.quick and not bench.keys:
            bench.goal(f"memory of the {what} with {LARGEST:,} keys, more than "
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

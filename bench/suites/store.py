"""What storing alone costs, beside COPY and beside one INSERT a row."""
import json

from harness import processes, tools

ORDER = 5
TITLE = "Store: rows a second into PostgreSQL, exactly once"
ABOUT = """\
`windrow-bench-store` stores rows (key, price, time) into the same table in
three ways: as a node does (a closing for each batch of a run in the ledger:
one transaction that closes the batch and, only if this is what closed it,
stores its rows; up to eight in flight on a connection), by COPY in text, and
by one prepared INSERT a row. The client has one core, PostgreSQL another. Time
is that of storing alone, without connections and the run's preparation, which
PostgreSQL's CPU time has too. Once each commit waits for the disk, as it does
by default, and once it does not (`fsync=off`), which leaves the work itself."""

BATCH = 512
SWEPT = 4  # a sweep's runs have a part of the rows: small batches take long
DURABLE, LOOSE = "waiting for the disk", "not waiting"


class Systems:
    def __init__(self, bench):
        self.bench, self.count = bench, bench.count(50_000, 500_000)
        # Each of these waits for the disk.
        self.inserts = max(self.count // 100, 1)
        self.servers = {DURABLE: bench.postgres(),
                        LOOSE: bench.postgres(fsync="off")}

    def store(self, disk, way, batch=BATCH, connections=1, parts=1):
        postgres = self.servers[disk]
        rows = (self.inserts if way == "insert" else
                max(self.count // parts, 1))
        postgres.clear()
        outcome = processes.run(
            [tools.program("windrow-bench-store"), "--url", postgres.url,
             "--way", way, "--rows", rows, "--batch", batch, "--connections",
             connections], self.bench.folder, cores=self.bench.cores.client,
            servers={"postgres": postgres})
        postgres.check(rows)
        told = json.loads(outcome.said)
        return {"rows": rows, "rows_s": rows / told["seconds"],
                "cpu_us": told["cpu"] * 1e6 / rows,
                "postgres_us": outcome.servers["postgres"] * 1e6 / rows}


def run(bench):
    systems = Systems(bench)
    for disk in (DURABLE, LOOSE):
        compare(bench, systems, disk)
    batches, connections = [16, 64, 256, 512], [1, 2, 4, 8]
    sweep(bench, systems, "batch", batches[1::2] if bench.quick else batches,
          "rows of a batch")
    sweep(bench, systems, "connections",
          connections[::2] if bench.quick else connections, "connections")


def compare(bench, systems, disk):
    """The three ways, on one connection."""
    ours, in_batches = "Windrow's closings of 512", "COPY, 512 rows a time"
    one, insert = "one COPY", "one INSERT a row"
    rounds = bench.in_turn(disk, {
        ours: lambda: systems.store(disk, "closing"),
        in_batches: lambda: systems.store(disk, "copy"),
        one: lambda: systems.store(disk, "copy", 0),
        insert: lambda: systems.store(disk, "insert")},
        rounds=bench.n_rounds(2, 5), show="rows_s")
    bench.say(f"One connection, {disk}:")
    bench.table(rounds, {
        "rows/s": "rows_s", "CPU of the client, µs a row": "cpu_us",
        "PostgreSQL, µs": "postgres_us", "rows": "rows"},
        against=(ours, "rows_s"))
    bench.bars(f"Rows a second into PostgreSQL, {disk}", "rows/s", rounds,
               "rows_s")
    # With the disk, that of as many commits; without, the best there is.
    copy = in_batches if disk == DURABLE else one
    bench.goal(f"rows a second, {disk}, times {copy}",
               rounds.ratio(ours, copy, "rows_s"), ">=", 0.7)
    bench.goal(f"rows a second, {disk}, times {insert}",
               rounds.ratio(ours, insert, "rows_s"), ">=", 20)


def sweep(bench, systems, what, values, label):
    """Closings, and COPY with as many rows and connections, for each value
    of one of both."""
    disks = [LOOSE] if bench.quick else [DURABLE, LOOSE]
    kinds = [(way, disk) for way in ("closing", "copy") for disk in disks]

    def stored(way, disk, value):
        return lambda: systems.store(disk, way, parts=SWEPT, **{what: value})

    rounds = bench.in_turn(label, {
        f"{way}, {disk}, {value}": stored(way, disk, value)
        for way, disk in kinds for value in values},
        rounds=bench.n_rounds(1, 3), warm_up=not bench.quick, show="rows_s")
    lines = {f"{way}, {disk}": {
        value: spread for value in values
        if (spread := rounds.spread(f"{way}, {disk}, {value}", "rows_s"))}
        for way, disk in kinds}
    bench.say(f"Rows a second by {label}"
              + (", batches of 512:" if what == "connections" else
                 ", one connection:"))
    bench.grid([label, *lines], [
        [value, *(line[value].text() if value in line else ""
                  for line in lines.values())] for value in values])
    bench.lines(f"Rows a second by {label}", label, "rows/s", {
        kind: [(value, spread.median) for value, spread in line.items()]
        for kind, line in lines.items()}, logx=True)

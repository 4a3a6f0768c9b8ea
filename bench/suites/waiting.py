"""Answers that take their time: how many can be waited for at once."""
import itertools
import json
import math
import resource

from harness import processes, servers, tools, windrow

ORDER = 20
TITLE = "Waiting: one thread, thousands of answers under way"
ABOUT = """\
Each answer of the bundled origin comes after 100 ms, so whoever asks for one
after another gets ten a second. One node has the client's core, with more and
more transfers in flight. *Of the ideal* is the time that waiting alone would
take, keys / in flight x 100 ms in whole rounds, as a share of the time from
the start of the command to its end; a run's start and end, a seventh of a
second, are in it. The loop is `windrow-bench-loop`: libcurl in an event loop,
128 transfers a multi handle, answers thrown away; what it costs, no program
around that library can save."""

LATENCY = 0.1
SHARD = 128
CPU_KEYS = 5_000  # with fewer, the start of the programs is what one sees


def levels(bench):
    """Transfers in flight, as far as this machine's limit of descriptors
    bears. Linux has 28,000 local ports for connections to one address, and
    where half of them are taken it searches long for each further one."""
    most = min(12_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1_000)
    wanted = [8, 512, 4_096] if bench.quick else [
        1, 8, 64, 512, 2_048, 8_192, 12_000]
    return [level for level in wanted if level <= most]


def keys_for(level, bench):
    """Enough rounds of waiting that the start of a run matters little."""
    if bench.quick:
        return level * (5 if level < 1_000 else 2)
    return level * 20 if level < 64 else max(level * 4, 100 * 64)


def ideal(count, in_flight, latency=LATENCY):
    return math.ceil(count / in_flight) * latency


def node_peaks(bench):
    """Of the last run: the peak of memory of each node, in MB."""
    told = json.loads((bench.folder / "summary.json").read_text())
    return [node["memory_peak_bytes"] / 1e6 for node in told["nodes"]]


def run_windrow(bench, origin, level):
    count = keys_for(level, bench)
    keys = servers.write_keys(bench.folder / "keys.txt", count)
    path = windrow.pipeline(bench.folder, origin.url, keys, level)
    store = windrow.fresh_sqlite(bench.shared_memory())
    figures = windrow.measure(bench.folder, path, store, count,
                              cores=bench.cores.client)
    windrow.check_sqlite(store, count)
    figures["of_ideal"] = ideal(count, level) / figures["seconds"]
    figures["peak_mb"] = max(node_peaks(bench))
    figures["cpu"] = figures["node_us"] if count >= CPU_KEYS else None
    return figures


def run_loop(bench, origin, level):
    count = max(keys_for(level, bench), CPU_KEYS)
    outcome = processes.run(
        [tools.program("windrow-bench-loop"), "--keys", count, "--in-flight",
         level, "--shard", SHARD, "--url",
         origin.url + servers.PATH + "{key}" + servers.ASKED],
        bench.folder, cores=bench.cores.client)
    told = json.loads(outcome.said)
    used = told["cpu_user"] + told["cpu_sys"]
    return {"keys_s": count / told["seconds"], "cpu": used * 1e6 / count}


def show(bench, rounds, steps):
    """The table and the charts, by transfers in flight."""
    least = rounds.median(f"{steps[0]} in flight", "peak_mb")
    rows, share, memory = [], [], []
    cpu = {"Windrow": [], "bare loop": []}
    for level in steps:
        name, loop = f"{level:,} in flight", f"loop, {level:,} in flight"
        if name not in rounds:
            continue
        peak = rounds.median(name, "peak_mb")
        kb = (peak - least) * 1e6 / 1024 / level if level >= 512 else None
        share.append((level, rounds.median(name, "of_ideal")))
        for line, system in (("Windrow", name), ("bare loop", loop)):
            if (used := rounds.median(system, "cpu")) is not None:
                cpu[line].append((level, used))
        if kb is not None:
            memory.append((level, kb))
        rows.append([f"{level:,}", *(
            spread.text() if spread else "" for spread in (
                rounds.spread(name, "keys_s"), rounds.spread(name, "of_ideal"),
                rounds.spread(name, "cpu"), rounds.spread(loop, "cpu"),
                rounds.spread(name, "peak_mb"))),
            f"{kb:.1f}" if kb is not None else ""])
    bench.grid(["in flight", "keys/s", "of the ideal", "CPU, µs a key",
                "loop's CPU, µs a key", "memory, MB", "KiB a transfer"], rows)
    bench.lines("Time that waiting alone would take, as a share",
                "transfers in flight", "of the ideal", {"Windrow": share},
                logx=True)
    bench.lines("CPU of a key as more are in flight", "transfers in flight",
                "microseconds", cpu, logx=True)
    return max((kb for _, kb in memory), default=None)


def idle_node_mb(bench, origin):
    """Of two nodes and one key, one has nothing to do."""
    keys = servers.write_keys(bench.folder / "keys.txt", 1)
    path = windrow.pipeline(bench.folder, origin.url, keys)
    windrow.measure(bench.folder, path,
                    windrow.fresh_sqlite(bench.shared_memory()), 1, nodes=2)
    return min(node_peaks(bench))


def run_two_nodes(bench, number):
    """100,000 keys, two seconds each, 5,000 in flight in each of two nodes;
    all cores are everybody's."""
    count, in_flight, latency = 100_000, 5_000, 2
    origin = bench.origin("--count", count + number, "--latency", "2s",
                          "--no-user-agent-check", cores=bench.cores.every)
    keys = servers.write_keys(bench.folder / "keys.txt", count)
    path = windrow.pipeline(bench.folder, origin.url, keys, in_flight)
    store = windrow.fresh_sqlite(bench.shared_memory())
    figures = windrow.measure(bench.folder, path, store, count, nodes=2,
                              cores=bench.cores.every)
    windrow.check_sqlite(store, count)
    figures["of_ideal"] = ideal(count, 2 * in_flight, latency) \
        / figures["seconds"]
    return figures


def own_origin(bench, number):
    """One for each system: the connections of the one before linger in the
    kernel for a minute, and to another port they do not count."""
    return bench.origin("--count", 1_000_000 + number, "--latency", "100ms",
                        "--no-user-agent-check")


def run(bench):
    steps = levels(bench)
    systems = {}
    for level in steps:
        systems[f"{level:,} in flight"] = lambda level=level: run_windrow(
            bench, own_origin(bench, level), level)
        if level >= 512:
            systems[f"loop, {level:,} in flight"] = \
                lambda level=level: run_loop(
                    bench, own_origin(bench, level + 1), level)
    rounds = bench.in_turn("in flight", systems,
                           rounds=bench.n_rounds(quick=1, full=3),
                           warm_up=False)
    kb = show(bench, rounds, steps)
    if not bench.quick:
        bench.goal("CPU of a key with 8,192 in flight, times the bare loop's",
                   rounds.ratio("8,192 in flight", "loop, 8,192 in flight",
                                "cpu"), "<=", 1.15)
        numbers = itertools.count()  # an origin each, as above
        two = bench.in_turn("two nodes", {
            "two nodes": lambda: run_two_nodes(bench, next(numbers))}, rounds=3,
            warm_up=False)
        bench.goal("100,000 keys of 2 s, 5,000 in flight in each of two "
                   "nodes: share of the ideal",
                   two.spread("two nodes", "of_ideal"), ">=", 0.9)
    bench.goal("Memory of a transfer in flight", kb, "<=", 16, " KiB")
    idle = bench.attempt("an idle node", lambda: idle_node_mb(
        bench, own_origin(bench, 1)))
    bench.goal("Memory of an idle node", idle, "<=", 20, " MB")

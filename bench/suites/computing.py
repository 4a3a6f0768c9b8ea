"""Work that only computes: threads, processes, nodes."""
from harness import models, servers

ORDER = 21
TITLE = "Computing: figures over two years of days"
ABOUT = """\
An answer of 56 KB has six arrays of 502 numbers. Over each, ten figures are
computed: volatility, drawdown, a moving average, percentiles. First the same
answer again and again, out of memory, so nothing waits; then Windrow, which
fetches each answer from the bundled origin, computes all 60 figures and
stores three. All cores are everybody's: the origin takes its part of them
too. *Cores busy* is CPU time by time."""

WORKERS = 4


def in_memory(bench):
    """The same answer again and again, in C and in Python."""
    origin = bench.origin("--count", 1_000_000, "--no-user-agent-check")
    chart = models.save_chart(origin, bench.folder / "chart.json")
    n_c = bench.count(800, 4_000)
    n_python = max(n_c // 10, WORKERS)

    def c(option, workers):
        return lambda: models.in_c(bench, "compute", chart, "--times", n_c,
                                   option, workers, count=n_c)

    def python(kind, workers):
        return lambda: models.python(bench, "compute.py", chart, n_python,
                                     kind, workers, count=n_python)

    rounds = bench.in_turn("computing", {
        "C, one thread": c("--threads", 1),
        "C, four threads": c("--threads", WORKERS),
        "C, four processes": c("--processes", WORKERS),
        "Python, one thread": python("threads", 1),
        "Python, four threads": python("threads", WORKERS),
        "Python, four processes": python("processes", WORKERS),
    }, rounds=bench.n_rounds(quick=1), warm_up=not bench.quick)
    rows = []
    for system in rounds.systems():
        one = f"{system.split(',')[0]}, one thread"
        rows.append([system, *(spread.text() if spread else "" for spread in (
            rounds.spread(system, "keys_s"), rounds.ratio(system, one, "keys_s"),
            rounds.spread(system, "busy")))])
    bench.grid(["", "answers/s", "times one thread", "cores busy"], rows)
    bench.bars("Cores busy while only computing", "cores", rounds, "busy")
    return rounds


def by_nodes(bench):
    """Windrow: fetching, computing, storing."""
    origin = bench.origin("--count", 1_000_000, "--no-user-agent-check")
    count = bench.count(500, 20_000)
    keys = servers.write_keys(bench.folder / "keys.txt", count)
    path = models.pipeline(bench.folder, origin.url, keys, 16)
    rounds = bench.in_turn("nodes", {
        name: lambda nodes=nodes: models.windrow_at(bench, path, count, nodes,
                                                    origin)
        for name, nodes in (("one node", 1), ("two nodes", 2),
                            ("four nodes", 4))},
        rounds=bench.n_rounds(quick=1), warm_up=not bench.quick)
    bench.table(rounds, {"answers/s": "keys_s", "cores busy": "busy",
                         "CPU, µs an answer": "cpu_us",
                         "origin's, µs an answer": "origin_us"},
                against=("one node", "keys_s"))
    bench.bars("Answers fetched, computed and stored in a second",
               "answers a second", rounds, "keys_s")
    return rounds


def run(bench):
    computing, nodes = in_memory(bench), by_nodes(bench)
    two = computing.ratio("C, four threads", "C, one thread", "keys_s")
    if two:
        bench.say(f"Four threads that share nothing got {two.text()} times "
                  "what one gets: that is what this machine's cores give at "
                  "most.")
    bench.goal("Two nodes, times one, where the work computes",
               nodes.ratio("two nodes", "one node", "keys_s"), ">=", 1.9)

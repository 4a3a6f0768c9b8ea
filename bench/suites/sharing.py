"""One counter, four workers: what is lost without a lock, and what one costs."""
from harness import models

ORDER = 23
TITLE = "Sharing: a counter that four workers add to"
ABOUT = """\
Four threads, or four processes with common memory, add one to the same
counter, again and again: `windrow-bench-models count`. *Lost* is the worst of
the rounds, as a share of all updates; the time is from the first start to the
last end, divided by the updates."""

WAYS = {"nothing": "no lock", "mutex": "a mutex", "atomic": "an atomic",
        "messages": "messages", "batches": "messages of 512 updates",
        "own": "a counter each, added at the end"}


def run(bench):
    few = 5 if bench.quick else 1

    def count(way, option):  # a message for each update takes a microsecond
        n = (50_000 if way == "messages" else 5_000_000) // few
        return lambda: models.in_c(bench, "count", way, "--times", n, option,
                                   4, count=4 * n)

    rounds = bench.in_turn("counting", {
        f"{way}, {kind}": count(way, f"--{kind}")
        for way in WAYS for kind in ("threads", "processes")},
        rounds=bench.n_rounds(quick=1), warm_up=not bench.quick)
    rows = []
    for way, name in WAYS.items():
        row = [name]
        for kind in ("threads", "processes"):
            system = f"{way}, {kind}"
            lost = [run["lost"] / (run["lost"] + run["counted"])
                    for run in rounds.runs.get(system, [])]
            row += [f"{max(lost):.0%}" if lost and max(lost) else "none",
                    rounds.spread(system, "ns").text() if lost else ""]
        rows.append(row)
    bench.grid(["", "threads: lost", "ns an update", "processes: lost",
                "ns an update"], rows)
    guarded = [run["lost"] for way in list(WAYS)[1:]
               for kind in ("threads", "processes")
               for run in rounds.runs.get(f"{way}, {kind}", [])]
    bench.goal("Updates lost with a mutex, an atomic or messages",
               sum(map(abs, guarded)) if guarded else None, "<=", 0)

"""Waiting and computing: one by one, threads, processes, async, and both."""
from harness import models, servers, windrow

ORDER = 22
TITLE = "Models: one by one, threads, processes, async, and both"
ABOUT = """\
The same work in five short Python programs (`bench/models/`) and in Windrow.
Each answer comes after 100 ms. *A price* takes one number out of 1.2 KB:
nearly all is waiting. *Figures* computes 60 of them over 56 KB. All programs
may use all cores, which the origin shares; Windrow stores what it finds, the
others forget it. One by one has fewer keys, so that it ends."""

IN_FLIGHT = {"threads": 64, "processes": 16, "one_loop": 512, "loops": 512}
NAMES = {"one_by_one": "one by one", "threads": "64 threads",
         "processes": "16 processes", "one_loop": "async: one loop, 512",
         "loops": "a loop in each of two processes, 512"}


def mixed(bench, origin, what, count):
    """One kind of work under each model."""
    asked = models.TWO_YEARS if what == "figures" else models.ASKED
    url = origin.url + models.PATH + "{key}" + asked
    keys = servers.write_keys(bench.folder / f"{what}.txt", count)

    def python(name):
        n = max(count // 50, 10) if name == "one_by_one" else count
        return models.python(bench, f"{name}.py", url, n, what,
                             IN_FLIGHT.get(name, 1), count=n)

    def nodes(n):
        make = models.pipeline if what == "figures" else windrow.pipeline
        path = make(bench.folder, origin.url, keys, 512 // n)
        return models.windrow_at(bench, path, count, n, origin)

    systems = {NAMES[name]: lambda name=name: python(name) for name in NAMES}
    systems |= {"Windrow, one node, 512": lambda: nodes(1),
                "Windrow, two nodes, 512": lambda: nodes(2)}
    return bench.in_turn(what, systems, rounds=bench.n_rounds(quick=1, full=3),
                         warm_up=False)


def show(bench, rounds, title):
    bench.say(f"**{title}**")
    bench.table(rounds, {"answers/s": "keys_s", "cores busy": "busy",
                         "CPU, µs an answer": "cpu_us"},
                against=(NAMES["one_by_one"], "keys_s"))
    bench.bars(f"{title}: answers a second", "answers a second", rounds,
               "keys_s")


def run(bench):
    origin = bench.origin("--count", 1_000_000, "--latency", "100ms",
                          "--no-user-agent-check")
    show(bench, mixed(bench, origin, "price", bench.count(500, 4_000)),
         "A price: waiting")
    show(bench, mixed(bench, origin, "figures", bench.count(100, 2_000)),
         "Figures: waiting and computing")

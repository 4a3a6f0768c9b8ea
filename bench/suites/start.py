"""How long a short run takes, from the command to its end."""
import urllib.request

from harness import processes, servers, tools, windrow
from harness.tools import Missing

ORDER = 7
TITLE = "Start: 503 companies, from the command to its end"
ABOUT = """\
Two nodes, the bundled origin without latency, SQLite with full durability, all
on all cores: what is measured is mostly what a run costs that is not its
keys. curl asks for the same 503 answers, 64 at once, and stores nothing."""

START_KEYS = 503


def pipeline_of_companies():
    path = (tools.SOURCE / "pipelines" if tools.SOURCE else
            tools.HERE.parent / "windrow/pipelines") / "sp500.yaml"
    if not path.exists():
        raise Missing(f"{path} is missing: apt-get install windrow")
    return path


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


def run(bench):
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
    from_page = "Windrow, list from the page (sp500.yaml)"
    from_file = "Windrow, list from a file"
    rounds = bench.in_turn("start", {
        from_page: lambda: run_windrow(bench, origin, pipeline_of_companies()),
        from_file: lambda: run_windrow(bench, origin, windrow.pipeline(
            bench.folder, origin.url, listed)),
        "curl --parallel, nothing stored": lambda: run_curl(bench, config)},
        rounds=bench.n_rounds(5, 15), show="ms")
    bench.table(rounds, {"ms": "ms", "CPU, µs a key": "cpu_us"},
                against=(from_page, "ms"))
    bench.bars(f"Milliseconds from command to end, {START_KEYS} keys", "ms",
               rounds, "ms")
    bench.goal(f"{START_KEYS} companies, command to end",
               rounds.spread(from_page, "ms"), "<=", 150, " ms")

"""Windrow itself, as a system that is measured: a pipeline, a run, figures."""
import json
import sqlite3

from harness import tools
from harness.processes import run
from harness.servers import ASKED, PATH
from harness.tools import Failed

PIPELINE = """\
version: 1
name: bench
queues:
  - {{name: symbols}}
  - {{name: prices}}
workers:
  - name: list
    class: file
    input_values: [{keys}]
    output_queues: [symbols]
  - name: quotes
    class: http_json
    input_queue: symbols
    output_queues: [prices]
    instances: {instances}
    options:
      url: "{url}{path}{{key}}{asked}"
      fields: {{price: /chart/result/0/meta/regularMarketPrice}}
{options}
  - name: store
    class: store
    input_queue: prices
    options:
      table: prices
      columns: {{symbol: key, price: price, extracted_time: fetched_at}}
"""


def pipeline(folder, url, keys, instances=64, options=""):
    """A file with the pipeline of a benchmark: a chart for each key of the
    file `keys`. `options` are more lines of the fetcher's."""
    path = folder / "bench.yaml"
    lines = "".join(f"      {line}\n" for line in options.splitlines())
    path.write_text(PIPELINE.format(keys=keys, url=url, path=PATH,
                                    asked=ASKED, instances=instances,
                                    options=lines))
    return path


def measure(folder, path, store, count, *, nodes=1, cores=None, servers=None,
            look=False, limit=900, arguments=(), before=(), env=None,
            name="windrow"):
    """One run of the pipeline at `path` into `store` (a URL) by so many
    nodes; its figures. Failed unless all `count` keys were stored.

    seconds is from the command to its end; node_us and master_us are CPU time
    a key, cpu_us both; master_share is the master's part of both; node_peak_mb
    is the largest node's, and with `look` there is master_peak_mb too. `before`
    is put before the command.
    """
    summary = folder / "summary.json"
    outcome = run(
        [*before, tools.program("windrow"), "run", path, "--scale", nodes,
         "--store", store, "--progress", "none", "--summary", summary,
         *arguments],
        folder, cores=cores, servers=servers, look=look, limit=limit,
        env=env, name=name)
    told = json.loads(summary.read_text())
    if told["stored"] != count:
        raise Failed(f"{told['stored']} of {count} keys were stored: {told}")
    node_cpu = sum(node["cpu_seconds"] for node in told["nodes"])
    figures = of_outcome(outcome, count)
    master = max(outcome.cpu - node_cpu, 0)
    figures |= {
        "node_us": node_cpu * 1e6 / count,
        "master_us": master * 1e6 / count,
        "master_share": master / outcome.cpu,
        "node_peak_mb": max(node["memory_peak_bytes"]
                            for node in told["nodes"]) / 1e6}
    if look:
        figures["master_peak_mb"] = max(outcome.peaks.of("windrow")) / 1e6
    return figures


def of_outcome(outcome, count):
    """The figures that each client has: what it took for `count` keys."""
    return {"keys": count, "seconds": outcome.seconds,
            "keys_s": count / outcome.seconds,
            "cpu_us": outcome.cpu * 1e6 / count,
            "keys_cpu_s": count / outcome.cpu if outcome.cpu else None,
            **{f"{name}_us": cpu * 1e6 / count
               for name, cpu in outcome.servers.items()}}


def fresh_sqlite(folder):
    """The URL of a database of SQLite that is not there yet."""
    for file in folder.glob("bench.db*"):
        file.unlink()
    return f"sqlite:{folder}/bench.db"


def check_sqlite(url, count):
    """Failed unless each of so many keys has its one row."""
    connection = sqlite3.connect(url.removeprefix("sqlite:"))
    try:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT symbol) FROM prices").fetchone()
    finally:
        connection.close()
    if found != (count, count):
        raise Failed(f"of {count} rows there are (all, different): {found}")

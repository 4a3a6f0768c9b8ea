"""The programs of models/, and Windrow at the same work: answers of two years
of days, and the figures over them."""
import json
import sys
import urllib.request

from harness import processes, tools, windrow
from harness.servers import ASKED, PATH

MODELS = tools.HERE / "models"
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's modules
TWO_YEARS = "?range=2y&interval=1d"

sys.path.insert(0, str(MODELS))
from figures import pipeline_fields  # noqa: E402

PIPELINE = """\
version: 1
name: figures
queues: [{{name: symbols}}, {{name: figures}}]
workers:
  - name: list
    class: file
    input_values: [{keys}]
    output_queues: [symbols]
  - name: charts
    class: http_json
    input_queue: symbols
    output_queues: [figures]
    instances: {instances}
    options:
      url: "{url}{path}{{key}}{asked}"
      fields:
{fields}
  - name: store
    class: store
    input_queue: figures
    options:
      table: figures
      columns:
        symbol: key
        volatility: close_volatility
        ema20: close_ema20
        median: close_p50
"""


def save_chart(origin, file):
    """An answer of two years, into a file."""
    request = urllib.request.Request(origin.url + PATH + "K0000001" + TWO_YEARS)
    with urllib.request.urlopen(request, timeout=20) as answer:
        file.write_bytes(answer.read())
    return file


def pipeline(folder, url, keys, instances):
    """A file with a pipeline that computes what figures.py does, and stores
    three of the figures."""
    path = folder / "figures.yaml"
    fields = "\n".join(f"        {name}: {field}"
                       for name, field in pipeline_fields().items())
    path.write_text(PIPELINE.format(
        keys=keys, instances=instances, url=url, path=PATH, asked=TWO_YEARS,
        fields=fields))
    return path


BATCH = 16  # so that nodes that compute end at the same time


def windrow_at(bench, path, count, nodes, origin):
    """One run of the pipeline at `path` by so many nodes."""
    figures = windrow.measure(
        bench.folder, path, windrow.fresh_sqlite(bench.shared_memory()), count,
        nodes=nodes, cores=bench.cores.every, servers={"origin": origin},
        arguments=("--batch", BATCH))
    return with_cores(figures, count)


NEEDS = {"one_by_one.py": "requests", "threads.py": "requests",
         "processes.py": "requests", "one_loop.py": "aiohttp",
         "loops.py": "aiohttp"}


def python(bench, program, *arguments, count):
    """One run of a program of models/ in Python, with `count` answers."""
    if module := NEEDS.get(program):
        tools.need_module(PYTHON, module, f"python3-{module}")
    return with_cores(windrow.of_outcome(processes.run(
        [PYTHON, MODELS / program, *arguments], bench.folder,
        cores=bench.cores.every), count), count)


def in_c(bench, *arguments, count):
    """One run of windrow-bench-models; what it printed as well."""
    outcome = processes.run(
        [tools.program("windrow-bench-models"), *arguments], bench.folder,
        cores=bench.cores.every)
    return with_cores(windrow.of_outcome(outcome, count), count) \
        | json.loads(outcome.said)


def with_cores(figures, count):
    """And how many cores were busy, on average."""
    return figures | {
        "busy": figures["cpu_us"] * count / 1e6 / figures["seconds"]}


"""Keys a second that one core takes from the web into a table."""
from harness import servers, tools, windrow
from harness import processes
from harness.tools import Failed

ORDER = 1
TITLE = "Throughput: keys that one core fetches, reads and stores"
ABOUT = """\
Each client has one core; nginx (one worker, answers of 1.2 KB out of memory)
and PostgreSQL share another. After each run the rows are looked at: one for
each key, with the very digits that were sent. Time is from the start of the
command to its end."""


def run_wrk(bench, seconds):
    """Requests only: no client that also does something can be cheaper."""
    nginx = bench.nginx()
    outcome = processes.run([tools.program("wrk"), "-t1", "-c64", f"-d{seconds}s",
                   nginx.url + servers.PATH + "K0000001"], bench.folder,
                  cores=bench.cores.client, servers={"nginx": nginx})
    told = [line.split() for line in outcome.said.splitlines()]
    count = next((int(words[0]) for words in told
                  if words[1:3] == ["requests", "in"]), 0)
    if not count:
        raise Failed("wrk counted no request: " + outcome.said)
    return windrow.of_outcome(outcome, count)


def run_sqlite(bench, keys, count):
    """SQLite in memory: the least that a store can cost."""
    nginx = bench.nginx()
    path = windrow.pipeline(bench.folder, nginx.url, keys)
    url = windrow.fresh_sqlite(bench.shared_memory())
    figures = windrow.measure(bench.folder, path, url, count,
                              cores=bench.cores.client,
                              servers={"nginx": nginx})
    windrow.check_sqlite(url, count)
    return figures


def run_postgres(bench, keys, count):
    nginx, postgres = bench.nginx(), bench.postgres()
    postgres.clear()
    path = windrow.pipeline(bench.folder, nginx.url, keys)
    figures = windrow.measure(
        bench.folder, path, postgres.url, count, cores=bench.cores.client,
        servers={"nginx": nginx, "postgres": postgres})
    postgres.check(count)
    return figures


def run(bench):
    count = bench.count(20_000, 200_000)
    keys = servers.write_keys(bench.folder / "keys.txt", count)
    seconds = 1 if bench.quick else 5
    rounds = bench.in_turn("one core", {
        "wrk, requests only": lambda: run_wrk(bench, seconds),
        "Windrow, SQLite in memory": lambda: run_sqlite(bench, keys, count),
        "Windrow, PostgreSQL": lambda: run_postgres(bench, keys, count),
    })
    bench.table(rounds, {
        "keys/s": "keys_s", "CPU of the client, µs a key": "cpu_us",
        "keys a CPU second": "keys_cpu_s", "CPU of nginx": "nginx_us",
        "CPU of PostgreSQL": "postgres_us"}, against=("wrk, requests only", "keys_cpu_s"))
    bench.bars("Keys a CPU second of the client", "keys", rounds,
               "keys_cpu_s")

"""What a request costs by HTTP/1.1, over TLS, and by HTTP/2."""
import json

from harness import processes, servers, tools, windrow
from harness.tools import Failed

ORDER = 3
TITLE = "HTTP: what a request costs by version, and over TLS"
ABOUT = """\
`windrow-bench-loop`, a bare loop of libcurl and libevent, asks nginx for
answers of 1.2 KB and throws them away; 64 requests are in flight, each of the
two has one core. HTTP/1.1 has a connection for each request in flight, HTTP/2
(over TLS, by ALPN) has one connection of 64 streams. Connections are made once
a run and kept, so what is compared is requests, not handshakes."""

IN_FLIGHT = 64
PLAIN, TLS, HTTP2 = "HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2 over TLS"


def measure(bench, nginx, version, count):
    trusted = ["--ca", nginx.ca] if nginx.ca else []
    outcome = processes.run(
        [tools.program("windrow-bench-loop"), "--http", version, *trusted,
         "--url", f"{nginx.url}{servers.PATH}{{key}}{servers.ASKED}",
         "--keys", count, "--in-flight", IN_FLIGHT],
        bench.folder, cores=bench.cores.client, servers={"nginx": nginx},
        statuses=(0, 1))
    told = json.loads(outcome.said)
    if told["failed"]:
        raise Failed(f"the bare loop: {told}")
    return windrow.of_outcome(outcome, count) | {
        "connections": told["connections"]}


def run(bench):
    count = bench.count(20_000, 200_000)
    rounds = bench.in_turn("versions", {
        PLAIN: lambda: measure(bench, bench.nginx(), "1.1", count),
        TLS: lambda: measure(bench, bench.nginx(secure=True), "1.1", count),
        HTTP2: lambda: measure(bench, bench.nginx(secure=True), "2", count)})
    bench.table(rounds, {
        "requests/s": "keys_s", "CPU of the client, µs a request": "cpu_us",
        "nginx, µs": "nginx_us", "connections": "connections"},
        against=(TLS, "cpu_us"))
    bench.bars("CPU of the client a request, by version of HTTP", "µs",
               rounds, "cpu_us")

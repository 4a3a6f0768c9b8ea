"""Sites that misbehave: each fault that the origin can play, alone and mixed.

faults.py says what must become of a key; here it is compared, key by key.
"""
import datetime
import email.utils
import re
import socket
import time

import pytest

import faults
import harness
from halves import one_store_in_the_short_form  # noqa: F401
from harness import PATIENCE, until

TIMEOUT = 4.0 * PATIENCE  # nothing else may seem slow on a loaded machine
ATTEMPTS = 2
HUGE = 10_000_000_000
MEMORY_MAX = 200_000_000  # of one node, with all of these in flight

PAGES = ("json", "html")


@pytest.fixture(params=PAGES)
def page(request):
    return request.param


def fetcher(page, **options):
    """Asks for the chart or for the quote page, and gives up soon."""
    options = {"timeout": f"{TIMEOUT * 1000:.0f}ms", "body_max": "16MiB",
               "hold": "50ms", "retry": {"attempts": ATTEMPTS,
                                         "backoff": "20ms",
                                         "backoff_max": "50ms"}, **options}
    worker = harness.quotes(**options)
    if page == "html":
        worker["class"] = "http_html"
        worker["options"].update(
            url="${YAHOO_URL}/quote/{key}", fields={"price": {
                "at": '//span[@data-testid="qsp-price"]', "type": "number"}})
    return worker


def origin_arguments(n_keys, closed_port):
    return ["--count", n_keys, "--huge-bytes", HUGE, "--drip-interval", "1s",
            "--slow", "200ms", "--redirect-url",
            f"http://127.0.0.1:{closed_port}"]


@pytest.fixture
def closed_port():
    """A port at which nobody listens, and nobody will."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def symbol(number):
    return f"K{number:07}"


def expected_of(store, page, server, kinds):
    """`kinds`: key to its fault, or None. What must be stored, and which
    failures there must be."""
    prices, failures = {}, {}
    for key, kind in kinds.items():
        end = faults.outcome(kind, page, store) if kind else faults.STORED
        if end == faults.STORED:
            prices[key] = (faults.FAULTS[kind].digits if kind else None
                           ) or price_of(server, key)
        else:
            failures[key] = end
    return prices, failures


def price_of(server, key):
    """As the origin makes it, whatever fault it plays for the key."""
    return harness.subprocess.run(
        [harness.BUILD / "windrow-origin", "--price", key], text=True,
        capture_output=True, check=True, timeout=10).stdout.strip()


def in_numeric(store, prices):
    """PostgreSQL's numeric has no minus zero."""
    if store.kind == "postgres":
        return {key: "0" if digits == "-0" else digits
                for key, digits in prices.items()}
    return prices


def memory_is_bounded(result):
    for node in result.summary["nodes"]:
        assert node["memory_peak_bytes"] < MEMORY_MAX, node


# Each kind has a key of its own, asked for by two nodes among others that are
# answered well. It gets what the table says, and nobody else anything else.
def test_each_fault_at_a_key_of_its_own(torture, store, page, origin, pipeline,
                                        windrow, closed_port):
    names = list(faults.FAULTS)
    n_good = 50
    kinds = {symbol(i + 1): names[i] if i < len(names) else None
             for i in range(len(names) + n_good)}
    server = origin(*origin_arguments(len(kinds), closed_port), *[
        text for key, kind in kinds.items() if kind
        for text in ("--fault", f"{kind}@{key}")])
    path = pipeline(harness.source(), fetcher(page), harness.store())
    result = windrow("run", path, "--scale", 2, origin=server, store=store,
                     timeout=90)
    assert result.status == 3, result
    prices, failures = expected_of(store, page, server, kinds)
    torture.row(f"each fault of the site at one key ({page})", store=store,
                keys=kinds, expected_failures=failures, tried=len(names),
                prices=in_numeric(store, prices))
    memory_is_bounded(result)


def test_the_table_has_every_fault():
    text = harness.subprocess.run(
        [harness.BUILD / "windrow-origin", "--help"], capture_output=True,
        text=True, check=True).stdout.partition("Each KIND:\n")[2]
    assert set(re.findall(r"^  (\S+)", text, re.M)) == set(faults.FAULTS)
    names = harness.SOURCE / "proto/ledger/reason.h"
    retried = re.findall(r'X\(REASON_\w+, "(\w+)", true', names.read_text())
    of_sites = {name for name in retried if not name.startswith("worker_")}
    assert of_sites == faults.RETRIED


# What rates inject differs from request to request, so what must become of a
# key follows from what it was given, one after the other.

def step(state, kind, page, store):
    """From (attempts, redirects) and the next answer: the states that may
    follow, and the ends."""
    attempts, redirects = state
    if kind in faults.REDIRECTS:
        return ([(attempts, redirects + 1)], []) if redirects < 3 else (
            [], ["bad_redirect"])
    states = [state] if kind in faults.UNCOUNTED else []
    end = faults.outcome(kind, page, store) if kind else faults.STORED
    if end in faults.RETRIED and attempts + 1 < ATTEMPTS:
        return [*states, (attempts + 1, 0)], []
    return states, [end]


def ends_of(injected, page, store):
    """What may become of a key that was given these, in this order."""
    states, ends = {(0, 0)}, []
    for kind in injected:
        steps = [step(state, kind, page, store) for state in states]
        states = {state for more, _ in steps for state in more}
        ends = [end for _, some in steps for end in some]
    return ends


def ends_begun_anew(injected, page, store):
    """The same, where the key was begun anew on the way: its batch was given
    out again, since a node or its database stood still."""
    return [end for i in range(1, len(injected))
            for end in ends_of(injected[i:], page, store)]


def mixed_faults(share, kinds):
    return [text for kind in kinds
            for text in ("--fault", f"{kind}={share / len(kinds):.6f}")]


def check_rates(torture, label, store, page, server, path, windrow, n_keys,
                timeout=120):
    """One node, as two may ask for a key at the end, whose log is one. Its
    lease is long: on a loaded machine it may stand still for seconds."""
    result = windrow("run", path, "--scale", 1, origin=server, store=store,
                     timeout=timeout, env={"WINDROW_LEASE": "15s"})
    log = server.log()
    recorded = store.failures()
    failures, prices, anew = {}, {}, 0
    for i in range(n_keys):
        key = symbol(i + 1)
        injected = log["keys"][key]["injected"]
        end = recorded.get(key, faults.STORED)
        if end not in ends_of(injected, page, store):
            assert end in ends_begun_anew(injected, page, store), (
                key, end, injected)
            anew += 1
        if end == faults.STORED:
            kind = injected[-1]
            prices[key] = (kind and faults.FAULTS[kind].digits) or price_of(
                server, key)
        else:
            failures[key] = end
    assert result.status == (3 if failures else 0), result
    assert anew <= n_keys / 20, "much was begun anew"
    torture.row(label, store=store, keys=prices.keys() | failures.keys(),
                expected_failures=failures, tried=sum(log["injected"].values()),
                prices=in_numeric(store, prices))
    memory_is_bounded(result)
    return log


# All together, at a fifth of all requests.
def test_all_faults_mixed(torture, store, page, origin, pipeline, windrow,
                          closed_port):
    n_keys = 2000 if torture.full else 300
    kinds = list(faults.FAULTS)
    server = origin(*origin_arguments(n_keys, closed_port),
                    *mixed_faults(0.2, kinds))
    path = pipeline(harness.source(), fetcher(page), harness.store())
    log = check_rates(torture, f"all faults of the site mixed, 20 % ({page})",
                      store, page, server, path, windrow, n_keys, 300)
    assert sum(log["injected"].values()) > n_keys / 8


# Each alone, at a fifth of all requests.
@pytest.mark.parametrize("kind", faults.FAULTS)
def test_each_fault_by_rate(torture, sqlite, kind, origin, pipeline, windrow,
                            closed_port):
    if not torture.full:
        pytest.skip("the long form: each fault has a run of its own")
    server = origin(*origin_arguments(100, closed_port), "--fault",
                    f"{kind}=0.2")
    path = pipeline(harness.source(), fetcher("json"), harness.store())
    log = check_rates(torture, f"{kind}, 20 %", sqlite, "json", server, path,
                      windrow, 100)
    assert log["injected"][kind] > 5


# The list is asked for until it comes: it meets each fault that may pass.
def test_the_list_meets_each_fault(torture, store, origin, pipeline, windrow,
                                   closed_port):
    passing = [kind for kind in faults.FAULTS
               if faults.outcome(kind, "html", store) in faults.RETRIED
               and kind not in faults.UNCOUNTED | {"206"}]
    server = origin(*origin_arguments(20, closed_port), *[
        text for n, kind in enumerate(passing, 1)
        for text in ("--fault", f"{kind}@wiki:{n}")])
    path = pipeline(
        {**harness.source(), "options": {
            "table": "constituents", "column": "Symbol", "hold": "10ms",
            "timeout": "500ms", "retry": {
                "attempts": 100, "backoff": "5ms", "backoff_max": "5ms"}}},
        fetcher("json"), harness.store())
    result = windrow("run", path, "--scale", 2, origin=server, store=store)
    assert result.status == 0, result
    injected = server.log()["keys"]["wiki"]["injected"]
    assert injected[:len(passing)] == passing
    torture.row("each fault of the site, one after the other, at the list",
                store=store, keys=20, tried=len(passing))


# A server may close a connection at the moment when it is used again. That is
# no failure of the site: with one attempt a key, all are stored.
def test_a_connection_that_is_closed_when_it_is_used_again(
        torture, store, origin, pipeline, windrow):
    server = origin("--count", 100, "--fault", "stale@*")
    path = pipeline(harness.source(), fetcher(
        "json", instances=1, retry={"attempts": 1}), harness.store())
    result = windrow("run", path, "--scale", 1, origin=server, store=store)
    assert result.status == 0, result
    log = server.log()
    assert log["requests"] > 150  # many were closed, and asked for again
    torture.row("a kept connection closed as it is used again", store=store,
                keys=100, tried=log["requests"] - 101)


# Retry-After.

def refusing(origin, pipeline, text, n_keys=20):
    """One refusal, for the first request of one key."""
    server = origin("--count", n_keys, "--retry-after", text, "--fault",
                    f"429-retry-after@{symbol(1)}:1")
    path = pipeline(harness.source(), fetcher("json", hold="300ms"),
                    harness.store())
    return server, path


# What is no number of seconds to come is answered by a hold-back of our own.
@pytest.mark.parametrize("text", ["-5", "soon", "", "0",
                                  "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_says_nothing(torture, sqlite, text, origin,
                                         pipeline, windrow):
    server, path = refusing(origin, pipeline, text)
    result = windrow("run", path, "--scale", 2, origin=server, store=sqlite)
    assert result.status == 0 and result.seconds < 5 * PATIENCE, result
    torture.row(f"429 with Retry-After: {text or '(nothing)'}", store=sqlite,
                keys=20)


def test_a_retry_after_with_a_date(torture, store, origin, pipeline, windrow):
    when = (datetime.datetime.now(datetime.timezone.utc)
            + datetime.timedelta(seconds=4))
    server, path = refusing(origin, pipeline,
                            email.utils.format_datetime(when, usegmt=True))
    result = windrow("run", path, "--scale", 2, origin=server, store=store)
    assert result.status == 0, result
    assert 1.5 < result.seconds < 10 * PATIENCE, result
    torture.row("429 with Retry-After: a date in 4 s", store=store, keys=20)


# A billion seconds are cut to ten minutes, in which the host is not asked and
# the run can be paused; what is left says when to go on.
def test_a_retry_after_of_thirty_years(torture, store, origin, pipeline, start):
    server, path = refusing(origin, pipeline, "1000000000")
    run = start("run", path, "--scale", 2, origin=server, store=store)
    until(lambda: server.log()["injected"], "a refusal")
    time.sleep(1)
    asked = server.log()["requests"]
    time.sleep(1)
    assert server.log()["requests"] == asked, "asked a host that is held back"
    run.signal(harness.signal.SIGINT)
    assert run.wait(20).status == 130
    column = ("not_before" if store.kind == "sqlite"
              else "extract(epoch FROM not_before) * 1e6")
    (longest, n_left), = store.query(
        f"SELECT max({column}), sum(n_keys) FROM windrow_batches WHERE open")
    seconds = float(longest) / 1e6 - time.time()
    assert 500 < seconds < 610, seconds
    assert store.count() + n_left == 20


# Two hosts, of which one says nothing.

@pytest.fixture
def silent_port():
    """Connections are taken by the kernel, and nothing is ever said."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(1000)
        yield sock.getsockname()[1]


def two_hosts(pipeline, bad_url, n_keys):
    """A worker for each host, each with keys of its own."""
    slow = fetcher("json", timeout="60s", connect_timeout="60s",
                   retry={"attempts": 1})
    slow.update(name="slow", input_queue="others")
    slow["options"]["url"] = f"{bad_url}/{{key}}"
    return pipeline(
        harness.source("values", name="good-keys",
                       input_values=[symbol(i + 1) for i in range(n_keys)]),
        harness.source("values", name="other-keys", output_queue="others",
                       input_values=[f"x{i}" for i in range(50)]),
        fetcher("json"), slow, harness.store(),
        queues=("symbols", "others", "prices"))


# The keys of the other host go on while nothing comes from the first.
def test_one_host_of_two_says_nothing(torture, store, origin, pipeline, start,
                                      silent_port):
    server = origin("--count", 300)
    path = two_hosts(pipeline, f"http://127.0.0.1:{silent_port}", 300)
    run = start("run", path, "--scale", 2, origin=server, store=store)
    until(lambda: store.count() == 300, "the good host's keys", 10)
    assert run.is_running()
    torture.figure("seconds for 300 keys while 50 wait for a silent host",
                   round(time.monotonic() - run.started, 1))


# A host that is down fails its own keys only.
def test_one_host_of_two_is_down(torture, store, origin, pipeline, windrow,
                                 closed_port):
    server = origin("--count", 300)
    path = two_hosts(pipeline, f"http://127.0.0.1:{closed_port}", 300)
    result = windrow("run", path, "--scale", 2, origin=server, store=store)
    assert result.status == 3, result
    torture.row("one host of two is down", store=store, keys=350,
                expected_failures={f"x{i}": "connect" for i in range(50)})


# The same with both in one worker: redirects lead half of its keys to a host
# that says nothing, and those wait without keeping the others.
def test_one_worker_with_a_silent_host(torture, store, origin, pipeline,
                                       windrow, silent_port):
    away = ",".join(symbol(i + 1) for i in range(0, 100, 2))
    server = origin("--count", 100, "--fault", f"redirect-away@{away}",
                    "--redirect-url", f"http://127.0.0.1:{silent_port}")
    path = pipeline(harness.source(), fetcher(
        "json", timeout="3s", retry={"attempts": 1}), harness.store())
    result = windrow("run", path, "--scale", 2, origin=server, store=store)
    assert result.status == 3, result
    torture.row("half of a worker's keys at a host that says nothing",
                store=store, keys=100, expected_failures={
                    key: "timed_out" for key in away.split(",")})

"""Names that can't be resolved, addresses that are not to be asked.

On a host of its own, with a resolv.conf and a name server of the tests.
"""
import subprocess
import time

import pytest

import harness
import hosts
from hosts import lone_host  # noqa: F401
from halves import one_store_in_the_short_form  # noqa: F401
from harness import until

HERE = harness.pathlib.Path(__file__).resolve().parent
N_KEYS = 40
GOOD = "127.0.0.1"


class Names:
    """A lone host whose names are answered as `mode` says."""

    def __init__(self, host, folder):
        self.host, self.mode_file = host, folder / "names"
        self.mode(GOOD)
        self.server = host.popen("/usr/bin/python3", HERE / "name_server.py",
                                 self.mode_file, stdout=subprocess.PIPE)
        assert self.server.stdout.readline() == b"ready\n"
        resolv = folder / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\n"
                          "options timeout:1 attempts:1\n")
        self.program = host.program(
            harness.BUILD / "windrow",
            f"unshare -m {HERE}/with-resolv-conf {resolv}")

    def mode(self, mode):
        new = self.mode_file.with_suffix(".new")
        new.write_text(mode)
        new.rename(self.mode_file)

    def end(self):
        harness.end(self.server)
        self.server.stdout.close()


@pytest.fixture
def names(lone_host, tmp_path, starter):  # noqa: F811
    return starter.keep(Names(lone_host, tmp_path))


@pytest.fixture
def server(lone_host, starter):  # noqa: F811
    return starter.keep(hosts.HostOrigin(lone_host, "127.0.0.1", "--count",
                                         N_KEYS))


def keys():
    return [f"K{i + 1:07}" for i in range(N_KEYS)]


def by_name(pipeline, server, **options):
    """Keys that are asked for at a host that has a name."""
    options = {"timeout": "3s", "retry": {
        "attempts": 2, "backoff": "50ms", "backoff_max": "100ms"}, **options}
    fetcher = harness.quotes(**options)
    fetcher["options"]["url"] = (f"http://quotes.example:{server.port}"
                                 "/v8/finance/chart/{key}")
    return pipeline(harness.source("values", input_values=keys()), fetcher,
                    harness.store())


def test_a_name_is_resolved(torture, store, names, server, pipeline, start):
    """The frame of these tests works."""
    path = by_name(pipeline, server)
    result = start("run", path, "--scale", 2, store=store,
                   program=names.program).wait(30)
    assert result.status == 0, result


@pytest.mark.parametrize("mode", ["nxdomain", "servfail", "silent"])
def test_names_fail(torture, store, names, server, pipeline, start, mode):
    """Each key ends as a failure with the reason dns, and the run ends."""
    names.mode(mode)
    path = by_name(pipeline, server)
    result = start("run", path, "--scale", 2, store=store,
                   program=names.program).wait(60)
    assert result.status == 3, result
    torture.row(f"names: {mode}", store=store, keys=N_KEYS,
                expected_failures=dict.fromkeys(keys(), "dns"))


@pytest.mark.parametrize("mode", ["servfail", "silent"])
def test_names_fail_and_come_back(torture, store, names, server, pipeline,
                                  start, mode):
    """What waits for the name goes on within a few seconds."""
    names.mode(mode)
    path = by_name(pipeline, server, retry={
        "attempts": 100, "backoff": "100ms", "backoff_max": "500ms"})
    run = start("run", path, "--scale", 2, store=store, program=names.program)
    time.sleep(3)
    assert run.is_running() and store.count() == 0
    names.mode(GOOD)
    back = time.monotonic()
    until(lambda: store.count() == N_KEYS, "all keys", 15)
    seconds = time.monotonic() - back
    assert run.wait(30).status == 0
    torture.row(f"names: {mode} for 3 s, then good again", store=store,
                keys=N_KEYS, recover=seconds)


# Addresses. The host has a public one; 127.0.0.1 is where a redirect must not
# lead. It answers there, so that it would be seen if it were asked.

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize("deny", [True, False])
def test_a_redirect_to_a_private_address(torture, store, lone_host,  # noqa: F811
                                         starter, pipeline, start, deny):
    lone_host.run("ip", "address", "add", f"{PUBLIC}/32", "dev", "lo")
    inner = starter.keep(hosts.HostOrigin(lone_host, "127.0.0.1", "--count",
                                          N_KEYS))
    led_away = keys()[::4]
    outer = starter.keep(hosts.HostOrigin(
        lone_host, PUBLIC, "--count", N_KEYS, "--redirect-url", inner.url,
        "--fault", f"redirect-away@{','.join(led_away)}"))
    path = pipeline(
        harness.source("values", input_values=keys()),
        harness.quotes(deny_private=deny, retry={"attempts": 2}),
        harness.store())
    run = start("run", path, "--scale", 2, store=store, origin=outer,
                program=lone_host.program(harness.BUILD / "windrow"))
    result = run.wait(30)
    failures = dict.fromkeys(led_away, "private_address") if deny else {}
    assert result.status == (3 if deny else 0), result
    assert set(inner.asked()) == (set() if deny else set(led_away))
    if deny:
        torture.row("redirect to a private address, denied", store=store,
                    keys=N_KEYS, expected_failures=failures)


# A name whose owner binds it anew to lead requests inside. The port is one
# that something listens at there, so that it would be seen if it were asked.

def two_servers(host, starter):
    host.run("ip", "address", "add", f"{PUBLIC}/32", "dev", "lo")
    inner = starter.keep(hosts.HostOrigin(host, "127.0.0.1", "--count",
                                          N_KEYS))
    return inner, lambda: starter.keep(hosts.HostOrigin(
        host, PUBLIC, "--count", N_KEYS, port=inner.port))


def test_a_name_is_bound_anew(torture, store, lone_host, names,  # noqa: F811
                              starter, pipeline, start):
    """To a public address when it is first asked for, then to a private one:
    the node that was told this asks nobody."""
    inner, begin_outer = two_servers(lone_host, starter)
    outer = begin_outer()
    names.mode(f"{PUBLIC}\n127.0.0.1")
    path = by_name(pipeline, outer, deny_private=True)
    result = start("run", path, "--scale", 2, "--batch", 5, store=store,
                   program=names.program).wait(30)
    denied = set(keys()) - set(outer.asked())
    assert result.status == 3 and 0 < len(denied) < N_KEYS, result
    assert not inner.asked()
    torture.row("a name that is bound anew to a private address, denied",
                store=store, keys=N_KEYS,
                expected_failures=dict.fromkeys(denied, "private_address"))


@pytest.mark.parametrize("deny", [True, False])
def test_a_name_with_two_addresses(torture, store, lone_host,  # noqa: F811
                                   names, starter, pipeline, start, deny):
    """Nobody answers at the public one; the private one is not fallen back
    to."""
    inner, _ = two_servers(lone_host, starter)
    names.mode(f"{PUBLIC} 127.0.0.1")
    path = by_name(pipeline, inner, deny_private=deny)
    result = start("run", path, "--scale", 2, store=store,
                   program=names.program).wait(30)
    assert result.status == (3 if deny else 0), result
    assert len(inner.asked()) == (0 if deny else N_KEYS)
    if deny:
        torture.row("a name with a public and a private address, denied",
                    store=store, keys=N_KEYS,
                    expected_failures=dict.fromkeys(keys(), "private_address"))

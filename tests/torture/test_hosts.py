"""Nodes on hosts that are far apart: packets lost, a delay, a cut, a wrong
clock, an address that is translated.

Five hosts (hosts.py): between each node's and the master's stands a relay
that carries everything on 20 ms later, the database's connections too. The
figures go below the table of docs/reliability.md.
"""
import glob
import time

import pytest

import hosts
from hosts import network  # noqa: F401
from test_partition import (DATABASE_PORT, PORT, Apart, apart,  # noqa: F401
                            database_way, proxy)

DELAY = 0.02
LOSS = 0.02
TASK_PORTS = range(5570, 5580)
CLOCK_WRONG_BY = 3600  # seconds
RATE = 20  # requests a second
LATE = 2  # of a second, whose packet was lost and sent again
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"


@pytest.fixture
def far(network, starter, postgres, windrow, tmp_path):  # noqa: F811
    """far(n_keys, ...): an Apart whose nodes dial a relay, with keys."""
    def make(n_keys, **options):
        there = Apart(network, starter, postgres, n_keys, **options)
        keys = tmp_path / "keys"
        assert windrow("keygen", keys).status == 0
        there.arguments = ["--keys", keys]
        relay = network.host("relay")
        ports = [PORT, PORT + 1, *TASK_PORTS]
        proxy(starter, relay, DELAY, database_way(postgres), *[
            f"{port}={there.master_host.address}:{port}" for port in ports])
        there.place = relay.address
        there.env = {"DATABASE_URL": f"postgresql://postgres@{relay.address}:"
                     f"{DATABASE_PORT}/{postgres.name}"}
        return there
    return make


def master(there):
    return there.master("--task-ports",
                        f"{TASK_PORTS.start}-{TASK_PORTS.stop - 1}")


def behind(network, router, folder):  # noqa: F811
    """A host that reaches the others by way of `router`, which puts its own
    address in place of that host's."""
    inner = hosts.Host(folder, "behind")
    network.hosts.append(inner)
    router.run("ip", "link", "add", "inside", "type", "veth", "peer", "name",
               "eth0", "netns", inner.name)
    router.run("ip", "address", "add", "192.168.77.1/24", "dev", "inside")
    router.run("ip", "link", "set", "inside", "up")
    inner.run("ip", "address", "add", "192.168.77.2/24", "dev", "eth0")
    inner.run("ip", "link", "set", "eth0", "up")
    inner.run("ip", "route", "add", "default", "via", "192.168.77.1")
    router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    router.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0",
               "-j", "MASQUERADE")
    return inner


def wrong_clock():
    """A prefix under which a program's clock is an hour ahead."""
    found = glob.glob(FAKETIME)
    if not found:
        pytest.skip("no libfaketime")
    return (f"env LD_PRELOAD={found[0]} FAKETIME=+{CLOCK_WRONG_BY}s"
            " FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1")


# What it costs to be far: the same job, next to the master and far from it.
@pytest.mark.parametrize("way", ["near", "far"])
def test_three_nodes_near_and_far(torture, far, apart, network,  # noqa: F811
                                  postgres, way):
    if not torture.full:
        pytest.skip("the long form: figures of near and far hosts")
    there = far(1000) if way == "far" else apart(1000)
    for number in range(3):
        host = network.host(f"node {number}")
        if way == "far":
            host.lose(LOSS)
        there.node(host, f"node-{number}")
    run = master(there)
    result = run.wait(120)
    assert result.status == 0, result
    assert len(result.summary["nodes"]) == 3
    what = "20 ms and 2 % loss away" if way == "far" else "near"
    torture.row(f"three hosts, {what}", store=postgres, keys=1000)
    torture.figure(f"1,000 keys by three nodes, {what}",
                   f"{result.seconds:.1f} s")


# All at once: loss and delay for all, one host cut off for a while, one with
# a clock that is an hour ahead, one behind an address translation.
def test_hosts_apart(torture, far, network, postgres, tmp_path):  # noqa: F811
    seconds = 30 if torture.full else 5
    there = far(RATE * (seconds + 4), rate=f"{RATE}/s")
    cut, clock, router = (network.host(name)
                          for name in ("cut", "clock", "router"))
    inner = behind(network, router, tmp_path)
    for host in (cut, clock, inner):
        host.lose(LOSS)
    there.node(cut, "cut")
    there.node(clock, "clock", before=wrong_clock())
    there.node(inner, "behind")
    run = master(there)
    there.begun(20)
    network.cut(cut)
    before = postgres.count()
    time.sleep(seconds)
    done_meanwhile = postgres.count() - before
    # At once their shares, and that of the cut one once it has expired.
    used = 0.7 if torture.full else 0.4
    assert done_meanwhile >= used * RATE * seconds, "the others rest"
    assert run.is_running()
    network.join(cut)
    result = run.wait(120)
    assert result.status == 0, result
    assert {node["name"] for node in result.summary["nodes"]} == {
        "cut", "clock", "behind"}
    assert there.origin.log()["second_max"] <= RATE + 3 + LATE
    torture.row("three hosts, 20 ms and 2 % loss; one cut off"
                f" {seconds} s, one with a wrong clock, one behind NAT",
                store=postgres, keys=there.n_keys)
    torture.figure(f"hosts apart, one cut off for {seconds} s:"
                   f" {there.n_keys} keys at {RATE}/s", f"{result.seconds:.1f} s,"
                   f" {done_meanwhile} of them during the cut")


# A clock that is wrong shows in the times of what it fetched, and nowhere
# else: leases and shares go by clocks that only run.
def test_only_times_are_wrong(torture, far, network, postgres):  # noqa: F811
    if not torture.full:
        pytest.skip("the long form: only a wrong clock")
    there = far(200, rate="40/s")  # long enough for both to take part
    well, clock = network.host("well"), network.host("clock")
    there.node(well, "well")
    there.node(clock, "clock", before=wrong_clock())
    result = master(there).wait(60)
    assert result.status == 0, result
    wrong, = postgres.query("SELECT count(*) FROM prices WHERE extracted_time"
                            " > now() + interval '30 minutes'")[0]
    assert 0 < wrong < 200
    torture.row("a node whose clock is an hour ahead", store=postgres,
                keys=200)

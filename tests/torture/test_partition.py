"""Master, nodes and database on hosts that are parted and joined again.

Hosts are network namespaces (hosts.py). PostgreSQL alone: SQLite is one
machine's.
"""
import subprocess
import time

import pytest

import harness
import hosts
from hosts import network  # noqa: F401
from harness import until

HERE = harness.pathlib.Path(__file__).resolve().parent
PORT = 5555  # in namespaces of our own
DATABASE_PORT = 5432


class Apart:
    """A site, a master and nodes, each on its own host."""

    def __init__(self, network, starter, store, n_keys, **options):
        self.network, self.starter, self.store = network, starter, store
        self.n_keys = n_keys
        self.site = network.host("site")
        self.master_host = network.host("master")
        self.origin = starter.keep(hosts.HostOrigin(
            self.site, self.site.address, "--count", n_keys, "--latency",
            "50ms"))
        self.path = starter.pipeline(
            harness.source(), harness.quotes(
                timeout="3s", connect_timeout="1s", retry={
                    "attempts": 100, "backoff": "200ms",
                    "backoff_max": "1s"}, **options), harness.store())
        self.env = {}
        self.arguments = ["--insecure"]
        self.place = self.master_host.address

    def node(self, host, name, before="", **env):
        return self.starter.start(
            "--connect", f"tcp://{self.place}:{PORT}", "--name", name,
            *[text for text in self.arguments if text != "--insecure"],
            origin=self.origin,
            env={"DATABASE_URL": self.store.url, **self.env, **env},
            program=host.program(harness.BUILD / "windrow-node", before))

    def master(self, *arguments):
        return self.starter.start(
            "run", self.path, "--scale", "0", "--batch", "10", "--listen",
            f"tcp://{self.master_host.address}:{PORT}", *self.arguments,
            *arguments, origin=self.origin, store=self.store, env=self.env,
            program=self.master_host.program(harness.BUILD / "windrow"))

    def begun(self, n_rows=1):
        until(lambda: self.store.count() >= n_rows, "the first rows", 20)


@pytest.fixture
def apart(network, starter, postgres):  # noqa: F811
    return lambda n_keys, **options: Apart(network, starter, postgres, n_keys,
                                           **options)


def seconds_parted(torture):
    return 30 if torture.full else 5


def goes_on(apart, store, since):
    """Seconds until the next row is stored."""
    rows = store.count()
    until(lambda: store.count() > rows or store.count() == apart.n_keys,
          "rows after the hosts were joined", 40)
    return time.monotonic() - since


def test_three_of_four_nodes_are_parted(torture, apart, network,  # noqa: F811
                                        postgres):
    """One has no cable; what the master sends to the second is lost; what the
    third sends is lost. Their keys go to the fourth, and all three take part
    again when it is over; what they hold from before does no harm."""
    seconds = seconds_parted(torture)
    there = apart(30 * (seconds + 3), rate="30/s")
    names = ["cut", "deaf", "dumb", "well"]
    at = {name: network.host(name) for name in names}
    for name in names:
        there.node(at[name], name)
    run = there.master()
    there.begun(20)
    network.cut(at["cut"])
    at["deaf"].drop("INPUT", "-s", there.place)
    at["dumb"].drop("OUTPUT", "-d", there.place)
    before = postgres.count()
    time.sleep(seconds)
    assert postgres.count() > before + 10 * (seconds - 4), "the fourth rests"
    assert run.is_running()
    network.join(at["cut"])
    at["deaf"].allow()
    at["dumb"].allow()
    result = run.wait(60)
    assert result.status == 0, result
    torture.row(f"three of four nodes parted from the master, {seconds} s,"
                " each in another way", store=postgres, keys=there.n_keys,
                tried=3)


@pytest.mark.parametrize("way", ["cut", "deaf", "dumb"])
def test_the_master_is_parted(torture, apart, network, postgres,  # noqa: F811
                              way):
    """From all nodes: it can't say who should work, and they go on with
    what they hold."""
    seconds = seconds_parted(torture)
    if way != "cut" and not torture.full:
        pytest.skip("the long form: in one direction only")
    there = apart(300, rate="50/s")
    for name in ("a", "b"):
        there.node(network.host(name), name)
    run = there.master()
    there.begun(20)
    if way == "cut":
        network.cut(there.master_host)
    elif way == "deaf":
        there.master_host.drop("INPUT", "-i", "eth0")
    else:
        there.master_host.drop("OUTPUT", "-o", "eth0")
    time.sleep(seconds)
    assert run.is_running() and postgres.count() < 300
    network.join(there.master_host)
    there.master_host.allow()
    recover = goes_on(there, postgres, time.monotonic())
    result = run.wait(90)
    assert result.status == 0, result
    torture.row(f"the master parted from all nodes, {seconds} s ({way})",
                store=postgres, keys=300, recover=recover)


def proxy(starter, host, delay, *ways):
    """A tcp_proxy.py on this host."""
    process = host.popen("/usr/bin/python3", HERE / "tcp_proxy.py", delay,
                         host.address, *ways, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"

    class Proxy:
        def end(self):
            harness.end(process)
            process.stdout.close()
    return starter.keep(Proxy())


def database_way(store):
    return f"{DATABASE_PORT}={store.cluster.folder}/.s.PGSQL.5432"


def test_the_database_is_parted_from_a_node(torture, apart, network,  # noqa: F811
                                            starter, postgres):
    """The node keeps what it has and goes on when the database is back; the
    other node's work goes on all the time."""
    if not torture.full:
        pytest.skip("the long form: the database parted from a node")
    seconds = seconds_parted(torture)
    there = apart(30 * (seconds + 2), rate="30/s")
    database = network.host("database")
    proxy(starter, database, 0, database_way(postgres))
    url = f"postgresql://postgres@{database.address}/{postgres.name}"
    a, b = network.host("a"), network.host("b")
    there.node(a, "a", DATABASE_URL=url)
    there.node(b, "b", DATABASE_URL=url)
    run = there.master()
    there.begun(20)
    a.drop("OUTPUT", "-d", database.address)
    before = postgres.count()
    time.sleep(seconds)
    assert postgres.count() > before, "the other node rests"
    a.allow()
    result = run.wait(120)
    assert result.status == 0, result
    torture.row(f"the database parted from one of two nodes, {seconds} s",
                store=postgres, keys=there.n_keys)

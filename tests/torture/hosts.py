"""Network namespaces as hosts, and what can go wrong between them.

A Network has a switch (a bridge in a namespace of its own) and hosts, each
with one address at it; nothing of it reaches the machine's own network. Files
and Unix sockets are the machine's, so a database's socket is at hand in all.
"""
import itertools
import os
import re
import shutil
import subprocess

import pytest

import harness

numbers = itertools.count()
PREFIX = "10.77.0."


def run(*command, check=True):
    return subprocess.run([str(part) for part in command], check=check,
                          capture_output=True, text=True, timeout=30)


def missing():
    """Why there can be no namespaces here; None if there can."""
    for program in ("ip", "iptables", "nsenter"):
        if not shutil.which(program):
            return f"no {program}"
    if os.getuid() != 0:
        return "namespaces need root"
    if run("unshare", "-n", "-m", "true", check=False).returncode:
        return "no namespaces can be made here"
    return None


class Host:
    """A network namespace."""

    def __init__(self, folder, label):
        self.folder, self.label = folder, label
        self.name = f"windrow-{os.getpid()}-{next(numbers)}"
        run("ip", "netns", "add", self.name)
        self.inside = ["nsenter", f"--net=/run/netns/{self.name}", "--"]
        self.address = None
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, check=True):
        return run(*self.inside, *command, check=check)

    def popen(self, *command, **options):
        return subprocess.Popen(
            [*self.inside, *map(str, command)],
            preexec_fn=harness.ends_with_us, **options)

    def program(self, path, before=""):
        """A script that runs the program here; `before` is put first."""
        script = self.folder / f"{path.name}-{next(numbers)}"
        script.write_text("#!/bin/bash\nexec " + " ".join(self.inside)
                          + f" {before} {path} \"$@\"\n")
        script.chmod(0o755)
        return script

    def drop(self, chain, *match):
        """Drops such packets until allow()."""
        self.run("iptables", "-I", chain, *match, "-j", "DROP")

    def allow(self):
        for chain in ("INPUT", "OUTPUT", "FORWARD"):
            self.run("iptables", "-F", chain)

    def lose(self, share):
        """Loses this share of all packets that come and go."""
        for chain in ("INPUT", "OUTPUT"):
            self.drop(chain, "!", "-i" if chain == "INPUT" else "-o", "lo",
                      "-m", "statistic", "--mode", "random", "--probability",
                      f"{share:.4f}")

    def end(self):
        run("ip", "netns", "delete", self.name, check=False)


class Network:
    """Hosts at one switch."""

    def __init__(self, folder):
        self.folder, self.hosts = folder, []
        self.switch = Host(folder, "switch")
        self.switch.run("ip", "link", "add", "bridge", "type", "bridge")
        self.switch.run("ip", "link", "set", "bridge", "up")

    def host(self, label):
        """A new host with the next address."""
        host = Host(self.folder, label)
        self.hosts.append(host)
        number = len(self.hosts)
        host.address, host.port = f"{PREFIX}{number}", f"port{number}"
        self.switch.run("ip", "link", "add", host.port, "type", "veth",
                        "peer", "name", "eth0", "netns", host.name)
        self.switch.run("ip", "link", "set", host.port, "master", "bridge",
                        "up")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")
        return host

    def cut(self, host):
        """Takes its cable out."""
        self.switch.run("ip", "link", "set", host.port, "down")

    def join(self, host):
        self.switch.run("ip", "link", "set", host.port, "up")

    def end(self):
        for host in [*self.hosts, self.switch]:
            host.end()


class HostOrigin(harness.Origin):
    """A windrow-origin on a host, at `address` (its own, or loopback)."""

    FETCH = ("import sys, urllib.request as r;"
             "sys.stdout.buffer.write(r.urlopen(sys.argv[1]).read())")

    def __init__(self, host, address, *arguments, port=0):
        self.host = host
        self.process = host.popen(
            harness.BUILD / "windrow-origin",
            "--listen", f"{address}:{port}", *arguments,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"listening on (http://[\d.]+:(\d+))", line)
        assert found, (line, self.process.stderr.read() if not line else "")
        self.url, self.port = found[1], int(found[2])

    def get(self, path):
        return subprocess.run(
            [*self.host.inside, "/usr/bin/python3", "-c", self.FETCH,
             self.url + path], check=True, capture_output=True,
            timeout=20).stdout


@pytest.fixture
def network(tmp_path):
    if why := missing():
        pytest.skip(why)
    network = Network(tmp_path)
    yield network
    network.end()


@pytest.fixture
def lone_host(tmp_path):
    """A host with nothing but itself."""
    if why := missing():
        pytest.skip(why)
    host = Host(tmp_path, "lone")
    yield host
    host.end()

"""deploy/stack.yaml in a swarm of this machine: scaled in mid-run, a node and
the master that are lost replaced, nodes updated, an update taken back."""
import os
import subprocess
import uuid

import pytest

from engine import DEPLOY, docker, inspect, run, until


@pytest.fixture
def swarm(images):
    """An engine that manages a swarm of itself alone."""
    state = docker("info", "-f", "{{.Swarm.LocalNodeState}}").strip()
    if state == "inactive":
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    yield
    if state == "inactive":
        docker("swarm", "leave", "--force")


class Stack:
    def __init__(self, **settings):
        self.name = f"windrow-{uuid.uuid4().hex[:8]}"
        run(DEPLOY / "compose-secrets", "--keys")
        run("docker", "stack", "deploy", "-c", "stack.yaml", "-c",
            "stack-demo.yaml", self.name, cwd=DEPLOY,
            env={**os.environ, **settings})

    def service(self, name):
        return f"{self.name}_{name}"

    def containers(self, name):
        return docker("ps", "-q", "--filter", "label=com.docker.swarm.service"
                      f".name={self.service(name)}").split()

    def query(self, sql):
        """What psql answers; nothing as long as there is no answer."""
        found = self.containers("database")
        if not found:
            return ""
        done = subprocess.run(
            ["docker", "exec", found[0], "psql", "-U", "windrow", "-Atc", sql],
            capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def stored(self):
        return self.query("SELECT count(*), count(DISTINCT symbol) FROM prices")

    def rows(self):
        return int(self.stored().partition("|")[0] or 0)

    def state(self, name):
        """Of the newest task: Running, Complete, ..."""
        out = docker("service", "ps", "--format", "{{.CurrentState}}",
                     self.service(name))
        return out.split(" ")[0]

    def logs(self):
        return "".join(docker("service", "logs", self.service(name),
                              check=False) for name in ["master", "node"])

    def end(self):
        docker("stack", "rm", self.name)
        until(lambda: not docker(
            "ps", "-aq", "--filter",
            f"label=com.docker.stack.namespace={self.name}").split(),
              "the stack's containers are gone", 60)
        until(lambda: subprocess.run(
            ["docker", "volume", "rm", "-f", f"{self.name}_database"],
            capture_output=True).returncode == 0, "its volume is gone", 30)


@pytest.fixture
def stack(swarm, images):
    started = []

    def start(**settings):
        started.append(Stack(**images, **settings))
        return started[-1]

    yield start
    for one in started:
        one.end()


# Two nodes become six in mid-run; one is killed and replaced; 503 rows, none
# twice, and the master's task is complete.
def test_scaled_a_node_lost_a_bad_update(stack):
    cluster = stack(YAHOO_RATE="40/s", YAHOO_IN_FLIGHT="unlimited")
    until(lambda: cluster.rows() >= 40, "the first rows", 90)
    docker("service", "scale", "-d", cluster.service("node") + "=6")
    until(lambda: len(cluster.containers("node")) == 6, "six nodes run", 30)
    assert cluster.rows() < 450, "the run was over before"
    lost = cluster.containers("node")[0]
    docker("kill", lost)
    until(lambda: len(cluster.containers("node")) == 6
          and lost not in cluster.containers("node"),
          "another stands for the lost node", 30)
    until(lambda: cluster.state("master") == "Complete", "the run ends", 90)
    assert cluster.stored() == "503|503", cluster.logs()
    assert "503 stored, 0 failed" in cluster.logs()

    # A version of the node that does not work is taken back by itself.
    before = inspect(cluster.service("node"))["Spec"]["TaskTemplate"]
    docker("service", "scale", "-d", cluster.service("node") + "=2")
    docker("service", "update", "-d", "--args", "/bin/false",
           cluster.service("node"))
    until(lambda: inspect(cluster.service("node"))["UpdateStatus"]["State"]
          == "rollback_completed", "the update is taken back", 90, 0.5)
    after = inspect(cluster.service("node"))["Spec"]["TaskTemplate"]
    assert after["ContainerSpec"] == before["ContainerSpec"]


# A master that is lost in mid-run is followed by one that goes on with its run,
# under the same name, while nodes are replaced one by one by a version that
# works: 503 rows, none twice, one run. That version is taken back by hand.
def test_the_master_lost_a_good_update(stack):
    cluster = stack(YAHOO_RATE="30/s", YAHOO_IN_FLIGHT="unlimited")
    until(lambda: cluster.rows() >= 40, "the first rows", 90)
    lost, = cluster.containers("master")
    docker("kill", lost)
    until(lambda: cluster.containers("master") not in ([], [lost]),
          "another master stands for the lost one", 30)
    before = cluster.rows()
    until(lambda: cluster.rows() > before, "the run goes on", 60)
    assert cluster.rows() < 450, "the run was over before"

    node = cluster.service("node")
    old = set(cluster.containers("node"))
    docker("service", "update", "-d", "--env-add", "WINDROW_LOG_LEVEL=debug",
           "--update-monitor", "2s", "--update-delay", "0s", node)

    def update_is(state):
        return inspect(node).get("UpdateStatus", {}).get("State") == state

    until(lambda: update_is("completed"), "the nodes are updated", 90, 0.5)
    # The old ones are done, or within their grace: they hand back their work.
    until(lambda: len(cluster.containers("node")) == 2
          and not set(cluster.containers("node")) & old,
          "two other nodes run", 30)
    until(lambda: cluster.state("master") == "Complete", "the run ends", 90)
    assert cluster.stored() == "503|503", cluster.logs()
    assert cluster.query("SELECT count(*) FROM windrow_runs") == "1"

    def settings():
        return inspect(node)["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"]

    assert "WINDROW_LOG_LEVEL=debug" in settings()
    docker("service", "rollback", "-d", node)
    until(lambda: update_is("rollback_completed"), "the nodes are those of "
          "before", 90, 0.5)
    assert "WINDROW_LOG_LEVEL=info" in settings()

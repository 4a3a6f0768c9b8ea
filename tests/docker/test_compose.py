"""deploy/compose-demo and compose.yaml on a real engine: from no image at all
to 503 rows, with containers killed, added and taken away in mid-run."""
import pathlib
import re
import subprocess
import time

from engine import COMPOSE, DEPLOY, PATIENCE, docker, inspect, run, until

MEGABYTE = 1_000_000
SLOW = {"YAHOO_RATE": "60/s"}  # 503 keys in 9 s


def in_container(container, *command):
    return docker("exec", container, *command)


# Each service's networks, as docs/deploy.md's table tells them.
NETWORKS = {"node": {"cluster", "database", "web"},
            "master": {"cluster", "database"},
            "database": {"database"},
            "origin": {"web"}}


def networks_of(run_, container):
    found = inspect(container)["NetworkSettings"]["Networks"]
    return {name.removeprefix(f"{run_.project}_") for name in found}


# One command, as documented, that builds all images itself: four nodes, 503
# rows, exit status 0; and what is said of the containers is so: health, no
# root, no writing, no way in but by their networks.
def test_the_demo(first_demo):
    run_ = first_demo
    assert "building windrow" in run_.text()
    assert "503 stored, 0 failed" in run_.text()
    nodes = run_.containers("node")
    assert len(nodes) == 4
    until(lambda: all(inspect(node)["State"]["Health"]["Status"] == "healthy"
                      for node in nodes), "nodes are healthy")
    assert in_container(nodes[0], "id", "-u").strip() == "10001"
    assert in_container(nodes[0], "cat", "/proc/1/comm").strip() == "tini"
    for node in nodes:
        assert inspect(node)["HostConfig"]["ReadonlyRootfs"]
    for service, networks in NETWORKS.items():
        containers = run_.containers(service, "-aq")
        assert containers, service
        for container in containers:
            assert not inspect(container)["HostConfig"]["PortBindings"]
            assert networks_of(run_, container) == networks
    for network, internal in [("cluster", True), ("database", True),
                              ("web", False)]:
        assert inspect(f"{run_.project}_{network}")["Internal"] is internal
    # The master's secret is not among what nodes see.
    assert sorted(in_container(nodes[0], "ls", "/var/lib/windrow/keys").split()
                  ) == ["master.pub", "node.key"]
    # A password is in no container's environment or arguments, and in no log.
    password = (DEPLOY / "secrets/database_password").read_text().strip()
    assert len(password) > 20 and password not in run_.text()
    for container in nodes + run_.containers("database"):
        assert password not in docker("inspect", container)
        assert password not in docker("logs", container)
    run_.end()


# A node that is killed costs nothing but time.
def test_a_node_is_killed(demo):
    run_ = demo("--nodes", "4", **SLOW)
    run_.is_in_mid_run()
    docker("kill", run_.containers("node")[1])
    run_.ends_well()


# A master that is killed and started again goes on with its run.
def test_the_master_is_killed(demo):
    run_ = demo("--nodes", "4", **SLOW)
    run_.is_in_mid_run()
    docker("kill", run_.containers("master")[0])
    run_.ends_well()
    assert "the master was killed; starting it again" in run_.text()
    assert run_.query("SELECT count(*) FROM windrow_runs") == ["1"]


def peers_of_the_origin(origin_pid):
    """Addresses that ask the demo's site, as its own kernel tables say."""
    text = pathlib.Path(f"/proc/{origin_pid}/net/tcp").read_text()
    found = set()
    for line in text.splitlines()[1:]:
        local, remote = line.split()[1:3]
        if local.endswith(":1F90"):
            number = int(remote.split(":")[0], 16)
            found.add(".".join(str(number >> shift & 255)
                               for shift in (0, 8, 16, 24)))
    return found


def address_on_the_web(container):
    networks = inspect(container)["NetworkSettings"]["Networks"]
    return next(network["IPAddress"] for name, network in networks.items()
                if name.endswith("_web"))


# Nodes added in mid-run ask the site within 2 s of their start; nodes that are
# taken away hand back what they have.
def test_more_nodes_and_fewer(demo):
    run_ = demo("--nodes", "4", YAHOO_RATE="30/s")
    run_.is_in_mid_run()
    origin = inspect(run_.containers("origin")[0])["State"]["Pid"]
    before = set(run_.containers("node"))
    scaling = subprocess.Popen(
        [*COMPOSE, "up", "-d", "--no-build", "--no-recreate", "--scale",
         "node=8"], cwd=DEPLOY, env=run_.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    began, waited = {}, {}
    limit = time.monotonic() + 30 * PATIENCE
    while len(waited) < 4 and time.monotonic() < limit:
        for node in set(run_.containers("node")) - before - set(began):
            began[node] = time.monotonic(), address_on_the_web(node)
        peers = peers_of_the_origin(origin)
        for node, (start, address) in began.items():
            if address in peers and node not in waited:
                waited[node] = time.monotonic() - start
        time.sleep(0.02)
    output = scaling.communicate(timeout=60)[0]
    assert len(waited) == 4, (output, began, waited, run_.text())
    print("seconds from a node's start to its first request:",
          sorted(round(seconds, 2) for seconds in waited.values()))
    assert max(waited.values()) < 2 * PATIENCE
    run_.compose("up", "-d", "--no-build", "--no-recreate", "--scale",
                 "node=2")
    assert run_.process.poll() is None, "the run had ended before"
    assert len(run_.containers("node")) == 2
    run_.ends_well()


# The image is at most 90 MB larger than its base, says what it is, and works
# where nothing may be written, and stops at once when it is told to.
def test_the_image(images):
    image = inspect("windrow:latest")
    more = image["Size"] - inspect("debian:bookworm-slim")["Size"]
    print(f"the image is {more / MEGABYTE:.1f} MB above its base")
    assert more < 90 * MEGABYTE
    labels = image["Config"]["Labels"]
    for name in ["title", "description", "version", "licenses", "revision"]:
        assert labels[f"org.opencontainers.image.{name}"]
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Healthcheck"]["Test"]
    for program in ["windrow", "windrow-node", "windrow-origin"]:
        out = docker("run", "--rm", "--read-only", "--network=none",
                     "windrow:latest", program, "--version")
        assert out.split()[0] == program
    container = docker("run", "-d", "--rm", "--read-only", "--network=none",
                       "windrow:latest", "windrow-origin").strip()
    began = time.monotonic()
    docker("stop", "-t", "20", container)
    assert time.monotonic() - began < 10 * PATIENCE


# Every setting of the sample is one that the files read, and the reverse.
def test_the_sample_has_each_setting():
    read = set()
    for name in ["compose.yaml", "stack.yaml"]:
        read |= set(re.findall(r"\$\{(\w+)", (DEPLOY / name).read_text()))
    sample = set(re.findall(r"^#?(\w+)=", (DEPLOY / "sample.env").read_text(),
                            re.M))
    internal = {"WIKIPEDIA_URL", "YAHOO_URL", "ORIGIN_LATENCY", "NODES",
                "STACK_RUN"}
    assert read - internal == sample


# docker-compose 1.29 takes the file, and so does the specification's schema
# (test_schemas.py), which Compose v2 goes by.
def test_docker_compose_takes_the_file(engine):
    out = run("docker-compose", "-f", DEPLOY / "compose.yaml", "--profile",
              "demo", "config", "--services")
    assert set(out.split()) == {"database", "master", "node", "origin"}

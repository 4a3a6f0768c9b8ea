"""The units, run by a real systemd, which is process 1 of a container.

What can't be in there is taken out of them by a drop-in: user namespaces
(PrivateUsers=) and credentials, which need mounts that a container lacks; the
credentials' files lie in a folder instead.
"""
import json
import os
import re
import shutil

import pytest

from engine import docker, run, until
from test_packages import packages  # noqa: F401 (a fixture)

DOCKERFILE = """FROM debian:bookworm-slim
COPY *.deb /packages/
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends \\
    systemd systemd-sysv /packages/*.deb >/dev/null 2>&1
CMD ["/sbin/init"]
"""

SETTINGS = """DATABASE_URL=sqlite:prices.db
WIKIPEDIA_URL=http://127.0.0.1:8080
YAHOO_URL=http://127.0.0.1:8080
YAHOO_RATE=unlimited
YAHOO_IN_FLIGHT=unlimited
"""

SET_UP = r"""
set -eu
mkdir -p /etc/credentials /etc/systemd/system/windrow@.service.d \
    /etc/systemd/system/windrow-node@.service.d
cp /usr/share/windrow/pipelines/sp500.yaml /etc/credentials/pipeline.yaml
cat >/etc/credentials/env
chmod -R a+rX /etc/credentials
for unit in windrow windrow-node; do
    printf '[Service]\nPrivateUsers=no\nLoadCredential=\n' \
        >/etc/systemd/system/$unit@.service.d/test.conf
    echo 'Environment=CREDENTIALS_DIRECTORY=/etc/credentials' \
        >>/etc/systemd/system/$unit@.service.d/test.conf
done
systemctl daemon-reload
systemd-run -q --unit=origin windrow-origin --listen 127.0.0.1:8080
"""


@pytest.fixture(scope="module")
def systemd(images, packages, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("systemd")
    for package in packages.glob("*.deb"):
        shutil.copy(package, folder)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    run("docker", "build", "-q", "-t", "windrow-systemd", folder,
        env={**os.environ, "DOCKER_BUILDKIT": "0"})
    container = docker(
        "run", "-d", "--cap-add", "SYS_ADMIN", "--security-opt",
        "seccomp=unconfined", "--security-opt", "systempaths=unconfined",
        "--cgroupns", "host", "--tmpfs", "/run", "--tmpfs", "/tmp", "-v",
        "/sys/fs/cgroup:/sys/fs/cgroup", "windrow-systemd").split()[-1]

    def inside(script, **options):
        return run("docker", "exec", "-i", container, "bash", "-c", script,
                   **options)

    def is_up():
        return inside("systemctl is-system-running", check=False).strip() in (
            "running", "degraded")

    try:
        until(is_up, "systemd is up", 30)
        inside(SET_UP, input=SETTINGS)
        yield inside
    finally:
        docker("rm", "-f", container)
        docker("rmi", "windrow-systemd")


# As confined as it is, a scheduled pipeline runs, and so again: two runs, each
# with all rows, in the folder that the unit gives it.
def test_a_scheduled_run(systemd):
    systemd("systemctl start windrow@prices && systemctl start windrow@prices")
    log = systemd("journalctl -u windrow@prices --no-pager -o cat")
    assert "run 1: 503 stored, 0 failed" in log
    assert "run 2: 503 stored, 0 failed" in log
    assert "prices.db" in systemd("ls /var/lib/windrow/prices/")


TIMER = r"""
set -eu
mkdir -p /etc/systemd/system/windrow@prices.timer.d
printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\n%s\n' \
    AccuracySec=100ms >/etc/systemd/system/windrow@prices.timer.d/test.conf
rm -f /var/lib/windrow/prices/prices.db*
systemctl daemon-reload
systemctl start windrow@prices.timer
"""


# The timer starts a run that has the day's name, and no other on that day; who
# starts one by hand has another.
def test_the_timer(systemd):
    def log():
        return systemd("journalctl -u windrow@prices --no-pager -o cat")

    def runs():
        return len(json.loads(systemd(
            "windrow runs --format json --store"
            " sqlite:/var/lib/windrow/prices/prices.db")))

    systemd(TIMER)
    until(lambda: re.search(
        r"run 1, prices \d{4}-\d\d-\d\d, has ended: done", log()),
        "the timer has elapsed twice", 30)
    systemd("systemctl stop windrow@prices.timer")
    assert runs() == 1
    until(lambda: "inactive" == systemd(
        "systemctl is-active windrow@prices", check=False).strip(),
        "its service has ended")
    systemd("systemctl start windrow@prices")
    assert runs() == 2


# A node stays, waits for its master, is healthy, and ends when it is told to.
def test_a_node(systemd):
    systemd("""
set -eu
windrow keygen /tmp/keys >/dev/null
install -m 0600 /tmp/keys/node.key /tmp/keys/master.pub /etc/credentials
# Without credentials the file must be the user's: one that stays, then.
useradd -r someone
chown someone /etc/credentials/node.key /etc/credentials/master.pub
printf 'DynamicUser=no\\nUser=someone\\n' \
    >>/etc/systemd/system/windrow-node@.service.d/test.conf
echo WINDROW_CONNECT=tcp://127.0.0.1:5555 >/etc/credentials/env
echo DATABASE_URL=postgresql://windrow@127.0.0.1/x >>/etc/credentials/env
systemctl daemon-reload
systemctl start windrow-node@1
""")
    until(lambda: "active" == systemd(
        "systemctl is-active windrow-node@1", check=False).strip(),
        "the node is active")
    until(lambda: "the database is away, waiting" in systemd(
        "journalctl -u windrow-node@1 --no-pager -o cat"),
        "it says what it waits for")
    systemd("systemctl stop windrow-node@1")
    log = systemd("journalctl -u windrow-node@1 --no-pager -o cat")
    assert "code=killed" not in log and "dumped" not in log

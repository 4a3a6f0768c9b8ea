"""The machine: its cores, what it is called, and how quiet it was."""
import os
import pathlib
import platform
import re
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


class Cores:
    """Who runs where: servers and database on the last core, the client that
    is measured on the first, or on as many as are asked for."""

    def __init__(self):
        self.every = sorted(os.sched_getaffinity(0))
        self.server = {self.every[-1]}
        self.client = {self.every[0]}
        # All but the server's, for what is to be spread over several.
        self.clients = set(self.every[:-1]) or self.client

    def told(self):
        if self.server == self.client:
            return ("One core only: server, database and client share it, so "
                    "keys a second say little; CPU time does.")
        return (f"The servers and the database have core {min(self.server)}, "
                f"the client core {min(self.client)}, unless a table says "
                "otherwise.")


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""


def described():
    """What was measured on, for the report."""
    info = pathlib.Path("/proc/cpuinfo").read_text("utf-8", "replace")
    model = re.search(r"^model name\s*: (.*)", info, re.M)
    release = pathlib.Path("/etc/os-release")
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', release.read_text("utf-8"),
                     re.M) if release.exists() else None
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(total / 1e9, 1),
        "kernel": platform.release(),
        "system": name[1] if name else platform.system(),
        "curl": first_line("curl", "--version").split(" (")[0],
        "nginx": first_line("/usr/sbin/nginx", "-v"),
        "go": first_line("go", "version"),
        "python": platform.python_version(),
    }


class Quiet:
    """How much of the cores others took while this was open, the hypervisor
    included: where it is more than a few parts in a hundred, what was
    measured is rough."""

    def __init__(self, ours):
        self.ours = ours  # seconds of CPU of all that we started, so far
        self.before = self.busy(), self.ours(), os.times().elapsed

    @staticmethod
    def busy():
        fields = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()
        user, nice, system, _idle, _wait, irq, soft, steal = map(
            int, fields[1:9])
        return (user + nice + system + irq + soft + steal) / TICKS

    def share_of_others(self):
        busy, ours, began = self.before
        seconds = (os.times().elapsed - began) * os.cpu_count()
        others = (self.busy() - busy) - (self.ours() - ours)
        return max(0.0, others / seconds) if seconds > 0 else 0.0

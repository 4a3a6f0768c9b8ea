"""Processes: started on their cores, measured, and always ended.

Each is the leader of its own session, so that a ^C in the terminal is ours
alone, and we end them in order; should we be killed, the kernel ends them.
"""
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import time

from harness.machine import TICKS
from harness.tools import Failed

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)
started = []  # and not ended yet


class Process:
    """A program that runs: on these cores, its output in a file."""

    def __init__(self, command, folder, cores=None, env=None, name=None,
                 death=signal.SIGKILL):
        self.command = [str(word) for word in command]
        self.name = name or pathlib.Path(self.command[0]).name
        self.log = pathlib.Path(folder) / f"{self.name}.log"

        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, death)
            if cores:
                os.sched_setaffinity(0, cores)

        with open(self.log, "wb") as log:
            self.began = time.monotonic()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, cwd=folder, preexec_fn=prepare,
                env={**os.environ, **(env or {})}, start_new_session=True)
        self.pid = self.process.pid
        self.status = self.usage = None
        started.append(self)

    def said(self):
        return self.log.read_text("utf-8", "replace")

    def has_ended(self, timeout=0.0):
        """Waits so long for its end; takes what it used."""
        if self.status is None:
            handle = os.pidfd_open(self.pid)
            try:
                ended, _, _ = select.select([handle], [], [], timeout)
            finally:
                os.close(handle)
            if not ended:
                return False
            self.seconds = time.monotonic() - self.began
            _, status, self.usage = os.wait4(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
            self.process.returncode = self.status
            started.remove(self)
        return True

    def end(self, number=signal.SIGTERM, patience=10.0):
        """Ends it and all that it started and did not put elsewhere."""
        if self.has_ended():
            return
        for wanted in (number, signal.SIGKILL):
            try:
                os.killpg(self.pid, wanted)
            except ProcessLookupError:
                pass
            if self.has_ended(patience):
                return

    def cpu(self):
        """Seconds of CPU so far, of it and all its descendants."""
        if self.usage:
            return self.usage.ru_utime + self.usage.ru_stime
        return cpu_of_tree(self.pid)


def end_all():
    """What was started last ends first."""
    while started:
        started[-1].end()


def children(pid):
    try:
        tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks
                for child in (task / "children").read_text().split()]
    except OSError:  # it is gone
        return []


def tree(pid):
    """It and all its descendants."""
    found = [pid]
    for each in found:
        found += children(each)
    return found


def cpu_of_tree(pid):
    """Seconds of CPU: those of the living, and of the children that each has
    waited for."""
    total = 0
    for each in tree(pid):
        try:
            text = pathlib.Path(f"/proc/{each}/stat").read_text()
        except OSError:
            continue
        # proc(5): utime, stime, cutime, cstime are fields 14 to 17.
        total += sum(map(int, text.rpartition(")")[2].split()[11:15]))
    return total / TICKS


class Peaks:
    """The largest memory of each process of a tree, looked at now and then:
    VmHWM is the peak so far, so only growth after the last look is missed."""

    def __init__(self):
        self.found = {}  # pid: (name, bytes)

    def look(self, pid):
        for each in tree(pid):
            try:
                lines = dict(line.split(":", 1) for line in pathlib.Path(
                    f"/proc/{each}/status").read_text().splitlines())
                self.found[each] = (
                    lines["Name"].strip(),
                    int(lines["VmHWM"].split()[0]) * 1024)
            except (OSError, KeyError, ValueError):
                continue

    def of(self, name):
        return [size for found, size in self.found.values() if found == name]


class Outcome:
    """How a program ran from its start to its end."""

    def __init__(self, process, servers, peaks):
        self.seconds = process.seconds
        self.cpu = process.cpu()
        self.status = process.status
        self.said = process.said()
        self.servers = servers  # name: seconds of CPU meanwhile
        self.peaks = peaks


def pause(process):
    """Between two looks: short for what may soon be over."""
    return 0.01 if time.monotonic() < process.began + 1 else 0.2


def run(command, folder, *, cores=None, env=None, servers=None, limit=600,
        look=False, statuses=(0,), name=None):
    """Runs a program to its end; its Outcome. `servers` are Processes whose
    CPU time meanwhile is taken too; with `look`, memory is watched. Failed
    where it ends with another status, or not within `limit` seconds."""
    servers = servers or {}
    before = {key: server.cpu() for key, server in servers.items()}
    process = Process(command, folder, cores, env, name)
    peaks = Peaks() if look else None
    try:
        while not process.has_ended(pause(process) if look else limit):
            if look:
                peaks.look(process.pid)
            if time.monotonic() > process.began + limit:
                raise Failed(f"{process.name} did not end within {limit} s")
    finally:
        process.end(patience=2)
    if process.status not in statuses:
        raise Failed(f"{process.name} ended with status {process.status}: "
                     + process.said()[-600:].strip())
    return Outcome(process, {key: server.cpu() - before[key]
                             for key, server in servers.items()}, peaks)

"""Where the CPU time of a node goes: perf's samples, by what they serve.

A sample is of one thread, library and function; what that serves is told from
these. The kernel's part of the loop's thread is counted as HTTP: of its system
calls nearly all are for answers, one or two a batch for the store.
"""
import collections
import re
import subprocess

from harness import tools
from harness.processes import run
from harness.tools import Missing

FREQUENCY = 1999  # a second; not a multiple of what else happens in a second
NODE = "windrow-node"
PARTS = ["HTTP", "extraction", "store", "messages", "libc", "other"]

THREADS = [(r"ZMQbg", "messages")]
LIBRARIES = [(r"libcurl|libssl|libcrypto|libnghttp2|libz\b", "HTTP"),
             (r"libsimdjson|libxml2|libicu", "extraction"),
             (r"libpq|libsqlite3", "store"),
             (r"libzmq|libjansson|libsodium", "messages"),
             (r"libc\.|libm\.|ld-linux|libstdc|vdso", "libc"),
             (r"\[kernel|\[unknown|\[guest", "HTTP")]
FUNCTIONS = [(r"extract|simdjson", "extraction"),
             (r"store_|ledger_|postgres|sqlite|query_", "store"),
             (r"links?_|message_|socket_|wire_|beat", "messages"),
             (r"fetch_|sockets_|resolve_|on_curl|url_|http", "HTTP")]

# windrow-node  1234/1235  [000]  ffffffff81 symbol+0x1f (library)
SAMPLE = re.compile(r"\s*(.+?)\s+(\d+)/(\d+)\s+[0-9a-f]+ (.*) \((.*)\)\s*$")


def need():
    """Missing unless perf works here and sees the kernel."""
    perf = tools.program("perf")
    tried = subprocess.run(
        [perf, "record", "-q", "-e", "cpu-clock:k", "-o", "/dev/null", "true"],
        capture_output=True, text=True, check=False)
    if tried.returncode:
        raise Missing("perf may not look into the kernel here: as root, or "
                      "after sysctl kernel.perf_event_paranoid=1")
    return perf


def recording(perf, data):
    """What to put before a command, so that it is sampled into `data`."""
    return [perf, "record", "-q", "-e", "cpu-clock", "-F", FREQUENCY, "-o",
            data, "--"]


class Samples:
    """Samples of the nodes, counted."""

    def __init__(self, text):
        every, names = [], {}
        for line in text.splitlines():
            if found := SAMPLE.match(line):
                thread, pid, tid, function, library = found.groups()
                every.append((thread, pid, function, library))
                if pid == tid:
                    names[pid] = thread
        self.samples = collections.Counter(
            (thread, library.rpartition("/")[2], function)
            for thread, pid, function, library in every
            if names.get(pid) == NODE)
        self.n = sum(self.samples.values())

    def shares(self):
        """{part: its share of the node's time}, in the order of PARTS."""
        found = dict.fromkeys(PARTS, 0)
        for sample, n in self.samples.items():
            found[part_of(*sample)] += n
        return {part: n / self.n for part, n in found.items()}

    def top(self, n, by_function):
        """[(share, library, function)], the largest first."""
        found = collections.Counter()
        for (_, library, function), count in self.samples.items():
            found[(library, function if by_function else "")] += count
        return [(count / self.n, *key) for key, count in found.most_common(n)]


def read(perf, data, folder):
    """The Samples of a recording."""
    return Samples(run([perf, "script", "-i", data, "-F",
                        "comm,pid,tid,ip,sym,dso"], folder).said)


def part_of(thread, library, function):
    """Which of PARTS this serves."""
    for patterns, text in ((THREADS, thread), (LIBRARIES, library),
                           (FUNCTIONS, function)):
        for pattern, part in patterns:
            if re.search(pattern, text):
                return part
    return "other"

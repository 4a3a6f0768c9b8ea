"""Programs of the user's (class exec): what they answer, how they die, and
what is left of them. See docs/programs.md."""
import json
import os
import signal
import sys

import harness
from harness import is_alive, until
from network import Network

# Each test's program is this, and `take(id, key)` of its own.
FRAME = """
import json, os, signal, subprocess, sys, time
def answer(id, **what):
    print(json.dumps({"id": id, **what}), flush=True)
def once(name):
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False
%s
for line in sys.stdin:
    asked = json.loads(line)
    take(asked["id"], asked["key"])
"""
PRICE = 'answer(id, record={"price": len(key)})'


class Job:
    """A pipeline of these keys and one program."""

    def __init__(self, starter, keys, take, start="", instances=8, **options):
        self.starter, self.folder, self.keys = starter, starter.folder, keys
        body = f"{start}\ndef take(id, key):\n" + "\n".join(
            "    " + line for line in take.splitlines())
        (self.folder / "worker.py").write_text(FRAME % body)
        self.asks = {
            "name": "asks", "class": "exec", "input_queue": "symbols",
            "output_queues": ["prices"], "instances": instances,
            "options": {"command": [sys.executable, "worker.py"],
                        "fields": {"price": "/price"},
                        "retry": {"attempts": 2, "backoff": "50ms"},
                        **options}}
        self.path = starter.pipeline(
            harness.source("values", input_values=keys), self.asks,
            harness.store())

    def run(self, store, **options):
        return self.starter.start("run", self.path, "--scale", "1",
                                  store=store, **options).wait()

    def check(self, result, store, **failures):
        """All of its keys are stored, but for these."""
        assert result.status == (3 if failures else 0), result
        assert store.failures() == failures, result
        assert set(store.prices()) == set(self.keys) - set(failures)


def keys(n):
    return [f"K{i}" for i in range(n)]


def pids(folder):
    """What programs have written into files named pid-..."""
    return [int(path.name[4:]) for path in folder.glob("pid-*")]


# What they answer.

def test_each_key_is_answered_once(starter, store):
    """In another order than asked, with all digits; in two nodes."""
    job = Job(starter, keys(200), """
held.append(id)
if len(held) == 4 or key == "K199":
    for id in reversed(held):
        print('{"record": {"price": %d.10}, "id": %d}' % (id, id), flush=True)
    held.clear()""", start="held = []", instances=4)
    result = starter.start("run", job.path, "--scale", "1", "--batch", "200",
                           store=store).wait()
    job.check(result, store)
    assert all(price.endswith(".10") for price in store.prices().values())


def test_errors(starter, sqlite):
    """One that may pass is tried again; the other one's words are kept."""
    job = Job(starter, keys(5) + ["NONE", "LATER", "TEXT"], f"""
if key == "NONE":
    answer(id, error="no such key", retry=False)
elif key == "LATER" and once("later"):
    answer(id, error="come back", retry=True)
elif key == "TEXT":
    answer(id, record={{"price": "x"}})
else:
    {PRICE}""")
    job.check(job.run(sqlite), sqlite, NONE="worker_error", TEXT="field_type")
    assert ("no such key",) in sqlite.query(
        "SELECT detail FROM windrow_failures")


def test_after_another_fetcher(starter, origin, sqlite):
    """An exec step reads what a site's answer said."""
    server = origin()
    job = Job(starter, ["AAPL", "KO"],
              'answer(id, record={"price": key.lower()})',
              fields={"price": {"at": "/price", "type": "text"}})
    first = harness.quotes(output_queues=("names",), fields={
        "key": {"at": "/chart/result/0/meta/shortName", "type": "text"}})
    second = {**job.asks, "input_queue": "names"}
    job.path = starter.pipeline(
        harness.source("values", input_values=job.keys), first, second,
        harness.store(), queues=("symbols", "names", "prices"))
    result = job.run(sqlite, origin=server)
    assert result.status == 0, result
    assert all(price == key.lower() for key, price in
               sqlite.prices().items()) and sqlite.count() == 2


# How they die.

def test_killed_in_mid_run(starter, store):
    job = Job(starter, keys(100), f"""
if key == "K50" and once("killed"):
    os.kill(os.getpid(), signal.SIGKILL)
{PRICE}""")
    result = job.run(store)
    job.check(result, store)
    assert "was ended by signal 9" in result.err


def test_a_key_that_kills_it(starter, store):
    """It is found, whatever else was unanswered, with its last words."""
    job = Job(starter, keys(40) + ["POISON"], f"""
if key == "POISON":
    sys.exit("I can't bear it")
{PRICE}""", instances=16)
    job.check(job.run(store), store, POISON="worker_died")
    [(attempts, detail)] = store.query(
        "SELECT attempts, detail FROM windrow_failures")
    assert attempts == 2
    assert detail == "ended with status 1: I can't bear it"


def test_no_answer_in_time(starter, sqlite):
    job = Job(starter, keys(30) + ["SLOW"], f"""
if key == "SLOW":
    time.sleep(1000)
{PRICE}""", timeout="300ms")
    job.check(job.run(sqlite), sqlite, SLOW="timed_out")


def test_a_start_takes_its_time(starter, sqlite):
    """It is not the keys' time: that begins when the program reads."""
    job = Job(starter, keys(30), PRICE, start="time.sleep(0.8)",
              timeout="200ms", retry={"attempts": 1})
    job.check(job.run(sqlite), sqlite)


def test_lines_that_are_no_answers(starter, sqlite):
    """The program is started anew after each, and the key is known."""
    job = Job(starter, keys(20) + ["PRINT", "OTHER", "LONG", "TWICE"], f"""
if key == "PRINT":
    print("hello", flush=True)
elif key == "OTHER":
    answer(id + 1000000, record={{}})
elif key == "LONG":
    print("x" * 100000, flush=True)
    time.sleep(1000)
else:
    {PRICE}
if key == "TWICE":
    {PRICE}""", body_max="1KiB", retry={"attempts": 1})
    result = job.run(sqlite)
    job.check(result, sqlite, PRINT="worker_answer", OTHER="worker_answer",
              LONG="worker_answer")
    for words in ("gave a line that is no JSON object: hello",
                  "gave a line longer than body_max",
                  "which it was not asked, or has answered before"):
        assert words in result.err, result


def test_one_that_can_not_begin(starter, sqlite):
    """The run ends, and says why; it does not go on for ever."""
    job = Job(starter, keys(20), PRICE, start="import no_such_module")
    result = job.run(sqlite)
    assert result.status == 4, result
    assert "its program ends at each start, before it has a key" in result.err
    assert "No module named 'no_such_module'" in result.err
    assert not sqlite.count()
    (job.folder / "worker.py").write_text(FRAME % f"""
def take(id, key):
    {PRICE}""")
    result = starter.start("resume", "1", "--scale", "1", store=sqlite).wait()
    job.check(result, sqlite)


# What they have, and what is left of them.

def test_what_it_has(starter, postgres):
    """No setting of ours, no descriptor, a session of its own."""
    job = Job(starter, ["A"], """
found = {"env": dict(os.environ), "fds": os.listdir("/proc/self/fd"),
         "session": os.getsid(0) == os.getpid(),
         "privileges": open("/proc/self/status").read()}
json.dump(found, open("found", "w"))
answer(id, record={"price": 1})""", env={"MODEL": "small", "KEY": "${API_KEY}"},
        memory="256MiB")
    result = job.run(postgres, env={
        "PGPASSWORD": "secret-1", "WINDROW_LEASE": "20s", "TZ": "UTC",
        "DATABASE_URL": postgres.url, "API_KEY": "secret-2"})
    job.check(result, postgres)
    found = json.loads((job.folder / "found").read_text())
    assert found["env"]["MODEL"] == "small" and found["env"]["TZ"] == "UTC"
    assert found["env"]["KEY"] == "secret-2"
    assert set(found["env"]) <= {"PATH", "HOME", "LANG", "TZ", "MODEL", "KEY",
                                 "LC_CTYPE"}  # the last one is Python's own
    assert set(found["fds"]) <= {"0", "1", "2", "3"}  # the folder itself
    assert found["session"] and "NoNewPrivs:\t1" in found["privileges"]


LEAVES = """
child = subprocess.Popen(["sleep", "1000"])
for pid in (os.getpid(), child.pid):
    open("pid-%d" % pid, "w").close()"""


def test_nothing_is_left_after_a_run(starter, sqlite):
    """Not its children either; nor where it heeds no end of its input."""
    job = Job(starter, keys(10), PRICE, start=LEAVES)
    with open(job.folder / "worker.py", "a") as worker:
        worker.write("time.sleep(1000)")
    job.check(job.run(sqlite), sqlite)
    assert len(pids(job.folder)) == 2
    assert not any(map(is_alive, pids(job.folder)))


def test_nothing_is_left_of_a_node_that_is_killed(starter, sqlite):
    """And its keys are worked on by the next."""
    job = Job(starter, keys(10), f"""
if key == "K5" and once("held"):
    time.sleep(1000)
{PRICE}""", start=LEAVES)
    run = starter.start("run", job.path, "--scale", "1", store=sqlite)
    until((job.folder / "held").exists, "the program has its key")
    before = pids(job.folder)
    assert len(before) == 2 and all(map(is_alive, before))
    [node] = run.nodes()
    os.kill(node, signal.SIGKILL)
    until(lambda: not any(map(is_alive, before)), "they end with the node")
    job.check(run.wait(), sqlite)
    assert not any(map(is_alive, pids(job.folder)))


def test_a_node_elsewhere_must_be_told_to(starter, postgres):
    network = Network(starter, postgres)
    job = Job(starter, keys(10), PRICE)
    run = network.master("run", job.path)
    node = network.node("--name", "careful")
    result = node.wait(10)
    assert result.status == 4 and "--allow-exec" in result.err, result
    assert not (job.folder / "found").exists() and not postgres.count()
    node = network.node("--name", "willing", "--allow-exec")
    job.check(run.wait(), postgres)
    # Another program than that of its first run it does not start.
    worker = job.folder / "worker.py"
    other = job.folder / "other.py"
    other.write_text(worker.read_text())
    job.path.write_text(job.path.read_text().replace("worker.py", "other.py"))
    run = network.master("run", job.path)
    result = node.wait(10)
    assert result.status == 4, result
    assert "keeps to the programs of its first run" in result.err
    network.node("--name", "fresh", "--allow-exec", "--once")
    assert run.wait().status == 0


# Before a run.

def test_check(starter, windrow):
    job = Job(starter, ["A"], PRICE)
    assert windrow("check", job.path).status == 0
    text = job.path.read_text()
    for program, words in (
            ("worker.py", "for the one beside the pipeline say './worker.py'"),
            ("no-such-program", "there is no program 'no-such-program' in"),
            ("./absent", "'./absent' can't be started: No such file"),
            ("./worker.py", "'./worker.py' can't be started: Permission denied"
                            "; chmod +x"),
            ("/etc/passwd", "'/etc/passwd' can't be started: Permission")):
        job.path.write_text(text.replace(f'"{sys.executable}"', f'"{program}"'))
        result = windrow("check", job.path)
        assert result.status == 2 and words in result.err, result
        assert windrow("run", job.path).status == 2
    job.path.write_text(text.replace("worker.py", "wroker.py"))
    result = windrow("check", job.path)
    assert result.status == 0, result
    assert "note: line " in result.err and "no file 'wroker.py'" in result.err


def test_plan_try_and_test(starter, windrow):
    """The lines are shown; a recorded one is replayed without a program."""
    job = Job(starter, ["AB", "C"], f"""
if key == "C":
    answer(id, error="not me", retry=True)
else:
    {PRICE}""")
    result = windrow("plan", job.path)
    assert result.status == 0, result
    assert f"{sys.executable} worker.py, one in each node, 8 keys at once" in result.out
    assert 'asks {"id": 1, "key": "AB"}' in result.out
    result = windrow("try", job.path, "AB", "--record")
    assert result.status == 0, result
    assert 'asked: {"id": 1, "key": "AB"}' in result.out
    assert '{"id": 1, "record": {"price": 2}}' in result.out
    assert windrow("try", job.path, "C", "--record").status == 3
    cases = job.path.with_suffix(".cases")
    assert "line: answer.json" in (cases / "AB/case.yaml").read_text()
    (job.folder / "worker.py").unlink()
    result = windrow("test", job.path)
    assert result.status == 0 and "2 of 2 cases passed" in result.out, result
    result = windrow("try", job.path, "AB")
    assert result.status == 3 and "worker_died" in result.out, result


def test_a_try_that_a_run_would_record(starter, windrow):
    """However a program fails a key, the status is that of a failed key."""
    job = Job(starter, ["A"], """
if key == "DIES":
    sys.exit("no more")
elif key == "SLOW":
    time.sleep(1000)
elif key == "WRONG":
    print("no line", flush=True)""", timeout="300ms")
    for key, words in (("DIES", "worker_died"), ("WRONG", "worker_answer"),
                       ("SLOW", "timed_out")):
        result = windrow("try", job.path, key)
        assert result.status == 3 and words in result.out, result
    assert "SLOW within its timeout: is each line flushed?" in result.out

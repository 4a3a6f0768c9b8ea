"""What is logged, where, and how much of it."""
import json
import os
import re
import signal
import subprocess

import pytest

from harness import BUILD, ends_with_us, quotes, source, store as sink, until

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z "
                  r"(debug|info |warn |error) ([\w.-]+): (.*)")


def lines_of(text):
    """(level, who, what) of each line; any other is a failure."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [(line[1].strip(), line[2], line[3]) for line in found]


@pytest.fixture
def failing(origin, pipeline):
    """A pipeline whose keys all fail, for two reasons."""
    server = origin("--fault", "no-field@AAPL,MSFT", "--fault", "404@*")
    path = pipeline(source(), quotes(), sink())
    return server, path


def failures_told(lines):
    return [what for level, who, what in lines
            if level == "warn" and who == "node-1"]


# 503 failures are not 503 lines: one for each reason and host, and how many
# were left out.
def test_failures_are_told_once(windrow, failing, store):
    server, path = failing
    result = windrow("run", path, "--scale", 1, "--progress", "none",
                     origin=server, store=store)
    assert result.status == 3
    text = "".join(line + "\n" for line in result.err.splitlines()
                   if not line.startswith("windrow: "))
    told = failures_told(lines_of(text))
    place = f"127.0.0.1:{server.port}"
    assert len(told) == 4, told
    assert re.fullmatch(rf"quotes \S+ failed: not_found at {place}: "
                        r"HTTP status 404", next(
                            line for line in told if "404" in line))
    assert re.search(rf"quotes (AAPL|MSFT) failed: field_missing at {place}: ",
                     "\n".join(told))
    assert sorted(told[2:]) == [f"1 more key failed: field_missing at {place}",
                                f"500 more keys failed: not_found at {place}"]


@pytest.mark.parametrize("how", [("--log-level", "error"), ()])
def test_level(windrow, failing, sqlite, how):
    server, path = failing
    env = {} if how else {"WINDROW_LOG_LEVEL": "error"}
    result = windrow("run", path, *how, "--progress", "none", origin=server,
                     store=sqlite, env=env)
    assert result.status == 3 and " warn " not in result.err


@pytest.mark.parametrize("how, env, said", [
    (("--log-level", "loud"), {}, "--log-level wants debug, info, warn or "
                                  "error, not \"loud\""),
    ((), {"WINDROW_LOG_LEVEL": "loud"}, "WINDROW_LOG_LEVEL is 'loud'; debug, "
                                        "info, warn or error is allowed"),
    (("--log-file", "no/such/folder"), {}, "the log can't be written to "
                                           "no/such/folder: No such file")])
def test_bad_usage(windrow, failing, sqlite, how, env, said):
    server, path = failing
    result = windrow("run", path, *how, origin=server, store=sqlite, env=env)
    assert result.status == 2 and said in result.err, result
    assert not sqlite.path.exists()


def test_a_node_says_so_too():
    for arguments, env in ((["--log-level", "loud"], {}),
                           ([], {"WINDROW_LOG_LEVEL": "loud"})):
        result = subprocess.run(
            [BUILD / "windrow-node", "--connect", "ipc:///nowhere",
             *arguments], env={**os.environ, **env}, capture_output=True,
            text=True, timeout=30)
        assert result.returncode == 2
        assert re.search("[\"']loud[\"']", result.stderr), result.stderr


# --log-file

def test_log_file(windrow, failing, store, tmp_path):
    """Master and nodes write there; what is for the user stays where it was."""
    server, path = failing
    log = tmp_path / "windrow.log"
    log.write_text("before\n")
    result = windrow("run", path, "--scale", 2, "--progress", "none",
                     "--log-file", log, "--log-level", "debug", origin=server,
                     store=store)
    assert result.status == 3
    assert all(line.startswith("windrow: ")
               for line in result.err.splitlines()), result.err
    first, _, rest = log.read_text().partition("\n")
    assert first == "before"
    lines = lines_of(rest)
    assert sum("more key" in what for _, _, what in lines) >= 1
    assert {who for _, who, _ in lines} >= {"node-1", "node-2"}


def test_log_file_is_rotated(start, origin, pipeline, sqlite, tmp_path):
    """It is moved away and SIGHUP sent, as logrotate does: what comes then, from
    master and nodes, is in a new file; the nodes know nothing of it."""
    server = origin("--latency", "50ms", "--fault", "404@*")
    keys = [f"K{i}" for i in range(2000)]
    path = pipeline(source("file", path=str(tmp_path / "keys")),
                    quotes(instances=4), sink())
    (tmp_path / "keys").write_text("\n".join(keys))
    log, old = tmp_path / "windrow.log", tmp_path / "windrow.log.1"
    run = start("run", path, "--scale", 1, "--log-file", log, "--log-format",
                "json", "--progress", "none", origin=server, store=sqlite)
    until(lambda: log.exists() and "K0 failed" in log.read_text(),
          "the first failure")
    log.rename(old)
    run.signal(signal.SIGHUP)
    os.kill(run.nodes()[0], signal.SIGKILL)
    until(lambda: log.exists() and "it is started again" in log.read_text(),
          "a line in the new file")
    until(lambda: "failed: not_found" in log.read_text(),
          "a line of the new node")
    run.signal(signal.SIGINT)
    assert run.wait().status == 130
    before = [json.loads(line) for line in old.read_text().splitlines()]
    after = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["who"] for line in before} == {"node-1"}
    assert {line["who"] for line in after} == {"node-1", "master"}
    assert "started again" not in old.read_text()


# The journal

def test_journal(starter, failing, sqlite, tmp_path):
    """Lines begin with the priority, and leave the time to the journal: where
    standard error is what JOURNAL_STREAM says, and not elsewhere."""
    server, path = failing
    for right in (True, False):
        with open(tmp_path / "journal", "w") as journal:
            status = os.fstat(journal.fileno())
            stream = f"{status.st_dev}:{status.st_ino + (not right)}"
            process = subprocess.Popen(
                [BUILD / "windrow", "run", path, "--scale", "1", "--progress",
                 "none", "--store", sqlite.url], stdout=subprocess.DEVNULL,
                stderr=journal, preexec_fn=ends_with_us,
                env={**os.environ, **server.settings(),
                     "JOURNAL_STREAM": stream})
            assert process.wait(60) == 3
        lines = [line for line in
                 (tmp_path / "journal").read_text().splitlines()
                 if "windrow: " not in line]
        assert len(lines) == 4
        if right:
            assert all(re.match(r"<4>node-1: ", line) for line in lines)
        else:
            lines_of("\n".join(lines))

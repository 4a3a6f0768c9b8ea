"""./dev itself, in a folder with stand-ins for the programs that it starts."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]


class Tree:
    """A copy of dev beside programs that only pretend."""

    def __init__(self, root):
        self.root = root
        shutil.copy(SOURCE / "dev", root)
        (root / "deploy").symlink_to(SOURCE / "deploy")
        (root / "CMakePresets.json").touch()
        (root / "bin").mkdir()
        # Every package is installed; everything is built.
        self.program("bin/dpkg-query", 'shift 3; printf "installed %s\\n" "$@"')
        self.program("bin/cmake", "")
        self.program("bin/ninja", "")

    def program(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)

    def dev(self, *arguments):
        path = f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            [self.root / "dev", *arguments],
            env={"PATH": path, "HOME": str(self.root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def is_running(pid):
    """A zombie that nobody waits for has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def ends(pid):
    """Whether the process is gone within five seconds."""
    for _ in range(50):
        if not is_running(pid):
            return True
        time.sleep(0.1)
    return False


def test_help_lists_each_command(tree):
    commands = re.findall(r"^do_([\w-]+)\(\)", (SOURCE / "dev").read_text(), re.M)
    listed = re.findall(r"^  ([\w-]+) ", tree.dev("help").stdout, re.M)
    assert sorted(listed) == sorted(commands)


def test_an_unknown_command_is_an_error_that_names_it(tree):
    result = tree.dev("biuld")
    assert result.returncode == 1
    assert "no command 'biuld'" in result.stdout


def test_missing_packages_are_named_to_one_who_may_not_install(tree):
    """Who is not root reads the command that root has to give."""
    tree.program("bin/dpkg-query", 'shift 3; printf "installed %s\\n" "${@:3}"')
    tree.program("bin/id", "echo 1000")
    tree.program("bin/sudo", "exit 1")
    result = tree.dev("install", "build")
    assert result.returncode == 1
    assert "apt-get install --no-install-recommends cmake g++\n" in result.stdout


def test_missing_packages_and_no_others_are_installed_by_root(tree):
    tree.program("bin/dpkg-query", 'shift 3; printf "installed %s\\n" "${@:3}"')
    tree.program("bin/id", "echo 0")
    for name in ("mkdir", "tee", "apt-get"):
        tree.program(f"bin/{name}", f'echo {name} "$@"')
    result = tree.dev("install", "build")
    assert result.returncode == 0
    assert "install -y --no-install-recommends cmake g++\n" in result.stdout


def test_a_suite_over_its_time_fails_and_is_ended_with_its_children(tree):
    result = tree.dev("within", "slow", "1", "sh", "-c", "sleep 60 & echo $!; wait")
    assert result.returncode == 124
    assert "OVER ITS TIME" in result.stdout
    assert ends(re.search(r"^(\d+)$", result.stdout, re.M).group(1))


def test_a_suite_that_fails_does_not_keep_the_next_from_running(tree):
    tree.program("bin/ctest", 'echo "ctest $*"; [[ $* != *^unit* ]]')
    result = tree.dev("test", "unit", "simulation")
    assert result.returncode == 1
    assert re.search(r"release/unit .* FAILED", result.stdout)
    assert re.search(r"release/simulation .* passed", result.stdout)


def test_a_suite_without_tests_fails(tree):
    """ctest is told that no tests is an error."""
    tree.program("bin/ctest", "[[ $* != *--no-tests=error* ]]")
    assert tree.dev("test", "unit").returncode == 1


def test_demo_hands_on_the_exit_status_and_ends_the_origin(tree):
    tree.program(
        "build/release/windrow-origin",
        "echo $$ >origin.pid\n"
        "echo windrow-origin: listening on http://127.0.0.1:4\n"
        "exec sleep 60",
    )
    tree.program("build/release/windrow", 'echo "$YAHOO_URL" "$@"; exit 3')
    result = tree.dev("demo")
    assert result.returncode == 3
    assert "http://127.0.0.1:4 run pipelines/sp500.yaml" in result.stdout
    assert ends((tree.root / "origin.pid").read_text().strip())


def test_demo_says_why_the_origin_does_not_start(tree):
    tree.program("build/release/windrow-origin", "echo no; exit 1")
    result = tree.dev("demo")
    assert result.returncode == 1
    assert "windrow-origin does not listen; it said: no" in result.stdout


def test_every_package_named_is_one_word_a_line():
    for file in (SOURCE / "deploy/packages").glob("*.txt"):
        for line in file.read_text().splitlines():
            name = line.split("#")[0].strip()
            assert re.fullmatch(r"([a-z0-9][a-z0-9.+-]+)?", name), file

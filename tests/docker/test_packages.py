"""The Debian packages: clean, complete, and gone without a trace."""
import os
import re
import shutil
import tempfile
import pathlib

import pytest

from engine import IN_CI, SOURCE, docker, run

BUILD = pathlib.Path(os.environ.get("WINDROW_BUILD",
                                    SOURCE / "build/release"))
NAMES = ["windrow", "windrow-node", "windrow-bench"]


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """Folder with the packages of the programs that were built."""
    folder = tmp_path_factory.mktemp("packages")
    run("cpack", "-B", folder, cwd=BUILD, timeout=300)
    found = sorted(folder.glob("*.deb"))
    assert sorted(path.name.split("_")[0] for path in found) == sorted(NAMES)
    return folder


@pytest.mark.parametrize("name, library", [
    ("windrow", "libzmq5"), ("windrow-node", "libcurl4")])
def test_libraries_are_dependencies(packages, name, library):
    """As dpkg-shlibdeps finds them."""
    package, = packages.glob(f"{name}_*.deb")
    assert library in run("dpkg", "-f", package, "Depends")


def test_lintian_has_no_complaints(packages):
    assert shutil.which("lintian"), "deploy/packages/docker.txt has it"
    out = run("lintian", "--allow-root", "--fail-on", "error,warning",
              *packages.glob("*.deb"), check=False)
    assert out == ""


# Installed in a container that has nothing, each program runs and each page is
# there; removed, they leave no file behind.
def test_installed_and_removed_in_a_clean_container(images, packages):
    script = r"""
set -eu
apt-get -qq update
rm /etc/dpkg/dpkg.cfg.d/* 2>/dev/null || true # manual pages too
find / -xdev -name '*windrow*' -not -path '/proc/*' | sort >/tmp/before
apt-get -qq install -y --no-install-recommends /packages/*.deb >/dev/null 2>&1
for program in windrow windrow-node windrow-origin windrow-bench; do
    $program --version
    test -s /usr/share/man/man1/$program.1.gz
    test -s /usr/share/bash-completion/completions/$program
    test -s /usr/share/zsh/vendor-completions/_$program
    test -s /usr/share/fish/vendor_completions.d/$program.fish
done
test -s /usr/share/man/man5/windrow-pipeline.5.gz
test -s /lib/systemd/system/windrow@.timer
test -s /lib/systemd/system/windrow-node@.service
windrow-origin --port-file /tmp/port >/dev/null &
while ! [ -s /tmp/port ]; do sleep 0.1; done
site=http://127.0.0.1:$(cat /tmp/port)
WIKIPEDIA_URL=$site YAHOO_URL=$site YAHOO_RATE=unlimited \
    YAHOO_IN_FLIGHT=unlimited DATABASE_URL=sqlite:/tmp/x.db \
    windrow run /usr/share/windrow/pipelines/sp500.yaml --progress none
kill %1
cd /tmp
windrow-bench list
windrow-bench start --rounds 1 --into /tmp/measured >/dev/null 2>&1
grep '^| Windrow, list from the page (sp500.yaml) | [0-9]' /tmp/measured/report.md
rm -r /tmp/measured
dpkg -s windrow | sed -n 's/^Status: //p'
apt-get -qq purge -y windrow windrow-node windrow-bench >/dev/null 2>&1
find / -xdev -name '*windrow*' -not -path '/proc/*' | sort >/tmp/after
diff /tmp/before /tmp/after && echo nothing is left
"""
    out = docker("run", "--rm", "-v", f"{packages}:/packages:ro",
                 "debian:bookworm-slim", "bash", "-c", script, timeout=180)
    for program in ["windrow", "windrow-node", "windrow-origin",
                    "windrow-bench"]:
        assert f"{program} 0." in out
    assert "503 stored, 0 failed" in out
    assert "install ok installed" in out and "nothing is left" in out


# The units are sound, and as confined as docs/deploy.md says.
@pytest.mark.parametrize("unit", ["windrow@.service",
                                  "windrow-node@.service"])
def test_units(unit, tmp_path):
    for program in ["usr/bin/windrow-node", "usr/lib/windrow/scheduled"]:
        place = tmp_path / program
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("#!/bin/sh\n")
        place.chmod(0o755)
    text = (SOURCE / "deploy/systemd" / unit).read_text()
    text = text.replace("=/usr/", f"={tmp_path}/usr/")
    (tmp_path / unit).write_text(text)
    out = run("systemd-analyze", "verify", "--man=no", tmp_path / unit)
    assert out == "", out
    out = run("systemd-analyze", "security", "--offline=yes",
              tmp_path / unit)
    score = float(re.search(r"exposure level for \S+: ([\d.]+)", out)[1])
    said = re.search(rf"`{re.escape(unit)}`[^\n]*?(\d\.\d)",
                     (SOURCE / "docs/deploy.md").read_text())
    assert score <= float(said[1]) <= 1.5


def test_timer(tmp_path):
    text = (SOURCE / "deploy/systemd/windrow@.timer").read_text()
    when = re.search(r"^OnCalendar=(.*)$", text, re.M)[1]
    assert "Next elapse" in run("systemd-analyze", "calendar", when)


# Completions: what is offered is what --help says, in each shell that is here.

def options_of(*command):
    out = run(BUILD / command[0], *command[1:], "--help")
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", out.split(
        "Options:")[-1].split("Exit status")[0]))


def bash_offers(*words):
    script = f"""
PATH={BUILD}:$PATH
. {SOURCE}/deploy/completions/windrow.bash
COMP_WORDS=({' '.join(repr(w) for w in words)})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_windrow "${{COMP_WORDS[0]}}" "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return set(run("bash", "-c", script).split())


def test_bash_completes_commands():
    offered = bash_offers("windrow", "")
    out = run(BUILD / "windrow", "--help")
    commands = set(re.findall(r"^  ([a-z]+) ", out, re.M))
    assert len(commands) >= 6 and commands <= offered
    assert bash_offers("windrow", "resu") == {"resume"}


@pytest.mark.parametrize("command", [
    ("windrow", "run"), ("windrow", "resume"), ("windrow", "failures"),
    ("windrow-node",), ("windrow-origin",), ("windrow-bench",)],
    ids=" ".join)
def test_bash_completes_each_option(command):
    assert bash_offers(*command, "--") == options_of(*command)


def test_bash_completes_values():
    assert bash_offers("windrow", "run", "--progress", "") == {
        "auto", "bar", "plain", "json", "none"}
    assert bash_offers("windrow", "run", "--format", "j") == {"json"}
    assert bash_offers("windrow-bench", "thr") == {"throughput"}


def shell(name):
    if not shutil.which(name):
        message = f"{name} is not installed (deploy/packages/docker.txt)"
        pytest.fail(message) if IN_CI else pytest.skip(message)


def test_fish_completes():
    shell("fish")
    script = (f"set -x PATH {BUILD} $PATH; "
              f"source {SOURCE}/deploy/completions/windrow.fish; "
              "complete -C 'windrow resu'; complete -C 'windrow run --sc'; "
              "complete -C 'windrow-node --con'; "
              "complete -C 'windrow run --progress pl'; "
              "complete -C 'windrow-bench sto'")
    out = run("fish", "--no-config", "-c", script)
    words = [line.split("\t")[0] for line in out.splitlines()]
    assert words == ["resume", "--scale", "--connect", "plain", "store"]


# zsh completes in a terminal only: one is played to it.
def test_zsh_completes():
    shell("zsh")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(SOURCE / "deploy/completions/windrow.zsh",
                    f"{folder}/_windrow")
        script = f"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PATH={BUILD}:$PATH; fpath=({folder} $fpath); PS1='
zpty -w z 'autoload -U compinit; compinit -u -D'
for line in 'windrow resu' 'windrow run --sca' 'windrow-node --conn'; do
    zpty -w -n z "$line"$'\\t'
    sleep 1
    zpty -w z $'\\x15'
done
sleep 0.5
while zpty -r -t z chunk; do print -rn -- "$chunk"; done
zpty -d z
"""
        out = run("zsh", "-f", "-c", script, timeout=60)
    for word in ["windrow resume", "--scale", "--connect"]:
        assert word in out

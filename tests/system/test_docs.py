"""What the documentation says, done.

In README.md and docs/, a block fenced as `console` is a dialogue: lines that
begin with "$ " are commands ("> ": the same, going on), the others are what
the commands print. All such blocks of a page are one session of bash, in a
folder of its own in which `pipelines/` and `build/release/` are as in the
repository. Each line that is shown must be among what its command prints, in
that order; other lines may stand between them. Numbers and widths are not
compared, except exit statuses.

A block below `<!-- needs: postgresql -->` finds a server that PGHOST names.
The port 5555 is replaced by one that is free.
"""
import os
import re
import signal
import subprocess
import uuid

import pytest

import harness
from harness import SOURCE
from network import free_place

PAGES = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md",
         SOURCE / "CHANGELOG.md", *sorted((SOURCE / "docs").rglob("*.md"))]
MANUALS = {"windrow.1": ("windrow", [
               "check",
               "dashboard",
               "export",
               "failures",
               "healthy",
               "keygen",
               "plan",
               "prices",
               "resume",
               "retry",
               "run",
               "runs",
               "scale",
               "schema",
               "show",
               "settings",
               "test",
               "try"]),
           "windrow-node.1": ("windrow-node", []),
           "windrow-origin.1": ("windrow-origin", []),
           "windrow-bench.1": ("windrow-bench", [])}


# Dialogues.

class Command:
    def __init__(self, line, needs=""):
        self.line, self.needs, self.shown = line, needs, []


def dialogues(text):
    """The commands of a page's console blocks."""
    commands = []
    pattern = r"(?:<!-- needs: (\w+) -->\n)?```console\n(.*?)```"
    for needs, block in re.findall(pattern, text, re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append(Command(line[2:], needs))
            elif line.startswith("> "):
                commands[-1].line += "\n" + line[2:]
            else:
                commands[-1].shown.append(line)
    return commands


def normal(line):
    """The line without what differs from run to run."""
    if line.startswith("exit status "):
        return line
    line = re.sub(r"\d[\d.]*", "0", line)
    return re.sub(r"\s+", " ", re.sub("─+", "─", line)).strip()


def script_of(command, mark, server):
    """The command; then a line with its status. Only a command that needs
    the server is told of it: PGHOST would say where any run stores."""
    if command.needs != "postgresql":
        return f"{command.line}\necho {mark} $?"
    return (f"export PGHOST={server} PGUSER=postgres\n{command.line}\n"
            f"echo {mark} $?\nunset PGHOST PGUSER")


def run_session(commands, folder, environment, server):
    """What each of the commands prints, all of one session."""
    mark, port = uuid.uuid4().hex, free_place().rpartition(":")[2]
    script = [script_of(command, mark, server).replace("5555", port)
              for command in commands]
    process = subprocess.Popen(
        ["bash", "-c", "exec 2>&1\n" + "\n".join(script)], cwd=folder,
        env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        text=True, start_new_session=True, preexec_fn=harness.ends_with_us)
    try:
        # What was started with "&" holds the pipe open: read up to the last
        # mark, not to the end.
        outputs, lines = [], []
        for line in process.stdout:
            before, found, status = line.partition(mark)
            if not found:
                lines.append(line.rstrip("\n"))
                continue
            outputs.append((lines + [before] * bool(before), int(status)))
            lines = []
            if len(outputs) == len(commands):
                break
        return outputs
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        process.stdout.close()


def check(command, output, status):
    left = iter(map(normal, output))
    for line in command.shown:
        assert normal(line) in left, (
            f"$ {command.line}\nis shown to print:\n  {line}\nbut printed:\n"
            + "\n".join(output))
    assert status == 0, (f"$ {command.line}\nended with {status}:\n"
                         + "\n".join(output))


def with_dialogue():
    return [page for page in PAGES if "```console" in page.read_text()]


@pytest.mark.parametrize("page", with_dialogue(),
                         ids=lambda page: page.relative_to(SOURCE).as_posix())
def test_each_command_does_what_the_page_shows(page, tmp_path, request):
    commands, server = dialogues(page.read_text()), None
    (tmp_path / "pipelines").symlink_to(SOURCE / "pipelines")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/release").symlink_to(harness.BUILD)
    environment = {**os.environ, "PATH": f"{harness.BUILD}:/usr/bin:/bin"}
    if any(command.needs == "postgresql" for command in commands):
        cluster = request.getfixturevalue("cluster")
        cluster.query("DROP DATABASE IF EXISTS windrow")
        server = cluster.folder
    outputs = run_session(commands, tmp_path, environment, server)
    assert len(outputs) == len(commands), (
        f"the session ended at: $ {commands[len(outputs)].line}")
    for command, (output, status) in zip(commands, outputs):
        check(command, output, status)


# A comparison that accepts anything would prove nothing.
def test_a_dialogue_that_is_wrong_is_seen():
    command = Command("x")
    command.shown = ["3 stored", "exit status 3"]
    check(command, ["at first", "5 stored", "exit status 3"], 0)
    for output in (["5 lost", "exit status 3"], ["5 stored", "exit status 4"],
                   ["exit status 3", "5 stored"]):
        with pytest.raises(AssertionError):
            check(command, output, 0)
    with pytest.raises(AssertionError):
        check(command, ["5 stored", "exit status 3"], 1)


# Links.

def anchor(heading):
    """As GitHub makes it."""
    heading = re.sub(r"[`*]|\[|\]\(.*?\)", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("page", PAGES,
                         ids=lambda page: page.relative_to(SOURCE).as_posix())
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, fragment = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), f"{target}: there is no {to}"
        if fragment and to.suffix == ".md":
            assert fragment in anchors(to), f"{target}: no such heading"


# Each file of the source that a page names is there.
@pytest.mark.parametrize("page", PAGES,
                         ids=lambda page: page.relative_to(SOURCE).as_posix())
def test_files_that_are_named_exist(page):
    top = "master|node|proto|tests|bench|pipelines|docs|deploy|cmake"
    for name in re.findall(rf"`((?:{top})/[\w./-]*)`", page.read_text()):
        assert (SOURCE / name).exists(), f"{name} is named, but is not there"


# Manual pages.

def options_of(program, *arguments):
    out = subprocess.run([harness.BUILD / program, *arguments, "--help"],
                         capture_output=True, text=True, timeout=10, check=True)
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", out.stdout))


def test_the_manual_pages_are_asked_for_each_command():
    out = subprocess.run([harness.BUILD / "windrow", "--help"],
                         capture_output=True, text=True, timeout=10, check=True)
    commands = re.findall(r"^  (\w+) .*  ", out.stdout, re.M)
    assert sorted(commands) == sorted(MANUALS["windrow.1"][1])


@pytest.mark.parametrize("page", MANUALS)
def test_a_manual_page_has_each_option_of_the_help(page):
    program, commands = MANUALS[page]
    text = (SOURCE / "docs/man" / page).read_text()
    wanted = options_of(program)
    for command in commands:
        assert f".It Cm {command}" in text, f"no command {command}"
        wanted |= options_of(program, command)
    missing = {option for option in wanted
               if not re.search(rf"^\.It Fl {option[1:]}( |$)", text, re.M)}
    assert not missing, f"{page} lacks {sorted(missing)}"


# Each option and class of a pipeline file is in its reference and manual.
@pytest.mark.parametrize("page", ["pipeline.md", "man/windrow-pipeline.5"])
def test_the_reference_has_each_option_of_a_pipeline(page):
    source = (SOURCE / "proto/pipeline/pipeline_options.c").read_text()
    options = re.findall(r'^    \{\{"(\w+)", OF', source, re.M)
    assert len(options) > 20
    text = (SOURCE / "docs" / page).read_text()
    missing = [name for name in options + ["html_table", "json_list", "sql",
               "file", "values", "http_json", "http_html", "store"]
               if not re.search(rf"(?<![a-z_]){name}(?![a-z_])", text)]
    assert not missing, f"{page} lacks {missing}"


def test_the_manual_page_has_each_setting():
    source = (SOURCE / "proto/pipeline/settings_table.h").read_text()
    names = re.findall(r'X\("(\w+)"', source)
    assert len(names) > 20
    text = (SOURCE / "docs/man/windrow.1").read_text()
    assert not [name for name in names if f".It Ev {name}\n" not in text]


def value_of(name, path):
    """Of a constant in a header, as a number; None where it is another."""
    text = (SOURCE / path).read_text().replace("\\\n", " ")
    found = re.search(rf"^#define {name}\s+([^\n]*)", text, re.M)
    assert found, f"{path} has no {name}"
    value = found[1].split("/*")[0].strip().strip("()")
    return (eval(value) if re.fullmatch(r"[\d\s*]+", value) else None)


# The table of limits says what the headers say.
def test_limits_are_those_of_the_headers():
    text = (SOURCE / "docs/design.md").read_text()
    rows = re.findall(r"\| ([\d,]+)( KiB| MiB)? \| `(\w+)`, `([\w/.]+)` \|",
                      text)
    assert len(rows) > 30
    units = {"": 1, " KiB": 1024, " MiB": 1024 * 1024}
    for number, unit, name, path in rows:
        said = int(number.replace(",", "")) * units[unit]
        assert value_of(name, path) == said, (name, path)


# Each reason of a failure is explained.
def test_each_reason_is_in_the_operations_page():
    source = (SOURCE / "proto/ledger/reason.h").read_text()
    names = re.findall(r'X\(REASON_\w+, "(\w+)"', source)
    assert len(names) > 20
    text = (SOURCE / "docs/operations.md").read_text()
    assert not [name for name in names if f"`{name}`" not in text]


# The pages that are printed by the program are as it prints them.
@pytest.mark.parametrize("form, path", [("markdown", "docs/settings.md"),
                                        ("sample", "docs/sample.env")])
def test_generated_pages_are_those_of_the_program(form, path):
    out = subprocess.run([harness.BUILD / "windrow", "settings", form],
                         capture_output=True, text=True, timeout=10, check=True)
    assert out.stdout == (SOURCE / path).read_text()

"""The command line: which suites, how long, where to; and the ends of it."""
import argparse
import contextlib
import datetime
import difflib
import importlib
import os
import pathlib
import pkgutil
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

import suites
from harness import docs, machine, processes, report, tools
from harness.bench import Bench, tell

USAGE = """\
Usage: windrow-bench [SUITE]... [OPTION]...
       windrow-bench list
       windrow-bench report [--from DIR] [--docs DIR]
Measure Windrow, and others beside it, on this machine: each system several
times, in turn, against the same server. Without SUITE, all of them.

  list               the suites
  report             print the report of the newest measurement

Options:
  --quick            fewer and shorter rounds: about a minute in all,
                     where full takes about forty
  --rounds N         so many rounds of each system
  --keys N           so many keys a run
  --perf             also sample where the time goes, by library
  --into DIR         for report.md, report.json, rounds.csv and charts
                     (default: build/bench/DATE, or windrow-bench/DATE); of a
                     report that is there, the suites named are replaced
  --from DIR         of report: that measurement
  --docs DIR         write tables and charts into DIR/performance.md,
                     DIR/concurrency.md and DIR/bench/
  --help             this text
  --version          print the version, and end

Exit status: 0 all measured, 1 a system failed, 2 bad usage,
130 interrupted.
"""

SETTINGS = re.compile(
    r"(?i)PG[A-Z_]+|DATABASE_URL|PIPELINE_LOCATION|WIKIPEDIA_URL|YAHOO_.*|"
    r"WINDROW_.*|.*_proxy")


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        sys.stderr.write(f"windrow-bench: {message}\n"
                         "Try `windrow-bench --help`.\n")
        sys.exit(2)


def natural(text):
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):  # the digits of a key
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number from 1 to 9999999")
    return int(text)


def parse(arguments):
    parser = Arguments(prog="windrow-bench", add_help=False,
                       allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--perf", action="store_true")
    parser.add_argument("--rounds", type=natural)
    parser.add_argument("--keys", type=natural)
    parser.add_argument("--into", type=pathlib.Path)
    parser.add_argument("--from", type=pathlib.Path, dest="source")
    parser.add_argument("--docs", type=pathlib.Path)
    parser.add_argument("--help", action="store_true")
    parser.add_argument("--version", action="store_true")
    options = parser.parse_intermixed_args(arguments)
    action = options.names[0] if options.names else ""
    if action in ("list", "report") and len(options.names) > 1:
        parser.error(f"{action} stands alone, without '{options.names[1]}'")
    if options.source and action != "report":
        parser.error("--from belongs to `windrow-bench report`")
    return options, parser


def suite_names():
    return sorted(module.name
                  for module in pkgutil.iter_modules(suites.__path__))


def load(name):
    return importlib.import_module(f"suites.{name}")


def chosen(options, parser):
    """The suites' modules, in their order."""
    known = suite_names()
    for name in options.names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            parser.error(f"there is no suite '{name}'"
                         + (f"; did you mean '{near[0]}'?" if near else "")
                         + f" There are {', '.join(known)}.")
    found = [load(name) for name in options.names or known]
    return sorted(found, key=lambda suite: suite.ORDER)


def name_of(suite):
    return suite.__name__.split(".")[-1]


def print_list():
    for suite in sorted(map(load, suite_names()),
                        key=lambda suite: suite.ORDER):
        print(f"{name_of(suite):<12} {suite.TITLE}")


def results_folder():
    """Where measurements are kept unless --into says otherwise."""
    return (tools.SOURCE / "build/bench" if tools.SOURCE else
            pathlib.Path("windrow-bench"))


def newest():
    found = sorted(results_folder().glob("*/report.json"))
    if not found:
        tell(f"windrow-bench: no measurement in {results_folder()}: run "
             "`windrow-bench`, or name one with --from DIR.")
        sys.exit(2)
    return found[-1].parent


def print_report(options):
    folder = options.source or newest()
    try:
        told = report.read(folder)
    except (OSError, ValueError) as why:
        tell(f"windrow-bench: {folder} holds no measurement: {why}")
        return 2
    if options.docs:
        return docs.write(told, folder, options.docs)
    print(report.markdown(told), end="")
    return 0


def our_cpu():
    """Seconds of CPU of all that we started and of ourselves, so far."""
    used = [resource.getrusage(who) for who in (
        resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return (sum(each.ru_utime + each.ru_stime for each in used)
            + sum(each.cpu() for each in processes.started))


def measure(suite, options, cores, folder, into):
    """Runs one suite; its part of the report."""
    folder.mkdir()
    folder.chmod(0o755)
    bench = Bench(name_of(suite), options, cores, folder, into)
    print(f"== {suite.TITLE}", flush=True)
    began, quiet = time.monotonic(), machine.Quiet(our_cpu)
    whole = f"all of {bench.name}"
    try:
        bench.attempt(whole, lambda: suite.run(bench) or True)
    except Exception as why:  # a mistake of ours costs a suite, not the rest
        traceback.print_exc()
        bench.failed[whole] = f"{type(why).__name__}: {why}"
    finally:
        others = quiet.share_of_others()
        bench.end()
    return bench.written(suite, others, began)


def begun(options, cores, into):
    """A new report, or the one in `into`, whose suites are to be replaced."""
    now = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
    if options.names:
        with contextlib.suppress(OSError, ValueError):
            told = report.read(into)
            if told["options"]["quick"] == options.quick:
                return told | {"again": now}
    return {"when": now, "seconds": 0,
            "machine": machine.described(), "cores_told": cores.told(),
            "options": {"whole": not options.names, "quick": options.quick,
                        "rounds": options.rounds,
                        "keys": options.keys}, "suites": []}


def put(suite, told):
    """A suite's part of the report, in the place of what it was before."""
    told["suites"] = [one for one in told["suites"]
                      if one["name"] != suite["name"]] + [suite]
    told["suites"].sort(key=lambda one: load(one["name"]).ORDER)
    told["seconds"] = sum(one["seconds"] for one in told["suites"])


def measure_all(modules, options, into):
    cores = machine.Cores()
    told = begun(options, cores, into)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="windrow-bench-"))
    folder.chmod(0o755)  # the database is another user
    try:
        for suite in modules:
            put(measure(suite, options, cores, folder / name_of(suite), into),
                told)
            report.write(told, into)  # what is there, if the next one hangs
    finally:
        processes.end_all()
        shutil.rmtree(folder, ignore_errors=True)
    print(report.goals_text(told))
    print(f"\nThe report is {into / 'report.md'}")
    if options.docs and docs.write(told, into, options.docs):
        return 1
    return 1 if any(suite["failed"] for suite in told["suites"]) else 0


def end_by_signal(number, _frame):
    """All that was started is ended on the way out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main(arguments):
    options, parser = parse(arguments)
    if options.help:
        print(USAGE, end="")
        return 0
    if options.version:
        print(f"windrow-bench {tools.version()}")
        return 0
    if options.names[:1] == ["list"]:
        print_list()
        return 0
    if options.names[:1] == ["report"]:
        return print_report(options)

    modules = chosen(options, parser)
    into = options.into or results_folder() / \
        f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}"
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        parser.error(f"--into {into}: {why.strerror}")
    into = into.resolve()
    for name in [name for name in os.environ if SETTINGS.fullmatch(name)]:
        del os.environ[name]  # the caller's settings are not measured
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end_by_signal)
    with contextlib.suppress(BrokenPipeError):
        return measure_all(modules, options, into)

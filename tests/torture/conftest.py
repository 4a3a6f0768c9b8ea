"""Fixtures of the torture tests: those of the system tests, and `torture`.

The programs are those of the preset `torture`, which can be made to die at
named places (proto/base/crash_point.h).
"""
import importlib.util
import json
import os
import pathlib
import re
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SYSTEM = HERE.parent / "system"
os.environ.setdefault("WINDROW_BUILD", str(HERE.parents[1] / "build/torture"))
sys.path[:0] = [str(SYSTEM), str(HERE)]

import torture as torture_module  # noqa: E402


def load_system_fixtures():
    """tests/system/conftest.py, whose name is ours too."""
    spec = importlib.util.spec_from_file_location(
        "system_conftest", SYSTEM / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


system = load_system_fixtures()
OURS = {name: value for name, value in os.environ.items()
        if name.startswith("WINDROW_TORTURE_")}


def pytest_configure(config):
    """As for the system tests; but workers of xdist, which start after this,
    must find what we were told."""
    system.pytest_configure(config)
    os.environ.update(OURS)


pytest_collection_modifyitems = system.pytest_collection_modifyitems
for name in ("starter", "origin", "pipeline", "start", "windrow", "cluster",
             "fragile", "postgres", "sqlite", "store"):
    globals()[name] = getattr(system, name)


# All tools are there with CI=true: what may be left out all the same.
ALLOWED_SKIPS = re.compile(r"Skipped: (in )?the long form|.*\.\./shared")


def forbid_skip(report):
    """A test left out for want of a tool would pass for one that holds."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr
    reason = reason[2] if isinstance(reason, tuple) else str(reason)
    if os.environ.get("CI") == "true" and not ALLOWED_SKIPS.match(reason):
        report.outcome = "failed"
        report.longrepr = f"with CI=true this may not be left out: {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    forbid_skip((yield).get_result())


def pytest_runtest_logreport(report):
    """A test that fails before its row is counted must not be missing from the
    table without a word. Only the process that all reports reach writes."""
    path = OURS.get("WINDROW_TORTURE_REPORT")
    if report.failed and path and "PYTEST_XDIST_WORKER" not in os.environ:
        with open(path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"failed_test": report.nodeid}) + "\n")


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    forbid_skip((yield).get_result())


@pytest.fixture
def torture():
    return torture_module.Torture()

"""Fixtures of the tests in a browser: those of the system tests, and `page`."""
import importlib.util
import pathlib
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parent.parent / "system"
sys.path[:0] = [str(SYSTEM)]


def load_system_fixtures():
    """tests/system/conftest.py, whose name is ours too."""
    spec = importlib.util.spec_from_file_location(
        "system_conftest", SYSTEM / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


system = load_system_fixtures()
pytest_configure = system.pytest_configure
pytest_collection_modifyitems = system.pytest_collection_modifyitems
for name in ("starter", "origin", "pipeline", "start", "windrow", "sqlite"):
    globals()[name] = getattr(system, name)

from page import Browser  # noqa: E402


@pytest.fixture(scope="session")
def browser():
    browser = Browser()
    yield browser
    browser.end()


@pytest.fixture
def page(browser, starter):  # which ends its programs after this
    """An empty page. At its end it must have complained of nothing."""
    browser.begin()
    yield browser
    complaints = browser.complaints()
    assert not complaints, complaints

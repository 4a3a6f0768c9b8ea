"""A long list: all rows, and memory that does not grow with the list."""
import re
import time

import pytest

import harness
from harness import DATA, quotes, source

WORLD = DATA / "symbols/world_equities.txt"
SMALL = 5000
GROWTH_MAX = 8_000_000  # bytes, of each process


def peak_of(pid):
    """A living process's peak of resident memory, in bytes."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) * 1024
    except (OSError, TypeError):
        return 0


@pytest.fixture
def symbols():
    """All equities of the world; where that list is absent, made-up ones."""
    if WORLD.exists():
        return [line.strip() for line in
                WORLD.read_text("utf-8").splitlines()]
    return [f"K{number:07}" for number in range(1, 60001)]


@pytest.fixture
def run_keys(start, origin, pipeline, tmp_path):
    """run_keys(KEYS, STORE): the Result, the peaks of master and nodes."""
    def run_keys(keys, store):
        name = f"keys-{len(keys)}.txt"
        (tmp_path / name).write_text("\n".join(keys) + "\n")
        server = origin("--symbols", tmp_path / name, "--latency", "50ms")
        path = pipeline(source("file", path=name), quotes(instances=256),
                        harness.store())
        run = start("run", path, "--scale", 2, origin=server, store=store)
        peak = 0
        while run.is_running():
            peak = max(peak, peak_of(run.pid))
            assert time.monotonic() - run.started < 90 * harness.PATIENCE
            time.sleep(0.02)
        result = run.wait()
        assert result.status == 0, result
        assert store.count() == len(keys)
        return result, [peak, *sorted(node["memory_peak_bytes"]
                                      for node in result.summary["nodes"])]
    return run_keys


def test_a_long_list(run_keys, symbols, store, request, tmp_path):
    """All 69,152 are stored, once each; in each process the peak of memory
    is at most 8 MB above that of a run of 5,000."""
    if store.kind == "sqlite":
        small = harness.SqliteStore(tmp_path / "small.db")
    else:
        small = request.getfixturevalue("cluster").database()
    _, few = run_keys(symbols[:SMALL], small)
    result, many = run_keys(symbols, store)
    assert set(store.prices()) == set(symbols)
    assert result.summary["stored"] == len(symbols)
    assert len(few) == len(many) == 3 and min(few + many) > 1_000_000
    if harness.is_sanitized():
        return  # AddressSanitizer keeps what was freed
    growth = [large - little for little, large in zip(few, many)]
    assert max(growth) <= GROWTH_MAX, (few, many)

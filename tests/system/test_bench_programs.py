"""What the benchmarks are made of does what it says: a comparison with
something that fetches less, or reads something else, would say nothing."""
import json
import subprocess

from harness import BUILD


def measured(program, *arguments, status=0):
    """What it printed, one line of JSON."""
    done = subprocess.run([BUILD / program, *arguments], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_the_loop_fetches_each_key_once(starter):
    origin = starter.origin("--count", "300", "--no-user-agent-check")
    for shard in ("0", "16"):
        origin.reset()
        result = measured(
            "windrow-bench-loop", "--keys", "300", "--in-flight", "50",
            "--shard", shard, "--url",
            origin.url + "/v8/finance/chart/{key}?range=1d&interval=1d")
        assert (result["keys"], result["failed"]) == (300, 0), result
        assert result["bytes"] > 300 * 1000
        assert set(origin.asked().values()) == {1}
        assert len(origin.asked()) == 300


def test_the_loop_counts_what_failed(starter):
    origin = starter.origin("--count", "10", "--no-user-agent-check")
    result = measured("windrow-bench-loop", "--keys", "12", "--url",
                      origin.url + "/v8/finance/chart/{key}", status=1)
    assert result["failed"] == 2


def test_the_loop_wants_a_url():
    said = measured("windrow-bench-loop", "--keys", "1", status=2)
    assert "--url is needed" in said
    said = measured("windrow-bench-loop", "--keys", "-1", status=2)
    assert '"-1" is no count' in said
    said = measured("windrow-bench-loop", "--http", "3", status=2)
    assert '--http is 1.1 or 2, not "3"' in said


def test_a_field_and_the_keys_of_a_page(starter, tmp_path):
    origin = starter.origin()
    page = tmp_path / "page.html"
    page.write_bytes(origin.get("/wiki/List_of_S%26P_500_companies"))
    result = measured("windrow-bench-micro", "extract", "--page", page)
    assert 1000 < result["answer"]["bytes"] < 1600
    assert 0 < result["answer"]["ratio"] < 1
    assert result["page"]["keys"] == 503
    assert result["page"]["html_read_memory_ms"] > 0


def test_a_page_without_the_table(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>Nothing")
    said = subprocess.run([BUILD / "windrow-bench-micro", "extract", "--page",
                           page], text=True, capture_output=True, check=False)
    assert said.returncode == 1
    assert 'no table with the id "constituents"' in said.stderr

"""`robots: obey`: what a site's robots.txt asks for is kept to."""
import json

import harness
from harness import quotes, source


def listed(pipeline, n=6, **options):
    """Generated keys K0000001 to n, asked for politely."""
    keys = [f"K{i:07}" for i in range(1, n + 1)]
    return pipeline(source("values", input_values=keys),
                    quotes(robots="obey", **options), harness.store())


def test_disallowed_paths_are_not_asked_for(windrow, origin, pipeline, store):
    """They become recorded failures; the others are stored."""
    server = origin("--count", 6, "--robots",
                    "User-agent: *\nDisallow: /v8/finance/chart/*3?\n"
                    "Disallow: /v8/finance/chart/K0000005$\n")
    result = windrow("run", listed(pipeline), "--scale", 2, "--batch", 2,
                     origin=server, store=store)
    assert result.status == 3, result
    assert {key: found.split(":")[0]
            for key, found in store.failures().items()} == {
                "K0000005": "robots"}
    assert store.count() == 5
    asked = server.asked()
    assert "K0000005" not in asked
    assert 1 <= asked["robots"] <= 2, "once by each node"


def test_everything_is_disallowed(windrow, origin, pipeline, sqlite):
    """Our own group counts, not that for everybody."""
    server = origin("--count", 6, "--robots",
                    "User-agent: *\nAllow: /\n\n"
                    "User-agent: Windrow\nDisallow: /\n")
    result = windrow("run", listed(pipeline), origin=server, store=sqlite)
    assert (result.status, sqlite.count()) == (3, 0), result
    assert set(server.asked()) == {"robots"}
    other = windrow("run", listed(pipeline, user_agent="Mozilla/5.0 (x)"),
                    origin=server, store=sqlite)
    assert (other.status, sqlite.count()) == (0, 6), other


def test_no_file_allows_everything(windrow, origin, pipeline, sqlite):
    server = origin("--count", 6)
    result = windrow("run", listed(pipeline), origin=server, store=sqlite)
    assert (result.status, sqlite.count()) == (0, 6), result


def test_one_that_can_not_be_had_allows_nothing(windrow, origin, pipeline,
                                                sqlite):
    """The keys fail as it did, after their tries."""
    server = origin("--count", 2, "--robots", "", "--fault", "500@robots")
    result = windrow("run", listed(pipeline, 2, retry={
        "attempts": 2, "backoff": "100ms"}), "--scale", 1, origin=server,
        store=sqlite)
    assert (result.status, sqlite.count()) == (3, 0), result
    found = sqlite.query("SELECT reason, detail FROM windrow_failures")
    assert [reason for reason, _ in found] == ["http_error"] * 2
    assert all("robots.txt" in detail for _, detail in found), found
    assert set(server.asked()) == {"robots"}


def test_one_that_comes_at_last(windrow, origin, pipeline, sqlite):
    """It failed once, and was asked for again when the keys were."""
    server = origin("--count", 2, "--robots", "", "--fault", "500@robots:1")
    result = windrow("run", listed(pipeline, 2, retry={
        "attempts": 5, "backoff": "3s"}), "--scale", 1, origin=server,
        store=sqlite)
    assert (result.status, sqlite.count()) == (0, 2), result
    assert server.asked()["robots"] == 2


def test_crawl_delay_holds_over_all_nodes(windrow, origin, pipeline, store):
    """A quarter of a second between two requests, whoever makes them."""
    server = origin("--count", 24, "--robots",
                    "User-agent: *\nCrawl-delay: 0.25\n")
    result = windrow("run", listed(pipeline, 24), "--scale", 3, "--batch", 2,
                     origin=server, store=store)
    assert (result.status, store.count()) == (0, 24), result
    log = server.log()
    assert log["second_max"] <= 4 + 2 * 3, "and one for each node, and its file"
    assert log["seconds"] > 4.5


def test_sources_ask_too(windrow, origin, pipeline, sqlite):
    """A list that may not be read gives no keys."""
    server = origin("--robots", "User-agent: *\nDisallow: /wiki/\n")
    text = json.loads(harness.pipeline(source(), quotes(), harness.store()))
    text["workers"][0]["options"]["robots"] = "obey"
    result = windrow("run", pipeline(json.dumps(text)), origin=server,
                     store=sqlite)
    assert result.status == 4, result
    assert "robots.txt" in result.err
    assert set(server.asked()) == {"robots"}

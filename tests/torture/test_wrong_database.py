"""A node whose DATABASE_URL names another database than the run's."""
import harness
from harness import SP500, SqliteStore, facts, until
from nodes import Guest, environment

SLOWLY = {"YAHOO_IN_FLIGHT": "24", "WINDROW_LEASE": "1s",
          "WINDROW_HEARTBEAT": "250ms", "WINDROW_MASTER_LEASE": "1s"}


def another(store, cluster, tmp_path):
    if store.kind == "postgres":
        return cluster.database()
    return SqliteStore(tmp_path / "another.db")


def test_a_node_with_the_wrong_database(start, origin, store, cluster,
                                        tmp_path, starter, torture):
    """It is refused, says why, and ends with 4; it has asked for no key and
    stored no row. The others do the run."""
    server = origin("--latency", "80ms")
    wrong = another(store, cluster, tmp_path)
    run = start("run", SP500, "--scale", 2, "--batch", 5, origin=server,
                store=store, env=SLOWLY)
    until(lambda: store.count() >= 20, "some rows", 20)
    guest = starter.keep(Guest(run, "stray", environment(
        server, wrong, **SLOWLY)))
    assert guest.process.wait(20 * harness.PATIENCE) == 4
    said = guest.log.read_text()
    assert "is its DATABASE_URL right?" in said, said
    assert run.is_running(), "the others go on"
    result = run.wait(60)
    assert result.status == 0, result
    assert not guest.has_work() and wrong.count() == 0
    torture.row("a node with the wrong database", store=store, keys=facts(),
                prices=facts())

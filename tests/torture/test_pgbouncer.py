"""Through Debian's pgbouncer in transaction mode: each transaction may get
another session, which others have used before."""
import re
import shutil
import time

import pytest

from databases import Pgbouncer
from harness import SP500, facts, source, store as sink, quotes, until
from torture import FULL

pytestmark = pytest.mark.skipif(not shutil.which(Pgbouncer.PROGRAM),
                                reason="no pgbouncer")

full_only = pytest.mark.skipif(not FULL, reason="in the long form only")
SLOWLY = {"YAHOO_IN_FLIGHT": "24", "WINDROW_LEASE": "1s",
          "WINDROW_HEARTBEAT": "250ms", "WINDROW_MASTER_LEASE": "1s"}


@pytest.fixture
def pooled(starter, postgres):
    """pooled(...): a Pgbouncer before an empty database."""
    return lambda **options: starter.keep(Pgbouncer(postgres, **options))


@pytest.mark.parametrize("mode", [
    "transaction", pytest.param("session", marks=full_only)])
def test_a_run(windrow, origin, postgres, pooled, torture, mode):
    """Four nodes and a master share three sessions, or ten in session mode,
    which gives one to each client for as long as it stays."""
    pool = pooled(mode=mode, size=3 if mode == "transaction" else 20)
    result = windrow("run", SP500, "--scale", 4, "--batch", 5,
                     origin=origin(), store=pool.store)
    assert result.status == 0, result
    torture.row(f"pgbouncer, {mode} mode", store=postgres, keys=facts(),
                prices=facts())
    for command in (["runs"], ["failures", "1"]):
        assert windrow(*command, store=pool.store).status == 0


def test_sessions_are_left_as_they_were(windrow, origin, postgres, pooled,
                                        pipeline):
    """The sql source reads only, and no transaction of ours changes what the
    next user of its session finds."""
    import psycopg2
    postgres.query("CREATE TABLE keys AS SELECT 'K' || i AS key"
                   " FROM generate_series(1, 50) AS i")
    pool = pooled(size=1)
    file = pipeline(
        source("sql", query="SELECT key FROM keys"), quotes(), sink())
    shown = ("transaction_isolation", "default_transaction_read_only",
             "statement_timeout", "timezone", "plan_cache_mode",
             "synchronous_commit", "idle_in_transaction_session_timeout")

    def settings():
        connection = psycopg2.connect(pool.store.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            found = []
            for name in shown:
                cursor.execute(f"SHOW {name}")
                found += cursor.fetchall()
        connection.close()
        return found

    before = settings()
    result = windrow("run", file, "--scale", 2,
                     origin=origin("--count", 50), store=pool.store)
    assert result.status in (0, 3), result
    assert settings() == before


def test_statements_are_prepared_where_no_pooler_is(windrow, origin, postgres,
                                                    pooled):
    """Once a connection; through a pooler each closing brings its own."""
    log = postgres.cluster.folder / "log"
    for name, value in (("statement", "all"), ("min_messages", "log")):
        postgres.query(f"ALTER DATABASE {postgres.name}"
                       f" SET log_{name} = '{value}'")

    def closings(store):
        before = log.stat().st_size
        result = windrow("run", SP500, "--scale", 2, "--batch", 5,
                         origin=origin(), store=store)
        assert result.status == 0, result
        said = log.read_text("utf-8", "replace")[before:]
        return re.findall(r"execute (\S+): WITH b AS \(UPDATE", said)

    direct = closings(postgres)
    prepared = [name for name in direct if re.fullmatch(r"close\d+", name)]
    assert len(prepared) >= 503 / 5
    pool = closings(pooled().store)
    assert len(pool) >= 503 / 5 and set(pool) == {"<unnamed>"}


@pytest.mark.parametrize("isolation", [
    pytest.param("repeatable read", marks=full_only), "serializable"])
def test_another_isolation(windrow, origin, postgres, pooled, torture,
                           isolation):
    """The server's default is no matter behind a pooler either."""
    postgres.query(f"ALTER DATABASE {postgres.name} SET"
                   f" default_transaction_isolation = '{isolation}'")
    result = windrow("run", SP500, "--scale", 4, "--batch", 5,
                     origin=origin(), store=pooled().store)
    assert result.status == 0, result
    assert "40001" not in result.text, result
    torture.row(f"pgbouncer, {isolation}", store=postgres, keys=facts(),
                prices=facts())


def test_killed_and_started_again(start, origin, postgres, pooled, torture):
    pool = pooled()
    run = start("run", SP500, "--scale", 4, "--batch", 5,
                origin=origin("--latency", "80ms"), store=pool.store,
                env=SLOWLY)
    until(lambda: postgres.count() >= 40, "some rows")
    pool.stop()
    time.sleep(0.5)
    assert run.is_running()
    pool.start()
    began = time.monotonic()
    before = postgres.count()
    until(lambda: postgres.count() > before, "rows again", 20)
    recover = time.monotonic() - began
    result = run.wait(40)
    assert result.status == 0, result
    torture.row("pgbouncer killed -9 and started again", store=postgres,
                keys=facts(), prices=facts(), recover=recover)

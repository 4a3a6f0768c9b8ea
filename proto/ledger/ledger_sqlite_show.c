/* ledger_sqlite_show.c: what is shown of a run beside its row. */
#include "ledger/ledger_sqlite_private.h"

int lite_worker_counts(struct ledger *ledger, int64_t run,
                       struct worker_count *ret, size_t *ret_n,
                       struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(
        lite,
        "SELECT worker, sum(stored),"
        " coalesce(sum(done) FILTER (WHERE fetcher), 0), sum(failed),"
        " coalesce(sum(n_keys) FILTER (WHERE open), 0),"
        " count(*) FILTER (WHERE open), count(*) FROM windrow_batches"
        " WHERE run = ? GROUP BY worker ORDER BY worker",
        &row, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(row, 1, run);
    size_t n = 0;
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more &&
           n < PIPELINE_WORKERS_MAX)
        ret[n++] = (struct worker_count){
            .worker = sqlite3_column_int(row, 0),
            .stored = sqlite3_column_int64(row, 1),
            .done = sqlite3_column_int64(row, 2),
            .failed = sqlite3_column_int64(row, 3),
            .open_keys = sqlite3_column_int64(row, 4),
            .open_batches = sqlite3_column_int64(row, 5),
            .batches = sqlite3_column_int64(row, 6),
        };
    if (rc == 0)
        *ret_n = n;
    return rc;
}

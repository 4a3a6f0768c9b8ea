/* ledger_postgres_show.c: what is shown of a run beside its row. */
#include "ledger/ledger_postgres_private.h"

int pg_worker_counts(struct ledger *ledger, int64_t run,
                     struct worker_count *ret, size_t *ret_n, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg,
                      "SELECT worker, sum(stored),"
                      " coalesce(sum(done) FILTER (WHERE fetcher), 0),"
                      " sum(failed),"
                      " coalesce(sum(n_keys) FILTER (WHERE open), 0),"
                      " count(*) FILTER (WHERE open), count(*)"
                      " FROM windrow_batches WHERE run = $1::bigint"
                      " GROUP BY worker ORDER BY worker",
                      &args, &result, err);
    if (rc)
        return rc;
    size_t n = 0;
    for (int row = 0; row < PQntuples(result) && n < PIPELINE_WORKERS_MAX;
         row++)
        ret[n++] = (struct worker_count){
            .worker = (int)pg_int(result, row, 0),
            .stored = pg_int(result, row, 1),
            .done = pg_int(result, row, 2),
            .failed = pg_int(result, row, 3),
            .open_keys = pg_int(result, row, 4),
            .open_batches = pg_int(result, row, 5),
            .batches = pg_int(result, row, 6),
        };
    *ret_n = n;
    return 0;
}

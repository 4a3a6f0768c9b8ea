/*
 * ledger_postgres_recall.c: what is remembered of answers, for a batch's worth
 * of URLs at once.
 *
 * Parameters in binary, as those of a closing. A hash that two URLs share
 * finds the row of one of them: the URL decides.
 */
#include <stdlib.h>

#include "ledger/ledger_postgres_private.h"

#define US(x) "coalesce((extract(epoch FROM " x ") * 1000000)::bigint, 0)"

static const char recall_sql[] =
    "SELECT u.ord, a.url, a.etag, a.last_modified, " US("a.fetched_at") ", " US(
        "a.fresh_until") ", a.fields FROM unnest($2::bigint[]) WITH ORDINALITY"
                         " AS u(h, ord) JOIN windrow_answers a"
                         " ON a.shape = $1::bigint AND a.url_hash = u.h";

static bool copy_text(const PGresult *result, int row, int column,
                      struct arena *arena, struct slice *ret)
{
    size_t len = (size_t)PQgetlength(result, row, column);
    *ret = (struct slice){0};
    if (PQgetisnull(result, row, column))
        return true;
    ret->data = arena_copy(arena, PQgetvalue(result, row, column), len);
    ret->len = len;
    return ret->data != NULL;
}

static bool read_answer(const PGresult *result, int row, struct slice url,
                        size_t n_fields, struct arena *arena,
                        struct last_answer *ret)
{
    struct last_answer answer = {.url = url,
                                 .fetched_at = pg_int(result, row, 4),
                                 .fresh_until = pg_int(result, row, 5)};
    struct slice fields = {PQgetvalue(result, row, 6),
                           (size_t)PQgetlength(result, row, 6)};
    if (!copy_text(result, row, 2, arena, &answer.etag) ||
        !copy_text(result, row, 3, arena, &answer.modified))
        return false;
    answer.fields = answer_decode(fields, n_fields, arena);
    if (answer.fields) /* one that can't be read is none */
        *ret = answer;
    return true;
}

/* {1,2}, as the server writes it. */
static void hashes_text(const struct slice *urls, size_t n, struct buffer *ret)
{
    for (size_t i = 0; i < n; i++)
        buffer_printf(ret, "%c%lld", i == 0 ? '{' : ',',
                      (long long)answer_url_hash(urls[i]));
    buffer_append_char(ret, '}');
}

int pg_recall(struct ledger *ledger, const struct worker *worker,
              const struct slice *urls, size_t n, struct arena *arena,
              struct last_answer *ret, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct buffer hashes = BUFFER_EMPTY;
    hashes_text(urls, n, &hashes);
    char shape[24];
    snprintf(shape, sizeof shape, "%lld", (long long)answer_shape(worker));
    struct pg_args args = {.n = 2, .values = {shape, buffer_text(&hashes)}};
    AUTO_RESULT *result = NULL;
    int rc = hashes.failed ? ledger_no_memory(err) : pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg, recall_sql, &args, &result, err);
    buffer_free(&hashes);
    for (int row = 0; rc == 0 && row < PQntuples(result); row++) {
        size_t i = (size_t)pg_int(result, row, 0) - 1;
        struct slice url = {PQgetvalue(result, row, 1),
                            (size_t)PQgetlength(result, row, 1)};
        if (i < n && slice_equal(url, urls[i]) &&
            !read_answer(result, row, urls[i], worker->n_fields, arena,
                         &ret[i]))
            rc = ledger_no_memory(err);
    }
    return rc;
}

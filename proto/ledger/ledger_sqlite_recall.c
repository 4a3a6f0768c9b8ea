/*
 * ledger_sqlite_recall.c: what is remembered of answers, for a batch's worth of
 * URLs at once. A hash that two URLs share finds the row of one of them: the
 * URL decides.
 */
#include "ledger/ledger_sqlite_private.h"

static struct slice column(sqlite3_stmt *row, int index)
{
    const char *text = (const char *)sqlite3_column_text(row, index);
    return (struct slice){text, (size_t)sqlite3_column_bytes(row, index)};
}

static bool copy_text(sqlite3_stmt *row, int index, struct arena *arena,
                      struct slice *ret)
{
    struct slice text = column(row, index);
    *ret = (struct slice){0};
    if (!text.data)
        return true;
    ret->data = arena_copy(arena, text.data, text.len);
    ret->len = text.len;
    return ret->data != NULL;
}

static bool read_answer(sqlite3_stmt *row, struct slice url, size_t n_fields,
                        struct arena *arena, struct last_answer *ret)
{
    struct last_answer answer = {.url = url,
                                 .fetched_at = sqlite3_column_int64(row, 3),
                                 .fresh_until = sqlite3_column_int64(row, 4)};
    if (!copy_text(row, 1, arena, &answer.etag) ||
        !copy_text(row, 2, arena, &answer.modified))
        return false;
    answer.fields = answer_decode(column(row, 5), n_fields, arena);
    if (answer.fields) /* one that can't be read is none */
        *ret = answer;
    return true;
}

int lite_recall(struct ledger *ledger, const struct worker *worker,
                const struct slice *urls, size_t n, struct arena *arena,
                struct last_answer *ret, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    int64_t shape = answer_shape(worker);
    sqlite3_stmt *row = NULL;
    int rc = lite_statement(lite, ST_RECALL, &row, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool there = false;
        sqlite3_bind_int64(row, 1, shape);
        sqlite3_bind_int64(row, 2, answer_url_hash(urls[i]));
        rc = lite_step(lite, row, &there, err);
        if (rc == 0 && there && slice_equal(column(row, 0), urls[i]) &&
            !read_answer(row, urls[i], worker->n_fields, arena, &ret[i]))
            rc = ledger_no_memory(err);
        if (there)
            sqlite3_reset(row);
    }
    return rc;
}

/* advice.c: see advice.h. */
#include "advice.h"

#include <string.h>

#define WORD_BYTES_MAX 200

static bool lies_in_answers(enum reason reason)
{
    switch (reason) {
    case REASON_BAD_KEY:
    case REASON_TOO_LARGE:
    case REASON_FIELD_MISSING:
    case REASON_FIELD_NULL:
    case REASON_FIELD_TYPE:
    case REASON_VALUE:
    case REASON_REQUIRE:
    case REASON_ROWS_UNEQUAL:
    case REASON_NO_TABLE:
    case REASON_NO_COLUMN:
    case REASON_NO_KEYS:
        return true;
    default:
        return false;
    }
}

bool advice_is_retry(const struct run_row *row,
                     const struct reason_count *reasons, size_t n_reasons)
{
    if (row->stored)
        return row->failed > 0;
    for (size_t i = 0; i < n_reasons; i++)
        if (!lies_in_answers(reasons[i].reason))
            return true;
    return false;
}

/* A word of a shell's command line; `instead` where it had to be quoted: it is
 * to be copied, and may have come from the web. */
static void append_word(struct buffer *ret, struct slice word,
                        const char *instead)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789"
                                "/.,_:@%+=-";
    bool good = word.len && word.len <= WORD_BYTES_MAX && word.data[0] != '-';
    for (size_t i = 0; i < word.len && good; i++)
        good = word.data[i] && strchr(plain, word.data[i]);
    if (good)
        buffer_printf(ret, " %.*s", SLICE_ARGS(word));
    else
        buffer_printf(ret, " %s", instead);
}

struct look {
    const struct pipeline *pipeline;
    struct buffer *ret;
    bool found;
};

static bool takes_a_key(const struct pipeline *pipeline, const char *name)
{
    for (size_t i = 0; pipeline && i < pipeline->n_workers; i++)
        if (!strcmp(pipeline->workers[i].name, name))
            return worker_class_is_fetcher(pipeline->workers[i].class);
    return true;
}

static void on_failure(void *context, const struct failure_row *row)
{
    struct look *look = context;
    look->found = true;
    if (takes_a_key(look->pipeline, row->worker))
        append_word(look->ret, row->key, "KEY");
    buffer_append_text(look->ret, " --worker");
    append_word(look->ret, slice_of(row->worker), "WORKER");
}

int advice_look(struct ledger *ledger, const struct run_row *row,
                const struct pipeline *pipeline, struct buffer *ret,
                struct error *err)
{
    const struct failure_filter first = {.limit = 1};
    struct buffer words = BUFFER_EMPTY;
    struct look look = {.pipeline = pipeline, .ret = &words};
    int status =
        ledger_failures(ledger, row->run, &first, on_failure, &look, err);
    buffer_append_text(ret, look.found ? "windrow try" : "windrow plan");
    append_word(ret, slice_of(row->pipeline_path), "PIPELINE");
    buffer_append_slice(ret, buffer_slice(&words));
    if (!status && (words.failed || ret->failed))
        status = error_set(err, ERR_MEMORY, "no memory for advice");
    buffer_free(&words);
    return status;
}

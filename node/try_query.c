/* try_query.c: the keys of a query, page by page, waited for. */
#include <stdio.h>

#include "near_text.h"
#include "query.h"
#include "try_private.h"

/* All pages together. */
struct asking {
    struct trial *trial;
    json_t *first; /* TRY_KEYS_SHOWN_MAX of them */
    size_t n;
    struct buffer place; /* of the next page: query.h */
    bool answered, more;
};

static void on_done(void *context, uint64_t id,
                    const struct query_answer *answer)
{
    struct asking *asking = context;
    struct extract_result *result = &asking->trial->result;
    (void)id;
    asking->answered = true;
    asking->more = answer->more && answer->n_keys;
    result->reason = answer->reason;
    snprintf(result->detail, sizeof result->detail, "%s", answer->detail);
    for (size_t i = 0; i < answer->n_keys; i++)
        if (asking->n++ < TRY_KEYS_SHOWN_MAX)
            json_array_append_new(asking->first, near_text(answer->keys[i]));
    if (!asking->more)
        return;
    struct slice last = answer->keys[answer->n_keys - 1];
    buffer_clear(&asking->place);
    buffer_printf(&asking->place, "%zu:%.*s", asking->n, SLICE_ARGS(last));
}

static int ask_all(struct asking *asking, struct event_base *base,
                   struct queries *queries, const struct worker *worker,
                   struct error *err)
{
    buffer_append_text(&asking->place, "0:");
    for (asking->more = true; asking->more && err->code == ERR_NONE;) {
        asking->answered = false;
        if (asking->place.failed)
            return error_set(err, ERR_MEMORY, "out of memory");
        if (queries_start(queries, 0, worker, buffer_slice(&asking->place), 0,
                          err))
            return (int)err->code;
        while (!asking->answered && event_base_loop(base, EVLOOP_ONCE) == 0)
            ;
        asking->more &= asking->answered;
    }
    return 0;
}

/* With the database of sources that name none. */
static int ask(struct asking *asking, const struct worker *worker,
               struct error *err)
{
    struct buffer url = BUFFER_EMPTY;
    struct queries *queries = NULL;
    struct event_base *base = event_base_new();
    if (!base)
        error_set(err, ERR_MEMORY, "no memory for an event loop");
    else if (!settings_database_url(asking->trial->settings, &url, err) &&
             !queries_new(base, buffer_text(&url), on_done, asking, &queries,
                          err))
        (void)!ask_all(asking, base, queries, worker, err);
    queries_free(&queries);
    if (base)
        event_base_free(base);
    buffer_free(&url);
    return (int)err->code;
}

int try_query(struct trial *trial, const struct worker *worker, bool *ret_good,
              struct error *err)
{
    struct asking asking = {.trial = trial, .first = json_array()};
    trial->worker = worker;
    trial->key = slice_of("");
    int status = ask(&asking, worker, err);
    *ret_good = !status && trial->result.reason == REASON_NONE;
    if (*ret_good)
        try_emit(trial, json_pack("{s:s, s:s, s:I, s:O}", "event", "keys",
                                  "worker", worker->name, "n",
                                  (json_int_t)asking.n, "keys", asking.first));
    json_decref(asking.first);
    buffer_free(&asking.place);
    return status;
}

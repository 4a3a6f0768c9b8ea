/* fetch_condition.c: see fetch_condition.h. */
#include "fetch_condition.h"

static void set_line(struct buffer *line, const char *name, struct slice value)
{
    if (value.len)
        buffer_printf(line, "%s: %.*s", name, SLICE_ARGS(value));
}

void fetch_condition_set(struct fetch_condition *condition,
                         const struct last_answer *known)
{
    buffer_clear(&condition->etag);
    buffer_clear(&condition->modified);
    if (!known)
        return;
    set_line(&condition->etag, "If-None-Match", known->etag);
    set_line(&condition->modified, "If-Modified-Since", known->modified);
    if (condition->etag.failed || condition->modified.failed)
        fetch_condition_fini(condition);
}

bool fetch_condition_is_set(const struct fetch_condition *condition)
{
    return condition->etag.len || condition->modified.len;
}

struct curl_slist *fetch_condition_list(struct fetch_condition *condition,
                                        struct curl_slist *headers)
{
    struct buffer *const lines[] = {&condition->etag, &condition->modified};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!lines[i]->len)
            continue;
        condition->nodes[i] = (struct curl_slist){lines[i]->data, headers};
        headers = &condition->nodes[i];
    }
    return headers;
}

void fetch_condition_fini(struct fetch_condition *condition)
{
    buffer_free(&condition->etag);
    buffer_free(&condition->modified);
}

/* run_text.c: see run_text.h. */
#include "run_text.h"

bool run_text_is_running(const struct run_row *row)
{
    return row->state == RUN_OPEN && row->lease_left > 0;
}

const char *run_text_state(const struct run_row *row)
{
    return run_text_is_running(row) ? "running" : run_state_name(row->state);
}

enum output_style run_text_style(const struct run_row *row)
{
    switch (row->state) {
    case RUN_DONE:
        return STYLE_GOOD;
    case RUN_NO_KEYS:
        return STYLE_BAD;
    case RUN_FAILED_KEYS:
        return STYLE_DOUBTFUL;
    case RUN_OPEN:
        break;
    }
    return run_text_is_running(row) ? STYLE_PLAIN : STYLE_DOUBTFUL;
}

void run_text_time(usec_t wall, char ret[CLOCK_TEXT_BYTES])
{
    ret[0] = '\0';
    if (!wall)
        return;
    clock_format(wall, ret);
    ret[sizeof "2026-11-22T18:17:49" - 1] = '\0';
}

bool run_text_is_said(enum reason reason, struct slice detail)
{
    const char *text = reason_text(reason);
    size_t len = strlen(reason == REASON_NOT_FOUND ? "HTTP status" : text);
    return detail.len >= len && !memcmp(detail.data, text, len);
}

/* A time to the microsecond; JSON has no "not yet" but "". */
static void exact_time(usec_t wall, char ret[CLOCK_TEXT_BYTES])
{
    if (wall)
        clock_format(wall, ret);
    else
        ret[0] = '\0';
}

json_t *run_text_json(const struct run_row *row)
{
    char started[CLOCK_TEXT_BYTES], ended[CLOCK_TEXT_BYTES];
    exact_time(row->started_at, started);
    exact_time(row->ended_at, ended);
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:s, "
        "s:I}",
        "id", (json_int_t)row->run, "name", row->name, "state",
        run_state_name(row->state), "pipeline", row->pipeline_name, "path",
        row->pipeline_path, "stored", (json_int_t)row->stored, "failed",
        (json_int_t)row->failed, "keys_done", (json_int_t)row->keys_done,
        "open", (json_int_t)row->open_keys, "started", started, "ended", ended,
        "running", run_text_is_running(row), "owner", row->owner, "epoch",
        (json_int_t)row->epoch);
}

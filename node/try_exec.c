/* try_exec.c: see try_exec.h. */
#include "try_exec.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "exec.h"
#include "exec_line.h"

#define ASK_NUMBER 1

struct try_exec {
    const struct settings *settings;
    struct event_base *base;
    struct exec_pool *pool;
    struct try_answer *answer; /* that is waited for */
    bool done, stuck;
};

/* ---- what the node's loop would do ---- */

static void set(struct try_answer *answer, enum reason reason,
                const char *detail)
{
    answer->reason = reason;
    snprintf(answer->detail, sizeof answer->detail, "%.*s",
             FETCH_DETAIL_BYTES - 1, detail);
}

static void on_answer(void *context, uint64_t id,
                      const struct exec_answer *came)
{
    (void)id;
    struct try_exec *exec = context;
    exec->done = true;
    set(exec->answer, came->reason, came->detail);
    if (!buffer_append_slice(&exec->answer->body, came->line))
        set(exec->answer, REASON_INTERNAL, "out of memory");
}

static void on_note(void *context, const char *note)
{
    const struct try_exec *exec = context;
    char text[LOG_LINE_BYTES];
    snprintf(text, sizeof text, "%s", note);
    settings_mask_text(exec->settings, text);
    log_warn("try", "%s", text);
}

static void on_stuck(void *context, bool again, const char *why)
{
    (void)again;
    struct try_exec *exec = context;
    if (exec->answer && !exec->done)
        set(exec->answer, REASON_WORKER_DIED, why);
    exec->done = exec->stuck = true;
}

int try_exec_new(struct trial *trial, struct launcher *launcher,
                 struct try_exec **ret, struct error *err)
{
    struct try_exec *exec = calloc(1, sizeof *exec);
    const struct exec_callbacks callbacks = {exec, on_answer, on_note,
                                             on_stuck};
    if (!exec)
        return error_set(err, ERR_MEMORY, "no memory for programs");
    exec->settings = trial->settings;
    exec->base = event_base_new();
    int status = exec->base
                     ? exec_pool_new(exec->base, launcher, trial->pipeline,
                                     &callbacks, &exec->pool, err)
                     : error_set(err, ERR_MEMORY, "no memory for programs");
    if (status)
        try_exec_free(&exec);
    else
        *ret = exec;
    return status;
}

void try_exec_free(struct try_exec **exec)
{
    if (!*exec)
        return;
    exec_pool_free(&(*exec)->pool);
    if ((*exec)->base)
        event_base_free((*exec)->base);
    free(*exec);
    *exec = NULL;
}

/* ---- one key ---- */

static void ask(struct try_exec *exec, const struct worker *worker,
                struct slice key, struct try_answer *ret)
{
    struct error err = ERROR_NONE;
    usec_t begun = clock_monotonic();
    if (exec->stuck) {
        set(ret, REASON_WORKER_DIED, "no program is started any more");
        return;
    }
    exec->answer = ret;
    exec->done = false;
    if (exec_start(exec->pool, ASK_NUMBER, worker, key, &err)) {
        set(ret, REASON_INTERNAL, err.text);
        exec->done = true;
    }
    while (!exec->done)
        event_base_loop(exec->base, EVLOOP_ONCE);
    exec->answer = NULL;
    ret->took = clock_monotonic() - begun;
}

static void show_line(struct trial *trial, const struct worker *worker,
                      struct slice key)
{
    struct buffer line = BUFFER_EMPTY;
    exec_line_ask(&line, 1, key);
    if (line.len)
        line.len--; /* its end */
    try_show_asked(trial, worker, key, buffer_slice(&line));
    buffer_free(&line);
}

/* The line, which has been shown, becomes its record; or says why not. */
static void take_line(struct try_answer *answer)
{
    struct exec_line line;
    struct buffer record = BUFFER_EMPTY;
    struct slice text = buffer_slice(&answer->body);
    while (text.len && text.data[text.len - 1] == '\n') /* of a file */
        text.len--;
    const char *wrong = exec_line_parse(text, &line);
    if (wrong)
        set(answer, REASON_WORKER_ANSWER, wrong);
    else if (!line.record.data)
        set(answer, line.retry ? REASON_WORKER_RETRY : REASON_WORKER_ERROR,
            line.error);
    else if (!buffer_reserve(&record, line.record.len + EXTRACT_PADDING) ||
             !buffer_append_slice(&record, line.record))
        set(answer, REASON_INTERNAL, "out of memory");
    buffer_free(&answer->body);
    answer->body = record;
}

void try_exec_ask(struct trial *trial, const struct worker *worker,
                  struct slice key, struct try_answer *ret)
{
    *ret = (struct try_answer){.retry_after = -1};
    show_line(trial, worker, key);
    if (trial->exec)
        ask(trial->exec, worker, key, ret);
    else
        try_web_recorded(trial->web,
                         worker->request.body_bytes_max + EXEC_LINE_OTHER_BYTES,
                         ret);
    try_record_body(trial, ret);
    try_show_answer(trial, worker, ret);
    if (ret->reason == REASON_NONE)
        take_line(ret);
}

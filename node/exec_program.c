/*
 * exec_program.c: see exec_program.h.
 *
 *   IDLE --a key waits--> STARTING --> UP, or WATCHED --EXEC_WATCH--> UP
 *    ^                                  |___________________________|
 *    |______________ PAUSED <-- its end, by itself or by ENDING ____|
 *
 *   IDLE      no process
 *   STARTING  the launcher is asked
 *   WATCHED   it lives, and gets no keys: the one before ended unanswered
 *   UP        it has keys, or waits for some
 *   ENDING    it broke the rules, and is killed; its keys are settled already
 *   PAUSED    until it may be started again
 *   OVER      it is hopeless, and the node was told
 *
 * Each of these has its time, but for IDLE and for UP without keys.
 */
#include "exec_program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log_limit.h"
#include "exec_fate.h"
#include "exec_line.h"
#include "exec_pipes.h"
#include "exec_voice.h"
#include "extract.h"
#include "times.h"
#include "turn.h"

#define WHY_BYTES 512
#define SHOWN_BYTES 120 /* of a line that is wrong */

enum program_state {
    PROGRAM_IDLE,
    PROGRAM_STARTING,
    PROGRAM_WATCHED,
    PROGRAM_UP,
    PROGRAM_ENDING,
    PROGRAM_PAUSED,
    PROGRAM_OVER,
};

struct exec_program {
    enum program_state state;
    const struct worker *worker;
    struct exec_callbacks callbacks;
    struct event_base *base;
    struct launcher *launcher;
    struct launch *launch; /* NULL: none */
    struct exec_keys keys;
    struct exec_pipes pipes;
    struct event *timer;
    struct buffer answers, record;
    struct exec_voice voice;
    struct log_limit limit;
    struct exec_fate fate;
    bool was_watched; /* when it ended, or began to */
    bool reads;       /* its input; until then nothing is due */
    usec_t started;
};

static void go_on(struct exec_program *program);

static void set_state(struct exec_program *program, enum program_state state)
{
    bool runs = state == PROGRAM_STARTING || state == PROGRAM_WATCHED ||
                state == PROGRAM_UP || state == PROGRAM_ENDING;
    CHECK(runs == (program->launch != NULL));
    CHECK(state == PROGRAM_UP || program->keys.n_sent == 0);
    program->state = state;
}

static bool is_alive(const struct exec_program *program)
{
    return program->state == PROGRAM_WATCHED || program->state == PROGRAM_UP;
}

static void set_timer(struct exec_program *program, usec_t due)
{
    usec_t wait = due - clock_monotonic();
    if (wait < 0)
        wait = 0;
    struct timeval after = {wait / USEC_PER_SEC, wait % USEC_PER_SEC};
    evtimer_add(program->timer, &after);
}

/* Not the same of the same program again and again. */
static void note(struct exec_program *program, const char *kind,
                 const char *why)
{
    int64_t left_out = 0;
    char text[WHY_BYTES + 128], more[64] = "";
    if (!log_limit_pass(&program->limit, kind, clock_monotonic(), &left_out))
        return;
    if (left_out)
        snprintf(more, sizeof more, " (and %" PRId64 " times before)",
                 left_out);
    snprintf(text, sizeof text, "%s: its program %s%s", program->worker->name,
             why, more);
    program->callbacks.on_note(program->callbacks.context, text);
}

static void give_up(struct exec_program *program, const char *what)
{
    char why[2 * WHY_BYTES];
    snprintf(why, sizeof why, "worker \"%s\": its program %s",
             program->worker->name, what);
    set_state(program, PROGRAM_OVER);
    program->callbacks.on_stuck(program->callbacks.context, false, why);
}

/* ---- answers ---- */

static void deliver(struct exec_program *program, const struct exec_key *key,
                    struct exec_answer *answer)
{
    answer->worker = program->worker;
    if (!key->cancelled)
        program->callbacks.on_answer(program->callbacks.context, key->fetch,
                                     answer);
}

/* What was sent is settled: one key fails, if it is known which. */
static void blame(struct exec_program *program, enum reason reason,
                  const char *why)
{
    struct exec_answer answer = {.reason = reason, .detail = why};
    enum exec_cause cause = reason == REASON_TIMEOUT         ? EXEC_DUE
                            : reason == REASON_WORKER_ANSWER ? EXEC_WRONG
                                                             : EXEC_ENDED;
    struct exec_key *key =
        exec_keys_settle(&program->keys, cause, clock_monotonic());
    if (key)
        deliver(program, key, &answer);
    free(key);
}

/* The program breaks the rules: it is killed, and started anew. */
__attribute__((format(printf, 4, 5))) static void
fault(struct exec_program *program, enum reason reason, const char *kind,
      const char *format, ...)
{
    char why[WHY_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    note(program, kind, why);
    program->was_watched = program->state == PROGRAM_WATCHED;
    blame(program, reason, why);
    set_state(program, PROGRAM_ENDING);
    set_timer(program, clock_monotonic() + EXEC_PATIENCE);
    launch_kill(program->launch);
}

/* The record lies in a buffer of its own, with room behind it. */
static void take_record(struct exec_program *program,
                        struct exec_answer *answer,
                        const struct exec_line *line)
{
    struct buffer *record = &program->record;
    buffer_clear(record);
    if (buffer_reserve(record, line->record.len + EXTRACT_PADDING) &&
        buffer_append_slice(record, line->record)) {
        answer->record = buffer_slice(record);
        return;
    }
    buffer_free(record);
    answer->reason = REASON_INTERNAL;
    answer->detail = "no memory for a record";
}

static void fault_long(struct exec_program *program)
{
    fault(program, REASON_WORKER_ANSWER, "long line",
          "gave a line longer than body_max");
}

static size_t line_bytes_max(const struct exec_program *program)
{
    return (size_t)program->worker->request.body_bytes_max +
           EXEC_LINE_OTHER_BYTES;
}

static void take_line(struct exec_program *program, struct slice text)
{
    struct exec_line line;
    if (text.len > line_bytes_max(program)) {
        fault_long(program);
        return;
    }
    int shown = text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES;
    const char *wrong = exec_line_parse(text, &line);
    struct exec_key *key =
        wrong ? NULL : exec_keys_find(&program->keys, line.id);
    if (wrong) {
        fault(program, REASON_WORKER_ANSWER, wrong, "gave a line that %s: %.*s",
              wrong, shown, text.data);
        return;
    }
    if (!key) {
        fault(program, REASON_WORKER_ANSWER, "unknown id",
              "answered id %" PRIu64
              ", which it was not asked, or has answered before",
              line.id);
        return;
    }
    struct exec_answer answer = {.line = text, .detail = line.error};
    exec_fate_answered(&program->fate);
    histogram_add(&node_times()->fetch, clock_monotonic() - key->sent_at);
    exec_keys_take(&program->keys, key);
    if (line.record.data)
        take_record(program, &answer, &line);
    else
        answer.reason = line.retry ? REASON_WORKER_RETRY : REASON_WORKER_ERROR;
    deliver(program, key, &answer);
    free(key);
}

/* Whole lines are taken, the rest stays. */
static void take_lines(struct exec_program *program, size_t n_new)
{
    struct buffer *answers = &program->answers;
    size_t from = 0, seen = answers->len - n_new;
    char *end;
    while (is_alive(program) &&
           (end = memchr(answers->data + seen, '\n', answers->len - seen))) {
        size_t at = (size_t)(end - answers->data);
        take_line(program, (struct slice){answers->data + from, at - from});
        from = seen = at + 1;
    }
    if (from) /* of a long line each piece comes by here */
        memmove(answers->data, answers->data + from, answers->len - from);
    answers->len -= from;
    if (is_alive(program) && answers->len > line_bytes_max(program))
        fault_long(program);
}

/* ---- what it says ---- */

static void on_said(void *context, int pipe, struct slice said)
{
    struct exec_program *program = context;
    if (pipe == EXEC_ERRORS)
        exec_voice_hear(&program->voice, said, clock_monotonic());
    else if (is_alive(program) && buffer_append_slice(&program->answers, said))
        take_lines(program, said.len);
    else if (is_alive(program))
        fault(program, REASON_INTERNAL, "memory",
              "gave more than there is memory for");
}

static void on_read(void *context)
{
    go_on(context);
}

static void close_pipes(struct exec_program *program)
{
    exec_pipes_close(&program->pipes);
    buffer_free(&program->answers);
}

/* ---- asking ---- */

static void send_keys(struct exec_program *program)
{
    const struct worker *worker = program->worker;
    usec_t now = clock_monotonic();
    struct exec_key *key;
    while ((key = exec_keys_next(&program->keys, (size_t)worker->instances, now,
                                 worker->request.timeout)))
        exec_line_ask(&program->pipes.asked, key->id,
                      (struct slice){key->text, key->len});
    if (program->pipes.asked.failed)
        fault(program, REASON_INTERNAL, "memory", "can't be asked: no memory");
    exec_pipes_ask(&program->pipes);
    if (program->state == PROGRAM_UP && program->keys.sent &&
        !evtimer_pending(program->timer, NULL))
        set_timer(program, program->reads ? program->keys.sent->due
                                          : now + EXEC_START_LOOK);
}

/* ---- its life ---- */

static void on_started(void *context, const int fds[EXEC_PIPES])
{
    struct exec_program *program = context;
    bool watched = exec_fate_begin(&program->fate);
    program->started = clock_monotonic();
    program->reads = false;
    program->voice.last[0] = '\0';
    set_state(program, watched ? PROGRAM_WATCHED : PROGRAM_UP);
    if (!exec_pipes_open(&program->pipes, program->base, fds)) {
        fault(program, REASON_INTERNAL, "memory", "has no events: no memory");
        return;
    }
    evtimer_del(program->timer);
    if (watched)
        set_timer(program, clock_monotonic() + EXEC_WATCH);
    go_on(program);
}

/* The process is gone, and its keys are settled. `how` it ended. */
static void after_end(struct exec_program *program, const char *how)
{
    char text[2 * WHY_BYTES];
    const char *why = NULL;
    program->launch = NULL;
    usec_t wait = exec_fate_end(&program->fate, program->was_watched, &why);
    if (wait == USEC_NEVER) {
        snprintf(text, sizeof text, "%s: it %s", why, how);
        give_up(program, text);
        return;
    }
    set_state(program, PROGRAM_PAUSED);
    set_timer(program, clock_monotonic() + wait);
}

/* What it said before its end counts. */
static void on_ended(void *context, int status)
{
    struct exec_program *program = context;
    char how[WHY_BYTES];
    turn_enter();
    exec_pipes_drain(&program->pipes);
    exec_voice_end(&program->voice, clock_monotonic());
    exec_fate_describe(status, program->voice.last, how, sizeof how);
    if (is_alive(program)) {
        program->was_watched = program->state == PROGRAM_WATCHED;
        if (status || program->keys.n_sent)
            note(program, "ended", how);
        blame(program, REASON_WORKER_DIED, how);
    }
    close_pipes(program);
    after_end(program, how);
}

static void on_failed(void *context, int why)
{
    struct exec_program *program = context;
    char how[WHY_BYTES];
    snprintf(how, sizeof how, "can't be started: %s: %s",
             program->worker->program.command[0], strerror(why));
    bool passes = why == EAGAIN || why == ENOMEM || why == EMFILE ||
                  why == ENFILE || why == ETXTBSY;
    program->launch = NULL;
    program->was_watched = true;
    if (passes) {
        note(program, "start", how);
        after_end(program, how);
    } else {
        give_up(program, how);
    }
}

static void on_lost(void *context)
{
    struct exec_program *program = context;
    program->launch = NULL;
    program->callbacks.on_stuck(program->callbacks.context, true,
                                "the process that starts programs is gone");
}

static void start(struct exec_program *program)
{
    const struct launch_callbacks callbacks = {program, on_started, on_failed,
                                               on_ended, on_lost};
    program->was_watched = false;
    program->launch =
        launcher_start(program->launcher, program->worker->index, &callbacks);
    if (!program->launch) {
        on_lost(program);
        return;
    }
    set_state(program, PROGRAM_STARTING);
    set_timer(program, clock_monotonic() + EXEC_PATIENCE);
}

static void go_on(struct exec_program *program)
{
    if (program->state == PROGRAM_IDLE && exec_keys_wait(&program->keys))
        start(program);
    else if (program->state == PROGRAM_UP)
        send_keys(program);
}

/* Time counts for keys from when it reads its input: a start may take long. */
static bool is_starting(struct exec_program *program)
{
    usec_t now = clock_monotonic();
    if (program->reads)
        return false;
    if (exec_pipes_untouched(&program->pipes) &&
        now - program->started < EXEC_START_MAX) {
        set_timer(program, now + EXEC_START_LOOK);
        return true;
    }
    program->reads = true;
    if (now - program->started < EXEC_START_MAX)
        exec_keys_put_off(&program->keys,
                          now + program->worker->request.timeout);
    return false;
}

static void check_due(struct exec_program *program)
{
    const struct exec_key *first = program->keys.sent;
    if (first && is_starting(program))
        return;
    if (first && first->due <= clock_monotonic())
        fault(program, REASON_TIMEOUT, "timeout",
              "has not answered %.*s within its timeout: is each line flushed?",
              (int)first->len, first->text);
    else if (first)
        set_timer(program, first->due);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct exec_program *program = context;
    if (program->state == PROGRAM_WATCHED) {
        exec_fate_lived(&program->fate);
        set_state(program, PROGRAM_UP);
    } else if (program->state == PROGRAM_PAUSED) {
        set_state(program, PROGRAM_IDLE);
    } else if (program->state == PROGRAM_UP) {
        check_due(program);
    } else if (program->launch) {
        program->callbacks.on_stuck(program->callbacks.context, true,
                                    "a program neither starts nor ends");
    }
    go_on(program);
}

/* ---- the program ---- */

struct exec_program *exec_program_new(struct event_base *base,
                                      struct launcher *launcher,
                                      const struct worker *worker,
                                      const struct exec_callbacks *callbacks)
{
    struct exec_program *program = calloc(1, sizeof *program);
    if (!program)
        return NULL;
    program->worker = worker;
    program->callbacks = *callbacks;
    program->base = base;
    program->launcher = launcher;
    program->limit.interval = EXEC_NOTES_INTERVAL;
    program->voice.who = worker->name;
    program->voice.on_note = callbacks->on_note;
    program->voice.context = callbacks->context;
    exec_pipes_init(&program->pipes, on_said, on_read, program);
    program->timer = evtimer_new(base, on_timer, program);
    if (!program->timer)
        exec_program_free(&program);
    return program;
}

void exec_program_free(struct exec_program **ptr)
{
    struct exec_program *program = *ptr;
    if (!program)
        return;
    close_pipes(program);
    if (program->launch)
        launch_leave(program->launch);
    if (program->timer)
        event_free(program->timer);
    exec_keys_free(&program->keys);
    buffer_free(&program->record);
    free(program);
    *ptr = NULL;
}

bool exec_program_ask(struct exec_program *program, uint64_t fetch,
                      struct slice key)
{
    if (!exec_keys_add(&program->keys, fetch, key))
        return false;
    go_on(program);
    return true;
}

struct exec_keys *exec_program_keys(struct exec_program *program)
{
    return &program->keys;
}

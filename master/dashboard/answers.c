/*
 * answers.c: see answers.h.
 *
 *   (none) --> ASKED --> KNOWN --> ASKED ... --> (forgotten)
 *
 * A request that waits may lose its connection meanwhile: evhttp leaves it to
 * us, and the reply then only frees it.
 */
#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ledger/ledger.h"
#include "loop/offload.h"
#include "server.h"

#define PATIENCE (2 * LEDGER_LOOK_MAX) /* at the end */

struct waiting {
    struct evhttp_request *http;
    struct waiting *next;
};

enum answer_state { ANSWER_ASKED, ANSWER_KNOWN };

struct answer {
    struct offload_work work;
    struct answers *owner;
    enum answer_state state;
    char *key;
    struct question question; /* its texts are copies */
    char *texts[3];
    struct waiting *waiting;
    /* the thread's while ASKED */
    struct buffer body;
    struct error err;
    usec_t took;
    char ledger_id[LEDGER_ID_BYTES];
    /* KNOWN */
    usec_t known_at;
    struct answer *prev, *next;
};

struct answers {
    struct offload *offload;
    struct answer *list; /* the last known last */
    size_t n, n_waiting;
    char ledger_id[LEDGER_ID_BYTES];
    struct error trouble;
};

/* ---- one answer ---- */

static void answer_free(struct answer *answer)
{
    struct waiting *waiting, *next;
    LL_FOREACH_SAFE (answer->waiting, waiting, next) {
        free(waiting);
    }
    for (int i = 0; i < 3; i++)
        free(answer->texts[i]);
    buffer_free(&answer->body);
    free(answer->key);
    free(answer);
}

static bool copy_text(const char *text, char **ret_copy, const char **ret)
{
    *ret = NULL;
    if (!text)
        return true;
    *ret = *ret_copy = strdup(text);
    return *ret != NULL;
}

static char *key_of(const struct question *question)
{
    struct buffer key = BUFFER_EMPTY;
    const char *none = "\x01";
    buffer_printf(&key, "%d %lld %lld %s\n%s\n%s", (int)question->kind,
                  (long long)question->run, (long long)question->after,
                  question->reason ? question->reason : none,
                  question->table ? question->table : none,
                  question->text ? question->text : none);
    if (key.failed)
        buffer_free(&key);
    return key.data;
}

static struct answer *answer_new(struct answers *answers, char *key,
                                 const struct question *question)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer)
        return NULL;
    answer->owner = answers;
    answer->question = *question;
    answer->key = key;
    if (copy_text(question->reason, &answer->texts[0],
                  &answer->question.reason) &&
        copy_text(question->table, &answer->texts[1],
                  &answer->question.table) &&
        copy_text(question->text, &answer->texts[2], &answer->question.text))
        return answer;
    answer->key = NULL; /* the caller's still */
    answer_free(answer);
    return NULL;
}

/* ---- asking ---- */

static void ask(struct offload_work *work, void *library)
{
    struct answer *answer = (struct answer *)work;
    usec_t began = clock_monotonic();
    buffer_clear(&answer->body);
    answer->err = ERROR_NONE;
    (void)!library_answer(library, &answer->question, &answer->body,
                          &answer->err);
    answer->took = clock_monotonic() - began;
    snprintf(answer->ledger_id, sizeof answer->ledger_id, "%s",
             library_ledger_id(library));
}

static int status_of(const struct error *err)
{
    switch (err->code) {
    case ERR_NONE:
        return 200;
    case ERR_NOT_FOUND:
        return 404;
    default:
        return error_code_kind(err->code) == ERROR_RETRY ? 503 : 500;
    }
}

static void reply(const struct answer *answer, struct evhttp_request *http)
{
    int status = status_of(&answer->err);
    if (status == 200)
        server_reply(http, status, "application/json",
                     buffer_slice(&answer->body));
    else
        server_reply_error(http, status, answer->err.text);
}

static void on_known(struct offload_work *work, void *context)
{
    struct answers *answers = context;
    struct answer *answer = (struct answer *)work;
    struct waiting *waiting, *next;
    answer->state = ANSWER_KNOWN;
    answer->known_at = clock_monotonic();
    if (answer->err.code != ERR_NOT_FOUND || !answer->ledger_id[0])
        answers->trouble = answer->err;
    if (answer->ledger_id[0])
        memcpy(answers->ledger_id, answer->ledger_id,
               sizeof answers->ledger_id);
    DL_DELETE(answers->list, answer);
    DL_APPEND(answers->list, answer);
    LL_FOREACH_SAFE (answer->waiting, waiting, next) {
        reply(answer, waiting->http);
        answers->n_waiting--;
        free(waiting);
    }
    answer->waiting = NULL;
}

/* At the end: it is in the list. */
static void on_dropped(struct offload_work *work)
{
    (void)work;
}

static void ask_now(struct answer *answer)
{
    answer->state = ANSWER_ASKED;
    answer->work =
        (struct offload_work){.run = ask, .done = on_known, .drop = on_dropped};
    offload_do(answer->owner->offload, &answer->work);
}

static bool is_fresh(const struct answer *answer)
{
    bool away = error_code_kind(answer->err.code) == ERROR_RETRY &&
                answer->err.code != ERR_NONE;
    usec_t fresh = away ? 0 : answer->took * ANSWERS_REST;
    if (fresh < ANSWERS_FRESH)
        fresh = ANSWERS_FRESH;
    return clock_monotonic() < answer->known_at + fresh;
}

static struct answer *find(struct answers *answers, const char *key)
{
    struct answer *answer;
    DL_FOREACH (answers->list, answer) {
        if (!strcmp(answer->key, key))
            return answer;
    }
    return NULL;
}

/* Room for one more: the one known for longest goes. */
static bool make_room(struct answers *answers)
{
    struct answer *answer;
    if (answers->n < ANSWERS_KEPT_MAX)
        return true;
    DL_FOREACH (answers->list, answer) {
        if (answer->state != ANSWER_KNOWN)
            continue;
        DL_DELETE(answers->list, answer);
        answers->n--;
        answer_free(answer);
        return true;
    }
    return false;
}

/* NULL where there is no room, or no memory. */
static struct answer *meet(struct answers *answers,
                           const struct question *question)
{
    char *key = key_of(question);
    struct answer *answer = key ? find(answers, key) : NULL;
    if (answer) {
        free(key);
        if (answer->state == ANSWER_KNOWN && !is_fresh(answer))
            ask_now(answer);
        return answer;
    }
    if (key && make_room(answers))
        answer = answer_new(answers, key, question);
    if (!answer) {
        free(key);
        return NULL;
    }
    DL_APPEND(answers->list, answer);
    answers->n++;
    ask_now(answer);
    return answer;
}

void answers_give(struct answers *answers, const struct question *question,
                  struct evhttp_request *http)
{
    struct answer *answer = meet(answers, question);
    if (!http)
        return;
    if (answer && answer->state == ANSWER_KNOWN) {
        reply(answer, http);
        return;
    }
    struct waiting *waiting = answer && answers->n_waiting < ANSWERS_WAITING_MAX
                                  ? calloc(1, sizeof *waiting)
                                  : NULL;
    if (!waiting) {
        server_reply_error(http, 503, "too many questions at once");
        return;
    }
    waiting->http = http;
    LL_APPEND(answer->waiting, waiting);
    answers->n_waiting++;
}

/* ---- all of them ---- */

bool answers_well(const struct answers *answers, const char **ret_why)
{
    *ret_why = answers->trouble.text;
    return answers->trouble.code == ERR_NONE;
}

const char *answers_ledger_id(const struct answers *answers)
{
    return answers->ledger_id;
}

struct answers *answers_new(struct event_base *base, struct library *library)
{
    struct answers *answers = calloc(1, sizeof *answers);
    if (!answers)
        return NULL;
    error_set(&answers->trouble, ERR_DATABASE_AWAY,
              "the database was not asked yet");
    answers->offload = offload_new(base, library, answers);
    if (answers->offload)
        return answers;
    free(answers);
    return NULL;
}

bool answers_free(struct answers **ptr)
{
    struct answers *answers = *ptr;
    if (!answers)
        return true;
    *ptr = NULL;
    if (!offload_free(&answers->offload, PATIENCE))
        return false;
    struct answer *answer, *next;
    DL_FOREACH_SAFE (answers->list, answer, next) {
        answer_free(answer);
    }
    free(answers);
    return true;
}

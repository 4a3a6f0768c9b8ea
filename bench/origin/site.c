/*
 * site.c: see site.h.
 *
 * An answer is first the good one; the fault then changes it. So a fault never
 * needs to know how an answer is made.
 */
#include "site.h"

#include <stdlib.h>
#include <string.h>

#include "agents.h"
#include "lists.h"
#include "odd.h"
#include "pace.h"
#include "quotes.h"
#include "redirects.h"
#include "replay.h"
#include "route.h"
#include "series.h"
#include "spark.h"
#include "symbols.h"
#include "text.h"
#include "unchanged.h"

#define GARBAGE_BYTES 1200 /* about what a chart answer has */

#define TYPE_JSON "application/json;charset=utf-8"
#define TYPE_HTML "text/html; charset=UTF-8"
#define TYPE_TEXT "text/plain; charset=UTF-8"
#define TYPE_CSV "text/csv; charset=UTF-8"

enum { PURPOSE_JITTER = 2 }; /* a draw beside that of faults.c */

struct site {
    const struct options *options;
    struct facts *facts;
    struct symbols *symbols;
    struct lists *lists;
    struct replay *replay; /* NULL: all answers are made */
    struct journal *journal;
    struct pace borne; /* requests that were not too many */
    struct series series;
    struct buffer body;  /* of the answer at hand */
    struct buffer extra; /* of the answer at hand */
    struct odd odd;      /* of the answer at hand, and what it keeps */
};

static int load_symbols(struct site *site, struct error *err)
{
    const struct options *options = site->options;
    if (options->symbols_file)
        return symbols_new_file(site->facts, options->symbols_file,
                                &site->symbols, err);
    if (options->count >= 0)
        return symbols_new_count(site->facts, (size_t)options->count,
                                 &site->symbols, err);
    return symbols_new_facts(site->facts, &site->symbols, err);
}

static int load(struct site *site, struct error *err)
{
    const struct options *options = site->options;
    if (journal_new(&site->journal, err) || facts_new(&site->facts, err) ||
        load_symbols(site, err) || lists_new(site->symbols, &site->lists, err))
        return (int)err->code;
    if (!options->replay_dir)
        return 0;
    struct buffer wiki = BUFFER_EMPTY;
    if (replay_new(options->replay_dir, &site->replay, &wiki, err))
        return (int)err->code;
    lists_take_wiki(site->lists, &wiki);
    return 0;
}

int site_new(const struct options *options, struct site **ret_site,
             struct error *err)
{
    struct site *site = calloc(1, sizeof *site);
    if (!site)
        return error_set(err, ERR_MEMORY, "out of memory");
    site->options = options;
    if (load(site, err)) {
        site_free(&site);
        return (int)err->code;
    }
    *ret_site = site;
    return 0;
}

void site_free(struct site **site)
{
    if (!*site)
        return;
    buffer_free(&(*site)->body);
    buffer_free(&(*site)->extra);
    series_fini(&(*site)->series);
    odd_fini(&(*site)->odd);
    replay_free(&(*site)->replay);
    lists_free(&(*site)->lists);
    symbols_free(&(*site)->symbols);
    facts_free(&(*site)->facts);
    journal_free(&(*site)->journal);
    free(*site);
    *site = NULL;
}

struct journal *site_journal(struct site *site)
{
    return site->journal;
}

/* Step one: what is asked for, by whom, and what goes wrong. */

static usec_t delay_of(const struct site *site, const struct visit *visit,
                       uint64_t nth)
{
    const struct options *options = site->options;
    usec_t delay = options->latency;
    if (visit->page == PAGE_WIKI && options->wiki_latency != USEC_NEVER)
        delay = options->wiki_latency;
    if (options->jitter)
        delay += (usec_t)((double)options->jitter *
                          faults_draw(options->seed, visit->key, nth,
                                      PURPOSE_JITTER));
    if (visit->fault == FAULT_SLOW)
        delay += options->slow;
    return delay;
}

/* Those that it refuses are no burden. */
static bool bears(struct site *site, usec_t now)
{
    if (pace_count(&site->borne, now) >= site->options->bears)
        return false;
    pace_add(&site->borne, now);
    return true;
}

/* What is named for the first of several symbols that has something. */
static void pick_of_several(struct site *site, const char *target,
                            struct visit *visit)
{
    struct spark spark;
    spark_parse(target, &spark);
    for (size_t i = 0; i < spark.n; i++) {
        const char *symbol = spark.symbols[i];
        enum fault_kind fault =
            faults_pick(site->options->faults, site->options->seed, symbol,
                        journal_also(site->journal, symbol), false);
        if (visit->fault == FAULT_NONE && fault != FAULT_NONE) {
            visit->fault = fault;
            memcpy(visit->faulty, symbol, strlen(symbol) + 1);
        }
    }
}

void site_begin(struct site *site, const struct http_request *request,
                usec_t now, struct visit *visit)
{
    visit->page = route_find(request->target, visit->key);
    visit->fault = FAULT_NONE;
    visit->faulty[0] = '\0';
    visit->delay = 0;
    visit->journaled = *visit->key;
    bool post = !strcmp(request->method, "POST");
    if (strcmp(request->method, "GET") != 0 &&
        !(post && visit->page == PAGE_RESET)) {
        visit->page = PAGE_BAD_METHOD;
        visit->journaled = false;
    }
    if (!visit->journaled)
        return;
    uint64_t nth = journal_begin(site->journal, visit->key, now);
    bool is_symbol = page_is_quote(visit->page);
    if (site->options->user_agent_check &&
        agents_refused(request->user_agent, visit->page)) {
        visit->yahoo = is_symbol;
        visit->page = PAGE_BAD_AGENT;
    } else {
        if (page_is_spark(visit->page))
            pick_of_several(site, request->target, visit);
        if (visit->fault == FAULT_NONE)
            visit->fault =
                faults_pick(site->options->faults, site->options->seed,
                            visit->key, nth, is_symbol);
        if (is_symbol && site->options->bears && !bears(site, now))
            visit->fault = FAULT_429;
        if (redirects_over(site->options, visit->fault, request->target))
            visit->fault = FAULT_NONE;
    }
    journal_injected(site->journal, visit->key, visit->fault);
    visit->delay = delay_of(site, visit, nth);
}

/* Step two: the good answer. */

static void set_text(struct answer *answer, int status, const char *type,
                     const char *text)
{
    answer->status = status;
    answer->type = type;
    answer->body = slice_of(text);
    answer->body_lasts = true;
    answer->gzip = false;
}

static void set_body(struct site *site, struct answer *answer, const char *type)
{
    if (site->body.failed) {
        set_text(answer, 500, TYPE_TEXT, "out of memory\n");
        return;
    }
    answer->status = 200;
    answer->type = type;
    answer->body = buffer_slice(&site->body);
    answer->body_lasts = false;
    answer->gzip = false;
}

static void set_not_found(struct answer *answer, enum page page)
{
    if (page == PAGE_CHART)
        set_text(answer, 404, TYPE_JSON, quotes_not_found);
    else
        set_text(answer, 404, TYPE_HTML,
                 "<!DOCTYPE html>\n<title>Not Found</title>\n"
                 "<p>There is nothing here.</p>\n");
}

static void answer_list(struct site *site, enum list_kind kind, bool gzip,
                        const char *type, struct answer *answer)
{
    struct error err = ERROR_NONE;
    struct slice page;
    if (lists_page(site->lists, kind, gzip, &page, &err)) {
        buffer_append_text(&site->body, err.text);
        set_body(site, answer, TYPE_TEXT);
        answer->status = 500;
        return;
    }
    answer->status = 200;
    answer->type = type;
    answer->gzip = gzip;
    answer->body = page;
    answer->body_lasts = true;
}

static const char *type_of_recorded(struct slice body)
{
    char first = body.len ? body.data[0] : '\0';
    if (first == '{' || first == '[')
        return TYPE_JSON;
    return first == '<' ? TYPE_HTML : TYPE_TEXT;
}

static void answer_recorded(const struct site *site, const struct visit *visit,
                            struct answer *answer)
{
    enum replay_kind kind =
        visit->page == PAGE_CHART ? REPLAY_CHART : REPLAY_QUOTE;
    if (!replay_find(site->replay, kind, visit->key, &answer->status,
                     &answer->body)) {
        set_not_found(answer, visit->page);
        return;
    }
    answer->type = type_of_recorded(answer->body);
    answer->body_lasts = true;
}

static void answer_quote(struct site *site, const char *target,
                         const struct visit *visit, enum quote_field field,
                         struct answer *answer)
{
    struct symbol symbol = {visit->key, visit->key, ""};
    if (field == QUOTE_PRICE && site->replay) {
        answer_recorded(site, visit, answer);
        return;
    }
    if (!symbols_find(site->symbols, visit->key, &symbol) &&
        !(field != QUOTE_PRICE && site->replay)) {
        set_not_found(answer, visit->page);
        return;
    }
    char digits[PRICE_BYTES_MAX];
    facts_price(site->facts, visit->key, digits);
    bool json = visit->page == PAGE_CHART;
    const char *price = odd_price(&site->odd, visit->fault, json, digits);
    struct slice two_years = slice_of(NULL);
    if (json && route_query_has(target, "range=2y"))
        two_years = series_of(&site->series, visit->key);
    if (json)
        quotes_chart(&site->body, visit->key, symbol.name, price, field,
                     two_years);
    else
        quotes_page(&site->body, visit->key, symbol.name, price, field);
    set_body(site, answer, visit->page == PAGE_CHART ? TYPE_JSON : TYPE_HTML);
}

static void answer_spark(struct site *site, const char *target,
                         const struct visit *visit, enum quote_field field,
                         struct answer *answer)
{
    int status = spark_answer(site->symbols, site->facts, target,
                              visit->page == PAGE_SPARK_V8, visit->faulty,
                              field, &site->body);
    set_body(site, answer, TYPE_JSON);
    answer->status = status;
}

static void answer_journal(struct site *site, bool keys, struct answer *answer)
{
    journal_print(site->journal, keys, &site->body);
    set_body(site, answer, TYPE_JSON);
}

static void answer_page(struct site *site, const struct http_request *request,
                        const struct visit *visit, struct answer *answer)
{
    switch (visit->page) {
    case PAGE_WIKI:
        answer_list(site, LIST_WIKI, request->gzip, TYPE_HTML, answer);
        break;
    case PAGE_SYMBOLS_JSON:
        answer_list(site, LIST_JSON, request->gzip, TYPE_JSON, answer);
        break;
    case PAGE_SYMBOLS_TEXT:
        answer_list(site, LIST_TEXT, request->gzip, TYPE_TEXT, answer);
        break;
    case PAGE_SYMBOLS_CSV:
        answer_list(site, LIST_CSV, request->gzip, TYPE_CSV, answer);
        break;
    case PAGE_ROBOTS:
        if (site->options->robots)
            set_text(answer, 200, TYPE_TEXT, site->options->robots);
        else
            set_not_found(answer, visit->page);
        break;
    case PAGE_CHART:
    case PAGE_QUOTE:
        answer_quote(site, request->target, visit, QUOTE_PRICE, answer);
        break;
    case PAGE_SPARK:
    case PAGE_SPARK_V8:
        answer_spark(site, request->target, visit, QUOTE_PRICE, answer);
        break;
    case PAGE_LOG:
        answer_journal(site, !route_query_has(request->target, "keys=0"),
                       answer);
        break;
    case PAGE_RESET:
        journal_reset(site->journal);
        set_text(answer, 200, TYPE_JSON, "{\"reset\":true}\n");
        break;
    case PAGE_HEALTH:
        set_text(answer, 200, TYPE_JSON, "{\"status\":\"ok\"}\n");
        break;
    case PAGE_NONE:
        set_not_found(answer, visit->page);
        break;
    case PAGE_BAD_KEY:
        set_text(answer, 400, TYPE_TEXT, "The key can't be read.\n");
        break;
    case PAGE_BAD_METHOD:
        set_text(answer, 405, TYPE_TEXT, "Only GET is answered here.\n");
        break;
    case PAGE_BAD_AGENT:
        if (visit->yahoo)
            set_text(answer, 429, TYPE_TEXT, "Edge: Too Many Requests");
        else
            set_text(answer, 403, TYPE_TEXT,
                     "Please say in a User-Agent who you are.\n");
        break;
    }
}

/* Step two, and what the fault makes of it. */

static void answer_without_field(struct site *site,
                                 const struct http_request *request,
                                 const struct visit *visit,
                                 struct answer *answer)
{
    bool null = visit->fault == FAULT_NULL_FIELD;
    site->body.len = 0;
    switch (visit->page) {
    case PAGE_CHART:
    case PAGE_QUOTE:
        answer_quote(site, request->target, visit,
                     null ? QUOTE_NULL : QUOTE_NO_FIELD, answer);
        break;
    case PAGE_SPARK:
    case PAGE_SPARK_V8:
        answer_spark(site, request->target, visit,
                     null ? QUOTE_NULL : QUOTE_NO_FIELD, answer);
        break;
    case PAGE_WIKI:
        answer_list(site, null ? LIST_WIKI_NO_ROWS : LIST_WIKI_NO_TABLE,
                    request->gzip, TYPE_HTML, answer);
        break;
    default: /* the other lists: empty */
        set_text(answer, 200, answer->type,
                 visit->page == PAGE_SYMBOLS_JSON ? "[]\n" : "");
    }
}

static void garble(struct site *site, const struct visit *visit,
                   struct answer *answer)
{
    const char *type = answer->type;
    uint64_t noise = text_hash(visit->key);
    site->body.len = 0;
    for (int i = 0; i < GARBAGE_BYTES; i += (int)sizeof noise) {
        noise = text_mix(noise + 1);
        buffer_append(&site->body, &noise, sizeof noise);
    }
    set_body(site, answer, type);
}

static void set_status_fault(struct site *site, const struct visit *visit,
                             struct answer *answer)
{
    switch (visit->fault) {
    case FAULT_403:
        set_text(answer, 403, TYPE_TEXT, "Forbidden\n");
        break;
    case FAULT_404:
        set_not_found(answer, visit->page);
        break;
    case FAULT_429_RETRY_AFTER:
        buffer_printf(&site->extra, "Retry-After: %s\r\n",
                      site->options->retry_after);
        set_text(answer, 429, TYPE_TEXT, "Too Many Requests\r\n");
        break;
    case FAULT_429:
        set_text(answer, 429, TYPE_TEXT, "Too Many Requests\r\n");
        break;
    case FAULT_TOO_MANY_200:
        set_text(answer, 200, TYPE_TEXT, "Too Many Requests\r\n");
        break;
    case FAULT_500:
        set_text(answer, 500, TYPE_TEXT, "Internal Server Error\n");
        break;
    default:
        CHECK(visit->fault == FAULT_503);
        set_text(answer, 503, TYPE_TEXT, "Service Unavailable\n");
    }
}

static void set_wrong_type(struct answer *answer)
{
    if (!strcmp(answer->type, TYPE_HTML))
        set_text(answer, 200, TYPE_JSON, "{}\n");
    else
        set_text(answer, 200, TYPE_HTML,
                 "<!DOCTYPE html>\n<title>Consent</title>\n"
                 "<p>Before you continue</p>\n");
}

static void inject(struct site *site, const struct http_request *request,
                   const struct visit *visit, struct answer *answer)
{
    switch (visit->fault) {
    case FAULT_NONE:
    case FAULT_SLOW:
        break;
    case FAULT_RESET:
        answer->delivery = DELIVER_RESET;
        break;
    case FAULT_CLOSE:
        answer->delivery = DELIVER_CLOSE;
        break;
    case FAULT_STALL:
        answer->delivery = DELIVER_STALL;
        break;
    case FAULT_TRUNCATED:
        answer->delivery = DELIVER_TRUNCATED;
        break;
    case FAULT_DRIP:
        answer->delivery = DELIVER_DRIP;
        break;
    case FAULT_HUGE:
    case FAULT_HUGE_LENGTH:
        set_text(answer, 200, answer->type, "");
        answer->delivery = DELIVER_STREAM;
        answer->stream_bytes = site->options->huge_bytes;
        answer->stream_length = visit->fault == FAULT_HUGE_LENGTH;
        break;
    case FAULT_GARBAGE:
        garble(site, visit, answer);
        break;
    case FAULT_WRONG_TYPE:
        set_wrong_type(answer);
        break;
    case FAULT_NO_FIELD:
    case FAULT_NULL_FIELD:
        answer_without_field(site, request, visit, answer);
        break;
    case FAULT_REDIRECT:
    case FAULT_REDIRECT_LOOP:
    case FAULT_REDIRECT_CHAIN:
    case FAULT_REDIRECT_AWAY:
    case FAULT_REDIRECT_FILE:
        set_text(answer, 302, TYPE_TEXT, "");
        redirects_head(site->options, visit->fault, request->target,
                       &site->extra);
        break;
    case FAULT_403:
    case FAULT_404:
    case FAULT_429:
    case FAULT_429_RETRY_AFTER:
    case FAULT_TOO_MANY_200:
    case FAULT_500:
    case FAULT_503:
        set_status_fault(site, visit, answer);
        break;
    default:
        odd_inject(&site->odd, visit->fault, &site->extra, answer);
    }
}

void site_answer(struct site *site, const struct http_request *request,
                 const struct visit *visit, struct answer *answer)
{
    buffer_clear(&site->body);
    buffer_clear(&site->extra);
    *answer = (struct answer){.delivery = DELIVER_PLAIN};
    answer_page(site, request, visit, answer);
    inject(site, request, visit, answer);
    if (unchanged_apply(site->options, request, visit, &site->extra, answer))
        journal_unchanged(site->journal, visit->key);
    answer->extra = buffer_text(&site->extra);
}

void site_refuse(int status, struct answer *answer)
{
    *answer = (struct answer){.delivery = DELIVER_PLAIN, .extra = ""};
    set_text(answer, status, TYPE_TEXT, "The request can't be read.\n");
}

/*
 * pipeline_request.c: the options that say how the web is asked.
 */
#include <ctype.h>
#include <stdlib.h>

#include "pipeline/loader.h"
#include "pipeline/spell.h"
#include "pipeline/template.h"

void request_defaults(struct request *request, bool is_fetcher)
{
    static const char *refusal = "Too Many Requests";

    *request = (struct request){
        .user_agent = REQUEST_USER_AGENT,
        .timeout = 30 * USEC_PER_SEC,
        .connect_timeout = 5 * USEC_PER_SEC,
        .body_bytes_max = is_fetcher ? 1 << 20 : 8 << 20,
        .redirects = 3,
        .refusals = &refusal,
        .n_refusals = 1,
        .separator = ",",
        .separator_in_key = "%2C",
        .attempts = 5,
        .backoff = 500 * USEC_PER_MSEC,
        .backoff_max = 30 * USEC_PER_SEC,
        .hold = 5 * USEC_PER_SEC,
    };
}

/* Looks for {key} or {keys}; anything else in braces is a mistake. */
static bool check_placeholders(struct loader *loader,
                               const struct yaml_node *node, const char *url)
{
    static const char *const known[] = {"key", "symbol", "keys"};
    size_t n_keys = 0;

    for (const char *p = url; (p = strchr(p, '{')); p++) {
        size_t len = strcspn(p, "}");
        if ((len == 4 && !strncmp(p, "{key", 4)) ||
            (len == 5 && !strncmp(p, "{keys", 5)) ||
            (len == 7 && !strncmp(p, "{symbol", 7))) {
            n_keys++;
            continue;
        }
        const char *name = load_printf(loader, "%.*s", (int)len - 1, p + 1);
        if (name)
            complain_unknown(loader, node, "placeholder", NULL, name, known, 3);
        return false;
    }
    if (!n_keys)
        complain(loader, node,
                 "option 'url' has no {key} in it: every key "
                 "would be asked for at the same place");
    return n_keys;
}

void read_url(struct loader *loader, struct worker *worker,
              const struct yaml_node *node)
{
    const char *url = load_text(loader, node, "option 'url'");
    struct request request = {.url = url};
    struct buffer out = BUFFER_EMPTY;

    if (!url || !check_placeholders(loader, node, url))
        return;
    /* A key that may stand anywhere, to see whether the rest is a URL. */
    if (request_url(&request, slice_of("a"), &out))
        worker->request.url = url;
    else
        complain(loader, node,
                 "'%s' is no URL: http:// or https:// with a host, at most %d "
                 "bytes",
                 shown(url).text, URL_BYTES_MAX);
    loader->out_of_memory |= out.failed;
    buffer_free(&out);
}

/* \0 to \9 in `with` must be groups that the expression has. */
static bool check_replacement(struct loader *loader,
                              const struct yaml_node *node,
                              const struct replace *replace)
{
    for (const char *p = replace->with; (p = strchr(p, '\\')); p++) {
        p++;
        if (isdigit((unsigned char)*p) &&
            (size_t)(*p - '0') > replace->compiled.re_nsub) {
            complain(loader, node, "\\%c: the expression has only %zu group%s",
                     *p, replace->compiled.re_nsub,
                     replace->compiled.re_nsub == 1 ? "" : "s");
            return false;
        }
        if (!*p) {
            complain(loader, node, "a lone backslash at the end");
            return false;
        }
    }
    return true;
}

void read_key_replace(struct loader *loader, struct worker *worker,
                      const struct yaml_node *node)
{
    struct request *request = &worker->request;
    char message[128];

    if (!load_map(loader, node, "option 'key_replace'", PIPELINE_REPLACES_MAX))
        return;
    request->replaces =
        load_alloc(loader, node->n_items, sizeof *request->replaces);
    if (!request->replaces)
        return;
    for (const struct yaml_node *n = node->first; n; n = n->next) {
        struct replace *r = &request->replaces[request->n_replaces];
        if (n->kind != YAML_TEXT) {
            complain(loader, n, "a replacement must be a text");
            continue;
        }
        r->expression = n->key->text;
        r->with = n->text;
        int failed = regcomp(&r->compiled, r->expression, REG_EXTENDED);
        if (failed == REG_ESPACE) {
            loader->out_of_memory = true;
            return;
        }
        if (failed) {
            regerror(failed, &r->compiled, message, sizeof message);
            complain(loader, n->key, "'%s' is no POSIX extended expression: %s",
                     shown(r->expression).text, message);
            continue;
        }
        request->n_replaces++;
        check_replacement(loader, n, r);
    }
}

/* RFC 9110, 5.1 and 5.6.2: a header's name is a token. */
static bool is_token(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) &&
            !strchr("!#$%&'*+-.^_`|~", text[i]))
            return false;
    return len > 0;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            return true;
    return false;
}

void read_headers(struct loader *loader, struct worker *worker,
                  const struct yaml_node *node)
{
    struct request *request = &worker->request;

    if (!load_map(loader, node, "option 'headers'", PIPELINE_HEADERS_MAX))
        return;
    request->headers =
        load_alloc(loader, node->n_items, sizeof *request->headers);
    if (!request->headers)
        return;
    for (const struct yaml_node *n = node->first; n; n = n->next) {
        const char *value = load_text(loader, n, "a header");
        if (!value)
            continue;
        if (!is_token(n->key->text)) {
            complain(loader, n->key, "'%s' is no name of a header",
                     shown(n->key->text).text);
            continue;
        }
        if (has_control(value)) {
            complain(loader, n, "a header with control characters");
            continue;
        }
        char *line =
            load_alloc(loader, 1, strlen(n->key->text) + strlen(value) + 3);
        if (!line)
            return;
        stpcpy(stpcpy(stpcpy(line, n->key->text), ": "), value);
        request->headers[request->n_headers++] = line;
    }
}

void read_user_agent(struct loader *loader, struct worker *worker,
                     const struct yaml_node *node)
{
    const char *text = load_text(loader, node, "option 'user_agent'");

    if (text && has_control(text))
        complain(loader, node, "option 'user_agent' has control characters");
    else if (text)
        worker->request.user_agent = text;
}

void read_refusals(struct loader *loader, struct worker *worker,
                   const struct yaml_node *node)
{
    load_texts(loader, node, "option 'refusals'", PIPELINE_REFUSALS_MAX,
               &worker->request.refusals, &worker->request.n_refusals);
}

const struct member retry_members[] = {
    {.name = "attempts",
     .shape = SHAPE_OF_NUMBER(SHAPE_INTEGER, 1, 100),
     .fallback = "5",
     .help = "tries of one key, all in all"},
    {.name = "backoff",
     .shape =
         SHAPE_OF_NUMBER(SHAPE_DURATION, USEC_PER_MSEC, 600 * USEC_PER_SEC),
     .fallback = "500ms",
     .help = "the wait after the first try; it doubles with each further one"},
    {.name = "backoff_max",
     .shape =
         SHAPE_OF_NUMBER(SHAPE_DURATION, USEC_PER_MSEC, 3600 * USEC_PER_SEC),
     .fallback = "30s",
     .help = "the longest wait, at least backoff"},
    {0},
};

void read_retry(struct loader *loader, struct worker *worker,
                const struct yaml_node *node)
{
    struct request *request = &worker->request;

    if (!load_map(loader, node, "option 'retry'", YAML_ITEMS_MAX))
        return;
    load_check_keys(loader, node, "retry", retry_members);
    load_member(loader, node, retry_members, "attempts", &request->attempts);
    load_member(loader, node, retry_members, "backoff", &request->backoff);
    const struct yaml_node *n = load_member(
        loader, node, retry_members, "backoff_max", &request->backoff_max);
    if (request->backoff_max < request->backoff)
        complain(loader, n ? n : node, "backoff_max is less than backoff");
}

/* "20/s", "100/m", "0.5/s", "1000/h", "unlimited" into requests a second. */
static bool parse_rate(const char *text, double *ret)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"/s", 1}, {"/m", 60}, {"/h", 3600}};
    size_t len = strspn(text, "0123456789.");
    char *end;

    if (!strcmp(text, "unlimited")) {
        *ret = 0;
        return true;
    }
    double number = strtod(text, &end);
    if (!len || end != text + len)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(end, units[i].name)) {
            *ret = number / units[i].seconds;
            return *ret >= PIPELINE_RATE_MIN && *ret <= PIPELINE_RATE_MAX;
        }
    return false;
}

void read_rate(struct loader *loader, struct worker *worker,
               const struct yaml_node *node)
{
    const char *text = load_text(loader, node, "option 'rate'");

    if (text && !parse_rate(text, &worker->request.rate))
        complain(loader, node,
                 "option 'rate' is '%s'; 20/s, 100/m, 1000/h (at least %g and "
                 "at most %g a second) or unlimited is allowed",
                 shown(text).text, PIPELINE_RATE_MIN, PIPELINE_RATE_MAX);
}

void read_max_in_flight(struct loader *loader, struct worker *worker,
                        const struct yaml_node *node)
{
    int64_t number = 0;

    if (node->kind == YAML_TEXT && !strcmp(node->text, "unlimited"))
        worker->request.max_in_flight = 0;
    else if (load_integer(loader, node, "option 'max_in_flight' (or unlimited)",
                          1, PIPELINE_IN_FLIGHT_MAX, &number))
        worker->request.max_in_flight = (int)number;
}

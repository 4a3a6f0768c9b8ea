/*
 * pipeline_several.c: several keys with one request.
 *
 *   url: https://host/spark?symbols={keys}
 *   keys_per_request: 20
 *   for_key: {each: /spark/result, key: /symbol}
 */
#include <ctype.h>

#include "pipeline/loader.h"
#include "pipeline/template.h"

#define POINTER SHAPE_OF_PATTERN(SHAPE_POINTER_PATTERN)
#define SEPARATOR_BYTES_MAX 8

const struct member for_key_members[] = {
    {.name = "each",
     .shape = POINTER,
     .fallback = "\"\"",
     .help = "the array, or object, of which each element is a key's part"},
    {.name = "key",
     .shape = POINTER,
     .help = "where the key is in each element; else the name of the member"},
    {0},
};

void read_for_key(struct loader *loader, struct worker *worker,
                  const struct yaml_node *node)
{
    struct for_key *for_key = &worker->for_key;
    const struct yaml_node *each, *key;

    *for_key = (struct for_key){.each = ""};
    if (!load_map(loader, node, "option 'for_key'", YAML_ITEMS_MAX))
        return;
    load_check_keys(loader, node, "for_key", for_key_members);
    each = yaml_get(node, "each");
    key = yaml_get(node, "key");
    if (each)
        for_key->each = load_pointer(loader, each, "each");
    if (key)
        for_key->key = load_pointer(loader, key, "key");
    if (key && key->kind == YAML_TEXT && !*key->text)
        complain(loader, key,
                 "a part that is its own key has no fields: leave 'key' out "
                 "where the key is the name of a member");
}

/* What may stand between keys without being a part of the URL's form. */
static bool is_separator(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"#<>{}", text[i]))
            return false;
    return len <= SEPARATOR_BYTES_MAX;
}

/* As a key that holds it has it in the URL: percent-encoded by template.c. */
static const char *in_key(struct loader *loader, const char *separator)
{
    static const char hex[] = "0123456789ABCDEF";
    char *ret = load_alloc(loader, 3 * strlen(separator) + 1, 1);
    char *out = ret;

    for (const char *p = separator; ret && *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '%' && isxdigit((unsigned char)p[1]) &&
            isxdigit((unsigned char)p[2])) {
            *out++ = '%';
            *out++ = (char)toupper((unsigned char)*++p);
            *out++ = (char)toupper((unsigned char)*++p);
        } else if (isalnum(c) || strchr("-._~", c)) {
            *out++ = (char)c;
        } else {
            *out++ = '%';
            *out++ = hex[c >> 4];
            *out++ = hex[c & 15];
        }
    }
    return ret;
}

void read_separator(struct loader *loader, struct worker *worker,
                    const struct yaml_node *node)
{
    const char *text = load_text(loader, node, "option 'key_separator'");

    if (text && !is_separator(text))
        complain(loader, node,
                 "option 'key_separator' is '%s'; 1 to %d characters that may "
                 "stand in a URL are allowed",
                 shown(text).text, SEPARATOR_BYTES_MAX);
    else if (text) {
        const char *encoded = in_key(loader, text);
        if (!encoded)
            return;
        worker->request.separator = text;
        worker->request.separator_in_key = encoded;
    }
}

static size_t count(const char *url, const char *place)
{
    size_t n = 0;
    for (const char *p = url; (p = strstr(p, place)); p++)
        n++;
    return n;
}

static void check_url(struct loader *loader, const struct worker *worker,
                      const struct yaml_node *node)
{
    const char *url = worker->request.url;
    struct buffer ignored = BUFFER_EMPTY;

    if (count(url, "{key}") + count(url, "{symbol}"))
        complain(loader, node,
                 "keys_per_request needs {keys} in 'url', which are the keys "
                 "of one request, and no {key}");
    else if (count(url, "{keys}") > 1)
        complain(loader, node, "option 'url' has {keys} more than once");
    else if (!request_fixed_host(&worker->request, &ignored))
        complain(loader, node, "{keys} can't be a host: they are asked of one");
    loader->out_of_memory |= ignored.failed;
    buffer_free(&ignored);
}

/* What the four options want of each other. */
void check_several(struct loader *loader, const struct worker *worker,
                   const struct yaml_node *options)
{
    static const char *const parts[] = {"for_key", "key_separator"};
    const struct yaml_node *several = yaml_get(options, "keys_per_request");
    const struct yaml_node *url = yaml_get(options, "url");
    bool json = worker->class == CLASS_HTTP_JSON;

    if (several && json) {
        if (worker->request.url)
            check_url(loader, worker, url);
        if (!yaml_get(options, "for_key"))
            complain(loader, several->key,
                     "keys_per_request needs option 'for_key': where in an "
                     "answer each key's part is, {each: /list, key: /symbol}");
        return;
    }
    if (worker->request.url && count(worker->request.url, "{keys}"))
        complain(loader, url, "%s",
                 json
                     ? "{keys} needs option 'keys_per_request': how many keys "
                       "one request asks for"
                     : "{keys} is for http_json: http_html asks for one {key}");
    for (size_t i = 0; json && i < 2; i++) {
        const struct yaml_node *part = yaml_get(options, parts[i]);
        if (part)
            complain(loader, part->key, "%s goes with keys_per_request",
                     parts[i]);
    }
}

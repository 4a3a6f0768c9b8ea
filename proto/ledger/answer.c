/* answer.c: see answer.h. */
#include "ledger/answer.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/utf8.h"
#include "pipeline/template.h"

#define FNV_BASIS 0xcbf29ce484222325U
#define FNV_PRIME 0x100000001b3U
#define FIELD_DIGITS_MAX 6

static uint64_t hash_bytes(uint64_t hash, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * FNV_PRIME;
    return hash;
}

/* With its NUL, so that "a", "b" is not "ab"; none is not an empty one. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    return text ? hash_bytes(hash, text, strlen(text) + 1)
                : hash_bytes(hash, "\xff", 1);
}

int64_t answer_url_hash(struct slice url)
{
    return (int64_t)hash_bytes(FNV_BASIS, url.data, url.len);
}

static uint64_t hash_field(uint64_t hash, const struct field *field)
{
    char numbers[96];
    snprintf(numbers, sizeof numbers, "%d %d %lld %d %d %d", (int)field->type,
             (int)field->stored, (long long)field->unit,
             (int)field->compute.indicator, field->compute.n, field->required);
    hash = hash_text(hash, field->name);
    hash = hash_text(hash, field->at);
    hash = hash_text(hash, numbers);
    hash = hash_text(hash, field->default_value);
    return hash_text(hash, field->value.text);
}

/* The version: what was taken out wrongly before is not stored again. */
int64_t answer_shape(const struct worker *worker)
{
    const struct request *request = &worker->request;
    uint64_t hash = hash_text(FNV_BASIS, WINDROW_VERSION);
    hash = hash_text(hash, worker_class_name(worker->class));
    hash = hash_text(hash, request->user_agent);
    for (size_t i = 0; i < request->n_headers; i++)
        if (!strncasecmp(request->headers[i], "Accept", 6))
            hash = hash_text(hash, request->headers[i]);
    for (size_t i = 0; i < worker->n_fields; i++)
        hash = hash_field(hash, &worker->fields[i]);
    hash = hash_text(hash, NULL);
    for (size_t i = 0; i < worker->n_requires; i++)
        hash = hash_text(hash, worker->requires[i].text);
    return (int64_t)hash;
}

void answer_encode(const struct slice *fields, size_t n, struct buffer *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (!fields[i].data) {
            buffer_append_char(ret, '-');
            continue;
        }
        buffer_printf(ret, "%zu:", fields[i].len);
        buffer_append_slice(ret, fields[i]);
    }
}

static bool decode_field(struct slice *text, struct arena *arena,
                         struct slice *ret)
{
    size_t len = 0, digits = 0;
    *ret = (struct slice){0};
    if (text->len && *text->data == '-') {
        *text = (struct slice){text->data + 1, text->len - 1};
        return true;
    }
    while (digits < text->len && digits < FIELD_DIGITS_MAX &&
           isdigit((unsigned char)text->data[digits]))
        len = len * 10 + (size_t)(text->data[digits++] - '0');
    if (!digits || digits == text->len || text->data[digits] != ':' ||
        len > text->len - digits - 1)
        return false;
    ret->data = arena_copy(arena, text->data + digits + 1, len);
    ret->len = len;
    size_t taken = digits + 1 + len;
    *text = (struct slice){text->data + taken, text->len - taken};
    return ret->data != NULL;
}

const struct slice *answer_decode(struct slice text, size_t n,
                                  struct arena *arena)
{
    struct slice *fields = arena_alloc(arena, (n ? n : 1) * sizeof *fields);
    for (size_t i = 0; fields && i < n; i++)
        if (!decode_field(&text, arena, &fields[i]))
            return NULL;
    return text.len ? NULL : fields;
}

bool answer_is_good(const struct last_answer *answer, size_t n_fields)
{
    size_t bytes = 0;
    if (!answer->etag.data && !answer->modified.data && !answer->fresh_until)
        return false;
    if (answer->etag.len > ANSWER_VALIDATOR_BYTES_MAX ||
        answer->modified.len > ANSWER_VALIDATOR_BYTES_MAX ||
        answer->url.len > URL_BYTES_MAX || !utf8_is_text(answer->url) ||
        !utf8_is_text(answer->etag) || !utf8_is_text(answer->modified))
        return false;
    for (size_t i = 0; i < n_fields; i++) {
        bytes += answer->fields[i].len + FIELD_DIGITS_MAX + 1;
        if (bytes > ANSWER_FIELDS_BYTES_MAX || !utf8_is_text(answer->fields[i]))
            return false;
    }
    return true;
}

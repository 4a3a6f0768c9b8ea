/*
 * faults.c: see faults.h.
 *
 * The rules of a key hang in a list at that key, in the order they were given.
 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "text.h"

#define uthash_fatal(text) check_failed(__FILE__, __LINE__, __func__, text)
#include <uthash.h>
#include <utlist.h>

enum { PURPOSE_FAULT = 1 };

struct fault_rule {
    enum fault_kind kind;
    uint64_t times; /* UINT64_MAX: always */
    struct fault_rule *next;
};

struct fault_key {
    char *key;
    struct fault_rule *rules;
    UT_hash_handle hh;
};

struct faults {
    double rates[FAULT_KINDS];
    double rates_sum;
    struct fault_key *keys;
    unsigned rules_count;
};

static const char *const names[FAULT_KINDS] = {
#define X(name, text, help) [FAULT_##name] = text,
    FAULT_LIST(X)
#undef X
};

const char *faults_name(enum fault_kind kind)
{
    return names[kind];
}

int faults_new(struct faults **ret_faults, struct error *err)
{
    struct faults *faults = calloc(1, sizeof *faults);
    if (!faults)
        return error_set(err, ERR_MEMORY, "out of memory");
    *ret_faults = faults;
    return 0;
}

static void free_key(struct fault_key *key)
{
    struct fault_rule *rule, *next;
    LL_FOREACH_SAFE (key->rules, rule, next)
        free(rule);
    free(key->key);
    free(key);
}

void faults_free(struct faults **faults)
{
    if (!*faults)
        return;
    struct fault_key *key = (*faults)->keys;
    HASH_CLEAR(hh, (*faults)->keys);
    while (key) { /* still linked by uthash's own order */
        struct fault_key *next = key->hh.next;
        free_key(key);
        key = next;
    }
    free(*faults);
    *faults = NULL;
}

static enum fault_kind kind_of(const char *name, size_t len)
{
    for (int kind = FAULT_NONE + 1; kind < FAULT_KINDS; kind++)
        if (strlen(names[kind]) == len && !memcmp(names[kind], name, len))
            return (enum fault_kind)kind;
    return FAULT_NONE;
}

static int add_rate(struct faults *faults, enum fault_kind kind,
                    const char *text, struct error *err)
{
    char *end;
    double rate = strtod(text, &end);
    if (end == text || *end || !(rate >= 0 && rate <= 1))
        return error_set(err, ERR_USAGE,
                         "the rate of a fault is a number from 0 to 1, not "
                         "\"%s\"",
                         text);
    double sum = faults->rates_sum - faults->rates[kind] + rate;
    if (sum > 1.000001)
        return error_set(err, ERR_USAGE, "the rates of faults exceed 1");
    faults->rates[kind] = rate;
    faults->rates_sum = sum;
    return 0;
}

static struct fault_key *find_or_add_key(struct faults *faults, const char *key)
{
    struct fault_key *found;
    HASH_FIND_STR(faults->keys, key, found);
    if (found)
        return found;
    found = calloc(1, sizeof *found);
    if (found && !(found->key = strdup(key))) {
        free(found);
        found = NULL;
    }
    if (found)
        HASH_ADD_KEYPTR(hh, faults->keys, found->key, strlen(found->key),
                        found);
    return found;
}

static int add_rule(struct faults *faults, enum fault_kind kind,
                    const char *text, uint64_t times, struct error *err)
{
    if (!*text)
        return error_set(err, ERR_USAGE, "a fault names an empty key");
    if (faults->rules_count == FAULT_RULES_MAX)
        return error_set(err, ERR_USAGE, "faults name more than %d keys",
                         FAULT_RULES_MAX);
    struct fault_key *key = find_or_add_key(faults, text);
    struct fault_rule *rule = key ? calloc(1, sizeof *rule) : NULL;
    if (!rule)
        return error_set(err, ERR_MEMORY, "out of memory");
    rule->kind = kind;
    rule->times = times;
    LL_APPEND(key->rules, rule);
    faults->rules_count++;
    return 0;
}

/* Cuts ":N" off the end of `text`; without it, for ever. */
static uint64_t cut_times(char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
        return UINT64_MAX;
    *colon = '\0';
    return strtoull(colon + 1, NULL, 10);
}

static int add_keys(struct faults *faults, enum fault_kind kind,
                    const char *text, struct error *err)
{
    char *copy = strdup(text);
    if (!copy)
        return error_set(err, ERR_MEMORY, "out of memory");
    uint64_t times = cut_times(copy);
    char *rest = copy;
    while (rest && !err->code)
        add_rule(faults, kind, strsep(&rest, ","), times, err);
    free(copy);
    return (int)err->code;
}

int faults_add(struct faults *faults, const char *text, struct error *err)
{
    size_t len = strcspn(text, "=@");
    enum fault_kind kind = kind_of(text, len);
    if (!text[len])
        return error_set(err, ERR_USAGE,
                         "a fault is KIND=RATE or KIND@KEY, not \"%s\"", text);
    if (kind == FAULT_NONE)
        return error_set(err, ERR_USAGE,
                         "there is no fault \"%.*s\"; --help lists them",
                         (int)len, text);
    if (text[len] == '=')
        add_rate(faults, kind, text + len + 1, err);
    else
        add_keys(faults, kind, text + len + 1, err);
    return (int)err->code;
}

double faults_draw(uint64_t seed, const char *key, uint64_t nth,
                   unsigned purpose)
{
    uint64_t hash = text_mix(text_hash(key) ^ text_mix(seed));
    hash = text_mix(hash + (nth * 4 + purpose) * 0x9e3779b97f4a7c15U);
    return (double)(hash >> 11) / (double)(1ULL << 53);
}

static enum fault_kind pick_rule(const struct faults *faults, const char *text,
                                 uint64_t nth)
{
    struct fault_key *key;
    HASH_FIND_STR(faults->keys, text, key);
    for (const struct fault_rule *rule = key ? key->rules : NULL; rule;
         rule = rule->next)
        if (nth < rule->times)
            return rule->kind;
    return FAULT_NONE;
}

enum fault_kind faults_pick(const struct faults *faults, uint64_t seed,
                            const char *key, uint64_t nth, bool is_symbol)
{
    enum fault_kind kind = pick_rule(faults, key, nth);
    if (kind != FAULT_NONE || !is_symbol)
        return kind;
    kind = pick_rule(faults, "*", nth);
    if (kind != FAULT_NONE || faults->rates_sum <= 0)
        return kind;
    double draw = faults_draw(seed, key, nth, PURPOSE_FAULT);
    for (int i = FAULT_NONE + 1; i < FAULT_KINDS; i++) {
        if (draw < faults->rates[i])
            return (enum fault_kind)i;
        draw -= faults->rates[i];
    }
    return FAULT_NONE;
}

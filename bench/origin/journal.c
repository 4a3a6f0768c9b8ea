/* journal.c: see journal.h. */
#include "journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "pace.h"
#include "text.h"

#define uthash_fatal(text) check_failed(__FILE__, __LINE__, __func__, text)
#include <uthash.h>

struct journal_key {
    UT_hash_handle hh;
    uint32_t asked, unchanged;
    uint8_t injected[JOURNAL_INJECTED_MAX]; /* enum fault_kind */
    char key[];
};

_Static_assert(FAULT_KINDS <= UINT8_MAX, "a kind of fault fits a byte");

struct journal {
    struct journal_key *keys;
    uint64_t requests;
    uint64_t keys_dropped;
    uint64_t unchanged;
    uint64_t injected[FAULT_KINDS];
    uint64_t connections;
    uint64_t connections_open;
    uint64_t in_flight;
    uint64_t in_flight_max;
    struct pace pace;
    uint64_t second_max;
    usec_t first;
    usec_t last;
};

int journal_new(struct journal **ret_journal, struct error *err)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return error_set(err, ERR_MEMORY, "out of memory");
    *ret_journal = journal;
    return 0;
}

static void free_keys(struct journal *journal)
{
    struct journal_key *key = journal->keys;
    HASH_CLEAR(hh, journal->keys);
    while (key) { /* still linked by uthash's own order */
        struct journal_key *next = key->hh.next;
        free(key);
        key = next;
    }
}

void journal_free(struct journal **journal)
{
    if (!*journal)
        return;
    free_keys(*journal);
    free(*journal);
    *journal = NULL;
}

void journal_reset(struct journal *journal)
{
    free_keys(journal);
    *journal = (struct journal){.connections_open = journal->connections_open,
                                .in_flight = journal->in_flight};
}

void journal_connected(struct journal *journal)
{
    journal->connections++;
    journal->connections_open++;
}

void journal_disconnected(struct journal *journal)
{
    CHECK(journal->connections_open > 0);
    journal->connections_open--;
}

static struct journal_key *find_key(struct journal *journal, const char *text)
{
    struct journal_key *key;
    HASH_FIND_STR(journal->keys, text, key);
    return key;
}

static struct journal_key *add_key(struct journal *journal, const char *text)
{
    if (HASH_COUNT(journal->keys) >= JOURNAL_KEYS_MAX)
        return NULL;
    size_t len = strlen(text);
    struct journal_key *key = calloc(1, sizeof *key + len + 1);
    if (!key)
        return NULL;
    memcpy(key->key, text, len);
    HASH_ADD_KEYPTR(hh, journal->keys, key->key, len, key);
    return key;
}

static void count_second(struct journal *journal, usec_t now)
{
    if (!journal->requests)
        journal->first = now;
    journal->last = now;
    pace_add(&journal->pace, now);
    uint64_t count = pace_count(&journal->pace, now);
    if (count > journal->second_max)
        journal->second_max = count;
}

static uint64_t count_key(struct journal *journal, const char *key,
                          uint64_t before)
{
    struct journal_key *entry = find_key(journal, key);
    if (!entry)
        entry = add_key(journal, key);
    if (!entry) {
        journal->keys_dropped++;
        return before;
    }
    return entry->asked++;
}

uint64_t journal_begin(struct journal *journal, const char *key, usec_t now)
{
    count_second(journal, now);
    uint64_t before = journal->requests++;
    if (++journal->in_flight > journal->in_flight_max)
        journal->in_flight_max = journal->in_flight;
    return count_key(journal, key, before);
}

uint64_t journal_also(struct journal *journal, const char *key)
{
    return count_key(journal, key, journal->requests);
}

void journal_injected(struct journal *journal, const char *key,
                      enum fault_kind kind)
{
    journal->injected[kind]++;
    struct journal_key *entry = find_key(journal, key);
    if (entry && entry->asked <= JOURNAL_INJECTED_MAX)
        entry->injected[entry->asked - 1] = (uint8_t)kind;
}

void journal_unchanged(struct journal *journal, const char *key)
{
    journal->unchanged++;
    struct journal_key *entry = find_key(journal, key);
    if (entry)
        entry->unchanged++;
}

void journal_end(struct journal *journal)
{
    CHECK(journal->in_flight > 0);
    journal->in_flight--;
}

static void print_kinds(const struct journal *journal, struct buffer *to)
{
    const char *separator = "";
    buffer_append_text(to, "\"injected\":{");
    for (int kind = FAULT_NONE + 1; kind < FAULT_KINDS; kind++) {
        if (!journal->injected[kind])
            continue;
        buffer_printf(to, "%s\"%s\":%" PRIu64, separator,
                      faults_name((enum fault_kind)kind),
                      journal->injected[kind]);
        separator = ",";
    }
    buffer_append_char(to, '}');
}

static void print_key(const struct journal_key *key, struct buffer *to)
{
    buffer_append_text(to, "\n\"");
    text_append_json(to, key->key);
    buffer_printf(to,
                  "\":{\"asked\":%" PRIu32 ",\"unchanged\":%" PRIu32
                  ",\"injected\":[",
                  key->asked, key->unchanged);
    for (uint32_t i = 0; i < key->asked && i < JOURNAL_INJECTED_MAX; i++) {
        const char *name = faults_name((enum fault_kind)key->injected[i]);
        const char *quote = name ? "\"" : "";
        buffer_printf(to, "%s%s%s%s", i ? "," : "", quote, name ? name : "null",
                      quote);
    }
    buffer_append_text(to, "]}");
}

void journal_print(const struct journal *journal, bool keys, struct buffer *to)
{
    double seconds =
        (double)(journal->last - journal->first) / (double)USEC_PER_SEC;
    buffer_printf(to,
                  "{\"requests\":%" PRIu64 ",\"keys_dropped\":%" PRIu64
                  ",\"in_flight\":%" PRIu64 ",\"in_flight_max\":%" PRIu64
                  ",\"unchanged\":%" PRIu64 ",\"connections\":%" PRIu64
                  ",\"connections_open\":%" PRIu64 ",\"second_max\":%" PRIu64
                  ",\"seconds\":%.6f,",
                  journal->requests, journal->keys_dropped, journal->in_flight,
                  journal->in_flight_max, journal->unchanged,
                  journal->connections, journal->connections_open,
                  journal->second_max, seconds);
    print_kinds(journal, to);
    if (keys) {
        buffer_append_text(to, ",\"keys\":{");
        for (struct journal_key *key = journal->keys; key; key = key->hh.next) {
            print_key(key, to);
            if (key->hh.next)
                buffer_append_char(to, ',');
        }
        buffer_append_char(to, '}');
    }
    buffer_append_text(to, "}\n");
}

/*
 * command_prices.c: `windrow prices [KEY...]`: rows of a sink's table; of each
 * key the newest, or those since a time.
 */
#include <inttypes.h>

#include "commands.h"
#include "find_sink.h"
#include "pipeline/spell.h"
#include "rows_out.h"
#include "since.h"

/* The keys that were asked for, and which had a row. */
struct wanted {
    const struct options *options;
    size_t key_column;
    bool found[DUMP_KEYS_MAX];
    char near[DUMP_KEYS_MAX][SPELL_WORD_BYTES_MAX + 1]; /* "": none */
};

static bool is_key(const char *text, struct slice key)
{
    return slice_equal(slice_of(text), key);
}

static void on_found(void *context, const struct dump_value *values, size_t n)
{
    struct wanted *wanted = context;
    CHECK(wanted->key_column < n);
    for (int i = 0; i < wanted->options->n_arguments; i++)
        wanted->found[i] |= is_key(wanted->options->arguments[i],
                                   values[wanted->key_column].text);
}

/* ---- keys that are not there ---- */

static bool no_columns(void *context, const char *const *names,
                       const enum dump_kind *kinds, size_t n)
{
    (void)context, (void)names, (void)kinds, (void)n;
    return true;
}

/* Keys are short, and there are many of them: more is chance. */
static int wrong_letters_allowed(const char *key)
{
    size_t len = strlen(key);
    return len < 3 ? 0 : len < 8 ? 1 : 2;
}

/* Remembers the row's key where it is nearer than the nearest so far. */
static bool on_candidate(void *context, const struct dump_value *values,
                         size_t n)
{
    struct wanted *wanted = context;
    char key[SPELL_WORD_BYTES_MAX + 1];
    CHECK(wanted->key_column < n);
    struct slice text = values[wanted->key_column].text;
    if (text.len > SPELL_WORD_BYTES_MAX)
        return true;
    snprintf(key, sizeof key, "%.*s", SLICE_ARGS(text));
    for (int i = 0; i < wanted->options->n_arguments; i++) {
        if (wanted->found[i])
            continue;
        const char *asked = wanted->options->arguments[i];
        const char *candidates[] = {wanted->near[i], key};
        bool first = !wanted->near[i][0];
        const char *near =
            spell_nearest_within(asked, &candidates[first], first ? 1 : 2,
                                 wrong_letters_allowed(asked));
        if (near == key)
            snprintf(wanted->near[i], sizeof wanted->near[i], "%s", key);
    }
    return true;
}

/* Says which keys have no row. Looks at all keys of the table for that, one by
 * one. */
static int complain_missing(struct context *context, const struct sink *sink,
                            struct wanted *wanted)
{
    const struct options *options = context->options;
    const struct dump_query query = {.table = sink->table, .sink = sink};
    const struct dump dump = {wanted, no_columns, on_candidate};
    struct error err = ERROR_NONE;
    size_t n_missing = 0;
    for (int i = 0; i < options->n_arguments; i++)
        n_missing += !wanted->found[i];
    if (!n_missing)
        return 0;
    if (ledger_dump(context->ledger, &query, &dump, &err))
        return context_complain(context, &err);
    for (int i = 0; i < options->n_arguments; i++) {
        const char *near = wanted->near[i], *key = options->arguments[i];
        if (wanted->found[i])
            continue;
        if (is_key(near, slice_of(key)))
            fprintf(stderr, "windrow: %s has no row since then\n", key);
        else
            fprintf(stderr, "windrow: table %s has no %s%s%s%s\n", sink->table,
                    key, *near ? "; did you mean " : "", near,
                    *near ? "?" : "");
    }
    return EXIT_NOT_THERE;
}

/* ---- the rows ---- */

/* `example` is the column as its store's options would have it. */
static int missing_column(struct context *context, const struct sink *sink,
                          const char *what, const char *example)
{
    struct error err = ERROR_NONE;
    error_set(&err, ERR_TABLE,
              "table %s has no column for %s, so the newest row of each key "
              "can't be told: add one to its store's columns, like `%s`, or "
              "see all rows: windrow export --table %s",
              sink->table, what, example, sink->table);
    return context_complain(context, &err);
}

static int print_rows(struct context *context, const struct sink *sink,
                      const struct dump_query *query)
{
    struct output output;
    struct error err = ERROR_NONE;
    const struct column *key = ledger_dump_column(sink, COLUMN_KEY);
    struct wanted wanted = {.options = context->options,
                            .key_column = (size_t)(key - sink->columns)};
    struct rows_out out = {
        .output = &output,
        .format = context->options->rows_format,
        .no_titles_alone = context->options->n_arguments > 0,
        .on_row = on_found,
        .context = &wanted,
    };
    output_begin(context->options, &output);
    int failed = rows_out_dump(&out, context->ledger, query, &err);
    int status = output_end(&output, 0);
    if (failed)
        return context_complain(context, &err);
    return status ? status : complain_missing(context, sink, &wanted);
}

static int prices(struct context *context, const struct sink *sink)
{
    const struct options *options = context->options;
    struct slice keys[DUMP_KEYS_MAX];
    usec_t since = 0;
    if (!ledger_dump_column(sink, COLUMN_KEY))
        return missing_column(context, sink, "the key", "symbol: key");
    if (!ledger_dump_column(sink, COLUMN_FETCHED_AT))
        return missing_column(context, sink, "the time of the answer",
                              "fetched: fetched_at");
    if (options->since && !since_parse(options->since, clock_wall(), &since)) {
        fprintf(stderr,
                "windrow prices: --since wants a time as 2026-11-22T18:00, or "
                "how long ago as 2h or 3d, not \"%s\"\n",
                options->since);
        return EXIT_BAD_USAGE;
    }
    if (options->n_arguments > DUMP_KEYS_MAX) {
        fprintf(stderr, "windrow prices: at most %d keys at once, not %d\n",
                DUMP_KEYS_MAX, options->n_arguments);
        return EXIT_BAD_USAGE;
    }
    for (int i = 0; i < options->n_arguments; i++)
        keys[i] = slice_of(options->arguments[i]);
    const struct dump_query query = {
        .table = sink->table,
        .sink = sink,
        .keys = keys,
        .n_keys = (size_t)options->n_arguments,
        .since = since,
        .latest = options->latest || !options->since,
        .sorted = true,
    };
    return print_rows(context, sink, &query);
}

int command_prices(const struct options *options)
{
    struct context context;
    const struct sink *sink = NULL;
    int status = context_settings(&context, options, NULL);
    if (!status && !(status = context_open_ledger(&context)) &&
        !(status = find_sink(&context, options->table, &sink)))
        status = prices(&context, sink);
    context_free(&context);
    return status;
}

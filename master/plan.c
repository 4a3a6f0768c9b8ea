/* plan.c: see plan.h. */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "lines.h"
#include "pipeline/spell.h"
#include "pipeline/template.h"
#include "plan_filler.h"

#define COLUMNS_SHOWN_MAX 12 /* of a header line, in a message */
#define COLUMN_SHOWN_BYTES_MAX 40
#define COLUMNS_SPELLED_MAX 256 /* among which the nearest is looked for */

static bool is_full(const struct plan_filler *filler)
{
    int64_t limit = filler->options->key_limit;
    return limit && filler->n_keys >= limit;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trim(struct slice text)
{
    while (text.len && is_blank(text.data[text.len - 1]))
        text.len--;
    while (text.len && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    return text;
}

/* Of the first of those that read the queue. */
static size_t batch_keys(const struct plan_filler *filler, int64_t keys)
{
    const struct plan_options *options = filler->options;
    return plan_batch_keys(
        options, pipeline_consumer(options->pipeline, filler->queue, 0), keys);
}

/* ---- values ---- */

/* At most PIPELINE_INPUT_VALUES_MAX of them: looking at all is cheap. */
static bool came_before(const struct worker *worker, size_t n, struct slice key)
{
    for (size_t i = 0; i < n; i++)
        if (slice_equal(trim(slice_of(worker->input_values[i])), key))
            return true;
    return false;
}

static int plan_values(struct plan_filler *filler, const struct worker *worker,
                       struct error *err)
{
    filler->batch_keys = batch_keys(filler, (int64_t)worker->n_input_values);
    for (size_t i = 0; i < worker->n_input_values && !is_full(filler); i++) {
        struct slice key = trim(slice_of(worker->input_values[i]));
        if (!key_is_valid(key))
            return error_set(err, ERR_PIPELINE,
                             "worker \"%s\": input value %zu is no key",
                             worker->name, i + 1);
        if (!came_before(worker, i, key) && plan_add_key(filler, key, err))
            return (int)err->code;
    }
    return plan_flush(filler, err);
}

/* ---- files ---- */

/* Cuts the next field off a CSV line (RFC 4180; a quoted field may not hold a
 * line break). Writes it in place, unquoted. False: its quote is not closed. */
static bool csv_field(char **at, struct slice *ret)
{
    char *from = *at, *to = *at;
    struct slice field = {to, 0};
    if (*from == '"') {
        for (from++; *from && !(*from == '"' && from[1] != '"'); from++) {
            from += *from == '"';
            *to++ = *from;
        }
        if (!*from)
            return false;
        while (*from && *from != ',')
            from++;
    } else {
        while (*from && *from != ',')
            *to++ = *from++;
    }
    field.len = (size_t)(to - field.data);
    *at = *from ? from + 1 : NULL;
    *ret = trim(field);
    return true;
}

static int unclosed(const char *path, long number, struct error *err)
{
    return error_set(err, ERR_PIPELINE,
                     "%s:%ld: a quote that is not closed (a field may not "
                     "hold a line break)",
                     path, number);
}

/* What the header has instead; `names` are its first columns. */
static int no_column(const char *wanted, const char *const *names, size_t n,
                     const char *path, struct error *err)
{
    const char *near = spell_nearest(wanted, names, n);
    struct buffer text = BUFFER_EMPTY;
    if (n == 1 && strpbrk(names[0], ";\t"))
        buffer_append_text(&text, "; columns are parted by commas, not by "
                                  "semicolons or tabs");
    else if (near)
        buffer_printf(&text, "; did you mean \"%s\"?", near);
    for (size_t i = 0; i < n && i < COLUMNS_SHOWN_MAX; i++)
        buffer_printf(&text, "%s\"%.*s\"", i ? ", " : " (it has ",
                      COLUMN_SHOWN_BYTES_MAX, names[i]);
    buffer_append_text(&text, n > COLUMNS_SHOWN_MAX ? ", ...)" : ")");
    error_set(err, ERR_PIPELINE, "%s:1: no column \"%s\" in the header line%s",
              path, wanted, buffer_text(&text));
    buffer_free(&text);
    return (int)err->code;
}

/* The number of the column that is called `wanted`, from 0. */
static int find_column(char *line, const char *wanted, const char *path,
                       int *ret, struct error *err)
{
    const char *names[COLUMNS_SPELLED_MAX] = {NULL};
    struct slice field;
    size_t n = 0;
    int number = 0;
    for (char *at = line; at; number++) {
        if (!csv_field(&at, &field))
            return unclosed(path, 1, err);
        if (slice_equal(field, slice_of(wanted))) {
            *ret = number;
            return 0;
        }
        /* At its end is what was read already: a comma at most. */
        line[field.data - line + (ptrdiff_t)field.len] = '\0';
        if (n < COLUMNS_SPELLED_MAX)
            names[n++] = field.data;
    }
    return no_column(wanted, names, n, path, err);
}

/* Reads the line to its end: what stands behind the key may have a quote that
 * is not closed, and then the next line is no line. */
static bool csv_key(char *line, int column, struct slice *ret)
{
    struct slice field;
    char *at = line;
    for (int i = 0; at; i++) {
        if (!csv_field(&at, &field))
            return false;
        if (i == column)
            *ret = field;
    }
    return true;
}

static int take_key(struct plan_filler *filler, char *line, size_t len,
                    int column, const char *path, long number,
                    struct error *err)
{
    struct slice key = slice_of("");
    if (column < 0)
        key = trim((struct slice){line, len});
    else if (!csv_key(line, column, &key))
        return unclosed(path, number, err);
    if (!key.len || (column < 0 && key.data[0] == '#'))
        return 0;
    if (!key_is_valid(key))
        return error_set(err, ERR_PIPELINE,
                         "%s:%ld: no key: at most %d bytes of UTF-8 without "
                         "control characters",
                         path, number, KEY_BYTES_MAX);
    return plan_add_key(filler, key, err);
}

/* Makes a text of a line: without the line's end, and, in the first line,
 * without a byte order mark. NULL: it is too long or no text. */
static char *line_text(char *line, size_t *ret_len, const char *path,
                       long number, struct error *err)
{
    size_t len = *ret_len;
    if (len > LINE_BYTES_MAX) {
        error_set(err, ERR_LIMIT, "%s:%ld: a line of more than %d bytes", path,
                  number, LINE_BYTES_MAX);
        return NULL;
    }
    if (memchr(line, '\0', len)) {
        error_set(err, ERR_PIPELINE, "%s:%ld: holds a NUL byte", path, number);
        return NULL;
    }
    len -= len && line[len - 1] == '\n';
    len -= len && line[len - 1] == '\r';
    line[len] = '\0';
    size_t mark = number == 1 && !strncmp(line, "\xEF\xBB\xBF", 3) ? 3 : 0;
    *ret_len = len - mark;
    return line + mark;
}

static int read_lines(struct plan_filler *filler, const struct worker *worker,
                      const char *path, FILE *file, struct error *err)
{
    int column = -1;
    size_t len;
    char *line, *text;
    struct lines lines;
    if (!lines_init(&lines, file))
        return error_set(err, ERR_MEMORY, "no memory for a line");
    for (long number = 1; !is_full(filler) && lines_next(&lines, &line, &len);
         number++) {
        if (!(text = line_text(line, &len, path, number, err)))
            break;
        int status =
            number == 1 && worker->file.column
                ? find_column(text, worker->file.column, path, &column, err)
                : take_key(filler, text, len, column, path, number, err);
        if (status)
            break;
    }
    lines_free(&lines);
    if (err->code == ERR_NONE && ferror(file))
        error_set(err, errno == EISDIR ? ERR_PIPELINE : ERR_FILE, "%s: %s",
                  path, strerror(errno));
    return (int)err->code;
}

/* A guess for the batches' size: about eight bytes a line. */
static int64_t guess_keys(FILE *file)
{
    struct stat status;
    return fstat(fileno(file), &status) == 0 ? status.st_size / 8 : 0;
}

static int plan_file(struct plan_filler *filler, const struct worker *worker,
                     struct error *err)
{
    struct buffer path = BUFFER_EMPTY;
    if (worker->file.path[0] != '/')
        buffer_printf(&path, "%s/", filler->options->pipeline->folder);
    if (!buffer_append_text(&path, worker->file.path)) {
        buffer_free(&path);
        return error_set(err, ERR_MEMORY, "no memory for a path");
    }
    FILE *file = fopen(path.data, "re");
    if (file) {
        filler->batch_keys = batch_keys(filler, guess_keys(file));
        if (!read_lines(filler, worker, path.data, file, err))
            plan_flush(filler, err);
        fclose(file);
    } else { /* as wrong as a column that is not there */
        error_set(err, ERR_PIPELINE, "can't read %s: %s", path.data,
                  strerror(errno));
    }
    if (err->code != ERR_NONE)
        error_context(err, "worker \"%s\"", worker->name);
    else if (!filler->n_keys && filler->queue == worker->output_queues[0])
        log_warn("master", "worker \"%s\": %s holds no key", worker->name,
                 path.data);
    buffer_free(&path);
    return (int)err->code;
}

/* ---- all sources ---- */

static int plan_queues(const struct plan_options *options,
                       struct ledger *ledger, int64_t run,
                       const struct worker *worker, struct error *err)
{
    for (size_t i = 0; i < worker->n_output_queues; i++) {
        struct plan_filler *filler = calloc(1, sizeof *filler);
        if (!filler)
            return error_set(err, ERR_MEMORY, "no memory for keys");
        filler->options = options;
        filler->ledger = ledger;
        filler->run = run;
        filler->queue = worker->output_queues[i];
        filler->shared =
            pipeline_queue_is_shared(options->pipeline, filler->queue);
        int status = worker->class == CLASS_FILE
                         ? plan_file(filler, worker, err)
                         : plan_values(filler, worker, err);
        arena_free(&filler->arena);
        free(filler);
        if (status)
            return status;
    }
    return 0;
}

int plan_each_key(const struct pipeline *pipeline, const struct worker *worker,
                  plan_on_key *each, void *context, struct error *err)
{
    const struct plan_options options = {.pipeline = pipeline, .n_nodes = 1};
    struct plan_filler *filler = calloc(1, sizeof *filler);
    if (!filler)
        return error_set(err, ERR_MEMORY, "no memory for keys");
    filler->options = &options;
    filler->each = each;
    filler->context = context;
    filler->queue = worker->output_queues[0];
    int status = worker->class == CLASS_FILE ? plan_file(filler, worker, err)
                                             : plan_values(filler, worker, err);
    arena_free(&filler->arena);
    free(filler);
    return status;
}

static int plan_list(struct ledger *ledger, int64_t run,
                     const struct worker *worker, struct slice key,
                     struct error *err)
{
    struct closing_child batch = {
        .worker = worker->index, .queue = -1, .keys = &key, .n_keys = 1};
    CRASH_POINT("master_before_list_batch");
    return ledger_run_add_batch(ledger, run, &batch, err);
}

static int plan_worker(const struct plan_options *options,
                       struct ledger *ledger, int64_t run,
                       const struct worker *worker, struct error *err)
{
    switch (worker->class) {
    case CLASS_FILE:
    case CLASS_VALUES:
        return plan_queues(options, ledger, run, worker, err);
    case CLASS_SQL:
        return plan_list(ledger, run, worker, slice_of(PLAN_SQL_FIRST_PAGE),
                         err);
    case CLASS_HTML_TABLE:
    case CLASS_JSON_LIST:
        for (size_t i = 0; i < worker->n_input_values; i++)
            if (plan_list(ledger, run, worker,
                          slice_of(worker->input_values[i]), err))
                return (int)err->code;
        return 0;
    case CLASS_HTTP_JSON:
    case CLASS_HTTP_HTML:
    case CLASS_EXEC:
    case CLASS_STORE:
        return 0;
    }
    return 0;
}

int plan_write(const struct plan_options *options, struct ledger *ledger,
               int64_t run, struct error *err)
{
    for (size_t i = 0; i < options->pipeline->n_workers; i++)
        if (plan_worker(options, ledger, run, &options->pipeline->workers[i],
                        err))
            return (int)err->code;
    return 0;
}

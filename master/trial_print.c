/* trial_print.c: a trial's events, for people: trial.h. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_text.h"
#include "trial.h"

#define KEYS_SHOWN 8
#define ROWS_SHOWN 3
#define HEADER_WIDTH 24

/* What the web sent must not command the terminal: control characters, C1's
 * too (U+0080 to U+009F), become dots, and lines one line. */
void trial_put(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool c1 = *p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0;
        putc(isspace(*p) ? ' ' : c1 || iscntrl(*p) ? '.' : *p, out);
        p += c1;
    }
}

static void put_member(FILE *out, const json_t *event, const char *name)
{
    trial_put(out, trial_text(event, name));
}

static void put_headers(FILE *out, json_t *headers)
{
    const char *name;
    json_t *value;
    json_object_foreach(headers, name, value)
    {
        fputs("      ", out);
        trial_put(out, name);
        fputs(": ", out);
        trial_put(out, json_string_value(value));
        putc('\n', out);
    }
}

/* "WORKER: KEY", as a title; "WORKER" where it has no key. */
static void put_title(const struct output *output, const json_t *event,
                      enum output_style style)
{
    FILE *out = output->file;
    fputs(output_on(output, style), out);
    put_member(out, event, "worker");
    fputs(*trial_text(event, "key") ? ": " : "", out);
    put_member(out, event, "key");
    fputs(output_off(output, style), out);
}

static void print_request(const struct output *output, const json_t *event)
{
    FILE *out = output->file;
    put_title(output, event, STYLE_TITLE);
    bool line = *trial_text(event, "line");
    fputs(line ? "\n  asked: " : "\n  GET ", out);
    put_member(out, event, line ? "line" : "url");
    putc('\n', out);
    put_headers(out, json_object_get(event, "headers"));
}

static void print_answer(FILE *out, const json_t *event)
{
    long long status = json_integer_value(json_object_get(event, "status"));
    long long bytes = json_integer_value(json_object_get(event, "bytes"));
    long long us = json_integer_value(json_object_get(event, "us"));
    bool program = !strcmp(trial_text(event, "class"), "exec");
    if (status)
        fprintf(out, "  status %lld, %lld bytes", status, bytes);
    else if (program && bytes)
        fprintf(out, "  answered: %lld bytes", bytes);
    else
        fputs("  no answer", out);
    if (us)
        fprintf(out, ", %.1f ms", (double)us / 1000);
    putc('\n', out);
    put_headers(out, json_object_get(event, "headers"));
    if (*trial_text(event, "head")) {
        fputs("      ", out);
        put_member(out, event, "head");
        fputs(bytes > (long long)strlen(trial_text(event, "head")) ? "...\n"
                                                                   : "\n",
              out);
    }
}

static void put_near(FILE *out, const json_t *near)
{
    if (!*trial_text(near, "text"))
        return;
    fputs("      ", out);
    put_member(out, near, "text");
    putc('\n', out);
}

/* A value as it is stored: NULL for SQL's. */
static void put_value(FILE *out, const json_t *value)
{
    const char *text = json_string_value(value);
    trial_put(out, text ? text : "NULL");
}

static void put_reason(const struct output *output, const json_t *event)
{
    fputs(output_on(output, STYLE_BAD), output->file);
    put_member(output->file, event, "reason");
    fputs(output_off(output, STYLE_BAD), output->file);
}

static void print_field(const struct output *output, const json_t *event)
{
    FILE *out = output->file;
    const json_t *raw = json_object_get(event, "raw"),
                 *value = json_object_get(event, "value");
    fputs("  ", out);
    put_member(out, event, "name");
    fputs(*trial_text(event, "at") ? " at " : "", out);
    put_member(out, event, "at");
    fputs(*trial_text(event, "formula") ? " = " : "", out);
    put_member(out, event, "formula");
    fputs("\n      ", out);
    if (json_is_string(raw) && !json_equal(raw, value)) {
        put_value(out, raw);
        fputs(" -> ", out);
    }
    if (*trial_text(event, "reason")) {
        put_reason(output, event);
        fputs(": ", out);
        put_member(out, event, "detail");
        putc('\n', out);
    } else {
        put_value(out, value);
        fprintf(out, " (%s%s)\n", trial_text(event, "type"),
                json_is_true(json_object_get(event, "found"))
                    ? ""
                    : ": nothing is there");
    }
    put_near(out, json_object_get(event, "near"));
}

static void put_list(FILE *out, const json_t *list, size_t most, size_t n)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (i == most)
            break;
        fputs(i ? ", " : "", out);
        put_value(out, item);
    }
    fputs(n > most ? ", ...\n" : "\n", out);
}

/* `first`: nothing has named the worker yet. */
static void print_keys(const struct output *output, const json_t *event,
                       bool first)
{
    FILE *out = output->file;
    size_t n = (size_t)json_integer_value(json_object_get(event, "n"));
    size_t table = (size_t)json_integer_value(json_object_get(event, "table"));
    const json_t *tables = json_object_get(event, "tables");
    const json_t *found = json_array_get(tables, table - 1);
    if (first) {
        put_title(output, event, STYLE_TITLE);
        putc('\n', out);
    }
    if (table && found) {
        fprintf(out, "  table %zu of the page", table);
        fputs(*trial_text(found, "id") ? ", id " : "", out);
        put_member(out, found, "id");
        fprintf(out, ", column %lld of: ",
                json_integer_value(json_object_get(event, "column")));
        const json_t *headers = json_object_get(found, "headers");
        put_list(out, headers, json_array_size(headers), 0);
    }
    fprintf(out, "  %zu key%s: ", n, n == 1 ? "" : "s");
    put_list(out, json_object_get(event, "keys"), KEYS_SHOWN, n);
}

static void print_row(const struct output *output, const json_t *event)
{
    FILE *out = output->file;
    const char *name;
    json_t *value;
    fputs(output_on(output, STYLE_TITLE), out);
    put_member(out, event, "worker");
    fputs(output_off(output, STYLE_TITLE), out);
    fputs(": a row of ", out);
    put_member(out, event, "table");
    fputs(", which is not stored\n", out);
    json_object_foreach(json_object_get(event, "values"), name, value)
    {
        fprintf(out, "  %-*s ", HEADER_WIDTH, name);
        put_value(out, value);
        putc('\n', out);
    }
}

/* Of a store that makes many rows of an answer only the first are shown. */
static void print_rows(const struct output *output, const json_t *events,
                       size_t *i)
{
    const json_t *first = json_array_get(events, *i), *event = first;
    size_t n = 0;
    for (; !strcmp(trial_text(event, "event"), "row") &&
           !strcmp(trial_text(event, "worker"), trial_text(first, "worker"));
         event = json_array_get(events, *i + n))
        if (n++ < ROWS_SHOWN)
            print_row(output, event);
    if (n > ROWS_SHOWN)
        fprintf(output->file, "  and %zu more rows of %s\n", n - ROWS_SHOWN,
                trial_text(first, "table"));
    *i += n - 1;
}

/* A row set: how many rows, or what is there instead. */
static void print_set(const struct output *output, const json_t *event)
{
    FILE *out = output->file;
    const char *name;
    json_t *near;
    fputs("  ", out);
    put_member(out, event, "name");
    if (*trial_text(event, "reason")) {
        fputs(": ", out);
        put_reason(output, event);
        fputs(": ", out);
        put_member(out, event, "detail");
        putc('\n', out);
    } else {
        long long n = json_integer_value(json_object_get(event, "n"));
        fprintf(out, ": %lld row%s\n", n, n == 1 ? "" : "s");
    }
    json_object_foreach(json_object_get(event, "near"), name, near)
    {
        fputs("    ", out);
        trial_put(out, name);
        fputs(":\n", out);
        put_near(out, near);
    }
}

static void print_part(FILE *out, const json_t *event)
{
    const char *each = trial_text(event, "each");
    fputs("  part of ", out);
    put_member(out, event, "key");
    fputs(" in ", out);
    trial_put(out, *each ? each : "the document");
    if (json_is_true(json_object_get(event, "found")))
        fprintf(out, ": %lld bytes\n",
                json_integer_value(json_object_get(event, "bytes")));
    else
        fputs(": none\n", out);
}

static void print_end(const struct output *output, const struct worker *worker,
                      const json_t *event, bool shown)
{
    FILE *out = output->file;
    if (strcmp(trial_text(event, "outcome"), "failure") != 0)
        return;
    fputs("failed: ", out);
    put_title(output, event, STYLE_PLAIN);
    fputs(": ", out);
    put_reason(output, event);
    if (!run_text_is_said(reason_parse(trial_text(event, "reason")),
                          slice_of(trial_text(event, "detail")))) {
        fputs(" (", out);
        put_member(out, event, "means");
        putc(')', out);
    }
    fputs(": ", out);
    put_member(out, event, "detail");
    putc('\n', out);
    if (!shown)
        put_near(out, json_object_get(event, "near"));
    if (json_is_true(json_object_get(event, "may_pass")))
        fprintf(out, "  this may pass: a run tries it up to %d times\n",
                worker->request.attempts);
}

void trial_print(const struct output *output, const struct worker *worker,
                 const json_t *events)
{
    const json_t *event;
    bool fields = false;
    size_t i;
    json_array_foreach(events, i, event)
    {
        const char *name = trial_text(event, "event");
        if (!strcmp(name, "request"))
            print_request(output, event);
        else if (!strcmp(name, "answer"))
            print_answer(output->file, event);
        else if (!strcmp(name, "part"))
            print_part(output->file, event);
        else if (!strcmp(name, "field"))
            print_field(output, event);
        else if (!strcmp(name, "keys"))
            print_keys(output, event, i == 0);
        else if (!strcmp(name, "row"))
            print_rows(output, events, &i);
        else if (!strcmp(name, "rows"))
            print_set(output, event);
        else if (!strcmp(name, "end"))
            print_end(output, worker, event, fields);
        fields |= !strcmp(name, "field");
    }
}

static void put_difference(FILE *out, const char *what, const json_t *value)
{
    char *text =
        value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    fprintf(out, "    %s ", what);
    trial_put(out, text ? text : "nothing");
    putc('\n', out);
    free(text);
}

void trial_print_differences(const struct output *output, const char *name,
                             const json_t *differences)
{
    FILE *out = output->file;
    const json_t *one;
    size_t i;
    bool failed = json_array_size(differences) > 0;
    enum output_style style = failed ? STYLE_BAD : STYLE_GOOD;
    fprintf(out, "%s%s%s %s\n", output_on(output, style),
            failed ? "FAIL" : "ok  ", output_off(output, style), name);
    json_array_foreach(differences, i, one)
    {
        fputs("  ", out);
        put_member(out, one, "path");
        putc('\n', out);
        put_difference(out, "expected", json_object_get(one, "expected"));
        put_difference(out, "found   ", json_object_get(one, "found"));
    }
}

void trial_print_wrong(const struct output *output, const char *name,
                       const char *why)
{
    FILE *out = output->file;
    fprintf(out, "%sBAD%s  %s: ", output_on(output, STYLE_BAD),
            output_off(output, STYLE_BAD), name);
    trial_put(out, why);
    putc('\n', out);
}

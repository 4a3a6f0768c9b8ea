/*
 * settings_file.c: `.env` files.
 *
 * The notation is what a shell would take too: `export ` in front, single
 * quotes (all literal), double quotes (in which \" \\ \$ \` lose their
 * backslash), and `#` comments. Nothing is expanded, so that a password may
 * hold a dollar. A file is taken as a whole or not at all.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/pipeline.h"
#include "pipeline/settings_private.h"
#include "pipeline/settings_table.h"

#define SETTINGS_NAME_BYTES_MAX 40 /* of a name in the table */

struct line {
    const char *path;
    int number;
    const char *p; /* what is still to be read */
    struct buffer value;
    struct error *err;
};

static int refuse(struct line *line, const char *what)
{
    return error_set(line->err, ERR_SETTING, "%s:%d: %s", line->path,
                     line->number, what);
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\r");
}

static size_t name_len(const char *p)
{
    size_t len = 0;
    if (isdigit((unsigned char)*p))
        return 0;
    while (isalnum((unsigned char)p[len]) || p[len] == '_')
        len++;
    return len;
}

/* Reads from a quote to its partner. */
static int read_quoted(struct line *line)
{
    char quote = *line->p++;

    while (*line->p != quote) {
        if (!*line->p)
            return refuse(line, "the closing quote is missing");
        if (quote == '"' && *line->p == '\\' && line->p[1] &&
            strchr("\"\\$`", line->p[1]))
            line->p++;
        buffer_append_char(&line->value, *line->p++);
    }
    line->p++;
    return 0;
}

/* A value is any run of quoted and bare parts; a comment needs a blank before
 * its `#`. */
static int read_value(struct line *line)
{
    if (isblank((unsigned char)*line->p)) {
        line->p = skip_blanks(line->p);
        if (*line->p && *line->p != '#')
            return refuse(line, "no blank may follow the '='");
        return 0;
    }
    while (*line->p && !isspace((unsigned char)*line->p)) {
        if (*line->p == '\'' || *line->p == '"') {
            int failed = read_quoted(line);
            if (failed)
                return failed;
        } else {
            buffer_append_char(&line->value, *line->p++);
        }
    }
    line->p = skip_blanks(line->p);
    if (*line->p && *line->p != '#')
        return refuse(line, "a value with a blank in it needs quotes");
    if (line->value.len > SETTINGS_VALUE_BYTES_MAX)
        return refuse(line, "the value is too long");
    return 0;
}

/* Reads one line into a new entry; none for a blank line or a comment. */
static int read_line(struct line *line, struct arena *arena,
                     struct setting_entry **ret)
{
    line->p = skip_blanks(line->p);
    if (!*line->p || *line->p == '#')
        return 0;
    if (!strncmp(line->p, "export", 6) && isblank((unsigned char)line->p[6]))
        line->p = skip_blanks(line->p + 6);
    size_t len = name_len(line->p);
    const char *name = line->p;
    if (!len || name[len] != '=')
        return refuse(line, "NAME=value is expected");
    line->p += len + 1;
    int failed = read_value(line);
    if (failed)
        return failed;

    struct setting_entry *entry = arena_alloc(arena, sizeof *entry);
    if (entry) {
        entry->name = arena_copy(arena, name, len);
        entry->value =
            arena_copy(arena, buffer_text(&line->value), line->value.len);
    }
    if (!entry || !entry->name || !entry->value || line->value.failed)
        return error_set(line->err, ERR_MEMORY, "no memory for %s", line->path);
    *ret = entry;
    return 0;
}

/* Puts the lines of `text` in front of *entries, the last line first. */
static int read_lines(char *text, const char *path, struct arena *arena,
                      struct setting_entry **entries, struct error *err)
{
    struct line line = {.path = path, .err = err};
    size_t n = 0;
    int failed = 0;

    while (text && !failed) {
        struct setting_entry *entry = NULL;
        line.p = strsep(&text, "\n");
        line.number++;
        failed = read_line(&line, arena, &entry);
        buffer_clear(&line.value);
        if (!entry)
            continue;
        if (++n > SETTINGS_FILE_NAMES_MAX)
            failed = refuse(&line, "too many variables in one file");
        entry->next = *entries;
        *entries = entry;
    }
    buffer_free(&line.value);
    return failed;
}

/* Below all that was read before. */
static void append(struct settings *settings, struct setting_entry *entries)
{
    struct setting_entry **tail = &settings->entries;
    while (*tail)
        tail = &(*tail)->next;
    *tail = entries;
}

int settings_read_file(struct settings *settings, const char *path,
                       struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    struct setting_entry *entries = NULL;
    int failed = pipeline_read_file(path, &text, err);

    if (!failed && text.len > SETTINGS_FILE_BYTES_MAX)
        failed = error_set(err, ERR_SETTING, "%s is longer than %d bytes", path,
                           SETTINGS_FILE_BYTES_MAX);
    if (!failed && strlen(buffer_text(&text)) != text.len)
        failed = error_set(err, ERR_SETTING, "%s has a NUL byte in it", path);
    if (!failed && text.len)
        failed = read_lines(text.data, path, &settings->arena, &entries, err);
    buffer_free(&text);
    if (failed)
        return failed;

    append(settings, entries);
    return 0;
}

/* The text of a secret's file: one line, which an editor may have ended. */
static int read_secret(struct settings *settings, const char *name,
                       const char *path, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    struct error cause = ERROR_NONE;
    struct setting_entry *entry = NULL;
    const char *wrong = NULL;

    if (pipeline_read_file(path, &text, &cause))
        wrong = cause.text;
    while (!wrong && text.len && strchr("\r\n", text.data[text.len - 1]))
        text.len--;
    if (!wrong && (!text.len || text.len > SETTINGS_VALUE_BYTES_MAX))
        wrong = text.len ? "it is too long" : "it is empty";
    if (!wrong && (memchr(text.data, '\n', text.len) ||
                   memchr(text.data, '\0', text.len)))
        wrong = "one line of text is expected";
    if (!wrong && (entry = arena_alloc(&settings->arena, sizeof *entry))) {
        *entry = (struct setting_entry){.name = name};
        entry->value = arena_copy(&settings->arena, text.data, text.len);
    }
    buffer_free(&text);
    if (wrong)
        return error_set(err, ERR_SETTING, "%s_FILE is %.200s: %s", name, path,
                         wrong);
    if (!entry || !entry->value)
        return error_set(err, ERR_MEMORY, "no memory for %s", name);
    append(settings, entry);
    return 0;
}

int settings_read_secrets(struct settings *settings, struct error *err)
{
    for (size_t i = 0; i < SETTINGS_N; i++) {
        char file[SETTINGS_NAME_BYTES_MAX + sizeof "_FILE"];
        const char *name = settings_table[i].name;
        snprintf(file, sizeof file, "%s_FILE", name);
        const char *path = settings_get(settings, file);
        if (settings_table[i].secret && !settings_get(settings, name) && path &&
            read_secret(settings, name, path, err))
            return (int)err->code;
    }
    return 0;
}

int settings_export_libpq(const struct settings *settings, struct error *err)
{
    const struct setting_entry *entry = settings->entries;

    for (; entry; entry = entry->next)
        if (!strncmp(entry->name, "PG", 2) && entry->name[2] != '_' &&
            setenv(entry->name, entry->value, 0))
            return error_set(err, ERR_MEMORY, "no memory for the environment");
    return 0;
}

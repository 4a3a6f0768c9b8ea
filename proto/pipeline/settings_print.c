/* settings_print.c: the table for people; docs/ holds what it prints. */
#include <string.h>

#include "pipeline/settings_table.h"

static const char *type_name(enum setting_type type)
{
    switch (type) {
    case SETTING_TEXT:
        return "text";
    case SETTING_DURATION:
        return "duration";
    case SETTING_BYTES:
        return "size";
    }
    return "";
}

/* Prints `text` in lines of at most `width`, each begun with `prefix`. */
static void print_wrapped(FILE *out, const char *prefix, size_t width,
                          const char *text)
{
    size_t room = width - strlen(prefix);

    while (*text) {
        size_t len = strlen(text);
        if (len > room)
            for (len = room; len > 1 && text[len] != ' ';)
                len--;
        fprintf(out, "%s%.*s\n", prefix, (int)len, text);
        text += len;
        text += strspn(text, " ");
    }
}

static void print_help(FILE *out, const struct setting *s)
{
    fprintf(out, "  %s", s->name);
    if (s->default_value)
        fprintf(out, " (default %s)", s->default_value);
    fputc('\n', out);
    print_wrapped(out, "      ", 80, s->help);
}

static void print_sample(FILE *out, const struct setting *s)
{
    fputc('\n', out);
    print_wrapped(out, "# ", 80, s->help);
    if (s->least)
        fprintf(out, "# (%s from %s to %s)\n", type_name(s->type), s->least,
                s->most);
    if (s->secret)
        fprintf(out, "# (secret: shown nowhere)\n");
    fprintf(out, "#%s=%s\n", s->name, s->default_value ? s->default_value : "");
}

static void print_markdown(FILE *out, const struct setting *s)
{
    fprintf(out, "| `%s` | %s | %s | ", s->name, type_name(s->type),
            s->default_value ? s->default_value : "");
    if (s->least)
        fprintf(out, "%s to %s", s->least, s->most);
    fprintf(out, " | %s | %s |\n", s->secret ? "yes" : "", s->help);
}

static const char sample_head[] =
    "# Settings of windrow and windrow-node: the environment, then a file "
    "like\n"
    "# this one: `.env` beside the pipeline, or the one that --env names. A\n"
    "# variable of the environment always wins over a file. Where a secret is\n"
    "# absent, NAME_FILE may name a file that holds nothing else.\n"
    "# Printed by `windrow settings sample`.\n";

static const char markdown_head[] =
    "# Settings\n\n"
    "Read from the environment, then from `.env` beside the pipeline or the\n"
    "file that `--env` names. A variable of the environment always wins over\n"
    "a file. `export `, single and double quotes, and `#` comments are\n"
    "understood; nothing is expanded. Durations are written `250ms`, `30s`,\n"
    "`10m`, `2h`, `1d`, sizes `512`, `64KiB`, `8MiB`, `1GiB`. Secret values\n"
    "are never logged, shown in `ps`, or sent in a message. A secret may be "
    "in\n"
    "a file of its own, which `NAME_FILE` names: `PGPASSWORD_FILE` that of\n"
    "`PGPASSWORD`.\n\n"
    "Printed by `windrow settings markdown`.\n\n"
    "| name | type | default | range | secret | what it is |\n"
    "|---|---|---|---|---|---|\n";

void settings_print(FILE *out, enum settings_format format)
{
    static void (*const print[])(FILE *, const struct setting *) = {
        [SETTINGS_HELP] = print_help,
        [SETTINGS_SAMPLE] = print_sample,
        [SETTINGS_MARKDOWN] = print_markdown,
    };
    static const char *const head[] = {
        [SETTINGS_HELP] = "",
        [SETTINGS_SAMPLE] = sample_head,
        [SETTINGS_MARKDOWN] = markdown_head,
    };

    fputs(head[format], out);
    for (size_t i = 0; i < SETTINGS_N; i++)
        print[format](out, &settings_table[i]);
}

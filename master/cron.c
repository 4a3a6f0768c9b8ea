/*
 * cron.c: see cron.h.
 *
 * A field becomes a set of bits, so that a time is looked up with five shifts.
 * The parser walks the text once; the first mistake ends it, with its place.
 */
#include "cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NAME_LETTERS 3
#define VALUE_MAX 1000000 /* digits enough to be told that it is too much */

struct field {
    const char *name;
    int least, most;
    const char *const *names; /* NULL: none; the first is that of `least` */
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may",
                                     "jun", "jul", "aug", "sep", "oct",
                                     "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed",
                                       "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };

static const struct field fields[N_FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL},
    [HOUR] = {"hour", 0, 23, NULL},
    [DAY] = {"day of the month", 1, 31, NULL},
    [MONTH] = {"month", 1, 12, months},
    [WEEKDAY] = {"day of the week", 0, 7, weekdays},
};

struct parser {
    const char *text, *at;
    const struct field *field;
    struct error *err;
};

static int complain(const struct parser *parser, const char *at,
                    const char *what)
{
    const struct field *field = parser->field;
    const char *also = "";
    if (field->names)
        also = field->names == months ? " or jan-dec" : " or sun-sat";
    return error_set(parser->err, ERR_USAGE,
                     "\"%s\", character %d: the %s %s: it is from %d to %d%s",
                     parser->text, (int)(at - parser->text) + 1, field->name,
                     what, field->least, field->most, also);
}

static int parse_number(struct parser *parser, int *ret)
{
    int value = 0;
    while (isdigit((unsigned char)*parser->at) && value < VALUE_MAX)
        value = value * 10 + (*parser->at++ - '0');
    *ret = value;
    return 0;
}

static int parse_name(struct parser *parser, int *ret)
{
    const char *const *names = parser->field->names;
    size_t len = 0;
    while (isalpha((unsigned char)parser->at[len]))
        len++;
    for (int i = 0; names && names[i]; i++) {
        if (len != NAME_LETTERS || strncasecmp(parser->at, names[i], len) != 0)
            continue;
        parser->at += len;
        *ret = parser->field->least + i;
        return 0;
    }
    return complain(parser, parser->at,
                    len ? "has no such name" : "has no number here");
}

static int parse_value(struct parser *parser, int *ret)
{
    const char *begin = parser->at;
    int value = 0;
    if (isdigit((unsigned char)*begin) ? parse_number(parser, &value)
                                       : parse_name(parser, &value))
        return (int)parser->err->code;
    if (value < parser->field->least || value > parser->field->most)
        return complain(parser, begin, "is out of its range");
    *ret = value;
    return 0;
}

static int parse_step(struct parser *parser, int *ret)
{
    const struct field *field = parser->field;
    const char *begin = ++parser->at;
    int step = 0;
    if (isdigit((unsigned char)*begin))
        parse_number(parser, &step);
    if (step >= 1 && step <= field->most)
        *ret = step;
    else
        return error_set(parser->err, ERR_USAGE,
                         "\"%s\", character %d: the step of the %s is a "
                         "number from 1 to %d",
                         parser->text, (int)(begin - parser->text) + 1,
                         field->name, field->most);
    return 0;
}

/* `*`, a value, or a range; and a step. */
static int parse_item(struct parser *parser, uint64_t *set)
{
    const char *begin = parser->at;
    int from = parser->field->least, to = parser->field->most, step = 1;
    bool many = true;
    if (*parser->at == '*') {
        parser->at++;
    } else {
        if (parse_value(parser, &from))
            return (int)parser->err->code;
        to = from;
        many = *parser->at == '-';
        if (many) {
            parser->at++;
            if (parse_value(parser, &to))
                return (int)parser->err->code;
        }
        if (to == 0 && from > 0 && parser->field == &fields[WEEKDAY])
            to = 7; /* a week may end with its Sunday */
        if (from > to)
            return complain(parser, begin, "has a range that runs backwards");
    }
    if (*parser->at == '/') {
        if (!many)
            return complain(parser, parser->at,
                            "has a step, which wants * or a range before it");
        if (parse_step(parser, &step))
            return (int)parser->err->code;
    }
    for (int i = from; i <= to; i += step)
        *set |= (uint64_t)1 << i;
    return 0;
}

static int parse_field(struct parser *parser, uint64_t *ret)
{
    uint64_t set = 0;
    for (bool more = true; more;) {
        if (parse_item(parser, &set))
            return (int)parser->err->code;
        more = *parser->at == ',';
        if (more)
            parser->at++;
    }
    if (*parser->at && !isspace((unsigned char)*parser->at))
        return complain(parser, parser->at, "can't be read from here on");
    if (parser->field == &fields[WEEKDAY] && (set & 1 << 7))
        set |= 1; /* 7 is Sunday too */
    *ret = set;
    return 0;
}

static void skip_blanks(struct parser *parser)
{
    while (isspace((unsigned char)*parser->at))
        parser->at++;
}

int cron_parse(const char *text, struct cron *ret, struct error *err)
{
    struct parser parser = {.text = text, .at = text, .err = err};
    uint64_t sets[N_FIELDS];
    bool star[N_FIELDS];
    for (int i = 0; i < N_FIELDS; i++) {
        skip_blanks(&parser);
        parser.field = &fields[i];
        if (!*parser.at)
            return error_set(err, ERR_USAGE,
                             "\"%s\" ends before the %s: the five fields are "
                             "minute, hour, day of the month, month, day of "
                             "the week",
                             text, fields[i].name);
        star[i] = *parser.at == '*';
        if (parse_field(&parser, &sets[i]))
            return (int)err->code;
    }
    skip_blanks(&parser);
    if (*parser.at)
        return error_set(err, ERR_USAGE,
                         "\"%s\", character %d: there are five fields, and "
                         "this is a sixth",
                         text, (int)(parser.at - text) + 1);
    *ret = (struct cron){.minutes = sets[MINUTE],
                         .hours = sets[HOUR],
                         .days = sets[DAY],
                         .months = sets[MONTH],
                         .weekdays = sets[WEEKDAY],
                         .either = !star[DAY] && !star[WEEKDAY]};
    return 0;
}

int cron_parse_weekdays(const char *text, uint64_t *ret, struct error *err)
{
    struct parser parser = {
        .text = text, .at = text, .field = &fields[WEEKDAY], .err = err};
    uint64_t set = 0;
    if (parse_field(&parser, &set))
        return (int)err->code;
    if (*parser.at)
        return complain(&parser, parser.at, "can't be read from here on");
    *ret = set;
    return 0;
}

static bool has(uint64_t set, int bit)
{
    return set >> bit & 1;
}

bool cron_has_day(const struct cron *cron, const struct tm *at)
{
    bool day = has(cron->days, at->tm_mday);
    bool weekday = has(cron->weekdays, at->tm_wday);
    return has(cron->months, at->tm_mon + 1) &&
           (cron->either ? day || weekday : day && weekday);
}

bool cron_has_hour(const struct cron *cron, const struct tm *at)
{
    return has(cron->hours, at->tm_hour);
}

bool cron_has(const struct cron *cron, const struct tm *at)
{
    return has(cron->minutes, at->tm_min) && cron_has_hour(cron, at) &&
           cron_has_day(cron, at);
}

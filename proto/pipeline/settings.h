/*
 * settings.h: what the environment and `.env` files say.
 *
 * One table (settings.c) names every setting with its type, default, range,
 * unit, whether it is secret, and one line of help: the parser, `--help`,
 * docs/sample.env, docs/settings.md and the man page come from it. A variable
 * of the environment always wins over a file. `.env` files understand
 * `export `, single and double quotes, and `#` comments.
 */
#ifndef PIPELINE_SETTINGS_H
#define PIPELINE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"

#define SETTINGS_FILE_BYTES_MAX (64 * 1024)
#define SETTINGS_FILE_NAMES_MAX 256 /* variables a file may set */
#define SETTINGS_VALUE_BYTES_MAX 4096

struct settings;

/* Settings of this process's environment alone. NULL when memory is out. */
MUSTCHECK
struct settings *settings_new(void);
void settings_free(struct settings **settings);

/* Adds the variables of a file below the environment and below files read
 * before. ERR_FILE if it can't be read, ERR_SETTING with FILE:LINE if it
 * can't be understood; then nothing of it is taken. Within a file the last
 * line about a name wins. Nothing in a value is expanded. */
MUSTCHECK
int settings_read_file(struct settings *settings, const char *path,
                       struct error *err);

/* Reads the secrets that are in files of their own: where a secret setting NAME
 * is not set and NAME_FILE is, the file of that name, less the line's
 * end, is the value. To be called after the last settings_read_file().
 * ERR_SETTING names the variable and the file. */
MUSTCHECK
int settings_read_secrets(struct settings *settings, struct error *err);

/*
 * The value of NAME: environment, then files, then the table's default; NULL
 * where there is none. Any name may be asked for, in the table or not. The
 * text belongs to `settings`. A variable that is set but empty is "".
 */
const char *settings_get(const struct settings *settings, const char *name);

/* The value of a setting of the table that is a whole number or a duration
 * (in microseconds) or a size (in bytes); an empty one is the default.
 * ERR_SETTING names the variable, the value found, and
 * the range allowed. */
MUSTCHECK
int settings_get_integer(const struct settings *settings, const char *name,
                         int64_t *ret, struct error *err);

/* Checks all settings of the table, used or not, so that a mistake is told
 * before anything starts. ERR_SETTING. */
MUSTCHECK
int settings_check(const struct settings *settings, struct error *err);

/* Whether the table says so; false for a name that is not in it. */
bool settings_is_secret(const char *name);

/* Walks the settings of the table that have a value and are no secret; start
 * with *position 0. False at the end. */
bool settings_next_public(const struct settings *settings, size_t *position,
                          const char **ret_name, const char **ret_value);

/* Puts libpq's own variables (PGHOST, PGSSLMODE, ...: "PG" without "_") of
 * the files into the environment, where libpq looks for them. To be called
 * once, by a program's start, before it has threads. */
MUSTCHECK
int settings_export_libpq(const struct settings *settings, struct error *err);

/*
 * The database URL: DATABASE_URL, else PG_HOST and friends (PG_HOST may hold
 * host:port; PG_USER, PG_PW, PG_DB), else libpq's own PGHOST or PGDATABASE
 * (then "postgresql://"), else "sqlite:windrow.db". Appended to `ret`.
 * Empty variables count as absent.
 * ERR_SETTING for any other scheme than postgresql, postgres or sqlite.
 */
MUSTCHECK
int settings_database_url(const struct settings *settings, struct buffer *ret,
                          struct error *err);

/* Whether `url` has one of these schemes. */
bool settings_database_url_is_good(const char *url);

/* Appends `url` with the password, if any, replaced by "***": for logs,
 * messages and errors. Also understands libpq's "password=…" in the query. */
void settings_mask_url(const char *url, struct buffer *ret);

/* Values that must appear nowhere: replaces every occurrence in `text` (in
 * place) of a secret setting's value of 4 bytes and more by asterisks, and of
 * any variable's whose name has TOKEN, SECRET, PASSWORD, PASSWD, API_KEY,
 * APIKEY or CREDENTIAL in it. One that was cut is known by its first 8. */
void settings_mask_text(const struct settings *settings, char *text);

/* Parses "250ms", "30s", "10m", "2h", "1d" into microseconds (a bare number
 * is refused, except 0); and "8MiB", "64KiB", "512" into bytes. False where
 * it is no such thing or does not fit 63 bits. */
MUSTCHECK
bool parse_duration(const char *text, int64_t *ret_us);
MUSTCHECK
bool parse_bytes(const char *text, int64_t *ret_bytes);

/* The table, for people: as help text, as a sample `.env`, as Markdown. */
enum settings_format { SETTINGS_HELP, SETTINGS_SAMPLE, SETTINGS_MARKDOWN };
void settings_print(FILE *out, enum settings_format format);

#endif

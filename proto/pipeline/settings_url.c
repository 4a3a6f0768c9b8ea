/*
 * settings_url.c: the database URL, and keeping passwords out of sight.
 *
 * Masking errs on the safe side: in a URL that is not http or https the
 * password reaches to the last '@', even where RFC 3986 would end it before,
 * since people do not percent-encode their passwords.
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "pipeline/settings_private.h"
#include "pipeline/settings_table.h"

#define SECRET_BYTES_MIN 4  /* shorter ones are in every other word */
#define SECRET_HEAD_BYTES 8 /* by which one is known that was cut short */

/* The password of "scheme://user:PASSWORD@host…"; empty where none is. */
static struct slice url_password(const char *url)
{
    const char *user = strstr(url, "://");
    if (!user)
        return (struct slice){NULL, 0};
    user += 3;
    size_t len = strlen(user);
    if (!strncasecmp(url, "http", 4))
        len = strcspn(user, "/?#");
    const char *at = memrchr(user, '@', len);
    const char *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (!colon)
        return (struct slice){NULL, 0};
    return (struct slice){colon + 1, (size_t)(at - colon) - 1};
}

/* The next value of "password=…" (or "sslpassword=…") at or after `text`. */
static struct slice query_password(const char *text)
{
    const char *found = strcasestr(text, "password=");
    if (!found)
        return (struct slice){NULL, 0};
    found += strlen("password=");
    return (struct slice){found, strcspn(found, "& \t\n#")};
}

void settings_mask_url(const char *url, struct buffer *ret)
{
    struct slice password = url_password(url);
    const char *rest = url;

    if (password.data) {
        buffer_append(ret, rest, (size_t)(password.data - rest));
        buffer_append_text(ret, "***");
        rest = password.data + password.len;
    }
    while ((password = query_password(rest)).data) {
        buffer_append(ret, rest, (size_t)(password.data - rest));
        buffer_append_text(ret, "***");
        rest = password.data + password.len;
    }
    buffer_append_text(ret, rest);
}

/* What is cut short in a message, after its beginning, is masked too. */
static void mask_all(char *text, struct slice secret)
{
    if (secret.len < SECRET_BYTES_MIN)
        return;
    size_t head =
        secret.len < SECRET_HEAD_BYTES ? secret.len : SECRET_HEAD_BYTES;
    size_t len = strlen(text);
    char *found;
    while ((found = memmem(text, len, secret.data, head))) {
        size_t n = head;
        while (n < secret.len && found[n] && found[n] == secret.data[n])
            n++;
        memset(found, '*', n);
        len -= (size_t)(found - text) + n;
        text = found + n;
    }
}

/* The same with %XX read, as a server's message would show it. */
static void mask_decoded(char *text, struct slice secret)
{
    char decoded[SETTINGS_VALUE_BYTES_MAX];
    struct slice plain = {decoded, 0};

    if (secret.len > sizeof decoded)
        return;
    for (size_t i = 0; i < secret.len; i++) {
        char c = secret.data[i];
        if (c == '%' && i + 2 < secret.len &&
            isxdigit((unsigned char)secret.data[i + 1]) &&
            isxdigit((unsigned char)secret.data[i + 2])) {
            char hex[3] = {secret.data[i + 1], secret.data[i + 2], 0};
            c = (char)strtol(hex, NULL, 16);
            i += 2;
        }
        decoded[plain.len++] = c;
    }
    mask_all(text, plain);
}

/* No scheme and no place for a password: somebody forgot "sqlite:". */
static bool is_file_name(const char *url)
{
    return !strpbrk(url, ":@=");
}

/* A file's name is no secret, and a message that hides it helps nobody. */
static bool names_a_file(const struct setting *setting, const char *value)
{
    return !strcmp(setting->name, "DATABASE_URL") &&
           is_file_name(value + (strncmp(value, "sqlite:", 7) ? 0 : 7));
}

/* Of a variable that is not in the table, as a pipeline may name it. */
static bool sounds_secret(const char *name, size_t len)
{
    static const char *const words[] = {"TOKEN",     "SECRET",  "PASSWORD",
                                        "PASSWD",    "API_KEY", "APIKEY",
                                        "CREDENTIAL"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(name, len, words[i], strlen(words[i])))
            return len < 5 || strncmp(name + len - 5, "_FILE", 5) != 0;
    return false;
}

static void mask_variables(const struct settings *settings, char *text)
{
    for (char **variable = environ; variable && *variable; variable++) {
        size_t len = strcspn(*variable, "=");
        if ((*variable)[len] && sounds_secret(*variable, len))
            mask_all(text, slice_of(*variable + len + 1));
    }
    for (const struct setting_entry *e = settings->entries; e; e = e->next)
        if (sounds_secret(e->name, strlen(e->name)))
            mask_all(text, slice_of(e->value));
}

void settings_mask_text(const struct settings *settings, char *text)
{
    mask_variables(settings, text);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        if (!settings_table[i].secret)
            continue;
        const char *value = settings_get(settings, settings_table[i].name);
        if (!value || names_a_file(&settings_table[i], value))
            continue;
        if (!strstr(value, "://")) {
            mask_all(text, slice_of(value));
            continue;
        }
        struct slice password = url_password(value);
        mask_all(text, password);
        mask_decoded(text, password);
        for (; (password = query_password(value)).data;
             value = password.data + password.len) {
            mask_all(text, password);
            mask_decoded(text, password);
        }
    }
}

/* Percent-encodes all but RFC 3986's unreserved characters. */
static void append_encoded(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            buffer_append_char(out, *text);
        else
            buffer_printf(out, "%%%02X", (unsigned char)*text);
    }
}

/* PG_HOST: a name, name:port, an address in brackets or with several colons
 * (IPv6), or a folder with a socket. */
static void append_host(struct buffer *out, const char *host)
{
    const char *colon = strchr(host, ':');

    if (*host == '[')
        buffer_append_text(out, host);
    else if (colon && strchr(colon + 1, ':'))
        buffer_printf(out, "[%s]", host);
    else if (colon && *host != '/')
        buffer_printf(out, "%.*s:%s", (int)(colon - host), host, colon + 1);
    else
        append_encoded(out, host);
}

static const char *get(const struct settings *settings, const char *name)
{
    const char *value = settings_get(settings, name);
    return value && *value ? value : NULL;
}

static void append_older(const struct settings *settings, struct buffer *out)
{
    const char *host = get(settings, "PG_HOST");
    const char *user = get(settings, "PG_USER");
    const char *password = get(settings, "PG_PW");
    const char *name = get(settings, "PG_DB");

    buffer_append_text(out, "postgresql://");
    if (user)
        append_encoded(out, user);
    if (password) {
        buffer_append_char(out, ':');
        append_encoded(out, password);
    }
    if (user || password)
        buffer_append_char(out, '@');
    if (host)
        append_host(out, host);
    if (name) {
        buffer_append_char(out, '/');
        append_encoded(out, name);
    }
}

bool settings_database_url_is_good(const char *url)
{
    return !strncmp(url, "postgresql://", 13) ||
           !strncmp(url, "postgres://", 11) ||
           (!strncmp(url, "sqlite:", 7) && url[7]);
}

int settings_database_url(const struct settings *settings, struct buffer *ret,
                          struct error *err)
{
    const char *url = get(settings, "DATABASE_URL");
    struct buffer masked = BUFFER_EMPTY;

    if (url && !settings_database_url_is_good(url)) {
        const bool is_file = is_file_name(url);
        settings_mask_url(url, &masked);
        error_set(err, ERR_SETTING,
                  "DATABASE_URL (or --store) is '%.100s'; postgresql://..., "
                  "postgres://... or sqlite:FILE is allowed%s%.100s%s",
                  buffer_text(&masked),
                  is_file ? "; did you mean 'sqlite:" : "", is_file ? url : "",
                  is_file ? "'?" : "");
        buffer_free(&masked);
        return ERR_SETTING;
    }
    if (url)
        buffer_append_text(ret, url);
    else if (get(settings, "PG_HOST") || get(settings, "PG_USER") ||
             get(settings, "PG_DB"))
        append_older(settings, ret);
    else if (get(settings, "PGHOST") || get(settings, "PGDATABASE"))
        buffer_append_text(ret, "postgresql://");
    else
        buffer_append_text(ret, "sqlite:windrow.db");
    if (ret->failed)
        return error_set(err, ERR_MEMORY, "no memory for the database URL");
    return 0;
}

/* fetch_url.c: see fetch_url.h. */
#include "fetch_url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Whether a path has a segment that begins like "." or "..". */
static bool may_have_dots(const char *path, size_t len)
{
    for (const char *end = path + len;
         (path = memchr(path, '/', (size_t)(end - path))); path++)
        if (path[1] == '.' || !strncasecmp(path + 1, "%2e", 3))
            return true;
    return false;
}

size_t fetch_url_base(const char *url)
{
    const char *authority = strstr(url, "://");
    if (!authority)
        return 0;
    authority += 3;
    const char *path = authority + strcspn(authority, "/?#@");
    if (*path != '/')
        return 0;
    const char *end = path;
    while (*end > ' ' && *end < 0x7F && *end != '#')
        end++;
    size_t len = strcspn(path, "?");
    bool empty_query = path[len] == '?' && path[len + 1] == '\0';
    if (*end || empty_query || may_have_dots(path, len))
        return 0;
    return (size_t)(path - url);
}

char *fetch_url_resolve(const char *url, const char *location)
{
    const unsigned lax = CURLU_NON_SUPPORT_SCHEME | CURLU_ALLOW_SPACE;
    char *ret = NULL;
    CURLU *parts = curl_url();
    if (!parts || curl_url_set(parts, CURLUPART_URL, url, lax) ||
        curl_url_set(parts, CURLUPART_URL, location, lax) ||
        curl_url_get(parts, CURLUPART_URL, &ret, 0))
        ret = NULL;
    curl_url_cleanup(parts);
    return ret;
}

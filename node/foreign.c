/* foreign.c: see foreign.h. */
#include "foreign.h"

#include <string.h>
#include <strings.h>

#include "pipeline/template.h"

void foreign_free(struct foreign *foreign)
{
    buffer_free(&foreign->own_url);
    buffer_free(&foreign->hosts[0]);
    buffer_free(&foreign->hosts[1]);
}

static bool is_https(struct slice url)
{
    return url.len > 5 && !strncasecmp(url.data, "https", 5);
}

bool foreign_is(struct foreign *foreign, const struct worker *worker,
                struct slice key, struct slice url)
{
    struct buffer *text = &foreign->own_url, *here = &foreign->hosts[0],
                  *there = &foreign->hosts[1];
    struct slice own = key;
    buffer_clear(text);
    buffer_clear(here);
    buffer_clear(there);
    if (worker_class_is_fetcher(worker->class)) {
        if (!request_url(&worker->request, key, text))
            return true;
        own = buffer_slice(text);
    }
    if (!url_host(own, here) || !url_host(url, there))
        return true;
    if (is_https(own) == is_https(url))
        return strcmp(here->data, there->data) != 0;
    size_t len = here->len > 3 ? here->len - 3 : 0;
    return is_https(own) || strcmp(here->data + len, ":80") ||
           strncmp(here->data, there->data, len) ||
           strcmp(there->data + len, ":443");
}

/*
 * web.h: a web server for tests, in a thread of its own, on a free port of
 * 127.0.0.1. What it answers, byte for byte, is chosen by the path.
 */
#ifndef TESTS_WEB_H
#define TESTS_WEB_H

#include <stddef.h>

#define WEB_PAGES_MAX 32

struct web_page {
    const char *path;   /* "/quote"; every query goes with it */
    const char *answer; /* status line, headers, body */
    size_t len;         /* 0: the answer's text */
    int delay_ms;       /* before the answer */
    int reset;          /* after the answer the connection is cut (RST) */
};

struct web;

/* `pages` ends with a path of NULL and must live as long as the server. A
 * path that is not there gets 404. Connections stay open but for those of
 * answers that say "Connection: close", and of cut ones. */
struct web *web_start(const struct web_page *pages);
void web_stop(struct web **web);
int web_port(const struct web *web);
/* How many connections were taken so far. */
int web_connections(const struct web *web);

#endif

/*
 * main.c: windrow-origin, which plays the two sites that the S&P 500 pipeline
 * reads, with whatever goes wrong there.
 *
 * Reading order: options.h (what can be asked for), facts.h and symbols.h (what
 * is known), lists.h and quotes.h (the pages), faults.h, site.h (a request
 * becomes an answer), conn.h (the answer goes out).
 */
#include <errno.h>
#include <event2/event.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "facts.h"
#include "options.h"
#include "server.h"
#include "site.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    event_base_loopbreak(context);
}

/* A connection is a descriptor; the usual soft limit of 1,024 is too low. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* on failure accept() pauses earlier */
}

static int print_price(const char *symbol, struct error *err)
{
    struct facts *facts;
    if (facts_new(&facts, err))
        return (int)err->code;
    char price[PRICE_BYTES_MAX];
    facts_price(facts, symbol, price);
    puts(price);
    facts_free(&facts);
    return 0;
}

/* By way of another name, so that no reader finds half a number. */
static int write_port_file(const char *path, unsigned port, struct error *err)
{
    char *other = NULL;
    if (asprintf(&other, "%s.%ld", path, (long)getpid()) < 0)
        return error_set(err, ERR_MEMORY, "out of memory");
    FILE *file = fopen(other, "we");
    bool written = file && fprintf(file, "%u\n", port) > 0;
    if (file && fclose(file))
        written = false;
    if (!written || rename(other, path))
        error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
    free(other);
    return (int)err->code;
}

static int announce(const struct options *options, const struct server *server,
                    struct error *err)
{
    if (options->port_file &&
        write_port_file(options->port_file, server_port(server), err))
        return (int)err->code;
    printf("windrow-origin: listening on %s\n", server_url(server));
    fflush(stdout);
    return 0;
}

static int serve(struct event_base *base, const struct options *options,
                 struct error *err)
{
    struct site *site = NULL;
    struct server *server = NULL;
    struct event *on_term = evsignal_new(base, SIGTERM, on_signal, base);
    struct event *on_int = evsignal_new(base, SIGINT, on_signal, base);
    if (!on_term || !on_int || evsignal_add(on_term, NULL) ||
        evsignal_add(on_int, NULL))
        error_set(err, ERR_SYSTEM, "can't wait for signals");
    if (!err->code && !site_new(options, &site, err) &&
        !server_new(base, options, site, &server, err) &&
        !announce(options, server, err) && event_base_dispatch(base) < 0)
        error_set(err, ERR_SYSTEM, "the event loop failed");
    server_free(&server);
    site_free(&site);
    if (on_term)
        event_free(on_term);
    if (on_int)
        event_free(on_int);
    return (int)err->code;
}

static int run(const struct options *options, struct error *err)
{
    if (options->help) {
        options_print_help();
        return 0;
    }
    if (options->version) {
        puts("windrow-origin " WINDROW_VERSION);
        return 0;
    }
    if (options->price_of)
        return print_price(options->price_of, err);
    signal(SIGPIPE, SIG_IGN); /* a client that left is an error of write() */
    raise_descriptor_limit();
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config && !event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK))
        base = event_base_new_with_config(config);
    if (base)
        serve(base, options, err);
    else
        error_set(err, ERR_SYSTEM, "can't make an event loop");
    if (base)
        event_base_free(base);
    if (config)
        event_config_free(config);
    return (int)err->code;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = ERROR_NONE;
    setlocale(LC_CTYPE, "C.UTF-8"); /* text_percent_decode() relies on it */
    if (!options_init(&options, argc, argv, &err)) {
        run(&options, &err);
        options_fini(&options);
    }
    if (!err.code)
        return EXIT_SUCCESS;
    fprintf(stderr, "windrow-origin: %s\n", err.text);
    return error_code_kind(err.code) == ERROR_USER ? EXIT_USAGE : EXIT_FAILED;
}

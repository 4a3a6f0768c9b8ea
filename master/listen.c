/* listen.c: see listen.h. */
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/curve.h"
#include "wire/endpoint.h"

#define PORT_MAX 65535

/* The option, else the setting; NULL where neither says anything. */
static const char *either(const char *option, const struct settings *settings,
                          const char *name)
{
    const char *value = option ? option : settings_get(settings, name);
    return value && *value ? value : NULL;
}

static bool parse_ports(const char *text, struct listen *ret)
{
    int first, last, used = 0;
    if (strspn(text, "0123456789-") != strlen(text) || *text == '-' ||
        sscanf(text, "%5d-%5d%n", &first, &last, &used) != 2 || text[used])
        return false;
    ret->first_task_port = first;
    ret->last_task_port = last;
    return first >= 1 && first <= last && last <= PORT_MAX;
}

static int read_insecure(const struct options *options,
                         const struct settings *settings, bool *ret,
                         struct error *err)
{
    const char *value = either(NULL, settings, "WINDROW_INSECURE");
    if (value && strcmp(value, "yes") && strcmp(value, "no"))
        return error_set(err, ERR_USAGE,
                         "WINDROW_INSECURE is '%.60s'; yes or no is allowed",
                         value);
    *ret = options->insecure || (value && !strcmp(value, "yes"));
    return 0;
}

static int check_place(const struct listen *listen, bool insecure,
                       struct error *err)
{
    struct endpoints endpoints;
    if (!endpoint_is_tcp(listen->place))
        return error_set(err, ERR_USAGE,
                         "\"%.200s\" is no place to listen at: write "
                         "tcp://ADDRESS:PORT",
                         listen->place);
    if (endpoints_of(listen->place, &endpoints, err))
        return (int)err->code;
    if (listen->keys || insecure || endpoint_is_local(listen->place))
        return 0;
    return error_set(err, ERR_USAGE,
                     "%s can be reached by others, and without keys anybody "
                     "could take part: make keys (windrow keygen DIR) and say "
                     "--keys DIR, or --insecure on a network you trust",
                     listen->place);
}

static int check_database(const struct settings *settings, struct error *err)
{
    struct buffer url = BUFFER_EMPTY;
    if (!settings_database_url(settings, &url, err) &&
        !strncmp(buffer_text(&url), "sqlite:", 7))
        error_set(err, ERR_USAGE,
                  "a SQLite file serves one machine, and --listen is for "
                  "several: name a PostgreSQL database (--store, "
                  "DATABASE_URL), or leave out --listen");
    buffer_free(&url);
    return (int)err->code;
}

/* Whether another program has the port. It is only bound, never listened at:
 * nodes that wait for us dial it all the time. */
static bool is_taken(const char *endpoint)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[SOCKET_ENDPOINT_BYTES];
    const char *colon = strrchr(endpoint, ':');
    bool brackets = endpoint[6] == '[';
    int on = 1;
    snprintf(host, sizeof host, "%.*s",
             (int)(colon - endpoint) - 6 - 2 * (int)brackets,
             endpoint + 6 + brackets);
    if (getaddrinfo(strcmp(host, "*") ? host : NULL, colon + 1, &hints, &found))
        return false; /* an interface's name, perhaps */
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken =
        fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
        bind(fd, found->ai_addr, found->ai_addrlen) && errno == EADDRINUSE;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return taken;
}

/* Better told now than when the run stands in the ledger. A master that stands
 * by may share its port with the one that leads. */
static int check_free(const struct listen *listen, struct error *err)
{
    struct endpoints endpoints;
    if (endpoints_of(listen->place, &endpoints, err))
        return (int)err->code;
    bool first = is_taken(endpoints.reports);
    if (first || is_taken(endpoints.control))
        return error_set(err, ERR_CONFLICT,
                         "%s is in use by another program: is a master there "
                         "already?",
                         first ? endpoints.reports : endpoints.control);
    return 0;
}

static int check_keys(const struct listen *listen, struct error *err)
{
    struct curve_keys keys;
    return listen->keys ? curve_read_master(listen->keys, &keys, err) : 0;
}

int listen_read(const struct options *options, const struct settings *settings,
                struct listen *ret, struct error *err)
{
    struct listen listen = {
        .place = either(options->listen, settings, "WINDROW_LISTEN"),
        .keys = either(options->keys, settings, "WINDROW_KEYS"),
    };
    const char *ports =
        either(options->task_ports, settings, "WINDROW_TASK_PORTS");
    bool insecure;
    if (ports && !parse_ports(ports, &listen))
        return error_set(err, ERR_USAGE,
                         "--task-ports wants FIRST-LAST, two numbers from 1 "
                         "to %d, not \"%.60s\"",
                         PORT_MAX, ports);
    if (read_insecure(options, settings, &insecure, err) ||
        (listen.place &&
         (check_place(&listen, insecure, err) ||
          check_database(settings, err) || check_keys(&listen, err) ||
          (!options->name && check_free(&listen, err)))))
        return (int)err->code;
    if (!listen.place && options->scale == 0)
        return error_set(err, ERR_USAGE,
                         "--scale 0 starts no node here: say with --listen "
                         "where other nodes find this run");
    if (!listen.place)
        listen.keys = NULL; /* the folder's mode keeps others out */
    *ret = listen;
    return 0;
}

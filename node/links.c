/* links.c: see links.h. */
#include "links.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "wire/curve.h"
#include "wire/endpoint.h"
#include "wire/message.h"

#define LINGER_MS 500 /* for the last report and the bye */

struct links {
    const struct node_options *options;
    struct links_callbacks callbacks;
    struct event_base *base;
    struct wire_context *wire;
    struct wire_socket *reports, *control, *tasks;
    char task_endpoint[SOCKET_ENDPOINT_BYTES];
    char topic[NODE_NAME_BYTES + 1]; /* "NAME " */
    bool secure;                     /* over TCP, with keys */
    struct curve_keys keys;
};

static void on_task(void *context, struct slice data)
{
    const struct links *links = context;
    links->callbacks.on_task(links->callbacks.context, data);
}

static void on_control(void *context, struct slice data)
{
    const struct links *links = context;
    const char *space = memchr(data.data, ' ', data.len);
    if (!space)
        return;
    size_t topic = (size_t)(space - data.data) + 1;
    links->callbacks.on_control(
        links->callbacks.context,
        (struct slice){data.data + topic, data.len - topic});
}

static void on_failed(void *context, enum handshake_failure failure)
{
    const struct links *links = context;
    const struct node_options *options = links->options;
    switch (failure) {
    case HANDSHAKE_KEY_REFUSED:
        log_warn(options->name,
                 "the master at %s does not know this node's key: put %s.pub "
                 "into \"allowed\" of its folder of keys",
                 options->connect, options->key_name);
        break;
    case HANDSHAKE_NO_KEYS:
        log_warn(options->name,
                 "of the master at %s and this node one uses keys and the "
                 "other does not: say --keys DIR to both",
                 options->connect);
        break;
    case HANDSHAKE_CUT:
        if (links->secure) /* else it ended, and will be back or not */
            log_warn(options->name,
                     "the master at %s hung up: is %s/master.pub its key?",
                     options->connect, options->keys);
        break;
    }
}

/* The same is told of the reports' connection. */
static void on_failed_too(void *context, enum handshake_failure failure)
{
    (void)context;
    (void)failure;
}

static int secure(const struct links *links, struct wire_socket *socket,
                  struct error *err)
{
    return links->secure ? curve_secure_client(socket, &links->keys, err) : 0;
}

int links_connect_tasks(struct links *links, const char *endpoint,
                        struct error *err)
{
    char dialled[SOCKET_ENDPOINT_BYTES];
    if (endpoint_dialled(endpoint, links->options->connect, dialled, err))
        return (int)err->code;
    if (links->tasks && !strcmp(links->task_endpoint, dialled))
        return 0;
    wire_socket_free(&links->tasks, 0);
    if (wire_socket_new(links->wire, links->base, SOCKET_PULL, on_task, links,
                        &links->tasks, err) ||
        secure(links, links->tasks, err) ||
        wire_socket_connect(links->tasks, dialled, err) ||
        wire_socket_watch(links->tasks, dialled, on_failed_too, links, err))
        return (int)err->code;
    snprintf(links->task_endpoint, sizeof links->task_endpoint, "%s", dialled);
    return 0;
}

void links_greet(struct links *links)
{
    wire_socket_forget(links->reports);
    wire_socket_free(&links->tasks, 0);
}

bool links_report(struct links *links, struct slice data)
{
    return wire_socket_send(links->reports, data);
}

static int open_control(struct links *links, const char *endpoint,
                        struct error *err)
{
    snprintf(links->topic, sizeof links->topic, "%s ", links->options->name);
    return wire_socket_new(links->wire, links->base, SOCKET_SUB, on_control,
                           links, &links->control, err) ||
           secure(links, links->control, err) ||
           wire_socket_subscribe(links->control, links->topic, err) ||
           wire_socket_subscribe(links->control, "* ", err) ||
           wire_socket_connect(links->control, endpoint, err) ||
           wire_socket_watch(links->control, endpoint, on_failed_too, links,
                             err);
}

static int open_reports(struct links *links, const char *endpoint,
                        struct error *err)
{
    return wire_socket_new(links->wire, links->base, SOCKET_PUSH, NULL, NULL,
                           &links->reports, err) ||
           secure(links, links->reports, err) ||
           wire_socket_connect(links->reports, endpoint, err) ||
           wire_socket_watch(links->reports, endpoint, on_failed, links, err);
}

static int open_links(struct links *links, struct error *err)
{
    const struct node_options *options = links->options;
    struct endpoints endpoints;
    links->secure = options->keys && endpoint_is_tcp(options->connect);
    if (endpoints_of(options->connect, &endpoints, err) ||
        (links->secure &&
         curve_read_node(options->keys, options->key_name, &links->keys, err)))
        return (int)err->code;
    links->wire = wire_context_new();
    if (!links->wire)
        return error_set(err, ERR_SYSTEM, "no ZeroMQ context");
    if (open_control(links, endpoints.control, err) ||
        open_reports(links, endpoints.reports, err))
        return (int)err->code;
    return 0;
}

int links_new(struct event_base *base, const struct node_options *options,
              const struct links_callbacks *callbacks, struct links **ret,
              struct error *err)
{
    struct links *links = calloc(1, sizeof *links);
    if (!links)
        return error_set(err, ERR_MEMORY, "no memory for sockets");
    links->base = base;
    links->options = options;
    links->callbacks = *callbacks;
    if (open_links(links, err)) {
        links_free(&links);
        return (int)err->code;
    }
    *ret = links;
    return 0;
}

void links_free(struct links **ptr)
{
    struct links *links = *ptr;
    if (!links)
        return;
    wire_socket_free(&links->tasks, 0);
    wire_socket_free(&links->control, 0);
    wire_socket_free(&links->reports, LINGER_MS);
    wire_context_free(&links->wire);
    free(links);
    *ptr = NULL;
}

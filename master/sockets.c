/*
 * sockets.c: see sockets.h.
 *
 * Over TCP a peer may be anybody who passed the keys, or, without keys,
 * anybody: what it sends goes through a gate (gate.h).
 */
#include "sockets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "socket_folder.h"
#include "wire/curve.h"
#include "wire/gate.h"

#define LINGER_MS 500
#define COMPLAIN_EVERY USEC_PER_SEC
#define REPORT_BYTES_MAX (256 * 1024) /* a heartbeat of 512 batches: 40 KiB */
#define WHO "master"

/* A node's own PUSH. */
struct peer {
    char name[NODE_NAME_BYTES];
    struct wire_socket *tasks;
    char endpoint[SOCKET_ENDPOINT_BYTES]; /* as the welcome says it */
    UT_hash_handle hh;
};

/* Things of one kind that may come by thousands: a line a second. */
struct complaint {
    usec_t said_at;
    int64_t unsaid;
};

struct sockets {
    struct event_base *base;
    struct listen listen;
    struct wire_context *wire;
    struct wire_socket *reports, *control, *status;
    char folder[SOCKET_FOLDER_BYTES];
    char bound[SOCKET_ENDPOINT_BYTES]; /* tcp: the address in use */
    char place[SOCKET_ENDPOINT_BYTES];
    int endpoints_made; /* files or ports tried for nodes */
    struct peer *peers;
    struct buffer outgoing;
    struct curve_keys keys;
    struct gate gate;
    struct complaint bad, flood, strangers;
    sockets_on_report *on_report;
    void *context;
};

/* ---- in ---- */

static bool may_complain(struct complaint *complaint, int64_t *ret_unsaid)
{
    usec_t now = clock_monotonic();
    if (complaint->said_at && now < complaint->said_at + COMPLAIN_EVERY) {
        complaint->unsaid++;
        return false;
    }
    complaint->said_at = now;
    *ret_unsaid = complaint->unsaid;
    complaint->unsaid = 0;
    return true;
}

static void on_report(void *context, struct slice data)
{
    struct sockets *sockets = context;
    int64_t unsaid;
    if (!sockets->listen.place ||
        gate_pass(&sockets->gate, wire_socket_source(sockets->reports),
                  clock_monotonic())) {
        sockets->on_report(sockets->context, data);
        return;
    }
    wire_socket_hold_off(sockets->reports);
    if (may_complain(&sockets->flood, &unsaid))
        log_warn(WHO,
                 "a peer sends too much and is held off (%" PRId64
                 " messages were dropped so far)",
                 sockets->gate.dropped);
}

void sockets_blame(struct sockets *sockets, const char *why)
{
    int64_t unsaid;
    gate_blame(&sockets->gate, wire_socket_source(sockets->reports));
    if (may_complain(&sockets->bad, &unsaid))
        log_warn(WHO, "a message was dropped: %s (and %" PRId64 " before it)",
                 why, unsaid);
}

static void on_stranger(void *context, const char *address, const char *key)
{
    struct sockets *sockets = context;
    int64_t unsaid;
    if (may_complain(&sockets->strangers, &unsaid))
        log_warn(WHO,
                 "a peer at %s was turned away (and %" PRId64
                 " times before): its key %s is not in %s/allowed",
                 address, unsaid, key, sockets->listen.keys);
}

/* ---- nodes' own ---- */

static struct peer *find_peer(struct sockets *sockets, const char *name)
{
    struct peer *peer = NULL;
    HASH_FIND_STR(sockets->peers, name, peer);
    return peer;
}

void sockets_close_peer(struct sockets *sockets, const char *name)
{
    struct peer *peer = find_peer(sockets, name);
    if (!peer)
        return;
    HASH_DEL(sockets->peers, peer);
    wire_socket_free(&peer->tasks, 0);
    free(peer);
}

static int secure(struct sockets *sockets, struct wire_socket *socket,
                  struct error *err)
{
    if (!sockets->listen.keys)
        return 0;
    return curve_secure_server(socket, &sockets->keys, err);
}

static int bind_to_port(const struct sockets *sockets, struct peer *peer,
                        const char *port, struct error *err)
{
    char endpoint[SOCKET_ENDPOINT_BYTES], bound[SOCKET_ENDPOINT_BYTES];
    if (endpoint_with_port(sockets->bound, port, endpoint, err) ||
        wire_socket_bind(peer->tasks, endpoint, bound, err))
        return (int)err->code;
    snprintf(peer->endpoint, sizeof peer->endpoint, "tcp://*%s",
             strrchr(bound, ':'));
    return 0;
}

/* The next port of the range that is free: those of ended peers too, but as
 * late as can be, since such a peer may only have been parted from us, and
 * still dial its old port. */
static int bind_to_a_port(struct sockets *sockets, struct peer *peer,
                          struct error *err)
{
    const struct listen *listen = &sockets->listen;
    if (!listen->first_task_port)
        return bind_to_port(sockets, peer, "*", err);
    int n_ports = listen->last_task_port - listen->first_task_port + 1;
    for (int tries = 0; tries < n_ports; tries++) {
        struct error busy = ERROR_NONE;
        char port[16];
        snprintf(port, sizeof port, "%d",
                 listen->first_task_port + sockets->endpoints_made++ % n_ports);
        if (!bind_to_port(sockets, peer, port, &busy))
            return 0;
        if (busy.code != ERR_CONFLICT)
            return error_set(err, busy.code, "%s", busy.text);
    }
    return error_set(err, ERR_CONFLICT,
                     "no port of --task-ports %d-%d is free: each node needs "
                     "one",
                     listen->first_task_port, listen->last_task_port);
}

static int bind_to_file(struct sockets *sockets, struct peer *peer,
                        struct error *err)
{
    char endpoint[SOCKET_ENDPOINT_BYTES];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/tasks-%d", sockets->folder,
             ++sockets->endpoints_made);
    return wire_socket_bind(peer->tasks, endpoint, peer->endpoint, err);
}

int sockets_open_peer(struct sockets *sockets, const char *name,
                      struct error *err)
{
    sockets_close_peer(sockets, name);
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return error_set(err, ERR_MEMORY, "no memory for %s", name);
    snprintf(peer->name, sizeof peer->name, "%s", name);
    if (wire_socket_new(sockets->wire, sockets->base, SOCKET_PUSH, NULL, NULL,
                        &peer->tasks, err) ||
        secure(sockets, peer->tasks, err) ||
        (sockets->listen.place ? bind_to_a_port(sockets, peer, err)
                               : bind_to_file(sockets, peer, err))) {
        wire_socket_free(&peer->tasks, 0);
        free(peer);
        return (int)err->code;
    }
    HASH_ADD_STR(sockets->peers, name, peer);
    return 0;
}

const char *sockets_task_endpoint(struct sockets *sockets, const char *name)
{
    const struct peer *peer = find_peer(sockets, name);
    return peer ? peer->endpoint : NULL;
}

/* ---- out ---- */

void sockets_send(struct sockets *sockets, const struct message *message)
{
    struct error err = ERROR_NONE;
    struct buffer *out = &sockets->outgoing;
    struct wire_socket *socket = sockets->control;
    buffer_clear(out);
    if (message->type == MESSAGE_TASK || message->type == MESSAGE_DROP) {
        const struct peer *peer = find_peer(sockets, message->node);
        if (!peer)
            return;
        socket = peer->tasks;
    } else {
        buffer_printf(out, "%s ", message->node[0] ? message->node : "*");
    }
    if (message_encode(message, out, &err))
        log_warn(WHO, "%s", err.text);
    else if (!wire_socket_send(socket, buffer_slice(out)))
        log_debug(WHO, "a %s for %s found no room",
                  message_type_name(message->type), message->node);
}

void sockets_publish(struct sockets *sockets, struct slice status)
{
    wire_socket_send(sockets->status, status); /* with nobody there, dropped */
}

const char *sockets_place(const struct sockets *sockets)
{
    return sockets->place;
}

/* ---- all of them ---- */

static int make_sockets(struct sockets *sockets, struct error *err)
{
    return wire_socket_new(sockets->wire, sockets->base, SOCKET_PULL, on_report,
                           sockets, &sockets->reports, err) ||
           wire_socket_new(sockets->wire, sockets->base, SOCKET_PUB, NULL, NULL,
                           &sockets->control, err) ||
           wire_socket_new(sockets->wire, sockets->base, SOCKET_PUB, NULL, NULL,
                           &sockets->status, err) ||
           wire_socket_limit(sockets->reports, REPORT_BYTES_MAX, err);
}

/* The status is this machine's own wherever the nodes are. Where these come by
 * ports, a machine that has no place for a folder does without: nobody here
 * could listen. */
static int bind_status(struct sockets *sockets, struct error *err)
{
    char endpoint[SOCKET_ENDPOINT_BYTES];
    struct error none = ERROR_NONE;
    if (socket_folder_make(sockets->folder, &none)) {
        if (!sockets->listen.place)
            return error_set(err, none.code, "%s", none.text);
        log_info(WHO, "no dashboard can follow this run: %s", none.text);
        return 0;
    }
    snprintf(endpoint, sizeof endpoint, "ipc://%s/" SOCKET_FOLDER_STATUS,
             sockets->folder);
    return wire_socket_bind(sockets->status, endpoint, NULL, err);
}

static int bind_folder(struct sockets *sockets, struct error *err)
{
    struct endpoints endpoints;
    snprintf(sockets->place, sizeof sockets->place, "ipc://%s",
             sockets->folder);
    return endpoints_of(sockets->place, &endpoints, err) ||
           wire_socket_bind(sockets->reports, endpoints.reports, NULL, err) ||
           wire_socket_bind(sockets->control, endpoints.control, NULL, err);
}

/* Control first: who can report can hear the answer. */
static int bind_ports(struct sockets *sockets, struct error *err)
{
    const struct listen *listen = &sockets->listen;
    struct endpoints endpoints;
    if (listen->keys && (curve_read_master(listen->keys, &sockets->keys, err) ||
                         curve_guard(sockets->wire, sockets->base, listen->keys,
                                     on_stranger, sockets, err)))
        return (int)err->code;
    return endpoints_of(listen->place, &endpoints, err) ||
           secure(sockets, sockets->reports, err) ||
           secure(sockets, sockets->control, err) ||
           wire_socket_bind(sockets->control, endpoints.control, NULL, err) ||
           wire_socket_bind(sockets->reports, endpoints.reports, sockets->bound,
                            err) ||
           endpoint_from_here(sockets->bound, sockets->place, err);
}

int sockets_new(struct event_base *base, const struct listen *listen,
                sockets_on_report *on_report_made, void *context,
                struct sockets **ret, struct error *err)
{
    struct sockets *sockets = calloc(1, sizeof *sockets);
    if (!sockets)
        return error_set(err, ERR_MEMORY, "no memory for sockets");
    sockets->base = base;
    sockets->listen = *listen;
    sockets->on_report = on_report_made;
    sockets->context = context;
    sockets->wire = wire_context_new();
    if (!sockets->wire)
        error_set(err, ERR_SYSTEM, "no ZeroMQ context");
    if (err->code != ERR_NONE || make_sockets(sockets, err) ||
        bind_status(sockets, err) ||
        (listen->place ? bind_ports(sockets, err)
                       : bind_folder(sockets, err))) {
        sockets_free(&sockets);
        return (int)err->code;
    }
    *ret = sockets;
    return 0;
}

void sockets_free(struct sockets **ptr)
{
    struct sockets *sockets = *ptr;
    if (!sockets)
        return;
    struct peer *peer, *next;
    HASH_ITER (hh, sockets->peers, peer, next) {
        sockets_close_peer(sockets, peer->name);
    }
    wire_socket_free(&sockets->control, LINGER_MS);
    wire_socket_free(&sockets->reports, 0);
    wire_socket_free(&sockets->status, LINGER_MS);
    wire_context_free(&sockets->wire);
    socket_folder_remove(sockets->folder);
    buffer_free(&sockets->outgoing);
    free(sockets);
    *ptr = NULL;
}

/*
 * links.h: the node's connections to its master (PROTOCOL.md).
 *
 * A node only dials out: reports go to the master, control comes from it, and
 * tasks from where its welcome says. Connections that break are made again by
 * themselves; over TCP they use the node's key, if it has one. Why the master
 * does not take it is logged here.
 */
#ifndef NODE_LINKS_H
#define NODE_LINKS_H

#include "node.h"
#include "wire/socket.h"

struct links;

/* Messages, without their topic, in the loop. No callback may free anything
 * of here but the tasks' connection in on_control. */
struct links_callbacks {
    void *context;
    void (*on_control)(void *context, struct slice data);
    void (*on_task)(void *context, struct slice data);
};

/* ERR_USAGE where the place is none, what curve_read_node() says of keys. */
MUSTCHECK
int links_new(struct event_base *base, const struct node_options *options,
              const struct links_callbacks *callbacks, struct links **ret,
              struct error *err);
/* Waits a moment for the last report. */
void links_free(struct links **links);

/* Tasks come from there now, as the welcome says. */
MUSTCHECK
int links_connect_tasks(struct links *links, const char *endpoint,
                        struct error *err);

/* The node says hello: the master is not there, or takes us for dead. What it
 * was not told yet is of no use to it, or will be said again; and our port for
 * tasks may be another node's by now. */
void links_greet(struct links *links);

/* To the master; false where it was dropped. */
bool links_report(struct links *links, struct slice data);

#endif

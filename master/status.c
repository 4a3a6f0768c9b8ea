/*
 * status.c: see status.h.
 *
 * Times are added up as they come: a node tells what it counted since its
 * start, and what it has told before is remembered. A node that begins anew
 * counts from nothing, and so does one that is heard again after others took
 * its place here.
 */
#include "status.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>

#include "base/buffer.h"

struct timed_node {
    char name[NODE_NAME_BYTES];
    int64_t uptime; /* as it last said: less is another process */
    struct heartbeat_times times;
    UT_hash_handle hh;
};

struct status {
    struct status_run run;
    usec_t started_at; /* wall clock */
    char host[64];
    struct worker_view *workers;
    struct timed_node *timed;
    struct heartbeat_times times; /* of all nodes */
    struct buffer text;
    usec_t told_at;
};

struct status *status_new(const struct status_run *run)
{
    struct status *status = calloc(1, sizeof *status);
    if (!status)
        return NULL;
    status->run = *run;
    status->started_at = clock_wall();
    gethostname(status->host, sizeof status->host - 1);
    status->workers = calloc(run->pipeline->n_workers, sizeof *status->workers);
    if (!status->workers)
        status_free(&status);
    return status;
}

void status_free(struct status **status)
{
    struct status *self = *status;
    if (!self)
        return;
    struct timed_node *node, *next;
    HASH_ITER (hh, self->timed, node, next) {
        HASH_DEL(self->timed, node);
        free(node);
    }
    buffer_free(&self->text);
    free(self->workers);
    free(self);
    *status = NULL;
}

/* ---- times ---- */

static struct timed_node *meet(struct status *status, const char *name)
{
    struct timed_node *node = NULL;
    HASH_FIND_STR(status->timed, name, node);
    if (node || HASH_COUNT(status->timed) >= STATUS_TIMED_NODES_MAX)
        return node;
    node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    memcpy(node->name, name, sizeof node->name);
    HASH_ADD_STR(status->timed, name, node);
    return node;
}

void status_take_times(struct status *status, const struct message *message)
{
    const struct heartbeat *beat = &message->heartbeat;
    struct timed_node *node = beat->times ? meet(status, message->node) : NULL;
    if (!node)
        return;
    if (beat->uptime < node->uptime)
        node->times = (struct heartbeat_times){0};
#define X(name, ...)                                                           \
    histogram_advance(&status->times.name, &node->times.name,                  \
                      &beat->times->name);
    HEARTBEAT_TIMES(X)
#undef X
    node->times = *beat->times;
    node->uptime = beat->uptime;
}

static json_t *histogram_array(const struct histogram *histogram)
{
    json_t *array = json_array();
    json_array_append_new(array, json_integer(histogram->sum));
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        json_array_append_new(array, json_integer(histogram->counts[i]));
    return array;
}

static json_t *times_object(const struct status *status)
{
    json_t *object = json_object();
#define X(name, ...)                                                           \
    json_object_set_new(object, #name, histogram_array(&status->times.name));
    HEARTBEAT_TIMES(X)
#undef X
    return object;
}

/* ---- nodes ---- */

static json_t *counters_object(const struct heartbeat *beat)
{
    json_t *object = json_object();
#define X(name, ...)                                                           \
    json_object_set_new(object, #name, json_integer(beat->name));
    HEARTBEAT_COUNTERS(X)
#undef X
    return object;
}

static json_t *node_object(const struct node_view *node)
{
    return json_pack(
        "{s:s, s:s, s:I, s:i, s:b, s:b, s:i, s:I, s:I, s:o}", "name",
        node->name, "host", node->host, "pid", (json_int_t)node->pid, "core",
        node->core, "alive", node->alive, "store_waiting", node->store_waiting,
        "held_batches", node->held_batches, "held_keys",
        (json_int_t)node->held_keys, "keys", (json_int_t)node->keys_done,
        "counters", counters_object(&node->last));
}

/* The living first; then, as far as there is room, those that were. */
static json_t *nodes_array(const struct master_core *core)
{
    json_t *array = json_array();
    struct node_view node;
    for (int alive = 1; alive >= 0; alive--)
        for (size_t i = 0; json_array_size(array) < STATUS_NODES_MAX &&
                           master_core_node(core, i, &node);
             i++)
            if (node.alive == alive)
                json_array_append_new(array, node_object(&node));
    return array;
}

/* Of all nodes, also of those that are not named. */
static json_t *sums_object(const struct master_core *core, bool *ret_waiting)
{
    struct heartbeat sums = {0};
    struct node_view node;
    *ret_waiting = false;
    for (size_t i = 0; master_core_node(core, i, &node); i++) {
#define X(name, ...) sums.name += node.last.name;
        HEARTBEAT_COUNTERS(X)
#undef X
        *ret_waiting |= node.alive && node.store_waiting;
    }
    return counters_object(&sums);
}

/* ---- workers and hosts ---- */

static json_t *workers_array(struct status *status,
                             const struct master_core *core)
{
    const struct pipeline *pipeline = status->run.pipeline;
    json_t *array = json_array();
    master_core_workers(core, status->workers);
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker_view *view = &status->workers[i];
        json_array_append_new(
            array,
            json_pack(
                "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:i}", "name",
                pipeline->workers[i].name, "stored", (json_int_t)view->stored,
                "failed", (json_int_t)view->failed, "pending_batches",
                (json_int_t)view->pending_batches, "pending_keys",
                (json_int_t)view->pending_keys, "held_batches",
                (json_int_t)view->held_batches, "held_keys",
                (json_int_t)view->held_keys, "rate", view->rate, "rate_ceiling",
                view->rate_ceiling, "max_in_flight", view->max_in_flight));
    }
    return array;
}

static json_t *holds_array(const struct status *status,
                           const struct master_core *core)
{
    struct hold_view holds[STATUS_HOLDS_MAX];
    size_t n =
        master_core_holds(core, clock_monotonic(), holds, STATUS_HOLDS_MAX);
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            array,
            json_pack("{s:s, s:s, s:I}", "worker",
                      status->run.pipeline->workers[holds[i].worker].name,
                      "host", holds[i].host, "left",
                      (json_int_t)holds[i].left));
    return array;
}

/* ---- the whole ---- */

static json_t *run_object(const struct status *status,
                          const struct master_core *core,
                          const struct status_moment *moment)
{
    const struct status_run *run = &status->run;
    struct master_view view = master_core_view(core);
    json_int_t before = run->stored_before + run->failed_before;
    json_int_t stored = run->stored_before + view.stored;
    json_int_t failed = run->failed_before + view.failed;
    return json_pack(
        "{s:s, s:i, s:s, s:I, s:I, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:I,"
        " s:I, s:I, s:i, s:i}",
        "type", "status", "version", STATUS_VERSION, "ledger_id",
        run->ledger_id, "run", (json_int_t)run->run, "epoch",
        (json_int_t)run->epoch, "host", status->host, "pid",
        (json_int_t)getpid(), "program", WINDROW_VERSION, "state",
        moment->state, "at", (json_int_t)clock_wall(), "started",
        (json_int_t)status->started_at, "stored", stored, "failed", failed,
        "before", before, "open", (json_int_t)moment->open_keys, "nodes_alive",
        view.nodes_alive, "nodes_wanted", moment->nodes_wanted);
}

static int append_text(const char *text, size_t len, void *context)
{
    return buffer_append(context, text, len) ? 0 : -1;
}

static json_t *status_object(struct status *status,
                             const struct master_core *core,
                             const struct status_moment *moment)
{
    bool waiting;
    json_t *object = run_object(status, core, moment);
    json_object_set_new(object, "counters", sums_object(core, &waiting));
    json_object_set_new(object, "waiting", json_boolean(waiting));
    json_object_set_new(object, "workers", workers_array(status, core));
    json_object_set_new(object, "holds", holds_array(status, core));
    json_object_set_new(object, "nodes", nodes_array(core));
    json_object_set_new(object, "times", times_object(status));
    return object;
}

struct slice status_tell(struct status *status, const struct master_core *core,
                         const struct status_moment *moment)
{
    usec_t now = clock_monotonic();
    struct buffer *text = &status->text;
    if (!moment->over && status->told_at &&
        now < status->told_at + STATUS_INTERVAL)
        return (struct slice){0};
    status->told_at = now;
    buffer_clear(text);
    json_t *object = status_object(status, core, moment);
    if (!object || json_dump_callback(object, append_text, text,
                                      JSON_COMPACT | JSON_REAL_PRECISION(9)))
        buffer_clear(text);
    json_decref(object);
    return buffer_slice(text);
}

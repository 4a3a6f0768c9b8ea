/*
 * net_actor.c: see net_actor.h.
 *
 * A message bound for control reaches whichever process has the node's name
 * when it arrives: that is more than ZeroMQ does, and the cores must stand it.
 */
#include "net_actor.h"

#include <stdlib.h>

#include "strangers.h"
#include "world.h"

#define CUT_SHORT (-2)
#define TASK_WAITS_MAX (20 * USEC_PER_SEC) /* then the node is in need, ... */
#define TASKS_IN_VAIN_MAX 8 /* ... if it was given others meanwhile */
#define IN_VAIN_AGAIN (2 * USEC_PER_SEC)
#define TASK_RETRY (20 * USEC_PER_MSEC) /* until the node has connected */

static usec_t net_delay(struct world *world)
{
    const struct scenario *s = world->scenario;
    usec_t most = USEC_PER_MSEC;
    if (s->noise[NOISE_DELAY])
        most = s->net_delay_max * s->noise[NOISE_DELAY] / 1000 + USEC_PER_MSEC;
    /* One in twenty is much later than the rest. */
    if (s->noise[NOISE_DELAY] && random_permille(&world->net_rng, 50))
        most *= 4;
    return random_range(&world->net_rng, 50, most);
}

static struct buffer encode(struct world *world, const struct message *message)
{
    struct buffer text = BUFFER_EMPTY;
    struct error err = ERROR_NONE;
    if (message_encode(message, &text, &err))
        rule_broken(world, "a message can't be encoded: %s", err.text);
    return text;
}

static void cut_short(struct world *world, struct event *event)
{
    if (!random_permille(&world->other_rng,
                         world->scenario->noise[NOISE_CUT_SHORT]))
        return;
    coverage_cause(CAUSE_CUT_SHORT);
    world->outcome->cut_short++;
    event->len =
        (size_t)random_range(&world->other_rng, 0, (int64_t)event->len - 1);
    event->a = CUT_SHORT;
}

/* Puts `text` on its way as `run`, once, twice or not at all; consumes it. */
static void dispatch(struct world *world, struct sim_node *node,
                     struct buffer text, usec_t *last, event_run *run,
                     int master)
{
    const struct scenario *s = world->scenario;
    int copies = 1;
    if (random_permille(&world->net_rng, s->noise[NOISE_LOSS])) {
        copies = 0;
        coverage_cause(CAUSE_LOST);
    } else if (random_permille(&world->net_rng, s->noise[NOISE_DUPLICATE])) {
        copies = 2;
        coverage_cause(CAUSE_DOUBLED);
    }
    usec_t cut = node->cut_until - world->now;
    if (cut > 0 && node->cut_loses)
        copies = 0;
    world->outcome->messages++;
    world->outcome->lost += copies == 0;
    world->outcome->duplicated += copies == 2;
    for (int i = 0; i < copies; i++) {
        usec_t delay = net_delay(world) + (cut > 0 ? cut : 0);
        bool late = random_permille(&world->net_rng, s->noise[NOISE_REORDER]);
        if (world->now + delay < *last) {
            if (late)
                coverage_cause(CAUSE_LATE);
            else
                delay = *last - world->now;
        }
        if (world->now + delay > *last)
            *last = world->now + delay;
        struct event *event = world_after(world, delay, run);
        event->index = node->index;
        event->b = master;
        event->len = text.len;
        event->data = world_alloc(text.len + 1);
        memcpy(event->data, text.data, text.len);
        cut_short(world, event);
    }
    buffer_free(&text);
}

/* False where it came without its end: the shells throw that away. */
static bool decode(struct world *world, const struct event *event,
                   struct arena *arena, struct message *ret)
{
    struct error err = ERROR_NONE;
    struct slice data = {event->data, event->len};
    int status = message_decode(data, arena, ret, &err);
    if (event->a == CUT_SHORT) {
        if (!status)
            rule_broken(world, "a message without its end is taken: %.*s",
                        SLICE_ARGS(data));
        return false;
    }
    if (status && status != ERR_VERSION)
        rule_broken(world, "a message can't be decoded: %s: %.*s", err.text,
                    SLICE_ARGS(data));
    return true;
}

/* What `event` carries goes on in `again`. */
static void hand_over(struct event *event, struct event *again)
{
    again->a = event->a;
    again->b = event->b;
    again->sent = event->sent;
    again->data = event->data;
    again->len = event->len;
    event->data = NULL;
}

static void read_message(struct world *world, struct event *event)
{
    struct arena arena = ARENA_EMPTY;
    struct message message;
    if (decode(world, event, &arena, &message))
        node_receive(world, &world->nodes[event->index], &message);
    arena_free(&arena);
}

static void on_control(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    if (node->alive)
        hand_over(event, world_after_node(world, node, 0, read_message));
}

static void read_report(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    struct arena arena = ARENA_EMPTY;
    struct message message;
    if (decode(world, event, &arena, &message))
        master_receive(world, master, &message);
    arena_free(&arena);
}

static void on_report(struct world *world, struct event *event)
{
    if (world->master < 0)
        return;
    struct sim_master *master = &world->masters[world->master];
    if (master->alive)
        hand_over(event, world_after_master(world, master, 0, read_report));
}

/* `b` is master and socket in one. A socket that was closed is a loss; one
 * that the node has not connected to yet keeps what it holds. */
static void on_task(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    int master = (int)(event->b / 1000), socket = (int)(event->b % 1000);
    struct sim_master *from = &world->masters[master];
    bool connected = node->task_master == master && node->task_socket == socket;
    bool open = from->alive && from->socket_open[node->index] &&
                from->sockets[node->index] == socket;
    if (node->alive && connected) {
        /* The rest of a closed socket may have left it just before. */
        if (open || event->number % 2)
            hand_over(event, world_after_node(world, node, 0, read_message));
        return;
    }
    if (!open || event->a == (int64_t)node->process)
        return; /* closed, or it was in the pipe of a process that died */
    if (world->now - event->sent > TASK_WAITS_MAX &&
        from->in_vain[node->index] > TASKS_IN_VAIN_MAX)
        rule_broken(world, "%s never heard of the socket of its tasks",
                    node->name);
    struct event *again = world_after(world, TASK_RETRY, on_task);
    again->index = event->index;
    hand_over(event, again);
}

int64_t net_batch_of(const struct message *message)
{
    if (message->type == MESSAGE_TASK)
        return message->task.batch;
    if (message->type == MESSAGE_DROP)
        return message->drop.batch;
    return message->type == MESSAGE_REPORT ? message->report.batch : 0;
}

void net_report(struct world *world, struct sim_node *node,
                const struct message *message)
{
    if (message->type == MESSAGE_HEARTBEAT)
        strangers_report(world, node);
    net_deliver_report(world, node, message);
}

void net_deliver_report(struct world *world, struct sim_node *node,
                        const struct message *message)
{
    dispatch(world, node, encode(world, message),
             &world->last_report[node->index], on_report, 0);
}

static int node_index(const struct world *world, const char *name)
{
    for (int i = 0; i < world->scenario->nodes; i++)
        if (!strcmp(world->nodes[i].name, name))
            return i;
    return -1;
}

void net_control(struct world *world, struct sim_master *master,
                 const struct message *message)
{
    if (message->type == MESSAGE_PING)
        strangers_control(world, master);
    net_deliver_control(world, master, message);
}

void net_deliver_control(struct world *world, struct sim_master *master,
                         const struct message *message)
{
    int one = node_index(world, message->node);
    for (int i = 0; i < world->scenario->nodes; i++)
        if (!message->node[0] || i == one)
            dispatch(world, &world->nodes[i], encode(world, message),
                     &world->last_control[i], on_control, master->index);
}

/* Each time that its tasks get lost the node is welcomed anew: that welcome
 * may be lost too, but not each of many. */
static void count_in_vain(struct world *world, struct sim_master *master,
                          int node, bool connected)
{
    if (connected)
        master->in_vain[node] = 0;
    else if (world->now - master->in_vain_at[node] < IN_VAIN_AGAIN)
        return;
    else
        master->in_vain[node]++;
    master->in_vain_at[node] = world->now;
}

void net_task(struct world *world, struct sim_master *master,
              const struct message *message)
{
    int i = node_index(world, message->node);
    if (i < 0 || !master->socket_open[i])
        rule_broken(world, "a task for %s, which has no socket", message->node);
    struct sim_node *node = &world->nodes[i];
    usec_t cut = node->cut_until - world->now;
    usec_t delay = net_delay(world) + (cut > 0 ? cut : 0);
    if (world->now + delay < world->last_task[i])
        delay = world->last_task[i] - world->now;
    world->last_task[i] = world->now + delay;
    struct buffer text = encode(world, message);
    struct event *event = world_after(world, delay, on_task);
    event->index = i;
    bool connected = node->alive && node->task_master == master->index &&
                     node->task_socket == master->sockets[i];
    count_in_vain(world, master, i, connected);
    event->a = connected ? (int64_t)node->process : -1;
    event->b = master->index * 1000 + master->sockets[i];
    event->len = text.len;
    event->data = text.data;
    event->sent = message->type == MESSAGE_TASK ? world->now : USEC_NEVER;
}

void net_endpoint(const struct sim_master *master, int node, char text[64])
{
    snprintf(text, 64, "ipc://sim/%d/%d", master->index, master->sockets[node]);
}

bool net_endpoint_parse(const char *text, int *ret_master, int *ret_socket)
{
    return sscanf(text, "ipc://sim/%d/%d", ret_master, ret_socket) == 2;
}

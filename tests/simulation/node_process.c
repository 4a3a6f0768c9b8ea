/*
 * node_process.c: see node_process.h.
 *
 * The core is given one event at a time, its effects are drained and its own
 * invariants checked before the next. What the simulation knows of a process
 * (its share, its batches) it has from messages and effects alone, never from
 * inside the core.
 */
#include "node_process.h"

#include <inttypes.h>
#include <stdlib.h>

#include "net_actor.h"
#include "world.h"

static void on_tick(struct world *world, struct event *event);

static void plan_tick(struct world *world, struct sim_node *node)
{
    usec_t deadline = node_core_deadline(node->core);
    if (deadline >= node->tick_at)
        return;
    usec_t slack = random_range(&world->node_rng, 0, USEC_PER_MSEC);
    usec_t delay = deadline > world->now ? deadline - world->now : 0;
    struct event *event = world_after_node(world, node, delay + slack, on_tick);
    event->a = deadline;
    node->tick_at = deadline;
}

static void on_tick(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    if (event->a != node->tick_at)
        return; /* an earlier one took its place */
    node->tick_at = USEC_NEVER;
    if (node_core_deadline(node->core) > world->now) {
        plan_tick(world, node);
        return;
    }
    node_feed(world, node, &(struct node_event){.type = NODE_EVENT_TICK});
}

/*
 * Effects
 */

static void add_batch(struct world *world, struct sim_node *node, int64_t batch)
{
    node_forget_batch(node, batch);
    if (node->n_begun == SIM_BEGUN_MAX)
        rule_broken(world, "%s holds %d batches", node->name, SIM_BEGUN_MAX);
    node->begun_at[node->n_begun] = world->now;
    node->begun[node->n_begun++] = batch;
}

void node_forget_batch(struct sim_node *node, int64_t batch)
{
    for (size_t i = 0; i < node->n_begun; i++)
        if (node->begun[i] == batch) {
            node->begun[i] = node->begun[--node->n_begun];
            node->begun_at[i] = node->begun_at[node->n_begun];
            return;
        }
}

static void forget_all(struct sim_node *node)
{
    struct transfer *transfer, *next;
    HASH_ITER (hh, node->transfers, transfer, next) {
        HASH_DEL(node->transfers, transfer);
        free(transfer);
    }
    node->n_begun = 0;
    memset(node->shares, 0, sizeof(node->shares));
}

static void check_heartbeat(struct world *world, const struct sim_node *node,
                            const struct heartbeat *heartbeat)
{
    if (heartbeat->number != node->beats + 1)
        rule_broken(world, "%s: heartbeat %" PRId64 " after %" PRId64,
                    node->name, heartbeat->number, node->beats);
    for (size_t i = 0; i < heartbeat->n_held; i++)
        for (size_t j = 0; j < i; j++)
            if (heartbeat->held[i].batch == heartbeat->held[j].batch)
                rule_broken(world, "%s holds batch %" PRId64 " twice",
                            node->name, heartbeat->held[i].batch);
}

static void send(struct world *world, struct sim_node *node,
                 const struct message *message)
{
    world_log(world, node->name, "sends %s%s%" PRId64,
              message_type_name(message->type),
              message->type == MESSAGE_REPORT ? " of batch " : " as ",
              message->type == MESSAGE_REPORT ? message->report.batch
                                              : message->incarnation);
    if (message->incarnation != node->incarnation) {
        if (message->incarnation < node->incarnation)
            rule_broken(world, "%s: its incarnation shrinks", node->name);
        node->incarnation = message->incarnation;
        node->beats = 0;
        rules_forget_holds(world, node->index);
    }
    if (message->epoch && message->epoch < node->spoken_epoch)
        rule_broken(world, "%s speaks to an older master again", node->name);
    if (message->epoch)
        node->spoken_epoch = message->epoch;
    if (message->type == MESSAGE_HEARTBEAT) {
        check_heartbeat(world, node, &message->heartbeat);
        node->beats = message->heartbeat.number;
        node->beat_sent[node->beats % SIM_BEATS_KEPT] = world->now;
    } else if (message->type == MESSAGE_REPORT) {
        const struct report *report = &message->report;
        node_forget_batch(node, report->batch);
        for (size_t i = 0; i < report->n_children; i++)
            if (report->children[i].kept)
                add_batch(world, node, report->children[i].batch);
    }
    net_report(world, node, message);
}

static void start(struct world *world, struct sim_node *node,
                  const struct node_effect *effect)
{
    struct transfer *transfer = world_alloc(sizeof(*transfer));
    struct transfer *other = NULL;
    transfer->fetch = effect->start.fetch;
    transfer->worker = effect->start.worker->index;
    transfer->n_keys = effect->start.n_keys;
    for (size_t i = 0; i < transfer->n_keys; i++)
        transfer->keys[i] = world_name(world, effect->start.keys[i]);
    transfer->started = world->now;
    transfer->keys_max = effect->start.keys_max;
    transfer->crawl_delay = effect->start.crawl_delay;
    const char *url = world_name(world, effect->start.url);
    transfer->moved = strstr(url, "moved.example") != NULL;
    const char *host = strstr(url, "//");
    host = host ? host + 2 : "";
    snprintf(transfer->host, sizeof(transfer->host), "%.*s",
             (int)strcspn(host, "/"), host);
    HASH_FIND(hh, node->transfers, &transfer->fetch, sizeof(transfer->fetch),
              other);
    if (other)
        rule_broken(world, "%s: two transfers are number %" PRIu64, node->name,
                    transfer->fetch);
    HASH_ADD(hh, node->transfers, fetch, sizeof(transfer->fetch), transfer);
    world_log(world, node->name, "starts %" PRIu64 " key %s and %zu at %s",
              transfer->fetch, transfer->keys[0], transfer->n_keys - 1,
              transfer->host);
    transfer->fresh = web_is_fresh(
        world, ledger_actor_queue(world, transfer->worker), transfer->keys[0]);
    rules_start(world, node, transfer);
    web_ask(world, node, transfer);
}

bool node_transfer_end(struct world *world, struct sim_node *node,
                       uint64_t fetch, usec_t retry_after)
{
    struct transfer *transfer = NULL;
    HASH_FIND(hh, node->transfers, &fetch, sizeof(fetch), transfer);
    if (!transfer)
        return false;
    world_log(world, node->name, "ends %" PRIu64 " key %s", fetch,
              transfer->keys[0]);
    if (retry_after > 0)
        rules_hold(world, node->index, transfer->worker, transfer->host,
                   retry_after);
    HASH_DEL(node->transfers, transfer);
    free(transfer);
    return true;
}

static void effect_exit(struct world *world, struct sim_node *node,
                        const struct node_effect *effect)
{
    world_log(world, node->name, "exits with %d: %s", effect->exit.status,
              effect->exit.why);
    if (!node->may_exit)
        rule_broken(world, "%s exits with %d for no reason: %s", node->name,
                    effect->exit.status, effect->exit.why);
}

static bool carry_out(struct world *world, struct sim_node *node,
                      const struct node_effect *effect)
{
    switch (effect->type) {
    case NODE_EFFECT_SEND:
        send(world, node, &effect->message);
        return true;
    case NODE_EFFECT_START:
        start(world, node, effect);
        return true;
    case NODE_EFFECT_CANCEL:
        if (!node_transfer_end(world, node, effect->cancel, -1))
            rule_broken(world, "%s cancels a transfer that is not there",
                        node->name);
        return true;
    case NODE_EFFECT_CLOSE:
        store_add(world, node, effect->close.id, effect->close.closing);
        return true;
    case NODE_EFFECT_FORGET:
        world_log(world, node->name, "forgets all");
        forget_all(node);
        store_forget(node);
        return true;
    case NODE_EFFECT_EXIT:
        effect_exit(world, node, effect);
        return false;
    }
    rule_broken(world, "an unknown effect of a node");
}

void node_feed(struct world *world, struct sim_node *node,
               const struct node_event *event)
{
    struct error err = ERROR_NONE;
    struct node_effect effect;
    bool goes_on = true;
    if (world->now - node->fed_at > world->scenario->lease)
        node->slept_until = world->now;
    world_core_begins(world);
    int status = node_core_event(node->core, world->now, event, &err);
    if (!world_core_ended(world, node->name) && status)
        rule_broken(world, "%s: an event fails: %s", node->name, err.text);
    while (node_core_effect(node->core, &effect))
        goes_on = carry_out(world, node, &effect) && goes_on;
    node->fed_at = world->now;
    store_let_go(node);
    node_core_check(node->core);
    if (!goes_on) {
        usec_t restart = random_range(&world->node_rng, 1, 3) * USEC_PER_SEC;
        node_die(world, node, DEATH_EXIT,
                 world->finished ? USEC_NEVER : restart);
        return;
    }
    rules_node(world, node);
    if (node_core_deadline(node->core) <= world->now)
        rule_broken(world, "%s: its deadline is not in the future", node->name);
    plan_tick(world, node);
}

static void receive_welcome(struct sim_node *node,
                            const struct message *message)
{
    if (message->incarnation != node->incarnation ||
        message->epoch < node->epoch)
        return;
    int master, socket;
    if (!net_endpoint_parse(message->welcome.task_endpoint, &master, &socket))
        return;
    if (message->epoch > node->epoch)
        memset(node->shares, 0, sizeof(node->shares));
    else if (socket < node->task_socket)
        return;
    node->epoch = message->epoch;
    node->task_master = master;
    node->task_socket = socket;
}

void node_receive(struct world *world, struct sim_node *node,
                  const struct message *message)
{
    world_log(world, node->name, "gets %s of epoch %" PRId64 ", batch %" PRId64,
              message_type_name(message->type), message->epoch,
              net_batch_of(message));
    struct node_event event = {.type = NODE_EVENT_MESSAGE, .message = message};
    bool mine =
        node->epoch > 0 && message->epoch == node->epoch &&
        (!message->incarnation || message->incarnation == node->incarnation);
    if (message->type == MESSAGE_WELCOME) {
        receive_welcome(node, message);
        event.pipeline = world->pipeline;
    } else if (message->type == MESSAGE_REFUSE) {
        if (!node->wrong_db_met)
            rule_broken(world, "%s is refused: %s", node->name,
                        message->refuse.reason);
        node->may_exit = true;
    } else if (message->type == MESSAGE_END && mine) {
        node->may_exit = true;
    } else if (message->type == MESSAGE_TASK && mine) {
        add_batch(world, node, message->task.batch);
    } else if (message->type == MESSAGE_DROP && mine) {
        node_forget_batch(node, message->drop.batch);
    } else if (message->type == MESSAGE_SHARE && mine) {
        rules_share(world, node, &message->share);
    } else if (message->type == MESSAGE_HOLD && mine) {
        rules_hold(world, node->index, message->hold.worker, message->hold.host,
                   message->hold.length);
    }
    node_feed(world, node, &event);
}

/*
 * Birth and death
 */

static void on_start(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    if (!node->gone)
        node_start(world, node);
}

void node_start(struct world *world, struct sim_node *node)
{
    bool master_there =
        world->master >= 0 && world->masters[world->master].alive;
    if (node->alive || node->haunted || node->lost || world->finished ||
        (world->scenario->local && !master_there))
        return;
    node->alive = true;
    node->process++;
    world->rules.processes++;
    node->epoch = 0;
    node->fed_at = world->now;
    node->slept_until = 0;
    node->incarnation = world->now + 1;
    node->beats = node->spoken_epoch = 0;
    node->tick_at = USEC_NEVER;
    node->terminated_at = USEC_NEVER;
    node->may_exit = false;
    node->paused_until = node->slow_until = node->busy_until = 0;
    node->task_master = node->task_socket = -1;
    bool local = world->scenario->local;
    struct node_core_config config = {.name = node->name,
                                      .incarnation = node->incarnation,
                                      .seed = random_next(&world->node_rng),
                                      .ledger_id = LEDGER_ACTOR_ID,
                                      .program = "simulated",
                                      .host = "nowhere",
                                      .pid = (int64_t)node->process + 1,
                                      .core = -1,
                                      .crashed_batches = node->crashed,
                                      .n_crashed = local ? 0 : node->n_crashed,
                                      .serve = world->scenario->serve,
                                      .wall = rules_wall(world)};
    node->core = node_core_new(&config, world->now);
    CHECK(node->core);
    node->n_crashed = 0;
    world_log(world, node->name, "starts as process %u", node->process);
    node_feed(world, node, &(struct node_event){.type = NODE_EVENT_TICK});
}

static void on_exited(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    master_feed(world, master,
                &(struct master_event){
                    .type = MASTER_EVENT_NODE_EXITED,
                    .exited = {world->nodes[event->a].name, event->b}});
}

/* PLANT_NO_TAKEOVER: somebody goes on saying that a dead process lives and
 * holds what it held, so that nobody else is given that. */
static void haunt(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    struct message message = {.type = MESSAGE_HEARTBEAT,
                              .epoch = node->epoch,
                              .incarnation = node->incarnation};
    memcpy(message.node, node->name, sizeof(message.node));
    message.heartbeat.number = ++node->beats;
    message.heartbeat.held = event->data;
    message.heartbeat.n_held = (size_t)event->b;
    net_report(world, node, &message);
    struct event *again = world_after(world, USEC_PER_SEC, haunt);
    again->index = event->index;
    again->b = event->b;
    again->data = event->data;
    event->data = NULL;
}

static void rise_as_ghost(struct world *world, struct sim_node *node)
{
    struct held_batch *held = world_alloc(HEARTBEAT_HELD_MAX * sizeof(*held));
    size_t n = 0;
    for (; n < node->n_begun && n < HEARTBEAT_HELD_MAX; n++) {
        const struct ledger_batch *batch =
            ledger_actor_find(&world->ledger, node->begun[n]);
        held[n] =
            (struct held_batch){batch->number, batch->worker, batch->n_keys};
    }
    node->haunted = true;
    struct event *event = world_after(world, USEC_PER_SEC, haunt);
    event->index = node->index;
    event->b = (int64_t)n;
    event->data = held;
}

void node_die(struct world *world, struct sim_node *node, enum death death,
              usec_t restart)
{
    if (!node->alive)
        return;
    world_log(world, node->name, "dies%s",
              death == DEATH_CRASH ? " of a crash" : "");
    if (world->scenario->plant == PLANT_NO_TAKEOVER && death == DEATH_KILL)
        rise_as_ghost(world, node);
    node->n_crashed = 0;
    if (death == DEATH_CRASH)
        for (size_t i = 0; i < node->n_begun && i < 64; i++)
            node->crashed[node->n_crashed++] = node->begun[i];
    forget_all(node);
    rules_forget_holds(world, node->index);
    store_orphan(world, node);
    node_core_free(&node->core);
    node->alive = false;
    if (world->scenario->local && !node->haunted && world->master >= 0 &&
        world->masters[world->master].alive) {
        struct event *event = world_after_master(
            world, &world->masters[world->master],
            random_range(&world->node_rng, 1, 50) * USEC_PER_MSEC, on_exited);
        event->a = node->index;
        event->b = death == DEATH_CRASH;
    }
    if (restart != USEC_NEVER) {
        /* Never before the master has heard of the death. */
        restart += world->scenario->local ? 60 * USEC_PER_MSEC : 0;
        world_after(world, restart, on_start)->index = node->index;
    }
}

void node_fini(struct sim_node *node)
{
    if (!node->alive)
        return;
    forget_all(node);
    node_core_free(&node->core);
}

/* master_process.c: see master_process.h. */
#include "master_process.h"

#include <inttypes.h>
#include <stdlib.h>

#include "net_actor.h"
#include "world.h"

#define RESUME_AFTER (2 * USEC_PER_SEC) /* a run given up is resumed */
#define NEXT_RUN_AFTER (10 * USEC_PER_SEC)
#define LINGER (2 * USEC_PER_SEC) /* between FINISH and the exit */

/*
 * The ledger's answers
 */

struct page_answer {
    int64_t after;
    bool last;
    size_t n;
    struct batch_row rows[];
};

static bool ledger_fails(struct world *world, struct sim_master *master)
{
    int hiccups = world->scenario->noise[NOISE_LEDGER_HICCUP];
    if (!ledger_actor_is_away(world) &&
        !random_permille(&world->ledger_rng, hiccups))
        return false;
    if (!ledger_actor_is_away(world))
        coverage_cause(CAUSE_HICCUP);
    master->loading = master->looking = false;
    master->asked++;
    world_log(world, master->name, "the ledger is away");
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_LEDGER_AWAY});
    return true;
}

static void give_page(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    struct page_answer *answer = event->data;
    if (event->a != master->asked)
        return;
    master->loading = false;
    for (size_t i = 0; i < answer->n; i++)
        answer->rows[i].keys_json =
            ledger_actor_keys_json(world, answer->rows[i].batch);
    world_log(world, master->name, "page after %" PRId64 ": %zu batches%s",
              answer->after, answer->n, answer->last ? ", the last" : "");
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_PAGE,
                                       .page = {answer->after, answer->rows,
                                                answer->n, answer->last}});
}

static void read_page(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    if (event->a != master->asked || ledger_fails(world, master))
        return;
    const int64_t *load = event->data; /* after, limit */
    size_t limit = (size_t)load[1];
    struct page_answer *answer =
        world_alloc(sizeof(*answer) + limit * sizeof(answer->rows[0]));
    answer->after = load[0];
    answer->n =
        ledger_actor_open(world, master->run, load[0], limit, answer->rows);
    answer->last = answer->n < limit;
    usec_t latency = random_range(&world->ledger_rng, 100, 20000);
    struct event *reply = world_after_master(world, master, latency, give_page);
    reply->a = event->a;
    reply->data = answer;
}

static void give_looks(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    struct batch_look *looks = event->data;
    if (event->a != master->asked)
        return;
    master->looking = false;
    for (int64_t i = 0; i < event->b; i++)
        if (looks[i].state == BATCH_OPEN)
            looks[i].row.keys_json =
                ledger_actor_keys_json(world, looks[i].row.batch);
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_LOOKED,
                                       .looked = {looks, (size_t)event->b}});
}

static void read_looks(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    if (event->a != master->asked || ledger_fails(world, master))
        return;
    const int64_t *batches = event->data;
    struct batch_look *looks = world_alloc((size_t)event->b * sizeof(*looks));
    for (int64_t i = 0; i < event->b; i++)
        ledger_actor_look(world, batches[i], &looks[i]);
    usec_t latency = random_range(&world->ledger_rng, 100, 20000);
    struct event *reply =
        world_after_master(world, master, latency, give_looks);
    reply->a = event->a;
    reply->b = event->b;
    reply->data = looks;
}

static void load(struct world *world, struct sim_master *master,
                 const struct master_effect *effect)
{
    if (master->loading || !effect->load.limit ||
        effect->load.limit > LEDGER_PAGE_MAX)
        rule_broken(world, "two LOADs at once, or of %zu", effect->load.limit);
    master->loading = true;
    int64_t *ask = world_alloc(2 * sizeof(*ask));
    ask[0] = effect->load.after;
    ask[1] = (int64_t)effect->load.limit;
    struct event *event = world_after_master(
        world, master, random_range(&world->ledger_rng, 100, 20000), read_page);
    event->a = master->asked;
    event->data = ask;
}

static void look(struct world *world, struct sim_master *master,
                 const struct master_effect *effect)
{
    if (master->looking || !effect->look.n || effect->look.n > MASTER_LOOK_MAX)
        rule_broken(world, "two LOOKs at once, or of %zu", effect->look.n);
    master->looking = true;
    int64_t *ask = world_alloc(effect->look.n * sizeof(*ask));
    memcpy(ask, effect->look.batches, effect->look.n * sizeof(*ask));
    struct event *event = world_after_master(
        world, master, random_range(&world->ledger_rng, 100, 20000),
        read_looks);
    event->a = master->asked;
    event->b = (int64_t)effect->look.n;
    event->data = ask;
}

/*
 * Other effects
 */

static int node_index(struct world *world, const char *name)
{
    for (int i = 0; i < world->scenario->nodes; i++)
        if (!strcmp(world->nodes[i].name, name))
            return i;
    rule_broken(world, "the master speaks of node %s", name);
}

static void send(struct world *world, struct sim_master *master,
                 struct message *message)
{
    const struct scenario *s = world->scenario;
    world_log(world, master->name, "sends %s to %s, batch %" PRId64,
              message_type_name(message->type),
              message->node[0] ? message->node : "all", net_batch_of(message));
    if (message->epoch != master->epoch && message->type != MESSAGE_REFUSE)
        rule_broken(world, "a message bears epoch %" PRId64, message->epoch);
    adaptive_rules_said(world, master, message);
    if (message->type == MESSAGE_WELCOME) {
        struct welcome *welcome = &message->welcome;
        int node = node_index(world, message->node);
        if (!master->socket_open[node])
            rule_broken(world, "a welcome without a socket for %s",
                        message->node);
        net_endpoint(master, node, master->endpoint);
        welcome->task_endpoint = master->endpoint;
        welcome->pipeline = buffer_slice(&world->yaml);
        welcome->pipeline_path = "simulated.yaml";
        welcome->key_limit = s->key_limit;
        welcome->batch_time = s->batch_time;
        welcome->close_after = s->close_after;
        welcome->database_wait = s->database_wait;
    }
    if (message->type == MESSAGE_TASK || message->type == MESSAGE_DROP)
        net_task(world, master, message);
    else
        net_control(world, master, message);
}

static void on_linger(struct world *world, struct event *event)
{
    master_die(world, &world->masters[event->index]);
}

static void start_next_run(struct world *world, struct event *event)
{
    (void)event;
    if (world->masters[world->master].run != world->run)
        master_start(world, false);
}

/* The run is over: the next one begins when no share of this one's can be in
 * force any more. */
static void end_run(struct world *world)
{
    if (!world->runs_left) {
        world->finished = true;
        return;
    }
    rules_end_run(world);
    ledger_actor_next_run(world);
    web_actor_fini(&world->web);
    /* Nodes forget what they asked of whom. */
    world->rules.processes += world->scenario->nodes;
    world_after(world, NEXT_RUN_AFTER, start_next_run);
}

static void finish(struct world *world, struct sim_master *master, bool paused)
{
    world_after_master(world, master, LINGER, on_linger);
    if (master->run != world->run) {
        world_log(world, master->name, "ends a run that is over");
        return;
    }
    world_log(world, master->name, "%s", paused ? "pauses the run" : "is done");
    if (paused && master->stopped_at == USEC_NEVER)
        rule_broken(world, "the master pauses a run that nobody stopped");
    if (!paused && world->ledger.n_open)
        rule_broken(world, "the master is done, but %zu batches are open",
                    world->ledger.n_open);
    if (!paused)
        end_run(world);
    if (paused && world->master == master->index)
        master_start_after(world, RESUME_AFTER);
}

static void give_up(struct world *world, struct sim_master *master,
                    const char *why)
{
    world_log(world, master->name, "gives up: %s", why);
    if (world->now > world->calm_after + 90 * USEC_PER_SEC &&
        master->run == world->run && world->master == master->index)
        rule_broken(world, "the master gives up with all well: %s", why);
    world_after_master(world, master, LINGER, on_linger);
    if (world->master == master->index)
        master_start_after(world, RESUME_AFTER);
}

static void carry_out(struct world *world, struct sim_master *master,
                      struct master_effect *effect)
{
    int node;
    switch (effect->type) {
    case MASTER_EFFECT_SEND:
        send(world, master, &effect->message);
        break;
    case MASTER_EFFECT_OPEN_NODE:
        node = node_index(world, effect->node);
        master->sockets[node]++;
        master->in_vain[node] = 0;
        master->socket_open[node] = true;
        break;
    case MASTER_EFFECT_CLOSE_NODE:
        world_log(world, master->name, "closes the socket of %s", effect->node);
        master->socket_open[node_index(world, effect->node)] = false;
        break;
    case MASTER_EFFECT_LOAD:
        load(world, master, effect);
        break;
    case MASTER_EFFECT_LOOK:
        look(world, master, effect);
        break;
    case MASTER_EFFECT_FINISH:
        finish(world, master, effect->paused);
        break;
    case MASTER_EFFECT_GIVE_UP:
        give_up(world, master, effect->why);
        break;
    }
}

static void on_tick(struct world *world, struct event *event);

static void plan_tick(struct world *world, struct sim_master *master)
{
    usec_t deadline = master_core_deadline(master->core);
    if (deadline >= master->tick_at)
        return;
    usec_t delay = deadline > world->now ? deadline - world->now : 0;
    world_after_master(world, master, delay, on_tick)->a = deadline;
    master->tick_at = deadline;
}

static void on_tick(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    if (event->a != master->tick_at)
        return;
    master->tick_at = USEC_NEVER;
    if (master_core_deadline(master->core) > world->now) {
        plan_tick(world, master);
        return;
    }
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_TICK});
}

void master_feed(struct world *world, struct sim_master *master,
                 const struct master_event *event)
{
    struct error err = ERROR_NONE;
    struct master_effect effect;
    world_core_begins(world);
    int status = master_core_event(master->core, world->now, event, &err);
    if (!world_core_ended(world, master->name) && status)
        rule_broken(world, "%s: an event fails: %s", master->name, err.text);
    while (master_core_effect(master->core, &effect))
        carry_out(world, master, &effect);
    master_core_check(master->core);
    rules_master(world, master);
    if (master_core_deadline(master->core) <= world->now)
        rule_broken(world, "%s: its deadline is not in the future",
                    master->name);
    plan_tick(world, master);
}

void master_receive(struct world *world, struct sim_master *master,
                    const struct message *message)
{
    world_log(world, master->name, "gets %s of %s, batch %" PRId64,
              message_type_name(message->type), message->node,
              net_batch_of(message));
    adaptive_rules_heard(world, master, message);
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_MESSAGE,
                                       .message = message});
}

/*
 * Birth and death
 */

void master_start(struct world *world, bool resumed)
{
    const struct scenario *s = world->scenario;
    if (world->n_masters == WORLD_MASTERS_MAX)
        rule_broken(world, "%d masters were not enough", WORLD_MASTERS_MAX);
    struct sim_master *master = &world->masters[world->n_masters];
    master->index = world->n_masters++;
    snprintf(master->name, sizeof(master->name), "master%d", master->index);
    master->alive = true;
    master->epoch = master->index + 1;
    master->run = world->run;
    master->tick_at = USEC_NEVER;
    master->stopped_at = USEC_NEVER;
    struct master_core_config config = {.pipeline = world->pipeline,
                                        .ledger_id = LEDGER_ACTOR_ID,
                                        .run = master->run,
                                        .epoch = master->epoch,
                                        .resumed = resumed,
                                        .nodes_expected =
                                            s->local ? s->nodes : 0,
                                        .batch_keys = s->batch_keys,
                                        .heartbeat = s->heartbeat,
                                        .lease = s->lease,
                                        .node_wait = 60 * USEC_PER_SEC,
                                        .speculate_after = s->speculate_after,
                                        .drain_time = 10 * USEC_PER_SEC,
                                        .trust_crash = true};
    master->core = master_core_new(&config, world->now);
    CHECK(master->core);
    world->master = master->index;
    adaptive_rules_begin(world, master);
    world_log(world, master->name, "takes the run");
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_TICK});
    for (int i = 0; s->local && i < s->nodes; i++)
        if (!world->nodes[i].gone)
            node_start(world, &world->nodes[i]);
}

static void on_start(struct world *world, struct event *event)
{
    /* `a` is who had the run when this was planned. */
    if (!world->finished && world->master == (int)event->a)
        master_start(world, true);
}

void master_start_after(struct world *world, usec_t delay)
{
    world_after(world, delay, on_start)->a = world->master;
}

void master_die(struct world *world, struct sim_master *master)
{
    if (!master->alive)
        return;
    world_log(world, master->name, "ends");
    master->alive = false;
    master_core_free(&master->core);
    for (int i = 0; world->scenario->local && i < world->scenario->nodes; i++)
        if (world->master == master->index)
            node_die(world, &world->nodes[i], DEATH_KILL, USEC_NEVER);
}

void master_fini(struct sim_master *master)
{
    if (master->alive)
        master_core_free(&master->core);
}

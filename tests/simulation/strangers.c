/*
 * strangers.c: see strangers.h.
 *
 * What they say would do harm if it were believed: batches closed that are
 * open, children that are not there, the end of a run, a share without limit.
 */
#include "strangers.h"

#include "net_actor.h"
#include "world.h"

static bool comes(struct world *world)
{
    if (!random_permille(&world->other_rng,
                         world->scenario->noise[NOISE_STRANGER]))
        return false;
    coverage_cause(CAUSE_STRANGER);
    world->outcome->strangers++;
    return true;
}

/* Of the batches there are, any one. */
static int64_t some_batch(struct world *world)
{
    return LEDGER_ACTOR_FIRST_BATCH +
           random_range(&world->other_rng, 0,
                        (int64_t)world->ledger.n_batches - 1);
}

static void put_report(struct world *world, struct message *message,
                       struct report_child *child)
{
    *child = (struct report_child){
        .batch = some_batch(world) + 1000000, .n_keys = 3, .kept = true};
    message->type = MESSAGE_REPORT;
    message->report =
        (struct report){.batch = some_batch(world),
                        .outcome = (enum report_outcome)random_range(
                            &world->other_rng, REPORT_CLOSED, REPORT_RETURNED),
                        .stored = 1,
                        .children = child,
                        .n_children = 1};
    if (message->report.outcome != REPORT_CLOSED)
        message->report.n_children = 0;
}

static void put_hello(struct world *world, struct message *message)
{
    bool version = random_permille(&world->other_rng, 500);
    message->type = MESSAGE_HELLO;
    message->epoch = 0;
    message->hello = (struct hello){
        .version = version ? PROTOCOL_VERSION + 1 : PROTOCOL_VERSION,
        .program = "strange",
        .host = "elsewhere",
        .pid = 1,
        .core = -1,
        .ledger_id =
            version ? LEDGER_ACTOR_ID : "ffffffffffffffffffffffffffffffff"};
    snprintf(message->node, sizeof(message->node), "stranger");
}

void strangers_report(struct world *world, struct sim_node *node)
{
    if (!comes(world))
        return;
    struct report_child child;
    struct held_batch held = {some_batch(world), 0, 1};
    struct message message = {.epoch = node->epoch,
                              .incarnation = node->incarnation};
    snprintf(message.node, sizeof(message.node), "%s", node->name);
    switch (random_range(&world->other_rng, 0, 3)) {
    case 0:
        put_hello(world, &message);
        break;
    case 1:
        message.type = MESSAGE_BYE;
        break;
    case 2:
        message.type = MESSAGE_HEARTBEAT;
        message.heartbeat.number = 1;
        message.heartbeat.held = &held;
        message.heartbeat.n_held = 1;
        break;
    default:
        put_report(world, &message, &child);
    }
    if (message.type != MESSAGE_HELLO) {
        int64_t what = random_range(&world->other_rng, 0, 2);
        /* The master may not have heard of the newer life yet: then it may
         * believe the older one, but for this. */
        bool harmful = message.type == MESSAGE_REPORT &&
                       message.report.outcome == REPORT_UNKNOWN;
        if (what == 0 && !harmful)
            message.incarnation--;
        else if (what == 1 && message.epoch > 0)
            message.epoch--;
        else
            snprintf(message.node, sizeof(message.node), "stranger");
    }
    net_deliver_report(world, node, &message);
}

void strangers_control(struct world *world, struct sim_master *master)
{
    if (!comes(world))
        return;
    const struct sim_node *node = &world->nodes[random_range(
        &world->other_rng, 0, world->scenario->nodes - 1)];
    if (node->incarnation == 0)
        return; /* it was never there */
    struct slice key = slice_of("k0");
    struct message message = {.epoch = master->epoch,
                              .incarnation = node->incarnation};
    snprintf(message.node, sizeof(message.node), "%s", node->name);
    /* A node that knows no newer master may believe the older one. */
    if (random_permille(&world->other_rng, 500) && node->epoch == master->epoch)
        message.epoch--;
    else
        message.incarnation--;
    switch (random_range(&world->other_rng, 0, 3)) {
    case 0:
        message.type = MESSAGE_END;
        message.end.reason = "said a stranger";
        break;
    case 1:
        message.type = MESSAGE_DROP;
        message.drop.batch = some_batch(world);
        break;
    case 2:
        message.type = MESSAGE_TASK;
        message.task = (struct task){.batch = some_batch(world),
                                     .worker = 1,
                                     .nodes = 1,
                                     .keys = &key,
                                     .n_keys = 1};
        break;
    default:
        message.type = MESSAGE_SHARE;
        message.share = (struct share){.worker = 1,
                                       .number = 1000000,
                                       .rate = 1000,
                                       .in_flight = 1000,
                                       .valid = 60 * USEC_PER_SEC,
                                       .beat = 1};
    }
    net_deliver_control(world, master, &message);
}

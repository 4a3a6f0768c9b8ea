/*
 * faults.c: see faults.h.
 *
 * After the last fault (calm_after) every node is there, nothing is cut or
 * stands still, and the run must end within a bound: rules.c.
 */
#include "faults.h"

#include "world.h"

/* A master that is killed leaves the run's lease in the ledger, which must
 * run out before another can take the run. */
#define RUN_LEASE (2 * USEC_PER_SEC)
#define LOST_FROM (10 * USEC_PER_SEC)

/* Two faults of a kind at the same time last as long as the longer one. */
static void extend(usec_t *until, usec_t to)
{
    if (to > *until)
        *until = to;
}

/* A process that stands still takes its signals when it wakes. */
static void on_sigterm(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    node->terminated_at = world->now;
    node->may_exit = true;
    node_feed(world, node, &(struct node_event){.type = NODE_EVENT_STOP});
}

/* Some machines never come back; one node is there in the end. */
static void kill_node(struct world *world, struct sim_node *node, usec_t length)
{
    node->lost =
        node->lost || (length > LOST_FROM && node->index > 1 && node->alive);
    node_die(world, node, DEATH_KILL, node->lost ? USEC_NEVER : length);
}

static void kill_master(struct world *world, const struct fault *fault)
{
    struct sim_master *master = &world->masters[world->master];
    if (!master->alive)
        return;
    master_die(world, master);
    master_start_after(world, RUN_LEASE + fault->length);
}

static void on_sigint(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    if (master->stopped_at != USEC_NEVER)
        return;
    master->stopped_at = world->now;
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_STOP});
}

static void lose_lease(struct world *world, struct event *event)
{
    struct sim_master *master = &world->masters[event->index];
    master_feed(world, master,
                &(struct master_event){.type = MASTER_EVENT_LEASE_LOST});
    master_die(world, master);
}

/* Local nodes end with their master, so there it is a plain kill. */
static void take_over(struct world *world, const struct fault *fault)
{
    struct sim_master *master = &world->masters[world->master];
    if (world->scenario->local) {
        kill_master(world, fault);
        return;
    }
    if (!master->alive)
        return;
    usec_t taken = RUN_LEASE + fault->length / 2;
    extend(&master->paused_until, world->now + RUN_LEASE + fault->length);
    master_start_after(world, taken);
    /* It wakes, does what it thinks it must, and then learns. */
    world_after_master(world, master,
                       RUN_LEASE + fault->length + 300 * USEC_PER_MSEC,
                       lose_lease);
}

static void sleep_all(struct world *world, usec_t until)
{
    for (int i = 0; i < world->scenario->nodes; i++)
        extend(&world->nodes[i].paused_until, until);
    for (int i = 0; i < world->n_masters; i++)
        extend(&world->masters[i].paused_until, until);
}

static void happen(struct world *world, struct event *event)
{
    const struct fault *fault = &world->scenario->faults[event->a];
    struct sim_node *node = &world->nodes[fault->node % world->scenario->nodes];
    struct sim_master *master = &world->masters[world->master];
    usec_t until = world->now + fault->length;
    if (world->finished)
        return;
    world_log(world, "fault", "%s %s for %.3f s", fault_type_name(fault->type),
              node->name, (double)fault->length / 1e6);
    world->outcome->faults[fault->type]++;
    coverage_cause(CAUSE_FAULT + (enum cause)fault->type);
    switch (fault->type) {
    case FAULT_KILL:
        kill_node(world, node, fault->length);
        break;
    case FAULT_CRASH:
        node_die(world, node, DEATH_CRASH, fault->length);
        break;
    case FAULT_PAUSE:
        extend(&node->paused_until, until);
        break;
    case FAULT_SLOW:
        extend(&node->slow_until, until);
        break;
    case FAULT_LEAVE:
        if (node->alive)
            world_after_node(world, node, 0, on_sigterm);
        break;
    case FAULT_JOIN:
        node->gone = false;
        node_start(world, node);
        break;
    case FAULT_CUT_LOSING:
    case FAULT_CUT_LATE:
        extend(&node->cut_until, until);
        node->cut_loses = fault->type == FAULT_CUT_LOSING;
        break;
    case FAULT_MASTER_KILL:
        kill_master(world, fault);
        break;
    case FAULT_MASTER_PAUSE:
        extend(&master->paused_until, until);
        break;
    case FAULT_TAKEOVER:
        take_over(world, fault);
        break;
    case FAULT_STOP:
        if (master->alive)
            world_after_master(world, master, 0, on_sigint);
        break;
    case FAULT_LEDGER_AWAY:
        extend(&world->ledger.away_until, until);
        break;
    case FAULT_SLEEP:
        sleep_all(world, until);
        break;
    case FAULT_WRONG_DB:
        /* One node at most: the run needs the others. */
        if (world->scenario->nodes > 1 && !world->nodes[1].lost)
            extend(&world->nodes[0].wrong_db_until, until);
        break;
    case FAULT_TYPE_COUNT:
        break;
    }
}

static void calm(struct world *world, struct event *event)
{
    (void)event;
    world_log(world, "fault", "no more of them");
    for (int i = 0; i < world->scenario->nodes; i++) {
        world->nodes[i].gone = false;
        node_start(world, &world->nodes[i]);
    }
}

void faults_plan(struct world *world)
{
    const struct scenario *s = world->scenario;
    for (size_t i = 0; i < s->n_faults; i++) {
        const struct fault *fault = &s->faults[i];
        if (fault->at == USEC_NEVER)
            continue;
        world_after(world, fault->at, happen)->a = (int64_t)i;
        if (fault->type == FAULT_JOIN)
            world->nodes[fault->node % s->nodes].gone = true;
        usec_t over = world->now + fault->at + fault->length + RUN_LEASE;
        if (over > world->calm_after)
            world->calm_after = over;
    }
    world_after(world, world->calm_after - world->now + 5 * USEC_PER_SEC, calm);
}

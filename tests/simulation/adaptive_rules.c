/* adaptive_rules.c: see adaptive_rules.h. */
#include "adaptive_rules.h"

#include "world.h"

#define START_PART 10
#define STEP_PART 20
#define FLOOR_PART 1000
#define REFUSAL_PAUSE (2 * USEC_PER_SEC) /* refusals within it are one */
#define ROUNDING 1.000001

/* The first step comes three seconds after a refusal. */
#define GROWS_AFTER (2 * USEC_PER_SEC)

static double ceiling_of(const struct world *world, int worker)
{
    return world->pipeline->workers[worker].request.rate;
}

static bool is_adaptive(const struct world *world, int worker)
{
    return worker >= 0 && worker < (int)world->pipeline->n_workers &&
           world->pipeline->workers[worker].request.adaptive;
}

void adaptive_rules_begin(struct world *world, struct sim_master *master)
{
    CHECK(world->pipeline->n_workers <= ADAPTIVE_WORKERS);
    for (int w = 0; w < (int)world->pipeline->n_workers; w++) {
        struct adaptive_rule *rule = &master->adaptive[w];
        rule->most = ceiling_of(world, w) / START_PART;
        rule->since = world->now;
        rule->halved_at = world->now - USEC_PER_SEC - REFUSAL_PAUSE;
    }
}

static double most_now(const struct world *world,
                       const struct adaptive_rule *rule, int worker)
{
    double ceiling = ceiling_of(world, worker);
    double more = world->now > rule->since
                      ? ceiling / STEP_PART * (double)(world->now - rule->since)
                      : 0;
    double most = rule->most + more / 1e6;
    return most < ceiling ? most : ceiling;
}

void adaptive_rules_heard(struct world *world, struct sim_master *master,
                          const struct message *message)
{
    if (message->type != MESSAGE_HOLD ||
        !is_adaptive(world, message->hold.worker) ||
        message->epoch != master->epoch)
        return;
    int worker = message->hold.worker;
    struct adaptive_rule *rule = &master->adaptive[worker];
    const struct sim_node *node = NULL;
    for (int i = 0; i < world->scenario->nodes && !node; i++)
        if (!strcmp(world->nodes[i].name, message->node))
            node = &world->nodes[i];
    if (!node || node->wrong_db_met ||
        message->incarnation != master->welcomed[node->index] ||
        world->now - rule->halved_at < REFUSAL_PAUSE)
        return;
    double before = most_now(world, rule, worker);
    double floor = ceiling_of(world, worker) / FLOOR_PART;
    int i = rule->n_halvings++ % ADAPTIVE_HALVINGS;
    rule->halvings[i].at = rule->halved_at = world->now;
    rule->halvings[i].before = before;
    rule->most = before / 2 > floor ? before / 2 : floor;
    rule->since = world->now + GROWS_AFTER;
}

/* Every share is of the rate as it is; what was granted before a refusal is
 * in force for two leases at most. */
static void check_grant(struct world *world, struct sim_master *master,
                        int node, const struct share *share)
{
    struct adaptive_rule *rule = &master->adaptive[share->worker];
    double most = most_now(world, rule, share->worker), sum = 0;
    usec_t before = world->now - 2 * world->scenario->lease;
    if (share->rate > most * ROUNDING)
        rule_broken(world, "%s grants %g a second, %g may be", master->name,
                    share->rate, most);
    rule->granted[node].rate = share->rate;
    rule->granted[node].at = world->now;
    for (int i = 0; i < ADAPTIVE_HALVINGS; i++)
        if (rule->halvings[i].at > before && rule->halvings[i].before > most)
            most = rule->halvings[i].before;
    for (int i = 0; i < world->scenario->nodes; i++)
        if (world->nodes[i].alive && rule->granted[i].at > before &&
            world->nodes[i].incarnation == master->welcomed[i])
            sum += rule->granted[i].rate;
    if (sum > most * ROUNDING)
        rule_broken(world, "%s has granted %g a second, %g may be",
                    master->name, sum, most);
}

void adaptive_rules_said(struct world *world, struct sim_master *master,
                         const struct message *message)
{
    int node = 0;
    while (node < world->scenario->nodes &&
           strcmp(world->nodes[node].name, message->node) != 0)
        node++;
    if (node == world->scenario->nodes)
        return;
    if (message->type == MESSAGE_WELCOME) {
        if (master->welcomed[node] != message->incarnation)
            for (int w = 0; w < ADAPTIVE_WORKERS; w++)
                master->adaptive[w].granted[node].rate = 0;
        master->welcomed[node] = message->incarnation;
    } else if (message->type == MESSAGE_SHARE &&
               is_adaptive(world, message->share.worker) &&
               !world->outcome->out_of_memory) {
        check_grant(world, master, node, &message->share);
    }
}

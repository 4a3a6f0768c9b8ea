/* rules.c: see rules.h. */
#include "rules.h"

#include <stdlib.h>

#include "world.h"

#define WALL_AT_START (1700000000 * USEC_PER_SEC)
#define HELD_SLACK (300 * USEC_PER_SEC)
#define DRAIN_MAX (120 * USEC_PER_SEC)
#define END_SLACK (3600 * USEC_PER_SEC)

usec_t rules_wall(const struct world *world)
{
    return WALL_AT_START + world->now;
}

/*
 * Budgets
 */

static struct site *site_get(struct world *world, int node, int worker,
                             const char *host)
{
    struct site_id id = {world_name(world, slice_of(host)), worker, node};
    struct site *site = NULL;
    HASH_FIND(hh, world->rules.sites, &id, sizeof(id), site);
    if (!site) {
        site = world_alloc(sizeof(*site));
        site->id = id;
        HASH_ADD(hh, world->rules.sites, id, sizeof(site->id), site);
    }
    return site;
}

void rules_hold(struct world *world, int node, int worker, const char *host,
                usec_t length)
{
    struct site *site = site_get(world, node, worker, host);
    if (world->now + length > site->hold_until)
        site->hold_until = world->now + length;
}

void rules_forget_holds(struct world *world, int node)
{
    struct site *site, *next;
    HASH_ITER (hh, world->rules.sites, site, next)
        if (site->id.node == node)
            site->hold_until = 0;
}

static bool has_budget(const struct worker *worker)
{
    return worker->request.rate > 0 || worker->request.max_in_flight > 0;
}

static bool share_holds(const struct world *world, const struct sim_node *node,
                        int worker)
{
    return node->alive && node->shares[worker].until >= world->now;
}

/* What all nodes may spend together is never more than the budget. */
static void check_shares(struct world *world, const struct worker *worker)
{
    double rate = 0;
    int in_flight = 0;
    for (int i = 0; i < world->scenario->nodes; i++) {
        const struct sim_node *node = &world->nodes[i];
        const struct seen_share *share = &node->shares[worker->index];
        if (!share_holds(world, node, worker->index) || share->in_flight < 0)
            continue;
        if ((worker->request.rate > 0 && share->rate <= 0) ||
            (worker->request.max_in_flight > 0 && share->in_flight == 0))
            rule_broken(world, "%s has a share without limit", node->name);
        rate += share->rate;
        in_flight += share->in_flight;
    }
    if (worker->request.rate > 0 && rate > worker->request.rate * 1.000001)
        rule_broken(world, "the shares of %s add up to %g a second of %g",
                    worker->name, rate, worker->request.rate);
    if (worker->request.max_in_flight > 0 &&
        in_flight > worker->request.max_in_flight)
        rule_broken(world, "the shares of %s add up to %d in flight of %d",
                    worker->name, in_flight, worker->request.max_in_flight);
}

void rules_share(struct world *world, struct sim_node *node,
                 const struct share *share)
{
    struct seen_share *seen = &node->shares[share->worker];
    if (share->number <= seen->number)
        return;
    /* It was sent in answer to a heartbeat, and is void a lease after that. */
    bool known = share->beat > node->beats - SIM_BEATS_KEPT &&
                 share->beat >= 1 && share->beat <= node->beats;
    usec_t from = known ? node->beat_sent[share->beat % SIM_BEATS_KEPT] : 0;
    bool gap = seen->until < world->now;
    *seen = (struct seen_share){.number = share->number,
                                .since = gap ? world->now : seen->since,
                                .until = from + share->valid,
                                .rate = share->rate,
                                .in_flight = share->in_flight};
    world_log(world, node->name, "has share %lld: %g/s, %d in flight",
              (long long)share->number, share->rate, share->in_flight);
    check_shares(world, &world->pipeline->workers[share->worker]);
}

/* What a share let begin counts for half a lease after the share's end, when
 * its node can't be reached: the master counts the share for a lease more. */
static bool share_lingers(const struct world *world,
                          const struct sim_node *node, int worker)
{
    usec_t until = node->shares[worker].until + world->scenario->lease / 2;
    return node->alive && until >= world->now;
}

/* A transfer that outlived that too is not held against the budget. */
static int count_flights(const struct sim_node *node, int worker,
                         const char *host)
{
    int n = 0;
    const struct transfer *transfer, *next;
    HASH_ITER (hh, node->transfers, transfer, next)
        n += transfer->worker == worker &&
             transfer->started >= node->shares[worker].since &&
             !strcmp(transfer->host, host);
    return n;
}

static void check_in_flight(struct world *world, const struct sim_node *node,
                            const struct transfer *transfer, int most)
{
    const struct seen_share *share = &node->shares[transfer->worker];
    int own = count_flights(node, transfer->worker, transfer->host);
    if (own > share->in_flight)
        rule_broken(world, "%s has %d in flight at %s, its share is %d",
                    node->name, own, transfer->host, share->in_flight);
    int all = 0;
    for (int i = 0; i < world->scenario->nodes; i++)
        if (share_lingers(world, &world->nodes[i], transfer->worker))
            all += count_flights(&world->nodes[i], transfer->worker,
                                 transfer->host);
    if (all > most)
        rule_broken(world, "%d are in flight at %s, %d may be", all,
                    transfer->host, most);
}

/* In any window no more starts than rate * window, and one for each process
 * that there ever was: a bucket that leaks at the rate never rises above
 * that. */
static void check_rate(struct world *world, struct bucket *bucket,
                       const char *host, double rate)
{
    double leaked = rate * (double)(world->now - bucket->last) / 1e6;
    bucket->level = bucket->level > leaked ? bucket->level - leaked : 0;
    bucket->level += 1;
    bucket->last = world->now;
    if (bucket->level > (double)world->rules.processes + 1.01)
        rule_broken(world, "%s is asked faster than %g a second", host, rate);
}

void rules_ask(struct world *world, const struct transfer *transfer)
{
    struct site *site = site_get(world, -1, transfer->worker, transfer->host);
    if (transfer->crawl_delay)
        check_rate(world, &site->crawl, transfer->host,
                   1e6 / (double)transfer->crawl_delay);
}

void rules_start(struct world *world, struct sim_node *node,
                 const struct transfer *transfer)
{
    const struct worker *worker = &world->pipeline->workers[transfer->worker];
    const struct seen_share *share = &node->shares[transfer->worker];
    struct site *site =
        site_get(world, node->index, transfer->worker, transfer->host);
    if (world->now < site->hold_until)
        rule_broken(world, "%s asks %s during its hold", node->name,
                    transfer->host);
    if (!has_budget(worker))
        return;
    if (!share_holds(world, node, worker->index) || share->in_flight < 0)
        rule_broken(world, "%s starts without a valid share", node->name);
    if (worker->request.max_in_flight > 0)
        check_in_flight(world, node, transfer, worker->request.max_in_flight);
    if (worker->request.rate > 0 && !transfer->fresh)
        check_rate(world,
                   &site_get(world, -1, transfer->worker, transfer->host)->rate,
                   transfer->host, worker->request.rate);
}

/*
 * After each step
 */

/* What all keys may take together. */
static usec_t work_length(const struct scenario *s)
{
    double asks = (double)s->keys * s->attempts * 2;
    double seconds = asks * (double)s->timeout / 1e6 /
                     (s->in_flight > 0 ? s->in_flight : 10);
    if (s->rate > 0)
        seconds += asks / s->rate * (s->adaptive ? 20 : 1);
    /* The delay is divided as the rate is. */
    seconds += asks * (double)s->crawl_delay / 1e6 * (s->adaptive ? 20 : 1);
    return (usec_t)(seconds * 1e6);
}

void rules_node(struct world *world, struct sim_node *node)
{
    struct node_core_counts counts = node_core_counts(node->core);
    const struct scenario *s = world->scenario;
    size_t flying_max = 0;
    for (size_t i = 0; i < world->pipeline->n_workers; i++)
        flying_max += (size_t)world->pipeline->workers[i].instances;
    if (counts.batches > NODE_BATCHES_MAX + NODE_CLOSINGS_MAX ||
        counts.closings > NODE_CLOSINGS_MAX || counts.flying > flying_max)
        rule_broken(world, "%s holds %zu batches, %zu closings, %zu transfers",
                    node->name, counts.batches, counts.closings, counts.flying);
    if (counts.flying != HASH_COUNT(node->transfers))
        rule_broken(world, "%s counts %zu transfers, there are %u", node->name,
                    counts.flying, HASH_COUNT(node->transfers));
    /* A batch that has not begun waits for its turn past its time. */
    usec_t limit = 2 * s->batch_time + HELD_SLACK + work_length(s);
    for (size_t i = 0; i < node->n_begun; i++)
        if (world->now - node->begun_at[i] > limit)
            rule_broken(world, "%s holds batch %lld for ever", node->name,
                        (long long)node->begun[i]);
    if (node->terminated_at != USEC_NEVER &&
        world->now - node->terminated_at > DRAIN_MAX)
        rule_broken(world, "%s got SIGTERM and does not end", node->name);
}

void rules_master(struct world *world, struct sim_master *master)
{
    struct master_view view = master_core_view(master->core);
    int64_t most = MASTER_WINDOW_MIN + MASTER_PAGE + REPORT_CHILDREN_MAX +
                   (int64_t)world->scenario->nodes * MASTER_WINDOW_PER_NODE;
    if (view.pending_batches > most + MASTER_LOOK_MAX)
        rule_broken(world, "%s keeps %lld batches at hand", master->name,
                    (long long)view.pending_batches);
    if (master->stopped_at != USEC_NEVER &&
        world->now - master->stopped_at > DRAIN_MAX)
        rule_broken(world, "%s got SIGINT and does not end", master->name);
}

usec_t rules_deadline(const struct world *world)
{
    const struct scenario *s = world->scenario;
    return world->calm_after + (END_SLACK + work_length(s)) * s->runs;
}

/*
 * At the end
 */

static void expect_item(struct world *world, int64_t queue, const char *key,
                        size_t *n_items, size_t *n_rows);

/* What follows from a good item of `worker`. */
static void expect_outputs(struct world *world, const struct worker *worker,
                           const char *key, size_t *n_items, size_t *n_rows)
{
    for (size_t i = 0; i < worker->n_output_queues; i++) {
        int queue = worker->output_queues[i];
        const struct worker *next =
            pipeline_consumer(world->pipeline, queue, 0);
        if (next->class != CLASS_STORE) {
            expect_item(world, queue, web_next_key(world, worker, key), n_items,
                        n_rows);
            continue;
        }
        struct item_id id = {key, queue};
        struct ledger_row *row = NULL;
        HASH_FIND(hh, world->ledger.rows, &id, sizeof(id), row);
        if (!row)
            rule_broken(world, "key %s has no row for %s", key, next->name);
        ++*n_rows;
    }
}

/* Asked for a key that several sources give, it counts it once: the second
 * time it has no state to mark, so the caller asks for each key once. */
static void expect_item(struct world *world, int64_t queue, const char *key,
                        size_t *n_items, size_t *n_rows)
{
    enum reason expected = web_expect(world, queue, key);
    const struct ledger_item *item = ledger_actor_item(world, queue, key);
    if (!item)
        rule_broken(world, "key %s never came into queue %d", key, (int)queue);
    if (item->state == ITEM_OPEN)
        rule_broken(world, "key %s of queue %d never ended", key, (int)queue);
    if (item->reason != expected)
        rule_broken(world, "key %s of queue %d ended as \"%s\", not \"%s\"",
                    key, (int)queue, reason_name(item->reason),
                    reason_name(expected));
    ++*n_items;
    if (queue >= 0 && !expected) {
        int worker = world->pipeline->queues[queue].consumers[0];
        expect_outputs(world, &world->pipeline->workers[worker], key, n_items,
                       n_rows);
    }
}

/* Marks the keys that a source's pages hold; the pages are items too. */
static void expect_pages(struct world *world, const struct worker *worker,
                         bool *wanted, size_t *n_items, size_t *n_rows)
{
    const char *page = worker->class == CLASS_SQL ? "0:" : NULL;
    size_t n = page ? 1 : worker->n_input_values;
    for (size_t i = 0; i < n; i++) {
        struct web_page keys = {0};
        char next[32];
        const char *key = page ? page : worker->input_values[i];
        do {
            key = world_name(world, slice_of(key));
            int64_t queue = -1 - worker->index;
            expect_item(world, queue, key, n_items, n_rows);
            if (web_expect(world, queue, key))
                break;
            CHECK(web_page(world, worker, key,
                           (size_t)world->scenario->key_limit, &keys));
            for (int k = keys.from; k < keys.to; k++)
                wanted[k] = true;
            snprintf(next, sizeof(next), "%d:k%d", keys.to, keys.to - 1);
            key = next;
        } while (keys.more);
    }
}

/* Nodes of one run end with it, if its end could be heard. */
static void check_exits(struct world *world)
{
    const struct scenario *s = world->scenario;
    bool heard = !s->serve && !s->noise[NOISE_LOSS] &&
                 !s->noise[NOISE_REORDER] && !s->noise[NOISE_CUT_SHORT] &&
                 !s->noise[NOISE_MEMORY];
    for (int i = 0; i < s->nodes; i++) {
        const struct sim_node *node = &world->nodes[i];
        bool away = node->cut_until > world->finished_at ||
                    node->paused_until > world->finished_at ||
                    node->epoch != world->masters[world->master].epoch;
        if (heard && node->alive && !away)
            rule_broken(world, "%s goes on after the run's end", node->name);
    }
}

void rules_end(struct world *world)
{
    check_exits(world);
    rules_end_run(world);
}

void rules_end_run(struct world *world)
{
    bool wanted[SCENARIO_KEYS_MAX] = {false};
    size_t n_items = 0, n_rows = 0;
    for (size_t i = 0; i < world->pipeline->n_workers; i++) {
        const struct worker *worker = &world->pipeline->workers[i];
        if (worker->class == CLASS_VALUES)
            memset(wanted, true, (size_t)world->scenario->keys);
        else if (worker_class_is_source(worker->class))
            expect_pages(world, worker, wanted, &n_items, &n_rows);
    }
    for (int i = 0; i < SCENARIO_KEYS_MAX; i++) {
        char text[16];
        if (!wanted[i])
            continue;
        snprintf(text, sizeof(text), "k%d", i);
        world->outcome->keys++;
        expect_item(world, 0, world_name(world, slice_of(text)), &n_items,
                    &n_rows);
    }
    if (n_items != HASH_COUNT(world->ledger.items) ||
        n_rows != HASH_COUNT(world->ledger.rows))
        rule_broken(world, "%u keys and %u rows, where %zu and %zu should be",
                    HASH_COUNT(world->ledger.items),
                    HASH_COUNT(world->ledger.rows), n_items, n_rows);
}

void rules_fini(struct rules *rules)
{
    struct site *site, *next;
    HASH_ITER (hh, rules->sites, site, next) {
        HASH_DEL(rules->sites, site);
        free(site);
    }
}

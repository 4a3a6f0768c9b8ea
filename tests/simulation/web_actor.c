/*
 * web_actor.c: see web_actor.h.
 *
 * A key that is bad "for a while" is bad fewer times than a fetcher tries, so
 * it must be stored in the end; each of its bad answers is counted over the
 * whole cluster, so that lost work can only make it good earlier.
 */
#include "web_actor.h"

#include <stdlib.h>

#include "world.h"

#define ROBOTS_LATENCY (100 * USEC_PER_MSEC) /* of a robots.txt, at most */

enum plan_kind { PLAN_GOOD, PLAN_BAD, PLAN_BAD_FIRST, PLAN_MOVED };

struct plan {
    enum plan_kind kind;
    enum reason reason;
    int times; /* PLAN_BAD_FIRST: bad answers before the first good one */
};

struct answer {
    enum fetch_outcome outcome;
    enum reason reason;
    int status;
    usec_t retry_after;
    usec_t crawl_delay;
    struct web_page page;
    const struct worker *worker;
    const char *key;
    usec_t started, due;
};

static const enum reason lasting[] = {
    REASON_NOT_FOUND, REASON_STATUS, REASON_FIELD_MISSING, REASON_FIELD_TYPE,
    REASON_TOO_LARGE, REASON_TLS,    REASON_REDIRECT,      REASON_CONNECT,
    REASON_TIMEOUT,   REASON_CUT,    REASON_STATUS_RETRY,  REASON_NOT_JSON,
    REASON_REFUSED};
static const enum reason passing[] = {
    REASON_CONNECT,  REASON_CUT,      REASON_STATUS_RETRY, REASON_TIMEOUT,
    REASON_NOT_JSON, REASON_INTERNAL, REASON_DNS,          REASON_CONNECT,
    REASON_CUT,      REASON_REFUSED};
#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static struct rng key_stream(const struct world *world, uint64_t what,
                             int64_t queue, const char *key)
{
    uint64_t seed = world->scenario->seed * 1000003 + what;
    return (struct rng){random_hash_text(seed + (uint64_t)(queue + 100), key)};
}

static const struct worker *queue_worker(const struct world *world,
                                         int64_t queue)
{
    const struct pipeline *pipeline = world->pipeline;
    return queue < 0 ? &pipeline->workers[-1 - queue]
                     : &pipeline->workers[pipeline->queues[queue].consumers[0]];
}

static struct plan plan_source(const struct world *world,
                               const struct worker *worker, struct rng *rng)
{
    struct plan plan = {.kind = PLAN_GOOD};
    if (!random_permille(rng, world->scenario->noise[NOISE_SOURCE]))
        return plan;
    plan.kind = random_permille(rng, 300) ? PLAN_BAD : PLAN_BAD_FIRST;
    plan.reason = plan.kind == PLAN_BAD ? REASON_NO_TABLE : REASON_CONNECT;
    plan.times = 1;
    if (worker->class == CLASS_SQL) {
        plan.kind = PLAN_BAD;
        plan.reason = REASON_QUERY;
    }
    return plan;
}

static struct plan plan_of(const struct world *world, int64_t queue,
                           const char *key)
{
    const struct scenario *s = world->scenario;
    const struct worker *worker = queue_worker(world, queue);
    struct rng rng = key_stream(world, 1, queue, key);
    if (queue < 0)
        return plan_source(world, worker, &rng);
    struct plan plan = {.kind = PLAN_GOOD};
    bool bad = random_permille(&rng, s->noise[NOISE_WEB_PERMANENT]);
    bool first = random_permille(&rng, s->noise[NOISE_WEB_TRANSIENT]);
    bool moved = random_permille(&rng, s->noise[NOISE_WEB_REDIRECT]);
    int last = random_permille(&rng, 150) ? 1 : 2; /* few refusals: slow */
    if (bad) {
        plan.kind = PLAN_BAD;
        plan.reason = lasting[random_range(&rng, 0, COUNT(lasting) - last)];
    } else if (first && worker->request.attempts > 1) {
        plan.kind = PLAN_BAD_FIRST;
        plan.reason = passing[random_range(&rng, 0, COUNT(passing) - last)];
        if (s->refusals)
            plan.reason = REASON_REFUSED;
        plan.times = (int)random_range(&rng, 1, worker->request.attempts - 1);
    } else if (moved) {
        plan.kind = PLAN_MOVED;
    }
    return plan;
}

/* Keys are k0, k1, ...: whether this one is among the `n` chosen ones. */
static bool is_chosen(const struct world *world, uint64_t what, int n,
                      const char *key)
{
    struct rng rng = random_stream(world->scenario->seed, what);
    int number = atoi(key + strspn(key, "kx"));
    for (int i = 0; i < n; i++)
        if (random_range(&rng, 0, world->scenario->keys - 1) == number)
            return true;
    return false;
}

bool web_data_refused(const struct world *world, const char *key)
{
    return is_chosen(world, 11, world->scenario->noise[NOISE_DATA], key);
}

bool web_is_poison(const struct world *world, int64_t queue, const char *key)
{
    return queue == 0 &&
           is_chosen(world, 12, world->scenario->noise[NOISE_POISON], key);
}

static bool is_stored(const struct world *world, const struct worker *worker)
{
    for (size_t i = 0; i < worker->n_output_queues; i++) {
        int queue = worker->output_queues[i];
        const struct worker *next =
            pipeline_consumer(world->pipeline, queue, 0);
        if (next->class == CLASS_STORE)
            return true;
    }
    return false;
}

enum reason web_expect(struct world *world, int64_t queue, const char *key)
{
    if (web_is_poison(world, queue, key))
        return REASON_KILLED_NODE;
    struct plan plan = plan_of(world, queue, key);
    if (plan.kind == PLAN_BAD)
        return plan.reason;
    if (queue >= 0 && is_stored(world, queue_worker(world, queue)) &&
        web_data_refused(world, key))
        return REASON_DATABASE;
    return REASON_NONE;
}

const char *web_next_key(struct world *world, const struct worker *worker,
                         const char *key)
{
    if (worker_field(worker, "key") < 0)
        return key;
    char text[64];
    int len = snprintf(text, sizeof(text), "x%s", key);
    return world_name(world, (struct slice){text, (size_t)len});
}

usec_t web_crawl_delay(const struct world *world, const char *host)
{
    usec_t most = world->scenario->crawl_delay;
    struct rng rng = {random_hash_text(world->scenario->seed + 13, host)};
    if (!most || random_permille(&rng, 250))
        return 0;
    return random_range(&rng, USEC_PER_MSEC, most);
}

void web_price(const char *key, char text[32])
{
    uint64_t hash = random_hash_text(5, key);
    snprintf(text, 32, "%u.%02u", (unsigned)(hash % 10000),
             (unsigned)(hash >> 32) % 100);
}

bool web_page(const struct world *world, const struct worker *worker,
              const char *key, size_t keys_max, struct web_page *ret)
{
    int n = world->scenario->keys;
    *ret = (struct web_page){.from = 0, .to = n};
    size_t len = strlen(key);
    if (worker->class == CLASS_SQL) {
        char *colon;
        ret->from = (int)strtol(key, &colon, 10);
        char expected[32] = "";
        if (ret->from > 0)
            snprintf(expected, sizeof(expected), "k%d", ret->from - 1);
        if (*colon != ':' || strcmp(colon + 1, expected) || ret->from > n)
            return false;
        int page = 1 + (int)(world->scenario->seed % 50);
        ret->to = ret->from + page < n ? ret->from + page : n;
        ret->more = ret->to < n;
    } else if (key[len - 1] == 'b') {
        ret->from = n / 3; /* the second list shares two thirds */
    } else if (key[len - 1] == 'a' &&
               (worker->n_input_values > 1 ||
                world->pipeline->workers[1].class == CLASS_JSON_LIST)) {
        ret->to = n - n / 4;
    }
    if (keys_max && (size_t)(ret->to - ret->from) > keys_max) {
        ret->to = ret->from + (int)keys_max;
        ret->more = false;
    }
    return true;
}

/*
 * Answers
 */

/* A process that stood still finds its timers fired before it looks at what
 * has come meanwhile, and its connections closed by the sites: a good answer
 * is a time-out to it, or a cut. Only after more than a lease, from when on
 * the core must not believe that. */
static void oversleep(const struct world *world, const struct sim_node *node,
                      struct answer *answer)
{
    if (world->now - node->fed_at <= world->scenario->lease &&
        answer->due >= node->slept_until)
        return;
    bool timed_out =
        world->now - answer->started >= answer->worker->request.timeout;
    answer->outcome = FETCH_FAILED;
    answer->reason = timed_out ? REASON_TIMEOUT : REASON_CUT;
    answer->status = 0;
    answer->retry_after = -1;
}

static void give_answer(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    struct answer *answer = event->data;
    uint64_t fetch = (uint64_t)event->a;
    oversleep(world, node, answer);
    /* A cancelled transfer's answer may be on its way already: now and then
     * the core is given it all the same. */
    bool late = !node_transfer_end(world, node, fetch, answer->retry_after);
    if (late && event->number % 8)
        return;
    struct fetched fetched = {.fetch = fetch,
                              .outcome = answer->outcome,
                              .wall = rules_wall(world),
                              .reason = answer->reason,
                              .http_status = answer->status,
                              .retry_after = answer->retry_after,
                              .crawl_delay = answer->crawl_delay,
                              .more = answer->page.more,
                              .url = slice_of("http://moved.example/x")};
    char price[32];
    struct slice fields[2];
    web_price(answer->key, price);
    fields[0] = fields[1] = slice_of(price);
    int key_field = worker_field(answer->worker, "key");
    if (key_field >= 0)
        fields[key_field] =
            slice_of(web_next_key(world, answer->worker, answer->key));
    fetched.fields = fields;
    size_t n = (size_t)(answer->page.to - answer->page.from);
    char *texts = world_alloc(n * 16 + 1);
    struct slice *keys = world_alloc((n + 1) * sizeof(*keys));
    for (size_t i = 0; i < n; i++) {
        char *text = texts + i * 16;
        snprintf(text, 16, "k%d", answer->page.from + (int)i);
        keys[i] = slice_of(text);
    }
    fetched.keys = keys;
    fetched.n_keys = n;
    node_feed(
        world, node,
        &(struct node_event){.type = NODE_EVENT_FETCHED, .fetched = fetched});
    free(texts);
    free(keys);
}

static int times_asked(struct world *world, int64_t queue, const char *key)
{
    struct item_id id = {key, queue};
    struct asked *asked = NULL;
    HASH_FIND(hh, world->web.asked, &id, sizeof(id), asked);
    if (!asked) {
        asked = world_alloc(sizeof(*asked));
        asked->id = id;
        HASH_ADD(hh, world->web.asked, id, sizeof(asked->id), asked);
    }
    return asked->times++;
}

static void fail(struct answer *answer, enum reason reason, struct rng *rng)
{
    answer->outcome = FETCH_FAILED;
    answer->reason = reason;
    coverage_cause(CAUSE_BAD_ANSWER);
    if (reason == REASON_REFUSED) {
        answer->status = 429;
        if (random_permille(rng, 700))
            answer->retry_after = random_range(rng, 0, 2000) * USEC_PER_MSEC;
    } else if (reason == REASON_NOT_FOUND) {
        answer->status = 404;
    } else if (reason == REASON_STATUS_RETRY) {
        answer->status = 503;
    }
}

static void poisoned(struct world *world, struct event *event)
{
    world->outcome->poisoned++;
    coverage_cause(CAUSE_POISON);
    node_die(world, &world->nodes[event->index], DEATH_CRASH,
             random_range(&world->node_rng, 100, 1500) * USEC_PER_MSEC);
}

/* What the site says to a request, and after how long. */
static usec_t make_answer(struct world *world, const struct transfer *transfer,
                          struct answer *answer)
{
    const struct scenario *s = world->scenario;
    const struct worker *worker = answer->worker;
    int64_t queue = ledger_actor_queue(world, transfer->worker);
    /* The second request after a redirect is no new try. */
    int times =
        transfer->moved ? 1000 : times_asked(world, queue, transfer->key);
    struct plan plan = plan_of(world, queue, transfer->key);
    struct rng rng =
        key_stream(world, 20 + (uint64_t)times, queue, transfer->key);
    usec_t latency = random_range(&rng, USEC_PER_MSEC, s->latency_max);
    if (random_permille(&rng, s->noise[NOISE_WEB_SLOW]))
        latency = random_range(&rng, latency, s->timeout * 9 / 10);
    bool bad = plan.kind == PLAN_BAD ||
               (plan.kind == PLAN_BAD_FIRST && times < plan.times);
    bool moves = bad ? plan.reason == REASON_REDIRECT
                     : plan.kind == PLAN_MOVED && !transfer->moved;
    if (moves)
        answer->outcome = FETCH_REDIRECT;
    else if (bad)
        fail(answer, plan.reason, &rng);
    else if (queue < 0)
        answer->outcome = FETCH_KEYS;
    if (answer->outcome == FETCH_KEYS &&
        !web_page(world, worker, transfer->key, transfer->keys_max,
                  &answer->page))
        rule_broken(world, "a source was asked for page %s", transfer->key);
    return answer->reason == REASON_TIMEOUT ? worker->request.timeout : latency;
}

/* Whether the node has the host's robots.txt, and keeps to it: else it reads
 * that first. */
static bool is_polite(struct world *world, const struct worker *worker,
                      const struct transfer *transfer, struct answer *answer)
{
    if (!worker->request.robots)
        return true;
    answer->crawl_delay = web_crawl_delay(world, transfer->host);
    if (answer->crawl_delay == transfer->crawl_delay)
        return true;
    answer->outcome = FETCH_AGAIN;
    return false;
}

void web_ask(struct world *world, struct sim_node *node,
             struct transfer *transfer)
{
    int64_t queue = ledger_actor_queue(world, transfer->worker);
    const struct worker *worker = &world->pipeline->workers[transfer->worker];
    usec_t latency = random_range(&world->other_rng, 50, ROBOTS_LATENCY);
    struct answer *answer = world_alloc(sizeof(*answer));
    *answer = (struct answer){.outcome = FETCH_RECORD,
                              .retry_after = -1,
                              .status = 200,
                              .worker = worker,
                              .key = transfer->key};
    world->outcome->asked++;
    if (is_polite(world, worker, transfer, answer)) {
        rules_ask(world, transfer);
        if (web_is_poison(world, queue, transfer->key)) {
            world_after_node(world, node, 3 * USEC_PER_MSEC, poisoned);
            free(answer);
            return;
        }
        latency = make_answer(world, transfer, answer);
    }
    struct event *event = world_after_node(world, node, latency, give_answer);
    event->a = (int64_t)transfer->fetch;
    event->data = answer;
    answer->started = world->now;
    answer->due = event->at;
}

void web_actor_fini(struct web_actor *web)
{
    struct asked *asked, *next;
    HASH_ITER (hh, web->asked, asked, next) {
        HASH_DEL(web->asked, asked);
        free(asked);
    }
    web->asked = NULL;
}

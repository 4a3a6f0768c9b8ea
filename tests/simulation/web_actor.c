/*
 * web_actor.c: see web_actor.h. What is to become of each key, web_plan.c says.
 *
 * Each answer to a key is counted over the whole cluster, so that lost work can
 * only make one good earlier that is bad for a while.
 */
#include "web_actor.h"

#include <stdlib.h>

#include "web_plan.h"
#include "world.h"

#define ROBOTS_LATENCY (100 * USEC_PER_MSEC) /* of a robots.txt, at most */

struct answer {
    enum fetch_outcome outcome;
    enum reason reason;
    int status;
    usec_t retry_after;
    usec_t crawl_delay;
    bool unasked;
    struct web_page page;
    const struct worker *worker;
    const char *keys[PIPELINE_REQUEST_KEYS_MAX];
    size_t n_keys;
    bool in_parts; /* each key has its own end, of these: */
    enum reason reasons[PIPELINE_REQUEST_KEYS_MAX];
    usec_t started, due;
};

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
    answer->unasked = false;
    answer->outcome = FETCH_FAILED;
    answer->in_parts = false;
    answer->reason = timed_out ? REASON_TIMEOUT : REASON_CUT;
    answer->status = 0;
    answer->retry_after = -1;
}

/* The end of a record's key. */
static void feed_record(struct world *world, struct sim_node *node,
                        const struct answer *answer, const char *key,
                        struct fetched fetched)
{
    char price[32];
    struct slice fields[2];
    web_price(key, price);
    fields[0] = fields[1] = slice_of(price);
    int key_field = worker_field(answer->worker, "key");
    if (key_field >= 0)
        fields[key_field] = slice_of(web_next_key(world, answer->worker, key));
    fetched.fields = fields;
    char url[64];
    snprintf(url, sizeof(url), "http://h/%s", key);
    struct last_answer last = {.url = slice_of(url), .etag = slice_of(price)};
    int64_t queue = ledger_actor_queue(world, answer->worker->index);
    if (web_is_remembered(world, queue, key) ||
        (queue >= 0 && web_plan(world, queue, key).kind == PLAN_MOVED))
        fetched.answer = &last;
    node_feed(
        world, node,
        &(struct node_event){.type = NODE_EVENT_FETCHED, .fetched = fetched});
}

static void feed_keys(struct world *world, struct sim_node *node,
                      const struct answer *answer, struct fetched fetched)
{
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

/* As the shell does: those that are waited for, one after another. With the
 * last one the transfer is over. */
static void feed_parts(struct world *world, struct sim_node *node,
                       const struct answer *answer, struct fetched fetched)
{
    struct slice keys[PIPELINE_REQUEST_KEYS_MAX];
    unsigned nth[PIPELINE_REQUEST_KEYS_MAX], left[PIPELINE_REQUEST_KEYS_MAX];
    uint32_t process = node->process;
    size_t n = node_core_asked(node->core, fetched.fetch, keys, nth);
    for (size_t i = 0; i < n && node->alive && node->process == process; i++) {
        if (node_core_asked(node->core, fetched.fetch, keys, left) == 1)
            node_transfer_end(world, node, fetched.fetch, -1);
        fetched.nth = nth[i];
        fetched.reason = answer->reasons[nth[i] - 1];
        fetched.outcome = fetched.reason ? FETCH_FAILED : FETCH_RECORD;
        feed_record(world, node, answer, answer->keys[nth[i] - 1], fetched);
    }
}

static void give_answer(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    struct answer *answer = event->data;
    oversleep(world, node, answer);
    struct fetched fetched = {.fetch = (uint64_t)event->a,
                              .outcome = answer->outcome,
                              .wall = rules_wall(world),
                              .reason = answer->reason,
                              .http_status = answer->status,
                              .retry_after = answer->retry_after,
                              .crawl_delay = answer->crawl_delay,
                              .more = answer->page.more,
                              .unasked = answer->unasked,
                              .url = slice_of("http://moved.example/x")};
    if (answer->in_parts) {
        feed_parts(world, node, answer, fetched);
        return;
    }
    /* A cancelled transfer's answer may be on its way already: now and then
     * the core is given it all the same. */
    bool late =
        !node_transfer_end(world, node, fetched.fetch, answer->retry_after);
    if (late && event->number % 8)
        return;
    if (answer->outcome == FETCH_KEYS)
        feed_keys(world, node, answer, fetched);
    else
        feed_record(world, node, answer, answer->keys[0], fetched);
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

/* How often it was asked for; the second request after a redirect is no new
 * try. */
static int times_of(struct world *world, const struct transfer *transfer,
                    int64_t queue, size_t key)
{
    if (transfer->moved)
        return 1000;
    return times_asked(world, queue, transfer->keys[key]);
}

static bool is_bad(struct plan plan, int times)
{
    return plan.kind == PLAN_BAD ||
           (plan.kind == PLAN_BAD_FIRST && times < plan.times);
}

static bool is_moved(struct plan plan, int times,
                     const struct transfer *transfer)
{
    return is_bad(plan, times) ? plan.reason == REASON_REDIRECT
                               : plan.kind == PLAN_MOVED && !transfer->moved;
}

static usec_t latency_of(const struct scenario *s, struct rng *rng)
{
    usec_t latency = random_range(rng, USEC_PER_MSEC, s->latency_max);
    if (random_permille(rng, s->noise[NOISE_WEB_SLOW]))
        latency = random_range(rng, latency, s->timeout * 9 / 10);
    return latency;
}

/* What the site says to a request for one key, or for a page. */
static usec_t answer_one(struct world *world, const struct transfer *transfer,
                         struct answer *answer)
{
    int64_t queue = ledger_actor_queue(world, transfer->worker);
    const char *key = transfer->keys[0];
    int times = times_of(world, transfer, queue, 0);
    struct plan plan = web_plan(world, queue, key);
    struct rng rng = web_stream(world, 20 + (uint64_t)times, queue, key);
    usec_t latency = latency_of(world->scenario, &rng);
    if (is_moved(plan, times, transfer))
        answer->outcome = FETCH_REDIRECT;
    else if (is_bad(plan, times))
        fail(answer, plan.reason, &rng);
    else if (queue < 0)
        answer->outcome = FETCH_KEYS;
    if (answer->outcome == FETCH_KEYS &&
        !web_page(world, answer->worker, key, transfer->keys_max,
                  &answer->page))
        rule_broken(world, "a source was asked for page %s", key);
    return latency;
}

/* What it says to one for several keys: to all of them, or of each. What fails
 * and passes for no key's sake does so when all are new, so that each has tries
 * enough for its own plan. */
static void answer_several(struct world *world, const struct transfer *transfer,
                           struct answer *answer, struct rng *rng)
{
    int64_t queue = ledger_actor_queue(world, transfer->worker);
    bool all_new = answer->worker->request.attempts > 1, moved = false;
    enum reason for_all = REASON_NONE;
    for (size_t i = 0; i < transfer->n_keys; i++) {
        struct plan plan = web_plan(world, queue, transfer->keys[i]);
        int times = times_of(world, transfer, queue, i);
        all_new &= times == 0;
        moved |= is_moved(plan, times, transfer);
        if (web_fails_all(world, queue, transfer->keys[i], plan))
            for_all = plan.reason;
        if (is_bad(plan, times))
            answer->reasons[i] = plan.reason;
    }
    if (moved)
        answer->outcome = FETCH_REDIRECT;
    else if (all_new &&
             random_permille(rng, world->scenario->noise[NOISE_WEB_TRANSIENT]))
        fail(answer, web_passing(rng), rng);
    else if (for_all)
        fail(answer, for_all, rng);
    else
        answer->in_parts = true;
}

/* What the site says to a request, and after how long. */
static usec_t make_answer(struct world *world, const struct transfer *transfer,
                          struct answer *answer)
{
    const struct scenario *s = world->scenario;
    const struct request *request = &answer->worker->request;
    usec_t latency;
    if (request->keys_per_request) {
        struct rng rng = {random_hash_text(
            s->seed + (uint64_t)world->outcome->asked, transfer->keys[0])};
        latency = latency_of(s, &rng);
        answer_several(world, transfer, answer, &rng);
    } else {
        latency = answer_one(world, transfer, answer);
    }
    return answer->reason == REASON_TIMEOUT ? request->timeout : latency;
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

static bool has_poison(const struct world *world, int64_t queue,
                       const struct transfer *transfer)
{
    for (size_t i = 0; i < transfer->n_keys; i++)
        if (web_is_poison(world, queue, transfer->keys[i]))
            return true;
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
                              .n_keys = transfer->n_keys};
    memcpy(answer->keys, transfer->keys, sizeof(answer->keys));
    world->outcome->asked += !transfer->fresh;
    answer->unasked = transfer->fresh;
    if (!transfer->fresh && is_polite(world, worker, transfer, answer)) {
        rules_ask(world, transfer);
        if (has_poison(world, queue, transfer)) {
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

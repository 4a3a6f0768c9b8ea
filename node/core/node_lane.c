/*
 * node_lane.c: who may ask a host when.
 *
 * Each worker has a ring of lanes that have keys ready; they are served in
 * turn, one start each, so that a host with many keys does not starve the
 * others. A lane that may not start leaves the ring until its timer, a
 * transfer's end, or a share brings it back; so a turn costs what it starts,
 * not what waits.
 *
 * The budget: where the worker has one, nothing starts without a valid share.
 * Its rate is a token bucket of one request; above 200 a second, of what
 * RATE_TURN brings, since then the turns of the loop, not the bucket, would
 * set the pace. Every start counts: retries and redirects too.
 */
#include "core/node_internal.h"

#define NEVER_SPENT (INT64_MIN / 4)

static void set_state(struct lane *lane, enum lane_state state)
{
    struct crew *crew = lane->crew;
    CHECK(lane->state != state);
    CHECK((lane->slots != NULL) == (state != LANE_IDLE));
    if (lane->state == LANE_READY)
        DL_DELETE2(crew->ring, lane, ring_prev, ring_next);
    if (state == LANE_READY)
        DL_APPEND2(crew->ring, lane, ring_prev, ring_next);
    TRANSITION("lane", lane->state, state);
    lane->state = state;
}

static void wake(struct node_core *core, struct lane *lane)
{
    if (lane->state != LANE_TIMED && lane->state != LANE_BLOCKED)
        return;
    node_timer_clear(&core->timers, &lane->timer);
    set_state(lane, LANE_READY);
}

static usec_t interval(double rate)
{
    double us = (double)USEC_PER_SEC / rate;
    return us < 1e15 ? (usec_t)us : (usec_t)1e15;
}

/* Between two starts at the lane's host, by a rate for each host. */
static usec_t pause_at(const struct lane *lane, double rate)
{
    usec_t pause = rate > 0 ? interval(rate) : 0;
    if (!lane->crawl_delay)
        return pause;
    double part = rate / lane->crew->worker->request.rate;
    double one_in = (double)USEC_PER_SEC / (double)lane->crawl_delay;
    usec_t crawl = interval(one_in * part);
    return pause > crawl ? pause : crawl;
}

/* Lanes in memory */

static size_t bucket_of(struct slice host)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < host.len; i++)
        hash = (hash ^ (unsigned char)host.data[i]) * 16777619u;
    return hash % LANE_BUCKETS;
}

static struct lane *lane_new(struct node_core *core, struct crew *crew,
                             struct slice host)
{
    struct lane *lane = calloc(1, sizeof *lane + host.len + 1);
    if (!lane) {
        core->no_memory = true;
        return NULL;
    }
    lane->crew = crew;
    lane->timer.kind = TIMER_LANE;
    lane->spent = lane->hold_until = lane->hold_sent = NEVER_SPENT;
    if (host.len)
        memcpy(lane->host, host.data, host.len);
    DL_APPEND(crew->lanes, lane);
    crew->n_lanes++;
    return lane;
}

static bool is_idle(const struct node_core *core, const struct lane *lane)
{
    const struct crew *crew = lane->crew;
    double rate =
        crew->share_rate > 0 ? crew->share_rate : crew->worker->request.rate;
    return lane->state == LANE_IDLE && lane->in_flight == 0 &&
           lane->hold_until <= core->now &&
           lane->spent + pause_at(lane, rate) <= core->now &&
           lane != crew->fixed && lane != crew->overflow;
}

static void evict(struct crew *crew, struct lane *lane)
{
    struct lane **link = &crew->buckets[bucket_of(slice_of(lane->host))];
    while (*link != lane)
        link = &(*link)->bucket_next;
    *link = lane->bucket_next;
    DL_DELETE(crew->lanes, lane);
    crew->n_lanes--;
    free(lane);
}

/* Room for one more lane: false where all of NODE_LANES_MAX have a state that
 * must be remembered. */
static bool make_room(struct node_core *core, struct crew *crew)
{
    if (crew->n_lanes < NODE_LANES_MAX)
        return true;
    struct lane *lane;
    DL_FOREACH (crew->lanes, lane) {
        if (is_idle(core, lane)) {
            evict(crew, lane);
            return true;
        }
    }
    return false;
}

struct lane *node_lane_get(struct node_core *core, struct crew *crew,
                           struct slice host)
{
    struct lane **bucket = &crew->buckets[bucket_of(host)];
    for (struct lane *lane = *bucket; lane; lane = lane->bucket_next)
        if (slice_equal(slice_of(lane->host), host))
            return lane;
    if (!make_room(core, crew)) {
        /* One budget for all the rest: less than is allowed, never more. */
        if (!crew->overflow)
            crew->overflow = lane_new(core, crew, slice_of("*"));
        return crew->overflow;
    }
    struct lane *lane = lane_new(core, crew, host);
    if (lane) {
        lane->bucket_next = *bucket;
        *bucket = lane;
    }
    return lane;
}

/* Crews */

static bool can_work(enum worker_class class)
{
    return worker_class_is_fetcher(class) || worker_class_asks_web(class) ||
           class == CLASS_SQL;
}

static void crew_init(struct crew *crew, const struct worker *worker,
                      const struct pipeline *pipeline)
{
    crew->worker = worker;
    crew->can_work = can_work(worker->class);
    crew->has_budget =
        worker_class_asks_web(worker->class) &&
        (worker->request.rate > 0 || worker->request.max_in_flight > 0);
    crew->share_number = 0;
    crew->share_end = NEVER_SPENT;
    crew->feeds_store = crew->feeds_fetcher = false;
    for (size_t i = 0; crew->can_work && i < worker->n_output_queues; i++) {
        int queue = worker->output_queues[i];
        if (pipeline_consumer(pipeline, queue, 0)->class == CLASS_STORE)
            crew->feeds_store = true;
        else
            crew->feeds_fetcher = true;
    }
    crew->key_field = crew->feeds_fetcher ? worker_field(worker, "key") : -1;
}

/* The one lane of a worker whose keys all go to one host (or to none). */
static bool open_fixed(struct node_core *core, struct crew *crew)
{
    struct slice host = {0};
    if (crew->fixed || !crew->can_work)
        return true;
    if (worker_class_asks_web(crew->worker->class)) {
        buffer_clear(&core->url);
        if (!worker_class_is_fetcher(crew->worker->class) ||
            !request_fixed_host(&crew->worker->request, &core->url)) {
            core->no_memory |= core->url.failed;
            return !core->url.failed;
        }
        host = buffer_slice(&core->url);
    }
    crew->fixed = node_lane_get(core, crew, host);
    return crew->fixed != NULL;
}

void node_lane_free_crews(struct node_core *core)
{
    for (size_t i = 0; i < core->n_crews; i++) {
        struct lane *lane, *next;
        DL_FOREACH_SAFE (core->crews[i].lanes, lane, next) {
            free(lane);
        }
    }
    free(core->crews);
    core->crews = NULL;
    core->n_crews = 0;
}

/* Lanes survive a new master of the same run: hold-backs go on, and what was
 * spent is spent. Shares do not. */
bool node_lane_open_crews(struct node_core *core,
                          const struct pipeline *pipeline, bool same_run)
{
    if (!same_run || core->n_crews != pipeline->n_workers) {
        node_lane_free_crews(core);
        core->crews = calloc(pipeline->n_workers, sizeof *core->crews);
        if (!core->crews) {
            core->no_memory = true;
            return false;
        }
        core->n_crews = pipeline->n_workers;
    }
    for (size_t i = 0; i < core->n_crews; i++) {
        struct crew *crew = &core->crews[i];
        crew_init(crew, &pipeline->workers[i], pipeline);
        if (!open_fixed(core, crew))
            return false;
    }
    return true;
}

/* Keys in and out */

void node_lane_add(struct lane *lane, struct slot *slot)
{
    DL_APPEND(lane->slots, slot);
    lane->n_ready++;
    slot->lane = lane;
    if (lane->state == LANE_IDLE)
        set_state(lane, LANE_READY);
}

void node_lane_remove(struct node_core *core, struct lane *lane,
                      struct slot *slot)
{
    CHECK(slot->lane == lane && lane->n_ready > 0);
    DL_DELETE(lane->slots, slot);
    lane->n_ready--;
    slot->lane = NULL;
    if (!lane->slots) {
        node_timer_clear(&core->timers, &lane->timer);
        set_state(lane, LANE_IDLE);
    }
}

/* A transfer has ended. */
void node_lane_landed(struct node_core *core, struct lane *lane)
{
    CHECK(lane->in_flight > 0 && lane->crew->in_flight > 0);
    lane->in_flight--;
    lane->crew->in_flight--;
    if (lane->state == LANE_BLOCKED)
        wake(core, lane);
}

void node_lane_unasked(struct node_core *core, const struct landed *landed)
{
    struct lane *lane = landed->lane;
    if (lane->spent != landed->spent[1])
        return;
    lane->spent = landed->spent[0];
    if (lane->state == LANE_TIMED)
        wake(core, lane);
}

void node_lane_due(struct node_core *core, struct lane *lane)
{
    wake(core, lane);
}

/* What may start */

static struct crew *crew_at(struct node_core *core, int worker)
{
    if (worker < 0 || (size_t)worker >= core->n_crews)
        return NULL;
    return &core->crews[worker];
}

/* When the heartbeat was sent that a share answers. */
static usec_t beat_sent(const struct node_core *core, int64_t beat)
{
    if (beat < 1 || beat > core->beats || beat + BEATS_KEPT <= core->beats)
        return NEVER_SPENT;
    return core->beat_sent[beat % BEATS_KEPT];
}

void node_lane_share(struct node_core *core, const struct share *share)
{
    struct crew *crew = crew_at(core, share->worker);
    if (!crew || share->number <= crew->share_number)
        return;
    crew->share_number = share->number;
    crew->share_rate = share->rate;
    crew->share_in_flight = share->in_flight;
    crew->share_end = beat_sent(core, share->beat) + share->valid;
    struct lane *lane;
    DL_FOREACH (crew->lanes, lane) {
        wake(core, lane);
    }
}

/* Not while more is in flight than the share allows: others get what this
 * node no longer has only when it has come down to it. */
bool node_lane_obeys(const struct crew *crew)
{
    if (!crew->share_number)
        return false;
    size_t most = crew->share_in_flight < 0 ? 0 : (size_t)crew->share_in_flight;
    const struct lane *lane;
    DL_FOREACH (crew->lanes, lane) {
        if (crew->share_in_flight != 0 && lane->in_flight > most)
            return false;
    }
    return true;
}

static void wait_until(struct node_core *core, struct lane *lane, usec_t due)
{
    if (!node_timer_set(&core->timers, &lane->timer, due))
        core->no_memory = true;
    set_state(lane, LANE_TIMED);
}

/* Whether the lane, in the ring, may start one now; if not, it leaves. */
static bool may_start(struct node_core *core, struct lane *lane)
{
    const struct crew *crew = lane->crew;
    if (lane->hold_until > core->now) {
        wait_until(core, lane, lane->hold_until);
        return false;
    }
    if (!crew->has_budget)
        return true;
    if (core->now >= crew->share_end || crew->share_in_flight < 0 ||
        (crew->share_in_flight > 0 &&
         lane->in_flight >= (size_t)crew->share_in_flight)) {
        set_state(lane, LANE_BLOCKED);
        return false;
    }
    usec_t due = lane->spent + pause_at(lane, crew->share_rate);
    if (due > core->now) {
        wait_until(core, lane, due);
        return false;
    }
    return true;
}

static void spend(struct node_core *core, struct lane *lane)
{
    usec_t pause = pause_at(lane, lane->crew->share_rate);
    usec_t burst = RATE_TURN > pause ? RATE_TURN - pause : 0;
    lane->spent += pause;
    if (lane->spent < core->now - burst)
        lane->spent = core->now - burst;
    lane->in_flight++;
    lane->crew->in_flight++;
}

/* One request of the first lane in the ring. */
static void serve(struct node_core *core, struct crew *crew)
{
    struct lane *lane = crew->ring;
    if (!may_start(core, lane))
        return;
    struct flight *flight = node_flight_start(core, lane);
    if (lane->state == LANE_READY) { /* there are more: to the end */
        DL_DELETE2(crew->ring, lane, ring_prev, ring_next);
        DL_APPEND2(crew->ring, lane, ring_prev, ring_next);
    }
    if (!flight)
        return;
    flight->spent[0] = lane->spent;
    spend(core, lane);
    flight->spent[1] = lane->spent;
}

void node_lane_run(struct node_core *core)
{
    if (core->state != NODE_WORKING || core->store_waiting)
        return;
    for (size_t i = 0; i < core->n_crews; i++) {
        struct crew *crew = &core->crews[i];
        while (crew->ring && !core->no_memory &&
               core->n_closing < NODE_CLOSINGS_MAX &&
               crew->in_flight < (size_t)crew->worker->instances)
            serve(core, crew);
    }
}

/* Hold-backs */

void node_lane_hold(struct node_core *core, const struct hold *hold)
{
    struct crew *crew = crew_at(core, hold->worker);
    if (!crew)
        return;
    struct lane *lane = node_lane_get(core, crew, slice_of(hold->host));
    if (lane && lane->hold_until < core->now + hold->length)
        lane->hold_until = core->now + hold->length;
}

/* Refusals that come while the host is held back already answer requests from
 * before: they do not make the hold-back grow. */
void node_lane_refused(struct node_core *core, struct lane *lane,
                       usec_t retry_after)
{
    static const int growth[] = {1, 3, 6};
    usec_t length = retry_after;
    if (retry_after <= 0) {
        if (lane->hold_until > core->now)
            return;
        length = lane->crew->worker->request.hold * growth[lane->refusals];
    }
    if (lane->hold_until <= core->now && lane->refusals < 2)
        lane->refusals++;
    if (length > RETRY_AFTER_MAX)
        length = RETRY_AFTER_MAX;
    if (length <= 0 || core->now + length <= lane->hold_until)
        return;
    lane->hold_until = core->now + length;
    if (core->now - lane->hold_sent < HOLD_SEND_PAUSE ||
        lane == lane->crew->overflow)
        return;
    lane->hold_sent = core->now;
    size_t bytes = strlen(lane->host) + 1;
    char *host = node_effect_alloc(core, bytes);
    if (!host)
        return;
    memcpy(host, lane->host, bytes);
    node_effect_send(core, MESSAGE_HOLD)->hold =
        (struct hold){lane->crew->worker->index, host, length};
}

/*
 * budgets.c: host budgets, divided among the nodes that work on them.
 *
 * A worker may have a budget for each host: requests a second, requests in
 * flight, or both. The nodes that hold batches of the worker are the budget's
 * members, and each is sent a share; nobody may start anything without one.
 *
 * The rule: at no time may the shares in force add up to more than the
 * budget. A share is in force until it expires (a lease after the heartbeat
 * that it answers, so a lease at most after it was sent) or until a heartbeat
 * acknowledges its successor. We count it for two leases, since what it let
 * begin takes its time to end. So for each user we know the most that may be
 * in force, `spent`, and others are granted only what is free.
 * When a member joins, the old ones are sent smaller shares; the new one gets
 * its own as they acknowledge.
 *
 * Where a rate adapts and falls, larger shares are in force until they are
 * acknowledged or expire; never more than its ceiling.
 *
 * A member that holds nothing of the worker for a lease is one no more. Not
 * at once, or shares would move with every batch.
 */
#include <stdlib.h>

#include "core/internal.h"

/* Fractions of a rate that don't matter: left by rounding. */
#define RATE_ROUNDING 1e-9
/* A smaller part of a rate is none at all. */
#define RATE_PART_MIN 1e-6

static bool is_none(struct grant grant)
{
    return grant.rate <= 0 && grant.in_flight <= 0;
}

static bool is_same(struct grant a, struct grant b)
{
    return !(a.rate < b.rate) && !(b.rate < a.rate) &&
           a.in_flight == b.in_flight;
}

static struct grant least(struct grant a, struct grant b)
{
    return (struct grant){
        .rate = a.rate < b.rate ? a.rate : b.rate,
        .in_flight = a.in_flight < b.in_flight ? a.in_flight : b.in_flight,
    };
}

static struct grant most(struct grant a, struct grant b)
{
    return (struct grant){
        .rate = a.rate > b.rate ? a.rate : b.rate,
        .in_flight = a.in_flight > b.in_flight ? a.in_flight : b.in_flight,
    };
}

/* A grant that lacks one of the two is of no use. */
static struct grant whole(const struct budget *budget, struct grant grant)
{
    if ((budget->rate > 0 && grant.rate < budget->rate * RATE_PART_MIN) ||
        (budget->max_in_flight > 0 && grant.in_flight <= 0))
        return (struct grant){0};
    return grant;
}

/* ---- members ---- */

static struct user *user_of(const struct master_core *core,
                            const struct node *node, int worker)
{
    int i = core->budget_of[worker];
    return i < 0 ? NULL : &node->users[i];
}

static void unlist(struct budget *budget, struct user *user)
{
    if (user->listed)
        DL_DELETE(budget->users, user);
    user->listed = false;
}

static void join(struct budget *budget, struct user *user)
{
    unlist(budget, user);
    TRANSITION("member", false, true);
    user->member = user->fresh = user->listed = true;
    DL_APPEND(budget->users, user);
    budget->n_members++;
    budget->dirty = true;
}

static void leave(struct budget *budget, struct user *user)
{
    if (!user->member)
        return;
    TRANSITION("member", true, false);
    user->member = user->fresh = false;
    if (user->order.at)
        heap_remove(&budget->ready, &user->order);
    budget->n_members--;
    budget->dirty = true;
}

void budgets_held(struct master_core *core, struct node *node, int worker,
                  int change)
{
    struct user *user = user_of(core, node, worker);
    if (!user)
        return;
    user->n_batches += change;
    CHECK(user->n_batches >= 0);
    user->idle_since = core->now;
    if (user->n_batches > 0 && !user->member)
        join(&core->budgets[core->budget_of[worker]], user);
}

void budgets_leave(struct master_core *core, struct node *node, bool gone)
{
    for (size_t i = 0; i < core->n_budgets; i++) {
        struct budget *budget = &core->budgets[i];
        struct user *user = &node->users[i];
        leave(budget, user);
        if (!gone)
            continue;
        unlist(budget, user);
        budget->dirty |= !is_none(user->spent);
        *user = (struct user){.node = node};
    }
}

struct budget *budgets_full(const struct master_core *core,
                            const struct node *node, int worker)
{
    const struct user *user = user_of(core, node, worker);
    if (!user || user->member)
        return NULL;
    struct budget *budget = &core->budgets[core->budget_of[worker]];
    bool full =
        budget->max_in_flight > 0 && budget->n_members >= budget->max_in_flight;
    return full ? budget : NULL;
}

struct node *budgets_least_loaded(const struct budget *budget)
{
    struct heap_item *item = heap_first(&budget->ready);
    return item ? CONTAINER_OF(item, struct user, order)->node : NULL;
}

static bool least_held(const struct heap_item *a, const struct heap_item *b)
{
    return nodes_before(CONTAINER_OF(a, struct user, order)->node,
                        CONTAINER_OF(b, struct user, order)->node);
}

bool budgets_reserve(struct master_core *core, size_t n_nodes)
{
    for (size_t i = 0; i < core->n_budgets; i++)
        if (!heap_reserve(&core->budgets[i].ready, n_nodes))
            return false;
    return true;
}

void budgets_refresh(struct master_core *core, struct node *node)
{
    for (size_t i = 0; i < core->n_budgets; i++) {
        struct heap *ready = &core->budgets[i].ready;
        struct user *user = &node->users[i];
        bool is_ready = user->member && node->order.at;
        if (is_ready && user->order.at)
            heap_moved(ready, &user->order);
        else if (is_ready)
            heap_push(ready, &user->order);
        else if (user->order.at)
            heap_remove(ready, &user->order);
    }
}

/* ---- what is in force ---- */

/* Shares that have expired, members that have had nothing to do, and the sum
 * of the rest. */
static void expire(struct master_core *core, struct budget *budget)
{
    usec_t before = core->now - 2 * core->config.lease;
    struct user *user, *next;
    budget->spent = (struct grant){0};
    DL_FOREACH_SAFE (budget->users, user, next) {
        if (user->sent_at <= before)
            user->last = user->spent = (struct grant){0};
        if (user->n_batches == 0 &&
            user->idle_since + core->config.lease <= core->now)
            leave(budget, user);
        if (!user->member && is_none(user->spent))
            unlist(budget, user);
        budget->spent.rate += user->spent.rate;
        budget->spent.in_flight += user->spent.in_flight;
    }
}

void budgets_acked(struct master_core *core, struct node *node,
                   const struct share_ack *ack)
{
    if (ack->worker < 0 ||
        (size_t)ack->worker >= core->config.pipeline->n_workers)
        return;
    struct user *user = user_of(core, node, ack->worker);
    if (!user || ack->number < user->steady_from ||
        ack->number > user->number || is_same(user->spent, user->last))
        return;
    user->spent = user->last;
    core->budgets[core->budget_of[ack->worker]].dirty = true;
}

/* ---- dividing ---- */

/* What the member at `place` among all members should have. */
static struct grant target_of(const struct budget *budget, int place)
{
    int n = budget->n_members;
    struct grant target = {
        .rate = budget->rate / n,
        .in_flight =
            budget->max_in_flight / n + (place < budget->max_in_flight % n),
    };
    return whole(budget, target);
}

/* As much of the target as is free, or was the user's already. */
static struct grant affordable(const struct master_core *core,
                               const struct budget *budget,
                               const struct user *user, struct grant target)
{
    struct grant free_part = {
        .rate = user->spent.rate + budget->rate - budget->spent.rate,
        .in_flight = user->spent.in_flight + budget->max_in_flight -
                     budget->spent.in_flight,
    };
    if (core->config.resumed &&
        core->now < core->started_at + 2 * core->config.lease)
        return (struct grant){0};
    if (free_part.rate > target.rate * (1 - RATE_ROUNDING))
        free_part.rate = target.rate;
    return whole(budget, least(target, free_part));
}

static void send_share(struct master_core *core, struct budget *budget,
                       struct user *user, struct grant grant)
{
    struct message *message = outbox_send(core, MESSAGE_SHARE, user->node);
    if (!message)
        return;
    message->share.worker = budget->worker;
    message->share.number = ++core->share_number;
    message->share.rate = grant.rate;
    message->share.in_flight = is_none(grant) ? -1 : grant.in_flight;
    message->share.valid = core->config.lease;
    message->share.beat = user->node->last.number;
    if (user->number == 0 || !is_same(grant, user->last)) {
        user->steady_from = core->share_number;
    }
    user->number = core->share_number;
    user->last = grant;
    user->sent_at = core->now;
    user->fresh = false;
    struct grant spent = most(user->spent, grant);
    budget->spent.rate += spent.rate - user->spent.rate;
    budget->spent.in_flight += spent.in_flight - user->spent.in_flight;
    user->spent = spent;
}

/* Reductions first: they need nothing. Then what has become free, and on a
 * beat everything again, since shares expire. */
static void divide(struct master_core *core, struct budget *budget, bool beat)
{
    struct user *user;
    int place = 0;
    expire(core, budget);
    adaptive_grow(budget, core->now);
    if (budget->dirty)
        budget->divided_at = core->now;
    budget->dirty = false;
    DL_FOREACH (budget->users, user) {
        struct grant target = {0};
        if (user->member)
            target = target_of(budget, place++);
        struct grant reduced = whole(budget, least(target, user->last));
        if (user->node->state == NODE_ALIVE && !is_same(reduced, user->last))
            send_share(core, budget, user, reduced);
    }
    place = 0;
    DL_FOREACH (budget->users, user) {
        struct grant grant = {0};
        if (user->member)
            grant = affordable(core, budget, user, target_of(budget, place++));
        bool again = beat && user->sent_at < core->now &&
                     !(is_none(grant) && is_none(user->spent));
        if (user->node->state == NODE_ALIVE &&
            (again || user->fresh || !is_same(grant, user->last)))
            send_share(core, budget, user, grant);
    }
}

/* Between two divisions a new member gets what happens to be free, so that
 * its first task finds a share. New members are at the end of the list. */
static void tell_fresh(struct master_core *core, struct budget *budget)
{
    int place = budget->n_members;
    struct user *user = budget->users ? budget->users->prev : NULL;
    while (user && user->fresh) {
        struct grant target = target_of(budget, --place);
        if (user->node->state == NODE_ALIVE)
            send_share(core, budget, user,
                       affordable(core, budget, user, target));
        user = user == budget->users ? NULL : user->prev;
    }
}

void budgets_turn(struct master_core *core, bool beat)
{
    for (size_t i = 0; i < core->n_budgets; i++) {
        struct budget *budget = &core->budgets[i];
        if (beat ||
            (budget->dirty && budget->divided_at + BUDGET_EVERY <= core->now))
            divide(core, budget, beat);
        else
            tell_fresh(core, budget);
    }
}

usec_t budgets_deadline(const struct master_core *core)
{
    usec_t when = USEC_NEVER;
    for (size_t i = 0; i < core->n_budgets; i++)
        if (core->budgets[i].dirty)
            when = sooner(when, still_ahead(core, core->budgets[i].divided_at +
                                                      BUDGET_EVERY));
    return when;
}

/* ---- setting up ---- */

bool budgets_init(struct master_core *core)
{
    const struct pipeline *pipeline = core->config.pipeline;
    core->budget_of = calloc(pipeline->n_workers, sizeof(int));
    core->budgets = calloc(pipeline->n_workers, sizeof(*core->budgets));
    if (!core->budget_of || !core->budgets)
        return false;
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct request *request = &pipeline->workers[i].request;
        core->budget_of[i] = -1;
        if (!(request->rate > 0) && request->max_in_flight <= 0)
            continue;
        core->budget_of[i] = (int)core->n_budgets;
        core->budgets[core->n_budgets++] = (struct budget){
            .worker = (int)i,
            .rate = request->rate > 0 ? request->rate : 0,
            .max_in_flight =
                request->max_in_flight > 0 ? request->max_in_flight : 0,
            .ready.before = least_held,
            .divided_at = core->now - BUDGET_EVERY,
        };
        struct budget *budget = &core->budgets[core->n_budgets - 1];
        budget->ceiling = budget->rate;
        if (request->adaptive)
            adaptive_init(budget, core->now);
    }
    return true;
}

void budgets_fini(struct master_core *core)
{
    for (size_t i = 0; i < core->n_budgets; i++)
        heap_free(&core->budgets[i].ready);
    free(core->budget_of);
    free(core->budgets);
}

void budgets_check(const struct master_core *core)
{
    for (size_t i = 0; i < core->n_budgets; i++) {
        const struct budget *budget = &core->budgets[i];
        struct grant sum = {0};
        int n_members = 0;
        const struct user *user;
        DL_FOREACH (budget->users, user) {
            CHECK(user->listed && user->n_batches >= 0);
            CHECK(user->member || user->n_batches == 0);
            CHECK((user->order.at != 0) ==
                  (user->member && user->node->order.at));
            CHECK(user->spent.rate >= user->last.rate);
            CHECK(user->spent.in_flight >= user->last.in_flight);
            n_members += user->member;
            sum.rate += user->spent.rate;
            sum.in_flight += user->spent.in_flight;
        }
        heap_check(&budget->ready);
        CHECK(n_members == budget->n_members);
        CHECK(sum.rate <= budget->ceiling * (1 + RATE_PART_MIN));
        CHECK(budget->rate <= budget->ceiling);
        CHECK(sum.in_flight <= budget->max_in_flight);
    }
}

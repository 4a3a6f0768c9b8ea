/*
 * master_core.c: events in, the phases of a run, and when the next thing is
 * due.
 *
 * An event first changes what is known (nodes, batches, the ledger's answer);
 * then one turn does all that has become possible: it buries silent nodes,
 * hands out, asks the ledger, divides budgets, and sees whether the run is
 * over. So every rule is applied in one place, whatever the event was.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

/* ---- the end of a run ---- */

static void set_phase(struct master_core *core, enum phase phase)
{
    CHECK(core->phase == PHASE_RUNNING ||
          (core->phase == PHASE_DRAINING && phase == PHASE_OVER));
    TRANSITION("run", core->phase, phase);
    core->phase = phase;
}

static void say_end(struct master_core *core, bool drain, const char *reason)
{
    struct message *message = outbox_send(core, MESSAGE_END, NULL);
    if (!message)
        return;
    message->end.drain = drain;
    message->end.reason = reason;
}

static void finish(struct master_core *core, bool paused)
{
    if (!outbox_reserve(core, &core->control, 2))
        return; /* the next event ends it */
    if (!paused)
        say_end(core, false, "nothing is open any more");
    struct master_effect *effect = outbox_add(core, MASTER_EFFECT_FINISH);
    CHECK(effect);
    effect->paused = paused;
    set_phase(core, PHASE_OVER);
}

void core_give_up(struct master_core *core, const char *format, ...)
{
    struct master_effect *effect = outbox_add(core, MASTER_EFFECT_GIVE_UP);
    va_list args;
    if (!effect)
        return; /* what is wrong will be found again */
    va_start(args, format);
    vsnprintf(effect->why, sizeof(effect->why), format, args);
    va_end(args);
    set_phase(core, PHASE_OVER);
}

static void take_stop(struct master_core *core)
{
    if (core->phase == PHASE_DRAINING) {
        finish(core, true);
        return;
    }
    set_phase(core, PHASE_DRAINING);
    core->drain_until = core->now + core->config.drain_time;
    batches_forget_unheld(core);
    say_end(core, true, "the run is paused");
}

/* Nothing is open, by the ledger. Reports that are still under way are waited
 * for, but not for ever: what nodes say must not hang the run. */
static void see_whether_done(struct master_core *core)
{
    if (core->empty_at == USEC_NEVER)
        return;
    if (!core->known || core->now >= core->empty_at + core->config.lease)
        finish(core, false);
}

static void see_whether_alone(struct master_core *core)
{
    usec_t wait = core->config.node_wait;
    if (core->n_alive == 0 && core->now >= core->alive_at + wait)
        core_give_up(core, "no node for %lld s, and batches are open",
                     (long long)(wait / USEC_PER_SEC));
}

/* ---- turns ---- */

static void run_turn(struct master_core *core, bool beat)
{
    handout_turn(core);
    window_turn(core);
    budgets_turn(core, beat);
    see_whether_done(core);
    if (core->phase == PHASE_RUNNING)
        see_whether_alone(core);
}

static void drain_turn(struct master_core *core, bool beat)
{
    if (core->n_alive == 0 || core->now >= core->drain_until)
        finish(core, true);
    else if (beat) /* some may not have heard it */
        say_end(core, true, "the run is paused");
}

static void turn(struct master_core *core)
{
    bool beat = core->now >= core->beat_at;
    nodes_turn(core);
    if (beat) {
        core->beat_at = core->now + core->config.heartbeat;
        outbox_send(core, MESSAGE_PING, NULL);
        holds_expire(core);
    }
    if (core->phase == PHASE_RUNNING)
        run_turn(core, beat);
    else if (core->phase == PHASE_DRAINING)
        drain_turn(core, beat);
}

static void take_event(struct master_core *core,
                       const struct master_event *event)
{
    switch (event->type) {
    case MASTER_EVENT_TICK:
        break;
    case MASTER_EVENT_MESSAGE:
        nodes_message(core, event->message);
        break;
    case MASTER_EVENT_NODE_EXITED:
        nodes_exited(core, event->exited.node, event->exited.crashed);
        break;
    case MASTER_EVENT_PAGE:
        window_page(core, event);
        break;
    case MASTER_EVENT_LOOKED:
        window_looked(core, event);
        break;
    case MASTER_EVENT_LEDGER_AWAY:
        window_away(core);
        break;
    case MASTER_EVENT_LEASE_LOST:
        core_give_up(core, "the run belongs to another master now");
        break;
    case MASTER_EVENT_STOP:
        take_stop(core);
        break;
    case MASTER_EVENT_EXPECT:
        core->config.nodes_expected = event->expect;
        break;
    }
}

int master_core_event(struct master_core *core, usec_t now,
                      const struct master_event *event, struct error *err)
{
    CHECK(now >= core->now);
    outbox_let_go(core);
    core->memory_out = false;
    if (now - core->now > 2 * core->config.heartbeat)
        core->awake_at = now;
    core->now = now;
    if (core->phase == PHASE_OVER && event->type != MASTER_EVENT_PAGE &&
        event->type != MASTER_EVENT_LOOKED)
        return 0;
    take_event(core, event);
    if (core->phase != PHASE_OVER)
        turn(core);
    return core->memory_out ? error_set(err, ERR_MEMORY, "out of memory") : 0;
}

usec_t master_core_deadline(const struct master_core *core)
{
    if (core->phase == PHASE_OVER)
        return USEC_NEVER;
    usec_t when = sooner(core->beat_at, nodes_deadline(core));
    if (core->phase == PHASE_DRAINING)
        return sooner(when, core->drain_until);
    when = sooner(when, handout_deadline(core));
    when = sooner(when, window_deadline(core));
    when = sooner(when, budgets_deadline(core));
    if (core->empty_at != USEC_NEVER)
        when = sooner(when, core->empty_at + core->config.lease);
    if (core->n_alive == 0)
        when = sooner(when, core->alive_at + core->config.node_wait);
    return when;
}

/* ---- making and unmaking ---- */

static int64_t key_credit_of(const struct pipeline *pipeline)
{
    int64_t credit = 1;
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        int64_t keys = (int64_t)worker->instances * KEYS_PER_INSTANCE;
        if (worker->request.keys_per_request)
            keys *= worker->request.keys_per_request;
        if (worker_class_is_fetcher(worker->class) && keys > credit)
            credit = keys;
    }
    return credit;
}

struct master_core *master_core_new(const struct master_core_config *config,
                                    usec_t now)
{
    struct master_core *core = calloc(1, sizeof(*core));
    if (!core)
        return NULL;
    core->config = *config;
    core->now = core->started_at = core->awake_at = now;
    core->beat_at = core->alive_at = now;
    core->sweep_at = core->empty_at = USEC_NEVER;
    core->sweep_wanted = true;
    core->key_credit = key_credit_of(config->pipeline);
    nodes_init(core);
    core->ledger_id = strdup(config->ledger_id);
    core->ended = calloc(config->pipeline->n_workers, sizeof *core->ended);
    if (!core->ledger_id || !core->ended || !batches_init(core) ||
        !budgets_init(core))
        master_core_free(&core);
    return core;
}

void master_core_free(struct master_core **core)
{
    if (!*core)
        return;
    outbox_free(*core);
    batches_fini(*core);
    nodes_fini(*core);
    budgets_fini(*core);
    holds_free(*core);
    free((*core)->ledger_id);
    free((*core)->ended);
    free(*core);
    *core = NULL;
}

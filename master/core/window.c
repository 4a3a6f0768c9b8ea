/*
 * window.c: what is asked of the ledger.
 *
 * There is one question at a time: the state of batches that are LOOKING (or
 * that are wanted for a second node), or the next page of a sweep. A sweep
 * reads the open batches in the order of their numbers, as far as the window
 * has room, and goes on where it stopped as batches are handed out. It is
 * wanted whenever there may be open batches that are not known here.
 *
 * The run is done when the first page of a sweep is empty. That is proof:
 * only the closing of an open batch creates batches, so where none is open
 * none ever will be.
 *
 * A quarter of the window is kept free of pages, and for looking its size is
 * by all nodes that ever came: what a dead node held is asked for at once, not
 * when others have made room.
 *
 * Half of the window at most is for batches that are not due yet; others are
 * forgotten, and found again by a sweep when they are.
 */
#include <stdlib.h>

#include "core/internal.h"

size_t window_size(const struct master_core *core)
{
    return MASTER_WINDOW_MIN + MASTER_WINDOW_PER_NODE * (size_t)core->n_alive;
}

/* ---- questions ---- */

static void set_asking(struct master_core *core, enum asking asking)
{
    TRANSITION("asking", core->asking, asking);
    core->asking = asking;
}

static bool ask_look(struct master_core *core)
{
    size_t window = MASTER_WINDOW_MIN + MASTER_WINDOW_PER_NODE * core->n_nodes;
    size_t room = window > core->n_pending ? window - core->n_pending : 0;
    size_t n = 0;
    struct batch *batch;
    DL_FOREACH2(core->looks, batch, look_next)
    {
        if (n == MASTER_LOOK_MAX || n == room)
            break;
        core->asked[n++] = batch->number;
    }
    if (n == 0)
        return false;
    struct master_effect *effect = outbox_add(core, MASTER_EFFECT_LOOK);
    if (!effect)
        return false;
    effect->look.batches = core->asked;
    effect->look.n = core->n_asked = n;
    set_asking(core, ASKING_LOOK);
    for (size_t i = 0; i < n; i++)
        batches_look_set(core, core->looks, LOOK_ASKED);
    return true;
}

static bool sweep_is_due(const struct master_core *core)
{
    if (!core->known)
        return true; /* to find more, or that there is no more */
    return core->sweep_wanted &&
           (core->n_pending == 0 ||
            core->now >= core->sweep_began_at + core->config.heartbeat);
}

static void ask_page(struct master_core *core)
{
    size_t window = window_size(core) - window_size(core) / 4;
    if (!core->sweeping || core->n_pending > window_size(core) / 2)
        return;
    struct master_effect *effect = outbox_add(core, MASTER_EFFECT_LOAD);
    if (!effect)
        return;
    size_t room = window - core->n_pending;
    effect->load.after = core->asked_after = core->cursor;
    effect->load.limit = room < MASTER_PAGE ? room : MASTER_PAGE;
    set_asking(core, ASKING_PAGE);
}

void window_turn(struct master_core *core)
{
    if (core->sweep_at <= core->now) {
        core->sweep_at = USEC_NEVER;
        core->sweep_wanted = true;
    }
    if (core->asking != ASKING_NOTHING || core->now < core->retry_at ||
        ask_look(core))
        return;
    if (!core->sweeping && core->empty_at == USEC_NEVER && sweep_is_due(core)) {
        core->sweeping = true;
        core->sweep_wanted = false;
        core->sweep_began_at = core->now;
        core->cursor = 0;
    }
    ask_page(core);
}

usec_t window_deadline(const struct master_core *core)
{
    usec_t when = still_ahead(core, core->sweep_at);
    if (core->asking == ASKING_NOTHING)
        when = sooner(when, still_ahead(core, core->retry_at));
    if (core->sweep_wanted)
        when = sooner(when, still_ahead(core, core->sweep_began_at +
                                                  core->config.heartbeat));
    return when;
}

/* ---- answers ---- */

/* Those that were asked for and not answered are asked for again. */
static void ask_again(struct master_core *core)
{
    for (size_t i = 0; i < core->n_asked; i++) {
        struct batch *batch = batches_find(core, core->asked[i]);
        if (!batch || batch->look != LOOK_ASKED)
            continue;
        batches_look_end(core, batch);
        if (batch->state == KNOWN_LOOKING || batch->second)
            batches_look_want(core, batch);
    }
    core->n_asked = 0;
}

static void answered(struct master_core *core)
{
    set_asking(core, ASKING_NOTHING);
    core->retry_wait = 0;
}

void window_away(struct master_core *core)
{
    if (core->asking == ASKING_NOTHING)
        return;
    set_asking(core, ASKING_NOTHING);
    ask_again(core);
    core->retry_wait *= 2;
    if (core->retry_wait < LEDGER_RETRY_MIN)
        core->retry_wait = LEDGER_RETRY_MIN;
    if (core->retry_wait > LEDGER_RETRY_MAX)
        core->retry_wait = LEDGER_RETRY_MAX;
    core->retry_at = core->now + core->retry_wait;
}

/* Whether the batch is too early to be kept in the window. It will be found
 * again. A suspected one is kept: its suspicion is known only here. */
static bool is_for_later(struct master_core *core, const struct batch *batch,
                         const struct batch_row *row)
{
    if (row->delay <= 0 || core->n_pending < window_size(core) / 2 ||
        batch->crashed || batch->alone)
        return false;
    core->sweep_at = sooner(core->sweep_at, core->now + row->delay);
    return true;
}

static void take_open(struct master_core *core, struct batch *batch,
                      struct batch_row *row)
{
    if (row->delay > MASTER_DELAY_MAX) /* the ledger's clock was set back */
        row->delay = MASTER_DELAY_MAX;
    if (row->worker < 0 ||
        (size_t)row->worker >= core->config.pipeline->n_workers) {
        batches_forget(core, batch);
        core_give_up(core,
                     "batch %lld of the ledger is for worker %d, which the "
                     "pipeline does not have",
                     (long long)row->batch, row->worker);
    } else if (is_for_later(core, batch, row)) {
        batches_forget(core, batch);
    } else if (!batches_fill(core, batch, row)) {
        core->sweep_wanted = true;
        batches_forget(core, batch);
    }
}

static void take_page_row(struct master_core *core, struct batch_row *row)
{
    if (batches_find(core, row->batch))
        return;
    struct batch *batch = batches_add(core, row->batch, 0, 0);
    if (batch)
        take_open(core, batch, row);
    else
        core->sweep_wanted = true;
}

void window_page(struct master_core *core, const struct master_event *event)
{
    bool expected =
        core->asking == ASKING_PAGE && event->page.after == core->asked_after;
    if (expected)
        answered(core);
    expected = expected && core->phase == PHASE_RUNNING;
    for (size_t i = 0; i < event->page.n; i++) {
        struct batch_row *row = &event->page.rows[i];
        if (expected && core->phase == PHASE_RUNNING) {
            core->cursor = row->batch;
            take_page_row(core, row);
        }
        free(row->keys_json);
        row->keys_json = NULL;
    }
    if (!expected)
        return;
    if (event->page.n == 0 && event->page.after == 0)
        core->empty_at = core->now;
    if (event->page.n == 0 || event->page.last)
        core->sweeping = false;
}

/* A batch that others closed without our being told, or that there never was:
 * its children are known to nobody here. */
static void take_gone(struct master_core *core, struct batch *batch)
{
    if (batch->second) { /* the report is under way, or will be missed */
        batches_second_end(core, batch, true);
        return;
    }
    batches_forget(core, batch);
    core->sweep_wanted = true;
}

static void take_look(struct master_core *core, struct batch_look *look)
{
    struct batch *batch = batches_find(core, look->row.batch);
    if (!batch || batch->look != LOOK_ASKED)
        return;
    batches_look_end(core, batch);
    if (batch->state != KNOWN_LOOKING && !batch->second)
        return; /* a heartbeat named it meanwhile */
    if (look->state != BATCH_OPEN)
        take_gone(core, batch);
    else if (batch->second)
        handout_second(core, batch, &look->row);
    else
        take_open(core, batch, &look->row);
}

void window_looked(struct master_core *core, const struct master_event *event)
{
    bool expected = core->asking == ASKING_LOOK;
    if (expected)
        answered(core);
    for (size_t i = 0; i < event->looked.n; i++) {
        struct batch_look *look = &event->looked.looks[i];
        if (expected && core->phase == PHASE_RUNNING)
            take_look(core, look);
        free(look->row.keys_json);
        look->row.keys_json = NULL;
    }
    if (expected)
        ask_again(core);
}

/*
 * node_close.c: closings to the store, and what its answers mean.
 *
 * Refused data is halved: the batch closes with nothing but its children, two
 * of which carry what was done; and so on down to one key, whose record
 * becomes a failure. A failure that is refused has its texts made ASCII; if
 * it is refused again, or a closing of nothing but children is, then it is no
 * key's fault and the node gives up. Each step has fewer keys or is the last
 * of its kind, so this ends.
 */
#include "core/node_internal.h"

void node_close_report(struct node_core *core, int64_t batch,
                       enum report_outcome outcome)
{
    node_effect_send(core, MESSAGE_REPORT)->report =
        (struct report){.batch = batch, .outcome = outcome};
}

static void send_closing(struct node_core *core, struct batch *batch)
{
    if (!node_build_closing(core, batch)) {
        core->no_memory = true;
        return;
    }
    struct node_effect *effect = node_effect_add(core, NODE_EFFECT_CLOSE);
    effect->close.id = batch->closing_id;
    effect->close.closing = &batch->closing;
}

void node_close_run(struct node_core *core)
{
    while (core->ripe && core->n_closing < NODE_CLOSINGS_MAX &&
           !core->no_memory) {
        struct batch *batch = core->ripe;
        node_batch_set_state(core, batch, BATCH_CLOSING);
        if (node_build_rest(core, batch))
            send_closing(core, batch);
    }
}

/* It won */

static void be_born(struct node_core *core, struct batch *child, int64_t number)
{
    child->parent = NULL;
    if (node_batch_find(core, number)) {
        /* The master found it in the ledger and gave it to us already. */
        node_batch_drop(core, child);
        return;
    }
    node_batch_set_number(core, child, number);
    node_batch_set_state(core, child, BATCH_WORKING);
    if (core->state == NODE_DRAINING)
        node_batch_drain(core, child);
    else
        node_batch_judge(core, child);
}

static void report_closed(struct node_core *core, const struct batch *batch,
                          const int64_t *numbers)
{
    const struct closing *closing = &batch->closing;
    struct report_child *children =
        node_effect_alloc(core, REPORT_CHILDREN_MAX * sizeof *children);
    if (!children)
        return;
    size_t n = 0;
    bool more = closing->n_children && !numbers;
    for (size_t i = 0; numbers && i < closing->n_children; i++) {
        const struct closing_child *child = &closing->children[i];
        if (numbers[i] == 0)
            continue;
        if (n == REPORT_CHILDREN_MAX) {
            more = true;
            break;
        }
        children[n++] = (struct report_child){numbers[i], child->worker,
                                              child->n_keys, child->kept};
    }
    node_effect_send(core, MESSAGE_REPORT)->report =
        (struct report){.batch = batch->number,
                        .outcome = REPORT_CLOSED,
                        .stored = batch->stored,
                        .failed = (int64_t)closing->n_failures,
                        .children = children,
                        .n_children = n,
                        .children_more = more};
}

static void on_won(struct node_core *core, struct batch *batch,
                   const int64_t *numbers)
{
    core->keys_done += (int64_t)batch->closing.n_keys_done;
    core->keys_failed += (int64_t)batch->closing.n_failures;
    report_closed(core, batch, numbers);
    CHECK(batch->n_unborn == 0 || numbers);
    for (size_t i = batch->n_unborn; i > 0; i--) {
        struct batch *child = batch->unborn[i - 1];
        batch->n_unborn--;
        be_born(core, child, numbers[child->child_index]);
    }
    node_batch_drop(core, batch);
}

/* It was refused */

static void make_ascii(struct slice text)
{
    char *data = (char *)text.data; /* in the batch's arena */
    for (size_t i = 0; i < text.len; i++)
        if (data[i] < ' ' || data[i] > '~')
            data[i] = '?';
}

static void give_up(struct node_core *core, const struct batch *batch,
                    const char *detail)
{
    node_session_exit(core, 4,
                      "the database refuses to close batch %" PRId64 ": %.300s",
                      batch->number, detail);
}

/* The one key that is left. */
static void refuse_one(struct node_core *core, struct batch *batch,
                       struct slot *slot, const char *detail)
{
    if (!slot->failure) {
        node_slot_fail(core, slot, REASON_DATABASE, 0, slice_of(detail));
    } else if (!batch->cleaned) {
        batch->cleaned = true;
        make_ascii(slot->failure->detail);
    } else {
        give_up(core, batch, detail);
        return;
    }
    if (!core->no_memory)
        send_closing(core, batch);
}

static void on_refused(struct node_core *core, struct batch *batch,
                       const char *detail)
{
    size_t n;
    struct slot **slots = node_build_pick(core, batch, 1 << SLOT_DONE, &n);
    if (!slots)
        return;
    if (n == 0) {
        give_up(core, batch, detail);
    } else if (n == 1) {
        refuse_one(core, batch, slots[0], detail);
    } else if (node_build_part(core, batch, slots, n / 2, true) &&
               node_build_part(core, batch, slots + n / 2, n - n / 2, true)) {
        send_closing(core, batch);
    }
}

/* Answers */

bool node_close_let_go(struct node_core *core, uint64_t id)
{
    struct batch *batch;
    DL_FOREACH (core->kept, batch) {
        if (batch->closing_id == id) {
            DL_DELETE(core->kept, batch);
            node_batch_recycle(core, batch);
            return true;
        }
    }
    return false;
}

static struct batch *find_closing(struct node_core *core, uint64_t id)
{
    struct batch *batch;
    DL_FOREACH2(core->closing, batch, queue_next)
    {
        if (batch->closing_id == id)
            return batch;
    }
    return NULL;
}

void node_close_result(struct node_core *core, uint64_t id,
                       const struct close_result *result)
{
    struct batch *batch = find_closing(core, id);
    if (!batch) {
        node_close_let_go(core, id);
        return;
    }
    int64_t number = batch->number;
    batch->delivered = false;
    switch (result->outcome) {
    case CLOSE_WON:
        on_won(core, batch, result->children);
        break;
    case CLOSE_ALREADY:
        node_close_report(core, number, REPORT_ALREADY);
        node_batch_drop(core, batch);
        break;
    case CLOSE_UNKNOWN:
        node_close_report(core, number, REPORT_UNKNOWN);
        node_session_exit(core, 4,
                          "batch %" PRId64
                          " is not in this database: is DATABASE_URL the "
                          "master's?",
                          number);
        break;
    case CLOSE_REFUSED:
        on_refused(core, batch, result->detail);
        break;
    }
}

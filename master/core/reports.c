/*
 * reports.c: what a node says of a batch after its commit.
 *
 * A report may be lost, repeated, or late: it may name a batch that is not
 * known here, or that another node holds by now. It tells of the ledger, so
 * it is believed from a silent node too; what it leaves open, the ledger is
 * asked for.
 */
#include "core/internal.h"

/* What a child takes over from a batch that is suspected of killing nodes. */
struct suspicion {
    int worker; /* -1: there is none */
    int kills;
};

static struct suspicion suspicion_of(const struct batch *batch)
{
    if (!batch || !(batch->crashed || batch->alone))
        return (struct suspicion){.worker = -1};
    return (struct suspicion){.worker = batch->worker, .kills = batch->kills};
}

static void take_child(struct master_core *core, struct node *node,
                       const struct report_child *child,
                       struct suspicion suspicion)
{
    if (child->batch <= 0) /* the ledger had seen all of its keys */
        return;
    if (child->worker < 0 ||
        (size_t)child->worker >= core->config.pipeline->n_workers) {
        core->sweep_wanted = true;
        return;
    }
    bool suspected = child->worker == suspicion.worker;
    bool kept = child->kept && nodes_here(node);
    if (!kept && !suspected && core->n_looking >= window_size(core)) {
        core->sweep_wanted = true;
        return;
    }
    struct batch *batch =
        batches_meet(core, child->batch, child->worker, child->n_keys);
    if (!batch) {
        core->sweep_wanted = true;
        return;
    }
    if (batch->state == KNOWN_NEW) {
        batch->alone = suspected;
        batch->kills = suspected ? suspicion.kills : 0;
        if (!kept)
            batches_look(core, batch);
    }
    if (!kept || !batches_hold(core, batch, node))
        return;
    if (suspected) {
        node->alone = batch->number;
        nodes_refresh(core, node);
    }
}

static void take_closed(struct master_core *core, struct node *node,
                        const struct report *report)
{
    struct batch *batch = batches_find(core, report->batch);
    struct suspicion suspicion = suspicion_of(batch);
    if (batch) { /* else it is a repetition: not counted again */
        core->stored += report->stored;
        core->failed += report->failed;
        core->ended[batch->worker].stored += report->stored;
        core->ended[batch->worker].failed += report->failed;
        node->keys_done += report->stored + report->failed;
        batches_closed(core, batch, node);
    }
    if (core->phase != PHASE_RUNNING)
        return;
    for (size_t i = 0; i < report->n_children; i++)
        take_child(core, node, &report->children[i], suspicion);
    if (report->children_more)
        core->sweep_wanted = true;
}

/* If nobody else holds it, nobody will tell who closed it, and with what
 * children. */
static void take_already(struct master_core *core, struct node *node,
                         struct batch *batch)
{
    if (batches_holder(batch, node))
        batches_release(core, batch, node);
    if (batches_holders(batch) > 0 || batch->state == KNOWN_LOOKING)
        return;
    batches_forget(core, batch);
    core->sweep_wanted = true;
}

void reports_take(struct master_core *core, struct node *node,
                  const struct report *report)
{
    struct batch *batch = batches_find(core, report->batch);
    switch (report->outcome) {
    case REPORT_CLOSED:
        take_closed(core, node, report);
        break;
    case REPORT_ALREADY:
        if (batch)
            take_already(core, node, batch);
        break;
    case REPORT_UNKNOWN:
        nodes_refuse(core, node,
                     "a batch of the run is not in the node's database");
        break;
    case REPORT_RETURNED:
        if (!batch || !batches_holder(batch, node))
            break;
        node->full = true; /* or it would get the same one at once */
        batches_take_back(core, batch, node);
        break;
    }
}

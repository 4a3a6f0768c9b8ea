/*
 * view.c: what progress line, summary and status show of the core. Nothing is
 * decided here, and nothing changed.
 */
#include <string.h>

#include "core/internal.h"

/* Those of fetchers: a list still to be read counts as none. */
static int64_t open_keys(const struct master_core *core)
{
    int64_t n = 0;
    for (struct batch *batch = core->known; batch; batch = batch->hh.next) {
        const struct worker *worker =
            &core->config.pipeline->workers[batch->worker];
        if (worker_class_is_fetcher(worker->class))
            n += (int64_t)batch->n_keys;
    }
    return n;
}

struct master_view master_core_view(const struct master_core *core)
{
    return (struct master_view){
        .nodes_alive = core->n_alive,
        .stored = core->stored,
        .failed = core->failed,
        .pending_batches = (int64_t)core->n_pending,
        .held_batches = (int64_t)core->n_held,
        .open_keys = open_keys(core),
        .draining = core->phase == PHASE_DRAINING,
    };
}

bool master_core_node(const struct master_core *core, size_t index,
                      struct node_view *ret)
{
    if (index >= core->n_nodes)
        return false;
    const struct node *node = core->nodes[index];
    *ret = (struct node_view){
        .pid = node->pid,
        .core = node->core,
        .alive = node->state == NODE_ALIVE,
        .store_waiting = node->store_waiting,
        .held_batches = node->n_batches,
        .held_keys = node->n_keys,
        .keys_done = node->keys_done,
        .last = node->last,
    };
    memcpy(ret->name, node->name, sizeof(ret->name));
    memcpy(ret->host, node->host, sizeof(ret->host));
    return true;
}

static void view_budgets(const struct master_core *core,
                         struct worker_view *ret)
{
    for (size_t i = 0; i < core->n_budgets; i++) {
        const struct budget *budget = &core->budgets[i];
        ret[budget->worker].rate = budget->rate;
        ret[budget->worker].rate_ceiling = budget->ceiling;
        ret[budget->worker].max_in_flight = budget->max_in_flight;
    }
}

void master_core_workers(const struct master_core *core,
                         struct worker_view *ret)
{
    for (size_t i = 0; i < core->config.pipeline->n_workers; i++)
        ret[i] = (struct worker_view){.stored = core->ended[i].stored,
                                      .failed = core->ended[i].failed};
    for (struct batch *batch = core->known; batch; batch = batch->hh.next) {
        struct worker_view *view = &ret[batch->worker];
        if (batch->state == KNOWN_PENDING) {
            view->pending_batches++;
            view->pending_keys += (int64_t)batch->n_keys;
        } else if (batch->state == KNOWN_HELD) {
            view->held_batches++;
            view->held_keys += (int64_t)batch->n_keys;
        }
    }
    view_budgets(core, ret);
}

size_t master_core_holds(const struct master_core *core, usec_t now,
                         struct hold_view *ret, size_t n)
{
    size_t found = 0;
    for (const struct hold_entry *entry = core->holds; entry && found < n;
         entry = entry->hh.next)
        if (entry->until > now)
            ret[found++] = (struct hold_view){entry->worker, entry->host,
                                              entry->until - now};
    return found;
}

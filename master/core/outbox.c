/*
 * outbox.c: effects, from the event that caused them until the shell fetches
 * them.
 *
 * There are two queues. Control (all but tasks) is emptied first: so a share
 * goes out before the first task that needs it, although the task was decided
 * before the shares were divided among all who need one. A task that its node
 * is no longer to have by the time it is fetched is skipped.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

#define OUTBOX_ROOM_MIN 16
#define OUTBOX_ROOM_KEPT 1024 /* of an empty queue; more is given back */

bool outbox_reserve(struct master_core *core, struct outbox *outbox, size_t n)
{
    if (outbox->head + outbox->n + n <= outbox->room)
        return true;
    if (outbox->head > 0) {
        memmove(outbox->entries, outbox->entries + outbox->head,
                outbox->n * sizeof(*outbox->entries));
        outbox->head = 0;
    }
    if (outbox->n + n <= outbox->room / 2)
        return true;
    size_t room = outbox->room ? outbox->room * 2 : OUTBOX_ROOM_MIN;
    struct outbox_entry *entries =
        realloc(outbox->entries, room * sizeof(*entries));
    if (!entries) {
        core->memory_out = true;
        return false;
    }
    outbox->entries = entries;
    outbox->room = room;
    return true;
}

static struct outbox_entry *add(struct master_core *core, struct outbox *outbox,
                                enum master_effect_type type)
{
    if (!outbox_reserve(core, outbox, 1))
        return NULL;
    struct outbox_entry *entry = &outbox->entries[outbox->head + outbox->n++];
    memset(entry, 0, sizeof(*entry));
    entry->effect.type = type;
    return entry;
}

static void address(struct master_core *core, struct message *message,
                    enum message_type type, const struct node *node)
{
    message->type = type;
    message->epoch = core->config.epoch;
    if (node) {
        memcpy(message->node, node->name, sizeof(message->node));
        message->incarnation = node->incarnation;
    }
}

struct master_effect *outbox_add(struct master_core *core,
                                 enum master_effect_type type)
{
    struct outbox_entry *entry = add(core, &core->control, type);
    return entry ? &entry->effect : NULL;
}

struct message *outbox_send(struct master_core *core, enum message_type type,
                            const struct node *node)
{
    struct master_effect *effect = outbox_add(core, MASTER_EFFECT_SEND);
    if (!effect)
        return NULL;
    address(core, &effect->message, type, node);
    return &effect->message;
}

void outbox_own(struct master_core *core, void *memory)
{
    struct outbox *outbox = &core->control;
    struct outbox_entry *last = &outbox->entries[outbox->head + outbox->n - 1];
    CHECK(outbox->n > 0 && !last->owned);
    last->owned = memory;
}

struct task *outbox_task(struct master_core *core, const struct node *node,
                         char *keys_json)
{
    struct outbox_entry *entry = add(core, &core->tasks, MASTER_EFFECT_SEND);
    if (!entry)
        return NULL;
    address(core, &entry->effect.message, MESSAGE_TASK, node);
    entry->owned = keys_json;
    entry->effect.message.task.keys_json = keys_json;
    return &entry->effect.message.task;
}

static bool take(struct outbox *outbox, struct outbox_entry *ret)
{
    if (outbox->n == 0)
        return false;
    *ret = outbox->entries[outbox->head++];
    if (--outbox->n > 0)
        return true;
    outbox->head = 0;
    if (outbox->room > OUTBOX_ROOM_KEPT) {
        free(outbox->entries);
        *outbox = (struct outbox){0};
    }
    return true;
}

/* Whether the node that a task is for still is to have it. */
static bool still_wanted(const struct master_core *core,
                         const struct message *task)
{
    const struct node *node = nodes_find(core, task->node);
    struct batch *batch = batches_find(core, task->task.batch);
    return core->phase == PHASE_RUNNING && batch && batches_holder(batch, node);
}

void outbox_let_go(struct master_core *core)
{
    free(core->fetched);
    core->fetched = NULL;
}

bool master_core_effect(struct master_core *core, struct master_effect *ret)
{
    struct outbox_entry entry;
    outbox_let_go(core);
    if (take(&core->control, &entry)) {
        core->fetched = entry.owned;
        *ret = entry.effect;
        return true;
    }
    while (take(&core->tasks, &entry)) {
        if (still_wanted(core, &entry.effect.message)) {
            core->fetched = entry.owned;
            *ret = entry.effect;
            return true;
        }
        free(entry.owned);
    }
    return false;
}

static void outbox_fini(struct outbox *outbox)
{
    struct outbox_entry entry;
    while (take(outbox, &entry))
        free(entry.owned);
    free(outbox->entries);
}

void outbox_free(struct master_core *core)
{
    outbox_let_go(core);
    outbox_fini(&core->control);
    outbox_fini(&core->tasks);
}

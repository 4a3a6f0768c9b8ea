/*
 * node_effect.c: the queue of effects.
 *
 * An array that is filled by events and emptied by node_core_effect(); when
 * it is empty it starts over. EXIT is not in it: it comes after all others,
 * out of the core's state, so that it needs no memory.
 */
#include "core/node_internal.h"

/* Enough for what the core says after memory ran out (FORGET and a hello). */
#define EFFECTS_MIN 16

struct node_effect *node_effect_add(struct node_core *core,
                                    enum node_effect_type type)
{
    struct effect_queue *queue = &core->effects;
    if (queue->n == queue->capacity) {
        size_t capacity = queue->capacity ? 2 * queue->capacity : EFFECTS_MIN;
        struct node_effect *items =
            realloc(queue->items, capacity * sizeof *items);
        if (!items) {
            core->no_memory = true;
            return &core->lost_effect;
        }
        queue->items = items;
        queue->capacity = capacity;
    }
    struct node_effect *effect = &queue->items[queue->n++];
    effect->type = type;
    return effect;
}

struct message *node_effect_send(struct node_core *core, enum message_type type)
{
    struct message *message = &node_effect_add(core, NODE_EFFECT_SEND)->message;
    *message = (struct message){
        .type = type, .epoch = core->epoch, .incarnation = core->incarnation};
    memcpy(message->node, core->name, sizeof message->node);
    return message;
}

void *node_effect_alloc(struct node_core *core, size_t bytes)
{
    void *data = arena_alloc(&core->scratch, bytes);
    if (!data)
        core->no_memory = true;
    return data;
}

bool node_effect_purge(struct node_core *core)
{
    struct effect_queue *queue = &core->effects;
    size_t n = queue->head;
    for (size_t i = queue->head; i < queue->n; i++) {
        enum node_effect_type type = queue->items[i].type;
        if (type == NODE_EFFECT_SEND || type == NODE_EFFECT_FORGET)
            queue->items[n++] = queue->items[i];
    }
    bool any = queue->n != n;
    queue->n = n;
    return any;
}

/* From now on the store reads the closing: it must outlive a FORGET. */
static void deliver_closing(struct node_core *core, uint64_t id)
{
    struct batch *batch;
    DL_FOREACH2(core->closing, batch, queue_next)
    {
        if (batch->closing_id == id)
            batch->delivered = true;
    }
}

bool node_core_effect(struct node_core *core, struct node_effect *ret)
{
    struct effect_queue *queue = &core->effects;
    if (queue->head < queue->n) {
        *ret = queue->items[queue->head++];
        if (ret->type == NODE_EFFECT_CLOSE)
            deliver_closing(core, ret->close.id);
        return true;
    }
    queue->head = queue->n = 0;
    if (core->state != NODE_GONE || core->exit_told)
        return false;
    core->exit_told = true;
    *ret = (struct node_effect){.type = NODE_EFFECT_EXIT};
    ret->exit.status = core->exit_status;
    ret->exit.why = core->exit_why;
    return true;
}

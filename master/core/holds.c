/*
 * holds.c: hosts that want to be left alone, told on to all nodes.
 *
 * Every node that a host refuses says so, perhaps a hundred times a second.
 * It is told on when it makes a difference, and remembered for nodes that
 * come later.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

static void tell(struct master_core *core, const struct node *node, int worker,
                 const char *host, usec_t length)
{
    char *copy = strdup(host);
    struct message *message =
        copy ? outbox_send(core, MESSAGE_HOLD, node) : NULL;
    if (!message) {
        core->memory_out = true;
        free(copy);
        return;
    }
    outbox_own(core, copy);
    message->hold =
        (struct hold){.worker = worker, .host = copy, .length = length};
}

/* The one that is known, or a new one; NULL where that can't be. */
static struct hold_entry *meet(struct master_core *core, int worker,
                               const char *host)
{
    char key[MESSAGE_TEXT_BYTES_MAX + 16];
    struct hold_entry *entry = NULL;
    int len = snprintf(key, sizeof(key), "%d %s", worker, host);
    if (len < 0 || (size_t)len >= sizeof(key))
        return NULL;
    HASH_FIND_STR(core->holds, key, entry);
    if (entry || HASH_COUNT(core->holds) >= HOLDS_MAX)
        return entry;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    entry->key = strdup(key);
    entry->worker = worker;
    entry->sent_at = core->now - HOLD_EVERY;
    if (entry->key) {
        entry->host = strchr(entry->key, ' ') + 1;
        HASH_ADD_KEYPTR(hh, core->holds, entry->key, strlen(entry->key), entry);
        if (entry->hh.tbl)
            return entry;
    }
    free(entry->key);
    free(entry);
    return NULL;
}

void holds_take(struct master_core *core, const struct hold *hold)
{
    usec_t length = hold->length;
    if (hold->worker < 0 ||
        (size_t)hold->worker >= core->config.pipeline->n_workers || length <= 0)
        return;
    if (length > RETRY_AFTER_MAX)
        length = RETRY_AFTER_MAX;
    adaptive_refused(core, hold->worker);
    struct hold_entry *entry = meet(core, hold->worker, hold->host);
    usec_t until = core->now + length;
    if (entry) {
        bool recent = core->now < entry->sent_at + HOLD_EVERY;
        if (until <= entry->until + (recent ? HOLD_EVERY : 0))
            return;
        entry->until = until;
        entry->sent_at = core->now;
    }
    tell(core, NULL, hold->worker, hold->host, length);
}

void holds_tell(struct master_core *core, const struct node *node)
{
    const struct hold_entry *entry, *next;
    HASH_ITER (hh, core->holds, entry, next)
        if (entry->until > core->now)
            tell(core, node, entry->worker, entry->host,
                 entry->until - core->now);
}

static void forget(struct master_core *core, struct hold_entry *entry)
{
    HASH_DEL(core->holds, entry);
    free(entry->key);
    free(entry);
}

void holds_expire(struct master_core *core)
{
    struct hold_entry *entry, *next;
    HASH_ITER (hh, core->holds, entry, next)
        if (entry->until <= core->now)
            forget(core, entry);
}

void holds_free(struct master_core *core)
{
    struct hold_entry *entry, *next;
    HASH_ITER (hh, core->holds, entry, next)
        forget(core, entry);
}

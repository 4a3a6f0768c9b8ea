/*
 * recall.c: see recall.h.
 *
 * A group is what one look-up is about:
 *
 *   OPEN --> IN_THREAD --> TOLD --> ANSWERED
 *
 * It is open until the turn ends or it is full. It lives as long as one of its
 * items, which point at its texts; done() and submit() see to the end of one
 * whose items have gone before it is ANSWERED.
 */
#include "recall.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "base/log.h"
#include "ledger/ledger.h"
#include "loop/offload.h"
#include "turn.h"

#define WHO "recall"
#define FREE_PATIENCE (200 * USEC_PER_MSEC)

/* A transfer, from recall_start() to recall_end(). */
struct item {
    struct group *group;
    size_t place;            /* in the group */
    struct node_start start; /* by start.fetch in recalls->items */
    bool waits;              /* for its look-up */
    UT_hash_handle hh;
};

enum group_state {
    GROUP_OPEN,      /* recalls->open */
    GROUP_IN_THREAD, /* its arrays and arena are the thread's */
    GROUP_TOLD,      /* done() goes through its items */
    GROUP_ANSWERED,
};

struct group {
    struct offload_work work;
    struct recalls *recalls;
    const struct worker *worker;
    enum group_state state;
    struct item **items; /* NULL: gone */
    struct slice *urls;
    struct last_answer *answers;
    size_t n, capacity;
    size_t n_left; /* items that have not gone */
    usec_t began;
    struct arena arena;
    struct group *prev, *next; /* in recalls->groups */
};

/* The thread's: nothing else touches it. */
struct reader {
    char *url;
    struct ledger *ledger; /* NULL: not connected */
};

struct recalls {
    struct recall_callbacks callbacks;
    struct reader reader;
    struct offload *offload;
    struct item *items;
    struct group *groups, *open;
    struct event *flush, *limit;
};

/* ---- in the thread ---- */

static void look_up(struct offload_work *work, void *shared)
{
    struct group *group = (struct group *)work;
    struct reader *reader = shared;
    struct error err = ERROR_NONE;
    if ((reader->ledger || !ledger_open(reader->url, &reader->ledger, &err)) &&
        !ledger_recall(reader->ledger, group->worker, group->urls, group->n,
                       &group->arena, group->answers, &err))
        return;
    log_debug(WHO, "%s; asking as if nothing were known", err.text);
    ledger_close(&reader->ledger);
    for (size_t i = 0; i < group->n; i++)
        group->answers[i] = (struct last_answer){0};
}

/* ---- groups and their items ---- */

static void group_free(struct group *group)
{
    DL_DELETE(group->recalls->groups, group);
    arena_free(&group->arena);
    free(group->items);
    free(group->urls);
    free(group->answers);
    free(group);
}

static bool make_room(struct group *group)
{
    size_t more = group->capacity ? 2 * group->capacity : 8;
    if (group->n < group->capacity)
        return true;
    struct item **items = realloc(group->items, more * sizeof *items);
    if (items)
        group->items = items;
    struct slice *urls = realloc(group->urls, more * sizeof *urls);
    if (urls)
        group->urls = urls;
    struct last_answer *answers =
        realloc(group->answers, more * sizeof *answers);
    if (answers)
        group->answers = answers;
    if (!items || !urls || !answers)
        return false;
    group->capacity = more;
    return true;
}

static struct item *find(const struct recalls *recalls, uint64_t fetch)
{
    struct item *item = NULL;
    if (recalls)
        HASH_FIND(hh, recalls->items, &fetch, sizeof fetch, item);
    return item;
}

const struct last_answer *recall_known(const struct recalls *recalls,
                                       uint64_t fetch)
{
    const struct item *item = find(recalls, fetch);
    if (!item || item->group->state < GROUP_TOLD)
        return NULL;
    const struct last_answer *answer = &item->group->answers[item->place];
    return answer->fields ? answer : NULL;
}

/* Its look-up has been answered, or takes too long. */
static void go_on(const struct recalls *recalls, struct item *item)
{
    const struct recall_callbacks *callbacks = &recalls->callbacks;
    const struct last_answer *known = recall_known(recalls, item->start.fetch);
    item->waits = false;
    if (known && item->group->worker->request.cache == CACHE_OBEY &&
        known->fresh_until > clock_wall())
        callbacks->on_fresh(callbacks->context, item->start.fetch, known);
    else
        callbacks->on_ask(callbacks->context,
                          &(struct node_effect){.type = NODE_EFFECT_START,
                                                .start = item->start});
}

static void done(struct offload_work *work, void *context)
{
    turn_enter();
    struct group *group = (struct group *)work;
    group->state = GROUP_TOLD;
    for (size_t i = 0; i < group->n; i++)
        if (group->items[i] && group->items[i]->waits)
            go_on(context, group->items[i]);
    group->state = GROUP_ANSWERED;
    if (!group->n_left)
        group_free(group);
}

static void drop(struct offload_work *work)
{
    ((struct group *)work)->state =
        GROUP_ANSWERED; /* recalls_free() frees it */
}

static void submit(struct recalls *recalls)
{
    struct group *group = recalls->open;
    recalls->open = NULL;
    if (!group)
        return;
    if (!group->n_left) {
        group_free(group);
        return;
    }
    static const struct timeval limit = {RECALL_TIME / USEC_PER_SEC, 0};
    group->state = GROUP_IN_THREAD;
    group->began = clock_monotonic();
    offload_do(recalls->offload, &group->work);
    if (!evtimer_pending(recalls->limit, NULL))
        evtimer_add(recalls->limit, &limit);
}

static void on_flush(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    submit(context);
}

static void on_limit(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    static const struct timeval again = {0, RECALL_TIME / 4};
    struct recalls *recalls = context;
    usec_t now = clock_monotonic();
    struct item *item, *next;
    bool waits = false;
    HASH_ITER (hh, recalls->items, item, next) {
        if (item->waits && item->group->state == GROUP_IN_THREAD &&
            now - item->group->began >= RECALL_TIME)
            go_on(recalls, item);
        else
            waits |= item->waits;
    }
    if (waits)
        evtimer_add(recalls->limit, &again);
}

static struct group *open_group(struct recalls *recalls,
                                const struct worker *worker)
{
    struct group *group = recalls->open;
    if (group && (group->worker != worker || group->n == RECALL_URLS_MAX)) {
        submit(recalls);
        group = NULL;
    }
    if (group || !(group = calloc(1, sizeof *group)))
        return group;
    group->work = (struct offload_work){look_up, done, drop, NULL};
    group->recalls = recalls;
    group->worker = worker;
    DL_APPEND(recalls->groups, group);
    recalls->open = group;
    event_active(recalls->flush, EV_TIMEOUT, 0);
    return group;
}

bool recall_start(struct recalls *recalls, const struct node_effect *effect)
{
    const struct node_start *start = &effect->start;
    struct group *group = open_group(recalls, start->worker);
    if (!group || !make_room(group))
        return false;
    struct item *item = calloc(1, sizeof *item);
    if (!item)
        return false;
    struct slice key = start->key, url = start->url;
    key.data = arena_copy(&group->arena, key.data, key.len);
    url.data = arena_copy(&group->arena, url.data, url.len);
    if (!key.data || !url.data) {
        free(item);
        return false;
    }
    item->group = group;
    item->place = group->n;
    item->start = *start;
    item->start.key = key;
    item->start.url = url;
    item->start.keys = &item->start.key; /* there is one */
    item->waits = true;
    group->urls[group->n] = url;
    group->answers[group->n] = (struct last_answer){0};
    group->items[group->n++] = item;
    group->n_left++;
    HASH_ADD(hh, recalls->items, start.fetch, sizeof start->fetch, item);
    return true;
}

static void item_end(struct recalls *recalls, struct item *item)
{
    struct group *group = item->group;
    HASH_DEL(recalls->items, item);
    group->items[item->place] = NULL;
    group->n_left--;
    free(item);
    if (!group->n_left && group->state == GROUP_ANSWERED)
        group_free(group);
}

void recall_end(struct recalls *recalls, uint64_t fetch)
{
    struct item *item = find(recalls, fetch);
    if (item)
        item_end(recalls, item);
}

void recall_end_all(struct recalls *recalls)
{
    struct item *item, *next;
    if (!recalls)
        return;
    HASH_ITER (hh, recalls->items, item, next) {
        item_end(recalls, item);
    }
}

const struct last_answer *recall_remember(const struct fetch_answer *answer,
                                          const struct last_answer *known,
                                          struct last_answer *ret)
{
    if (answer->request->cache == CACHE_IGNORE || answer->no_store)
        return NULL;
    *ret = (struct last_answer){
        .url = answer->url,
        .etag = answer->etag,
        .modified = answer->modified,
        .fresh_until = answer->fresh ? clock_wall() + answer->fresh : 0,
    };
    if (answer->unchanged && !ret->etag.data)
        ret->etag = known->etag;
    if (answer->unchanged && !ret->modified.data)
        ret->modified = known->modified;
    return ret;
}

/* ---- all of it ---- */

int recalls_new(struct event_base *base, const char *url,
                const struct recall_callbacks *callbacks, struct recalls **ret,
                struct error *err)
{
    struct recalls *recalls = calloc(1, sizeof *recalls);
    if (!recalls)
        return error_set(err, ERR_MEMORY, "no memory for look-ups");
    recalls->callbacks = *callbacks;
    recalls->reader.url = strdup(url);
    recalls->flush = event_new(base, -1, 0, on_flush, recalls);
    recalls->limit = evtimer_new(base, on_limit, recalls);
    recalls->offload = offload_new(base, &recalls->reader, recalls);
    if (!recalls->reader.url || !recalls->flush || !recalls->limit ||
        !recalls->offload) {
        recalls_free(&recalls);
        return error_set(err, ERR_MEMORY, "no memory or threads for look-ups");
    }
    *ret = recalls;
    return 0;
}

/* A look-up under way is not waited for longer than a moment: the process ends
 * with it. */
void recalls_free(struct recalls **ptr)
{
    struct recalls *recalls = *ptr;
    *ptr = NULL;
    if (!recalls)
        return;
    recall_end_all(recalls);
    recalls->open = NULL;
    if (recalls->flush)
        event_free(recalls->flush);
    if (recalls->limit)
        event_free(recalls->limit);
    if (recalls->offload && !offload_free(&recalls->offload, FREE_PATIENCE))
        return;
    struct group *group, *next;
    DL_FOREACH_SAFE (recalls->groups, group, next) {
        group_free(group);
    }
    ledger_close(&recalls->reader.ledger);
    free(recalls->reader.url);
    free(recalls);
}

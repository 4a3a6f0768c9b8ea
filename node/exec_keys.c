/* exec_keys.c: see exec_keys.h. */
#include "exec_keys.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"

/* ---- who was blamed ---- */

static uint64_t hash_of(struct slice key)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 1099511628211u;
    return hash ? hash : 1;
}

static uint64_t *find_blamed(struct exec_keys *keys, struct slice key)
{
    uint64_t hash = hash_of(key);
    for (size_t i = 0; i < EXEC_BLAMED_KEPT; i++)
        if (keys->blamed[i] == hash)
            return &keys->blamed[i];
    return NULL;
}

static struct slice text_of(const struct exec_key *key)
{
    return (struct slice){key->text, key->len};
}

static void remember(struct exec_keys *keys, const struct exec_key *key)
{
    if (find_blamed(keys, text_of(key)))
        return;
    keys->blamed[keys->next_blamed++ % EXEC_BLAMED_KEPT] =
        hash_of(text_of(key));
}

/* ---- lists ---- */

static struct exec_key **list_of(struct exec_keys *keys,
                                 const struct exec_key *key)
{
    return key->sent      ? &keys->sent
           : key->suspect ? &keys->suspects
                          : &keys->waiting;
}

static void unlink_key(struct exec_keys *keys, struct exec_key *key)
{
    DL_DELETE(*list_of(keys, key), key);
    keys->n_sent -= key->sent;
    HASH_DELETE(by_id, keys->ids, key);
    if (!key->cancelled)
        HASH_DELETE(by_fetch, keys->fetches, key);
}

bool exec_keys_add(struct exec_keys *keys, uint64_t fetch, struct slice key)
{
    struct exec_key *own = calloc(1, sizeof *own + key.len + 1);
    if (!own)
        return false;
    own->id = ++keys->last_id;
    own->fetch = fetch;
    own->len = key.len;
    memcpy(own->text, key.data, key.len);
    own->suspect = find_blamed(keys, key);
    DL_APPEND(*list_of(keys, own), own);
    HASH_ADD(by_id, keys->ids, id, sizeof own->id, own);
    HASH_ADD(by_fetch, keys->fetches, fetch, sizeof own->fetch, own);
    return true;
}

static void cancel(struct exec_keys *keys, struct exec_key *key)
{
    if (key->sent) {
        HASH_DELETE(by_fetch, keys->fetches, key);
        key->cancelled = true;
        return;
    }
    unlink_key(keys, key);
    free(key);
}

void exec_keys_cancel(struct exec_keys *keys, uint64_t fetch)
{
    struct exec_key *key = NULL;
    HASH_FIND(by_fetch, keys->fetches, &fetch, sizeof fetch, key);
    if (key)
        cancel(keys, key);
}

void exec_keys_cancel_all(struct exec_keys *keys)
{
    struct exec_key *key, *next;
    HASH_ITER (by_fetch, keys->fetches, key, next) {
        cancel(keys, key);
    }
}

void exec_keys_free(struct exec_keys *keys)
{
    struct exec_key *key, *next;
    HASH_ITER (by_id, keys->ids, key, next) {
        unlink_key(keys, key);
        free(key);
    }
}

/* ---- sending ---- */

bool exec_keys_wait(const struct exec_keys *keys)
{
    return keys->waiting || keys->suspects;
}

struct exec_key *exec_keys_next(struct exec_keys *keys, size_t most, usec_t now,
                                usec_t timeout)
{
    struct exec_key *key = keys->suspects ? keys->suspects : keys->waiting;
    bool alone = keys->suspects || (keys->sent && keys->sent->suspect);
    if (!key || (alone ? keys->n_sent > 0 : keys->n_sent >= most))
        return NULL;
    DL_DELETE(*list_of(keys, key), key);
    key->sent = true;
    key->sent_at = now;
    key->due = now + timeout;
    DL_APPEND(keys->sent, key);
    keys->n_sent++;
    return key;
}

void exec_keys_put_off(struct exec_keys *keys, usec_t due)
{
    struct exec_key *key;
    DL_FOREACH (keys->sent, key) {
        key->due = due;
    }
}

struct exec_key *exec_keys_find(const struct exec_keys *keys, uint64_t id)
{
    struct exec_key *key = NULL;
    HASH_FIND(by_id, keys->ids, &id, sizeof id, key);
    return key && key->sent ? key : NULL;
}

void exec_keys_take(struct exec_keys *keys, struct exec_key *key)
{
    CHECK(key->sent);
    uint64_t *blamed = key->suspect ? find_blamed(keys, text_of(key)) : NULL;
    if (blamed)
        *blamed = 0;
    unlink_key(keys, key);
}

/* ---- blame ---- */

static bool may_be_blamed(const struct exec_key *key, enum exec_cause cause,
                          usec_t now)
{
    return cause != EXEC_DUE || key->due <= now;
}

/* The only one that may be to blame; NULL: there are several, or none. */
static struct exec_key *find_culprit(const struct exec_keys *keys,
                                     enum exec_cause cause, usec_t now)
{
    struct exec_key *key, *culprit = NULL;
    DL_FOREACH (keys->sent, key) {
        if (!may_be_blamed(key, cause, now))
            continue;
        if (culprit)
            return NULL;
        culprit = key;
    }
    if (culprit && cause == EXEC_WRONG && !culprit->suspect)
        return NULL;
    return culprit;
}

/* Ahead of all that wait, so that none is overtaken for ever, and in their
 * order. */
static void put_back(struct exec_keys *keys, bool suspected,
                     enum exec_cause cause, usec_t now)
{
    struct exec_key *key, *next, *waiting = NULL, *suspects = NULL;
    DL_FOREACH_SAFE (keys->sent, key, next) {
        key->sent = false;
        key->suspect |= suspected && may_be_blamed(key, cause, now);
        if (key->cancelled) {
            CHECK(keys->ids);
            HASH_DELETE(by_id, keys->ids, key);
            free(key);
        } else if (key->suspect) {
            DL_APPEND(suspects, key);
        } else {
            DL_APPEND(waiting, key);
        }
    }
    keys->sent = NULL;
    keys->n_sent = 0;
    DL_CONCAT(suspects, keys->suspects);
    DL_CONCAT(waiting, keys->waiting);
    keys->suspects = suspects;
    keys->waiting = waiting;
}

struct exec_key *exec_keys_settle(struct exec_keys *keys, enum exec_cause cause,
                                  usec_t now)
{
    struct exec_key *culprit = find_culprit(keys, cause, now);
    if (culprit) {
        remember(keys, culprit);
        unlink_key(keys, culprit);
    }
    put_back(keys, !culprit, cause, now);
    if (culprit && culprit->cancelled) {
        free(culprit);
        culprit = NULL;
    }
    return culprit;
}

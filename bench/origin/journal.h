/*
 * journal.h: what was asked for and what was injected; /origin/log.
 *
 * A request is in flight from when it has been read until its answer has been
 * handed to the kernel, or its connection ended.
 */
#ifndef ORIGIN_JOURNAL_H
#define ORIGIN_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "faults.h"

/* Keys beyond are counted as `keys_dropped` requests, not one by one; with
 * about 150 bytes a key this bounds the journal to 150 MB. */
#define JOURNAL_KEYS_MAX 1000000
/* Of a key, what was injected into the first so many requests is kept. */
#define JOURNAL_INJECTED_MAX 32

struct journal;

MUSTCHECK
int journal_new(struct journal **ret_journal, struct error *err);
void journal_free(struct journal **journal);

/* Forgets all but what is open: connections, requests in flight. */
void journal_reset(struct journal *journal);

/* A connection came or went. */
void journal_connected(struct journal *journal);
void journal_disconnected(struct journal *journal);

/* A request for `key` was read at `now` (monotonic). The result is how many
 * times that key was asked for before; for a key that is not kept, how many
 * requests there were before. */
uint64_t journal_begin(struct journal *journal, const char *key, usec_t now);

/* The same of a symbol in a request for several, which was begun already. */
uint64_t journal_also(struct journal *journal, const char *key);

/* What was injected into that request, right after journal_begin(). */
void journal_injected(struct journal *journal, const char *key,
                      enum fault_kind kind);

/* The answer to one for `key` was that nothing has changed. */
void journal_unchanged(struct journal *journal, const char *key);

/* The request is no longer in flight. */
void journal_end(struct journal *journal);

/* Appends one JSON object: requests, injected (by kind), keys_dropped,
 * in_flight, in_flight_max, connections (since the reset), connections_open,
 * unchanged (answers of status 304), second_max (the most requests within any
 * one second), seconds (from the first to the last request) and, if asked,
 * keys:
 * {"AAPL":{"asked":2,"unchanged":1,"injected":["503",null]}}. */
void journal_print(const struct journal *journal, bool keys, struct buffer *to);

#endif

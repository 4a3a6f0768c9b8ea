/*
 * try.h: one key of one worker, through all that follows, told step by step
 * instead of stored: `windrow-node --try`, which `windrow try` and `windrow
 * test` start. No ledger, no master, one try of each request.
 *
 * The job comes as one JSON object on standard input:
 *
 *   pipeline  the file's text, and path: its path
 *   worker    whose input the key is
 *   key       of a fetcher; of a source which of its input values, else the
 *             first
 *   answers   a record (try_web.h); absent: the web is asked
 *   record    true: bodies are written to descriptor 3, one after the other
 *
 * What happens is a JSON object a line on standard output, each with `event`:
 *
 *   request   worker, class, key, url, headers that are sent; of exec the line
 *   answer    worker, class, status, headers, bytes, us, head (its first
 *             characters)
 *   part      worker, each, key (as it was asked for), found, bytes: of an
 *             answer to several keys, after which `at` begins there
 *   field     worker, name, at, formula, type, found, raw, value; else reason,
 *             detail; near
 *   rows      worker, name (of a row set), n, reason, detail, near (by field)
 *   keys      worker, n, keys (the first TRY_KEYS_SHOWN_MAX; of a query there
 *             is no request before them); of html_table
 *             tables of the page, and which table and column, from 1
 *   row       worker (a store), table, values, times (columns that hold the
 *             time); the first TRY_ROWS_SHOWN_MAX of each store
 *   end       outcome: rows, keys, or failure with worker, key, reason,
 *             means, status, may_pass, detail, near
 *
 * Secret values are masked in all of it.
 */
#ifndef NODE_TRY_H
#define NODE_TRY_H

#include "pipeline/settings.h"

#define TRY_JOB_BYTES_MAX (4 * 1024 * 1024)
#define TRY_KEYS_SHOWN_MAX 1000
#define TRY_ROWS_SHOWN_MAX 1000 /* of one store */
#define TRY_HEAD_BYTES 240
#define TRY_RECORD_DESCRIPTOR 3

struct launcher;

/* The process's exit status: 0 where `end` was told. `launcher` is for
 * programs; NULL: none may be started. */
int try_run(const struct settings *settings, struct launcher *launcher);

#endif

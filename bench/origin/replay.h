/*
 * replay.h: recorded answers instead of made ones.
 *
 *     DIR/wiki.html         the article; absent: the made one
 *     DIR/chart/KEY         the body of a chart answer, KEY as asked, decoded
 *     DIR/chart/status.tsv  KEY<TAB>status for those that are not 200; may
 *                           also lie at DIR/status.tsv, as it does for charts
 *     DIR/quote/KEY         the same for the quote page
 *     DIR/quote/status.tsv
 *
 * All is read at the start; nothing is opened later, so no key can name a path.
 */
#ifndef ORIGIN_REPLAY_H
#define ORIGIN_REPLAY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

#define REPLAY_FILE_BYTES_MAX ((size_t)64 << 20)
#define REPLAY_FILES_MAX 1000000

enum replay_kind { REPLAY_CHART, REPLAY_QUOTE, REPLAY_KINDS };

struct replay;

/* Puts DIR/wiki.html into `ret_wiki`, or leaves that alone where absent. */
MUSTCHECK
int replay_new(const char *dir, struct replay **ret_replay,
               struct buffer *ret_wiki, struct error *err);
void replay_free(struct replay **replay);

/* False where nothing is recorded. The body lasts as long as the replay. */
bool replay_find(const struct replay *replay, enum replay_kind kind,
                 const char *key, int *ret_status, struct slice *ret_body);

#endif

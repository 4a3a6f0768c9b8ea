/*
 * lists.h: the pages that list the symbols: Wikipedia's, and the same list as
 * JSON, as text and as CSV.
 *
 * Each is made when it is first asked for and then kept, also its gzip form.
 */
#ifndef ORIGIN_LISTS_H
#define ORIGIN_LISTS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "symbols.h"

enum list_kind {
    LIST_WIKI,          /* the article with the table `constituents` */
    LIST_WIKI_NO_TABLE, /* the article without that table */
    LIST_WIKI_NO_ROWS,  /* with that table, which holds its header only */
    LIST_JSON,          /* [{"symbol":"MMM","name":"3M","sector":"..."},...] */
    LIST_TEXT,          /* a symbol a line */
    LIST_CSV,           /* Symbol,Security,GICS Sector */
    LIST_KINDS
};

/* A page of more is refused: it would be some 300 MB. */
#define LIST_ROWS_MAX 1000000

struct lists;

/* `symbols` must outlive the lists. */
MUSTCHECK
int lists_new(struct symbols *symbols, struct lists **ret_lists,
              struct error *err);
void lists_free(struct lists **lists);

/* Serves `page` as the article from now on, and takes what it holds. */
void lists_take_wiki(struct lists *lists, struct buffer *page);

/* The page, compressed where `gzip`; it lasts as long as the lists. */
MUSTCHECK
int lists_page(struct lists *lists, enum list_kind kind, bool gzip,
               struct slice *ret_page, struct error *err);

#endif

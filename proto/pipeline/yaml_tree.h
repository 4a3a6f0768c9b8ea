/*
 * yaml_tree.h: a YAML document as a tree that remembers where each thing
 * stood.
 *
 * Texts, lists and maps, nothing more: what a text means (a number, a
 * duration) is decided by who reads it. Aliases are refused, so that a tree
 * is never larger than its file; so are tags, duplicate keys, keys that are
 * no text, and a second document.
 */
#ifndef PIPELINE_YAML_TREE_H
#define PIPELINE_YAML_TREE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

#define YAML_DEPTH_MAX 16   /* a pipeline needs 6 */
#define YAML_ITEMS_MAX 4096 /* of one list or map; input_values needs 1,000 */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line;                /* from 1 */
    int column;              /* from 1, in characters */
    bool plain;              /* a text without quotes */
    bool broken;             /* already complained about, by the tree's user */
    const char *text;        /* YAML_TEXT: without NUL inside; else NULL */
    struct yaml_node *key;   /* of an entry of a map; else NULL */
    struct yaml_node *first; /* entries of a list or map, in order */
    struct yaml_node *next;  /* the next entry of what this one is in */
    size_t n_items;
};

/* Where and why a document was refused. */
struct yaml_problem {
    int line;
    int column;
    char text[200];
};

/*
 * Parses `text` (UTF-8) into `arena`. ERR_PIPELINE with *ret_problem filled
 * where it is no YAML that is understood, ERR_MEMORY otherwise.
 */
MUSTCHECK
int yaml_tree_parse(struct slice text, struct arena *arena,
                    struct yaml_node **ret, struct yaml_problem *ret_problem,
                    struct error *err);

/* The map's entry; NULL where there is none, or where it is empty. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* Whether nothing was written: an empty plain text, `~` or `null`. */
bool yaml_is_null(const struct yaml_node *node);

#endif

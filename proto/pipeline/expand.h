/*
 * expand.h: ${NAME} and ${NAME:-default} in the values of a pipeline.
 *
 * `$$` is a dollar; a dollar before anything but `{` and `$` stays as it is.
 * The default stands where the setting is absent or empty. Keys are left
 * alone (an expression of key_replace ends in a dollar), and so are
 * descriptions and notes.
 */
#ifndef PIPELINE_EXPAND_H
#define PIPELINE_EXPAND_H

#include "pipeline/loader.h"

#define EXPAND_BYTES_MAX (64 * 1024) /* of one value, expanded */

/* Expands all values under `node` in place, complaining where it can't. */
void expand_tree(struct loader *loader, struct yaml_node *node);

#endif

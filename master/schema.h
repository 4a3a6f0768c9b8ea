/*
 * schema.h: the JSON Schema (draft-07, which editors' YAML servers know best)
 * of the pipeline file, out of the tables that its parser reads by
 * (pipeline/shape.h).
 *
 * It says all that is of shape: keys, kinds, choices, ranges of plain numbers,
 * how many. What is between parts (queues, fields of columns), and what only a
 * parser can tell (an XPath), is `windrow check`'s. Where a value holds
 * ${NAME}, nothing is said of it. Every file that check accepts is valid.
 */
#ifndef MASTER_SCHEMA_H
#define MASTER_SCHEMA_H

#include <jansson.h>

/* NULL: no memory. */
json_t *schema_build(void);

#endif

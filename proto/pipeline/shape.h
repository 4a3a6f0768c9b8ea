/*
 * shape.h: what a pipeline file may hold: each key, and the shape of its
 * value.
 *
 * One description, from which the parser takes names, ranges and choices, and
 * `windrow schema` writes the JSON Schema that editors use. A new key is a
 * line in one of the tables, and no more can differ between the two.
 *
 *   pipeline_options.c   a worker's options, by class
 *   pipeline_request.c   retry
 *   pipeline_several.c   for_key
 *   pipeline_fields.c    a field, a column
 *   pipeline_compute.c   what a field computes
 *   pipeline_exec.c      a program of the user's
 *   shape.c              the file itself, queues, workers
 */
#ifndef PIPELINE_SHAPE_H
#define PIPELINE_SHAPE_H

#include "pipeline/pipeline.h"

enum shape_kind {
    SHAPE_ANY,      /* for people; not read */
    SHAPE_TEXT,     /* of at least `least` characters, like `pattern` */
    SHAPE_INTEGER,  /* from `least` to `most`, as the next two */
    SHAPE_DURATION, /* in microseconds */
    SHAPE_BYTES,
    SHAPE_BOOLEAN,
    SHAPE_CHOICE,  /* one of `choices` */
    SHAPE_LIST,    /* `least` to `most` times `entry` */
    SHAPE_MAP,     /* the same, under names that the user gives */
    SHAPE_MEMBERS, /* a map with the keys of `members` */
};

struct shape {
    enum shape_kind kind;
    int64_t least, most;
    const char *pattern; /* ECMA 262; NULL: none. It may allow more than the
                            parser does */
    const char *keys;    /* of SHAPE_MAP: a pattern for its names; NULL: any */
    bool any_scalar;     /* of SHAPE_TEXT: 12 and true will do as well */
    const char *const *choices;   /* NULL ends them */
    const struct member *members; /* one without a name ends them */
    const struct shape *entry;
    const struct shape * or ; /* another shape that will do; NULL: none */
};

struct member {
    const char *name;
    unsigned classes;  /* of workers: 1u << CLASS_...; 0: not a question */
    unsigned required; /* of these classes; elsewhere: 1 or 0 */
    struct shape shape;
    const char *fallback; /* the default, as a file has it; NULL: none */
    const char *help;     /* one line, without a capital and a full stop */
};

/* For the tables. */
#define SHAPE_OF_TEXT                                                          \
    {                                                                          \
        .kind = SHAPE_TEXT, .least = 1, .any_scalar = true                     \
    }
#define SHAPE_OF_PATTERN(text)                                                 \
    {                                                                          \
        .kind = SHAPE_TEXT, .pattern = (text)                                  \
    }
#define SHAPE_OF_NAME                                                          \
    {                                                                          \
        .kind = SHAPE_TEXT, .pattern = SHAPE_NAME_PATTERN, .any_scalar = true  \
    }
#define SHAPE_OF_NUMBER(of_kind, from, to)                                     \
    {                                                                          \
        .kind = (of_kind), .least = (from), .most = (to)                       \
    }
#define SHAPE_OF_CHOICE(texts)                                                 \
    {                                                                          \
        .kind = SHAPE_CHOICE, .choices = (texts)                               \
    }
#define SHAPE_OF_MANY(of_kind, from, to, of)                                   \
    {                                                                          \
        .kind = (of_kind), .least = (from), .most = (to), .entry = (of)        \
    }
#define SHAPE_OF_MEMBERS(of)                                                   \
    {                                                                          \
        .kind = SHAPE_MEMBERS, .members = (of)                                 \
    }
#define SHAPE_FOR_PEOPLE                                                       \
    {                                                                          \
        .kind = SHAPE_ANY                                                      \
    }

#define SHAPE_NAME_PATTERN "^[^\\u0000-,/:-@\\[-\\^`{-\\u007f]{1,63}$"
#define SHAPE_POINTER_PATTERN "^(/([^~]|~[01])*)?$" /* RFC 6901 */
#define SHAPE_SEPARATOR_PATTERN "^[!$-;=?-z|~]{1,8}$"
#define SHAPE_URL_PATTERN "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]"

extern const struct shape shape_text; /* SHAPE_OF_TEXT */

/* A worker's options: number `i`, NULL beyond the last. An option whose shape
 * depends on the class is there several times. */
const struct member *shape_option(size_t i);

/* The keys of the file, of a queue, and of a worker; those of the older Python
 * pipelines are others. All end with one that has no name. */
extern const struct member shape_of_file[];
extern const struct member shape_of_queue[], shape_of_older_queue[];
extern const struct member shape_of_worker[], shape_of_older_worker[];

/* `instances` of a class, and its default; the shape of its `input_values`.
 * Both are in the worker's table too, without shape. */
struct shape shape_of_instances(enum worker_class class, int *ret_default);
/* False: the class takes none. `required` where it needs some. */
bool shape_of_input_values(enum worker_class class, struct shape *ret,
                           bool *ret_required);

/* The built-in worker number `i` of the older pipelines. False: no such. */
bool shape_older_worker(size_t i, const char **ret_location,
                        const char **ret_class);

#endif

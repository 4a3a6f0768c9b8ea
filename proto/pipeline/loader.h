/*
 * loader.h: what the parts of pipeline_load() share; nobody else includes it.
 *
 * The parts read nodes of the YAML tree through the load_ functions here.
 * Where a node is wrong these add a complaint and return false or NULL; the
 * caller leaves its default and goes on, so that several complaints come at
 * once. When memory is out they set `out_of_memory`, and nothing else
 * matters.
 */
#ifndef PIPELINE_LOADER_H
#define PIPELINE_LOADER_H

#include "pipeline/pipeline.h"
#include "pipeline/shape.h"
#include "pipeline/yaml_tree.h"

#define COMPLAINT_BYTES_MAX 600 /* of one complaint; cut beyond */

struct loader {
    struct pipeline *pipeline;
    const struct settings *settings;
    struct complaints *complaints;
    bool legacy; /* a file of the older Python pipelines */
    bool out_of_memory;
    const struct yaml_node *queue_nodes[PIPELINE_QUEUES_MAX];
    const struct yaml_node *worker_nodes[PIPELINE_WORKERS_MAX];
    const struct yaml_node *columns_nodes[PIPELINE_WORKERS_MAX]; /* stores */
};

/* A text made fit to be shown in a message: cut where it is long. */
struct shown {
    char text[72];
};
struct shown shown(const char *text);

/* Adds a complaint about `at`, secrets masked, control characters too. */
void complain(struct loader *loader, const struct yaml_node *at,
              const char *format, ...) PRINTF_LIKE(3, 4);
void complain_at(struct loader *loader, int line, int column,
                 const char *format, ...) PRINTF_LIKE(4, 5);

/* "unknown WHAT 'FOUND' of OF; did you mean 'X'? (allowed: X, Y)". */
void complain_unknown(struct loader *loader, const struct yaml_node *at,
                      const char *what, const char *of, const char *found,
                      const char *const *allowed, size_t n_allowed);
/* The same where X is known; NULL: none is. */
void complain_unknown_near(struct loader *loader, const struct yaml_node *at,
                           const char *what, const char *of, const char *found,
                           const char *const *allowed, size_t n_allowed,
                           const char *near);

/* Complains about each key of `map` that is not among `members`; `of` says
 * what the map is, for instance "a queue"; NULL: the whole. */
void load_check_keys(struct loader *loader, const struct yaml_node *map,
                     const char *of, const struct member *members);

/* Zeroed memory of the pipeline; NULL and out_of_memory. */
void *load_alloc(struct loader *loader, size_t n, size_t bytes);
const char *load_printf(struct loader *loader, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* The node as a text that is not empty / a list of such / a map. `what`
 * names it in complaints, for instance "option 'url'". */
const char *load_text(struct loader *loader, const struct yaml_node *node,
                      const char *what);
bool load_texts(struct loader *loader, const struct yaml_node *node,
                const char *what, size_t n_max, const char ***ret,
                size_t *ret_n);
bool load_map(struct loader *loader, const struct yaml_node *node,
              const char *what, size_t n_max);

/* The node as what `shape` says: an int (INTEGER), usec_t, int64_t (BYTES),
 * bool, the place among the choices (int), or const char * (TEXT; whether it
 * is like the pattern, the caller looks). */
bool load_value(struct loader *loader, const struct yaml_node *node,
                const char *what, const struct shape *shape, void *ret);
/* The same of the entry `name` of `map`, one of `members`, where there is one;
 * returns its node. */
const struct yaml_node *load_member(struct loader *loader,
                                    const struct yaml_node *map,
                                    const struct member *members,
                                    const char *name, void *ret);

bool load_integer(struct loader *loader, const struct yaml_node *node,
                  const char *what, int64_t min, int64_t max, int64_t *ret);
bool load_duration(struct loader *loader, const struct yaml_node *node,
                   const char *what, usec_t min, usec_t max, usec_t *ret);
bool load_bytes(struct loader *loader, const struct yaml_node *node,
                const char *what, int64_t min, int64_t max, int64_t *ret);
bool load_boolean(struct loader *loader, const struct yaml_node *node,
                  const char *what, bool *ret);

/* Names of things of ours: letters, digits and _ . - (and what is beyond
 * ASCII), at most NAME_BYTES_MAX. */
#define NAME_BYTES_MAX 63 /* PostgreSQL's own limit for a name */
bool load_name_is_good(const char *name);

/* The parts, in the order in which they run. */

/* legacy.c: whether the file is one of the older Python pipelines. */
bool legacy_file(const struct yaml_node *root);
/* legacy.c: class and options of a worker that has a location; false after a
 * complaint. *ret_options is NULL where they could not be made. */
bool legacy_worker(struct loader *loader, const struct yaml_node *node,
                   struct worker *worker, struct yaml_node **ret_options);
/* legacy.c: the URL of a list page, at WIKIPEDIA_URL if that is set. */
const char *legacy_url(struct loader *loader, const char *url);

/* pipeline_parse.c: all but what stands under `options`. */
void parse_pipeline(struct loader *loader, const struct yaml_node *root);
/* pipeline_options.c; `options` may be NULL, `node` is the worker's. */
void parse_options(struct loader *loader, struct worker *worker,
                   const struct yaml_node *node,
                   const struct yaml_node *options);
/* pipeline_request.c: defaults, and the options of whoever asks the web. */
void request_defaults(struct request *request, bool is_fetcher);
void read_url(struct loader *, struct worker *, const struct yaml_node *);
void read_key_replace(struct loader *, struct worker *,
                      const struct yaml_node *);
void read_headers(struct loader *, struct worker *, const struct yaml_node *);
void read_user_agent(struct loader *, struct worker *,
                     const struct yaml_node *);
void read_refusals(struct loader *, struct worker *, const struct yaml_node *);
extern const struct member retry_members[];
void read_retry(struct loader *, struct worker *, const struct yaml_node *);
void read_rate(struct loader *, struct worker *, const struct yaml_node *);
void read_max_in_flight(struct loader *, struct worker *,
                        const struct yaml_node *);
/* pipeline_several.c: several keys with one request. */
extern const struct member for_key_members[];
void read_for_key(struct loader *, struct worker *, const struct yaml_node *);
void read_separator(struct loader *, struct worker *, const struct yaml_node *);
void check_several(struct loader *, const struct worker *,
                   const struct yaml_node *options);
/* pipeline_fields.c: what is looked for, and where it is stored. */
extern const struct shape json_field_shape, html_field_shape;
void read_fields(struct loader *, struct worker *, const struct yaml_node *);
void read_columns(struct loader *, struct worker *, const struct yaml_node *);
bool check_pointer(struct loader *, const struct yaml_node *at,
                   const char *pointer);
/* pipeline_xpath.c: false after a complaint: it is no XPath, or one that fails
 * on every page. */
bool check_xpath(struct loader *, const struct yaml_node *at,
                 const char *xpath);
/* pipeline_compute.c: the field's indicator, and its type by that; false after
 * a complaint. */
bool read_compute(struct loader *, const struct yaml_node *, struct field *);
extern const char *const compute_choices[];
extern const struct shape compute_with_number;
#define COMPUTE_SHAPE                                                          \
    {                                                                          \
        .kind = SHAPE_CHOICE, .choices = compute_choices,                      \
        .or = &compute_with_number                                             \
    }
const char *load_pointer(struct loader *, const struct yaml_node *,
                         const char *what); /* it may be ""; never NULL */
/* The fields of the map `node`; `required`: unless they say otherwise. */
void load_fields(struct loader *, const struct worker *,
                 const struct yaml_node *node, const char *what, bool required,
                 struct field **ret, size_t *ret_n);
/* pipeline_values.c: expressions. They are noted where they stand, and read
 * when all fields of the worker are known. */
void load_formula(struct loader *, const struct yaml_node *, const char *what,
                  struct formula *ret);
void read_require(struct loader *, struct worker *, const struct yaml_node *);
void parse_values(struct loader *, struct worker *);
/* pipeline_rows.c: several rows out of one answer. */
extern const struct shape row_set_shape;
void read_rows(struct loader *, struct worker *, const struct yaml_node *);
/* pipeline_exec.c: a program of the user's. */
void exec_defaults(struct worker *);
void read_command(struct loader *, struct worker *, const struct yaml_node *);
void read_env(struct loader *, struct worker *, const struct yaml_node *);
/* pipeline_check.c: queues and workers as a graph. */
void check_graph(struct loader *loader);

#endif

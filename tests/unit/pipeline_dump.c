/* pipeline_dump.c: see pipeline_dump.h. */
#include "pipeline_dump.h"

static void dump_text(struct buffer *out, const char *name, const char *value)
{
    if (value)
        buffer_printf(out, "  %s: '%s'\n", name, value);
}

static void dump_number(struct buffer *out, const char *name, int64_t value)
{
    buffer_printf(out, "  %s: %lld\n", name, (long long)value);
}

static void dump_request(const struct request *r, struct buffer *out)
{
    dump_text(out, "url", r->url);
    if (r->keys_per_request)
        buffer_printf(out, "  keys_per_request: %d, parted by '%s' ('%s')\n",
                      r->keys_per_request, r->separator, r->separator_in_key);
    for (size_t i = 0; i < r->n_replaces; i++)
        buffer_printf(out, "  replace: '%s' by '%s'\n",
                      r->replaces[i].expression, r->replaces[i].with);
    for (size_t i = 0; i < r->n_headers; i++)
        dump_text(out, "header", r->headers[i]);
    dump_text(out, "user_agent", r->user_agent);
    dump_number(out, "timeout", r->timeout);
    dump_number(out, "connect_timeout", r->connect_timeout);
    dump_number(out, "body_bytes_max", r->body_bytes_max);
    dump_number(out, "redirects", r->redirects);
    for (size_t i = 0; i < r->n_refusals; i++)
        dump_text(out, "refusal", r->refusals[i]);
    dump_number(out, "attempts", r->attempts);
    dump_number(out, "backoff", r->backoff);
    dump_number(out, "backoff_max", r->backoff_max);
    dump_number(out, "hold", r->hold);
    buffer_printf(out, "  rate: %g\n", r->rate);
    dump_number(out, "max_in_flight", r->max_in_flight);
    dump_number(out, "adaptive", r->adaptive);
    dump_number(out, "robots", r->robots);
    if (r->cache != CACHE_IGNORE)
        dump_number(out, "cache", (int64_t)r->cache);
    dump_number(out, "deny_private", r->deny_private);
}

static void dump_fields(const struct field *fields, size_t n,
                        const char *indent, struct buffer *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct field *f = &fields[i];
        buffer_printf(out, "%sfield %s: '%s' %s%s", indent, f->name,
                      f->at ? f->at : "(computed)", field_type_name(f->type),
                      f->required ? " required" : "");
        if (f->compute.indicator)
            buffer_printf(out, " compute %s %d",
                          indicator_name(f->compute.indicator), f->compute.n);
        if (f->default_value)
            buffer_printf(out, " default '%s'", f->default_value);
        if (f->value.text)
            buffer_printf(out, " value '%s' %s", f->value.text,
                          field_type_name(f->stored));
        if (f->unit != USEC_PER_SEC)
            buffer_printf(out, " unit %lld us", (long long)f->unit);
        buffer_append_char(out, '\n');
    }
}

static void dump_sets(const struct worker *w, struct buffer *out)
{
    static const char *const lengths[] = {"equal", "longest", "shortest"};
    for (size_t i = 0; i < w->n_sets; i++) {
        const struct row_set *set = &w->sets[i];
        buffer_printf(out, "  rows %s:%s ", set->name,
                      set->required ? " required" : "");
        if (set->zip)
            buffer_printf(out, "zip %s\n", lengths[set->lengths]);
        else
            buffer_printf(out, "each '%s'\n", set->each);
        if (set->where.text)
            buffer_printf(out, "    where '%s'\n", set->where.text);
        dump_fields(set->fields, set->n_fields, "    ", out);
    }
}

static void dump_sink(const struct sink *sink, struct buffer *out)
{
    dump_text(out, "table", sink->table);
    if (sink->rows)
        dump_text(out, "rows", sink->rows);
    for (size_t i = 0; i < sink->n_columns; i++) {
        const struct column *c = &sink->columns[i];
        buffer_printf(out, "  column %s: ", c->name);
        if (c->source == COLUMN_FIELD || c->source == COLUMN_ELEMENT)
            buffer_printf(out, "%s %s %s\n",
                          c->source == COLUMN_FIELD ? "field" : "element",
                          c->field, field_type_name(c->type));
        else
            buffer_printf(out, "%s\n",
                          c->source == COLUMN_KEY ? "key" : "fetched_at");
    }
}

static void dump_kind(const struct worker *w, struct buffer *out)
{
    switch (w->class) {
    case CLASS_HTML_TABLE:
        dump_text(out, "table", w->table.id);
        dump_text(out, "table_class", w->table.class);
        dump_text(out, "table_xpath", w->table.xpath);
        dump_text(out, "column", w->table.column);
        dump_number(out, "column_number", w->table.column_number);
        break;
    case CLASS_JSON_LIST:
        dump_text(out, "list", w->list.list);
        dump_text(out, "key", w->list.key);
        break;
    case CLASS_SQL:
        dump_text(out, "query", w->sql.query);
        dump_text(out, "database", w->sql.database);
        break;
    case CLASS_FILE:
        dump_text(out, "path", w->file.path);
        dump_text(out, "column", w->file.column);
        break;
    case CLASS_EXEC:
        for (size_t i = 0; i < w->program.n_command; i++)
            dump_text(out, "command", w->program.command[i]);
        for (size_t i = 0; i < w->program.n_variables; i++)
            dump_text(out, "variable", w->program.variables[i]);
        dump_number(out, "memory", w->program.memory_bytes_max);
        dump_request(&w->request, out);
        break;
    case CLASS_STORE:
        dump_sink(&w->sink, out);
        break;
    default:
        break;
    }
}

static void dump_worker(const struct pipeline *p, const struct worker *w,
                        struct buffer *out)
{
    buffer_printf(out, "worker %d '%s': %s, %d instances\n", w->index, w->name,
                  worker_class_name(w->class), w->instances);
    if (w->input_queue >= 0)
        dump_text(out, "input", p->queues[w->input_queue].name);
    for (size_t i = 0; i < w->n_output_queues; i++)
        dump_text(out, "output", p->queues[w->output_queues[i]].name);
    for (size_t i = 0; i < w->n_input_values; i++)
        dump_text(out, "value", w->input_values[i]);
    if (w->request.user_agent)
        dump_request(&w->request, out);
    dump_fields(w->fields, w->n_fields, "  ", out);
    for (size_t i = 0; i < w->n_requires; i++)
        dump_text(out, "require", w->requires[i].text);
    dump_sets(w, out);
    if (w->for_key.each)
        buffer_printf(out, "  for_key: each '%s', key %s\n", w->for_key.each,
                      w->for_key.key ? w->for_key.key : "by name");
    dump_kind(w, out);
}

void pipeline_dump(const struct pipeline *p, struct buffer *out)
{
    buffer_printf(out, "pipeline '%s'\n", p->name);
    for (size_t i = 0; i < p->n_queues; i++) {
        const struct queue *q = &p->queues[i];
        buffer_printf(out, "queue %zu '%s' '%s':", i, q->name, q->description);
        for (size_t k = 0; k < q->n_producers; k++)
            buffer_printf(out, " %s", p->workers[q->producers[k]].name);
        buffer_append_text(out, " ->");
        for (size_t k = 0; k < q->n_consumers; k++)
            buffer_printf(out, " %s", p->workers[q->consumers[k]].name);
        buffer_append_text(
            out, pipeline_queue_is_shared(p, (int)i) ? " (shared)\n" : "\n");
    }
    for (size_t i = 0; i < p->n_workers; i++)
        dump_worker(p, &p->workers[i], out);
    for (size_t i = 0; i < p->n_notes; i++)
        buffer_printf(out, "note: line %d: %s\n", p->notes[i].line,
                      p->notes[i].text);
}

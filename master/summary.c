/* summary.c: see summary.h. */
#include "summary.h"

#include <errno.h>
#include <jansson.h>

#define DIGITS 6 /* of a real: a millisecond in a quarter of an hour */

int summary_read(struct ledger *ledger, int64_t run, struct arena *arena,
                 struct summary *ret, struct error *err)
{
    int status = ledger_run_row(ledger, run, arena, &ret->run, err);
    return status ? status
                  : ledger_failure_counts(ledger, run, ret->reasons,
                                          &ret->n_reasons, err);
}

static double waiting_share(const struct heartbeat *beat)
{
    if (beat->uptime <= 0)
        return 0;
    double share = 1 - (double)beat->cpu / (double)beat->uptime;
    return share < 0 ? 0 : share;
}

static void print_nodes(const struct summary *summary, FILE *out)
{
    fprintf(out, "  %-12s %8s %9s %7s %8s %10s %8s\n", "node", "pid", "keys",
            "cpu", "waiting", "worst turn", "memory");
    for (size_t i = 0; i < summary->n_nodes; i++) {
        const struct node_view *node = &summary->nodes[i];
        const struct heartbeat *beat = &node->last;
        fprintf(out, "  %-12s %8lld %9lld %5.2f s %6.0f %% %7.1f ms %5.1f MB\n",
                node->name, (long long)node->pid, (long long)node->keys_done,
                (double)beat->cpu / 1e6, waiting_share(beat) * 100,
                (double)beat->worst_turn / 1e3,
                (double)beat->memory_peak / 1e6);
    }
}

void summary_print(const struct summary *summary, FILE *out)
{
    int64_t ended = summary->run.stored + summary->run.failed;
    fprintf(out, "run %lld: %lld stored, %lld failed in %.2f s",
            (long long)summary->run.run, (long long)summary->run.stored,
            (long long)summary->run.failed, summary->seconds);
    if (ended > summary->keys_before && summary->seconds > 0)
        fprintf(out, " (%.0f keys/s)",
                (double)(ended - summary->keys_before) / summary->seconds);
    if (summary->run.open_batches)
        fprintf(out, "; %lld %s open", (long long)summary->run.open_keys,
                summary->run.open_keys == 1 ? "key is" : "keys are");
    fputc('\n', out);
    for (size_t i = 0; i < summary->n_reasons; i++)
        fprintf(out, "  %lld failed: %s (%s)\n",
                (long long)summary->reasons[i].keys,
                reason_name(summary->reasons[i].reason),
                reason_text(summary->reasons[i].reason));
    if (summary->n_nodes)
        print_nodes(summary, out);
}

static json_t *node_object(const struct node_view *node)
{
    const struct heartbeat *beat = &node->last;
    return json_pack(
        "{s:s, s:s, s:I, s:i, s:I, s:f, s:f, s:f, s:I, s:I}", "name",
        node->name, "host", node->host, "pid", (json_int_t)node->pid, "core",
        node->core, "keys", (json_int_t)node->keys_done, "cpu_seconds",
        (double)beat->cpu / 1e6, "waiting_share", waiting_share(beat),
        "worst_turn_ms", (double)beat->worst_turn / 1e3, "long_turns",
        (json_int_t)beat->long_turns, "memory_peak_bytes",
        (json_int_t)beat->memory_peak);
}

static json_t *summary_object(const struct summary *summary)
{
    json_t *failed = json_object(), *nodes = json_array();
    for (size_t i = 0; i < summary->n_reasons; i++)
        json_object_set_new(failed, reason_name(summary->reasons[i].reason),
                            json_integer(summary->reasons[i].keys));
    for (size_t i = 0; i < summary->n_nodes; i++)
        json_array_append_new(nodes, node_object(&summary->nodes[i]));
    return json_pack("{s:I, s:s, s:I, s:o, s:I, s:I, s:f, s:i, s:s, s:o}",
                     "run", (json_int_t)summary->run.run, "state",
                     run_state_name(summary->run.state), "stored",
                     (json_int_t)summary->run.stored, "failed", failed,
                     "failed_total", (json_int_t)summary->run.failed, "open",
                     (json_int_t)summary->run.open_keys, "seconds",
                     summary->seconds, "exit_status", summary->exit_status,
                     "why", summary->why, "nodes", nodes);
}

int summary_write_to(const struct summary *summary, FILE *out,
                     struct error *err)
{
    json_t *object = summary_object(summary);
    if (!object)
        return error_set(err, ERR_MEMORY, "no memory for the summary");
    int status =
        json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
    json_decref(object);
    if (status || fputc('\n', out) == EOF || fflush(out))
        return error_set(err, ERR_FILE, "the summary can't be written: %s",
                         strerror(errno));
    return 0;
}

int summary_write(const struct summary *summary, const char *path,
                  struct error *err)
{
    FILE *out = fopen(path, "we");
    if (!out)
        return error_set(err, ERR_FILE, "%s can't be written: %s", path,
                         strerror(errno));
    int status = summary_write_to(summary, out, err);
    if (status)
        error_context(err, "%s", path);
    if (fclose(out) && !status)
        status = error_set(err, ERR_FILE, "%s can't be written: %s", path,
                           strerror(errno));
    return status;
}

/* compute.c: see compute.h. */
#include "compute.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "extract.h"
#include "spread.h"

#define RESULT "/chart/result/0/indicators/"

static const struct array {
    const char *name, *at;
} arrays[] = {
    {"open", RESULT "quote/0/open"},
    {"high", RESULT "quote/0/high"},
    {"low", RESULT "quote/0/low"},
    {"close", RESULT "quote/0/close"},
    {"volume", RESULT "quote/0/volume"},
    {"adjclose", RESULT "adjclose/0/adjclose"},
};

static const struct figure {
    const char *name;
    struct compute compute;
} figures[] = {
    {"volatility", {INDICATOR_VOLATILITY, 0}},
    {"drawdown", {INDICATOR_DRAWDOWN, 0}},
    {"ema20", {INDICATOR_EMA, 20}},
    {"p5", {INDICATOR_PERCENTILE, 5}},
    {"p10", {INDICATOR_PERCENTILE, 10}},
    {"p25", {INDICATOR_PERCENTILE, 25}},
    {"p50", {INDICATOR_PERCENTILE, 50}},
    {"p75", {INDICATOR_PERCENTILE, 75}},
    {"p90", {INDICATOR_PERCENTILE, 90}},
    {"p95", {INDICATOR_PERCENTILE, 95}},
};

#define N_ARRAYS (sizeof arrays / sizeof *arrays)
#define N_FIGURES (sizeof figures / sizeof *figures)
#define N_FIELDS (N_ARRAYS * N_FIGURES)

/* A worker of a pipeline with these fields, and the answer it reads. */
struct job {
    struct worker worker;
    struct field fields[N_FIELDS];
    char names[N_FIELDS][32];
    struct buffer body;
    const struct compute_plan *plan;
};

static int job_init(struct job *job, const char *chart, struct error *err)
{
    *job = (struct job){.worker = {.class = CLASS_HTTP_JSON,
                                   .fields = job->fields,
                                   .n_fields = N_FIELDS}};
    for (size_t i = 0; i < N_FIELDS; i++) {
        const struct array *array = &arrays[i / N_FIGURES];
        const struct figure *figure = &figures[i % N_FIGURES];
        snprintf(job->names[i], sizeof job->names[i], "%s_%s", array->name,
                 figure->name);
        job->fields[i] = (struct field){.name = job->names[i],
                                        .at = array->at,
                                        .compute = figure->compute,
                                        .required = true};
    }
    if (pipeline_read_file(chart, &job->body, err))
        return (int)err->code;
    if (!buffer_reserve(&job->body, EXTRACT_PADDING))
        return error_set(err, ERR_MEMORY, "out of memory");
    return 0;
}

/* Reads the answer once. */
static int read_once(struct job *job, struct slice *ret,
                     struct extractor **ret_extractor, struct error *err)
{
    struct extract_result result;
    struct extractor *extractor = extractor_new(&job->worker);
    if (!extractor)
        return error_set(err, ERR_MEMORY, "out of memory");
    extract_fields(extractor, buffer_slice(&job->body), ret, &result);
    if (result.reason) {
        extractor_free(&extractor);
        return error_set(err, ERR_FILE, "%s", result.detail);
    }
    *ret_extractor = extractor;
    return 0;
}

/* One worker's part of the answers. A reader of its own: nothing is shared
 * but the answer, which nobody writes to. */
static void work(void *context, int i)
{
    struct job *job = context;
    struct slice found[N_FIELDS];
    struct extract_result result;
    struct extractor *extractor = extractor_new(&job->worker);
    CHECK(extractor);
    for (long n = i; n < job->plan->answers; n += job->plan->workers) {
        extract_fields(extractor, buffer_slice(&job->body), found, &result);
        CHECK(!result.reason); /* it was read before */
    }
    extractor_free(&extractor);
}

static int run_job(struct job *job, struct error *err)
{
    struct slice found[N_FIELDS];
    struct extractor *extractor;
    struct spread *spread;
    if (read_once(job, found, &extractor, err))
        return (int)err->code;
    extractor_free(&extractor);
    if (spread_start(job->plan->workers, job->plan->processes, work, job,
                     &spread, err))
        return (int)err->code;
    return spread_join(&spread, err);
}

int compute_run(const struct compute_plan *plan, struct error *err)
{
    struct job job;
    if (job_init(&job, plan->chart, err))
        return (int)err->code;
    job.plan = plan;
    int failed = run_job(&job, err);
    buffer_free(&job.body);
    return failed;
}

int compute_print(const char *chart, struct error *err)
{
    struct job job;
    struct slice found[N_FIELDS];
    struct extractor *extractor;
    if (job_init(&job, chart, err))
        return (int)err->code;
    if (!read_once(&job, found, &extractor, err)) {
        for (size_t i = 0; i < N_FIELDS; i++)
            printf("%s %.*s\n", job.names[i], SLICE_ARGS(found[i]));
        extractor_free(&extractor);
    }
    buffer_free(&job.body);
    return (int)err->code;
}

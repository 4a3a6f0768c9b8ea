/*
 * Any bytes as a pipeline file: complaints or a model, nothing else; and a
 * model that came out of it makes URLs of http or https, or none.
 */
#include <stdint.h>
#include <stdlib.h>

#include "pipeline/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct pipeline *pipeline)
{
    struct buffer url = BUFFER_EMPTY, host = BUFFER_EMPTY;

    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct request *request = &pipeline->workers[i].request;
        if (request->url && request_url(request, slice_of("BRK.B"), &url))
            CHECK(url_host(buffer_slice(&url), &host));
        buffer_clear(&url);
    }
    buffer_free(&url);
    buffer_free(&host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings *settings = settings_new();
    struct complaints complaints = {.n = 0};
    struct pipeline *pipeline = NULL;
    struct error err = ERROR_NONE;

    CHECK(settings);
    if (!pipeline_load((struct slice){(const char *)data, size}, "fuzz.yaml",
                       settings, &complaints, &pipeline, &err))
        ask(pipeline);
    else
        CHECK(complaints.n > 0);
    pipeline_free(&pipeline);
    complaints_free(&complaints);
    settings_free(&settings);
    return 0;
}

/*
 * Any bytes as a file of keys: the first byte chooses a key a line, or a
 * column of CSV, in batches of two or by the file's length.
 *
 * plan.c is linked with a ledger that looks at what it is given: keys that may
 * be keys, in batches that are not too large.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "pipeline/template.h"
#include "plan.h"
#include "wire/message.h"

static int64_t n_keys;

int ledger_run_add_batch(struct ledger *ledger, int64_t run,
                         const struct closing_child *batch, struct error *err)
{
    CHECK(ledger == NULL && run == 7 && batch->worker == 1);
    CHECK(batch->n_keys > 0 && batch->n_keys <= TASK_KEYS_MAX);
    for (size_t i = 0; i < batch->n_keys; i++)
        CHECK(key_is_valid(batch->keys[i]));
    n_keys += (int64_t)batch->n_keys;
    return (int)err->code;
}

static const char *path_of(const uint8_t *data, size_t size)
{
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("keys", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    }
    CHECK(ftruncate(file, 0) == 0);
    CHECK(pwrite(file, data, size, 0) == (ssize_t)size);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    int output = 0, consumer = 1;
    struct queue queue = {
        .name = "symbols", .consumers = &consumer, .n_consumers = 1};
    struct worker workers[] = {
        {.name = "list",
         .class = CLASS_FILE,
         .output_queues = &output,
         .n_output_queues = 1,
         .file = {.path = path_of(data + 1, size - 1),
                  .column = data[0] & 1 ? "Symbol" : NULL}},
        {.index = 1, .name = "quotes", .class = CLASS_HTTP_JSON},
    };
    const struct pipeline pipeline = {.folder = "/",
                                      .queues = &queue,
                                      .n_queues = 1,
                                      .workers = workers,
                                      .n_workers = 2};
    const struct plan_options options = {.pipeline = &pipeline,
                                         .n_nodes = 2,
                                         .batch_keys = data[0] & 2 ? 2 : 0,
                                         .key_limit = data[0] & 4 ? 5 : 0};
    struct error err = ERROR_NONE;
    n_keys = 0;
    int status = plan_write(&options, NULL, 7, &err);
    CHECK(!status == !err.text[0]);
    CHECK(!options.key_limit || n_keys <= options.key_limit);
    return 0;
}

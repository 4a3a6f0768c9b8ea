/*
 * Any bytes as a file of settings: taken or refused with words; whatever was
 * taken can be read, masked and printed, and the password of a URL is gone.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct settings *settings)
{
    struct error err = ERROR_NONE;
    struct buffer url = BUFFER_EMPTY, masked = BUFFER_EMPTY;
    static const char *const numbers[] = {"WINDROW_LEASE",
                                          "WINDROW_NODE_MEMORY"};
    const char *name, *value;
    int64_t number;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct error bad = ERROR_NONE;
        int status = settings_get_integer(settings, numbers[i], &number, &bad);
        CHECK(!status == !bad.text[0]);
    }
    for (size_t at = 0; settings_next_public(settings, &at, &name, &value);)
        CHECK(name && value);
    if (!settings_database_url(settings, &url, &err)) {
        CHECK(settings_database_url_is_good(buffer_text(&url)));
        settings_mask_url(buffer_text(&url), &masked);
        settings_mask_text(settings, masked.data);
    }
    buffer_free(&url);
    buffer_free(&masked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("settings", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    CHECK(ftruncate(file, 0) == 0);
    CHECK(pwrite(file, data, size, 0) == (ssize_t)size);

    struct settings *settings = settings_new();
    struct error err = ERROR_NONE;
    CHECK(settings);
    int status = settings_read_file(settings, path, &err);
    CHECK(!status == !err.text[0]);
    ask(settings);
    settings_free(&settings);
    return 0;
}

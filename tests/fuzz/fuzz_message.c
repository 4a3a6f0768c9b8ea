/*
 * Any bytes as a message: refused with words, or a message; and what was taken
 * says the same when it is sent on.
 */
#include <stdint.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct message *message, struct buffer *ret)
{
    struct error err = ERROR_NONE;
    CHECK(!message_encode(message, ret, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_EMPTY;
    struct message message, again;
    struct buffer first = BUFFER_EMPTY, second = BUFFER_EMPTY;
    struct error err = ERROR_NONE;

    int status = message_decode((struct slice){(const char *)data, size},
                                &arena, &message, &err);
    CHECK(!status == !err.text[0]);
    if (!status) {
        encode(&message, &first);
        CHECK(!message_decode(buffer_slice(&first), &arena, &again, &err));
        encode(&again, &second);
        CHECK(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    }
    buffer_free(&first);
    buffer_free(&second);
    arena_free(&arena);
    return 0;
}

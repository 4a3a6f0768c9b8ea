/*
 * hostile.c: see hostile.h. The targets that link this have malloc and its
 * kin of their own objects wrapped (CMakeLists.txt).
 */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "pipeline/pipeline.h"

#define ITEMS_MAX 12 /* of a list in a message; as many as meet each other */

/* ---- memory ---- */

static size_t fails_after;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_arena_alloc(struct arena *arena, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_arena_alloc(struct arena *arena, size_t bytes);

void memory_fails_after(size_t n)
{
    fails_after = n;
}

static bool must_fail(void)
{
    return fails_after > 0 && --fails_after == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return must_fail() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return must_fail() ? NULL : __real_calloc(n, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return must_fail() ? NULL : __real_realloc(memory, bytes);
}

void *__wrap_arena_alloc(struct arena *arena, size_t bytes)
{
    return must_fail() ? NULL : __real_arena_alloc(arena, bytes);
}

/* ---- the wire ---- */

static bool pass(const struct message *message, struct arena *arena,
                 struct message *ret, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    bool passed = !message_encode(message, &text, err) &&
                  !message_decode(buffer_slice(&text), arena, ret, err);
    buffer_free(&text);
    return passed;
}

bool over_the_wire(const struct message *message, struct arena *arena,
                   struct message *ret)
{
    struct error err = ERROR_NONE;
    return pass(message, arena, ret, &err);
}

/* In a welcome, the shell has something to add. */
void check_sent(const struct message *message, struct arena *arena)
{
    struct message sent = *message, got = {.type = MESSAGE_TYPE_COUNT};
    struct error err = ERROR_NONE;
    if (sent.type == MESSAGE_WELCOME) {
        sent.welcome.task_endpoint = "ipc:///x";
        sent.welcome.batch_time = sent.welcome.close_after = USEC_PER_SEC;
        sent.welcome.database_wait = USEC_PER_SEC;
    }
    if (!pass(&sent, arena, &got, &err))
        printf("%s: %s\n", message_type_name(sent.type), err.text);
    CHECK(err.code == ERR_NONE);
    CHECK(got.type == message->type && got.epoch == message->epoch);
    CHECK(!strcmp(got.node, message->node));
}

/* ---- anything ---- */

void take_node_name(struct bytes *bytes, char ret[NODE_NAME_BYTES])
{
    memset(ret, 0, NODE_NAME_BYTES);
    unsigned byte = take_byte(bytes);
    if (byte < 250)
        snprintf(ret, NODE_NAME_BYTES, "n%u", byte % 8);
    else
        memset(ret, 'x', byte % NODE_NAME_BYTES);
}

static int64_t take_fact(struct bytes *bytes, int64_t fact)
{
    unsigned byte = take_byte(bytes);
    return byte < 192 ? fact : byte < 224 ? fact - 1 : take_number(bytes);
}

static const char *take_text(struct bytes *bytes, struct arena *arena)
{
    struct slice slice = take_slice(bytes, MESSAGE_TEXT_BYTES_MAX);
    const char *text = arena_copy(arena, slice.data, slice.len);
    CHECK(text);
    return text;
}

static void *take_items(struct bytes *bytes, struct arena *arena, size_t size,
                        size_t *ret_n)
{
    *ret_n = take_below(bytes, ITEMS_MAX + 1);
    void *items = arena_alloc(arena, (*ret_n + 1) * size);
    CHECK(items);
    return items;
}

static int64_t take_batch(struct bytes *bytes)
{
    int64_t batch = take_number(bytes);
    return batch ? batch : 100 + take_byte(bytes);
}

static void fill_hello(struct bytes *bytes, const struct hostile_facts *facts,
                       struct arena *arena, struct hello *ret)
{
    *ret = (struct hello){.version = PROTOCOL_VERSION,
                          .program = take_text(bytes, arena),
                          .host = take_text(bytes, arena),
                          .pid = take_number(bytes),
                          .core = (int)take_below(bytes, 4) - 1,
                          .ledger_id = facts->ledger_id,
                          .last_epoch = take_fact(bytes, facts->epoch)};
    if (take_byte(bytes) > 240)
        ret->ledger_id = take_text(bytes, arena);
    int64_t *crashed =
        take_items(bytes, arena, sizeof *crashed, &ret->n_crashed);
    for (size_t i = 0; i < ret->n_crashed; i++)
        crashed[i] = take_batch(bytes);
    ret->crashed_batches = crashed;
}

static void fill_welcome(struct bytes *bytes, const struct hostile_facts *facts,
                         struct welcome *ret)
{
    *ret = (struct welcome){.run = take_fact(bytes, facts->run),
                            .ledger_id = facts->ledger_id,
                            .key_limit = take_number(bytes),
                            .heartbeat = take_time(bytes),
                            .lease = take_time(bytes),
                            .batch_time = take_time(bytes),
                            .close_after = take_time(bytes),
                            .database_wait = take_time(bytes)};
}

static void fill_task(struct bytes *bytes, struct arena *arena,
                      struct task *ret)
{
    *ret = (struct task){.batch = take_batch(bytes),
                         .worker = (int)take_number(bytes),
                         .attempt = (int)take_number(bytes),
                         .action = (enum task_action)take_below(bytes, 3),
                         .nodes = (int)take_number(bytes),
                         .batch_keys = (int)take_number(bytes)};
    struct slice *keys = take_items(bytes, arena, sizeof *keys, &ret->n_keys);
    for (size_t i = 0; i < ret->n_keys; i++)
        keys[i] = take_slice(bytes, TASK_KEY_BYTES_MAX + 1);
    ret->keys = keys;
}

static void fill_report(struct bytes *bytes, struct arena *arena,
                        struct report *ret)
{
    *ret = (struct report){.batch = take_batch(bytes),
                           .outcome = (enum report_outcome)take_below(bytes, 4),
                           .stored = take_number(bytes),
                           .failed = take_number(bytes),
                           .children_more = take_below(bytes, 8) == 7};
    struct report_child *children =
        take_items(bytes, arena, sizeof *children, &ret->n_children);
    for (size_t i = 0; i < ret->n_children; i++)
        children[i] =
            (struct report_child){.batch = take_batch(bytes),
                                  .worker = (int)take_number(bytes),
                                  .n_keys = (size_t)take_number(bytes),
                                  .kept = take_below(bytes, 2)};
    ret->children = children;
}

static void fill_heartbeat(struct bytes *bytes, struct arena *arena,
                           struct heartbeat *ret)
{
    *ret = (struct heartbeat){.number = take_number(bytes),
                              .interval = take_time(bytes),
                              .store_waiting = take_below(bytes, 8) == 7,
                              .fetches = take_number(bytes),
                              .keys_done = take_number(bytes)};
    struct held_batch *held =
        take_items(bytes, arena, sizeof *held, &ret->n_held);
    for (size_t i = 0; i < ret->n_held; i++)
        held[i] = (struct held_batch){.batch = take_batch(bytes),
                                      .worker = (int)take_number(bytes),
                                      .n_keys = (size_t)take_number(bytes)};
    struct share_ack *shares =
        take_items(bytes, arena, sizeof *shares, &ret->n_shares);
    for (size_t i = 0; i < ret->n_shares; i++)
        shares[i] = (struct share_ack){.worker = (int)take_number(bytes),
                                       .number = take_number(bytes)};
    ret->held = held;
    ret->shares = shares;
}

static void fill(struct bytes *bytes, const struct hostile_facts *facts,
                 struct arena *arena, struct message *ret)
{
    switch (ret->type) {
    case MESSAGE_HELLO:
        fill_hello(bytes, facts, arena, &ret->hello);
        break;
    case MESSAGE_WELCOME:
        fill_welcome(bytes, facts, &ret->welcome);
        break;
    case MESSAGE_REFUSE:
        ret->refuse.reason = take_text(bytes, arena);
        break;
    case MESSAGE_TASK:
        fill_task(bytes, arena, &ret->task);
        break;
    case MESSAGE_DROP:
        ret->drop.batch = take_batch(bytes);
        break;
    case MESSAGE_SHARE:
        ret->share = (struct share){.worker = (int)take_number(bytes),
                                    .number = take_number(bytes),
                                    .rate = (double)take_number(bytes) / 7,
                                    .in_flight = (int)(take_number(bytes) - 1),
                                    .valid = take_time(bytes),
                                    .beat = take_number(bytes)};
        break;
    case MESSAGE_REPORT:
        fill_report(bytes, arena, &ret->report);
        break;
    case MESSAGE_HEARTBEAT:
        fill_heartbeat(bytes, arena, &ret->heartbeat);
        break;
    case MESSAGE_HOLD:
        ret->hold = (struct hold){.worker = (int)take_number(bytes),
                                  .host = take_text(bytes, arena),
                                  .length = take_time(bytes)};
        break;
    case MESSAGE_END:
        ret->end = (struct end){.drain = take_below(bytes, 2),
                                .reason = take_text(bytes, arena)};
        break;
    case MESSAGE_PING:
    case MESSAGE_BYE:
    case MESSAGE_TYPE_COUNT:
        break;
    }
}

bool hostile_message(struct bytes *bytes, const struct hostile_facts *facts,
                     struct arena *arena, struct message *ret)
{
    struct message message = {
        .type = (enum message_type)take_below(bytes, MESSAGE_TYPE_COUNT)};
    message.epoch = take_fact(bytes, facts->epoch);
    message.incarnation = take_fact(bytes, facts->incarnation);
    take_node_name(bytes, message.node);
    fill(bytes, facts, arena, &message);
    return over_the_wire(&message, arena, ret);
}

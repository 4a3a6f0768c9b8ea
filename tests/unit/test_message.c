/*
 * What master and node say to each other: message.h. Each message of
 * PROTOCOL.md stands here once, as it is sent; from these lines all broken
 * ones are made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "alloc_sweep.h"
#include "wire/message.h"

#define TO_NODE "\"epoch\":7,\"node\":\"n-1\",\"incarnation\":3"
#define TO_ALL "\"epoch\":7,\"incarnation\":0"

static const char *const samples[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] =
        "{\"type\":\"hello\"," TO_NODE ",\"version\":1,\"program\":\"0.1\","
        "\"host\":\"h\",\"pid\":42,\"core\":-1,\"ledger_id\":\"ab\","
        "\"last_epoch\":6,\"crashed\":[5,6]}",
    [MESSAGE_WELCOME] =
        "{\"type\":\"welcome\"," TO_NODE ",\"run\":1,\"ledger_id\":\"ab\","
        "\"task_endpoint\":\"ipc:///t\",\"pipeline\":\"version: 1\\n\","
        "\"pipeline_path\":\"p.yaml\",\"settings\":\"{}\",\"key_limit\":9,"
        "\"heartbeat\":1000000,"
        "\"lease\":3000000,\"batch_time\":4000000,\"close_after\":2000000,"
        "\"database_wait\":600000000}",
    [MESSAGE_REFUSE] = "{\"type\":\"refuse\"," TO_NODE ",\"reason\":\"why\"}",
    [MESSAGE_TASK] =
        "{\"type\":\"task\"," TO_NODE ",\"batch\":11,\"worker\":1,"
        "\"attempt\":2,\"action\":\"split\",\"nodes\":4,\"batch_keys\":64,"
        "\"keys\":[\"AAPL\",\"BRK.B\",\"\xC3\x9F\"]}",
    [MESSAGE_DROP] = "{\"type\":\"drop\"," TO_NODE ",\"batch\":11}",
    [MESSAGE_SHARE] =
        "{\"type\":\"share\"," TO_NODE ",\"worker\":1,\"number\":8,"
        "\"rate\":2.5,\"in_flight\":-1,\"valid\":2000000,\"beat\":5}",
    [MESSAGE_REPORT] =
        "{\"type\":\"report\"," TO_NODE ",\"batch\":11,"
        "\"outcome\":\"already\",\"stored\":2,\"failed\":1,"
        "\"children_more\":true,\"children\":[{\"batch\":12,\"worker\":1,"
        "\"n_keys\":3,\"kept\":true},{\"batch\":13,\"worker\":2,"
        "\"n_keys\":0,\"kept\":false}]}",
    [MESSAGE_HEARTBEAT] =
        "{\"type\":\"heartbeat\"," TO_NODE ",\"number\":5,"
        "\"interval\":1000000,\"store_waiting\":true,\"keys_done\":1,"
        "\"keys_failed\":2,\"fetches\":3,\"retries\":4,\"bytes\":5,"
        "\"in_flight\":6,\"cpu\":7,\"uptime\":8,\"busy\":7,"
        "\"worst_turn\":9,\"long_turns\":10,\"memory_peak\":11,"
        "\"took\":{\"fetch\":[700,0,0,3],\"extract\":[0],"
        "\"commit\":[1,1],\"turn\":[5,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
        "0,0,0,9]},"
        "\"held\":[{\"batch\":11,\"worker\":1,\"n_keys\":3}],"
        "\"shares\":[{\"worker\":1,\"number\":8}]}",
    [MESSAGE_HOLD] = "{\"type\":\"hold\"," TO_NODE ",\"worker\":1,"
                     "\"host\":\"h:80\",\"length\":5000000}",
    [MESSAGE_PING] = "{\"type\":\"ping\"," TO_ALL "}",
    [MESSAGE_BYE] = "{\"type\":\"bye\"," TO_NODE "}",
    [MESSAGE_END] =
        "{\"type\":\"end\"," TO_ALL ",\"drain\":true,\"reason\":\"why\"}",
};

/* What took how long, with `turn` as it is given. */
#define TOOK(turn)                                                             \
    "{\"fetch\":[0],\"extract\":[0],\"commit\":[0],\"turn\":" turn "}"

static struct arena arena;

static int decode(const char *text, struct message *ret, struct error *err)
{
    arena_reset(&arena);
    *err = ERROR_NONE;
    return message_decode(slice_of(text), &arena, ret, err);
}

static json_t *sample(enum message_type type)
{
    json_t *object = json_loads(samples[type], 0, NULL);
    assert_non_null(object);
    return object;
}

/* Decodes `object` and gives it back; the error names `field`. */
static void assert_refused(json_t *object, const char *field)
{
    char *text = json_dumps(object, JSON_COMPACT);
    struct message message = {.epoch = -1};
    struct error err;
    int status = decode(text, &message, &err);
    if (status != ERR_MESSAGE || !strstr(err.text, field))
        fail_msg("\"%s\": status %d, \"%s\", of %.300s", field, status,
                 err.text, text);
    assert_int_equal(message.epoch, -1);
    free(text);
    json_decref(object);
}

/* `sample(type)` with `field` replaced by the JSON text `value` is refused. */
static void assert_bad_value(enum message_type type, const char *field,
                             const char *value)
{
    json_t *object = sample(type);
    json_error_t where;
    json_t *bad = json_loads(value, JSON_DECODE_ANY, &where);
    if (!bad)
        fail_msg("%s: %s", value, where.text);
    json_object_set_new(object, field, bad);
    assert_refused(object, field);
}

/* Each message comes through unchanged: what is decoded and encoded again is
 * the same JSON. */
static void test_round_trip(void **state)
{
    (void)state;
    for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        struct message message;
        struct buffer text = BUFFER_EMPTY;
        struct error err;
        if (decode(samples[type], &message, &err))
            fail_msg("%s: %s", samples[type], err.text);
        assert_int_equal(message.type, type);
        assert_int_equal(message_encode(&message, &text, &err), 0);
        json_t *before = sample((enum message_type)type);
        json_t *after = json_loads(buffer_text(&text), 0, NULL);
        if (!json_equal(before, after))
            fail_msg("%s came back as %s", samples[type], text.data);
        json_decref(before);
        json_decref(after);
        buffer_free(&text);
    }
}

/* PROTOCOL.md has a paragraph for each type, and each field stands in it. */
static void test_protocol_md_names_all(void **state)
{
    (void)state;
    struct buffer text = BUFFER_EMPTY;
    FILE *file = fopen(WINDROW_SOURCE "/proto/PROTOCOL.md", "re");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        buffer_append_char(&text, (char)c);
    fclose(file);
    for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        char name[80];
        snprintf(name, sizeof name, "\n**%s** (",
                 message_type_name((enum message_type)type));
        if (!strstr(buffer_text(&text), name))
            fail_msg("PROTOCOL.md has no%s", name);
        json_t *object = sample((enum message_type)type), *value;
        const char *field;
        json_object_foreach(object, field, value)
        {
            snprintf(name, sizeof name, "`%s`", field);
            if (!strstr(buffer_text(&text), name))
                fail_msg("PROTOCOL.md has no %s", name);
        }
        json_decref(object);
    }
    buffer_free(&text);
}

/* Without any one of its fields a message is refused, and the field named.
 * Only a hold and what goes to all needs no node, and a heartbeat need not tell
 * what took how long. */
static bool may_be_missing(int type, const char *field)
{
    return (type == MESSAGE_HOLD && !strcmp(field, "node")) ||
           (type == MESSAGE_HEARTBEAT && !strcmp(field, "took"));
}

static void test_missing_fields(void **state)
{
    (void)state;
    for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        json_t *object = sample((enum message_type)type), *value;
        const char *field;
        json_object_foreach(object, field, value)
        {
            json_t *less = sample((enum message_type)type);
            json_object_del(less, field);
            if (may_be_missing(type, field))
                json_decref(less);
            else
                assert_refused(less, field);
        }
        json_decref(object);
    }
}

/* Nor is a field of another type taken for what it is not. */
static void test_wrong_types(void **state)
{
    (void)state;
    for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        json_t *object = sample((enum message_type)type), *value;
        const char *field;
        json_object_foreach(object, field, value)
        {
            assert_bad_value((enum message_type)type, field, "null");
            assert_bad_value((enum message_type)type, field, "{}");
            if (!json_is_string(value))
                assert_bad_value((enum message_type)type, field, "\"1\"");
            else
                assert_bad_value((enum message_type)type, field, "1");
            if (json_is_integer(value))
                assert_bad_value((enum message_type)type, field, "1.0");
        }
        json_decref(object);
    }
}

/* Each limit, one past it. */
static void test_out_of_range(void **state)
{
    (void)state;
    static const struct {
        enum message_type type;
        const char *field, *value;
    } table[] = {
        {MESSAGE_PING, "type", "\"pong\""},
        {MESSAGE_PING, "type", "\"\""},
        {MESSAGE_PING, "epoch", "-1"},
        {MESSAGE_PING, "incarnation", "-1"},
        {MESSAGE_DROP, "node", "\"\""},
        {MESSAGE_DROP, "node", "\"a b\""},
        {MESSAGE_DROP, "node", "\"a/b\""},
        {MESSAGE_DROP, "node", "\"\xC3\x9F\""},
        {MESSAGE_DROP, "batch", "0"},
        {MESSAGE_HELLO, "pid", "2147483648"},
        {MESSAGE_HELLO, "core", "-2"},
        {MESSAGE_HELLO, "last_epoch", "-1"},
        {MESSAGE_HELLO, "crashed", "[0]"},
        {MESSAGE_HELLO, "crashed", "[\"1\"]"},
        {MESSAGE_HELLO, "version", "-1"},
        {MESSAGE_WELCOME, "run", "0"},
        {MESSAGE_WELCOME, "key_limit", "-1"},
        {MESSAGE_WELCOME, "heartbeat", "999"},
        {MESSAGE_WELCOME, "lease", "999999"},
        {MESSAGE_WELCOME, "database_wait", "31536000000001"},
        {MESSAGE_TASK, "batch", "-5"},
        {MESSAGE_TASK, "worker", "-1"},
        {MESSAGE_TASK, "worker", "2147483648"},
        {MESSAGE_TASK, "attempt", "-1"},
        {MESSAGE_TASK, "action", "\"dance\""},
        {MESSAGE_TASK, "nodes", "0"},
        {MESSAGE_TASK, "batch_keys", "513"},
        {MESSAGE_TASK, "keys", "[]"},
        {MESSAGE_TASK, "keys", "[\"\"]"},
        {MESSAGE_TASK, "keys", "[\"a\",7]"},
        {MESSAGE_SHARE, "rate", "-0.1"},
        {MESSAGE_SHARE, "rate", "1e10"},
        {MESSAGE_SHARE, "in_flight", "-2"},
        {MESSAGE_SHARE, "valid", "-1"},
        {MESSAGE_REPORT, "outcome", "\"won\""},
        {MESSAGE_REPORT, "stored", "-1"},
        {MESSAGE_HEARTBEAT, "bytes", "-1"},
        {MESSAGE_HEARTBEAT, "interval", "31536000000001"},
        {MESSAGE_HEARTBEAT, "took", "{\"fetch\":[1]}"},
        {MESSAGE_HEARTBEAT, "took", TOOK("[-1]")},
        {MESSAGE_HEARTBEAT, "took", TOOK("[0,1.5]")},
        {MESSAGE_HEARTBEAT, "took", TOOK("[9007199254740992]")},
        {MESSAGE_HEARTBEAT, "took", TOOK("{}")},
        {MESSAGE_HEARTBEAT, "took",
         TOOK("[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2]")},
        {MESSAGE_HOLD, "length", "-1"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_bad_value(table[i].type, table[i].field, table[i].value);
    struct message message;
    struct error err;
    assert_int_equal(decode("{\"type\":\"drop\"," TO_NODE
                            ",\"batch\":9223372036854775808}",
                            &message, &err),
                     ERR_MESSAGE);
}

/* The items of lists are checked like the rest: none missing, none of another
 * type, no number out of its range. */
static void test_bad_items(void **state)
{
    (void)state;
    static const struct {
        enum message_type type;
        const char *list;
    } lists[] = {{MESSAGE_REPORT, "children"},
                 {MESSAGE_HEARTBEAT, "held"},
                 {MESSAGE_HEARTBEAT, "shares"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        json_t *whole = sample(lists[i].type), *value;
        const char *field;
        json_object_foreach(
            json_array_get(json_object_get(whole, lists[i].list), 0), field,
            value)
        {
            for (int broken = 0; broken < 3; broken++) {
                json_t *object = sample(lists[i].type);
                json_t *item =
                    json_array_get(json_object_get(object, lists[i].list), 0);
                if (broken == 0)
                    json_object_del(item, field);
                else
                    json_object_set_new(item, field,
                                        broken == 1 ? json_string("1")
                                                    : json_integer(-1));
                assert_refused(object, field);
            }
        }
        json_object_set_new(whole, lists[i].list, json_pack("[i]", 1));
        assert_refused(whole, "absent");
    }
}

/* `n` items are taken, one more is refused. */
static void assert_items_max(enum message_type type, const char *field,
                             size_t n)
{
    json_t *object = sample(type);
    json_t *array = json_object_get(object, field);
    while (json_array_size(array) < n)
        json_array_append(array, json_array_get(array, 0));
    char *text = json_dumps(object, JSON_COMPACT);
    struct message message;
    struct error err;
    if (decode(text, &message, &err))
        fail_msg("%s: %s", field, err.text);
    free(text);
    json_array_append(array, json_array_get(array, 0));
    assert_refused(object, field);
}

static void test_too_many_items(void **state)
{
    (void)state;
    assert_items_max(MESSAGE_HELLO, "crashed", 64);
    assert_items_max(MESSAGE_TASK, "keys", TASK_KEYS_MAX);
    assert_items_max(MESSAGE_REPORT, "children", REPORT_CHILDREN_MAX);
    assert_items_max(MESSAGE_HEARTBEAT, "held", HEARTBEAT_HELD_MAX);
    assert_items_max(MESSAGE_HEARTBEAT, "shares", HEARTBEAT_SHARES_MAX);
}

/* `bytes` bytes of text are taken, one more is refused. */
static void assert_text_max(enum message_type type, const char *field,
                            size_t bytes)
{
    char *text = malloc(bytes + 2);
    assert_non_null(text);
    memset(text, 'x', bytes + 1);
    for (size_t more = 0; more < 2; more++) {
        json_t *object = sample(type);
        json_t *value = json_stringn(text, bytes + more);
        if (json_is_array(json_object_get(object, field)))
            json_array_set_new(json_object_get(object, field), 0, value);
        else
            json_object_set_new(object, field, value);
        struct message message;
        struct error err;
        char *line = json_dumps(object, JSON_COMPACT);
        if (!more && decode(line, &message, &err))
            fail_msg("%s: %s", field, err.text);
        free(line);
        if (more)
            assert_refused(object, field);
        else
            json_decref(object);
    }
    free(text);
}

static void test_too_long(void **state)
{
    (void)state;
    assert_text_max(MESSAGE_DROP, "node", NODE_NAME_BYTES - 1);
    assert_text_max(MESSAGE_END, "reason", MESSAGE_TEXT_BYTES_MAX);
    assert_text_max(MESSAGE_HOLD, "host", MESSAGE_TEXT_BYTES_MAX);
    assert_text_max(MESSAGE_WELCOME, "pipeline", MESSAGE_PIPELINE_BYTES_MAX);
    assert_text_max(MESSAGE_TASK, "keys", TASK_KEY_BYTES_MAX);
}

/* What is no JSON object, or says a thing twice, is no message; nor is text
 * with a NUL, which C would take for its end. */
static void test_no_message(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "\"ping\"",
        "{\"type\":\"ping\"," TO_ALL "} x",
        "{\"type\":\"ping\"," TO_ALL,
        "{\"type\":\"ping\",\"type\":\"ping\"," TO_ALL "}",
        "{\"type\":\"end\"," TO_ALL ",\"drain\":true,\"reason\":\"a\\u0000b\"}",
        "{\"type\":\"end\"," TO_ALL ",\"drain\":true,\"reason\":\"\xFF\"}",
    };
    struct message message;
    struct error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (decode(bad[i], &message, &err) != ERR_MESSAGE)
            fail_msg("%s was taken", bad[i]);
    err = ERROR_NONE;
    assert_int_equal(
        message_decode((struct slice){NULL, 0}, &arena, &message, &err),
        ERR_MESSAGE);
}

/* Deep nesting ends in an error, not in the stack's end. */
static void test_too_deep(void **state)
{
    (void)state;
    char *deep = malloc(MESSAGE_BYTES_MAX + 1);
    assert_non_null(deep);
    memset(deep, '[', MESSAGE_BYTES_MAX);
    deep[MESSAGE_BYTES_MAX] = '\0';
    struct message message;
    struct error err;
    assert_int_equal(decode(deep, &message, &err), ERR_MESSAGE);
    free(deep);
}

/* 1 MiB is a message, a byte more is none: neither way. */
static void test_size_limit(void **state)
{
    (void)state;
    static const char start[] = "{\"type\":\"ping\"," TO_ALL ",\"x\":\"";
    char *text = malloc(MESSAGE_BYTES_MAX + 2);
    assert_non_null(text);
    struct message message;
    struct error err;
    for (size_t more = 0; more < 2; more++) {
        size_t len = MESSAGE_BYTES_MAX + more;
        memset(text, 'x', len);
        memcpy(text, start, sizeof start - 1);
        memcpy(text + len - 2, "\"}", 3);
        assert_int_equal(decode(text, &message, &err), more ? ERR_MESSAGE : 0);
    }
    free(text);
    static char key[3000];
    memset(key, 'k', sizeof key);
    struct slice keys[TASK_KEYS_MAX];
    for (size_t i = 0; i < TASK_KEYS_MAX; i++)
        keys[i] = (struct slice){key, sizeof key};
    struct message task = {.type = MESSAGE_TASK,
                           .task = {.keys = keys, .n_keys = TASK_KEYS_MAX}};
    struct buffer out = BUFFER_EMPTY;
    err = ERROR_NONE;
    assert_int_equal(message_encode(&task, &out, &err), ERR_LIMIT);
    buffer_free(&out);
}

/* Text that is not UTF-8 can be in no message: the error says so, and speaks
 * of no memory. */
static void test_no_utf8(void **state)
{
    (void)state;
    struct slice keys[] = {slice_of("good"), slice_of("b\xFF")};
    struct message messages[] = {
        {.type = MESSAGE_TASK, .task = {.keys = keys, .n_keys = 2}},
        {.type = MESSAGE_HELLO, .hello = {.host = "\xC3("}},
    };
    for (size_t i = 0; i < 2; i++) {
        struct buffer out = BUFFER_EMPTY;
        struct error err = ERROR_NONE;
        assert_int_equal(message_encode(&messages[i], &out, &err), ERR_MESSAGE);
        assert_non_null(strstr(err.text, "not UTF-8"));
        buffer_free(&out);
    }
}

/* Fields that a later program added are ignored. */
static void test_unknown_fields(void **state)
{
    (void)state;
    struct message message;
    struct error err;
    assert_int_equal(
        decode("{\"type\":\"ping\"," TO_ALL ",\"new\":[{}]}", &message, &err),
        0);
}

/* A hello of another version can be refused by name, whatever else it has. */
static void test_other_version(void **state)
{
    (void)state;
    struct message message;
    struct error err;
    assert_int_equal(decode("{\"type\":\"hello\"," TO_NODE ",\"version\":2}",
                            &message, &err),
                     ERR_VERSION);
    assert_string_equal(message.node, "n-1");
    assert_int_equal(message.incarnation, 3);
    assert_int_equal(message.hello.version, 2);
}

/* Keys that are JSON already, as the ledger has them, go out unchanged. */
static void test_keys_of_the_ledger(void **state)
{
    (void)state;
    struct message task = {.type = MESSAGE_TASK, .node = "n"};
    task.task = (struct task){
        .batch = 1, .nodes = 1, .keys_json = "[\"a\\\"b\",\"\\u00df\"]"};
    struct buffer text = BUFFER_EMPTY;
    struct error err = ERROR_NONE;
    struct message back;
    assert_int_equal(message_encode(&task, &text, &err), 0);
    assert_int_equal(decode(text.data, &back, &err), 0);
    assert_int_equal(back.task.n_keys, 2);
    assert_string_equal(back.task.keys[0].data, "a\"b");
    assert_string_equal(back.task.keys[1].data, "\xC3\x9F");
    buffer_free(&text);
}

static void there_and_back(void *context)
{
    struct arena memory = ARENA_EMPTY;
    struct message message;
    struct buffer text = BUFFER_EMPTY;
    struct error err = ERROR_NONE;
    int status = message_decode(slice_of(context), &memory, &message, &err) ||
                 message_encode(&message, &text, &err);
    assert_int_equal(status, alloc_sweep_failed());
    assert_int_equal(err.code != ERR_NONE, status);
    buffer_free(&text);
    arena_free(&memory);
}

static void *wrapped_malloc(size_t bytes)
{
    return malloc(bytes);
}

static void wrapped_free(void *memory)
{
    free(memory);
}

/* Wherever memory is out, jansson's too, there is an error and no leak. */
static void test_memory_out(void **state)
{
    (void)state;
    json_set_alloc_funcs(wrapped_malloc, wrapped_free);
    for (int type = 0; type < MESSAGE_TYPE_COUNT; type++)
        alloc_sweep(there_and_back, (void *)(uintptr_t)samples[type]);
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_protocol_md_names_all),
        cmocka_unit_test(test_missing_fields),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_bad_items),
        cmocka_unit_test(test_too_many_items),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_no_utf8),
        cmocka_unit_test(test_no_message),
        cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_keys_of_the_ledger),
        cmocka_unit_test(test_memory_out),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

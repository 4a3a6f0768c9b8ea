/*
 * message.c: messages as JSON text, by jansson.
 *
 * Decoding trusts nothing: every field that is used is checked for type and
 * range here, once, so that the cores need not. Each type has one encode_ and
 * one decode_ function, in the order of the enum.
 */
#include "wire/message.h"

#include <jansson.h>
#include <stdarg.h>

#include "base/utf8.h"

#define MICROSECONDS_MAX ((int64_t)365 * 24 * 3600 * 1000000)
#define COUNTER_MAX INT64_MAX
#define TIMES_MAX (INT64_MAX / 1024) /* those of many nodes are added up */

static const char *const type_names[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = "hello",   [MESSAGE_WELCOME] = "welcome",
    [MESSAGE_REFUSE] = "refuse", [MESSAGE_TASK] = "task",
    [MESSAGE_DROP] = "drop",     [MESSAGE_SHARE] = "share",
    [MESSAGE_REPORT] = "report", [MESSAGE_HEARTBEAT] = "heartbeat",
    [MESSAGE_HOLD] = "hold",     [MESSAGE_PING] = "ping",
    [MESSAGE_BYE] = "bye",       [MESSAGE_END] = "end",
};
static const char *const action_names[] = {"work", "split", "blame"};
static const char *const outcome_names[] = {"closed", "already", "unknown",
                                            "returned"};

const char *message_type_name(enum message_type type)
{
    CHECK(type < MESSAGE_TYPE_COUNT);
    return type_names[type];
}

/* Encoding. A NULL from any jansson call means that memory is out; it is
 * noticed once, when the object is complete. */

struct encoder {
    json_t *object;
    bool failed;
    bool no_text; /* for a text that is not UTF-8, not for want of memory */
};

static json_t *encode_text(struct encoder *to, struct slice text)
{
    json_t *value = json_stringn(text.len ? text.data : "", text.len);
    for (size_t len; !value && text.len; text.data += len, text.len -= len)
        if (!(len = utf8_len(text))) {
            to->no_text = true;
            break;
        }
    return value;
}

static void put(struct encoder *to, const char *name, json_t *value)
{
    if (json_object_set_new_nocheck(to->object, name, value))
        to->failed = true;
}

static void put_integer(struct encoder *to, const char *name, int64_t value)
{
    put(to, name, json_integer(value));
}

static void put_text(struct encoder *to, const char *name, const char *text)
{
    put(to, name, encode_text(to, slice_of(text ? text : "")));
}

static void put_slice(struct encoder *to, const char *name, struct slice text)
{
    put(to, name, encode_text(to, text));
}

static json_t *put_array(struct encoder *to, const char *name)
{
    json_t *array = json_array();
    put(to, name, array);
    return array;
}

static struct encoder add_object(struct encoder *to, json_t *array)
{
    struct encoder item = {.object = json_object()};
    if (json_array_append_new(array, item.object))
        to->failed = true;
    return item;
}

static void take_faults(struct encoder *to, const struct encoder *item)
{
    to->failed |= item->failed;
    to->no_text |= item->no_text;
}

static void encode_hello(struct encoder *to, const struct hello *hello)
{
    put_integer(to, "version", hello->version);
    put_text(to, "program", hello->program);
    put_text(to, "host", hello->host);
    put_integer(to, "pid", hello->pid);
    put_integer(to, "core", hello->core);
    put_text(to, "ledger_id", hello->ledger_id);
    put_integer(to, "last_epoch", hello->last_epoch);
    json_t *crashed = put_array(to, "crashed");
    for (size_t i = 0; i < hello->n_crashed; i++)
        if (json_array_append_new(crashed,
                                  json_integer(hello->crashed_batches[i])))
            to->failed = true;
}

static void encode_welcome(struct encoder *to, const struct welcome *welcome)
{
    put_integer(to, "run", welcome->run);
    put_text(to, "ledger_id", welcome->ledger_id);
    put_text(to, "task_endpoint", welcome->task_endpoint);
    put_slice(to, "pipeline", welcome->pipeline);
    put_text(to, "pipeline_path", welcome->pipeline_path);
    put_text(to, "settings", welcome->settings ? welcome->settings : "");
    put_integer(to, "key_limit", welcome->key_limit);
    put_integer(to, "heartbeat", welcome->heartbeat);
    put_integer(to, "lease", welcome->lease);
    put_integer(to, "batch_time", welcome->batch_time);
    put_integer(to, "close_after", welcome->close_after);
    put_integer(to, "database_wait", welcome->database_wait);
}

static void encode_task(struct encoder *to, const struct task *task)
{
    put_integer(to, "batch", task->batch);
    put_integer(to, "worker", task->worker);
    put_integer(to, "attempt", task->attempt);
    put_text(to, "action", action_names[task->action]);
    put_integer(to, "nodes", task->nodes);
    put_integer(to, "batch_keys", task->batch_keys);
    if (task->keys_json)
        return; /* append_keys() */
    json_t *keys = put_array(to, "keys");
    for (size_t i = 0; i < task->n_keys; i++)
        if (json_array_append_new(keys, encode_text(to, task->keys[i])))
            to->failed = true;
}

static void encode_share(struct encoder *to, const struct share *share)
{
    put_integer(to, "worker", share->worker);
    put_integer(to, "number", share->number);
    put(to, "rate", json_real(share->rate));
    put_integer(to, "in_flight", share->in_flight);
    put_integer(to, "valid", share->valid);
    put_integer(to, "beat", share->beat);
}

static void encode_report(struct encoder *to, const struct report *report)
{
    put_integer(to, "batch", report->batch);
    put_text(to, "outcome", outcome_names[report->outcome]);
    put_integer(to, "stored", report->stored);
    put_integer(to, "failed", report->failed);
    put(to, "children_more", json_boolean(report->children_more));
    json_t *children = put_array(to, "children");
    for (size_t i = 0; i < report->n_children; i++) {
        const struct report_child *child = &report->children[i];
        struct encoder item = add_object(to, children);
        put_integer(&item, "batch", child->batch);
        put_integer(&item, "worker", child->worker);
        put_integer(&item, "n_keys", (int64_t)child->n_keys);
        put(&item, "kept", json_boolean(child->kept));
        take_faults(to, &item);
    }
}

/* The sum, then the counts up to the last that is not 0. */
static void put_times(struct encoder *to, const char *name,
                      const struct histogram *times)
{
    json_t *array = put_array(to, name);
    int n = HISTOGRAM_BUCKETS;
    while (n > 0 && times->counts[n - 1] == 0)
        n--;
    if (json_array_append_new(array, json_integer(times->sum)))
        to->failed = true;
    for (int i = 0; i < n; i++)
        if (json_array_append_new(array, json_integer(times->counts[i])))
            to->failed = true;
}

static void encode_times(struct encoder *to,
                         const struct heartbeat_times *times)
{
    struct encoder took = {.object = json_object()};
    put(to, "took", took.object);
#define X(name, ...) put_times(&took, #name, &times->name);
    HEARTBEAT_TIMES(X)
#undef X
    take_faults(to, &took);
}

static void encode_heartbeat(struct encoder *to, const struct heartbeat *beat)
{
    put_integer(to, "number", beat->number);
    put_integer(to, "interval", beat->interval);
    put(to, "store_waiting", json_boolean(beat->store_waiting));
#define X(name, ...) put_integer(to, #name, beat->name);
    HEARTBEAT_COUNTERS(X)
#undef X
    if (beat->times)
        encode_times(to, beat->times);
    json_t *held = put_array(to, "held");
    for (size_t i = 0; i < beat->n_held; i++) {
        struct encoder item = add_object(to, held);
        put_integer(&item, "batch", beat->held[i].batch);
        put_integer(&item, "worker", beat->held[i].worker);
        put_integer(&item, "n_keys", (int64_t)beat->held[i].n_keys);
        take_faults(to, &item);
    }
    json_t *shares = put_array(to, "shares");
    for (size_t i = 0; i < beat->n_shares; i++) {
        struct encoder item = add_object(to, shares);
        put_integer(&item, "worker", beat->shares[i].worker);
        put_integer(&item, "number", beat->shares[i].number);
        take_faults(to, &item);
    }
}

static void encode_hold(struct encoder *to, const struct hold *hold)
{
    put_integer(to, "worker", hold->worker);
    put_text(to, "host", hold->host);
    put_integer(to, "length", hold->length);
}

static void encode_body(struct encoder *to, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
        encode_hello(to, &message->hello);
        break;
    case MESSAGE_WELCOME:
        encode_welcome(to, &message->welcome);
        break;
    case MESSAGE_REFUSE:
        put_text(to, "reason", message->refuse.reason);
        break;
    case MESSAGE_TASK:
        encode_task(to, &message->task);
        break;
    case MESSAGE_DROP:
        put_integer(to, "batch", message->drop.batch);
        break;
    case MESSAGE_SHARE:
        encode_share(to, &message->share);
        break;
    case MESSAGE_REPORT:
        encode_report(to, &message->report);
        break;
    case MESSAGE_HEARTBEAT:
        encode_heartbeat(to, &message->heartbeat);
        break;
    case MESSAGE_HOLD:
        encode_hold(to, &message->hold);
        break;
    case MESSAGE_END:
        put(to, "drain", json_boolean(message->end.drain));
        put_text(to, "reason", message->end.reason);
        break;
    case MESSAGE_PING:
    case MESSAGE_BYE:
        break;
    case MESSAGE_TYPE_COUNT:
        CHECK(message->type != MESSAGE_TYPE_COUNT);
    }
}

static int append_text(const char *text, size_t len, void *context)
{
    return buffer_append(context, text, len) ? 0 : -1;
}

/* The ledger's text of a batch's keys is JSON already. To read and write it
 * anew was two thirds of what a batch cost the master. */
static bool append_keys(const struct message *message, struct buffer *ret)
{
    const char *keys =
        message->type == MESSAGE_TASK ? message->task.keys_json : NULL;
    if (!keys)
        return true;
    CHECK(ret->len && ret->data[ret->len - 1] == '}');
    ret->len--;
    return buffer_append_text(ret, ",\"keys\":") &&
           buffer_append_text(ret, keys) && buffer_append_char(ret, '}');
}

int message_encode(const struct message *message, struct buffer *ret,
                   struct error *err)
{
    size_t before = ret->len;
    struct encoder to = {.object = json_object()};
    put_text(&to, "type", message_type_name(message->type));
    put_integer(&to, "epoch", message->epoch);
    if (message->node[0])
        put_text(&to, "node", message->node);
    put_integer(&to, "incarnation", message->incarnation);
    encode_body(&to, message);
    bool failed =
        to.failed ||
        json_dump_callback(to.object, append_text, ret, JSON_COMPACT) ||
        !append_keys(message, ret);
    json_decref(to.object);
    if (failed && to.no_text)
        return error_set(err, ERR_MESSAGE,
                         "a text in a %s message is not UTF-8",
                         message_type_name(message->type));
    if (failed)
        return error_set(err, ERR_MEMORY, "no memory for a %s message",
                         message_type_name(message->type));
    if (ret->len - before > MESSAGE_BYTES_MAX)
        return error_set(err, ERR_LIMIT,
                         "a %s message of %zu bytes exceeds the limit of %d",
                         message_type_name(message->type), ret->len - before,
                         MESSAGE_BYTES_MAX);
    return 0;
}

/* Decoding. The first complaint wins; getters return a harmless value after
 * one, so that a decode_ function reads straight through. */

struct decoder {
    const json_t *object;
    struct arena *arena;
    struct error *err;
};

static int64_t get_integer(struct decoder *from, const char *name,
                           int64_t least, int64_t most)
{
    const json_t *value = json_object_get(from->object, name);
    if (!json_is_integer(value)) {
        error_set(from->err, ERR_MESSAGE, "\"%s\" is %s, not an integer", name,
                  value ? "something else" : "absent");
        return least;
    }
    int64_t number = json_integer_value(value);
    if (number < least || number > most) {
        error_set(from->err, ERR_MESSAGE,
                  "\"%s\" is %lld, outside %lld to %lld", name,
                  (long long)number, (long long)least, (long long)most);
        return least;
    }
    return number;
}

static usec_t get_time(struct decoder *from, const char *name)
{
    return get_integer(from, name, 0, MICROSECONDS_MAX);
}

static bool get_boolean(struct decoder *from, const char *name)
{
    const json_t *value = json_object_get(from->object, name);
    if (!json_is_boolean(value))
        error_set(from->err, ERR_MESSAGE, "\"%s\" is no boolean", name);
    return json_is_true(value);
}

static struct slice copy_text(struct decoder *from, const char *name,
                              const json_t *value, size_t least, size_t most)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (!text || len < least || len > most) {
        error_set(from->err, ERR_MESSAGE,
                  "\"%s\" is no text of %zu to %zu bytes", name, least, most);
        return slice_of("");
    }
    const char *copy = arena_copy(from->arena, text, len);
    if (!copy)
        error_set(from->err, ERR_MEMORY, "no memory for \"%s\"", name);
    return copy ? (struct slice){copy, len} : slice_of("");
}

static struct slice get_slice(struct decoder *from, const char *name,
                              size_t most)
{
    return copy_text(from, name, json_object_get(from->object, name), 0, most);
}

/* Text that is used as a C string: no NUL inside. */
static const char *get_text(struct decoder *from, const char *name)
{
    struct slice text = get_slice(from, name, MESSAGE_TEXT_BYTES_MAX);
    if (memchr(text.data, '\0', text.len))
        error_set(from->err, ERR_MESSAGE, "\"%s\" holds a NUL", name);
    return text.data;
}

static int get_choice(struct decoder *from, const char *name,
                      const char *const *choices, int n_choices)
{
    const char *text = get_text(from, name);
    for (int i = 0; i < n_choices; i++)
        if (!strcmp(text, choices[i]))
            return i;
    error_set(from->err, ERR_MESSAGE, "\"%s\" is \"%.40s\", unknown", name,
              text);
    return 0;
}

/* An array of at most `most` items: NULL and *ret_n 0 otherwise. */
static const json_t *get_array(struct decoder *from, const char *name,
                               size_t most, size_t *ret_n)
{
    const json_t *array = json_object_get(from->object, name);
    *ret_n = 0;
    if (!json_is_array(array) || json_array_size(array) > most) {
        error_set(from->err, ERR_MESSAGE,
                  "\"%s\" is no array of at most %zu items", name, most);
        return NULL;
    }
    *ret_n = json_array_size(array);
    return array;
}

static void *get_memory(struct decoder *from, size_t n, size_t bytes)
{
    void *memory = arena_alloc(from->arena, n * bytes);
    if (!memory)
        error_set(from->err, ERR_MEMORY, "no memory for a message");
    return memory;
}

static struct decoder item_decoder(struct decoder *from, const json_t *array,
                                   size_t index)
{
    return (struct decoder){json_array_get(array, index), from->arena,
                            from->err};
}

#define CRASHED_MAX 64

static void decode_hello(struct decoder *from, struct hello *ret)
{
    ret->version = (int)get_integer(from, "version", 0, 1000000);
    if (from->err->code == ERR_NONE && ret->version != PROTOCOL_VERSION) {
        error_set(from->err, ERR_VERSION,
                  "the node speaks protocol version %d, this program %d",
                  ret->version, PROTOCOL_VERSION);
        return;
    }
    ret->program = get_text(from, "program");
    ret->host = get_text(from, "host");
    ret->pid = get_integer(from, "pid", 0, INT32_MAX);
    ret->core = (int)get_integer(from, "core", -1, 1 << 20);
    ret->ledger_id = get_text(from, "ledger_id");
    ret->last_epoch = get_integer(from, "last_epoch", 0, INT64_MAX);
    const json_t *array =
        get_array(from, "crashed", CRASHED_MAX, &ret->n_crashed);
    int64_t *batches = get_memory(from, ret->n_crashed, sizeof *batches);
    for (size_t i = 0; batches && i < ret->n_crashed; i++) {
        const json_t *item = json_array_get(array, i);
        batches[i] = json_integer_value(item);
        if (batches[i] <= 0)
            error_set(from->err, ERR_MESSAGE, "\"crashed\" holds no batch");
    }
    ret->crashed_batches = batches;
}

static void decode_welcome(struct decoder *from, struct welcome *ret)
{
    ret->run = get_integer(from, "run", 1, INT64_MAX);
    ret->ledger_id = get_text(from, "ledger_id");
    ret->task_endpoint = get_text(from, "task_endpoint");
    ret->pipeline = get_slice(from, "pipeline", MESSAGE_PIPELINE_BYTES_MAX);
    ret->pipeline_path =
        get_slice(from, "pipeline_path", MESSAGE_PIPELINE_BYTES_MAX).data;
    ret->settings =
        get_slice(from, "settings", MESSAGE_PIPELINE_BYTES_MAX).data;
    ret->key_limit = get_integer(from, "key_limit", 0, INT64_MAX);
    ret->heartbeat = get_time(from, "heartbeat");
    ret->lease = get_time(from, "lease");
    ret->batch_time = get_time(from, "batch_time");
    ret->close_after = get_time(from, "close_after");
    ret->database_wait = get_time(from, "database_wait");
    if (from->err->code == ERR_NONE &&
        (ret->heartbeat < USEC_PER_MSEC || ret->lease < ret->heartbeat))
        error_set(from->err, ERR_MESSAGE,
                  "\"heartbeat\" or \"lease\" is too short");
}

static void decode_task(struct decoder *from, struct task *ret)
{
    ret->batch = get_integer(from, "batch", 1, INT64_MAX);
    ret->worker = (int)get_integer(from, "worker", 0, INT32_MAX);
    ret->attempt = (int)get_integer(from, "attempt", 0, INT32_MAX);
    ret->action = (enum task_action)get_choice(from, "action", action_names, 3);
    ret->nodes = (int)get_integer(from, "nodes", 1, INT32_MAX);
    ret->batch_keys = (int)get_integer(from, "batch_keys", 0, TASK_KEYS_MAX);
    const json_t *array = get_array(from, "keys", TASK_KEYS_MAX, &ret->n_keys);
    if (array && ret->n_keys == 0)
        error_set(from->err, ERR_MESSAGE, "\"keys\" is empty");
    struct slice *keys = get_memory(from, ret->n_keys, sizeof *keys);
    for (size_t i = 0; keys && i < ret->n_keys; i++)
        keys[i] = copy_text(from, "keys", json_array_get(array, i), 1,
                            TASK_KEY_BYTES_MAX);
    ret->keys = keys;
}

static void decode_share(struct decoder *from, struct share *ret)
{
    ret->worker = (int)get_integer(from, "worker", 0, INT32_MAX);
    ret->number = get_integer(from, "number", 0, INT64_MAX);
    const json_t *rate = json_object_get(from->object, "rate");
    ret->rate = json_number_value(rate);
    if (!json_is_number(rate) || !(ret->rate >= 0 && ret->rate <= 1e9))
        error_set(from->err, ERR_MESSAGE, "\"rate\" is no rate");
    ret->in_flight = (int)get_integer(from, "in_flight", -1, INT32_MAX);
    ret->valid = get_time(from, "valid");
    ret->beat = get_integer(from, "beat", 0, INT64_MAX);
}

static void decode_report(struct decoder *from, struct report *ret)
{
    ret->batch = get_integer(from, "batch", 1, INT64_MAX);
    ret->outcome =
        (enum report_outcome)get_choice(from, "outcome", outcome_names, 4);
    ret->stored = get_integer(from, "stored", 0, COUNTER_MAX);
    ret->failed = get_integer(from, "failed", 0, COUNTER_MAX);
    ret->children_more = get_boolean(from, "children_more");
    const json_t *array =
        get_array(from, "children", REPORT_CHILDREN_MAX, &ret->n_children);
    struct report_child *children =
        get_memory(from, ret->n_children, sizeof *children);
    for (size_t i = 0; children && i < ret->n_children; i++) {
        struct decoder item = item_decoder(from, array, i);
        children[i] = (struct report_child){
            .batch = get_integer(&item, "batch", 1, INT64_MAX),
            .worker = (int)get_integer(&item, "worker", 0, INT32_MAX),
            .n_keys = (size_t)get_integer(&item, "n_keys", 0, INT32_MAX),
            .kept = get_boolean(&item, "kept"),
        };
    }
    ret->children = children;
}

static void get_times(struct decoder *from, const char *name,
                      struct histogram *ret)
{
    size_t n;
    const json_t *array = get_array(from, name, 1 + HISTOGRAM_BUCKETS, &n);
    *ret = (struct histogram){0};
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        int64_t value = json_integer_value(item);
        if (!json_is_integer(item) || value < 0 || value > TIMES_MAX)
            error_set(from->err, ERR_MESSAGE, "\"%s\" holds no count", name);
        else if (i == 0)
            ret->sum = value;
        else
            ret->counts[i - 1] = value;
    }
}

/* A node of before they were told says nothing of them. */
static const struct heartbeat_times *get_all_times(struct decoder *from)
{
    struct decoder took = {json_object_get(from->object, "took"), from->arena,
                           from->err};
    if (!took.object)
        return NULL;
    struct heartbeat_times *times = get_memory(from, 1, sizeof *times);
    bool fine = from->err->code == ERR_NONE;
    if (!json_is_object(took.object))
        error_set(from->err, ERR_MESSAGE, "\"took\" is no object");
#define X(name, ...) get_times(&took, #name, &times->name);
    if (times) {
        HEARTBEAT_TIMES(X)
    }
#undef X
    if (fine && from->err->code != ERR_NONE)
        error_context(from->err, "\"took\"");
    return times;
}

static void decode_heartbeat(struct decoder *from, struct heartbeat *ret)
{
    ret->number = get_integer(from, "number", 0, INT64_MAX);
    ret->interval = get_time(from, "interval");
    ret->store_waiting = get_boolean(from, "store_waiting");
#define X(name, ...) ret->name = get_integer(from, #name, 0, COUNTER_MAX);
    HEARTBEAT_COUNTERS(X)
#undef X
    ret->times = get_all_times(from);
    const json_t *array =
        get_array(from, "held", HEARTBEAT_HELD_MAX, &ret->n_held);
    struct held_batch *held = get_memory(from, ret->n_held, sizeof *held);
    for (size_t i = 0; held && i < ret->n_held; i++) {
        struct decoder item = item_decoder(from, array, i);
        held[i] = (struct held_batch){
            .batch = get_integer(&item, "batch", 1, INT64_MAX),
            .worker = (int)get_integer(&item, "worker", 0, INT32_MAX),
            .n_keys = (size_t)get_integer(&item, "n_keys", 0, INT32_MAX),
        };
    }
    ret->held = held;
    array = get_array(from, "shares", HEARTBEAT_SHARES_MAX, &ret->n_shares);
    struct share_ack *shares = get_memory(from, ret->n_shares, sizeof *shares);
    for (size_t i = 0; shares && i < ret->n_shares; i++) {
        struct decoder item = item_decoder(from, array, i);
        shares[i] = (struct share_ack){
            .worker = (int)get_integer(&item, "worker", 0, INT32_MAX),
            .number = get_integer(&item, "number", 0, INT64_MAX),
        };
    }
    ret->shares = shares;
}

static void decode_hold(struct decoder *from, struct hold *ret)
{
    ret->worker = (int)get_integer(from, "worker", 0, INT32_MAX);
    ret->host = get_text(from, "host");
    ret->length = get_time(from, "length");
}

static void decode_body(struct decoder *from, struct message *ret)
{
    switch (ret->type) {
    case MESSAGE_HELLO:
        decode_hello(from, &ret->hello);
        break;
    case MESSAGE_WELCOME:
        decode_welcome(from, &ret->welcome);
        break;
    case MESSAGE_REFUSE:
        ret->refuse.reason = get_text(from, "reason");
        break;
    case MESSAGE_TASK:
        decode_task(from, &ret->task);
        break;
    case MESSAGE_DROP:
        ret->drop.batch = get_integer(from, "batch", 1, INT64_MAX);
        break;
    case MESSAGE_SHARE:
        decode_share(from, &ret->share);
        break;
    case MESSAGE_REPORT:
        decode_report(from, &ret->report);
        break;
    case MESSAGE_HEARTBEAT:
        decode_heartbeat(from, &ret->heartbeat);
        break;
    case MESSAGE_HOLD:
        decode_hold(from, &ret->hold);
        break;
    case MESSAGE_END:
        ret->end.drain = get_boolean(from, "drain");
        ret->end.reason = get_text(from, "reason");
        break;
    case MESSAGE_PING:
    case MESSAGE_BYE:
    case MESSAGE_TYPE_COUNT:
        break;
    }
}

/* [A-Za-z0-9._-]{1,63}, or absent. */
static void decode_node(struct decoder *from, char node[NODE_NAME_BYTES])
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789._-";
    const json_t *value = json_object_get(from->object, "node");
    if (!value)
        return;
    const char *name = json_string_value(value);
    size_t len = json_string_length(value);
    if (!name || len == 0 || len >= NODE_NAME_BYTES ||
        strspn(name, allowed) != len) {
        error_set(from->err, ERR_MESSAGE, "\"node\" is no name of a node");
        return;
    }
    memcpy(node, name, len + 1);
}

static bool is_from_or_to_one_node(enum message_type type)
{
    return type != MESSAGE_PING && type != MESSAGE_END && type != MESSAGE_HOLD;
}

int message_decode(struct slice data, struct arena *arena, struct message *ret,
                   struct error *err)
{
    if (data.len > MESSAGE_BYTES_MAX)
        return error_set(err, ERR_MESSAGE, "%zu bytes exceed the limit of %d",
                         data.len, MESSAGE_BYTES_MAX);
    json_error_t where;
    json_t *object =
        json_loadb(data.data, data.len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(object)) {
        json_decref(object);
        return error_set(err, ERR_MESSAGE, "no JSON object: %s",
                         object ? "another value" : where.text);
    }
    struct decoder from = {object, arena, err};
    struct message message = {0};
    message.type = (enum message_type)get_choice(&from, "type", type_names,
                                                 MESSAGE_TYPE_COUNT);
    message.epoch = get_integer(&from, "epoch", 0, INT64_MAX);
    message.incarnation = get_integer(&from, "incarnation", 0, INT64_MAX);
    decode_node(&from, message.node);
    if (err->code == ERR_NONE && !message.node[0] &&
        is_from_or_to_one_node(message.type))
        error_set(err, ERR_MESSAGE, "a %s without \"node\"",
                  message_type_name(message.type));
    if (err->code == ERR_NONE)
        decode_body(&from, &message);
    json_decref(object);
    if (err->code == ERR_NONE || err->code == ERR_VERSION)
        *ret = message;
    return (int)err->code;
}

/*
 * zap.c: who is let in: the handler of https://rfc.zeromq.org/spec/27/.
 *
 * libzmq asks it at each handshake with a CURVE server, over an inproc socket,
 * and holds that connection back until it answers. It answers from the loop:
 * each question at once, from the list of keys in memory. The list is read
 * again when it is older than a second, so that a node can be let in, or shut
 * out from its next connection on, while a run goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>
#include <zmq.h>

#include "base/clock.h"
#include "wire/curve.h"
#include "wire/socket_private.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define READ_EVERY USEC_PER_SEC
#define QUESTIONS_A_TURN 256
#define FOLDER_BYTES 1024
#define PART_BYTES 256 /* of a question; a longer part is refused */

/* A question's parts, in order. */
enum part {
    PART_VERSION,
    PART_REQUEST_ID,
    PART_DOMAIN,
    PART_ADDRESS,
    PART_IDENTITY,
    PART_MECHANISM,
    PART_KEY,
    PART_COUNT
};

struct question {
    char parts[PART_COUNT][PART_BYTES];
    size_t lens[PART_COUNT];
    int n;
    bool bad; /* of more or longer parts */
};

struct allowed {
    char key[CURVE_KEY_BYTES];
    UT_hash_handle hh;
};

struct zap {
    void *zmq;
    struct event *changed, *go_on;
    char folder[FOLDER_BYTES];
    struct allowed *allowed;
    usec_t read_at;
    curve_on_stranger *on_stranger;
    void *on_stranger_context;
};

/* ---- the list ---- */

static void forget_allowed(struct zap *zap)
{
    struct allowed *allowed, *next;
    HASH_ITER (hh, zap->allowed, allowed, next) {
        HASH_DEL(zap->allowed, allowed);
        free(allowed);
    }
}

static void allow(struct zap *zap, const char *key)
{
    struct allowed *allowed = NULL;
    HASH_FIND_STR(zap->allowed, key, allowed);
    if (allowed || HASH_COUNT(zap->allowed) >= CURVE_PEERS_MAX ||
        !(allowed = calloc(1, sizeof *allowed)))
        return;
    memcpy(allowed->key, key, CURVE_KEY_BYTES);
    HASH_ADD_STR(zap->allowed, key, allowed);
}

static bool ends_with_pub(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && !strcmp(name + len - 4, ".pub");
}

static void read_allowed(struct zap *zap)
{
    zap->read_at = clock_monotonic();
    DIR *entries = opendir(zap->folder);
    forget_allowed(zap);
    if (!entries)
        return; /* nobody is allowed */
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        char text[CURVE_KEY_BYTES] = "";
        int fd = ends_with_pub(entry->d_name)
                     ? openat(dirfd(entries), entry->d_name,
                              O_RDONLY | O_CLOEXEC | O_NONBLOCK)
                     : -1;
        if (fd < 0)
            continue;
        if (read(fd, text, CURVE_KEY_BYTES - 1) == CURVE_KEY_BYTES - 1)
            allow(zap, text);
        close(fd);
    }
    closedir(entries);
}

static bool is_allowed(struct zap *zap, const char *key)
{
    const struct allowed *allowed = NULL;
    if (clock_monotonic() >= zap->read_at + READ_EVERY)
        read_allowed(zap);
    HASH_FIND_STR(zap->allowed, key, allowed);
    return allowed != NULL;
}

/* ---- questions ---- */

static bool read_question(struct zap *zap, struct question *question)
{
    bool more = true;
    while (more) {
        zmq_msg_t part;
        CHECK(zmq_msg_init(&part) == 0);
        if (zmq_msg_recv(&part, zap->zmq, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return false;
        }
        size_t len = zmq_msg_size(&part);
        if (question->n < PART_COUNT && len < PART_BYTES) {
            memcpy(question->parts[question->n], zmq_msg_data(&part), len);
            question->lens[question->n++] = len;
        } else {
            question->bad = true;
        }
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return true;
}

static bool may_enter(struct zap *zap, const struct question *question)
{
    char key[CURVE_KEY_BYTES];
    if (question->bad || question->n != PART_COUNT ||
        strcmp(question->parts[PART_VERSION], "1.0") ||
        strcmp(question->parts[PART_DOMAIN], SOCKET_ZAP_DOMAIN) ||
        strcmp(question->parts[PART_MECHANISM], "CURVE") ||
        question->lens[PART_KEY] != 32 ||
        !zmq_z85_encode(key, (const uint8_t *)question->parts[PART_KEY], 32))
        return false;
    if (is_allowed(zap, key))
        return true;
    zap->on_stranger(zap->on_stranger_context, question->parts[PART_ADDRESS],
                     key);
    return false;
}

static void answer(struct zap *zap, const struct question *question, bool yes)
{
    const char *texts[] = {
        "1.0", NULL, yes ? "200" : "400", yes ? "" : "this key is not allowed",
        "",    ""};
    const int n = sizeof texts / sizeof *texts;
    for (int i = 0; i < n; i++) {
        const char *data =
            texts[i] ? texts[i] : question->parts[PART_REQUEST_ID];
        size_t len =
            texts[i] ? strlen(texts[i]) : question->lens[PART_REQUEST_ID];
        int more = i < n - 1 ? ZMQ_SNDMORE : 0;
        while (zmq_send(zap->zmq, data, len, more | ZMQ_DONTWAIT) < 0 &&
               errno == EINTR)
            ;
    }
}

static bool has_question(struct zap *zap)
{
    int events = 0;
    size_t size = sizeof events;
    while (zmq_getsockopt(zap->zmq, ZMQ_EVENTS, &events, &size))
        if (errno != EINTR)
            return false;
    return events & ZMQ_POLLIN;
}

static void on_question(evutil_socket_t fd, short what, void *context)
{
    static const struct timeval at_once = {0, 0};
    (void)fd;
    (void)what;
    struct zap *zap = context;
    for (int n = 0; has_question(zap); n++) {
        struct question question = {.n = 0};
        if (n == QUESTIONS_A_TURN) {
            event_add(zap->go_on, &at_once);
            return;
        }
        if (read_question(zap, &question))
            answer(zap, &question, may_enter(zap, &question));
    }
}

/* ---- the handler ---- */

void zap_free(struct zap **ptr)
{
    struct zap *zap = *ptr;
    if (!zap)
        return;
    if (zap->changed)
        event_free(zap->changed);
    if (zap->go_on)
        event_free(zap->go_on);
    if (zap->zmq)
        zmq_close(zap->zmq);
    forget_allowed(zap);
    free(zap);
    *ptr = NULL;
}

static bool open_handler(struct zap *zap, void *zmq_context,
                         struct event_base *base)
{
    int fd, linger = 0;
    size_t size = sizeof fd;
    zap->zmq = zmq_socket(zmq_context, ZMQ_REP);
    if (!zap->zmq ||
        zmq_setsockopt(zap->zmq, ZMQ_LINGER, &linger, sizeof linger) ||
        zmq_bind(zap->zmq, ENDPOINT) ||
        zmq_getsockopt(zap->zmq, ZMQ_FD, &fd, &size))
        return false;
    zap->changed = event_new(base, fd, EV_READ | EV_PERSIST, on_question, zap);
    zap->go_on = evtimer_new(base, on_question, zap);
    if (!zap->changed || !zap->go_on || event_add(zap->changed, NULL))
        return false;
    event_active(zap->changed, EV_READ, 0);
    return true;
}

int curve_guard(struct wire_context *context, struct event_base *base,
                const char *folder, curve_on_stranger *on_stranger,
                void *on_stranger_context, struct error *err)
{
    CHECK(!context->zap);
    struct zap *zap = calloc(1, sizeof *zap);
    if (!zap)
        return error_set(err, ERR_MEMORY, "no memory for keys");
    zap->on_stranger = on_stranger;
    zap->on_stranger_context = on_stranger_context;
    int len = snprintf(zap->folder, sizeof zap->folder, "%s/allowed", folder);
    if (len < 0 || (size_t)len >= sizeof zap->folder)
        error_set(err, ERR_SETTING, "the folder of keys has too long a path");
    else if (!open_handler(zap, context->zmq, base))
        error_set(err, ERR_SYSTEM, "nobody to check keys: %s",
                  zmq_strerror(errno));
    if (err->code != ERR_NONE) {
        zap_free(&zap);
        return (int)err->code;
    }
    read_allowed(zap);
    context->zap = zap;
    return 0;
}

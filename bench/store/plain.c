/* plain.c: way_copy() and way_insert(), as libpq's manual has them: blocking,
 * text format, statements prepared. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "ways.h"

#define COPY_CHUNK_BYTES 65536

/* The rows from..to of one connection. */
struct part {
    const struct way_plan *plan;
    size_t from, to;
    PGconn *connection;
    struct error err;
    pthread_t thread;
    bool started;
};

static int failed(struct part *part)
{
    return error_set(&part->err, ERR_DATABASE, "%s",
                     PQerrorMessage(part->connection));
}

/* False with the error set unless the result is of this status. */
static bool expect(struct part *part, PGresult *result, ExecStatusType wanted)
{
    bool good = PQresultStatus(result) == wanted;
    if (!good)
        failed(part);
    PQclear(result);
    return good;
}

static bool append_row(struct buffer *out, size_t number, const char *when)
{
    char key[WAY_KEY_BYTES], price[WAY_PRICE_BYTES];
    way_row(number, key, price);
    return buffer_printf(out, "%s\t%s\t%s\n", key, price, when);
}

static int send_chunk(struct part *part, struct buffer *chunk)
{
    if (PQputCopyData(part->connection, chunk->data, (int)chunk->len) != 1)
        return failed(part);
    buffer_clear(chunk);
    return 0;
}

/* One COPY of the rows from..to. */
static int copy_rows(struct part *part, struct buffer *chunk, size_t from,
                     size_t to)
{
    char when[CLOCK_TEXT_BYTES];
    if (!expect(part,
                PQexec(part->connection, "COPY prices (symbol, price, "
                                         "extracted_time) FROM STDIN"),
                PGRES_COPY_IN))
        return (int)part->err.code;
    for (size_t i = from; i < to; i++) {
        clock_format(clock_wall(), when);
        if (!append_row(chunk, i + 1, when))
            return error_set(&part->err, ERR_MEMORY, "no memory");
        if (chunk->len > COPY_CHUNK_BYTES && send_chunk(part, chunk))
            return (int)part->err.code;
    }
    if (send_chunk(part, chunk))
        return (int)part->err.code;
    if (PQputCopyEnd(part->connection, NULL) != 1)
        return failed(part);
    expect(part, PQgetResult(part->connection), PGRES_COMMAND_OK);
    PQclear(PQgetResult(part->connection)); /* the NULL that ends it */
    return (int)part->err.code;
}

static void *copy_part(void *context)
{
    struct part *part = context;
    struct buffer chunk = BUFFER_EMPTY;
    size_t step = part->plan->batch ? part->plan->batch : part->to - part->from;
    for (size_t from = part->from; from < part->to; from += step) {
        size_t to = part->to - from < step ? part->to : from + step;
        if (copy_rows(part, &chunk, from, to))
            break;
    }
    buffer_free(&chunk);
    return NULL;
}

static int connect_part(struct part *part)
{
    part->connection = PQconnectdb(part->plan->url);
    return PQstatus(part->connection) == CONNECTION_OK ? 0 : failed(part);
}

/* Waits for all that were started; the first error of any. */
static int join(struct part *parts, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        if (parts[i].err.code)
            error_set(err, parts[i].err.code, "%s", parts[i].err.text);
    }
    return (int)err->code;
}

int way_copy(const struct way_plan *plan, usec_t *ret, struct error *err)
{
    struct part parts[WAY_CONNECTIONS_MAX] = {{.plan = plan}};
    size_t n = plan->connections;
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        parts[i] = (struct part){.plan = plan,
                                 .from = plan->rows * i / n,
                                 .to = plan->rows * (i + 1) / n};
        if (connect_part(&parts[i]))
            rc = ERR_DATABASE;
    }
    usec_t begun = clock_monotonic();
    for (size_t i = 0; !rc && i < n; i++) {
        parts[i].started =
            !pthread_create(&parts[i].thread, NULL, copy_part, &parts[i]);
        if (!parts[i].started)
            rc = error_set(&parts[i].err, ERR_SYSTEM, "no thread");
    }
    rc = join(parts, n, err);
    *ret = clock_monotonic() - begun;
    for (size_t i = 0; i < n; i++)
        PQfinish(parts[i].connection);
    return rc;
}

static int insert_rows(struct part *part)
{
    char key[WAY_KEY_BYTES], price[WAY_PRICE_BYTES], when[CLOCK_TEXT_BYTES];
    const char *values[] = {key, price, when};
    for (size_t i = part->from; i < part->to; i++) {
        way_row(i + 1, key, price);
        clock_format(clock_wall(), when);
        if (!expect(part,
                    PQexecPrepared(part->connection, "insert", 3, values, NULL,
                                   NULL, 0),
                    PGRES_COMMAND_OK))
            break;
    }
    return (int)part->err.code;
}

int way_insert(const struct way_plan *plan, usec_t *ret, struct error *err)
{
    struct part part = {.plan = plan, .to = plan->rows};
    usec_t begun = 0;
    if (!connect_part(&part) &&
        expect(&part,
               PQprepare(part.connection, "insert",
                         "INSERT INTO prices (symbol, price, extracted_time)"
                         " VALUES ($1, $2, $3)",
                         0, NULL),
               PGRES_COMMAND_OK)) {
        begun = clock_monotonic();
        (void)!insert_rows(&part);
    }
    *ret = clock_monotonic() - begun;
    PQfinish(part.connection);
    return join(&part, 1, err);
}

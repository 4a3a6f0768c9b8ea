/* ledger_there.c: what may be asked of a database without making a ledger in
 * it: ledger.h. */
#include <libpq-fe.h>
#include <sqlite3.h>

#include "ledger/ledger_backend.h"

#define CONNECT_SECONDS "5"

static bool sqlite_has(const char *path)
{
    sqlite3 *database = NULL;
    char *unused = NULL;
    path += strncmp(path, "//", 2) ? 0 : 2; /* as ledger_open() has it */
    bool there = sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) ==
                     SQLITE_OK &&
                 sqlite3_exec(database, "SELECT 1 FROM windrow_ledger", NULL,
                              NULL, &unused) == SQLITE_OK;
    sqlite3_free(unused);
    sqlite3_close(database);
    return there;
}

static int cant_ask(const PGconn *connection, struct error *err)
{
    char text[ERROR_TEXT_BYTES];
    ledger_one_line(PQerrorMessage(connection), text, sizeof text);
    return error_set(err, ERR_DATABASE_AWAY, "the database can't be asked: %s",
                     text);
}

static int postgres_has(const char *url, bool *ret, struct error *err)
{
    static const char *const names[] = {"connect_timeout", "dbname", NULL};
    const char *values[] = {CONNECT_SECONDS, url, NULL};
    PGconn *connection = PQconnectdbParams(names, values, 1);
    PGresult *result =
        PQstatus(connection) == CONNECTION_OK
            ? PQexec(connection, "SELECT to_regclass('windrow_ledger')")
            : NULL;
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        *ret = !PQgetisnull(result, 0, 0);
    else
        (void)!cant_ask(connection, err);
    PQclear(result);
    PQfinish(connection);
    return (int)err->code;
}

int ledger_is_there(const char *url, bool *ret, struct error *err)
{
    static const char sqlite[] = "sqlite:";
    if (strncmp(url, sqlite, sizeof sqlite - 1) != 0)
        return postgres_has(url, ret, err);
    *ret = sqlite_has(url + sizeof sqlite - 1);
    return 0;
}

const char *ledger_column_type(const char *url, const struct pipeline *pipeline,
                               const struct worker *store,
                               const struct column *column, bool *ret_needed)
{
    const struct table_dialect *dialect = strncmp(url, "sqlite:", 7)
                                              ? &ledger_postgres_dialect
                                              : &ledger_sqlite_dialect;
    *ret_needed = ledger_always_has_value(pipeline, store, column);
    return dialect->types[ledger_column_kind(column)];
}

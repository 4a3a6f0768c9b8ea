/*
 * settings_table.h: the table of settings; only settings*.c include it.
 *
 * Sorted by name. A new setting is a line here and nothing else: reading,
 * checking, help, docs/sample.env and docs/settings.md follow.
 */
#ifndef PIPELINE_SETTINGS_TABLE_H
#define PIPELINE_SETTINGS_TABLE_H

#include "pipeline/settings.h"

enum setting_type { SETTING_TEXT, SETTING_DURATION, SETTING_BYTES };

/* name, type, default (NULL: none), least, most, secret, help */
#define SETTINGS(X)                                                            \
    X("DATABASE_URL", SETTING_TEXT, NULL, NULL, NULL, true,                    \
      "where ledger and rows live: postgresql://USER:PASSWORD@HOST/NAME or "   \
      "sqlite:FILE; without any database setting it is sqlite:windrow.db")     \
    X("PGDATABASE", SETTING_TEXT, NULL, NULL, NULL, false,                     \
      "libpq's own: database name")                                            \
    X("PGHOST", SETTING_TEXT, NULL, NULL, NULL, false,                         \
      "libpq's own: server name or socket folder")                             \
    X("PGPASSWORD", SETTING_TEXT, NULL, NULL, NULL, true,                      \
      "libpq's own: password")                                                 \
    X("PGPORT", SETTING_TEXT, NULL, NULL, NULL, false, "libpq's own: port")    \
    X("PGUSER", SETTING_TEXT, NULL, NULL, NULL, false,                         \
      "libpq's own: user name")                                                \
    X("PG_DB", SETTING_TEXT, NULL, NULL, NULL, false,                          \
      "database name, as the older Python pipelines have it")                  \
    X("PG_HOST", SETTING_TEXT, NULL, NULL, NULL, false,                        \
      "server, or server:port, as the older Python pipelines have it")         \
    X("PG_PW", SETTING_TEXT, NULL, NULL, NULL, true,                           \
      "password, as the older Python pipelines have it")                       \
    X("PG_USER", SETTING_TEXT, NULL, NULL, NULL, false,                        \
      "user name, as the older Python pipelines have it")                      \
    X("PIPELINE_LOCATION", SETTING_TEXT, NULL, NULL, NULL, false,              \
      "the pipeline file that is run where the command names none")            \
    X("WIKIPEDIA_URL", SETTING_TEXT, NULL, NULL, NULL, false,                  \
      "scheme and host asked instead of https://en.wikipedia.org")             \
    X("WINDROW_BATCH_TIME", SETTING_DURATION, "60s", "1s", "1h", false,        \
      "how long a node works on a batch; keys that do not fit become a child " \
      "batch")                                                                 \
    X("WINDROW_CA_FILE", SETTING_TEXT, NULL, NULL, NULL, false,                \
      "certificates (PEM) of the authorities that are trusted over https, "    \
      "instead of the system's")                                               \
    X("WINDROW_CLOSE_AFTER", SETTING_DURATION, "2s", "100ms", "10m", false,    \
      "a batch whose slow keys made no progress for so long closes early; "    \
      "they become a child batch")                                             \
    X("WINDROW_CONFINE", SETTING_TEXT, "yes", NULL, NULL, false,               \
      "whether a node gives up what it does not need (docs/security.md); no "  \
      "is for debugging")                                                      \
    X("WINDROW_CONNECT", SETTING_TEXT, NULL, NULL, NULL, false,                \
      "where a node finds its master, as --connect: tcp://HOST:PORT")          \
    X("WINDROW_CONTACT", SETTING_TEXT, NULL, NULL, NULL, false,                \
      "how a site's operators reach you (a mail address or URL); part of the " \
      "User-Agent where a pipeline says so")                                   \
    X("WINDROW_DASHBOARD_TOKEN", SETTING_TEXT, NULL, NULL, NULL, true,         \
      "what a browser must know to see the dashboard (16 to 256 letters, "     \
      "digits and -._~+/=); elsewhere than on loopback it must be set")        \
    X("WINDROW_DATABASE_WAIT", SETTING_DURATION, "10m", "1s", "7d", false,     \
      "how long an unreachable database is waited for before the run ends "    \
      "(resumable)")                                                           \
    X("WINDROW_GRACE", SETTING_DURATION, "8s", "100ms", "1h", false,           \
      "how long a node that was told to stop may take to hand back what it "   \
      "holds")                                                                 \
    X("WINDROW_HEALTH_FILE", SETTING_TEXT, NULL, NULL, NULL, false,            \
      "a file that is touched each second while the loop turns; windrow "      \
      "healthy FILE looks at it")                                              \
    X("WINDROW_HEARTBEAT", SETTING_DURATION, "1s", "10ms", "1m", false,        \
      "how often a node says that it lives and what it holds")                 \
    X("WINDROW_INSECURE", SETTING_TEXT, "no", NULL, NULL, false,               \
      "yes: as --insecure, nodes of other machines may take part without "     \
      "keys")                                                                  \
    X("WINDROW_KEYS", SETTING_TEXT, NULL, NULL, NULL, false,                   \
      "folder of the cluster's keys, as --keys, of master and nodes")          \
    X("WINDROW_LEASE", SETTING_DURATION, "2500ms", "100ms", "10m", false,      \
      "a node not heard of for so long is given up, and its batches go out "   \
      "again")                                                                 \
    X("WINDROW_LISTEN", SETTING_TEXT, NULL, NULL, NULL, false,                 \
      "where a master lets nodes of other machines take part, as --listen: "   \
      "tcp://ADDRESS:PORT")                                                    \
    X("WINDROW_LOG_LEVEL", SETTING_TEXT, "info", NULL, NULL, false,            \
      "least level that is logged: debug, info, warn or error")                \
    X("WINDROW_MASTER_LEASE", SETTING_DURATION, "4s", "1s", "10m", false,      \
      "how long a run belongs to a master that does not renew it")             \
    X("WINDROW_NODE_FILE", SETTING_BYTES, "1024GiB", "1MiB", "1048576GiB",     \
      false, "largest file that a node may write: its SQLite store")           \
    X("WINDROW_NODE_MEMORY", SETTING_BYTES, "1GiB", "64MiB", "1024GiB", false, \
      "memory limit of each node")                                             \
    X("WINDROW_NODE_STATE", SETTING_TEXT, NULL, NULL, NULL, false,             \
      "folder where nodes on other machines keep what they had begun when "    \
      "they crash, so that a key that crashes nodes is found; without it, "    \
      "none is")                                                               \
    X("WINDROW_NODE_WAIT", SETTING_DURATION, "60s", "1s", "1d", false,         \
      "how long a run waits for a first or a lost last node before it ends "   \
      "(resumable)")                                                           \
    X("WINDROW_NODE_WRITES", SETTING_TEXT, NULL, NULL, NULL, false,            \
      "folders, parted by colons, in which a node may write besides that of "  \
      "an SQLite store: those of other SQLite files that it reads")            \
    X("WINDROW_TASK_PORTS", SETTING_TEXT, NULL, NULL, NULL, false,             \
      "a master's ports for its nodes, as --task-ports: FIRST-LAST")           \
    X("YAHOO_IN_FLIGHT", SETTING_TEXT, NULL, NULL, NULL, false,                \
      "transfers in flight to Yahoo over all nodes, or unlimited; the "        \
      "pipeline says 10")                                                      \
    X("YAHOO_RATE", SETTING_TEXT, NULL, NULL, NULL, false,                     \
      "requests to Yahoo over all nodes (20/s, 600/m), or unlimited; the "     \
      "pipeline says 20/s")                                                    \
    X("YAHOO_URL", SETTING_TEXT, NULL, NULL, NULL, false,                      \
      "scheme and host asked instead of https://query1.finance.yahoo.com")

struct setting {
    const char *name;
    enum setting_type type;
    const char *default_value;
    const char *least; /* in the type's notation */
    const char *most;
    bool secret;
    const char *help;
};

#define SETTINGS_TABLE_ROW(name, type, fallback, least, most, secret, help)    \
    {name, type, fallback, least, most, secret, help},
#define SETTINGS_TABLE_COUNT(...) +1
#define SETTINGS_N (SETTINGS(SETTINGS_TABLE_COUNT))

extern const struct setting settings_table[SETTINGS_N];

#endif

/*
 * pg_cluster.c: see pg_cluster.h.
 *
 * A guard process waits for the end of a pipe that only the test holds open;
 * then it stops the server and removes the folder. So a test that aborts
 * leaves nothing behind. The server refuses to run as root: then all is done
 * as the user postgres, which Debian's package makes.
 */
#include "pg_cluster.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct pg_cluster {
    char folder[64];
    char url[160];
    char bin[200];
    bool durable;
    int pipe;
    pid_t guard;
};

#define AS_POSTGRES "setpriv --reuid=postgres --regid=postgres --clear-groups "

static const char *prefix(void)
{
    return geteuid() == 0 ? AS_POSTGRES : "";
}

static bool shell(const char *format, const struct pg_cluster *c,
                  const char *rest)
{
    char command[1000];
    snprintf(command, sizeof command, "%s%s/%s -D %s/data %s >>%s/log 2>&1",
             prefix(), c->bin, format, c->folder, rest, c->folder);
    return system(command) == 0;
}

static bool find_binaries(char *ret, size_t size)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
        return false;
    const char *newest = found.gl_pathv[found.gl_pathc - 1];
    snprintf(ret, size, "%.*s", (int)(strrchr(newest, '/') - newest), newest);
    globfree(&found);
    return true;
}

static void guard(const struct pg_cluster *c, int pipe_end)
{
    char nothing;
    setsid();
    while (read(pipe_end, &nothing, 1) > 0)
        ;
    shell("pg_ctl", c, "-m immediate stop");
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s", c->folder);
    _exit(system(command) == 0 ? 0 : 1);
}

static bool start_guard(struct pg_cluster *c)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    c->guard = fork();
    if (c->guard == 0) {
        close(ends[1]);
        guard(c, ends[0]);
    }
    close(ends[0]);
    c->pipe = ends[1];
    return c->guard > 0;
}

bool pg_cluster_start_again(struct pg_cluster *c)
{
    char rest[300];
    /* The guard's pipe must not live on in the server. */
    snprintf(rest, sizeof rest,
             "-w -o \"-c listen_addresses= -k %s -c fsync=%s"
             " -c max_connections=60\" start %d>&-",
             c->folder, c->durable ? "on" : "off", c->pipe);
    return shell("pg_ctl", c, rest);
}

bool pg_cluster_crash(struct pg_cluster *c)
{
    return shell("pg_ctl", c, "-w -m immediate stop");
}

static bool create(struct pg_cluster *c)
{
    if (!mkdtemp(c->folder))
        return false;
    char command[200];
    snprintf(command, sizeof command, "chown postgres %s", c->folder);
    if (geteuid() == 0 && system(command) != 0)
        return false;
    return start_guard(c) &&
           shell("initdb", c, "-U postgres -A trust -E UTF8 --no-sync") &&
           pg_cluster_start_again(c);
}

struct pg_cluster *pg_cluster_start(bool durable)
{
    struct pg_cluster *c = calloc(1, sizeof *c);
    if (!c || !find_binaries(c->bin, sizeof c->bin)) {
        printf("skipped: no PostgreSQL server in /usr/lib/postgresql\n");
        free(c);
        return NULL;
    }
    c->durable = durable;
    strcpy(c->folder, "/tmp/windrow-pg-XXXXXX");
    if (!create(c)) {
        fprintf(stderr, "the PostgreSQL server did not start; see below\n");
        char command[100];
        snprintf(command, sizeof command, "cat %s/log >&2", c->folder);
        if (system(command) != 0)
            perror("system");
        abort();
    }
    snprintf(c->url, sizeof c->url, "postgresql://postgres@/postgres?host=%s",
             c->folder);
    return c;
}

void pg_cluster_stop(struct pg_cluster **cluster)
{
    if (!*cluster)
        return;
    close((*cluster)->pipe);
    waitpid((*cluster)->guard, NULL, 0);
    free(*cluster);
    *cluster = NULL;
}

const char *pg_cluster_url(const struct pg_cluster *cluster)
{
    return cluster->url;
}

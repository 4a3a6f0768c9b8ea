/*
 * health.c: see health.h.
 *
 * The file is opened once and touched by its descriptor: a touch opens no path,
 * which a process that has given up its rights could not. The time is the file
 * system's, compared with the wall clock: both sides of the look are on one
 * machine.
 */
#include "loop/health.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

struct health {
    struct event *timer;
    int fd;
    char *path;
};

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    const struct health *health = context;
    futimens(health->fd, NULL); /* if not: its age tells */
}

int health_open(const char *path, struct health **ret, struct error *err)
{
    *ret = NULL;
    if (!path || !*path)
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return error_set(err, ERR_FILE,
                         "the health file %s can't be written: %s", path,
                         strerror(errno));
    struct health *health = calloc(1, sizeof *health);
    if (health)
        health->path = strdup(path);
    if (!health || !health->path) {
        free(health);
        close(fd);
        return error_set(err, ERR_MEMORY, "no memory for the health file");
    }
    health->fd = fd;
    *ret = health;
    return 0;
}

int health_start(struct health *health, struct event_base *base,
                 struct error *err)
{
    static const struct timeval interval = {HEALTH_INTERVAL_S, 0};
    if (!health)
        return 0;
    CHECK(!health->timer);
    health->timer = event_new(base, -1, EV_PERSIST, on_timer, health);
    if (!health->timer || event_add(health->timer, &interval))
        return error_set(err, ERR_MEMORY, "no memory for the health file");
    on_timer(-1, 0, health);
    return 0;
}

void health_stop(struct health *health)
{
    static const struct timespec long_ago[2];
    if (!health)
        return;
    if (health->timer)
        event_free(health->timer);
    health->timer = NULL;
    futimens(health->fd, long_ago);
}

void health_free(struct health **health)
{
    struct health *self = *health;
    if (!self)
        return;
    *health = NULL;
    health_stop(self);
    close(self->fd);
    unlink(self->path);
    free(self->path);
    free(self);
}

int health_check(const char *path, struct error *err)
{
    struct stat file;
    struct timespec now;
    if (stat(path, &file))
        return error_set(err, ERR_FILE, "%s: %s: not running, or not yet", path,
                         strerror(errno));
    clock_gettime(CLOCK_REALTIME, &now);
    long long age = (long long)now.tv_sec - file.st_mtim.tv_sec;
    if (age > HEALTH_AGE_S_MAX || age < -HEALTH_AGE_S_MAX)
        return error_set(err, ERR_FILE,
                         "%s: last touched %lld s ago; %d are allowed", path,
                         age, HEALTH_AGE_S_MAX);
    return 0;
}

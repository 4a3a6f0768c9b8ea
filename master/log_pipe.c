/* log_pipe.c: see log_pipe.h. */
#include "log_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define READS_MAX 16 /* in one turn of the loop */

struct log_pipe {
    int ends[2]; /* read, write */
    struct event *readable;
    char text[4 * LOG_LINE_BYTES]; /* what was read of lines, the last one
                                      without its end */
    size_t len;
};

/* Passes on the whole lines, or, where the room is full of one, that. */
static void pass_on(struct log_pipe *pipe)
{
    const char *last = memrchr(pipe->text, '\n', pipe->len);
    size_t whole = last ? (size_t)(last - pipe->text) + 1 : 0;
    if (!whole && pipe->len == sizeof pipe->text)
        whole = pipe->len;
    if (whole)
        log_pass_on(pipe->text, whole);
    pipe->len -= whole;
    memmove(pipe->text, pipe->text + whole, pipe->len);
}

static void read_lines(struct log_pipe *pipe)
{
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = read(pipe->ends[0], pipe->text + pipe->len,
                         sizeof pipe->text - pipe->len);
        if (n <= 0)
            return;
        pipe->len += (size_t)n;
        pass_on(pipe);
    }
}

static void on_readable(evutil_socket_t fd, short events, void *context)
{
    (void)fd, (void)events;
    read_lines(context);
}

int log_pipe_new(struct event_base *base, struct log_pipe **ret,
                 struct error *err)
{
    struct log_pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe)
        return error_set(err, ERR_MEMORY, "no memory for the nodes' log");
    if (pipe2(pipe->ends, O_CLOEXEC | O_NONBLOCK)) {
        free(pipe);
        return error_set(err, ERR_SYSTEM, "no pipe for the nodes' log: %s",
                         strerror(errno));
    }
    pipe->readable =
        event_new(base, pipe->ends[0], EV_READ | EV_PERSIST, on_readable, pipe);
    if (!pipe->readable || event_add(pipe->readable, NULL)) {
        log_pipe_free(&pipe);
        return error_set(err, ERR_MEMORY, "no memory for the nodes' log");
    }
    *ret = pipe;
    return 0;
}

int log_pipe_end(const struct log_pipe *pipe)
{
    return pipe->ends[1];
}

void log_pipe_free(struct log_pipe **ptr)
{
    struct log_pipe *pipe = *ptr;
    if (!pipe)
        return;
    read_lines(pipe);
    if (pipe->len)
        log_pass_on(pipe->text, pipe->len);
    if (pipe->readable)
        event_free(pipe->readable);
    close(pipe->ends[0]);
    close(pipe->ends[1]);
    free(pipe);
    *ptr = NULL;
}

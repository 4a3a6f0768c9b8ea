/*
 * exec_pipes.c: see exec_pipes.h.
 *
 * The end of a pipe means nothing by itself: whether the program has ended, the
 * launcher tells; one that closes its pipes and lives on is found by its
 * timeout.
 */
#include "exec_pipes.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "turn.h"

#define CHUNK_BYTES (64 * 1024)
#define CHUNKS_A_TURN 8

void exec_pipes_init(struct exec_pipes *pipes, exec_on_said *on_said,
                     exec_on_read *on_read, void *context)
{
    *pipes = (struct exec_pipes){
        .on_said = on_said, .on_read = on_read, .context = context};
    for (int i = 0; i < EXEC_PIPES; i++)
        pipes->list[i] =
            (struct exec_pipe){.pipes = pipes, .number = i, .fd = -1};
}

static void close_pipe(struct exec_pipe *pipe)
{
    if (pipe->event)
        event_free(pipe->event);
    pipe->event = NULL;
    if (pipe->fd >= 0)
        close(pipe->fd);
    pipe->fd = -1;
}

void exec_pipes_close(struct exec_pipes *pipes)
{
    for (int i = 0; i < EXEC_PIPES; i++)
        close_pipe(&pipes->list[i]);
    buffer_free(&pipes->asked);
}

/* A few chunks at most. */
static void read_pipe(struct exec_pipe *pipe)
{
    static char chunk[CHUNK_BYTES];
    struct exec_pipes *pipes = pipe->pipes;
    for (int i = 0; i < CHUNKS_A_TURN && pipe->fd >= 0; i++) {
        ssize_t n = read(pipe->fd, chunk, sizeof chunk);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            close_pipe(pipe);
        else
            pipes->on_said(pipes->context, pipe->number,
                           (struct slice){chunk, (size_t)n});
    }
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct exec_pipe *pipe = context;
    struct exec_pipes *pipes = pipe->pipes;
    read_pipe(pipe);
    pipes->on_read(pipes->context);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    turn_enter();
    struct exec_pipe *pipe = context;
    struct buffer *asked = &pipe->pipes->asked;
    ssize_t n = write(fd, asked->data, asked->len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        close_pipe(pipe);
        buffer_clear(asked);
        return;
    }
    pipe->pipes->written += (size_t)n;
    memmove(asked->data, asked->data + n, asked->len - (size_t)n);
    asked->len -= (size_t)n;
    if (!asked->len)
        event_del(pipe->event);
}

bool exec_pipes_open(struct exec_pipes *pipes, struct event_base *base,
                     const int fds[EXEC_PIPES])
{
    bool good = true;
    pipes->written = 0;
    for (int i = 0; i < EXEC_PIPES; i++) {
        struct exec_pipe *pipe = &pipes->list[i];
        bool input = i == EXEC_INPUT;
        CHECK(pipe->fd < 0 && !pipe->event);
        pipe->fd = fds[i];
        pipe->event = event_new(
            base, pipe->fd, (short)((input ? EV_WRITE : EV_READ) | EV_PERSIST),
            input ? on_writable : on_readable, pipe);
        good = good && pipe->event && (input || !event_add(pipe->event, NULL));
    }
    return good;
}

void exec_pipes_ask(struct exec_pipes *pipes)
{
    struct exec_pipe *pipe = &pipes->list[EXEC_INPUT];
    if (pipe->event && pipes->asked.len)
        event_add(pipe->event, NULL);
    else if (!pipe->event)
        buffer_clear(&pipes->asked);
}

/* What lies in a pipe can be asked at both of its ends (pipe(7)). */
bool exec_pipes_untouched(const struct exec_pipes *pipes)
{
    int unread = 0, fd = pipes->list[EXEC_INPUT].fd;
    return fd >= 0 && !ioctl(fd, FIONREAD, &unread) &&
           (size_t)unread == pipes->written;
}

void exec_pipes_drain(struct exec_pipes *pipes)
{
    read_pipe(&pipes->list[EXEC_OUTPUT]);
    read_pipe(&pipes->list[EXEC_ERRORS]);
}

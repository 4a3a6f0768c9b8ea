/* launcher.c: see launcher.h: the node's side. */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "base/buffer.h"
#include "launcher_private.h"
#include "turn.h"

#define END_CHECKS 300 /* in PROGRAM_GRACE and a moment */
#define MESSAGES_A_TURN 32

struct launch {
    struct launcher *launcher;
    uint64_t number;
    int program;
    bool left; /* nobody listens any more */
    struct launch_callbacks callbacks;
    struct launch *prev, *next;
};

struct launcher {
    int socket; /* -1: it is gone */
    pid_t pid;
    uint64_t last_number;
    struct buffer locked; /* all packets of launcher_lock() */
    bool is_locked;
    struct event *event; /* NULL while nobody listens */
    int n_listeners;
    struct launch *launches;
};

/* Ours that a program gets, unless its pipeline names them. */
static const char *const inherited[LAUNCH_INHERITED_MAX] = {"PATH", "HOME",
                                                            "LANG", "TZ"};

static bool is_inherited(const char *variable)
{
    for (size_t i = 0; i < LAUNCH_INHERITED_MAX; i++) {
        size_t len = strlen(inherited[i]);
        if (!strncmp(variable, inherited[i], len) && variable[len] == '=')
            return true;
    }
    return false;
}

/* In the child: a program of its own, with a name of its own for ps(1). */
_Noreturn static void become_launcher(int socket)
{
    char name[] = "windrow-launcher", option[] = LAUNCHER_OPTION;
    char *arguments[] = {name, option, NULL};
    char *environment[LAUNCH_INHERITED_MAX + 1] = {NULL};
    size_t n = 0;
    for (char **own = environ; *own && n < LAUNCH_INHERITED_MAX; own++)
        if (is_inherited(*own))
            environment[n++] = *own;
    if (socket == LAUNCH_SOCKET)
        fcntl(socket, F_SETFD, 0);
    else
        dup2(socket, LAUNCH_SOCKET);
    execve("/proc/self/exe", arguments, environment);
    _exit(EXIT_FAILURE);
}

int launcher_new(struct launcher **ret, struct error *err)
{
    int ends[2];
    struct launcher *launcher = calloc(1, sizeof *launcher);
    if (!launcher)
        return error_set(err, ERR_MEMORY, "no memory for a launcher");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
        free(launcher);
        return error_set(err, ERR_SYSTEM, "a launcher's sockets: %s",
                         strerror(errno));
    }
    launcher->pid = fork();
    if (launcher->pid == 0)
        become_launcher(ends[1]);
    close(ends[1]);
    if (launcher->pid < 0) {
        error_set(err, ERR_SYSTEM, "a launcher can't be started: %s",
                  strerror(errno));
        close(ends[0]);
        free(launcher);
        return (int)err->code;
    }
    launcher->socket = ends[0];
    *ret = launcher;
    return 0;
}

/* ---- out ---- */

static bool send_message(struct launcher *launcher,
                         const struct launch_message *message)
{
    return launcher->socket >= 0 &&
           send(launcher->socket, message, sizeof *message,
                MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof *message;
}

static bool send_about(struct launch *launch, enum launch_message_type type)
{
    const struct launch_message message = {
        .type = type, .program = launch->program, .number = launch->number};
    return send_message(launch->launcher, &message);
}

static void put_texts(struct buffer *out, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buffer_append(out, texts[i], strlen(texts[i]) + 1);
}

/* The packet that tells of the worker's program, behind what is in `out`. */
static void put_program(struct buffer *out, const struct pipeline *pipeline,
                        const struct worker *worker)
{
    const struct program *program = &worker->program;
    struct launch_message message;
    memset(&message, 0, sizeof message); /* padding too: it is compared */
    message.type = LAUNCH_ADD;
    message.program = worker->index;
    message.n_command = (int)program->n_command;
    message.n_variables = (int)program->n_variables;
    message.memory_bytes_max = program->memory_bytes_max;
    buffer_append(out, &message, sizeof message);
    put_texts(out, &pipeline->folder, 1);
    put_texts(out, program->command, program->n_command);
    put_texts(out, program->variables, program->n_variables);
}

static bool send_packet(struct launcher *launcher, struct slice packet)
{
    return packet.len <= sizeof(struct launch_packet) &&
           launcher->socket >= 0 &&
           send(launcher->socket, packet.data, packet.len, MSG_NOSIGNAL) ==
               (ssize_t)packet.len;
}

static int lock(struct launcher *launcher, const struct pipeline *pipeline,
                struct buffer *all, struct error *err)
{
    const struct launch_message last = {.type = LAUNCH_LOCK};
    bool sent = true;
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        size_t before = all->len;
        if (pipeline->workers[i].class != CLASS_EXEC)
            continue;
        put_program(all, pipeline, &pipeline->workers[i]);
        if (!launcher->is_locked && !all->failed)
            sent = sent &&
                   send_packet(launcher, (struct slice){all->data + before,
                                                        all->len - before});
    }
    if (all->failed)
        return error_set(err, ERR_MEMORY, "no memory for programs");
    if (!launcher->is_locked && (!sent || !send_message(launcher, &last)))
        return error_set(err, ERR_SYSTEM, "the launcher takes no programs");
    if (launcher->is_locked &&
        !slice_equal(buffer_slice(all), buffer_slice(&launcher->locked)))
        return error_set(err, ERR_CONFLICT,
                         "this node keeps to the programs of its first run: a "
                         "node that is started now can work on this one");
    return 0;
}

int launcher_lock(struct launcher *launcher, const struct pipeline *pipeline,
                  struct error *err)
{
    struct buffer all = BUFFER_EMPTY;
    int status = lock(launcher, pipeline, &all, err);
    if (status || launcher->is_locked) {
        buffer_free(&all);
        return status;
    }
    launcher->locked = all;
    launcher->is_locked = true;
    return 0;
}

/* ---- in ---- */

static void close_fds(const int fds[3])
{
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static struct launch *find(struct launcher *launcher, uint64_t number)
{
    struct launch *launch;
    DL_FOREACH (launcher->launches, launch) {
        if (launch->number == number)
            return launch;
    }
    return NULL;
}

static void forget(struct launch *launch)
{
    DL_DELETE(launch->launcher->launches, launch);
    free(launch);
}

static void take(struct launcher *launcher,
                 const struct launch_message *message, const int *fds)
{
    struct launch *launch = find(launcher, message->number);
    if (message->type == LAUNCH_STARTED) {
        if (fds && launch && !launch->left)
            launch->callbacks.on_started(launch->callbacks.context, fds);
        else if (fds)
            close_fds(fds);
        else if (launch) /* no descriptor was left for its pipes */
            launch_kill(launch);
        return;
    }
    if (!launch)
        return;
    const struct launch_callbacks *callbacks = &launch->callbacks;
    if (!launch->left && message->type == LAUNCH_ENDED)
        callbacks->on_ended(callbacks->context, message->status);
    else if (!launch->left)
        callbacks->on_failed(callbacks->context, message->status);
    forget(launch);
}

static void lose(struct launcher *launcher)
{
    event_del(launcher->event);
    close(launcher->socket);
    launcher->socket = -1;
    while (launcher->launches) {
        struct launch *launch = launcher->launches;
        struct launch_callbacks callbacks = launch->callbacks;
        bool told = !launch->left;
        forget(launch);
        if (told)
            callbacks.on_lost(callbacks.context);
    }
}

/* The length of the message, 0 at the launcher's end, -1 where there is none
 * yet; *ret_fds is set where descriptors came with it. */
static ssize_t receive(int socket, struct launch_message *message, int fds[3],
                       bool *ret_fds)
{
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {message, sizeof *message};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *with = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    *ret_fds = with && with->cmsg_type == SCM_RIGHTS &&
               with->cmsg_len == CMSG_LEN(3 * sizeof(int));
    if (*ret_fds)
        memcpy(fds, CMSG_DATA(with), 3 * sizeof(int));
    return n;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct launcher *launcher = context;
    for (int i = 0; i < MESSAGES_A_TURN && launcher->socket >= 0; i++) {
        struct launch_message message;
        int fds[3];
        bool has_fds;
        ssize_t n = receive(launcher->socket, &message, fds, &has_fds);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n == (ssize_t)sizeof message)
            take(launcher, &message, has_fds ? fds : NULL);
        else
            lose(launcher);
    }
}

/* ---- starts ---- */

bool launcher_listen(struct launcher *launcher, struct event_base *base)
{
    if (!launcher->event)
        launcher->event =
            event_new(base, launcher->socket, EV_READ | EV_PERSIST, on_readable,
                      launcher);
    if (!launcher->event || event_add(launcher->event, NULL))
        return false;
    CHECK(event_get_base(launcher->event) == base);
    launcher->n_listeners++;
    return true;
}

void launcher_unlisten(struct launcher *launcher)
{
    CHECK(launcher->n_listeners > 0);
    if (--launcher->n_listeners)
        return;
    event_free(launcher->event);
    launcher->event = NULL;
}

struct launch *launcher_start(struct launcher *launcher, int program,
                              const struct launch_callbacks *callbacks)
{
    CHECK(launcher->event);
    if (launcher->socket < 0)
        return NULL;
    struct launch *launch = calloc(1, sizeof *launch);
    if (!launch)
        return NULL;
    launch->launcher = launcher;
    launch->number = ++launcher->last_number;
    launch->program = program;
    launch->callbacks = *callbacks;
    DL_APPEND(launcher->launches, launch);
    if (send_about(launch, LAUNCH_START))
        return launch;
    forget(launch);
    return NULL;
}

void launch_kill(struct launch *launch)
{
    (void)!send_about(launch, LAUNCH_KILL); /* else it is lost, and told so */
}

void launch_leave(struct launch *launch)
{
    launch->left = true;
    (void)!send_about(launch, LAUNCH_END);
}

/* ---- the end ---- */

/* It ends by itself once its socket does and all programs have. */
static void wait_for_end(pid_t pid)
{
    const struct timespec pause = {
        .tv_nsec = (PROGRAM_GRACE + PROGRAM_GRACE / 2) * 1000 / END_CHECKS};
    for (int i = 0; i < END_CHECKS && waitpid(pid, NULL, WNOHANG) == 0; i++)
        nanosleep(&pause, NULL);
}

void launcher_free(struct launcher **ptr)
{
    struct launcher *launcher = *ptr;
    if (!launcher)
        return;
    CHECK(!launcher->event);
    if (launcher->socket >= 0)
        close(launcher->socket);
    wait_for_end(launcher->pid);
    struct launch *launch, *next;
    DL_FOREACH_SAFE (launcher->launches, launch, next) {
        forget(launch);
    }
    buffer_free(&launcher->locked);
    free(launcher);
    *ptr = NULL;
}

/*
 * launcher_process.c: see launcher.h: the launcher itself.
 *
 * One thread, and a loop that waits for three things: what the node says, the
 * end of a program, and the time at which one that should have ended is killed.
 * It outlives its node for PROGRAM_GRACE at most. Signals that a terminal or a
 * service manager sends to all of a node's processes are left to the node.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher.h"
#include "launcher_private.h"

#define CHILDREN_MAX (2 * PIPELINE_WORKERS_MAX) /* each twice: one leaves */
#define TEXTS_MAX (PROGRAM_ARGUMENTS_MAX + PROGRAM_VARIABLES_MAX + 1)
#define REPORT 3 /* where a child tells why exec() has failed */

struct known {
    bool there;
    int64_t memory_bytes_max;
    char *folder;
    char *command[PROGRAM_ARGUMENTS_MAX + 1];
    char *environment[PROGRAM_VARIABLES_MAX + LAUNCH_INHERITED_MAX + 1];
};

struct child {
    uint64_t number;
    pid_t pid;
    usec_t kill_at; /* USEC_NEVER: not yet */
};

static struct known programs[PIPELINE_WORKERS_MAX];
static struct child children[CHILDREN_MAX];
static size_t n_children;
static bool locked;
static bool alone; /* the node is gone */

/* ---- what may be started ---- */

static bool same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return !strncmp(a, b, len + 1);
}

/* Our own variables, which are few (launcher.c), but for those it has. */
static void add_inherited(struct known *known, size_t n)
{
    size_t own = n;
    for (size_t i = 0; environ[i] && i < LAUNCH_INHERITED_MAX; i++) {
        bool named = false;
        for (size_t k = 0; k < own && !named; k++)
            named = same_name(known->environment[k], environ[i]);
        if (!named)
            known->environment[n++] = environ[i];
    }
}

/* Takes the text at *at, up to its NUL; NULL where there is none. */
static char *next_text(char **at, const char *end)
{
    char *text = *at;
    char *nul = memchr(text, '\0', (size_t)(end - text));
    if (!nul)
        return NULL;
    *at = nul + 1;
    return text;
}

static void add(const struct launch_packet *packet, size_t text_bytes)
{
    const struct launch_message *message = &packet->message;
    struct known known = {.there = true,
                          .memory_bytes_max = message->memory_bytes_max};
    if (locked || message->program < 0 ||
        message->program >= PIPELINE_WORKERS_MAX || message->n_command < 1 ||
        message->n_command > PROGRAM_ARGUMENTS_MAX ||
        message->n_variables < 0 ||
        message->n_variables > PROGRAM_VARIABLES_MAX)
        return;
    char *texts = malloc(text_bytes + 1), *at = texts;
    if (!texts)
        return;
    memcpy(texts, packet->text, text_bytes);
    const char *end = texts + text_bytes;
    bool whole = (known.folder = next_text(&at, end));
    for (int i = 0; i < message->n_command && whole; i++)
        whole = (known.command[i] = next_text(&at, end));
    for (int i = 0; i < message->n_variables && whole; i++)
        whole = (known.environment[i] = next_text(&at, end));
    if (!whole) {
        free(texts);
        return;
    }
    add_inherited(&known, (size_t)message->n_variables);
    programs[message->program] = known; /* as long as the launcher lives */
}

/* ---- telling the node ---- */

static void tell(enum launch_message_type type, uint64_t number, int status,
                 const int *fds)
{
    struct launch_message message = {
        .type = type, .number = number, .status = status};
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {&message, sizeof message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        struct cmsghdr *with = CMSG_FIRSTHDR(&header);
        with->cmsg_level = SOL_SOCKET;
        with->cmsg_type = SCM_RIGHTS;
        with->cmsg_len = CMSG_LEN(3 * sizeof(int));
        memcpy(CMSG_DATA(with), fds, 3 * sizeof(int));
    }
    while (sendmsg(LAUNCH_SOCKET, &header, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

/* ---- a start ---- */

struct pipes {
    int child[3], node[3]; /* standard input, output, error: both their ends */
    int report[2];         /* closed by exec(), or the error number of one */
};

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* The node's ends do not block, the child's do. */
static bool open_pipes(struct pipes *pipes)
{
    memset(pipes, -1, sizeof *pipes);
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC))
            return false;
        pipes->child[i] = ends[i != 0];
        pipes->node[i] = ends[i == 0];
        fcntl(pipes->node[i], F_SETFL, O_NONBLOCK);
    }
    return pipe2(pipes->report, O_CLOEXEC) == 0;
}

static void limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit))
        return;
    if (limit.rlim_max == RLIM_INFINITY || most < limit.rlim_max)
        limit.rlim_max = most;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
}

static void default_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. The descriptors of the pipes lie above 4: 0 to 3 are taken. */
_Noreturn static void become(const struct known *known,
                             const struct pipes *pipes, pid_t launcher)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) /* it has died already */
        _exit(EXIT_FAILURE);
    setsid();
    default_signals();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_DATA, (rlim_t)known->memory_bytes_max);
    for (int i = 0; i < 3; i++)
        dup2(pipes->child[i], i);
    dup3(pipes->report[1], REPORT, O_CLOEXEC);
    close_range(REPORT + 1, ~0U, 0);
    if (chdir(known->folder) == 0)
        execvpe(known->command[0], known->command, known->environment);
    int why = errno;
    _exit(write(REPORT, &why, sizeof why) < 0 ? 2 : 1);
}

/* 0, or why the program was not started. */
static int start_child(const struct known *known, struct pipes *pipes,
                       pid_t *ret)
{
    if (!known->there)
        return ENOENT;
    if (n_children == CHILDREN_MAX)
        return EAGAIN;
    if (!open_pipes(pipes))
        return errno;
    pid_t launcher = getpid();
    *ret = fork();
    if (*ret < 0)
        return errno;
    if (*ret == 0)
        become(known, pipes, launcher);
    int why = 0;
    close(pipes->report[1]);
    pipes->report[1] = -1;
    while (read(pipes->report[0], &why, sizeof why) < 0 && errno == EINTR)
        ;
    if (why)
        waitpid(*ret, NULL, 0);
    return why;
}

static void start(const struct launch_message *message)
{
    struct pipes pipes;
    pid_t pid = 0;
    bool good =
        message->program >= 0 && message->program < PIPELINE_WORKERS_MAX;
    memset(&pipes, -1, sizeof pipes);
    int why =
        good ? start_child(&programs[message->program], &pipes, &pid) : ENOENT;
    if (why) {
        tell(LAUNCH_FAILED, message->number, why, NULL);
    } else {
        children[n_children++] =
            (struct child){message->number, pid, USEC_NEVER};
        tell(LAUNCH_STARTED, message->number, 0, pipes.node);
    }
    close_all(pipes.child, 3);
    close_all(pipes.node, 3);
    close_all(pipes.report, 2);
}

/* ---- ends ---- */

static void end_child(uint64_t number, usec_t kill_at)
{
    for (size_t i = 0; i < n_children; i++)
        if (children[i].number == number && kill_at < children[i].kill_at)
            children[i].kill_at = kill_at;
}

static void end_all(usec_t kill_at)
{
    for (size_t i = 0; i < n_children; i++)
        end_child(children[i].number, kill_at);
}

static void kill_due(usec_t now)
{
    for (size_t i = 0; i < n_children; i++)
        if (children[i].kill_at <= now)
            kill(-children[i].pid, SIGKILL);
}

/* Its process group is killed while it still bears its name: before the child
 * that has ended is waited for. */
static void reap(void)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid) {
        int status = 0;
        kill(-info.si_pid, SIGKILL);
        waitpid(info.si_pid, &status, 0);
        for (size_t i = 0; i < n_children; i++)
            if (children[i].pid == info.si_pid) {
                tell(LAUNCH_ENDED, children[i].number, status, NULL);
                children[i] = children[--n_children];
                break;
            }
        info.si_pid = 0;
    }
}

/* ---- the loop ---- */

static void take(const struct launch_packet *packet, size_t len)
{
    const struct launch_message *message = &packet->message;
    switch (message->type) {
    case LAUNCH_ADD:
        add(packet, len - sizeof *message);
        break;
    case LAUNCH_LOCK:
        locked = true;
        break;
    case LAUNCH_START:
        start(message);
        break;
    case LAUNCH_KILL:
        end_child(message->number, 0);
        break;
    case LAUNCH_END:
        end_child(message->number, clock_monotonic() + PROGRAM_GRACE);
        break;
    default:
        break;
    }
}

static void hear(void)
{
    static struct launch_packet packet;
    ssize_t n = recv(LAUNCH_SOCKET, &packet, sizeof packet, 0);
    if (n >= (ssize_t)sizeof packet.message) {
        take(&packet, (size_t)n);
    } else if (n == 0 || errno != EINTR) {
        alone = true;
        end_all(clock_monotonic() + PROGRAM_GRACE);
    }
}

static int wait_ms(usec_t now)
{
    usec_t first = USEC_NEVER;
    for (size_t i = 0; i < n_children; i++)
        if (children[i].kill_at < first)
            first = children[i].kill_at;
    if (first == USEC_NEVER)
        return -1;
    return first <= now ? 1 : (int)((first - now) / USEC_PER_MSEC) + 1;
}

/* Nothing of the node's stays open here: not its log, whose end someone waits
 * for, nor what it tells. */
static int open_eyes(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t deaths;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&deaths);
    sigaddset(&deaths, SIGCHLD);
    sigprocmask(SIG_BLOCK, &deaths, NULL);
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i);
    close_range(LAUNCH_SOCKET + 1, ~0U, 0);
    return signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK);
}

void launcher_process(void)
{
    int seen = open_eyes();
    prctl(PR_SET_NAME, "windrow-launch");
    while (seen >= 0 && (!alone || n_children)) {
        struct signalfd_siginfo info;
        struct pollfd watched[] = {
            {.fd = seen, .events = POLLIN},
            {.fd = alone ? -1 : LAUNCH_SOCKET, .events = POLLIN}};
        int n = poll(watched, 2, wait_ms(clock_monotonic()));
        kill_due(clock_monotonic());
        if (n > 0 && watched[0].revents)
            while (read(seen, &info, sizeof info) == (ssize_t)sizeof info)
                ;
        reap();
        if (n > 0 && watched[1].revents)
            hear();
    }
    _exit(0);
}

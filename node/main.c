/*
 * main.c: the program `windrow-node`.
 *
 * What a process must do first, before threads and sockets: end with its
 * parent, raise or set its limits, give up what it does not need; then one
 * node (node.c).
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/log.h"
#include "base/process.h"
#include "loop/health.h"
#include "node.h"
#include "note.h"
#include "pipeline/settings.h"
#include "try.h"
#include "wire/curve.h"
#include "wire/endpoint.h"
#include "wire/message.h"

#define EXIT_USAGE 2
#define EXIT_UNHEALTHY 1

static const char usage[] =
    "Usage: windrow-node --connect PLACE [OPTION]...\n"
    "       windrow-node --try [--allow-exec] [--env FILE]...\n"
    "Fetch, extract and store, for the master at PLACE. `windrow run` starts\n"
    "its own nodes; on another machine, start this.\n"
    "\n"
    "  --connect PLACE    ipc://FOLDER or tcp://HOST:PORT (reports come in at\n"
    "                     PORT, control goes out at PORT + 1), as\n"
    "                     WINDROW_CONNECT\n"
    "  --keys DIR         the keys of the cluster (windrow keygen), as\n"
    "                     WINDROW_KEYS\n"
    "  --key NAME         this node's own key in DIR (default: node)\n"
    "  --once             end with the run; over tcp:// the default is to\n"
    "                     serve run after run\n"
    "  --name NAME        identity in the cluster (default: HOST-PID)\n"
    "  --env FILE         settings, below the environment; may be repeated\n"
    "  --core N           say that this process is pinned to core N\n"
    "  --parent PID       end when this process, the parent, ends\n"
    "  --log-format text|json\n"
    "  --log-level debug|info|warn|error\n"
    "                     as WINDROW_LOG_LEVEL\n"
    "  --health-file FILE touch FILE each second, as WINDROW_HEALTH_FILE\n"
    "  --allow-exec       start the programs that a pipeline names (exec): "
    "whoever\n"
    "                     has the master's key runs programs as this user\n"
    "  --try              take one job from standard input, as windrow try "
    "and\n"
    "                     windrow test give it, and tell what comes of it\n"
    "  --healthy FILE     only say whether the node that touches FILE lives:\n"
    "                     exit status 0 it does, 1 it does not\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done or told to stop, 2 bad usage, 4 could not go on.\n"
    "DATABASE_URL and the other settings: see `windrow settings`.\n";

struct arguments {
    struct node_options node;
    long parent;
    bool once, tries, allows_exec;
    enum log_format log_format;
    const char *health_file;
    char default_name[NODE_NAME_BYTES];
};

enum option_id {
    OPTION_CONNECT = 1000,
    OPTION_KEYS,
    OPTION_KEY,
    OPTION_ONCE,
    OPTION_NAME,
    OPTION_ENV,
    OPTION_CORE,
    OPTION_PARENT,
    OPTION_LOG_FORMAT,
    OPTION_LOG_LEVEL,
    OPTION_HEALTH_FILE,
    OPTION_HEALTHY,
    OPTION_TRY,
    OPTION_ALLOW_EXEC,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options[] = {
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"keys", required_argument, NULL, OPTION_KEYS},
    {"key", required_argument, NULL, OPTION_KEY},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"name", required_argument, NULL, OPTION_NAME},
    {"env", required_argument, NULL, OPTION_ENV},
    {"core", required_argument, NULL, OPTION_CORE},
    {"parent", required_argument, NULL, OPTION_PARENT},
    {"log-format", required_argument, NULL, OPTION_LOG_FORMAT},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"health-file", required_argument, NULL, OPTION_HEALTH_FILE},
    {"healthy", required_argument, NULL, OPTION_HEALTHY},
    {"try", no_argument, NULL, OPTION_TRY},
    {"allow-exec", no_argument, NULL, OPTION_ALLOW_EXEC},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static int bad_usage(const char *what, const char *value)
{
    fprintf(stderr, "windrow-node: %s: \"%s\"; see windrow-node --help\n", what,
            value);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, long *ret)
{
    char *end;
    errno = 0;
    *ret = strtol(text, &end, 10);
    return *text && !*end && !errno && *ret >= 0;
}

static bool is_node_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < NODE_NAME_BYTES &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789._-") == len;
}

/* 0: go on; otherwise -1 to exit with 0, or an exit status. */
static int take_option(int id, struct arguments *arguments)
{
    struct error err = ERROR_NONE;
    long number;
    switch (id) {
    case OPTION_CONNECT:
        arguments->node.connect = optarg;
        return 0;
    case OPTION_KEYS:
        arguments->node.keys = optarg;
        return 0;
    case OPTION_KEY:
        arguments->node.key_name = optarg;
        return curve_is_name(optarg) ? 0 : bad_usage("bad key name", optarg);
    case OPTION_ONCE:
        arguments->once = true;
        return 0;
    case OPTION_NAME:
        arguments->node.name = optarg;
        return is_node_name(optarg) ? 0 : bad_usage("bad name", optarg);
    case OPTION_ENV:
        if (settings_read_file(arguments->node.settings, optarg, &err))
            return bad_usage(err.text, optarg);
        return 0;
    case OPTION_CORE:
        if (!parse_number(optarg, &number) || number > 1 << 20)
            return bad_usage("bad core", optarg);
        arguments->node.core = (int)number;
        return 0;
    case OPTION_PARENT:
        return parse_number(optarg, &arguments->parent)
                   ? 0
                   : bad_usage("bad process id", optarg);
    case OPTION_LOG_FORMAT:
        if (strcmp(optarg, "text") && strcmp(optarg, "json"))
            return bad_usage("bad log format", optarg);
        arguments->log_format =
            strcmp(optarg, "json") ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
        return 0;
    case OPTION_LOG_LEVEL:
        if (log_level_parse(optarg) < 0)
            return bad_usage("bad log level", optarg);
        return setenv("WINDROW_LOG_LEVEL", optarg, 1) ? EXIT_FAILURE : 0;
    case OPTION_HEALTH_FILE:
        arguments->health_file = optarg;
        return 0;
    case OPTION_HEALTHY:
        if (!health_check(optarg, &err))
            return -1;
        fprintf(stderr, "windrow-node: %s\n", err.text);
        return EXIT_UNHEALTHY;
    case OPTION_TRY:
        arguments->tries = true;
        return 0;
    case OPTION_ALLOW_EXEC:
        arguments->allows_exec = true;
        return 0;
    case OPTION_HELP:
        fputs(usage, stdout);
        return -1;
    case OPTION_VERSION:
        puts("windrow-node " WINDROW_VERSION);
        return -1;
    default: /* getopt_long() has said what is wrong */
        return EXIT_USAGE;
    }
}

static const char *either(const char *option, const struct settings *settings,
                          const char *name)
{
    const char *value = option ? option : settings_get(settings, name);
    return value && *value ? value : NULL;
}

static int take_settings(struct node_options *node, bool once)
{
    node->connect = either(node->connect, node->settings, "WINDROW_CONNECT");
    node->keys = either(node->keys, node->settings, "WINDROW_KEYS");
    if (!node->connect) {
        fputs("windrow-node: where is the master? Say it with --connect, or "
              "in WINDROW_CONNECT; see windrow-node --help\n",
              stderr);
        return EXIT_USAGE;
    }
    node->serve = !once && endpoint_is_tcp(node->connect);
    return 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    int id, status;
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1)
        if ((status = take_option(id, arguments)))
            return status;
    if (optind < argc)
        return bad_usage("unexpected argument", argv[optind]);
    return arguments->tries ? 0
                            : take_settings(&arguments->node, arguments->once);
}

/* The parent may have died before prctl(): then nothing would end us. */
static bool end_with_parent(long parent)
{
    return parent == 0 || (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                           getppid() == (pid_t)parent);
}

static void limit_bytes(__rlimit_resource_t resource,
                        const struct settings *settings, const char *name)
{
    int64_t bytes;
    const char *text = settings_get(settings, name);
    if (text && parse_bytes(text, &bytes) && bytes > 0) {
        const struct rlimit limit = {(rlim_t)bytes, (rlim_t)bytes};
        setrlimit(resource, &limit);
    }
}

#define MMAP_BYTES (1024 * 1024)     /* larger blocks are given back at once */
#define TRIM_BYTES (8 * 1024 * 1024) /* free memory that may stay ours */

/* What one thread gives back, another must get: with an arena for each thread,
 * as glibc has it, a node at its limit of memory may find all that is free in
 * one arena and none for the store. Nor are small pieces put by when they are
 * freed: those of a page are a hundred thousand, to be looked through when
 * next something large is wanted (a fifth of the time that a page takes). */
static void share_memory(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MXFAST, 0);
    mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
}

/* As many descriptors as we may have; at most so much memory, beyond which
 * allocations fail and the node drops what it holds; files of at most so many
 * bytes, beyond which writing fails as on a full disk (SIGXFSZ is ignored). */
static void set_limits(const struct settings *settings)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    limit_bytes(RLIMIT_FSIZE, settings, "WINDROW_NODE_FILE");
#ifndef WINDROW_SANITIZED /* whose shadow memory counts as ours */
    limit_bytes(RLIMIT_DATA, settings, "WINDROW_NODE_MEMORY");
#endif
}

/* Where a build for tests writes besides. */
static int name_test_places(struct confinement *confinement, struct error *err)
{
    const char *const places[] = {
#ifdef WINDROW_CRASH_POINTS
        getenv("WINDROW_CRASH_ONCE"), getenv("WINDROW_CRASH_COUNT"),
#endif
#ifdef WINDROW_COVERAGE_FOLDER
        WINDROW_COVERAGE_FOLDER,
#endif
        NULL};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i] && confine_allow(confinement, places[i], err))
            return (int)err->code;
    return 0;
}

/* The store's folder, if it is SQLite's. */
static int name_store(const struct settings *settings,
                      struct confinement *confinement, struct error *err)
{
    static const char sqlite[] = "sqlite:";
    struct buffer url = BUFFER_EMPTY;
    int status = settings_database_url(settings, &url, err);
    if (!status && !strncmp(buffer_text(&url), sqlite, sizeof sqlite - 1)) {
        const char *path = url.data + sizeof sqlite - 1;
        path += strncmp(path, "//", 2) ? 0 : 2; /* as ledger_open() has it */
        status = confine_allow(confinement, path, err);
        if (!status) /* where SQLite may spill what it sorts */
            setenv("SQLITE_TMPDIR",
                   confinement->places[confinement->n_places - 1], 0);
    }
    buffer_free(&url);
    return status;
}

/* What WINDROW_NODE_WRITES names. */
static int name_others(const struct settings *settings,
                       struct confinement *confinement, struct error *err)
{
    int status = 0;
    char text[SETTINGS_VALUE_BYTES_MAX] = "", *rest = text, *place;
    const char *more = settings_get(settings, "WINDROW_NODE_WRITES");
    snprintf(text, sizeof text, "%s", more ? more : "");
    while (!status && (place = strsep(&rest, ":")))
        if (*place)
            status = confine_allow(confinement, place, err);
    return status;
}

static int name_places(const struct settings *settings, bool writes,
                       struct confinement *confinement, struct error *err)
{
    if ((writes && (name_test_places(confinement, err) ||
                    name_store(settings, confinement, err))) ||
        name_others(settings, confinement, err))
        return (int)err->code;
    return 0;
}

/* `writes`: to its store, that is. */
static int give_up_the_rest(const struct node_options *node, bool writes)
{
    static struct confinement confinement; /* too large for the stack */
    struct confined confined;
    struct error err = ERROR_NONE;
    const char *wanted = settings_get(node->settings, "WINDROW_CONFINE");
    if (!strcmp(wanted, "no")) {
        log_debug(node->name, "not confined: WINDROW_CONFINE=no");
        return 0;
    }
    if (name_places(node->settings, writes, &confinement, &err)) {
        log_error(node->name, "%s", err.text);
        return EXIT_USAGE;
    }
    confine(&confinement, &confined);
    if (!confined.landlock && confinement.n_places)
        log_info(node->name, "this kernel has no Landlock: files outside the "
                             "store can be written");
    if (!confined.seccomp)
        log_info(node->name, "this kernel has no seccomp filters: system "
                             "calls are not restricted");
    log_debug(node->name, "confined: Landlock %d, seccomp %s, writes to %s%s",
              confined.landlock, confined.seccomp ? "yes" : "no",
              confinement.n_places ? confinement.places[0] : "no file",
              confinement.n_places > 1 ? " and others" : "");
    return 0;
}

static int set_log(const struct arguments *arguments)
{
    const char *level =
        settings_get(arguments->node.settings, "WINDROW_LOG_LEVEL");
    int least = level ? log_level_parse(level) : LOG_LEVEL_INFO;
    if (least < 0)
        return bad_usage("WINDROW_LOG_LEVEL is debug, info, warn or error",
                         level);
    log_configure((enum log_level)least, arguments->log_format);
    return 0;
}

static void name_default(struct arguments *arguments)
{
    char host[NODE_NAME_BYTES - 12] = "";
    gethostname(host, sizeof host - 1);
    snprintf(arguments->default_name, sizeof arguments->default_name, "%s-%d",
             is_node_name(host) ? host : "node", (int)getpid());
    arguments->node.name = arguments->default_name;
}

static int read_secrets(const struct arguments *arguments)
{
    struct error err = ERROR_NONE;
    if (!settings_read_secrets(arguments->node.settings, &err))
        return 0;
    log_error(arguments->node.name, "%s", err.text);
    return EXIT_USAGE;
}

/* The setting, which a local node has from its master, means the master's. */
static int open_health_file(struct arguments *arguments)
{
    struct error err = ERROR_NONE;
    const char *path = arguments->health_file;
    if (!path && !arguments->parent)
        path = settings_get(arguments->node.settings, "WINDROW_HEALTH_FILE");
    if (!health_open(path, &arguments->node.health, &err))
        return 0;
    log_error(arguments->node.name, "%s", err.text);
    return EXIT_USAGE;
}

/* A local node's death is seen by its master. */
static int open_note(struct arguments *arguments)
{
    struct error err = ERROR_NONE;
    const char *folder =
        settings_get(arguments->node.settings, "WINDROW_NODE_STATE");
    if (!folder || !*folder || arguments->parent ||
        !note_open(folder, &arguments->node.note, &err))
        return 0;
    log_error(arguments->node.name, "WINDROW_NODE_STATE: %s", err.text);
    return EXIT_USAGE;
}

/* It must not have our limits, nor give up what we do. */
static int open_launcher(struct arguments *arguments)
{
    struct error err = ERROR_NONE;
    if (!arguments->allows_exec ||
        !launcher_new(&arguments->node.launcher, &err))
        return 0;
    log_error(arguments->node.name, "%s", err.text);
    return EXIT_FAILURE;
}

static int start(const struct node_options *node)
{
    struct error err = ERROR_NONE;
    if (settings_export_libpq(node->settings, &err)) {
        log_error(node->name, "%s", err.text);
        return EXIT_USAGE;
    }
    return node_run(node);
}

int main(int argc, char **argv)
{
    share_memory(); /* before there is a second thread */
    process_harden();
    if (argc == 2 && !strcmp(argv[1], LAUNCHER_OPTION))
        launcher_process();
    struct arguments arguments = {.node = {.core = -1, .key_name = "node"}};
    arguments.node.settings = settings_new();
    if (!arguments.node.settings)
        return EXIT_FAILURE;
    name_default(&arguments);
    int status = parse_arguments(argc, argv, &arguments);
    if (status == 0)
        status = read_secrets(&arguments);
    if (status == 0)
        status = set_log(&arguments);
    if (status == 0)
        status = open_launcher(&arguments);
    if (status == 0) {
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        set_limits(arguments.node.settings);
        if (end_with_parent(arguments.parent) &&
            !(status = open_health_file(&arguments)) &&
            !(status = open_note(&arguments)) &&
            !(status = give_up_the_rest(&arguments.node, !arguments.tries)))
            status = arguments.tries ? try_run(arguments.node.settings,
                                               arguments.node.launcher)
                                     : start(&arguments.node);
    }
    launcher_free(&arguments.node.launcher);
    note_free(&arguments.node.note);
    health_free(&arguments.node.health);
    settings_free(&arguments.node.settings);
    return status < 0 ? 0 : status;
}

/*
 * options.c: see options.h. One table gives the parser and the help.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pace.h"
#include "symbols.h"

#define DURATION_MAX (24 * 3600 * USEC_PER_SEC)

/* name, argument's name (NULL: none), help; \n where its line ends */
#define OPTION_LIST(X)                                                         \
    X(LISTEN, "listen", "ADDR:PORT", "where to listen (127.0.0.1:0)")          \
    X(PORT_FILE, "port-file", "FILE", "write the port into FILE when ready")   \
    X(SYMBOLS, "symbols", "FILE",                                              \
      "play this list: a symbol a line, or CSV with a\n"                       \
      "column Symbol")                                                         \
    X(COUNT, "count", "N", "play N generated symbols: K0000001, ...")          \
    X(ROBOTS, "robots", "TEXT", "what /robots.txt says (there is none)")       \
    X(REPLAY, "replay", "DIR",                                                 \
      "recorded answers: DIR/wiki.html, DIR/chart/KEY,\n"                      \
      "DIR/quote/KEY, and DIR/status.tsv or\n"                                 \
      "DIR/chart/status.tsv (KEY<TAB>STATUS)")                                 \
    X(LATENCY, "latency", "TIME", "answer after TIME (0ms)")                   \
    X(JITTER, "jitter", "TIME", "and up to TIME more, at random (0ms)")        \
    X(WIKI_LATENCY, "wiki-latency", "TIME", "instead, for the article")        \
    X(SEED, "seed", "N", "of all that is random (1)")                          \
    X(NO_CHECK, "no-user-agent-check", NULL,                                   \
      "answer those without a decent User-Agent too")                          \
    X(FAULT, "fault", "FAULT", "see below; may be repeated")                   \
    X(RETRY_AFTER, "retry-after", "TEXT", "the header of 429-retry-after (1)") \
    X(REDIRECT_URL, "redirect-url", "URL",                                     \
      "where redirect-away leads (http://10.255.255.1)")                       \
    X(REDIRECT_HOPS, "redirect-hops", "N", "length of redirect-chain (3)")     \
    X(BEARS, "bears", "N",                                                     \
      "429 to a symbol beyond N within a second (0: none)")                    \
    X(ETAG, "etag", NULL,                                                      \
      "charts and quotes have an ETag; 304 to who knows it")                   \
    X(LAST_MODIFIED, "last-modified", NULL,                                    \
      "they have a Last-Modified; 304 to who knows it")                        \
    X(CACHE_CONTROL, "cache-control", "TEXT",                                  \
      "they have this header, such as max-age=60")                             \
    X(SLOW, "slow", "TIME", "what the fault slow adds (12s)")                  \
    X(DRIP, "drip-interval", "TIME", "between two bytes of drip (100ms)")      \
    X(HUGE, "huge-bytes", "N", "length of the fault huge (100000000)")         \
    X(PRICE, "price", "SYMBOL", "print the price SYMBOL has here, and end")    \
    X(HELP, "help", NULL, "print this, and end")                               \
    X(VERSION, "version", NULL, "print the version, and end")

enum option_id {
    OPTION_FIRST = 256, /* beyond what a character can be */
#define X(id, name, argument, help) OPTION_##id,
    OPTION_LIST(X)
#undef X
};

static const struct option long_options[] = {
#define X(id, name, argument, help)                                            \
    {name, (argument) ? required_argument : no_argument, NULL, OPTION_##id},
    OPTION_LIST(X)
#undef X
        {NULL, 0, NULL, 0}};

static void print_option(const char *name, const char *argument,
                         const char *help)
{
    char left[32];
    snprintf(left, sizeof left, "--%s%s%s", name, argument ? " " : "",
             argument ? argument : "");
    printf("  %-22s ", left);
    for (; *help; help++) {
        putchar(*help);
        if (*help == '\n')
            printf("%25s", "");
    }
    putchar('\n');
}

void options_print_help(void)
{
    printf(
        "Usage: windrow-origin [OPTION]...\n"
        "Plays Wikipedia and Yahoo Finance at one address, for the demo, the\n"
        "tests and the benchmarks. Prints one line when it listens.\n\n"
        "Pages:\n"
        "  /wiki/List_of_S%%26P_500_companies   the article with the list\n"
        "  /symbols.json /symbols.txt /symbols.csv   the list in other forms\n"
        "  /v8/finance/chart/SYMBOL            Yahoo's chart answer\n"
        "  /v7/finance/spark?symbols=A,B       Yahoo's answer for several; at\n"
        "  /v8/finance/spark?symbols=A,B       an object by symbol\n"
        "  /quote/SYMBOL                       Yahoo's quote page\n"
        "  /origin/log      what was asked for and injected, for each key;\n"
        "                   with ?keys=0 the sums only\n"
        "  /origin/reset    forgets that\n"
        "  /origin/health   says that it runs\n\nOptions:\n");
#define X(id, name, argument, help) print_option(name, argument, help);
    OPTION_LIST(X)
#undef X
    printf(
        "\nA TIME is a number with us, ms, s or m, such as 50ms.\n\n"
        "A FAULT is KIND=RATE (0 to 1, of the requests for a symbol),\n"
        "KIND@KEY,KEY... (each request for these keys) or\n"
        "KIND@KEY,KEY...:N (the first N requests for each). KEY is what is\n"
        "asked for (AAPL, BRK-B), wiki for the article, symbols for the\n"
        "other lists, spark, * for any symbol. Of several that fit, the first\n"
        "with requests left holds. Each KIND:\n");
#define X(id, name, help) printf("  %-22s %s\n", name, help);
    FAULT_LIST(X)
#undef X
}

static int parse_number(const char *name, const char *text, uint64_t max,
                        uint64_t *ret, struct error *err)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number > max)
        return error_set(err, ERR_USAGE,
                         "--%s: a number from 0 to %llu is needed, not \"%s\"",
                         name, (unsigned long long)max, text);
    *ret = number;
    return 0;
}

static int parse_duration(const char *name, const char *text, usec_t *ret,
                          struct error *err)
{
    static const struct {
        const char *name;
        usec_t usec;
    } units[] = {{"us", 1},
                 {"ms", USEC_PER_MSEC},
                 {"s", USEC_PER_SEC},
                 {"m", 60 * USEC_PER_SEC}};
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].name) != 0 || *text < '0' || *text > '9')
            continue;
        double usec = number * (double)units[i].usec;
        if (!(usec <= (double)DURATION_MAX))
            return error_set(err, ERR_USAGE, "--%s: more than a day: \"%s\"",
                             name, text);
        *ret = (usec_t)usec;
        return 0;
    }
    return error_set(err, ERR_USAGE,
                     "--%s: a time such as 50ms, 2s or 1m is needed, not "
                     "\"%s\"",
                     name, text);
}

/* Those that are a number or a time. */
static int take_amount(struct options *options, int id, const char *name,
                       const char *text, struct error *err)
{
    uint64_t number = 0;
    switch (id) {
    case OPTION_COUNT:
        if (!parse_number(name, text, SYMBOLS_COUNT_MAX, &number, err))
            options->count = (int64_t)number;
        break;
    case OPTION_SEED:
        parse_number(name, text, UINT64_MAX, &options->seed, err);
        break;
    case OPTION_HUGE:
        parse_number(name, text, INT64_MAX, &options->huge_bytes, err);
        break;
    case OPTION_BEARS:
        parse_number(name, text, PACE_MAX, &options->bears, err);
        break;
    case OPTION_REDIRECT_HOPS:
        parse_number(name, text, UINT32_MAX, &options->redirect_hops, err);
        break;
    case OPTION_LATENCY:
        parse_duration(name, text, &options->latency, err);
        break;
    case OPTION_JITTER:
        parse_duration(name, text, &options->jitter, err);
        break;
    case OPTION_WIKI_LATENCY:
        parse_duration(name, text, &options->wiki_latency, err);
        break;
    case OPTION_SLOW:
        parse_duration(name, text, &options->slow, err);
        break;
    default:
        CHECK(id == OPTION_DRIP);
        parse_duration(name, text, &options->drip_interval, err);
    }
    return (int)err->code;
}

static int take_option(struct options *options, int id, const char *name,
                       const char *text, struct error *err)
{
    switch (id) {
    case OPTION_LISTEN:
        options->listen = text;
        break;
    case OPTION_PORT_FILE:
        options->port_file = text;
        break;
    case OPTION_SYMBOLS:
        options->symbols_file = text;
        break;
    case OPTION_REPLAY:
        options->replay_dir = text;
        break;
    case OPTION_ROBOTS:
        options->robots = text;
        break;
    case OPTION_NO_CHECK:
        options->user_agent_check = false;
        break;
    case OPTION_FAULT:
        if (faults_add(options->faults, text, err))
            error_context(err, "--fault");
        break;
    case OPTION_RETRY_AFTER:
        options->retry_after = text;
        break;
    case OPTION_CACHE_CONTROL:
        options->cache_control = text;
        break;
    case OPTION_ETAG:
        options->etag = true;
        break;
    case OPTION_LAST_MODIFIED:
        options->last_modified = true;
        break;
    case OPTION_REDIRECT_URL:
        options->redirect_url = text;
        break;
    case OPTION_PRICE:
        if (strlen(text) >= SYMBOL_BYTES_MAX)
            error_set(err, ERR_USAGE, "--price: longer than %d bytes",
                      SYMBOL_BYTES_MAX - 1);
        options->price_of = text;
        break;
    case OPTION_HELP:
        options->help = true;
        break;
    case OPTION_VERSION:
        options->version = true;
        break;
    default:
        take_amount(options, id, name, text, err);
    }
    return (int)err->code;
}

static int parse(struct options *options, int argc, char **argv,
                 struct error *err)
{
    opterr = 0; /* the messages are ours */
    int id, index = 0;
    while ((id = getopt_long(argc, argv, ":", long_options, &index)) != -1) {
        if (id == ':')
            return error_set(err, ERR_USAGE, "%s needs a value",
                             argv[optind - 1]);
        if (id == '?')
            return error_set(err, ERR_USAGE, "no such option: %s; see --help",
                             argv[optind - 1]);
        if (take_option(options, id, long_options[id - OPTION_FIRST - 1].name,
                        optarg, err))
            return (int)err->code;
    }
    if (optind < argc)
        return error_set(err, ERR_USAGE,
                         "unexpected argument \"%s\"; see --help",
                         argv[optind]);
    if (options->symbols_file && options->count >= 0)
        return error_set(err, ERR_USAGE,
                         "--symbols and --count exclude "
                         "each other");
    return 0;
}

int options_init(struct options *options, int argc, char **argv,
                 struct error *err)
{
    *options = (struct options){
        .listen = "127.0.0.1:0",
        .count = -1,
        .wiki_latency = USEC_NEVER,
        .slow = 12 * USEC_PER_SEC,
        .drip_interval = 100 * USEC_PER_MSEC,
        .seed = 1,
        .huge_bytes = 100000000,
        .retry_after = "1",
        .redirect_url = "http://10.255.255.1",
        .redirect_hops = 3,
        .user_agent_check = true,
    };
    if (faults_new(&options->faults, err))
        return (int)err->code;
    if (parse(options, argc, argv, err))
        options_fini(options);
    return (int)err->code;
}

void options_fini(struct options *options)
{
    faults_free(&options->faults);
}

/* progress.c: see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"

#define PLAIN_INTERVAL (5 * USEC_PER_SEC)
#define JSON_INTERVAL (1 * USEC_PER_SEC)
#define RATE_TIME (5 * USEC_PER_SEC)
#define RATE_BURSTS 3
#define RATE_STALE (60 * USEC_PER_SEC) /* nothing ended for so long: 0 */
#define SAMPLES 32 /* of RATE_TIME at one in 250 ms, and some */
#define LINE_BYTES 256
#define BAR_CELLS 10 /* a million keys and 16 nodes fit 80 columns */

/* How many keys had ended when that changed. */
struct sample {
    usec_t at;
    int64_t ended;
};

struct progress {
    enum progress_mode mode;
    usec_t started, last_line;
    struct sample samples[SAMPLES];
    size_t n_samples;
    bool drawn; /* a bar's line stands on the terminal */
};

/* A log line must not be appended to the bar: the bar's line goes first. */
static void clear_bar(void *context)
{
    struct progress *progress = context;
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

struct progress *progress_new(enum progress_mode mode, usec_t now)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        return NULL;
    if (mode == PROGRESS_AUTO)
        mode = isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_PLAIN;
    progress->mode = mode;
    progress->started = progress->last_line = now;
    if (mode == PROGRESS_BAR)
        log_set_hook(clear_bar, progress);
    return progress;
}

static const struct sample *sample_at(const struct progress *progress, size_t i)
{
    return &progress->samples[i % SAMPLES];
}

/* Keys a second over the last five seconds; as keys end a batch at a time, over
 * as long as the last three of these ends took, where that is longer. */
static double rate_of(struct progress *progress, usec_t now,
                      const struct progress_state *state)
{
    int64_t ended = state->done + state->failed;
    size_t n = progress->n_samples;
    bool before = n == 1 && state->open < 0; /* there is no work yet */
    if (!n || before || sample_at(progress, n - 1)->ended != ended) {
        n = progress->n_samples = before ? 1 : n + 1;
        progress->samples[(n - 1) % SAMPLES] = (struct sample){now, ended};
    }
    const struct sample *last = sample_at(progress, n - 1), *first = last;
    if (now - last->at > RATE_STALE)
        return 0;
    for (size_t back = 1; back < n && back < SAMPLES; back++) {
        first = sample_at(progress, n - 1 - back);
        if (back >= RATE_BURSTS && now - first->at >= RATE_TIME)
            break;
    }
    usec_t length = now - first->at;
    return length > 0 ? (double)(ended - first->ended) * 1e6 / (double)length
                      : 0;
}

static void describe_left(char *text, size_t room, double seconds)
{
    if (seconds < 0 || seconds > 100 * 3600)
        snprintf(text, room, "?");
    else if (seconds < 100)
        snprintf(text, room, "%.0f s", seconds);
    else if (seconds < 6000)
        snprintf(text, room, "%.0f min", seconds / 60);
    else
        snprintf(text, room, "%.1f h", seconds / 3600);
}

static void append_bar(char *line, size_t room, double share)
{
    char bar[BAR_CELLS + 1];
    int full = (int)(share * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)full);
    bar[BAR_CELLS] = '\0';
    size_t len = strlen(line);
    snprintf(line + len, room - len, "[%s] %3.0f %%  ", bar, share * 100);
}

/* How fast it goes, or why it does not. */
static void append_pace(char *line, size_t room,
                        const struct progress_state *state, double rate)
{
    size_t len = strlen(line);
    char left[24];
    describe_left(left, sizeof left,
                  rate > 0 ? (double)state->open / rate : -1);
    if (state->waiting)
        snprintf(line + len, room - len, "database is away");
    else if (state->open < 0)
        snprintf(line + len, room - len, "%s",
                 state->nodes ? "reading the list" : "waiting for a node");
    else
        snprintf(line + len, room - len, "%.0f/s, %s left", rate, left);
}

static void describe(char *line, size_t room, const struct progress *progress,
                     const struct progress_state *state, double rate)
{
    int64_t ended = state->done + state->failed;
    int64_t total = state->open < 0 ? -1 : ended + state->open;
    line[0] = '\0';
    if (progress->mode == PROGRESS_BAR)
        append_bar(line, room, total > 0 ? (double)ended / (double)total : 0);
    size_t len = strlen(line);
    snprintf(line + len, room - len, "%lld stored, %lld failed, ",
             (long long)state->done, (long long)state->failed);
    append_pace(line, room, state, rate);
    len = strlen(line);
    len += (size_t)snprintf(line + len, room - len, "%s, %d",
                            state->draining ? ", pausing" : "", state->nodes);
    if (state->nodes < state->nodes_wanted)
        len += (size_t)snprintf(line + len, room - len, " of %d",
                                state->nodes_wanted);
    snprintf(line + len, room - len, " node%s",
             state->nodes == 1 && state->nodes_wanted <= 1 ? "" : "s");
}

static void draw_bar(struct progress *progress, const char *line)
{
    struct winsize size = {0};
    int columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        columns = size.ws_col;
    fprintf(stderr, "\r%.*s\033[K", columns - 1, line);
    fflush(stderr);
    progress->drawn = true;
}

static void print_json(const struct progress_state *state, usec_t elapsed,
                       double rate)
{
    fprintf(stderr,
            "{\"stored\":%lld,\"failed\":%lld,\"open\":%lld,\"rate\":%.1f,"
            "\"seconds\":%.3f,\"nodes\":%d,\"waiting\":%s,\"draining\":%s}\n",
            (long long)state->done, (long long)state->failed,
            (long long)state->open, rate, (double)elapsed / 1e6, state->nodes,
            state->waiting ? "true" : "false",
            state->draining ? "true" : "false");
}

static void show(struct progress *progress, usec_t now,
                 const struct progress_state *state, bool last)
{
    char line[LINE_BYTES];
    double rate = rate_of(progress, now, state);
    usec_t elapsed = now - progress->started;
    if (last && elapsed > 0) /* over all of this master's time */
        rate = (double)(state->done + state->failed - state->before) * 1e6 /
               (double)elapsed;
    usec_t since = now - progress->last_line;
    switch (progress->mode) {
    case PROGRESS_BAR:
        describe(line, sizeof line, progress, state, rate);
        draw_bar(progress, line);
        return;
    case PROGRESS_PLAIN:
        if (!last && since < PLAIN_INTERVAL)
            return;
        describe(line, sizeof line, progress, state, rate);
        fprintf(stderr, "%s\n", line);
        break;
    case PROGRESS_JSON:
        if (!last && since < JSON_INTERVAL)
            return;
        print_json(state, elapsed, rate);
        break;
    case PROGRESS_NONE:
    case PROGRESS_AUTO:
        return;
    }
    progress->last_line = now;
}

void progress_show(struct progress *progress, usec_t now,
                   const struct progress_state *state)
{
    show(progress, now, state, false);
}

void progress_end(struct progress *progress, usec_t now,
                  const struct progress_state *state)
{
    show(progress, now, state, true);
    if (progress->drawn)
        fputc('\n', stderr);
    progress->drawn = false;
}

void progress_free(struct progress **progress)
{
    if (*progress)
        log_set_hook(NULL, NULL);
    free(*progress);
    *progress = NULL;
}

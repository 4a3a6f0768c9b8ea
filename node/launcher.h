/*
 * launcher.h: a small process that starts programs for a node, which may start
 * none itself (base/confine.h).
 *
 * It is started before the node gives up what it does not need, and so before
 * there are threads, sockets and anything from the web; with an environment in
 * which there are no settings of ours. It starts only what
 * launcher_lock() told it, which it takes once: at the node's first welcome,
 * when the node has not asked anything of the web yet. Whoever takes the node
 * over by an answer can have these programs started anew, and no others.
 *
 * A program gets three pipes, a session of its own, the environment that the
 * pipeline gives it and four variables of ours (launcher.c), and no other
 * descriptor. It ends with the node: its standard input does, and after
 * PROGRAM_GRACE it is killed with all of its process group; where the launcher
 * itself is killed, the kernel kills it (PR_SET_PDEATHSIG(2const)).
 */
#ifndef NODE_LAUNCHER_H
#define NODE_LAUNCHER_H

#include <event2/event.h>

#include "base/clock.h"
#include "base/error.h"
#include "pipeline/pipeline.h"

struct launcher;

#define LAUNCHER_OPTION "--launcher"
/* The life of the launcher, which is our own program with that option. */
_Noreturn void launcher_process(void);

/* Starts it. Before there are threads, and before the node limits itself:
 * programs have the limits that the node was started with. */
MUSTCHECK
int launcher_new(struct launcher **ret, struct error *err);

/* Lets all programs end, and waits for that, PROGRAM_GRACE and a moment at
 * most. */
void launcher_free(struct launcher **launcher);

/*
 * The programs of `pipeline`, each known by its worker's index from here on;
 * none is a choice too. ERR_CONFLICT where others are locked already: then
 * only another node can work on this pipeline. ERR_SYSTEM.
 */
MUSTCHECK
int launcher_lock(struct launcher *launcher, const struct pipeline *pipeline,
                  struct error *err);

/* What is told of one start, in the loop. */
struct launch_callbacks {
    void *context;
    /* Its standard input (to write), output and error; not blocking, and the
     * owner's. */
    void (*on_started)(void *context, const int fds[3]);
    /* It could not be started: an error number. The last that is told. */
    void (*on_failed)(void *context, int why);
    /* It has ended, with this wait status. The last that is told. */
    void (*on_ended)(void *context, int status);
    /* The launcher is gone, and all programs. The last that is told. */
    void (*on_lost)(void *context);
};

struct launch;

/* Before any start: what the launcher tells is heard in `base`, until as many
 * launcher_unlisten() as there were of these. All of them have one base. */
MUSTCHECK
bool launcher_listen(struct launcher *launcher, struct event_base *base);
void launcher_unlisten(struct launcher *launcher);

/* Has the program of the worker of this index started. NULL: out of memory, or
 * the launcher is gone. */
MUSTCHECK
struct launch *launcher_start(struct launcher *launcher, int program,
                              const struct launch_callbacks *callbacks);

/* Kills it and its process group; on_ended follows. */
void launch_kill(struct launch *launch);
/* Nothing is told any more, and the program is to end: its owner has closed
 * its input, and after PROGRAM_GRACE it is killed. */
void launch_leave(struct launch *launch);

#endif

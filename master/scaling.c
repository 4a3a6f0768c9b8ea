/* scaling.c: see scaling.h. */
#include "scaling.h"

#include <stdio.h>
#include <string.h>

/* The part of the time that the node was busy between its last two heartbeats;
 * a node that has sent one only, or none, is taken for busy: it is starting. */
static double look_at(struct scaling_node *node, const struct heartbeat *beat)
{
    if (beat->uptime < node->uptime) /* another process */
        *node = (struct scaling_node){.busy = 1};
    if (beat->number == node->number)
        return node->number ? node->busy : 1;
    if (node->number && beat->uptime > node->uptime)
        node->busy = (double)(beat->busy - node->spent) /
                     (double)(beat->uptime - node->uptime);
    else
        node->busy = 1;
    node->number = beat->number;
    node->spent = beat->busy;
    node->uptime = beat->uptime;
    return node->busy;
}

/* Which of this machine's nodes it is, from 0; -1: none of the `n`. */
static int local_number(const char *name, int n)
{
    int number = 0, end = 0;
    if (sscanf(name, "node-%4d%n", &number, &end) != 1 || name[end] ||
        number < 1 || number > n)
        return -1;
    return number - 1;
}

int scaling_decide(struct scaling *scaling, int n, double busy, double sum,
                   bool waiting, usec_t now)
{
    bool grow = n < scaling->most && waiting && busy >= SCALING_BUSY;
    bool shrink = n > scaling->least && sum < SCALING_IDLE * (n - 1);
    if (n < scaling->least)
        return n + 1;
    if (n > scaling->most)
        return n - 1;
    if (!grow)
        scaling->busy_since = 0;
    else if (!scaling->busy_since)
        scaling->busy_since = now;
    if (!shrink)
        scaling->idle_since = 0;
    else if (!scaling->idle_since)
        scaling->idle_since = now;
    if (grow && now - scaling->busy_since >= SCALING_GROW_AFTER) {
        scaling->busy_since = now;
        return n + 1;
    }
    if (shrink && now - scaling->idle_since >= SCALING_SHRINK_AFTER) {
        scaling->idle_since = now;
        return n - 1;
    }
    return n;
}

int scaling_look(struct scaling *scaling, const struct master_core *core, int n,
                 usec_t now)
{
    struct node_view view;
    double least = 1, sum = 0;
    int seen = 0;
    for (size_t i = 0; master_core_node(core, i, &view); i++) {
        int number = local_number(view.name, n);
        if (number < 0 || !view.alive)
            continue;
        double busy = look_at(&scaling->nodes[number], &view.last);
        seen++;
        sum += busy;
        if (busy < least)
            least = busy;
    }
    if (seen < n) /* one is still starting */
        least = 0;
    if (seen < n)
        sum = n;
    return scaling_decide(scaling, n, least, sum,
                          master_core_view(core).pending_batches > 0, now);
}

/* coverage_node.c: the moves of a node's core, and when they can't be. */
#include "coverage.h"

#include "core/node_internal.h"

const struct move coverage_node_moves[] = {
    {"session", NODE_GREETING, NODE_WORKING, "greeting, working", 0, 0},
    {"session", NODE_WORKING, NODE_WORKING, "working, for a new master", 0, 0},
    {"session", NODE_WORKING, NODE_GREETING, "working, greeting", 0, 0},
    {"session", NODE_WORKING, NODE_DRAINING, "working, draining", 0, 0},
    {"session", NODE_DRAINING, NODE_GREETING, "draining, greeting", 0, 0},
    {"session", NODE_GREETING, NODE_GONE, "greeting, gone", 0, 0},
    {"session", NODE_WORKING, NODE_GONE, "working, gone", 0, 0},
    {"session", NODE_DRAINING, NODE_GONE, "draining, gone", 0, 0},
    {"work", BATCH_UNBORN, BATCH_WORKING, "unborn, working", 0, 0},
    {"work", BATCH_WORKING, BATCH_RIPE, "working, ripe", 0, 0},
    {"work", BATCH_RIPE, BATCH_CLOSING, "ripe, closing", 0, 0},
    {"work", BATCH_UNBORN, BATCH_DEAD, "unborn, dead", 0, 0},
    {"work", BATCH_WORKING, BATCH_DEAD, "working, dead", 0, 0},
    {"work", BATCH_RIPE, BATCH_DEAD, "ripe, dead", 0, 0},
    {"work", BATCH_CLOSING, BATCH_DEAD, "closing, dead", 0, 0},
    {"work", BATCH_DEAD, BATCH_KEPT, "dead, kept for the store", 0, 0},
    {"key", SLOT_NEW, SLOT_READY, "new, ready", 0, 0},
    {"key", SLOT_NEW, SLOT_DELAYED, "new, delayed: moved", 0, 0},
    {"key", SLOT_NEW, SLOT_FLYING, "new, flying: moved", 0, 0},
    {"key", SLOT_NEW, SLOT_DONE, "new, done: blamed or moved", 0, 0},
    {"key", SLOT_NEW, SLOT_MOVED, "new, moved: split", 0, 0},
    {"key", SLOT_READY, SLOT_FLYING, "ready, flying", 0, 0},
    {"key", SLOT_READY, SLOT_LATER, "ready, later", 0, 0},
    {"key", SLOT_READY, SLOT_MOVED, "ready, moved", 0, 0},
    {"key", SLOT_DELAYED, SLOT_READY, "delayed, ready", 0, 0},
    {"key", SLOT_DELAYED, SLOT_LATER, "delayed, later", 0, 0},
    {"key", SLOT_DELAYED, SLOT_MOVED, "delayed, moved", 0, 0},
    {"key", SLOT_FLYING, SLOT_READY, "flying, ready: a redirect", 0, 0},
    {"key", SLOT_FLYING, SLOT_DELAYED, "flying, delayed", 0, 0},
    {"key", SLOT_FLYING, SLOT_LATER, "flying, later", 0, 0},
    {"key", SLOT_FLYING, SLOT_DONE, "flying, done", 0, 0},
    {"key", SLOT_FLYING, SLOT_MOVED, "flying, moved", 0, 0},
    {"key", SLOT_LATER, SLOT_MOVED, "later, moved", 0, 0},
    {"key", SLOT_DONE, SLOT_MOVED, "done, moved: refused data",
     AFTER_CAUSE(CAUSE_NONE),
     "the database's refusal is what moves it; a node that stood still longer "
     "than a lease before it read that drops the batch"},
    {"lane", LANE_IDLE, LANE_READY, "idle, ready", 0, 0},
    {"lane", LANE_READY, LANE_IDLE, "ready, idle", 0, 0},
    {"lane", LANE_READY, LANE_TIMED, "ready, timed", 0, 0},
    {"lane", LANE_READY, LANE_BLOCKED, "ready, blocked", 0, 0},
    {"lane", LANE_TIMED, LANE_READY, "timed, ready", 0, 0},
    {"lane", LANE_TIMED, LANE_IDLE, "timed, idle", 0, 0},
    {"lane", LANE_BLOCKED, LANE_READY, "blocked, ready", 0, 0},
    {"lane", LANE_BLOCKED, LANE_IDLE, "blocked, idle", 0, 0},
};
const size_t coverage_node_n =
    sizeof(coverage_node_moves) / sizeof(coverage_node_moves[0]);

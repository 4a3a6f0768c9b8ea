/* coverage_master.c: the moves of the master's core, and when they can't be. */
#include "coverage.h"

#include "core/internal.h"

const struct move coverage_master_moves[] = {
    {"run", PHASE_RUNNING, PHASE_DRAINING, "running, draining", 0, 0},
    {"run", PHASE_RUNNING, PHASE_OVER, "running, over", 0, 0},
    {"run", PHASE_DRAINING, PHASE_OVER, "draining, over", 0, 0},
    {"node", NODE_LEFT, NODE_WELCOMED, "new or left, welcomed", 0, 0},
    {"node", NODE_SILENT, NODE_WELCOMED, "silent, welcomed", 0, 0},
    {"node", NODE_WELCOMED, NODE_ALIVE, "welcomed, alive", 0, 0},
    {"node", NODE_WELCOMED, NODE_SILENT, "welcomed, silent", 0, 0},
    {"node", NODE_ALIVE, NODE_SILENT, "alive, silent", 0, 0},
    {"node", NODE_WELCOMED, NODE_LEFT, "welcomed, left", 0, 0},
    {"node", NODE_ALIVE, NODE_LEFT, "alive, left", 0, 0},
    {"node", NODE_SILENT, NODE_LEFT, "silent, left", 0, 0},
    {"node", NODE_LEFT, NODE_LEFT, "left, left", 0, 0},
    {"node", NODE_WELCOMED, NODE_REFUSED, "welcomed, refused", 0, 0},
    {"node", NODE_ALIVE, NODE_REFUSED, "alive, refused", 0, 0},
    {"node", NODE_SILENT, NODE_REFUSED, "silent, refused", 0, 0},
    {"node", NODE_LEFT, NODE_REFUSED, "left, refused", 0, 0},
    {"batch", KNOWN_NEW, KNOWN_PENDING, "new, pending", 0, 0},
    {"batch", KNOWN_NEW, KNOWN_HELD, "new, held", 0, 0},
    {"batch", KNOWN_NEW, KNOWN_LOOKING, "new, looking", 0, 0},
    {"batch", KNOWN_NEW, KNOWN_NEW, "new, forgotten", 0, 0},
    {"batch", KNOWN_PENDING, KNOWN_HELD, "pending, held", 0, 0},
    {"batch", KNOWN_PENDING, KNOWN_NEW, "pending, forgotten", 0, 0},
    {"batch", KNOWN_HELD, KNOWN_LOOKING, "held, looking", 0, 0},
    {"batch", KNOWN_HELD, KNOWN_NEW, "held, forgotten", 0, 0},
    {"batch", KNOWN_LOOKING, KNOWN_PENDING, "looking, pending", 0, 0},
    {"batch", KNOWN_LOOKING, KNOWN_HELD, "looking, held", 0, 0},
    {"batch", KNOWN_LOOKING, KNOWN_NEW, "looking, forgotten", 0, 0},
    {"look", LOOK_NONE, LOOK_WANTED, "none, wanted", 0, 0},
    {"look", LOOK_WANTED, LOOK_ASKED, "wanted, asked", 0, 0},
    {"look", LOOK_WANTED, LOOK_NONE, "wanted, none", 0, 0},
    {"look", LOOK_ASKED, LOOK_NONE, "asked, none", 0, 0},
    {"second", false, true, "wanted", 0, 0},
    {"second", true, false, "given or not", 0, 0},
    {"asking", ASKING_NOTHING, ASKING_PAGE, "nothing, page", 0, 0},
    {"asking", ASKING_NOTHING, ASKING_LOOK, "nothing, look", 0, 0},
    {"asking", ASKING_PAGE, ASKING_NOTHING, "page, nothing", 0, 0},
    {"asking", ASKING_LOOK, ASKING_NOTHING, "look, nothing", 0, 0},
    {"member", false, true, "of a budget, joins", 0, 0},
    {"member", true, false, "of a budget, leaves", 0, 0},
};
const size_t coverage_master_n =
    sizeof(coverage_master_moves) / sizeof(coverage_master_moves[0]);

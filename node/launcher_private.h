/*
 * launcher_private.h: what a node and its launcher say to each other, over a
 * pair of SOCK_SEQPACKET sockets: one message a packet. Both are the same
 * program, so a message is a struct.
 */
#ifndef NODE_LAUNCHER_PRIVATE_H
#define NODE_LAUNCHER_PRIVATE_H

#include <stdint.h>

#include "pipeline/pipeline.h"

/* The folder, command and variables of a program, each text with its NUL. */
#define LAUNCH_TEXT_BYTES_MAX (PROGRAM_BYTES_MAX + PIPELINE_PATH_BYTES_MAX)
#define PIPELINE_PATH_BYTES_MAX 4096

#define LAUNCH_SOCKET 3        /* where it lies in the launcher */
#define LAUNCH_INHERITED_MAX 4 /* variables of the launcher's environment */

enum launch_message_type {
    LAUNCH_ADD,   /* `text`: what `program` is; before LAUNCH_LOCK only */
    LAUNCH_LOCK,  /* no more of them */
    LAUNCH_START, /* `program`, as `number` */
    LAUNCH_KILL,  /* number */
    LAUNCH_END,   /* number, after PROGRAM_GRACE */
    /* from the launcher, of `number`: */
    LAUNCH_STARTED, /* with three descriptors */
    LAUNCH_FAILED,  /* status: an error number */
    LAUNCH_ENDED,   /* status: as waitpid(2) has it */
};

struct launch_message {
    enum launch_message_type type;
    int program;
    uint64_t number; /* of a start; each once */
    int status;
    int n_command, n_variables; /* of LAUNCH_ADD */
    int64_t memory_bytes_max;
};

/* Its first bytes are a message's; `text` only of LAUNCH_ADD. */
struct launch_packet {
    struct launch_message message;
    char text[LAUNCH_TEXT_BYTES_MAX];
};

#endif

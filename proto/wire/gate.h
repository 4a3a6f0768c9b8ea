/*
 * gate.h: how much one peer may say.
 *
 * The master reads what its peers send, and a peer may be broken or hostile.
 * For each connection the gate counts messages, and bad ones, a second; beyond
 * the limits what it sends is dropped unread until the second is over. No
 * message of the protocol is so dear that it may not be lost (PROTOCOL.md).
 * Pure: time comes in.
 */
#ifndef WIRE_GATE_H
#define WIRE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define GATE_MESSAGES_MAX 5000 /* a second, of one connection */
#define GATE_BAD_MAX 20        /* a second: that can't be understood */
#define GATE_SOURCES 1024      /* connections told apart; more share a count */

struct gate {
    struct {
        int64_t second;
        int messages, bad;
    } sources[GATE_SOURCES];
    int64_t dropped; /* so far */
};

/* Whether to read a message of this connection now; counts it. */
bool gate_pass(struct gate *gate, int source, usec_t now);
/* The message that just passed was bad. */
void gate_blame(struct gate *gate, int source);

#endif

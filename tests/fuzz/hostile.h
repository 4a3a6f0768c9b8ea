/*
 * hostile.h: messages that a peer could send, and memory that runs out, for
 * the targets that drive a core.
 *
 * What a core is given has always come over the wire: it was encoded and
 * decoded, so that it is as odd as message_decode() lets pass, and no odder.
 */
#ifndef FUZZ_HOSTILE_H
#define FUZZ_HOSTILE_H

#include "bytes.h"
#include "wire/message.h"

/* What a stranger may know, and get right or not. */
struct hostile_facts {
    int64_t epoch, incarnation, run;
    const char *ledger_id;
};

/* A name of a node: "n0" to "n7", mostly. */
void take_node_name(struct bytes *bytes, char ret[NODE_NAME_BYTES]);

/* A message of any type. False: the wire refused it. It lives in `arena`. */
MUSTCHECK
bool hostile_message(struct bytes *bytes, const struct hostile_facts *facts,
                     struct arena *arena, struct message *ret);

/* `message` as the peer gets it. False: refused. */
MUSTCHECK
bool over_the_wire(const struct message *message, struct arena *arena,
                   struct message *ret);

/* A message that one of the cores has made: the peer must understand it. */
void check_sent(const struct message *message, struct arena *arena);

/* The nth allocation from now on fails, once; 0: none does. */
void memory_fails_after(size_t n);

#endif

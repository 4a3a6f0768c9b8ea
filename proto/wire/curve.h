/*
 * curve.h: who may speak, and keys in files.
 *
 * Every TCP socket is a CURVE socket (https://rfc.zeromq.org/spec/26/) unless
 * there are no keys: encrypted, the master known by its public key, a node by
 * its own. A folder of keys:
 *
 *   master.key         the master's pair: mode 0600, public and secret
 *   master.pub         its public half: what nodes must have
 *   NAME.key           a node's pair, mode 0600; "node" is the usual NAME
 *   allowed/NAME.pub   public halves of the nodes that are let in
 *
 * The master needs master.key and allowed; a node master.pub and its own key.
 * A key is 40 characters of Z85 (https://rfc.zeromq.org/spec/32/).
 */
#ifndef WIRE_CURVE_H
#define WIRE_CURVE_H

#include "wire/socket.h"

#define CURVE_KEY_BYTES 41 /* with its NUL */
#define CURVE_NAME_MAX 63  /* of a node's key: [A-Za-z0-9._-]+ */
#define CURVE_PEERS_MAX 100000

struct curve_keys {
    char public[CURVE_KEY_BYTES];
    char secret[CURVE_KEY_BYTES];
    char master[CURVE_KEY_BYTES]; /* of a node: the master's public key */
};

/* ERR_NOT_FOUND where a file is absent, ERR_SETTING where others than its owner
 * may read a secret one, or where it holds no key: each says what to do. */
MUSTCHECK
int curve_read_master(const char *folder, struct curve_keys *ret,
                      struct error *err);
MUSTCHECK
int curve_read_node(const char *folder, const char *name,
                    struct curve_keys *ret, struct error *err);

/* What may name a node's key: neither a path nor "master". */
bool curve_is_name(const char *name);

/* A folder with the keys of the master and of the node "node". What is there
 * stays: ERR_CONFLICT, or with `if_missing` nothing. */
MUSTCHECK
int curve_make_folder(const char *folder, bool if_missing, struct error *err);
/* One more node's key and permission; as above. */
MUSTCHECK
int curve_make_node(const char *folder, const char *name, bool if_missing,
                    struct error *err);

/* From now on the context's servers let in only the keys in folder/allowed,
 * as it is then: it is read again, at most once a second. Before any socket
 * is bound. `on_stranger` is told who was turned away, in the loop. */
typedef void curve_on_stranger(void *context, const char *address,
                               const char *key);
MUSTCHECK
int curve_guard(struct wire_context *context, struct event_base *base,
                const char *folder, curve_on_stranger *on_stranger,
                void *on_stranger_context, struct error *err);

/* Before bind or connect. */
MUSTCHECK
int curve_secure_server(struct wire_socket *socket,
                        const struct curve_keys *keys, struct error *err);
MUSTCHECK
int curve_secure_client(struct wire_socket *socket,
                        const struct curve_keys *keys, struct error *err);

#endif

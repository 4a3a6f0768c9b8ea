/*
 * endpoint.h: where a cluster's sockets are.
 *
 * People name one place, ipc://FOLDER or tcp://HOST:PORT; reports and control
 * are FOLDER/reports and FOLDER/control, or PORT and PORT + 1. Where tasks
 * come from, the welcome says.
 */
#ifndef WIRE_ENDPOINT_H
#define WIRE_ENDPOINT_H

#include "wire/socket.h"

struct endpoints {
    char reports[SOCKET_ENDPOINT_BYTES];
    char control[SOCKET_ENDPOINT_BYTES];
};

/* ERR_USAGE says what is allowed. */
MUSTCHECK
int endpoints_of(const char *place, struct endpoints *ret, struct error *err);

bool endpoint_is_tcp(const char *place);

/* Whether only this machine can reach it: ipc://, or an address of the
 * loopback device. A name counts only if it is "localhost". */
bool endpoint_is_local(const char *place);

/* A tcp:// endpoint with another port; "*" and 0 to 65535 are ports. */
MUSTCHECK
int endpoint_with_port(const char *endpoint, const char *port,
                       char ret[SOCKET_ENDPOINT_BYTES], struct error *err);

/* Where to connect for an endpoint that was bound: that of all addresses
 * (0.0.0.0, [::], *) is reached at this machine's own. */
MUSTCHECK
int endpoint_from_here(const char *bound, char ret[SOCKET_ENDPOINT_BYTES],
                       struct error *err);

/* The endpoint of a welcome: of TCP with * for a host it is the one that was
 * dialled, since the master can't know by what name it is reached (through
 * NAT, in a container's network). */
MUSTCHECK
int endpoint_dialled(const char *endpoint, const char *place,
                     char ret[SOCKET_ENDPOINT_BYTES], struct error *err);

#endif

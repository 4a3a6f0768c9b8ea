/*
 * endpoint.h: where a cluster's two known sockets are.
 *
 * People name one place, ipc://FOLDER or tcp://HOST:PORT; reports and control
 * are FOLDER/reports and FOLDER/control, or PORT and PORT + 1.
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

#endif

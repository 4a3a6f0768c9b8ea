/*
 * socket_folder.h: the folder of a run's ipc:// sockets.
 *
 * Mode 0700: who can't enter can't connect. It is named after the master's
 * process, so that the next master can remove what a killed one left behind.
 */
#ifndef MASTER_SOCKET_FOLDER_H
#define MASTER_SOCKET_FOLDER_H

#include "base/error.h"

#define SOCKET_FOLDER_STATUS "status" /* the socket of the run's status */
#define SOCKET_FOLDER_BYTES 64        /* ZeroMQ's limit for a path is 107 */

/* Makes it, in XDG_RUNTIME_DIR or /tmp, after sweeping there. ERR_FILE. */
MUSTCHECK
int socket_folder_make(char ret[SOCKET_FOLDER_BYTES], struct error *err);

/* Calls `each` for each folder of a living master of this user's. */
void socket_folder_each(void (*each)(void *context, const char *folder),
                        void *context);

/* Removes it with all sockets in it; "" is ignored. */
void socket_folder_remove(const char *folder);

#endif

/*
 * time_zone.h: the zone of local time, by its name.
 *
 * It is the C library's, which reads it from the system's tzdata.
 */
#ifndef MASTER_TIME_ZONE_H
#define MASTER_TIME_ZONE_H

#include "base/error.h"

#define TIME_ZONE_FOLDER "/usr/share/zoneinfo"
#define TIME_ZONE_NAME_BYTES_MAX 64

/* "America/New_York" or "UTC", for this process and those that it starts.
 * ERR_USAGE: there is none of this name. */
MUSTCHECK
int time_zone_use(const char *name, struct error *err);

#endif

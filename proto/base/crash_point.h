/*
 * crash_point.h: places at which a test build can be made to die.
 *
 *   CRASH_POINT("before_close");           the process passes this place
 *   CRASH_POINT_KEY("extract", data, len); it does so with these bytes
 *   DEFENCE_OFF("lease")                   true where a test took it away
 *
 * In a build without WINDROW_CRASH_POINTS (all but the preset `torture`) these
 * are nothing at all, and what stands here is not linked. With it, the
 * environment says what happens:
 *
 *   WINDROW_CRASH=before_close@3      SIGKILL at this process's third passage
 *   WINDROW_CRASH=extract=AAPL        SIGSEGV, each time, where the bytes
 *                                     hold "AAPL", with the quotes
 *                                     several of both, by comma
 *   WINDROW_CRASH_ONCE=FOLDER         each @ entry fires once a folder, in
 *                                     whichever process comes to it first
 *   WINDROW_CRASH_COUNT=FILE          each passage adds a line to FILE: the
 *                                     point's name
 *   WINDROW_DEFENCE_OFF=lease,epoch   these defences are not there
 *
 * The list of all points is made from the sources, by the test that tries each
 * (tests/torture/test_crash_points.py). Names of the master's begin with
 * "master_"; those in one database's code, with "sqlite_" or "postgres_".
 */
#ifndef BASE_CRASH_POINT_H
#define BASE_CRASH_POINT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef WINDROW_CRASH_POINTS

/* Safe to call from any thread. An entry that can't be read ends the process:
 * a test that crashes nothing would prove nothing. */
void crash_point_pass(const char *name);
void crash_point_pass_key(const char *name, const char *data, size_t len);
bool crash_point_defence_off(const char *name);

#define CRASH_POINT(name) crash_point_pass(name)
#define CRASH_POINT_KEY(name, data, len) crash_point_pass_key(name, data, len)
#define DEFENCE_OFF(name) crash_point_defence_off(name)

#else

#define CRASH_POINT(name) ((void)0)
#define CRASH_POINT_KEY(name, data, len) ((void)0)
#define DEFENCE_OFF(name) false

#endif

#endif

/*
 * note.h: what a node had begun when it crashed, for the process after it.
 *
 * The master of a machine sees its own nodes die and knows how. Of a node
 * elsewhere it only hears nothing more. So such a node keeps a page of memory
 * in a file: the batches it has begun, and the signal that blames its work
 * (SEGV, ABRT, BUS, ILL, FPE), written by the handler of that signal. The next
 * process finds it, and tells in its hello.
 *
 * Several nodes may share the folder: each has a file that it locks.
 */
#ifndef NODE_NOTE_H
#define NODE_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define NOTE_BATCHES_MAX 64 /* as many as a hello tells */
#define NOTE_FILES_MAX 1024 /* nodes that share a folder */

struct note;

/* Opens a file in `folder`, which is made if it is not there: one that a
 * crashed process left, or a free one. One in a process. ERR_FILE. */
MUSTCHECK
int note_open(const char *folder, struct note **ret, struct error *err);

/* What the process before had begun when it crashed: none if it did not. The
 * numbers live as long as the note. */
size_t note_crashed(const struct note *note, const int64_t **ret);

/* What is begun now: at most NOTE_BATCHES_MAX. Not to be called before
 * note_crashed() was told. */
void note_begun(struct note *note, const int64_t *batches, size_t n);

/* The process ends well: the file goes. */
void note_free(struct note **note);

#endif

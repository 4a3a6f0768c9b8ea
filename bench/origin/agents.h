/*
 * agents.h: whom the sites turn away for what their User-Agent says.
 */
#ifndef ORIGIN_AGENTS_H
#define ORIGIN_AGENTS_H

#include "route.h"

/* `agent` is "" where none was sent. */
bool agents_refused(const char *agent, enum page page);

#endif

/* agents.c: see agents.h. */
#include "agents.h"

#include <string.h>
#include <strings.h>

/* Yahoo turns away what says it is a library. */
static bool is_library(const char *agent)
{
    static const char *const starts[] = {
        "curl/",     "libcurl",      "python-requests", "python-urllib",
        "python/",   "python-httpx", "aiohttp",         "go-http-client",
        "java/",     "okhttp",       "wget/",           "axios/",
        "node-fetch"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!strncasecmp(agent, starts[i], strlen(starts[i])))
            return true;
    return false;
}

bool agents_refused(const char *agent, enum page page)
{
    if (page == PAGE_WIKI)
        return !*agent;
    return page_is_quote(page) && (!*agent || is_library(agent));
}

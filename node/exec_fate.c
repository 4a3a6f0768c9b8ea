/* exec_fate.c: see exec_fate.h. */
#include "exec_fate.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define TEXT_OF(number) TEXT_OF_IT(number)
#define TEXT_OF_IT(number) #number

bool exec_fate_begin(struct exec_fate *fate)
{
    fate->answered = false;
    return fate->n_unanswered > 0;
}

void exec_fate_lived(struct exec_fate *fate)
{
    fate->n_early = 0;
}

void exec_fate_answered(struct exec_fate *fate)
{
    fate->answered = fate->ever_answered = true;
    fate->n_unanswered = fate->n_early = 0;
}

usec_t exec_fate_end(struct exec_fate *fate, bool watched, const char **ret_why)
{
    if (fate->answered)
        return 0;
    fate->n_unanswered++;
    fate->n_early = watched ? fate->n_early + 1 : 0;
    if (fate->n_early == EXEC_STARTS_MAX) {
        *ret_why = "ends at each start, before it has a key";
        return USEC_NEVER;
    }
    if (!fate->ever_answered && fate->n_unanswered == EXEC_ENDS_MAX) {
        *ret_why = "has answered nothing in " TEXT_OF(EXEC_ENDS_MAX) " starts";
        return USEC_NEVER;
    }
    return fate->n_early ? EXEC_BACKOFF << (fate->n_early - 1) : 0;
}

void exec_fate_describe(int status, const char *last, char *ret, size_t room)
{
    const char *between = *last ? ": " : "";
    if (WIFSIGNALED(status))
        snprintf(ret, room, "was ended by signal %d (%s)%s%s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)), between, last);
    else
        snprintf(ret, room, "ended with status %d%s%s", WEXITSTATUS(status),
                 between, last);
}

/*
 * odd.h: answers that nobody should send: against HTTP, too large for most
 * readers, or sound and surprising. What site.c's other faults need no room
 * for.
 */
#ifndef ORIGIN_ODD_H
#define ORIGIN_ODD_H

#include "base/buffer.h"
#include "faults.h"
#include "site.h"

struct odd {
    struct buffer text; /* of the answer at hand */
    /* Made at the first need, and kept: */
    struct buffer bomb;
    struct buffer nested;
};

void odd_fini(struct odd *odd);

/* The price that such a fault has in place of `digits`, which is the answer
 * for all others. Valid until the next call. */
const char *odd_price(struct odd *odd, enum fault_kind kind, bool json,
                      const char *digits);

/* Makes of a good answer what `kind` says; `extra` are its header lines, which
 * may grow. A `kind` that is none of these changes nothing. */
void odd_inject(struct odd *odd, enum fault_kind kind, struct buffer *extra,
                struct answer *answer);

#endif

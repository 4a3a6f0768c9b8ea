/* gate.c: see gate.h. */
#include "wire/gate.h"

static size_t place(int source)
{
    return (size_t)(unsigned)source % GATE_SOURCES;
}

bool gate_pass(struct gate *gate, int source, usec_t now)
{
    size_t i = place(source);
    int64_t second = now / USEC_PER_SEC;
    if (gate->sources[i].second != second) {
        gate->sources[i].second = second;
        gate->sources[i].messages = gate->sources[i].bad = 0;
    }
    if (gate->sources[i].bad >= GATE_BAD_MAX ||
        gate->sources[i].messages >= GATE_MESSAGES_MAX) {
        gate->dropped++;
        return false;
    }
    gate->sources[i].messages++;
    return true;
}

void gate_blame(struct gate *gate, int source)
{
    gate->sources[place(source)].bad++;
}

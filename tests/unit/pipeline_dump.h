/* pipeline_dump.h: a pipeline's model as text, for cases and for eyes. */
#ifndef UNIT_PIPELINE_DUMP_H
#define UNIT_PIPELINE_DUMP_H

#include "pipeline/pipeline.h"

/* Appends every member of the model, one worker after the other; what has
 * its default is left out where that is nothing. */
void pipeline_dump(const struct pipeline *pipeline, struct buffer *out);

#endif

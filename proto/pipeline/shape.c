/* shape.c: see shape.h. */
#include "pipeline/shape.h"

#define VERSION_TEXT_OF(number) VERSION_TEXT_OF_IT(number)
#define VERSION_TEXT_OF_IT(number) #number

const struct shape shape_text = SHAPE_OF_TEXT;
static const struct shape url = SHAPE_OF_PATTERN(SHAPE_URL_PATTERN);
static const struct shape key = {.kind = SHAPE_TEXT,
                                 .pattern =
                                     "^[^\\u0000-\\u001f\\u007f]{1,512}$",
                                 .any_scalar = true};

static const char *const versions[] = {VERSION_TEXT_OF(PIPELINE_VERSION), NULL};

static const struct shape queue = SHAPE_OF_MEMBERS(shape_of_queue);
static const struct shape worker = SHAPE_OF_MEMBERS(shape_of_worker);

#define OF_PEOPLE                                                              \
    {                                                                          \
        .name = "description", .shape = SHAPE_FOR_PEOPLE, .help = "for people" \
    }
#define NOTE                                                                   \
    {                                                                          \
        .name = "note", .shape = SHAPE_FOR_PEOPLE, .help = "for people"        \
    }
#define MISSPELT                                                               \
    {                                                                          \
        .name = "dscription", .shape = SHAPE_FOR_PEOPLE, .help = "for people"  \
    }
#define NAMED(what)                                                            \
    {                                                                          \
        .name = "name", .required = 1, .shape = SHAPE_OF_NAME, .help = (what)  \
    }

const struct member shape_of_file[] = {
    OF_PEOPLE,
    {.name = "name",
     .shape = SHAPE_OF_NAME,
     .help = "the pipeline's name in `windrow runs` (default: its file's)"},
    NOTE,
    {.name = "queues",
     .required = 1,
     .shape = SHAPE_OF_MANY(SHAPE_LIST, 1, PIPELINE_QUEUES_MAX, &queue),
     .help = "what workers hand over to each other"},
    {.name = "version",
     .required = 1,
     .shape = SHAPE_OF_CHOICE(versions),
     .help = "of this form of file"},
    {.name = "workers",
     .required = 1,
     .shape = SHAPE_OF_MANY(SHAPE_LIST, 1, PIPELINE_WORKERS_MAX, &worker),
     .help = "sources, fetchers and stores"},
    {0},
};

const struct member shape_of_queue[] = {
    OF_PEOPLE,
    NAMED("the queue's name; each once"),
    {0},
};

const struct member shape_of_older_queue[] = {
    OF_PEOPLE, NAMED("the queue's name; each once"), MISSPELT, NOTE, {0},
};

#define CLASS(what)                                                            \
    {                                                                          \
        .name = "class", .required = 1, .shape = SHAPE_OF_TEXT, .help = (what) \
    }
#define INPUT_QUEUE                                                            \
    {                                                                          \
        .name = "input_queue", .shape = SHAPE_OF_TEXT,                         \
        .help = "the queue it reads: fetchers and stores"                      \
    }
#define INPUT_VALUES                                                           \
    {                                                                          \
        .name = "input_values", .shape = SHAPE_FOR_PEOPLE,                     \
        .help = "what a source begins with: URLs, keys, or a file"             \
    }
#define INSTANCES                                                              \
    {                                                                          \
        .name = "instances", .shape = SHAPE_FOR_PEOPLE,                        \
        .help = "how much it does at once, in each node"                       \
    }
#define OUTPUT_QUEUES                                                          \
    {                                                                          \
        .name = "output_queues",                                               \
        .shape =                                                               \
            SHAPE_OF_MANY(SHAPE_LIST, 0, PIPELINE_QUEUES_MAX, &shape_text),    \
        .help = "the queues it writes, each of which gets every item"          \
    }
#define LOCATION                                                               \
    {                                                                          \
        .name = "location", .shape = SHAPE_OF_TEXT,                            \
        .help = "of the older Python pipelines"                                \
    }

/* In the order in which messages list them. */
const struct member shape_of_worker[] = {
    CLASS("what it does"),
    OF_PEOPLE,
    INPUT_QUEUE,
    INPUT_VALUES,
    INSTANCES,
    LOCATION,
    NAMED("the worker's name; each once"),
    NOTE,
    {.name = "options",
     .shape = SHAPE_FOR_PEOPLE,
     .help = "a map, by the worker's class"},
    OUTPUT_QUEUES,
    {0},
};

const struct member shape_of_older_worker[] = {
    CLASS("the Python class"),
    OF_PEOPLE,
    INPUT_QUEUE,
    INPUT_VALUES,
    INSTANCES,
    LOCATION,
    NAMED("the worker's name; each once"),
    NOTE,
    MISSPELT,
    OUTPUT_QUEUES,
    {.name = "instance", .shape = SHAPE_FOR_PEOPLE, .help = "not read"},
    {0},
};

struct shape shape_of_instances(enum worker_class class, int *ret_default)
{
    static const struct shape connections =
        SHAPE_OF_NUMBER(SHAPE_INTEGER, 1, PIPELINE_CONNECTIONS_MAX);
    static const struct shape transfers =
        SHAPE_OF_NUMBER(SHAPE_INTEGER, 1, PIPELINE_INSTANCES_MAX);
    static const struct shape unanswered =
        SHAPE_OF_NUMBER(SHAPE_INTEGER, 1, PIPELINE_UNANSWERED_MAX);
    bool fetcher = worker_class_is_fetcher(class);

    *ret_default = class == CLASS_EXEC    ? 16
                   : fetcher              ? 64
                   : class == CLASS_STORE ? 2
                                          : 4;
    return class == CLASS_EXEC ? unanswered : fetcher ? transfers : connections;
}

bool shape_of_input_values(enum worker_class class, struct shape *ret,
                           bool *ret_required)
{
    struct shape shape = SHAPE_OF_MANY(SHAPE_LIST, 1, 1, &shape_text);

    switch (class) {
    case CLASS_HTML_TABLE:
    case CLASS_JSON_LIST:
    case CLASS_VALUES:
        shape.most = PIPELINE_INPUT_VALUES_MAX;
        shape.entry = class == CLASS_VALUES ? &key : &url;
        break;
    case CLASS_FILE:
        break;
    default:
        return false;
    }
    *ret = shape;
    *ret_required = class != CLASS_FILE;
    return true;
}

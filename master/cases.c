/* cases.c: see cases.h. */
#include "cases.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/yaml_tree.h"
#include "trial.h"

#define CASE_FILE "case.yaml"
#define EXPECTED_FILE "expected.json"
#define EXPECTED_BYTES_MAX (16 * 1024 * 1024)

char *cases_folder(const char *pipeline_path)
{
    const char *slash = strrchr(pipeline_path, '/');
    const char *dot = strrchr(slash ? slash : pipeline_path, '.');
    size_t len = dot && dot != slash + 1 ? (size_t)(dot - pipeline_path)
                                         : strlen(pipeline_path);
    char *folder = NULL;
    return asprintf(&folder, "%.*s.cases", (int)len, pipeline_path) < 0
               ? NULL
               : folder;
}

/* ---- names ---- */

bool case_name_is_good(const char *name)
{
    size_t len = strnlen(name, CASE_NAME_BYTES_MAX + 1);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
            return false;
    return len > 0 && len <= CASE_NAME_BYTES_MAX && *name != '.';
}

void case_name(const char *key, char *ret)
{
    size_t n = 0;
    for (; *key && n < CASE_NAME_BYTES_MAX; key++) {
        bool good = isalnum((unsigned char)*key) || strchr("_-", *key) ||
                    (*key == '.' && n);
        ret[n++] = good ? *key : '_';
    }
    ret[n] = '\0';
}

/* ---- reading ---- */

struct reading {
    const char *folder; /* the case's */
    const char *file;   /* its case.yaml */
    struct arena *arena;
    struct error *err;
};

static bool wrong(struct reading *reading, const struct yaml_node *at,
                  const char *what)
{
    error_set(reading->err, ERR_PIPELINE, "%s:%d:%d: %s", reading->file,
              at->line, at->column, what);
    return false;
}

static const char *path_in(struct reading *reading, const char *name)
{
    size_t room = strlen(reading->folder) + strlen(name) + 2;
    char *path = arena_alloc(reading->arena, room);
    if (path)
        snprintf(path, room, "%s/%s", reading->folder, name);
    else
        error_set(reading->err, ERR_MEMORY, "no memory for a case");
    return path;
}

static bool check_keys(struct reading *reading, const struct yaml_node *map,
                       const char *known)
{
    for (const struct yaml_node *n = map->first; n; n = n->next) {
        char word[64];
        snprintf(word, sizeof word, " %.60s ", n->key->text);
        if (!strstr(known, word))
            return wrong(reading, n->key, "an unknown key of a case");
    }
    return true;
}

static json_t *read_headers(struct reading *reading,
                            const struct yaml_node *map)
{
    json_t *headers = json_object();
    for (const struct yaml_node *n = map ? map->first : NULL; n; n = n->next) {
        if (n->kind != YAML_TEXT) {
            wrong(reading, n, "a header must be a text");
            break;
        }
        json_object_set_new(headers, n->key->text, json_string(n->text));
    }
    return headers;
}

/* The path of the file that an answer names; NULL: it names none, or a
 * complaint. */
static const char *path_of(struct reading *reading,
                           const struct yaml_node *file, const char *complaint)
{
    if (!file)
        return NULL;
    const char *path = NULL;
    if (file->kind != YAML_TEXT || strchr(file->text, '/'))
        wrong(reading, file, complaint);
    else
        path = path_in(reading, file->text);
    if (path && access(path, R_OK))
        wrong(reading, file, "there is no such file");
    return path;
}

/* {line}: what a program answered. */
static bool read_line(struct reading *reading, const struct yaml_node *node,
                      json_t *answers)
{
    if (!check_keys(reading, node, " line note "))
        return false;
    const char *path = path_of(reading, yaml_get(node, "line"),
                               "line must name a file in the same folder");
    return !json_array_append_new(answers, json_pack("{s:s*}", "file", path)) &&
           reading->err->code == ERR_NONE;
}

/* {status, url, headers, body} as a job has it. */
static bool read_answer(struct reading *reading, const struct yaml_node *node,
                        json_t *answers)
{
    const struct yaml_node *status, *body, *headers;
    if (node->kind != YAML_MAP)
        return wrong(reading, node,
                     "an answer must be a map: {status: 200, "
                     "body: FILE}");
    if (yaml_get(node, "line"))
        return read_line(reading, node, answers);
    if (!check_keys(reading, node, " status url headers body note "))
        return false;
    status = yaml_get(node, "status");
    body = yaml_get(node, "body");
    headers = yaml_get(node, "headers");
    long number = status && status->kind == YAML_TEXT
                      ? strtol(status->text, NULL, 10)
                      : 0;
    if (number < 100 || number > 999)
        return wrong(reading, status ? status : node,
                     "an answer needs a status, 100 to 999");
    if (headers && headers->kind != YAML_MAP)
        return wrong(reading, headers, "headers must be a map");
    const char *path =
        path_of(reading, body, "body must name a file in the same folder");
    if (reading->err->code != ERR_NONE)
        return false;
    json_t *answer =
        json_pack("{s:i, s:o, s:s*}", "status", (int)number, "headers",
                  read_headers(reading, headers), "file", path);
    return !json_array_append_new(answers, answer) &&
           reading->err->code == ERR_NONE;
}

static bool read_answers(struct reading *reading, const struct yaml_node *root,
                         json_t *answers)
{
    const struct yaml_node *list = yaml_get(root, "answers");
    if (!list || list->kind != YAML_LIST || !list->n_items ||
        list->n_items > CASE_ANSWERS_MAX)
        return wrong(reading, list ? list : root,
                     "a case needs answers: a list of 1 to 64");
    for (const struct yaml_node *n = list->first; n; n = n->next)
        if (!read_answer(reading, n, answers))
            return false;
    return true;
}

static const char *text_of(struct reading *reading,
                           const struct yaml_node *root, const char *name)
{
    const struct yaml_node *node = yaml_get(root, name);
    if (node && node->kind != YAML_TEXT)
        wrong(reading, node, "must be a text");
    return node && node->kind == YAML_TEXT ? node->text : NULL;
}

static bool read_case_file(struct reading *reading, struct case_spec *ret)
{
    struct buffer text = BUFFER_EMPTY;
    struct yaml_problem problem;
    struct yaml_node *root;
    int failed = pipeline_read_file(reading->file, &text, reading->err);
    if (!failed && yaml_tree_parse(buffer_slice(&text), reading->arena, &root,
                                   &problem, reading->err) == ERR_PIPELINE) {
        *reading->err = ERROR_NONE;
        failed =
            error_set(reading->err, ERR_PIPELINE, "%s:%d:%d: %s", reading->file,
                      problem.line, problem.column, problem.text);
    }
    buffer_free(&text);
    if (failed || reading->err->code != ERR_NONE)
        return false;
    if (root->kind != YAML_MAP)
        return wrong(reading, root, "a case must be a map");
    ret->worker = text_of(reading, root, "worker");
    ret->key = text_of(reading, root, "key");
    if (!ret->worker)
        return wrong(reading, root, "a case needs a worker");
    return check_keys(reading, root, " worker key answers description note ") &&
           read_answers(reading, root, ret->answers) &&
           reading->err->code == ERR_NONE;
}

static json_t *read_expected(struct reading *reading)
{
    const char *path = path_in(reading, EXPECTED_FILE);
    json_error_t problem;
    json_t *expected =
        path ? json_load_file(path, JSON_REJECT_DUPLICATES, &problem) : NULL;
    if (path && !expected)
        error_set(reading->err, ERR_PIPELINE, "%s:%d:%d: %s", path,
                  problem.line > 0 ? problem.line : 1,
                  problem.column > 0 ? problem.column : 1, problem.text);
    return expected;
}

int case_read(const char *folder, const char *name, struct arena *arena,
              struct case_spec *ret, struct error *err)
{
    struct reading reading = {.folder = folder, .arena = arena, .err = err};
    struct case_spec spec = {.name = name};
    reading.folder = path_in(&reading, name);
    reading.file = reading.folder ? path_in(&reading, CASE_FILE) : NULL;
    if (!reading.file)
        return (int)err->code;
    if (access(reading.file, F_OK))
        return error_set(err, ERR_NOT_FOUND, "there is no case %s",
                         reading.file);
    spec.answers = json_array();
    if (read_case_file(&reading, &spec))
        spec.expected = read_expected(&reading);
    if (err->code != ERR_NONE) {
        json_decref(spec.answers);
        return (int)err->code;
    }
    *ret = spec;
    return 0;
}

/* ---- writing ---- */

/* A text in YAML's double quotes is one in JSON's. */
static void put_text(FILE *file, const char *text)
{
    json_t *value = json_string(text);
    json_dumpf(value, file, JSON_ENCODE_ANY);
    json_decref(value);
}

/* `body` NULL: it has none. */
static void put_answer(FILE *file, const json_t *event, const char *body)
{
    static const char *const kept[] = {"content-type", "location",
                                       "retry-after"};
    const json_t *headers = json_object_get(event, "headers");
    if (body && !strcmp(trial_text(event, "class"), "exec")) {
        fprintf(file, "  - line: %s\n", body);
        return;
    }
    fprintf(file, "  - status: %lld\n",
            json_integer_value(json_object_get(event, "status")));
    bool any = false;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value =
            json_string_value(json_object_get(headers, kept[i]));
        if (!value)
            continue;
        fprintf(file, "%s      %s: ", any ? "" : "    headers:\n", kept[i]);
        put_text(file, value);
        putc('\n', file);
        any = true;
    }
    if (body)
        fprintf(file, "    body: %s\n", body);
}

/* The case that is written. */
struct writing {
    struct buffer folder;
    const struct worker *worker;
    const json_t *events;
    int bodies;
    struct error *err;
};

static FILE *create(struct writing *writing, const char *name)
{
    struct buffer path = BUFFER_EMPTY;
    buffer_printf(&path, "%s/%s", buffer_text(&writing->folder), name);
    FILE *file = path.failed ? NULL : fopen(buffer_text(&path), "wxe");
    if (!file)
        error_set(writing->err, ERR_FILE, "%s: %s", buffer_text(&path),
                  strerror(errno));
    buffer_free(&path);
    return file;
}

static int finish(struct writing *writing, FILE *file, bool good)
{
    if (fclose(file) || !good)
        error_set(writing->err, ERR_FILE, "%s could not be written",
                  buffer_text(&writing->folder));
    return (int)writing->err->code;
}

static int copy_body(struct writing *writing, const char *name, long long bytes)
{
    char chunk[65536];
    FILE *file = create(writing, name);
    while (file && bytes > 0) {
        size_t want =
            bytes < (long long)sizeof chunk ? (size_t)bytes : sizeof chunk;
        ssize_t n = read(writing->bodies, chunk, want);
        if (n <= 0 || fwrite(chunk, 1, (size_t)n, file) != (size_t)n)
            break;
        bytes -= n;
    }
    return file ? finish(writing, file, bytes == 0) : (int)writing->err->code;
}

static int put_answers(struct writing *writing, FILE *file)
{
    bool json = worker_class_is_json(writing->worker->class);
    json_t *event;
    size_t i;
    int n = 0;
    json_array_foreach(writing->events, i, event)
    {
        char number[16] = "", name[48];
        if (strcmp(trial_text(event, "event"), "answer") != 0)
            continue;
        long long bytes = json_integer_value(json_object_get(event, "bytes"));
        if (n++)
            snprintf(number, sizeof number, "-%d", n);
        snprintf(name, sizeof name, "answer%s.%s", number,
                 json ? "json" : "html");
        put_answer(file, event, bytes ? name : NULL);
        if (bytes && copy_body(writing, name, bytes))
            return (int)writing->err->code;
    }
    return 0;
}

static int write_case_file(struct writing *writing, const char *key)
{
    FILE *file = create(writing, CASE_FILE);
    if (!file)
        return (int)writing->err->code;
    fputs("worker: ", file);
    put_text(file, writing->worker->name);
    if (key) {
        fputs("\nkey: ", file);
        put_text(file, key);
    }
    fputs("\nanswers:\n", file);
    bool good = !put_answers(writing, file);
    return finish(writing, file, good);
}

static int write_expected(struct writing *writing)
{
    json_t *outcome = trial_outcome(writing->events);
    FILE *file = create(writing, EXPECTED_FILE);
    if (file)
        finish(writing, file,
               outcome && !json_dumpf(outcome, file, JSON_INDENT(2)) &&
                   putc('\n', file) != EOF);
    json_decref(outcome);
    return (int)writing->err->code;
}

static int is_there(const char *path, struct error *err)
{
    return error_set(err, ERR_CONFLICT,
                     "%s is there already: remove it, or give another name: "
                     "--record=NAME",
                     path);
}

int case_check_free(const char *folder, const char *name, struct error *err)
{
    struct buffer path = BUFFER_EMPTY;
    buffer_printf(&path, "%s/%s", folder, name);
    if (path.failed)
        error_set(err, ERR_MEMORY, "no memory for a case");
    else if (access(buffer_text(&path), F_OK) == 0)
        is_there(buffer_text(&path), err);
    buffer_free(&path);
    return (int)err->code;
}

static int make_folder(const char *path, bool may_be_there, struct error *err)
{
    if (!mkdir(path, 0777) || (may_be_there && errno == EEXIST))
        return 0;
    return errno == EEXIST
               ? is_there(path, err)
               : error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
}

int case_write(const char *folder, const char *name,
               const struct worker *worker, const char *key,
               const json_t *events, int bodies, struct error *err)
{
    struct writing writing = {
        .worker = worker, .events = events, .bodies = bodies, .err = err};
    buffer_printf(&writing.folder, "%s/%s", folder, name);
    if (writing.folder.failed)
        error_set(err, ERR_MEMORY, "no memory for a case");
    else if (lseek(bodies, 0, SEEK_SET) != 0)
        error_set(err, ERR_SYSTEM, "the bodies: %s", strerror(errno));
    else if (!make_folder(folder, true, err) &&
             !make_folder(buffer_text(&writing.folder), false, err) &&
             !write_case_file(&writing, key))
        write_expected(&writing);
    buffer_free(&writing.folder);
    return (int)err->code;
}

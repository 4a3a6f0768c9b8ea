/* replay.c: see replay.h. */
#include "replay.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "text.h"

#define uthash_fatal(text) check_failed(__FILE__, __LINE__, __func__, text)
#include <uthash.h>

#define STATUS_FILE "status.tsv"

struct recorded {
    UT_hash_handle hh;
    int status;
    struct buffer body;
    char key[];
};

struct replay {
    struct recorded *answers[REPLAY_KINDS];
};

static const char *const folders[REPLAY_KINDS] = {"chart", "quote"};

static int add_answer(struct recorded **answers, const char *path,
                      const char *key, struct error *err)
{
    if (HASH_COUNT(*answers) >= REPLAY_FILES_MAX)
        return error_set(err, ERR_LIMIT, "%s: more than %d files", path,
                         REPLAY_FILES_MAX);
    size_t len = strlen(key);
    struct recorded *answer = calloc(1, sizeof *answer + len + 1);
    if (!answer)
        return error_set(err, ERR_MEMORY, "%s: out of memory", path);
    memcpy(answer->key, key, len);
    answer->status = 200;
    if (text_read_file(path, REPLAY_FILE_BYTES_MAX, &answer->body, err)) {
        free(answer);
        return (int)err->code;
    }
    HASH_ADD_KEYPTR(hh, *answers, answer->key, len, answer);
    return 0;
}

static int set_status(struct recorded *answers, const char *path,
                      unsigned number, char *line, struct error *err)
{
    char *rest = line;
    const char *key = strsep(&rest, "\t");
    struct recorded *answer;
    char *end = NULL;
    long status = rest ? strtol(rest, &end, 10) : 0;
    if (status < 100 || status > 599 || (*end && *end != '\t'))
        return error_set(err, ERR_FILE,
                         "%s:%u: a line is KEY<TAB>STATUS (100 to 599)", path,
                         number);
    HASH_FIND_STR(answers, key, answer);
    if (!answer)
        return error_set(err, ERR_FILE, "%s:%u: no answer is recorded for %s",
                         path, number, key);
    answer->status = (int)status;
    return 0;
}

/* Nothing to do where the file is absent. */
static int read_statuses(struct recorded *answers, const char *path,
                         struct error *err)
{
    if (access(path, F_OK))
        return 0;
    struct buffer text = BUFFER_EMPTY;
    if (text_read_file(path, REPLAY_FILE_BYTES_MAX, &text, err))
        return (int)err->code;
    char *rest = text.data;
    for (unsigned number = 1; rest && !err->code; number++) {
        char *line = strsep(&rest, "\n");
        line[strcspn(line, "\r")] = '\0';
        if (*line)
            set_status(answers, path, number, line, err);
    }
    buffer_free(&text);
    return (int)err->code;
}

static int read_folder(struct recorded **answers, const char *folder,
                       struct error *err)
{
    DIR *dir = opendir(folder);
    if (!dir && errno == ENOENT)
        return 0;
    if (!dir)
        return error_set(err, ERR_FILE, "%s: %s", folder, strerror(errno));
    const struct dirent *entry;
    char path[PATH_MAX];
    while (!err->code && (entry = readdir(dir))) {
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!strcmp(entry->d_name, STATUS_FILE) || stat(path, &about) ||
            !S_ISREG(about.st_mode))
            continue;
        add_answer(answers, path, entry->d_name, err);
    }
    closedir(dir);
    if (err->code)
        return (int)err->code;
    snprintf(path, sizeof path, "%s/" STATUS_FILE, folder);
    return read_statuses(*answers, path, err);
}

static int read_all(struct replay *replay, const char *dir, struct buffer *wiki,
                    struct error *err)
{
    char path[PATH_MAX / 2];
    struct stat about;
    if (stat(dir, &about) || !S_ISDIR(about.st_mode))
        return error_set(err, ERR_FILE, "%s: not a folder", dir);
    for (int kind = 0; kind < REPLAY_KINDS; kind++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders[kind]);
        if (read_folder(&replay->answers[kind], path, err))
            return (int)err->code;
    }
    snprintf(path, sizeof path, "%s/" STATUS_FILE, dir);
    if (read_statuses(replay->answers[REPLAY_CHART], path, err))
        return (int)err->code;
    snprintf(path, sizeof path, "%s/wiki.html", dir);
    if (access(path, F_OK))
        return 0;
    return text_read_file(path, REPLAY_FILE_BYTES_MAX, wiki, err);
}

int replay_new(const char *dir, struct replay **ret_replay,
               struct buffer *ret_wiki, struct error *err)
{
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return error_set(err, ERR_MEMORY, "out of memory");
    if (read_all(replay, dir, ret_wiki, err)) {
        replay_free(&replay);
        return (int)err->code;
    }
    *ret_replay = replay;
    return 0;
}

void replay_free(struct replay **replay)
{
    if (!*replay)
        return;
    for (int kind = 0; kind < REPLAY_KINDS; kind++) {
        struct recorded *answer, *next;
        HASH_ITER (hh, (*replay)->answers[kind], answer, next) {
            HASH_DEL((*replay)->answers[kind], answer);
            buffer_free(&answer->body);
            free(answer);
        }
    }
    free(*replay);
    *replay = NULL;
}

bool replay_find(const struct replay *replay, enum replay_kind kind,
                 const char *key, int *ret_status, struct slice *ret_body)
{
    struct recorded *answer;
    HASH_FIND_STR(replay->answers[kind], key, answer);
    if (!answer)
        return false;
    *ret_status = answer->status;
    *ret_body = buffer_slice(&answer->body);
    return true;
}

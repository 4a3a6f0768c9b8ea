/*
 * crash_point.c: see crash_point.h. Linked in the preset `torture` only.
 *
 * The environment is read once. Passages are counted for each entry under one
 * lock, since the store's thread passes points too. What is unexpected ends
 * the process: nothing here runs where anybody depends on it.
 */
#include "base/crash_point.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

#define ENTRIES_MAX 16
#define NAME_BYTES 64
#define PATH_BYTES 4096

/* One of WINDROW_CRASH: NAME@PASSAGE, or NAME=KEY. */
struct entry {
    char name[NAME_BYTES];
    char key[NAME_BYTES]; /* empty: by passage */
    long passage, passed;
};

static struct entry entries[ENTRIES_MAX];
static size_t n_entries;
static const char *once_folder, *count_file, *defences_off;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void read_entry(const char *text, size_t len)
{
    struct entry *entry = &entries[n_entries++];
    size_t name = strcspn(text, "@=");
    CHECK(n_entries <= ENTRIES_MAX && name < len && name < NAME_BYTES);
    memcpy(entry->name, text, name);
    const char *value = text + name + 1;
    size_t value_len = len - name - 1;
    CHECK(value_len > 0 && value_len < NAME_BYTES);
    memcpy(entry->key, value, value_len);
    if (text[name] != '@')
        return;
    entry->passage = strtol(entry->key, NULL, 10);
    CHECK(entry->passage > 0);
    entry->key[0] = '\0';
}

static void read_environment(void)
{
    const char *crash = getenv("WINDROW_CRASH");
    while (crash && *crash) {
        size_t len = strcspn(crash, ",");
        read_entry(crash, len);
        crash += len + (crash[len] == ',');
    }
    once_folder = getenv("WINDROW_CRASH_ONCE");
    count_file = getenv("WINDROW_CRASH_COUNT");
    defences_off = getenv("WINDROW_DEFENCE_OFF");
}

/* Whether it has not fired yet in this folder: the first to make the marker
 * does. */
static bool is_first(const char *name)
{
    char path[PATH_BYTES];
    if (!once_folder)
        return true;
    snprintf(path, sizeof path, "%s/%s", once_folder, name);
    int marker = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(marker >= 0 || errno == EEXIST);
    return marker >= 0;
}

static void count(const char *name)
{
    char line[NAME_BYTES + 1];
    int len = snprintf(line, sizeof line, "%s\n", name);
    int file =
        open(count_file, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(file >= 0 && write(file, line, (size_t)len) == len);
    close(file);
}

void crash_point_pass(const char *name)
{
    pthread_once(&once, read_environment);
    if (count_file)
        count(name);
    for (size_t i = 0; i < n_entries; i++) {
        struct entry *entry = &entries[i];
        if (entry->key[0] || strcmp(entry->name, name) != 0)
            continue;
        pthread_mutex_lock(&lock);
        bool now = ++entry->passed == entry->passage;
        pthread_mutex_unlock(&lock);
        if (now && is_first(name))
            kill(getpid(), SIGKILL);
    }
}

void crash_point_pass_key(const char *name, const char *data, size_t len)
{
    pthread_once(&once, read_environment);
    for (size_t i = 0; i < n_entries; i++) {
        const struct entry *entry = &entries[i];
        char quoted[NAME_BYTES + 2];
        if (!entry->key[0] || strcmp(entry->name, name) != 0)
            continue;
        int quoted_len = snprintf(quoted, sizeof quoted, "\"%s\"", entry->key);
        if (!memmem(data, len, quoted, (size_t)quoted_len))
            continue;
        kill(getpid(), SIGSEGV);
        pause();
    }
}

bool crash_point_defence_off(const char *name)
{
    pthread_once(&once, read_environment);
    size_t len = strlen(name);
    for (const char *at = defences_off; at && *at;) {
        size_t next = strcspn(at, ",");
        if (next == len && memcmp(at, name, len) == 0)
            return true;
        at += next + (at[next] == ',');
    }
    return false;
}

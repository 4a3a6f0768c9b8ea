/* socket_folder.c: see socket_folder.h. */
#include "socket_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "windrow-"
#define PARENT_BYTES_MAX 30

static const char *parent(void)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    bool usable = folder && *folder && strlen(folder) <= PARENT_BYTES_MAX &&
                  access(folder, W_OK) == 0;
    return usable ? folder : "/tmp";
}

/* Sockets only: anything else is not ours, and keeps the folder there. */
void socket_folder_remove(const char *folder)
{
    DIR *entries = *folder ? opendir(folder) : NULL;
    if (!entries)
        return;
    const struct dirent *entry;
    struct stat status;
    while ((entry = readdir(entries)))
        if (fstatat(dirfd(entries), entry->d_name, &status,
                    AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISSOCK(status.st_mode))
            unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    rmdir(folder);
}

enum owner { NOT_OURS, GONE, ALIVE };

/* Of the process that ".../windrow-PID-XXXXXX" is named after. */
static enum owner owner_of(const char *path)
{
    char *end;
    struct stat status;
    const char *name = strrchr(path, '/') + 1;
    if (strncmp(name, PREFIX, strlen(PREFIX)))
        return NOT_OURS;
    long pid = strtol(name + strlen(PREFIX), &end, 10);
    if (pid <= 0 || *end != '-' || lstat(path, &status) != 0 ||
        !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return NOT_OURS;
    char process[32]; /* kill() is not everyone's (base/confine.h) */
    snprintf(process, sizeof process, "/proc/%ld", pid);
    return access(process, F_OK) && errno == ENOENT ? GONE : ALIVE;
}

/* Calls `each` for those folders of ours whose process is `wanted`. */
static void look_through(enum owner wanted,
                         void (*each)(void *context, const char *folder),
                         void *context)
{
    DIR *entries = opendir(parent());
    if (!entries)
        return;
    const struct dirent *entry;
    char path[SOCKET_FOLDER_BYTES];
    while ((entry = readdir(entries))) {
        int len = snprintf(path, sizeof path, "%s/%s", parent(), entry->d_name);
        if (len < (int)sizeof path && owner_of(path) == wanted)
            each(context, path);
    }
    closedir(entries);
}

static void remove_left_behind(void *context, const char *folder)
{
    (void)context;
    socket_folder_remove(folder);
}

void socket_folder_each(void (*each)(void *context, const char *folder),
                        void *context)
{
    look_through(ALIVE, each, context);
}

int socket_folder_make(char ret[SOCKET_FOLDER_BYTES], struct error *err)
{
    const char *folder = parent();
    char path[SOCKET_FOLDER_BYTES];
    look_through(GONE, remove_left_behind, NULL);
    snprintf(path, sizeof path, "%s/" PREFIX "%d-XXXXXX", folder,
             (int)getpid());
    if (!mkdtemp(path))
        return error_set(err, ERR_FILE, "no folder for sockets in %s: %s",
                         folder, strerror(errno));
    memcpy(ret, path, sizeof path);
    return 0;
}

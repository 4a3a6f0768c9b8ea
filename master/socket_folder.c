/* socket_folder.c: see socket_folder.h. */
#include "socket_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/* The process that "windrow-PID-XXXXXX" is named after, if it is gone. */
static bool is_left_behind(const char *name)
{
    char *end;
    if (strncmp(name, PREFIX, strlen(PREFIX)))
        return false;
    long pid = strtol(name + strlen(PREFIX), &end, 10);
    return pid > 0 && *end == '-' && kill((pid_t)pid, 0) && errno == ESRCH;
}

static void sweep(const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return;
    const struct dirent *entry;
    struct stat status;
    char path[SOCKET_FOLDER_BYTES];
    while ((entry = readdir(entries))) {
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (len < (int)sizeof path && is_left_behind(entry->d_name) &&
            lstat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
            status.st_uid == geteuid())
            socket_folder_remove(path);
    }
    closedir(entries);
}

int socket_folder_make(char ret[SOCKET_FOLDER_BYTES], struct error *err)
{
    const char *folder = parent();
    char path[SOCKET_FOLDER_BYTES];
    sweep(folder);
    snprintf(path, sizeof path, "%s/" PREFIX "%d-XXXXXX", folder,
             (int)getpid());
    if (!mkdtemp(path))
        return error_set(err, ERR_FILE, "no folder for sockets in %s: %s",
                         folder, strerror(errno));
    memcpy(ret, path, sizeof path);
    return 0;
}

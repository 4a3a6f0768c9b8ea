/*
 * curve.c: see curve.h. Files of keys, and the options of sockets; who is let
 * in is zap.c's.
 *
 * Secret files are written under a name of their own, with their mode, and
 * then linked into place: never half there, never readable by others, and of
 * two that make them at once the first wins.
 */
#include "wire/curve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "wire/socket_private.h"

/* zmq.h hides it among its drafts; libzmq 4.3 knows it in any build. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

#define PATH_BYTES 1024
#define FILE_BYTES 256 /* of a key file: two keys and the words before them */

static int path_of(char path[PATH_BYTES], const char *folder, const char *name,
                   const char *ending, struct error *err)
{
    int len = snprintf(path, PATH_BYTES, "%s/%s%s", folder, name, ending);
    if (len < 0 || len >= PATH_BYTES)
        return error_set(err, ERR_SETTING,
                         "the folder of keys has too long "
                         "a path");
    return 0;
}

bool curve_is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= CURVE_NAME_MAX && name[0] != '.' &&
           strcmp(name, "master") &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789._-") == len;
}

/* ---- reading ---- */

static int check_secret(int fd, const char *path, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status))
        return error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(err, ERR_SETTING,
                         "%s holds a secret key, and others than its owner "
                         "may use it (mode %03o): chmod 600 %s",
                         path, (unsigned)status.st_mode & 0777, path);
    return 0;
}

static int read_text(const char *path, bool secret, char text[FILE_BYTES],
                     struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, ERR_NOT_FOUND,
                         "%s: %s; `windrow keygen` makes the keys of a "
                         "cluster",
                         path, strerror(errno));
    ssize_t len = secret && check_secret(fd, path, err)
                      ? 0
                      : read(fd, text, FILE_BYTES - 1);
    if (len < 0)
        error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return (int)err->code;
}

/* The key in a line "WORD KEY", or, without a word, alone. */
static int find_key(const char *path, const char *text, const char *word,
                    char ret[CURVE_KEY_BYTES], struct error *err)
{
    uint8_t raw[32];
    char key[CURVE_KEY_BYTES];
    const char *at = word ? strstr(text, word) : text;
    if (at && word)
        at += strlen(word);
    if (!at || sscanf(at, " %40s", key) != 1 || strlen(key) != 40 ||
        !zmq_z85_decode(raw, key))
        return error_set(err, ERR_SETTING,
                         "%s holds no%s key as `windrow keygen` writes it",
                         path, word ? word : "");
    memcpy(ret, key, CURVE_KEY_BYTES);
    return 0;
}

static int read_pair(const char *folder, const char *name,
                     struct curve_keys *ret, struct error *err)
{
    char path[PATH_BYTES], text[FILE_BYTES];
    if (path_of(path, folder, name, ".key", err) ||
        read_text(path, true, text, err) ||
        find_key(path, text, "public", ret->public, err) ||
        find_key(path, text, "secret", ret->secret, err))
        return (int)err->code;
    return 0;
}

int curve_read_master(const char *folder, struct curve_keys *ret,
                      struct error *err)
{
    struct curve_keys keys = {.master = ""};
    if (read_pair(folder, "master", &keys, err))
        return (int)err->code;
    *ret = keys;
    return 0;
}

int curve_read_node(const char *folder, const char *name,
                    struct curve_keys *ret, struct error *err)
{
    struct curve_keys keys;
    char path[PATH_BYTES], text[FILE_BYTES];
    if (!curve_is_name(name))
        return error_set(err, ERR_USAGE, "\"%.64s\" is no name of a node's key",
                         name);
    if (read_pair(folder, name, &keys, err) ||
        path_of(path, folder, "master", ".pub", err) ||
        read_text(path, false, text, err) ||
        find_key(path, text, NULL, keys.master, err))
        return (int)err->code;
    *ret = keys;
    return 0;
}

/* ---- making ---- */

static int write_all(int fd, const char *path, const char *text,
                     struct error *err)
{
    size_t len = strlen(text);
    if (write(fd, text, len) != (ssize_t)len || fsync(fd))
        return error_set(err, ERR_FILE, "%s can't be written: %s", path,
                         strerror(errno));
    return 0;
}

/* ERR_CONFLICT where it is there already. */
static int write_new(const char *path, mode_t mode, const char *text,
                     struct error *err)
{
    char draft[PATH_BYTES + 16];
    snprintf(draft, sizeof draft, "%s.%d", path, (int)getpid());
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return error_set(err, ERR_FILE, "%s can't be written: %s", draft,
                         strerror(errno));
    int status = write_all(fd, draft, text, err);
    close(fd);
    if (!status && link(draft, path))
        status = error_set(err, errno == EEXIST ? ERR_CONFLICT : ERR_FILE,
                           errno == EEXIST ? "%s is there already%.0s"
                                           : "%s can't be written: %s",
                           path, strerror(errno));
    unlink(draft);
    return status;
}

static int make_folder(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) && errno != EEXIST)
        return error_set(err, ERR_FILE, "the folder %s can't be made: %s", path,
                         strerror(errno));
    return 0;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The secret half goes last: where it is there, so is the public one. A pair
 * that was left half is made anew. */
static int make_pair(const char *folder, const char *name, const char *public,
                     struct error *err)
{
    char key_path[PATH_BYTES], public_path[PATH_BYTES];
    char public_key[CURVE_KEY_BYTES], secret_key[CURVE_KEY_BYTES];
    char text[FILE_BYTES];
    if (path_of(key_path, folder, name, ".key", err) ||
        path_of(public_path, folder, public, ".pub", err))
        return (int)err->code;
    if (is_there(key_path))
        return error_set(err, ERR_CONFLICT, "%s is there already", key_path);
    if (zmq_curve_keypair(public_key, secret_key))
        return error_set(err, ERR_SYSTEM, "no keys: %s", zmq_strerror(errno));
    unlink(public_path);
    snprintf(text, sizeof text, "%s\n", public_key);
    if (write_new(public_path, 0644, text, err))
        return (int)err->code;
    snprintf(text, sizeof text, "public %s\nsecret %s\n", public_key,
             secret_key);
    return write_new(key_path, 0600, text, err);
}

static int make_folders(const char *folder, struct error *err)
{
    char allowed[PATH_BYTES];
    if (path_of(allowed, folder, "allowed", "", err) ||
        make_folder(folder, 0700, err))
        return (int)err->code;
    return make_folder(allowed, 0755, err);
}

/* What is there already is no error where it was only to be there. */
static int forgive(bool if_missing, struct error *err)
{
    if (if_missing && err->code == ERR_CONFLICT)
        *err = ERROR_NONE;
    return (int)err->code;
}

int curve_make_node(const char *folder, const char *name, bool if_missing,
                    struct error *err)
{
    char public[CURVE_NAME_MAX + sizeof "allowed/"];
    if (!curve_is_name(name))
        return error_set(err, ERR_USAGE,
                         "\"%.64s\" can't name a node: 1 to 63 of "
                         "A-Z a-z 0-9 . _ -, and not \"master\"",
                         name);
    snprintf(public, sizeof public, "allowed/%s", name);
    if (!make_folders(folder, err))
        (void)!make_pair(folder, name, public, err);
    return forgive(if_missing, err);
}

int curve_make_folder(const char *folder, bool if_missing, struct error *err)
{
    if (!make_folders(folder, err))
        (void)!make_pair(folder, "master", "master", err);
    if (forgive(if_missing, err))
        return (int)err->code;
    return curve_make_node(folder, "node", if_missing, err);
}

/* ---- sockets ---- */

static int set_text(struct wire_socket *socket, int option, const char *value)
{
    return zmq_setsockopt(socket->zmq, option, value, strlen(value));
}

static int set_pair(struct wire_socket *socket, const struct curve_keys *keys)
{
    return set_text(socket, ZMQ_CURVE_PUBLICKEY, keys->public) ||
           set_text(socket, ZMQ_CURVE_SECRETKEY, keys->secret);
}

static int refused(struct error *err)
{
    return error_set(err, ERR_SYSTEM,
                     "ZeroMQ takes no keys (was it built without CURVE?): %s",
                     zmq_strerror(errno));
}

/* With the domain enforced, a server without a guard lets nobody in. */
int curve_secure_server(struct wire_socket *socket,
                        const struct curve_keys *keys, struct error *err)
{
    int on = 1;
    if (zmq_setsockopt(socket->zmq, ZMQ_CURVE_SERVER, &on, sizeof on) ||
        set_text(socket, ZMQ_ZAP_DOMAIN, SOCKET_ZAP_DOMAIN) ||
        zmq_setsockopt(socket->zmq, ZMQ_ZAP_ENFORCE_DOMAIN, &on, sizeof on) ||
        set_pair(socket, keys))
        return refused(err);
    return 0;
}

int curve_secure_client(struct wire_socket *socket,
                        const struct curve_keys *keys, struct error *err)
{
    if (set_text(socket, ZMQ_CURVE_SERVERKEY, keys->master) ||
        set_pair(socket, keys))
        return refused(err);
    return 0;
}

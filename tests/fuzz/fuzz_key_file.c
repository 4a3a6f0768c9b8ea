/*
 * Any bytes as the files of a key folder: the master's pair, a node's, the
 * master's public half. A key is taken or refused with words; one that is
 * taken is a key of ZeroMQ's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "wire/curve.h"

static char folder[] = "/dev/shm/windrow-fuzz-keys-XXXXXX";

static void remove_folder(void)
{
    static const char *const names[] = {"master.key", "master.pub", "node.key"};
    char path[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void write_file(const char *name, const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static void check_key(const char *key)
{
    uint8_t bytes[32];
    CHECK(strlen(key) == CURVE_KEY_BYTES - 1);
    CHECK(zmq_z85_decode(bytes, key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    if (!begun) {
        CHECK(mkdtemp(folder));
        atexit(remove_folder);
        begun = true;
    }
    static const uint8_t good[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    struct curve_keys keys;
    struct error err = ERROR_NONE;
    write_file("master.key", data, size);
    write_file("node.key", data, size);
    if (size % 2)
        write_file("master.pub", data, size);
    else
        write_file("master.pub", good, sizeof good - 1);
    if (!curve_read_master(folder, &keys, &err)) {
        check_key(keys.public);
        check_key(keys.secret);
    } else {
        CHECK(err.text[0]);
    }
    err = ERROR_NONE;
    if (!curve_read_node(folder, "node", &keys, &err)) {
        check_key(keys.public);
        check_key(keys.secret);
        check_key(keys.master);
    } else {
        CHECK(err.text[0]);
    }
    return 0;
}

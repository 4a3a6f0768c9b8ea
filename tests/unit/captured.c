/* captured.c: see captured.h. The text goes through a file without a name, so
 * that its length does not matter to the writer. */
#include "captured.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int captured_fd, kept, file;

void captured_begin(int fd)
{
    fflush(NULL);
    captured_fd = fd;
    kept = dup(fd);
    file = memfd_create("captured", 0);
    assert_true(kept >= 0 && file >= 0);
    assert_int_equal(dup2(file, fd), fd);
}

const char *captured_end(void)
{
    static char text[CAPTURED_BYTES_MAX];
    fflush(NULL);
    ssize_t len = pread(file, text, sizeof text - 1, 0);
    dup2(kept, captured_fd);
    close(kept);
    close(file);
    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

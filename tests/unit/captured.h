/*
 * captured.h: what a piece of code writes to standard output or error.
 *
 *     captured_begin(STDERR_FILENO);
 *     log_info("node 2", "ready");
 *     assert_non_null(strstr(captured_end(), "node 2: ready"));
 */
#ifndef TESTS_CAPTURED_H
#define TESTS_CAPTURED_H

#define CAPTURED_BYTES_MAX 65536

/* One descriptor at a time. */
void captured_begin(int fd);
/* Gives the descriptor back; the text is good until the next call. */
const char *captured_end(void);

#endif

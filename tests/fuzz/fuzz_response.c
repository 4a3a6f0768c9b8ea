/*
 * Any bytes as what a server sends: a transfer as node/fetch.c makes it, whose
 * socket is one end of a pair, with the bytes at the other end.
 *
 * The body is within its limit, Retry-After within its own, a redirect is
 * text, and each end has a reason that is known.
 */
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "extract.h"
#include "fetch_options.h"
#include "pipeline/template.h"

#define BODY_MAX 2048

static const struct request request = {.user_agent = "fuzz",
                                       .timeout = 2 * USEC_PER_SEC,
                                       .connect_timeout = 2 * USEC_PER_SEC,
                                       .body_bytes_max = BODY_MAX};
static struct transfer transfer;
static CURL *easy;

static curl_socket_t on_open(void *context, curlsocktype purpose,
                             struct curl_sockaddr *address)
{
    const int *fd = context;
    (void)purpose;
    (void)address;
    return dup(*fd);
}

static int on_option(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context;
    (void)fd;
    (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static void begin(int *fd)
{
    if (!easy) {
        CHECK((easy = curl_easy_init()));
        CHECK(transfer_options(&transfer, easy, &request, NULL));
        curl_easy_setopt(easy, CURLOPT_URL, "http://192.0.2.1/a/b?c=d");
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
        curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_option);
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, NULL);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fd);
    transfer_begin(&transfer);
}

static void look_at(CURLcode code)
{
    struct fetch_answer answer;
    struct buffer host = BUFFER_EMPTY;
    transfer_answer(&transfer, easy, code, &answer);
    CHECK(answer.reason < REASON_COUNT && answer.http_status >= 0);
    CHECK(memchr(answer.detail, '\0', sizeof answer.detail));
    CHECK(answer.retry_after >= -1 && answer.retry_after <= RETRY_AFTER_MAX);
    CHECK(answer.body.len <= BODY_MAX);
    if (answer.reason == REASON_NONE && !answer.redirect.len)
        memset(transfer.body.data + answer.body.len, ' ', EXTRACT_PADDING);
    if (answer.redirect.len && url_host(answer.redirect, &host))
        CHECK(!strpbrk(host.data, "\r\n"));
    buffer_free(&host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    ssize_t sent = send(pair[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    CHECK(sent >= 0 || size == 0 || size > 65536);
    CHECK(!shutdown(pair[1], SHUT_WR));
    begin(&pair[0]);
    look_at(curl_easy_perform(easy));
    close(pair[0]);
    close(pair[1]);
    return 0;
}

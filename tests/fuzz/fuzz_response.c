/*
 * Any bytes as what a server sends: a transfer as node/fetch.c makes it, over
 * a Unix socket whose server has no more to say than these bytes.
 *
 * The body is within its limit, Retry-After within its own, a redirect is
 * text, and each end has a reason that is known.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "extract.h"
#include "fetch_age.h"
#include "fetch_options.h"
#include "ledger/answer.h"
#include "pipeline/template.h"

#define BODY_MAX 2048

static const struct request request = {.user_agent = "fuzz",
                                       .timeout = 2 * USEC_PER_SEC,
                                       .cache = CACHE_OBEY,
                                       .connect_timeout = 2 * USEC_PER_SEC,
                                       .body_bytes_max = BODY_MAX};
static struct transfer transfer;
static CURL *easy;
static int listener;

/* libcurl is connected, and about to ask: here is the answer. */
static int on_connected(void *context, char *ip, char *own_ip, int port,
                        int own_port)
{
    const struct slice *answer = context;
    (void)ip;
    (void)own_ip;
    (void)port;
    (void)own_port;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(fd >= 0);
    if (send(fd, answer->data, answer->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        CHECK(answer->len > 65536);
    CHECK(!shutdown(fd, SHUT_WR));
    /* Open until the request was sent: a reset would lose the answer. */
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)(intptr_t)fd);
    return CURL_PREREQFUNC_OK;
}

static void listen_once(struct sockaddr_un *address)
{
    static bool listening;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(address->sun_path + 1, sizeof address->sun_path - 1,
                       "windrow-fuzz-%d", (int)getpid());
    if (listening)
        return;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(!bind(listener, (struct sockaddr *)address,
                (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)len)));
    CHECK(!listen(listener, 4));
    listening = true;
}

static void begin(void)
{
    struct sockaddr_un address;
    listen_once(&address);
    CHECK((easy = curl_easy_init()));
    CHECK(transfer_options(&transfer, easy, &request, false, NULL, NULL));
    CHECK(transfer_url(&transfer, "http://192.0.2.1/a/b?c=d"));
    curl_easy_setopt(easy, CURLOPT_ABSTRACT_UNIX_SOCKET, address.sun_path + 1);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

/* What may be sent back, and stored. */
static void check_validator(struct slice value)
{
    CHECK(value.len <= ANSWER_VALIDATOR_BYTES_MAX);
    for (size_t i = 0; i < value.len; i++)
        CHECK(value.data[i] >= ' ' && value.data[i] <= '~');
}

static void look_at(CURLcode code)
{
    struct fetch_answer answer;
    struct buffer host = BUFFER_EMPTY;
    transfer_answer(&transfer, easy, code, &answer);
    CHECK(answer.reason < REASON_COUNT);
    CHECK(answer.http_status >= 0 && answer.http_status <= 999);
    CHECK(memchr(answer.detail, '\0', sizeof answer.detail));
    CHECK(answer.retry_after >= -1 && answer.retry_after <= RETRY_AFTER_MAX);
    CHECK(answer.body.len <= BODY_MAX);
    CHECK(answer.fresh >= 0 && answer.fresh <= AGE_FRESH_MAX);
    CHECK(!answer.unchanged);
    check_validator(answer.etag);
    check_validator(answer.modified);
    if (answer.reason == REASON_NONE && !answer.redirect.len)
        memset(transfer.body.data + answer.body.len, ' ', EXTRACT_PADDING);
    if (answer.redirect.len && url_host(answer.redirect, &host))
        CHECK(!strpbrk(host.data, "\r\n"));
    buffer_free(&host);
}

static CURLcode ask(struct slice answer)
{
    char *fd = NULL;
    transfer_begin(&transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, &answer);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &fd);
    if (fd)
        close((int)(intptr_t)fd);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* By a handle that was used before, as fetch.c has it: what it remembers must
 * not matter. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"
                                "Content-Length: 2\r\n\r\nok";
    begin();
    CHECK(ask(slice_of(first)) == CURLE_OK);
    look_at(ask((struct slice){(const char *)data, size}));
    curl_easy_cleanup(easy);
    transfer_free(&transfer);
    return 0;
}

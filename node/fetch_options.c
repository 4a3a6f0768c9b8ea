/*
 * fetch_options.c: see fetch_options.h.
 *
 * Nothing that a server sends is trusted: its head is counted, its body too,
 * after decoding (libcurl 7.88's own limit is not enough), its redirects are
 * only reported, its Retry-After is cut.
 */
#include "fetch_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "extract.h"

#define RECEIVE_BYTES 16384 /* libcurl's buffer for each transfer */
#define IDLE_SECONDS_MAX 50 /* below the idle limits of common servers */

/* The head is counted as the body is: of no answer, with all that come before
 * it (1xx), does it exceed FETCH_HEAD_BYTES_MAX. */
static size_t on_header(char *data, size_t size, size_t n, void *context)
{
    (void)data;
    struct transfer *transfer = context;
    transfer->head_bytes += size * n;
    return transfer->head_bytes <= FETCH_HEAD_BYTES_MAX ? size * n : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    size_t len = size * n;
    size_t most = (size_t)transfer->request->body_bytes_max;
    if (transfer->body.len + len > most) {
        transfer->too_large = true;
        return 0;
    }
    if (!buffer_reserve(&transfer->body, len + EXTRACT_PADDING) ||
        !buffer_append(&transfer->body, data, len)) {
        transfer->out_of_memory = true;
        return 0;
    }
    return len;
}

static bool is_private_v4(uint32_t a)
{
    return a >> 24 == 0 || a >> 24 == 10 || a >> 24 == 127 ||
           a >> 20 == 0xAC1 || a >> 16 == 0xC0A8 || a >> 16 == 0xA9FE ||
           (a >> 22) == (0x64400000u >> 22) || a >> 28 >= 0xE;
}

/* RFC 1918, 4193, 6598, loopback, link-local, multicast, unspecified. */
static bool is_private(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return is_private_v4(ntohl(v4.sin_addr.s_addr));
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    const unsigned char *b = v6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        uint32_t v4;
        memcpy(&v4, b + 12, sizeof v4);
        return is_private_v4(ntohl(v4));
    }
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
           IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr) || (b[0] & 0xFE) == 0xFC ||
           (b[0] == 0xFE && (b[1] & 0xC0) == 0x80) || b[0] == 0xFF;
}

static curl_socket_t on_open(void *context, curlsocktype purpose,
                             struct curl_sockaddr *address)
{
    (void)purpose;
    struct transfer *transfer = context;
    if (transfer->request->deny_private && is_private(&address->addr)) {
        transfer->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

/* on_open() does not see a connection that is used again, and another request
 * may have opened it. */
static int on_connection(void *context, char *ip, char *own_ip, int port,
                         int own_port)
{
    (void)own_ip;
    (void)port;
    (void)own_port;
    struct transfer *transfer = context;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool six = inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1;
    bool known = six || inet_pton(AF_INET, ip, &v4.sin_addr) == 1;
    if (!transfer->request->deny_private ||
        (known &&
         !is_private(six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4)))
        return CURL_PREREQFUNC_OK;
    transfer->denied = true;
    return CURL_PREREQFUNC_ABORT;
}

#define SET(option, value)                                                     \
    if (curl_easy_setopt(easy, option, value) != CURLE_OK)                     \
    return false

static bool set_headers(struct transfer *transfer, CURL *easy,
                        const struct request *request)
{
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    for (size_t i = 0; i < request->n_headers; i++) {
        struct curl_slist *more =
            curl_slist_append(transfer->headers, request->headers[i]);
        if (!more)
            return false;
        transfer->headers = more;
    }
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    return true;
}

/* TLS as libcurl verifies it by default, 1.2 at least. Without a CA folder,
 * or libcurl would not cache the CA file: 17 ms a handshake. */
static bool set_security(CURL *easy, CURLSH *share)
{
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SHARE, share);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    return true;
}

bool transfer_options(struct transfer *transfer, CURL *easy,
                      const struct request *request, CURLSH *share)
{
    transfer->request = request;
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_PREREQFUNCTION, on_connection);
    SET(CURLOPT_PREREQDATA, transfer);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(CURLOPT_USERAGENT, request->user_agent);
    SET(CURLOPT_TIMEOUT_MS, (long)(request->timeout / USEC_PER_MSEC));
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(request->connect_timeout / USEC_PER_MSEC));
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->body_bytes_max);
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    SET(CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS_MAX);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L); /* resolve.c refreshes it */
    return set_security(easy, share) && set_headers(transfer, easy, request);
}

void transfer_begin(struct transfer *transfer)
{
    buffer_clear(&transfer->body);
    transfer->head_bytes = 0;
    transfer->too_large = false;
    transfer->denied = false;
    transfer->out_of_memory = false;
}

/* libcurl 7.88 calls it out of memory when a line exceeds its 100 KB. */
static bool head_too_large(const struct transfer *transfer, CURL *easy,
                           CURLcode code)
{
    curl_off_t first_byte = 0;
    curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
    return transfer->head_bytes > FETCH_HEAD_BYTES_MAX ||
           (code == CURLE_OUT_OF_MEMORY && first_byte > 0 &&
            transfer->body.len == 0);
}

static enum reason reason_of_code(const struct transfer *transfer,
                                  CURLcode code)
{
    if (transfer->too_large)
        return REASON_TOO_LARGE;
    if (transfer->denied)
        return REASON_REDIRECT;
    if (transfer->out_of_memory)
        return REASON_INTERNAL;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return REASON_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
        return REASON_DNS;
    case CURLE_COULDNT_CONNECT:
        return REASON_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return REASON_TLS;
    case CURLE_FILESIZE_EXCEEDED:
        return REASON_TOO_LARGE;
    case CURLE_URL_MALFORMAT:
        return REASON_BAD_KEY;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return REASON_INTERNAL;
    /* PARTIAL_FILE, RECV_ERROR, GOT_NOTHING, BAD_CONTENT_ENCODING, and, since
     * only http and https are asked for, UNSUPPORTED_PROTOCOL: no HTTP. */
    default:
        return REASON_CUT;
    }
}

static enum reason reason_of_status(long status, bool retry_after)
{
    if (status == 206) /* a part, which was not asked for */
        return REASON_STATUS_RETRY;
    if (status >= 200 && status < 300)
        return REASON_NONE;
    if (status == 404 || status == 410)
        return REASON_NOT_FOUND;
    if (status == 429 || (status == 503 && retry_after))
        return REASON_REFUSED;
    if (status == 408 || status == 425 || status >= 500)
        return REASON_STATUS_RETRY;
    return REASON_STATUS;
}

static usec_t retry_after(CURL *easy)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds == 0)
        return -1; /* libcurl can't tell an absent one from 0 */
    if (seconds < 0)
        return 0; /* a date that has passed */
    usec_t most = RETRY_AFTER_MAX / USEC_PER_SEC;
    return (seconds < most ? seconds : most) * USEC_PER_SEC;
}

void transfer_answer(struct transfer *transfer, CURL *easy, CURLcode code,
                     struct fetch_answer *answer)
{
    *answer = (struct fetch_answer){.retry_after = -1};
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer->http_status = (int)status;
    bool head = code != CURLE_OK && head_too_large(transfer, easy, code);
    if (code != CURLE_OK) {
        answer->reason =
            head ? REASON_TOO_LARGE : reason_of_code(transfer, code);
        snprintf(answer->detail, sizeof answer->detail, "%s",
                 head                  ? "the answer's head is too large"
                 : transfer->too_large ? "the body exceeds body_max"
                 : transfer->denied
                     ? "a private address, and deny_private is set"
                     : curl_easy_strerror(code));
        return;
    }
    answer->retry_after = retry_after(easy);
    char *location = NULL;
    if (status >= 300 && status < 400)
        curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location);
    if (location) {
        answer->redirect = slice_of(location);
        return;
    }
    answer->reason = reason_of_status(status, answer->retry_after >= 0);
    if (answer->reason != REASON_NONE)
        snprintf(answer->detail, sizeof answer->detail, "HTTP status %ld",
                 status);
    buffer_reserve(&transfer->body, EXTRACT_PADDING); /* an empty body too */
    answer->body = (struct slice){transfer->body.data, transfer->body.len};
}

void transfer_free(struct transfer *transfer)
{
    buffer_free(&transfer->body);
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
}

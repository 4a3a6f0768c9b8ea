/*
 * fetch_options.c: see fetch_options.h.
 *
 * Nothing that a server sends is trusted: its head is counted, its body too,
 * after decoding (libcurl 7.88's own limit is not enough), its redirects are
 * only reported, its Retry-After is cut.
 */
#include "fetch_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "extract.h"
#include "fetch_head.h"
#include "fetch_url.h"

#define STATUS_MAX 999
/* libcurl's buffer for each transfer: an answer such as the one before fits. */
#define RECEIVE_BYTES_MIN 2048
#define RECEIVE_BYTES_MAX 16384
#define IDLE_SECONDS_MAX 50 /* below the idle limits of common servers */

/*
 * libcurl before 8.1.1 keeps in a handle, when it is used again, a pointer to
 * the last header of the transfer before, which is freed, and where the first
 * header line of an answer is folded, it writes there
 * (https://github.com/curl/curl/pull/11103). So such a libcurl is asked to
 * write heads as well as bodies (CURLOPT_HEADER): it then shows each line to
 * on_written() before it looks at it, and on_written() refuses that one.
 */
#define VERSION_FORGETS_HEADERS 0x080101 /* 8.1.1 */

static bool heads_are_written(void)
{
    static unsigned version;
    if (!version)
        version = curl_version_info(CURLVERSION_NOW)->version_num;
    return version < VERSION_FORGETS_HEADERS;
}

/* Whether libcurl goes on to another head after this one. */
static bool is_interim(const struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 100 && status < 200 && status != 101;
}

/* After a line of a head. libcurl takes one that begins with an end of line
 * for the empty one. */
static void move_on(struct transfer *transfer, char first)
{
    if (transfer->part == TRANSFER_STATUS)
        transfer->part = TRANSFER_FIRST_LINE;
    else if (transfer->part == TRANSFER_LINES &&
             (first == '\r' || first == '\n'))
        transfer->part = is_interim(transfer) ? TRANSFER_STATUS : TRANSFER_BODY;
}

/* The head is counted as the body is: of no answer, with all that come before
 * it (1xx), does it exceed FETCH_HEAD_BYTES_MAX. */
static size_t on_header(char *data, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    move_on(transfer, *data);
    transfer->head_bytes += size * n;
    return transfer->head_bytes <= FETCH_HEAD_BYTES_MAX ? size * n : 0;
}

static size_t on_written(char *data, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    size_t len = size * n;
    if (transfer->part == TRANSFER_FIRST_LINE) {
        if (*data == ' ' || *data == '\t')
            return 0;
        transfer->part = TRANSFER_LINES;
    }
    if (transfer->part != TRANSFER_BODY)
        return len;
    size_t most = (size_t)transfer->request->body_bytes_max;
    if (transfer->body.len + len > most) {
        transfer->too_large = true;
        return 0;
    }
    struct spare_bodies *spare = transfer->spare;
    if (!transfer->body.data && spare && spare->n)
        transfer->body = spare->list[--spare->n];
    if (!buffer_reserve(&transfer->body, len + EXTRACT_PADDING) ||
        !buffer_append(&transfer->body, data, len)) {
        transfer->out_of_memory = true;
        return 0;
    }
    return len;
}

/* Networks that are not the public Internet: RFC 6890, 1918, 6598, 4193. */
static const struct {
    const char *network;
    unsigned bits;
} private_v4[] = {
    {"0.0.0.0", 8},    {"10.0.0.0", 8},     {"100.64.0.0", 10},
    {"127.0.0.0", 8},  {"169.254.0.0", 16}, {"172.16.0.0", 12},
    {"192.0.0.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15},
    {"224.0.0.0", 3}, /* multicast, and what is reserved above */
};

/* Only what is given out, 2000::/3, is public; and 6to4, which is in it, and
 * NAT64, which is not, lead to the IPv4 address that they hold. */
enum { V6_MAPPED_AT = 12, V6_NAT64_AT = 12, V6_6TO4_AT = 2 };

static bool is_private_v4(const unsigned char *bytes)
{
    uint32_t address, network;
    memcpy(&address, bytes, sizeof address);
    for (size_t i = 0; i < sizeof private_v4 / sizeof *private_v4; i++) {
        CHECK(inet_pton(AF_INET, private_v4[i].network, &network) == 1);
        unsigned rest = 32 - private_v4[i].bits;
        if (ntohl(address) >> rest == ntohl(network) >> rest)
            return true;
    }
    return false;
}

static bool is_private_v6(const struct in6_addr *address)
{
    static const unsigned char nat64[V6_NAT64_AT] = {0, 0x64, 0xFF, 0x9B};
    const unsigned char *b = address->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(address))
        return is_private_v4(b + V6_MAPPED_AT);
    if (!memcmp(b, nat64, sizeof nat64))
        return is_private_v4(b + V6_NAT64_AT);
    if (b[0] == 0x20 && b[1] == 0x02)
        return is_private_v4(b + V6_6TO4_AT);
    return (b[0] & 0xE0) != 0x20;
}

static bool is_private(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return is_private_v4((const unsigned char *)&v4.sin_addr);
    }
    if (address->sa_family != AF_INET6)
        return true;
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    return is_private_v6(&v6.sin6_addr);
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
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                    address->protocol);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        transfer->no_descriptor = true;
    return fd;
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
    if (known &&
        !is_private(six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4))
        return CURL_PREREQFUNC_OK;
    transfer->denied = true;
    return CURL_PREREQFUNC_ABORT;
}

#define SET(option, value)                                                     \
    if (curl_easy_setopt(easy, option, value) != CURLE_OK)                     \
    return false

static bool add_header(struct transfer *transfer, const char *header)
{
    struct curl_slist *more = curl_slist_append(transfer->headers, header);
    if (!more)
        return false;
    transfer->headers = more;
    return true;
}

/* Unless the request has one of its own. libcurl's options for these two put
 * them together anew for each transfer, byte by byte. */
static bool add_default(struct transfer *transfer, const char *name,
                        const char *value)
{
    size_t len = strlen(name);
    const struct curl_slist *header = transfer->headers;
    for (; header; header = header->next)
        if (!strncasecmp(header->data, name, len) && header->data[len] == ':')
            return true;
    struct buffer text = BUFFER_EMPTY;
    buffer_printf(&text, "%s: %s", name, value);
    bool added = !text.failed && add_header(transfer, buffer_text(&text));
    buffer_free(&text);
    return added;
}

static bool set_headers(struct transfer *transfer,
                        const struct request *request, bool foreign)
{
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    for (size_t i = 0; i < request->n_headers; i++) {
        if (foreign && strncasecmp(request->headers[i], "Accept", 6))
            continue;
        if (!add_header(transfer, request->headers[i]))
            return false;
    }
    return add_default(transfer, "User-Agent", request->user_agent) &&
           add_default(transfer, "Accept-Encoding", "gzip");
}

/* TLS as libcurl verifies it by default, 1.2 at least. Without a CA folder,
 * or libcurl would not cache the CA file: 17 ms a handshake. */
static bool set_security(CURL *easy, CURLSH *share, const char *ca_file)
{
    SET(CURLOPT_CAPATH, NULL);
    if (ca_file)
        SET(CURLOPT_CAINFO, ca_file);
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
                      const struct request *request, bool foreign,
                      CURLSH *share, const char *ca_file)
{
    transfer->request = request;
    transfer->easy = easy;
    free(transfer->base);
    transfer->base = NULL;
    transfer->receive_bytes = 0;
    SET(CURLOPT_HEADER, heads_are_written() ? 1L : 0L);
    SET(CURLOPT_WRITEFUNCTION, on_written);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    if (request->deny_private) {
        SET(CURLOPT_PREREQFUNCTION, on_connection);
        SET(CURLOPT_PREREQDATA, transfer);
    }
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip"); /* to be undone */
    SET(CURLOPT_TIMEOUT_MS, (long)(request->timeout / USEC_PER_MSEC));
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(request->connect_timeout / USEC_PER_MSEC));
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->body_bytes_max);
    SET(CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS_MAX);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L); /* resolve.c refreshes it */
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    return set_security(easy, share, ca_file) &&
           set_headers(transfer, request, foreign);
}

static bool set_receive_bytes(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    long bytes = RECEIVE_BYTES_MIN;
    while (bytes < RECEIVE_BYTES_MAX && (size_t)bytes < transfer->answer_bytes)
        bytes *= 2;
    if (bytes != transfer->receive_bytes)
        SET(CURLOPT_BUFFERSIZE, bytes);
    transfer->receive_bytes = bytes;
    return true;
}

/* Tells libcurl scheme and host, unless it knows them. */
static bool set_base(struct transfer *transfer, const char *url, size_t len)
{
    CURL *easy = transfer->easy;
    if (transfer->base && !strncmp(transfer->base, url, len) &&
        !transfer->base[len])
        return true;
    free(transfer->base);
    transfer->base = strndup(url, len);
    if (!transfer->base)
        return false;
    SET(CURLOPT_URL, transfer->base);
    return true;
}

bool transfer_url(struct transfer *transfer, const char *url)
{
    CURL *easy = transfer->easy;
    size_t base = fetch_url_base(url);
    transfer->url = url;
    if (base) {
        if (!set_base(transfer, url, base))
            return false;
        SET(CURLOPT_REQUEST_TARGET, url + base);
    } else {
        free(transfer->base);
        transfer->base = NULL;
        SET(CURLOPT_URL, url);
        SET(CURLOPT_REQUEST_TARGET, NULL);
    }
    SET(CURLOPT_HTTPHEADER,
        fetch_condition_list(&transfer->condition, transfer->headers));
    return set_receive_bytes(transfer);
}

void transfer_begin(struct transfer *transfer)
{
    curl_free(transfer->redirect);
    transfer->redirect = NULL;
    buffer_clear(&transfer->body);
    transfer->part = heads_are_written() ? TRANSFER_STATUS : TRANSFER_BODY;
    transfer->head_bytes = 0;
    transfer->too_large = false;
    transfer->denied = false;
    transfer->out_of_memory = false;
    transfer->no_descriptor = false;
    transfer->error[0] = '\0';
}

/* The connection broke in mid-handshake, which may pass: libcurl has the same
 * code for it as for a peer that can't agree, and other words. */
static bool handshake_cut(const struct transfer *transfer)
{
    static const char *const words[] = {"Recv failure", "Send failure",
                                        "SSL_connect: ", "unexpected eof"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(transfer->error, words[i]))
            return true;
    return false;
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
        return REASON_PRIVATE;
    if (transfer->out_of_memory)
        return REASON_INTERNAL;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return REASON_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
        return REASON_DNS;
    case CURLE_COULDNT_CONNECT:
        return transfer->no_descriptor ? REASON_INTERNAL : REASON_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
        return handshake_cut(transfer) ? REASON_CONNECT : REASON_TLS;
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

enum reason transfer_reason(long status, bool retry_after)
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

/* Where the answer leads; NULL: nowhere. libcurl tells it from the URL that it
 * knows, which is not all of it. */
static const char *redirect_of(struct transfer *transfer, CURL *easy)
{
    char *location = NULL;
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location);
    if (!location || !transfer->base)
        return location;
    const char *sent = fetch_head_location(easy);
    if (!sent)
        return location;
    transfer->redirect = fetch_url_resolve(transfer->url, sent);
    return transfer->redirect ? transfer->redirect : sent;
}

void transfer_answer(struct transfer *transfer, CURL *easy, CURLcode code,
                     struct fetch_answer *answer)
{
    *answer = (struct fetch_answer){.retry_after = -1};
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 0 || status > STATUS_MAX) {
        status = 0; /* libcurl takes any number after "HTTP/2" */
        code = code == CURLE_OK ? CURLE_WEIRD_SERVER_REPLY : code;
    }
    answer->http_status = (int)status;
    bool head = code != CURLE_OK && head_too_large(transfer, easy, code);
    if (code != CURLE_OK) {
        answer->reason =
            head ? REASON_TOO_LARGE : reason_of_code(transfer, code);
        snprintf(answer->detail, sizeof answer->detail, "%.*s",
                 FETCH_DETAIL_BYTES - 1,
                 head                  ? "the answer's head is too large"
                 : transfer->too_large ? "the body exceeds body_max"
                 : transfer->denied    ? reason_text(REASON_PRIVATE)
                 : answer->reason == REASON_INTERNAL && transfer->no_descriptor
                     ? "no descriptor is left in the node: raise ulimit -n"
                 : answer->reason == REASON_TLS && transfer->error[0]
                     ? transfer->error
                     : curl_easy_strerror(code));
        return;
    }
    answer->retry_after = fetch_head_retry_after(easy);
    answer->url = slice_of(transfer->url);
    if (transfer->request->cache != CACHE_IGNORE)
        fetch_head_cache(easy, answer);
    answer->unchanged =
        status == 304 && fetch_condition_is_set(&transfer->condition);
    if (answer->unchanged)
        return;
    if (status >= 300 && status < 400)
        answer->redirect = slice_of(redirect_of(transfer, easy));
    if (answer->redirect.len)
        return;
    answer->reason = transfer_reason(status, answer->retry_after >= 0);
    if (answer->reason != REASON_NONE)
        snprintf(answer->detail, sizeof answer->detail, "HTTP status %ld",
                 status);
    buffer_reserve(&transfer->body, EXTRACT_PADDING); /* an empty body too */
    answer->body = (struct slice){transfer->body.data, transfer->body.len};
}

void transfer_rest(struct transfer *transfer)
{
    struct spare_bodies *spare = transfer->spare;
    transfer->answer_bytes = transfer->head_bytes + transfer->body.len;
    if (!transfer->body.data)
        return;
    if (!spare || spare->n == SPARE_BODIES_MAX ||
        transfer->body.capacity > FETCH_BUFFER_KEEP) {
        buffer_free(&transfer->body);
        return;
    }
    buffer_clear(&transfer->body);
    spare->list[spare->n++] = transfer->body;
    transfer->body = BUFFER_EMPTY;
}

void spare_bodies_free(struct spare_bodies *spare)
{
    while (spare->n)
        buffer_free(&spare->list[--spare->n]);
}

void transfer_free(struct transfer *transfer)
{
    buffer_free(&transfer->body);
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    fetch_condition_fini(&transfer->condition);
    free(transfer->base);
    transfer->base = NULL;
    curl_free(transfer->redirect);
    transfer->redirect = NULL;
}

/* fetch_head.c: see fetch_head.h. */
#include "fetch_head.h"

#include "fetch_age.h"
#include "ledger/answer.h"

usec_t fetch_head_retry_after(CURL *easy)
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

static const char *header_of(CURL *easy, const char *name, size_t i)
{
    struct curl_header *header = NULL;
    return curl_easy_header(easy, name, i, CURLH_HEADER, -1, &header)
               ? NULL
               : header->value;
}

/* Of an empty header, libcurl has the end of the line for its value. */
const char *fetch_head_location(CURL *easy)
{
    const char *value = NULL;
    for (size_t i = 0; (value = header_of(easy, "Location", i)); i++)
        if (value[strspn(value, " \t\r\n")])
            break;
    return value;
}

/* As it may be sent back, and stored: printable ASCII. */
static struct slice validator_of(CURL *easy, const char *name)
{
    struct slice value = slice_of(header_of(easy, name, 0));
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ' || value.data[i] > '~')
            return (struct slice){0};
    if (!value.len || value.len > ANSWER_VALIDATOR_BYTES_MAX)
        return (struct slice){0};
    return value;
}

static time_t date_of(CURL *easy, const char *name)
{
    const char *value = header_of(easy, name, 0);
    return value ? curl_getdate(value, NULL) : -1;
}

void fetch_head_cache(CURL *easy, struct fetch_answer *answer)
{
    struct age age = AGE_UNKNOWN;
    const char *control = NULL;
    for (size_t i = 0; (control = header_of(easy, "Cache-Control", i)); i++)
        age_add(&age, control);
    answer->no_store = age.no_store;
    answer->etag = validator_of(easy, "ETag");
    answer->modified = validator_of(easy, "Last-Modified");
    answer->fresh = age_fresh(&age, header_of(easy, "Age", 0),
                              date_of(easy, "Expires"), date_of(easy, "Date"));
}

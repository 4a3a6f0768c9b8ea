/* http.c: see http.h. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of `line` where its field is `name`, cut to `room`; else false. */
static bool field_value(struct slice line, const char *name, char *value,
                        size_t room)
{
    size_t name_len = strlen(name);
    if (line.len <= name_len || line.data[name_len] != ':' ||
        strncasecmp(line.data, name, name_len) != 0)
        return false;
    const char *from = line.data + name_len + 1;
    const char *end = line.data + line.len;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t len = (size_t)(end - from);
    if (len >= room)
        len = room - 1;
    memcpy(value, from, len);
    value[len] = '\0';
    return true;
}

static struct slice next_line(const char **rest, const char *end)
{
    const char *start = *rest;
    const char *stop = memmem(start, (size_t)(end - start), "\r\n", 2);
    *rest = stop ? stop + 2 : end;
    return (struct slice){start, (size_t)((stop ? stop : end) - start)};
}

/* METHOD SP target SP HTTP/1.x; 0 or the status of the refusal. */
static int parse_request_line(struct slice line, struct http_request *request)
{
    const char *end = line.data + line.len;
    const char *space = memchr(line.data, ' ', line.len);
    if (!space)
        return 400;
    size_t method_len = (size_t)(space - line.data);
    const char *target = space + 1;
    space = memchr(target, ' ', (size_t)(end - target));
    if (!space || end - space != 9 || memcmp(space, " HTTP/1.", 8) != 0)
        return 400;
    size_t target_len = (size_t)(space - target);
    if (method_len >= sizeof request->method)
        return 501;
    if (target_len >= sizeof request->target)
        return 414;
    if (!target_len || *target != '/' || memchr(line.data, '\0', line.len))
        return 400;
    memcpy(request->method, line.data, method_len);
    request->method[method_len] = '\0';
    memcpy(request->target, target, target_len);
    request->target[target_len] = '\0';
    request->keep_alive = request->chunked_understood = end[-1] >= '1';
    return 0;
}

static int parse_field(struct slice line, struct http_request *request,
                       size_t *body_bytes)
{
    char value[128];
    if (field_value(line, "User-Agent", request->user_agent,
                    sizeof request->user_agent) ||
        field_value(line, "If-None-Match", request->if_none_match,
                    sizeof request->if_none_match) ||
        field_value(line, "If-Modified-Since", request->if_modified_since,
                    sizeof request->if_modified_since))
        return 0;
    if (field_value(line, "Accept-Encoding", value, sizeof value)) {
        request->gzip = strstr(value, "gzip") && !strstr(value, "gzip;q=0");
    } else if (field_value(line, "Connection", value, sizeof value)) {
        if (strcasestr(value, "close"))
            request->keep_alive = false;
        else if (strcasestr(value, "keep-alive"))
            request->keep_alive = true;
    } else if (field_value(line, "Content-Length", value, sizeof value)) {
        char *end;
        unsigned long bytes = strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || *end)
            return 400;
        if (bytes > HTTP_BODY_BYTES_MAX)
            return 413;
        *body_bytes = bytes;
    } else if (field_value(line, "Transfer-Encoding", value, sizeof value)) {
        return 411;
    }
    return 0;
}

int http_parse(const char *text, size_t len, struct http_request *request,
               size_t *ret_used)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    if (!end && len > HTTP_HEAD_BYTES_MAX)
        return 431;
    if (!end)
        return HTTP_PARTIAL;
    if (end - text > HTTP_HEAD_BYTES_MAX)
        return 431;
    const char *rest = text;
    size_t body_bytes = 0;
    request->user_agent[0] = '\0';
    request->if_none_match[0] = request->if_modified_since[0] = '\0';
    request->gzip = false;
    int status = parse_request_line(next_line(&rest, end), request);
    while (!status && rest < end)
        status = parse_field(next_line(&rest, end), request, &body_bytes);
    if (status)
        return status;
    size_t used = (size_t)(end + 4 - text) + body_bytes;
    if (used > len)
        return HTTP_PARTIAL;
    *ret_used = used;
    return HTTP_COMPLETE;
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Other";
}

void http_append_head(struct buffer *to, const struct http_head *head)
{
    char length[64] = "Transfer-Encoding: chunked";
    if (head->body_bytes != HTTP_CHUNKED)
        snprintf(length, sizeof length, "Content-Length: %zu",
                 head->body_bytes);
    buffer_printf(to,
                  "HTTP/1.1 %d %s\r\nServer: windrow-origin\r\n"
                  "Content-Type: %s\r\n%s\r\n%s%s%s\r\n",
                  head->status, reason(head->status), head->type, length,
                  head->gzip ? "Content-Encoding: gzip\r\n" : "",
                  head->keep_alive ? "" : "Connection: close\r\n", head->extra);
}

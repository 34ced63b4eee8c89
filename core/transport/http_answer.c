#include "transport/http_answer.h"

const char *rwd_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } table[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"},
        {207, "Multi-Status"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"},
        {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
        {406, "Not Acceptable"}, {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"},
        {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
        {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
        {422, "Unprocessable Content"}, {428, "Precondition Required"}, {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
        {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
        {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].status == status) {
            return table[i].reason;
        }
    }
    return "Unknown";
}

void rwd_http_put_head(struct rwd_buffer *buffer, int status, const char *content_type,
    const char *extra_header_lines, size_t body_size, bool keep_alive)
{
    if (status == 200) {
        rwd_buffer_put_text(buffer, RWD_TEXT("HTTP/1.1 200 OK\r\n"));
    } else if (status == 202) {
        rwd_buffer_put_text(buffer, RWD_TEXT("HTTP/1.1 202 Accepted\r\n"));
    } else {
        rwd_buffer_put_text(buffer, RWD_TEXT("HTTP/1.1 "));
        rwd_buffer_put_u64(buffer, (uint64_t)status);
        rwd_buffer_put_char(buffer, ' ');
        rwd_buffer_put_string(buffer, rwd_http_reason(status));
        rwd_buffer_put_text(buffer, RWD_TEXT("\r\n"));
    }
    if (content_type != NULL) {
        rwd_buffer_put_text(buffer, RWD_TEXT("Content-Type: "));
        rwd_buffer_put_string(buffer, content_type);
        rwd_buffer_put_text(buffer, RWD_TEXT("\r\n"));
    }
    if (status != 204 && status != 304) {
        rwd_buffer_put_text(buffer, RWD_TEXT("Content-Length: "));
        rwd_buffer_put_u64(buffer, body_size);
        rwd_buffer_put_text(buffer, RWD_TEXT("\r\n"));
    }
    if (extra_header_lines != NULL) {
        rwd_buffer_put_string(buffer, extra_header_lines);
    }
    if (keep_alive) {
        rwd_buffer_put_text(buffer, RWD_TEXT("\r\n"));
    } else {
        rwd_buffer_put_text(buffer, RWD_TEXT("Connection: close\r\n\r\n"));
    }
}

void rwd_http_put_problem(struct rwd_buffer *buffer, int status, const char *detail)
{
    rwd_buffer_put_text(buffer, RWD_TEXT("{\"type\":\"about:blank\",\"title\":\""));
    rwd_buffer_put_string(buffer, rwd_http_reason(status));
    rwd_buffer_put_text(buffer, RWD_TEXT("\",\"status\":"));
    rwd_buffer_put_u64(buffer, (uint64_t)status);
    rwd_buffer_put_text(buffer, RWD_TEXT(",\"detail\":"));
    rwd_buffer_put_json(buffer, rwd_text_of(detail));
    rwd_buffer_put_char(buffer, '}');
}

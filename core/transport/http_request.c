#include "transport/http_request_private.h"

enum rwd_http_method rwd_http_request_method(const struct rwd_http_request *request)
{
    return request->reader.method;
}

struct rwd_text rwd_http_request_path(const struct rwd_http_request *request)
{
    return rwd_http_reader_path(&request->reader, request->head);
}

struct rwd_text rwd_http_request_segment(const struct rwd_http_request *request, size_t index)
{
    return rwd_http_reader_segment(&request->reader, request->head, index);
}

size_t rwd_http_request_segment_count(const struct rwd_http_request *request)
{
    return request->reader.segment_count;
}

struct rwd_text rwd_http_request_query(const struct rwd_http_request *request, const char *name)
{
    return rwd_http_reader_query(&request->reader, request->head, name);
}

struct rwd_text rwd_http_request_header(const struct rwd_http_request *request, const char *name)
{
    return rwd_http_reader_header(&request->reader, request->head, name);
}

struct rwd_text rwd_http_request_content_type(const struct rwd_http_request *request)
{
    return rwd_http_reader_content_type(&request->reader, request->head);
}

struct rwd_text rwd_http_request_body(const struct rwd_http_request *request)
{
    return request->body;
}

bool rwd_http_request_is_abandoned(const struct rwd_http_request *request)
{
    return request->is_abandoned;
}

void rwd_http_request_set_user(struct rwd_http_request *request, void *user)
{
    request->user = user;
}

void *rwd_http_request_user(const struct rwd_http_request *request)
{
    return request->user;
}

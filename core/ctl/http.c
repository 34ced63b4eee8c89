#include "ctl/http.h"

#include <curl/curl.h>
#include <string.h>

enum {
    ANSWER_SIZE_MAX = 64 << 20,
    CONNECT_TIMEOUT_MS = 5000,
    TIMEOUT_MS = 60000,
};

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct rwd_buffer *body = context;
    if (size * count > ANSWER_SIZE_MAX - body->size) {
        return 0;
    }
    rwd_buffer_put(body, data, size * count);
    return size * count;
}

static enum rwd_status status_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return RWD_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return RWD_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return RWD_INVALID;
    case CURLE_WRITE_ERROR:
        return RWD_LIMIT;
    default:
        return RWD_UNAVAILABLE;
    }
}

static bool set_options(CURL *easy, const char *url, const char *body, struct curl_slist *headers,
    struct rwd_buffer *answer, char *reason)
{
    bool set =
        curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
        /* An id that is ".." must not become another path. */
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason) == CURLE_OK;
    if (set && body != NULL) {
        set = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body)) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK;
    }
    return set;
}

/* Where memory is short the list stays as it is. */
static struct curl_slist *with_header(struct curl_slist *headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(headers, line);
    return longer != NULL ? longer : headers;
}

enum rwd_status rwd_ctl_http(const char *url, const char *body, const char *actor,
    struct rwd_ctl_answer *answer, struct rwd_error *error)
{
    char reason[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = with_header(NULL, "Accept: application/json");
    if (body != NULL) {
        struct rwd_buffer line = {0};
        rwd_buffer_put_format(&line, "X-Actor: %s", actor);
        headers = with_header(headers, "Content-Type: application/json");
        headers = with_header(headers, rwd_buffer_c_string(&line));
        rwd_buffer_finish(&line);
    }
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_FAILED_INIT;
    if (easy != NULL && headers != NULL &&
        set_options(easy, url, body, headers, &answer->body, reason)) {
        code = curl_easy_perform(easy);
    }
    if (code == CURLE_OK) {
        code = curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->http_status);
    }
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        return rwd_fail(error, status_of(code), "%s: %s", url,
            reason[0] != '\0' ? reason : curl_easy_strerror(code));
    }
    return RWD_OK;
}

void rwd_ctl_url_put(struct rwd_buffer *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL) {
            rwd_buffer_put_char(out, *text);
        } else {
            rwd_buffer_put_format(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

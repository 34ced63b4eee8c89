#include "transport/http_client.h"

#include "base/check.h"
#include "base/memory.h"
#include "runtime/loop.h"
#include "transport/http_reader.h"

#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENT_MAGIC = 0x6874636c,
    CALL_MAGIC = 0x63616c6c,
    /* All header lines of an answer together; curl itself bounds only each of them. */
    RESPONSE_HEAD_SIZE_MAX = 64 * 1024,
    RETRY_AFTER_TEXT_SIZE_MAX = 64,
};

/* One connection cache. Calls that may reach private targets have their own: a connection that was
 * allowed for one of them must never be reused for a call that may not. */
struct pool {
    struct rwd_http_client *client;
    CURLM *multi;
    struct rwd_timer *timer;
};

struct call {
    uint32_t magic;
    struct rwd_http_client *client;
    struct pool *pool;
    struct call *next;
    struct call **link;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t response_size_max;
    size_t response_head_size;
    bool allow_private;
    bool is_denied;
    bool is_too_large;
    int64_t retry_after_ms;
    struct rwd_buffer response;
    rwd_http_done *done;
    void *context;
    char error[CURL_ERROR_SIZE];
};

struct rwd_http_client {
    uint32_t magic;
    bool in_callback;
    struct rwd_loop *loop;
    struct rwd_http_client_options options;
    char *ca_file;
    struct pool pools[2]; /* by allow_private */
    struct call *calls;
    size_t call_count;
};

struct rwd_http_client_options rwd_http_client_defaults(void)
{
    return (struct rwd_http_client_options){
        .call_count_max = 256, .connection_count_max = 256, .clock = rwd_clock_system()};
}

/* ---- what may be connected to ---- */

static bool is_private_v4(const unsigned char *a)
{
    return a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 ||
           (a[0] == 100 && (a[1] & 0xc0) == 64) || (a[0] == 169 && a[1] == 254) ||
           (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
           (a[0] == 192 && a[1] == 0 && a[2] == 0) || (a[0] == 198 && (a[1] & 0xfe) == 18);
}

static bool is_private_v6(const unsigned char *a)
{
    static const unsigned char zeros[10] = {0};
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
    if (memcmp(a, zeros, 10) == 0 && a[10] == 0xff && a[11] == 0xff) {
        return is_private_v4(a + 12); /* ::ffff:a.b.c.d */
    }
    if (memcmp(a, nat64, sizeof nat64) == 0) {
        return is_private_v4(a + 12); /* 64:ff9b::a.b.c.d */
    }
    if (a[0] == 0x20 && a[1] == 0x02) {
        return is_private_v4(a + 2); /* 6to4, 2002:aabb:ccdd:: */
    }
    /* Global unicast is 2000::/3; of it, 2001::/32 (Teredo) tunnels to an IPv4 address. */
    return (a[0] & 0xe0) != 0x20 || memcmp(a, "\x20\x01\x00\x00", 4) == 0;
}

bool rwd_http_address_is_private(const struct sockaddr *address)
{
    /* Both families begin with family and port; v4's address is at 4, v6's at 8. */
    const unsigned char *bytes = (const unsigned char *)address;
    if (address->sa_family == AF_INET) {
        return is_private_v4(bytes + 4);
    }
    return address->sa_family != AF_INET6 || is_private_v6(bytes + 8);
}

static curl_socket_t on_open_socket(
    void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct call *call = context;
    RWD_REQUIRE(call->magic == CALL_MAGIC);
    if (!call->allow_private && rwd_http_address_is_private(&address->addr)) {
        call->is_denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- what comes back ---- */

int64_t rwd_http_retry_after_ms(struct rwd_text value, int64_t now_ms)
{
    enum { SECONDS_MAX = 365 * 24 * 3600 };
    uint64_t seconds = 0;
    if (rwd_text_to_u64(value, &seconds)) {
        return (int64_t)(seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * 1000;
    }
    char text[RETRY_AFTER_TEXT_SIZE_MAX];
    /* curl_getdate takes many shapes; a date of HTTP begins with the day's name. */
    if (value.size < 24 || value.size >= sizeof text || value.data[0] < 'A' ||
        value.data[0] > 'Z') {
        return -1;
    }
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    time_t date = curl_getdate(text, NULL);
    if (date == -1) {
        return -1;
    }
    int64_t wait_ms = (int64_t)date * 1000 - now_ms;
    return wait_ms < 0 ? 0 : wait_ms < (int64_t)SECONDS_MAX * 1000 ? wait_ms : SECONDS_MAX * 1000LL;
}

static size_t on_header(char *data, size_t item_size, size_t item_count, void *context)
{
    struct call *call = context;
    RWD_REQUIRE(call->magic == CALL_MAGIC);
    size_t size = item_size * item_count;
    call->response_head_size += size;
    if (call->response_head_size > RESPONSE_HEAD_SIZE_MAX) {
        call->is_too_large = true;
        return 0;
    }
    static const char name[] = "retry-after:";
    if (size > sizeof name - 1 &&
        rwd_http_text_is((struct rwd_text){.data = data, .size = sizeof name - 1}, name)) {
        struct rwd_text value = {.data = data + sizeof name - 1, .size = size - (sizeof name - 1)};
        while (value.size > 0 && (unsigned char)value.data[value.size - 1] <= ' ') {
            value.size--;
        }
        while (value.size > 0 && (unsigned char)value.data[0] <= ' ') {
            value.data++;
            value.size--;
        }
        call->retry_after_ms =
            rwd_http_retry_after_ms(value, rwd_clock_wall_ms(&call->client->options.clock));
    }
    return size;
}

static size_t on_body(char *data, size_t item_size, size_t item_count, void *context)
{
    struct call *call = context;
    RWD_REQUIRE(call->magic == CALL_MAGIC);
    size_t size = item_size * item_count;
    size_t room = call->response_size_max - call->response.size;
    rwd_buffer_put(&call->response, data, size < room ? size : room);
    if (size > room) {
        call->is_too_large = true;
        return 0;
    }
    return size;
}

/* ---- the life of a call ---- */

static void free_call(struct call *call)
{
    struct rwd_http_client *client = call->client;
    if (call->link != NULL) {
        *call->link = call->next;
        if (call->next != NULL) {
            call->next->link = call->link;
        }
        client->call_count--;
        (void)curl_multi_remove_handle(call->pool->multi, call->easy);
    }
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    rwd_buffer_finish(&call->response);
    rwd_free(call->body);
    call->magic = 0;
    rwd_free(call);
}

static enum rwd_status status_of(const struct call *call, CURLcode code)
{
    if (call->is_too_large) {
        return RWD_LIMIT;
    }
    switch (code) {
    case CURLE_OK:
        return RWD_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return RWD_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return RWD_INVALID;
    default:
        return call->is_denied ? RWD_DENIED : RWD_UNAVAILABLE;
    }
}

/* Calls back, and frees the call first, so that the callback may post the next one. */
static void end_call(struct call *call, CURLcode code)
{
    struct rwd_http_client *client = call->client;
    long http_status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
    enum rwd_status status = status_of(call, code);
    char error[CURL_ERROR_SIZE + 32] = "";
    if (status != RWD_OK) {
        const char *reason = status == RWD_LIMIT      ? "the answer is larger than allowed"
                             : status == RWD_DENIED   ? "the target's address is private"
                             : call->error[0] != '\0' ? call->error
                                                      : curl_easy_strerror(code);
        size_t size = strnlen(reason, sizeof error - 1);
        memcpy(error, reason, size);
        error[size] = '\0';
    }
    struct rwd_buffer response = call->response;
    call->response = (struct rwd_buffer){0};
    struct rwd_http_result result = {.status = status,
        .http_status = (int)http_status,
        .body = rwd_buffer_text(&response),
        .retry_after_ms = call->retry_after_ms,
        .error = error};
    rwd_http_done *done = call->done;
    void *context = call->context;
    free_call(call);
    client->in_callback = true;
    done(context, &result);
    client->in_callback = false;
    rwd_buffer_finish(&response);
}

static void collect(struct pool *pool)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(pool->multi, &left); message != NULL;
         message = curl_multi_info_read(pool->multi, &left)) {
        if (message->msg == CURLMSG_DONE) {
            /* The message dies with the handle. */
            CURLcode code = message->data.result;
            struct call *call = NULL;
            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
            RWD_REQUIRE(call != NULL && call->magic == CALL_MAGIC);
            end_call(call, code);
        }
    }
}

/* ---- curl on the loop ---- */

static void act(struct pool *pool, curl_socket_t fd, int events)
{
    int running = 0;
    (void)curl_multi_socket_action(pool->multi, fd, events, &running);
    collect(pool);
}

static void on_ready(void *context, int fd, unsigned ready)
{
    int events = ((ready & RWD_WATCH_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((ready & RWD_WATCH_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    act(context, fd, events);
}

static void on_due(void *context)
{
    act(context, CURL_SOCKET_TIMEOUT, 0);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    (void)easy;
    struct pool *pool = context;
    struct rwd_watch *watch = socket_context;
    if (what == CURL_POLL_REMOVE) {
        rwd_watch_destroy(watch);
        (void)curl_multi_assign(pool->multi, fd, NULL);
        return 0;
    }
    unsigned events = ((what & CURL_POLL_IN) != 0 ? RWD_WATCH_READ : 0U) |
                      ((what & CURL_POLL_OUT) != 0 ? RWD_WATCH_WRITE : 0U);
    if (watch == NULL) {
        watch = rwd_watch_create(pool->client->loop, fd, events, on_ready, pool);
        (void)curl_multi_assign(pool->multi, fd, watch);
    } else {
        rwd_watch_change(watch, events);
    }
    return 0;
}

static int on_timeout_changed(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct pool *pool = context;
    if (timeout_ms < 0) {
        rwd_timer_stop(pool->timer);
    } else {
        /* Also for 0: curl must not be entered from inside its own callback. */
        rwd_timer_start(pool->timer, timeout_ms);
    }
    return 0;
}

static void init_pool(struct pool *pool, struct rwd_http_client *client)
{
    pool->client = client;
    pool->timer = rwd_timer_create(client->loop, on_due, pool);
    pool->multi = curl_multi_init();
    RWD_REQUIRE(pool->multi != NULL);
    CURLM *multi = pool->multi;
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pool);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout_changed);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pool);
    (void)curl_multi_setopt(
        multi, CURLMOPT_MAXCONNECTS, (long)client->options.connection_count_max);
}

enum rwd_status rwd_http_client_create(struct rwd_loop *loop,
    const struct rwd_http_client_options *options, struct rwd_http_client **client,
    struct rwd_error *error)
{
    /* Counted and, since 7.84, safe from several threads. */
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) {
        return rwd_fail(
            error, RWD_UNAVAILABLE, "libcurl cannot start: %s", curl_easy_strerror(code));
    }
    struct rwd_http_client *made = rwd_new(sizeof *made);
    made->magic = CLIENT_MAGIC;
    made->loop = loop;
    made->options = *options;
    if (options->ca_file != NULL) {
        made->ca_file = rwd_copy(options->ca_file, strlen(options->ca_file));
    }
    init_pool(&made->pools[0], made);
    init_pool(&made->pools[1], made);
    *client = made;
    return RWD_OK;
}

void rwd_http_client_destroy(struct rwd_http_client *client)
{
    if (client == NULL) {
        return;
    }
    RWD_REQUIRE(client->magic == CLIENT_MAGIC && !client->in_callback);
    /* A callback that posts again is told RWD_BUSY. */
    client->options.call_count_max = 0;
    while (client->calls != NULL) {
        (void)curl_easy_setopt(client->calls->easy, CURLOPT_QUICK_EXIT, 1L);
        static const char why[] = "cancelled: the client is being closed";
        memcpy(client->calls->error, why, sizeof why);
        end_call(client->calls, CURLE_ABORTED_BY_CALLBACK);
    }
    for (size_t i = 0; i < 2; i++) {
        (void)curl_multi_cleanup(client->pools[i].multi);
        rwd_timer_destroy(client->pools[i].timer);
    }
    curl_global_cleanup();
    rwd_free(client->ca_file);
    client->magic = 0;
    rwd_loop_defer_free(client->loop, client);
}

/* ---- making a call ---- */

static enum rwd_status check_url(const char *url, struct rwd_error *error)
{
    CURLU *parts = curl_url();
    RWD_REQUIRE(parts != NULL);
    char *scheme = NULL;
    char *user = NULL;
    enum rwd_status status = RWD_OK;
    if (url == NULL || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        status = rwd_fail(error, RWD_INVALID, "url cannot be read");
    } else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        status = rwd_fail(error, RWD_INVALID, "url is neither http nor https");
    } else if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        status = rwd_fail(error, RWD_INVALID, "url has a user in it");
    }
    curl_free(user);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return status;
}

static void add_header(struct call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    RWD_REQUIRE(longer != NULL);
    call->headers = longer;
}

static enum rwd_status add_headers(
    struct call *call, const struct rwd_http_call *wanted, struct rwd_error *error)
{
    struct rwd_buffer line = {0};
    rwd_buffer_put_string(&line, "Content-Type: ");
    rwd_buffer_put_string(
        &line, wanted->content_type != NULL ? wanted->content_type : "application/json");
    add_header(call, rwd_buffer_c_string(&line));
    /* Waiting for 100 Continue costs a round trip, and a second with partners that ignore it. */
    add_header(call, "Expect:");
    struct rwd_text lines = wanted->header_lines;
    enum rwd_status status = RWD_OK;
    while (lines.size > 0 && status == RWD_OK) {
        const char *end = memmem(lines.data, lines.size, "\r\n", 2);
        size_t size = end != NULL ? (size_t)(end - lines.data) : 0;
        if (size == 0 || memchr(lines.data, ':', size) == NULL ||
            memchr(lines.data, '\n', size) != NULL || memchr(lines.data, '\0', size) != NULL) {
            status = rwd_fail(error, RWD_INVALID, "header lines are not name: value CR LF");
            break;
        }
        line.size = 0;
        rwd_buffer_put(&line, lines.data, size);
        add_header(call, rwd_buffer_c_string(&line));
        lines.data += size + 2;
        lines.size -= size + 2;
    }
    rwd_buffer_finish(&line);
    return status;
}

static void set_options(struct call *call, const struct rwd_http_call *wanted)
{
    CURL *easy = call->easy;
    bool good = curl_easy_setopt(easy, CURLOPT_URL, wanted->url) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    /* A proxy would do the connecting, past the check of the address. */
    good &= curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)wanted->timeout_ms) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)wanted->connect_timeout_ms) ==
            CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)wanted->body.size) ==
            CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_USERAGENT, "rewardd/" RWD_VERSION) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error) == CURLE_OK;
    good &= curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK;
    if (call->client->ca_file != NULL) {
        good &= curl_easy_setopt(easy, CURLOPT_CAINFO, call->client->ca_file) == CURLE_OK;
    }
    RWD_REQUIRE(good);
}

enum rwd_status rwd_http_client_post(struct rwd_http_client *client,
    const struct rwd_http_call *call, rwd_http_done *done, void *context, struct rwd_error *error)
{
    RWD_REQUIRE(client->magic == CLIENT_MAGIC);
    if (client->call_count >= client->options.call_count_max) {
        return rwd_fail(error, RWD_BUSY, "%zu calls are running, the limit", client->call_count);
    }
    if (call->timeout_ms <= 0 || call->connect_timeout_ms <= 0) {
        return rwd_fail(error, RWD_INVALID, "a timeout is not above 0");
    }
    enum rwd_status status = check_url(call->url, error);
    if (status != RWD_OK) {
        return status;
    }
    struct call *made = rwd_new(sizeof *made);
    made->magic = CALL_MAGIC;
    made->client = client;
    made->pool = &client->pools[call->allow_private ? 1 : 0];
    made->easy = curl_easy_init();
    RWD_REQUIRE(made->easy != NULL);
    made->allow_private = call->allow_private;
    made->response_size_max = call->response_size_max;
    made->retry_after_ms = -1;
    made->done = done;
    made->context = context;
    status = add_headers(made, call, error);
    if (status != RWD_OK) {
        free_call(made);
        return status;
    }
    made->body = rwd_copy(call->body.data, call->body.size);
    set_options(made, call);
    made->next = client->calls;
    made->link = &client->calls;
    if (made->next != NULL) {
        made->next->link = &made->next;
    }
    client->calls = made;
    client->call_count++;
    RWD_REQUIRE(curl_multi_add_handle(made->pool->multi, made->easy) == CURLM_OK);
    return RWD_OK;
}

size_t rwd_http_client_call_count(const struct rwd_http_client *client)
{
    return client->call_count;
}

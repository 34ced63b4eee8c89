/*
 * The API over real sockets: a whole engine in a folder of its own, the real edge on its thread,
 * and this thread as the client. What needs a checkpoint or a decision is asked for until it is
 * there, within a deadline.
 */
#include "base/check.h"
#include "base/memory.h"
#include "domain/json.h"
#include "edge/api.h"
#include "edge/edge.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 20, ANSWER_SIZE_MAX = 1 << 20 };

static const char rule[] =
    "return rule { id = \"pays\", version = \"1.0.0\", title = \"t\", owner = \"o\",\n"
    "  on = { \"bet\" },\n"
    "  active = { from = \"2000-01-01T00:00:00Z\", to = \"2100-01-01T00:00:00Z\" },\n"
    "  score = function(event, player) return event.payload.bet end,\n"
    "  milestones = { { at = 10, reward = cash { amount = \"500.00\", currency = \"EUR\" } } },\n"
    "  guards = { kyc_min_level = 2, rg = true, budget = \"season\" } }\n";

struct fixture {
    char folder[64];
    struct rwd_config *config;
    struct rwd_engine *engine;
    struct rwd_edge *edge;
    pthread_t main_thread;
    struct rwd_error error;
    int fd;
    int status;
    size_t event_count;
    char body[ANSWER_SIZE_MAX];
    char head[4096];
};

/* ---- one engine for all tests: each uses players, pools and letters of its own ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void make_config(struct fixture *f)
{
    char path[160];
    char text[2048];
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rewardd-api-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    static const char *const folders[] = {"data", "rules", "rules/pays"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->folder, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    (void)snprintf(path, sizeof path, "%s/rules/pays/1.0.0.lua", f->folder);
    write_file(path, rule);
    /* Nobody listens on port 9: deliveries fail at once and, once used up, are dead letters. */
    (void)snprintf(text, sizeof text,
        "server { listen = \"127.0.0.1:0\" }\n"
        "data { dir = \"%s/data\" }\n"
        "rules { dir = \"%s/rules\" }\n"
        "schemas { dir = \"" RWD_SOURCE_DIR "/rules/schemas\" }\n"
        "journal { segment_size_mib = 4 }\n"
        "store { url = \"sqlite:%s/data/store.db\" }\n"
        "engine { shards = 2 checkpoint_interval_ms = 20 }\n"
        "endpoint \"wallet\" { url = \"http://127.0.0.1:9/\" secret = \"0123456789abcdef\"\n"
        "  timeout_ms = 1000 allow_private = true breaker_open_ms = 100 }\n"
        "gates { large_reward = \"50.00\" }\n"
        "dispatcher { attempt_count_max = 2 retry_base_ms = 10 retry_max_ms = 20 poll_interval_ms "
        "= 10 "
        "}\n"
        "budget \"season\" { currency = \"EUR\" period = \"season\" hard_cap = \"100000.00\"\n"
        "  soft_cap = \"0.00\" }\n",
        f->folder, f->folder, f->folder);
    (void)snprintf(path, sizeof path, "%s/engine.conf", f->folder);
    write_file(path, text);
    if (rwd_config_load(path, NULL, 0, &f->config, &f->error) != RWD_OK) {
        fail_msg("%s", f->error.text);
    }
}

static void *run_engine(void *engine)
{
    rwd_engine_run(engine);
    return NULL;
}

static int dial(const struct fixture *f)
{
    char path[160];
    char line[64] = "";
    (void)snprintf(path, sizeof path, "%s/data/rewardd.port", f->folder);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* ---- the client ---- */

static size_t content_length(const char *head)
{
    const char *at = strstr(head, "Content-Length: ");
    return at != NULL ? strtoul(at + strlen("Content-Length: "), NULL, 10) : 0;
}

/* One exchange; the answer is in f->status, f->head and f->body. */
static void call_typed(
    struct fixture *f, const char *method, const char *path, const char *type, const char *body)
{
    char request[8192];
    int size = snprintf(request, sizeof request,
        "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", method,
        path, type, strlen(body), body);
    assert_true(size > 0 && (size_t)size < sizeof request);
    if (f->fd < 0) {
        f->fd = dial(f);
    }
    assert_int_equal(send(f->fd, request, (size_t)size, MSG_NOSIGNAL), size);
    static char answer[ANSWER_SIZE_MAX];
    size_t have = 0;
    char *end = NULL;
    size_t whole = SIZE_MAX;
    while (have < whole) {
        ssize_t more = recv(f->fd, answer + have, sizeof answer - 1 - have, 0);
        if (more <= 0) {
            fail_msg("%s %s: no whole answer", method, path);
        }
        have += (size_t)more;
        answer[have] = '\0';
        if (end == NULL && (end = strstr(answer, "\r\n\r\n")) != NULL) {
            size_t head_size = (size_t)(end - answer) + 4;
            assert_true(head_size < sizeof f->head);
            memcpy(f->head, answer, head_size);
            f->head[head_size] = '\0';
            whole = head_size + (strcmp(method, "HEAD") == 0 ? 0 : content_length(f->head));
        }
    }
    f->status = (int)strtol(f->head + strlen("HTTP/1.1 "), NULL, 10);
    memcpy(f->body, end + 4, have - (size_t)(end + 4 - answer) + 1);
    if (strstr(f->head, "Connection: close") != NULL) {
        (void)close(f->fd);
        f->fd = -1;
    }
}

static void call(struct fixture *f, const char *method, const char *path, const char *body)
{
    call_typed(f, method, path, "application/json", body);
}

static void get(struct fixture *f, const char *path)
{
    call(f, "GET", path, "");
}

static void expect_in(const struct fixture *f, int status, const char *part)
{
    if (f->status != status || strstr(f->body, part) == NULL) {
        fail_msg("%d and %s expected, got %d %s", status, part, f->status, f->body);
    }
}

/* Every error is RFC 9457. */
static void expect_problem(const struct fixture *f, int status, const char *part)
{
    expect_in(f, status, part);
    assert_non_null(strstr(f->head, "Content-Type: application/problem+json"));
    static const char *const members[] = {"\"type\":", "\"title\":", "\"status\":", "\"detail\":"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        assert_non_null(strstr(f->body, members[i]));
    }
}

static int64_t now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

/* Asks until the part is in the answer: each turn is a round trip through the engine. */
static void get_until(struct fixture *f, const char *path, const char *part)
{
    int64_t deadline = now_s() + PATIENCE_S;
    do {
        get(f, path);
        if (f->status == 200 && strstr(f->body, part) != NULL) {
            return;
        }
    } while (now_s() < deadline);
    fail_msg("%s never had %s: %d %s", path, part, f->status, f->body);
}

/* The text behind "name":" in the last answer. */
static void pick(const struct fixture *f, const char *name, char *out, size_t size)
{
    char mark[64];
    (void)snprintf(mark, sizeof mark, "\"%s\":\"", name);
    const char *at = strstr(f->body, mark);
    if (at == NULL) {
        fail_msg("no %s in %s", name, f->body);
    }
    at += strlen(mark);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

static void post_event(
    struct fixture *f, const char *name, const char *user, const char *payload, char event_id[32])
{
    char body[1024];
    char when[32];
    time_t now = time(NULL) - 100 + (time_t)f->event_count;
    struct tm parts;
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    (void)snprintf(event_id, 32, "e%zu", ++f->event_count);
    (void)snprintf(body, sizeof body,
        "{\"event_id\":\"%s\",\"event_name\":\"%s\",\"version\":\"%s\",\"ts\":\"%s\","
        "\"user\":{\"id\":\"%s\",\"geo\":\"TR\"},\"payload\":%s}",
        event_id, name, strcmp(name, "bet") == 0 ? "1.2.0" : "1.0.0", when, user, payload);
    call(f, "POST", "/v1/events", body);
    assert_int_equal(f->status, 200);
}

static void bet(struct fixture *f, const char *user, unsigned stake, char event_id[32])
{
    char payload[160];
    (void)snprintf(payload, sizeof payload,
        "{\"game_id\":\"slot_wolf\",\"bet\":%u,\"win\":0,\"currency\":\"EUR\"}", stake);
    post_event(f, "bet", user, payload, event_id);
}

/* A large reward above a soft cap of nothing: held for review. */
static void held_task(struct fixture *f, const char *user, char task_id[64])
{
    char event_id[32];
    char path[96];
    post_event(f, "kyc_status_changed", user, "{\"level\":2}", event_id);
    expect_in(f, 200, "\"accepted\":1");
    bet(f, user, 10, event_id);
    expect_in(f, 200, "\"accepted\":1");
    (void)snprintf(path, sizeof path, "/v1/reward-tasks?user_id=%s", user);
    get_until(f, path, "\"status\":\"held\"");
    pick(f, "reward_task_id", task_id, 64);
}

static int set_up_engine(void **state)
{
    struct fixture *f = rwd_new(sizeof *f);
    *state = f;
    f->fd = -1;
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &signals, NULL), 0);
    make_config(f);
    if (rwd_engine_create(f->config, rwd_clock_system(), &f->engine, &f->error) != RWD_OK ||
        rwd_edge_create(f->engine, &f->edge, &f->error) != RWD_OK) {
        fail_msg("%s", f->error.text);
    }
    const struct rwd_engine_io io = {
        .run = rwd_edge_run, .stop = rwd_edge_stop, .context = f->edge};
    assert_int_equal(rwd_engine_start(f->engine, &io, &f->error), RWD_OK);
    assert_int_equal(pthread_create(&f->main_thread, NULL, run_engine, f->engine), 0);
    get_until(f, "/readyz", "ready");
    get_until(f, "/v1/rules", "\"pays\"");
    get_until(f, "/v1/budgets", "\"season\"");
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int tear_down_engine(void **state)
{
    struct fixture *f = *state;
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    assert_int_equal(pthread_kill(f->main_thread, SIGTERM), 0);
    assert_int_equal(pthread_join(f->main_thread, NULL), 0);
    rwd_edge_destroy(f->edge);
    rwd_engine_destroy(f->engine);
    rwd_config_destroy(f->config);
    assert_int_equal(nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    rwd_free(f);
    return 0;
}

/* ---- the router ---- */

static void unknown_paths(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/", "/v1", "/v1/nothing", "/v1/reward-tasks/",
        "/v1/reward-tasks/rt_1/approve/more", "/v1/rules//rollback", "/metrics/"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        get(f, paths[i]);
        expect_problem(f, 404, "openapi.json");
    }
}

static void wrong_methods(void **state)
{
    struct fixture *f = *state;
    call(f, "DELETE", "/v1/ledger", "");
    expect_problem(f, 405, "DELETE");
    assert_non_null(strstr(f->head, "Allow: GET, HEAD\r\n"));
    call(f, "POST", "/v1/budgets/season", "{}");
    expect_problem(f, 405, "POST");
    assert_non_null(strstr(f->head, "Allow: GET, HEAD, PUT\r\n"));
    call(f, "GET", "/v1/rules/pays/rollback", "");
    expect_problem(f, 405, "GET");
    assert_non_null(strstr(f->head, "Allow: POST\r\n"));
    call(f, "HEAD", "/healthz", "");
    assert_int_equal(f->status, 200);
}

static void health_and_readiness(void **state)
{
    struct fixture *f = *state;
    get(f, "/healthz");
    expect_in(f, 200, "{\"status\":\"alive\",\"version\":\"");
    get(f, "/readyz");
    expect_in(f, 200, "{\"status\":\"ready\"}");
}

static void queries_that_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/v1/reward-tasks?limit=0", "/v1/reward-tasks?limit=-1",
        "/v1/reward-tasks?limit=x", "/v1/reward-tasks?limit=501",
        "/v1/reward-tasks?limit=", "/v1/reward-tasks?cursor=forged",
        "/v1/reward-tasks?status=nonsense", "/v1/ledger?cursor=forged",
        "/v1/dead-letters?lane=fast", "/v1/dead-letters?status=gone",
        "/v1/players/u1/decisions?cursor=p1"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        get(f, paths[i]);
        expect_problem(f, 400, "");
    }
}

/* ---- the document ---- */

static const struct rwd_json_limits document_limits = {64, 1 << 16, 4 << 20};

static void document_matches_the_table(void **state)
{
    (void)state;
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    rwd_arena_init(&arena, 1 << 16, 16 << 20);
    struct rwd_text text = rwd_api_openapi();
    assert_int_equal(
        rwd_json_scan(text, &document_limits, &arena, &json, &consumed, &fault), RWD_OK);
    assert_int_equal(consumed, text.size);
    const struct rwd_json_node *root = &json.nodes[0];
    assert_true(
        rwd_text_is(rwd_json_text(rwd_json_member(&json, root, RWD_TEXT("openapi"))), "3.1.0"));
    const struct rwd_json_node *paths = rwd_json_member(&json, root, RWD_TEXT("paths"));
    for (size_t i = 0; i < rwd_api_route_count(); i++) {
        struct rwd_api_route route = rwd_api_route(i);
        const char *method = route.method == RWD_HTTP_GET    ? "get"
                             : route.method == RWD_HTTP_POST ? "post"
                                                             : "put";
        const struct rwd_json_node *path =
            rwd_json_member(&json, paths, rwd_text_of(route.pattern));
        if (rwd_json_member(&json, path, rwd_text_of(method)) == NULL) {
            fail_msg("%s %s is not in openapi.json", method, route.pattern);
        }
    }
    size_t documented = 0;
    for (const struct rwd_json_node *path = rwd_json_first(&json, paths); path != NULL;
         path = rwd_json_next(&json, paths, path)) {
        for (const struct rwd_json_node *operation = rwd_json_first(&json, path); operation != NULL;
             operation = rwd_json_next(&json, path, operation)) {
            documented++;
            assert_non_null(rwd_json_member(&json, operation, RWD_TEXT("operationId")));
            assert_non_null(rwd_json_member(&json, operation, RWD_TEXT("responses")));
        }
    }
    assert_int_equal(documented, rwd_api_route_count());
    rwd_arena_finish(&arena);
}

/* "#/components/schemas/player" -> is it there? */
static void references_resolve(void **state)
{
    (void)state;
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    rwd_arena_init(&arena, 1 << 16, 16 << 20);
    assert_int_equal(
        rwd_json_scan(rwd_api_openapi(), &document_limits, &arena, &json, &consumed, &fault),
        RWD_OK);
    size_t references = 0;
    for (uint32_t i = 0; i < json.count; i++) {
        struct rwd_text value = rwd_json_text(&json.nodes[i]);
        if (json.nodes[i].key == NULL || !rwd_text_is(rwd_json_key(&json.nodes[i]), "$ref")) {
            continue;
        }
        references++;
        char path[128];
        (void)snprintf(path, sizeof path, "%.*s", RWD_TEXT_ARGS(value));
        for (char *at = path; *at != '\0'; at++) {
            *at = (char)(*at == '/' ? '.' : *at);
        }
        assert_memory_equal(path, "#.components.", 13);
        if (rwd_json_path(&json, &json.nodes[0], rwd_text_of(path + 2)) == NULL) {
            fail_msg("%s leads nowhere", path);
        }
    }
    assert_true(references > 50);
    rwd_arena_finish(&arena);
}

static void document_is_served(void **state)
{
    struct fixture *f = *state;
    get(f, "/openapi.json");
    expect_in(f, 200, "\"openapi\": \"3.1.0\"");
    assert_null(strstr(f->body, "@VERSION@"));
    assert_int_equal(strlen(f->body), rwd_api_openapi().size);
}

/* ---- budgets ---- */

static void budgets(void **state)
{
    struct fixture *f = *state;
    get(f, "/v1/budgets/no_such_pool");
    expect_problem(f, 404, "no_such_pool");
    static const struct {
        const char *body;
        const char *part;
    } refused[] = {{"{", "JSON"}, {"[]", "object"}, {"{}", "/currency"},
        {"{\"currency\":\"XQZ\",\"period\":\"day\",\"hard_cap\":\"1\"}", "/currency"},
        {"{\"currency\":\"EUR\",\"period\":\"fortnight\",\"hard_cap\":\"1\"}", "/period"},
        {"{\"currency\":\"EUR\",\"period\":\"day\"}", "/hard_cap"},
        {"{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":\"-1\"}", "/hard_cap"},
        {"{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":\"1.001\"}", "/hard_cap"},
        {"{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":\"1e999\"}", "/hard_cap"},
        {"{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":true}", "/hard_cap"},
        {"{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":\"1\",\"soft_cap\":\"2\"}",
            "/soft_cap"},
        {"{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":\"1\",\"hardcap\":\"2\"}",
            "/hardcap"}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        call(f, "PUT", "/v1/budgets/fresh", refused[i].body);
        expect_problem(f, 400, refused[i].part);
    }
    call(f, "PUT", "/v1/budgets/fresh",
        "{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":\"10.00\"}");
    expect_in(f, 201,
        "{\"pool_id\":\"fresh\",\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":\"10.00\","
        "\"soft_cap\":\"9.00\",\"reserved\":\"0.00\",\"spent\":\"0.00\",\"free\":\"10.00\"}");
    call(f, "PUT", "/v1/budgets/fresh",
        "{\"currency\":\"EUR\",\"period\":\"day\",\"hard_cap\":12.5,\"soft_cap\":\"0\"}");
    expect_in(f, 200, "\"free\":\"12.50\"");
    call(f, "PUT", "/v1/budgets/fresh",
        "{\"currency\":\"EUR\",\"period\":\"week\",\"hard_cap\":\"10.00\"}");
    expect_problem(f, 409, "never change");
    get(f, "/v1/budgets");
    expect_in(f, 200, "\"pool_id\":\"fresh\"");
}

/* ---- tasks ---- */

static void approve_and_reject(void **state)
{
    struct fixture *f = *state;
    static const char why[] = "{\"reason\":\"looked at it\"}";
    char task_id[64];
    char path[128];
    held_task(f, "reviewed", task_id);
    (void)snprintf(path, sizeof path, "/v1/reward-tasks/%s", task_id);
    get(f, path);
    expect_in(f, 200, "\"deliveries\":[]");
    (void)snprintf(path, sizeof path, "/v1/reward-tasks/%s/reject", task_id);
    static const char *const bodies[] = {"", "{}", "{\"reason\":\"\"}", "{\"reason\":7}",
        "{\"reason\":\"a\",\"reason\":\"b\"}", "{\"reason\":\"a\",\"force\":true}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        call(f, "POST", path, bodies[i]);
        expect_problem(f, 400, "");
    }
    call(f, "POST", path, why);
    expect_in(f, 200, "\"status\":\"denied\",\"reason\":\"rejected\"");
    expect_in(f, 200, task_id);
    expect_in(f, 200, "\"rule_id\":\"pays\",\"version\":\"1.0.0\"");
    call(f, "POST", path, why);
    expect_problem(f, 409, "denied");
    get_until(f, "/v1/reward-tasks?user_id=reviewed", "\"status\":\"denied\"");
    call(f, "POST", path, why);
    expect_problem(f, 409, "denied");

    get(f, "/v1/players/reviewed/decisions");
    expect_in(f, 200, "\"command\":\"reject\"");
    expect_in(f, 200, "\"actor\":\"api\",\"note\":\"looked at it\"");
    call(f, "POST", "/v1/reward-tasks/rt_00000000000000000000000000000000/approve", why);
    expect_problem(f, 404, "rt_0");
    call(f, "POST", "/v1/reward-tasks/nonsense/approve", why);
    expect_problem(f, 404, "");
}

/* ---- decisions ---- */

static void decisions_are_as_fresh_as_the_ack(void **state)
{
    struct fixture *f = *state;
    char event_id[32];
    char path[128];
    for (unsigned i = 0; i < 20; i++) {
        bet(f, "explained", 3, event_id);
        (void)snprintf(path, sizeof path, "/v1/decisions/%s", event_id);
        get(f, path);
        expect_in(f, 200, "\"explanation\":\"gave 3 points");
    }
    get(f, "/v1/decisions/no_such_event");
    expect_problem(f, 404, "no_such_event");
    get(f, "/v1/players/explained/decisions?limit=2");
    expect_in(f, 200, event_id);
    char cursor[64];
    pick(f, "next_cursor", cursor, sizeof cursor);
    (void)snprintf(
        path, sizeof path, "/v1/players/explained/decisions?limit=500&cursor=%s", cursor);
    get(f, path);
    expect_in(f, 200, "\"next_cursor\":null");
    assert_null(strstr(f->body, event_id));
}

/* ---- dead letters ---- */

static void bad_bet(struct fixture *f, const char *user, char letter_id[64], char event_id[32])
{
    char path[160];
    post_event(f, "bet", user, "{\"game_id\":\"g\",\"bet\":\"five\",\"win\":0}", event_id);
    expect_in(f, 200, "\"rejected\":1");
    (void)snprintf(path, sizeof path, "/v1/dead-letters?lane=events&user_id=%s", user);
    get_until(f, path, event_id);
    pick(f, "dead_letter_id", letter_id, 64);
}

static void fix_and_reprocess(void **state)
{
    struct fixture *f = *state;
    char letter_id[64];
    char event_id[32];
    char letter[96];
    char action[128];
    char body[512];
    bad_bet(f, "fixed", letter_id, event_id);
    (void)snprintf(letter, sizeof letter, "/v1/dead-letters/%s", letter_id);
    (void)snprintf(action, sizeof action, "%s/reprocess", letter);
    call(f, "POST", action, "{\"reason\":\"hope\"}");
    expect_problem(f, 422, "\"errors\":[{\"pointer\":\"/payload/bet\"");
    get(f, letter);
    expect_in(f, 200, "\"status\":\"open\"");
    expect_in(f, 200, "refused again when reprocessed by api: hope\"");
    expect_in(f, 200, "\"attempts\":1");

    call(f, "PUT", letter, "not json");
    expect_problem(f, 400, "");
    call(f, "PUT", letter, "");
    expect_problem(f, 400, "body");
    char when[32];
    time_t now = time(NULL);
    struct tm parts;
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    (void)snprintf(body, sizeof body,
        "{\"event_id\":\"%s\",\"event_name\":\"bet\",\"version\":\"1.2.0\",\"ts\":\"%s\","
        "\"user\":{\"id\":\"fixed\"},\"payload\":{\"game_id\":\"g\",\"bet\":5,\"win\":0,"
        "\"currency\":\"EUR\"}}",
        event_id, when);
    call(f, "PUT", letter, body);
    expect_in(f, 200, "\"status\":\"open\"");
    /* At once, before any checkpoint: each action sees the one before. */
    call(f, "POST", action, "{\"reason\":\"fixed\"}");
    expect_in(f, 200, "\"status\":\"reprocessed\"");
    call(f, "POST", action, "{\"reason\":\"again\"}");
    expect_problem(f, 409, "reprocessed already");
    get(f, "/v1/players/fixed");
    expect_in(f, 200, "\"points\":{\"pays\":5}");
    call(f, "POST", "/v1/events", body);
    expect_in(f, 200, "\"duplicates\":1");
    get_until(f, "/v1/dead-letters?status=reprocessed&user_id=fixed", letter_id);
    call(f, "POST", action, "{\"reason\":\"again\"}");
    expect_problem(f, 409, "reprocessed already");
}

static void drop_is_final(void **state)
{
    struct fixture *f = *state;
    char letter_id[64];
    char event_id[32];
    char path[128];
    bad_bet(f, "dropped", letter_id, event_id);
    (void)snprintf(path, sizeof path, "/v1/dead-letters/%s/drop", letter_id);
    call(f, "POST", path, "{}");
    expect_problem(f, 400, "/reason");
    call(f, "POST", path, "{\"reason\":\"spam\"}");
    expect_in(f, 200, "dropped by api: spam");
    call(f, "POST", path, "{\"reason\":\"spam\"}");
    expect_problem(f, 409, "dropped already");
    (void)snprintf(path, sizeof path, "/v1/dead-letters/%s/reprocess", letter_id);
    call(f, "POST", path, "{\"reason\":\"oh\"}");
    expect_problem(f, 409, "dropped already");
    (void)snprintf(path, sizeof path, "/v1/dead-letters/%s", letter_id);
    call(f, "PUT", path, "{}");
    expect_problem(f, 409, "dropped already");
    call(f, "POST", "/v1/dead-letters/dl_0/drop", "{\"reason\":\"x\"}");
    expect_problem(f, 404, "dl_0");
}

/* Nobody pays: the delivery fails, and is sent in again from its letter. */
static void deliveries_start_anew(void **state)
{
    struct fixture *f = *state;
    char task_id[64];
    char letter_id[64];
    char path[128];
    held_task(f, "unpaid", task_id);
    (void)snprintf(path, sizeof path, "/v1/reward-tasks/%s/approve", task_id);
    call(f, "POST", path, "{\"reason\":\"fine\"}");
    expect_in(f, 200, "\"status\":\"pending\",\"reason\":\"approved\"");
    get_until(f, "/v1/dead-letters?lane=deliveries&user_id=unpaid", task_id);
    pick(f, "dead_letter_id", letter_id, sizeof letter_id);
    (void)snprintf(path, sizeof path, "/v1/reward-tasks/%s", task_id);
    get(f, path);
    expect_in(f, 200, "\"deliveries\":[{\"attempt\":1");
    (void)snprintf(path, sizeof path, "/v1/dead-letters/%s", letter_id);
    call(f, "PUT", path, "{}");
    expect_problem(f, 409, "delivery");
    (void)snprintf(path, sizeof path, "/v1/dead-letters/%s/reprocess", letter_id);
    call(f, "POST", path, "{\"reason\":\"the wallet is back\"}");
    expect_in(f, 200, "\"status\":\"reprocessed\"");
    /* It fails again, which opens the letter again; the list may still show the first time. */
    (void)snprintf(path, sizeof path, "/v1/dead-letters/%s", letter_id);
    get_until(f, path, "\"status\":\"open\"");
    (void)snprintf(path, sizeof path, "/v1/dead-letters/%s/drop", letter_id);
    call(f, "POST", path, "{\"reason\":\"enough\"}");
    expect_in(f, 200, "\"status\":\"dropped\"");
}

/* ---- rules ---- */

static void rules(void **state)
{
    struct fixture *f = *state;
    get(f, "/v1/rules/pays");
    expect_in(f, 200, "1.0.0");
    get(f, "/v1/rules/nothing");
    expect_problem(f, 404, "nothing");
    call_typed(f, "POST", "/v1/rules", "text/x-lua", "return rule {");
    assert_true(f->status == 400 || f->status == 422);
    call_typed(f, "POST", "/v1/rules", "text/x-lua", "");
    expect_problem(f, 400, "source");
    call_typed(f, "POST", "/v1/rules", "text/html", "return rule {");
    expect_problem(f, 415, "text/x-lua");
    call(f, "POST", "/v1/rules", "{\"source\":7}");
    expect_problem(f, 400, "/source");
    call_typed(f, "POST", "/v1/rules", "text/x-lua",
        "return rule { id = \"second\", version = \"1.0.0\", title = \"t\", owner = \"o\",\n"
        "  on = { \"login\" },\n"
        "  active = { from = \"2000-01-01T00:00:00Z\", to = \"2100-01-01T00:00:00Z\" },\n"
        "  score = function(event, player) return 1 end }\n");
    expect_in(f, 201, "second");
    static const char *const shares[] = {"0", "101", "1.5", "\"10\"", "null"};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        char body[64];
        (void)snprintf(body, sizeof body, "{\"share\":%s}", shares[i]);
        call(f, "POST", "/v1/rules/second/versions/1.0.0/activate", body);
        expect_problem(f, 400, "/share");
    }
    call(f, "POST", "/v1/rules/second/versions/9.9.9/activate", "{\"share\":100}");
    expect_problem(f, 404, "");
    call(f, "POST", "/v1/rules/second/versions/1.0.0/retire", "{}");
    assert_int_equal(f->status, 200);
}

/* ---- metrics ---- */

static void metrics_page(void **state)
{
    struct fixture *f = *state;
    char event_id[32];
    bet(f, "somebody_private", 1, event_id);
    get(f, "/metrics");
    expect_in(f, 200, "# TYPE rewardd_events_total counter\n");
    assert_non_null(strstr(f->head, "Content-Type: text/plain; version=0.0.4"));
    assert_null(strstr(f->body, "somebody_private"));
    static const char *const parts[] = {"rewardd_decide_seconds_bucket{le=\"+Inf\"} ",
        "rewardd_ingest_seconds_count ", "rewardd_journal_commit_seconds_sum ",
        "rewardd_checkpoint_seconds_count ", "rewardd_delivery_seconds_count ",
        "rewardd_reward_tasks{status=\"succeeded\"} 0\n",
        "rewardd_budget_hard_cap{pool=\"season\",currency=\"EUR\"} 100000.00\n",
        "rewardd_budget_used_ratio{pool=\"season\"} ", "rewardd_queue_depth{queue=\"query\"} ",
        "rewardd_journal_lag_bytes ", "rewardd_http_requests_total ",
        "process_resident_memory_bytes ", "rewardd_store_readable 1\n", "rewardd_ready 1\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        expect_in(f, 200, parts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_paths),
        cmocka_unit_test(wrong_methods),
        cmocka_unit_test(health_and_readiness),
        cmocka_unit_test(queries_that_are_refused),
        cmocka_unit_test(document_matches_the_table),
        cmocka_unit_test(references_resolve),
        cmocka_unit_test(document_is_served),
        cmocka_unit_test(budgets),
        cmocka_unit_test(approve_and_reject),
        cmocka_unit_test(decisions_are_as_fresh_as_the_ack),
        cmocka_unit_test(fix_and_reprocess),
        cmocka_unit_test(drop_is_final),
        cmocka_unit_test(deliveries_start_anew),
        cmocka_unit_test(rules),
        cmocka_unit_test(metrics_page),
    };
    return cmocka_run_group_tests(tests, set_up_engine, tear_down_engine);
}

#include "ctl/api.h"

#include "base/memory.h"
#include "ctl/http.h"
#include "ctl/table.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ACTOR: what the daemon takes, see edge/api_call.h. */
enum { PORT_FILE_SIZE_MAX = 256, PAGE_SIZE = 500, ACTOR_SIZE_MAX = 64 };

/* "host:port" from <data.dir>/rewardd.port, which the daemon writes when it is ready. */
static bool read_port_file(const struct rwd_ctl *ctl, char address[PORT_FILE_SIZE_MAX])
{
    struct rwd_buffer path = {0};
    rwd_buffer_put_format(&path, "%s/rewardd.port", ctl->config->data_dir);
    FILE *file = fopen(rwd_buffer_c_string(&path), "re");
    rwd_buffer_finish(&path);
    if (file == NULL) {
        return false;
    }
    bool read = fgets(address, PORT_FILE_SIZE_MAX, file) != NULL;
    (void)fclose(file);
    if (read) {
        address[strcspn(address, "\r\n")] = '\0';
    }
    return read && address[0] != '\0';
}

static void put_base_url(const struct rwd_ctl *ctl, struct rwd_buffer *url)
{
    char address[PORT_FILE_SIZE_MAX];
    if (ctl->url != NULL) {
        size_t size = strlen(ctl->url);
        while (size > 0 && ctl->url[size - 1] == '/') {
            size--;
        }
        rwd_buffer_put(url, ctl->url, size);
    } else if (read_port_file(ctl, address)) {
        rwd_buffer_put_format(url, "http://%s", address);
    } else {
        rwd_buffer_put_format(url, "http://%s", ctl->config->server_listen);
    }
}

static int print_problem(const struct rwd_ctl_answer *answer, const struct cJSON *problem)
{
    struct rwd_buffer text = {0};
    const char *title = rwd_ctl_string(problem, "title");
    const char *detail = rwd_ctl_string(problem, "detail");
    rwd_ctl_put_plain(&text, rwd_text_of(title));
    if (detail[0] != '\0') {
        rwd_buffer_put_string(&text, title[0] != '\0' ? ": " : "");
        rwd_ctl_put_plain(&text, rwd_text_of(detail));
    }
    const char *advice = answer->http_status == 401 || answer->http_status == 403
                             ? " (this command needs another role)"
                         : answer->http_status == 429 || answer->http_status == 503
                             ? " (the daemon is busy or its disk is full: try again in a moment)"
                             : "";
    int code = rwd_ctl_fail(RWD_CTL_FAILED, "the daemon answers %ld: %s%s", answer->http_status,
        rwd_buffer_c_string(&text), advice);
    rwd_buffer_finish(&text);
    return code;
}

/* "rewardctl:ann", of the system's user; by number where it has no name that a header can hold. */
static void name_actor(char actor[ACTOR_SIZE_MAX + 1])
{
    const struct passwd *user = getpwuid(getuid());
    const char *name = user != NULL ? user->pw_name : "";
    int size = snprintf(actor, ACTOR_SIZE_MAX + 1, "rewardctl:%s", name);
    bool good = name[0] != '\0' && size <= ACTOR_SIZE_MAX;
    for (const char *at = name; *at != '\0' && good; at++) {
        good = *at > ' ' && *at <= '~';
    }
    if (!good) {
        (void)snprintf(actor, ACTOR_SIZE_MAX + 1, "rewardctl:%ju", (uintmax_t)getuid());
    }
}

int rwd_ctl_api_call(struct rwd_ctl *ctl, const char *path, const char *body, struct cJSON **answer,
    long *http_status)
{
    struct rwd_buffer url = {0};
    struct rwd_ctl_answer raw = {0};
    struct rwd_error error = {0};
    int code = RWD_CTL_OK;
    put_base_url(ctl, &url);
    rwd_buffer_put_string(&url, path);
    char actor[ACTOR_SIZE_MAX + 1];
    name_actor(actor);
    if (rwd_ctl_http(rwd_buffer_c_string(&url), body, actor, &raw, &error) != RWD_OK) {
        code = rwd_ctl_fail(RWD_CTL_FAILED,
            "no answer from the daemon: %s\n  Is it running? Start it with rewardd -c engine.conf. "
            "Name its engine.conf with -c, or its address with --url.",
            error.text);
        goto finish;
    }
    struct cJSON *parsed = cJSON_ParseWithLength(raw.body.data, raw.body.size);
    bool expected = http_status != NULL && raw.http_status == 404;
    if (raw.http_status / 100 == 2 && parsed != NULL) {
        *answer = parsed;
        parsed = NULL;
    } else if (raw.http_status / 100 == 2) {
        code = rwd_ctl_fail(RWD_CTL_FAILED, "%s did not answer with JSON: is that rewardd?",
            rwd_buffer_c_string(&url));
    } else {
        code = expected ? RWD_CTL_FAILED : print_problem(&raw, parsed);
    }
    cJSON_Delete(parsed);
finish:
    if (http_status != NULL) {
        *http_status = raw.http_status;
    }
    rwd_buffer_finish(&raw.body);
    rwd_buffer_finish(&url);
    return code;
}

/* Moves a page's items over; *cursor becomes the next page's, or empty. */
static bool take_page(
    struct cJSON *page, size_t limit, struct cJSON *items, struct rwd_buffer *cursor)
{
    struct cJSON *array = cJSON_GetObjectItemCaseSensitive(page, "items");
    if (!cJSON_IsArray(array)) {
        return false;
    }
    while (cJSON_GetArraySize(array) > 0 && (size_t)cJSON_GetArraySize(items) < limit) {
        (void)cJSON_AddItemToArray(items, cJSON_DetachItemFromArray(array, 0));
    }
    cursor->size = 0;
    rwd_buffer_put_string(cursor, rwd_ctl_string(page, "next_cursor"));
    return true;
}

int rwd_ctl_api_list(struct rwd_ctl *ctl, const char *path, size_t limit, struct cJSON **items)
{
    struct rwd_buffer cursor = {0};
    struct cJSON *all = cJSON_CreateArray();
    int code = RWD_CTL_OK;
    size_t before = 0;
    do {
        struct rwd_buffer whole = {0};
        before = (size_t)cJSON_GetArraySize(all);
        size_t left = limit - before;
        rwd_buffer_put_format(&whole, "%s%climit=%zu", path, strchr(path, '?') != NULL ? '&' : '?',
            left < PAGE_SIZE ? left : (size_t)PAGE_SIZE);
        if (cursor.size > 0) {
            rwd_buffer_put_string(&whole, "&cursor=");
            rwd_ctl_url_put(&whole, rwd_buffer_c_string(&cursor));
        }
        struct cJSON *page = NULL;
        code = rwd_ctl_api_call(ctl, rwd_buffer_c_string(&whole), NULL, &page, NULL);
        if (code == RWD_CTL_OK && !take_page(page, limit, all, &cursor)) {
            code = rwd_ctl_fail(RWD_CTL_FAILED, "%s did not answer with a list", path);
        }
        cJSON_Delete(page);
        rwd_buffer_finish(&whole);
    } while (code == RWD_CTL_OK && cursor.size > 0 && (size_t)cJSON_GetArraySize(all) > before &&
             (size_t)cJSON_GetArraySize(all) < limit);
    rwd_buffer_finish(&cursor);
    if (code != RWD_CTL_OK) {
        cJSON_Delete(all);
        return code;
    }
    *items = all;
    return code;
}

void rwd_ctl_api_free(struct cJSON *answer)
{
    cJSON_Delete(answer);
}

const struct cJSON *rwd_ctl_member(const struct cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *rwd_ctl_string(const struct cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

void rwd_ctl_value_put(struct rwd_buffer *out, const struct cJSON *value)
{
    if (value == NULL || cJSON_IsNull(value)) {
        return;
    }
    if (cJSON_IsString(value)) {
        rwd_buffer_put_string(out, cJSON_GetStringValue(value));
        return;
    }
    if (cJSON_IsNumber(value)) {
        double number = cJSON_GetNumberValue(value);
        /* Past 2^53 a double is no longer every whole number. */
        bool whole = fabs(number) < 9007199254740992.0 && floor(number) == number;
        if (whole) {
            rwd_buffer_put_format(out, "%.0f", number);
        } else {
            rwd_buffer_put_format(out, "%.15g", number);
        }
        return;
    }
    char *text = cJSON_PrintUnformatted(value);
    rwd_buffer_put_string(out, text != NULL ? text : "");
    cJSON_free(text);
}

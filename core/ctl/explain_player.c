#include "ctl/explain_player.h"

#include "ctl/api.h"
#include "ctl/explain.h"
#include "ctl/table.h"

#include <cjson/cJSON.h>
#include <string.h>

/* What a command on a reward task means, for a person who has not read the source. */
static const struct {
    const char *command;
    const char *sentence;
} command_sentences[] = {
    {"claim", "its turn to be sent came"},
    {"success", "the partner took it"},
    {"retry", "the partner did not take it"},
    {"refused", "the partner refused it"},
    {"approve", "a person let it go"},
    {"reject", "a person rejected it"},
    {"tick", "time came to look at it again"},
    {"reprocess", "it was taken up again"},
};

static void put_plain(struct rwd_buffer *out, const struct cJSON *item, const char *name)
{
    rwd_ctl_put_plain(out, rwd_text_of(rwd_ctl_string(item, name)));
}

static const char *sentence_of(const char *command)
{
    for (size_t i = 0; i < sizeof command_sentences / sizeof command_sentences[0]; i++) {
        if (strcmp(command_sentences[i].command, command) == 0) {
            return command_sentences[i].sentence;
        }
    }
    return command;
}

static void put_task(const struct cJSON *item, struct rwd_buffer *out)
{
    const char *reason = rwd_ctl_string(item, "reason");
    rwd_buffer_put_string(out, "reward ");
    put_plain(out, item, "reward_task_id");
    rwd_buffer_put_char(out, ' ');
    put_plain(out, item, "at");
    rwd_buffer_put_string(out, "\n  ");
    rwd_ctl_put_plain(out, rwd_text_of(sentence_of(rwd_ctl_string(item, "command"))));
    rwd_buffer_put_string(out, "; now it is ");
    put_plain(out, item, "status");
    if (reason[0] != '\0') {
        rwd_buffer_put_string(out, ": ");
        rwd_ctl_put_plain(out, rwd_text_of(rwd_explain_reason(reason)));
    }
    rwd_buffer_put_char(out, '\n');
    if (rwd_ctl_string(item, "actor")[0] != '\0') {
        rwd_buffer_put_string(out, "  by ");
        put_plain(out, item, "actor");
        rwd_buffer_put_char(out, '\n');
    }
    if (rwd_ctl_string(item, "note")[0] != '\0') {
        rwd_buffer_put_string(out, "  noted: ");
        put_plain(out, item, "note");
        rwd_buffer_put_char(out, '\n');
    }
}

static void put_event(const struct cJSON *item, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "event ");
    put_plain(out, item, "event_id");
    rwd_buffer_put_char(out, ' ');
    put_plain(out, item, "event_name");
    rwd_buffer_put_char(out, ' ');
    put_plain(out, item, "ts");
}

static void put_refused(const struct cJSON *item, struct rwd_buffer *out)
{
    put_event(item, out);
    rwd_buffer_put_string(out, "\n  refused: ");
    put_plain(out, rwd_ctl_member(item, "problem"), "detail");
    rwd_buffer_put_string(out, "\n  it is among the dead letters as ");
    put_plain(out, item, "dead_letter_id");
    rwd_buffer_put_char(out, '\n');
}

static enum rwd_status put_item(
    const struct cJSON *item, struct rwd_buffer *out, struct rwd_error *error)
{
    if (strcmp(rwd_ctl_string(item, "type"), "task") == 0) {
        put_task(item, out);
        return RWD_OK;
    }
    if (strcmp(rwd_ctl_string(item, "status"), "rejected") == 0) {
        put_refused(item, out);
        return RWD_OK;
    }
    /* A history names only the rules that matched. */
    if (cJSON_GetArraySize(rwd_ctl_member(item, "rules")) == 0) {
        put_event(item, out);
        rwd_buffer_put_string(out, strcmp(rwd_ctl_string(item, "type"), "release") == 0
                                       ? "\n  decided in event time: no rule gave anything for it\n"
                                       : "\n  no rule gave anything for it\n");
        return RWD_OK;
    }
    char *text = cJSON_PrintUnformatted(item);
    enum rwd_status status = rwd_explain_put(rwd_text_of(text), out, error);
    cJSON_free(text);
    return status;
}

enum rwd_status rwd_explain_put_player(
    struct rwd_text items, struct rwd_buffer *out, struct rwd_error *error)
{
    struct cJSON *parsed = cJSON_ParseWithLength(items.data, items.size);
    if (!cJSON_IsArray(parsed)) {
        cJSON_Delete(parsed);
        return rwd_fail(error, RWD_INVALID, "the answer is not a list of decisions");
    }
    enum rwd_status status = RWD_OK;
    for (int i = cJSON_GetArraySize(parsed); status == RWD_OK && i > 0; i--) {
        status = put_item(cJSON_GetArrayItem(parsed, i - 1), out, error);
        if (i > 1) {
            rwd_buffer_put_char(out, '\n');
        }
    }
    cJSON_Delete(parsed);
    return status;
}

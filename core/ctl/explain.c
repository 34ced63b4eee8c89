#include "ctl/explain.h"

#include "ctl/api.h"
#include "ctl/explain_player.h"
#include "ctl/http.h"
#include "ctl/options.h"
#include "ctl/table.h"
#include "domain/decision.h"
#include "domain/experiment.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

/* What a verdict means, for a person who has not read the source. */
static const char *const verdict_sentences[RWD_RULE_VERDICT_COUNT] = {
    [RWD_RULE_FIRED] = "gave points or a reward",
    [RWD_RULE_NOT_ACTIVE] = "was not active at the time of the event",
    [RWD_RULE_WHERE_GEO] = "is for other countries (where.geo)",
    [RWD_RULE_WHERE_PLATFORM] = "is for other platforms (where.platform)",
    [RWD_RULE_WHERE_PAYER] = "asks for another payer flag (where.payer)",
    [RWD_RULE_WHERE_SEGMENT] = "is for other segments (where.segment)",
    [RWD_RULE_WHERE_CURRENCY] = "is for other currencies (where.currency)",
    [RWD_RULE_WHERE_WEEKDAY] = "is for other weekdays (where.weekday, UTC)",
    [RWD_RULE_WHERE_HOUR] = "is for other hours (where.hour, UTC)",
    [RWD_RULE_WHEN_FALSE] = "its when function said no",
    [RWD_RULE_SCORE_ZERO] = "its score came to nothing",
    [RWD_RULE_CAPPED] = "its cap was already used up",
    [RWD_RULE_GRANT_NIL] = "its grant function gave no reward",
    [RWD_RULE_ERROR] = "failed with an error; what it did was dropped",
    [RWD_RULE_SUSPENDED] = "was suspended after too many errors",
    [RWD_RULE_COUNTED] = "counted the event and gives nothing by itself",
    [RWD_RULE_OTHER_VERSION] = "is for other players: another version of it is this one's",
    [RWD_RULE_WAITING] = "waits for events that may still come before this one",
    [RWD_RULE_NOT_WAITING] = "had not waited for this event",
};

static const struct {
    enum rwd_release release;
    const char *sentence;
} release_sentences[] = {
    {RWD_RELEASE_ORDER,
        "what came since is so much newer that nothing can come before it any more"},
    {RWD_RELEASE_TIME, "it had waited as long as events may be late"},
    {RWD_RELEASE_FULL, "too many of the player's events were waiting"},
};

static const struct {
    enum rwd_task_reason reason;
    const char *sentence;
} reason_sentences[] = {
    {RWD_REASON_SELF_EXCLUDED, "the player has excluded themselves"},
    {RWD_REASON_COOL_OFF, "the player is in a cool-off"},
    {RWD_REASON_DEPOSIT_LIMIT, "the player has reached their deposit limit"},
    {RWD_REASON_KYC_LEVEL, "the player's KYC level is too low for it"},
    {RWD_REASON_GEO_UNKNOWN, "the player's country is not known"},
    {RWD_REASON_GEO_NOT_ALLOWED, "rewards are not allowed in the player's country"},
    {RWD_REASON_BUDGET_HARD_CAP, "the budget's hard cap leaves no room"},
    {RWD_REASON_BUDGET_REVIEW,
        "it is large and the budget is above its soft cap: a person decides (rewardctl holds)"},
    {RWD_REASON_BUDGET_UNKNOWN, "the rule names a budget that does not exist"},
    {RWD_REASON_BUDGET_CURRENCY, "its cost is in another currency than the budget"},
    {RWD_REASON_PRICE_UNKNOWN, "there is no price for it in engine.conf"},
    {RWD_REASON_PAYOUT_MISMATCH,
        "the partner named two payouts for one request: look at it before you approve"},
    {RWD_REASON_PARTNER_REFUSED, "the partner refused it (rewardctl dead-letters)"},
    {RWD_REASON_ATTEMPTS_USED_UP, "the partner did not take it in any attempt: ask it before you "
                                  "drop it (rewardctl dead-letters)"},
    {RWD_REASON_REJECTED, "a person rejected it"},
    {RWD_REASON_APPROVED, "a person approved it"},
    {RWD_REASON_RETRY, "the last attempt failed, another follows"},
    {RWD_REASON_HOLD_EXPIRED, "it was held for too long"},
};

const char *rwd_explain_reason(const char *reason_name)
{
    for (size_t i = 0; i < sizeof reason_sentences / sizeof reason_sentences[0]; i++) {
        if (strcmp(rwd_task_reason_name(reason_sentences[i].reason), reason_name) == 0) {
            return reason_sentences[i].sentence;
        }
    }
    return reason_name;
}

/* A word of the answer, made fit for a terminal. */
static void put_word(struct rwd_buffer *out, const struct cJSON *value)
{
    struct rwd_buffer word = {0};
    rwd_ctl_value_put(&word, value);
    rwd_ctl_put_plain(out, rwd_buffer_text(&word));
    rwd_buffer_finish(&word);
}

static double number_of(const struct cJSON *object, const char *name)
{
    const struct cJSON *value = rwd_ctl_member(object, name);
    return cJSON_IsNumber(value) ? cJSON_GetNumberValue(value) : 0;
}

static const char *sentence_of(const char *verdict)
{
    for (int i = 0; i < RWD_RULE_VERDICT_COUNT; i++) {
        if (strcmp(rwd_rule_verdict_name((enum rwd_rule_verdict)i), verdict) == 0) {
            return verdict_sentences[i];
        }
    }
    return NULL;
}

/* "+10 points (70 before the cap per_day)". */
static void put_points(const struct cJSON *rule, struct rwd_buffer *out)
{
    double points = number_of(rule, "points");
    double points_raw = number_of(rule, "points_raw");
    const char *cap = rwd_ctl_string(rule, "clipped_by");
    rwd_buffer_put_format(out, "+%.0f point%s", points, points == 1 ? "" : "s");
    if (cap[0] != '\0' && points_raw > points) {
        rwd_buffer_put_format(out, " (%.0f before the cap ", points_raw);
        rwd_ctl_put_plain(out, rwd_text_of(cap));
        rwd_buffer_put_char(out, ')');
    }
}

static void put_milestones(const struct cJSON *rule, struct rwd_buffer *out)
{
    const struct cJSON *milestones = rwd_ctl_member(rule, "milestones");
    const struct cJSON *milestone = NULL;
    bool is_first = true;
    cJSON_ArrayForEach(milestone, milestones)
    {
        rwd_buffer_put_string(out, is_first ? "; reached the milestone " : ", ");
        put_word(out, milestone);
        is_first = false;
    }
}

/* The daemon's own explanation knows more than the verdict's name; an older one gives none. */
static void put_verdict(const struct cJSON *rule, struct rwd_buffer *out)
{
    const char *verdict = rwd_ctl_string(rule, "verdict");
    const char *explanation = rwd_ctl_string(rule, "explanation");
    const char *sentence = explanation[0] != '\0' ? explanation : sentence_of(verdict);
    bool fired = strcmp(verdict, rwd_rule_verdict_name(RWD_RULE_FIRED)) == 0;
    bool waits = strcmp(verdict, rwd_rule_verdict_name(RWD_RULE_WAITING)) == 0;
    if (fired && (number_of(rule, "points") > 0 || number_of(rule, "points_raw") > 0)) {
        put_points(rule, out);
    } else {
        rwd_buffer_put_string(out, fired ? "" : waits ? "nothing yet: " : "nothing: ");
        rwd_ctl_put_plain(out, rwd_text_of(sentence != NULL ? sentence : verdict));
    }
    put_milestones(rule, out);
}

static void put_exposure(const struct cJSON *exposure, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "  ");
    put_word(out, rwd_ctl_member(exposure, "experiment"));
    rwd_buffer_put_char(out, ' ');
    put_word(out, rwd_ctl_member(exposure, "version"));
    if (strcmp(rwd_ctl_string(exposure, "arm"), RWD_EXPERIMENT_HOLDOUT) == 0) {
        rwd_buffer_put_string(out, "\n      the player is held out of every arm");
    } else {
        rwd_buffer_put_string(out, "\n      the player is in the arm ");
        put_word(out, rwd_ctl_member(exposure, "arm"));
    }
    rwd_buffer_put_string(out, ", and counts from this event on\n");
}

static void put_rule(const struct cJSON *rule, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "  ");
    put_word(out, rwd_ctl_member(rule, "rule_id"));
    rwd_buffer_put_char(out, ' ');
    put_word(out, rwd_ctl_member(rule, "version"));
    rwd_buffer_put_string(out, "\n      ");
    put_verdict(rule, out);
    if (strcmp(rwd_ctl_string(rule, "arm"), RWD_EXPERIMENT_HOLDOUT) == 0) {
        rwd_buffer_put_string(out, "; held out of the rule's experiment");
    } else if (cJSON_IsString(rwd_ctl_member(rule, "arm"))) {
        rwd_buffer_put_string(out, "; as in the arm ");
        put_word(out, rwd_ctl_member(rule, "arm"));
    }
    rwd_buffer_put_char(out, '\n');
}

/* A task is an object of the API, or its id alone. */
static void put_task(const struct cJSON *task, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "  ");
    if (!cJSON_IsObject(task)) {
        put_word(out, task);
        rwd_buffer_put_char(out, '\n');
        return;
    }
    const char *reason = rwd_ctl_string(task, "reason");
    const struct cJSON *reward = rwd_ctl_member(task, "reward");
    put_word(out, rwd_ctl_member(task, "reward_task_id"));
    rwd_buffer_put_string(out, "  ");
    put_word(out, reward);
    rwd_buffer_put_string(out, "\n      ");
    put_word(out, rwd_ctl_member(task, "status"));
    if (reason[0] != '\0') {
        rwd_buffer_put_string(out, ": ");
        rwd_ctl_put_plain(out, rwd_text_of(rwd_explain_reason(reason)));
    }
    rwd_buffer_put_char(out, '\n');
}

static void put_head(const struct cJSON *decision, struct rwd_buffer *out)
{
    /* The event may be an object of its own or its fields stand beside the rest. */
    const struct cJSON *event = rwd_ctl_member(decision, "event");
    const struct cJSON *from = cJSON_IsObject(event) ? event : decision;
    const struct cJSON *user = rwd_ctl_member(decision, "user_id");
    if (user == NULL) {
        user = rwd_ctl_member(rwd_ctl_member(from, "user"), "id");
    }
    static const char *const names[] = {"event_id", "event_name", "ts"};
    rwd_buffer_put_string(out, "event");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct cJSON *value = rwd_ctl_member(decision, names[i]);
        value = value != NULL ? value : rwd_ctl_member(from, names[i]);
        if (value != NULL) {
            rwd_buffer_put_char(out, ' ');
            put_word(out, value);
        }
    }
    if (user != NULL) {
        rwd_buffer_put_string(out, " of player ");
        put_word(out, user);
    }
    rwd_buffer_put_char(out, '\n');
    if (cJSON_IsTrue(rwd_ctl_member(decision, "late"))) {
        rwd_buffer_put_string(
            out, "it came late: behind the player's newest event by more than the window\n");
    }
}

/* Of a waiting event, or of the decision that let it go. */
static void put_waiting(const struct cJSON *decision, struct rwd_buffer *out)
{
    const char *cause = rwd_ctl_string(decision, "cause");
    if (rwd_ctl_string(decision, "waits_until")[0] != '\0' &&
        !cJSON_IsObject(rwd_ctl_member(decision, "released"))) {
        rwd_buffer_put_string(out, "rules that go by event time decide it by ");
        put_word(out, rwd_ctl_member(decision, "waits_until"));
        rwd_buffer_put_char(out, '\n');
    }
    for (size_t i = 0; i < sizeof release_sentences / sizeof release_sentences[0]; i++) {
        if (strcmp(rwd_release_name(release_sentences[i].release), cause) == 0) {
            rwd_buffer_put_string(out, "decided in event time at ");
            put_word(out, rwd_ctl_member(decision, "released_at"));
            rwd_buffer_put_format(out, ": %s\n", release_sentences[i].sentence);
        }
    }
}

static void put_decided(const struct cJSON *decision, struct rwd_buffer *out)
{
    const struct cJSON *rules = rwd_ctl_member(decision, "rules");
    put_waiting(decision, out);
    rwd_buffer_put_string(
        out, cJSON_GetArraySize(rules) > 0 ? "rules\n" : "no rule listens to this event\n");
    const struct cJSON *item = NULL;
    cJSON_ArrayForEach(item, rules)
    {
        put_rule(item, out);
    }
    const struct cJSON *exposures = rwd_ctl_member(decision, "exposures");
    if (cJSON_GetArraySize(exposures) > 0) {
        rwd_buffer_put_string(out, "experiments\n");
        cJSON_ArrayForEach(item, exposures)
        {
            put_exposure(item, out);
        }
    }
    const struct cJSON *tasks = rwd_ctl_member(decision, "reward_tasks");
    if (cJSON_GetArraySize(tasks) > 0) {
        rwd_buffer_put_string(out, "rewards\n");
        cJSON_ArrayForEach(item, tasks)
        {
            put_task(item, out);
        }
    }
}

enum rwd_status rwd_explain_put(
    struct rwd_text decision, struct rwd_buffer *out, struct rwd_error *error)
{
    struct cJSON *parsed = cJSON_ParseWithLength(decision.data, decision.size);
    const struct cJSON *rules = rwd_ctl_member(parsed, "rules");
    if (!cJSON_IsArray(rules)) {
        cJSON_Delete(parsed);
        return rwd_fail(error, RWD_INVALID, "the answer is not a decision: it has no rules");
    }
    put_head(parsed, out);
    put_decided(parsed, out);
    const struct cJSON *released = rwd_ctl_member(parsed, "released");
    if (cJSON_IsObject(released)) {
        put_decided(released, out);
    }
    cJSON_Delete(parsed);
    return RWD_OK;
}

static const char usage[] =
    "usage: rewardctl explain EVENT_ID\n"
    "       rewardctl explain --user USER_ID [--limit N]\n"
    "\n"
    "Says in plain words what every rule made of an event: the points it gave and the cap that\n"
    "clipped them, or why it gave nothing; and the rewards that came of it, with the reason where\n"
    "one waits or was refused. With --user: the player's latest decisions, oldest first, and what\n"
    "became of their rewards. Asks the running daemon; rewardctl rules explain is the same.\n"
    "\n"
    "  --limit N   how many of the latest; default 20\n"
    "\n"
    "An id that begins with - goes behind --.\n";

enum { HISTORY_COUNT_DEFAULT = 20, HISTORY_COUNT_MAX = 1000 };

static int explain_player(struct rwd_ctl *ctl, const char *user_id, const char *limit_text)
{
    uint64_t limit = HISTORY_COUNT_DEFAULT;
    if (limit_text != NULL && (!rwd_text_to_u64(rwd_text_of(limit_text), &limit) || limit < 1 ||
                                  limit > HISTORY_COUNT_MAX)) {
        return rwd_ctl_fail(
            RWD_CTL_USAGE, "--limit %s: from 1 to %d", limit_text, HISTORY_COUNT_MAX);
    }
    struct rwd_buffer path = {0};
    struct rwd_buffer text = {0};
    struct rwd_error error = {0};
    struct cJSON *items = NULL;
    rwd_buffer_put_string(&path, "/v1/players/");
    rwd_ctl_url_put(&path, user_id);
    rwd_buffer_put_string(&path, "/decisions");
    int code = rwd_ctl_api_list(ctl, rwd_buffer_c_string(&path), (size_t)limit, &items);
    if (code == RWD_CTL_OK && cJSON_GetArraySize(items) == 0) {
        code = rwd_ctl_fail(RWD_CTL_FAILED, "no event of player %s is known", user_id);
    }
    if (code == RWD_CTL_OK) {
        char *list = cJSON_PrintUnformatted(items);
        if (rwd_explain_put_player(rwd_text_of(list), &text, &error) == RWD_OK) {
            (void)fwrite(text.data, 1, text.size, stdout);
        } else {
            code = rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
        }
        cJSON_free(list);
    }
    rwd_ctl_api_free(items);
    rwd_buffer_finish(&text);
    rwd_buffer_finish(&path);
    return code;
}

int rwd_ctl_explain(struct rwd_ctl *ctl, int argc, char **argv)
{
    struct rwd_ctl_option options[] = {{.name = "user"}, {.name = "limit"}};
    struct rwd_ctl_line line = {
        .usage = usage, .options = options, .option_count = 2, .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    bool of_player = options[0].value != NULL;
    if (of_player == (line.word_count == 1) || (options[1].value != NULL && !of_player)) {
        (void)fputs(usage, stderr);
        return RWD_CTL_USAGE;
    }
    if (of_player) {
        return explain_player(ctl, options[0].value, options[1].value);
    }
    struct rwd_buffer path = {0};
    struct rwd_buffer text = {0};
    struct rwd_error error = {0};
    struct cJSON *answer = NULL;
    rwd_buffer_put_string(&path, "/v1/decisions/");
    rwd_ctl_url_put(&path, line.words[0]);
    long http_status = 0;
    code = rwd_ctl_api_call(ctl, rwd_buffer_c_string(&path), NULL, &answer, &http_status);
    if (http_status == 404) {
        code = rwd_ctl_fail(RWD_CTL_FAILED,
            "there is no decision on event %s: it was never accepted. A refused event is in "
            "rewardctl dead-letters --lane events.",
            line.words[0]);
    }
    if (code == RWD_CTL_OK) {
        char *decision = cJSON_PrintUnformatted(answer);
        if (rwd_explain_put(rwd_text_of(decision), &text, &error) == RWD_OK) {
            (void)fwrite(text.data, 1, text.size, stdout);
        } else {
            code = rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
        }
        cJSON_free(decision);
    }
    rwd_ctl_api_free(answer);
    rwd_buffer_finish(&text);
    rwd_buffer_finish(&path);
    return code;
}

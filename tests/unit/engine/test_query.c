/* The query thread on a real store and a real journal, run in the test's own thread: a question and
 * a stop are posted, then run() answers and returns. */
#include "base/check.h"
#include "base/memory.h"
#include "domain/waiting.h"
#include "engine/keeper.h"
#include "engine/query.h"
#include "engine/query_decision.h"
#include "engine/records.h"
#include "store/store.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { HOME = 7, T0 = 1761305841 };
#define MS(seconds) ((int64_t)(T0 + (seconds)) * 1000)

static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {1, 2, 3};

struct fixture {
    char folder[64];
    char url[96];
    struct rwd_store *store;
    struct rwd_journal_writer *journal;
    struct rwd_directory *directory;
    struct rwd_query *query;
    struct rwd_mailbox *home;
    struct rwd_mailbox *keeper;
    struct rwd_error error;
    struct rwd_buffer scratch;
    uint64_t sequence;
};

#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        enum rwd_status assert_status = (call);                                                    \
        if (assert_status != RWD_OK) {                                                             \
            print_error("%s: %s\n", rwd_status_name(assert_status), f->error.text);                \
        }                                                                                          \
        assert_int_equal(assert_status, RWD_OK);                                                   \
    } while (0)

static void add_version(struct fixture *f, uint32_t no, const char *rule_id)
{
    struct rwd_directory_entry entry = {.rule_no = no, .version_no = no, .version = "1.0.0"};
    (void)snprintf(entry.rule_id, sizeof entry.rule_id, "%s", rule_id);
    memset(entry.content_hash, 'a' + (int)no, sizeof entry.content_hash - 1);
    ASSERT_OK(rwd_directory_add(f->directory, &entry));
}

static int set_up(void **state)
{
    struct fixture *f = rwd_new(sizeof *f);
    *state = f;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rewardd-query-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->url, sizeof f->url, "sqlite:%s/store.db", f->folder);
    const struct rwd_journal_options journal = {.dir = f->folder, .segment_size = 1 << 20};
    ASSERT_OK(rwd_store_open(f->url, &f->store, &f->error));
    ASSERT_OK(rwd_journal_open(&journal, &f->journal, &f->error));
    ASSERT_OK(rwd_journal_prepare(f->journal, &f->error));
    f->directory = rwd_directory_create();
    add_version(f, 1, "capped");
    add_version(f, 2, "elsewhere");
    add_version(f, 3, "large_only");
    rwd_directory_add_rulebook(f->directory, 1, RWD_TEXT("{\"bet\":[1,2,3],\"login\":[2]}"));
    f->home = rwd_mailbox_create(16);
    f->keeper = rwd_mailbox_create(16);
    const struct rwd_query_options options = {.store_url = f->url,
        .journal_dir = f->folder,
        .directory = f->directory,
        .fingerprint_key = key,
        .reorder_window_ms = 60000,
        .keeper = f->keeper};
    ASSERT_OK(rwd_query_create(&options, &f->query, &f->error));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rwd_query_destroy(f->query);
    rwd_mailbox_destroy(f->home);
    rwd_mailbox_destroy(f->keeper);
    rwd_directory_destroy(f->directory);
    rwd_journal_close(f->journal);
    rwd_store_close(f->store);
    rwd_buffer_finish(&f->scratch);
    DIR *folder = opendir(f->folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", f->folder, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(folder);
    assert_int_equal(rmdir(f->folder), 0);
    rwd_free(f);
    return 0;
}

static void run_with(struct fixture *f, struct rwd_message *message)
{
    struct rwd_message *stop = rwd_new(sizeof *stop);
    message->kind = RWD_QUERY_INQUIRY;
    stop->kind = RWD_QUERY_STOP;
    ASSERT_OK(rwd_mailbox_post(rwd_query_mailbox(f->query), &message));
    ASSERT_OK(rwd_mailbox_post(rwd_query_mailbox(f->query), &stop));
    rwd_query_run(f->query);
}

/* Posts, runs, and returns the inquiry that came home. */
static void ask(struct fixture *f, struct rwd_inquiry *inquiry)
{
    inquiry->home = f->home;
    inquiry->home_kind = HOME;
    run_with(f, &inquiry->message);
    struct rwd_message *message = rwd_mailbox_take(f->home);
    assert_ptr_equal(message, &inquiry->message);
    assert_int_equal(message->kind, HOME);
    assert_null(message->next);
    if (inquiry->status == RWD_OK && inquiry->json.size > 0) {
        static const struct rwd_json_limits limits = {64, 1 << 20, 64 << 20};
        struct rwd_json json;
        struct rwd_json_fault fault;
        size_t consumed = 0;
        if (rwd_json_scan(rwd_buffer_text(&inquiry->json), &limits, &inquiry->arena, &json,
                &consumed, &fault) != RWD_OK) {
            fail_msg("%s in %s", fault.detail, rwd_buffer_c_string(&inquiry->json));
        }
    }
}

static void assert_has(struct rwd_inquiry *inquiry, const char *part)
{
    assert_int_equal(inquiry->status, RWD_OK);
    if (strstr(rwd_buffer_c_string(&inquiry->json), part) == NULL) {
        fail_msg("no %s in %s", part, inquiry->json.data);
    }
}

static void assert_has_not(struct rwd_inquiry *inquiry, const char *part)
{
    assert_int_equal(inquiry->status, RWD_OK);
    assert_null(strstr(rwd_buffer_c_string(&inquiry->json), part));
}

static size_t count_of(struct rwd_inquiry *inquiry, const char *part)
{
    size_t count = 0;
    const char *at = rwd_buffer_c_string(&inquiry->json);
    while ((at = strstr(at, part)) != NULL) {
        count++;
        at += strlen(part);
    }
    return count;
}

/* What stands behind "next_cursor": in the answer, copied into another inquiry. */
static struct rwd_text next_cursor(struct rwd_inquiry *from, struct rwd_inquiry *to)
{
    const char *at = strstr(rwd_buffer_c_string(&from->json), "\"next_cursor\":\"");
    assert_non_null(at);
    at += strlen("\"next_cursor\":\"");
    return rwd_inquiry_text(to, (struct rwd_text){at, strcspn(at, "\"")});
}

/* ---- the store's rows ---- */

static struct rwd_task some_task(unsigned number)
{
    struct rwd_task task = {.rule_no = 1,
        .version_no = 1,
        .threshold = 100,
        .event_id = "e1",
        .pool_no = 1,
        .status = RWD_TASK_FAILED,
        .reason = RWD_REASON_ATTEMPTS_USED_UP,
        .attempts = 8,
        .created_ms = MS(number),
        .updated_ms = MS(number + 1)};
    task.id.bytes[0] = (uint8_t)number;
    task.reward.kind = RWD_REWARD_CASH;
    task.reward.money = (struct rwd_money){200, {"EUR"}};
    task.reward.cost = task.reward.money;
    return task;
}

static void store_tasks(struct fixture *f, unsigned count)
{
    struct rwd_task_row rows[8];
    char ids[8][RWD_TASK_ID_TEXT_SIZE];
    struct rwd_buffer states[8] = {{0}};
    const struct rwd_delivery_row deliveries[] = {
        {RWD_TEXT("rt_01000000000000000000000000000000"), 1, MS(5), RWD_TEXT("wallet"), 500,
            RWD_TEXT("retry"), RWD_TEXT("say \"no\"")},
        {RWD_TEXT("rt_01000000000000000000000000000000"), 2, MS(6), RWD_TEXT("wallet"), 0,
            RWD_TEXT("retry"), RWD_TEXT("timeout")}};
    const struct rwd_budget_row budget = {.pool_id = RWD_TEXT("nov_season"),
        .pool_no = 1,
        .currency = RWD_TEXT("EUR"),
        .period = RWD_TEXT("season"),
        .hard_cap_minor = 100000,
        .soft_cap_minor = 90000};
    for (unsigned i = 0; i < count; i++) {
        struct rwd_task task = some_task(i + 1);
        rwd_task_id_format(task.id, ids[i]);
        rwd_task_encode(&task, &states[i]);
        rows[i] = (struct rwd_task_row){.task_id = rwd_text_of(ids[i]),
            .user_id = RWD_TEXT("u\"1"),
            .rule_id = RWD_TEXT("capped"),
            .version = RWD_TEXT("1.0.0"),
            .content_hash = RWD_TEXT("bb"),
            .threshold = i == 1 ? 0 : 100,
            .event_id = RWD_TEXT("e1"),
            .schema_id = i == 1 ? RWD_TEXT("") : RWD_TEXT("bet/1.2.0"),
            .experiment = i == 1 ? RWD_TEXT("") : RWD_TEXT("ab"),
            .arm = i == 1 ? RWD_TEXT("") : RWD_TEXT("treatment"),
            .kind = RWD_TEXT("cash"),
            .reward = RWD_TEXT("{\"type\":\"cash\",\"amount\":\"2.00\",\"currency\":\"EUR\"}"),
            .state = rwd_buffer_text(&states[i]),
            .pool_id = RWD_TEXT("nov_season"),
            .cost_minor = 200,
            .currency = RWD_TEXT("EUR"),
            .status = RWD_TEXT("failed"),
            .reason = RWD_TEXT("attempts_used_up"),
            .attempts = 8,
            .payout_id = RWD_TEXT(""),
            .created_ms = task.created_ms,
            .updated_ms = task.updated_ms};
    }
    const struct rwd_checkpoint checkpoint = {.journal_position = 1,
        .tasks = rows,
        .task_count = count,
        .deliveries = deliveries,
        .delivery_count = 2,
        .budgets = &budget,
        .budget_count = 1};
    ASSERT_OK(rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    for (unsigned i = 0; i < count; i++) {
        rwd_buffer_finish(&states[i]);
    }
}

static void tasks_by_pages(void **state)
{
    struct fixture *f = *state;
    store_tasks(f, 3);
    struct rwd_inquiry *first = rwd_inquiry_create(RWD_INQUIRY_TASKS, f);
    first->filter.limit = 2;
    ask(f, first);
    assert_int_equal(count_of(first, "reward_task_id"), 2);
    assert_has(first, "{\"items\":[{\"reward_task_id\":\"rt_03000000000000000000000000000000\","
                      "\"user_id\":\"u\\\"1\",\"origin\":{\"rule_id\":\"capped\",\"version\":\"1.0."
                      "0\",\"content_hash\":\"bb\",\"threshold\":100,\"event_id\":\"e1\","
                      "\"schema_id\":\"bet/1.2.0\",\"experiment\":\"ab\",\"arm\":\"treatment\"},"
                      "\"reward\":{\"type\":\"cash\",\"amount\":\"2.00\",\"currency\":\"EUR\"},"
                      "\"pool_id\":\"nov_season\",\"cost\":\"2.00\",\"currency\":\"EUR\","
                      "\"status\":\"failed\",\"reason\":\"attempts_used_up\",\"attempts\":8,"
                      "\"next_attempt_at\":null,\"payout_id\":null,"
                      "\"created_at\":\"2025-10-24T11:37:24Z\","
                      "\"updated_at\":\"2025-10-24T11:37:25Z\"},");
    assert_has(first, "\"threshold\":null,\"event_id\":\"e1\",\"schema_id\":null,"
                      "\"experiment\":null,\"arm\":null}");
    struct rwd_inquiry *second = rwd_inquiry_create(RWD_INQUIRY_TASKS, f);
    second->filter.cursor = next_cursor(first, second);
    ask(f, second);
    assert_int_equal(count_of(second, "reward_task_id"), 1);
    assert_has(second, "\"next_cursor\":null}");
    struct rwd_inquiry *none = rwd_inquiry_create(RWD_INQUIRY_TASKS, f);
    none->filter.user_id = RWD_TEXT("nobody");
    ask(f, none);
    assert_has(none, "{\"items\":[],\"next_cursor\":null}");
    rwd_inquiry_destroy(none);
    rwd_inquiry_destroy(second);
    rwd_inquiry_destroy(first);
}

static void bad_questions(void **state)
{
    struct fixture *f = *state;
    struct rwd_inquiry *limit = rwd_inquiry_create(RWD_INQUIRY_LEDGER, f);
    limit->filter.limit = 501;
    ask(f, limit);
    assert_int_equal(limit->status, RWD_INVALID);
    assert_non_null(strstr(limit->error.text, "1 to 500"));
    rwd_inquiry_destroy(limit);
    static const enum rwd_inquiry_kind lists[] = {
        RWD_INQUIRY_TASKS, RWD_INQUIRY_LEDGER, RWD_INQUIRY_DEAD_LETTERS, RWD_INQUIRY_DECISIONS};
    static const char *const cursors[] = {
        "forged", "p", "p00000000000000zz", "p00000000000000000", "x0000000000000000"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (size_t c = 0; c < sizeof cursors / sizeof cursors[0]; c++) {
            struct rwd_inquiry *inquiry = rwd_inquiry_create(lists[i], f);
            inquiry->filter.cursor = rwd_text_of(cursors[c]);
            ask(f, inquiry);
            assert_int_equal(inquiry->status, RWD_INVALID);
            assert_true(inquiry->error.text[0] != '\0');
            rwd_inquiry_destroy(inquiry);
        }
    }
    struct rwd_inquiry *keepers = rwd_inquiry_create(RWD_INQUIRY_RULE_UPLOAD, f);
    ask(f, keepers);
    assert_int_equal(keepers->status, RWD_INVALID);
    rwd_inquiry_destroy(keepers);
}

/* A question about rules goes on to the keeper, with what versions gave. */
static void rules_go_on(void **state)
{
    struct fixture *f = *state;
    const struct rwd_version_sum sum = {.version_no = 2, .points = 7, .tasks = 1};
    const struct rwd_checkpoint checkpoint = {.version_sums = &sum, .version_sum_count = 1};
    ASSERT_OK(rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    struct rwd_inquiry *inquiry = rwd_inquiry_create(RWD_INQUIRY_RULE, f);
    inquiry->home = f->home;
    run_with(f, &inquiry->message);
    assert_null(rwd_mailbox_take(f->home));
    assert_ptr_equal(rwd_mailbox_take(f->keeper), &inquiry->message);
    assert_int_equal(inquiry->message.kind, RWD_KEEPER_INQUIRY);
    assert_int_equal(inquiry->version_sum_count, 1);
    assert_int_equal(inquiry->version_sums[0].points, 7);
    rwd_inquiry_destroy(inquiry);
}

static void one_task(void **state)
{
    struct fixture *f = *state;
    store_tasks(f, 1);
    struct rwd_inquiry *inquiry = rwd_inquiry_create(RWD_INQUIRY_TASK, f);
    inquiry->id = RWD_TEXT("rt_01000000000000000000000000000000");
    ask(f, inquiry);
    assert_has(inquiry, "\"deliveries\":[{\"attempt\":1,\"at\":\"2025-10-24T11:37:26Z\","
                        "\"endpoint\":\"wallet\",\"http_status\":500,\"outcome\":\"retry\","
                        "\"detail\":\"say \\\"no\\\"\"},{\"attempt\":2,");
    assert_has(inquiry, "\"http_status\":null");
    assert_true(rwd_text_is(inquiry->user_id, "u\"1"));
    assert_int_equal(inquiry->task.status, RWD_TASK_FAILED);
    assert_int_equal(inquiry->task.reward.cost.minor, 200);
    rwd_inquiry_destroy(inquiry);
    inquiry = rwd_inquiry_create(RWD_INQUIRY_TASK, f);
    inquiry->id = RWD_TEXT("rt_99");
    ask(f, inquiry);
    assert_int_equal(inquiry->status, RWD_NOT_FOUND);
    assert_non_null(strstr(inquiry->error.text, "rt_99"));
    rwd_inquiry_destroy(inquiry);
}

static void ledger_letters_and_counts(void **state)
{
    struct fixture *f = *state;
    store_tasks(f, 2);
    const struct rwd_ledger_row ledger = {RWD_TEXT("rt_01000000000000000000000000000000"),
        RWD_TEXT("u1"), RWD_TEXT("nov_season"), RWD_TEXT("capped"), RWD_TEXT("1.0.0"),
        RWD_TEXT("cc"), RWD_TEXT("bet/1.2.0"), RWD_TEXT("ab"), RWD_TEXT("control"),
        RWD_TEXT("cash"), RWD_TEXT("{\"type\":\"cash\"}"), 200, RWD_TEXT("EUR"), RWD_TEXT("p1"),
        MS(9)};
    const struct rwd_dead_letter_row letter = {RWD_TEXT("dl_1"), RWD_TEXT("events"),
        RWD_TEXT("schema"), RWD_TEXT("/payload/bet"), RWD_TEXT("must be a number"), RWD_TEXT("u1"),
        RWD_TEXT("e9"), RWD_TEXT("{\"a\":\"five\"\xff}"), 0, RWD_TEXT("open"), MS(1), MS(2)};
    const struct rwd_checkpoint checkpoint = {.journal_position = 2,
        .ledger = &ledger,
        .ledger_count = 1,
        .dead_letters = &letter,
        .dead_letter_count = 1};
    ASSERT_OK(rwd_store_checkpoint(f->store, &checkpoint, &f->error));

    struct rwd_inquiry *inquiry = rwd_inquiry_create(RWD_INQUIRY_LEDGER, f);
    ask(f, inquiry);
    assert_has(inquiry, "\"version\":\"1.0.0\",\"content_hash\":\"cc\",\"schema_id\":\"bet/1.2.0\","
                        "\"experiment\":\"ab\",\"arm\":\"control\",\"kind\":\"cash\"");
    assert_has(inquiry, "\"cost\":\"2.00\",\"currency\":\"EUR\",\"payout_id\":\"p1\","
                        "\"posted_at\":\"2025-10-24T11:37:30Z\"}");
    rwd_inquiry_destroy(inquiry);
    inquiry = rwd_inquiry_create(RWD_INQUIRY_DEAD_LETTERS, f);
    inquiry->filter.lane = RWD_TEXT("events");
    ask(f, inquiry);
    /* The body is text, whatever it was. */
    assert_has(inquiry, "\"body\":\"{\\\"a\\\":\\\"five\\\"\xef\xbf\xbd}\"");
    rwd_inquiry_destroy(inquiry);
    inquiry = rwd_inquiry_create(RWD_INQUIRY_DEAD_LETTER, f);
    inquiry->id = RWD_TEXT("dl_1");
    ask(f, inquiry);
    assert_has(inquiry, "{\"dead_letter_id\":\"dl_1\",\"lane\":\"events\",\"status\":\"open\",");
    assert_true(rwd_text_is(inquiry->letter.reference, "e9"));
    rwd_inquiry_destroy(inquiry);
    inquiry = rwd_inquiry_create(RWD_INQUIRY_COUNTS, f);
    ask(f, inquiry);
    assert_int_equal(inquiry->status, RWD_OK);
    assert_int_equal(inquiry->counts.tasks_by_status[RWD_TASK_FAILED], 2);
    assert_int_equal(inquiry->counts.dead_letters_events, 1);
    rwd_inquiry_destroy(inquiry);
}

/* ---- the journal's records ---- */

static void append(
    struct fixture *f, uint8_t type, const char *user, const char *event_id, struct rwd_text raw)
{
    struct rwd_record record = {.type = type,
        .sequence = ++f->sequence,
        .time_ms = MS((int64_t)f->sequence),
        .user_fingerprint = rwd_fingerprint(key, rwd_text_of(user)),
        .event_fingerprint = event_id != NULL ? rwd_fingerprint(key, rwd_text_of(event_id)) : 0};
    const struct rwd_text parts[] = {rwd_buffer_text(&f->scratch), raw};
    ASSERT_OK(rwd_journal_append(f->journal, &record, parts, raw.size > 0 ? 2 : 1));
    ASSERT_OK(rwd_journal_commit(f->journal, &f->error));
}

/* A bet: "capped" gave 10 of 70 points and a task, the other two gave nothing. */
static void append_bet(
    struct fixture *f, const char *user, const char *event_id, const char *says_id)
{
    static const uint8_t verdicts[] = {RWD_RULE_FIRED, RWD_RULE_WHERE_GEO, RWD_RULE_WHEN_FALSE};
    uint64_t milestones[] = {60};
    struct rwd_rule_effect effect = {.rule_no = 1,
        .version_no = 1,
        .points_raw = 70,
        .points = 10,
        .cap = RWD_CAP_DAY,
        .milestones = milestones,
        .milestone_count = 1};
    struct rwd_task task = some_task(1);
    task.status = RWD_TASK_HELD;
    task.reason = RWD_REASON_KYC_LEVEL;
    const struct rwd_profile profile = {.kyc_level = 1, .geo = "TR"};
    const struct rwd_decision decision = {.has_event = true,
        .event_ms = MS(0),
        .now_ms = MS(1),
        .rulebook_no = 1,
        .profile = &profile,
        .verdicts = verdicts,
        .verdict_count = 3,
        .effects = &effect,
        .effect_count = 1,
        .tasks = &task,
        .task_count = 1};
    char raw[256];
    int size = snprintf(raw, sizeof raw,
        "{\"event_id\":\"%s\",\"event_name\":\"bet\",\"version\":\"1.2.0\","
        "\"ts\":\"2025-10-24T11:37:21Z\",\"user\":{\"id\":\"%s\"},\"payload\":{\"bet\":70}}",
        says_id, user);
    f->scratch.size = 0;
    rwd_event_body_encode(rwd_text_of(user), &decision, &f->scratch);
    append(f, RWD_RECORD_EVENT, user, event_id, (struct rwd_text){raw, (size_t)size});
}

static void append_refused(struct fixture *f, const char *user, const char *event_id)
{
    const struct rwd_dead_letter_row row = {.letter_id = RWD_TEXT("dl_7"),
        .lane = RWD_TEXT("events"),
        .reason = RWD_TEXT("schema"),
        .pointer = RWD_TEXT("/payload/bet"),
        .detail = RWD_TEXT("must be a number"),
        .user_id = rwd_text_of(user),
        .reference = rwd_text_of(event_id),
        .body = RWD_TEXT("{\"event_id\":"),
        .status = RWD_TEXT("open"),
        .created_ms = MS(0)};
    f->scratch.size = 0;
    rwd_dead_letter_encode(&row, &f->scratch);
    append(f, RWD_RECORD_DEAD_LETTER, user, event_id, (struct rwd_text){0});
}

static void append_approval(struct fixture *f, const char *user)
{
    struct rwd_task_change change = {.status = RWD_TASK_PENDING, .reason = RWD_REASON_APPROVED};
    change.id.bytes[0] = 1;
    const struct rwd_decision decision = {.now_ms = MS(3), .changes = &change, .change_count = 1};
    const struct rwd_task_command command = {.kind = RWD_TASK_APPROVE,
        .id = change.id,
        .user_id = rwd_text_of(user),
        .actor = RWD_TEXT("api"),
        .note = RWD_TEXT("looked at it")};
    f->scratch.size = 0;
    rwd_task_body_encode(&command, &decision, &f->scratch);
    append(f, RWD_RECORD_TASK, user, NULL, (struct rwd_text){0});
}

static struct rwd_inquiry *ask_decision(struct fixture *f, const char *event_id, const char *user)
{
    struct rwd_inquiry *inquiry = rwd_inquiry_create(RWD_INQUIRY_DECISION, f);
    inquiry->id = rwd_text_of(event_id);
    inquiry->filter.user_id = rwd_text_of(user);
    ask(f, inquiry);
    return inquiry;
}

static void one_decision(void **state)
{
    struct fixture *f = *state;
    store_tasks(f, 1);
    append_bet(f, "u1", "e1", "e1");
    struct rwd_inquiry *inquiry = ask_decision(f, "e1", "");
    assert_has(inquiry, "\"event_id\":\"e1\",\"user_id\":\"u1\",\"event_name\":\"bet\"");
    assert_has(inquiry, "\"ts\":\"2025-10-24T11:37:21Z\",\"ingested_at\":\"2025-10-24T11:37:22Z\","
                        "\"late\":false,\"rulebook_no\":1");
    assert_has(inquiry, "{\"rule_id\":\"capped\",\"version\":\"1.0.0\",\"content_hash\":\"bbbb");
    assert_has(inquiry, "\"verdict\":\"fired\",\"points_raw\":70,\"points\":10,"
                        "\"clipped_by\":\"per_day\",\"milestones\":[60],\"arm\":null,"
                        "\"explanation\":\"gave 10 points of 70: per_day left no more; the total "
                        "reached milestone 60\"");
    assert_has(inquiry, "{\"rule_id\":\"elsewhere\"");
    assert_has(inquiry, "\"verdict\":\"where.geo\",\"points_raw\":0,\"points\":0,"
                        "\"clipped_by\":null,\"milestones\":[]");
    assert_has(inquiry, "the rule's when function said no to this bet");
    assert_has(inquiry, "\"pool_id\":\"nov_season\",\"cost\":\"2.00\",\"currency\":\"EUR\","
                        "\"status\":\"held\",\"reason\":\"kyc_level\",\"gate\":\"kyc\"}");
    assert_has(inquiry, "\"profile_change\":{\"kyc_level\":1,\"self_excluded_until\":null");
    assert_has(inquiry, "\"raw\":{\"event_id\":\"e1\"");
    rwd_inquiry_destroy(inquiry);
    inquiry = ask_decision(f, "no_such_event", "");
    assert_int_equal(inquiry->status, RWD_NOT_FOUND);
    rwd_inquiry_destroy(inquiry);
}

static void whose_decision(void **state)
{
    struct fixture *f = *state;
    append_bet(f, "u1", "same", "same");
    append_bet(f, "u2", "same", "same");
    struct rwd_inquiry *inquiry = ask_decision(f, "same", "");
    assert_has(inquiry, "\"user_id\":\"u2\"");
    rwd_inquiry_destroy(inquiry);
    inquiry = ask_decision(f, "same", "u1");
    assert_has(inquiry, "\"user_id\":\"u1\"");
    rwd_inquiry_destroy(inquiry);
    /* Another event under the same fingerprint is not the one that was asked for. */
    append_bet(f, "u1", "asked", "collides");
    inquiry = ask_decision(f, "asked", "");
    assert_int_equal(inquiry->status, RWD_NOT_FOUND);
    rwd_inquiry_destroy(inquiry);
}

/* A bet that "capped" decides in event time, and what it made of it. */
static void append_waiting(struct fixture *f, const char *user, const char *event_id, bool released)
{
    static const uint8_t arrived[] = {RWD_RULE_WAITING, RWD_RULE_WHERE_GEO, RWD_RULE_FIRED};
    static const uint8_t later[] = {RWD_RULE_FIRED, RWD_RULE_NOT_WAITING, RWD_RULE_NOT_WAITING};
    uint32_t rule_no = 1;
    struct rwd_waiting_event waits = {
        .event_id = rwd_text_of(event_id), .rule_nos = &rule_no, .rule_count = 1};
    struct rwd_rule_effect effect = {
        .rule_no = released ? 1 : 3, .version_no = released ? 1 : 3, .points_raw = 9, .points = 9};
    const struct rwd_decision decision = {.has_event = true,
        .event_ms = MS(0),
        .now_ms = MS(1),
        .rulebook_no = 1,
        .verdicts = released ? later : arrived,
        .verdict_count = 3,
        .effects = &effect,
        .effect_count = 1,
        .waits = released ? NULL : &waits,
        .release = released ? RWD_RELEASE_TIME : RWD_RELEASE_NONE};
    char raw[256];
    int size = snprintf(raw, sizeof raw,
        "{\"event_id\":\"%s\",\"event_name\":\"bet\",\"version\":\"1.2.0\","
        "\"ts\":\"2025-10-24T11:37:21Z\",\"user\":{\"id\":\"%s\"},\"payload\":{\"bet\":70}}",
        event_id, user);
    f->scratch.size = 0;
    rwd_event_body_encode(rwd_text_of(user), &decision, &f->scratch);
    append(f, released ? RWD_RECORD_RELEASE : RWD_RECORD_EVENT, user, event_id,
        (struct rwd_text){raw, (size_t)size});
}

static void an_event_that_waits(void **state)
{
    struct fixture *f = *state;
    append_waiting(f, "u1", "e1", false);
    struct rwd_inquiry *inquiry = ask_decision(f, "e1", "");
    /* Taken in a second after its time; the window is a minute. */
    assert_has(inquiry, "\"waits_until\":\"2025-10-24T11:38:22Z\"");
    assert_has(inquiry, "\"verdict\":\"waiting\",\"points_raw\":0");
    assert_has(inquiry, "it waits for what may still come before this event");
    assert_has(inquiry, "\"released\":null}");
    rwd_inquiry_destroy(inquiry);
    /* The same id of another player is not its release. */
    append_waiting(f, "u2", "e1", true);
    inquiry = ask_decision(f, "e1", "u1");
    assert_has(inquiry, "\"released\":null}");
    rwd_inquiry_destroy(inquiry);
    append_waiting(f, "u1", "e1", true);
    inquiry = ask_decision(f, "e1", "u1");
    assert_has(inquiry, "\"type\":\"event\"");
    assert_has(inquiry, "\"released\":{\"type\":\"release\",\"status\":\"released\","
                        "\"event_id\":\"e1\",\"user_id\":\"u1\"");
    assert_has(inquiry, "\"released_at\":\"2025-10-24T11:37:24Z\",\"cause\":\"time\"");
    assert_has(inquiry, "\"rules\":[{\"rule_id\":\"capped\",\"version\":\"1.0.0\"");
    assert_has(inquiry, "gave 9 points");
    assert_has_not(inquiry, "not_waiting");
    rwd_inquiry_destroy(inquiry);
    inquiry = rwd_inquiry_create(RWD_INQUIRY_DECISIONS, f);
    inquiry->filter.user_id = RWD_TEXT("u1");
    ask(f, inquiry);
    assert_has(inquiry, "{\"items\":[{\"type\":\"release\"");
    assert_has(inquiry, "{\"type\":\"event\",\"status\":\"accepted\",\"event_id\":\"e1\"");
    assert_has(inquiry, "\"verdict\":\"waiting\"");
    rwd_inquiry_destroy(inquiry);
}

static void refused_events_are_found(void **state)
{
    struct fixture *f = *state;
    append_refused(f, "u1", "bad");
    struct rwd_inquiry *inquiry = ask_decision(f, "bad", "");
    assert_has(inquiry, "\"status\":\"rejected\",\"event_id\":\"bad\",\"user_id\":\"u1\"");
    assert_has(inquiry, "\"dead_letter_id\":\"dl_7\",\"problem\":{\"type\":\"schema\"");
    assert_has(inquiry, "\"errors\":[{\"pointer\":\"/payload/bet\"");
    assert_has(inquiry, "\"raw\":\"{\\\"event_id\\\":\"");
    rwd_inquiry_destroy(inquiry);
    /* Accepted in the end, though a refusal is newer. */
    append_bet(f, "u1", "bad", "bad");
    append_refused(f, "u1", "bad");
    inquiry = ask_decision(f, "bad", "");
    assert_has(inquiry, "\"status\":\"accepted\"");
    rwd_inquiry_destroy(inquiry);
}

/* A later process reads the rulebook from the store; without any the effects still tell. */
static void rulebook_of_another_life(void **state)
{
    struct fixture *f = *state;
    append_bet(f, "u1", "e1", "e1");
    rwd_query_destroy(f->query);
    rwd_directory_destroy(f->directory);
    f->directory = rwd_directory_create();
    add_version(f, 1, "capped");
    add_version(f, 2, "elsewhere");
    add_version(f, 3, "large_only");
    const struct rwd_query_options options = {.store_url = f->url,
        .journal_dir = f->folder,
        .directory = f->directory,
        .fingerprint_key = key,
        .reorder_window_ms = 60000,
        .keeper = f->keeper};
    ASSERT_OK(rwd_query_create(&options, &f->query, &f->error));
    struct rwd_inquiry *inquiry = ask_decision(f, "e1", "");
    assert_has(inquiry, "\"rule_id\":\"capped\"");
    assert_has_not(inquiry, "elsewhere");
    rwd_inquiry_destroy(inquiry);
    const struct rwd_rulebook_row rulebook = {
        .rulebook_no = 1, .versions = RWD_TEXT("{\"bet\":[1,2,3]}"), .since_ms = MS(0)};
    const struct rwd_checkpoint checkpoint = {
        .journal_position = 3, .rulebooks = &rulebook, .rulebook_count = 1};
    ASSERT_OK(rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    inquiry = ask_decision(f, "e1", "");
    assert_has(inquiry, "elsewhere");
    assert_has(inquiry, "large_only");
    rwd_inquiry_destroy(inquiry);
}

static void history_newest_first(void **state)
{
    struct fixture *f = *state;
    char id[8];
    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(id, sizeof id, "e%02u", i);
        append_bet(f, "u1", id, id);
        (void)snprintf(id, sizeof id, "x%02u", i);
        append_bet(f, "u2", id, id);
    }
    append_approval(f, "u1");
    struct rwd_inquiry *page = rwd_inquiry_create(RWD_INQUIRY_DECISIONS, f);
    page->filter.user_id = RWD_TEXT("u1");
    page->filter.limit = 5;
    ask(f, page);
    assert_has(page, "{\"items\":[{\"type\":\"task\",\"reward_task_id\":"
                     "\"rt_01000000000000000000000000000000\",\"user_id\":\"u1\","
                     "\"command\":\"approve\"");
    assert_has(page, "\"status\":\"pending\",\"reason\":\"approved\"");
    assert_has(page, "\"actor\":\"api\",\"note\":\"looked at it\"");
    assert_has(page, "\"event_id\":\"e11\"");
    assert_has(page, "\"event_id\":\"e08\"");
    /* Rules that did not match, and the raw event, are for the single decision. */
    assert_has_not(page, "large_only");
    assert_has_not(page, "\"raw\"");
    size_t seen = count_of(page, "\"type\":\"event\"") + count_of(page, "\"type\":\"task\"");
    for (unsigned pages = 1; strstr(page->json.data, "\"next_cursor\":null") == NULL; pages++) {
        assert_true(pages < 4);
        struct rwd_inquiry *next = rwd_inquiry_create(RWD_INQUIRY_DECISIONS, f);
        next->filter.user_id = RWD_TEXT("u1");
        next->filter.limit = 5;
        next->filter.cursor = next_cursor(page, next);
        rwd_inquiry_destroy(page);
        page = next;
        ask(f, page);
        assert_has_not(page, "\"user_id\":\"u2\"");
        seen += count_of(page, "{\"type\":\"event\"");
    }
    assert_int_equal(seen, 5 + 5 + 3);
    rwd_inquiry_destroy(page);
}

static void damage_is_said(void **state)
{
    struct fixture *f = *state;
    f->scratch.size = 0;
    rwd_buffer_put(&f->scratch, "\xff\xff\xff", 3);
    append(f, RWD_RECORD_EVENT, "u1", "e1", (struct rwd_text){0});
    struct rwd_inquiry *inquiry = ask_decision(f, "e1", "");
    assert_int_equal(inquiry->status, RWD_CORRUPT);
    assert_non_null(strstr(inquiry->error.text, "position"));
    rwd_inquiry_destroy(inquiry);
}

static void every_verdict_has_words(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    for (int verdict = 0; verdict < RWD_RULE_VERDICT_COUNT; verdict++) {
        out.size = 0;
        rwd_query__put_explanation((enum rwd_rule_verdict)verdict, NULL, RWD_TEXT("bet"), &out);
        assert_true(out.size > 20);
        assert_null(strstr(rwd_buffer_c_string(&out), "unknown"));
    }
    rwd_buffer_finish(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tasks_by_pages),
        TEST(bad_questions),
        TEST(rules_go_on),
        TEST(one_task),
        TEST(ledger_letters_and_counts),
        TEST(one_decision),
        TEST(whose_decision),
        TEST(an_event_that_waits),
        TEST(refused_events_are_found),
        TEST(rulebook_of_another_life),
        TEST(history_newest_first),
        TEST(damage_is_said),
        cmocka_unit_test(every_verdict_has_words),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "store/sqlite.h"

#include "base/check.h"
#include "domain/task.h"

#include <string.h>

/* FIELD(struct, member, TEXT, KEY): column and member share their name. */
/* NOLINTBEGIN(bugprone-macro-parentheses): types and members cannot stand in parentheses */
#define FIELD(row, member, field_kind, field_role)                                                 \
    {                                                                                              \
        .name = #member, .kind = RWD_STORE__##field_kind, .role = RWD_STORE__##field_role,         \
        .offset = offsetof(struct row, member)                                                     \
    }
#define TABLE(table_name, row, fields_of_it)                                                       \
    {                                                                                              \
        .name = table_name, .fields = fields_of_it,                                                \
        .field_count = sizeof fields_of_it / sizeof fields_of_it[0],                               \
        .row_size = sizeof(struct row),                                                            \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct rwd_store__field player_fields[] = {
    FIELD(rwd_player_row, user_id, TEXT, KEY),
    FIELD(rwd_player_row, kyc_level, I64, PLAIN),
    FIELD(rwd_player_row, self_excluded_until_ms, I64, PLAIN),
    FIELD(rwd_player_row, cool_off_until_ms, I64, PLAIN),
    FIELD(rwd_player_row, deposit_limit_until_ms, I64, PLAIN),
    FIELD(rwd_player_row, geo, TEXT, PLAIN),
    FIELD(rwd_player_row, platform, TEXT, PLAIN),
    FIELD(rwd_player_row, newest_event_ms, I64, PLAIN),
    FIELD(rwd_player_row, sequence, I64, PLAIN),
    FIELD(rwd_player_row, state, BLOB, PLAIN),
    FIELD(rwd_player_row, waiting_count, I64, PLAIN),
    FIELD(rwd_player_row, waiting_since_ms, I64, PLAIN),
};
const struct rwd_store__table rwd_store__players = TABLE("players", rwd_player_row, player_fields);

static const struct rwd_store__field waiting_fields[] = {
    FIELD(rwd_waiting_row, user_id, TEXT, KEY),
    FIELD(rwd_waiting_row, waiting_count, I64, PLAIN),
    FIELD(rwd_waiting_row, waiting_since_ms, I64, PLAIN),
};
const struct rwd_store__table rwd_store__waiting =
    TABLE("players", rwd_waiting_row, waiting_fields);

static const struct rwd_store__field seen_fields[] = {
    FIELD(rwd_seen_row, user_id, TEXT, KEY),
    FIELD(rwd_seen_row, sequence, I64, KEY),
    FIELD(rwd_seen_row, fingerprints, BLOB, PLAIN),
};
const struct rwd_store__table rwd_store__seen = TABLE("player_seen", rwd_seen_row, seen_fields);

static const struct rwd_store__field points_fields[] = {
    FIELD(rwd_points_row, user_id, TEXT, KEY),
    FIELD(rwd_points_row, rule_id, TEXT, KEY),
    FIELD(rwd_points_row, day, U32, KEY),
    FIELD(rwd_points_row, points, I64, PLAIN),
};
const struct rwd_store__table rwd_store__points = TABLE("points", rwd_points_row, points_fields);

/* What names a task's cause is fixed: its id is a hash of the cause. */
static const struct rwd_store__field task_fields[] = {
    FIELD(rwd_task_row, task_id, TEXT, KEY),
    FIELD(rwd_task_row, user_id, TEXT, FIXED),
    FIELD(rwd_task_row, rule_id, TEXT, FIXED),
    FIELD(rwd_task_row, version, TEXT, FIXED),
    FIELD(rwd_task_row, content_hash, TEXT, FIXED),
    FIELD(rwd_task_row, threshold, I64, FIXED),
    FIELD(rwd_task_row, event_id, TEXT, FIXED),
    FIELD(rwd_task_row, schema_id, TEXT, FIXED),
    FIELD(rwd_task_row, experiment, TEXT, FIXED),
    FIELD(rwd_task_row, arm, TEXT, FIXED),
    FIELD(rwd_task_row, kind, TEXT, PLAIN),
    FIELD(rwd_task_row, reward, TEXT, PLAIN),
    FIELD(rwd_task_row, state, BLOB, PLAIN),
    FIELD(rwd_task_row, pool_id, TEXT, PLAIN),
    FIELD(rwd_task_row, pool_period, I64, PLAIN),
    FIELD(rwd_task_row, cost_minor, I64, PLAIN),
    FIELD(rwd_task_row, currency, TEXT, PLAIN),
    FIELD(rwd_task_row, status, TEXT, PLAIN),
    FIELD(rwd_task_row, reason, TEXT, PLAIN),
    FIELD(rwd_task_row, attempts, I64, PLAIN),
    FIELD(rwd_task_row, next_attempt_ms, I64, PLAIN),
    FIELD(rwd_task_row, payout_id, TEXT, PLAIN),
    FIELD(rwd_task_row, created_ms, I64, FIXED),
    FIELD(rwd_task_row, updated_ms, I64, PLAIN),
};
const struct rwd_store__table rwd_store__tasks = TABLE("reward_tasks", rwd_task_row, task_fields);

static const struct rwd_store__field ledger_fields[] = {
    FIELD(rwd_ledger_row, task_id, TEXT, KEY),
    FIELD(rwd_ledger_row, user_id, TEXT, FIXED),
    FIELD(rwd_ledger_row, pool_id, TEXT, FIXED),
    FIELD(rwd_ledger_row, rule_id, TEXT, FIXED),
    FIELD(rwd_ledger_row, version, TEXT, FIXED),
    FIELD(rwd_ledger_row, content_hash, TEXT, FIXED),
    FIELD(rwd_ledger_row, schema_id, TEXT, FIXED),
    FIELD(rwd_ledger_row, experiment, TEXT, FIXED),
    FIELD(rwd_ledger_row, arm, TEXT, FIXED),
    FIELD(rwd_ledger_row, kind, TEXT, FIXED),
    FIELD(rwd_ledger_row, reward, TEXT, FIXED),
    FIELD(rwd_ledger_row, cost_minor, I64, FIXED),
    FIELD(rwd_ledger_row, currency, TEXT, FIXED),
    FIELD(rwd_ledger_row, payout_id, TEXT, FIXED),
    FIELD(rwd_ledger_row, posted_ms, I64, FIXED),
};
const struct rwd_store__table rwd_store__ledger_rows =
    TABLE("reward_ledger", rwd_ledger_row, ledger_fields);

static const struct rwd_store__field delivery_fields[] = {
    FIELD(rwd_delivery_row, task_id, TEXT, KEY),
    FIELD(rwd_delivery_row, attempt, I64, KEY),
    FIELD(rwd_delivery_row, at_ms, I64, PLAIN),
    FIELD(rwd_delivery_row, endpoint, TEXT, PLAIN),
    FIELD(rwd_delivery_row, http_status, I64, PLAIN),
    FIELD(rwd_delivery_row, outcome, TEXT, PLAIN),
    FIELD(rwd_delivery_row, detail, TEXT, PLAIN),
};
const struct rwd_store__table rwd_store__deliveries =
    TABLE("deliveries", rwd_delivery_row, delivery_fields);

static const struct rwd_store__field letter_fields[] = {
    FIELD(rwd_dead_letter_row, letter_id, TEXT, KEY),
    FIELD(rwd_dead_letter_row, lane, TEXT, FIXED),
    FIELD(rwd_dead_letter_row, reason, TEXT, PLAIN),
    FIELD(rwd_dead_letter_row, pointer, TEXT, PLAIN),
    FIELD(rwd_dead_letter_row, detail, TEXT, PLAIN),
    FIELD(rwd_dead_letter_row, user_id, TEXT, PLAIN),
    FIELD(rwd_dead_letter_row, reference, TEXT, PLAIN),
    FIELD(rwd_dead_letter_row, body, BLOB, PLAIN),
    FIELD(rwd_dead_letter_row, attempts, I64, PLAIN),
    FIELD(rwd_dead_letter_row, status, TEXT, PLAIN),
    FIELD(rwd_dead_letter_row, created_ms, I64, FIXED),
    FIELD(rwd_dead_letter_row, updated_ms, I64, PLAIN),
};
const struct rwd_store__table rwd_store__dead_letters =
    TABLE("dead_letters", rwd_dead_letter_row, letter_fields);

static const struct rwd_store__field budget_fields[] = {
    FIELD(rwd_budget_row, pool_id, TEXT, KEY),
    FIELD(rwd_budget_row, pool_no, U32, PLAIN),
    FIELD(rwd_budget_row, currency, TEXT, PLAIN),
    FIELD(rwd_budget_row, period, TEXT, PLAIN),
    FIELD(rwd_budget_row, hard_cap_minor, I64, PLAIN),
    FIELD(rwd_budget_row, soft_cap_minor, I64, PLAIN),
};
const struct rwd_store__table rwd_store__budgets = TABLE("budgets", rwd_budget_row, budget_fields);

static const struct rwd_store__field sum_fields[] = {
    FIELD(rwd_budget_sum, pool_id, TEXT, KEY),
    FIELD(rwd_budget_sum, period, I64, KEY),
    FIELD(rwd_budget_sum, reserved_minor, I64, PLAIN),
    FIELD(rwd_budget_sum, spent_minor, I64, PLAIN),
};
const struct rwd_store__table rwd_store__budget_sums =
    TABLE("budget_periods", rwd_budget_sum, sum_fields);

static const struct rwd_store__field rule_version_fields[] = {
    FIELD(rwd_rule_version_row, rule_id, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, version, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, rule_no, U32, PLAIN),
    FIELD(rwd_rule_version_row, version_no, U32, KEY),
    FIELD(rwd_rule_version_row, content_hash, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, state, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, source, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, source_name, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, registered_ms, I64, PLAIN),
    FIELD(rwd_rule_version_row, since_ms, I64, PLAIN),
    FIELD(rwd_rule_version_row, actor, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, reason, TEXT, PLAIN),
    FIELD(rwd_rule_version_row, share, U32, PLAIN),
    FIELD(rwd_rule_version_row, active_ms, I64, PLAIN),
    FIELD(rwd_rule_version_row, ramp, TEXT, PLAIN),
};
const struct rwd_store__table rwd_store__rule_versions =
    TABLE("rule_versions", rwd_rule_version_row, rule_version_fields);

static const struct rwd_store__field version_sum_fields[] = {
    FIELD(rwd_version_sum, version_no, U32, KEY),
    FIELD(rwd_version_sum, points, I64, PLAIN),
    FIELD(rwd_version_sum, tasks, I64, PLAIN),
    FIELD(rwd_version_sum, tasks_held, I64, PLAIN),
    FIELD(rwd_version_sum, reserved_minor, I64, PLAIN),
    FIELD(rwd_version_sum, spent_minor, I64, PLAIN),
    FIELD(rwd_version_sum, currency, TEXT, PLAIN),
};
const struct rwd_store__table rwd_store__version_sums =
    TABLE("version_sums", rwd_version_sum, version_sum_fields);

static const struct rwd_store__field rulebook_fields[] = {
    FIELD(rwd_rulebook_row, rulebook_no, U32, KEY),
    FIELD(rwd_rulebook_row, versions, TEXT, PLAIN),
    FIELD(rwd_rulebook_row, since_ms, I64, PLAIN),
};
const struct rwd_store__table rwd_store__rulebooks =
    TABLE("rulebooks", rwd_rulebook_row, rulebook_fields);

#undef FIELD
#undef TABLE

_Static_assert(RWD_TASK_STATUS_COUNT == 8, "the statuses of tables and of store.h");
const char *const rwd_store__task_statuses[8] = {
    [RWD_TASK_PENDING] = "pending",
    [RWD_TASK_HELD] = "held",
    [RWD_TASK_DISPATCHING] = "dispatching",
    [RWD_TASK_SUCCEEDED] = "succeeded",
    [RWD_TASK_FAILED] = "failed",
    [RWD_TASK_DENIED] = "denied",
    [RWD_TASK_EXPIRED] = "expired",
    [RWD_TASK_CANCELLED] = "cancelled",
};

/* ---- texts of statements ---- */

void rwd_store__put_columns(const struct rwd_store__table *table, struct rwd_buffer *sql)
{
    for (size_t i = 0; i < table->field_count; i++) {
        rwd_buffer_put_format(
            sql, "%s%s.%s", i > 0 ? ", " : "", table->name, table->fields[i].name);
    }
}

void rwd_store__put_insert(const struct rwd_store__table *table, struct rwd_buffer *sql)
{
    rwd_buffer_put_format(sql, "INSERT INTO %s (", table->name);
    for (size_t i = 0; i < table->field_count; i++) {
        rwd_buffer_put_format(sql, "%s%s", i > 0 ? ", " : "", table->fields[i].name);
    }
    rwd_buffer_put_string(sql, ") VALUES (");
    for (size_t i = 0; i < table->field_count; i++) {
        rwd_buffer_put_format(sql, "%s?%zu", i > 0 ? ", " : "", i + 1);
    }
    rwd_buffer_put_string(sql, ")");
}

void rwd_store__put_update(const struct rwd_store__table *table, struct rwd_buffer *sql)
{
    rwd_buffer_put_format(sql, "UPDATE %s SET", table->name);
    const char *separator = " ";
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].role == RWD_STORE__PLAIN) {
            rwd_buffer_put_format(sql, "%s%s = ?%zu", separator, table->fields[i].name, i + 1);
            separator = ", ";
        }
    }
    separator = " WHERE ";
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].role == RWD_STORE__KEY) {
            rwd_buffer_put_format(sql, "%s%s = ?%zu", separator, table->fields[i].name, i + 1);
            separator = " AND ";
        }
    }
}

void rwd_store__put_upsert(const struct rwd_store__table *table, struct rwd_buffer *sql)
{
    rwd_store__put_insert(table, sql);
    const char *separator = " ON CONFLICT (";
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].role == RWD_STORE__KEY) {
            rwd_buffer_put_format(sql, "%s%s", separator, table->fields[i].name);
            separator = ", ";
        }
    }
    separator = ") DO UPDATE SET ";
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].role == RWD_STORE__PLAIN) {
            rwd_buffer_put_format(
                sql, "%s%s = excluded.%s", separator, table->fields[i].name, table->fields[i].name);
            separator = ", ";
        }
    }
}

/* ---- rows ---- */

static struct rwd_text text_at(const void *row, size_t offset)
{
    struct rwd_text text;
    memcpy(&text, (const char *)row + offset, sizeof text);
    return text;
}

static int64_t number_at(const void *row, const struct rwd_store__field *field)
{
    if (field->kind == RWD_STORE__U32) {
        uint32_t number;
        memcpy(&number, (const char *)row + field->offset, sizeof number);
        return (int64_t)number;
    }
    int64_t number;
    memcpy(&number, (const char *)row + field->offset, sizeof number);
    return number;
}

/* A text without bytes may have no data, and SQLite would take that for NULL. */
static const char *bytes_of(struct rwd_text text)
{
    return text.data != NULL ? text.data : "";
}

void rwd_store__bind_text(sqlite3_stmt *statement, int parameter, struct rwd_text text)
{
    RWD_REQUIRE(sqlite3_bind_text64(statement, parameter, bytes_of(text), text.size, SQLITE_STATIC,
                    SQLITE_UTF8) == SQLITE_OK);
}

void rwd_store__bind(sqlite3_stmt *statement, const struct rwd_store__table *table, const void *row)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct rwd_store__field *field = &table->fields[i];
        int parameter = (int)i + 1;
        if (field->kind == RWD_STORE__TEXT) {
            rwd_store__bind_text(statement, parameter, text_at(row, field->offset));
        } else if (field->kind == RWD_STORE__BLOB) {
            struct rwd_text text = text_at(row, field->offset);
            RWD_REQUIRE(sqlite3_bind_blob64(statement, parameter, bytes_of(text), text.size,
                            SQLITE_STATIC) == SQLITE_OK);
        } else {
            RWD_REQUIRE(
                sqlite3_bind_int64(statement, parameter, number_at(row, field)) == SQLITE_OK);
        }
    }
}

/* Borrowed until the statement moves. */
static struct rwd_text column(sqlite3_stmt *statement, int index)
{
    const char *data = sqlite3_column_blob(statement, index);
    return (struct rwd_text){.data = data, .size = (size_t)sqlite3_column_bytes(statement, index)};
}

enum rwd_status rwd_store__load(sqlite3_stmt *statement, const struct rwd_store__table *table,
    struct rwd_arena *arena, void *row, struct rwd_error *error)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct rwd_store__field *field = &table->fields[i];
        char *member = (char *)row + field->offset;
        if (field->kind == RWD_STORE__TEXT || field->kind == RWD_STORE__BLOB) {
            struct rwd_text text = column(statement, (int)i);
            text.data = rwd_arena_copy(arena, text.data, text.size);
            if (text.data == NULL) {
                return rwd_fail(
                    error, RWD_LIMIT, "store: the arena is full at a row of %s", table->name);
            }
            memcpy(member, &text, sizeof text);
        } else if (field->kind == RWD_STORE__U32) {
            uint32_t number = (uint32_t)sqlite3_column_int64(statement, (int)i);
            memcpy(member, &number, sizeof number);
        } else {
            int64_t number = sqlite3_column_int64(statement, (int)i);
            memcpy(member, &number, sizeof number);
        }
    }
    return RWD_OK;
}

const char *rwd_store__difference(
    sqlite3_stmt *statement, const struct rwd_store__table *table, const void *row, bool only_fixed)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct rwd_store__field *field = &table->fields[i];
        if (only_fixed && field->role == RWD_STORE__PLAIN) {
            continue;
        }
        bool is_text = field->kind == RWD_STORE__TEXT || field->kind == RWD_STORE__BLOB;
        bool same = is_text ? rwd_text_equal(text_at(row, field->offset), column(statement, (int)i))
                            : number_at(row, field) == sqlite3_column_int64(statement, (int)i);
        if (!same) {
            return field->name;
        }
    }
    return NULL;
}

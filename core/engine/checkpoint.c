#include "engine/checkpoint.h"

#include "base/check.h"
#include "base/memory.h"
#include "domain/waiting.h"
#include "engine/task_text.h"

#include <string.h>

enum {
    CHUNK_SIZE = 1 << 20,
    KEEP_SIZE = 8 << 20,
    /* The shard stops taking batches long before (see shard.c), so this is an invariant, not a
       limit. */
    ARENA_SIZE_MAX = 2000 << 20,
};

/* Places of the lists in capacity[]. */
enum list {
    LIST_PLAYERS,
    LIST_SEEN,
    LIST_POINTS,
    LIST_TASKS,
    LIST_LEDGER,
    LIST_DELIVERIES,
    LIST_DEAD_LETTERS,
    LIST_BUDGETS,
    LIST_DIFFERENCES,
    LIST_VERSION_SUMS,
    LIST_RULES,
};

struct rwd_checkpoint_message *rwd_checkpoint_message_create(void)
{
    struct rwd_checkpoint_message *message = rwd_new(sizeof *message);
    rwd_arena_init(&message->arena, CHUNK_SIZE, ARENA_SIZE_MAX);
    return message;
}

void rwd_checkpoint_message_destroy(struct rwd_checkpoint_message *message)
{
    if (message != NULL) {
        rwd_arena_finish(&message->arena);
        rwd_free(message);
    }
}

void rwd_checkpoint_message_reset(struct rwd_checkpoint_message *message)
{
    rwd_arena_reset(&message->arena, KEEP_SIZE);
    message->rows = (struct rwd_checkpoint){0};
    memset(message->capacity, 0, sizeof message->capacity);
    message->size = 0;
    message->has_due_tasks = false;
    message->stamp = 0;
    message->replay_position = RWD_CHECKPOINT_AT_STAMP;
}

static void *take(struct rwd_checkpoint_message *message, size_t size)
{
    void *memory = rwd_arena_alloc(&message->arena, size);
    RWD_REQUIRE(memory != NULL);
    return memory;
}

/* A place for one more row. The lists are const to their readers; here they are in the making. */
static void *add_row(struct rwd_checkpoint_message *message, enum list list, const void **rows,
    size_t *count, size_t size)
{
    size_t *capacity = &message->capacity[list];
    if (*count == *capacity) {
        size_t wider = *capacity == 0 ? 16 : *capacity * 2;
        void *moved = take(message, wider * size);
        if (*count > 0) {
            memcpy(moved, *rows, *count * size);
        }
        *rows = moved;
        *capacity = wider;
    }
    void *row = (char *)(uintptr_t)*rows + *count * size;
    memset(row, 0, size);
    (*count)++;
    message->size += size;
    return row;
}

#define ADD_ROW(message, list, rows_field, count_field)                                            \
    add_row(message, list, (const void **)&(message)->rows.rows_field,                             \
        &(message)->rows.count_field, sizeof *(message)->rows.rows_field)

static struct rwd_text keep(struct rwd_checkpoint_message *message, struct rwd_text text)
{
    if (text.size == 0) {
        return RWD_TEXT("");
    }
    char *copy = rwd_arena_copy(&message->arena, text.data, text.size);
    RWD_REQUIRE(copy != NULL);
    message->size += text.size;
    return (struct rwd_text){.data = copy, .size = text.size};
}

/* Moves a buffer's bytes into the arena. */
static struct rwd_text keep_buffer(
    struct rwd_checkpoint_message *message, struct rwd_buffer *buffer)
{
    struct rwd_text kept = keep(message, rwd_buffer_text(buffer));
    rwd_buffer_finish(buffer);
    return kept;
}

static void add_seen(
    struct rwd_checkpoint_message *message, struct rwd_player *player, struct rwd_text user_id)
{
    uint64_t sequence = 0;
    struct rwd_buffer fingerprints = {0};
    while (rwd_player_seen_spill(player, &fingerprints, &sequence)) {
        struct rwd_seen_row *row = ADD_ROW(message, LIST_SEEN, seen, seen_count);
        row->user_id = user_id;
        row->sequence = sequence;
        row->fingerprints = keep_buffer(message, &fingerprints);
    }
    uint64_t below = rwd_player_seen_drop_below(player);
    if (below != 0) {
        struct rwd_seen_row *row = ADD_ROW(message, LIST_SEEN, seen, seen_count);
        row->user_id = user_id;
        row->sequence = below - 1;
    }
}

/* What the checkpoint adds to a version's sums: by number, so that each is found at once. */
static struct rwd_version_sum *version_sum_of(
    struct rwd_checkpoint_message *message, uint32_t version_no)
{
    while (message->rows.version_sum_count <= version_no) {
        uint32_t no = (uint32_t)message->rows.version_sum_count;
        struct rwd_version_sum *row =
            ADD_ROW(message, LIST_VERSION_SUMS, version_sums, version_sum_count);
        row->version_no = no;
    }
    return (struct rwd_version_sum *)(uintptr_t)&message->rows.version_sums[version_no];
}

static void add_points(struct rwd_checkpoint_message *message, struct rwd_player *player,
    struct rwd_text user_id, const struct rwd_directory *directory)
{
    for (uint32_t i = 0; i < player->rule_count; i++) {
        struct rwd_player_rule *rule = &player->rules[i];
        if (rule->unsaved_count == 0) {
            continue;
        }
        const struct rwd_directory_entry *entry = rwd_directory_rule(directory, rule->rule_no);
        RWD_REQUIRE(entry != NULL);
        for (uint32_t n = 0; n < rule->unsaved_count; n++) {
            const struct rwd_unsaved_points *unsaved = &rule->unsaved[n];
            struct rwd_points_row *row = ADD_ROW(message, LIST_POINTS, points, points_count);
            row->user_id = user_id;
            row->rule_id = rwd_text_of(entry->rule_id);
            row->day = unsaved->day;
            row->points = unsaved->day_sum;
            version_sum_of(message, unsaved->version_no)->points += unsaved->added;
        }
        rwd_free(rule->unsaved);
        rule->unsaved = NULL;
        rule->unsaved_count = 0;
        rule->unsaved_capacity = 0;
    }
}

/* To the sums of its budget and of its rule version. */
static void add_differences(struct rwd_checkpoint_message *message,
    const struct rwd_task_row *written, struct rwd_task *task)
{
    const struct rwd_task_known from = task->known;
    const struct rwd_task_known to = rwd_task_known_of(task);
    const int64_t cost = task->reward.cost.minor;
    int64_t reserved =
        cost * ((to.budget == RWD_BUDGET_RESERVED) - (from.budget == RWD_BUDGET_RESERVED));
    int64_t spent = cost * ((to.budget == RWD_BUDGET_SPENT) - (from.budget == RWD_BUDGET_SPENT));
    if (from.budget != to.budget) {
        struct rwd_budget_difference *row =
            ADD_ROW(message, LIST_DIFFERENCES, differences, difference_count);
        row->pool_id = written->pool_id;
        row->period = task->pool_period;
        row->reserved_minor = reserved;
        row->spent_minor = spent;
    }
    struct rwd_version_sum *sum = version_sum_of(message, task->version_no);
    sum->tasks += to.given - from.given;
    sum->tasks_held += to.held - from.held;
    sum->reserved_minor += reserved;
    sum->spent_minor += spent;
    if (from.budget != to.budget) {
        sum->currency = written->currency;
    }
    task->known = to;
}

static void add_ledger(
    struct rwd_checkpoint_message *message, const struct rwd_task_row *task, int64_t posted_ms)
{
    struct rwd_ledger_row *row = ADD_ROW(message, LIST_LEDGER, ledger, ledger_count);
    row->task_id = task->task_id;
    row->user_id = task->user_id;
    row->pool_id = task->pool_id;
    row->rule_id = task->rule_id;
    row->version = task->version;
    row->content_hash = task->content_hash;
    row->schema_id = task->schema_id;
    row->experiment = task->experiment;
    row->arm = task->arm;
    row->kind = task->kind;
    row->reward = task->reward;
    row->cost_minor = task->cost_minor;
    row->currency = task->currency;
    row->payout_id = task->payout_id;
    row->posted_ms = posted_ms;
}

static void add_failed_delivery(struct rwd_checkpoint_message *message,
    const struct rwd_task_row *task, const struct rwd_task *of)
{
    char letter_id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(of->id, letter_id);
    letter_id[0] = 'd'; /* "rt_..." becomes "dl_..." */
    letter_id[1] = 'l';
    struct rwd_dead_letter_row row = {
        .letter_id = rwd_text_of(letter_id),
        .lane = RWD_TEXT("deliveries"),
        .reason = task->reason,
        .detail = RWD_TEXT("the reward was not delivered; its attempts stand in deliveries"),
        .user_id = task->user_id,
        .reference = task->task_id,
        .body = task->reward,
        .attempts = task->attempts,
        .status = RWD_TEXT("open"),
        .created_ms = of->created_ms,
        .updated_ms = of->updated_ms,
    };
    rwd_checkpoint_add_dead_letter(message, &row);
}

static void add_task(struct rwd_checkpoint_message *message, struct rwd_task *task,
    struct rwd_text user_id, const struct rwd_directory *directory, const struct rwd_pools *pools)
{
    const struct rwd_directory_entry *entry = rwd_directory_version(directory, task->version_no);
    const struct rwd_pool_terms *terms = rwd_pool_terms(pools, task->pool_no);
    RWD_REQUIRE(entry != NULL && (task->pool_no == 0 || terms != NULL));
    struct rwd_buffer reward = {0};
    struct rwd_buffer state = {0};
    char task_id[RWD_TASK_ID_TEXT_SIZE];
    rwd_reward_put_json(&task->reward, &reward);
    rwd_task_encode(task, &state);
    rwd_task_id_format(task->id, task_id);

    struct rwd_task_row *row = ADD_ROW(message, LIST_TASKS, tasks, task_count);
    *row = (struct rwd_task_row){
        .task_id = keep(message, rwd_text_of(task_id)),
        .user_id = user_id,
        .rule_id = rwd_text_of(entry->rule_id),
        .version = rwd_text_of(entry->version),
        .content_hash = rwd_text_of(entry->content_hash),
        .threshold = task->threshold,
        .event_id = keep(message, rwd_text_of(task->event_id)),
        .schema_id = keep(message, rwd_text_of(task->schema_id)),
        .experiment = rwd_directory_experiment(directory, task->experiment_version_no),
        .arm = keep(message, rwd_text_of(task->arm)),
        .kind = rwd_text_of(rwd_reward_kind_name(task->reward.kind)),
        .reward = keep_buffer(message, &reward),
        .state = keep_buffer(message, &state),
        .pool_id = terms != NULL ? rwd_text_of(terms->id) : RWD_TEXT(""),
        .pool_period = task->pool_period,
        .cost_minor = task->reward.cost.minor,
        .currency = keep(message, rwd_text_of(task->reward.cost.currency.code)),
        .status = rwd_text_of(rwd_task_status_name(task->status)),
        .reason = rwd_text_of(rwd_task_reason_name(task->reason)),
        .attempts = task->attempts,
        .next_attempt_ms = task->next_attempt_ms,
        .payout_id = keep(message, rwd_text_of(task->payout_id)),
        .created_ms = task->created_ms,
        .updated_ms = task->updated_ms,
    };
    struct rwd_task_row written = *row;
    add_differences(message, &written, task);
    message->has_due_tasks |= task->status == RWD_TASK_PENDING;
    if (task->status == RWD_TASK_SUCCEEDED) {
        add_ledger(message, &written, task->updated_ms);
    } else if (task->status == RWD_TASK_FAILED) {
        add_failed_delivery(message, &written, task);
    }
    task->dirty = false;
}

void rwd_checkpoint_add_player(struct rwd_checkpoint_message *message, struct rwd_player *player,
    const struct rwd_directory *directory, const struct rwd_pools *pools)
{
    struct rwd_text user_id = keep(message, rwd_player_user_id(player));
    uint32_t open = 0;
    for (uint32_t i = 0; i < player->task_count; i++) {
        struct rwd_task *task = &player->tasks[i];
        bool was_dirty = task->dirty;
        if (was_dirty) {
            add_task(message, task, user_id, directory, pools);
        }
        /* A settled task stays until the checkpoint that took it is committed, which it is when the
         * next one is made: who asks meanwhile hears what became of it. */
        if (!rwd_task_settled(task) || was_dirty) {
            player->tasks[open++] = *task;
        }
    }
    player->task_count = open;
    add_points(message, player, user_id, directory);
    add_seen(message, player, user_id);

    struct rwd_buffer state = {0};
    rwd_player_encode(player, &state);
    const struct rwd_profile *profile = &player->profile;
    struct rwd_player_row *row = ADD_ROW(message, LIST_PLAYERS, players, player_count);
    *row = (struct rwd_player_row){
        .user_id = user_id,
        .kyc_level = profile->kyc_level,
        .self_excluded_until_ms = profile->self_excluded_until_ms,
        .cool_off_until_ms = profile->cool_off_until_ms,
        .deposit_limit_until_ms = profile->deposit_limit_until_ms,
        .geo = keep(message, rwd_text_of(profile->geo)),
        .platform = keep(message, rwd_text_of(profile->platform)),
        .newest_event_ms = player->newest_event_ms,
        .sequence = player->sequence,
        .state = keep_buffer(message, &state),
        .waiting_count = (int64_t)rwd_waiting_count(player),
        .waiting_since_ms = rwd_waiting_since_ms(player),
    };
}

void rwd_checkpoint_add_dead_letter(
    struct rwd_checkpoint_message *message, const struct rwd_dead_letter_row *row)
{
    struct rwd_dead_letter_row *added =
        ADD_ROW(message, LIST_DEAD_LETTERS, dead_letters, dead_letter_count);
    *added = *row;
    added->letter_id = keep(message, row->letter_id);
    added->lane = keep(message, row->lane);
    added->reason = keep(message, row->reason);
    added->pointer = keep(message, row->pointer);
    added->detail = keep(message, row->detail);
    added->user_id = keep(message, row->user_id);
    added->reference = keep(message, row->reference);
    added->body = keep(message, row->body);
    added->status = keep(message, row->status);
}

void rwd_checkpoint_add_delivery(
    struct rwd_checkpoint_message *message, const struct rwd_delivery_row *row)
{
    struct rwd_delivery_row *added = ADD_ROW(message, LIST_DELIVERIES, deliveries, delivery_count);
    *added = *row;
    added->task_id = keep(message, row->task_id);
    added->endpoint = keep(message, row->endpoint);
    added->outcome = keep(message, row->outcome);
    added->detail = keep(message, row->detail);
}

void rwd_checkpoint_add_budget(
    struct rwd_checkpoint_message *message, const struct rwd_budget_row *row)
{
    struct rwd_budget_row *added = ADD_ROW(message, LIST_BUDGETS, budgets, budget_count);
    *added = *row;
    added->pool_id = keep(message, row->pool_id);
    added->currency = keep(message, row->currency);
    added->period = keep(message, row->period);
    /* The journal's alone. */
    added->actor = (struct rwd_text){0};
    added->reason = (struct rwd_text){0};
}

void rwd_checkpoint_add_rule_version(
    struct rwd_checkpoint_message *message, const struct rwd_rule_version_row *row)
{
    struct rwd_rule_version_row *added =
        ADD_ROW(message, LIST_RULES, rule_versions, rule_version_count);
    *added = *row;
    added->rule_id = keep(message, row->rule_id);
    added->version = keep(message, row->version);
    added->content_hash = keep(message, row->content_hash);
    added->state = keep(message, row->state);
    added->source = keep(message, row->source);
    added->source_name = keep(message, row->source_name);
    added->actor = keep(message, row->actor);
    added->reason = keep(message, row->reason);
    added->ramp = keep(message, row->ramp);
}

void rwd_checkpoint_add_rulebook(
    struct rwd_checkpoint_message *message, const struct rwd_rulebook_row *row)
{
    /* Rare and few: a list of its own size each time. */
    size_t count = message->rows.rulebook_count;
    struct rwd_rulebook_row *rows = take(message, (count + 1) * sizeof *rows);
    if (count > 0) {
        memcpy(rows, message->rows.rulebooks, count * sizeof *rows);
    }
    rows[count] = *row;
    rows[count].versions = keep(message, row->versions);
    /* The journal's alone. */
    rows[count].actor = (struct rwd_text){0};
    rows[count].reason = (struct rwd_text){0};
    rows[count].changes = (struct rwd_text){0};
    rows[count].changed = NULL;
    rows[count].changed_count = 0;
    message->rows.rulebooks = rows;
    message->rows.rulebook_count = count + 1;
    message->size += sizeof *rows;
}

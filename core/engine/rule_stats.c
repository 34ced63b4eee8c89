#include "engine/rule_stats.h"

void rwd_rule_stats_count(struct rwd_rule_counters *counters, const struct rwd_decision *decision)
{
    for (size_t i = 0; i < decision->task_count; i++) {
        const struct rwd_task *task = &decision->tasks[i];
        if (task->version_no < RWD_RULE_COUNTER_COUNT && task->status != RWD_TASK_DENIED) {
            struct rwd_rule_counters *of = &counters[task->version_no];
            rwd_count(&of->tasks, 1);
            rwd_count(&of->tasks_held, task->status == RWD_TASK_HELD);
            rwd_count(&of->money_minor, (uint64_t)task->reward.cost.minor);
        }
    }
}

struct rwd_rule_sums rwd_rule_stats_sum(
    const struct rwd_rule_counters *const *shards, uint32_t shard_count, uint32_t version_no)
{
    struct rwd_rule_sums sums = {0};
    for (uint32_t i = 0; i < shard_count && version_no < RWD_RULE_COUNTER_COUNT; i++) {
        const struct rwd_rule_counters *counters = &shards[i][version_no];
        uint64_t p99_ns = rwd_counted(&counters->cost_p99_ns);
        sums.calls += rwd_counted(&counters->calls);
        sums.errors += rwd_counted(&counters->errors);
        sums.suspended += atomic_load_explicit(&counters->suspended, memory_order_relaxed);
        sums.cost_p99_ns = p99_ns > sums.cost_p99_ns ? p99_ns : sums.cost_p99_ns;
        sums.tasks += rwd_counted(&counters->tasks);
        sums.tasks_held += rwd_counted(&counters->tasks_held);
        sums.money_minor += rwd_counted(&counters->money_minor);
    }
    return sums;
}

struct rwd_rule_users rwd_rule_stats_users(const struct rwd_rule_counters *const *shards,
    uint32_t shard_count, uint32_t version_no, uint32_t share)
{
    struct rwd_rule_users users = {0};
    for (uint32_t i = 0; i < shard_count && version_no < RWD_RULE_COUNTER_COUNT; i++) {
        const struct rwd_rule_counters *counters = &shards[i][version_no];
        if (rwd_counted(&counters->users_share) == share) {
            users.canary += rwd_counted(&counters->users);
            users.other += rwd_counted(&counters->users_other);
        }
    }
    return users;
}

struct rwd_shadow_sums rwd_rule_stats_shadow(
    const struct rwd_rule_counters *const *shards, uint32_t shard_count, uint32_t version_no)
{
    struct rwd_shadow_sums sums = {0};
    for (uint32_t i = 0; i < shard_count && version_no < RWD_RULE_COUNTER_COUNT; i++) {
        const struct rwd_shadow_counters *counters = &shards[i][version_no].shadow;
        uint64_t sample = rwd_counted(&counters->sample);
        sums.sample = sample > sums.sample ? sample : sums.sample;
        sums.users += rwd_counted(&counters->users);
        sums.winners += rwd_counted(&counters->winners);
        sums.losers += rwd_counted(&counters->losers);
        sums.points_would += rwd_counted(&counters->points_would);
        sums.points_got += rwd_counted(&counters->points_got);
        sums.tasks_would += rwd_counted(&counters->tasks_would);
        sums.tasks_got += rwd_counted(&counters->tasks_got);
        sums.money_would += rwd_counted(&counters->money_would);
        sums.money_got += rwd_counted(&counters->money_got);
    }
    return sums;
}

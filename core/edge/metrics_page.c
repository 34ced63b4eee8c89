#include "edge/metrics_page.h"

#include "edge/api_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One family's head. help: one line, no backslash. */
static void put_family(const char *name, const char *type, const char *help, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_count(
    const char *name, const char *type, const char *help, uint64_t value, struct rwd_buffer *out)
{
    put_family(name, type, help, out);
    rwd_buffer_put_format(out, "%s %" PRIu64 "\n", name, value);
}

static void put_seconds(
    const char *name, const char *help, uint64_t value_ns, struct rwd_buffer *out)
{
    put_family(name, "gauge", help, out);
    rwd_buffer_put_format(out, "%s %.9g\n", name, (double)value_ns / 1e9);
}

static void put_labelled(
    const char *name, const char *label, const char *value, uint64_t count, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, count);
}

/* ---- histograms ---- */

void rwd_metrics_page_put_histogram(const char *name, const char *help,
    const struct rwd_histogram *const *histograms, size_t count, struct rwd_buffer *out)
{
    /* From the 10 us of a decision to the 10 s a partner may take. */
    static const struct {
        const char *label;
        uint64_t ns;
    } edges[] = {{"0.00001", 10000}, {"0.000025", 25000}, {"0.00005", 50000}, {"0.0001", 100000},
        {"0.00025", 250000}, {"0.0005", 500000}, {"0.001", 1000000}, {"0.0025", 2500000},
        {"0.005", 5000000}, {"0.01", 10000000}, {"0.025", 25000000}, {"0.05", 50000000},
        {"0.1", 100000000}, {"0.25", 250000000}, {"0.5", 500000000}, {"1", 1000000000},
        {"2.5", 2500000000}, {"5", 5000000000}, {"10", 10000000000}};
    put_family(name, "histogram", help, out);
    uint64_t below = 0;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        uint64_t now = 0;
        for (size_t of = 0; of < count; of++) {
            now += rwd_histogram_count_below(histograms[of], edges[i].ns);
        }
        /* The writers go on meanwhile; a cumulative series never falls. */
        below = now > below ? now : below;
        rwd_buffer_put_format(
            out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, edges[i].label, below);
    }
    uint64_t all = 0;
    uint64_t sum_ns = 0;
    for (size_t of = 0; of < count; of++) {
        all += rwd_counted(&histograms[of]->count);
        sum_ns += rwd_counted(&histograms[of]->sum);
    }
    all = all > below ? all : below;
    rwd_buffer_put_format(out,
        "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9g\n%s_count %" PRIu64 "\n", name, all, name,
        (double)sum_ns / 1e9, name, all);
}

static void put_one_histogram(const char *name, const char *help,
    const struct rwd_histogram *histogram, struct rwd_buffer *out)
{
    rwd_metrics_page_put_histogram(name, help, &histogram, 1, out);
}

/* ---- rooms ---- */

enum { SHARD_COUNT_MAX = 64 };

struct shard_totals {
    uint64_t accepted;
    uint64_t duplicates;
    uint64_t rejected;
    uint64_t late;
    uint64_t tasks_created;
    uint64_t points_granted;
    uint64_t players_loaded;
    uint64_t players_evicted;
    uint64_t waiting_events;
    uint64_t released[RWD_RELEASE_COUNT];
};

static void put_totals(const struct shard_totals *totals, struct rwd_buffer *out)
{
    put_family("rewardd_events_total", "counter", "Events by what became of them.", out);
    put_labelled("rewardd_events_total", "outcome", "accepted", totals->accepted, out);
    put_labelled("rewardd_events_total", "outcome", "duplicate", totals->duplicates, out);
    put_labelled("rewardd_events_total", "outcome", "rejected", totals->rejected, out);
    put_count("rewardd_events_late_total", "counter", "Accepted events behind the reorder window.",
        totals->late, out);
    put_count("rewardd_reward_tasks_created_total", "counter", "Reward tasks made by events.",
        totals->tasks_created, out);
    put_count("rewardd_points_granted_total", "counter", "Points given, after caps.",
        totals->points_granted, out);
    put_count("rewardd_players_loaded_total", "counter", "Players read from the store.",
        totals->players_loaded, out);
    put_count("rewardd_players_evicted_total", "counter", "Players dropped from memory.",
        totals->players_evicted, out);
    put_count("rewardd_events_waiting", "gauge", "Events that wait for rules in event time.",
        totals->waiting_events, out);
    put_family("rewardd_events_released_total", "counter",
        "Waiting events that were decided, by cause; full: early, since too many waited.", out);
    for (int i = RWD_RELEASE_ORDER; i < RWD_RELEASE_COUNT; i++) {
        put_labelled("rewardd_events_released_total", "cause",
            rwd_release_name((enum rwd_release)i), totals->released[i], out);
    }
}

static void put_by_shard(const char *name, uint32_t shard, uint64_t value, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "%s{shard=\"%" PRIu32 "\"} %" PRIu64 "\n", name, shard, value);
}

static void put_shards(struct rwd_engine *engine, struct rwd_buffer *out)
{
    const struct rwd_histogram *histograms[SHARD_COUNT_MAX];
    struct shard_totals totals = {0};
    uint32_t count = rwd_engine_shard_count(engine);
    count = count < SHARD_COUNT_MAX ? count : SHARD_COUNT_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const struct rwd_shard_metrics *shard = rwd_engine_shard_metrics(engine, i);
        totals.accepted += rwd_counted(&shard->accepted);
        totals.duplicates += rwd_counted(&shard->duplicates);
        totals.rejected += rwd_counted(&shard->rejected);
        totals.late += rwd_counted(&shard->late);
        totals.tasks_created += rwd_counted(&shard->tasks_created);
        totals.points_granted += rwd_counted(&shard->points_granted);
        totals.players_loaded += rwd_counted(&shard->players_loaded);
        totals.players_evicted += rwd_counted(&shard->players_evicted);
        totals.waiting_events += rwd_counted(&shard->waiting_events);
        for (int cause = 0; cause < RWD_RELEASE_COUNT; cause++) {
            totals.released[cause] += rwd_counted(&shard->released[cause]);
        }
        histograms[i] = &shard->decide_ns;
    }
    put_totals(&totals, out);
    put_family("rewardd_players_hot", "gauge", "Players in memory.", out);
    for (uint32_t i = 0; i < count; i++) {
        put_by_shard("rewardd_players_hot", i,
            rwd_counted(&rwd_engine_shard_metrics(engine, i)->hot_players), out);
    }
    put_family("rewardd_players_dirty", "gauge", "Players no checkpoint has taken yet.", out);
    for (uint32_t i = 0; i < count; i++) {
        put_by_shard("rewardd_players_dirty", i,
            rwd_counted(&rwd_engine_shard_metrics(engine, i)->dirty_players), out);
    }
    rwd_metrics_page_put_histogram(
        "rewardd_decide_seconds", "Deciding one event, rules included.", histograms, count, out);
}

static void put_journal(struct rwd_engine *engine, struct rwd_buffer *out)
{
    const struct rwd_journal_metrics *journal = rwd_engine_journal_metrics(engine);
    put_count("rewardd_journal_records_total", "counter", "Records made durable.",
        rwd_counted(&journal->records), out);
    put_count("rewardd_journal_bytes_total", "counter", "Bytes made durable.",
        rwd_counted(&journal->bytes), out);
    put_count("rewardd_journal_commits_total", "counter", "Syncs of the journal.",
        rwd_counted(&journal->commits), out);
    put_count("rewardd_journal_position_bytes", "gauge", "Where the durable journal ends.",
        rwd_counted(&journal->end_position), out);
    put_count("rewardd_journal_full", "gauge", "1: no room for another segment, events get 503.",
        atomic_load_explicit(&journal->full, memory_order_relaxed) ? 1 : 0, out);
    put_one_histogram("rewardd_journal_commit_seconds", "One write and sync of the journal.",
        &journal->commit_ns, out);
}

static void put_projector(struct rwd_engine *engine, struct rwd_buffer *out)
{
    const struct rwd_projector_metrics *projector = rwd_engine_projector_metrics(engine);
    uint64_t end = rwd_counted(&rwd_engine_journal_metrics(engine)->end_position);
    uint64_t stored = rwd_counted(&projector->position);
    int64_t last_ms = atomic_load_explicit(&projector->last_at_ms, memory_order_relaxed);
    struct rwd_clock clock = rwd_engine_clock(engine);
    int64_t age_ms = last_ms > 0 ? rwd_clock_wall_ms(&clock) - last_ms : 0;
    put_count("rewardd_checkpoints_total", "counter", "Transactions that brought the store on.",
        rwd_counted(&projector->checkpoints), out);
    put_count("rewardd_checkpoint_failures_total", "counter", "Those that failed, to be repeated.",
        rwd_counted(&projector->failures), out);
    put_count("rewardd_checkpoint_players_total", "counter", "Player rows written.",
        rwd_counted(&projector->players), out);
    put_count(
        "rewardd_store_position_bytes", "gauge", "The store is complete up to here.", stored, out);
    put_count("rewardd_journal_lag_bytes", "gauge", "Journal that the store has not taken in.",
        end > stored ? end - stored : 0, out);
    put_seconds("rewardd_checkpoint_last_seconds", "How long the last checkpoint took.",
        rwd_counted(&projector->last_ns), out);
    put_seconds("rewardd_checkpoint_age_seconds", "Since the last checkpoint; 0: none yet.",
        age_ms > 0 ? (uint64_t)age_ms * 1000000 : 0, out);
    put_one_histogram("rewardd_checkpoint_seconds", "One checkpoint transaction.",
        &projector->checkpoint_ns, out);
}

static void put_dispatcher(struct rwd_engine *engine, struct rwd_buffer *out)
{
    const struct rwd_dispatcher_metrics *dispatcher = rwd_engine_dispatcher_metrics(engine);
    put_family("rewardd_deliveries_total", "counter", "Delivery attempts by outcome.", out);
    put_labelled("rewardd_deliveries_total", "outcome", "succeeded",
        rwd_counted(&dispatcher->succeeded), out);
    put_labelled(
        "rewardd_deliveries_total", "outcome", "retried", rwd_counted(&dispatcher->retried), out);
    put_labelled(
        "rewardd_deliveries_total", "outcome", "failed", rwd_counted(&dispatcher->failed), out);
    put_labelled(
        "rewardd_deliveries_total", "outcome", "held", rwd_counted(&dispatcher->held), out);
    put_count("rewardd_payout_mismatches_total", "counter",
        "Partners that named another payout for the same request: look at once.",
        rwd_counted(&dispatcher->mismatched), out);
    put_count("rewardd_deliveries_in_flight", "gauge", "Requests to partners under way.",
        rwd_counted(&dispatcher->in_flight), out);
    put_count("rewardd_breakers_open", "gauge", "Endpoints that are not called just now.",
        rwd_counted(&dispatcher->breakers_open), out);
    put_one_histogram(
        "rewardd_delivery_seconds", "One request to a partner.", &dispatcher->delivery_ns, out);
}

static void put_store(const struct rwd_store_counts *counts, struct rwd_buffer *out)
{
    put_count("rewardd_store_readable", "gauge", "1: the store answered this page's question.",
        counts != NULL ? 1 : 0, out);
    if (counts == NULL) {
        return;
    }
    put_family("rewardd_reward_tasks", "gauge", "Reward tasks by status, as stored.", out);
    for (int status = 0; status < RWD_TASK_STATUS_COUNT; status++) {
        put_labelled("rewardd_reward_tasks", "status",
            rwd_task_status_name((enum rwd_task_status)status), counts->tasks_by_status[status],
            out);
    }
    put_family("rewardd_dead_letters_open", "gauge", "Dead letters that wait for somebody.", out);
    put_labelled("rewardd_dead_letters_open", "lane", "events", counts->dead_letters_events, out);
    put_labelled(
        "rewardd_dead_letters_open", "lane", "deliveries", counts->dead_letters_deliveries, out);
    put_count("rewardd_players", "gauge", "Players stored.", counts->players, out);
}

/* ---- budgets ---- */

static void put_budgets(const struct rwd_engine *engine, struct rwd_buffer *out)
{
    static const struct {
        const char *name;
        const char *help;
    } families[] = {{"rewardd_budget_hard_cap", "What a pool may give in its present period."},
        {"rewardd_budget_soft_cap", "Above it large rewards wait for review."},
        {"rewardd_budget_reserved", "Promised and not yet paid."},
        {"rewardd_budget_spent", "Paid."}};
    const struct rwd_pools *pools = rwd_engine_pools(engine);
    struct rwd_clock clock = rwd_engine_clock(engine);
    int64_t now_ms = rwd_clock_wall_ms(&clock);
    uint32_t count = rwd_pools_count(pools);
    for (size_t family = 0; family < sizeof families / sizeof families[0]; family++) {
        put_family(families[family].name, "gauge", families[family].help, out);
        for (uint32_t pool_no = 1; pool_no <= count; pool_no++) {
            const struct rwd_pool_terms *terms = rwd_pool_terms(pools, pool_no);
            struct rwd_pool_sums sums =
                rwd_pool_read(pools, pool_no, rwd_pool_period_at(pools, pool_no, now_ms));
            const int64_t values[] = {
                sums.hard_cap_minor, sums.soft_cap_minor, sums.reserved_minor, sums.spent_minor};
            char amount[RWD_MONEY_TEXT_SIZE];
            rwd_money_format(values[family], terms->currency, amount);
            rwd_buffer_put_format(out, "%s{pool=\"%s\",currency=\"%s\"} %s\n",
                families[family].name, terms->id, terms->currency.code, amount);
        }
    }
    put_family("rewardd_budget_used_ratio", "gauge", "Reserved and spent over the hard cap.", out);
    for (uint32_t pool_no = 1; pool_no <= count; pool_no++) {
        const struct rwd_pool_terms *terms = rwd_pool_terms(pools, pool_no);
        struct rwd_pool_sums sums =
            rwd_pool_read(pools, pool_no, rwd_pool_period_at(pools, pool_no, now_ms));
        double used = (double)(sums.reserved_minor + sums.spent_minor);
        double ratio = sums.hard_cap_minor > 0 ? used / (double)sums.hard_cap_minor : 1;
        rwd_buffer_put_format(
            out, "rewardd_budget_used_ratio{pool=\"%s\"} %.6g\n", terms->id, ratio);
    }
}

/* ---- the edge and the process ---- */

static void put_queues(struct rwd_engine *engine, struct rwd_buffer *out)
{
    put_family("rewardd_queue_depth", "gauge", "Messages that wait for a thread.", out);
    for (size_t i = 0; i < rwd_engine_queue_count(engine); i++) {
        char name[16] = "";
        size_t depth = rwd_engine_queue_depth(engine, i, name);
        put_labelled("rewardd_queue_depth", "queue", name, depth, out);
    }
}

static void put_http(const struct rwd_http_server_counters *http, struct rwd_buffer *out)
{
    static const char *const classes[] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
    put_count("rewardd_http_connections", "gauge", "Open connections.",
        rwd_counted(&http->connections_open), out);
    put_count("rewardd_http_connections_total", "counter", "Connections taken.",
        rwd_counted(&http->connections_accepted), out);
    put_count("rewardd_http_connections_refused_total", "counter", "Connections over the limit.",
        rwd_counted(&http->connections_refused), out);
    put_count("rewardd_http_requests_total", "counter", "Requests that were read whole.",
        rwd_counted(&http->requests), out);
    put_count("rewardd_http_requests_refused_total", "counter",
        "Requests refused before anybody looked at what they ask.",
        rwd_counted(&http->requests_refused), out);
    put_count("rewardd_http_requests_open", "gauge", "Requests not answered yet.",
        rwd_counted(&http->requests_open), out);
    put_count("rewardd_http_timeouts_total", "counter", "Connections closed by a deadline.",
        rwd_counted(&http->timeouts), out);
    put_count("rewardd_http_inflight_bytes", "gauge", "Bodies not answered yet.",
        rwd_counted(&http->inflight_size), out);
    put_count("rewardd_http_received_bytes_total", "counter", "Bytes in.",
        rwd_counted(&http->bytes_in), out);
    put_count("rewardd_http_sent_bytes_total", "counter", "Bytes out.",
        rwd_counted(&http->bytes_out), out);
    put_family("rewardd_http_answers_total", "counter", "Answers by class of status.", out);
    for (size_t i = 2; i < sizeof classes / sizeof classes[0]; i++) {
        put_labelled(
            "rewardd_http_answers_total", "class", classes[i], rwd_counted(&http->answers[i]), out);
    }
}

static void put_process(struct rwd_buffer *out)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        /* "size resident shared ...", in pages. */
        char line[128] = "";
        char *resident = fgets(line, sizeof line, file) != NULL ? strchr(line, ' ') : NULL;
        pages = resident != NULL ? strtoull(resident, NULL, 10) : 0;
        (void)fclose(file);
    }
    put_count("process_resident_memory_bytes", "gauge", "Memory in RAM.",
        pages * (uint64_t)sysconf(_SC_PAGESIZE), out);
    put_family("rewardd_build_info", "gauge", "Which rewardd this is.", out);
    put_labelled("rewardd_build_info", "version", RWD_VERSION, 1, out);
}

void rwd_metrics_page_put(struct rwd_engine *engine, const struct rwd_api_counters *counters,
    const struct rwd_store_counts *counts, struct rwd_buffer *out)
{
    put_count("rewardd_ready", "gauge", "1: events can be taken.",
        rwd_engine_is_ready(engine) && rwd_engine_refusal(engine) == NULL ? 1 : 0, out);
    if (counters->ingest_ns != NULL) {
        put_one_histogram("rewardd_ingest_seconds",
            "From a request's last byte to its durable answer.", counters->ingest_ns, out);
    }
    put_shards(engine, out);
    put_journal(engine, out);
    put_projector(engine, out);
    put_dispatcher(engine, out);
    put_store(counts, out);
    put_budgets(engine, out);
    put_queues(engine, out);
    if (counters->http != NULL) {
        put_http(counters->http, out);
    }
    put_process(out);
    rwd_engine_put_rule_metrics(engine, out);
}

/* ---- the call ---- */

static void answer_page(struct rwd_api__call *call)
{
    const struct rwd_api_options *options = &call->api->options;
    struct rwd_api_counters counters = {0};
    struct rwd_buffer page = {0};
    if (options->counters != NULL) {
        options->counters(options->counters_context, &counters);
    }
    bool counted = call->inquiry != NULL && call->inquiry->status == RWD_OK;
    rwd_metrics_page_put(
        options->engine, &counters, counted ? &call->inquiry->counts : NULL, &page);
    rwd_api__answer_typed(
        call, 200, "text/plain; version=0.0.4; charset=utf-8", rwd_buffer_text(&page));
    rwd_buffer_finish(&page);
}

/* The page is most wanted when something is wrong, so it comes without the store too. */
void rwd_api__metrics(struct rwd_api__call *call)
{
    rwd_api__ask_anyhow(call, rwd_api__inquiry(call, RWD_INQUIRY_COUNTS), answer_page, answer_page);
}

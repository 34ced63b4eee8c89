/*
 * config: engine.conf, read once by libConfuse against one table of options.
 *
 * A row of the table gives an option its section, name, type, default, bounds, unit and a line of
 * documentation; it drives parsing, -D overrides, checking and `rewardd --help-config`. An unknown
 * key, a value of the wrong type or out of bounds, or a file that was cut off is an error with file
 * and line.
 *
 * Threads:   immutable once loaded; shared by all.
 * Ownership: load/destroy.
 */
#ifndef RWD_DOMAIN_CONFIG_H
#define RWD_DOMAIN_CONFIG_H

#include "domain/pool.h"
#include "domain/reward.h"

enum rwd_signature_family {
    RWD_SIGNATURE_STANDARD, /* webhook-id, webhook-timestamp, webhook-signature */
    RWD_SIGNATURE_X,        /* X-Request-Id, X-Timestamp, X-Signature */
    RWD_SIGNATURE_BOTH,
};

/* endpoint "wallet" { ... }: where rewards of some kinds are delivered. */
struct rwd_endpoint_config {
    char *name;
    char *url;
    char *secret;
    char *secret_next; /* "": one secret is live */
    enum rwd_signature_family signature;
    bool kinds[RWD_REWARD_KIND_COUNT]; /* all, where none is named */
    bool allow_private;
    int64_t timeout_ms;
    int64_t connect_timeout_ms;
    int64_t concurrency_max;
    int64_t breaker_failure_count;
    int64_t breaker_open_ms;
    int64_t response_size_max;
};

/* price "freespins" { cost = "0.10" currency = "EUR" }: one unit of a reward, "kind" or
 * "kind:label". */
struct rwd_price_config {
    enum rwd_reward_kind kind;
    char *label; /* "": any */
    struct rwd_money cost;
};

struct rwd_config {
    char *server_listen;
    int64_t server_connection_count_max;
    int64_t server_head_timeout_ms;
    int64_t server_body_timeout_ms;
    int64_t server_idle_timeout_ms;
    int64_t server_inflight_size_max_mib;
    char *data_dir;
    char *rules_dir;
    bool rules_auto_activate;
    char *schemas_dir; /* "": <rules.dir>/schemas */
    bool schemas_allow_unknown;
    int64_t journal_segment_size_mib;
    char *store_url; /* "": sqlite:<data.dir>/rewardd.sqlite3 */
    int64_t engine_shards;
    int64_t engine_checkpoint_interval_ms;
    int64_t engine_checkpoint_player_count_max;
    int64_t engine_recovery_checkpoint_record_count;
    int64_t engine_hot_player_count_max;
    int64_t engine_batch_event_count_max;
    int64_t engine_waiting_event_count_max;
    int64_t ingest_body_size_max_kib;
    int64_t ingest_event_size_max_kib;
    int64_t ingest_event_count_max;
    int64_t ingest_depth_max;
    int64_t ingest_future_max_s;
    int64_t ingest_reorder_window_s;
    int64_t sandbox_instruction_count_max;
    int64_t sandbox_memory_size_max_mib;
    int64_t sandbox_deadline_ms;
    int64_t sandbox_deadline_hard_ms;
    int64_t sandbox_error_count_max;
    int64_t sandbox_error_call_count;
    char *gates_large_reward; /* as rwd_money_listed reads it */
    char *gates_geo_allowed;  /* "TR,BR": reward only there; "": everywhere */
    int64_t gates_hold_expires_days;
    int64_t dispatcher_attempt_count_max;
    int64_t dispatcher_retry_base_ms;
    int64_t dispatcher_retry_max_ms;
    int64_t dispatcher_poll_interval_ms;
    char *log_level;

    struct rwd_endpoint_config *endpoints;
    size_t endpoint_count;
    struct rwd_price_config *prices;
    size_t price_count;
    struct rwd_pool_terms *budgets;
    size_t budget_count;
};

/* path NULL: all defaults. overrides: "section.key=value". INVALID: error says file:line and what
 * would be right; NOT_FOUND: the file cannot be read. */
RWD_MUST_USE enum rwd_status rwd_config_load(const char *path, const char *const *overrides,
    size_t override_count, struct rwd_config **config, struct rwd_error *error);
void rwd_config_destroy(struct rwd_config *config);
/* The table as text: one line per option with default, bounds, unit and meaning. */
void rwd_config_describe(struct rwd_buffer *out);

#endif

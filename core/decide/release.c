#include "decide/release.h"

enum rwd_release rwd_release_due(
    const struct rwd_gates *gates, const struct rwd_player *player, int64_t now_ms)
{
    const struct rwd_waiting *waiting = player->waiting;
    if (waiting == NULL) {
        return RWD_RELEASE_NONE;
    }
    if (player->newest_event_ms - waiting->events[0].event_ms > gates->reorder_window_ms) {
        return RWD_RELEASE_ORDER;
    }
    if (waiting->count > gates->waiting_event_count_max || waiting->size > RWD_WAITING_SIZE_MAX) {
        return RWD_RELEASE_FULL;
    }
    return now_ms != RWD_RELEASE_NO_CLOCK &&
                   now_ms - gates->reorder_window_ms >= rwd_waiting_since_ms(player)
               ? RWD_RELEASE_TIME
               : RWD_RELEASE_NONE;
}

enum rwd_status rwd_release_read(const struct rwd_waiting_event *waiting, struct rwd_text raw,
    struct rwd_arena *arena, struct rwd_event *event)
{
    /* What was accepted was within the limits of its day. */
    static const struct rwd_json_limits limits = {64, 1 << 16, 1 << 20};
    static const uint8_t no_key[RWD_SIPHASH_KEY_SIZE] = {0};
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem;
    size_t consumed = 0;
    enum rwd_status status = rwd_json_scan(raw, &limits, arena, &json, &consumed, &fault);
    if (status == RWD_OK) {
        status = rwd_event_read(raw, &json, no_key, waiting->ingest_ms, event, &problem);
    }
    if (status == RWD_OK) {
        event->event_fingerprint = waiting->fingerprint;
    }
    return status == RWD_OK || status == RWD_LIMIT ? status : RWD_CORRUPT;
}

void rwd_decide_release_nothing(const struct rwd_decide_facts *facts,
    const struct rwd_waiting_event *waiting, enum rwd_release release,
    struct rwd_decision *decision)
{
    *decision = (struct rwd_decision){.has_event = true,
        .event_ms = waiting->event_ms,
        .now_ms = facts->now_ms,
        .event_fingerprint = waiting->fingerprint,
        .release = release,
        .rulebook_no = rwd_rulebook_no(rwd_ruleset_rulebook(facts->ruleset))};
}

#include "decide/where.h"

enum { HOUR_MS = 3600 * 1000, DAY_HOURS = 24 };

static bool in_list(const struct rwd_text *list, size_t count, struct rwd_text value)
{
    for (size_t i = 0; i < count; i++) {
        if (rwd_text_equal(list[i], value)) {
            return true;
        }
    }
    return false;
}

static bool in_segment(const struct rwd_rule_where *where, const struct rwd_profile *profile)
{
    for (size_t i = 0; i < profile->segment_count; i++) {
        if (in_list(where->segments, where->segment_count, rwd_text_of(profile->segments[i]))) {
            return true;
        }
    }
    return false;
}

static bool time_holds(
    const struct rwd_rule_where *where, int64_t time_ms, enum rwd_rule_verdict *verdict)
{
    int64_t hours = time_ms / HOUR_MS;
    /* 1970-01-01 was a Thursday, weekday 3 counted from Monday. */
    unsigned weekday = (unsigned)((hours / DAY_HOURS + 3) % 7);
    if (where->weekday_mask != 0 && (where->weekday_mask >> weekday & 1U) == 0) {
        *verdict = RWD_RULE_WHERE_WEEKDAY;
        return false;
    }
    if (where->hour_mask != 0 && (where->hour_mask >> (hours % DAY_HOURS) & 1U) == 0) {
        *verdict = RWD_RULE_WHERE_HOUR;
        return false;
    }
    return true;
}

bool rwd_where_holds(const struct rwd_rule *rule, const struct rwd_event *event,
    const struct rwd_profile *profile, enum rwd_rule_verdict *verdict)
{
    const struct rwd_rule_where *where = &rule->where;
    if (event->time_ms < rule->active_from_ms || event->time_ms >= rule->active_to_ms) {
        *verdict = RWD_RULE_NOT_ACTIVE;
        return false;
    }
    if (where->geo_count > 0 && !in_list(where->geos, where->geo_count,
                                    event->geo.size > 0 ? event->geo : rwd_text_of(profile->geo))) {
        *verdict = RWD_RULE_WHERE_GEO;
        return false;
    }
    if (where->platform_count > 0 &&
        !in_list(where->platforms, where->platform_count,
            event->platform.size > 0 ? event->platform : rwd_text_of(profile->platform))) {
        *verdict = RWD_RULE_WHERE_PLATFORM;
        return false;
    }
    if (where->payer != RWD_UNKNOWN &&
        where->payer != (event->payer != RWD_UNKNOWN ? event->payer : profile->payer)) {
        *verdict = RWD_RULE_WHERE_PAYER;
        return false;
    }
    if (where->segment_count > 0 && !in_segment(where, profile)) {
        *verdict = RWD_RULE_WHERE_SEGMENT;
        return false;
    }
    if (where->currency_count > 0) {
        const struct rwd_json_node *currency =
            rwd_json_member(&event->json, event->payload, RWD_TEXT("currency"));
        if (currency == NULL || currency->type != RWD_JSON_STRING ||
            !in_list(where->currencies, where->currency_count, rwd_json_text(currency))) {
            *verdict = RWD_RULE_WHERE_CURRENCY;
            return false;
        }
    }
    return time_holds(where, event->time_ms, verdict);
}

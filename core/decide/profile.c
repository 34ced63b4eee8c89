#include "decide/profile.h"

#include "base/clock.h"

#include <string.h>

static bool copy_if_new(char *out, size_t capacity, struct rwd_text text)
{
    if (text.size == 0 || text.size >= capacity || rwd_text_is(text, out)) {
        return false;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

static bool take_segments(const struct rwd_event *event, struct rwd_profile *profile)
{
    const struct rwd_json_node *list =
        rwd_json_member(&event->json, event->user, RWD_TEXT("segments"));
    if (list == NULL || list->type != RWD_JSON_ARRAY) {
        return false;
    }
    struct rwd_profile before = *profile;
    profile->segment_count = 0;
    memset(profile->segments, 0, sizeof profile->segments);
    for (const struct rwd_json_node *item = rwd_json_first(&event->json, list);
         item != NULL && profile->segment_count < RWD_PLAYER_SEGMENT_COUNT_MAX;
         item = rwd_json_next(&event->json, list, item)) {
        if (item->type == RWD_JSON_STRING && item->size > 0 &&
            item->size <= RWD_PLAYER_SEGMENT_SIZE_MAX) {
            memcpy(profile->segments[profile->segment_count++], item->data, item->size);
        }
    }
    return memcmp(before.segments, profile->segments, sizeof profile->segments) != 0;
}

/* Geo, platform, payer and segments are those of the newest event. */
static bool take_user_block(const struct rwd_event *event, struct rwd_profile *profile)
{
    bool changed = copy_if_new(profile->geo, sizeof profile->geo, event->geo);
    changed |= copy_if_new(profile->platform, sizeof profile->platform, event->platform);
    if (event->payer != RWD_UNKNOWN && event->payer != profile->payer) {
        profile->payer = event->payer;
        changed = true;
    }
    return take_segments(event, profile) || changed;
}

/* What a late event says where nothing was known: the newer ones did not say it. */
static bool fill_blanks(const struct rwd_event *event, struct rwd_profile *profile)
{
    bool changed =
        profile->geo[0] == '\0' && copy_if_new(profile->geo, sizeof profile->geo, event->geo);
    changed |= profile->platform[0] == '\0' &&
               copy_if_new(profile->platform, sizeof profile->platform, event->platform);
    if (profile->payer == RWD_UNKNOWN && event->payer != RWD_UNKNOWN) {
        profile->payer = event->payer;
        changed = true;
    }
    return changed;
}

static bool take_kyc(const struct rwd_event *event, struct rwd_profile *profile)
{
    const struct rwd_json_node *node =
        rwd_json_member(&event->json, event->payload, RWD_TEXT("level"));
    int64_t level = 0;
    if (event->time_ms < profile->kyc_ms || node == NULL || node->type != RWD_JSON_NUMBER ||
        !rwd_json_integer(node, &level) || level < 0 || level > 3) {
        return false;
    }
    profile->kyc_ms = event->time_ms;
    profile->kyc_level = (uint8_t)level;
    return true;
}

/* Each exclusion goes by its own news and by what was lifted later: one that comes late must not be
 * lost because another kind's news came before it. */
static void lift(int64_t lifted_ms, int64_t since_ms, int64_t *until_ms)
{
    if (since_ms <= lifted_ms) {
        *until_ms = 0;
    }
}

static bool take_lifted(int64_t time_ms, struct rwd_profile *profile)
{
    if (time_ms < profile->lifted_ms) {
        return false;
    }
    profile->lifted_ms = time_ms;
    lift(time_ms, profile->self_excluded_ms, &profile->self_excluded_until_ms);
    lift(time_ms, profile->cool_off_ms, &profile->cool_off_until_ms);
    lift(time_ms, profile->deposit_limit_ms, &profile->deposit_limit_until_ms);
    return true;
}

static bool take_rg(const struct rwd_event *event, struct rwd_profile *profile)
{
    const struct rwd_json_node *type =
        rwd_json_member(&event->json, event->payload, RWD_TEXT("type"));
    const struct rwd_json_node *until =
        rwd_json_member(&event->json, event->payload, RWD_TEXT("until"));
    if (type == NULL || type->type != RWD_JSON_STRING) {
        return false;
    }
    struct rwd_text name = rwd_json_text(type);
    if (rwd_text_is(name, "lifted")) {
        return take_lifted(event->time_ms, profile);
    }
    struct {
        const char *name;
        int64_t *since_ms;
        int64_t *until_ms;
    } kinds[] = {
        {"self_exclusion", &profile->self_excluded_ms, &profile->self_excluded_until_ms},
        {"cool_off", &profile->cool_off_ms, &profile->cool_off_until_ms},
        {"deposit_limit_reached", &profile->deposit_limit_ms, &profile->deposit_limit_until_ms},
    };
    int64_t until_ms = INT64_MAX;
    if (until != NULL && until->type == RWD_JSON_STRING &&
        !rwd_time_parse(rwd_json_text(until), &until_ms)) {
        /* A date nobody can read must not end an exclusion. */
        until_ms = INT64_MAX;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (rwd_text_is(name, kinds[i].name) && event->time_ms >= *kinds[i].since_ms &&
            event->time_ms >= profile->lifted_ms) {
            *kinds[i].since_ms = event->time_ms;
            *kinds[i].until_ms = until_ms;
            return true;
        }
    }
    return false;
}

/* The common case, without a copy: a plain event of a player whose user block says nothing new. */
static bool says_nothing_new(const struct rwd_event *event, const struct rwd_player *player)
{
    const struct rwd_profile *profile = &player->profile;
    return !rwd_text_is(event->name, "kyc_status_changed") &&
           !rwd_text_is(event->name, "rg_event") &&
           (event->geo.size == 0 || rwd_text_is(event->geo, profile->geo)) &&
           (event->platform.size == 0 || rwd_text_is(event->platform, profile->platform)) &&
           (event->payer == RWD_UNKNOWN || event->payer == profile->payer) &&
           rwd_json_member(&event->json, event->user, RWD_TEXT("segments")) == NULL;
}

const struct rwd_profile *rwd_profile_after(
    const struct rwd_event *event, const struct rwd_player *player, struct rwd_arena *arena)
{
    if (says_nothing_new(event, player)) {
        return &player->profile;
    }
    struct rwd_profile *profile = rwd_arena_alloc(arena, sizeof *profile);
    if (profile == NULL) {
        return NULL;
    }
    *profile = player->profile;
    bool changed = event->time_ms >= player->newest_event_ms ? take_user_block(event, profile)
                                                             : fill_blanks(event, profile);
    if (rwd_text_is(event->name, "kyc_status_changed")) {
        changed |= take_kyc(event, profile);
    } else if (rwd_text_is(event->name, "rg_event")) {
        changed |= take_rg(event, profile);
    }
    return changed ? profile : &player->profile;
}

/***
 * player: who it happened to, as of this event, read-only.
 *
 *   player.id  geo  platform  payer  kyc_level     nil where unknown
 *   player.segments          a list; player.segments.has("vip")
 *   player.attributes        event.user.attributes
 *   player.agg.<name>        what the rule's aggregates declare, this event included
 *   player.points(rule_id)   total points of a rule
 *   player.arm()             of the rule's experiment; nil: in no arm of it. The experiment may be
 *                            named: player.arm("scoring_ab"), but only the rule's own. To ask is
 *                            to expose: the player counts in the experiment from then on
 *
 *     return player.agg.wager_1d >= 100 and player.segments.has("vip")
 *
 * A name that does not exist is an error, so a slip of the pen is not a rule that never fires.
 */
#include "script/vm.h"

#include <string.h>

#define ATTRIBUTES "attributes "

static const struct rwd_sandbox_call *call_of(lua_State *L)
{
    const struct rwd_sandbox_call *call = rwd_vm_of(L)->call;
    if (call == NULL) {
        (void)luaL_error(L, "the player is there only inside when, score and grant");
    }
    return call;
}

/* L's second argument, by all its bytes: "points\0" is no name of ours. */
static bool name_is(lua_State *L, const char *name)
{
    struct rwd_text given = {0};
    if (lua_type(L, 2) == LUA_TSTRING) {
        given.data = lua_tolstring(L, 2, &given.size);
    }
    return given.data != NULL && rwd_text_is(given, name);
}

static int no_field(lua_State *L, const char *of, int index, const char *const *names)
{
    const char *wrong = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "?";
    const char *near = rwd_vm_nearest(rwd_text_of(wrong), names);
    if (near != NULL) {
        return luaL_error(L, "%s has no field '%s'; did you mean '%s'?", of, wrong, near);
    }
    return luaL_error(L, "%s has no field '%s'", of, wrong);
}

static void push_optional(lua_State *L, const char *text)
{
    if (text[0] == '\0') {
        lua_pushnil(L);
    } else {
        lua_pushstring(L, text);
    }
}

static int player_index(lua_State *L)
{
    static const char *const names[] = {"id", "geo", "platform", "payer", "kyc_level", "segments",
        "attributes", "agg", "points", "arm", NULL};
    const struct rwd_sandbox_call *call = call_of(L);
    struct rwd_text name = {0};
    if (lua_type(L, 2) == LUA_TSTRING) {
        name.data = lua_tolstring(L, 2, &name.size);
    }
    if (rwd_text_is(name, "id")) {
        rwd_vm_push_text(L, call->user_id);
    } else if (rwd_text_is(name, "geo")) {
        push_optional(L, call->profile->geo);
    } else if (rwd_text_is(name, "platform")) {
        push_optional(L, call->profile->platform);
    } else if (rwd_text_is(name, "kyc_level")) {
        lua_pushinteger(L, call->profile->kyc_level);
    } else if (rwd_text_is(name, "payer")) {
        if (call->profile->payer == RWD_UNKNOWN) {
            lua_pushnil(L);
        } else {
            lua_pushboolean(L, call->profile->payer == RWD_YES);
        }
    } else {
        return no_field(L, "player", 2, names);
    }
    return 1;
}

/* Points the block at the event: only for rules that ask. */
static void find_attributes(lua_State *L)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    const struct rwd_event *event = call_of(L)->event;
    if (vm->attributes->node == NULL) {
        const struct rwd_json_node *node =
            rwd_json_member(&event->json, event->user, RWD_TEXT("attributes"));
        vm->attributes->node = node != NULL && node->type == RWD_JSON_OBJECT ? node : NULL;
    }
}

/* Whatever is not in the fields table, which is L's first argument. It keeps the attributes block
 * under a name that no rule can write. */
static int player_field(lua_State *L)
{
    if (name_is(L, "attributes")) {
        find_attributes(L);
        lua_pushliteral(L, ATTRIBUTES);
        lua_rawget(L, 1);
        return 1;
    }
    return player_index(L);
}

/* The name a method was called with, as player.points("x") or player:points("x"). */
static struct rwd_text method_name(lua_State *L, const char *what)
{
    const struct rwd_object *object = rwd_vm_object(L, 1);
    return rwd_vm_text(L, object != NULL ? 2 : 1, what);
}

static int player_points(lua_State *L)
{
    const struct rwd_sandbox_call *call = call_of(L);
    struct rwd_text rule_id = method_name(L, "player.points: rule id");
    rwd_vm_charge(L, 4);
    lua_pushnumber(
        L, call->points != NULL ? (double)call->points(call->points_context, rule_id) : 0);
    return 1;
}

static int player_arm(lua_State *L)
{
    const struct rwd_sandbox_call *call = call_of(L);
    const struct rwd_rule *rule = rwd_vm_of(L)->rule;
    struct rwd_text experiment = rwd_text_of(rule->experiment);
    int argument = rwd_vm_object(L, 1) != NULL ? 2 : 1;
    if (!lua_isnoneornil(L, argument)) {
        experiment = rwd_vm_text(L, argument, "player.arm: experiment");
    }
    if (experiment.size == 0 || !rwd_text_is(experiment, rule->experiment)) {
        return luaL_error(L, "player.arm: the rule must name its experiment: experiment = \"%s\"",
            experiment.size > 0 ? lua_tostring(L, argument) : "...");
    }
    rwd_vm_charge(L, 8);
    struct rwd_text arm = {0};
    if (call->arm != NULL) {
        arm = call->arm(call->arm_context, experiment);
    }
    if (arm.size > 0) {
        rwd_vm_push_text(L, arm);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int segments_has(lua_State *L)
{
    const struct rwd_profile *profile = call_of(L)->profile;
    struct rwd_text wanted = method_name(L, "player.segments.has: segment");
    bool found = false;
    for (unsigned i = 0; i < profile->segment_count && !found; i++) {
        found = rwd_text_is(wanted, profile->segments[i]);
    }
    lua_pushboolean(L, found);
    return 1;
}

static int segments_index(lua_State *L)
{
    static const char *const names[] = {"has", NULL};
    const struct rwd_profile *profile = call_of(L)->profile;
    if (lua_type(L, 2) == LUA_TNUMBER) {
        double index = lua_tonumber(L, 2);
        if (index >= 1 && index <= profile->segment_count && index == (double)(int)index) {
            lua_pushstring(L, profile->segments[(int)index - 1]);
        } else {
            lua_pushnil(L);
        }
    } else if (name_is(L, "has")) {
        lua_pushcfunction(L, segments_has);
    } else {
        return no_field(L, "player.segments", 2, names);
    }
    return 1;
}

static int segments_length(lua_State *L)
{
    lua_pushinteger(L, call_of(L)->profile->segment_count);
    return 1;
}

static int aggregates_index(lua_State *L)
{
    const struct rwd_rule *rule = rwd_vm_of(L)->rule;
    const struct rwd_sandbox_call *call = call_of(L);
    const char *names[RWD_RULE_AGGREGATE_COUNT_MAX + 1] = {NULL};
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        if (name_is(L, rule->aggregates[i].name)) {
            if (call->aggregates == NULL) {
                lua_pushnil(L);
            } else {
                rwd_vm_push_scalar(L, &call->aggregates[i]);
            }
            return 1;
        }
        names[i] = rule->aggregates[i].name;
    }
    return no_field(L, "player.agg", 2, names);
}

static int refuse_write(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "an element";
    return luaL_error(L, "cannot set '%s': the event and the player are read-only", key);
}

static void set_meta(lua_State *L, lua_CFunction index, lua_CFunction length)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    if (length != NULL) {
        lua_pushcfunction(L, length);
        lua_setfield(L, -2, "__len");
    }
    lua_setmetatable(L, -2);
}

void rwd_bind_player(lua_State *L)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_PLAYER);
    lua_createtable(L, 0, 2);
    lua_createtable(L, 0, 8);
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_SEGMENTS);
    set_meta(L, segments_index, segments_length);
    lua_setfield(L, -2, "segments");
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_AGGREGATES);
    set_meta(L, aggregates_index, NULL);
    lua_setfield(L, -2, "agg");
    lua_pushcfunction(L, player_points);
    lua_setfield(L, -2, "points");
    lua_pushcfunction(L, player_arm);
    lua_setfield(L, -2, "arm");
    vm->attributes = rwd_vm_new_object(L, sizeof *vm->attributes, RWD_OBJECT_JSON);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_VIEW_META);
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, ATTRIBUTES);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, player_field);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_PLAYER);
}

/***
 * event: what happened, read-only.
 *
 *   event.event_id  event_name  version  ts     texts, as they came
 *   event.user  event.context  event.payload    always there, empty where the event has none
 *   event.time_ms    event time, ms since 1970        event.day      "2025-11-01", UTC
 *   event.day_no     days since 1970, UTC             event.hour     0..23, UTC
 *   event.weekday    1 Monday .. 7 Sunday, UTC        event.late_ms  ingest time less event time
 *   any other field of the envelope by its name
 *
 *     local win = event.payload.win or 0
 *     if event.payload.bonus.round == "free" then return 0 end   -- nil == "free" where missing
 *
 * Objects are read by name, arrays by index from 1 and with #, both also with pairs and ipairs. A
 * missing field is nil at any depth: reading a field of nil, of a number or of a boolean gives nil,
 * not an error. JSON null is nil. Numbers are doubles: for money use money and percent_of.
 */
#include "base/clock.h"
#include "script/vm.h"

#include <stdio.h>
#include <string.h>

enum { DAY_MS = 86400000 };

static struct rwd_view *live_view(lua_State *L, int index)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    struct rwd_object *object = rwd_vm_object(L, index);
    if (object == NULL || object->kind != RWD_OBJECT_JSON) {
        (void)luaL_error(L, "not a part of the event");
        return NULL; /* not reached */
    }
    struct rwd_view *view = (struct rwd_view *)(void *)object;
    if (vm->call == NULL || view->generation != vm->generation) {
        (void)luaL_error(L, "this part of the event belongs to a call that is over");
    }
    return view;
}

/* A view of a container: the one this call already has of it, a used one from an earlier call, or
 * a new one. */
static void push_view(lua_State *L, const struct rwd_json_node *node)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    struct rwd_view *view = NULL;
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_POOL);
    for (unsigned i = 0; i < vm->pool_used; i++) {
        if (vm->pool[i]->node == node) {
            lua_rawgeti(L, -1, (int)i + 1);
            lua_remove(L, -2);
            return;
        }
    }
    if (vm->pool_used < RWD_VM_POOL_COUNT && vm->pool[vm->pool_used] != NULL) {
        view = vm->pool[vm->pool_used++];
        lua_rawgeti(L, -1, (int)vm->pool_used);
    } else {
        view = rwd_vm_new_object(L, sizeof *view, RWD_OBJECT_JSON);
        lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_VIEW_META);
        lua_setmetatable(L, -2);
        if (vm->pool_used < RWD_VM_POOL_COUNT) {
            lua_pushvalue(L, -1);
            lua_rawseti(L, -3, (int)vm->pool_used + 1);
            vm->pool[vm->pool_used++] = view;
        }
    }
    view->generation = vm->generation;
    view->node = node;
    view->last = NULL;
    lua_remove(L, -2);
}

void rwd_view_push_node(lua_State *L, const struct rwd_json_node *node)
{
    switch (node == NULL ? RWD_JSON_NULL : (enum rwd_json_type)node->type) {
    case RWD_JSON_FALSE:
    case RWD_JSON_TRUE:
        lua_pushboolean(L, node->type == RWD_JSON_TRUE);
        break;
    case RWD_JSON_NUMBER:
        lua_pushnumber(L, rwd_json_number(node));
        break;
    case RWD_JSON_STRING:
        lua_pushlstring(L, node->data, node->size);
        break;
    case RWD_JSON_ARRAY:
    case RWD_JSON_OBJECT:
        push_view(L, node);
        break;
    default:
        lua_pushnil(L);
        break;
    }
}

/* Element i of an array, 1 first. Walks on from the one read last, so a loop is one walk. */
static const struct rwd_json_node *element(lua_State *L, struct rwd_view *view, double index)
{
    const struct rwd_json *json = &rwd_vm_of(L)->call->event->json;
    if (!(index >= 1 && index <= view->node->size) || index != (double)(uint32_t)index) {
        return NULL;
    }
    uint32_t wanted = (uint32_t)index;
    if (view->last == NULL || wanted < view->last_index) {
        view->last = rwd_json_first(json, view->node);
        view->last_index = 1;
    }
    rwd_vm_charge(L, (wanted - view->last_index) / 16);
    for (; view->last_index < wanted && view->last != NULL; view->last_index++) {
        view->last = rwd_json_next(json, view->node, view->last);
    }
    return view->last;
}

static int view_index(lua_State *L)
{
    struct rwd_view *view = live_view(L, 1);
    const struct rwd_json_node *found = NULL;
    if (view->node != NULL && lua_type(L, 2) == LUA_TSTRING) {
        struct rwd_text name;
        name.data = lua_tolstring(L, 2, &name.size);
        if (view->node->size > 64) {
            rwd_vm_charge(L, view->node->size / 16);
        }
        found = rwd_json_member(&rwd_vm_of(L)->call->event->json, view->node, name);
    } else if (view->node != NULL && lua_type(L, 2) == LUA_TNUMBER &&
               view->node->type == RWD_JSON_ARRAY) {
        found = element(L, view, lua_tonumber(L, 2));
    }
    rwd_view_push_node(L, found);
    return 1;
}

static int view_newindex(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "an element";
    return luaL_error(L, "cannot set '%s': the event and the player are read-only", key);
}

static int view_length(lua_State *L)
{
    struct rwd_view *view = live_view(L, 1);
    bool array = view->node != NULL && view->node->type == RWD_JSON_ARRAY;
    lua_pushinteger(L, array ? (lua_Integer)view->node->size : 0);
    return 1;
}

void rwd_view_push_keys(lua_State *L, struct rwd_view *view)
{
    (void)live_view(L, 1);
    const struct rwd_json *json = &rwd_vm_of(L)->call->event->json;
    lua_newtable(L);
    if (view->node == NULL) {
        return;
    }
    rwd_vm_charge(L, 1 + view->node->size / 4);
    lua_Integer i = 1;
    for (const struct rwd_json_node *child = rwd_json_first(json, view->node); child != NULL;
         child = rwd_json_next(json, view->node, child), i++) {
        if (view->node->type == RWD_JSON_ARRAY) {
            lua_pushinteger(L, i);
        } else {
            rwd_vm_push_text(L, rwd_json_key(child));
        }
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
    }
}

static void push_derived(lua_State *L, const struct rwd_event *event, struct rwd_text name)
{
    int64_t day_no = event->time_ms / DAY_MS;
    char text[RWD_TIME_TEXT_SIZE];
    if (rwd_text_is(name, "time_ms")) {
        lua_pushnumber(L, (double)event->time_ms);
    } else if (rwd_text_is(name, "late_ms")) {
        lua_pushnumber(L, (double)(event->ingest_ms - event->time_ms));
    } else if (rwd_text_is(name, "day_no")) {
        lua_pushnumber(L, (double)day_no);
    } else if (rwd_text_is(name, "hour")) {
        lua_pushnumber(L, (double)(event->time_ms / 3600000 % 24));
    } else if (rwd_text_is(name, "weekday")) {
        lua_pushnumber(L, (double)((day_no + 3) % 7 + 1)); /* 1970-01-01 was a Thursday */
    } else if (rwd_text_is(name, "day")) {
        rwd_time_format(event->time_ms, text);
        lua_pushlstring(L, text, 10);
    } else {
        lua_pushnil(L);
    }
}

/* Whatever is not a block: reached through the fields table of the event's metatable. */
static int event_index(lua_State *L)
{
    const struct rwd_vm *vm = rwd_vm_of(L);
    if (vm->call == NULL || lua_type(L, 2) != LUA_TSTRING) {
        lua_pushnil(L);
        return 1;
    }
    const struct rwd_event *event = vm->call->event;
    struct rwd_text name;
    name.data = lua_tolstring(L, 2, &name.size);
    push_derived(L, event, name);
    if (lua_isnil(L, -1) && event->json.count > 0) {
        rwd_view_push_node(L, rwd_json_member(&event->json, &event->json.nodes[0], name));
    }
    return 1;
}

static struct rwd_view *add_block(lua_State *L, const char *name)
{
    struct rwd_view *view = rwd_vm_new_object(L, sizeof *view, RWD_OBJECT_JSON);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_VIEW_META);
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, name);
    return view;
}

static void set_block(struct rwd_vm *vm, struct rwd_view *view, const struct rwd_json_node *node)
{
    view->generation = vm->generation;
    view->node = node;
    view->last = NULL;
}

void rwd_event_views_begin(struct rwd_vm *vm)
{
    const struct rwd_event *event = vm->call->event;
    vm->generation++;
    vm->pool_used = 0;
    set_block(vm, vm->event_user, event->user);
    set_block(vm, vm->event_context, event->context);
    set_block(vm, vm->event_payload, event->payload);
    set_block(vm, vm->attributes, NULL);
}

void rwd_bind_event(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"__index", view_index},
        {"__newindex", view_newindex},
        {"__len", view_length},
        {NULL, NULL},
    };
    struct rwd_vm *vm = rwd_vm_of(L);
    lua_newtable(L);
    for (const luaL_Reg *method = methods; method->name != NULL; method++) {
        lua_pushcfunction(L, method->func);
        lua_setfield(L, -2, method->name);
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_VIEW_META);
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_POOL);

    /* The blocks are found in a table, without a call into C. */
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_EVENT);
    lua_createtable(L, 0, 2);
    lua_createtable(L, 0, 4);
    vm->event_user = add_block(L, "user");
    vm->event_context = add_block(L, "context");
    vm->event_payload = add_block(L, "payload");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, event_index);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, view_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_EVENT);
}

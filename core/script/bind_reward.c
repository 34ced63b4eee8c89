/***
 * Rewards: what milestones name and grant returns.
 *
 *   points     { count }                          cash  { amount, currency }
 *   bonus_cash { amount, currency, wagering }     freespins { count, game }
 *   coupon     { code and/or percent }            loot  { rarity }
 *   badge      { name }                           notify { text }
 *   all also take expires_in ("7d", "12h", "30m", "45s"), and all but cash and bonus_cash cost and
 *   currency: what the reward takes from the budget where the price book does not say it; freespins
 *   too may carry wagering.
 *
 *     reward = freespins { count = 10, game = "slot_wolf", cost = "1.20", currency = "EUR" }
 *
 * Amounts are decimal texts ("2.00"), never numbers: a number is binary and loses cents. Two
 * helpers turn numbers of an event into such texts, exactly and rounded down to the currency's
 * minor unit:
 *
 *   money(amount, currency)                     money(12.349, "EUR") == "12.34"
 *   percent_of(amount, percent, currency)       percent_of(19.99, 5, "EUR") == "0.99"
 *
 *     return cash { amount = percent_of(event.payload.amount, 2.5, "EUR"), currency = "EUR" }
 */
#include "script/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EXPIRES_S_MAX = 366 * 86400, COUNT_MAX = 1000000, PERCENT_MAX = 100 };

static struct rwd_currency read_currency(const struct rwd_fields *fields)
{
    struct rwd_text code = {0};
    struct rwd_currency currency = {0};
    rwd_fields_require(fields, "currency");
    (void)rwd_fields_text(fields, "currency", 8, &code);
    if (rwd_currency_parse(code, &currency) != RWD_OK) {
        rwd_fields_fail(fields, "currency", "'%.*s' is no ISO 4217 currency", RWD_TEXT_ARGS(code));
    }
    return currency;
}

static struct rwd_money read_money(const struct rwd_fields *fields, const char *key)
{
    lua_State *L = fields->L;
    struct rwd_money money = {.currency = read_currency(fields)};
    struct rwd_text decimal = {0};
    rwd_fields_require(fields, key);
    lua_getfield(L, fields->table, key);
    if (lua_type(L, -1) == LUA_TNUMBER) {
        rwd_fields_fail(fields, key,
            "must be a decimal text like \"2.00\", not a number; money(number, currency) or "
            "percent_of(number, percent, currency) makes one");
    }
    lua_pop(L, 1);
    (void)rwd_fields_text(fields, key, 24, &decimal);
    if (rwd_money_parse(decimal, money.currency, &money.minor) != RWD_OK) {
        rwd_fields_fail(fields, key, "'%.*s' is no amount in %s with at most %u decimals",
            RWD_TEXT_ARGS(decimal), money.currency.code, rwd_currency_exponent(money.currency));
    }
    if (money.minor <= 0) {
        rwd_fields_fail(fields, key, "must be more than zero");
    }
    return money;
}

/* "7d" -> seconds. */
static uint32_t read_expires(const struct rwd_fields *fields)
{
    struct rwd_text text = {0};
    uint64_t count = 0;
    if (!rwd_fields_text(fields, "expires_in", 8, &text)) {
        return 0;
    }
    uint64_t unit = 0;
    switch (text.data[text.size - 1]) {
    case 'd':
        unit = 86400;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'm':
        unit = 60;
        break;
    case 's':
        unit = 1;
        break;
    default:
        break;
    }
    text.size--;
    if (unit == 0 || !rwd_text_to_u64(text, &count) || count == 0 || count * unit > EXPIRES_S_MAX) {
        rwd_fields_fail(fields, "expires_in",
            "must be a number and d, h, m or s, like \"7d\", of at most 366 days");
    }
    return (uint32_t)(count * unit);
}

static void read_count(const struct rwd_fields *fields, int64_t most, struct rwd_reward *reward)
{
    int64_t count = 0;
    rwd_fields_require(fields, "count");
    (void)rwd_fields_integer(fields, "count", 1, most, &count);
    reward->count = (uint32_t)count;
}

static void read_wagering(const struct rwd_fields *fields, struct rwd_reward *reward)
{
    int64_t wagering = 0;
    (void)rwd_fields_integer(fields, "wagering", 0, 1000, &wagering);
    reward->wagering = (uint32_t)wagering;
}

static void read_label(const struct rwd_fields *fields, const char *key, struct rwd_reward *reward)
{
    rwd_fields_copy(fields, key, true, reward->label, sizeof reward->label);
}

static void read_cost(const struct rwd_fields *fields, struct rwd_reward *reward)
{
    lua_getfield(fields->L, fields->table, "cost");
    reward->has_cost = !lua_isnil(fields->L, -1);
    lua_pop(fields->L, 1);
    if (reward->has_cost) {
        reward->cost = read_money(fields, "cost");
        return;
    }
    lua_getfield(fields->L, fields->table, "currency");
    if (!lua_isnil(fields->L, -1)) {
        rwd_fields_fail(fields, "currency", "says nothing without cost");
    }
    lua_pop(fields->L, 1);
}

static void read_body(const struct rwd_fields *fields, struct rwd_reward *reward)
{
    int64_t percent = 0;
    switch (reward->kind) {
    case RWD_REWARD_POINTS:
        read_count(fields, 1000000000, reward);
        break;
    case RWD_REWARD_CASH:
    case RWD_REWARD_BONUS_CASH:
        reward->money = read_money(fields, "amount");
        reward->cost = reward->money;
        reward->has_cost = true;
        read_wagering(fields, reward);
        return;
    case RWD_REWARD_FREESPINS:
        read_count(fields, COUNT_MAX, reward);
        read_label(fields, "game", reward);
        read_wagering(fields, reward);
        break;
    case RWD_REWARD_COUPON:
        rwd_fields_copy(fields, "code", false, reward->label, sizeof reward->label);
        if (!rwd_fields_integer(fields, "percent", 1, PERCENT_MAX, &percent) &&
            reward->label[0] == '\0') {
            rwd_fields_fail(fields, NULL, "needs code or percent");
        }
        reward->count = (uint32_t)percent;
        break;
    case RWD_REWARD_LOOT:
        read_label(fields, "rarity", reward);
        break;
    case RWD_REWARD_BADGE:
        read_label(fields, "name", reward);
        break;
    case RWD_REWARD_NOTIFY:
        read_label(fields, "text", reward);
        break;
    }
    read_cost(fields, reward);
}

static int make(lua_State *L, enum rwd_reward_kind kind, const char *const *keys)
{
    struct rwd_fields fields = rwd_fields_open(L, 1, rwd_reward_kind_name(kind), keys);
    lua_settop(L, 1);
    rwd_vm_charge(L, 20);
    rwd_fields_check(&fields);
    struct rwd_reward reward = {.kind = kind};
    read_body(&fields, &reward);
    reward.expires_in_s = read_expires(&fields);
    struct rwd_reward_object *made = rwd_vm_new_object(L, sizeof *made, RWD_OBJECT_REWARD);
    made->reward = reward;
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_OPAQUE_META);
    lua_setmetatable(L, -2);
    return 1;
}

static int make_points(lua_State *L)
{
    static const char *const keys[] = {"count", "cost", "currency", "expires_in", NULL};
    return make(L, RWD_REWARD_POINTS, keys);
}

static int make_cash(lua_State *L)
{
    static const char *const keys[] = {"amount", "currency", "expires_in", NULL};
    return make(L, RWD_REWARD_CASH, keys);
}

static int make_bonus_cash(lua_State *L)
{
    static const char *const keys[] = {"amount", "currency", "wagering", "expires_in", NULL};
    return make(L, RWD_REWARD_BONUS_CASH, keys);
}

static int make_freespins(lua_State *L)
{
    static const char *const keys[] = {
        "count", "game", "wagering", "cost", "currency", "expires_in", NULL};
    return make(L, RWD_REWARD_FREESPINS, keys);
}

static int make_coupon(lua_State *L)
{
    static const char *const keys[] = {"code", "percent", "cost", "currency", "expires_in", NULL};
    return make(L, RWD_REWARD_COUPON, keys);
}

static int make_loot(lua_State *L)
{
    static const char *const keys[] = {"rarity", "cost", "currency", "expires_in", NULL};
    return make(L, RWD_REWARD_LOOT, keys);
}

static int make_badge(lua_State *L)
{
    static const char *const keys[] = {"name", "cost", "currency", "expires_in", NULL};
    return make(L, RWD_REWARD_BADGE, keys);
}

static int make_notify(lua_State *L)
{
    static const char *const keys[] = {"text", "cost", "currency", "expires_in", NULL};
    return make(L, RWD_REWARD_NOTIFY, keys);
}

/* Money helpers */

enum { SCALE = 6 };
static const int64_t scale_factor = 1000000;

/* A number as the decimal its author saw, times 10^6. A double that came from a decimal of at most
 * 15 digits gives that very decimal back. */
static int64_t scaled(lua_State *L, int index, const char *what)
{
    char digits[40];
    struct rwd_text decimal = {.data = digits};
    int64_t value = 0;
    if (lua_type(L, index) == LUA_TSTRING) {
        decimal = rwd_vm_text(L, index, what);
    } else {
        double number = rwd_vm_number(L, index, what);
        if (!isfinite(number) || fabs(number) >= 1e12) {
            (void)luaL_error(L, "%s is not finite or not below 10^12", what);
        }
        decimal.size = (size_t)snprintf(digits, sizeof digits, "%.15g", number);
    }
    if (rwd_decimal_scaled(decimal, SCALE, &value) != RWD_OK || value < 0 ||
        value >= 1000000000000 * scale_factor) {
        (void)luaL_error(L, "%s must be a decimal of at least 0 and below 10^12", what);
    }
    return value;
}

static int push_amount(
    lua_State *L, int64_t amount, int64_t percent, int currency_index, const char *what)
{
    struct rwd_currency currency;
    struct rwd_text code = rwd_vm_text(L, currency_index, what);
    if (rwd_currency_parse(code, &currency) != RWD_OK) {
        return luaL_error(L, "'%s' is no ISO 4217 currency", lua_tostring(L, currency_index));
    }
    __int128 divisor = (__int128)100 * scale_factor * scale_factor;
    __int128 product = (__int128)amount * percent;
    for (unsigned i = rwd_currency_exponent(currency); i > 0; i--) {
        divisor /= 10;
    }
    __int128 minor = product / divisor;
    if (minor > INT64_MAX) {
        return luaL_error(L, "%s: the amount does not fit", what);
    }
    char text[RWD_MONEY_TEXT_SIZE];
    rwd_money_format((int64_t)minor, currency, text);
    lua_pushstring(L, text);
    return 1;
}

static int money_of(lua_State *L)
{
    int64_t amount = scaled(L, 1, "money: amount");
    return push_amount(L, amount, 100 * scale_factor, 2, "money: currency");
}

static int percent_of(lua_State *L)
{
    int64_t amount = scaled(L, 1, "percent_of: amount");
    int64_t percent = scaled(L, 2, "percent_of: percent");
    if (percent > 1000 * scale_factor) {
        return luaL_error(L, "percent_of: percent must be 0 to 1000");
    }
    return push_amount(L, amount, percent, 3, "percent_of: currency");
}

static int no_fields(lua_State *L)
{
    return luaL_error(L, "a %s has no fields to read or write", rwd_vm_type_name(L, 1));
}

void rwd_bind_reward(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"points", make_points},
        {"cash", make_cash},
        {"bonus_cash", make_bonus_cash},
        {"freespins", make_freespins},
        {"coupon", make_coupon},
        {"loot", make_loot},
        {"badge", make_badge},
        {"notify", make_notify},
        {"money", money_of},
        {"percent_of", percent_of},
        {NULL, NULL},
    };
    for (const luaL_Reg *function = functions; function->name != NULL; function++) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, no_fields);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, no_fields);
    lua_setfield(L, -2, "__newindex");
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_OPAQUE_META);
}

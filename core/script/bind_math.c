/***
 * math: numbers.
 *
 *   abs ceil floor sqrt exp log log10 pow fmod modf   as in Lua
 *   max(a, ...)  min(a, ...)  huge  pi
 *   round(x [, digits])      half away from zero
 *   random()                 0 <= r < 1
 *   random(n), random(m, n)  a whole number 1..n, m..n
 *
 *     if math.random(100) <= 5 then return loot { rarity = "rare" } end
 *
 * random draws from a seed made of the event's id, the rule and the function that runs: the same
 * event gives the same numbers, today and in a replay a year on. It cannot be seeded by a rule.
 */
#include "script/vm.h"

#include <math.h>

static double argument(lua_State *L, int index)
{
    return rwd_vm_number(L, index, "math: argument");
}

static int math_abs(lua_State *L)
{
    lua_pushnumber(L, fabs(argument(L, 1)));
    return 1;
}

static int math_ceil(lua_State *L)
{
    lua_pushnumber(L, ceil(argument(L, 1)));
    return 1;
}

static int math_exp(lua_State *L)
{
    lua_pushnumber(L, exp(argument(L, 1)));
    return 1;
}

static int math_floor(lua_State *L)
{
    lua_pushnumber(L, floor(argument(L, 1)));
    return 1;
}

static int math_fmod(lua_State *L)
{
    lua_pushnumber(L, fmod(argument(L, 1), argument(L, 2)));
    return 1;
}

static int math_log(lua_State *L)
{
    lua_pushnumber(L, log(argument(L, 1)));
    return 1;
}

static int math_log10(lua_State *L)
{
    lua_pushnumber(L, log10(argument(L, 1)));
    return 1;
}

static int math_modf(lua_State *L)
{
    double number = argument(L, 1);
    double whole = 0;
    double fraction = modf(number, &whole);
    lua_pushnumber(L, whole);
    lua_pushnumber(L, isinf(number) ? 0 : fraction);
    return 2;
}

static int math_pow(lua_State *L)
{
    lua_pushnumber(L, pow(argument(L, 1), argument(L, 2)));
    return 1;
}

static int math_round(lua_State *L)
{
    double number = argument(L, 1);
    int64_t digits = lua_isnoneornil(L, 2) ? 0 : rwd_vm_integer(L, 2, "math.round: digits");
    if (digits < 0 || digits > 15) {
        return luaL_error(L, "math.round: digits must be 0 to 15");
    }
    double scale = pow(10, (double)digits);
    double scaled = number * scale;
    lua_pushnumber(L, isfinite(scaled) ? round(scaled) / scale : number);
    return 1;
}

static int math_sqrt(lua_State *L)
{
    lua_pushnumber(L, sqrt(argument(L, 1)));
    return 1;
}

static int math_max(lua_State *L)
{
    double best = argument(L, 1);
    for (int i = 2; i <= lua_gettop(L); i++) {
        double next = argument(L, i);
        best = next > best ? next : best;
    }
    rwd_vm_charge(L, (size_t)lua_gettop(L) / 8);
    lua_pushnumber(L, best);
    return 1;
}

static int math_min(lua_State *L)
{
    double best = argument(L, 1);
    for (int i = 2; i <= lua_gettop(L); i++) {
        double next = argument(L, i);
        best = next < best ? next : best;
    }
    rwd_vm_charge(L, (size_t)lua_gettop(L) / 8);
    lua_pushnumber(L, best);
    return 1;
}

/* SplitMix64 (G. Steele, D. Lea, C. Flood). */
static uint64_t next_random(struct rwd_vm *vm)
{
    uint64_t z = vm->random += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static int math_random(lua_State *L)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    int count = lua_gettop(L);
    if (vm->call == NULL) {
        return luaL_error(L, "math.random works only inside when, score and grant");
    }
    if (count == 0) {
        lua_pushnumber(L, (double)(next_random(vm) >> 11) * 0x1p-53);
        return 1;
    }
    int64_t low = count > 1 ? rwd_vm_integer(L, 1, "math.random: first") : 1;
    int64_t high = rwd_vm_integer(L, count > 1 ? 2 : 1, "math.random: last");
    if (low > high) {
        return luaL_error(L, "math.random: nothing to choose from");
    }
    unsigned __int128 span = (unsigned __int128)(uint64_t)(high - low) + 1;
    lua_pushnumber(L, (double)(low + (int64_t)(span * next_random(vm) >> 64)));
    return 1;
}

void rwd_bind_math(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"abs", math_abs},
        {"ceil", math_ceil},
        {"exp", math_exp},
        {"floor", math_floor},
        {"fmod", math_fmod},
        {"log", math_log},
        {"log10", math_log10},
        {"max", math_max},
        {"min", math_min},
        {"modf", math_modf},
        {"pow", math_pow},
        {"random", math_random},
        {"round", math_round},
        {"sqrt", math_sqrt},
        {NULL, NULL},
    };
    lua_newtable(L);
    for (const luaL_Reg *function = functions; function->name != NULL; function++) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
    lua_pushnumber(L, HUGE_VAL);
    lua_setfield(L, -2, "huge");
    lua_pushnumber(L, 3.14159265358979323846);
    lua_setfield(L, -2, "pi");
    rwd_vm_make_read_only(L);
    lua_setfield(L, -2, "math");
}

/*
 * What a rule hands over is looked at: nonsense is a rule error, with nothing counted, reserved or
 * promised; the rule beside it goes on.
 */
#include "support.h"

enum end {
    REFUSED, /* the file does not load */
    FAILS,   /* the call is a rule error */
    FINE,    /* the counter-check: the least and most that are right */
};

static const struct output {
    const char *name;
    enum end end;
    const char *fields; /* of rule { ... } */
    const char *says;
} outputs[] = {
    /* score */
    {"score: NaN", FAILS, "score = function() return 0 / 0 end", "score must return a number"},
    {"score: inf", FAILS, "score = function() return 1 / 0 end", "score must return a number"},
    {"score: -inf", FAILS, "score = function() return -1 / 0 end", "score must return a number"},
    {"score: negative", FAILS, "score = function() return -1 end", "not -1"},
    {"score: a bit below zero", FAILS, "score = function() return -1e-9 end", "not -1e-09"},
    {"score: 1e300", FAILS, "score = function() return 1e300 end", "not 1e+300"},
    {"score: more than 1e9", FAILS, "score = function() return 1000000001 end", "from 0 to 1e9"},
    {"score: a text of digits", FAILS, "score = function() return '12' end", "not a string"},
    {"score: nothing", FAILS, "score = function() end", "not a nil"},
    {"score: true", FAILS, "score = function() return true end", "not a boolean"},
    {"score: a table", FAILS, "score = function() return { 12 } end", "not a table"},
    {"score: a function", FAILS, "score = function() return math.floor end", "not a function"},
    {"score: a reward", FAILS, "score = function() return badge { name = 'b' } end",
        "not a reward"},
    {"score: the event", FAILS, "score = function(event) return event end", "not a table"},
    {"score: the most", FINE, "score = function() return 1e9 end", ""},
    /* grant: what is no reward */
    {"grant: a number", FAILS, "grant = function() return 5 end", "must return a reward"},
    {"grant: NaN", FAILS, "grant = function() return 0 / 0 end", "must return a reward"},
    {"grant: a text", FAILS, "grant = function() return 'cash' end", "must return a reward"},
    {"grant: true", FAILS, "grant = function() return true end", "must return a reward"},
    {"grant: a table like a reward", FAILS,
        "grant = function() return { kind = 'cash', amount = '5.00', currency = 'EUR' } end",
        "must return a reward"},
    {"grant: an unknown kind", REFUSED, "grant = function() return yacht { feet = 80 } end",
        "unknown name 'yacht'"},
    {"grant: an unknown kind in a table", FAILS, "grant = function() return { kind = 'yacht' } end",
        "must return a reward"},
    {"grant: 10,000 rewards in a list", FAILS,
        "grant = function() local all = {} for i = 1, 10000 do all[i] = badge { name = 'b' } end "
        "return all end",
        ""},
    {"grant: the event", FAILS, "grant = function(event) return event end", "must return a reward"},
    {"grant: a constructor", FAILS, "grant = function() return cash end", "must return a reward"},
    /* grant: what is no amount */
    {"cash: a number", FAILS, "grant = function() return cash { amount = 5, currency = 'EUR' } end",
        "decimal text"},
    {"cash: NaN", FAILS, "grant = function() return cash { amount = 0 / 0, currency = 'EUR' } end",
        "decimal text"},
    {"cash: 'nan'", FAILS,
        "grant = function() return cash { amount = 'nan', currency = 'EUR' } end", "no amount"},
    {"cash: 'inf'", FAILS,
        "grant = function() return cash { amount = 'inf', currency = 'EUR' } end", "no amount"},
    {"cash: negative", FAILS,
        "grant = function() return cash { amount = '-5.00', currency = 'EUR' } end", ""},
    {"cash: nothing", FAILS,
        "grant = function() return cash { amount = '0.00', currency = 'EUR' } end",
        "more than zero"},
    {"cash: a fraction of a cent", FAILS,
        "grant = function() return cash { amount = '0.005', currency = 'EUR' } end", "decimals"},
    {"cash: a fraction of a yen", FAILS,
        "grant = function() return cash { amount = '1.5', currency = 'JPY' } end", "decimals"},
    {"cash: 1e300", FAILS,
        "grant = function() return cash { amount = '1e300', currency = 'EUR' } end", "no amount"},
    {"cash: past int64", FAILS,
        "grant = function() return cash { amount = '999999999999999999999', currency = 'EUR' } end",
        ""},
    {"cash: no currency", FAILS, "grant = function() return cash { amount = '5.00' } end",
        "currency"},
    {"cash: no such currency", FAILS,
        "grant = function() return cash { amount = '5.00', currency = 'EURO' } end", ""},
    {"cash: another currency than the budget's", FAILS,
        "grant = function() return cash { amount = '5.00', currency = 'USD' } end",
        "budget 'season' is in EUR"},
    {"bonus_cash: another currency", FAILS,
        "grant = function() return bonus_cash { amount = '500', currency = 'JPY' } end",
        "bonus_cash costs JPY, but budget 'season' is in EUR"},
    {"freespins: cost in another currency", FAILS,
        "grant = function() return freespins { count = 1, game = 'g', cost = '1.00', "
        "currency = 'USD' } end",
        "freespins costs USD"},
    {"bonus_cash: half a wager", FAILS,
        "grant = function() return bonus_cash { amount = '5.00', currency = 'EUR', "
        "wagering = 1.5 } end",
        "whole number"},
    {"cash: an unknown field", FAILS,
        "grant = function() return cash { amount = '5.00', currency = 'EUR', tax = 1 } end", "tax"},
    {"cash: the most, exactly", FINE,
        "grant = function() return cash { amount = '49.99', currency = 'EUR' } end", ""},
    /* grant: what is no count */
    {"freespins: -1", FAILS, "grant = function() return freespins { count = -1, game = 'g' } end",
        "count"},
    {"freespins: 0", FAILS, "grant = function() return freespins { count = 0, game = 'g' } end",
        "count"},
    {"freespins: 1.5", FAILS, "grant = function() return freespins { count = 1.5, game = 'g' } end",
        "whole number"},
    {"freespins: NaN", FAILS,
        "grant = function() return freespins { count = 0 / 0, game = 'g' } end", "whole number"},
    {"freespins: 1e300", FAILS,
        "grant = function() return freespins { count = 1e300, game = 'g' } end", ""},
    {"freespins: '5'", FAILS, "grant = function() return freespins { count = '5', game = 'g' } end",
        "whole number"},
    {"points: inf", FAILS, "grant = function() return points { count = 1 / 0 } end", ""},
    {"loot: a rarity that is a number", FAILS, "grant = function() return loot { rarity = 5 } end",
        "text"},
    {"expires_in: '5 years'", FAILS,
        "grant = function() return badge { name = 'b', expires_in = '5 years' } end", "expires_in"},
    /* milestones are looked at when the file is loaded */
    {"milestone: at NaN", REFUSED,
        "score = function() return 1 end, milestones = { { at = 0 / 0, reward = badge { name = 'b' "
        "} } }",
        "at"},
    {"milestone: at -1", REFUSED,
        "score = function() return 1 end, milestones = { { at = -1, reward = badge { name = 'b' } "
        "} "
        "}",
        "at"},
    {"milestone: at 1.5", REFUSED,
        "score = function() return 1 end, milestones = { { at = 1.5, reward = badge { name = 'b' } "
        "} }",
        "whole number"},
    {"milestone: at '1'", REFUSED,
        "score = function() return 1 end, milestones = { { at = '1', reward = badge { name = 'b' } "
        "} }",
        "number"},
    {"milestone: at 1e300", REFUSED,
        "score = function() return 1 end, milestones = { { at = 1e300, reward = badge { name = 'b' "
        "} } }",
        "at"},
    {"milestone: no reward", REFUSED,
        "score = function() return 1 end, milestones = { { at = 1 } }", "reward"},
    {"milestone: a table like a reward", REFUSED,
        "score = function() return 1 end, milestones = { { at = 1, reward = { kind = 'yacht' } } }",
        "reward"},
    {"milestone: a fraction of a cent", REFUSED,
        "score = function() return 1 end, milestones = { { at = 1, reward = cash { amount = "
        "'0.001', currency = 'EUR' } } }",
        "decimals"},
    {"milestone: 10,000 of them", REFUSED,
        "score = function() return 1 end, milestones = (function() local all = {} for i = 1, 10000 "
        "do all[i] = { at = i, reward = badge { name = 'b' } } end return all end)()",
        ""},
};

/* A rule beside it that always counts one point. */
static const char beside[] =
    "return rule { id = 'beside', version = '1.0.0', on = 'bet', score = function() return 1 end }";

static void put_source(const struct output *output, char *source, size_t size)
{
    int wrote = snprintf(source, size,
        "return rule { id = 'r', version = '1.0.0', on = 'bet', %s,\n"
        "guards = { budget = 'season', kyc_min_level = 1 } }",
        output->fields);
    assert_true(wrote > 0 && (size_t)wrote < size);
}

static int check_refused(const struct output *output)
{
    const struct rwd_ruleset_limits limits = world_limits();
    struct rwd_rule *rule = NULL;
    struct rwd_error error = {{0}};
    char source[2048];
    put_source(output, source, sizeof source);
    enum rwd_status status =
        rwd_rule_load(rwd_text_of(source), "r.lua", &limits.sandbox, &rule, &error);
    if (status == RWD_OK) {
        rwd_rule_destroy(rule);
    }
    if (status != RWD_SCRIPT || strstr(error.text, output->says) == NULL) {
        print_error("%s: must be refused, saying '%s': %s\n", output->name, output->says,
            status == RWD_OK ? "it loads" : error.text);
        return 1;
    }
    return 0;
}

static int check_call(const struct output *output)
{
    struct world w;
    char source[2048];
    int wrong = 0;
    world_open(&w);
    w.player->profile.kyc_level = 2;
    put_source(output, source, sizeof source);
    world_rules(&w, (const char *const[]){source, beside}, 2);
    world_bet(&w, noon_ms, "{\"bet\":1,\"currency\":\"EUR\"}");
    /* By id: 'beside' is asked first, 'r' second. */
    bool failed = world_verdict(&w, 1) == RWD_RULE_ERROR;
    if (failed != (output->end == FAILS) || w.failures != (output->end == FAILS ? 1 : 0) ||
        strstr(w.failure.text, output->says) == NULL) {
        print_error(
            "%s: verdict %d, said '%s'\n", output->name, (int)world_verdict(&w, 1), w.failure.text);
        wrong = 1;
    }
    const struct rwd_pool_sums sums = world_sums(&w);
    bool gave = w.player->task_count > 0 || world_total(&w, "r") > 0;
    if (output->end == FAILS &&
        (gave || w.decision.task_count > 0 || sums.reserved_minor != 0 || sums.spent_minor != 0)) {
        print_error("%s: gave something: %u tasks, %lld reserved\n", output->name,
            (unsigned)w.player->task_count, (long long)sums.reserved_minor);
        wrong = 1;
    }
    if (output->end == FINE && !gave) {
        print_error("%s: gave nothing\n", output->name);
        wrong = 1;
    }
    assert_int_equal(world_total(&w, "beside"), 1);
    world_close(&w);
    return wrong;
}

static void nonsense_is_a_rule_error(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        wrong += outputs[i].end == REFUSED ? check_refused(&outputs[i]) : check_call(&outputs[i]);
    }
    assert_int_equal(wrong, 0);
}

/* Five times nonsense, and the breaker has had enough; the rule beside it goes on. */
static void nonsense_trips_the_breaker(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rules(&w,
        (const char *const[]){"return rule { id = 'r', version = '1.0.0', on = 'bet', score = "
                              "function() return 0 / 0 end }",
            beside},
        2);
    for (int i = 0; i < 6; i++) {
        world_bet(&w, noon_ms + i, "{}");
        assert_int_equal(world_verdict(&w, 1), i < 5 ? RWD_RULE_ERROR : RWD_RULE_SUSPENDED);
    }
    assert_int_equal(w.failures, 5);
    assert_int_equal(world_total(&w, "beside"), 6);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_is_a_rule_error),
        cmocka_unit_test(nonsense_trips_the_breaker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

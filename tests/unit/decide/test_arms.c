/*
 * Experiments in a decision: what rules are told, who is exposed and when, what the player
 * remembers.
 */
#include "support.h"

#include "base/memory.h"
#include "domain/experiment.h"

#define EXPERIMENT(more)                                                                           \
    "return experiment { key = 'ab', version = '1.0.0', strata = { 'payer', 'geo' }, " more        \
    " metrics = { primary = { event = 'deposit' } }, arms = { control = 1, treatment = 1 } }"
#define RULE(id, more)                                                                             \
    "return rule { id = '" id "', version = '1.0.0', on = 'bet', experiment = 'ab', " more " }"
#define TELLS "score = by_arm { control = 1, treatment = 2, otherwise = 3 }"

static void world_of(struct world *w, const char *experiment, const char *rule)
{
    const char *const sources[] = {experiment, rule};
    world_rules(w, sources, 2);
}

static uint64_t bet(struct world *w, const char *id, int64_t time_ms, const char *user)
{
    uint64_t before = world_total(w, "r");
    assert_int_equal(world_send(w, id, "bet", time_ms, user, "{}"), RWD_OK);
    return world_total(w, "r") - before;
}

static const char *known(struct world *w)
{
    return rwd_player_arm(w->player, world_rule_no(w, "experiments/ab"));
}

static void the_first_question_exposes_and_the_next_do_not(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_of(&w, EXPERIMENT(""), RULE("r", TELLS));
    uint64_t points = bet(&w, "e1", noon_ms, ",\"payer_flag\":true");
    assert_int_equal(w.decision.exposure_count, 1);
    const struct rwd_exposure *exposure = &w.decision.exposures[0];
    assert_true(rwd_text_is(exposure->arm, points == 1 ? "control" : "treatment"));
    assert_true(rwd_text_is(exposure->stratum, "payer=yes,geo=TR"));
    assert_int_equal(exposure->experiment_no, world_rule_no(&w, "experiments/ab"));
    assert_string_equal(known(&w), points == 1 ? "control" : "treatment");
    assert_true(rwd_text_is(w.decision.effects[0].arm, known(&w)));
    assert_int_equal(bet(&w, "e2", noon_ms + 1, ""), points);
    assert_int_equal(w.decision.exposure_count, 0);
    assert_true(rwd_text_is(w.decision.effects[0].arm, known(&w)));
    world_close(&w);
}

static void another_version_keeps_the_arm(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_of(&w, EXPERIMENT(""), RULE("r", TELLS));
    uint64_t points = bet(&w, "e1", noon_ms, "");
    const char *const turned[] = {EXPERIMENT("coverage = 0, holdout = 50,"), RULE("r", TELLS)};
    world_rules(&w, turned, 2);
    assert_int_equal(bet(&w, "e2", noon_ms + 1, ""), points);
    world_close(&w);
}

static void who_may_not_take_part_is_in_no_arm(void **state)
{
    (void)state;
    static const char *const terms[] = {"coverage = 0,", "eligible = { geo = 'BR' },",
        "active = { from = '2030-01-01T00:00:00Z' },", "eligible = { payer = true },"};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        struct world w;
        char source[512];
        world_open(&w);
        (void)snprintf(source, sizeof source,
            "return experiment { key = 'ab', version = '1.0.0', %s arms = { control = 1, b = 1 }, "
            "metrics = { primary = { event = 'deposit' } } }",
            terms[i]);
        world_of(&w, source, RULE("r", TELLS));
        assert_int_equal(bet(&w, "e1", noon_ms, ""), 3);
        assert_int_equal(w.decision.exposure_count, 0);
        assert_string_equal(known(&w), "");
        world_close(&w);
    }
}

/* With half of the users held out, both kinds are met; each is recorded once, when first asked. */
static void who_is_held_out_is_recorded_and_hears_of_no_arm(void **state)
{
    (void)state;
    unsigned held_out = 0;
    for (unsigned i = 0; i < 40; i++) {
        struct world w;
        char user[16];
        world_open(&w);
        world_of(&w, EXPERIMENT("holdout = 50,"), RULE("r", TELLS));
        (void)snprintf(user, sizeof user, "held-%u", i);
        struct rwd_player *player = rwd_player_create(rwd_text_of(user), 1);
        player->profile = w.player->profile;
        rwd_player_destroy(w.player);
        w.player = player;
        world_event(&w, "e1", "bet", noon_ms, ",\"payer_flag\":true", "{}");
        w.event.user_id = rwd_player_user_id(w.player);
        assert_int_equal(world_take(&w), RWD_OK);
        bool is_held_out = world_total(&w, "r") == 3;
        held_out += is_held_out;
        assert_int_equal(w.decision.exposure_count, 1);
        assert_int_equal(
            rwd_text_is(w.decision.exposures[0].arm, RWD_EXPERIMENT_HOLDOUT), is_held_out);
        assert_true(rwd_text_is(w.decision.exposures[0].stratum, "payer=yes,geo=TR"));
        assert_true(rwd_text_equal(w.decision.effects[0].arm, w.decision.exposures[0].arm));
        assert_true(rwd_text_is(w.decision.exposures[0].arm, known(&w)));
        world_event(&w, "e2", "bet", noon_ms + 1, "", "{}");
        w.event.user_id = rwd_player_user_id(w.player);
        assert_int_equal(world_take(&w), RWD_OK);
        assert_int_equal(w.decision.exposure_count, 0);
        assert_true(rwd_text_is(w.decision.effects[0].arm, known(&w)));
        world_close(&w);
    }
    assert_in_range(held_out, 8, 32);
}

/* It used to ask a rulebook that nobody had given it, and fell. */
static void a_shadow_is_told_the_arm_and_exposes_nobody(void **state)
{
    (void)state;
    struct world w;
    size_t count = 0;
    struct rwd_decision decision;
    struct rwd_player_rule own = {0};
    enum rwd_rule_verdict verdict = RWD_RULE_ERROR;
    world_open(&w);
    world_of(&w, EXPERIMENT(""), RULE("r", TELLS));
    const struct rwd_rulebook_entry *entries =
        rwd_rulebook_for(w.rulebook, RWD_TEXT("bet"), &count);
    assert_int_equal(count, 1);
    own.rule_no = entries[0].rule->rule_no;
    world_event(&w, "e1", "bet", noon_ms, "", "{}");
    const struct rwd_decide_facts facts = world_facts(&w, noon_ms);
    assert_int_equal(rwd_decide_shadow(&facts, &entries[0], &w.event, w.player, &w.player->profile,
                         &own, &w.arena, &decision, &verdict),
        RWD_OK);
    assert_int_equal(verdict, RWD_RULE_FIRED);
    assert_int_equal(decision.exposure_count, 0);
    uint64_t shown = decision.effects[0].points;
    assert_int_equal(bet(&w, "e1", noon_ms, ""), shown);
    assert_true(rwd_text_equal(decision.effects[0].arm, w.decision.effects[0].arm));
    assert_int_equal(w.decision.exposure_count, 1);
    world_close(&w);
}

static void a_rule_that_fails_was_told_nothing(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_of(&w, EXPERIMENT(""),
        RULE("r", "score = function(event, player) if player.arm() then error('x') end end"));
    assert_int_equal(bet(&w, "e1", noon_ms, ""), 0);
    assert_int_equal(w.failures, 1);
    assert_int_equal(w.decision.exposure_count, 0);
    assert_string_equal(known(&w), "");
    world_close(&w);
}

static void two_rules_of_one_event_expose_once(void **state)
{
    (void)state;
    struct world w;
    const char *const sources[] = {EXPERIMENT(""), RULE("r", TELLS), RULE("s", TELLS)};
    world_open(&w);
    world_rules(&w, sources, 3);
    uint64_t points = bet(&w, "e1", noon_ms, "");
    assert_int_equal(w.decision.exposure_count, 1);
    assert_int_equal(world_total(&w, "s"), points);
    world_close(&w);
}

static void an_experiment_that_is_not_in_force_is_nobodys(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule(&w, RULE("r", TELLS));
    assert_int_equal(bet(&w, "e1", noon_ms, ""), 3);
    assert_int_equal(w.decision.exposure_count, 0);
    world_close(&w);
}

/* The decision as the journal has it brings a second player to the same bytes. */
static void exposures_replay(void **state)
{
    (void)state;
    struct world w;
    struct rwd_buffer bytes = {0};
    struct rwd_decision decision;
    world_open(&w);
    world_of(&w, EXPERIMENT(""), RULE("r", TELLS));
    struct rwd_player *replayed = rwd_player_create(RWD_TEXT("u1"), 1);
    replayed->profile = w.player->profile;
    (void)bet(&w, "e1", noon_ms, "");
    rwd_decision_encode(&w.decision, &bytes);
    assert_int_equal(rwd_decision_decode(rwd_buffer_text(&bytes), &w.arena, &decision), RWD_OK);
    rwd_apply(replayed, &decision, 1, w.pools, true);
    assert_players_equal(w.player, replayed);
    struct rwd_player *read = NULL;
    struct rwd_buffer stored = world_bytes(w.player);
    assert_int_equal(rwd_player_decode(RWD_TEXT("u1"), 1, rwd_buffer_text(&stored), &read), RWD_OK);
    assert_string_equal(rwd_player_arm(read, world_rule_no(&w, "experiments/ab")), known(&w));
    rwd_player_destroy(read);
    rwd_player_destroy(replayed);
    rwd_buffer_finish(&stored);
    rwd_buffer_finish(&bytes);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_question_exposes_and_the_next_do_not),
        cmocka_unit_test(another_version_keeps_the_arm),
        cmocka_unit_test(who_may_not_take_part_is_in_no_arm),
        cmocka_unit_test(who_is_held_out_is_recorded_and_hears_of_no_arm),
        cmocka_unit_test(a_shadow_is_told_the_arm_and_exposes_nobody),
        cmocka_unit_test(a_rule_that_fails_was_told_nothing),
        cmocka_unit_test(two_rules_of_one_event_expose_once),
        cmocka_unit_test(an_experiment_that_is_not_in_force_is_nobodys),
        cmocka_unit_test(exposures_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

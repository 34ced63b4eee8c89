/*
 * Sums a user and what the report makes of them: who counts, from when, in which arm; strata; files
 * that come back as they went, or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../chance.h"
#include "base/memory.h"
#include "experiment/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPERIMENT_NO = 7, VERSION_NO = 70 };
static const int64_t begin_ms = 1763208000000;

struct house {
    struct rwd_arena arena;
    struct rwd_tally *tally;
    struct rwd_rule rule;
    struct rwd_experiment experiment;
};

static void open_house(struct house *house)
{
    *house = (struct house){.tally = rwd_tally_create()};
    rwd_arena_init(&house->arena, 1 << 16, 64 << 20);
    house->experiment = (struct rwd_experiment){.key = "ab",
        .arms = {{"control", 0.5}, {"treatment", 0.5}},
        .arm_count = 2,
        .coverage = 1,
        .group_end = 1,
        .primary = {"stake", RWD_METRIC_MEAN, "bet", "payload.bet", ""},
        .guardrails = {{"return", RWD_METRIC_RATIO, "bet", "payload.win", "payload.bet"}},
        .guardrail_count = 1};
    house->rule = (struct rwd_rule){.id = "experiments/ab",
        .version = "1.0.0",
        .rule_no = EXPERIMENT_NO,
        .version_no = VERSION_NO,
        .active_from_ms = begin_ms,
        .active_to_ms = INT64_MAX,
        .declares = &house->experiment};
    assert_int_equal(rwd_tally_version(house->tally, &house->rule, true, begin_ms), RWD_OK);
    assert_non_null(rwd_tally_missed(house->tally));
    assert_null(rwd_tally_missed(house->tally));
}

static void close_house(struct house *house)
{
    rwd_tally_destroy(house->tally);
    rwd_arena_finish(&house->arena);
}

/* arm NULL: no exposure. */
static void tell(struct house *house, bool release, uint32_t version_no, uint64_t user,
    int64_t time_ms, const char *name, const char *payload, const char *arm, const char *stratum)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 8, .node_count_max = 256, .size_max = 1 << 16};
    char raw[512];
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    int size = snprintf(raw, sizeof raw, "{\"user\":{\"risk_flags\":[%s]},\"payload\":%s}",
        strstr(payload, "flagged") != NULL ? "\"vp_nightly\"" : "", payload);
    struct rwd_text text = {
        .data = rwd_arena_copy(&house->arena, raw, (size_t)size), .size = (size_t)size};
    assert_int_equal(rwd_json_scan(text, &limits, &house->arena, &json, &consumed, &fault), RWD_OK);
    const struct rwd_event event = {.raw = text,
        .json = json,
        .name = rwd_text_of(name),
        .user = rwd_json_member(&json, &json.nodes[0], RWD_TEXT("user")),
        .payload = rwd_json_member(&json, &json.nodes[0], RWD_TEXT("payload")),
        .time_ms = time_ms};
    struct rwd_exposure exposure = {.experiment_no = EXPERIMENT_NO,
        .version_no = version_no,
        .arm = rwd_text_of(arm != NULL ? arm : ""),
        .stratum = rwd_text_of(stratum)};
    const struct rwd_decision decision = {.has_event = true,
        .event_ms = time_ms,
        .exposures = &exposure,
        .exposure_count = arm != NULL};
    if (rwd_tally_wants(house->tally, user, &decision)) {
        (release ? rwd_tally_release : rwd_tally_event)(
            house->tally, NULL, user, &decision, &event);
    }
}

static void send(struct house *house, uint64_t user, int64_t time_ms, const char *name,
    const char *payload, const char *arm, const char *stratum)
{
    tell(house, false, VERSION_NO, user, time_ms, name, payload, arm, stratum);
}

static const struct rwd_tally_experiment *experiment_of(const struct house *house)
{
    const struct rwd_tally_experiment *experiment = rwd_tally_find(house->tally, RWD_TEXT("ab"));
    assert_non_null(experiment);
    return experiment;
}

static void a_user_counts_from_the_exposure_on(void **state)
{
    (void)state;
    struct house house;
    struct rwd_report_arms arms;
    open_house(&house);
    send(&house, 1, begin_ms + 5, "bet", "{\"bet\":100}", NULL, "");
    send(&house, 1, begin_ms + 10, "bet", "{\"bet\":2,\"win\":1}", "control", "");
    send(&house, 1, begin_ms + 20, "bet", "{\"bet\":\"3.50\",\"win\":\"4.5\"}", NULL, "");
    send(&house, 1, begin_ms + 30, "win", "{\"bet\":1000}", NULL, "");
    send(&house, 1, begin_ms + 9, "bet", "{\"bet\":1000}", NULL, ""); /* late, from before */
    send(&house, 2, begin_ms + 10, "login", "{}", "treatment", "");
    send(&house, 2, begin_ms + 11, "bet", "{\"bet\":\"nonsense\"}", NULL, "");
    send(&house, 1, begin_ms + 40, "bet", "{\"bet\":1}", "treatment", ""); /* the first counts */
    rwd_report_arms(experiment_of(&house), 0, &arms);
    assert_int_equal(arms.arms[0].moments.count, 1);
    assert_int_equal(arms.arms[1].moments.count, 1);
    assert_true(arms.arms[0].moments.mean_y == 6.5 && arms.arms[1].moments.mean_y == 0);
    assert_int_equal(arms.arms[0].hits, 1);
    assert_int_equal(arms.arms[1].hits, 0);
    rwd_report_arms(experiment_of(&house), 1, &arms);
    assert_true(arms.arms[0].moments.mean_y == 5.5 && arms.arms[0].moments.mean_x == 6.5);
    assert_int_equal(experiment_of(&house)->exposures, 3);
    close_house(&house);
}

/* An event that waited was told of when it came: its release counts where it is the exposure. */
static void a_release_is_counted_once(void **state)
{
    (void)state;
    struct house house;
    struct rwd_report_arms arms;
    open_house(&house);
    send(&house, 1, begin_ms + 5, "bet", "{\"bet\":100}", NULL, "");
    send(&house, 1, begin_ms + 6, "bet", "{\"bet\":10}", NULL, "");
    tell(&house, true, VERSION_NO, 1, begin_ms + 5, "bet", "{\"bet\":100}", "treatment", "");
    tell(&house, true, VERSION_NO, 1, begin_ms + 6, "bet", "{\"bet\":10}", NULL, "");
    send(&house, 1, begin_ms + 7, "bet", "{\"bet\":1}", NULL, "");
    tell(&house, true, VERSION_NO, 1, begin_ms + 7, "bet", "{\"bet\":1}", NULL, "");
    tell(&house, true, VERSION_NO, 2, begin_ms + 7, "bet", "{\"bet\":1}", NULL, "");
    rwd_report_arms(experiment_of(&house), 0, &arms);
    assert_int_equal(arms.arms[1].moments.count, 1);
    assert_int_equal(arms.arms[0].moments.count, 0);
    assert_true(arms.arms[1].moments.mean_y == 101);
    close_house(&house);
}

static void the_time_before_is_the_covariate(void **state)
{
    (void)state;
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct house house;
    struct rwd_report_arms arms;
    open_house(&house);
    send(&house, 1, begin_ms - (int64_t)15 * DAY_MS, "bet", "{\"bet\":1000}", NULL, "");
    send(&house, 1, begin_ms - (int64_t)14 * DAY_MS, "bet", "{\"bet\":3}", NULL, "");
    send(&house, 1, begin_ms - 1, "bet", "{\"bet\":4}", NULL, "");
    send(&house, 1, begin_ms, "bet", "{\"bet\":500}", NULL, "");
    send(&house, 1, begin_ms + 1, "bet", "{\"bet\":5}", "treatment", "");
    rwd_report_arms(experiment_of(&house), 0, &arms);
    assert_true(arms.arms[1].moments.mean_x == 7 && arms.arms[1].moments.mean_y == 5);
    /* Exposed by an event of that time: from then on nothing is from before. */
    send(&house, 2, begin_ms - 20, "bet", "{\"bet\":6}", NULL, "");
    send(&house, 2, begin_ms - 10, "bet", "{\"bet\":8}", "control", "");
    send(&house, 2, begin_ms - 9, "bet", "{\"bet\":9}", NULL, "");
    rwd_report_arms(experiment_of(&house), 0, &arms);
    assert_true(arms.arms[0].moments.mean_x == 6 && arms.arms[0].moments.mean_y == 17);
    close_house(&house);
}

static void the_house_watches_its_own(void **state)
{
    (void)state;
    struct house house;
    struct rwd_report_arms arms;
    open_house(&house);
    send(&house, 1, begin_ms, "login", "{}", "control", "");
    send(&house, 1, begin_ms + 1, "feedback", "{\"rating\":2}", NULL, "");
    send(&house, 1, begin_ms + 2, "feedback", "{\"rating\":3}", NULL, "");
    send(&house, 1, begin_ms + 3, "rg_event", "{\"type\":\"cool_off\"}", NULL, "");
    send(&house, 1, begin_ms + 4, "rg_event", "{\"type\":\"lifted\"}", NULL, "");
    rwd_report_arms(experiment_of(&house), 2 + RWD_TALLY_COMPLAINTS, &arms);
    assert_true(arms.arms[0].moments.mean_y == 1);
    rwd_report_arms(experiment_of(&house), 2 + RWD_TALLY_RG, &arms);
    assert_true(arms.arms[0].moments.mean_y == 1);
    rwd_report_arms(experiment_of(&house), 2 + RWD_TALLY_FRAUD, &arms);
    assert_true(arms.arms[0].moments.mean_y == 0);
    send(&house, 1, begin_ms + 5, "bet", "{\"flagged\":1}", NULL, "");
    send(&house, 1, begin_ms + 6, "bet", "{\"flagged\":1}", NULL, "");
    rwd_report_arms(experiment_of(&house), 2 + RWD_TALLY_FRAUD, &arms);
    assert_true(arms.arms[0].moments.mean_y == 1); /* users, not events */
    close_house(&house);
}

static void other_metrics_need_the_journal_anew(void **state)
{
    (void)state;
    struct house house;
    open_house(&house);
    send(&house, 1, begin_ms, "bet", "{\"bet\":1}", "control", "");
    house.rule.version_no++;
    house.experiment.arms[0].weight = 0.1;
    house.experiment.arms[1].weight = 0.9;
    assert_int_equal(rwd_tally_version(house.tally, &house.rule, true, begin_ms), RWD_OK);
    assert_null(rwd_tally_missed(house.tally)); /* other shares need nothing */
    house.rule.version_no++;
    house.experiment.primary.kind = RWD_METRIC_CONVERSION;
    assert_int_equal(rwd_tally_version(house.tally, &house.rule, false, begin_ms), RWD_OK);
    assert_null(rwd_tally_missed(house.tally)); /* not before it is in force */
    assert_int_equal(rwd_tally_version(house.tally, &house.rule, true, begin_ms), RWD_OK);
    assert_ptr_equal(rwd_tally_missed(house.tally), experiment_of(&house));
    assert_int_equal(experiment_of(&house)->users.count, 0);
    close_house(&house);
}

/* Strata of two sizes; in one of them the treatment loses half of its users. */
static void a_broken_stratum_is_found(void **state)
{
    (void)state;
    struct house house;
    struct rwd_buffer out = {0};
    open_house(&house);
    for (uint64_t user = 1; user <= 16000; user++) {
        bool is_payer = user % 20 == 0;
        bool is_treated = user / 4 % 2 == 0;
        if (!(is_payer && is_treated && user % 80 == 40)) {
            send(&house, user, begin_ms, "login", "{}", is_treated ? "treatment" : "control",
                is_payer ? "payer=yes" : "payer=no");
        }
    }
    const struct rwd_tally_experiment *experiment = experiment_of(&house);
    assert_int_equal(experiment->stratum_count, 2);
    rwd_report_put(experiment, &out);
    const char *text = rwd_buffer_c_string(&out);
    assert_non_null(strstr(text, "\"code\":\"srm\""));
    assert_non_null(strstr(text, "Do not trust these numbers"));
    assert_non_null(strstr(text, "\"users\":{\"control\":400,\"treatment\":200},"));
    assert_non_null(strstr(text, "stratum payer=yes"));
    rwd_buffer_finish(&out);
    close_house(&house);
}

static void fill(struct house *house, unsigned seed, double more)
{
    struct chance chance = {.state = seed};
    for (uint64_t user = 1; user <= 1000; user++) {
        char payload[64];
        bool is_treated = chance_one_in(&chance, 2);
        (void)snprintf(payload, sizeof payload, "{\"bet\":%.3f,\"win\":1}",
            chance_below(&chance, 1000) / 100.0 + (is_treated ? more : 0));
        send(house, chance_u64(&chance) | 1, begin_ms, "bet", payload,
            is_treated ? "treatment" : "control", "payer=no");
    }
}

static void verdicts_in_words(void **state)
{
    (void)state;
    static const struct {
        double more;
        const char *code;
        const char *words;
    } cases[] = {{0, "undecided", "No difference in stake between treatment and control"},
        {3, "higher", "treatment is higher than control in stake (+"},
        {-3, "lower", "treatment is lower than control in stake (-"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct house house;
        struct rwd_buffer out = {0};
        char code[64];
        open_house(&house);
        house.experiment.guardrail_count = 0;
        assert_int_equal(rwd_tally_version(house.tally, &house.rule, true, begin_ms), RWD_OK);
        assert_non_null(rwd_tally_missed(house.tally));
        fill(&house, 3, cases[i].more);
        rwd_report_put(experiment_of(&house), &out);
        (void)snprintf(code, sizeof code, "\"code\":\"%s\"", cases[i].code);
        if (strstr(rwd_buffer_c_string(&out), code) == NULL ||
            strstr(out.data, cases[i].words) == NULL) {
            fail_msg("%s", out.data);
        }
        rwd_buffer_finish(&out);
        close_house(&house);
    }
}

/* 5 % held out, and the arms share the rest: planned so, counted so, and compared as a group. */
static void the_held_out_are_a_group_of_their_own(void **state)
{
    (void)state;
    struct house house;
    struct rwd_report_arms arms;
    struct rwd_buffer out = {0};
    open_house(&house);
    house.experiment.holdout = 0.05;
    house.rule.version_no++;
    assert_int_equal(rwd_tally_version(house.tally, &house.rule, true, begin_ms), RWD_OK);
    for (uint64_t user = 1; user <= 4000; user++) {
        bool is_held_out = user % 20 == 0;
        char payload[64];
        (void)snprintf(payload, sizeof payload, "{\"bet\":%u}",
            (unsigned)(is_held_out ? 10 : 12) + (unsigned)(user / 20 % 5));
        tell(&house, false, house.rule.version_no, user, begin_ms, "bet", payload,
            is_held_out     ? RWD_EXPERIMENT_HOLDOUT
            : user % 2 == 0 ? "treatment"
                            : "control",
            "payer=no");
    }
    const struct rwd_tally_experiment *experiment = experiment_of(&house);
    assert_int_equal(rwd_tally_held_out(experiment), 200);
    assert_int_equal(experiment->exposures, 3800);
    rwd_report_arms(experiment, 0, &arms);
    assert_int_equal(arms.held_out.moments.count, 200);
    assert_int_equal(arms.arms[0].moments.count, 2000);
    assert_true(fabs(arms.held_out.moments.mean_y - 12) < 1e-9);
    rwd_report_put(experiment, &out);
    const char *text = rwd_buffer_c_string(&out);
    assert_non_null(strstr(text, "\"users\":3800,\"held_out\":200,\"exposures\":3800,"));
    assert_non_null(strstr(text,
        "\"users\":{\"control\":2000,\"treatment\":1800,\"holdout\":200},\"expected\":"
        "{\"control\":1900,\"treatment\":1900,\"holdout\":200},\"chi_square\":10.5263157895,"));
    assert_non_null(strstr(text, "\"program\":{\"arms\":[{\"arm\":\"holdout\",\"users\":200,"));
    assert_non_null(
        strstr(text, "{\"arm\":\"all arms\",\"against\":\"holdout\",\"difference\":{\"value\":2,"));
    assert_non_null(strstr(
        text, "Those who take part are higher in stake than the 200 held-out users (+16.7 %,"));
    assert_non_null(strstr(text, "\"code\":\"undecided\""));
    /* A version without a holdout leaves them out of the numbers, not out of the split. */
    house.experiment.holdout = 0;
    house.rule.version_no++;
    assert_int_equal(rwd_tally_version(house.tally, &house.rule, true, begin_ms), RWD_OK);
    rwd_report_arms(experiment, 0, &arms);
    assert_int_equal(arms.held_out.moments.count, 0);
    out.size = 0;
    rwd_report_put(experiment, &out);
    text = rwd_buffer_c_string(&out);
    assert_non_null(strstr(text, "\"holdout\":200},\"expected\""));
    assert_non_null(strstr(text, "\"program\":null"));
    rwd_buffer_finish(&out);
    close_house(&house);
}

/* Nobody is recorded as held out though one in twenty was to be: an empty arm like any other. */
static void a_holdout_that_is_missing_is_a_mismatch(void **state)
{
    (void)state;
    struct house house;
    struct rwd_buffer out = {0};
    open_house(&house);
    house.experiment.holdout = 0.05;
    house.rule.version_no++;
    assert_int_equal(rwd_tally_version(house.tally, &house.rule, true, begin_ms), RWD_OK);
    for (uint64_t user = 1; user <= 400; user++) {
        tell(&house, false, house.rule.version_no, user, begin_ms, "login", "{}",
            user % 2 == 0 ? "treatment" : "control", "");
    }
    rwd_report_put(experiment_of(&house), &out);
    assert_non_null(strstr(rwd_buffer_c_string(&out), "\"code\":\"srm\""));
    rwd_buffer_finish(&out);
    close_house(&house);
}

static void a_file_comes_back_as_it_went(void **state)
{
    (void)state;
    struct house house;
    struct rwd_buffer bytes = {0};
    struct rwd_buffer before = {0};
    struct rwd_buffer after = {0};
    struct rwd_tally *read = NULL;
    open_house(&house);
    fill(&house, 5, 1);
    send(&house, 99, begin_ms - 1, "bet", "{\"bet\":4}", NULL, "");
    rwd_tally_encode(house.tally, &bytes);
    rwd_report_put(experiment_of(&house), &before);
    assert_int_equal(rwd_tally_decode(rwd_buffer_text(&bytes), &read), RWD_OK);
    rwd_report_put(rwd_tally_find(read, RWD_TEXT("ab")), &after);
    assert_true(rwd_text_equal(rwd_buffer_text(&before), rwd_buffer_text(&after)));
    rwd_tally_destroy(read);
    for (size_t size = 0; size < bytes.size; size += 97) {
        struct rwd_text cut = {.data = bytes.data, .size = size};
        assert_int_equal(rwd_tally_decode(cut, &read), RWD_CORRUPT);
    }
    bytes.data[0] ^= 1;
    assert_int_equal(rwd_tally_decode(rwd_buffer_text(&bytes), &read), RWD_CORRUPT);
    rwd_buffer_finish(&bytes);
    rwd_buffer_finish(&before);
    rwd_buffer_finish(&after);
    close_house(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_counts_from_the_exposure_on),
        cmocka_unit_test(a_release_is_counted_once),
        cmocka_unit_test(the_time_before_is_the_covariate),
        cmocka_unit_test(the_house_watches_its_own),
        cmocka_unit_test(other_metrics_need_the_journal_anew),
        cmocka_unit_test(a_broken_stratum_is_found),
        cmocka_unit_test(verdicts_in_words),
        cmocka_unit_test(the_held_out_are_a_group_of_their_own),
        cmocka_unit_test(a_holdout_that_is_missing_is_a_mismatch),
        cmocka_unit_test(a_file_comes_back_as_it_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

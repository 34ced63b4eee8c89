#include "experiment/report.h"

#include "experiment/arm.h"
#include "experiment/assign.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Where the sequential interval is narrowest: GrowthBook's default, and a common size. */
enum { TUNED_USER_COUNT = 5000 };
static const double confidence = 0.95;
/* What stands for all who take part; no arm can be called so. */
static const char program_name[] = "all arms";

static const char *const kind_names[] = {"conversion", "mean", "ratio"};
static const struct rwd_metric house_metrics[RWD_TALLY_HOUSE_COUNT] = {
    [RWD_TALLY_COMPLAINTS] = {.name = "complaints", .kind = RWD_METRIC_MEAN},
    [RWD_TALLY_FRAUD] = {.name = "fraud_flags", .kind = RWD_METRIC_CONVERSION},
    [RWD_TALLY_RG] = {.name = "rg_triggers", .kind = RWD_METRIC_MEAN},
};

static const struct rwd_metric *metric_of(
    const struct rwd_tally_experiment *experiment, size_t metric)
{
    size_t guardrail_count = experiment->terms.guardrail_count;
    if (metric == 0) {
        return &experiment->terms.primary;
    }
    return metric <= guardrail_count ? &experiment->terms.guardrails[metric - 1]
                                     : &house_metrics[metric - 1 - guardrail_count];
}

/* NULL: the newest version knows nobody of the kind. */
static struct rwd_report_arm *place_of(
    const struct rwd_experiment *terms, const char *name, struct rwd_report_arms *arms)
{
    if (strcmp(name, RWD_EXPERIMENT_HOLDOUT) == 0) {
        return terms->holdout > 0 ? &arms->held_out : NULL;
    }
    int arm = rwd_experiment_arm_find(terms, rwd_text_of(name));
    return arm != RWD_ASSIGN_NOWHERE ? &arms->arms[arm] : NULL;
}

void rwd_report_arms(
    const struct rwd_tally_experiment *experiment, size_t metric, struct rwd_report_arms *arms)
{
    struct rwd_report_arm *places[RWD_TALLY_ARM_COUNT_MAX];
    for (size_t i = 0; i < experiment->arm_count; i++) {
        places[i] = place_of(&experiment->terms, experiment->arms[i], arms);
    }
    bool is_ratio = metric_of(experiment, metric)->kind == RWD_METRIC_RATIO;
    *arms = (struct rwd_report_arms){0};
    size_t slot = 0;
    for (const struct rwd_tally_user *user = rwd_tally_next(&experiment->users, &slot);
         user != NULL; user = rwd_tally_next(&experiment->users, &slot)) {
        if (places[user->arm] == NULL) {
            continue;
        }
        const struct rwd_tally_sum *sum = &user->sums[metric];
        const struct rwd_tally_user *before =
            is_ratio || metric > 0 ? NULL : rwd_tally_user(&experiment->before, user->fingerprint);
        double x = is_ratio ? sum->x : before != NULL ? before->sums[0].y : 0;
        rwd_moments_add(&places[user->arm]->moments, sum->y, x);
        places[user->arm]->hits += sum->y > 0;
    }
}

/* All who take part, as one. */
static struct rwd_report_arm program_of(
    const struct rwd_experiment *terms, const struct rwd_report_arms *arms)
{
    struct rwd_report_arm program = {0};
    for (size_t i = 0; i < terms->arm_count; i++) {
        rwd_moments_merge(&program.moments, &arms->arms[i].moments);
        program.hits += arms->arms[i].hits;
    }
    return program;
}

/* ---- numbers ---- */

static void put_number(struct rwd_buffer *out, const char *name, double value)
{
    if (isfinite(value)) {
        rwd_buffer_put_format(out, ",\"%s\":%.12g", name, value);
    } else {
        rwd_buffer_put_format(out, ",\"%s\":null", name);
    }
}

static void put_estimate(
    struct rwd_buffer *out, const char *name, const struct rwd_estimate *estimate)
{
    if (!estimate->valid) {
        rwd_buffer_put_format(out, ",\"%s\":null", name);
        return;
    }
    rwd_buffer_put_format(out, ",\"%s\":{\"value\":%.12g", name, estimate->difference);
    put_number(out, "standard_error", estimate->standard_error);
    put_number(out, "low", estimate->low);
    put_number(out, "high", estimate->high);
    put_number(out, "p", estimate->p);
    rwd_buffer_put_char(out, '}');
}

struct comparison {
    struct rwd_estimate difference;
    struct rwd_estimate lift;
    struct rwd_estimate sequential;
    struct rwd_estimate cuped;
    double reduction;
};

/* comparisons: how many of the kind share what may go wrong (C. E. Bonferroni). */
static struct comparison compare(const struct rwd_tally_experiment *experiment, size_t index,
    const struct rwd_report_arm *control, const struct rwd_report_arm *treatment,
    size_t comparisons)
{
    const struct rwd_moments *a = &control->moments;
    const struct rwd_moments *b = &treatment->moments;
    const struct rwd_metric *metric = metric_of(experiment, index);
    struct comparison made = {0};
    if (metric->kind == RWD_METRIC_RATIO) {
        made.difference = rwd_stat_ratio(a, b, confidence);
        made.lift = rwd_stat_ratio_lift(a, b, confidence);
    } else {
        made.difference = metric->kind == RWD_METRIC_CONVERSION
                              ? rwd_stat_proportions(
                                    control->hits, a->count, treatment->hits, b->count, confidence)
                              : rwd_stat_welch(a, b, confidence);
        made.lift = rwd_stat_lift(a, b, confidence);
    }
    if (index == 0 && metric->kind != RWD_METRIC_RATIO && experiment->before.count > 0) {
        made.cuped = rwd_stat_cuped(a, b, confidence);
        made.reduction = rwd_stat_cuped_reduction(a, b);
    }
    const struct rwd_estimate *best = made.cuped.valid ? &made.cuped : &made.difference;
    double shared = 1 - (1 - confidence) / (double)comparisons;
    made.sequential = rwd_stat_sequential(best, a->count + b->count, TUNED_USER_COUNT, shared);
    return made;
}

/* An arm with the control, which all the others are compared with, too. */
static struct comparison compare_arm(const struct rwd_tally_experiment *experiment, size_t index,
    const struct rwd_report_arms *arms, size_t arm)
{
    return compare(
        experiment, index, &arms->arms[0], &arms->arms[arm], experiment->terms.arm_count - 1);
}

static struct comparison compare_program(const struct rwd_tally_experiment *experiment,
    size_t index, const struct rwd_report_arms *arms, const struct rwd_report_arm *program)
{
    return compare(experiment, index, &arms->held_out, program, 1);
}

static double value_of(const struct rwd_metric *metric, const struct rwd_report_arm *arm)
{
    return metric->kind == RWD_METRIC_RATIO ? arm->moments.mean_y / arm->moments.mean_x
                                            : arm->moments.mean_y;
}

static bool is_outside(const struct rwd_estimate *estimate)
{
    return estimate->valid && (estimate->low > 0 || estimate->high < 0);
}

/* ---- the split ---- */

static struct rwd_srm srm_of(
    const struct rwd_tally_experiment *experiment, const struct rwd_tally_stratum *stratum)
{
    return rwd_stat_srm(stratum->counts, stratum->expected, experiment->arm_count);
}

static void put_split(const struct rwd_tally_experiment *experiment,
    const struct rwd_tally_stratum *stratum, double p_min, struct rwd_buffer *out)
{
    struct rwd_srm srm = srm_of(experiment, stratum);
    double total = 0;
    double planned = 0;
    for (size_t i = 0; i < experiment->arm_count; i++) {
        total += (double)stratum->counts[i];
        planned += stratum->expected[i];
    }
    rwd_buffer_put_string(out, "\"users\":{");
    for (size_t i = 0; i < experiment->arm_count; i++) {
        rwd_buffer_put_format(
            out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", experiment->arms[i], stratum->counts[i]);
    }
    rwd_buffer_put_string(out, "},\"expected\":{");
    for (size_t i = 0; i < experiment->arm_count; i++) {
        rwd_buffer_put_format(out, "%s\"%s\":%.6g", i > 0 ? "," : "", experiment->arms[i],
            planned > 0 ? total * stratum->expected[i] / planned : 0);
    }
    rwd_buffer_put_char(out, '}');
    if (srm.valid) {
        put_number(out, "chi_square", srm.chi_square);
        put_number(out, "p", srm.p);
    } else {
        rwd_buffer_put_string(out, ",\"chi_square\":null,\"p\":null");
    }
    rwd_buffer_put_format(out, ",\"ok\":%s", srm.valid && srm.p < p_min ? "false" : "true");
}

static double stratum_p_min(const struct rwd_tally_experiment *experiment)
{
    return RWD_STAT_SRM_P_MIN /
           (double)(experiment->stratum_count > 0 ? experiment->stratum_count : 1);
}

/* The stratum whose split is wrong; NULL: none is. whole first. */
static const struct rwd_tally_stratum *broken_split(const struct rwd_tally_experiment *experiment)
{
    struct rwd_srm srm = srm_of(experiment, &experiment->whole);
    if (srm.valid && srm.p < RWD_STAT_SRM_P_MIN) {
        return &experiment->whole;
    }
    for (size_t i = 0; i < experiment->stratum_count; i++) {
        srm = srm_of(experiment, &experiment->strata[i]);
        if (srm.valid && srm.p < stratum_p_min(experiment)) {
            return &experiment->strata[i];
        }
    }
    return NULL;
}

/* ---- the verdict ---- */

struct verdict {
    const char *code;
    struct rwd_buffer text;
};

static void put_lift(const struct rwd_estimate *lift, struct rwd_buffer *text)
{
    if (lift->valid) {
        rwd_buffer_put_format(text, " (%+.1f %%, 95 %% interval %+.1f to %+.1f %%)",
            100 * lift->difference, 100 * lift->low, 100 * lift->high);
    }
}

static void judge_arm(const struct rwd_tally_experiment *experiment,
    const struct rwd_report_arms *arms, size_t arm, struct verdict *verdict)
{
    const struct rwd_metric *metric = &experiment->terms.primary;
    struct comparison made = compare_arm(experiment, 0, arms, arm);
    const char *control = experiment->terms.arms[0].name;
    const char *name = experiment->terms.arms[arm].name;
    struct rwd_buffer *text = &verdict->text;
    if (!made.difference.valid) {
        rwd_buffer_put_format(
            text, "There are too few users in %s or %s to tell anything yet. ", name, control);
        return;
    }
    bool better = made.sequential.low > 0;
    bool worse = made.sequential.high < 0;
    if (!better && !worse) {
        rwd_buffer_put_format(text, "No difference in %s between %s and %s can be told yet",
            metric->name, name, control);
        rwd_buffer_put_string(text,
            is_outside(&made.difference)
                ? ": today's 95 % interval leaves zero, but whoever looks every day will see that "
                  "happen by chance; let it run on"
                : "");
    } else {
        /* Lower where a metric fell; whether that is good only the author knows. */
        verdict->code = better ? "higher" : "lower";
        rwd_buffer_put_format(text, "%s is %s than %s in %s", name, better ? "higher" : "lower",
            control, metric->name);
    }
    put_lift(&made.lift, text);
    rwd_buffer_put_string(text, ". ");
}

/* What the program brings is another question: it changes the text, not the code. */
static void judge_program(const struct rwd_tally_experiment *experiment,
    const struct rwd_report_arms *arms, struct rwd_buffer *text)
{
    if (!(experiment->terms.holdout > 0)) {
        return;
    }
    const char *name = experiment->terms.primary.name;
    const struct rwd_report_arm program = program_of(&experiment->terms, arms);
    struct comparison made = compare_program(experiment, 0, arms, &program);
    uint64_t count = arms->held_out.moments.count;
    if (!made.difference.valid) {
        rwd_buffer_put_format(text,
            "What the whole program brings cannot be told from %" PRIu64 " held-out users yet. ",
            count);
        return;
    }
    if (is_outside(&made.sequential)) {
        rwd_buffer_put_format(text,
            "Those who take part are %s in %s than the %" PRIu64 " held-out users",
            made.sequential.low > 0 ? "higher" : "lower", name, count);
    } else {
        rwd_buffer_put_format(text,
            "No difference in %s between those who take part and the %" PRIu64
            " held-out users can be told yet",
            name, count);
    }
    put_lift(&made.lift, text);
    rwd_buffer_put_string(text, ". ");
}

static void judge_guardrails(const struct rwd_tally_experiment *experiment, struct verdict *verdict)
{
    for (size_t metric = 1; metric < experiment->metric_count; metric++) {
        struct rwd_report_arms arms;
        bool is_house = metric > experiment->terms.guardrail_count;
        rwd_report_arms(experiment, metric, &arms);
        for (size_t arm = 1; arm < experiment->terms.arm_count; arm++) {
            struct comparison made = compare_arm(experiment, metric, &arms, arm);
            /* The house's only hurt upwards. */
            if (is_house ? made.sequential.low > 0 : is_outside(&made.sequential)) {
                verdict->code = "guardrail";
                rwd_buffer_put_format(&verdict->text, "Guardrail %s is %s in %s. ",
                    metric_of(experiment, metric)->name,
                    made.difference.difference > 0 ? "higher" : "lower",
                    experiment->terms.arms[arm].name);
            }
        }
    }
}

static void judge(const struct rwd_tally_experiment *experiment, struct verdict *verdict)
{
    const struct rwd_tally_stratum *broken = broken_split(experiment);
    *verdict = (struct verdict){.code = "undecided"};
    if (experiment->users.count == 0) {
        verdict->code = "no_users";
        rwd_buffer_put_string(&verdict->text, "Nobody has been exposed yet.");
        return;
    }
    if (broken != NULL) {
        verdict->code = "srm";
        rwd_buffer_put_format(&verdict->text,
            "Do not trust these numbers: the users are not split over the arms as planned (%s%s, "
            "p = %.2g). Something lets one arm's users in or out: find it first.",
            broken == &experiment->whole ? "over all" : "stratum ", broken->name,
            srm_of(experiment, broken).p);
        return;
    }
    struct rwd_report_arms arms;
    rwd_report_arms(experiment, 0, &arms);
    for (size_t arm = 1; arm < experiment->terms.arm_count; arm++) {
        judge_arm(experiment, &arms, arm, verdict);
    }
    judge_program(experiment, &arms, &verdict->text);
    judge_guardrails(experiment, verdict);
    if (experiment->users.cut) {
        rwd_buffer_put_format(
            &verdict->text, "Only the first %d users were counted. ", RWD_TALLY_USER_COUNT_MAX);
    }
    verdict->text.size -= verdict->text.size > 0;
}

/* ---- JSON ---- */

static void put_arm(const struct rwd_tally_experiment *experiment, size_t index, const char *name,
    const struct rwd_report_arm *arm, struct rwd_buffer *out)
{
    double users = (double)arm->moments.count;
    rwd_buffer_put_format(out, "{\"arm\":\"%s\",\"users\":%" PRIu64 ",\"converted\":%" PRIu64, name,
        arm->moments.count, arm->hits);
    put_number(out, "conversion", (double)arm->hits / users);
    put_number(out, "value", users > 0 ? value_of(metric_of(experiment, index), arm) : NAN);
    if (index > experiment->terms.guardrail_count) {
        put_number(out, "per_1000_users", users > 0 ? 1000 * arm->moments.mean_y : NAN);
    }
    rwd_buffer_put_char(out, '}');
}

static void put_comparison(
    const char *arm, const char *against, const struct comparison *made, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "{\"arm\":\"%s\",\"against\":\"%s\"", arm, against);
    put_estimate(out, "difference", &made->difference);
    put_estimate(out, "lift", &made->lift);
    put_estimate(out, "sequential", &made->sequential);
    put_estimate(out, "cuped", &made->cuped);
    put_number(out, "variance_reduction", made->cuped.valid ? made->reduction : NAN);
    rwd_buffer_put_char(out, '}');
}

static void put_metric(
    const struct rwd_tally_experiment *experiment, size_t index, struct rwd_buffer *out)
{
    const struct rwd_metric *metric = metric_of(experiment, index);
    const struct rwd_experiment *terms = &experiment->terms;
    struct rwd_report_arms arms;
    rwd_report_arms(experiment, index, &arms);
    rwd_buffer_put_format(out, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"role\":\"%s\",\"arms\":[",
        index > 0 ? "," : "", metric->name, kind_names[metric->kind],
        index == 0 ? "primary" : "guardrail");
    for (size_t i = 0; i < terms->arm_count; i++) {
        rwd_buffer_put_string(out, i > 0 ? "," : "");
        put_arm(experiment, index, terms->arms[i].name, &arms.arms[i], out);
    }
    rwd_buffer_put_string(out, "],\"comparisons\":[");
    for (size_t i = 1; i < terms->arm_count; i++) {
        struct comparison made = compare_arm(experiment, index, &arms, i);
        rwd_buffer_put_string(out, i > 1 ? "," : "");
        put_comparison(terms->arms[i].name, terms->arms[0].name, &made, out);
    }
    rwd_buffer_put_string(out, "],\"program\":");
    if (terms->holdout > 0) {
        const struct rwd_report_arm program = program_of(terms, &arms);
        struct comparison made = compare_program(experiment, index, &arms, &program);
        rwd_buffer_put_string(out, "{\"arms\":[");
        put_arm(experiment, index, RWD_EXPERIMENT_HOLDOUT, &arms.held_out, out);
        rwd_buffer_put_char(out, ',');
        put_arm(experiment, index, program_name, &program, out);
        rwd_buffer_put_string(out, "],\"comparison\":");
        put_comparison(program_name, RWD_EXPERIMENT_HOLDOUT, &made, out);
        rwd_buffer_put_char(out, '}');
    } else {
        rwd_buffer_put_string(out, "null");
    }
    rwd_buffer_put_char(out, '}');
}

static void put_head(const struct rwd_tally_experiment *experiment, struct rwd_buffer *out)
{
    struct verdict verdict;
    uint64_t held_out = rwd_tally_held_out(experiment);
    judge(experiment, &verdict);
    rwd_buffer_put_format(out,
        "{\"key\":\"%s\",\"version\":\"%s\",\"control\":\"%s\",\"users\":%" PRIu64
        ",\"held_out\":%" PRIu64 ",\"exposures\":%" PRIu64
        ",\"verdict\":{\"code\":\"%s\",\"text\":",
        experiment->terms.key, experiment->version, experiment->terms.arms[0].name,
        experiment->users.count - held_out, held_out, experiment->exposures, verdict.code);
    rwd_buffer_put_json(out, rwd_buffer_text(&verdict.text));
    rwd_buffer_put_char(out, '}');
    rwd_buffer_finish(&verdict.text);
}

void rwd_report_put_line(const struct rwd_tally_experiment *experiment, struct rwd_buffer *out)
{
    put_head(experiment, out);
    rwd_buffer_put_string(out, ",\"arms\":[");
    for (size_t i = 0; i < experiment->terms.arm_count; i++) {
        rwd_buffer_put_format(out, "%s{\"arm\":\"%s\",\"weight\":%.6g}", i > 0 ? "," : "",
            experiment->terms.arms[i].name, experiment->terms.arms[i].weight);
    }
    rwd_buffer_put_string(out, "]}");
}

void rwd_report_put(const struct rwd_tally_experiment *experiment, struct rwd_buffer *out)
{
    put_head(experiment, out);
    rwd_buffer_put_format(out, ",\"confidence\":%g,\"complete\":%s,\"srm\":{", confidence,
        experiment->users.cut || experiment->strata_cut ? "false" : "true");
    put_split(experiment, &experiment->whole, RWD_STAT_SRM_P_MIN, out);
    rwd_buffer_put_string(out, "},\"strata\":[");
    for (size_t i = 0; i < experiment->stratum_count; i++) {
        rwd_buffer_put_string(out, i > 0 ? ",{\"stratum\":" : "{\"stratum\":");
        rwd_buffer_put_json(out, rwd_text_of(experiment->strata[i].name));
        rwd_buffer_put_char(out, ',');
        put_split(experiment, &experiment->strata[i], stratum_p_min(experiment), out);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_string(out, "],\"metrics\":[");
    for (size_t metric = 0; metric < experiment->metric_count; metric++) {
        put_metric(experiment, metric, out);
    }
    rwd_buffer_put_string(out, "]}");
}

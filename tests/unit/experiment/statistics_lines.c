/*
 * A program for tests/integration/test_statistics.py: reads one question a line from stdin, answers
 * with one line of numbers, so that Python can hold statistics.h against scipy and statsmodels.
 *
 *   normal P | t P DEGREES | tcdf X DEGREES | chi X DEGREES
 *   welch|lift|ratio|ratio_lift|cuped CONFIDENCE N_CONTROL N_TREATMENT then y x of every user
 *   sequential CONFIDENCE TUNED N_CONTROL N_TREATMENT then y x of every user: of Welch's estimate
 *   proportions CONFIDENCE HITS COUNT HITS COUNT
 *   srm COUNT then counts, then weights
 *
 * Estimates are answered as "difference standard_error low high p degrees", srm as "chi_square p
 * degrees".
 */
#include "experiment/distribution.h"
#include "experiment/statistics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARM_COUNT_MAX = 16 };

static double number(void)
{
    double value = 0;
    if (scanf("%lf", &value) != 1) {
        (void)fprintf(stderr, "a number is missing\n");
        exit(1);
    }
    return value;
}

static void answer(struct rwd_estimate estimate)
{
    if (!estimate.valid) {
        printf("invalid\n");
        return;
    }
    printf("%.17g %.17g %.17g %.17g %.17g %.17g\n", estimate.difference, estimate.standard_error,
        estimate.low, estimate.high, estimate.p, estimate.degrees);
}

static void two_arms(struct rwd_moments arms[2])
{
    uint64_t counts[2] = {(uint64_t)number(), 0};
    counts[1] = (uint64_t)number();
    for (int arm = 0; arm < 2; arm++) {
        for (uint64_t i = 0; i < counts[arm]; i++) {
            double y = number();
            rwd_moments_add(&arms[arm], y, number());
        }
    }
}

static void sequential(void)
{
    struct rwd_moments arms[2] = {{0}};
    double confidence = number();
    uint64_t tuned = (uint64_t)number();
    two_arms(arms);
    struct rwd_estimate estimate = rwd_stat_welch(&arms[0], &arms[1], confidence);
    answer(rwd_stat_sequential(&estimate, arms[0].count + arms[1].count, tuned, confidence));
}

static void proportions(void)
{
    double confidence = number();
    uint64_t counts[4];
    for (int i = 0; i < 4; i++) {
        counts[i] = (uint64_t)number();
    }
    answer(rwd_stat_proportions(counts[0], counts[1], counts[2], counts[3], confidence));
}

static void srm(void)
{
    uint64_t counts[ARM_COUNT_MAX];
    double weights[ARM_COUNT_MAX];
    size_t count = (size_t)number();
    for (size_t i = 0; i < count && i < ARM_COUNT_MAX; i++) {
        counts[i] = (uint64_t)number();
    }
    for (size_t i = 0; i < count && i < ARM_COUNT_MAX; i++) {
        weights[i] = number();
    }
    struct rwd_srm answered = rwd_stat_srm(counts, weights, count);
    printf("%.17g %.17g %u\n", answered.chi_square, answered.p, answered.degrees);
}

static bool distribution(const char *question)
{
    if (strcmp(question, "normal") == 0) {
        printf("%.17g\n", rwd_normal_quantile(number()));
        return true;
    }
    double (*asked)(double, double) = strcmp(question, "t") == 0      ? rwd_t_quantile
                                      : strcmp(question, "tcdf") == 0 ? rwd_t_cdf
                                      : strcmp(question, "chi") == 0  ? rwd_chi_square_tail
                                                                      : NULL;
    if (asked != NULL) {
        double x = number();
        printf("%.17g\n", asked(x, number()));
    }
    return asked != NULL;
}

static bool estimate(const char *question)
{
    struct rwd_estimate (*asked)(const struct rwd_moments *, const struct rwd_moments *, double) =
        strcmp(question, "welch") == 0        ? rwd_stat_welch
        : strcmp(question, "lift") == 0       ? rwd_stat_lift
        : strcmp(question, "ratio") == 0      ? rwd_stat_ratio
        : strcmp(question, "ratio_lift") == 0 ? rwd_stat_ratio_lift
        : strcmp(question, "cuped") == 0      ? rwd_stat_cuped
                                              : NULL;
    if (asked != NULL) {
        struct rwd_moments arms[2] = {{0}};
        double confidence = number();
        two_arms(arms);
        answer(asked(&arms[0], &arms[1], confidence));
    }
    return asked != NULL;
}

int main(void)
{
    char question[32];
    while (scanf("%31s", question) == 1) {
        if (strcmp(question, "sequential") == 0) {
            sequential();
        } else if (strcmp(question, "proportions") == 0) {
            proportions();
        } else if (strcmp(question, "srm") == 0) {
            srm();
        } else if (!distribution(question) && !estimate(question)) {
            (void)fprintf(stderr, "what is %s?\n", question);
            return 1;
        }
    }
    return 0;
}

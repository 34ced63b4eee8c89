/*
 * statistics: is the difference between two arms more than noise, and was the split what it should
 * have been?
 *
 * Sums go in one observation a user, in one pass; answers come from the sums alone, so a projection
 * keeps a few numbers an arm however many users there are. Every estimate is "treatment minus
 * control", with its standard error, an interval, and the p value of "no difference at all".
 *
 * Too little to tell is an ordinary answer: estimates then have valid = false and nothing else.
 *
 * Threads: pure.
 */
#ifndef RWD_EXPERIMENT_STATISTICS_H
#define RWD_EXPERIMENT_STATISTICS_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* Sums over users of a value y and a companion x: the covariate of CUPED, or the denominator of a
 * ratio; 0 where there is none. By the updates of B. P. Welford (1962), so that large means lose no
 * digits. */
struct rwd_moments {
    uint64_t count;
    double mean_y;
    double mean_x;
    double square_y; /* sum of (y - mean_y)^2 */
    double square_x;
    double product; /* sum of (y - mean_y) (x - mean_x) */
};

void rwd_moments_add(struct rwd_moments *moments, double y, double x);
/* Both together (T. F. Chan, G. H. Golub, R. J. LeVeque 1979). */
void rwd_moments_merge(struct rwd_moments *moments, const struct rwd_moments *more);
/* Of y, with count - 1 below; 0 for fewer than two. */
double rwd_moments_variance(const struct rwd_moments *moments);

struct rwd_estimate {
    bool valid;
    double difference;
    double standard_error;
    double low; /* of the interval */
    double high;
    double p;
    double degrees; /* of freedom; 0: the normal was used */
};

/* confidence: 0.95. */

/* Means of y, variances not taken for equal (B. L. Welch 1947). */
struct rwd_estimate rwd_stat_welch(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence);

/* mean_t / mean_c - 1, by the delta method. */
struct rwd_estimate rwd_stat_lift(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence);

/* sum(y) / sum(x) of each arm, where users and not the units of x were assigned: money a bet, say.
 * By the delta method (A. Deng, U. Knoblich, J. Lu 2018). */
struct rwd_estimate rwd_stat_ratio(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence);
/* The treatment's ratio by the control's, minus 1; the same way. */
struct rwd_estimate rwd_stat_ratio_lift(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence);

/* Shares of users. The interval is R. G. Newcombe's (1998, method 10), which holds for rare things
 * too; p is of the z test with the pooled share. */
struct rwd_estimate rwd_stat_proportions(uint64_t control_hits, uint64_t control_count,
    uint64_t treatment_hits, uint64_t treatment_count, double confidence);

/* As Welch, of y less what the covariate x from before the experiment foretells (A. Deng, Y. Xu, R.
 * Kohavi, T. Walker 2013): y - theta (x - mean of x over both arms), theta = cov(y, x) / var(x)
 * over both arms. A covariate that never varies leaves y as it is. */
struct rwd_estimate rwd_stat_cuped(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence);
/* How much of the variance CUPED takes away: 0..1. */
double rwd_stat_cuped_reduction(
    const struct rwd_moments *control, const struct rwd_moments *treatment);

/* The same estimate with an interval that holds at every look at once: whoever stops when it leaves
 * 0 is still wrong at most as often as the confidence says. The normal mixture confidence sequence
 * (H. Robbins 1970; I. Waudby-Smith et al. 2021, "Time-uniform central limit theory", eq. 6), at
 * its narrowest at tuned_count users in both arms. count: those that there are. p becomes the
 * smallest at which the interval leaves 0. */
struct rwd_estimate rwd_stat_sequential(
    const struct rwd_estimate *estimate, uint64_t count, uint64_t tuned_count, double confidence);

/* Below it a split is called wrong. Small, for it is asked often. */
#define RWD_STAT_SRM_P_MIN 0.001

struct rwd_srm {
    bool valid; /* somebody is in it, and more than one arm was meant to have somebody */
    double chi_square;
    double p;
    unsigned degrees;
};

/* Sample ratio mismatch: counts against the weights they were drawn with, chi-square. An arm of
 * weight > 0 with nobody in it counts as much as any other; somebody in an arm of weight 0 is a
 * mismatch for certain. */
struct rwd_srm rwd_stat_srm(const uint64_t *counts, const double *weights, size_t count);

#endif

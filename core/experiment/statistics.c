#include "experiment/statistics.h"

#include "experiment/distribution.h"

#include <math.h>

void rwd_moments_add(struct rwd_moments *moments, double y, double x)
{
    moments->count++;
    double count = (double)moments->count;
    double from_mean_y = y - moments->mean_y;
    double from_mean_x = x - moments->mean_x;
    moments->mean_y += from_mean_y / count;
    moments->mean_x += from_mean_x / count;
    moments->square_y += from_mean_y * (y - moments->mean_y);
    moments->square_x += from_mean_x * (x - moments->mean_x);
    moments->product += from_mean_y * (x - moments->mean_x);
}

void rwd_moments_merge(struct rwd_moments *moments, const struct rwd_moments *more)
{
    if (more->count == 0) {
        return;
    }
    double total = (double)(moments->count + more->count);
    double share = (double)more->count / total;
    double apart_y = more->mean_y - moments->mean_y;
    double apart_x = more->mean_x - moments->mean_x;
    double weight = (double)moments->count * share;
    moments->square_y += more->square_y + apart_y * apart_y * weight;
    moments->square_x += more->square_x + apart_x * apart_x * weight;
    moments->product += more->product + apart_y * apart_x * weight;
    moments->mean_y += apart_y * share;
    moments->mean_x += apart_x * share;
    moments->count += more->count;
}

double rwd_moments_variance(const struct rwd_moments *moments)
{
    return moments->count > 1 ? moments->square_y / (double)(moments->count - 1) : 0;
}

static double variance_x(const struct rwd_moments *moments)
{
    return moments->count > 1 ? moments->square_x / (double)(moments->count - 1) : 0;
}

static double covariance(const struct rwd_moments *moments)
{
    return moments->count > 1 ? moments->product / (double)(moments->count - 1) : 0;
}

/* degrees 0: the normal. */
static struct rwd_estimate estimate_of(
    double difference, double standard_error, double degrees, double confidence)
{
    struct rwd_estimate estimate = {
        .difference = difference, .standard_error = standard_error, .degrees = degrees};
    if (!isfinite(difference) || !isfinite(standard_error) || !(standard_error > 0)) {
        return (struct rwd_estimate){0};
    }
    double upper = 1 - (1 - confidence) / 2;
    double z = fabs(difference) / standard_error;
    double width = degrees > 0 ? rwd_t_quantile(upper, degrees) : rwd_normal_quantile(upper);
    estimate.valid = true;
    estimate.low = difference - width * standard_error;
    estimate.high = difference + width * standard_error;
    /* From below, where the digits are. */
    estimate.p = 2 * (degrees > 0 ? rwd_t_cdf(-z, degrees) : rwd_normal_cdf(-z));
    return estimate;
}

static struct rwd_estimate welch_of(double control_mean, double control_variance,
    uint64_t control_count, double treatment_mean, double treatment_variance,
    uint64_t treatment_count, double confidence)
{
    if (control_count < 2 || treatment_count < 2) {
        return (struct rwd_estimate){0};
    }
    double a = control_variance / (double)control_count;
    double b = treatment_variance / (double)treatment_count;
    /* F. E. Satterthwaite 1946. */
    double degrees = (a + b) * (a + b) /
                     (a * a / (double)(control_count - 1) + b * b / (double)(treatment_count - 1));
    return estimate_of(treatment_mean - control_mean, sqrt(a + b), degrees, confidence);
}

struct rwd_estimate rwd_stat_welch(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence)
{
    return welch_of(control->mean_y, rwd_moments_variance(control), control->count,
        treatment->mean_y, rwd_moments_variance(treatment), treatment->count, confidence);
}

struct rwd_estimate rwd_stat_lift(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence)
{
    if (control->count < 2 || treatment->count < 2 || control->mean_y == 0) {
        return (struct rwd_estimate){0};
    }
    double ratio = treatment->mean_y / control->mean_y;
    double a = rwd_moments_variance(control) / (double)control->count;
    double b = rwd_moments_variance(treatment) / (double)treatment->count;
    double variance = (b + ratio * ratio * a) / (control->mean_y * control->mean_y);
    return estimate_of(ratio - 1, sqrt(variance), 0, confidence);
}

static double ratio_variance(const struct rwd_moments *arm, double ratio)
{
    double residual =
        rwd_moments_variance(arm) - 2 * ratio * covariance(arm) + ratio * ratio * variance_x(arm);
    return residual / ((double)arm->count * arm->mean_x * arm->mean_x);
}

struct rwd_estimate rwd_stat_ratio(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence)
{
    if (control->count < 2 || treatment->count < 2 || control->mean_x == 0 ||
        treatment->mean_x == 0) {
        return (struct rwd_estimate){0};
    }
    double a = control->mean_y / control->mean_x;
    double b = treatment->mean_y / treatment->mean_x;
    double variance = ratio_variance(control, a) + ratio_variance(treatment, b);
    return estimate_of(b - a, sqrt(variance), 0, confidence);
}

struct rwd_estimate rwd_stat_ratio_lift(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence)
{
    if (control->count < 2 || treatment->count < 2 || control->mean_x == 0 ||
        treatment->mean_x == 0 || control->mean_y == 0) {
        return (struct rwd_estimate){0};
    }
    double a = control->mean_y / control->mean_x;
    double b = treatment->mean_y / treatment->mean_x;
    double lift = b / a;
    double variance =
        (ratio_variance(treatment, b) + lift * lift * ratio_variance(control, a)) / (a * a);
    return estimate_of(lift - 1, sqrt(variance), 0, confidence);
}

struct wilson {
    double share;
    double low;
    double high;
};

/* E. B. Wilson's score interval (1927). */
static struct wilson wilson_of(uint64_t hits, uint64_t count, double z)
{
    double n = (double)count;
    double share = (double)hits / n;
    double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
    double half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    return (struct wilson){.share = share, .low = middle - half, .high = middle + half};
}

struct rwd_estimate rwd_stat_proportions(uint64_t control_hits, uint64_t control_count,
    uint64_t treatment_hits, uint64_t treatment_count, double confidence)
{
    if (control_count < 2 || treatment_count < 2 || control_hits > control_count ||
        treatment_hits > treatment_count) {
        return (struct rwd_estimate){0};
    }
    double pooled =
        (double)(control_hits + treatment_hits) / (double)(control_count + treatment_count);
    double error =
        sqrt(pooled * (1 - pooled) * (1 / (double)control_count + 1 / (double)treatment_count));
    double z = rwd_normal_quantile(1 - (1 - confidence) / 2);
    struct wilson a = wilson_of(control_hits, control_count, z);
    struct wilson b = wilson_of(treatment_hits, treatment_count, z);
    struct rwd_estimate estimate = estimate_of(b.share - a.share, error, 0, confidence);
    if (estimate.valid) {
        estimate.low = estimate.difference - hypot(b.share - b.low, a.high - a.share);
        estimate.high = estimate.difference + hypot(b.high - b.share, a.share - a.low);
    }
    return estimate;
}

/* cov(y, x) / var(x) over both arms as one sample. */
static double theta_of(const struct rwd_moments *both)
{
    return both->square_x > 0 ? both->product / both->square_x : 0;
}

struct rwd_estimate rwd_stat_cuped(
    const struct rwd_moments *control, const struct rwd_moments *treatment, double confidence)
{
    struct rwd_moments both = *control;
    rwd_moments_merge(&both, treatment);
    double theta = theta_of(&both);
    const struct rwd_moments *arms[] = {control, treatment};
    double means[2];
    double variances[2];
    for (int i = 0; i < 2; i++) {
        means[i] = arms[i]->mean_y - theta * (arms[i]->mean_x - both.mean_x);
        double variance = rwd_moments_variance(arms[i]) - 2 * theta * covariance(arms[i]) +
                          theta * theta * variance_x(arms[i]);
        variances[i] = fmax(0, variance);
    }
    return welch_of(means[0], variances[0], control->count, means[1], variances[1],
        treatment->count, confidence);
}

double rwd_stat_cuped_reduction(
    const struct rwd_moments *control, const struct rwd_moments *treatment)
{
    struct rwd_moments both = *control;
    rwd_moments_merge(&both, treatment);
    if (!(both.square_x > 0) || !(both.square_y > 0)) {
        return 0;
    }
    return both.product * both.product / (both.square_x * both.square_y);
}

struct rwd_estimate rwd_stat_sequential(
    const struct rwd_estimate *estimate, uint64_t count, uint64_t tuned_count, double confidence)
{
    if (!estimate->valid || count == 0 || tuned_count == 0) {
        return (struct rwd_estimate){0};
    }
    double alpha = 1 - confidence;
    double log_alpha = -2 * log(alpha);
    /* rho^2 that makes the interval narrowest at tuned_count, by the same paper's approximation. */
    double rho_square = (log_alpha + log(log_alpha + 1)) / (double)tuned_count;
    double grown = (double)count * rho_square;
    double spread = (grown + 1) / grown;
    struct rwd_estimate always = *estimate;
    double half = estimate->standard_error * sqrt(spread * (log_alpha + log(grown + 1)));
    always.low = estimate->difference - half;
    always.high = estimate->difference + half;
    double z = estimate->difference / estimate->standard_error;
    /* half = |difference| solved for alpha. */
    always.p = fmin(1, exp(0.5 * (log(grown + 1) - z * z / spread)));
    always.degrees = 0;
    return always;
}

struct rwd_srm rwd_stat_srm(const uint64_t *counts, const double *weights, size_t count)
{
    double total = 0;
    double weight = 0;
    unsigned meant = 0;
    bool impossible = false;
    for (size_t i = 0; i < count; i++) {
        total += (double)counts[i];
        weight += weights[i];
        meant += weights[i] > 0;
        impossible |= !(weights[i] > 0) && counts[i] > 0;
    }
    if (total == 0 || meant == 0 || (meant == 1 && !impossible)) {
        return (struct rwd_srm){0};
    }
    struct rwd_srm srm = {.valid = true, .degrees = meant - 1};
    for (size_t i = 0; i < count; i++) {
        double expected = total * weights[i] / weight;
        double off = (double)counts[i] - expected;
        srm.chi_square += expected > 0 ? off * off / expected : 0;
    }
    srm.p = impossible ? 0 : rwd_chi_square_tail(srm.chi_square, srm.degrees);
    return srm;
}

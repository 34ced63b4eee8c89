#include "experiment/distribution.h"

#include <float.h>
#include <math.h>

enum {
    STEP_COUNT_MAX = 10000, /* of a series or fraction; a few dozen are the rule */
    QUANTILE_STEP_COUNT_MAX = 200,
};

/* Beyond, t is the normal to 1e-7, and the gamma functions' difference has fewer digits than that.
 */
static const double degrees_max = 1e7;

/* Keeps a denominator of Lentz's algorithm away from 0. */
static const double tiny = 1e-300;

static double nonzero(double value)
{
    return fabs(value) < tiny ? tiny : value;
}

double rwd_normal_cdf(double x)
{
    return 0.5 * erfc(-x / M_SQRT2);
}

/* The root of cdf(x) = p between low and high, by bisection: slow and sure, and it needs nothing
 * but the cdf, whose precision it reaches. */
static double bisect(
    double (*cdf)(double x, double degrees), double degrees, double p, double low, double high)
{
    for (int i = 0; i < QUANTILE_STEP_COUNT_MAX; i++) {
        double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high) {
            break;
        }
        if (cdf(middle, degrees) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

static double normal_of(double x, double unused)
{
    (void)unused;
    return rwd_normal_cdf(x);
}

double rwd_normal_quantile(double p)
{
    if (!(p > 0 && p < 1)) {
        return NAN;
    }
    /* The upper half by symmetry: near 1 the cdf has no digits left, near 0 it has all. */
    return p > 0.5 ? -rwd_normal_quantile(1 - p) : bisect(normal_of, 0, p, -40, 0);
}

/* The continued fraction of the incomplete beta function, NIST DLMF 8.17.22, by the modified
 * algorithm of Lentz (W. J. Lentz 1976, I. J. Thompson and A. R. Barnett 1986). */
static double beta_fraction(double x, double a, double b)
{
    double c = 1;
    double d = 1 / nonzero(1 - (a + b) * x / (a + 1));
    double value = d;
    for (int m = 1; m < STEP_COUNT_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 / nonzero(1 + even * d);
        c = nonzero(1 + even / c);
        value *= c * d;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / nonzero(1 + odd * d);
        c = nonzero(1 + odd / c);
        value *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON) {
            break;
        }
    }
    return value;
}

static double log_gamma(double x)
{
    int sign = 0;
    return lgamma_r(x, &sign); /* lgamma writes a global */
}

/* I_x(a, b), with y = 1 - x given apart, for it may be the one that has the digits. */
static double beta_regular(double x, double y, double a, double b)
{
    if (x <= 0) {
        return 0;
    }
    if (y <= 0) {
        return 1;
    }
    /* DLMF 8.17.4: the fraction converges fast on this side of (a + 1) / (a + b + 2). */
    if (x > (a + 1) / (a + b + 2)) {
        return 1 - beta_regular(y, x, b, a);
    }
    double front =
        exp(a * log(x) + b * log(y) + log_gamma(a + b) - log_gamma(a) - log_gamma(b)) / a;
    return front * beta_fraction(x, a, b);
}

/* M. Abramowitz, I. A. Stegun: Handbook of Mathematical Functions, 26.7.1 with 26.5.27. */
double rwd_t_cdf(double x, double degrees)
{
    if (degrees > degrees_max) {
        return rwd_normal_cdf(x);
    }
    double square = x * x;
    double tail = 0.5 * beta_regular(degrees / (degrees + square), square / (degrees + square),
                            degrees / 2, 0.5);
    return x > 0 ? 1 - tail : tail;
}

double rwd_t_quantile(double p, double degrees)
{
    if (!(p > 0 && p < 1) || !(degrees > 0)) {
        return NAN;
    }
    if (p > 0.5) {
        return -rwd_t_quantile(1 - p, degrees);
    }
    double low = -1;
    while (rwd_t_cdf(low, degrees) > p && low > -DBL_MAX / 4) {
        low *= 2;
    }
    return bisect(rwd_t_cdf, degrees, p, low, 0);
}

/* Q(a, x): the series for P below a + 1 (Abramowitz, Stegun 6.5.29), above it the continued
 * fraction (DLMF 8.9.2 in its even part), by Lentz's algorithm. */
static double gamma_tail(double a, double x)
{
    double front = exp(a * log(x) - x - log_gamma(a));
    if (x < a + 1) {
        double term = 1 / a;
        double sum = term;
        for (int n = 1; n < STEP_COUNT_MAX && term > sum * DBL_EPSILON; n++) {
            term *= x / (a + n);
            sum += term;
        }
        return 1 - front * sum;
    }
    double b = x + 1 - a;
    double c = 1 / tiny;
    double d = 1 / nonzero(b);
    double value = d;
    for (int n = 1; n < STEP_COUNT_MAX; n++) {
        double term = -n * (n - a);
        b += 2;
        d = 1 / nonzero(term * d + b);
        c = nonzero(b + term / c);
        value *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON) {
            break;
        }
    }
    return front * value;
}

double rwd_chi_square_tail(double x, double degrees)
{
    return x > 0 ? gamma_tail(degrees / 2, x / 2) : 1;
}

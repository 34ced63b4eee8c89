/*
 * distribution: probabilities and quantiles of the normal, Student's t and chi-square.
 *
 * The formulas are the classical ones, named where they stand; each is good to 1e-10 or better over
 * the range that statistics.h uses it in (checked against scipy in the tests).
 *
 * Threads: pure.
 */
#ifndef RWD_EXPERIMENT_DISTRIBUTION_H
#define RWD_EXPERIMENT_DISTRIBUTION_H

/* P(Z <= x). */
double rwd_normal_cdf(double x);
/* The x with P(Z <= x) = p; 0 < p < 1, else NAN. */
double rwd_normal_quantile(double p);

/* P(T <= x), with degrees of freedom > 0. */
double rwd_t_cdf(double x, double degrees);
/* The x with P(T <= x) = p; 0 < p < 1, else NAN. */
double rwd_t_quantile(double p, double degrees);

/* P(X > x): what a chi-square test calls p. 1 for x <= 0. */
double rwd_chi_square_tail(double x, double degrees);

#endif

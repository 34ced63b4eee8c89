/*
 * report: what a tally's sums say: users and conversion and mean an arm, differences with
 * intervals, whether the split can be trusted, and a verdict in plain words.
 *
 * Significance is judged by the sequential interval, for whoever runs an experiment looks at it
 * every day; it takes the CUPED estimate where there is one, and arms that are compared with one
 * control share the 5 %. The plain 95 % interval stands beside it. The split is not trusted where
 * its SRM test has p < 0.001, or that of a stratum p < 0.001 / number of strata. Users whose arm is
 * not one of the newest version's are left out of the metrics; the SRM test knows them.
 *
 * With a holdout there is a second question: what does the whole program bring? All who take part,
 * in whatever arm, are compared with the held-out, on every metric.
 *
 * Threads: pure.
 */
#ifndef RWD_EXPERIMENT_REPORT_H
#define RWD_EXPERIMENT_REPORT_H

#include "experiment/statistics.h"
#include "experiment/tally.h"

/* The moments of one metric over the users of one arm of the newest version: y is the metric's sum,
 * x the divisor of a ratio, else the primary's sum before the experiment. hits: users with y > 0.
 */
struct rwd_report_arm {
    struct rwd_moments moments;
    uint64_t hits;
};
struct rwd_report_arms {
    struct rwd_report_arm arms[RWD_EXPERIMENT_ARM_COUNT_MAX];
    struct rwd_report_arm held_out; /* nobody where the newest version has no holdout */
};
void rwd_report_arms(
    const struct rwd_tally_experiment *experiment, size_t metric, struct rwd_report_arms *arms);

/* {"key":..., "verdict":{"code","text"}, ...}: see GET /v1/experiments/{key}/results. */
void rwd_report_put(const struct rwd_tally_experiment *experiment, struct rwd_buffer *out);
/* One line of GET /v1/experiments. */
void rwd_report_put_line(const struct rwd_tally_experiment *experiment, struct rwd_buffer *out);

#endif

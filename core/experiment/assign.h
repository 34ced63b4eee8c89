/*
 * assign: which arm a user is in, by hash alone.
 *
 * The functions of GrowthBook's SDK specification (its hash, bucket ranges, namespaces), so that a
 * client with one of its SDKs and the same seed finds the same arm without asking anybody. Nothing
 * is stored for that: the seed is the experiment's key and no version, so an assignment outlives
 * restarts and new versions. A range begins where it begins at full coverage and only its end
 * moves: growing the coverage adds users and moves none.
 *
 * The text is hashed byte by byte, as UTF-8. SDKs that hash UTF-16 units (JavaScript) agree for
 * every ASCII id; ids of users are ASCII in practice.
 *
 * Threads: pure.
 */
#ifndef RWD_EXPERIMENT_ASSIGN_H
#define RWD_EXPERIMENT_ASSIGN_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* Half open: begin <= n < end, within 0..1. */
struct rwd_bucket_range {
    double begin;
    double end;
};

enum { RWD_ASSIGN_NOWHERE = -1 };

/* Where the user falls, 0 <= n < 1, in steps of 0.001 (version 1) or 0.0001 (version 2, without the
 * bias of 1 between experiments of similar seeds). False: there is no such version of the hash. */
RWD_MUST_USE bool rwd_assign_hash(
    struct rwd_text seed, struct rwd_text value, int hash_version, double *n);

/* 1/count each. */
void rwd_assign_equal_weights(size_t count, double *weights);

/* Each arm's range: it begins at the sum of the weights before it and is weight * coverage wide.
 * coverage is cut to 0..1. weights NULL, of another count, or not summing to 1 within 0.01: equal
 * ones are taken. */
void rwd_assign_bucket_ranges(size_t count, double coverage, const double *weights,
    size_t weight_count, struct rwd_bucket_range *ranges);

/* The first range that n is in; RWD_ASSIGN_NOWHERE: none. */
int rwd_assign_choose(double n, const struct rwd_bucket_range *ranges, size_t count);

/* Does the user belong to begin <= n < end of the namespace? Ranges that do not overlap exclude
 * each other. */
bool rwd_assign_in_namespace(struct rwd_text user, struct rwd_text name, double begin, double end);

#endif

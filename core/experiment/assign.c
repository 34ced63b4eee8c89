#include "experiment/assign.h"

#include <math.h>
#include <stdio.h>

enum { FNV_BASIS = 2166136261U, FNV_PRIME = 16777619U };

/* FNV-1a, 32 bits (G. Fowler, L. C. Noll, K.-P. Vo). */
static uint32_t fnv1a(uint32_t hash, struct rwd_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * FNV_PRIME;
    }
    return hash;
}

bool rwd_assign_hash(struct rwd_text seed, struct rwd_text value, int hash_version, double *n)
{
    if (hash_version == 1) {
        *n = fnv1a(fnv1a(FNV_BASIS, value), seed) % 1000 / 1000.0;
        return true;
    }
    if (hash_version == 2) {
        char digits[16];
        int size = snprintf(digits, sizeof digits, "%u", fnv1a(fnv1a(FNV_BASIS, seed), value));
        uint32_t again = fnv1a(FNV_BASIS, (struct rwd_text){.data = digits, .size = (size_t)size});
        *n = again % 10000 / 10000.0;
        return true;
    }
    return false;
}

void rwd_assign_equal_weights(size_t count, double *weights)
{
    for (size_t i = 0; i < count; i++) {
        weights[i] = 1.0 / (double)count;
    }
}

static bool good_weights(const double *weights, size_t weight_count, size_t count)
{
    double sum = 0;
    for (size_t i = 0; weights != NULL && i < weight_count; i++) {
        sum += weights[i];
    }
    return weights != NULL && weight_count == count && sum >= 0.99 && sum <= 1.01;
}

void rwd_assign_bucket_ranges(size_t count, double coverage, const double *weights,
    size_t weight_count, struct rwd_bucket_range *ranges)
{
    bool given = good_weights(weights, weight_count, count);
    double share = fmin(fmax(coverage, 0), 1);
    double begin = 0;
    for (size_t i = 0; i < count; i++) {
        double weight = given ? weights[i] : 1.0 / (double)count;
        ranges[i] = (struct rwd_bucket_range){.begin = begin, .end = begin + weight * share};
        begin += weight;
    }
}

int rwd_assign_choose(double n, const struct rwd_bucket_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (n >= ranges[i].begin && n < ranges[i].end) {
            return (int)i;
        }
    }
    return RWD_ASSIGN_NOWHERE;
}

bool rwd_assign_in_namespace(struct rwd_text user, struct rwd_text name, double begin, double end)
{
    uint32_t hash = fnv1a(FNV_BASIS, user);
    hash = fnv1a(fnv1a(hash, RWD_TEXT("__")), name);
    double n = hash % 1000 / 1000.0;
    return n >= begin && n < end;
}

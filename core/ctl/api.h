/*
 * api: the daemon's HTTP API (v1) as the commands use it: one call, one parsed answer, and errors
 * in words that say what to do.
 *
 * Answers are parsed with cJSON and read with case-sensitive getters; a field that is missing or of
 * another type reads as empty, so a newer daemon does not break an older rewardctl.
 *
 * Ownership: an answer is the caller's, freed with rwd_ctl_api_free.
 */
#ifndef RWD_CTL_API_H
#define RWD_CTL_API_H

#include "base/text.h"
#include "ctl/ctl.h"

struct cJSON;

/* GET (body NULL) or POST. RWD_CTL_OK: *answer is the parsed body. RWD_CTL_FAILED: the reason was
 * printed. *http_status, where it is asked for: 0 where no answer came, and a 404 then goes
 * unprinted, for a caller that has better words. */
int rwd_ctl_api_call(struct rwd_ctl *ctl, const char *path, const char *body, struct cJSON **answer,
    long *http_status);
/* All pages of a list, up to limit items, as one array. path ends in what its filters need; '?' or
 * '&' is added. */
int rwd_ctl_api_list(struct rwd_ctl *ctl, const char *path, size_t limit, struct cJSON **items);
void rwd_ctl_api_free(struct cJSON *answer);

/* The member, or NULL; object may be NULL. */
const struct cJSON *rwd_ctl_member(const struct cJSON *object, const char *name);
/* A string member's text, "" for anything else. Borrowed from the answer. */
const char *rwd_ctl_string(const struct cJSON *object, const char *name);
/* A value as a person reads it: strings bare, whole numbers whole, null empty, the rest as JSON. */
void rwd_ctl_value_put(struct rwd_buffer *out, const struct cJSON *value);

#endif

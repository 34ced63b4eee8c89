/*
 * record_text: a record of the journal as one line of JSON that a person can read.
 *
 * Records speak of rules by number; the journal itself says in RULE and RULEBOOK records what those
 * numbers mean, so a reader that starts at the beginning needs nothing else. Where those records
 * are no longer kept, the numbers themselves are printed.
 *
 * Ownership: create/destroy; the filter's texts are borrowed for the object's life.
 */
#ifndef RWD_CTL_RECORD_TEXT_H
#define RWD_CTL_RECORD_TEXT_H

#include "journal/journal.h"

struct rwd_record_filter {
    const char *user_id;  /* NULL: any */
    const char *event_id; /* NULL: any; else that event, its refusal, and its reward tasks */
    int64_t since_ms;     /* journal time; 0: all */
};

struct rwd_record_text;

struct rwd_record_text *rwd_record_text_create(const struct rwd_record_filter *filter);
void rwd_record_text_destroy(struct rwd_record_text *text);

/* Give it every record from the first on. Appends a line, or nothing where the filter does not want
 * it. CORRUPT: the record's body is not what its type says; nothing is appended. */
RWD_MUST_USE enum rwd_status rwd_record_text_put(struct rwd_record_text *text,
    const struct rwd_record *record, struct rwd_buffer *out, struct rwd_error *error);

#endif

/*
 * event: the envelope of spec 3, read from a tape and checked.
 *
 * What every room needs of an event is lifted out once; the rest stays on the tape and is read by
 * name. Two fingerprints are taken here, keyed so that nobody outside can aim at a collision: one
 * of the user id (routing, indexes), one of the event id (deduplication inside a player, indexes).
 *
 * Threads:   pure.
 * Ownership: every text and node is borrowed from the tape, thus from its arena and raw bytes.
 */
#ifndef RWD_DOMAIN_EVENT_H
#define RWD_DOMAIN_EVENT_H

#include "base/digest.h"
#include "domain/json.h"

enum {
    RWD_EVENT_ID_SIZE_MAX = 128,
    RWD_USER_ID_SIZE_MAX = 256,
    RWD_EVENT_NAME_SIZE_MAX = 64,
    RWD_EVENT_VERSION_SIZE_MAX = 32,
    RWD_PLATFORM_SIZE_MAX = 32,
    RWD_PROBLEM_POINTER_SIZE_MAX = 96,
    RWD_PROBLEM_DETAIL_SIZE_MAX = 192,
};

enum rwd_tristate {
    RWD_UNKNOWN,
    RWD_NO,
    RWD_YES,
};

/* Why one event was refused; becomes an RFC 9457 problem and a dead letter. */
struct rwd_problem {
    const char *type; /* static: "invalid_json", "invalid_event", "schema", "unknown_event",
                         "unknown_version", "limit", "ts_in_future", "late", ... */
    char pointer[RWD_PROBLEM_POINTER_SIZE_MAX]; /* JSON pointer into the event, "" for the whole */
    char detail[RWD_PROBLEM_DETAIL_SIZE_MAX];   /* what is wrong and what would be right */
};

struct rwd_event {
    struct rwd_text raw; /* the event's bytes as they came */
    struct rwd_json json;
    struct rwd_text event_id;
    struct rwd_text name;
    struct rwd_text version;
    struct rwd_text user_id;
    struct rwd_text geo;      /* empty: not given */
    struct rwd_text platform; /* empty: not given */
    enum rwd_tristate payer;
    const struct rwd_json_node *user;    /* an object, always there */
    const struct rwd_json_node *context; /* NULL: not given */
    const struct rwd_json_node *payload; /* NULL: not given */
    int64_t time_ms;
    int64_t ingest_ms;
    uint64_t user_fingerprint;
    uint64_t event_fingerprint;
};

/* Lifts the envelope out of a scanned document. INVALID with *problem set: a required field is
 * missing (event_id, event_name, version, ts, user.id), of the wrong type, empty, over its limit,
 * or ts is no RFC 3339 time. Does not look at the payload: that is the schema's. */
RWD_MUST_USE enum rwd_status rwd_event_read(struct rwd_text raw, const struct rwd_json *json,
    const uint8_t key[RWD_SIPHASH_KEY_SIZE], int64_t ingest_ms, struct rwd_event *event,
    struct rwd_problem *problem);

/* Fills a problem from a printf; pointer may be "". */
void rwd_problem_set(struct rwd_problem *problem, const char *type, const char *pointer,
    const char *format, ...) RWD_PRINTF(4, 5);

uint64_t rwd_fingerprint(const uint8_t key[RWD_SIPHASH_KEY_SIZE], struct rwd_text text);

#endif

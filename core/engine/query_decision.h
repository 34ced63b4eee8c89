/*
 * query_decision: a record of the journal told in words: which rules were asked, what each gave and
 * why, what became of the money. What GET /v1/decisions and a player's history are made of.
 *
 * Everything comes from the record itself; names of rule versions from the directory, the order of
 * the rules that were asked from the rulebook the record names. No rule file is needed, none is
 * run.
 *
 * Threads:   the query thread's.
 * Ownership: scratch memory hangs in the arena; a caller that shows many records rewinds it.
 */
#ifndef RWD_ENGINE_QUERY_DECISION_H
#define RWD_ENGINE_QUERY_DECISION_H

#include "domain/decision.h"
#include "engine/directory.h"
#include "journal/journal.h"
#include "store/store.h"

struct rwd_query__teller {
    const struct rwd_directory *directory;
    struct rwd_store_reader *store;
    const uint8_t *fingerprint_key;
    int64_t reorder_window_ms;
    struct rwd_arena *arena;
    struct rwd_error *error;
};

/* Whose record is wanted: fingerprints may collide, names do not. An empty text asks for any. */
struct rwd_query__wanted {
    struct rwd_text event_id;
    struct rwd_text user_id;
    bool whole; /* rules that did not match too, and the event itself */
};

/* Appends the record as a JSON object. NOT_FOUND, and nothing appended: it is somebody else's, or
 * of a type that is nobody's history. CORRUPT: its bytes cannot be read. */
RWD_MUST_USE enum rwd_status rwd_query__put_record(const struct rwd_query__teller *teller,
    const struct rwd_record *record, const struct rwd_query__wanted *wanted,
    struct rwd_buffer *out);

/* Why a rule gave what it gave, in plain words; effect NULL: it gave nothing. */
void rwd_query__put_explanation(enum rwd_rule_verdict verdict, const struct rwd_rule_effect *effect,
    struct rwd_text event_name, struct rwd_buffer *out);

#endif

/*
 * release: when an event that waits for rules with order = "event_time" is decided, and how.
 *
 * Such a rule sees a player's events in the order of their times, whatever order they came in: an
 * event waits until nothing that is still in time can come before it. It leaves the player's list
 * (domain/waiting.h), always from the front, when
 *
 *   - the player's newest event is more than the reorder window ahead of it, or
 *   - it came the reorder window ago, for a player who fell silent, or
 *   - too many wait: early, so that the list is bounded and nothing is refused.
 *
 * It is then decided as any event, but only for the rules that waited, by whatever version of them
 * is in force now, with the player as of now: one decision of its own, journaled behind whatever
 * brought it about. A rule that is gone by then gives nothing.
 *
 * Threads: pure, as decide.
 */
#ifndef RWD_DECIDE_RELEASE_H
#define RWD_DECIDE_RELEASE_H

#include "decide/decide.h"
#include "domain/waiting.h"

enum {
    /* Raw bytes that wait of one player: they are part of its row, which every checkpoint of it
     * writes anew. */
    RWD_WAITING_SIZE_MAX = 256 << 10,
};
/* For rwd_release_due: time alone releases nothing. */
#define RWD_RELEASE_NO_CLOCK INT64_MIN

/* Why the player's foremost waiting event is to be decided at now_ms; NONE: it is not. */
enum rwd_release rwd_release_due(
    const struct rwd_gates *gates, const struct rwd_player *player, int64_t now_ms);
/* The foremost waiting event of a player who has one, read again from its bytes, which a caller
 * that outlives the list copies before. LIMIT: the arena is full. CORRUPT: they are no event. */
RWD_MUST_USE enum rwd_status rwd_release_read(const struct rwd_waiting_event *waiting,
    struct rwd_text raw, struct rwd_arena *arena, struct rwd_event *event);

/* LIMIT: the arena is full, nothing is reserved. */
RWD_MUST_USE enum rwd_status rwd_decide_release(const struct rwd_decide_facts *facts,
    const struct rwd_waiting_event *waiting, const struct rwd_event *event,
    enum rwd_release release, const struct rwd_player *player, struct rwd_arena *arena,
    struct rwd_decision *decision);
/* Lets it go undecided: for what no record can hold. */
void rwd_decide_release_nothing(const struct rwd_decide_facts *facts,
    const struct rwd_waiting_event *waiting, enum rwd_release release,
    struct rwd_decision *decision);

#endif

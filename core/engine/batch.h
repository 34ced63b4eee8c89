/*
 * batch: what walks the house. Inputs go in, verdicts come home, in one piece of memory.
 *
 *   io         -> shard -> journal -> io           events, budgets, reads of a player
 *   dispatcher -> shard -> journal -> dispatcher   claims and results of reward tasks
 *   keeper     -> shard -> journal -> keeper       rule versions
 *   shard      -> journal -> shard                 players whose waiting events time made due
 *
 * Budgets call at the shard once more on their way home, durable: their caps are raised there.
 *
 * One owner at a time: posting gives the batch away, and it comes back to its home durable. A batch
 * holds inputs for one shard only.
 *
 * Ownership: all an input points to hangs in the batch's arena, or is borrowed from what its origin
 * keeps alive until the batch is home (an event's raw bytes: the HTTP request).
 */
#ifndef RWD_ENGINE_BATCH_H
#define RWD_ENGINE_BATCH_H

#include "decide/task_command.h"
#include "journal/journal.h"
#include "runtime/mailbox.h"
#include "store/store.h"

enum rwd_input_kind {
    RWD_INPUT_EVENT,
    RWD_INPUT_REFUSED,            /* an event the edge refused: journaled as a dead letter */
    RWD_INPUT_TASK,               /* a task command */
    RWD_INPUT_BUDGET,             /* PUT of a pool */
    RWD_INPUT_RULE_VERSION,       /* a rule version registered or in a new state */
    RWD_INPUT_RULEBOOK,           /* the rules in force from here on */
    RWD_INPUT_DEAD_LETTER_CHANGE, /* reprocessed, dropped, fixed */
    RWD_INPUT_PLAYER,             /* read one player, as fresh as the last ack */
    RWD_INPUT_RELEASE,            /* time made a player's waiting events due; a shard's own */
};

enum rwd_outcome {
    RWD_OUTCOME_NONE,
    RWD_OUTCOME_ACCEPTED,
    RWD_OUTCOME_DUPLICATE,
    RWD_OUTCOME_REJECTED, /* *problem says why */
    RWD_OUTCOME_FAILED,   /* a command: status and error say why */
};

struct rwd_batch;

/* A record that an input brought about beside its own, of the same player, appended behind it. */
struct rwd_followup {
    struct rwd_followup *next;
    struct rwd_record record;
    struct rwd_text parts[2];
};

struct rwd_input {
    enum rwd_input_kind kind;
    enum rwd_outcome outcome;
    enum rwd_status status;
    struct rwd_batch *batch;
    void *origin;  /* whose input this is, at home */
    bool is_retry; /* of a dead letter: refused again, it makes no new one */
    uint64_t user_fingerprint;

    struct rwd_event event;            /* EVENT; REFUSED: raw and what could be read */
    const struct rwd_problem *problem; /* REFUSED, and REJECTED by a shard */
    const struct rwd_task_command *command;
    const struct rwd_task *task; /* TASK: as it is after the command */
    uint8_t kyc_level;           /* TASK: of the player, for the partner */
    const struct rwd_budget_row *budget;
    const struct rwd_rule_version_row *rule_version;
    const struct rwd_rulebook_row *rulebook;
    const struct rwd_dead_letter_row *dead_letter;
    struct rwd_text user_id;       /* PLAYER, RELEASE */
    struct rwd_text json;          /* PLAYER: the answer */
    const struct rwd_error *error; /* FAILED */

    struct rwd_decision decision; /* ACCEPTED, of EVENT and TASK */

    /* Written by the shard, appended by the journal; record.type 0: nothing to append. */
    struct rwd_record record;
    struct rwd_text parts[2];
    struct rwd_followup *followups;
    struct rwd_followup *followup_last;
};

struct rwd_batch {
    struct rwd_message message;
    struct rwd_mailbox *home;
    uint32_t home_kind; /* message.kind when it comes home */
    struct rwd_mailbox
        *onward; /* BUDGET, behind the journal: where home is, the shard being next */
    uint32_t onward_kind;
    struct rwd_batch *next; /* the home's own list */
    uint32_t shard;
    struct rwd_arena arena;
    struct rwd_input *inputs; /* capacity of them: an input never moves */
    size_t count;
    size_t capacity;
    size_t held;       /* at home: inputs whose origin is not done yet */
    int64_t posted_ns; /* monotonic, for the histograms */
    int64_t decided_ns;
};

struct rwd_batch *rwd_batch_create(size_t capacity);
void rwd_batch_destroy(struct rwd_batch *batch);
/* Empty again; keeps some of its memory. */
void rwd_batch_reset(struct rwd_batch *batch);
/* The next input, zeroed; the caller looks at count before. */
struct rwd_input *rwd_batch_add(struct rwd_batch *batch, enum rwd_input_kind kind);

#endif

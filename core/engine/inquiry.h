/*
 * inquiry: a question of the API that the io thread must not wait for: put to the query thread
 * (store and journal), the keeper (rules) or the follower of experiments, answered into the same
 * message, and sent home. What is asked of rules goes to both: what they gave is in the store.
 *
 *   io -> query -> keeper | query | keeper | results -> io
 *
 * Ownership: whoever holds the message owns all of it; texts are copies made with rwd_inquiry_text.
 */
#ifndef RWD_ENGINE_INQUIRY_H
#define RWD_ENGINE_INQUIRY_H

#include "base/arena.h"
#include "base/text.h"
#include "domain/task.h"
#include "engine/ramp.h"
#include "runtime/mailbox.h"
#include "store/store.h"

enum rwd_inquiry_kind {
    /* To the query thread. */
    RWD_INQUIRY_TASKS,        /* filter -> {"items":[...],"next_cursor"} */
    RWD_INQUIRY_TASK,         /* id -> the task's JSON; task and user_id filled in for a command */
    RWD_INQUIRY_LEDGER,       /* filter */
    RWD_INQUIRY_DEAD_LETTERS, /* filter */
    RWD_INQUIRY_DEAD_LETTER,  /* id -> the letter's JSON; letter filled in for an action */
    RWD_INQUIRY_DECISION,  /* id = event id, filter.user_id or empty -> every rule asked, and why */
    RWD_INQUIRY_DECISIONS, /* filter.user_id, limit, cursor -> newest first */
    RWD_INQUIRY_COUNTS,    /* -> counts filled in */
    /* To the query thread, which sends them on to the keeper. */
    RWD_INQUIRY_RULES, /* -> all rules, their versions, load errors */
    RWD_INQUIRY_RULE,  /* id */
    /* To the keeper. */
    RWD_INQUIRY_RULE_UPLOAD,   /* body = source -> the version registered */
    RWD_INQUIRY_RULE_ACTIVATE, /* id, version, share */
    RWD_INQUIRY_RULE_RETIRE,   /* id, version */
    RWD_INQUIRY_RULE_ROLLBACK, /* id */
    RWD_INQUIRY_RULE_SHADOW,   /* id, version */
    RWD_INQUIRY_RULE_RAMP,     /* id, version, ramp */
    RWD_INQUIRY_RULE_DEPLOY,   /* files -> all versions of them, in force */
    /* To the follower of experiments. */
    RWD_INQUIRY_EXPERIMENTS,        /* -> all that were ever in force, with their verdicts */
    RWD_INQUIRY_EXPERIMENT_RESULTS, /* id = key */
};

/* A rule's file, or its test's, as a deploy sends it: "points/1.0.0.lua". */
struct rwd_inquiry_file {
    struct rwd_text name;
    struct rwd_text source;
};

struct rwd_inquiry {
    struct rwd_message message;
    struct rwd_mailbox *home;
    uint32_t home_kind; /* message.kind when it comes home */
    enum rwd_inquiry_kind kind;
    void *origin;
    struct rwd_arena arena;
    /* The question. */
    struct rwd_store_filter filter;
    struct rwd_text id;
    struct rwd_text version;
    struct rwd_text body;
    struct rwd_text actor;
    struct rwd_text reason;         /* RULE_*: why, in words; may be empty */
    uint32_t share;                 /* RULE_ACTIVATE: per cent of the players, 1..100 */
    struct rwd_ramp ramp;           /* RULE_RAMP: the plan */
    struct rwd_inquiry_file *files; /* RULE_DEPLOY: in the arena */
    size_t file_count;
    /* The query thread's: which end of the journal the answer must know of, and until when it
     * waits. */
    uint64_t wanted_end;
    int64_t deadline_ns;
    /* RULES, RULE: what the versions have given, for the keeper to tell with the rest. */
    struct rwd_version_sum *version_sums;
    size_t version_sum_count;
    uint64_t behind_bytes; /* of the journal, that they do not know of */
    /* The answer: json where status is RWD_OK, else error. */
    enum rwd_status status;
    struct rwd_error error;
    struct rwd_buffer json;
    struct rwd_task task;
    struct rwd_text user_id;
    struct rwd_dead_letter_row letter;
    struct rwd_store_counts counts;
};

struct rwd_inquiry *rwd_inquiry_create(enum rwd_inquiry_kind kind, void *origin);
void rwd_inquiry_destroy(struct rwd_inquiry *inquiry);
/* Copies that live as long as the inquiry. */
struct rwd_inquiry_file *rwd_inquiry_files(
    struct rwd_inquiry *inquiry, const struct rwd_inquiry_file *files, size_t count);
struct rwd_text rwd_inquiry_text(struct rwd_inquiry *inquiry, struct rwd_text text);

#endif

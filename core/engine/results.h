/*
 * results: follows the journal for the statistics of experiments, and answers what they say.
 *
 * A follower: it has a position of its own, kept with its sums in <data.dir>/experiments.results,
 * slows nobody, and catches up. The file is a cache: where it is missing, damaged, of another build
 * or ahead of the journal, the sums are made anew from the journal's beginning. They are, too, for
 * one experiment whose metrics change or that is new: its users of the time before it began stand
 * in the journal behind the follower.
 *
 * Where no experiment was ever registered it reads nothing at all.
 *
 * An answer knows of all that was durable when the question came, or says that it does not
 * ("behind_bytes") where catching up would take longer than a person waits.
 *
 * Threads: one of its own, with the sandbox's stack (experiment files are loaded in it); post to
 * its mailbox from any.
 */
#ifndef RWD_ENGINE_RESULTS_H
#define RWD_ENGINE_RESULTS_H

#include "base/digest.h"
#include "domain/config.h"
#include "engine/directory.h"
#include "engine/inquiry.h"

enum rwd_results_message {
    RWD_RESULTS_INQUIRY, /* struct rwd_inquiry; goes back to its home */
    RWD_RESULTS_STOP,    /* struct rwd_message, freed here */
};

struct rwd_results_options {
    const struct rwd_config *config;
    const char *journal_dir;
    const struct rwd_directory *directory;
    const uint8_t *fingerprint_key;
    const _Atomic uint64_t *journal_end; /* durable */
};

struct rwd_results;

struct rwd_results *rwd_results_create(const struct rwd_results_options *options);
void rwd_results_destroy(struct rwd_results *results);
struct rwd_mailbox *rwd_results_mailbox(struct rwd_results *results);
/* The thread's function; ends at RWD_RESULTS_STOP. */
void rwd_results_run(void *results);

#endif

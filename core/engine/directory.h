/*
 * directory: the names behind rule and version numbers, for as long as the process lives.
 *
 * Journal, players and tasks hold numbers; people read ids, versions and hashes. Entries are only
 * ever added, by the keeper (and by recovery before any other thread runs), and never move.
 *
 * Threads: add from one thread; look-ups from any.
 */
#ifndef RWD_ENGINE_DIRECTORY_H
#define RWD_ENGINE_DIRECTORY_H

#include "domain/rule.h"

enum {
    RWD_DIRECTORY_VERSION_COUNT_MAX = 1 << 16,
    /* Those that no checkpoint may have stored yet; a checkpoint takes a second at the worst, a
     * switch some milliseconds at the least. */
    RWD_DIRECTORY_RULEBOOK_COUNT_MAX = 4096,
};

struct rwd_directory_entry {
    uint32_t rule_no;
    uint32_t version_no;
    char rule_id[RWD_RULE_ID_SIZE_MAX];
    char version[RWD_RULE_VERSION_SIZE_MAX];
    char content_hash[2 * RWD_SHA256_SIZE + 1];
};

struct rwd_directory;

struct rwd_directory *rwd_directory_create(void);
void rwd_directory_destroy(struct rwd_directory *directory);

/* entry->version_no must be the next free one. LIMIT: full. */
RWD_MUST_USE enum rwd_status rwd_directory_add(
    struct rwd_directory *directory, const struct rwd_directory_entry *entry);
uint32_t rwd_directory_count(const struct rwd_directory *directory);
/* NULL: no such number. */
const struct rwd_directory_entry *rwd_directory_version(
    const struct rwd_directory *directory, uint32_t version_no);
/* The key of the experiment that number is a version of; empty: no such number. */
struct rwd_text rwd_directory_experiment(
    const struct rwd_directory *directory, uint32_t version_no);
/* Any version of that rule; NULL: no such number. */
const struct rwd_directory_entry *rwd_directory_rule(
    const struct rwd_directory *directory, uint32_t rule_no);

/* The versions asked for one event name under a rulebook, in order: what verdict bytes speak of.
 * versions is the JSON of rwd_rulebook_row; copied, once for all rulebooks that ask the same, so
 * that switching to and fro for ever takes no more memory. The newest
 * RWD_DIRECTORY_RULEBOOK_COUNT_MAX are known. */
void rwd_directory_add_rulebook(
    struct rwd_directory *directory, uint32_t rulebook_no, struct rwd_text versions);
/* data NULL: older, or not made by this process; the store has it. */
struct rwd_text rwd_directory_rulebook(const struct rwd_directory *directory, uint32_t rulebook_no);

#endif

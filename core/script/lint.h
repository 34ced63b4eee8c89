/*
 * lint: what can be said of a rule by reading it, beyond what loading it shows.
 *
 * A missing field is nil at any depth, so event.payload.bett is no error when it runs: the rule
 * just never fires. Here every plain use of the event (event.payload.bet, event.user.geo,
 * aggregates' paths), and of player.agg, is held against the schemas of the events in `on`:
 *   - a field that no version of any of them declares
 *   - text compared with a number, a number with text, or text in arithmetic, where the schema lets
 *     nothing else through and the other side is a literal
 *   - aggregates that add or compare what the schema does not let be a number
 *   - an event in `on` that has no schema
 * The laws of the house (pays without a budget, cash without KYC) are loading's own.
 *
 * It reads tokens, and knows of scopes: the event and the player are the first two parameters of
 * when, score and grant, whatever they are called, those names anywhere else where nothing hides
 * them, and a local that is set to them or a part of them (local p = event.payload) and never to
 * anything else. What it cannot follow it lets pass, as it does what listens to no event.
 *
 * Threads: pure.
 */
#ifndef RWD_SCRIPT_LINT_H
#define RWD_SCRIPT_LINT_H

#include "domain/rule.h"
#include "domain/schema_fields.h"

enum { RWD_LINT_TEXT_SIZE_MAX = 256, RWD_LINT_COUNT_MAX = 64 };

struct rwd_lint_finding {
    int line;   /* from 1 */
    int column; /* from 1, in bytes */
    char text[RWD_LINT_TEXT_SIZE_MAX];
};

/* The rule that source loaded as. Returns how many findings there are, at most
 * RWD_LINT_COUNT_MAX. unknown_allowed: events without a schema are accepted. */
size_t rwd_lint_rule(const struct rwd_rule *rule, const struct rwd_schema_registry *schemas,
    bool unknown_allowed, struct rwd_lint_finding *findings);

/* The column of the first thing on a line; 1 where there is no such line. */
int rwd_lint_column(struct rwd_text source, int line);

#endif

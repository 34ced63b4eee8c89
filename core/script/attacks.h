/*
 * attacks: what rules have tried, here and elsewhere (architecture.md's table, ten years of redis
 * and LuaJIT reports). Run by the self-test at every start and, with a stopwatch, by its unit test.
 */
#ifndef RWD_SCRIPT_ATTACKS_H
#define RWD_SCRIPT_ATTACKS_H

#include <stdbool.h>
#include <stddef.h>

enum rwd_attack_end {
    RWD_ATTACK_REFUSED,  /* the file does not load */
    RWD_ATTACK_STOPPED,  /* a limit ends the call */
    RWD_ATTACK_RAISES,   /* an ordinary error ends the call */
    RWD_ATTACK_HARMLESS, /* the call goes well: the code found nothing to hold on to */
};

struct rwd_attack {
    const char *name;
    enum rwd_attack_end end;
    const char *says; /* must stand in the error's text */
    /* In front of rule{...}; NULL: nothing. "@formula ... @rule ...": first the file of a formula,
     * f@1.0.0, then the chunk. */
    const char *chunk;
    const char *body; /* of grant(event, player, state); NULL: chunk is the whole file */
};

extern const struct rwd_attack rwd_attacks[];
extern const size_t rwd_attack_count;

#endif

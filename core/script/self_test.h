/*
 * self_test: runs one attack; rwd_sandbox_self_test runs them all.
 */
#ifndef RWD_SCRIPT_SELF_TEST_H
#define RWD_SCRIPT_SELF_TEST_H

#include "script/attacks.h"
#include "script/sandbox.h"

/* SCRIPT: it did not end as it must; *error names it and says how it ended. */
RWD_MUST_USE enum rwd_status rwd_attack_run(
    const struct rwd_attack *attack, struct rwd_error *error);

#endif

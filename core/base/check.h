/*
 * check: a broken invariant is our bug and stops the process, in release too.
 *
 * A ledger that stops is better than a ledger that lies. For what the world does wrong there is
 * enum rwd_status; this is only for what cannot happen while the code is right.
 */
#ifndef RWD_BASE_CHECK_H
#define RWD_BASE_CHECK_H

#define RWD_REQUIRE(condition)                                                                     \
    ((condition) ? (void)0 : rwd_require_failed(#condition, __FILE__, __LINE__, __func__))

__attribute__((noreturn, cold)) void rwd_require_failed(
    const char *condition, const char *file, int line, const char *function);

#endif

/*
 * money: int64 minor units and an ISO 4217 code; never a float.
 *
 * On the wire an amount is a JSON number or a decimal string; its text is read digit by digit. An
 * amount finer than the currency's minor unit, or one that does not fit, is refused, never rounded.
 */
#ifndef RWD_DOMAIN_MONEY_H
#define RWD_DOMAIN_MONEY_H

#include "base/text.h"

#include <stdint.h>

struct rwd_currency {
    char code[4];
};

struct rwd_money {
    int64_t minor;
    struct rwd_currency currency;
};

enum { RWD_MONEY_TEXT_SIZE = 32 };

/* "EUR" -> EUR. INVALID: not an ISO 4217 code that was active in 2025 and has a minor unit (gold,
 * drawing rights and test codes have none). */
RWD_MUST_USE enum rwd_status rwd_currency_parse(
    struct rwd_text code, struct rwd_currency *currency);
/* Digits behind the point: 2 for EUR, 0 for JPY, 3 for KWD; 0 for what is no currency. */
unsigned rwd_currency_exponent(struct rwd_currency currency);
static inline bool rwd_currency_equal(struct rwd_currency a, struct rwd_currency b)
{
    return a.code[0] == b.code[0] && a.code[1] == b.code[1] && a.code[2] == b.code[2];
}

/* Plain decimal text ("2", "-0.5", "2.00", "1e2" too, as JSON allows it) -> minor units. INVALID:
 * not decimal, or finer than the minor unit (trailing zeros are fine); LIMIT: does not fit int64.
 */
RWD_MUST_USE enum rwd_status rwd_money_parse(
    struct rwd_text decimal, struct rwd_currency currency, int64_t *minor);
/* What a list names for a currency: "EUR:50.00,JPY:8000" each for its own; "50.00" for every one
 * that is not named; or both. NOT_FOUND: it names nothing that this currency can express. INVALID:
 * not such a list, whatever the currency. */
RWD_MUST_USE enum rwd_status rwd_money_listed(
    struct rwd_text list, struct rwd_currency currency, int64_t *minor);
/* 200 EUR minor -> "2.00". */
void rwd_money_format(int64_t minor, struct rwd_currency currency, char out[RWD_MONEY_TEXT_SIZE]);

/* Decimal text -> value x 10^scale, exactly. INVALID: not decimal, or finer than the scale; LIMIT:
 * does not fit int64. "Decimal" is JSON's number: no plus, no leading zeros, no bare point. */
RWD_MUST_USE enum rwd_status rwd_decimal_exact(
    struct rwd_text decimal, unsigned scale, int64_t *value);
/* Decimal text -> value x 10^scale, cut towards zero past the scale; saturates at the ends of
 * int64. INVALID: not decimal. For sums that must not depend on their order. */
RWD_MUST_USE enum rwd_status rwd_decimal_scaled(
    struct rwd_text decimal, unsigned scale, int64_t *value);

#endif

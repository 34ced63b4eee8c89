#include "domain/money.h"

#include <string.h>

enum { EXPONENT_FAR = 1000000, POWER_MAX = 19 };

/* ISO 4217 list one as of 2025, by code, with the digits of the minor unit. Left out: what has no
 * minor unit (XAU, XDR, XTS, XXX, ...). ANG and BGN are in: both were legal tender in 2025. */
static const char currencies[][5] = {"AED2", "AFN2", "ALL2", "AMD2", "ANG2", "AOA2", "ARS2", "AUD2",
    "AWG2", "AZN2", "BAM2", "BBD2", "BDT2", "BGN2", "BHD3", "BIF0", "BMD2", "BND2", "BOB2", "BOV2",
    "BRL2", "BSD2", "BTN2", "BWP2", "BYN2", "BZD2", "CAD2", "CDF2", "CHE2", "CHF2", "CHW2", "CLF4",
    "CLP0", "CNY2", "COP2", "COU2", "CRC2", "CUP2", "CVE2", "CZK2", "DJF0", "DKK2", "DOP2", "DZD2",
    "EGP2", "ERN2", "ETB2", "EUR2", "FJD2", "FKP2", "GBP2", "GEL2", "GHS2", "GIP2", "GMD2", "GNF0",
    "GTQ2", "GYD2", "HKD2", "HNL2", "HTG2", "HUF2", "IDR2", "ILS2", "INR2", "IQD3", "IRR2", "ISK0",
    "JMD2", "JOD3", "JPY0", "KES2", "KGS2", "KHR2", "KMF0", "KPW2", "KRW0", "KWD3", "KYD2", "KZT2",
    "LAK2", "LBP2", "LKR2", "LRD2", "LSL2", "LYD3", "MAD2", "MDL2", "MGA2", "MKD2", "MMK2", "MNT2",
    "MOP2", "MRU2", "MUR2", "MVR2", "MWK2", "MXN2", "MXV2", "MYR2", "MZN2", "NAD2", "NGN2", "NIO2",
    "NOK2", "NPR2", "NZD2", "OMR3", "PAB2", "PEN2", "PGK2", "PHP2", "PKR2", "PLN2", "PYG0", "QAR2",
    "RON2", "RSD2", "RUB2", "RWF0", "SAR2", "SBD2", "SCR2", "SDG2", "SEK2", "SGD2", "SHP2", "SLE2",
    "SOS2", "SRD2", "SSP2", "STN2", "SVC2", "SYP2", "SZL2", "THB2", "TJS2", "TMT2", "TND3", "TOP2",
    "TRY2", "TTD2", "TWD2", "TZS2", "UAH2", "UGX0", "USD2", "USN2", "UYI0", "UYU2", "UYW4", "UZS2",
    "VED2", "VES2", "VND0", "VUV0", "WST2", "XAF0", "XCD2", "XCG2", "XOF0", "XPF0", "YER2", "ZAR2",
    "ZMW2", "ZWG2"};

static const uint64_t powers[POWER_MAX + 1] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
    100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
    100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
    10000000000000000000U};

static const char *find_currency(const char code[3])
{
    size_t low = 0;
    size_t high = sizeof currencies / sizeof currencies[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(code, currencies[middle], 3);
        if (order == 0) {
            return currencies[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

enum rwd_status rwd_currency_parse(struct rwd_text code, struct rwd_currency *currency)
{
    const char *found = code.size == 3 ? find_currency(code.data) : NULL;
    if (found == NULL) {
        return RWD_INVALID;
    }
    *currency = (struct rwd_currency){.code = {found[0], found[1], found[2]}};
    return RWD_OK;
}

unsigned rwd_currency_exponent(struct rwd_currency currency)
{
    const char *found = find_currency(currency.code);
    return found != NULL ? (unsigned)(found[3] - '0') : 0;
}

/* A decimal text taken apart: value = digits x 10^power, where digits are those of text but for the
 * point, without zeros at either end. */
struct decimal {
    const char *first;
    const char *last; /* behind the last digit that counts; first == last: zero */
    int64_t power;
    bool negative;
};

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* The exponent at at; false: there is none. Saturates: what is that far is zero or does not fit. */
static bool read_exponent(const char *at, const char *end, int64_t *exponent)
{
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at == end || skip_digits(at, end) != end) {
        return false;
    }
    *exponent = 0;
    for (; at < end && *exponent < EXPONENT_FAR; at++) {
        *exponent = *exponent * 10 + (*at - '0');
    }
    *exponent = negative ? -*exponent : *exponent;
    return true;
}

static bool read_decimal(struct rwd_text text, struct decimal *decimal)
{
    const char *at = text.data;
    const char *end = at + text.size;
    if (text.size == 0 || text.size >= EXPONENT_FAR) {
        return false;
    }
    decimal->negative = *at == '-';
    at += decimal->negative;
    const char *first = at;
    at = skip_digits(at, end);
    const char *point = at;
    const char *last = at;
    if (point == first || (*first == '0' && point - first > 1)) {
        return false;
    }
    if (at < end && *at == '.') {
        last = skip_digits(at + 1, end);
        if (last == at + 1) {
            return false;
        }
        at = last;
    }
    decimal->power = 0;
    if (at < end && ((*at != 'e' && *at != 'E') || !read_exponent(at + 1, end, &decimal->power))) {
        return false;
    }
    while (first < last && (*first == '0' || *first == '.')) {
        first++;
    }
    while (last > first && (last[-1] == '0' || last[-1] == '.')) {
        last--;
    }
    /* Where the last digit stands to the point: behind it by so many places, or before it. */
    decimal->power += last > point ? -(int64_t)(last - point - 1) : (int64_t)(point - last);
    decimal->first = first;
    decimal->last = last;
    return true;
}

/* Puts one digit more behind value; false: does not fit. */
static bool push_digit(uint64_t *value, char digit)
{
    return !__builtin_mul_overflow(*value, (uint64_t)10, value) &&
           !__builtin_add_overflow(*value, (uint64_t)(digit - '0'), value);
}

/* The magnitude as int64 with its sign; false: does not fit. */
static bool put_sign(uint64_t magnitude, bool negative, int64_t *value)
{
    if (magnitude > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

enum rwd_status rwd_decimal_exact(struct rwd_text text, unsigned scale, int64_t *value)
{
    struct decimal decimal;
    if (!read_decimal(text, &decimal)) {
        return RWD_INVALID;
    }
    if (decimal.first == decimal.last) {
        *value = 0;
        return RWD_OK;
    }
    int64_t power = decimal.power + scale;
    if (power < 0) {
        return RWD_INVALID;
    }
    uint64_t magnitude = 0;
    bool fits = power <= POWER_MAX;
    for (const char *at = decimal.first; at < decimal.last && fits; at++) {
        fits = *at == '.' || push_digit(&magnitude, *at);
    }
    fits = fits && !__builtin_mul_overflow(magnitude, powers[power], &magnitude);
    return fits && put_sign(magnitude, decimal.negative, value) ? RWD_OK : RWD_LIMIT;
}

enum rwd_status rwd_decimal_scaled(struct rwd_text text, unsigned scale, int64_t *value)
{
    struct decimal decimal;
    if (!read_decimal(text, &decimal)) {
        return RWD_INVALID;
    }
    int64_t power = decimal.power + scale;
    /* Digits past the scale are dropped from the end; a point among them does not count. */
    for (; power < 0 && decimal.last > decimal.first; decimal.last--) {
        power += decimal.last[-1] != '.';
    }
    uint64_t magnitude = 0;
    bool fits = true;
    for (const char *at = decimal.first; at < decimal.last && fits; at++) {
        fits = *at == '.' || push_digit(&magnitude, *at);
    }
    if (fits && magnitude > 0 && power > 0) {
        fits = power <= POWER_MAX && !__builtin_mul_overflow(magnitude, powers[power], &magnitude);
    }
    if (!fits || !put_sign(magnitude, decimal.negative, value)) {
        *value = decimal.negative ? INT64_MIN : INT64_MAX;
    }
    return RWD_OK;
}

enum rwd_status rwd_money_parse(
    struct rwd_text decimal, struct rwd_currency currency, int64_t *minor)
{
    return rwd_decimal_exact(decimal, rwd_currency_exponent(currency), minor);
}

static struct rwd_text trimmed(const char *begin, const char *end)
{
    while (begin < end && *begin == ' ') {
        begin++;
    }
    while (end > begin && end[-1] == ' ') {
        end--;
    }
    return (struct rwd_text){.data = begin, .size = (size_t)(end - begin)};
}

/* One item: *own says whether it is a currency's own, and *is_for whether it is this one's. */
static enum rwd_status read_item(
    struct rwd_text item, struct rwd_currency currency, bool *own, bool *is_for, int64_t *minor)
{
    struct rwd_currency named = currency;
    const char *colon = item.size > 0 ? memchr(item.data, ':', item.size) : NULL;
    struct rwd_text amount = item;
    *own = colon != NULL;
    if (colon != NULL) {
        amount = trimmed(colon + 1, item.data + item.size);
        if (rwd_currency_parse(trimmed(item.data, colon), &named) != RWD_OK ||
            rwd_money_parse(amount, named, minor) != RWD_OK) {
            return RWD_INVALID;
        }
    }
    struct decimal decimal;
    *is_for =
        rwd_currency_equal(named, currency) && rwd_money_parse(amount, currency, minor) == RWD_OK;
    return read_decimal(amount, &decimal) && !decimal.negative ? RWD_OK : RWD_INVALID;
}

enum rwd_status rwd_money_listed(struct rwd_text list, struct rwd_currency currency, int64_t *minor)
{
    const char *at = list.data;
    const char *end = list.data + list.size;
    bool found = false;
    bool found_own = false;
    if (list.size == 0) {
        return RWD_INVALID;
    }
    for (bool more = true; more;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        bool own = false;
        bool is_for = false;
        int64_t amount = 0;
        if (read_item(trimmed(at, comma != NULL ? comma : end), currency, &own, &is_for, &amount) !=
            RWD_OK) {
            return RWD_INVALID;
        }
        if (is_for && (own || !found_own)) {
            *minor = amount;
            found = true;
            found_own |= own;
        }
        more = comma != NULL;
        at = more ? comma + 1 : end;
    }
    return found ? RWD_OK : RWD_NOT_FOUND;
}

void rwd_money_format(int64_t minor, struct rwd_currency currency, char out[RWD_MONEY_TEXT_SIZE])
{
    enum { DIGIT_COUNT = 20 }; /* of 2^63 and then some: always leading zeros enough */
    size_t exponent = rwd_currency_exponent(currency);
    uint64_t magnitude = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    char digits[DIGIT_COUNT];
    for (size_t i = DIGIT_COUNT; i > 0; i--) {
        digits[i - 1] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    }
    size_t point = DIGIT_COUNT - exponent;
    size_t first = 0;
    while (first < point - 1 && digits[first] == '0') {
        first++;
    }
    char *end = out;
    if (minor < 0) {
        *end++ = '-';
    }
    memcpy(end, digits + first, point - first);
    end += point - first;
    if (exponent > 0) {
        *end++ = '.';
        memcpy(end, digits + point, exponent);
        end += exponent;
    }
    *end = '\0';
}

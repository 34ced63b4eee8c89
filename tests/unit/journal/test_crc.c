/*
 * The journal's checksum against its definition, bit by bit: every length, start and split.
 */
#include "support.h"

static uint32_t by_definition(uint32_t crc, const unsigned char *data, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static void agrees_with_definition(void **state)
{
    (void)state;
    enum { SIZE_MAX_TRIED = 2200 };
    static unsigned char data[SIZE_MAX_TRIED + 8];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++) {
        seed = seed * 1664525 + 1013904223;
        data[i] = (unsigned char)(seed >> 24);
    }
    for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
        const unsigned char *at = data + size % 8;
        uint32_t expected = by_definition(0, at, size);
        assert_int_equal(rwd_crc32c(0, at, size), expected);
        size_t split = size * 3 / 7;
        assert_int_equal(rwd_crc32c(rwd_crc32c(0, at, split), at + split, size - split), expected);
    }
    assert_int_equal(rwd_crc32c(0, "123456789", 9), 0xe3069283); /* RFC 3720's check value */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is written is read back; damage fails and never runs past the end. */
#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void reads_what_was_written(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {
        0, 1, 127, 128, 16383, 16384, 1ULL << 32, 1ULL << 63, UINT64_MAX};
    static const int64_t signed_numbers[] = {0, -1, 1, 63, -64, 64, INT64_MAX, INT64_MIN};
    struct rwd_buffer buffer = {0};
    rwd_wire_put_u8(&buffer, 200);
    rwd_wire_put_u32(&buffer, 0x01020304);
    rwd_wire_put_u64(&buffer, 0x0102030405060708);
    assert_memory_equal(buffer.data, "\xc8\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01", 13);
    for (size_t i = 0; i < 9; i++) {
        rwd_wire_put_varint(&buffer, numbers[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        rwd_wire_put_signed(&buffer, signed_numbers[i]);
    }
    rwd_wire_put_text(&buffer, RWD_TEXT("hello"));
    rwd_wire_put_text(&buffer, RWD_TEXT(""));
    for (size_t cut = 0; cut <= buffer.size; cut++) {
        struct rwd_wire wire = rwd_wire_of(buffer.data, cut);
        bool good = rwd_wire_u8(&wire) == 200 && rwd_wire_u32(&wire) == 0x01020304 &&
                    rwd_wire_u64(&wire) == 0x0102030405060708;
        for (size_t i = 0; i < 9; i++) {
            good = rwd_wire_varint(&wire) == numbers[i] && good;
        }
        for (size_t i = 0; i < 8; i++) {
            good = rwd_wire_signed(&wire) == signed_numbers[i] && good;
        }
        good = rwd_text_is(rwd_wire_text(&wire), "hello") && good;
        good = rwd_wire_text(&wire).size == 0 && good;
        assert_true(rwd_wire_done(&wire) == (cut == buffer.size));
        assert_true(good == (cut == buffer.size) || cut == buffer.size - 1);
        assert_true(wire.failed == (cut < buffer.size));
    }
    rwd_buffer_finish(&buffer);
}

static void damage_fails(void **state)
{
    (void)state;
    static const char endless[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    struct rwd_wire wire = rwd_wire_of(endless, 11);
    assert_int_equal(rwd_wire_varint(&wire), 0);
    assert_true(wire.failed);
    assert_int_equal(rwd_wire_u8(&wire), 0);
    /* Ten bytes whose last holds more than the one bit that is left. */
    wire = rwd_wire_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    assert_int_equal(rwd_wire_varint(&wire), 0);
    assert_true(wire.failed);
    wire = rwd_wire_of("\x05hell", 5);
    assert_null(rwd_wire_text(&wire).data);
    assert_true(wire.failed);
    wire = rwd_wire_of("\xff\xff\xff\xff\x0f\x01\x02\x03\x04", 9);
    assert_int_equal(rwd_wire_count(&wire, 2), 0);
    assert_true(wire.failed);
    wire = rwd_wire_of("\x02\x01\x02\x03\x04", 5);
    assert_int_equal(rwd_wire_count(&wire, 2), 2);
    assert_false(wire.failed || rwd_wire_done(&wire));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(damage_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

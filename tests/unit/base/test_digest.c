/* Published vectors: RFC 3720, 4231, 4648, FIPS 180, and SipHash-1-3's reference. */
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t *bytes, size_t size, const char *hex)
{
    struct rwd_buffer text = {0};
    rwd_buffer_put_hex(&text, bytes, size);
    assert_string_equal(rwd_buffer_c_string(&text), hex);
    rwd_buffer_finish(&text);
}

static void crc32c_is_castagnolis(void **state)
{
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(rwd_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(rwd_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(rwd_crc32c(0, bytes, 32), 0x62a8ab43);
    for (unsigned char i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(rwd_crc32c(0, bytes, 32), 0x46dd794e);
    assert_int_equal(rwd_crc32c(rwd_crc32c(0, bytes, 13), bytes + 13, 19), 0x46dd794e);
    assert_int_equal(rwd_crc32c(0, NULL, 0), 0);
}

static void siphash_is_1_3(void **state)
{
    (void)state;
    uint8_t key[RWD_SIPHASH_KEY_SIZE];
    uint8_t bytes[64];
    for (uint8_t i = 0; i < 64; i++) {
        key[i % 16] = i % 16;
        bytes[i] = i;
    }
    assert_true(rwd_siphash(key, bytes, 0) == 0xabac0158050fc4dc);
    assert_true(rwd_siphash(key, bytes, 1) == 0xc9f49bf37d57ca93);
    assert_true(rwd_siphash(key, bytes, 7) != rwd_siphash(key, bytes, 8));
}

static void sha256_and_hmac(void **state)
{
    (void)state;
    uint8_t out[RWD_SHA256_SIZE];
    rwd_sha256(RWD_TEXT("abc"), out);
    assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    rwd_sha256((struct rwd_text){0}, out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct rwd_text parts[] = {RWD_TEXT("a"), RWD_TEXT(""), RWD_TEXT("bc")};
    rwd_sha256_parts(parts, 3, out);
    assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    /* RFC 4231, cases 1, 2 and 6. */
    rwd_hmac_sha256(RWD_TEXT("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
                             "\x0b\x0b\x0b"),
        RWD_TEXT("Hi There"), out);
    assert_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    rwd_hmac_sha256(RWD_TEXT("Jefe"), RWD_TEXT("what do ya want for nothing?"), out);
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    rwd_hmac_sha256((struct rwd_text){.data = long_key, .size = sizeof long_key},
        RWD_TEXT("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    rwd_hmac_sha256((struct rwd_text){0}, (struct rwd_text){0}, out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_true(rwd_equal_in_constant_time("abc", "abc", 3));
    assert_false(rwd_equal_in_constant_time("abc", "abd", 3));
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    struct rwd_buffer buffer = {0};
    rwd_base64_put(&buffer, (struct rwd_text){0});
    assert_int_equal(buffer.size, 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        buffer.size = 0;
        rwd_base64_put(&buffer, rwd_text_of(pairs[i][0]));
        assert_string_equal(rwd_buffer_c_string(&buffer), pairs[i][1]);
        buffer.size = 0;
        assert_true(rwd_base64_read(rwd_text_of(pairs[i][1]), &buffer));
        assert_string_equal(rwd_buffer_c_string(&buffer), pairs[i][0]);
    }
    /* The last two say f and fo with bits left over: a second spelling of the same bytes. */
    static const char *const bad[] = {"", "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v\n", "Zm 9",
        "Z-9v", "Zg==Zg==", "=Zg=", "Zh==", "Zm9="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (rwd_base64_read(rwd_text_of(bad[i]), &buffer)) {
            fail_msg("%s is accepted", bad[i]);
        }
    }
    rwd_buffer_finish(&buffer);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    rwd_random_bytes(a, sizeof a);
    rwd_random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_is_castagnolis),
        cmocka_unit_test(siphash_is_1_3),
        cmocka_unit_test(sha256_and_hmac),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/digest.h"

#include "base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

static uint32_t crc32c_table(uint32_t crc, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1U)));
        }
    }
    return crc;
}

#if defined(__x86_64__)
/* The instruction takes three cycles but can begin one each cycle, so three lanes side by side take
 * the time of one. A lane's CRC is moved past the lanes behind it by a carry-less multiplication
 * with x^(8 * bytes - 33) mod P, which the instruction then reduces. 3 * 168 bytes just fit a
 * typical journal record. */
enum { LANE_SIZE = 168, LANE_PAST_ONE = 0x1b3d8f29, LANE_WORD_COUNT = LANE_SIZE / 8 };
static const uint64_t lane_past_two = 0xa60ce07b;

typedef long long vector __attribute__((vector_size(16)));

__attribute__((target("sse4.2,pclmul"))) static uint64_t crc32c_lanes(
    uint64_t a, const unsigned char *data)
{
    uint64_t b = 0;
    uint64_t c = 0;
    for (size_t i = 0; i < LANE_WORD_COUNT; i++, data += 8) {
        uint64_t words[3];
        memcpy(&words[0], data, 8);
        memcpy(&words[1], data + LANE_SIZE, 8);
        memcpy(&words[2], data + 2 * (size_t)LANE_SIZE, 8);
        a = __builtin_ia32_crc32di(a, words[0]);
        b = __builtin_ia32_crc32di(b, words[1]);
        c = __builtin_ia32_crc32di(c, words[2]);
    }
    vector past_two = __builtin_ia32_pclmulqdq128(
        (vector){(long long)a, 0}, (vector){(long long)lane_past_two, 0}, 0);
    vector past_one =
        __builtin_ia32_pclmulqdq128((vector){(long long)b, 0}, (vector){LANE_PAST_ONE, 0}, 0);
    return __builtin_ia32_crc32di(0, (uint64_t)(past_two[0] ^ past_one[0])) ^ c;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc32c_sse42(
    uint32_t crc, const unsigned char *data, size_t size)
{
    uint64_t wide = crc;
    for (; size >= 3 * (size_t)LANE_SIZE;
         size -= 3 * (size_t)LANE_SIZE, data += 3 * (size_t)LANE_SIZE) {
        wide = crc32c_lanes(wide, data);
    }
    for (; size >= 8; size -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; size > 0; size--, data++) {
        crc = __builtin_ia32_crc32qi(crc, *data);
    }
    return crc;
}
#endif

uint32_t rwd_crc32c(uint32_t crc, const void *data, size_t size)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        return ~crc32c_sse42(~crc, data, size);
    }
#endif
    return ~crc32c_table(~crc, data, size);
}

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t rwd_siphash(const uint8_t key[RWD_SIPHASH_KEY_SIZE], const void *data, size_t size)
{
    uint64_t k[2];
    memcpy(k, key, sizeof k);
    uint64_t v[4] = {k[0] ^ 0x736f6d6570736575ULL, k[1] ^ 0x646f72616e646f6dULL,
        k[0] ^ 0x6c7967656e657261ULL, k[1] ^ 0x7465646279746573ULL};
    const unsigned char *at = data;
    size_t left = size;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)size << 56;
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void rwd_sha256_parts(const struct rwd_text *parts, size_t part_count, uint8_t out[RWD_SHA256_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    RWD_REQUIRE(context != NULL);
    int good = EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t i = 0; i < part_count; i++) {
        good &= EVP_DigestUpdate(context, parts[i].data, parts[i].size);
    }
    good &= EVP_DigestFinal_ex(context, out, NULL);
    EVP_MD_CTX_free(context);
    RWD_REQUIRE(good == 1);
}

void rwd_sha256(struct rwd_text text, uint8_t out[RWD_SHA256_SIZE])
{
    rwd_sha256_parts(&text, 1, out);
}

void rwd_hmac_sha256(struct rwd_text key, struct rwd_text text, uint8_t out[RWD_SHA256_SIZE])
{
    /* OpenSSL takes NULL for "none given", not for "empty". */
    const char *key_data = key.data != NULL ? key.data : "";
    const char *data = text.data != NULL ? text.data : "";
    unsigned size = RWD_SHA256_SIZE;
    RWD_REQUIRE(HMAC(EVP_sha256(), key_data, (int)key.size, (const unsigned char *)data, text.size,
                    out, &size) != NULL);
}

bool rwd_equal_in_constant_time(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void rwd_base64_put(struct rwd_buffer *buffer, struct rwd_text bytes)
{
    size_t encoded = (bytes.size + 2) / 3 * 4;
    rwd_buffer_reserve(buffer, encoded);
    int size = EVP_EncodeBlock((unsigned char *)buffer->data + buffer->size,
        (const unsigned char *)bytes.data, (int)bytes.size);
    RWD_REQUIRE(size >= 0 && (size_t)size == encoded);
    buffer->size += encoded;
}

bool rwd_base64_read(struct rwd_text text, struct rwd_buffer *bytes)
{
    if (text.size == 0 || text.size % 4 != 0 || text.size > 4096) {
        return false;
    }
    size_t padding = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '+' || c == '/';
        padding += c == '=';
        if ((!plain && c != '=') || (plain && padding > 0) || padding > 2) {
            return false;
        }
    }
    rwd_buffer_reserve(bytes, text.size);
    int size = EVP_DecodeBlock((unsigned char *)bytes->data + bytes->size,
        (const unsigned char *)text.data, (int)text.size);
    if (size < 0) {
        return false;
    }
    size_t decoded = (size_t)size - padding;
    /* The bits that padding leaves over must be zero: one spelling for the same bytes. */
    char again[8];
    struct rwd_text tail = {
        .data = bytes->data + bytes->size + decoded - (3 - padding), .size = 3 - padding};
    (void)EVP_EncodeBlock((unsigned char *)again, (const unsigned char *)tail.data, (int)tail.size);
    if (memcmp(again, text.data + text.size - 4, 4) != 0) {
        return false;
    }
    bytes->size += decoded;
    return true;
}

void rwd_random_bytes(void *out, size_t size)
{
    RWD_REQUIRE(RAND_bytes(out, (int)size) == 1);
}

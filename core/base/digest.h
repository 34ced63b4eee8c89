/*
 * digest: checksums, keyed hashes and signatures. OpenSSL does the cryptography.
 */
#ifndef RWD_BASE_DIGEST_H
#define RWD_BASE_DIGEST_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

enum { RWD_SHA256_SIZE = 32, RWD_SIPHASH_KEY_SIZE = 16 };

/* CRC-32C (Castagnoli, RFC 3720 B.4), with SSE 4.2 where the machine has it. Start with crc 0. */
uint32_t rwd_crc32c(uint32_t crc, const void *data, size_t size);

/* SipHash-1-3 (J.-P. Aumasson, D. J. Bernstein): for tables and fingerprints of outside text. */
uint64_t rwd_siphash(const uint8_t key[RWD_SIPHASH_KEY_SIZE], const void *data, size_t size);

void rwd_sha256(struct rwd_text text, uint8_t out[RWD_SHA256_SIZE]);
/* SHA-256 over the parts, one after the other. */
void rwd_sha256_parts(
    const struct rwd_text *parts, size_t part_count, uint8_t out[RWD_SHA256_SIZE]);
void rwd_hmac_sha256(struct rwd_text key, struct rwd_text text, uint8_t out[RWD_SHA256_SIZE]);
/* Same time whatever the bytes are. */
bool rwd_equal_in_constant_time(const void *a, const void *b, size_t size);

/* Standard base64 with padding (RFC 4648, 4). */
void rwd_base64_put(struct rwd_buffer *buffer, struct rwd_text bytes);
/* Strict: padding required, no blanks. False: not base64. */
RWD_MUST_USE bool rwd_base64_read(struct rwd_text text, struct rwd_buffer *bytes);

/* From the system's generator. */
void rwd_random_bytes(void *out, size_t size);

#endif

#include "transport/webhook_signature.h"

#include "base/digest.h"

#include <string.h>

static enum rwd_status key_of(
    struct rwd_text secret, struct rwd_buffer *key, struct rwd_error *error)
{
    static const struct rwd_text prefix = {.data = "whsec_", .size = 6};
    if (secret.size >= prefix.size && memcmp(secret.data, prefix.data, prefix.size) == 0) {
        struct rwd_text encoded = {
            .data = secret.data + prefix.size, .size = secret.size - prefix.size};
        return rwd_base64_read(encoded, key)
                   ? RWD_OK
                   : rwd_fail(error, RWD_INVALID, "secret after whsec_ is not base64");
    }
    if (secret.size == 0) {
        return rwd_fail(error, RWD_INVALID, "secret is empty");
    }
    rwd_buffer_put_text(key, secret);
    return RWD_OK;
}

static void mac_of(
    const struct rwd_webhook *webhook, const struct rwd_buffer *key, uint8_t mac[RWD_SHA256_SIZE])
{
    struct rwd_buffer content = {0};
    rwd_buffer_reserve(&content, webhook->id.size + webhook->body.size + 32);
    rwd_buffer_put_text(&content, webhook->id);
    rwd_buffer_put_char(&content, '.');
    rwd_buffer_put_i64(&content, webhook->timestamp_s);
    rwd_buffer_put_char(&content, '.');
    rwd_buffer_put_text(&content, webhook->body);
    rwd_hmac_sha256(rwd_buffer_text(key), rwd_buffer_text(&content), mac);
    rwd_buffer_finish(&content);
}

/* "v1,<base64>" */
static enum rwd_status put_signature(const struct rwd_webhook *webhook, struct rwd_text secret,
    struct rwd_buffer *out, struct rwd_error *error)
{
    struct rwd_buffer key = {0};
    enum rwd_status status = key_of(secret, &key, error);
    if (status == RWD_OK) {
        uint8_t mac[RWD_SHA256_SIZE];
        mac_of(webhook, &key, mac);
        rwd_buffer_put_text(out, RWD_TEXT("v1,"));
        rwd_base64_put(out, (struct rwd_text){.data = (const char *)mac, .size = sizeof mac});
    }
    rwd_buffer_finish(&key);
    return status;
}

/* "sha256=<hex>" */
static enum rwd_status put_body_signature(
    struct rwd_text body, struct rwd_text secret, struct rwd_buffer *out, struct rwd_error *error)
{
    struct rwd_buffer key = {0};
    enum rwd_status status = key_of(secret, &key, error);
    if (status == RWD_OK) {
        uint8_t mac[RWD_SHA256_SIZE];
        rwd_hmac_sha256(rwd_buffer_text(&key), body, mac);
        rwd_buffer_put_text(out, RWD_TEXT("sha256="));
        rwd_buffer_put_hex(out, mac, sizeof mac);
    }
    rwd_buffer_finish(&key);
    return status;
}

static enum rwd_status check_id(struct rwd_text id, struct rwd_error *error)
{
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] <= ' ' || id.data[i] >= 0x7f) {
            return rwd_fail(error, RWD_INVALID, "webhook id has a character unfit for a header");
        }
    }
    return id.size > 0 ? RWD_OK : rwd_fail(error, RWD_INVALID, "webhook id is empty");
}

enum rwd_status rwd_webhook_sign(const struct rwd_webhook *webhook, const struct rwd_text *secrets,
    size_t secret_count, struct rwd_buffer *header_lines, struct rwd_error *error)
{
    if (secret_count == 0) {
        return rwd_fail(error, RWD_INVALID, "endpoint has no secret");
    }
    size_t size_before = header_lines->size;
    enum rwd_status status = check_id(webhook->id, error);
    rwd_buffer_put_text(header_lines, RWD_TEXT("webhook-id: "));
    rwd_buffer_put_text(header_lines, webhook->id);
    rwd_buffer_put_text(header_lines, RWD_TEXT("\r\nwebhook-timestamp: "));
    rwd_buffer_put_i64(header_lines, webhook->timestamp_s);
    rwd_buffer_put_text(header_lines, RWD_TEXT("\r\nwebhook-signature:"));
    for (size_t i = 0; i < secret_count && status == RWD_OK; i++) {
        rwd_buffer_put_char(header_lines, ' ');
        status = put_signature(webhook, secrets[i], header_lines, error);
    }
    rwd_buffer_put_text(header_lines, RWD_TEXT("\r\n"));
    if (status != RWD_OK) {
        header_lines->size = size_before;
    }
    return status;
}

enum rwd_status rwd_webhook_sign_body(const struct rwd_webhook *webhook, struct rwd_text secret,
    struct rwd_buffer *header_lines, struct rwd_error *error)
{
    size_t size_before = header_lines->size;
    enum rwd_status status = check_id(webhook->id, error);
    rwd_buffer_put_text(header_lines, RWD_TEXT("X-Request-Id: "));
    rwd_buffer_put_text(header_lines, webhook->id);
    rwd_buffer_put_text(header_lines, RWD_TEXT("\r\nX-Timestamp: "));
    rwd_buffer_put_i64(header_lines, webhook->timestamp_s);
    rwd_buffer_put_text(header_lines, RWD_TEXT("\r\nX-Signature: "));
    if (status == RWD_OK) {
        status = put_body_signature(webhook->body, secret, header_lines, error);
    }
    rwd_buffer_put_text(header_lines, RWD_TEXT("\r\n"));
    if (status != RWD_OK) {
        header_lines->size = size_before;
    }
    return status;
}

static bool equal(const struct rwd_buffer *wanted, struct rwd_text given)
{
    return given.size == wanted->size &&
           rwd_equal_in_constant_time(given.data, wanted->data, given.size);
}

enum rwd_status rwd_webhook_verify(
    const struct rwd_webhook *webhook, struct rwd_text secret, struct rwd_text signature)
{
    struct rwd_buffer wanted = {0};
    enum rwd_status status = put_signature(webhook, secret, &wanted, NULL);
    if (status == RWD_OK) {
        status = RWD_DENIED;
        for (size_t at = 0; at < signature.size;) {
            const char *blank = memchr(signature.data + at, ' ', signature.size - at);
            size_t end = blank != NULL ? (size_t)(blank - signature.data) : signature.size;
            if (equal(&wanted, (struct rwd_text){.data = signature.data + at, .size = end - at})) {
                status = RWD_OK;
            }
            at = end + 1;
        }
    }
    rwd_buffer_finish(&wanted);
    return status;
}

enum rwd_status rwd_webhook_verify_body(
    struct rwd_text body, struct rwd_text secret, struct rwd_text signature)
{
    struct rwd_buffer wanted = {0};
    enum rwd_status status = put_body_signature(body, secret, &wanted, NULL);
    if (status == RWD_OK && !equal(&wanted, signature)) {
        status = RWD_DENIED;
    }
    rwd_buffer_finish(&wanted);
    return status;
}

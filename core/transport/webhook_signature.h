/*
 * webhook_signature: proves to a partner that a request is ours. Pure.
 *
 * Two families. Standard Webhooks: webhook-id, webhook-timestamp and webhook-signature, which holds
 * "v1,<base64 of HMAC-SHA256(secret, id.timestamp.body)>" once per live secret, blank between. And
 * the older one: X-Request-Id, X-Timestamp and "X-Signature: sha256=<hex of HMAC-SHA256(secret,
 * body)>", which has room for one secret only: the first, so put the newest first.
 *
 * A secret is its own bytes, or "whsec_" and base64 of them.
 */
#ifndef RWD_TRANSPORT_WEBHOOK_SIGNATURE_H
#define RWD_TRANSPORT_WEBHOOK_SIGNATURE_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

struct rwd_webhook {
    struct rwd_text id;
    int64_t timestamp_s;
    struct rwd_text body;
};

/* Both append header lines, each ending in CR LF, and nothing unless they answer RWD_OK.
 * RWD_INVALID: no secret, a whsec_ that is not base64, or an id that cannot stand in a header. */
RWD_MUST_USE enum rwd_status rwd_webhook_sign(const struct rwd_webhook *webhook,
    const struct rwd_text *secrets, size_t secret_count, struct rwd_buffer *header_lines,
    struct rwd_error *error);
RWD_MUST_USE enum rwd_status rwd_webhook_sign_body(const struct rwd_webhook *webhook,
    struct rwd_text secret, struct rwd_buffer *header_lines, struct rwd_error *error);

/* For the receiving side. signature is the header's value. RWD_OK: made with that secret.
 * RWD_DENIED: not so. RWD_INVALID: the secret is no secret. Judging the timestamp's age is the
 * caller's. */
RWD_MUST_USE enum rwd_status rwd_webhook_verify(
    const struct rwd_webhook *webhook, struct rwd_text secret, struct rwd_text signature);
RWD_MUST_USE enum rwd_status rwd_webhook_verify_body(
    struct rwd_text body, struct rwd_text secret, struct rwd_text signature);

#endif

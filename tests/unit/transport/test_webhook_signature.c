/* Signatures against published vectors: Standard Webhooks' own and RFC 4231's. */
#include "base/digest.h"
#include "transport/webhook_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The vector of the Standard Webhooks reference libraries. */
static const struct rwd_webhook published = {
    .id = {.data = "msg_p5jXN8AQM9LWM0D4loKWxJek", .size = 28},
    .timestamp_s = 1614265330,
    .body = {.data = "{\"test\": 2432232314}", .size = 20},
};
#define PUBLISHED_SECRET RWD_TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
#define PUBLISHED_SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static void signs_like_the_standard(void **state)
{
    (void)state;
    struct rwd_buffer lines = {0};
    assert_int_equal(rwd_webhook_sign(&published, &PUBLISHED_SECRET, 1, &lines, NULL), RWD_OK);
    assert_string_equal(rwd_buffer_c_string(&lines),
        "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1614265330\r\n"
        "webhook-signature: " PUBLISHED_SIGNATURE "\r\n");
    rwd_buffer_finish(&lines);
    assert_int_equal(
        rwd_webhook_verify(&published, PUBLISHED_SECRET, RWD_TEXT(PUBLISHED_SIGNATURE)), RWD_OK);
}

static void two_live_secrets_both_verify(void **state)
{
    (void)state;
    struct rwd_text secrets[] = {RWD_TEXT("plain new secret"), PUBLISHED_SECRET};
    struct rwd_buffer lines = {0};
    assert_int_equal(rwd_webhook_sign(&published, secrets, 2, &lines, NULL), RWD_OK);
    const char *at = strstr(rwd_buffer_c_string(&lines), "webhook-signature: ") + 19;
    struct rwd_text value = {.data = at, .size = strcspn(at, "\r")};
    assert_int_equal(rwd_webhook_verify(&published, secrets[0], value), RWD_OK);
    assert_int_equal(rwd_webhook_verify(&published, secrets[1], value), RWD_OK);
    assert_int_equal(rwd_webhook_verify(&published, RWD_TEXT("other"), value), RWD_DENIED);
    struct rwd_webhook changed = published;
    changed.timestamp_s++;
    assert_int_equal(rwd_webhook_verify(&changed, secrets[0], value), RWD_DENIED);
    changed = published;
    changed.body.size--;
    assert_int_equal(rwd_webhook_verify(&changed, secrets[0], value), RWD_DENIED);
    assert_int_equal(rwd_webhook_verify(&published, secrets[0], RWD_TEXT("")), RWD_DENIED);
    rwd_buffer_finish(&lines);
}

static void signs_the_body_alone_too(void **state)
{
    (void)state;
    /* RFC 4231, test case 2. */
    struct rwd_webhook webhook = {
        .id = RWD_TEXT("r-1"), .timestamp_s = 7, .body = RWD_TEXT("what do ya want for nothing?")};
    struct rwd_buffer lines = {0};
    assert_int_equal(rwd_webhook_sign_body(&webhook, RWD_TEXT("Jefe"), &lines, NULL), RWD_OK);
    assert_string_equal(rwd_buffer_c_string(&lines),
        "X-Request-Id: r-1\r\nX-Timestamp: 7\r\nX-Signature: sha256="
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\r\n");
    rwd_buffer_finish(&lines);
    struct rwd_text good =
        RWD_TEXT("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    struct rwd_text bad =
        RWD_TEXT("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3842");
    assert_int_equal(rwd_webhook_verify_body(webhook.body, RWD_TEXT("Jefe"), good), RWD_OK);
    assert_int_equal(rwd_webhook_verify_body(webhook.body, RWD_TEXT("Jefe"), bad), RWD_DENIED);
    good.size--;
    assert_int_equal(rwd_webhook_verify_body(webhook.body, RWD_TEXT("Jefe"), good), RWD_DENIED);
}

static void unusable_secrets_and_ids_leave_nothing(void **state)
{
    (void)state;
    struct rwd_buffer lines = {0};
    rwd_buffer_put_string(&lines, "kept");
    struct rwd_text bad[] = {RWD_TEXT("whsec_"), RWD_TEXT("whsec_a*=="), RWD_TEXT("")};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rwd_webhook_sign(&published, &bad[i], 1, &lines, NULL), RWD_INVALID);
        assert_int_equal(rwd_webhook_sign_body(&published, bad[i], &lines, NULL), RWD_INVALID);
        assert_int_equal(rwd_webhook_verify(&published, bad[i], RWD_TEXT("v1,")), RWD_INVALID);
    }
    assert_int_equal(rwd_webhook_sign(&published, bad, 0, &lines, NULL), RWD_INVALID);
    struct rwd_webhook injected = published;
    injected.id = RWD_TEXT("a\r\nX: y");
    assert_int_equal(rwd_webhook_sign(&injected, &PUBLISHED_SECRET, 1, &lines, NULL), RWD_INVALID);
    assert_string_equal(rwd_buffer_c_string(&lines), "kept");
    rwd_buffer_finish(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_like_the_standard),
        cmocka_unit_test(two_live_secrets_both_verify),
        cmocka_unit_test(signs_the_body_alone_too),
        cmocka_unit_test(unusable_secrets_and_ids_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

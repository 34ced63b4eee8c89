"""Every way a partner can fail, and the one thing that must come out: paid once, booked once."""

import base64
import hmac

import pytest

import rewardd
import rulebook
from rewardd import SECRET, check_books

ATTEMPTS_MAX = 8


def earn(daemon, user="u1"):
    """A verified player with a task of 5.00 EUR; returns the task as it stands."""
    results = daemon.accept(rewardd.kyc(user, 2, ts=rewardd.noon(1, 0)),
                            rewardd.bet(user, 10, ts=rewardd.noon(1, 1)))
    task_id, = results[1]["reward_tasks"]
    return daemon.wait_for(lambda: next((task for task in daemon.tasks(user_id=user)
                                         if task["reward_task_id"] == task_id), None))


def dead_letter_of(daemon, task):
    found = [letter for letter in daemon.dead_letters("deliveries")
             if task["reward_task_id"] in str(letter)]
    assert len(found) == 1, found
    return found[0]


def test_what_a_delivery_looks_like(paying, wallet):
    task = earn(paying)
    done = paying.wait_task("succeeded", user_id="u1")
    request, = wallet.attempts(task["reward_task_id"])
    assert set(request.json) == {"request_id", "user_id", "reward", "reason", "kyc_level",
                                 "constraints"}
    assert request.json["user_id"] == "u1" and request.json["kyc_level"] == 2
    reward = request.json["reward"]
    assert (reward["type"], reward["amount"], reward["currency"]) == ("cash", "5.00", "EUR")
    assert request.headers["content-type"].startswith("application/json")
    assert request.headers["webhook-id"] == request.headers["x-request-id"] == request.id
    assert done["attempts"] == 1
    check_books(paying, wallet)


def test_500_three_times_then_200(paying, wallet):
    wallet.next(*[{"do": "status", "status": 500}] * 3)
    task = earn(paying)
    done = paying.wait_task("succeeded", user_id="u1")
    attempts = wallet.attempts(task["reward_task_id"])
    assert len(attempts) == done["attempts"] == 4
    assert len({request.body for request in attempts}) == 1, "a retry is the same request"
    assert len({request.headers["webhook-id"] for request in attempts}) == 1
    check_books(paying, wallet)


def test_500_for_ever_then_reprocessed(paying, wallet):
    wallet.always("status", status=500)
    task = earn(paying)
    paying.wait_task("failed", user_id="u1", timeout=60)
    assert len(wallet.attempts(task["reward_task_id"])) == ATTEMPTS_MAX
    letter = dead_letter_of(paying, task)
    assert rewardd.cents(paying.budget()["reserved"]) == 500, "it may have been paid"
    paying.kill9()
    paying.restart()
    assert rewardd.cents(paying.budget()["reserved"]) == 500
    wallet.always()
    path = f"/v1/dead-letters/{rewardd.letter_id(letter)}/reprocess"
    assert paying.post(path, {"reason": "the wallet is back"}).status == 200
    paying.wait_task("succeeded", user_id="u1")
    paying.post(path, {"reason": "twice"})
    assert len(wallet.attempts(task["reward_task_id"])) == ATTEMPTS_MAX + 1
    check_books(paying, wallet)


def test_paid_unheard_then_dropped(paying, wallet):
    """Only who has asked the partner may give the money of a used-up task back."""
    wallet.always("status", status=503)
    task = earn(paying)
    paying.wait_task("failed", user_id="u1", timeout=60)
    path = f"/v1/dead-letters/{rewardd.letter_id(dead_letter_of(paying, task))}"
    rewardd.expect_problem(paying.post(path + "/drop"), 400, "reason")
    assert paying.budget()["reserved"] == "5.00"
    dropped = paying.post(path + "/drop", {"reason": "the wallet has no payout of that id"})
    assert (dropped.status, dropped.json["status"]) == (200, "dropped")
    assert paying.budget()["reserved"] == "0.00"
    assert paying.wait_task("cancelled", user_id="u1")["reason"] == "rejected"
    rewardd.expect_problem(paying.post(path + "/drop", {"reason": "twice"}), 409)
    rewardd.expect_problem(paying.post(path + "/reprocess", {"reason": "late"}), 409)
    paying.kill9()
    paying.restart()
    assert paying.budget()["reserved"] == "0.00"
    wallet.always()
    assert wallet.payouts() == {}
    check_books(paying, wallet)


def test_a_dropped_dead_letter_stays_dropped(paying, wallet):
    wallet.always("status", status=404)
    task = earn(paying)
    paying.wait_task("failed", user_id="u1")
    path = f"/v1/dead-letters/{rewardd.letter_id(dead_letter_of(paying, task))}"
    assert paying.post(path + "/drop", {"reason": "test"}).status == 200
    wallet.always()
    rewardd.expect_problem(paying.post(path + "/reprocess", {"reason": "late"}), (404, 409))
    assert wallet.payouts() == {}
    check_books(paying, wallet)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_other_4xx_is_final(paying, wallet, status):
    wallet.always("status", status=status)
    task = earn(paying)
    paying.wait_task("failed", user_id="u1")
    assert len(wallet.attempts(task["reward_task_id"])) == 1
    dead_letter_of(paying, task)
    check_books(paying, wallet)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 503])
def test_come_again_is_honoured(paying, wallet, status):
    wallet.next({"do": "status", "status": status, "retry_after": 1})
    task = earn(paying)
    paying.wait_task("succeeded", user_id="u1")
    first, second = wallet.attempts(task["reward_task_id"])
    assert second.at - first.at >= 0.95, "Retry-After was one second"
    check_books(paying, wallet)


def test_redirects_are_not_followed(paying, wallet):
    wallet.always("redirect")
    task = earn(paying)
    wallet.wait_for(lambda one: one.request_count >= 1)
    paying.wait_task("failed", user_id="u1", timeout=60)
    assert {request.path for request in wallet.attempts(task["reward_task_id"])} == {"/payouts"}
    assert wallet.payouts() == {}
    check_books(paying, wallet)


@pytest.mark.parametrize("behaviour", [
    {"do": "hang", "pay": True}, {"do": "hang"}, {"do": "reset", "pay": True}, {"do": "reset"},
    {"do": "garbage", "pay": True}, {"do": "garbage"}, {"do": "status", "status": 500, "pay": True},
    {"do": "drip", "pay": True}], ids=lambda one: one["do"] + ("_paid" if "pay" in one else ""))
def test_an_answer_that_never_comes(make_daemon, wallet, behaviour):
    """Paid or not, we cannot know: the same id again, and the partner's memory decides."""
    daemon = make_daemon(rules=rulebook.PAYS, timeout_ms=300)
    wallet.next(behaviour)
    task = earn(daemon)
    daemon.wait_task("succeeded", user_id="u1")
    assert len(wallet.attempts(task["reward_task_id"])) == 2
    assert wallet.total("cash") == 5
    check_books(daemon, wallet)


def test_one_byte_a_second_does_not_hold_a_place(make_daemon, wallet):
    """The deadline is for the whole answer; every place taken by a drip comes free again."""
    daemon = make_daemon(rules=rulebook.PAYS, timeout_ms=300, concurrency=2)
    wallet.for_user("slow", "drip")
    earn(daemon, "slow")
    for number in range(10):
        earn(daemon, f"fast{number}")
    for number in range(10):
        daemon.wait_task("succeeded", user_id=f"fast{number}")
    wallet.for_user("slow")
    daemon.wait_settled()


def test_an_answer_of_a_gigabyte(paying, wallet):
    earn(paying, "warm")
    paying.wait_task("succeeded", user_id="warm")
    before = paying.resident_kib()
    wallet.next({"do": "flood", "pay": True})
    task = earn(paying)
    paying.wait_task("succeeded", user_id="u1")
    assert wallet.attempts(task["reward_task_id"])[0].sent_size < 64 << 20
    assert paying.resident_kib() - before < 32 << 10
    check_books(paying, wallet)


def test_another_payout_id_on_a_retry_is_held(paying, wallet):
    """The partner names po_1 with an error and po_2 with success: a person has to look."""
    wallet.next({"do": "text", "status": 500, "body": '{"payout_id":"po_first"}'},
                {"do": "text", "status": 200, "body": '{"payout_id":"po_second"}'})
    earn(paying)
    task = paying.wait_task("held", user_id="u1")
    assert "payout" in task["reason"]
    assert len(wallet.attempts(task["reward_task_id"])) == 2
    assert paying.ledger(user_id="u1") == []
    check_books(paying, wallet)


def test_two_secrets_during_a_rotation(make_daemon, wallet):
    following = "integration-secret-the-next-one-0001"
    wallet.secrets.append(following)
    daemon = make_daemon(rules=rulebook.PAYS, secret_next=following)
    task = earn(daemon)
    daemon.wait_task("succeeded", user_id="u1")
    request, = wallet.attempts(task["reward_task_id"])
    signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    wanted = {"v1," + base64.b64encode(hmac.digest(key.encode(), signed, "sha256")).decode()
              for key in (SECRET, following)}
    assert set(request.headers["webhook-signature"].split()) == wanted
    check_books(daemon, wallet)


def test_a_kind_without_an_endpoint_does_not_vanish(make_daemon, wallet):
    """A reward nobody is configured to pay is visible, not lost, and is not sent to another."""
    daemon = make_daemon(rules=rulebook.PAYS, kinds=("freespins",))
    earn(daemon)
    task, = daemon.tasks(user_id="u1")
    assert task["status"] in ("pending", "held", "failed")
    assert wallet.request_count == 0


def test_a_dead_partner_parks_and_drains(make_daemon, wallet):
    """While it is away ingest goes on; when it is back everything is paid, once."""
    daemon = make_daemon(rules=rulebook.PAYS, timeout_ms=200, retry_max_ms=1000)
    wallet.always("status", status=503, retry_after=1)
    users = [f"u{number}" for number in range(30)]
    daemon.accept(*[rewardd.kyc(user, ts=rewardd.noon(1, 0)) for user in users])
    daemon.accept(*[rewardd.bet(user, 10, ts=rewardd.noon(1, 1)) for user in users])
    wallet.wait_for(lambda one: one.request_count >= 3)
    wallet.always()
    daemon.wait_for(lambda: len(daemon.tasks(status="succeeded")) == len(users), 60)
    check_books(daemon, wallet)
